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
from dataclasses import dataclass, field, fields

from netsim.flows.codes import Code, Span, calls, code_of
from netsim.flows.machine import Machine, listener_form
from netsim.flows.places import Places
from netsim.flows.reach import Reach
from netsim.flows.rule_slice import Slice
from netsim.flows.slices import Slices
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
        self.slices = Slices(places)

    def of(self, flow: Flow, expected: frozenset[str] | None) -> Cone:
        """The cone of one flow."""
        reach = Reach(self.places, self.slices, flow)
        reach.grow()
        return _Writing(reach, expected).cone()


@dataclass(slots=True)
class _Writing:
    """The key of a flow whose machines, addresses and ports are known."""

    grown: Reach
    expected: frozenset[str] | None
    opaque: list[str] = field(default_factory=list)
    literal_ports: bool = False
    constants: set[Code] = field(default_factory=set)

    def cone(self) -> Cone:
        grown = self.grown
        if grown.places.opaque:
            self.opaque.append(grown.places.opaque)
        parts: list[Hashable] = [self._flow(), self._kinds(), self._expected()]
        names = {number: set(machine.words) for number, machine in enumerate(grown.members)}
        for number, version, found in grown.slices:
            parts.append((number, version, self._slice(number, found)))
            names[number] |= found.names
        for number, machine in enumerate(grown.members):
            parts.append(self._machine(machine, names[number]))
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
        flow, addresses = self.grown.flow, self.grown.addresses
        source = None if flow.source is None else addresses[code_of(flow.source)]
        return (addresses[code_of(flow.destination)], source, *(getattr(flow, name) for name in _OF_FLOW))

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

    def _machine(self, machine: Machine, names: set[str]) -> Hashable:
        grown = self.grown
        self.literal_ports = self.literal_ports or machine.literal_ports
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


_NAMES = frozenset({"netns", "destination", "source", "dport", "owner"})
_OF_FLOW = tuple(each.name for each in fields(Flow) if each.name not in _NAMES)
"""What of a flow is no name: told as it is."""

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
