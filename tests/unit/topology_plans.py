"""Small clusters for the tests of the topology, written as a person would describe them."""

from __future__ import annotations

from netsim.net.address import parse_address, parse_interface, parse_prefix
from netsim.net.packet import Protocol
from netsim.topology.model import Listener, Netns, Topology
from netsim.topology.plan import ClusterPlan, CNIPlan, ExternalPlan, MachinePlan, PodPlan

CLUSTER_CIDRS = (parse_prefix("10.244.0.0/16"),)
DUAL_CIDRS = (*CLUSTER_CIDRS, parse_prefix("fd00:244::/48"))


def machine(number: int, *addresses: str, pod_cidrs: tuple[str, ...] | None = None, **more: object) -> MachinePlan:
    """node1 has 192.168.0.11/24 and 10.244.1.0/24."""
    cidrs = pod_cidrs if pod_cidrs is not None else (f"10.244.{number}.0/24",)
    return MachinePlan(
        name=f"node{number}",
        addresses=tuple(map(parse_interface, addresses or (f"192.168.0.{10 + number}/24",))),
        pod_cidrs=tuple(map(parse_prefix, cidrs)),
        **more,  # type: ignore[arg-type]
    )


def pod(name: str, node: int, *addresses: str, **more: object) -> PodPlan:
    """A pod of the namespace ``default`` with one container, ``web``, on 8080."""
    return PodPlan(
        namespace="default",
        name=name,
        node=f"node{node}",
        addresses=tuple(map(parse_address, addresses)),
        containers=("web",),
        listeners=(Listener(Protocol.TCP, 8080),),
        **more,  # type: ignore[arg-type]
    )


def external(name: str, *addresses: str, **more: object) -> ExternalPlan:
    return ExternalPlan(name, tuple(map(parse_interface, addresses)), **more)  # type: ignore[arg-type]


def cluster(
    *machines: MachinePlan,
    pods: tuple[PodPlan, ...] = (),
    externals: tuple[ExternalPlan, ...] = (),
    cni: CNIPlan | None = None,
    **more: object,
) -> ClusterPlan:
    return ClusterPlan("test", machines, cni or CNIPlan(CLUSTER_CIDRS), pods, externals, **more)  # type: ignore[arg-type]


def two_nodes() -> ClusterPlan:
    """Two nodes, two pods on the first and one on the second, a client beside them."""
    return cluster(
        machine(1, control_plane=True),
        machine(2),
        pods=(pod("a", 1, "10.244.1.2"), pod("b", 1, "10.244.1.3"), pod("c", 2, "10.244.2.2")),
        externals=(external("client", "192.168.0.100/24"),),
    )


def dual_stack() -> ClusterPlan:
    """The same with both families."""
    return cluster(
        machine(1, "192.168.0.11/24", "fd00:10::11/64", pod_cidrs=("10.244.1.0/24", "fd00:244:0:1::/64")),
        machine(2, "192.168.0.12/24", "fd00:10::12/64", pod_cidrs=("10.244.2.0/24", "fd00:244:0:2::/64")),
        pods=(pod("a", 1, "10.244.1.2", "fd00:244:0:1::2"), pod("c", 2, "10.244.2.2", "fd00:244:0:2::2")),
        externals=(external("far", "203.0.113.7", "2001:db8:7::7"),),
        cni=CNIPlan(DUAL_CIDRS),
    )


def routes(netns: Netns) -> list[str]:
    """``TO via ROUTER dev DEVICE``, as ``ip route`` writes it."""
    return [
        " ".join(filter(None, (str(r.to), r.via and f"via {r.via}", r.device and f"dev {r.device}")))
        for r in netns.routes
    ]


def addresses(topology: Topology, netns: str, device: str) -> list[str]:
    found = topology.namespaces[netns].device(device)
    assert found is not None
    return [str(address) for address in found.addresses]
