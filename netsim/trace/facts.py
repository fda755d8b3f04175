"""What is known where a packet ended: the words for the texts of a reason, and the place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsim.net.packet import Packet, endpoint
from netsim.rules.xtables.ast import RejectTarget
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    BridgeDecision,
    ChainPass,
    Drop,
    Hook,
    NeighbourResolution,
    NotModelled,
    Receive,
    RoutingDecision,
    RuleRef,
    SocketLookup,
    Step,
    Transmit,
)
from netsim.trace.ending import Ending
from netsim.trace.model import Flow, Hop, Leg, Place
from netsim.trace.reasons import Facts

_SERVICE = re.compile(r"(?P<port>(?P<namespace>[^\s/]+)/(?P<service>[^\s:/]+)(:\S+)?) ")

REJECT_ANSWERS: dict[str, str] = {
    # iptables' --reject-with: what the client is told. Ref: net/ipv4/netfilter/ipt_REJECT.c, net/ipv6/netfilter/ip6t_REJECT.c
    "icmp-net-unreachable": "ICMP network unreachable",
    "icmp-host-unreachable": "ICMP host unreachable",
    "icmp-proto-unreachable": "ICMP protocol unreachable",
    "icmp-port-unreachable": "ICMP port unreachable",
    "icmp-net-prohibited": "ICMP network prohibited",
    "icmp-host-prohibited": "ICMP host prohibited",
    "icmp-admin-prohibited": "ICMP administratively prohibited",
    "tcp-reset": "RST",
    "icmp6-no-route": "ICMPv6 no route",
    "icmp6-adm-prohibited": "ICMPv6 administratively prohibited",
    "icmp6-addr-unreachable": "ICMPv6 address unreachable",
    "icmp6-port-unreachable": "ICMPv6 port unreachable",
    "icmp6-policy-fail": "ICMPv6 source address failed policy",
    "icmp6-reject-route": "ICMPv6 reject route",
}


def short_label(label: str) -> str:
    """A pod by namespace and name alone; every other label as it is."""
    return label.removeprefix("pod/")


def facts_of(flow: Flow, leg: Leg, ending: Ending, *, client: str) -> Facts:
    """Everything that the texts of a reason may name."""
    assert leg.sent is not None
    packet, hop, step = ending.packet, ending.hop, ending.step
    before = _steps_before(hop, step)
    place = place_of(ending)
    service = _SERVICE.match((place.rule.rule.comment if place.rule else None) or "")
    asked = endpoint(flow.destination, flow.dport or None)
    at = short_label(hop.label)
    return Facts(
        packet=leg.name,
        sent=str(leg.sent),
        got=str(packet),
        arrives=_arrives(leg.sent, packet),
        address=str(packet.ip.dst),
        port=str(packet.dport or 0),
        got_to=endpoint(packet.ip.dst, packet.dport),
        source=str(packet.ip.src),
        from_peer=endpoint(packet.ip.src, packet.sport),
        at=at,
        node=f"node/{hop.node}" if hop.node else at,
        asked=asked,
        client=short_label(client),
        device=_device(before, step),
        table=place.table or "",
        chain=place.chain or "",
        hook=place.hook.value if place.hook else "",
        rule=f"rule {place.rule.index + 1} of chain {place.rule.chain}" if place.rule else "the policy",
        answer=_answer(place.rule, ending),
        service_port=service["port"] if service else asked,
        namespace=service["namespace"] if service else "NAMESPACE",
        service=service["service"] if service else "SERVICE",
        iptables="iptables" if packet.ip.dst.version == 4 else "ip6tables",
        detail=_detail(before, step),
    )


def place_of(ending: Ending) -> Place:
    """Namespace, and as far as they apply hook, table, chain and rule."""
    hop, step = ending.hop, ending.step
    match step:
        case Drop():
            decided = _deciding_pass(_steps_before(hop, step), step)
            ref = step.ref
            return Place(
                netns=hop.netns,
                node=hop.node,
                hook=_hook(step.where) or (decided.hook if decided else None),
                table=step.table or (ref.table if ref else None),
                chain=step.chain or (ref.chain if ref else None),
                rule=ref,
                function="" if _hook(step.where) else step.where,
            )
        case NotModelled(where=where, ref=ref):
            table, chain = (ref.table, ref.chain) if ref else (None, None)
            function = "" if _hook(where) else where
            return Place(hop.netns, hop.node, _hook(where), table, chain, ref, function)
        case SocketLookup():
            return Place(hop.netns, hop.node, function="socket look-up")
        case None:
            return Place(hop.netns, hop.node)


def _hook(where: str) -> Hook | None:
    return next((hook for hook in Hook if hook.value == where), None)


def _deciding_pass(before: Sequence[Step], drop: Drop) -> ChainPass | None:
    """The pass that dropped it: the last of the table that the drop names."""
    table = drop.table or (drop.ref.table if drop.ref else None)
    return next((step for step in reversed(before) if isinstance(step, ChainPass) and step.table == table), None)


def _steps_before(hop: Hop, step: Step | None) -> tuple[Step, ...]:
    for index, candidate in enumerate(hop.steps):
        if candidate is step:
            return hop.steps[:index]
    return hop.steps


def _arrives(sent: Packet, got: Packet) -> str:
    return "unchanged" if str(sent) == str(got) else f"as {got}"


def _device(before: Sequence[Step], step: Step | None) -> str:
    """The device that the drop speaks of: for each reason the last step of the kind that names it."""
    reason = step.reason if isinstance(step, Drop) else None
    for earlier in reversed(before):
        match earlier:
            case NeighbourResolution(device=device) if reason is DropReason.NEIGH_FAILED:
                return device
            case BridgeDecision(ingress=device):
                return device
            case RoutingDecision(device=str(device)) if reason is DropReason.PKT_TOO_BIG:
                return device
            case Receive(device=device) | Transmit(device=device) if reason is not DropReason.NEIGH_FAILED:
                return device
            case _:
                continue
    return "its device"


def refusal_answer(ending: Ending) -> str:
    """What a host without a socket answers a packet with: ``RST``, ``ICMP port unreachable``; empty where it stays silent."""
    return next((step.answer for step in ending.hop.steps if isinstance(step, SocketLookup) and step.answer), "")


def _answer(rule: RuleRef | None, ending: Ending) -> str:
    if rule is None or not isinstance(rule.rule.target, RejectTarget):
        return refusal_answer(ending) or "ICMP"
    return REJECT_ANSWERS.get(rule.rule.target.kind, rule.rule.target.kind)


def _detail(before: Sequence[Step], step: Step | None) -> str:
    match step:
        case Drop(reason=DropReason.NEIGH_FAILED):
            asked = next((found for found in reversed(before) if isinstance(found, NeighbourResolution)), None)
            return str(asked.address) if asked else step.detail
        case Drop():
            return step.detail or step.reason.value
        case NotModelled():
            return step.what
        case _:
            return ""
