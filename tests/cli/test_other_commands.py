"""``netsim rules``, ``netsim topology`` and the frame around all commands."""

from __future__ import annotations

import gzip
import shutil
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from netsim import __version__
from netsim.cluster.runtime import NotSteadyError, Runtime
from netsim.net.address import Family
from netsim.objects.meta import Key
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables.parse import parse
from netsim.rules.xtables.restore import without_empty_tables
from tests.cli.commands import netsim
from tests.cli.console import ROOT


@pytest.fixture(autouse=True)
def _nowhere_in_particular(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


def test_rules_are_those_that_kube_proxy_sends() -> None:
    text = netsim("rules", "node1").out
    assert '-A KUBE-SERVICES -m comment --comment "default/svc-x cluster IP" -m tcp -p tcp -d 10.96.' in text
    assert "FLANNEL" not in text
    assert parse(text, Family.IPV4, "rules").tables.keys() >= {"nat", "filter"}


def test_saved_rules_are_all_that_the_node_has() -> None:
    text = netsim("rules", "node/node1", "--format", "save").out
    assert ":FLANNEL-FWD - [0:0]" in text
    assert ":PREROUTING ACCEPT [0:0]" in text


@pytest.mark.parametrize(
    ("mode", "form", "has"),
    [
        pytest.param("iptables", "restore", ":KUBE-SVC-", id="iptables"),
        pytest.param("ipvs", "restore", "-m set --match-set KUBE-CLUSTER-IP dst,dst", id="iptables of ipvs"),
        pytest.param("ipvs", "ipvsadm", "-A -t 10.96.1.1:80 -s rr", id="ipvsadm"),
        pytest.param("ipvs", "ipset", "add KUBE-CLUSTER-IP 10.96.1.1,tcp:80", id="ipset"),
        pytest.param("ipvs", "addresses", "10.96.1.1", id="addresses"),
        pytest.param("nftables", "nft", "add table ip kube-proxy", id="nft"),
    ],
)
def test_rules_of_every_mode_and_format(mode: str, form: str, has: str) -> None:
    done = netsim("rules", "node1", "--mode", mode, "--format", form)
    assert has in done.out
    assert done.status == 0


def test_the_format_follows_the_mode() -> None:
    assert netsim("rules", "node1", "--mode", "nftables").out == netsim(
        "rules", "node1", "--mode", "nftables", "--format", "nft"
    ).out  # fmt: skip
    wrong = netsim("rules", "node1", "--mode", "iptables", "--format", "ipvsadm")
    assert wrong.err.startswith("error: kube-proxy on node1 is in mode iptables, which has nothing of format ipvsadm\n")
    assert wrong.status == 2


CASES = ROOT / "tests" / "data" / "kube-proxy"


@pytest.mark.parametrize("mode", ["iptables", "ipvs", "nftables"])
def test_replay_writes_the_recording(tmp_path: Path, mode: str) -> None:
    done = netsim("replay", str(CASES / "steps-scale"), "--mode", mode, "--out", "replayed")
    assert done.out == f"replayed: {len(list((tmp_path / 'replayed').iterdir()))} files of 5 syncs\n"
    written = {path.name: path.read_text() for path in (tmp_path / "replayed").iterdir()}
    assert written
    listed = {name for name in written if name.endswith((".iptables-save", ".nft-list"))}
    for name in written.keys() - listed:
        recorded = (CASES / "steps-scale" / name).read_text()
        assert sorted(written[name].splitlines()) == sorted(recorded.splitlines()), name
    assert len(listed) == (0 if mode == "ipvs" else 5)


def test_replay_writes_what_the_kernels_tools_print(tmp_path: Path) -> None:
    """Of ``.rules`` and ``.nft``, spelt by iptables-save and nft."""
    for mode in ("iptables", "nftables"):
        netsim("replay", str(CASES / "dual-stack"), "--mode", mode, "--out", "replayed")
    replayed = tmp_path / "replayed"
    for family, name in ((Family.IPV4, "ipv4"), (Family.IPV6, "ipv6")):
        rules = (replayed / f"step-00.iptables.{name}.rules").read_text()
        saved = (replayed / f"step-00.iptables.{name}.iptables-save").read_text()
        assert "-m tcp -p tcp" in rules
        assert "-p tcp -m comment" in saved
        assert "*mangle" not in saved
        assert without_empty_tables(parse(rules, family, "rules")) == parse(saved, family, "saved")
        listed = (replayed / f"step-00.nftables.{name}.nft-list").read_text()
        recorded = CASES / "dual-stack" / f"step-00.nftables.{name}.nft-list.gz"
        assert parse_nft(listed, "listed") == parse_nft(gzip.decompress(recorded.read_bytes()).decode(), "recorded")


BROKEN = [
    # (file, its text, what is said)
    pytest.param("case.yaml", "node: [", "error: case/case.yaml:", id="no YAML"),
    pytest.param(
        "case.yaml", "", "error: case/case.yaml:1:1: expected one document with fields, found an empty", id="empty"
    ),
    pytest.param("step-00.yaml", "apply: 3", "error: case/step-00.yaml:1:1: apply: expected a list", id="a wrong step"),
    pytest.param(
        "step-00.yaml",
        "apply: [{kind: Service}]",
        "error: case/step-00.yaml:1:9: apply[0].apiVersion: is required",
        id="no object",
    ),
]


@pytest.mark.parametrize(("name", "text", "says"), BROKEN)
def test_replay_of_a_broken_case(tmp_path: Path, name: str, text: str, says: str) -> None:
    case = tmp_path / "case"
    shutil.copytree(CASES / "clusterip", case)
    (case / name).write_text(text)
    done = netsim("replay", "case", "--mode", "iptables", "--out", "out")
    assert done.err.startswith(says)
    assert done.status == 2
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", ["iptables", "nftables"])
def test_replay_of_objects_that_no_api_server_stores(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(CASES / "clusterip", "case")
    step = Path("case/step-00.yaml")
    step.write_text(step.read_text().replace("port: 80\n", "port: 800000\n"))
    done = netsim("replay", "case", "--mode", mode, "--out", "out")
    assert done.err.startswith("error: kube-proxy's rules would not load: step-00.")
    assert done.status == 2
    assert not Path("out").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(
            ["rules", "node9"], "error: no node is called node9\nhelp: the nodes are: node1, node2\n", id="node"
        ),
        pytest.param(["rules", "node1", "--family", "ipv6"], "error: node1 has no IPv6 address", id="family"),
        pytest.param(["topology", "show", "x", "-t", "y"], "error: a topology is named twice\n", id="twice"),
        pytest.param(["topology", "draw", "nope"], "error: nope: no such file, folder or shipped", id="no topology"),
        pytest.param(
            ["tarce"],
            "error: no command is called tarce\nhelp: did you mean trace? see 'netsim --help'\n",
            id="no command",
        ),
        pytest.param(["zzz"], "error: no command is called zzz\nhelp: see 'netsim --help'\n", id="nothing near"),
        pytest.param(
            ["topology", "lst"],
            "error: no command is called lst\nhelp: did you mean list? see 'netsim topology --help'\n",
            id="no subcommand",
        ),
        pytest.param(
            ["matrix", "x.yaml"],
            "error: Got unexpected extra argument (x.yaml)\n"
            "help: files, folders and shipped topologies are named by -t; see 'netsim matrix --help'\n",
            id="a file without -t",
        ),
        pytest.param(["check", ""], "error: Invalid value for 'FILE': it is empty\n", id="check of no file"),
        pytest.param(["run", ""], "error: Invalid value for 'FILE': it is empty\n", id="run of no file"),
        pytest.param(
            ["compare", "--cost", "pod-a", "svc-x"],
            "error: [SRC DST] says nothing beside --cost\n",
            id="cost of a flow",
        ),
        pytest.param(
            ["compare", "--cost", "-o", "json"], "error: --output says nothing beside --cost\n", id="cost as JSON"
        ),
        pytest.param(
            ["compare", "--plot", "x.svg", "-f", "y"], "error: --file says nothing beside --plot", id="two files"
        ),
        pytest.param(
            ["compare", "-p", "80"], "error: --port says nothing beside every flow of the cluster\n", id="a port alone"
        ),
        pytest.param(
            ["compare", "pod-a", "svc-x", "--to", "ipvs"], "error: --to says nothing beside SRC DST", id="a flow's mode"
        ),
        pytest.param(["matrix", "-p", "81"], "error: no flow has all that is asked for\n", id="no flow"),
    ],
)
def test_error(words: list[str], says: str) -> None:
    done = netsim(*words)
    assert done.err.startswith(says)
    assert (done.status, done.out) == (2, "")


def test_every_shipped_topology_is_listed_and_valid() -> None:
    names = [line.split()[0] for line in netsim("topology", "list").out.splitlines()[1:]]
    assert "default" in names
    for name in names:
        done = netsim("topology", "validate", name)
        assert done.status == 0, done.err
        assert done.out.startswith(f"{name}: ")


def test_the_help_of_a_group_tells_all_that_a_command_answers() -> None:
    shown = " ".join(netsim("topology", "--help").out.split())
    assert "Load a topology and say everything that is wrong with it; exit status 0 where nothing is." in shown


def test_no_flows_are_not_as_expected(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    assert netsim("matrix", "-t", "empty.yaml").status == 0
    assert netsim("matrix", "-t", "empty.yaml", "--expect", "DELIVERED").status == 1


def test_a_machine_without_dask_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = netsim("matrix", "--dask", "tcp://127.0.0.1:8786")
    assert done.err == "error: --dask needs the package distributed\nhelp: pip install 'netsim[dask]'\n"
    assert done.status == 4


def test_show() -> None:
    shown = netsim("topology", "show", "nodeport").out
    assert "default/web  NodePort  10.96." in shown
    assert "client           192.168.0.100/24" in shown
    wired = netsim("topology", "show", "nodeport", "--wiring").out
    assert "10.244.2.0/24 via 192.168.0.12 dev eth0" in wired
    assert "(hairpin)" in wired


def test_draw() -> None:
    root = ET.fromstring(netsim("topology", "draw", "nodeport").out)  # our own output
    assert root.tag.endswith("svg")
    assert netsim("topology", "draw", "nodeport", "-o", "dot").out.startswith(("graph", "strict graph"))
    assert "```mermaid" in netsim("topology", "draw", "nodeport", "-o", "md").out


def test_version_and_help() -> None:
    assert netsim("--version").out == f"netsim, version {__version__}\n"
    assert "Where does this packet go, and why?" in netsim("--help").out


def test_all_errors_of_a_load_at_once(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("kind: Pod\napiVersion: v1\nmetadata: {nmae: x}\nspec: {containers: 3}\n")
    done = netsim("trace", "-t", "bad.yaml", "a", "b")
    assert done.status == 2
    assert "bad.yaml:3:12: " in done.err
    assert "bad.yaml:4:8: " in done.err
    assert "3 | metadata: {nmae: x}" in done.err


TIGHT = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec: {nodes: [{name: a, podCIDR: 10.244.0.0/%d}]}
---
apiVersion: v1
kind: Pod
metadata: {name: first}
spec: {nodeName: a, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: second}
spec: {nodeName: a, containers: [{name: c, image: i}]}
"""


def test_validate_tells_of_pods_that_do_not_run(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TIGHT % 30)
    done = netsim("topology", "validate", str(tmp_path / "x.yaml"))
    assert done.err.startswith("notice: pod default/second does not run: ")
    assert done.err.count("\n") == 1
    assert done.status == 0


def test_what_a_node_cannot_have_is_told_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(TIGHT % 31)
    done = netsim("topology", "validate", str(tmp_path / "x.yaml"))
    assert done.err.splitlines()[:2] == [
        f"error: {tmp_path}/x.yaml:4:17: Node a: Network 10.244.0.0/31 too small to allocate from",
        "    4 | spec: {nodes: [{name: a, podCIDR: 10.244.0.0/31}]}",
    ]
    assert done.status == 2


def test_a_topology_without_a_name_is_called_as_its_file(tmp_path: Path) -> None:
    (tmp_path / "shop.yaml").write_text("apiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n")
    assert netsim("topology", "validate", str(tmp_path / "shop.yaml")).out.startswith("shop: 2 nodes, 0 pods, ")


def test_a_cluster_that_does_not_come_to_rest_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_: Runtime) -> None:
        raise NotSteadyError(9, [("a-controller", Key("Pod", "default", "a"))], None)

    monkeypatch.setattr(Runtime, "_settle", busy)
    done = netsim("get", "pods")
    assert done.err.startswith("error: the control plane is not steady after 9 rounds at one moment: a-controller on ")
    assert done.status == 2
