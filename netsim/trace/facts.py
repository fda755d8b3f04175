"""What is known where a packet ended: the words for the texts of a reason, and the place."""

from __future__ import annotations

import re
from collections.abc import Sequence

from netsim.dataclass import dataclass
from netsim.net.packet import Packet, endpoint
from netsim.rules.xtables.ast import RejectTarget
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    AnyRuleRef,
    BridgeDecision,
    ChainPass,
    Drop,
    Hook,
    NeighbourResolution,
    NftChainPass,
    NftRuleRef,
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
    service = _SERVICE.match(_service_words(place.rule, before))
    commands = _commands(place, before, packet.ip.dst.version)
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
        nft_family="ip" if packet.ip.dst.version == 4 else "ip6",
        list_chain=commands.list_chain,
        accept=commands.accept,
        node_ports=commands.node_ports,
        detail=_detail(before, step),
    )


@dataclass(frozen=True, slots=True)
class _Commands:
    """What a person types at the place: of iptables, or of nft where an nftables chain decided."""

    list_chain: str
    accept: str
    node_ports: str


def _commands(place: Place, before: Sequence[Step], version: int) -> _Commands:
    tool, family = ("iptables", "ip") if version == 4 else ("ip6tables", "ip6")
    table, chain = place.table or "TABLE", place.chain or "CHAIN"
    passes = [step for step in before if isinstance(step, NftChainPass)]
    of_kube_proxy = any(step.table == KUBE_PROXY_TABLE for step in passes)
    node_ports = f"nft list map {family} {KUBE_PROXY_TABLE} service-nodeports" if of_kube_proxy else ""
    deciding = next((step for step in reversed(before) if isinstance(step, ChainPass | NftChainPass)), None)
    if isinstance(deciding, NftChainPass) and deciding.table == table:
        where = f"{deciding.family} {table} {chain}"
        return _Commands(f"nft -a list chain {where}", f"nft insert rule {where} accept", node_ports)
    if isinstance(deciding, ChainPass) and deciding.legacy and deciding.table == table:
        tool += "-legacy"
    numbers = " --line-numbers" if place.rule else ""
    return _Commands(
        f"{tool} -t {table} -vnL {chain}{numbers}",
        f"{tool} -t {table} -A {chain} -j ACCEPT",
        node_ports or f"{tool} -t nat -S KUBE-NODEPORTS",
    )


KUBE_PROXY_TABLE = "kube-proxy"
_NFT_CHAIN = re.compile(
    r"(service|local|external|firewall|endpoint)-[A-Z0-9]{8}-(?P<namespace>[^/]+)/(?P<service>[^/]+)/[^/]+/(?P<port>[^_/]*)"
)


def _service_words(rule: AnyRuleRef | None, before: Sequence[Step]) -> str:
    """Text that begins with the Service's port, where kube-proxy left it: a rule's comment, a map element's, a chain's name."""
    if not isinstance(rule, NftRuleRef):
        return (rule.rule.comment if rule is not None else None) or ""
    passes = [step for step in before if isinstance(step, NftChainPass)]
    named = [each.element for each in passes[-1].evaluations if each.element] if passes else []
    if named:
        return f"{named[-1]} "
    found = _NFT_CHAIN.match(rule.chain)
    if found is None:
        return ""
    port = f":{found['port']}" if found["port"] else ""
    return f"{found['namespace']}/{found['service']}{port} "


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


def _deciding_pass(before: Sequence[Step], drop: Drop) -> ChainPass | NftChainPass | None:
    """The pass that dropped it: the last of the table that the drop names."""
    table = drop.table or (drop.ref.table if drop.ref else None)
    passes = (step for step in reversed(before) if isinstance(step, ChainPass | NftChainPass))
    return next((step for step in passes if step.table == table), None)


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


def _answer(rule: AnyRuleRef | None, ending: Ending) -> str:
    if isinstance(rule, NftRuleRef) and isinstance(ending.step, Drop):
        return REJECT_ANSWERS.get(ending.step.detail) or refusal_answer(ending) or "ICMP"
    if not isinstance(rule, RuleRef) or not isinstance(rule.rule.target, RejectTarget):
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
