"""The CNI plugin ``bridge`` (v1.x) as flannel delegates to it: isDefaultGateway, hairpinMode, host-local addresses.

A node's pods hang on one Linux bridge, ``cni0``, which has the first address of the node's pod CIDR. Like the plugin, this makes
``cni0`` with the node's first pod and leaves it there: a node that never had one has none, and a packet to its pod CIDR follows
the default route.

Ref: containernetworking/plugins plugins/main/bridge/bridge.go: calcGatewayIP(), setupVeth(), ensureAddr() (v1.5);
flannel-io/cni-plugin flannel_linux.go: doCmdAdd(), getDelegateIPAM() (v1.5).
"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.dataclass import dataclass
from netsim.net.address import Address, InterfaceAddress, Prefix, parse_interface, parse_prefix
from netsim.topology.model import Bridge, BridgePort, Device, Endpoint, Listener, Netns, Role, Route, Veth
from netsim.topology.naming import address_mac, hashed_mac, node_netns, pod_netns, veth_name
from netsim.topology.plan import CNIPlan, MachinePlan, PlanProblem, PodPlan
from netsim.topology.sysctl import canonical, inherited_by_new_netns

BRIDGE = "cni0"
IN_POD = "eth0"

ENABLED_BY_THE_PLUGIN = {
    # sysctls that ADD writes on the node, by the family of the pod's addresses. Ref: bridge.go:enableIPForward()
    4: {"net.ipv4.ip_forward": "1"},
    6: {"net.ipv6.conf.all.forwarding": "1"},
}


@dataclass(frozen=True, slots=True)
class Attached:
    """What the plugin added to a node (``devices``: cni0, then a port a pod; ``routes``) and the pods' own namespaces."""

    devices: tuple[Device, ...]
    pods: tuple[Netns, ...]
    routes: tuple[Route, ...] = ()


def problems_of(pod: PodPlan, machine: MachinePlan) -> list[PlanProblem]:
    """Why the plugin could not have given this pod its addresses."""
    subject = f"pod/{pod.namespace}/{pod.name}"
    if not pod.addresses:
        return [
            PlanProblem(
                subject, "the pod has no address", "a pod that is placed on a node has one; is it still pending?"
            )
        ]
    advice = f"the pod CIDRs of {machine.name}: {', '.join(map(str, machine.pod_cidrs)) or 'none'}"
    return [
        PlanProblem(subject, f"{address} lies in no pod CIDR of its node {machine.name}", advice, path="status.podIP")
        for address in pod.addresses
        if cidr_of(address, machine.pod_cidrs) is None
    ]


def pod_namespace(
    pod: PodPlan, machine: MachinePlan, device: Device, routes: tuple[Route, ...], node_sysctls: dict[str, str]
) -> Netns:
    """A pod's namespace with its one device, whatever plugin made it."""
    own = {canonical(name): value for name, value in pod.sysctls.items()}
    return Netns(
        name=pod_netns(pod.namespace, pod.name),
        role=Role.POD,
        label=f"pod/{pod.namespace}/{pod.name}",
        node=machine.name,
        devices=(device,),
        routes=routes,
        sysctls={**inherited_by_new_netns(node_sysctls), **own},
        listeners=listeners_of(pod),
    )


def attach(machine: MachinePlan, pods: Sequence[PodPlan], cni: CNIPlan, node_sysctls: dict[str, str]) -> Attached:
    """Run ADD for each pod of the node, in order. The pods have addresses in the node's pod CIDRs (``problems_of``)."""
    if not pods and not machine.had_pods:
        return Attached((), ())
    gateways = _gateways(machine, pods)
    bridge = Device(BRIDGE, Bridge(), address_mac(gateways[0].ip), cni.mtu, addresses=gateways)
    ports: list[Device] = []
    namespaces: list[Netns] = []
    for pod in pods:
        name = veth_name(f"{machine.name}/{pod.namespace}/{pod.name}", {port.name for port in ports})
        namespaces.append(_pod(pod, machine, cni, Endpoint(node_netns(machine.name), name), node_sysctls))
        peer = Endpoint(namespaces[-1].name, IN_POD)
        mac = hashed_mac(f"{machine.name}/{name}")
        ports.append(Device(name, Veth(peer), mac, cni.mtu, port=BridgePort(BRIDGE, hairpin=cni.hairpin)))
    return Attached((bridge, *ports), tuple(namespaces))


def listeners_of(pod: PodPlan) -> tuple[Listener, ...]:
    """The pod's listeners with owners ``namespace/pod/container``."""
    return tuple(
        Listener(listener.protocol, listener.port, listener.address, _owner(pod, listener.owner))
        for listener in pod.listeners
    )


def gateway_of(cidr: Prefix) -> InterfaceAddress:
    """The bridge's address: the first after the network's own. Ref: bridge.go:calcGatewayIP()."""
    return parse_interface(f"{cidr.network_address + 1}/{cidr.prefixlen}")


def _gateways(machine: MachinePlan, pods: Sequence[PodPlan]) -> tuple[InterfaceAddress, ...]:
    in_use = {
        cidr for pod in pods for address in pod.addresses if (cidr := cidr_of(address, machine.pod_cidrs)) is not None
    }
    return tuple(gateway_of(cidr) for cidr in machine.pod_cidrs if cidr in in_use or machine.had_pods)


def _pod(pod: PodPlan, machine: MachinePlan, cni: CNIPlan, peer: Endpoint, node_sysctls: dict[str, str]) -> Netns:
    cidrs = [(address, cidr) for address in pod.addresses if (cidr := cidr_of(address, machine.pod_cidrs)) is not None]
    addresses = tuple(parse_interface(f"{address}/{cidr.prefixlen}") for address, cidr in cidrs)
    device = Device(IN_POD, Veth(peer), address_mac(pod.addresses[0]), cni.mtu, addresses=addresses)
    routes = tuple(route for _, cidr in cidrs for route in _routes(cidr, cni))
    return pod_namespace(pod, machine, device, routes, node_sysctls)


def _routes(cidr: Prefix, cni: CNIPlan) -> list[Route]:
    """The default route (isDefaultGateway) and flannel's route to the whole pod network, both through the bridge."""
    gateway = gateway_of(cidr).ip
    default = parse_prefix("0.0.0.0/0" if cidr.version == 4 else "::/0")
    cluster = [network for network in cni.cluster_cidrs if network.version == cidr.version]
    return [Route(to, device=IN_POD, via=gateway) for to in (default, *cluster) if to != cidr]


def cidr_of(address: Address, cidrs: Sequence[Prefix]) -> Prefix | None:
    """The pod CIDR that an address lies in, None where it lies in none."""
    return next((cidr for cidr in cidrs if cidr.version == address.version and address in cidr), None)


def _owner(pod: PodPlan, given: str) -> str:
    if "/" in given:
        return given
    container = given or next(iter(pod.containers), "")
    return "/".join(part for part in (pod.namespace, pod.name, container) if part)
