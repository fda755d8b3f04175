"""From a walk to its verdict: the legs are read in order, and the first that does not end as it should decides.

The conditions stand in tables: what a drop means, which rules say more than "a rule did it", and how the end of an answer counts.
Nothing here knows of Kubernetes objects: a Service without endpoints is recognised by the rule that refused its traffic.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from fractions import Fraction

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet, Protocol, TCPFlags
from netsim.rules.xtables.ast import ConntrackMatch, CtState
from netsim.stack.reasons import DropReason
from netsim.stack.steps import MISSED, Choice, ConntrackStep, Drop, IPVSStep, NATStep, NftRuleRef, RuleRef, SocketLookup
from netsim.topology.model import Role
from netsim.trace.ending import Ending, EndingKind, ending_of, goes_in_circles
from netsim.trace.facts import facts_of, place_of, refusal_answer, short_label
from netsim.trace.model import Branch, Flow, Leg, Verdict
from netsim.trace.reasons import REPLY_PREFIX, Reason, reason
from netsim.trace.recording import is_consequence

# --- tables ------------------------------------------------------------------------------------------------------

DROPS: dict[DropReason, str] = {
    # what the stack says: the reason's code, where no row of RULES and no condition of the trip says more
    DropReason.NETFILTER_DROP: "RULE_DROP",
    DropReason.NETFILTER_REJECT: "RULE_REJECT",
    DropReason.OTHERHOST: "WRONG_MAC",
    DropReason.IP_OUTNOROUTES: "NO_ROUTE",
    DropReason.SOCKET_REFUSED: "DESTINATION_REFUSED",
    DropReason.IP_INNOROUTES: "NO_ROUTE",
    DropReason.IP_INADDRERRORS: "ROUTE_UNREACHABLE",
    DropReason.IP_LOCAL_SOURCE: "MARTIAN_SOURCE",
    DropReason.IP_INVALID_SOURCE: "INVALID_SOURCE",
    DropReason.IP_RPFILTER: "RP_FILTER",
    DropReason.IP_INVALID_DEST: "MARTIAN_DESTINATION",
    DropReason.IP_FORWARDING_OFF: "IP_FORWARDING_OFF",
    DropReason.TTL_EXCEEDED: "TTL_EXCEEDED",
    DropReason.NEIGH_FAILED: "NEIGHBOUR_FAILED",
    DropReason.PKT_TOO_BIG: "PACKET_TOO_BIG",
    DropReason.NO_SOCKET: "PORT_CLOSED",
    DropReason.TCP_INVALID: "NO_CONNECTION",
    DropReason.UDP_UNEXPECTED_PEER: "UNEXPECTED_PEER",
    DropReason.ICMP_UNEXPECTED: "UNEXPECTED_ECHO",
    DropReason.BRIDGE_INGRESS_EGRESS: "HAIRPIN_OFF",
    DropReason.BRIDGE_ISOLATED: "PORT_ISOLATED",
    DropReason.BRIDGE_NO_PORT: "BRIDGE_NO_PORT",
    DropReason.DEV_DOWN: "DEVICE_DOWN",
    DropReason.NO_CARRIER: "NO_CARRIER",
    DropReason.NO_PEER: "NO_PEER",
    DropReason.CONNTRACK_FULL: "CONNTRACK_FULL",
    DropReason.CONNTRACK_CLASH: "CONNTRACK_CLASH",
    DropReason.NAT_NO_TUPLE: "NAT_NO_TUPLE",
    DropReason.ROUTE_BLACKHOLE: "ROUTE_BLACKHOLE",
    DropReason.IPVS_NO_DESTINATION: "IPVS_NO_DESTINATION",
    DropReason.IPVS_DESTINATION_GONE: "IPVS_DESTINATION_GONE",
    DropReason.IPVS_RESCHEDULED: "IPVS_RESCHEDULED",
    DropReason.IPVS_BOUNDARY: "IPVS_BOUNDARY",
    DropReason.IPVS_ICMP_CHECKSUM: "IPVS_ICMP_CHECKSUM",
    DropReason.NO_TX_TARGET: "VTEP_UNKNOWN",
    DropReason.VXLAN_VNI_NOT_FOUND: "VNI_UNKNOWN",
    DropReason.VXLAN_INVALID_HDR: "VXLAN_REFUSED",
    DropReason.VXLAN_ENTRY_EXISTS: "VXLAN_REFUSED",
    DropReason.MAC_INVALID_SOURCE: "VXLAN_REFUSED",
    DropReason.LOCAL_MAC: "VXLAN_REFUSED",
    DropReason.DUMMY_DEVICE: "DUMMY_DEVICE",
    DropReason.NEIGH_CREATEFAIL: "NEIGHBOUR_TABLE_FULL",
    DropReason.PROTO_NOT_SUPPORTED: "PROTOCOL_NOT_SUPPORTED",
    DropReason.FORWARDING_LOOP: "LOOP",
}


@dataclass(frozen=True, slots=True)
class RuleCondition:
    """A rule that says why it is there: by its verdict, the end of its comment, its chain, or a conntrack state it asks for."""

    drop: DropReason
    code: str
    comment: str = ""
    chain: str = ""
    state: CtState | None = None

    def holds(self, drop: Drop) -> bool:
        """True where the drop was made by such a rule."""
        if drop.reason is not self.drop or not isinstance(drop.ref, RuleRef):
            return False
        states = [match.states for match in drop.ref.rule.matches if isinstance(match, ConntrackMatch)]
        return (
            re.search(self.comment, drop.ref.rule.comment or "") is not None
            and re.fullmatch(self.chain or ".*", drop.ref.chain) is not None
            and (self.state is None or frozenset({self.state}) in states)
        )


_SERVICE_CHAINS = "KUBE-(EXTERNAL-)?SERVICES|KUBE-NODEPORTS"

RULES: tuple[RuleCondition, ...] = (
    # Ref: kube-proxy v1.37 pkg/proxy/iptables/proxier.go:syncProxyRules(), pkg/proxy/ipvs/proxier.go. First that holds.
    RuleCondition(DropReason.NETFILTER_REJECT, "NO_ENDPOINTS", comment=" has no endpoints$"),
    RuleCondition(DropReason.NETFILTER_DROP, "NO_LOCAL_ENDPOINTS", comment=" has no local endpoints$"),
    # above 1,000 endpoints kube-proxy writes no comments; these chains of table filter hold nothing else
    RuleCondition(DropReason.NETFILTER_REJECT, "NO_ENDPOINTS", chain=_SERVICE_CHAINS),
    RuleCondition(DropReason.NETFILTER_DROP, "NO_LOCAL_ENDPOINTS", chain=_SERVICE_CHAINS),
    RuleCondition(
        DropReason.NETFILTER_DROP,
        "SOURCE_RANGE_DENIED",
        chain="KUBE-PROXY-FIREWALL|KUBE-SOURCE-RANGES-FIREWALL|KUBE-IPVS-OUT-FILTER",
    ),
    RuleCondition(DropReason.NETFILTER_DROP, "LOCALNET_BLOCKED", chain="KUBE-FIREWALL", comment="localnet"),
    RuleCondition(DropReason.NETFILTER_REJECT, "VIP_PORT_NOT_SERVED", chain="KUBE-IPVS-FILTER"),
    RuleCondition(DropReason.NETFILTER_DROP, "INVALID_STATE_DROP", state=CtState.INVALID),
)


@dataclass(frozen=True, slots=True)
class NftCondition:
    """An nftables rule that says why it is there: by its verdict and its chain in kube-proxy's table."""

    drop: DropReason
    code: str
    chain: str

    def holds(self, drop: Drop) -> bool:
        """True where the drop was made by such a rule."""
        if drop.reason is not self.drop or not isinstance(drop.ref, NftRuleRef):
            return False
        return drop.ref.table == "kube-proxy" and re.fullmatch(self.chain, drop.ref.chain) is not None


NFT_RULES: tuple[NftCondition, ...] = (
    # Ref: kube-proxy v1.37 pkg/proxy/nftables/proxier.go:setupNFTables(), syncProxyRules(). First that holds.
    NftCondition(DropReason.NETFILTER_REJECT, "NO_ENDPOINTS", "reject-chain"),
    NftCondition(DropReason.NETFILTER_DROP, "NO_LOCAL_ENDPOINTS", "(service|nodeport)-endpoints-check"),
    NftCondition(DropReason.NETFILTER_DROP, "SOURCE_RANGE_DENIED", "firewall-.*"),
    NftCondition(DropReason.NETFILTER_REJECT, "CLUSTER_IP_PORT_UNKNOWN", "cluster-ips-check"),
    NftCondition(DropReason.NETFILTER_DROP, "CLUSTER_IP_UNALLOCATED", "cluster-ips-check"),
)


_CONDITIONS: tuple[RuleCondition | NftCondition, ...] = (*RULES, *NFT_RULES)


# --- the code of one ending ----------------------------------------------------------------------------------------


def code_of(leg: Leg, ending: Ending) -> str:
    """The code of an ending that is not the wanted one, as if the packet were on its way out."""
    missed = any(isinstance(step, IPVSStep) and step.action == MISSED for hop in leg.hops for step in hop.steps)
    return "VIP_NOT_LOCAL" if missed else _code_of(leg, ending)


def _code_of(leg: Leg, ending: Ending) -> str:
    match ending.kind:
        case EndingKind.NOT_MODELLED:
            return "NOT_MODELLED"
        case EndingKind.LEFT:
            return "LEFT_MODEL"
        case EndingKind.LOST:
            return "NO_ENDING"
        case EndingKind.REFUSED:
            return _refusal_code(leg, ending)
        case EndingKind.DROPPED | EndingKind.TAKEN:
            assert isinstance(ending.step, Drop)
            return _drop_code(leg, ending.step)


def _drop_code(leg: Leg, drop: Drop) -> str:
    if drop.reason is DropReason.NETFILTER_DROP and drop.ref is None:
        return "POLICY_DROP"
    if drop.reason is DropReason.TTL_EXCEEDED and goes_in_circles(leg):
        return "LOOP"
    if drop.reason is DropReason.NETFILTER_DROP and isinstance(drop.ref, NftRuleRef):
        from netsim.trace.invalid_state import drops_invalid

        if drops_invalid(drop.ref.rule):
            return "INVALID_STATE_DROP"
    return next((row.code for row in _CONDITIONS if row.holds(drop)), DROPS[drop.reason])


def _refusal_code(leg: Leg, ending: Ending) -> str:
    code = DROPS[ending.step.reason] if isinstance(ending.step, Drop) else "PORT_CLOSED"
    if reason(code).verdict is Verdict.REJECTED and not refusal_answer(ending):
        return "NOT_ANSWERED"
    own = code == "PORT_CLOSED" and ending.hop.role is Role.NODE and not _translated(leg)
    return "NODE_PORT_CLOSED" if own else code


# --- the code of the trip ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Finding:
    """What decides a branch: a reason, the leg and how it ended."""

    reason: Reason
    leg: Leg
    ending: Ending


def judge(flow: Flow, legs: Sequence[Leg], *, one_way: bool, expected: Collection[str] | None) -> Finding:
    """The first leg that does not end as it should, or the first leg where all do.

    ``expected`` are the namespaces in which the first packet may arrive, None for any.
    """
    first = ending_of(legs[0])
    if first.kind is not EndingKind.TAKEN:
        return Finding(reason(code_of(legs[0], first)), legs[0], first)
    if expected is not None and first.hop.netns not in expected:
        return Finding(reason("ARRIVED_ELSEWHERE"), legs[0], first)
    if one_way:
        return Finding(reason("DELIVERED_ONE_WAY"), legs[0], first)
    rest = [leg for leg in legs[1:] if not is_consequence(leg)]
    if _answers(flow) and not any(leg.reply for leg in rest):
        return Finding(reason("NO_ANSWER"), legs[0], first)
    found = (_finding(flow, leg) for leg in _deciding(rest))
    return next((finding for finding in found if finding), None) or Finding(reason("DELIVERED"), legs[0], first)


def _answers(flow: Flow) -> bool:
    return flow.protocol is not Protocol.TCP or flow.flags == TCPFlags.SYN


def _deciding(legs: Sequence[Leg]) -> list[Leg]:
    """Every leg, but of a segment that was sent again only the last try."""
    tries = [leg for leg in legs if leg.name == "data" and not leg.reply]
    return [leg for leg in legs if leg not in tries[:-1]]


def _finding(flow: Flow, leg: Leg) -> Finding | None:
    ending = ending_of(leg)
    code = _reply_code(flow, leg, ending) if leg.reply else _forward_code(leg, ending)
    return Finding(reason(code), leg, ending) if code else None


def _forward_code(leg: Leg, ending: Ending) -> str | None:
    return None if ending.kind is EndingKind.TAKEN else code_of(leg, ending)


def _reply_code(flow: Flow, leg: Leg, ending: Ending) -> str | None:
    """How an answer's end counts: None where the client took it from the peer it had asked."""
    match ending.kind:
        case EndingKind.NOT_MODELLED | EndingKind.LOST:
            return code_of(leg, ending)
        case EndingKind.LEFT:
            return "REPLY_LEFT_MODEL"
        case EndingKind.DROPPED:
            return REPLY_PREFIX + code_of(leg, ending)
        case EndingKind.TAKEN | EndingKind.REFUSED:
            return _arrival_code(flow, leg, ending)


def _arrival_code(flow: Flow, leg: Leg, ending: Ending) -> str | None:
    taken_by_client = (
        ending.kind is EndingKind.TAKEN
        and isinstance(ending.step, SocketLookup)
        and (ending.hop.netns, ending.step.owner) == (flow.netns, flow.owner)
    )
    if ending.hop.netns != flow.netns or (ending.kind is EndingKind.TAKEN and not taken_by_client):
        return "REPLY_TO_OTHER_HOST"
    if not _from_peer(flow, ending.packet):
        return "REPLY_NOT_TRANSLATED_BACK" if _invalid(leg) else "REPLY_FROM_OTHER_PEER"
    return None if taken_by_client else "REPLY_UNEXPECTED"


def _invalid(leg: Leg) -> bool:
    return any(isinstance(step, ConntrackStep) and step.action == "invalid" for hop in leg.hops for step in hop.steps)


def _from_peer(flow: Flow, packet: Packet) -> bool:
    return packet.ip.src == flow.destination and packet.sport in (None, flow.dport)


# --- the branch ----------------------------------------------------------------------------------------------------


def branch_of(
    flow: Flow,
    legs: tuple[Leg, ...],
    finding: Finding,
    *,
    client: str,
    number: int,
    probability: Fraction,
    choices: tuple[Choice, ...],
) -> Branch:
    """A judged walk as a branch of the answer; ``client`` is the label of the asking namespace."""
    facts = facts_of(flow, finding.leg, finding.ending, client=client)
    first = ending_of(legs[0])
    arrived = first.kind in (EndingKind.TAKEN, EndingKind.REFUSED)
    return Branch(
        probability=probability,
        choices=choices,
        verdict=finding.reason.verdict,
        reason=finding.reason.code,
        where=place_of(finding.ending),
        sentence=finding.reason.say(facts) + _told_by(flow, finding, legs),
        advice=finding.reason.advise(facts),
        delivered_to=_receiver(first),
        backend=_end(first.packet, source=False) if arrived or _translated(legs[0]) else None,
        seen_source=_end(first.packet, source=True) if arrived else None,
        legs=legs,
        number=number,
    )


def _receiver(ending: Ending) -> str | None:
    """Whose socket took the packet: the namespace, and on a shared one (a node's) also which process: ``node/node1 (sshd)``."""
    if ending.kind is not EndingKind.TAKEN or not isinstance(ending.step, SocketLookup):
        return None
    return receiver_name(ending.hop.label, ending.hop.netns, ending.step.owner or "")


def receiver_name(label: str, netns: str, owner: str) -> str:
    """What the receiver is called whose socket belongs to ``owner``, in the namespace of that label."""
    short = short_label(label)
    machine = short.rpartition("/")[2]
    if owner in ("", machine, short, label, netns) or owner.startswith(f"{short}/"):
        return short
    return f"{short} ({owner.removeprefix(f'{machine}/')})"


def _translated(leg: Leg) -> bool:
    """True where NAT or IPVS gave the packet another destination."""
    steps = [step for hop in leg.hops for step in hop.steps]
    return any(
        (isinstance(step, NATStep) and step.kind in ("DNAT", "REDIRECT"))
        or (isinstance(step, IPVSStep) and step.before.ip.dst != step.after.ip.dst)
        for step in steps
    )


def _end(packet: Packet, *, source: bool) -> tuple[Address, int]:
    port = packet.sport if source else packet.dport
    return (packet.ip.src if source else packet.ip.dst, port or 0)


def _told_by(flow: Flow, finding: Finding, legs: Sequence[Leg]) -> str:
    """What the client hears of a failure: nothing more than the verdict says, an ICMP error, or that it waits in vain."""
    told = [leg for leg in legs if is_consequence(leg) and leg.reply and not leg.name.endswith("redirect")]
    if not told or finding.leg.reply or finding.reason.verdict is Verdict.DELIVERED:
        return ""
    heard = next((leg for leg in told if _reaches(flow, leg)), None)
    if heard is None:
        return f"; but the {told[0].name} does not come back to the client, which waits in vain"
    return "" if finding.reason.verdict is Verdict.REJECTED else f"; the client is told by {heard.name}"


def _reaches(flow: Flow, leg: Leg) -> bool:
    ending = ending_of(leg)
    return ending.kind is EndingKind.TAKEN and ending.hop.netns == flow.netns
