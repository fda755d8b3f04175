"""A topology's namespaces, taken apart when they are first met, and who has which address and MAC."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from netsim.flows.codes import Code, code_of
from netsim.flows.machine import Machine
from netsim.flows.rule_book import ShapeCache
from netsim.stack.addrconf import eui64_link_local
from netsim.topology.model import IPIP, LOCAL_TABLE, Device, Endpoint, Macvlan, Netns, Role, Topology, Veth, Vlan, Vxlan

LAST_WITH_ANYCAST = 127
"""A shorter prefix has an anycast address, its first. Ref: net/ipv6/addrconf.c:addrconf_join_anycast() (v6.12)."""


class Places:
    """A topology's namespaces, taken apart when they are first met. ``opaque`` says why nothing in it can be told apart from names."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.shapes = ShapeCache()
        self._machines: dict[str, Machine] = {}
        self._owners: dict[Code, list[str]] = {}
        self._macs: dict[int, Endpoint] = {}
        self.opaque = ""
        self.present: list[str] = []
        self.tunnels = False
        self.tunnel_ports: dict[int, None] = {}
        self._ids: dict[Hashable, int] = {}
        for spec in topology.namespaces.values():
            self._survey(spec)

    def _survey(self, spec: Netns) -> None:
        for device in spec.devices:
            for code in _answered(device):
                self._owners.setdefault(code, []).append(spec.name)
            if device.mac.value in self._macs and device.mac.value:
                self.opaque = "two devices have the same MAC"
            self._macs[device.mac.value] = Endpoint(spec.name, device.name)
            if isinstance(device.kind, Macvlan | Vlan):
                self.opaque = "a device on top of another one"
            self.tunnels = self.tunnels or isinstance(device.kind, Vxlan | IPIP)
            if isinstance(device.kind, Vxlan):
                self.tunnel_ports[device.kind.port] = None
        local = any(route.table == LOCAL_TABLE for route in spec.routes)
        netdev = any(f.value in ("netdev", "bridge", "arp") for rules in spec.nftables for f, _ in rules.tables)
        if local or netdev or spec.proxies or any("proxy_arp" in name for name in spec.sysctls):
            self.present.append(spec.name)

    def stands_for(self, spec: Netns, kind: Veth) -> bool:
        """True for a device that leads to one pod, or from a switch to one host: a frame comes there only if that is whom it is for."""
        peer = self.topology.namespaces.get(kind.peer.netns)
        if peer is None:
            return spec.role is Role.SWITCH
        return peer.role is Role.POD or (spec.role is Role.SWITCH and peer.role is not Role.SWITCH)

    def number(self, form: Hashable) -> int:
        """A small number for a large value: equal for equal values."""
        return self._ids.setdefault(form, len(self._ids))

    def owners(self, code: Code) -> Iterator[str]:
        """Who may say that an address is its own."""
        return iter(self._owners.get(code, ()))

    def mac_owner(self, mac: int) -> Endpoint | None:
        """The device that has a MAC."""
        return self._macs.get(mac) if mac else None

    def machine(self, name: str) -> Machine:
        """A namespace, taken apart."""
        found = self._machines.get(name)
        if found is None:
            found = self._machines[name] = Machine(self, self.topology.namespaces[name])
        return found


def _answered(device: Device) -> Iterator[Code]:
    """The addresses that a device is asked for: its own, in IPv6 also the one that follows from its MAC and its networks' anycast."""
    for address in device.addresses:
        if device.name != "lo" or not address.ip.is_loopback:
            yield code_of(address.ip)
            if address.version == 6 and address.network.prefixlen < LAST_WITH_ANYCAST:
                yield code_of(address.network.network_address)
    if device.mac.value:
        yield code_of(eui64_link_local(device.mac).ip)
