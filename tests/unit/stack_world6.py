"""The hand-made networks of ``stack_world`` in IPv6."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netsim.net.packet import Protocol
from netsim.topology.model import Bridge, BridgePort, Listener, Netns, Role, Route, Topology
from tests.unit.stack_world import WEB, device, netns, route, topology, veth

FORWARDING6 = {"net.ipv6.conf.all.forwarding": "1"}
SSHD = (Listener(Protocol.TCP, 22, owner="sshd"),)


def pod6(name: str, address: str, gateway: str, peer: str, *, listeners: Sequence[Listener] = WEB) -> Netns:
    eth0 = veth(f"{name}/eth0", peer, f"{address}/64")
    return netns(name, (eth0,), (route("default", gateway, "eth0"),), role=Role.POD, listeners=listeners)


def same_node6(*, hairpin: bool = False, sysctls: Mapping[str, str] | None = None, rules6: str = "") -> Topology:
    """Pods a (fd00:10::2) and b (::3) on the bridge cni0 (::1) of node n."""
    port = BridgePort("cni0", hairpin=hairpin)
    devices = (
        device("n", "cni0", Bridge(), "fd00:10::1/64"),
        veth("n/vetha", "a/eth0", port=port),
        veth("n/vethb", "b/eth0", port=port),
    )
    return topology(
        netns("n", devices, sysctls={**FORWARDING6, **(sysctls or {})}, rules6=rules6),
        pod6("a", "fd00:10::2", "fd00:10::1", "n/vetha"),
        pod6("b", "fd00:10::3", "fd00:10::1", "n/vethb"),
    )


def two_nodes6() -> Topology:
    """Pod a (fd00:10::2) on n1 (fd00::11), pod c (fd00:11::2) on n2 (fd00::12), a client x (fd00::100) and a switch between them."""
    return topology(
        _node("n1", "fd00::11", "fd00:10::1", "a", route("fd00:11::/64", "fd00::12")),
        _node("n2", "fd00::12", "fd00:11::1", "c", route("fd00:10::/64", "fd00::11")),
        netns(
            "sw",
            (
                device("sw", "br0", Bridge()),
                *(veth(f"sw/{host}", f"{host}/eth0", port=BridgePort("br0")) for host in ("n1", "n2", "x")),
            ),
            role=Role.SWITCH,
        ),
        pod6("a", "fd00:10::2", "fd00:10::1", "n1/vetha"),
        pod6("c", "fd00:11::2", "fd00:11::1", "n2/vethc"),
        netns(
            "x",
            (veth("x/eth0", "sw/x", "fd00::100/64"),),
            (route("fd00:11::/64", "fd00::12"),),
            role=Role.EXTERNAL,
        ),
    )


def _node(name: str, address: str, gateway: str, pod_name: str, towards_other: Route) -> Netns:
    devices = (
        veth(f"{name}/eth0", f"sw/{name}", f"{address}/64"),
        device(name, "cni0", Bridge(), f"{gateway}/64"),
        veth(f"{name}/veth{pod_name}", f"{pod_name}/eth0", port=BridgePort("cni0", hairpin=True)),
    )
    return netns(name, devices, (towards_other,), sysctls=FORWARDING6, listeners=SSHD)
