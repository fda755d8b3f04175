"""Small hand-made networks for the stack's tests, and a walk through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeVar
from zlib import crc32

from netsim.net.address import MAC, Address, Family, parse_address, parse_interface, parse_prefix
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol, TCPFlags, TCPHeader, Transport, UDPHeader
from netsim.rules.xtables.parse import parse
from netsim.stack.connect import connected_to
from netsim.stack.namespace import Arrival, ArrivalKind, HookRunnerFactory
from netsim.stack.network import Network
from netsim.stack.reasons import DropReason
from netsim.stack.steps import Drop, LocalSend, NotModelled, Step
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    DeviceKind,
    Endpoint,
    Listener,
    Loopback,
    Neighbour,
    Netns,
    Role,
    Route,
    RouteType,
    Topology,
    Veth,
)

S = TypeVar("S")
CLIENT_PORT = 40000
FORWARDING = {"net.ipv4.ip_forward": "1"}
WEB = (Listener(Protocol.TCP, 80, owner="web"), Listener(Protocol.UDP, 53, owner="dns"))


def device(
    netns: str, name: str, kind: DeviceKind, *addresses: str, port: BridgePort | None = None, mtu: int = 1500
) -> Device:
    mac = MAC(0x02_00_00_00_00_00 | crc32(f"{netns}/{name}".encode()))
    return Device(name, kind, mac, mtu, addresses=tuple(map(parse_interface, addresses)), port=port)


def veth(at: str, peer: str, *addresses: str, port: BridgePort | None = None, mtu: int = 1500) -> Device:
    """``at`` and ``peer`` are ``netns/device``."""
    netns, name = at.split("/")
    return device(netns, name, Veth(Endpoint(*peer.split("/"))), *addresses, port=port, mtu=mtu)


def lo(*addresses: str) -> Device:
    return Device("lo", Loopback(), MAC(0), 65536, addresses=tuple(map(parse_interface, addresses)))


def route(to: str, via: str | None = None, dev: str | None = None, **more: object) -> Route:
    gateway = parse_address(via) if via else None
    default = "::/0" if gateway is not None and gateway.version == 6 else "0.0.0.0/0"
    prefix = parse_prefix(default if to == "default" else to)
    return Route(prefix, dev, gateway, **more)  # type: ignore[arg-type]


def netns(
    name: str,
    devices: Sequence[Device],
    routes: Sequence[Route] = (),
    *,
    role: Role = Role.NODE,
    sysctls: Mapping[str, str] | None = None,
    listeners: Sequence[Listener] = (),
    neighbours: Sequence[Neighbour] = (),
    rules: str = "",
    rules6: str = "",
) -> Netns:
    loopback = () if any(d.name == "lo" for d in devices) else (lo(),)
    xtables = tuple(parse(text, family, name) for text, family in ((rules, Family.IPV4), (rules6, Family.IPV6)) if text)
    return Netns(
        name,
        role,
        name,
        devices=(*loopback, *devices),
        routes=tuple(routes),
        neighbours=tuple(neighbours),
        sysctls=sysctls or {},
        xtables=xtables,
        listeners=tuple(listeners),
    )


def topology(*namespaces: Netns) -> Topology:
    return Topology("hand-made", {ns.name: ns for ns in namespaces})


def changed(world: Topology, name: str, **changes: object) -> Topology:
    """A topology in which one namespace differs."""
    namespaces = dict(world.namespaces)
    namespaces[name] = replace(namespaces[name], **changes)  # type: ignore[arg-type]
    return Topology(world.name, namespaces)


def with_device(world: Topology, at: str, **changes: object) -> Topology:
    """A topology in which one device (``netns/device``) differs."""
    name, dev = at.split("/")
    devices = tuple(
        replace(d, **changes) if d.name == dev else d  # type: ignore[arg-type]
        for d in world.namespaces[name].devices
    )
    return changed(world, name, devices=devices)


def with_sysctls(world: Topology, name: str, **sysctls: str) -> Topology:
    """Sysctls by name with ``__`` for the dot."""
    more = {key.replace("__", "."): value for key, value in sysctls.items()}
    return changed(world, name, sysctls={**world.namespaces[name].sysctls, **more})


@dataclass(frozen=True)
class Ground:
    """The addresses of the hand-made networks in one family.

    Hosts stand in one network, the pods of node n1 in the network 0 and those of n2 in the network 1; a host's number is the same in both
    families. ``outside`` is no network of theirs.
    """

    family: Family
    hosts: str
    pods: tuple[str, str]
    outside: str
    bits: int
    forwarding: Mapping[str, str]
    default_dev: str | None = None

    def host(self, number: int) -> str:
        return f"{self.hosts}{number}"

    def pod(self, network: int, number: int) -> str:
        return f"{self.pods[network]}{number}"

    def pods_of(self, network: int) -> str:
        return f"{self.pods[network]}0/{self.bits}"


GROUND4 = Ground(Family.IPV4, "192.168.0.", ("10.244.0.", "10.244.1."), "203.0.113.", 24, FORWARDING)
GROUND6 = Ground(
    Family.IPV6, "fd00::", ("fd00:10::", "fd00:11::"), "2001:db8::", 64, {"net.ipv6.conf.all.forwarding": "1"}, "eth0"
)


def pod(name: str, address: str, gateway: str, peer: str, ground: Ground = GROUND4) -> Netns:
    eth0 = veth(f"{name}/eth0", peer, f"{address}/{ground.bits}")
    default = route("default", gateway, ground.default_dev)
    return netns(name, (eth0,), (default,), role=Role.POD, listeners=WEB)


def _pod(ground: Ground, name: str, network: int, number: int, peer: str) -> Netns:
    return pod(name, ground.pod(network, number), ground.pod(network, 1), peer, ground)


def same_node(
    *,
    ground: Ground = GROUND4,
    hairpin: bool = False,
    sysctls: Mapping[str, str] | None = None,
    rules: str = "",
    rules6: str = "",
) -> Topology:
    """Pods a (10.244.0.2, fd00:10::2) and b (.3, ::3) on the bridge cni0 (.1, ::1) of node n."""
    port = BridgePort("cni0", hairpin=hairpin)
    devices = (
        device("n", "cni0", Bridge(), f"{ground.pod(0, 1)}/{ground.bits}"),
        veth("n/vetha", "a/eth0", port=port),
        veth("n/vethb", "b/eth0", port=port),
    )
    return topology(
        netns("n", devices, sysctls={**ground.forwarding, **(sysctls or {})}, rules=rules, rules6=rules6),
        _pod(ground, "a", 0, 2, "n/vetha"),
        _pod(ground, "b", 0, 3, "n/vethb"),
    )


def two_nodes(ground: Ground = GROUND4) -> Topology:
    """Pod a on n1 (192.168.0.11, fd00::11), pod c (10.244.1.2, fd00:11::2) on n2 (.12, ::12), a client x (.100, ::100), a switch."""
    return topology(
        _node(ground, "n1", 0, "a", route(ground.pods_of(1), ground.host(12))),
        _node(ground, "n2", 1, "c", route(ground.pods_of(0), ground.host(11))),
        netns(
            "sw",
            (
                device("sw", "br0", Bridge()),
                *(veth(f"sw/{host}", f"{host}/eth0", port=BridgePort("br0")) for host in ("n1", "n2", "x")),
            ),
            role=Role.SWITCH,
        ),
        _pod(ground, "a", 0, 2, "n1/vetha"),
        _pod(ground, "c", 1, 2, "n2/vethc"),
        netns(
            "x",
            (veth("x/eth0", "sw/x", f"{ground.host(100)}/{ground.bits}"),),
            (route(ground.pods_of(1), ground.host(12)),),
            role=Role.EXTERNAL,
        ),
    )


def _node(ground: Ground, name: str, network: int, pod_name: str, towards_other: Route) -> Netns:
    devices = (
        veth(f"{name}/eth0", f"sw/{name}", f"{ground.host(11 + network)}/{ground.bits}"),
        device(name, "cni0", Bridge(), f"{ground.pod(network, 1)}/{ground.bits}"),
        veth(f"{name}/veth{pod_name}", f"{pod_name}/eth0", port=BridgePort("cni0", hairpin=True)),
    )
    return netns(
        name,
        devices,
        (towards_other,),
        sysctls=ground.forwarding,
        listeners=(Listener(Protocol.TCP, 22, owner="sshd"),),
    )


class FirstChoice:
    """Takes the first option, and the first port."""

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:
        return 0

    def port(self, description: str, first: int, last: int) -> int:
        return first


@dataclass
class ManualClock:
    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds


@dataclass
class Walk:
    """A network under test, and everything that it recorded."""

    world: Topology
    netfilter: HookRunnerFactory | None = None
    clock: ManualClock = field(default_factory=ManualClock)
    steps: list[tuple[str, Step]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.network = Network(self.world, self, FirstChoice(), self.clock, netfilter=self.netfilter)

    def record(self, netns: str, step: Step) -> None:
        self.steps.append((netns, step))

    def send(
        self,
        src: str,
        dst: str,
        l4: Transport,
        *,
        payload: int = 0,
        ttl: int = 64,
        df: bool = True,
        source: str | None = None,
    ) -> Walk:
        """One packet from a connected socket, and all that follows from it."""
        destination = connected_to(parse_address(dst), parse_address(source) if source else None)
        protocol = _protocol(l4, destination)
        address: Address | None = parse_address(source) if source else self.network.source_for(src, destination)
        local = address or parse_address("0.0.0.0" if destination.version == 4 else "::")
        sport, dport = (l4.identifier, 0) if isinstance(l4, ICMPHeader) else (l4.sport, l4.dport)
        self.network.open_client(src, protocol, (local, sport), (destination, dport), "client")
        self.network.send(
            src, Packet(IPHeader(local, destination, protocol, ttl, dont_fragment=df), l4, payload), "client"
        )
        self.network.run()
        return self

    def tcp(self, src: str, dst: str, dport: int = 80, **more: object) -> Walk:
        return self.send(src, dst, TCPHeader(CLIENT_PORT, dport, seq=1000, mss=1460), **more)  # type: ignore[arg-type]

    def udp(self, src: str, dst: str, dport: int = 53, **more: object) -> Walk:
        return self.send(src, dst, UDPHeader(CLIENT_PORT, dport), **more)  # type: ignore[arg-type]

    def ping(self, src: str, dst: str, **more: object) -> Walk:
        return self.send(src, dst, ICMPHeader(128 if ":" in dst else 8, identifier=CLIENT_PORT, sequence=1), **more)  # type: ignore[arg-type]

    def of(self, kind: type[S], netns: str | None = None) -> list[S]:
        """The steps of a kind, in a namespace where one is named."""
        return [step for where, step in self.steps if isinstance(step, kind) and netns in (None, where)]

    @property
    def drops(self) -> list[tuple[str, DropReason]]:
        """Where packets ended, but for redirects: nobody waits for those."""
        found, counts = [], True
        for where, step in self.steps:
            if isinstance(step, LocalSend):
                counts = not isinstance(step.packet.l4, ICMPHeader) or step.packet.l4.gateway is None
            elif isinstance(step, Drop) and counts:
                found.append((where, step.reason))
        return found

    @property
    def not_modelled(self) -> list[str]:
        return [step.what for step in self.of(NotModelled)]

    @property
    def path(self) -> list[str]:
        """The namespaces that the first packet visited, in order."""
        made = 0
        visited: list[str] = []
        for where, step in self.steps:
            made += isinstance(step, LocalSend)
            if made == 1 and (not visited or visited[-1] != where):
                visited.append(where)
        return visited

    @property
    def heard(self) -> list[str]:
        """What came back to the client, in words."""
        return [_said(arrival) for arrival in self.network.arrivals if arrival.owner == "client"]

    @property
    def reached(self) -> list[str]:
        """Which listeners took something: ``netns owner from peer``."""
        return [
            f"{a.netns} {a.owner} from {a.packet.ip.src}"
            for a in self.network.arrivals
            if a.kind is ArrivalKind.LISTENER
        ]


def _protocol(l4: Transport, destination: Address) -> Protocol:
    match l4:
        case TCPHeader():
            return Protocol.TCP
        case UDPHeader():
            return Protocol.UDP
        case ICMPHeader():
            return Protocol.ICMP if destination.version == 4 else Protocol.ICMPV6
        case _:
            return Protocol.SCTP


def _said(arrival: Arrival) -> str:
    l4 = arrival.packet.l4
    match l4:
        case TCPHeader(flags=flags):
            names = "-".join(flag.name or "" for flag in (TCPFlags.SYN, TCPFlags.RST, TCPFlags.ACK) if flags & flag)
            return f"{names} from {arrival.packet.ip.src}"
        case ICMPHeader(quoted=None):
            return f"icmp {l4.type} from {arrival.packet.ip.src}"
        case ICMPHeader(mtu=mtu):
            size = f" mtu {mtu}" if mtu else ""
            return f"error {l4.type}/{l4.code}{size} from {arrival.packet.ip.src}"
        case _:
            return f"answer from {arrival.packet.ip.src}"


__all__ = ["RouteType"]
