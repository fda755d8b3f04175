"""The modes lead to the same backends, as likely, and seen from the same source, but for the rows of ``mode_differences``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsim.manifest import LoadError, load
from netsim.net.address import parse_address
from netsim.net.packet import Protocol, TCPFlags
from netsim.scenario.build import worlds_of
from netsim.scenario.every_flow import NamedFlow, every_flow
from netsim.scenario.mode_differences import DIFFERENCES, Answer, Circumstance, compared, explanation, is_same
from netsim.scenario.random_world import Drawn, drawn_worlds, load_text
from netsim.scenario.world import World
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from proxy.config.model import ProxyMode
from tests.cli.console import ROOT
from tests.property.mode_worlds import clusters

OTHERS = (ProxyMode.NFTABLES, ProxyMode.IPVS)
OF_ONE_MODE = ("affinity-stuck",)
"""Topologies with state of iptables mode, which do not load in another."""

TOPOLOGIES = sorted(path.name for path in (ROOT / "topologies").iterdir() if path.name not in OF_ONE_MODE)
EVERY = 12
"""One flow of so many is asked of each topology, three of each where hypothesis' profile is thorough."""

NAMED = {
    # flows of READMEs that no destination of a world stands for
    "nft-unallocated-address": Flow("pod.default.client", parse_address("10.96.0.99"), Protocol.TCP, 80),
    "nft-localhost-node-port": Flow("node.node1", parse_address("127.0.0.1"), Protocol.TCP, 30080),
    "ipvs-localhost-node-port": Flow("node.node1", parse_address("127.0.0.1"), Protocol.TCP, 30080),
    "nft-invalid-segment": Flow(
        "pod.default.client", parse_address("10.244.2.2"), Protocol.TCP, 8080, flags=TCPFlags.FIN | TCPFlags.ACK
    ),
}


def of_topology(name: str) -> Mapping[ProxyMode, World]:
    return in_every_mode(ROOT / "topologies" / name)


def in_every_mode(path: Path) -> Mapping[ProxyMode, World]:
    world_in = worlds_of(load([path]))
    return {mode: world_in(mode) for mode in ProxyMode}


def asked(worlds: Mapping[ProxyMode, World], named: NamedFlow) -> Mapping[ProxyMode, Answer]:
    found = {}
    for mode, world in worlds.items():
        expected = world.expected(named.flow.destination, named.flow.dport or None)
        answer = trace(world.topology, named.flow, source=named.source, target=named.target, expected=expected)
        found[mode] = compared(world, mode, answer)
    return found


def unexplained(answers: Mapping[ProxyMode, Answer]) -> list[Answer]:
    iptables = answers[ProxyMode.IPTABLES]
    others = [answers[mode] for mode in OTHERS if mode in answers]
    return [each for each in others if not is_same(iptables, each) and explanation(iptables, each) is None]


def flows(world: World) -> Iterator[NamedFlow]:
    for version in (4, 6):
        yield from every_flow(world, version=version, one_of_each=True)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_every_shipped_topology(name: str) -> None:
    """Under the thorough profile all flows, else each twelfth."""
    worlds = of_topology(name)
    step = EVERY if settings.get_profile("quick") == settings() else 1
    for named in islice(flows(worlds[ProxyMode.IPTABLES]), TOPOLOGIES.index(name) % step, None, step):
        answers = asked(worlds, named)
        assert not unexplained(answers), (named, answers)


@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_a_topology_shows_each_difference(row) -> None:
    worlds = of_topology(row.topology)
    told = [NamedFlow(NAMED[row.name], "", "")] if row.name in NAMED else flows(worlds[ProxyMode.IPTABLES])
    answers = (asked(worlds, named) for named in told)
    assert any(explanation(each[ProxyMode.IPTABLES], each[row.mode]) is row for each in answers)
    assert (ROOT / "topologies" / row.topology / "README.md").exists()


@pytest.mark.parametrize("name", OF_ONE_MODE)
def test_a_topology_of_one_mode_says_so(name: str) -> None:
    with pytest.raises(LoadError):
        of_topology(name)


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in DIFFERENCES}) == len(DIFFERENCES)
    assert all(row.mode in OTHERS and row.why and row.source for row in DIFFERENCES)
    assert {each for row in DIFFERENCES for each in row.circumstances} == set(Circumstance)


def test_a_difference_that_no_row_explains_stays_without_one() -> None:
    worlds = of_topology("default")
    named = next(flows(worlds[ProxyMode.IPTABLES]))
    answers = asked(worlds, named)
    lost = Answer(ProxyMode.IPVS, named.flow, {}, frozenset(), frozenset())
    assert explanation(answers[ProxyMode.IPTABLES], lost) is None
    assert explanation(answers[ProxyMode.IPTABLES], answers[ProxyMode.IPTABLES]) is None


# --- random worlds ----------------------------------------------------------------------------------------------


def in_both_modes(drawn: Drawn) -> Mapping[ProxyMode, World]:
    documents = list(yaml.safe_load_all(drawn.documents))
    spec = documents[0]["spec"]
    for node in spec["nodes"]:
        node.pop("iptables", None)  # a person's own rules may tell the modes apart by their marks and chains
    first = load_text(yaml.safe_dump_all(documents))
    proxy = spec["kubeProxy"]
    chosen = {name: value for name, value in proxy.pop("iptables").items() if name != "localhostNodePorts"}
    proxy |= {"mode": "nftables", "nftables": chosen}
    return {ProxyMode.IPTABLES: first, ProxyMode.NFTABLES: load_text(yaml.safe_dump_all(documents))}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn_worlds(flows=4))
def test_random_worlds_in_nftables_mode(drawn: Drawn) -> None:
    worlds = in_both_modes(drawn)
    for flow in drawn.flows:
        answers = asked(worlds, flow)
        assert not unexplained(answers), (flow, answers)
        assert all(sum(each.outcomes.values()) == 1 for each in answers.values())


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(clusters(), st.integers(0, 8))
def test_random_clusters_in_every_mode(tmp_path_factory: pytest.TempPathFactory, text: str, first: int) -> None:
    file: Path = tmp_path_factory.mktemp("modes") / "cluster.yaml"
    file.write_text(text, encoding="utf-8")
    worlds = in_every_mode(file)
    for named in islice(flows(worlds[ProxyMode.IPTABLES]), first, None, 9):
        answers = asked(worlds, named)
        assert not unexplained(answers), (named, answers)


def test_the_documentation_has_every_row() -> None:
    text = (ROOT / "docs" / "modes.md").read_text(encoding="utf-8")
    for row in DIFFERENCES:
        where = "; ".join(each.value for each in row.circumstances)
        assert f"| {row.name} | {row.why} | {where} | {row.source} | `{row.topology}` |" in text
