"""The wiring of a modelled network, as a value.

A ``Topology`` is everything that a set of real network namespaces would be created from: the model walks it, ``verify``
builds it, ``draw`` pictures it. All of it is frozen: what changes during a walk (FDB, neighbours, conntrack) lives in ``netsim.stack``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, InterfaceAddress, Prefix
from netsim.net.packet import Protocol
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipvs.ast import VirtualServers
from netsim.rules.source import Origin
from netsim.rules.xtables.ast import Ruleset

if TYPE_CHECKING:
    from netsim.rules.ipvs.connections import IPVSConnection
    from netsim.rules.nft.ast import Ruleset as NftRuleset


class Role(Enum):
    """What a network namespace stands for."""

    NODE = "node"
    POD = "pod"
    EXTERNAL = "external"
    SWITCH = "switch"
    GATEWAY = "gateway"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One device of one network namespace."""

    netns: str
    device: str

    def __str__(self) -> str:
        return f"{self.netns}/{self.device}"


# --- devices ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Loopback:
    """``lo``."""


@dataclass(frozen=True, slots=True)
class Veth:
    """One end of a veth pair; ``peer`` is the other end."""

    peer: Endpoint


@dataclass(frozen=True, slots=True)
class Bridge:
    """A Linux bridge without VLAN filtering and without STP; its ports name it as their ``master``."""

    ageing_time_s: int = 300


@dataclass(frozen=True, slots=True)
class Dummy:
    """A device that takes every frame and sends none (``ip link add type dummy``); ``nodelocaldns`` and ``kube-ipvs0`` are such."""


@dataclass(frozen=True, slots=True)
class Vlan:
    """An IEEE 802.1Q device on top of ``parent``, a device of the same namespace; ``id`` is 1 to 4094."""

    parent: str
    id: int


class MacvlanMode(Enum):
    """Whether macvlan devices of one parent hear each other."""

    BRIDGE = "bridge"
    PRIVATE = "private"


@dataclass(frozen=True, slots=True)
class Macvlan:
    """A device with a MAC of its own on top of ``parent``, which may be in another namespace."""

    parent: Endpoint
    mode: MacvlanMode = MacvlanMode.BRIDGE


@dataclass(frozen=True, slots=True)
class Vxlan:
    """A VXLAN tunnel endpoint (RFC 7348). ``port`` is the UDP port of both ends; Linux's own default is 8472.

    ``local`` is the source of what it sends, None for what routing prefers; ``device`` binds it to an underlay device, from whose
    routes alone it sends to ``remote``. Frames to a MAC without an entry among the namespace's ``fdb`` go to ``remote``.
    """

    vni: int
    local: Address | None = None
    port: int = 8472
    device: str | None = None
    learning: bool = True
    remote: Address | None = None
    ageing_time_s: int = 300

    @property
    def version(self) -> int:
        """The IP version of the tunnel's own packets: each has its socket."""
        end = self.local or self.remote
        return 4 if end is None else end.version


@dataclass(frozen=True, slots=True)
class IPIP:
    """An IPv4-in-IPv4 tunnel (RFC 2003). Without ``remote`` the outer destination is the next hop of the inner packet's route.

    ``pmtudisc`` sets DF on the outer header, as ``ip tunnel add`` does unless told otherwise.
    """

    local: Address | None = None
    remote: Address | None = None
    device: str | None = None
    pmtudisc: bool = True


DeviceKind: TypeAlias = Loopback | Veth | Bridge | Dummy | Vlan | Macvlan | Vxlan | IPIP


@dataclass(frozen=True, slots=True)
class BridgePort:
    """What a device has when it is a port of a bridge. ``master`` is the bridge's name."""

    master: str
    hairpin: bool = False
    learning: bool = True
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A network device. ``mtu`` in bytes. With ``noprefixroute`` its addresses bring no route to their networks."""

    name: str
    kind: DeviceKind
    mac: MAC
    mtu: int = 1500
    up: bool = True
    addresses: tuple[InterfaceAddress, ...] = ()
    port: BridgePort | None = None
    noprefixroute: bool = False


# --- layer 3 ----------------------------------------------------------------------------------------------------


class RouteType(Enum):
    """Route types, by iproute2's names."""

    UNICAST = "unicast"
    LOCAL = "local"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


LOCAL_TABLE, MAIN_TABLE, DEFAULT_TABLE = 255, 254, 253
"""The tables that every namespace has. Ref: include/uapi/linux/rtnetlink.h RT_TABLE_*."""


class RouteScope(Enum):
    """``scope`` of a route, by iproute2's names."""

    GLOBAL = "global"
    LINK = "link"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class MultipathHop:
    """One ``nexthop`` of a multipath route. ``weight`` is 1 to 256, its share among the others'."""

    device: str | None = None
    via: Address | None = None
    weight: int = 1
    onlink: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A static route. Local, broadcast and connected routes follow from addresses and are not listed.

    ``scope`` None is what iproute2 chooses: global with a gateway, link without. With ``nexthops`` the route has no ``device``, ``via``
    and ``onlink`` of its own. ``mtu`` (bytes) and ``advmss`` are its metrics, 0 where it has none; ``mtu_lock`` is ``mtu lock``.
    """

    to: Prefix
    device: str | None = None
    via: Address | None = None
    source: Address | None = None
    metric: int = 0
    type: RouteType = RouteType.UNICAST
    onlink: bool = False
    origin: Origin | None = field(default=None, compare=False)
    table: int = MAIN_TABLE
    scope: RouteScope | None = None
    nexthops: tuple[MultipathHop, ...] = ()
    mtu: int = 0
    mtu_lock: bool = False
    advmss: int = 0


class RuleAction(Enum):
    """What an RPDB rule does with a packet, by iproute2's names."""

    LOOKUP = "lookup"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    GOTO = "goto"
    NOP = "nop"


PortRange: TypeAlias = tuple[int, int]
"""The first and the last of a range."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """A rule of the routing policy database (``ip rule``), beside the kernel's own 0 (local), 32766 (main) and 32767 (default).

    A rule with neither ``src`` nor ``dst`` is of family ``version``. ``fwmark`` None looks at no mark. ``suppress_prefixlength``
    rejects what the table finds with a prefix of at most that length. ``inverted`` is ``not``. ``target`` is the priority that a GOTO
    goes on with. ``tos`` is the whole byte of the header, ``uids`` the range of ``uidrange``.
    """

    priority: int
    table: int = MAIN_TABLE
    action: RuleAction = RuleAction.LOOKUP
    src: Prefix | None = None
    dst: Prefix | None = None
    iif: str | None = None
    oif: str | None = None
    fwmark: int | None = None
    fwmask: int = 0xFFFFFFFF
    suppress_prefixlength: int | None = None
    inverted: bool = False
    version: int = 4
    origin: Origin | None = field(default=None, compare=False)
    protocol: int | None = None
    sports: PortRange | None = None
    dports: PortRange | None = None
    tos: int = 0
    uids: PortRange | None = None
    target: int | None = None

    def __str__(self) -> str:
        """The rule as ``ip rule`` prints it: ``100:	from 10.0.0.0/8 fwmark 0x1/0xff lookup 100``, with one space for the tab."""
        words = ["not"] if self.inverted else []
        words += ["from", _of_rule(self.src) if self.src is not None else "all"]
        words += ["to", _of_rule(self.dst)] if self.dst is not None else []
        if self.fwmark is not None:
            words += ["fwmark", hex(self.fwmark) + (f"/{self.fwmask:#x}" if self.fwmask != 0xFFFFFFFF else "")]
        words += ["iif", self.iif] if self.iif is not None else []
        words += ["oif", self.oif] if self.oif is not None else []
        words += self._selectors()
        if self.action is RuleAction.LOOKUP:
            words += ["lookup", table_name(self.table)]
        if self.suppress_prefixlength is not None:
            words += ["suppress_prefixlength", str(self.suppress_prefixlength)]
        words += [] if self.action is RuleAction.LOOKUP else [self.action.value]
        words += [str(self.target)] if self.target is not None else []
        return f"{self.priority}: {' '.join(words)}"

    def _selectors(self) -> list[str]:
        """Ref: iproute2 ip/iprule.c:print_rule()."""
        words = ["uidrange", f"{self.uids[0]}-{self.uids[1]}"] if self.uids is not None else []
        words += ["ipproto", _PROTOCOLS.get(self.protocol, str(self.protocol))] if self.protocol is not None else []
        for name, ports in (("sport", self.sports), ("dport", self.dports)):
            if ports is not None:
                words += [name, str(ports[0]) if ports[0] == ports[1] else f"{ports[0]}-{ports[1]}"]
        return words


def table_name(table: int) -> str:
    """``main``, ``local``, ``default``, or the number. Ref: iproute2 etc/iproute2/rt_tables."""
    return {LOCAL_TABLE: "local", MAIN_TABLE: "main", DEFAULT_TABLE: "default"}.get(table, str(table))


_PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 58: "ipv6-icmp", 132: "sctp"}


def _of_rule(prefix: Prefix) -> str:
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)


class NeighbourState(Enum):
    """``nud`` of a neighbour entry. Ref: include/uapi/linux/neighbour.h NUD_*."""

    PERMANENT = "permanent"
    NOARP = "noarp"
    REACHABLE = "reachable"
    STALE = "stale"
    DELAY = "delay"
    PROBE = "probe"
    INCOMPLETE = "incomplete"
    FAILED = "failed"

    @property
    def fixed(self) -> bool:
        """True for an entry that only an administrator changes."""
        return self in (NeighbourState.PERMANENT, NeighbourState.NOARP)

    @property
    def valid(self) -> bool:
        """``NUD_VALID``: its MAC is used at once."""
        return self not in (NeighbourState.INCOMPLETE, NeighbourState.FAILED)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A neighbour entry that is there before the first packet (``ip neigh add … nud permanent``).

    ``mac`` is None where the state is not valid.
    """

    device: str
    address: Address
    mac: MAC | None
    state: NeighbourState = NeighbourState.PERMANENT
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ProxyNeighbour:
    """An address for which a host answers ARP or neighbour discovery on a device in another's stead (``ip neigh add proxy``)."""

    device: str
    address: Address
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class FdbEntry:
    """A static forwarding entry (``bridge fdb add … static``): ``mac`` is behind bridge port ``device``.

    With ``dst`` the device is a vxlan device, and frames to ``mac`` go to that tunnel endpoint; MAC 0 stands for all others.
    """

    device: str
    mac: MAC
    dst: Address | None = None
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that answers; ``owner`` says whose it is.

    ``address`` None listens on every address of both families, ``0.0.0.0`` on those of IPv4, ``::`` on those of IPv6 and, unless
    ``v6only``, of IPv4 too.
    """

    protocol: Protocol
    port: int
    address: Address | None = None
    owner: str = ""
    v6only: bool = False

    @property
    def wildcard(self) -> bool:
        """True where it is bound to no address."""
        return self.address is None or self.address.is_unspecified

    def hears(self, address: Address) -> bool:
        """True where what comes to the address is for this socket, as far as addresses go."""
        bound = self.address
        if bound is None or not bound.is_unspecified:
            return bound is None or bound == address
        return bound.version == address.version or (bound.version == 6 and not self.v6only)


@dataclass(frozen=True, slots=True)
class Netns:
    """One network namespace.

    ``sysctls`` are the values that differ from the kernel's defaults, by dotted name (``net.ipv4.ip_forward``).
    ``xtables`` are the iptables rule sets that are loaded there, ``nftables`` those of nft, loaded after them.
    ``node`` is the machine it is on, None for what is no machine's.
    ``label`` is what people call it: ``node/node1``, ``pod/default/pod-a``. ``conntrack`` are connections that it knows beforehand,
    ``recent`` addresses that lists of ``-m recent`` have just seen.
    """

    name: str
    role: Role
    label: str
    node: str | None = None
    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    xtables: tuple[Ruleset, ...] = ()
    listeners: tuple[Listener, ...] = ()
    rules: tuple[PolicyRule, ...] = ()
    fdb: tuple[FdbEntry, ...] = ()
    ipsets: IPSets = field(default_factory=IPSets)
    conntrack: tuple[ConntrackEntry, ...] = ()
    ipvs: VirtualServers = field(default_factory=VirtualServers)
    ipvs_connections: tuple[IPVSConnection, ...] = ()
    nftables: tuple[NftRuleset, ...] = ()
    proxies: tuple[ProxyNeighbour, ...] = ()
    recent: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)

    def device(self, name: str) -> Device | None:
        """The device of that name, None where there is none."""
        return next((device for device in self.devices if device.name == name), None)


@dataclass(frozen=True, slots=True)
class Topology:
    """Every network namespace by name, in a fixed order."""

    name: str
    namespaces: Mapping[str, Netns]
