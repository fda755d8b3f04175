"""A world that goes on: control plane, kube-proxies and what packets left behind, under one clock.

The kube-proxies sync as often as theirs may (``minSyncPeriod``), unless they are held back. After a sync they forget UDP flows to
endpoints that are gone, as the real one does. Between two instants at which anything happens nothing is computed.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import field, replace
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.manifest import Loaded
from netsim.net.packet import Protocol
from netsim.objects.cluster import ClusterNode
from netsim.objects.core import EndpointSlice, Node
from netsim.objects.meta import Key
from netsim.scenario.build import assembled, configurations_of, steady
from netsim.scenario.kube_proxies import NodeProxy, feed_of, place_of, proxy_of, start
from netsim.scenario.world import World
from netsim.stack.memory import Memory, begin, recall, remember, with_memory_apart
from netsim.stack.network import Network
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.steps import Chooser, Clock, Recorder
from netsim.topology.model import Netns, Topology
from netsim.topology.naming import node_netns
from netsim.trace.explore import SeededChooser
from netsim.trace.model import Flow, Trace
from netsim.trace.recording import Recording
from netsim.trace.selection import Selection
from netsim.trace.trace import trace
from proxy.config.model import KubeProxyConfiguration, ProxyMode
from proxy.conntrack import UDPFlow, stale_flows
from proxy.ipvs.virtual_server import RealServer, VirtualServer
from proxy.runner import sync_runner

NANOSECONDS = 1_000_000_000
StaleFlows: TypeAlias = Callable[[Iterable[UDPFlow]], frozenset[UDPFlow]]


@dataclass(slots=True)
class _Connections:
    """What kube-proxy in ipvs mode asks of a node: how many connections a real server has."""

    live: LiveWorld
    netns: str

    def count(self, server: VirtualServer, real: RealServer) -> int:
        """Active and inactive connections, as ``ipvsadm -Ln`` counts them together."""
        ipvs = self.live.memory.of(self.netns).ipvs
        virtual = (server.address, server.port)
        return sum(
            (conn.key.vaddr, conn.key.vport) == virtual and (conn.daddr, conn.dport) == (real.address, real.port)
            for conn in (ipvs.conns if ipvs is not None else ())
            if not conn.template
        )


class LiveProxy:
    """A node's kube-proxy: what it has programmed, and when it does so next."""

    def __init__(self, live: LiveWorld, node: ClusterNode, configuration: KubeProxyConfiguration) -> None:
        store = live.plane.store
        self.node, self.configuration, self.held = node, configuration, False
        item = Node.of(store.get(Key("Node", "", node.name)))
        self._item = item
        self._place = place_of(node, configuration, item)
        self.netns = node_netns(node.name)
        self._proxy = proxy_of(configuration, self._place, _Connections(live, self.netns))
        self._feed = feed_of(self._proxy, store)
        self._runner = sync_runner(configuration, _nanoseconds(live.now))
        self._waiting = self._feed.pull()
        self._check_at: int | None = None
        self.programmed = NodeProxy(self._place, configuration, {})
        self.syncs = 0
        if node.kube_proxy_runs:
            self.sync(live)

    def pull(self, now: float) -> None:
        """Take in what the API server tells."""
        due = self._feed.pull() or (self._check_at is not None and _nanoseconds(now) >= self._check_at)
        if due:
            self._runner.request(_nanoseconds(now))
            self._waiting = True

    @property
    def due_at(self) -> float | None:
        """When it syncs next, in seconds; None where it has no reason to, does not run or is held back."""
        if self.held or not self.node.kube_proxy_runs:
            return None
        times = ([self._runner.due_at] if self._waiting else []) + ([self._check_at] if self._check_at else [])
        return min(times) / NANOSECONDS if times else None

    def sync(self, live: LiveWorld) -> None:
        """Program the node, and forget the UDP flows that nobody answers any more.

        What iptables and nftables modes program is made anew from the objects: it is the same as what their changes add up to, and says so
        in one text. ipvs mode keeps real servers while they have connections, so it goes on from what it programmed.
        """
        now = _nanoseconds(live.now)
        synced = self._proxy.sync(now)
        if self.configuration.mode is ProxyMode.IPVS:
            self.programmed = NodeProxy(self._place, self.configuration, synced)
            self._check_at = min(
                (c for s in synced.values() if (c := getattr(s, "next_check", None)) is not None), default=None
            )
        else:
            there = live.plane.store.find(Key("Node", "", self.node.name))
            self._item = Node.of(there) if there is not None else self._item
            self.programmed = start(live.plane.store, self.node, self.configuration, self._item)
        self._runner.ran(now)
        self._waiting = False
        self.syncs += 1
        live.forget_stale(self.netns, self._stale)

    def _stale(self, flows: Iterable[UDPFlow]) -> frozenset[UDPFlow]:
        found = list(flows)
        return frozenset(
            flow for proxier in self._proxy.proxiers.values() for flow in stale_flows(proxier.plans, found)
        )


def _nanoseconds(seconds: float) -> int:
    return round(seconds * NANOSECONDS)


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that happened by itself: seconds since the cluster came to rest, who, and what."""

    at: float
    who: str
    what: str


@dataclass(slots=True)
class _Seen:
    """What was last told of the endpoints."""

    endpoints: dict[tuple[str, str], frozenset[str]] = field(default_factory=dict)


class LiveWorld:
    """A cluster that came to rest, and goes on from there."""

    def __init__(self, loaded: Loaded, mode: ProxyMode | None = None) -> None:
        self.loaded, self.mode = loaded, mode
        self.plane = steady(loaded)
        self._began = self.plane.clock.now()
        self.memory = Memory()
        configurations = configurations_of(loaded.cluster, mode)
        self.proxies = {node.name: LiveProxy(self, node, configurations[node.name]) for node in loaded.cluster.nodes}
        self.happenings: list[Happening] = []
        self._seen = _Seen(self._endpoints())
        self._made: tuple[object, World, Topology] | None = None
        self._sandboxes: dict[str, str] = {}
        self._remade: dict[str, int] = {}
        self._had_pods: set[str] = set()
        self.memory = begin(self.world.topology, self._fresh)
        self.plane.observe(self._look)

    @property
    def now(self) -> float:
        """The world's clock, in seconds."""
        return self.plane.clock.now()

    @property
    def elapsed(self) -> float:
        """Seconds since the cluster came to rest."""
        return self.now - self._began

    # --- time -------------------------------------------------------------------------------------------------------

    def advance(self, elapsed: float) -> None:
        """Let time go by to an instant; everything that is due on the way happens at its own time."""
        until = self._began + elapsed
        while True:
            self._proxies_work()
            timers = [self.plane.clock.next_timer, *(proxy.due_at for proxy in self.proxies.values()), until]
            following = min((when for when in timers if when is not None and when > self.now), default=until)
            if self.now >= until:
                return
            self.plane.run_until(min(following, until))

    def settle(self) -> None:
        """Let everything that is due at this instant happen."""
        self.advance(self.elapsed)
        self.plane.run_until(self.now)
        self._proxies_work()

    def _proxies_work(self) -> None:
        for name, proxy in self.proxies.items():
            proxy.pull(self.now)
            due = proxy.due_at
            if due is not None and due <= self.now:
                self.tell("kube-proxy", f"{name} syncs")
                proxy.sync(self)

    def tell(self, who: str, what: str) -> None:
        """Write down that something happened now."""
        self.happenings.append(Happening(self.elapsed, who, what))

    def _look(self) -> None:
        """After each round of the control plane: what became of the endpoints?"""
        endpoints = self._endpoints()
        for service in sorted({*endpoints, *self._seen.endpoints}):
            before = self._seen.endpoints.get(service, frozenset())
            after = endpoints.get(service, frozenset())
            words = [f"+{end}" for end in sorted(after - before)] + [f"-{end}" for end in sorted(before - after)]
            if words:
                self.tell("endpoints", f"{service[0]}/{service[1]}: {' '.join(words)}")
        self._seen.endpoints = endpoints

    def _endpoints(self) -> dict[tuple[str, str], frozenset[str]]:
        found: dict[tuple[str, str], set[str]] = {}
        for item in self.plane.store.list("EndpointSlice").items:
            view = EndpointSlice.of(item)
            ends = found.setdefault((item.metadata.namespace, view.service_name), set())
            for endpoint in view.endpoints:
                state = "" if endpoint.conditions.ready else " (not ready)"
                if endpoint.conditions.terminating:
                    state = " (terminating)" if endpoint.conditions.serving else " (terminating, not serving)"
                ends.add(f"{endpoint.addresses[0]}{state}")
        return {service: frozenset(ends) for service, ends in found.items() if service[1]}

    # --- the world at this instant -----------------------------------------------------------------------------------

    @property
    def world(self) -> World:
        """Everything as it is now; made anew only where something changed."""
        dark = self.plane.faults.dark_nodes()
        stamp = (self.plane.store.resource_version, tuple(proxy.syncs for proxy in self.proxies.values()), dark)
        if self._made is None or self._made[0] != stamp:
            programmed = {name: proxy.programmed for name, proxy in self.proxies.items()}
            world = assembled(self.loaded, self.mode, self.plane, programmed, self._had_pods)
            world = replace(world, topology=_without_power(world.topology, dark))
            self._forget_what_is_gone(world, dark)
            self._had_pods |= {
                pod.spec.node_name for pod in world.pods() if not pod.spec.host_network and world.pod_netns(pod)
            }
            self._made = (stamp, world, with_memory_apart(world.topology))
        return self._made[1]

    def _forget_what_is_gone(self, world: World, dark: Container[str | None]) -> None:
        """A sandbox that was made anew has a namespace of its own, and a node that lost its power comes back with empty tables."""
        pods = {
            netns: f"{pod.metadata.uid} {pod.status.pod_ip}"
            for pod in world.pods()
            if (netns := world.pod_netns(pod)) is not None and not pod.spec.host_network
        }
        gone = {netns for netns, sandbox in self._sandboxes.items() if pods.get(netns) != sandbox}
        gone |= {name for name, netns in world.topology.namespaces.items() if netns.node in dark}
        self.memory = Memory({name: held for name, held in self.memory.namespaces.items() if name not in gone})
        self._sandboxes = pods
        for netns in gone:
            self._remade[netns] = self._remade.get(netns, 0) + 1

    # --- packets ----------------------------------------------------------------------------------------------------

    def send(self, flow: Flow, *, source: str, target: str, seed: int) -> Trace:
        """One branch of a flow, drawn by a seed, with all that earlier packets left behind; what it leaves behind stays."""
        world = self.world
        assert self._made is not None
        topology = self._made[2]
        walked: list[Network] = []

        def network(of: Topology, recorder: Recorder, chooser: Chooser, clock: Clock) -> Network:
            walked.append(Network(of, recorder, chooser, clock))
            return walked[-1]

        found = trace(
            topology,
            flow,
            source=source,
            target=target,
            selection=Selection(seed=seed),
            expected=world.expected(flow.destination, flow.dport or None),
            clock=self.plane.clock,
            seed=seed,
            prepare=lambda _: recall(walked[-1], topology, self.memory),
            network=network,
        )
        self.memory = remember(walked[-1], self.memory)
        return found

    def incarnation(self, netns: str) -> int:
        """How often what was in a namespace has gone: sockets of before are no more. -1 where there is none of that name."""
        return self._remade.get(netns, 0) if netns in self.world.topology.namespaces else -1

    def silence(self, netns: str, label: str) -> str:
        """Why nobody sends from a namespace; empty where somebody may."""
        found = self.world.topology.namespaces.get(netns)
        if found is None:
            return f"{label} is gone"
        return f"{found.node} has no power" if found.node in self.plane.faults.dark_nodes() else ""

    def _fresh(self, topology: Topology) -> Network:
        return Network(topology, Recording(), SeededChooser(0), self.plane.clock)

    def connections(self, node: str) -> tuple[NfConn, ...]:
        """The conntrack entries of a node that have not run out."""
        return tuple(self.memory.of(node_netns(node)).conntrack or ())

    def flush_conntrack(self, node: str) -> None:
        """``conntrack -F`` on a node."""
        self.memory.forget(node_netns(node), lambda _: True)

    def forget_stale(self, netns: str, stale: StaleFlows) -> None:
        """Forget the UDP flows of a namespace that are stale."""
        udp = [ct for ct in self.memory.of(netns).conntrack or () if ct.original.protocol == Protocol.UDP]
        gone = stale(map(_udp_flow, udp))
        if gone:
            self.memory.forget(netns, lambda ct: ct.original.protocol == Protocol.UDP and _udp_flow(ct) in gone)
            flows = f"{len(gone)} stale UDP flow{'s' if len(gone) > 1 else ''}"
            self.tell("kube-proxy", f"{netns.removeprefix('node.')} forgets {flows}")


def _udp_flow(ct: NfConn) -> UDPFlow:
    return UDPFlow(ct.original.dst, ct.original.dport, ct.reply.src)


def _without_power(topology: Topology, dark: tuple[str, ...]) -> Topology:
    """The topology with every device of nodes without power down."""
    if not dark:
        return topology
    namespaces: dict[str, Netns] = {
        name: replace(netns, devices=tuple(replace(device, up=False) for device in netns.devices))
        if netns.node in dark
        else netns
        for name, netns in topology.namespaces.items()
    }
    return replace(topology, namespaces=namespaces)
