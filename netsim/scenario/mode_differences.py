"""Where kube-proxy's modes answer otherwise: a closed list, each row with its source and a shipped topology that shows it.

Iptables mode is what the other two are held against. ``compared`` gives what one mode makes of a flow; ``explanation`` finds the row for
an answer that differs from iptables mode's. A difference that no row explains is a mistake of this program, or one of kube-proxy's that
nobody has listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias, assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.objects.core import Service
from netsim.scenario.mode_table import DIFFERENCES, Circumstance, Difference
from netsim.topology.model import Role
from netsim.trace.model import Flow, Trace, Verdict
from proxy.config.model import ProxyMode

if TYPE_CHECKING:
    from netsim.scenario.world import World

__all__ = ["DIFFERENCES", "Answer", "Circumstance", "Difference", "Outcome", "compared", "explanation", "is_same"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may become of a flow. ``backend`` and ``seen_source`` only where somebody took the packet; ports of sources may be random."""

    verdict: Verdict
    reason: str
    backend: tuple[Address, int] | None
    seen_source: Address | None


_TAKEN = (Verdict.DELIVERED, Verdict.MISDELIVERED)
"""Verdicts in which it matters who took the packet and whom it saw."""

Chances: TypeAlias = Mapping[Outcome, Fraction]


@dataclass(frozen=True, slots=True)
class Answer:
    """What one mode makes of a flow: its outcomes with their chances, and the circumstances that rows ask about.

    ``backends`` are those of all outcomes, also where the packet did not arrive.
    """

    mode: ProxyMode
    flow: Flow
    outcomes: Chances
    backends: frozenset[tuple[Address, int] | None]
    circumstances: frozenset[Circumstance]

    @property
    def reasons(self) -> frozenset[str]:
        """The reasons of all outcomes."""
        return frozenset(outcome.reason for outcome in self.outcomes)


def compared(world: World, mode: ProxyMode, found: Trace) -> Answer:
    """What a trace comes to. ``mode`` is that of the world's kube-proxies."""
    summed: dict[Outcome, Fraction] = {}
    for branch in found.branches:
        seen = branch.seen_source[0] if branch.seen_source else None
        ends = (branch.backend, seen) if branch.verdict in _TAKEN else (None, None)
        outcome = Outcome(branch.verdict, branch.reason, *ends)
        summed[outcome] = summed.get(outcome, Fraction(0)) + branch.probability
    backends = frozenset(branch.backend for branch in found.branches)
    return Answer(mode, found.flow, summed, backends, _circumstances(world, found.flow))


def is_same(one: Answer, other: Answer) -> bool:
    """True where both modes lead to the same backends, as likely, and with the same sources."""
    return one.outcomes == other.outcomes


def explanation(iptables: Answer, other: Answer) -> Difference | None:
    """The row that says why the other mode's answer differs from iptables mode's; None where no row does.

    Both are answers to one flow in one world. Asking about answers that are the same finds None too.
    """
    if is_same(iptables, other):
        return None
    return next((row for row in DIFFERENCES if _explains(row, iptables, other)), None)


def _explains(row: Difference, iptables: Answer, other: Answer) -> bool:
    """What is likelier in the other mode must have a reason of the row, and so must what is less likely."""
    new, gone = _likelier(other, iptables), _likelier(iptables, other)
    return (
        row.mode is other.mode
        and bool(new)
        and gone <= row.iptables
        and new <= row.other
        and all(_holds(each, iptables, other) for each in row.circumstances)
    )


def _likelier(one: Answer, other: Answer) -> set[str]:
    """The reasons of the outcomes that are likelier in one answer than in the other."""
    return {each.reason for each, chance in one.outcomes.items() if chance > other.outcomes.get(each, 0)}


def _holds(circumstance: Circumstance, iptables: Answer, other: Answer) -> bool:
    match circumstance:
        case Circumstance.SAME_BACKENDS:
            return iptables.backends == other.backends
        case Circumstance.FEWER_BACKENDS:
            return other.backends < iptables.backends
        case (
            Circumstance.TO_LOOPBACK
            | Circumstance.POLICY_LOCAL
            | Circumstance.FROM_NODE
            | Circumstance.FROM_INSIDE
            | Circumstance.REMEMBERED
            | Circumstance.OWN_RULES
            | Circumstance.NODE_ADDRESS
            | Circumstance.VIRTUAL_SOURCE
        ):
            return circumstance in iptables.circumstances | other.circumstances
        case _:
            assert_never(circumstance)


# --- circumstances ----------------------------------------------------------------------------------------------


def _circumstances(world: World, flow: Flow) -> frozenset[Circumstance]:
    asking = world.topology.namespaces[flow.netns]
    machines = world.topology.namespaces.values()
    texts = (node.texts for node in world.cluster.nodes)
    own = [each.nftables or each.iptables_legacy or each.ip6tables_legacy for each in texts]
    own += [node.iptables or node.ip6tables for node in world.cluster.nodes]
    addresses = [held.ip for device in asking.devices for held in device.addresses if asking.role is not Role.NODE]
    held = {
        Circumstance.TO_LOOPBACK: flow.destination.is_loopback,
        Circumstance.POLICY_LOCAL: _is_local(world, flow),
        Circumstance.FROM_NODE: asking.role is Role.NODE,
        Circumstance.FROM_INSIDE: asking.role in (Role.NODE, Role.POD),
        Circumstance.REMEMBERED: any(each.conntrack or each.ipvs_connections for each in machines),
        Circumstance.OWN_RULES: any(own),
        Circumstance.NODE_ADDRESS: any(world.service_of(address, None) for address in _of_nodes(world)),
        Circumstance.VIRTUAL_SOURCE: any(world.service_of(address, None) for address in addresses),
    }
    return frozenset(each for each, holds in held.items() if holds)


def _of_nodes(world: World) -> list[Address]:
    return [address for node in world.cluster.nodes for address in world.node_addresses(node.name)]


def _is_local(world: World, flow: Flow) -> bool:
    key = world.service_of(flow.destination, flow.dport or None)
    if key is None:
        return False
    spec = Service.of(world.objects[key]).spec
    return "Local" in (spec.external_traffic_policy, spec.internal_traffic_policy)
