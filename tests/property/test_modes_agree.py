"""iptables and nftables mode lead to the same backends with the same chances and visible sources, but for the rows of DIFFERENCES."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from netsim.net.address import parse_address
from netsim.net.packet import Protocol
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import NamedFlow
from netsim.scenario.random_world import Drawn, drawn_worlds, load_text
from netsim.scenario.world import World
from netsim.trace.model import Flow, Trace
from netsim.trace.trace import trace
from proxy.config.model import ProxyMode
from tests.cli.console import ROOT


@dataclass(frozen=True)
class Difference:
    """Reasons of a trace in each mode (any of them), why they differ, and the shipped topology that shows it.

    Branches that have no such reason in nftables mode have one that the trace has in iptables mode too.
    """

    iptables: frozenset[str]
    nftables: frozenset[str]
    why: str
    topology: str
    loopback: bool = False

    def explains(self, flow: Flow, mine: set[str], theirs: set[str]) -> bool:
        new = theirs & self.nftables
        return (
            self.loopback == flow.destination.is_loopback
            and mine <= self.iptables
            and bool(new)
            and theirs - new <= mine
        )


def _of(*reasons: str) -> frozenset[str]:
    return frozenset(reasons)


# what becomes of a packet that iptables mode does not translate, and of a segment of no connection
_UNTRANSLATED = _of(
    "LEFT_MODEL", "NO_ROUTE", "NEIGHBOUR_FAILED", "ROUTE_UNREACHABLE", "TTL_EXCEEDED", "LOOP", "IP_FORWARDING_OFF"
)
_STRAY = _of("NO_CONNECTION", "NOT_ANSWERED", "PORT_CLOSED", "LEFT_MODEL", "NODE_PORT_CLOSED", "TTL_EXCEEDED", "NEIGHBOUR_FAILED",
             "CLUSTER_IP_PORT_UNKNOWN", "DELIVERED_ONE_WAY", "NO_ROUTE", "DELIVERED", "NO_ANSWER")  # fmt: skip

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        _UNTRANSLATED,
        _of("CLUSTER_IP_PORT_UNKNOWN"),
        "kube-proxy/nftables: chain cluster-ips-check rejects ports that no Service has (KEP-3866; k/k#22952)",
        "nft-unused-clusterip-port",
    ),
    Difference(
        _UNTRANSLATED,
        _of("CLUSTER_IP_UNALLOCATED"),
        "kube-proxy/nftables: chain cluster-ips-check drops addresses that no Service has (KEP-3866; k/k#22952)",
        "nft-unallocated-clusterip",
    ),
    Difference(
        _of("DELIVERED"),
        _of("NODE_PORT_CLOSED"),
        "nodePortAddresses defaults to the primary address (kubernetes.io, Virtual IPs and Service Proxies; k/k#124383)",
        "nft-second-node-address",
    ),
    Difference(
        _of("DELIVERED", "NO_ENDPOINTS", "NO_LOCAL_ENDPOINTS"),
        _of("NODE_PORT_CLOSED", "PORT_CLOSED"),
        "no NodePorts at 127.0.0.1 (kubernetes.io, Virtual IPs and Service Proxies; k/k#67730)",
        "nft-localhost-nodeport",
        loopback=True,
    ),
    Difference(
        _of("INVALID_STATE_DROP"),
        _STRAY,
        "only iptables mode drops what conntrack calls INVALID (KUBE-FORWARD; k/k#94861, #120412)",
        "nft-invalid-segment",
    ),
    Difference(
        _of("DELIVERED", "PORT_CLOSED"),
        _of("MARTIAN_SOURCE"),
        "hairpin-connections holds the node's own endpoints only; iptables masquerades for every endpoint",
        "nft-hairpin-elsewhere",
    ),
)


def outcomes(found: Trace) -> Counter[tuple[str, str, str, str]]:
    """The chance of each outcome: verdict, reason, backend, the source's address that the receiver saw (ports may be random)."""
    chances: Counter[tuple[str, str, str, str]] = Counter()
    for branch in found.branches:
        seen = str(branch.seen_source[0]) if branch.seen_source else ""
        key = (branch.verdict.value, branch.reason, str(branch.backend), seen)
        chances[key] += branch.probability  # type: ignore[assignment]
    return chances


def asked(world: World, named: NamedFlow) -> Trace:
    flow = named.flow
    expected = world.expected(flow.destination, flow.dport or None)
    return trace(world.topology, flow, source=named.source, target=named.target, expected=expected)


def explained(one: Trace, other: Trace) -> Difference | None:
    mine = {branch.reason for branch in one.branches}
    theirs = {branch.reason for branch in other.branches}
    return next((row for row in DIFFERENCES if row.explains(one.flow, mine, theirs)), None)


def in_both_modes(drawn: Drawn) -> tuple[World, World]:
    documents = list(yaml.safe_load_all(drawn.documents))
    spec = documents[0]["spec"]
    for node in spec["nodes"]:
        node.pop("iptables", None)  # a person's own rules may tell the modes apart by their marks and chains
    first = load_text(yaml.safe_dump_all(documents))
    proxy = spec["kubeProxy"]
    settings = {name: value for name, value in proxy.pop("iptables").items() if name != "localhostNodePorts"}
    proxy |= {"mode": "nftables", "nftables": settings}
    return first, load_text(yaml.safe_dump_all(documents))


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(drawn_worlds(flows=4))
def test_the_modes_agree(drawn: Drawn) -> None:
    iptables, nftables = in_both_modes(drawn)
    for flow in drawn.flows:
        one, other = asked(iptables, flow), asked(nftables, flow)
        assert sum(outcomes(one).values(), start=Fraction(0)) == 1  # type: ignore[arg-type]
        assert outcomes(one) == outcomes(other) or explained(one, other) is not None, flow


def _worlds(name: str) -> Iterable[World]:
    for mode in (ProxyMode.IPTABLES, ProxyMode.NFTABLES):
        yield load_world([ROOT / "topologies" / name], mode=mode)[0]


SHOWN = {
    # topology: the flow of its README
    "nft-unused-clusterip-port": Flow("pod.default.client", parse_address("10.96.0.10"), Protocol.TCP, 81),
    "nft-unallocated-clusterip": Flow("pod.default.client", parse_address("10.96.0.99"), Protocol.TCP, 80),
    "nft-second-node-address": Flow("external.client", parse_address("192.168.0.77"), Protocol.TCP, 30080),
    "nft-localhost-nodeport": Flow("node.node1", parse_address("127.0.0.1"), Protocol.TCP, 30080),
    "nft-hairpin-elsewhere": Flow("pod.default.web", parse_address("192.168.0.12"), Protocol.TCP, 30080),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_topology_shows_the_difference(name: str) -> None:
    one, other = (asked(world, NamedFlow(SHOWN[name], "", "")) for world in _worlds(name))
    found = explained(one, other)
    assert outcomes(one) != outcomes(other)
    assert found is not None
    assert found.topology == name


def test_every_difference_is_a_topology() -> None:
    for row in DIFFERENCES:
        assert (ROOT / "topologies" / row.topology / "README.md").exists(), row
