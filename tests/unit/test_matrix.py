"""``netsim matrix``: who reaches whom, grouped, filtered, in each form, by any number of workers."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from netsim.cli.exit import Exit
from netsim.matrix import survey
from netsim.matrix.grid import By, Sign, grid_of
from netsim.matrix.processes import processes
from netsim.matrix.selecting import Selecting, UnknownPatternError
from netsim.scenario.build import load_world
from netsim.scenario.sources import find_sources
from netsim.scenario.world import World
from netsim.trace.model import Verdict
from tests.cli.commands import netsim
from tests.cli.console import ROOT

SCHEMA = json.loads((ROOT / "docs/matrix.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def world() -> World:
    return load_world(find_sources(("nodeport-local",), {}))[0]


def signs(world: World, by: By = By.WORKLOAD) -> dict[tuple[str, str], Sign]:
    wanted = Selecting(world, (), (), frozenset({"tcp", "udp"}), None).wants
    grid = grid_of(world, survey(world, wanted=wanted), by)
    return {(source, name): grid.cell(source, name).sign for source in grid.sources for name in grid.destinations}


ROWS = [
    # how it is grouped, sender, destination, sign
    (By.WORKLOAD, "pod/default/web", "svc/default/web:80", Sign.DELIVERED),
    (By.WORKLOAD, "external/client", "svc/default/web:80", Sign.REFUSED),
    (By.WORKLOAD, "external/client", "svc/default/web:30080 node port", Sign.PARTLY),
    (By.WORKLOAD, "nodes", "svc/default/web:30080 localhost", Sign.DELIVERED),
    (By.WORKLOAD, "pod/default/web", "svc/default/web:30080 localhost", Sign.NOTHING),
    (By.POD, "external/client", "node/node2:30080 (svc/default/web)", Sign.REFUSED),
    (By.POD, "external/client", "node/node1:30080 (svc/default/web)", Sign.DELIVERED),
    (By.NAMESPACE, "namespace/default", "namespace/default Services", Sign.PARTLY),
    (By.NAMESPACE, "external", "namespace/default pods", Sign.REFUSED),
    (By.NODE, "pods on node1", "node/node2:30080 (svc/default/web)", Sign.REFUSED),
    (By.NODE, "node/node2", "pods on node1", Sign.DELIVERED),
]


@pytest.mark.parametrize(
    ("by", "source", "destination", "sign"), ROWS, ids=lambda each: str(getattr(each, "value", each))
)
def test_signs(world: World, by: By, source: str, destination: str, sign: Sign) -> None:
    assert signs(world, by)[source, destination] is sign


FILTERS = [
    # options, how many flows are left, or what is said of a name that nobody has
    ((), 18),
    (("--from", "client"), 4),
    (("--from", "external/*", "--from", "web"), 8),
    (("--to", "svc/web:30080"), 10),
    (("--to", "nodePort"), 8),
    (("--to", "web", "-p", "8080"), 4),
    (("--to", "default/svc/web", "--from", "node/node1"), 4),
    (("--proto", "udp"), 0),
    (("--proto", "icmp", "--to", "svc/web"), 4),
    (("--from", "cleint"), "did you mean client"),
    (("--to", "svc/wbe"), "did you mean svc/web"),
]


@pytest.mark.parametrize(
    ("options", "expected"), FILTERS, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_filters(options: tuple[str, ...], expected: int | str) -> None:
    answer = netsim("matrix", "-t", "nodeport-local", *options, "-o", "json")
    if isinstance(expected, str):
        assert answer.status == 2
        assert expected in answer.all
    else:
        assert json.loads(answer.out)["flows"] == expected


STATUSES = [
    # options, exit status
    (("-t", "default"), 0),
    (("-t", "nodeport-local"), 1),
    (("-t", "nodeport-local", "--from", "client", "--to", "clusterIP", "--expect", "left:left_model"), 0),
    (("-t", "nodeport-local", "--expect", "delivered"), 1),
    (("-t", "nodeport-local", "--expect", "gone"), 2),
    (("-t", "nodeport-local", "--dask", "nowhere://127.0.0.1:1"), 2),
    (("-t", "nodeport-local", "--dask", "nowhere://127.0.0.1:1", "--jobs", "2"), 2),
]


@pytest.mark.parametrize(
    ("options", "status"), STATUSES, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_exit_status(options: tuple[str, ...], status: int) -> None:
    assert netsim("matrix", *options).status == status


def test_what_is_not_modelled_is_a_question_mark(tmp_path: Path) -> None:
    rules = "*filter\n-A FORWARD -m string --string x --algo bm -j DROP\nCOMMIT\n"
    file = tmp_path / "x.yaml"
    file.write_text(_with_rules(rules), encoding="utf-8")
    answer = netsim("matrix", "-t", str(file))
    assert answer.status == 5
    assert re.search(r"^pod/default/a .*\?", answer.out, re.MULTILINE)


def _with_rules(rules: str) -> str:
    node = {"name": "node1", "iptables": rules}
    cluster = {
        "apiVersion": "netsim.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "x"},
        "spec": {"nodes": [node, {"name": "node2"}]},
    }
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {"nodeName": place, "containers": [{"name": "c", "image": "c", "ports": [{"containerPort": 80}]}]},
        }
        for name, place in (("a", "node1"), ("b", "node2"))
    ]
    return "\n---\n".join(json.dumps(each) for each in (cluster, *pods))


@pytest.mark.parametrize("by", [by.value for by in By])
@pytest.mark.parametrize("topology", ["nodeport-local", "dual-stack", "kubeadm-addons"])
def test_the_json_is_as_its_schema_says(topology: str, by: str) -> None:
    found = json.loads(netsim("matrix", "-t", topology, "--by", by, "-o", "json").out)
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(found)
    assert (
        sum(flows for row in found["rows"] for cell in row["cells"] for _, flows in cell["outcomes"]) == found["flows"]
    )
    assert all(len(row["cells"]) == len(found["destinations"]) for row in found["rows"])


def test_csv_has_a_line_for_each_outcome_of_a_cell() -> None:
    lines = list(csv.DictReader(io.StringIO(netsim("matrix", "-t", "nodeport-local", "-o", "csv").out)))
    partly = [line for line in lines if line["sign"] == "~"]
    assert {(line["source"], line["verdict"], line["delivered"]) for line in partly} == {
        ("pod/default/web", "DELIVERED", "1"),
        ("pod/default/web", "DROPPED", "0"),
        ("external/client", "DELIVERED", "1"),
        ("external/client", "DROPPED", "0"),
    } | {(line["source"], line["verdict"], line["delivered"]) for line in partly if line["source"] == "nodes"}
    assert sum(int(line["flows"]) for line in lines) == 18


class Page(HTMLParser):
    """Whether every element is closed, what is loaded from elsewhere, what cells say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loaded: list[str] = []
        self.says: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.loaded += [value for name in ("src", "href") if (value := found.get(name)) is not None]
        self.says += [
            value for name in ("data-say",) if (value := found.get(name)) is not None and found.get("tabindex") == "0"
        ]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_says_every_cell_to_the_keyboard() -> None:
    text = netsim("matrix", "-t", "nodeport-local", "-o", "html").out
    page = Page(text)
    assert (page.open, page.loaded) == ([], [])
    assert "@import" not in text
    assert "url(" not in text
    assert "external/client → svc/default/web:80\nLEFT LEFT_MODEL" in page.says
    assert len(page.says) == 10
    assert "prefers-color-scheme: dark" in text


def test_a_file_is_there_whole(tmp_path: Path) -> None:
    target = tmp_path / "matrix.html"
    assert netsim("matrix", "-t", "nodeport-local", "-o", "html", "-f", str(target)).out == ""
    assert target.read_text(encoding="utf-8").rstrip().endswith("</html>")


# --- workers -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy() -> World:
    return load_world(find_sources(("kubeadm-addons",), {}))[0]


def test_processes_give_the_same_answer(busy: World) -> None:
    alone, together = survey(busy), survey(busy, workers=processes(2))
    assert alone.rows == together.rows
    assert alone.flows > alone.walked


def test_a_killed_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("netsim.matrix.processes.answer", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    answer = netsim("matrix", "-t", "nodeport-local", "--jobs", "2")
    assert answer.status == Exit.UNABLE
    assert "error: one of the processes that asked was killed\n" in answer.all


def test_a_dask_cluster_without_workers_is_told() -> None:
    from distributed import LocalCluster

    with LocalCluster(n_workers=0, processes=False, dashboard_address=None) as cluster:
        answer = netsim("matrix", "-t", "nodeport-local", "--dask", cluster.scheduler_address)
    assert (answer.status, "it has no workers" in answer.all) == (2, True)


def test_dask_gives_the_same_answer(busy: World) -> None:
    from distributed import Client, LocalCluster

    from netsim.matrix.on_dask import on_dask

    with (
        LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        found = survey(busy, workers=on_dask(client))
    assert found.rows == survey(busy).rows


def test_progress_is_told_to_the_end(world: World) -> None:
    told: list[tuple[int, int]] = []
    survey(world, progress=lambda done, total: told.append((done, total)))
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))


def test_a_ping_has_no_port_to_name(world: World) -> None:
    with pytest.raises(UnknownPatternError, match="nothing here is called so"):
        Selecting(world, (), ("*:0",), frozenset(), None)


def test_unknown_names_list_the_nearest(world: World) -> None:
    with pytest.raises(UnknownPatternError, match="svc/nobody"):
        Selecting(world, (), ("svc/nobody",), frozenset({"tcp"}), None)


def test_every_flow_is_in_one_share(world: World) -> None:
    for row in survey(world).rows:
        senders = [sender for share in row.shares for sender in share.senders]
        assert len(senders) == len(set(senders))


def verdicts(world: World) -> Iterator[Verdict]:
    for row in survey(world).rows:
        yield from (way.verdict for share in row.shares for way in share.ways)


def test_a_world_in_another_mode_differs(world: World) -> None:
    assert set(verdicts(world)) >= {Verdict.DELIVERED, Verdict.DROPPED, Verdict.LEFT}
