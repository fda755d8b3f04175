"""How far a flow may reach: the machines that its walk may come to, and the addresses and ports that its packets may have."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsim.flows.codes import Code, code_of
from netsim.flows.machine import Machine, Said
from netsim.flows.places import Places
from netsim.flows.rule_slice import Slice
from netsim.flows.slices import Slices
from netsim.trace.model import Flow

NO_PORT = 0
"""What stands for the port of a packet that has none, as a tunnel's or an echo request's."""


@dataclass(slots=True)
class Reach:
    """The machines, addresses and ports of a flow as they come up, each with its number.

    ``members`` and ``codes`` are the machines and addresses by number, ``said`` what each machine says of each address, ``slices`` what of
    its rules (by machine and IP version) the packets may meet.
    """

    places: Places
    all_slices: Slices
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
        """Begin with the ends of the flow, and ask until nothing new comes up."""
        flow, places = self.flow, self.places
        version = flow.destination.version
        self.versions = (4, 6) if version == 6 and places.tunnels else (version,)
        self.port(flow.dport)
        self.port(flow.sport)
        self.port(NO_PORT)
        for port in places.tunnel_ports:
            self.port(port)
        self.machine(flow.netns)
        self.address(code_of(flow.destination))
        if flow.source is not None:
            self.address(code_of(flow.source))
        for name in places.present:
            self.machine(name)
        before = None
        while before != (before := (len(self.machines), len(self.codes), len(self.ports))):
            self._ask()
            self._slice()

    def machine(self, name: str) -> None:
        """Take in a machine, with its own addresses and what its links lead to."""
        if name in self.machines:
            return
        machine = self.places.machine(name)
        self.machines[name] = len(self.machines)
        self.members.append(machine)
        for code in (*machine.own, *machine.ends):
            if (6 if code >> 129 else 4) in self.versions:
                self.address(code)
        for link in machine.links:
            if link in self.places.topology.namespaces:
                self.machine(link)

    def address(self, code: Code) -> None:
        """Take in an address."""
        if code not in self.addresses:
            self.addresses[code] = len(self.addresses)
            self.codes.append(code)

    def port(self, port: int) -> None:
        """Take in a port."""
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
            found = self.all_slices.of(machine, version, self.addresses, self.ports)
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
