"""The wiring of a modelled network, as a value.

A ``Topology`` is everything that a set of real network namespaces would be created from: the model walks it, ``verify``
builds it, ``draw`` pictures it. All of it is frozen: what changes during a walk (FDB, neighbours, conntrack) lives in ``netsim.stack``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from netsim.net.address import MAC, Address, InterfaceAddress, Prefix
from netsim.net.packet import Protocol
from netsim.rules.source import Origin
from netsim.rules.xtables.ast import Ruleset


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


DeviceKind: TypeAlias = Loopback | Veth | Bridge


@dataclass(frozen=True, slots=True)
class BridgePort:
    """What a device has when it is a port of a bridge. ``master`` is the bridge's name."""

    master: str
    hairpin: bool = False
    learning: bool = True
    isolated: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A network device. ``mtu`` in bytes."""

    name: str
    kind: DeviceKind
    mac: MAC
    mtu: int = 1500
    up: bool = True
    addresses: tuple[InterfaceAddress, ...] = ()
    port: BridgePort | None = None


# --- layer 3 ----------------------------------------------------------------------------------------------------


class RouteType(Enum):
    """Route types, by iproute2's names."""

    UNICAST = "unicast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


@dataclass(frozen=True, slots=True)
class Route:
    """A static route of the main table. Local, broadcast and connected routes follow from addresses and are not listed."""

    to: Prefix
    device: str | None = None
    via: Address | None = None
    source: Address | None = None
    metric: int = 0
    type: RouteType = RouteType.UNICAST
    onlink: bool = False
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A permanent neighbour entry (``ip neigh add … nud permanent``)."""

    device: str
    address: Address
    mac: MAC


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that answers. ``address`` None listens on every address of both families; ``owner`` says whose it is."""

    protocol: Protocol
    port: int
    address: Address | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Netns:
    """One network namespace.

    ``sysctls`` are the values that differ from the kernel's defaults, by dotted name (``net.ipv4.ip_forward``).
    ``xtables`` are the iptables rule sets that are loaded there. ``node`` is the machine it is on, None for what is no machine's.
    ``label`` is what people call it: ``node/node1``, ``pod/default/pod-a``.
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

    def device(self, name: str) -> Device | None:
        """The device of that name, None where there is none."""
        return next((device for device in self.devices if device.name == name), None)


@dataclass(frozen=True, slots=True)
class Topology:
    """Every network namespace by name, in a fixed order."""

    name: str
    namespaces: Mapping[str, Netns]
