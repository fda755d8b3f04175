"""``--store FILE``: a cluster at rest is kept in a file and looked at again."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.cluster.etcd.model import EventType
from netsim.persistence.sqlite import SqliteStore
from tests.cli.commands import netsim

NODEPORT = ("-t", "nodeport")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("store") / "cluster.db"
    done = netsim("get", "pods", *NODEPORT, "--store", str(path))
    assert (done.status, done.err) == (0, "")
    assert sorted(p.name for p in path.parent.iterdir()) == ["cluster.db"]
    return str(path)


COMMANDS = [
    "get all -A -o wide",
    "get nodes,services,endpointslices,clusterroles -A -o yaml",
    "get events -o json",
    "events",
    "describe deployment web",
    "describe service web",
    "auth can-i --list",
    "auth can-i create pods --as jane",
    "get pods --as jane",
]


@pytest.mark.parametrize("words", COMMANDS)
def test_a_recorded_cluster_answers_as_the_one_that_was_recorded(file: str, words: str) -> None:
    assert netsim(*words.split(), "--store", file) == netsim(*words.split(), *NODEPORT)


def test_a_creation_is_explained_from_a_record(file: str) -> None:
    name = netsim("get", "pods", "-o", "name", "--store", file).out.split()[0]
    assert netsim("explain-creation", name, "--store", file) == netsim("explain-creation", name, *NODEPORT)


def test_a_record_holds_every_revision(file: str) -> None:
    store = SqliteStore(Path(file), lambda: 0.0)
    events = [e for e in store.events(0) if "/registry/pods/default/" in e.kv.key]
    store.close()
    assert len({e.kv.key for e in events}) == 2
    assert len(events) > 4, "each pod was made, bound and reported on"
    assert all(e.type is EventType.PUT for e in events)


REFUSED = [
    (("--store", "{file}", *NODEPORT), "a cluster is recorded there already", "leave -t out"),
    (("--store", __file__), "file is not a database", "name a file that netsim made"),
    (("--store", "/nowhere/cluster.db", *NODEPORT), "/nowhere/cluster.db: unable to open", "a folder that is there"),
]


@pytest.mark.parametrize(("words", "said", "helped"), REFUSED, ids=["there already", "no store", "no folder"])
def test_refusals(file: str, words: tuple[str, ...], said: str, helped: str) -> None:
    done = netsim("get", "pods", *(word.replace("{file}", file) for word in words))
    assert (done.status, done.out) == (2, "")
    assert said in done.err
    assert helped in done.err


def test_a_world_that_cannot_be_loaded_leaves_no_file(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: Pod\n")
    assert netsim("get", "pods", "-t", str(bad), "--store", str(tmp_path / "c.db")).status == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad.yaml"]
