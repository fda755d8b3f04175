"""One network namespace taken apart: what it is apart from names, and what it says of one address."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

from netsim.flows.codes import Code, Span, code_of
from netsim.flows.devices import DeviceTable, bears_hosts, tunnel_ends
from netsim.flows.rule_book import RuleBook, rule_book
from netsim.flows.shapes import Shape, shape_of
from netsim.flows.source_choice import Choice6, first_address, spare_address
from netsim.flows.virtual_servers import ServerTable
from netsim.net.address import InterfaceAddress
from netsim.stack.fib import addresses_of
from netsim.topology.model import Device, Listener, Netns, Route, Veth, Vxlan
from netsim.trace.facts import short_label
from netsim.trace.verdict import receiver_name

if TYPE_CHECKING:
    from netsim.flows.places import Places

SEPARATELY = frozenset(
    # of a Netns: told by address, by device or by slices of rules
    {"name", "label", "node", "devices", "routes", "neighbours", "sysctls", "xtables", "nftables", "ipsets", "listeners", "fdb",
     "ipvs", "rules"}
)  # fmt: skip


@dataclass(slots=True)
class Said:
    """What a machine says of one address.

    ``number`` stands for its form, which has holes for ``codes`` (addresses), ``devices`` and ``machines``; ``named`` where it has
    any. ``joins`` are namespaces that its packets may come to from here, ``needs`` addresses that they may get.
    """

    number: int
    named: bool
    codes: tuple[Code, ...]
    devices: tuple[str, ...]
    machines: tuple[str, ...]
    needs: tuple[Code, ...]
    joins: tuple[str, ...]


class Machine:
    """One namespace of a topology. ``renamed`` are its devices that lead to one pod or host each, by the namespace behind them."""

    def __init__(self, places: Places, spec: Netns) -> None:
        self.places = places
        self.spec = spec
        self.devices = DeviceTable(spec, partial(places.stands_for, spec), places.number)
        self.renamed = self.devices.renamed
        self.own = _own(spec)
        self.ends = tuple(end for device in spec.devices for end in tunnel_ends(device))
        self.links = tuple(
            d.kind.peer.netns for d in spec.devices if isinstance(d.kind, Veth) and d.name not in self.renamed
        )
        self.policy = [shape_of(rule) for rule in spec.rules]
        self.literal_ports = any(rule.sports or rule.dports for rule in spec.rules)
        self.words = frozenset(word for shape in self.policy for word in shape.names)
        self.opaque = self._opaque()
        self.form = self._form()
        self.number = places.number(self.form)
        self.with_rules = bool(spec.xtables or spec.nftables)
        self.servers = ServerTable(spec.ipvs)
        self._books: dict[int, RuleBook] = {}
        self._said: dict[Code, Said] = {}
        self._about: dict[Code, int] = {}
        of_hosts = [device for device in spec.devices if bears_hosts(device)]
        self._networks = [
            _Network(device.name, number, Span.of(a.network), code_of(a.ip), a.network.prefixlen)
            for device in spec.devices if device not in of_hosts for number, a in enumerate(_every_address(device))
        ]  # fmt: skip
        self._dummies = {code_of(a.ip): device.name for device in of_hosts for a in device.addresses}
        self._lone = {d.name: first_address(d) for d in (*of_hosts, *(d for d in spec.devices if d.name == "lo"))}
        self._choice6 = Choice6(spec)
        self._routes = [_Route(route) for route in spec.routes]

    def book(self, version: int) -> RuleBook:
        """The machine's packet filters for one IP version."""
        found = self._books.get(version)
        if found is None:
            found = self._books[version] = rule_book(self.spec, version, self.places.shapes)
        return found

    def _opaque(self) -> str:
        spec = self.spec
        if spec.conntrack or spec.ipvs_connections:
            return "it knows connections beforehand"
        if any("ignore_routes_with_linkdown" in name for name in spec.sysctls):
            return "its routes depend on the other ends of its devices"
        if any(entry.dst is None or not entry.mac.value for entry in spec.fdb):
            return "its bridges or tunnels send frames where nobody was asked"
        if any(isinstance(device.kind, Vxlan) and device.kind.remote is not None for device in spec.devices):
            return "a tunnel sends all frames that nobody was asked for to one end"
        return next((shape.opaque for shape in self.policy if shape.opaque), "")

    def _form(self) -> Hashable:
        """What the machine is apart from its addresses, devices and rules."""
        spec = self.spec
        rest = [each for each in fields(Netns) if each.name not in SEPARATELY]
        shape = Shape()
        parts: list[Hashable] = [(each.name, shape.add(getattr(spec, each.name))) for each in rest]
        if shape.exact or shape.spans or shape.opaque:
            self.opaque = self.opaque or shape.opaque or "it has addresses where none are looked for"
        policy = tuple((shape.form, rule.priority) for shape, rule in zip(self.policy, spec.rules, strict=True))
        return (*parts, self.devices.sysctls, policy, len(spec.neighbours))

    def about(self, code: Code) -> int:
        """What sets hold of an address alone, and as whose real server it is known."""
        found = self._about.get(code)
        if found is None:
            sets = self.book(6 if code >> 129 else 4).alone(code) if self.with_rules else ()
            found = self._about[code] = self.places.number((sets, self.servers.is_real(code)))
        return found

    # --- one address ----------------------------------------------------------------------------------------------

    def said(self, code: Code) -> Said:
        """What devices, routes, neighbours and policy rules say of an address."""
        found = self._said.get(code)
        if found is None:
            found = self._said[code] = _Saying(self, code).said()
        return found


@dataclass(slots=True)
class _Saying:
    machine: Machine
    code: Code
    form: list[Hashable] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    devices: list[str] = field(default_factory=list)
    machines: list[str] = field(default_factory=list)
    needs: list[Code] = field(default_factory=list)
    on_link: bool = False
    joins: list[str] = field(default_factory=list)

    def said(self) -> Said:
        machine, code = self.machine, self.code
        for net in machine._networks:
            if code in net.span:
                ends = (code == net.own, code == net.span.first, code == net.span.last)
                self.form.append(("in", self._device(net.device), net.number, ends, net.length))
                if net.device == "lo":
                    self.form.append(("source", self._address(net.own)))  # of what is sent to anything in its network
                self._choose(net.device)
                self.on_link = True
        if code in machine._dummies:
            self.form.append(("dummy", self._device(machine._dummies[code])))
        for route in machine._routes:
            if route.first <= code <= route.last:
                self._route(route)
        for neighbour in machine.spec.neighbours:
            if code_of(neighbour.address) == code:
                self._neighbour(
                    neighbour.device, neighbour.mac.value if neighbour.mac is not None else 0, neighbour.state.value
                )
        for shape in machine.policy:
            self.form.append((tuple(code in span for span in shape.spans), tuple(code == each for each in shape.exact)))
        if self.on_link:
            self.joins += machine.places.owners(code)
        form = tuple(self.form)
        return Said(
            machine.places.number(form),
            bool(self.codes or self.devices or self.machines),
            tuple(self.codes),
            tuple(self.devices),
            tuple(self.machines),
            tuple(dict.fromkeys(self.needs)),
            tuple(dict.fromkeys(self.joins)),
        )

    def _device(self, name: str) -> Hashable:
        if name not in self.machine.renamed:
            return name
        self.devices.append(name)
        return ("device", len(self.devices))

    def _address(self, code: Code) -> Hashable:
        self.codes.append(code)
        self.needs.append(code)
        return ("address", len(self.codes))

    def _choose(self, device: str | None) -> None:
        """Tell the source that a packet gets which leaves by a device, where that is not told by the device's own addresses."""
        machine, code = self.machine, self.code
        found = None
        if device is not None:
            found = machine._choice6.source(device, code) if code >> 129 else machine._lone.get(device)
        if found is not None:
            self.form.append(("source", self._address(found)))

    def _route(self, route: _Route) -> None:
        form = [
            (
                None if device is None else self._device(device),
                None if via is None else self._address(via),
                weight,
                onlink,
            )
            for device, via, weight, onlink in route.ways
        ]
        source = None if route.source is None else self._address(route.source)
        self.form.append(("route", route.form, tuple(form), source))
        machine = self.machine
        for device, via, _, _ in route.ways:
            if via is None or via in machine.own or via in machine._dummies:
                self.on_link = True  # who has an own address for its gateway asks for the destination itself
            else:
                self.joins += machine.places.owners(via)
            towards = [net.device for net in machine._networks if via is not None and via in net.span]
            for each in [device] if device is not None else towards:
                self._choose(each)

    def _neighbour(self, device: str, mac: int, state: str) -> None:
        places = self.machine.places
        owner = places.mac_owner(mac)
        self.form.append(("neighbour", self._device(device), state, None if owner is None else owner.device))
        if owner is not None:
            self.joins.append(owner.netns)
            self.machines.append(owner.netns)
        for entry in self.machine.spec.fdb:
            if entry.mac.value == mac and entry.dst is not None:
                self.form.append(("tunnel", self._device(entry.device), self._address(code_of(entry.dst))))


@dataclass(frozen=True, slots=True)
class _Network:
    """What one address of a device says of its neighbours' addresses; ``number`` counts the device's addresses."""

    device: str
    number: int
    span: Span
    own: Code
    length: int


_OF_ROUTES = frozenset({"to", "device", "via", "source", "onlink", "nexthops", "origin"})


class _Route:
    """A static route taken apart: where it leads by which ways (device, next hop, weight, onlink), and the rest of it."""

    __slots__ = ("first", "form", "last", "source", "ways")

    def __init__(self, route: Route) -> None:
        span = Span.of(route.to)
        self.first, self.last = span.first, span.last
        hops = [(hop.device, hop.via, hop.weight, hop.onlink) for hop in route.nexthops]
        self.ways = [
            (device, None if via is None else code_of(via), weight, onlink)
            for device, via, weight, onlink in hops or [(route.device, route.via, 1, route.onlink)]
        ]
        self.source = None if route.source is None else code_of(route.source)
        rest = tuple(repr(getattr(route, each.name)) for each in fields(Route) if each.name not in _OF_ROUTES)
        self.form = (route.to.prefixlen, self.first == self.last, rest)


def _own(spec: Netns) -> tuple[Code, ...]:
    """The addresses of packets that a machine itself sends."""
    devices = (device for device in spec.devices if not bears_hosts(device) and device.name != "lo")
    found = dict.fromkeys(code_of(a.ip) for device in devices for a in device.addresses)
    spare = spare_address(spec)
    return tuple(found) if spare is None or spare in found else (*found, spare)


def _every_address(device: Device) -> Iterable[InterfaceAddress]:
    """A device's addresses, with the one that ``lo`` has of itself."""
    four = addresses_of(device)
    return (*four, *(a for a in device.addresses if a.version == 6))


def listener_form(
    spec: Netns, listener: Listener, ports: Mapping[int, int], addresses: Mapping[Code, int], owner: str
) -> Hashable:
    """What a listener is to a flow; None where it is nobody's concern."""
    if listener.port not in ports:
        return None
    bound: Hashable = None
    if listener.address is not None:
        code = code_of(listener.address)
        bound = "any" if listener.address.is_unspecified else addresses.get(code, -1)
        bound = (bound, listener.address.version)
    called = receiver_name(spec.label, spec.name, listener.owner).removeprefix(short_label(spec.label))
    return (listener.protocol.value, ports[listener.port], bound, listener.v6only, called, listener.owner == owner)
