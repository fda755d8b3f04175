"""flanneld (v0.26): the way to each other node's pods by one of its backends, and its own iptables rules.

| backend | device                                   | route to another node's pods                    |
| host-gw | none                                     | via the node's public address                   |
| vxlan   | ``flannel.1`` (IPv6: ``flannel-v6.1``)   | via its device's address, onlink, with a permanent neighbour and an FDB entry |
| ipip    | ``flannel.ipip``, IPv4 only              | via the node's public address, onlink           |

Ref: flannel-io/flannel pkg/backend/hostgw/hostgw.go, pkg/backend/vxlan/vxlan_network.go, pkg/backend/vxlan/device.go,
pkg/backend/ipip/ipip.go, pkg/trafficmngr/iptables/iptables.go: masqRules(), masqIP6Rules(),
forwardRules(); pkg/trafficmngr/trafficmngr.go KubeProxyMark (v0.26).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, Family, Prefix, parse_interface
from netsim.objects.cluster import CNIBackend
from netsim.topology.lan import Card
from netsim.topology.model import IPIP, Device, FdbEntry, Neighbour, Route, Vxlan
from netsim.topology.naming import hashed_mac
from netsim.topology.plan import CNIPlan, MachinePlan

KUBE_PROXY_MARK = "0x4000/0x4000"
MULTICAST = {Family.IPV4: "224.0.0.0/4", Family.IPV6: "ff00::/8"}


VNI, PORT = 1, 8472
VXLAN_DEVICE = {4: f"flannel.{VNI}", 6: f"flannel-v6.{VNI}"}
VXLAN_OVERHEAD = {4: 50, 6: 70}
IPIP_DEVICE = "flannel.ipip"
IPIP_OVERHEAD = 20


@dataclass(frozen=True, slots=True)
class Backend:
    """What flanneld adds to a node so that it reaches the other nodes' pods."""

    devices: tuple[Device, ...] = ()
    routes: tuple[Route, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[FdbEntry, ...] = ()


def backend(
    kind: CNIBackend, machine: MachinePlan, card: Card, others: Sequence[tuple[MachinePlan, Card]], underlay_mtu: int
) -> Backend:
    """A node's part, with the first cards of the node and of all nodes; ``underlay_mtu`` in bytes."""
    peers = [(other, other_card) for other, other_card in others if other.name != machine.name]
    match kind:
        case CNIBackend.HOST_GW:
            return Backend(routes=host_gw_routes(machine, card, others))
        case CNIBackend.VXLAN:
            return _vxlan(machine, card, peers, underlay_mtu)
        case CNIBackend.IPIP:
            return _ipip(machine, card, peers, underlay_mtu)
        case _ as never:
            assert_never(never)


def _vxlan(machine: MachinePlan, card: Card, peers: Sequence[tuple[MachinePlan, Card]], underlay_mtu: int) -> Backend:
    devices: list[Device] = []
    for cidr in machine.pod_cidrs:
        local = _public(card, cidr.version)
        if local is not None:
            name, mtu = VXLAN_DEVICE[cidr.version], underlay_mtu - VXLAN_OVERHEAD[cidr.version]
            kind = Vxlan(VNI, local, PORT, card.device, learning=False)
            own = parse_interface(f"{cidr.network_address}/{cidr.max_prefixlen}")
            devices.append(Device(name, kind, vtep_mac(machine.name, name), mtu, addresses=(own,)))
    there = {device.name for device in devices}
    ways = [
        (VXLAN_DEVICE[cidr.version], cidr, public, vtep_mac(other.name, VXLAN_DEVICE[cidr.version]))
        for other, cidr, public in _subnets(peers)
        if VXLAN_DEVICE[cidr.version] in there
    ]
    return Backend(
        tuple(devices),
        tuple(Route(cidr, device=name, via=cidr.network_address, onlink=True) for name, cidr, _, _ in ways),
        tuple(Neighbour(name, cidr.network_address, mac) for name, cidr, _, mac in ways),
        tuple(FdbEntry(name, mac, public) for name, _, public, mac in ways),
    )


def vtep_mac(node: str, device: str) -> MAC:
    """The MAC of a node's vxlan device; flanneld draws one and writes it into the Node's annotations."""
    return hashed_mac(f"{node}/{device}")


def _ipip(machine: MachinePlan, card: Card, peers: Sequence[tuple[MachinePlan, Card]], underlay_mtu: int) -> Backend:
    own = _of(machine.pod_cidrs, Family.IPV4)
    local = _public(card, 4)
    if own is None or local is None:
        return Backend()
    address = parse_interface(f"{own.network_address}/32")
    device = Device(IPIP_DEVICE, IPIP(local), MAC(0), underlay_mtu - IPIP_OVERHEAD, addresses=(address,))
    routes = (
        Route(cidr, device=IPIP_DEVICE, via=public, onlink=True)
        for _, cidr, public in _subnets(peers)
        if cidr.version == 4
    )
    return Backend((device,), tuple(routes))


def _subnets(peers: Sequence[tuple[MachinePlan, Card]]) -> Iterator[tuple[MachinePlan, Prefix, Address]]:
    """Each pod CIDR of each other node, with the node's public address of its family."""
    for other, card in peers:
        for cidr in other.pod_cidrs:
            if (public := _public(card, cidr.version)) is not None:
                yield other, cidr, public


def host_gw_routes(machine: MachinePlan, card: Card, others: Sequence[tuple[MachinePlan, Card]]) -> tuple[Route, ...]:
    """Routes to the other nodes' pod CIDRs through the nodes themselves.

    A node's public address is the first of its family on its first card. Where the other's is not on the network of this card, flanneld's
    route is refused by the kernel ("network is unreachable") and there is none: host-gw needs one layer 2 network.
    """
    return tuple(
        Route(cidr, device=card.device, via=public)
        for other, other_card in others
        if other.name != machine.name
        for cidr in other.pod_cidrs
        if (public := _public(other_card, cidr.version)) is not None
        and any(public in address.network for address in card.addresses if address.version == cidr.version)
    )


def flannel_rules(machine: MachinePlan, cni: CNIPlan, family: Family) -> str:
    """The rules of flanneld for one family, as ``iptables-restore --noflush`` takes them; empty without a pod network of that family.

    The jumps are appended (``-A``), and kube-proxy puts its own first (``-I``), so kube-proxy's come first in POSTROUTING and FORWARD
    whichever of them started first.
    """
    cluster = _of(cni.cluster_cidrs, family)
    if cluster is None:
        return ""
    pods = _of(machine.pod_cidrs, family)
    nat = _nat(cluster, pods, MULTICAST[family]) if cni.masquerade and pods is not None else ""
    return nat + (_filter(cluster) if cni.forward_rules else "")


def _nat(cluster: Prefix, pods: Prefix, multicast: str) -> str:
    comment = '-m comment --comment "flanneld masq"'
    chain = "-A FLANNEL-POSTRTG"
    return "\n".join(
        (
            "*nat",
            ":FLANNEL-POSTRTG - [0:0]",
            f"-A POSTROUTING {comment} -j FLANNEL-POSTRTG",
            f"{chain} -m mark --mark {KUBE_PROXY_MARK} {comment} -j RETURN",
            f"{chain} -s {pods} -d {cluster} {comment} -j RETURN",
            f"{chain} -s {cluster} -d {pods} {comment} -j RETURN",
            f"{chain} ! -s {cluster} -d {pods} {comment} -j RETURN",
            f"{chain} -s {cluster} ! -d {multicast} {comment} -j MASQUERADE --random-fully",
            f"{chain} ! -s {cluster} -d {cluster} {comment} -j MASQUERADE --random-fully",
            "COMMIT",
            "",
        )
    )


def _filter(cluster: Prefix) -> str:
    comment = '-m comment --comment "flanneld forward"'
    return "\n".join(
        (
            "*filter",
            ":FLANNEL-FWD - [0:0]",
            f"-A FORWARD {comment} -j FLANNEL-FWD",
            f"-A FLANNEL-FWD -s {cluster} {comment} -j ACCEPT",
            f"-A FLANNEL-FWD -d {cluster} {comment} -j ACCEPT",
            "COMMIT",
            "",
        )
    )


def _public(card: Card, version: int) -> Address | None:
    return next((address.ip for address in card.addresses if address.version == version), None)


def _of(prefixes: Sequence[Prefix], family: Family) -> Prefix | None:
    return next((prefix for prefix in prefixes if prefix.version == family.value), None)
