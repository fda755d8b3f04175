"""What the model foretells: the walk of each branch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from netsim.net.address import parse_address
from netsim.net.packet import ICMPHeader, Packet, Protocol, TCPFlags, TCPHeader
from netsim.stack.ip_vs_conn import PROTOCOL_NAMES, Conn
from netsim.stack.kernel_reasons import kernel_names
from netsim.stack.netfilter import Netfilter
from netsim.stack.network import Network
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    IP_HOOKS,
    ChainPass,
    Chooser,
    Clock,
    Decapsulation,
    Drop,
    Encapsulation,
    LocalSend,
    NftChainPass,
    Reassembly,
    Receive,
    Recorder,
    SocketLookup,
    Step,
    Transmit,
)
from netsim.stack.wiring import Wiring
from netsim.topology.model import Route, Topology
from netsim.trace.explore import WalkChooser
from netsim.trace.model import Branch, Flow, Hop, Leg, Trace, Verdict
from netsim.trace.trace import trace
from netsim.verify.capture import is_discovery, is_redirect
from netsim.verify.conntrack import COMPARED, Entry
from netsim.verify.ipvs import IPVSEntry
from netsim.verify.observe import outcome
from netsim.verify.walk import TUNNEL, Ended, Matched, Passing, Walk, is_told_by_rules, is_tunnel, ports_of

ICMP_ERRORS: dict[tuple[int, int], str] = {
    # (type, code): the error that the client's socket gets. Ref: net/ipv4/icmp.c:icmp_err_convert[] (v6.12)
    (3, 0): "ENETUNREACH",
    (3, 1): "EHOSTUNREACH",
    (3, 2): "ENOPROTOOPT",
    (3, 3): "ECONNREFUSED",
    (3, 4): "EMSGSIZE",
    (3, 9): "ENETUNREACH",
    (3, 10): "EHOSTUNREACH",
    (3, 13): "EHOSTUNREACH",
    (11, 0): "EHOSTUNREACH",
}

ICMPV6_ERRORS: dict[tuple[int, int], str] = {
    # Ref: net/ipv6/icmp.c:tab_unreach[], icmpv6_err_convert() (v6.12)
    (1, 0): "ENETUNREACH",
    (1, 1): "EACCES",
    (1, 3): "EHOSTUNREACH",
    (1, 4): "ECONNREFUSED",
    (1, 5): "EACCES",
    (1, 6): "EACCES",
    (2, 0): "EMSGSIZE",
    (3, 0): "EHOSTUNREACH",
}

SEEDS = 6
"""How many draws of random ports are tried, to have one that meets no other port of the walk."""

UNSEEN = frozenset({DropReason.NO_CARRIER, DropReason.NO_PEER})
"""Drops before which no frame is seen on the device: its queue is closed."""


NO_ROUTE_CALLS = frozenset(
    {
        "ip_route_output_key",
        "tcp_v4_connect",
        "ip6_dst_lookup_tail",
        "tcp_v6_connect",
        "ip4_datagram_connect",
        "connect()",
    }
)
REROUTING = frozenset({"ip_route_me_harder", "ip6_route_me_harder"})
"""Where a rule of OUTPUT gave a packet a destination without a route: sendto(2) returns the error, connect(2) of TCP waits."""
TOO_LONG_CALLS = frozenset({"__ip_append_data", "__ip6_append_data"})
"""Where the model drops what the sending call refuses: an error of the call, before there is a packet."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """One branch as the model has it."""

    branch: Branch
    walk: Walk

    @property
    def probability(self) -> Fraction:
        """How likely the branch is."""
        return self.branch.probability


@dataclass(slots=True)
class _Networks:
    """Makes the networks of a trace, and keeps each with its chooser: what they remember at a branch's end is compared too."""

    fresh: bool
    made: list[tuple[Network, WalkChooser]] = field(default_factory=list)

    def __call__(self, topology: Topology, recorder: Recorder, chooser: Chooser, clock: Clock) -> Network:
        network = Network(topology, recorder, chooser, clock)
        assert isinstance(chooser, WalkChooser)
        for name, netns in topology.namespaces.items() if self.fresh else ():
            if netns.ipvs.servers and (ipvs := network.namespace(name).ipvs) is not None:
                ipvs.fresh = True
        self.made.append((network, chooser))
        return network


def foretell(topology: Topology, flow: Flow, *, fresh: bool = False) -> tuple[Trace, tuple[Foretold, ...]]:
    """The model's answer, and the walk of each branch. A port that the kernel picks at random is none that the walks have of themselves.

    With ``fresh`` IPVS has scheduled nothing before, so that its choice is no chance.
    """
    found = _foretell(topology, flow, seed=0, fresh=fresh)
    for seed in range(1, SEEDS):
        picked = _picked(found[1])
        if not picked:
            return found
        other = _foretell(topology, flow, seed=seed, fresh=fresh)
        if not picked & _fixed(other[1]):
            return found
        found = other
    return found


def _picked(branches: Iterable[Foretold]) -> frozenset[int]:
    return frozenset(port for branch in branches for port in branch.walk.ports)


def _fixed(branches: Iterable[Foretold]) -> frozenset[int]:
    """The ports of the walks that no chance picked, but for those that are both."""
    walks = [branch.walk for branch in branches]
    return frozenset(port for walk in walks for port in ports_of(walk.frames, walk.conntrack)) - _picked(branches)


def _foretell(topology: Topology, flow: Flow, *, seed: int, fresh: bool) -> tuple[Trace, tuple[Foretold, ...]]:
    """``seed`` decides ports that the kernel picks at random."""
    networks = _Networks(fresh)
    found = trace(topology, flow, source=flow.netns, target=str(flow.destination), seed=seed, network=networks)
    branches = found.branches[: len(networks.made)]
    pairs = zip(branches, networks.made, strict=True)
    return found, tuple(Foretold(branch, _walk(flow, branch, *made, topology)) for branch, made in pairs)


def _walk(flow: Flow, branch: Branch, network: Network, chooser: WalkChooser, topology: Topology) -> Walk:
    legs = [leg for leg in branch.legs if leg.sent is None or not (is_discovery(leg.sent) or is_redirect(leg.sent))]
    return Walk(
        frames=tuple(frame for leg in legs for frame in _frames(leg)),
        matched=tuple(match for leg in legs for match in _matched(leg)),
        conntrack=tuple(_conntrack(network, topology)),
        ipvs=tuple(_ipvs(network, topology)),
        ends=(*_taken(branch, flow), f"the client: {_client(branch, flow)}"),
        ended=tuple(end for leg in legs for end in _ended(leg)),
        ports=frozenset(picked.port for picked in chooser.picked),
    )


def _frames(leg: Leg) -> Iterator[Passing]:
    for hop in leg.hops:
        for index, step in enumerate(hop.steps):
            match step:
                case Receive(device=device, packet=packet):
                    yield Passing(_name(leg, packet), hop.netns, device, outgoing=False, packet=packet)
                case Transmit(device=device, packet=packet) if not _unseen(hop, index):
                    yield Passing(_name(leg, packet), hop.netns, device, outgoing=True, packet=packet)
                case _:
                    continue


def _ended(leg: Leg) -> Iterator[Ended]:
    """The drops of a leg of which the kernel tells."""
    name = leg.name
    for hop in leg.hops:
        for step in hop.steps:
            match step:
                case Receive(packet=packet) | Encapsulation(outer=packet) | Decapsulation(inner=packet):
                    name = _name(leg, packet)
                case Drop(reason=reason, where=where) if names := kernel_names(reason, where):
                    yield Ended(name, hop.netns, names)
                case _:
                    pass


def _unseen(hop: Hop, index: int) -> bool:
    following = hop.steps[index + 1] if index + 1 < len(hop.steps) else None
    return isinstance(following, Drop) and following.reason in UNSEEN


def _name(leg: Leg, packet: Packet) -> str:
    return TUNNEL if is_tunnel(packet) else leg.name


def _matched(leg: Leg) -> Iterator[Matched]:
    name = leg.name
    for hop in leg.hops:
        family, told = 4, True
        for step in hop.steps:
            family = _family(step) or family
            match step:
                case Receive(packet=packet) | Encapsulation(outer=packet) | Decapsulation(inner=packet):
                    name, told = _name(leg, packet), is_told_by_rules(packet)
                case Reassembly() | LocalSend():
                    told = True
                case _:
                    pass
            if not told:
                continue
            if isinstance(step, NftChainPass) and _is_traced(step):
                yield from _matched_nft(step, name, hop.netns, family)
            if not isinstance(step, ChainPass) or step.legacy:  # iptables-legacy traces into the kernel's log only
                continue
            for evaluation in step.evaluations:
                ref = evaluation.ref
                if evaluation.matched:
                    yield Matched(name, hop.netns, ref.family, ref.table, ref.chain, ref.index)
            if step.policy:
                yield Matched(name, hop.netns, family, step.table, step.hook.value, None, step.verdict)


def _is_traced(step: NftChainPass) -> bool:
    """Tracing is turned on at the IP hooks: chains that see frames before are not heard of."""
    return step.family in ("ip", "ip6", "inet") and step.hook in IP_HOOKS


def _matched_nft(step: NftChainPass, leg: str, netns: str, family: int) -> Iterator[Matched]:
    for evaluation in step.evaluations:
        ref = evaluation.ref
        if evaluation.matched:
            yield Matched(leg, netns, family, ref.table, ref.chain, ref.index)
    if step.policy:
        yield Matched(leg, netns, family, step.table, step.chain, None, step.verdict)


def _family(step: Step) -> int | None:
    match step:
        case Receive(packet=packet) | Transmit(packet=packet) | LocalSend(packet=packet):
            return packet.ip.dst.version
        case _:
            return None


# --- conntrack -----------------------------------------------------------------------------------------------------


def _conntrack(network: Network, topology: Topology) -> Iterator[tuple[str, str]]:
    for name, netns in topology.namespaces.items():
        if not netns.xtables and not netns.nftables:
            continue
        netfilter = network.namespace(name).netfilter
        assert isinstance(netfilter, Netfilter)
        for text in (str(_entry(ct)) for ct in netfilter.conntrack):
            yield name, text


def _entry(ct: NfConn) -> Entry:
    status = ct.status & sum(COMPARED)
    state = ct.tcp.name if ct.original.protocol == Protocol.TCP and ct.tcp is not TCPState.NONE else ""
    if ct.original.protocol == Protocol.SCTP:
        state = ct.sctp.name
    return Entry(ct.original, ct.reply, type(ct.status)(status), state, ct.mark)


def _ipvs(network: Network, topology: Topology) -> Iterator[tuple[str, str]]:
    for name, netns in topology.namespaces.items():
        ipvs = network.namespace(name).ipvs if netns.ipvs.servers else None
        for conn in ipvs.conns if ipvs is not None else ():
            yield name, str(_ipvs_entry(conn))


def _ipvs_entry(conn: Conn) -> IPVSEntry:
    key = conn.key
    vaddr = parse_address(key.vaddr) if isinstance(key.vaddr, int) else key.vaddr
    ends = ((key.caddr, key.cport), (vaddr, key.vport), (conn.daddr, conn.dport))
    return IPVSEntry(PROTOCOL_NAMES[key.protocol], conn.state_name, *ends)


# --- the two ends --------------------------------------------------------------------------------------------------


def _taken(branch: Branch, flow: Flow) -> Sequence[str]:
    """Whose listener took the first packet. A TCP listener has a connection only once the handshake is complete."""
    if flow.protocol in (Protocol.ICMP, Protocol.ICMPV6) or (flow.protocol is Protocol.TCP and not _accepted(branch)):
        return ()
    if flow.protocol is Protocol.TCP and flow.flags != TCPFlags.SYN:
        return ()
    found = [
        (step.owner, step.packet)
        for hop in branch.forward
        for step in hop.steps
        if isinstance(step, SocketLookup) and step.owner
    ]
    return [
        taken_text(owner, (str(packet.ip.dst), packet.dport or 0), (str(packet.ip.src), packet.sport or 0))
        for owner, packet in found
    ]


def outcome_of(branch: Branch, flow: Flow) -> str:
    """What the ends see of a branch in one word, as ``observe.outcome`` names it."""
    if flow.protocol is Protocol.TCP and not _accepted(branch):
        return _client(branch, flow)
    for hop in branch.forward:
        for step in hop.steps:
            if isinstance(step, SocketLookup) and step.owner:
                return outcome(step.owner, (str(step.packet.ip.dst), step.packet.dport or 0))
    return _client(branch, flow)


def taken_text(owner: str, local: tuple[str, int], peer: tuple[str, int]) -> str:
    """What a listener saw."""
    return f"{owner} took it at {local[0]} dport={local[1]} from {peer[0]} sport={peer[1]}"


def _accepted(branch: Branch) -> bool:
    return any(leg.name == "ACK" and not leg.reply and leg.received is not None for leg in branch.legs)


def _client(branch: Branch, flow: Flow) -> str:
    if flow.protocol is Protocol.TCP and flow.flags != TCPFlags.SYN:
        return "no route" if _never_sent(branch) or _refused_in(branch, REROUTING) else "sent it"
    if _never_sent(branch) or (flow.protocol is not Protocol.TCP and _refused_in(branch, REROUTING)):
        return "no route"
    if _too_long(branch):
        return "EMSGSIZE"
    answered = _answered(branch, flow)
    return answered or "silence"


def _never_sent(branch: Branch) -> bool:
    """True where the sending call finds no route: no frame was ever made."""
    return bool(branch.legs) and (branch.legs[0].sent is None or _refused_in(branch, NO_ROUTE_CALLS))


def _too_long(branch: Branch) -> bool:
    """True where the sending call itself refuses the first packet for its length."""
    return _refused_in(branch, TOO_LONG_CALLS)


def _refused_in(branch: Branch, calls: frozenset[str]) -> bool:
    steps = (step for hop in branch.legs[0].hops for step in hop.steps)
    return any(isinstance(step, Drop) and step.where in calls for step in steps)


def _is_no_answer(packet: Packet) -> bool:
    """True for what a router tells the host, and no socket hears of."""
    return is_redirect(packet) or is_discovery(packet)


def _answered(branch: Branch, flow: Flow) -> str | None:
    """What the first answer that the client's socket took means to it."""
    for leg in branch.legs:
        if not leg.reply or leg.received is None or _is_no_answer(leg.received) or not _at_client(leg, flow):
            continue
        match leg.received.l4:
            case ICMPHeader(type=kind, code=code, quoted=quoted) if quoted is not None:
                errors = ICMP_ERRORS if leg.received.ip.protocol is Protocol.ICMP else ICMPV6_ERRORS
                return errors.get((kind, code), f"ICMP {kind}/{code}")
            case TCPHeader(flags=flags) if flags & TCPFlags.RST:
                return "ECONNREFUSED"
            case _:
                return "connected"
    return None


def _at_client(leg: Leg, flow: Flow) -> bool:
    return any(
        isinstance(step, SocketLookup) and step.owner == flow.owner and hop.netns == flow.netns
        for hop in leg.hops
        for step in hop.steps
    )


def is_unknown(found: Trace) -> bool:
    """True where a branch met something that the model does not have: then nothing can be compared."""
    return any(branch.verdict is Verdict.UNKNOWN for branch in found.branches)


def refused_routes(topology: Topology) -> list[tuple[str, Route]]:
    """The routes that the model's tables refuse, by namespace."""
    wiring = Wiring.of_topology(topology)
    made = {name: wiring.of(name) for name in topology.namespaces}
    return [(name, route) for name, own in made.items() for route, _ in (*own.fib.refused, *own.fib6.refused)]
