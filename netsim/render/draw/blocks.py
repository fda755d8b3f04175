"""What a picture shows of a topology: blocks, what stands in them, and which block hangs on which.

A block is a namespace with the pods that hang on its bridge. networkx puts the blocks in layers, breadth first from the outside of the
world (or the gateway, or the first block), one tree a connected component; links that are in no tree are ``extra``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from netsim.dataclass import dataclass
from netsim.net.address import Prefix
from netsim.topology.graph import namespace_graph
from netsim.topology.model import Bridge, Device, Endpoint, Listener, Loopback, Netns, Role, Topology, Veth

if TYPE_CHECKING:
    import networkx as nx

ROOTS = (Role.OUTSIDE, Role.GATEWAY, Role.SWITCH, Role.NODE, Role.EXTERNAL, Role.POD)

SUBTITLES = {
    Role.OUTSIDE: "everything not modelled",
    Role.GATEWAY: "router",
    Role.SWITCH: "switch",
    Role.NODE: "node",
    Role.EXTERNAL: "external host",
    Role.POD: "pod",
}


@dataclass(frozen=True, slots=True)
class Chip:
    """A device that is drawn inside its block, with its addresses; ``wired`` where it has a peer."""

    device: str
    lines: tuple[str, ...]
    wired: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """A pod on a node's bridge; ``port`` is the name of the bridge port that it hangs on."""

    netns: str
    title: str
    lines: tuple[str, ...]
    ports: tuple[str, ...]
    port: str


@dataclass(frozen=True, slots=True)
class Bus:
    """A bridge inside a block, with what hangs on it."""

    device: str
    lines: tuple[str, ...]
    leaves: tuple[Leaf, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A namespace as it is drawn. ``ports`` is what it listens on; ``is_switch`` blocks are drawn as a bar."""

    netns: str
    role: Role
    title: str
    subtitle: str
    chips: tuple[Chip, ...]
    ports: tuple[str, ...]
    buses: tuple[Bus, ...]
    is_switch: bool = False

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All pods inside."""
        return tuple(leaf for bus in self.buses for leaf in bus.leaves)


@dataclass(frozen=True, slots=True)
class Link:
    """A veth pair between two blocks; ``upper`` is nearer to the root, or the first of the two in the topology."""

    upper: Endpoint
    lower: Endpoint


@dataclass(frozen=True, slots=True)
class Tree:
    """A block, the link that it hangs on (None at a root), and what hangs on it in turn."""

    block: Block
    link: Link | None
    children: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Scene:
    """All that is drawn: a tree a connected component, and the links that are in none."""

    roots: tuple[Tree, ...]
    extra: tuple[Link, ...]


def scene(topology: Topology) -> Scene:
    """The picture's content. Raises nothing for a broken topology: a link to nowhere is left out."""
    import networkx as nx

    graph = namespace_graph(topology)
    homes = _homes(topology)
    blocks = {name: _block(netns, topology, homes) for name, netns in topology.namespaces.items() if name not in homes}
    graph.remove_nodes_from(homes)
    order = {name: index for index, name in enumerate(topology.namespaces)}
    roots = []
    for members in sorted(nx.connected_components(graph), key=lambda group: min(order[name] for name in group)):
        first = min(members, key=lambda name: (ROOTS.index(topology.namespaces[name].role), order[name]))
        parents = nx.bfs_predecessors(graph, first, sort_neighbors=lambda names: sorted(names, key=order.__getitem__))
        roots.append(_tree(first, None, list(parents), graph, blocks))
    trees = tuple(roots)
    used = {link for root in trees for link in _links(root)}
    every = [link for a, b in graph.edges for link in _between(a, b, graph)]
    extra = [link for link in every if link not in used and Link(link.lower, link.upper) not in used]
    return Scene(trees, tuple(extra))


def prefixes_of(netns: Netns, topology: Topology) -> tuple[Prefix, ...]:
    """The IP networks of the hosts on a switch, in order, each once."""
    found: list[Prefix] = []
    for device in netns.devices:
        if isinstance(device.kind, Veth) and (far := topology.namespaces.get(device.kind.peer.netns)) is not None:
            peer = far.device(device.kind.peer.device)
            found += [address.network for address in peer.addresses] if peer is not None else []
    return tuple(dict.fromkeys(found))


def port_texts(listeners: Iterable[Listener]) -> tuple[str, ...]:
    """Listening ports, ``8080`` for tcp and ``53/udp`` for others, each once."""
    texts = (
        str(one.port) if one.protocol.name == "TCP" else f"{one.port}/{one.protocol.name.lower()}" for one in listeners
    )
    return tuple(dict.fromkeys(texts))


def _homes(topology: Topology) -> dict[str, Endpoint]:
    """Pods that are drawn inside another block: those with one link, to a bridge port of what is no pod and no switch."""
    homes: dict[str, Endpoint] = {}
    for name, netns in topology.namespaces.items():
        peers = [device.kind.peer for device in netns.devices if isinstance(device.kind, Veth)]
        if netns.role is not Role.POD or len(peers) != 1:
            continue
        far = topology.namespaces.get(peers[0].netns)
        port = None if far is None else far.device(peers[0].device)
        if (
            far is not None
            and far.role not in (Role.POD, Role.SWITCH)
            and port is not None
            and _bridge_of(port, far) is not None
        ):
            homes[name] = peers[0]
    return homes


def _bridge_of(port: Device, netns: Netns) -> Device | None:
    master = None if port.port is None else netns.device(port.port.master)
    return master if master is not None and isinstance(master.kind, Bridge) else None


def _block(netns: Netns, topology: Topology, homes: dict[str, Endpoint]) -> Block:
    is_switch = netns.role is Role.SWITCH
    buses = () if is_switch else tuple(_buses(netns, topology, homes))
    inside = {endpoint.device for endpoint in homes.values() if endpoint.netns == netns.name}
    shown = [
        device
        for device in netns.devices
        if not isinstance(device.kind, Loopback | Bridge) and device.name not in inside
    ]
    networks = " · ".join(map(str, prefixes_of(netns, topology)))
    return Block(
        netns=netns.name,
        role=netns.role,
        title=(networks or netns.label) if is_switch else _title(netns),
        subtitle=SUBTITLES[netns.role],
        chips=()
        if is_switch
        else tuple(Chip(device.name, _addresses(device), _wired(device, topology)) for device in shown),
        ports=port_texts(netns.listeners),
        buses=buses,
        is_switch=is_switch,
    )


def _wired(device: Device, topology: Topology) -> bool:
    return isinstance(device.kind, Veth) and device.kind.peer.netns in topology.namespaces


def _buses(netns: Netns, topology: Topology, homes: dict[str, Endpoint]) -> Iterable[Bus]:
    for bridge in netns.devices:
        if isinstance(bridge.kind, Bridge):
            hanging = [
                (name, port)
                for name, endpoint in homes.items()
                if endpoint.netns == netns.name
                and (port := netns.device(endpoint.device)) is not None
                and _bridge_of(port, netns) == bridge
            ]
            leaves = tuple(_leaf(topology.namespaces[name], port) for name, port in hanging)
            yield Bus(bridge.name, _addresses(bridge), leaves)


def _leaf(pod: Netns, port: Device) -> Leaf:
    lines = tuple(
        text
        for device in pod.devices
        if not isinstance(device.kind, Loopback)
        for text in _addresses(device, short=True)
    )
    return Leaf(pod.name, _title(pod), lines, port_texts(pod.listeners), port.name)


def _title(netns: Netns) -> str:
    """The label without its role: ``node/node1`` is ``node1``, ``pod/default/pod-a`` is ``pod-a``."""
    plain = netns.label.removeprefix(f"{netns.role.value}/")
    return plain.removeprefix("default/") if netns.role is Role.POD else plain


def _addresses(device: Device, *, short: bool = False) -> tuple[str, ...]:
    return tuple(str(address.ip if short else address) for address in device.addresses)


def _tree(
    name: str, link: Link | None, parents: Sequence[tuple[str, str]], graph: nx.Graph[str], blocks: dict[str, Block]
) -> Tree:
    children = [
        _tree(child, next(iter(_between(name, child, graph)), None), parents, graph, blocks)
        for child, parent in parents
        if parent == name
    ]
    return Tree(blocks[name], link, tuple(children))


def _between(upper: str, lower: str, graph: nx.Graph[str]) -> list[Link]:
    pairs: Sequence[tuple[Endpoint, Endpoint]] = graph.edges[upper, lower]["pairs"]
    return [Link(a, b) if a.netns == upper else Link(b, a) for a, b in pairs]


def _links(tree: Tree) -> list[Link]:
    own = [] if tree.link is None else [tree.link]
    return own + [link for child in tree.children for link in _links(child)]
