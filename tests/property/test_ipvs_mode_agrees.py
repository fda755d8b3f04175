"""Mode ipvs leads to the backends of mode iptables, as likely, and seen from the same source, but for a listed set of differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Address
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import NamedFlow, every_flow
from netsim.scenario.world import World
from netsim.topology.model import Role
from netsim.trace.model import Trace, Verdict
from netsim.trace.trace import trace
from proxy.config.model import ProxyMode
from tests.property.mode_worlds import clusters

Outcome = tuple[Verdict, str, tuple[Address, int] | None, Address | None]
"""Verdict, reason, backend, the source that it sees."""


@dataclass(frozen=True)
class Compared:
    """One flow in both modes. ``local``: some Service has a policy Local; ``of_node``: a node asks; ``inside``: a node or a pod."""

    iptables: dict[Outcome, Fraction]
    ipvs: dict[Outcome, Fraction]
    local: bool
    of_node: bool
    inside: bool

    def reasons(self, iptables: set[str], ipvs: set[str]) -> bool:
        return _reasons(self.iptables) <= iptables and _reasons(self.ipvs) <= ipvs


@dataclass(frozen=True)
class Difference:
    """What the two modes may do otherwise, and why."""

    holds: Callable[[Compared], bool]
    why: str


DIFFERENCES = (
    Difference(
        lambda both: both.reasons({"NO_ENDPOINTS"}, {"IPVS_NO_DESTINATION"}),
        "without endpoints a rule refuses in iptables mode, IPVS itself in ipvs mode: the same ICMP error either way",
    ),
    Difference(
        lambda both: both.reasons({"LEFT_MODEL"}, {"VIP_PORT_NOT_SERVED"}),
        "a Service's address is local in ipvs mode (kube-ipvs0), and KUBE-IPVS-FILTER refuses its other ports (k/k#72236)",
    ),
    Difference(
        lambda both: both.of_node and both.reasons({"LEFT_MODEL"}, {"IPVS_NO_DESTINATION"}),
        "iptables mode refuses external addresses without endpoints to others than the node itself (KUBE-EXTERNAL-SERVICES)",
    ),
    Difference(
        lambda both: both.local and _reasons(both.iptables) == {"NO_LOCAL_ENDPOINTS"},
        "policy Local without an endpoint on the node: ipvs mode falls back to all endpoints (k/k#97081)",
    ),
    Difference(
        lambda both: both.local and both.inside and set(_backends(both.ipvs)) < set(_backends(both.iptables)),
        "iptables mode takes what comes from inside the cluster to an external address of policy Local as if the policy were Cluster "
        "(KUBE-EXT-…); ipvs mode has one virtual server for everybody",
    ),
    Difference(
        lambda both: both.local and both.of_node and _backends(both.iptables) == _backends(both.ipvs),
        "iptables mode masquerades what a node itself sends to an external address of policy Local; ipvs mode does not, so that "
        "the endpoint sees the node, or the virtual address (and then may not answer)",
    ),
)


def _reasons(found: dict[Outcome, Fraction]) -> set[str]:
    return {reason for _, reason, _, _ in found}


def _backends(found: dict[Outcome, Fraction]) -> dict[object, Fraction]:
    summed: dict[object, Fraction] = {}
    for (_, _, backend, _), probability in found.items():
        summed[backend] = summed.get(backend, Fraction(0)) + probability
    return summed


def outcomes(found: Trace) -> dict[Outcome, Fraction]:
    summed: dict[Outcome, Fraction] = {}
    for branch in found.branches:
        source = branch.seen_source[0] if branch.seen_source else None
        outcome = (branch.verdict, branch.reason, branch.backend, source)
        summed[outcome] = summed.get(outcome, Fraction(0)) + branch.probability
    return summed


def walked(world: World, named: NamedFlow) -> dict[Outcome, Fraction]:
    flow = named.flow
    expected = world.expected(flow.destination, flow.dport or None)
    return outcomes(trace(world.topology, flow, source=named.source, target=named.target, expected=expected))


@cache
def worlds(text: str) -> tuple[World, World]:
    with TemporaryDirectory() as folder:
        file = Path(folder, "cluster.yaml")
        file.write_text(text, encoding="utf-8")
        iptables, _ = load_world([file], mode=ProxyMode.IPTABLES)
        ipvs, _ = load_world([file], mode=ProxyMode.IPVS)
        return iptables, ipvs


@settings(max_examples=5, deadline=None)
@given(clusters(), st.integers(0, 8))
def test_both_modes_lead_to_the_same_backends(text: str, first: int) -> None:
    iptables, ipvs = worlds(text)
    for named in islice(every_flow(iptables, one_of_each=True), first, None, 9):
        role = iptables.topology.namespaces[named.flow.netns].role
        local, of_node, inside = "Policy: Local" in text, role is Role.NODE, role in (Role.NODE, Role.POD)
        both = Compared(walked(iptables, named), walked(ipvs, named), local, of_node, inside)
        same = both.iptables == both.ipvs
        assert same or any(row.holds(both) for row in DIFFERENCES), (named.source, named.target, both)
