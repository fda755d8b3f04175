"""A topology as a networkx graph: for what asks about connection and not about packets.

networkx is imported where it is used, so that a trace does not pay for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.topology.model import Endpoint, Topology, Veth

if TYPE_CHECKING:
    import networkx as nx


def as_graph(topology: Topology) -> nx.Graph[str | Endpoint]:
    """Namespaces and devices.

    A namespace is a node named by its name, with ``kind="netns"``, ``role`` and ``label``; a device is a node that is its ``Endpoint``,
    with ``kind`` the name of its class in lower case. Edges have ``link``: ``in`` (a device in its namespace), ``veth`` (the two
    ends of a pair), ``port`` (a port and its bridge). Ends, masters and peers that do not exist have no edge.
    """
    import networkx as nx

    graph: nx.Graph[str | Endpoint] = nx.Graph(name=topology.name)
    for netns in topology.namespaces.values():
        graph.add_node(netns.name, kind="netns", role=netns.role.value, label=netns.label)
        for device in netns.devices:
            here = Endpoint(netns.name, device.name)
            graph.add_node(here, kind=type(device.kind).__name__.lower())
            graph.add_edge(netns.name, here, link="in")
    for here, there, link in _links(topology):
        if here in graph and there in graph:
            graph.add_edge(here, there, link=link)
    return graph


def namespace_graph(topology: Topology) -> nx.Graph[str]:
    """Namespaces alone, joined where a veth pair joins them; ``pairs`` is the list of (end, end), the first namespace's end first."""
    import networkx as nx

    graph: nx.Graph[str] = nx.Graph(name=topology.name)
    graph.add_nodes_from(topology.namespaces)
    for here, there, link in _links(topology):
        if link != "veth" or there.netns not in topology.namespaces or here.netns == there.netns:
            continue
        if not graph.has_edge(here.netns, there.netns):
            graph.add_edge(here.netns, there.netns, pairs=[])
        pairs = graph.edges[here.netns, there.netns]["pairs"]
        if (there, here) not in pairs:
            pairs.append((here, there))
    return graph


def joined(topology: Topology) -> list[tuple[str, str, list[tuple[Endpoint, Endpoint]]]]:
    """Pairs of namespaces with the veth pairs between them, in the topology's order."""
    graph = namespace_graph(topology)
    return [(one, other, graph.edges[one, other]["pairs"]) for one, other in graph.edges]


def segments(topology: Topology) -> tuple[tuple[Endpoint, ...], ...]:
    """The layer 2 segments: devices that hear each other's broadcasts, in the topology's order. ``lo`` is in none."""
    import networkx as nx

    graph = _layer2(topology)
    order = {endpoint: index for index, endpoint in enumerate(graph)}
    groups = [tuple(sorted(group, key=order.__getitem__)) for group in nx.connected_components(graph)]
    return tuple(sorted(groups, key=lambda group: order[group[0]]))


def loops(topology: Topology) -> tuple[tuple[Endpoint, ...], ...]:
    """Circles of bridges and links, on which a flooded frame never ends; each begins at its least endpoint."""
    import networkx as nx

    found = []
    for cycle in nx.cycle_basis(_layer2(topology)):
        start = cycle.index(min(cycle, key=str))
        forward = cycle[start:] + cycle[:start]
        backward = [forward[0], *reversed(forward[1:])]
        found.append(tuple(min(forward, backward, key=lambda way: [str(step) for step in way])))
    return tuple(sorted(found, key=lambda way: [str(step) for step in way]))


def _layer2(topology: Topology) -> nx.Graph[Endpoint]:
    import networkx as nx

    graph: nx.Graph[Endpoint] = nx.Graph()
    for netns in topology.namespaces.values():
        graph.add_nodes_from(Endpoint(netns.name, device.name) for device in netns.devices if device.name != "lo")
    graph.add_edges_from((here, there) for here, there, _ in _links(topology) if here in graph and there in graph)
    return graph


def _links(topology: Topology) -> list[tuple[Endpoint, Endpoint, str]]:
    links: list[tuple[Endpoint, Endpoint, str]] = []
    for netns in topology.namespaces.values():
        for device in netns.devices:
            here = Endpoint(netns.name, device.name)
            if isinstance(device.kind, Veth):
                links.append((here, device.kind.peer, "veth"))
            if device.port is not None:
                links.append((here, Endpoint(netns.name, device.port.master), "port"))
    return links
