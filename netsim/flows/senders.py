"""Senders that see the same whoever is asked: what is alike of two namespaces, apart from names.

Pods of one node whose devices, routes and listeners are alike, and of whom every machine says the same, are one group: a flow of one is
a flow of the other with another name, unless the flow's rules name one of them or tell them apart by a prefix.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field

from netsim.flows.codes import Code, Span, calls
from netsim.flows.machine import Machine
from netsim.flows.places import Places
from netsim.topology.model import Role, Veth


@dataclass(frozen=True, slots=True)
class Sender:
    """One namespace as a sender. ``device`` is its node's end of its link; ``owner`` names its process."""

    netns: str
    owner: str
    codes: tuple[Code, ...]
    device: str


@dataclass(slots=True)
class Group:
    """Senders of one place that are alike. ``kind`` says what is alike of them in other places too."""

    kind: int
    members: tuple[Sender, ...]
    _parts: dict[Hashable, list[Group]] = field(default_factory=dict)
    _by_code: dict[Code, Sender] = field(default_factory=dict)

    def parts(self, spans: tuple[Span, ...], words: frozenset[str]) -> list[Group]:
        """The group as spans and words for devices tell it apart; nearly always it is one part."""
        key = (spans, words)
        found = self._parts.get(key)
        if found is None:
            by_bits: dict[Hashable, list[Sender]] = {}
            for member in self.members:
                by_bits.setdefault(_bits(member, spans, words), []).append(member)
            found = [self] if len(by_bits) == 1 else [Group(self.kind, tuple(m)) for m in by_bits.values()]
            self._parts[key] = found
        return found

    def named(self, codes: frozenset[Code]) -> set[str]:
        """The namespaces of those members whose addresses are among these."""
        if not self._by_code:
            self._by_code.update((code, member) for member in self.members for code in member.codes)
        return {self._by_code[code].netns for code in codes & self._by_code.keys()}


def _bits(member: Sender, spans: tuple[Span, ...], words: frozenset[str]) -> Hashable:
    inside = tuple(tuple(code in span for span in spans) for code in member.codes)
    return (inside, frozenset(word for word in words if calls(word, member.device)))


class Senders:
    """The senders of a topology, in groups."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self._spaces = places.topology.namespaces
        self._kinds: dict[str, int] = {}
        self._nodes = {ns.node: name for name, ns in self._spaces.items() if ns.role is Role.NODE and ns.node}
        self._hosts = [name for name, ns in self._spaces.items() if ns.role not in (Role.POD, Role.SWITCH)]
        self._switches = [name for name, ns in self._spaces.items() if ns.role is Role.SWITCH]

    def groups(self, senders: Iterable[tuple[str, str]]) -> list[Group]:
        """Groups of senders, which are given by namespace and by what their process is called; in their order."""
        found: dict[Hashable, list[Sender]] = {}
        for netns, owner in senders:
            found.setdefault((owner.count("/"), self._alike(netns)), []).append(self._sender(netns, owner))
        return [Group(self.kind(m[0].netns), tuple(m)) for m in found.values()]

    def kind(self, netns: str) -> int:
        """Equal for namespaces that are alike apart from all that is said of their addresses."""
        found = self._kinds.get(netns)
        if found is None:
            found = self._kinds[netns] = self.places.number(self._kind(netns))
        return found

    def device_to(self, netns: str) -> str:
        """The device of a pod's node that leads to it; empty for what is no pod."""
        node = self.node_of(netns)
        return "" if node is None or node == netns else self._device(self.places.machine(netns), node)

    def node_of(self, netns: str) -> str | None:
        """The namespace of the node that a namespace is on, or is; None outside the cluster."""
        spec = self._spaces[netns]
        if spec.role is Role.NODE:
            return netns
        return self._nodes.get(spec.node) if spec.role is Role.POD and spec.node is not None else None

    def _sender(self, netns: str, owner: str) -> Sender:
        machine = self.places.machine(netns)
        return Sender(netns, owner, machine.own, self._device(machine, self.node_of(netns)))

    def _device(self, machine: Machine, node: str | None) -> str:
        ends = (d.kind.peer for d in machine.spec.devices if isinstance(d.kind, Veth))
        return next((end.device for end in ends if end.netns == node), "")

    def _alike(self, netns: str) -> Hashable:
        """Equal for namespaces of one node of which every machine says the same."""
        machine, node = self.places.machine(netns), self.node_of(netns)
        if machine.spec.role is not Role.POD or node is None or machine.with_rules or machine.servers.any:
            return netns
        names: dict[Code, Hashable] = {code: ("own", number) for number, code in enumerate(machine.own)}
        said = tuple(
            self._said(self.places.machine(name), netns, code, names) for name in self._hosts for code in machine.own
        )
        return (node, self._kind(netns), said)

    def _kind(self, netns: str) -> Hashable:
        """What a namespace is apart from all addresses: equal for pods of one make, for nodes of one make."""
        machine, node = self.places.machine(netns), self.node_of(netns)
        if node is None or machine.opaque:
            return netns
        local = (machine.number, machine.devices.forms({}, {}, frozenset()), _listeners(machine), len(machine.own))
        if node == netns:
            switches = (self.places.machine(name).devices.ports_to(netns) for name in self._switches)
            return ("node", local, tuple(switches))
        home = self.places.machine(node)
        return ("pod", local, home.devices.ports_to(netns), self.places.number(self._kind(node)))

    def _said(self, machine: Machine, netns: str, code: Code, names: Mapping[Code, Hashable]) -> Hashable:
        """What a machine says of an address, its sets and virtual servers included, apart from the sender's names."""
        said = machine.said(code)
        codes = tuple([names.get(each, each) for each in said.codes])
        leads_there = tuple([machine.renamed[each] == netns for each in said.devices])
        return self.places.number(
            (said.number, codes, leads_there, said.machines, machine.about(code), machine.servers.asked(code))
        )


def _listeners(machine: Machine) -> Hashable:
    name = machine.spec.node or ""
    return tuple(
        (str(each.address), each.protocol.value, each.port, each.v6only, each.owner.removeprefix(f"{name}/") if machine.with_rules else "")
        for each in machine.spec.listeners
    )  # fmt: skip
