"""What the namespaces of a network remember from one packet to a later one, when rules, routes and devices have changed in between.

A ``Network`` is made for one topology. ``remember`` takes out of it what packets left behind; ``recall`` puts that into a network of
the same world at a later time: conntrack entries, lists of ``-m recent``, elements that packets put into sets of nftables, IPVS's
connections, sockets. Deadlines are times of the world's clock, so what ran out in between is gone. A namespace that is no longer
there is forgotten.

Not carried over: FDB and neighbours (they are learnt again), counters of ``statistic`` and ``numgen inc``, token buckets, path MTUs. The
windows of a TCP connection are not either: its later segments are never out of window, as with an entry that ``conntrack -I`` makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.stack.ip_vs_ctl import IPVS
from netsim.stack.ip_vs_seed import destination_of
from netsim.stack.namespace import Namespace
from netsim.stack.netfilter import Netfilter
from netsim.stack.network import Network
from netsim.stack.nf_conntrack_core import Conntrack
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.nft_state import SetState
from netsim.stack.sockets import Connection
from netsim.stack.x_tables import RecentEntry
from netsim.topology.model import Listener, Topology


@dataclass(frozen=True, slots=True)
class NamespaceMemory:
    """One namespace's. ``conntrack`` and ``ipvs`` go on in the next network.

    ``recent`` is by list and address, ``sets`` by family, table and set.
    """

    conntrack: Conntrack | None = None
    recent: Mapping[str, Mapping[object, RecentEntry]] = field(default_factory=dict)
    sets: Mapping[tuple[str, str, str], SetState] = field(default_factory=dict)
    ipvs: IPVS | None = None
    clients: Mapping[Connection, str] = field(default_factory=dict)
    accepted: Mapping[Connection, Listener] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Memory:
    """A world's, by the namespace's name."""

    namespaces: Mapping[str, NamespaceMemory] = field(default_factory=dict)

    def of(self, netns: str) -> NamespaceMemory:
        """What a namespace remembers; nothing where no packet came to it."""
        return self.namespaces.get(netns) or NamespaceMemory()

    def forget(self, netns: str, forgotten: Callable[[NfConn], bool]) -> None:
        """Remove some of a namespace's conntrack entries, as ``conntrack -D`` does."""
        table = self.of(netns).conntrack
        for ct in [ct for ct in table or () if forgotten(ct)]:
            assert table is not None
            table.kill(ct)


def begin(topology: Topology, network: Callable[[Topology], Network]) -> Memory:
    """What the topology says that its namespaces know beforehand."""
    fresh = network(topology)
    for name, netns in topology.namespaces.items():
        if netns.conntrack or netns.recent or netns.ipvs_connections:
            fresh.namespace(name)
    return remember(fresh, Memory())


def with_memory_apart(topology: Topology) -> Topology:
    """The topology without what its namespaces know beforehand: a memory holds that."""
    namespaces = {
        name: replace(netns, conntrack=(), recent={}, ipvs_connections=())
        if netns.conntrack or netns.recent or netns.ipvs_connections
        else netns
        for name, netns in topology.namespaces.items()
    }
    return replace(topology, namespaces=namespaces)


def remember(network: Network, before: Memory) -> Memory:
    """The memory after the packets that walked in a network, which began with ``before``."""
    touched = {ns.name: _of(ns) for ns in network.touched()}
    return Memory({**before.namespaces, **touched})


def _of(ns: Namespace) -> NamespaceMemory:
    netfilter = ns.netfilter
    tables = netfilter.state if isinstance(netfilter, Netfilter) else None
    return NamespaceMemory(
        netfilter.conntrack if isinstance(netfilter, Netfilter) else None,
        dict(tables.recent) if tables else {},
        dict(tables.nft.sets) if tables else {},
        ns.ipvs,
        dict(ns.sockets.clients),
        dict(ns.sockets.accepted),
    )


def recall(network: Network, topology: Topology, memory: Memory) -> None:
    """Give a fresh network what is remembered. Nothing else was before it: IPVS's schedulers begin where they begin."""
    for name, netns in topology.namespaces.items():
        if netns.ipvs.servers and (ipvs := network.namespace(name).ipvs) is not None:
            ipvs.fresh = True
    for name, held in memory.namespaces.items():
        if name not in topology.namespaces:
            continue
        ns = network.namespace(name)
        ns.sockets.clients.update(held.clients)
        ns.sockets.accepted.update(
            {c: listener for c, listener in held.accepted.items() if listener in ns.sockets.listeners}
        )
        if isinstance(ns.netfilter, Netfilter):
            _recall_tables(ns.netfilter, held)
        if ns.ipvs is not None and held.ipvs is not None:
            _recall_ipvs(ns.ipvs, held.ipvs)


def _recall_tables(netfilter: Netfilter, held: NamespaceMemory) -> None:
    if held.conntrack is not None:
        for ct in held.conntrack:
            for sender in ct.windows.seen.values():
                sender.liberal = True
        netfilter.conntrack.resume(held.conntrack)
    netfilter.state.recent.update({name: dict(entries) for name, entries in held.recent.items()})
    netfilter.state.nft.sets.update(held.sets)


def _recall_ipvs(ipvs: IPVS, earlier: IPVS) -> None:
    """Connections with the real servers as they are now; one that is gone is kept, unavailable. Ref: ip_vs_trash_get_dest()."""
    ipvs.resume(earlier)
    for conn in ipvs.conns:
        key = conn.key
        mark, address = (key.vaddr, conn.daddr) if isinstance(key.vaddr, int) else (0, key.vaddr)
        service = ipvs.find_service(mark, key.protocol, address, key.vport)
        if service is None or conn.dest not in service.dests:
            ipvs.conns.rebind(conn, destination_of((conn.daddr, conn.dport), service))
