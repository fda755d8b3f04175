"""Hypothesis strategies for networks that are no cluster: hosts, routers and switches, wired as a graph of networkx's atlas.

Clusters are wired in one way only, whatever runs in them. Here bridges stand behind bridges, hosts have several ways to each other,
routers have rules, and routes are missing or point elsewhere. Circles of bridges are not drawn: a frame in one goes round for ever, on
every kernel.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import strategies as st

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Family, parse_address, parse_interface, parse_prefix
from netsim.net.packet import Protocol, TCPFlags
from netsim.rules.xtables.ast import Ruleset
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.parse import parse
from netsim.scenario.every_flow import NamedFlow
from netsim.scenario.random_ground import Families
from netsim.scenario.random_rules import rules_text
from netsim.scenario.random_world import FLAGS, FLOWS
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    Listener,
    Loopback,
    Netns,
    Role,
    Route,
    Topology,
    Veth,
)
from netsim.trace.model import Flow

LARGEST = 5
NETWORKS = (
    "10.244.1",
    "10.244.2",
    "192.168.0",
    "10.96.1",
    "10.244.3",
    "172.16.0",
    "10.244.9",
    "10.96.2",
    "10.244.5",
    "10.244.6",
)
HOST_NUMBERS = (2, 11, 12, 100, 77)
LISTENERS = ((Protocol.TCP, 80), (Protocol.TCP, 8080), (Protocol.UDP, 53))
SYSCTLS: dict[int, tuple[tuple[str, tuple[str, ...]], ...]] = {
    # by IP version
    4: (
        ("net.ipv4.ip_forward", ("1", "1", "1", "0")),
        ("net.ipv4.conf.all.rp_filter", ("0", "0", "1", "2")),
        ("net.ipv4.conf.all.accept_local", ("0", "0", "0", "1")),
        ("net.ipv4.conf.all.route_localnet", ("0", "0", "0", "1")),
        ("net.bridge.bridge-nf-call-iptables", ("1", "0")),
    ),
    6: (
        ("net.ipv6.conf.all.forwarding", ("1", "1", "1", "0")),
        ("net.bridge.bridge-nf-call-ip6tables", ("1", "0")),
    ),
}
NOBODY = {4: ("10.244.1.99", "8.8.8.8"), 6: ("fd00:10:244:1::99", "2001:db8::8")}
SWITCH, HOST = "switch", "host"


@dataclass(frozen=True, slots=True)
class DrawnWiring:
    """A network that was drawn, and flows through it."""

    topology: Topology
    flows: tuple[NamedFlow, ...]

    @property
    def key(self) -> str:
        """The network without its flows: equal for equal networks."""
        return "\n".join(line for netns in self.topology.namespaces.values() for line in _told(netns))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # IPython's protocol, which hypothesis uses
        del cycle
        printer.text(repr(self))

    def __repr__(self) -> str:
        flows = "\n".join(f"# {flow.source} → {flow.target}: {flow.flow}" for flow in self.flows)
        return f"{self.key}\n{flows}"


def _told(netns: Netns) -> Iterator[str]:
    """A machine, line by line."""
    yield f"{netns.name} ({netns.role.value}): {', '.join(f'{name}={value}' for name, value in sorted(netns.sysctls.items()))}"
    for device in netns.devices:
        peer = f" to {device.kind.peer}" if isinstance(device.kind, Veth) else ""
        held = " ".join(map(str, device.addresses))
        yield f"  {device.name}{peer} {held} mtu {device.mtu}{'' if device.up else ' down'} {device.port or ''}"
    yield from (f"  route {route.to} via {route.via}" for route in netns.routes)
    yield from (f"  {line}" for ruleset in netns.xtables for line in dump(ruleset).splitlines())


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is wired to what: edges of the graph, which vertices are switches, and the network that each edge belongs to."""

    edges: tuple[tuple[int, int], ...]
    switches: frozenset[int]
    network_of: dict[tuple[int, int], int]
    versions: tuple[int, ...] = (4,)

    @property
    def vertices(self) -> list[int]:
        """Every vertex."""
        return sorted({vertex for edge in self.edges for vertex in edge})

    def networks(self, vertex: int) -> dict[int, tuple[int, int]]:
        """The networks that a host is on, each with the last of its edges that leads there."""
        return {self.network_of[edge]: edge for edge in self.edges if vertex in edge}


@st.composite
def drawn_wirings(draw: st.DrawFn, *, flows: int = FLOWS, families: Families = Families.IPV4) -> DrawnWiring:
    """A network of up to five machines, and flows through it."""
    edges = draw(st.sampled_from(connected_graphs()))
    vertices = sorted({vertex for edge in edges for vertex in edge})
    drawn = frozenset(vertex for vertex in vertices if draw(st.integers(0, 2)) == 0)
    plan = replace(_plan(edges, _without_circles(edges, drawn)), versions=families.versions)
    spaces = [_machine(draw, plan, vertex) for vertex in plan.vertices]
    topology = Topology("drawn", {netns.name: netns for netns in spaces})
    asked = tuple(draw(_flow(topology, plan)) for _ in range(draw(st.integers(1, flows))))
    return DrawnWiring(topology, asked)


@cache
def connected_graphs() -> tuple[tuple[tuple[int, int], ...], ...]:
    """The edges of every connected graph of 2 to 5 vertices, the smallest first."""
    import networkx as nx

    graphs = (graph for graph in nx.graph_atlas_g() if 2 <= len(graph) <= LARGEST and nx.is_connected(graph))
    return tuple(tuple(sorted((min(edge), max(edge)) for edge in graph.edges)) for graph in graphs)


def _without_circles(edges: tuple[tuple[int, int], ...], switches: frozenset[int]) -> frozenset[int]:
    """The switches, without those that would close a circle or give a host two ports on one network; at least two stay hosts.

    Two ports of a host on one network both answer ARP there, and which answer comes first is a race.
    """
    import networkx as nx

    kept: frozenset[int] = frozenset()
    vertices = {vertex for edge in edges for vertex in edge}
    for vertex in sorted(switches):
        candidate = kept | {vertex}
        graph: Any = nx.Graph([edge for edge in edges if set(edge) <= candidate])
        if len(vertices - kept) > 2 and (len(graph) == 0 or nx.is_forest(graph)) and _one_port_each(edges, candidate):
            kept = candidate
    return kept


def _one_port_each(edges: tuple[tuple[int, int], ...], switches: frozenset[int]) -> bool:
    plan = _plan(edges, switches)
    ends = [(vertex, plan.network_of[edge]) for edge in edges for vertex in edge if vertex not in switches]
    return len(ends) == len(set(ends))


def _plan(edges: tuple[tuple[int, int], ...], switches: frozenset[int]) -> _Plan:
    """Edges that a switch joins are one network."""
    network_of = {edge: number for number, edge in enumerate(edges)}
    changed = True
    while changed:
        changed = False
        for one in edges:
            for other in edges:
                joined = set(one) & set(other) & switches
                if joined and network_of[one] != network_of[other]:
                    network_of[one] = network_of[other] = min(network_of[one], network_of[other])
                    changed = True
    numbers = {network: index for index, network in enumerate(sorted(set(network_of.values())))}
    return _Plan(edges, switches, {edge: numbers[network] for edge, network in network_of.items()})


# --- machines ----------------------------------------------------------------------------------------------------


def _machine(draw: st.DrawFn, plan: _Plan, vertex: int) -> Netns:
    switch = vertex in plan.switches
    devices = [Device("lo", Loopback(), MAC(0), 65536), *_devices(draw, plan, vertex)]
    listeners = (
        () if switch else tuple(Listener(protocol, port, owner=f"m{vertex}/{port}") for protocol, port in LISTENERS)
    )
    return Netns(
        name=f"m{vertex}",
        role=Role.SWITCH if switch else Role.NODE,
        label=f"m{vertex}",
        devices=tuple(devices),
        routes=tuple(_routes(draw, plan, vertex)) if not switch else (),
        sysctls={name: draw(st.sampled_from(values)) for version in plan.versions for name, values in SYSCTLS[version]},
        xtables=_rules(draw, plan.versions),
        listeners=listeners,
    )


def _rules(draw: st.DrawFn, versions: tuple[int, ...]) -> tuple[Ruleset, ...]:
    drawn = [version for version in versions if draw(st.integers(0, 2))]
    return tuple(parse(draw(rules_text(most=5, version=version)), Family(version), "drawn") for version in drawn)


def _devices(draw: st.DrawFn, plan: _Plan, vertex: int) -> Iterator[Device]:
    switch = vertex in plan.switches
    if switch:
        yield Device("br0", Bridge(), _mac(vertex, 99))
    for edge in plan.edges:
        if vertex not in edge:
            continue
        other = edge[0] if edge[1] == vertex else edge[1]
        network = plan.network_of[edge]
        port = None
        if switch:
            flags = [draw(st.integers(0, 7)) == 0 for _ in range(3)]
            hairpin = (
                flags[0] and other not in plan.switches
            )  # two bridges that send back to each other are a circle too
            port = BridgePort("br0", hairpin=hairpin, learning=not flags[1], isolated=flags[2])
        held = (_held(network, HOST_NUMBERS[vertex], version) for version in plan.versions)
        addresses = () if switch else tuple(map(parse_interface, held))
        kind = Veth(Endpoint(f"m{other}", f"eth{vertex}"))
        mtu = draw(st.sampled_from((1500,) * 6 + (1400,)))
        up = draw(st.integers(0, 24)) != 0
        yield Device(f"eth{other}", kind, _mac(vertex, other), mtu, up, addresses, port)


def _held(network: int, number: int, version: int) -> str:
    """An address on a network, with the length of its prefix; number 0 is the network itself."""
    if version == 4:
        return f"{NETWORKS[network]}.{number}/24"
    return f"fd00:{NETWORKS[network].replace('.', ':')}::{number or ''}/64"


def _mac(vertex: int, number: int) -> MAC:
    return MAC(0x02_00_00_00_00_00 | vertex << 8 | number)


def _routes(draw: st.DrawFn, plan: _Plan, vertex: int) -> Iterator[Route]:
    """A route to each network that the host is not on, by the shortest way; now and then none, or one that points elsewhere."""
    import networkx as nx

    graph: Any = nx.Graph()
    for host in (each for each in plan.vertices if each not in plan.switches):
        graph.add_edges_from(((HOST, host), ("net", network)) for network in plan.networks(host))
    own = plan.networks(vertex)
    for network in sorted({*plan.network_of.values()} - set(own)):
        chance = draw(st.integers(0, 11))
        if chance == 0 or not nx.has_path(graph, (HOST, vertex), ("net", network)):
            continue
        path = nx.shortest_path(graph, (HOST, vertex), ("net", network))
        through, gateway = path[1][1], path[2][1]
        number = HOST_NUMBERS[gateway] if chance > 1 else 99
        for version in plan.versions:
            via = _held(through, number, version).partition("/")[0]
            yield Route(parse_prefix(_held(network, 0, version)), via=parse_address(via))


# --- flows -------------------------------------------------------------------------------------------------------


@st.composite
def _flow(draw: st.DrawFn, topology: Topology, plan: _Plan) -> NamedFlow:
    hosts = [f"m{vertex}" for vertex in plan.vertices if vertex not in plan.switches]
    source = draw(st.sampled_from(hosts))
    addresses = [held.ip for host in hosts for device in topology.namespaces[host].devices for held in device.addresses]
    nobody = [parse_address(text) for version in plan.versions for text in NOBODY[version]]
    destination = draw(st.sampled_from(addresses + nobody))
    ping = Protocol.ICMP if destination.version == 4 else Protocol.ICMPV6
    protocol, port = draw(st.sampled_from((*LISTENERS, (Protocol.TCP, 9), (Protocol.UDP, 9), (ping, 0))))
    crafted = protocol is Protocol.TCP and draw(st.integers(0, 5)) == 0
    flow = Flow(
        netns=source,
        destination=destination,
        protocol=protocol,
        dport=port,
        flags=draw(st.sampled_from(FLAGS)) if crafted else TCPFlags.SYN,
        ttl=draw(st.sampled_from((64,) * 9 + (1, 2))),
        payload=0 if protocol is Protocol.TCP else draw(st.sampled_from((0, 16, 16, 1372, 1460))),
        dont_fragment=True,
        mark=draw(st.sampled_from((0, 0, 0, 1, 0x4000))),
        owner=f"{source}/asker",
    )
    return NamedFlow(flow, source, f"{destination}:{port}")
