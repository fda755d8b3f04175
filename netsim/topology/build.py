"""From a described cluster to its wiring: what kubeadm, flannel and a CNI plugin would make of it.

    outside ── wan0 gateway eth0 ── switch.lan0 ── eth0 node.node1 cni0 ── vethXXXXXXXX ── eth0 pod.default.a
                            eth1 ── switch.lan1 ── …

Namespaces come in this order: outside, gateway, switches, nodes each with its pods, external hosts. The ``outside`` stands for
all that is not described: a packet that arrives there has left the modelled network. Rules (kube-proxy's, flannel's, the
node's own) are not made here; ``with_rules`` puts them in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, InterfaceAddress, parse_interface, parse_prefix
from netsim.net.packet import Protocol
from netsim.objects.cluster import CNIPlugin
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.ipset.ast import IPSets
from netsim.rules.xtables.ast import Ruleset
from netsim.topology.cni import bridge, flannel, ptp
from netsim.topology.devices import fitted
from netsim.topology.feasible import contradictions, unreachable_routers
from netsim.topology.lan import LAN, WAN, Card, arrange, on_link
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    Listener,
    Loopback,
    Neighbour,
    Netns,
    Role,
    Route,
    Topology,
    Veth,
)
from netsim.topology.naming import (
    GATEWAY_NETNS,
    OUTSIDE_NETNS,
    external_netns,
    hashed_mac,
    node_netns,
    port_name,
    switch_netns,
)
from netsim.topology.plan import (
    ClusterPlan,
    CNIPlan,
    ExternalPlan,
    HostPlan,
    MachinePlan,
    PlanError,
    PlanProblem,
    PodPlan,
)
from netsim.topology.sysctl import canonical

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Ruleset as NftRuleset

NODE_LISTENERS = (
    # what every node of a kubeadm cluster answers on, and whose it is
    (22, "sshd"),
    (10250, "kubelet"),
    (10256, "kube-proxy"),  # /healthz for load balancers
)
CONTROL_PLANE_LISTENERS = ((6443, "kube-apiserver"),)

NODE_SYSCTLS = {
    # what kubeadm's preflight demands of a node
    "net.ipv4.ip_forward": "1",
    "net.bridge.bridge-nf-call-iptables": "1",
    "net.bridge.bridge-nf-call-ip6tables": "1",
}
ROUTER_SYSCTLS = {"net.ipv4.ip_forward": "1", "net.ipv6.conf.all.forwarding": "1"}
SWITCH_SYSCTLS = {
    # a switch is a box without netfilter
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.bridge.bridge-nf-call-arptables": "0",
}
LOOPBACK = Device(
    "lo", Loopback(), MAC(0), mtu=65536, addresses=(parse_interface("127.0.0.1/8"), parse_interface("::1/128"))
)
LAN_MTU = 1500
UPLINK = "eth0"
SWITCH_BRIDGE = "br0"
DEFAULT = {4: parse_prefix("0.0.0.0/0"), 6: parse_prefix("::/0")}


def build(plan: ClusterPlan) -> Topology:
    """The cluster's wiring. Raises PlanError with all that no kernel would take."""
    _refuse(contradictions(plan))
    hosts: dict[str, HostPlan] = {node_netns(machine.name): machine for machine in plan.machines}
    hosts |= {external_netns(host.name): host for host in plan.externals}
    lan = arrange(hosts, [*plan.cni.cluster_cidrs, *(cidr for machine in plan.machines for cidr in machine.pod_cidrs)])
    _refuse(unreachable_routers(plan, lan))
    wiring = _Wiring(plan, lan, _Switches.of(lan))
    namespaces = [*wiring.world(), *wiring.switches()]
    for machine in plan.machines:
        namespaces += wiring.node(machine)
    namespaces += [wiring.external(host) for host in plan.externals]
    return fitted(Topology(plan.name, {netns.name: netns for netns in namespaces}), plan)


def with_rules(topology: Topology, rules: Mapping[str, Sequence[Ruleset]]) -> Topology:
    """The topology with rule sets added to namespaces, by name, after those already there; raises KeyError for an unknown namespace."""
    changed = {
        name: replace(topology.namespaces[name], xtables=(*topology.namespaces[name].xtables, *sets))
        for name, sets in rules.items()
    }
    return replace(topology, namespaces={**topology.namespaces, **changed})


def with_state(
    topology: Topology, ipsets: Mapping[str, IPSets], conntrack: Mapping[str, tuple[ConntrackEntry, ...]]
) -> Topology:
    """The topology with what namespaces know beforehand, by name: their sets and connections. Raises KeyError as with_rules does."""
    changed = {
        name: replace(
            topology.namespaces[name],
            ipsets=ipsets.get(name) or topology.namespaces[name].ipsets,
            conntrack=conntrack.get(name, ()),
        )
        for name in dict.fromkeys((*ipsets, *conntrack))
    }
    return replace(topology, namespaces={**topology.namespaces, **changed})


def with_recent(topology: Topology, lists: Mapping[str, Mapping[str, tuple[Address, ...]]]) -> Topology:
    """The topology with addresses in lists of ``-m recent``, by namespace and list. Raises KeyError as with_rules does."""
    changed = {name: replace(topology.namespaces[name], recent=dict(found)) for name, found in lists.items()}
    return replace(topology, namespaces={**topology.namespaces, **changed})


def with_nftables(topology: Topology, rules: Mapping[str, tuple[NftRuleset, ...]]) -> Topology:
    """The topology with rules of nftables in namespaces, by name. Raises KeyError as with_rules does."""
    changed = {name: replace(topology.namespaces[name], nftables=rulesets) for name, rulesets in rules.items()}
    return replace(topology, namespaces={**topology.namespaces, **changed})


@dataclass(frozen=True, slots=True)
class _Switches:
    """The switches' ports by the endpoint that is plugged in, a mapping a segment."""

    ports: tuple[Mapping[Endpoint, str], ...]

    @classmethod
    def of(cls, lan: LAN) -> _Switches:
        plugged: list[list[Endpoint]] = [[] for _ in lan.segments]
        for netns, cards in ((GATEWAY_NETNS, lan.gateway_cards[1:]), *lan.cards.items()):
            for card in cards:
                plugged[card.segment].append(Endpoint(netns, card.device))
        return cls(tuple(_port_names(endpoints) for endpoints in plugged))

    def peer(self, segment: int, endpoint: Endpoint) -> Endpoint:
        return Endpoint(switch_netns(segment), self.ports[segment][endpoint])


def _port_names(endpoints: Sequence[Endpoint]) -> dict[Endpoint, str]:
    names: dict[Endpoint, str] = {}
    for endpoint in endpoints:
        names[endpoint] = port_name(
            endpoint.netns.split(".", 1)[-1], endpoint.device, (SWITCH_BRIDGE, "lo", *names.values())
        )
    return names


@dataclass(frozen=True, slots=True)
class _Wiring:
    plan: ClusterPlan
    lan: LAN
    plugs: _Switches

    def world(self) -> tuple[Netns, Netns]:
        """The outside and the gateway."""
        here, there = Endpoint(GATEWAY_NETNS, WAN), Endpoint(OUTSIDE_NETNS, UPLINK)
        inner = tuple(pair[0] for pair in self.lan.transit)
        outer = tuple(pair[1] for pair in self.lan.transit)
        outside = Netns(
            name=OUTSIDE_NETNS,
            role=Role.OUTSIDE,
            label="internet",
            devices=(LOOPBACK, _veth(there, here, outer)),
            routes=_defaults(UPLINK, [address.ip for address in inner]),
        )
        gateway = Netns(
            name=GATEWAY_NETNS,
            role=Role.GATEWAY,
            label="gateway",
            devices=(
                LOOPBACK,
                _veth(here, there, inner),
                *(self._card(GATEWAY_NETNS, card) for card in self.lan.gateway_cards[1:]),
            ),
            routes=_given(
                self.plan.gateway.routes, self.lan.gateway_cards, _defaults(WAN, [address.ip for address in outer])
            ),
            sysctls={**ROUTER_SYSCTLS, **_canonical(self.plan.gateway.sysctls)},
        )
        return outside, gateway

    def switches(self) -> list[Netns]:
        return [self._switch(index) for index in range(len(self.lan.segments))]

    def node(self, machine: MachinePlan) -> list[Netns]:
        """A node and its pods."""
        pods = [pod for pod in self.plan.pods if pod.node == machine.name]
        on_bridge = [pod for pod in pods if not pod.host_network]
        sysctls = _node_sysctls(machine, on_bridge)
        attached = ATTACH[self.plan.cni.plugin](machine, on_bridge, self.plan.cni, sysctls)
        sysctls = {**_localnet(attached), **sysctls} if any(pod.host_ports for pod in on_bridge) else sysctls
        way = self._backend(machine)
        listeners = chain.from_iterable(bridge.listeners_of(pod) for pod in pods if pod.host_network)
        host = self._host(node_netns(machine.name), machine, (*way.routes, *attached.routes))
        netns = replace(
            host,
            role=Role.NODE,
            label=f"node/{machine.name}",
            node=machine.name,
            devices=(*host.devices, *way.devices, *attached.devices),
            neighbours=_neighbours(way.neighbours, host.neighbours),
            fdb=(*way.fdb, *host.fdb),
            sysctls=sysctls,
            listeners=(*_node_listeners(machine), *machine.listeners, *listeners),
        )
        return [netns, *(replace(pod, devices=(LOOPBACK, *pod.devices)) for pod in attached.pods)]

    def external(self, host: ExternalPlan) -> Netns:
        return self._host(external_netns(host.name), host, ())

    def _host(self, netns: str, host: HostPlan, routes: Sequence[Route]) -> Netns:
        cards = self.lan.cards[netns]
        return Netns(
            name=netns,
            role=Role.EXTERNAL,
            label=f"external/{host.name}",
            devices=(LOOPBACK, *(self._card(netns, card) for card in cards)),
            routes=_given(host.routes, cards, (*self._default_routes(netns, host), *routes)),
            sysctls=_canonical(host.sysctls),
            listeners=host.listeners,
            rules=host.rules,
            neighbours=host.neighbours,
            proxies=host.proxies,
            fdb=host.fdb,
        )

    def _card(self, netns: str, card: Card) -> Device:
        here = Endpoint(netns, card.device)
        return _veth(here, self.plugs.peer(card.segment, here), card.addresses)

    def _default_routes(self, netns: str, host: HostPlan) -> tuple[Route, ...]:
        given = {gateway.version: gateway for gateway in host.gateways}
        found = {router.version: router for router in self.lan.default_routers(netns)} | given
        cards = self.lan.cards[netns]
        pairs = [
            (found[version], card) for version in sorted(found) if (card := on_link(found[version], cards)) is not None
        ]
        return tuple(Route(DEFAULT[router.version], device=card.device, via=router) for router, card in pairs)

    def _backend(self, machine: MachinePlan) -> flannel.Backend:
        first = {other.name: self.lan.cards[node_netns(other.name)][0] for other in self.plan.machines}
        others = [(other, first[other.name]) for other in self.plan.machines]
        return flannel.backend(self.plan.cni.backend, machine, first[machine.name], others, LAN_MTU)

    def _switch(self, index: int) -> Netns:
        netns = switch_netns(index)
        ports = [
            Device(name, Veth(endpoint), hashed_mac(f"{netns}/{name}"), LAN_MTU, port=BridgePort(SWITCH_BRIDGE))
            for endpoint, name in self.plugs.ports[index].items()
        ]
        box = Device(SWITCH_BRIDGE, Bridge(), hashed_mac(f"{netns}/{SWITCH_BRIDGE}"), LAN_MTU)
        label = f"switch/{self.lan.segments[index].networks[0]}"
        return Netns(netns, Role.SWITCH, label, devices=(LOOPBACK, box, *ports), sysctls=SWITCH_SYSCTLS)


def _gateway_cards(lan: LAN) -> list[Card]:
    return [
        Card(f"eth{index}", segment.gateway, index) for index, segment in enumerate(lan.segments) if segment.gateway
    ]


def _veth(here: Endpoint, there: Endpoint, addresses: tuple[InterfaceAddress, ...]) -> Device:
    return Device(here.device, Veth(there), hashed_mac(str(here)), LAN_MTU, addresses=addresses)


def _defaults(device: str, routers: Sequence[Address]) -> tuple[Route, ...]:
    return tuple(Route(DEFAULT[router.version], device=device, via=router) for router in routers)


def _given(given: Sequence[Route], cards: Sequence[Card], made: Sequence[Route]) -> tuple[Route, ...]:
    """The routes of a host: those made for it, but for what its own routes say otherwise, then its own with their devices filled in."""
    own = tuple(_with_device(route, cards) for route in given)
    taken = {(route.to, route.metric, route.table) for route in own}
    return (*(route for route in made if (route.to, route.metric, route.table) not in taken), *own)


def _with_device(route: Route, cards: Sequence[Card]) -> Route:
    card = on_link(route.via, cards) if route.device is None and route.via is not None else None
    return route if card is None else replace(route, device=card.device)


def _node_listeners(machine: MachinePlan) -> list[Listener]:
    ports = (*NODE_LISTENERS, *(CONTROL_PLANE_LISTENERS if machine.control_plane else ()))
    return [Listener(Protocol.TCP, port, owner=f"{machine.name}/{program}") for port, program in ports]


ATTACH: Mapping[CNIPlugin, Callable[[MachinePlan, Sequence[PodPlan], CNIPlan, dict[str, str]], bridge.Attached]] = {
    # what the plugin's ADD does
    CNIPlugin.BRIDGE: bridge.attach,
    CNIPlugin.PTP: ptp.attach,
}


def _neighbours(made: Sequence[Neighbour], given: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """Those that programs made, but for what the machine's own say otherwise, then its own."""
    taken = {(entry.device, entry.address) for entry in given}
    return (*(entry for entry in made if (entry.device, entry.address) not in taken), *given)


def _localnet(attached: bridge.Attached) -> dict[str, str]:
    """``portmap`` lets 127.0.0.1 leave through the devices towards the pods. Ref: portmap.go:enableLocalnetRouting() (v1.5)."""
    return {f"net.ipv4.conf.{device.name}.route_localnet": "1" for device in attached.devices if device.addresses}


def _node_sysctls(machine: MachinePlan, pods: Sequence[PodPlan]) -> dict[str, str]:
    sysctls = dict(NODE_SYSCTLS)
    for version in sorted({address.version for pod in pods for address in pod.addresses}):
        sysctls |= bridge.ENABLED_BY_THE_PLUGIN[version]
    return sysctls | _canonical(machine.sysctls)


def _canonical(sysctls: Mapping[str, str]) -> dict[str, str]:
    return {canonical(name): value for name, value in sysctls.items()}


def _refuse(problems: Sequence[PlanProblem]) -> None:
    if problems:
        raise PlanError(tuple(problems))
