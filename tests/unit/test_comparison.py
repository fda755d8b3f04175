"""``netsim compare``: the modes side by side."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import netsim as api
from netsim.comparison.cluster import compare, service_in
from netsim.comparison.cost import costs
from netsim.comparison.flow import SideBySide, side_by_side
from netsim.comparison.report import cluster_document, flow_document
from netsim.scenario.world import World
from proxy.config.model import ProxyMode
from tests.cli.commands import netsim
from tests.cli.console import ROOT

IPTABLES, IPVS, NFTABLES = ProxyMode.IPTABLES, ProxyMode.IPVS, ProxyMode.NFTABLES
SCHEMA = json.loads((ROOT / "docs/compare.schema.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)
    monkeypatch.setattr("netsim.comparison.cost.SIZES", (10,))


@cache
def worlds(topology: str) -> dict[ProxyMode, World]:
    world = api.load(topology)
    return {mode: world.in_mode(mode.value).scenario for mode in ProxyMode}


def flow(topology: str, source: str, destination: str) -> SideBySide:
    found = worlds(topology)
    return side_by_side(found.__getitem__, lambda world: api.World(world).trace(source, destination))


def test_the_modes_agree_on_an_ordinary_service() -> None:
    found = flow("default", "pod-a", "svc-x")
    assert found.same
    for each in found.modes:
        assert [backend.probability for backend in each.backends] == [Fraction(1, 3)] * 3
        assert each.why is None
        assert each.evaluated > 0
        assert each.entries


DIFFERENCES = [
    # topology, source, destination, mode, reason there, the known difference
    ("unused-clusterip-port", "client", "10.96.0.10:81", IPVS, "VIP_PORT_NOT_SERVED", "ipvs-unused-port"),
    ("unused-clusterip-port", "client", "10.96.0.10:81", NFTABLES, "CLUSTER_IP_PORT_UNKNOWN", "nft-unused-port"),
    ("localhost-nodeport", "node/node1", "127.0.0.1:30080", NFTABLES, "NODE_PORT_CLOSED", "nft-localhost-node-port"),
    ("localhost-nodeport", "node/node1", "127.0.0.1:30080", IPVS, "NODE_PORT_CLOSED", "ipvs-localhost-node-port"),
]


@pytest.mark.parametrize(("topology", "source", "destination", "mode", "reason", "why"), DIFFERENCES)
def test_where_they_part_it_says_why(
    topology: str, source: str, destination: str, mode: ProxyMode, reason: str, why: str
) -> None:
    found = flow(topology, source, destination)
    there = next(each for each in found.modes if each.mode is mode)
    assert not found.same
    assert there.trace.decisive.reason == reason
    assert there.why is not None
    assert there.why.name == why


def test_every_change_of_a_cluster_is_explained() -> None:
    for topology, one, other in (
        ("nodeport-local", IPVS, NFTABLES),
        ("internal-local", IPTABLES, IPVS),
        ("unused-clusterip-port", IPTABLES, NFTABLES),
    ):
        found = compare(worlds(topology).__getitem__, one, other)
        assert found.compared > 20
        assert found.groups
        assert all(group.why for group in found.groups), topology
        Draft202012Validator(SCHEMA).validate(cluster_document(found))


def test_a_local_policy_changes_with_the_mode() -> None:
    found = compare(worlds("nodeport-local").__getitem__, IPVS, NFTABLES)
    group = next(group for group in found.groups if [row.name for row in group.why] == ["ipvs-external-local"])
    assert group.services == ("default/web",)
    assert {ending.verdict for each in group.flows for ending in each.after} == {"DROPPED"}


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("svc/shop/web:80 clusterIP 10.96.0.1", "shop/web"),
        ("node/n:30080 (svc/shop/web)", "shop/web"),
        ("localhost:30080 127.0.0.1 (svc/shop/web)", "shop/web"),
        ("svc/shop/web", "shop/web"),
        ("pod/shop/web:80", ""),
    ],
)
def test_which_service_is_asked(target: str, name: str) -> None:
    assert service_in(target) == name


def test_what_grows_and_what_does_not() -> None:
    found = {(cost.mode, cost.services): cost for cost in costs((10, 100))}
    for mode in ProxyMode:
        assert found[mode, 100].rules >= found[mode, 10].rules
    assert found[IPTABLES, 100].update_bytes > 3 * found[IPTABLES, 10].update_bytes
    assert found[NFTABLES, 100].update_bytes == found[NFTABLES, 10].update_bytes
    assert found[IPVS, 100].rules == found[IPVS, 10].rules
    assert (found[IPVS, 100].virtual, found[IPVS, 100].real) == (100, 300)
    assert found[NFTABLES, 100].elements == 300


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    "words", [("-t", "nodeport-local"), ("-t", "unused-clusterip-port", "client", "10.96.0.10:81")]
)
def test_the_pages_stand_alone(words: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert netsim("compare", *words, "-o", "html", "-f", str(file)).status == 0
    tags = _Tags()
    tags.feed(file.read_text(encoding="utf-8"))
    assert (tags.open, tags.loads) == ([], [])


def test_the_migration_report() -> None:
    text = netsim("compare", "-t", "nodeport-local", "-o", "md").out
    assert text.startswith("# kube-proxy from ipvs to nftables\n")
    assert "deprecated since Kubernetes 1.35" in text
    assert "Services: `default/web`" in text
    assert "| ipvs | 10 |" in text


def test_the_command() -> None:
    assert netsim("compare", "pod-a", "svc-x", "--expect-same").status == 0
    assert netsim("compare", "-t", "nodeport-local", "--expect-same").status == 1
    assert netsim("compare", "pod-a").status == 2
    assert netsim("compare", "--from", "ipvs", "--to", "ipvs").status == 2
    assert netsim("compare", "pod-a", "nobody").status == 2
    assert netsim("compare", "--plot", "cost.txt").status == 2
    Draft202012Validator(SCHEMA).validate(json.loads(netsim("compare", "pod-a", "svc-x", "-o", "json").out))
    Draft202012Validator(SCHEMA).validate(flow_document(flow("default", "pod-a", "svc-x")))


def test_the_plot(tmp_path: Path) -> None:
    plotting = pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    assert plotting
    file = tmp_path / "cost.svg"
    assert netsim("compare", "--plot", str(file)).status == 0
    assert "<svg" in file.read_text(encoding="utf-8")
