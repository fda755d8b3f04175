"""The cone of a flow: everything that its walk may read, written down without names.

Theory of operation. Begin with the two ends. A machine that the walk may come to is asked what it says of each address that a packet may
have: whether the address is its own, which routes, neighbours, rules, sets, virtual servers and listeners speak of it. That names
further addresses (next hops, what a rule translates to, a machine's own for masquerade) and further machines (who has those addresses,
what stands on the link), which are asked in turn, until nothing new is named. Names are then replaced by the order in which they came up.

Two flows with equal cones read the same at every step of their walks but for names, and names decide nothing: they have the same
verdicts, and one flow's backend, source or receiver is the other's with the same number. What this cannot tell (a rule that computes
with addresses, a machine with state) puts the names themselves into the cone, so that it equals no other. Cones may differ where walks
do not: they ask for more than a walk reads, never for less.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

from netsim.flows.machine import Machine, Said, listener_form
from netsim.flows.places import Places
from netsim.flows.rule_slice import Common, Slice, Slicer
from netsim.flows.shapes import Code, Span, calls, code_of
from netsim.net.address import parse_prefix
from netsim.trace.model import Flow

KINDS = tuple(
    # networks whose addresses the kernel treats by what they are
    Span.of(parse_prefix(text))
    for text in ("127.0.0.0/8", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "0.0.0.0/8", "0.0.0.0/32", "169.254.0.0/16",
                 "::1/128", "::/128", "fe80::/10", "ff00::/8", "fec0::/10", "::ffff:0:0/96")
)  # fmt: skip
PORT_KINDS = (1, 512, 1024, 20, 21, 22)
"""Below these, masquerade keeps to a range of its own. Ref: net/netfilter/nf_nat_core.c:nf_nat_l4proto_unique_tuple() (v6.12).
20 and 21 are FTP's, which IPVS knows."""


@dataclass(frozen=True, slots=True)
class Cone:
    """``key`` is what the walk may read, without names; ``machines``, ``addresses`` and ``ports`` are the names, by number.

    ``sensitive`` are the addresses whose owners, as senders, would see something else than this sender does: None where every other
    one might. ``constants`` are those of them that rules name or are filed by. ``spans`` and ``words`` (for devices) are what the
    flow's rules tell addresses and devices apart by; ``spans_of`` has the spans by machine.
    """

    key: Hashable
    machines: tuple[str, ...]
    addresses: tuple[Code, ...]
    ports: tuple[int, ...]
    versions: tuple[int, ...]
    destination: Code
    expected: frozenset[str] | None
    sensitive: frozenset[Code] | None
    constants: frozenset[Code]
    spans: tuple[Span, ...]
    spans_of: tuple[tuple[str, tuple[Span, ...]], ...]
    words: frozenset[str]

    def words_for(self, device: str) -> list[str]:
        """The words that may mean a device."""
        return sorted(word for word in self.words if calls(word, device))


class Cones:
    """The cones of a topology's flows. ``expected`` of a flow are the namespaces in which it may arrive, as for a trace."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._slicers: dict[tuple[str, int], Slicer] = {}
        self._commons: dict[tuple[str, str, int], Common] = {}
        self._slices: dict[tuple[str, int, frozenset[Code], frozenset[int]], Slice] = {}

    def of(self, flow: Flow, expected: frozenset[str] | None) -> Cone:
        """The cone of one flow."""
        growing = _Growing(self, flow)
        growing.grow()
        return _Writing(growing, expected).cone()

    def slice(self, machine: Machine, version: int, addresses: dict[Code, int], ports: dict[int, int]) -> Slice:
        """What of a machine's rules packets between these may meet."""
        book = machine.book(version)
        key = (machine.spec.name, version, frozenset(addresses.keys() & book.addresses), frozenset(ports))
        found = self._slices.get(key)
        if found is None:
            slicer = self._slicer(machine, version)
            found = self._slices[key] = slicer.of(addresses, ports)
            found.form = self.places.number(found.form)
        return found

    def common(self, one: Machine, other: Machine, version: int) -> Common:
        """What of two machines' rules every packet meets, compared."""
        key = (one.spec.name, other.spec.name, version)
        found = self._commons.get(key)
        if found is None:
            mine, theirs = self._slicer(one, version), self._slicer(other, version)
            found = self._commons[key] = mine.common.compared(theirs.common)
        return found

    def _slicer(self, machine: Machine, version: int) -> Slicer:
        found = self._slicers.get((machine.spec.name, version))
        if found is None:
            found = self._slicers[machine.spec.name, version] = Slicer(machine.book(version))
        return found


@dataclass(slots=True)
class _Growing:
    """The machines, addresses and ports of a flow, as they come up."""

    cones: Cones
    flow: Flow
    machines: dict[str, int] = field(default_factory=dict)
    addresses: dict[Code, int] = field(default_factory=dict)
    ports: dict[int, int] = field(default_factory=dict)
    members: list[Machine] = field(default_factory=list)
    codes: list[Code] = field(default_factory=list)
    said: list[list[Said]] = field(default_factory=list)
    slices: list[tuple[int, int, Slice]] = field(default_factory=list)
    versions: tuple[int, ...] = (4,)

    def grow(self) -> None:
        flow, places = self.flow, self.cones.places
        version = flow.destination.version
        self.versions = (4, 6) if version == 6 and places.tunnels else (version,)
        self.port(flow.dport)
        self.port(flow.sport)
        self.machine(flow.netns)
        self.address(code_of(flow.destination))
        if flow.source is not None:
            self.address(code_of(flow.source))
        if flow.destination.is_loopback:
            self._loopback(flow)
        for name in places.present:
            self.machine(name)
        before = None
        while before != (before := (len(self.machines), len(self.codes), len(self.ports))):
            self._ask()
            self._slice()

    def _loopback(self, flow: Flow) -> None:
        for device in self.cones.places.machine(flow.netns).spec.devices:
            if device.name == "lo":
                for address in device.addresses:
                    self.address(code_of(address.ip))

    def machine(self, name: str) -> None:
        if name in self.machines:
            return
        machine = self.cones.places.machine(name)
        self.machines[name] = len(self.machines)
        self.members.append(machine)
        for code in machine.own:
            if (6 if code >> 129 else 4) in self.versions:
                self.address(code)
        for link in machine.links:
            if link in self.cones.places.topology.namespaces:
                self.machine(link)

    def address(self, code: Code) -> None:
        if code not in self.addresses:
            self.addresses[code] = len(self.addresses)
            self.codes.append(code)

    def port(self, port: int) -> None:
        self.ports.setdefault(port, len(self.ports))

    def _ask(self) -> None:
        """Every machine of every address, until nothing new comes up."""
        said, members, codes = self.said, self.members, self.codes
        number = 0
        while number < len(members):
            if number == len(said):
                said.append([])
            self._ask_machine(members[number], said[number])
            number += 1
            if number == len(members) and (len(said) < len(members) or any(len(each) < len(codes) for each in said)):
                number = 0

    def _ask_machine(self, machine: Machine, answers: list[Said]) -> None:
        codes = self.codes
        while len(answers) < len(codes):
            found = machine.said(codes[len(answers)])
            answers.append(found)
            for code in found.needs:
                self.address(code)
            for name in found.joins:
                self.machine(name)

    def _slice(self) -> None:
        self.slices = []
        for number, machine in enumerate(self.members):
            if machine.with_rules:
                self._slice_of(number, machine)
            if machine.servers.any:
                self._servers(machine)

    def _slice_of(self, number: int, machine: Machine) -> None:
        for version in self.versions:
            found = self.cones.slice(machine, version, self.addresses, self.ports)
            self.slices.append((number, version, found))
            for code in found.targets:
                self.address(code)
            for port in found.target_ports:
                self.port(port)

    def _servers(self, machine: Machine) -> None:
        for server in list(machine.servers.met(self.addresses, self.ports)):
            for code, port in server.reals:
                self.address(code)
                self.port(port)


@dataclass(slots=True)
class _Writing:
    """The key of a flow whose machines, addresses and ports are known."""

    grown: _Growing
    expected: frozenset[str] | None
    opaque: list[str] = field(default_factory=list)
    literal_ports: bool = False
    constants: set[Code] = field(default_factory=set)

    def cone(self) -> Cone:
        grown = self.grown
        if grown.cones.places.opaque:
            self.opaque.append(grown.cones.places.opaque)
        parts: list[Hashable] = [self._flow(), self._kinds(), self._expected()]
        names: dict[int, set[str]] = {}
        for number, version, found in grown.slices:
            parts.append((number, version, self._slice(number, found)))
            names.setdefault(number, set()).update(found.names)
        for number, machine in enumerate(grown.members):
            parts.append(self._machine(machine, names.get(number, frozenset())))
        parts += self._said()
        machines, addresses, ports = tuple(grown.machines), tuple(grown.codes), tuple(grown.ports)
        if self.literal_ports:
            parts.append(ports)
        if self.opaque:
            parts.append((tuple(self.opaque), machines, addresses, ports))
        constants = frozenset(self.constants)
        spans_of = tuple(self._spans())
        return Cone(
            key=tuple(parts),
            machines=machines,
            addresses=addresses,
            ports=ports,
            versions=grown.versions,
            destination=code_of(grown.flow.destination),
            expected=self.expected,
            sensitive=None if self.opaque else self._sensitive(),
            constants=constants,
            spans=tuple(sorted({span for _, spans in spans_of for span in spans})),
            spans_of=spans_of,
            words=frozenset[str]().union(*names.values()),
        )

    def _sensitive(self) -> frozenset[Code]:
        grown = self.grown
        return frozenset(self.constants | (set(grown.codes) - set(grown.members[0].own)))

    def _spans(self) -> Iterator[tuple[str, tuple[Span, ...]]]:
        grown = self.grown
        for number, _, found in grown.slices:
            yield grown.members[number].spec.name, found.spans
        for machine in grown.members:
            if machine.policy:
                yield machine.spec.name, tuple(span for shape in machine.policy for span in shape.spans)

    def _flow(self) -> Hashable:
        flow = self.grown.flow
        source = None if flow.source is None else self.grown.addresses[code_of(flow.source)]
        destination = self.grown.addresses[code_of(flow.destination)]
        return (
            flow.protocol.value,
            flow.sport,
            destination,
            source,
            int(flow.flags),
            flow.payload,
            flow.ttl,
            flow.dont_fragment,
            flow.mark,
        )

    def _kinds(self) -> Hashable:
        return (
            tuple([_kind_of(code) for code in self.grown.codes]),
            tuple([sum(port < bound for bound in PORT_KINDS) for port in self.grown.ports]),
        )

    def _expected(self) -> Hashable:
        if self.expected is None:
            return None
        return tuple(sorted(self.grown.machines[name] for name in self.expected if name in self.grown.machines))

    def _slice(self, number: int, found: Slice) -> Hashable:
        addresses, ports, codes = self.grown.addresses, self.grown.ports, self.grown.codes
        self.literal_ports = self.literal_ports or found.literal_ports
        if found.opaque:
            self.opaque.append(f"{self.grown.members[number].spec.name}: {found.opaque}")
        self.constants |= found.constants | found.filed
        for members in found.met:
            for code in codes:
                self.constants |= members.partners(code)
        return (
            found.form,
            tuple([addresses.get(code, -1) for code in found.exact]),
            tuple([_bits(span, codes) for span in found.spans]),
            tuple([sum(1 << index for port, index in ports.items() if port in each) for each in found.ports]),
        )

    def _machine(self, machine: Machine, names: set[str] | frozenset[str]) -> Hashable:
        grown = self.grown
        if machine.opaque:
            self.opaque.append(f"{machine.spec.name}: {machine.opaque}")
        devices = machine.devices.forms(grown.machines, grown.addresses, names)
        met = list(machine.servers.met(grown.addresses, grown.ports)) if machine.servers.any else []
        reals = machine.servers.real_form(grown.addresses, grown.ports) if machine.servers.any else None
        servers = tuple(server.form(grown.addresses, grown.ports) for server in met)
        if any(server.opaque for server in met):
            self.opaque.append(f"{machine.spec.name}: a scheduler that hashes")
        listeners = tuple(
            form
            for each in machine.spec.listeners
            if (form := listener_form(machine.spec, each, grown.ports, grown.addresses, grown.flow.owner)) is not None
        )
        return (machine.number, devices, servers, reals, listeners)

    def _said(self) -> Iterator[Hashable]:
        grown = self.grown
        addresses, machines = grown.addresses, grown.machines
        for number, answers in enumerate(grown.said):
            behind = grown.members[number].renamed
            yield tuple([said.number for said in answers])
            for index, said in enumerate(answers):
                if said.named:
                    yield (
                        index,
                        tuple([addresses[code] for code in said.codes]),
                        tuple([machines.get(behind[device], -1) for device in said.devices]),
                        tuple([machines[name] for name in said.machines]),
                    )


_KIND: dict[Code, int] = {}


def _kind_of(code: Code) -> int:
    found = _KIND.get(code)
    if found is None:
        found = _KIND[code] = sum(1 << number for number, span in enumerate(KINDS) if code in span)
    return found


def _bits(span: Span, codes: list[Code]) -> int:
    first, last = span.first, span.last
    bits = 0
    for index, code in enumerate(codes):
        if first <= code <= last:
            bits |= 1 << index
    return bits
