"""The CNI plugin ``ptp`` (v1.x): each pod on a veth pair of its own, without a bridge, and a host route to each of its addresses.

The node's end has the gateway's address (the first of the node's pod CIDR) with a full prefix length, as every other pod's end has. The pod
keeps the prefix length of its address but not the route that comes with it: everything goes through the gateway.

Ref: containernetworking/plugins plugins/main/ptp/ptp.go: setupContainerVeth(), setupHostVeth();
pkg/ip/route_linux.go: AddHostRoute() (v1.5).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.net.address import Address, Prefix, parse_interface, parse_prefix
from netsim.topology.cni.bridge import IN_POD, Attached, cidr_of, gateway_of, pod_namespace
from netsim.topology.model import Device, Endpoint, Netns, Route, RouteScope, Veth
from netsim.topology.naming import address_mac, hashed_mac, node_netns, pod_netns, veth_name
from netsim.topology.plan import CNIPlan, MachinePlan, PodPlan


def attach(machine: MachinePlan, pods: Sequence[PodPlan], cni: CNIPlan, node_sysctls: dict[str, str]) -> Attached:
    """Run ADD for each pod of the node, in order. The pods have addresses in the node's pod CIDRs (``bridge.problems_of``)."""
    ends: list[Device] = []
    namespaces: list[Netns] = []
    routes: list[Route] = []
    for pod in pods:
        name = veth_name(f"{machine.name}/{pod.namespace}/{pod.name}", {end.name for end in ends})
        held = [(ip, cidr) for ip in pod.addresses if (cidr := cidr_of(ip, machine.pod_cidrs)) is not None]
        gateways = tuple(parse_interface(_host(gateway_of(cidr).ip)) for _, cidr in held)
        peer = Endpoint(pod_netns(pod.namespace, pod.name), IN_POD)
        ends.append(Device(name, Veth(peer), hashed_mac(f"{machine.name}/{name}"), cni.mtu, addresses=gateways))
        routes += [Route(parse_prefix(_host(ip)), device=name, scope=_scope(ip)) for ip, _ in held]
        namespaces.append(_pod(pod, machine, cni, Endpoint(node_netns(machine.name), name), held, node_sysctls))
    return Attached(tuple(ends), tuple(namespaces), tuple(routes))


def _pod(
    pod: PodPlan,
    machine: MachinePlan,
    cni: CNIPlan,
    peer: Endpoint,
    held: Sequence[tuple[Address, Prefix]],
    node_sysctls: dict[str, str],
) -> Netns:
    addresses = tuple(parse_interface(f"{ip}/{cidr.prefixlen}") for ip, cidr in held)
    device = Device(IN_POD, Veth(peer), address_mac(pod.addresses[0]), cni.mtu, addresses=addresses, noprefixroute=True)
    routes = tuple(route for ip, cidr in held for route in _pod_routes(ip, cidr, cni))
    return pod_namespace(pod, machine, device, routes, node_sysctls)


def _pod_routes(ip: Address, cidr: Prefix, cni: CNIPlan) -> Iterator[Route]:
    """To the gateway, through it to the node's other pods, then the configuration's routes: the default and flannel's pod network."""
    gateway = gateway_of(cidr).ip
    scope = RouteScope.LINK if ip.version == 4 else None
    yield Route(parse_prefix(_host(gateway)), device=IN_POD, source=ip, scope=scope)
    yield Route(cidr, device=IN_POD, via=gateway, source=ip)
    default = parse_prefix("0.0.0.0/0" if cidr.version == 4 else "::/0")
    cluster = [network for network in cni.cluster_cidrs if network.version == cidr.version]
    for to in (default, *cluster):
        if to != cidr:
            yield Route(to, device=IN_POD, via=gateway)


def _scope(ip: Address) -> RouteScope | None:
    """``AddHostRoute()`` says scope host; IPv6 routes have none."""
    return RouteScope.HOST if ip.version == 4 else None


def _host(ip: Address) -> str:
    return f"{ip}/{ip.max_prefixlen}"
