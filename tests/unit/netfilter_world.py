"""A namespace for tests of netfilter: a recorder, a chooser and a clock that do as they are told, and a few addresses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar

from netsim.net.address import Address, Family, parse_address
from netsim.net.packet import (
    ICMPHeader,
    IPHeader,
    Packet,
    Protocol,
    SCTPChunk,
    SCTPHeader,
    TCPFlags,
    TCPHeader,
    UDPHeader,
)
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.conntrack.parse import parse as parse_conntrack
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipset.parse import parse as parse_sets
from netsim.rules.nft.ast import Ruleset as NftRuleset
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables.ast import AddressType
from netsim.rules.xtables.parse import parse
from netsim.stack.environment import FoundSocket, HookVerdict, ReversePath
from netsim.stack.netfilter import Netfilter
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import ChainPass, ConntrackStep, Drop, Hook, NATStep, RuleEvaluation, Step
from netsim.topology import sysctl

FLAGS = {
    "S": TCPFlags.SYN,
    "A": TCPFlags.ACK,
    "F": TCPFlags.FIN,
    "R": TCPFlags.RST,
    "P": TCPFlags.PSH,
    "U": TCPFlags.URG,
}

FORWARD = (Hook.PREROUTING, Hook.FORWARD, Hook.POSTROUTING)
INPUT = (Hook.PREROUTING, Hook.INPUT)
OUTPUT = (Hook.OUTPUT, Hook.POSTROUTING)

S = TypeVar("S")


@dataclass
class World:
    """The namespace ``node`` with devices ``in0`` and ``out0``; it is its own recorder, chooser and clock."""

    netns: str = "node"
    steps: list[Step] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    asked: list[tuple[str, Sequence[tuple[str, Fraction]]]] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    ports_asked: list[tuple[int, int]] = field(default_factory=list)
    time: float = 0.0
    sysctls: dict[str, int] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "in0": ("10.1.0.1", "fd01::1"),
            "out0": ("10.2.0.1", "fd02::1"),
            "lo": ("127.0.0.1", "::1"),
        }
    )
    sockets: dict[tuple[str, int], FoundSocket] = field(default_factory=dict)
    routes_back: dict[str, str] = field(default_factory=dict)
    mtu: int = 1500
    ipsets: IPSets = field(default_factory=IPSets)
    connections: tuple[ConntrackEntry, ...] = ()
    recent: dict[str, tuple[Address, ...]] = field(default_factory=dict)
    nftables: tuple[NftRuleset, ...] = ()
    rejected: list[tuple[Packet, Hook, str]] = field(default_factory=list)
    rerouted: list[Packet] = field(default_factory=list)
    routable: bool = True
    bridges: dict[str, str] = field(default_factory=dict)
    forwarded: list[tuple[Packet, str, Address | None]] = field(default_factory=list)

    @property
    def recorder(self) -> World:
        return self

    @property
    def chooser(self) -> World:
        return self

    @property
    def clock(self) -> World:
        return self

    def record(self, netns: str, step: Step) -> None:
        assert netns == self.netns
        self.steps.append(step)

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:
        assert sum(chance for _, chance in options) == 1
        self.asked.append((description, options))
        return self.choices.pop(0)

    def port(self, description: str, first: int, last: int) -> int:
        self.ports_asked.append((first, last))
        return self.ports.pop(0) if self.ports else first

    def now(self) -> float:
        return self.time

    def sysctl(self, name: str) -> int:
        return self.sysctls.get(name, int(sysctl.default(name)))

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        if address.is_multicast:
            return AddressType.MULTICAST
        devices = self.addresses if device is None else {device: self.addresses.get(device, ())}
        local = any(str(address) in own for own in devices.values())
        return AddressType.LOCAL if local else AddressType.UNICAST

    def fib_type(self, address: Address, device: str | None = None) -> AddressType:
        return self.address_type(address, device)

    def route_device(self, towards: Address, source: Address | None, device: str | None, mark: int) -> str | None:
        """By ``routes_back`` (address: device); a local address has no unicast route, any other goes by in0."""
        found = self.routes_back.get(str(towards), "in0")
        if self.address_type(towards) is AddressType.LOCAL or device not in (None, found):
            return None
        return found or None

    def select_source(self, device: str, towards: Address) -> Address | None:
        return self.first_address(device, towards)

    def device_kind(self, device: str) -> str:
        return "" if device == "lo" else "veth"

    def forward_frame(self, skb: SkBuff, device: str, neighbour: Address | None) -> None:
        self.forwarded.append((skb.packet, device, neighbour))

    def bridge_of(self, device: str) -> str:
        return self.bridges.get(device, "")

    def first_address(self, device: str, like: Address) -> Address | None:
        own = (parse_address(text) for text in self.addresses.get(device, ()))
        return next((address for address in own if address.version == like.version), None)

    def reroute(self, skb: SkBuff) -> bool:
        self.rerouted.append(skb.packet)
        if self.routable:
            skb.oif = "out0"
        return self.routable

    def send_reject(self, skb: SkBuff, hook: Hook, kind: str) -> None:
        self.rejected.append((skb.packet, hook, kind))

    def local_port_used(self, protocol: int, address: Address, port: int) -> bool:
        return False

    def is_loopback(self, device: str) -> bool:
        return device == "lo"

    def reverse_path(
        self, source: Address, towards: Address | None, device: str, *, mark: int, accept_local: bool
    ) -> ReversePath:
        """By ``routes_back`` (source: device); an address of its own is local, any other is reached through in0."""
        if self.address_type(source) is AddressType.LOCAL:
            own = next(name for name, own in self.addresses.items() if str(source) in own)
            return ReversePath(accept_local, accept_local and own == device)
        back = self.routes_back.get(str(source), "in0")
        return ReversePath(back != "", back == device)

    def socket_of(self, skb: SkBuff) -> FoundSocket | None:
        return self.sockets.get((str(skb.packet.ip.dst), skb.packet.dport or 0))

    def mtu_both_ways(self, skb: SkBuff) -> int:
        return self.mtu

    def of(self, kind: type[S]) -> list[S]:
        """The steps of one kind, in order."""
        return [step for step in self.steps if isinstance(step, kind)]

    def effects(self, table: str | None = None) -> list[str]:
        """``CHAIN[index] effect`` of every rule that matched."""
        passes = [each for each in self.of(ChainPass) if table in (None, each.table)]
        hits = [evaluation for each in passes for evaluation in each.evaluations if evaluation.matched]
        return [f"{hit.ref.chain}[{hit.ref.index}] {hit.effect}".rstrip() for hit in hits]

    def evaluations(self) -> list[RuleEvaluation]:
        """Every rule that was looked at, in order."""
        return [evaluation for each in self.of(ChainPass) for evaluation in each.evaluations]

    def states(self) -> list[str]:
        """What conntrack said, packet after packet: ``new NEW ORIGINAL``."""
        return [f"{each.action} {each.state} {each.direction or '-'}" for each in self.of(ConntrackStep)]

    def nat(self) -> list[str]:
        """What NAT did: ``DNAT a:1 → b:2  =>  a:1 → c:3``."""
        return [f"{step.kind} {step.before} => {step.after}" for step in self.of(NATStep)]

    def drop(self) -> Drop:
        """The only drop."""
        (drop,) = self.of(Drop)
        return drop


def rules(
    text: str,
    *more: str,
    family: Family = Family.IPV4,
    world: World | None = None,
    sets: str = "",
    conntrack: str = "",
    nft: str = "",
) -> tuple[World, Netfilter]:
    """A world whose node has the rules of ``iptables-restore`` texts, and sets and connections as ipset and conntrack print them;
    ``nft`` is an ``nft -f`` text.

    ``COMMIT`` may be left out, and ``*filter`` where it is the first table.
    """
    world = world or World()
    rulesets = [parse(_complete(each), family, "test") for each in (text, *more) if each]
    world.nftables = (parse_nft(nft, "test.nft"),) if nft else ()
    world.ipsets = parse_sets(sets, "test")
    world.connections = parse_conntrack(conntrack, "test")
    return world, Netfilter(rulesets, world)


def _complete(text: str) -> str:
    lines: list[str] = []
    for line in (each.strip() for each in text.strip().splitlines()):
        if line.startswith("*") and lines:
            lines.append("COMMIT")
        if not lines and not line.startswith("*") and line:
            lines.append("*filter")
        lines += [line] if line else []
    return "\n".join([*lines, "COMMIT", ""])


def _ip(src: str, dst: str, protocol: Protocol, ttl: int) -> IPHeader:
    return IPHeader(parse_address(src), parse_address(dst), protocol, ttl)


def tcp(
    src: str = "10.1.0.2", dst: str = "10.2.0.2", sport: int = 40000, dport: int = 80, flags: str = "S", ttl: int = 64
) -> Packet:
    """A TCP segment; flags by their first letters. Both ends count from 0, and nobody has sent data yet."""
    bits = TCPFlags(0)
    for letter in flags:
        bits |= FLAGS[letter]
    mss = 1460 if "S" in flags else None
    return Packet(
        _ip(src, dst, Protocol.TCP, ttl),
        TCPHeader(sport, dport, bits, int("S" not in flags), int("A" in flags), mss=mss),
    )


def udp(src: str = "10.1.0.2", dst: str = "10.2.0.2", sport: int = 40000, dport: int = 53, ttl: int = 64) -> Packet:
    """A UDP datagram."""
    return Packet(_ip(src, dst, Protocol.UDP, ttl), UDPHeader(sport, dport))


def sctp(
    src: str = "10.1.0.2", dst: str = "10.2.0.2", sport: int = 40000, dport: int = 80, chunk: SCTPChunk = SCTPChunk.INIT
) -> Packet:
    """An SCTP packet of one chunk."""
    return Packet(_ip(src, dst, Protocol.SCTP, 64), SCTPHeader(sport, dport, chunk))


def icmp(
    src: str = "10.1.0.2",
    dst: str = "10.2.0.2",
    kind: int = 8,
    code: int = 0,
    identifier: int = 7,
    quoted: Packet | None = None,
) -> Packet:
    """An ICMP message; ICMPv6 where the addresses are IPv6."""
    protocol = Protocol.ICMPV6 if ":" in dst else Protocol.ICMP
    return Packet(_ip(src, dst, protocol, 64), ICMPHeader(kind, code, identifier, quoted=quoted))


def answer(packet: Packet, flags: str = "SA") -> Packet:
    """What the receiver of a packet would send back."""
    ip = replace(packet.ip, src=packet.ip.dst, dst=packet.ip.src)
    match packet.l4:
        case TCPHeader(sport=sport, dport=dport):
            return tcp(str(ip.src), str(ip.dst), dport, sport, flags)
        case ICMPHeader() as header:
            reply = 0 if packet.ip.protocol is Protocol.ICMP else 129
            return Packet(ip, replace(header, type=reply))
        case SCTPHeader(sport=sport, dport=dport):
            return Packet(ip, SCTPHeader(dport, sport, SCTPChunk.INIT_ACK))
        case UDPHeader(sport=sport, dport=dport):
            return Packet(ip, UDPHeader(dport, sport))


def walk(
    netfilter: Netfilter, packet: Packet, hooks: Sequence[Hook] = FORWARD, *, back: bool = False, mark: int = 0
) -> SkBuff | None:
    """Take a packet through hooks, as the IP stack does; None where it ended. ``back`` swaps the devices."""
    near, far = ("out0", "in0") if back else ("in0", "out0")
    skb = SkBuff(packet, iif=None if hooks[0] is Hook.OUTPUT else near, mark=mark)
    if hooks[0] is Hook.OUTPUT:
        skb.oif = far
    return skb if through(netfilter, skb, hooks, far) is HookVerdict.ACCEPT else None


def through(netfilter: Netfilter, skb: SkBuff, hooks: Sequence[Hook], out: str = "out0") -> HookVerdict:
    """The same for an skb that exists already; the verdict that ended it."""
    for hook in hooks:
        if hook in (Hook.FORWARD, Hook.POSTROUTING) and skb.oif is None:
            skb.oif = out
            skb.nexthop = Nexthop(out, None, None)
        verdict = netfilter.run(hook, skb)
        if verdict is not HookVerdict.ACCEPT:
            return verdict
    return HookVerdict.ACCEPT
