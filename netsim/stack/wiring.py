"""What never changes while a topology is walked: its devices, ports and routes, made ready for look-ups.

A ``Wiring`` is shared by all networks of the same topology (the explorer makes one network for each branch).
Everything is made on first touch, so that a cluster of many pods costs only what a walk visits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import ClassVar

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, Prefix
from netsim.stack.fib import Fib
from netsim.stack.ip6_fib import Fib6
from netsim.stack.sysctl import Sysctls
from netsim.topology.model import (
    LOCAL_TABLE,
    Bridge,
    Device,
    Endpoint,
    Loopback,
    Macvlan,
    Netns,
    Role,
    Topology,
    Veth,
)

LOOPBACK_MTU = 65536
GROUP_BITS = 0xFFFFFF
KEPT = 3
"""How many topologies' wirings are kept: a diff walks two in turn, a comparison of modes three."""


class NetnsWiring:
    """One namespace's devices by name, the ports of its bridges, its routes and its sysctls.

    A namespace for which the topology lists no ``lo`` has one, up, as every real one has.
    """

    def __init__(self, spec: Netns, carrier: Callable[[Device], bool] | None = None) -> None:
        self.spec = spec
        self.devices: dict[str, Device] = {}
        if spec.device("lo") is None:
            self.devices["lo"] = Device("lo", Loopback(), MAC(0), mtu=LOOPBACK_MTU)
        self.devices.update((device.name, device) for device in spec.devices)
        self.ports: dict[str, tuple[Device, ...]] = {
            bridge.name: tuple(d for d in spec.devices if d.port is not None and d.port.master == bridge.name)
            for bridge in spec.devices
            if isinstance(bridge.kind, Bridge)
        }
        self.sysctls = Sysctls(spec.sysctls)
        self.fib = Fib(spec, self.devices, self._without_carrier(carrier) if carrier is not None else ())
        self._fib6: Fib6 | None = None

    @property
    def fib6(self) -> Fib6:
        """The IPv6 tables, made on first touch: a walk in IPv4 does not need them."""
        if self._fib6 is None:
            self._fib6 = Fib6(self.spec, self.devices, self.sysctls)
        return self._fib6

    def _without_carrier(self, carrier: Callable[[Device], bool]) -> frozenset[str]:
        """Devices whose routes do not count. Ref: include/linux/inetdevice.h IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN() (v6.12)."""
        key = "ignore_routes_with_linkdown"
        if not any(name.endswith(key) for name in self.spec.sysctls):
            return frozenset()
        return frozenset(d.name for d in self.spec.devices if self.sysctls.any_conf(d.name, key) and not carrier(d))


@dataclass(frozen=True, slots=True)
class Own:
    """A namespace's addresses, and the networks on its ``lo``, which are local as a whole."""

    addresses: frozenset[Address]
    networks: tuple[Prefix, ...]


class Wiring:
    """A topology's namespaces, made ready one by one.

    ``Wiring.of_topology`` gives back the same wiring for the topologies that were used last: a topology never changes.
    """

    _latest: ClassVar[list[Wiring]] = []

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._made: dict[str, NetnsWiring] = {}
        self._peers: dict[tuple[str, str], tuple[Endpoint, Device] | None] = {}
        self._own: dict[str, Own] = {}
        self._proxies: dict[str, bool] = {}
        self._solicited: dict[str, frozenset[int] | None] = {}
        self._macvlans: dict[Endpoint, tuple[tuple[str, Device], ...]] | None = None
        self._forwarding: dict[tuple[str, str], frozenset[str]] = {}

    @classmethod
    def of_topology(cls, topology: Topology) -> Wiring:
        """The wiring of this very topology value, made before or now."""
        for wiring in cls._latest:
            if wiring._topology is topology:
                return wiring
        made = cls(topology)
        cls._latest[:] = [made, *cls._latest[: KEPT - 1]]
        return made

    def of(self, netns: str) -> NetnsWiring:
        """The wiring of a namespace; raises KeyError where the topology has none of that name."""
        wiring = self._made.get(netns)
        if wiring is None:
            wiring = self._made[netns] = NetnsWiring(self._topology.namespaces[netns], partial(self._carrier_in, netns))
        return wiring

    def peer(self, device: Device) -> tuple[Endpoint, Device] | None:
        """The other end of a veth and what stands there; None where nothing does."""
        if not isinstance(device.kind, Veth):
            return None
        end = device.kind.peer
        key = (end.netns, end.device)
        if key not in self._peers:
            spec = self._topology.namespaces.get(end.netns)
            found = spec.device(end.device) if spec is not None else None
            self._peers[key] = None if found is None else (end, found)
        return self._peers[key]

    def may_be_local(self, netns: str, address: Address) -> bool:
        """False where an address is certainly not local to a namespace, whose state then need not be made to find that out."""
        found = self._own.get(netns)
        if found is None:
            devices = self._topology.namespaces[netns].devices
            found = self._own[netns] = Own(
                frozenset(a.ip for d in devices for a in d.addresses),
                tuple(a.network for d in devices if isinstance(d.kind, Loopback) for a in d.addresses),
            )
        return address in found.addresses or address.is_loopback or any(address in net for net in found.networks)

    def may_be_solicited(self, netns: str, group: Address) -> bool:
        """False where neighbour discovery in a group certainly concerns nobody in a namespace, whose state then need not be made."""
        if netns not in self._solicited:
            self._solicited[netns] = _group_bits(self._topology.namespaces[netns])
        bits = self._solicited[netns]
        return bits is None or int(group) & GROUP_BITS in bits

    def may_be_proxy(self, netns: str) -> bool:
        """False where a namespace certainly answers ARP for no address but its own."""
        found = self._proxies.get(netns)
        if found is None:
            spec = self._topology.namespaces[netns]
            asked = any(".proxy_arp" in name for name in spec.sysctls) or any(
                r.table == LOCAL_TABLE for r in spec.routes
            )
            found = self._proxies[netns] = asked or bool(spec.proxies)
        return found

    def macvlans(self, parent: Endpoint) -> tuple[tuple[str, Device], ...]:
        """The macvlan devices on top of a device, each with its namespace."""
        return self._all_macvlans().get(parent, ())

    @property
    def has_macvlans(self) -> bool:
        """Whether there is any macvlan device: most clusters have none, and need not ask for those of each device."""
        return bool(self._all_macvlans())

    def _all_macvlans(self) -> Mapping[Endpoint, tuple[tuple[str, Device], ...]]:
        if self._macvlans is None:
            self._macvlans = {}
            for name, spec in self._topology.namespaces.items():
                for device in spec.devices:
                    if isinstance(device.kind, Macvlan):
                        found = self._macvlans.get(device.kind.parent, ())
                        self._macvlans[device.kind.parent] = (*found, (name, device))
        return self._macvlans

    def node_of(self, machine: str) -> str | None:
        """The namespace of a node by the machine's name."""
        return next(
            (name for name, ns in self._topology.namespaces.items() if ns.role is Role.NODE and ns.node == machine),
            None,
        )

    def carrier(self, device: Device) -> bool:
        """True where the device is up and so is what it is plugged into. Ref: drivers/net/veth.c:veth_open() (v6.12)."""
        if not device.up:
            return False
        if not isinstance(device.kind, Veth):
            return True
        peer = self.peer(device)
        return peer is not None and peer[1].up

    def _carrier_in(self, netns: str, device: Device) -> bool:
        """The carrier of a device of a namespace that may be under way of being made; a bridge has the carrier of its ports."""
        if not isinstance(device.kind, Bridge):
            return self.carrier(device)
        ports = (d for d in self._topology.namespaces[netns].devices if d.port is not None)
        return device.up and any(d.port is not None and d.port.master == device.name and self.carrier(d) for d in ports)

    def forwarding_ports(self, netns: str, bridge: str) -> frozenset[str]:
        """The ports of a bridge that forward: without STP, those with a carrier.

        Ref: net/bridge/br_if.c:br_port_carrier_check() (v6.12).
        """
        found = self._forwarding.get((netns, bridge))
        if found is None:
            wiring = self.of(netns)
            up = wiring.devices[bridge].up
            found = frozenset(port.name for port in wiring.ports[bridge] if up and self.carrier(port))
            self._forwarding[netns, bridge] = found
        return found


def _group_bits(spec: Netns) -> frozenset[int] | None:
    """The last bits of the groups in which a host is solicited; None for one that passes frames on, or that has hooks to see them."""
    plain = all(isinstance(d.kind, Loopback | Veth) and d.port is None for d in spec.devices)
    if not plain or spec.xtables or spec.nftables or spec.proxies:
        return None
    addresses = {int(a.ip) & GROUP_BITS for d in spec.devices for a in d.addresses if a.version == 6}
    return frozenset({0, *addresses, *(d.mac.value & GROUP_BITS for d in spec.devices)})
