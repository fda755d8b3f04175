"""One network namespace taken apart: what it is apart from names, and what it says of one address."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import TYPE_CHECKING

from netsim.flows.codes import Code, Span, code_of
from netsim.flows.devices import DeviceTable
from netsim.flows.rule_book import RuleBook, rule_book
from netsim.flows.shapes import Shape, shape_of
from netsim.flows.virtual_servers import ServerTable
from netsim.net.address import InterfaceAddress
from netsim.stack.fib import addresses_of
from netsim.topology.model import Device, Dummy, Listener, Netns, Route, Veth
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
        self.own = tuple(code_of(a.ip) for d in spec.devices if _counts(d) for a in d.addresses)
        self.links = tuple(
            d.kind.peer.netns for d in spec.devices if isinstance(d.kind, Veth) and d.name not in self.renamed
        )
        self.policy = [shape_of(rule) for rule in spec.rules]
        self.opaque = self._opaque()
        self.form = self._form()
        self.number = places.number(self.form)
        self.with_rules = bool(spec.xtables or spec.nftables)
        self.servers = ServerTable(spec.ipvs)
        self._books: dict[int, RuleBook] = {}
        self._said: dict[Code, Said] = {}
        self._about: dict[Code, int] = {}
        self._networks = [
            (device.name, Span.of(a.network), code_of(a.ip), code_of(a.network.network_address), a.network.prefixlen)
            for device in spec.devices if not isinstance(device.kind, Dummy) for a in _addresses(device)
        ]  # fmt: skip
        self._dummies = {code_of(a.ip): d.name for d in spec.devices if isinstance(d.kind, Dummy) for a in d.addresses}
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
        for device, span, own, network, length in machine._networks:
            if code in span:
                self.form.append(("in", self._device(device), code == own, code == network, code == span.last, length))
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
        self.on_link = self.on_link or any(via is None for _, via, _, _ in route.ways)

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


def _counts(device: Device) -> bool:
    """Whether a device's addresses are those of packets that the machine itself sends."""
    return not isinstance(device.kind, Dummy) and device.name != "lo"


def _addresses(device: Device) -> Iterable[InterfaceAddress]:
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
