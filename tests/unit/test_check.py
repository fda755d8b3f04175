"""Check files: what they say, what is wrong with them, and what becomes of them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

import netsim
from netsim.check.expectation import Outcome, SeenSource, Wanted, differences
from netsim.check.read import read_checks
from netsim.check.report import document, junit, text
from netsim.check.run import Checked, results
from netsim.net.address import parse_address
from netsim.scenario.question import PacketOptions
from tests.cli.commands import netsim as command
from tests.cli.console import ROOT

HEAD = "apiVersion: netsim.io/v1alpha1\nkind: Check\nmetadata: {name: here}\nspec:\n  expectations:\n"


def written(folder: Path, expectations: str, head: str = HEAD) -> Path:
    file = folder / "some.check.yaml"
    file.write_text(head + expectations, encoding="utf-8")
    return file


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    line = (
        "{name: all, from: a, to: b, port: 53, protocol: udp, sourcePort: 7, size: 9, family: ipv6, mark: 1, ttl: 3, "
        "verdict: [DROPPED, 'REJECTED:PORT_CLOSED'], backends: [web], sourceSeen: node, modes: [ipvs]}"
    )
    (check,) = read_checks(written(tmp_path, f"  - {line}\n"))
    (found,) = check.expectations
    assert check.name == "here"
    assert (found.name, found.source, found.destination, found.modes) == ("all", "a", "b", ("ipvs",))
    assert found.packet == PacketOptions(53, "udp", 7, None, 9, dont_fragment=False, ttl=3, mark=1, version=6)
    assert found.wanted.outcomes == (
        Outcome(netsim.Verdict.DROPPED),
        Outcome(netsim.Verdict.REJECTED, "PORT_CLOSED"),
    )
    assert (found.wanted.backends, found.wanted.source_seen) == (("web",), SeenSource.NODE)
    assert found.origin is not None
    assert found.origin.line == 6


@pytest.mark.parametrize(
    ("expectations", "message", "place"),
    [
        ("  - {to: b}\n", "the expectation has no 'from'", "6:5"),
        ("  - {from: a}\n", "the expectation has no 'to'", "6:5"),
        ("  - {from: a, to: b, verdict: DELIVERD}\n", "verdict: 'DELIVERD' is not known", "6:22"),
        ("  - {from: a, to: b, reason: NOPE}\n", "reason: 'NOPE' is not known", "6:22"),
        ("  - {from: a, to: b, verdict: 'DROPPED:NOPE'}\n", "verdict: 'NOPE' is not known", "6:22"),
        ("  - {from: a, to: b, modes: [ebpf]}\n", "modes: 'ebpf' is not known", "6:22"),
        ("  - {from: a, to: b, protocol: gre}\n", "protocol: 'gre' is not known", "6:22"),
        ("  - {from: a, to: b, port: 0}\n", "must be between 1 and 65535, not 0", "6:22"),
        ("  - {from: a, to: b, sourceSeen: mars}\n", "'mars' is neither client, node nor an address", "6:22"),
        ("  - {from: a, to: b, backend: c}\n", 'unknown field "spec.expectations[0].backend"', "6:22"),
        ("  - {name: x, from: a, to: b}\n  - {name: x, from: a, to: c}\n", "'x' is there twice", "7:6"),
        ("  - {from: a, to: b, verdict: []}\n", "verdict: the list is empty", "6:22"),
        ("  - {from: a, to: b, backends: []}\n", "backends: the list is empty", "6:22"),
        ("  - {from: a, to: b, modes: []}\n", "modes: the list is empty", "6:22"),
        (
            "  - {from: a, to: b, verdict: 'LEFT:NO_ROUTE'}\n",
            "NO_ROUTE is a reason of NO_ROUTE, so LEFT never has it",
            "6:22",
        ),
        ("  - {from: a, to: b, verdict: LEFT, reason: NO_ROUTE}\n", "so LEFT never has it", "6:22"),
        ('  - {name: "a\\nb", from: a, to: b}\n', "is not one line of printable text", "6:6"),
        ("  - 7\n", "spec.expectations[0]: expected an object, found a number", "6:5"),
        ("    []\n", "a check has at least one", "5:3"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(tmp_path: Path, expectations: str, message: str, place: str) -> None:
    file = written(tmp_path, expectations)
    with pytest.raises(netsim.LoadError) as told:
        read_checks(file)
    assert message in str(told.value)
    assert f"{file}:{place}" in str(told.value)


def test_a_file_without_a_check(tmp_path: Path) -> None:
    file = tmp_path / "manifest.yaml"
    file.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n", encoding="utf-8")
    with pytest.raises(netsim.LoadError, match="no document of kind Check"):
        read_checks(file)


ROWS = [
    # source, destination, what is wanted, how it differs (empty: it does not)
    ("pod-a", "svc-x", Wanted(), ""),
    ("pod-a", "svc-x", Wanted(backends=("deployment/x",)), ""),
    ("pod-a", "svc-x", Wanted(backends=("10.244.1.3:8080", "10.244.2.2", "10.244.2.3")), ""),
    ("pod-a", "svc-x", Wanted(backends=("10.244.1.3:8080",)), "backend 10.244.2.2:8080 is none of those expected"),
    ("pod-a", "svc-x", Wanted(backends=("deployment/x", "pod-a")), "no branch reaches the backend 10.244.1.2"),
    ("pod-a", "svc-x", Wanted(source_seen=SeenSource.CLIENT), ""),
    (
        "pod-a",
        "svc-x",
        Wanted(source_seen=SeenSource.NODE),
        "expected the source node, and the receiver sees 10.244.1.2",
    ),
    ("pod-a", "svc-x", Wanted(source_seen=parse_address("10.244.1.2")), ""),
    (
        "pod-a",
        "svc-x",
        Wanted((Outcome(netsim.Verdict.DROPPED),)),
        "expected DROPPED, found DELIVERED on 3 of 3 branches",
    ),
    ("pod-a", "svc-x:81", Wanted(), "expected DELIVERED, found LEFT:LEFT_MODEL: "),
    ("pod-a", "svc-x:81", Wanted((Outcome(netsim.Verdict.LEFT, "LEFT_MODEL"),)), ""),
    (
        "pod-a",
        "svc-x:81",
        Wanted((Outcome(netsim.Verdict.LEFT, "NO_ROUTE"),)),
        "expected LEFT:NO_ROUTE, found LEFT:LEFT_MODEL",
    ),
]


@pytest.mark.parametrize(("source", "destination", "wanted", "unlike"), ROWS)
def test_differences(source: str, destination: str, wanted: Wanted, unlike: str) -> None:
    world = netsim.load("default")
    found = differences(world.scenario, world.trace(source, destination), wanted)
    assert (found[0] if found else "").startswith(unlike)
    assert bool(found) == bool(unlike)


def test_a_backend_that_nobody_is() -> None:
    world = netsim.load("default")
    with pytest.raises(netsim.UnknownNameError, match="nobody is no backend"):
        differences(world.scenario, world.trace("pod-a", "svc-x"), Wanted(backends=("nobody",)))


def test_reports(tmp_path: Path) -> None:
    file = written(
        tmp_path, "  - {from: pod-a, to: svc-x}\n  - {name: other, from: pod-a, to: svc-x, reason: NO_ROUTE}\n"
    )
    world = netsim.load("default").scenario
    found = [Checked("here", tuple(results(read_checks(file)[0].expectations, lambda mode: world)))]
    assert [result.holds for result in found[0].results] == [True, False]
    assert "here: 1 of 2 expectations fail\n" in text(found)
    assert document(found)["holds"] is False
    suite = ET.fromstring(junit(found).partition("\n")[2]).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    (failure,) = suite.iter("failure")
    assert "→ SYN" in (failure.text or "")


TWO = "".join(
    HEAD.replace("name: here", f"name: {name}").replace("spec:", f"spec:\n  topology: [{name}]")
    + f"  - {{name: same, from: {source}, to: svc/{service}}}\n---\n"
    for name, source, service in (("default", "pod-a", "svc-x"), ("no-endpoints", "client", "web"))
)


def test_each_check_of_a_file_has_a_world_of_its_own(tmp_path: Path) -> None:
    file = written(tmp_path, "", TWO.removesuffix("---\n"))
    ran = command("check", str(file))
    assert "ok    same\n\ndefault: 1 expectation holds\n\nFAIL  same\n" in ran.out
    assert ran.out.endswith("no-endpoints: 1 of 1 expectation fails\n")
    found = json.loads(command("check", str(file), "-o", "json").out)
    assert (found["name"], [result["check"] for result in found["results"]]) == (
        "default, no-endpoints",
        ["default", "no-endpoints"],
    )
    suites = ET.fromstring(command("check", str(file), "-o", "junit").out.partition("\n")[2])
    assert [suite.get("name") for suite in suites] == ["default", "no-endpoints"]
    done = collected(tmp_path)
    assert "1 failed, 1 passed" in done.stdout
    assert "::no-endpoints: same" in done.stdout


def test_the_json_is_as_its_schema_says() -> None:
    world = netsim.load("default").scenario
    expectations = read_checks(ROOT / "docs/examples/default.check.yaml")[0].expectations
    schema = json.loads((ROOT / "docs/check.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document([Checked("here", tuple(results(expectations, lambda mode: world)))]))


def test_the_documentation_shows_the_example() -> None:
    shown = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/check.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert shown[1] == (ROOT / "docs/examples/default.check.yaml").read_text(encoding="utf-8")


def collected(folder: Path) -> subprocess.CompletedProcess[str]:
    """What pytest makes of a folder, with the plugin and nothing else of this project's configuration."""
    options = ["-p", "netsim.pytest_plugin", "-p", "no:cacheprovider", "-q", "-rA", "--rootdir", str(folder)]
    environment = {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    words = [sys.executable, "-m", "pytest", *options, str(folder)]
    return subprocess.run(words, env=environment, cwd=folder, capture_output=True, text=True, check=False)


def test_pytest_collects_check_files(tmp_path: Path) -> None:
    written(
        tmp_path,
        "  - {from: pod-a, to: svc-x, modes: [iptables, ipvs]}\n  - {name: other, from: pod-a, to: 'svc-x:81'}\n",
    )
    done = collected(tmp_path)
    assert done.returncode == 1, done.stdout
    assert "1 failed, 2 passed" in done.stdout
    assert "expected DELIVERED, found LEFT:LEFT_MODEL" in done.stdout
    assert "Traceback" not in done.stdout


def test_pytest_tells_what_is_wrong_with_a_topology(tmp_path: Path) -> None:
    written(tmp_path, "  - {from: a, to: b}\n", HEAD.replace("spec:", "spec:\n  topology: [nowhere]"))
    done = collected(tmp_path)
    assert "error: nowhere: no such file, folder or shipped topology" in done.stdout
    assert "Traceback" not in done.stdout


def test_pytest_tells_what_is_wrong_with_a_check_file(tmp_path: Path) -> None:
    (tmp_path / "wrong.check.yaml").write_text("kind: Check\n", encoding="utf-8")
    done = collected(tmp_path)
    assert done.returncode == 2, done.stdout
    assert "the object has no apiVersion" in done.stdout


# --- from Python ------------------------------------------------------------------------------------------------


def test_the_documented_python_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/check.md").read_text(encoding="utf-8"), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/check.md", "exec"), {})


def test_assertions_tell_the_whole_trace() -> None:
    world = netsim.load("no-endpoints")
    with pytest.raises(AssertionError, match="NO_ENDPOINTS") as told:
        netsim.assert_reachable(world, "client", "svc/web")
    assert "→ SYN" in str(told.value)
    netsim.assert_unreachable(world, "client", "svc/web", reason="NO_ENDPOINTS")
    with pytest.raises(AssertionError, match="expected"):
        netsim.assert_unreachable(netsim.load("default"), "pod-a", "svc-x")
    with pytest.raises(ValueError, match="no reason"):
        netsim.assert_unreachable(world, "client", "svc/web", reason="WHATEVER")


def test_what_the_package_offers_is_there() -> None:
    assert {name for name in netsim.__all__ if not hasattr(netsim, name)} == set()
    assert set(netsim.__all__) <= set(dir(netsim))
    with pytest.raises(AttributeError):
        netsim.nothing  # noqa: B018
    with pytest.raises(netsim.LoadError):
        netsim.loads("kind: nothing")
