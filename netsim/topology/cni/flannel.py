"""flanneld (v0.26) with the host-gw backend: a route to each other node's pods, and its own iptables rules.

Ref: flannel-io/flannel pkg/backend/hostgw/hostgw.go, pkg/trafficmngr/iptables/iptables.go: masqRules(), masqIP6Rules(),
forwardRules(); pkg/trafficmngr/trafficmngr.go KubeProxyMark (v0.26).
"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.net.address import Address, Family, Prefix
from netsim.topology.lan import Card
from netsim.topology.model import Route
from netsim.topology.plan import CNIPlan, MachinePlan

KUBE_PROXY_MARK = "0x4000/0x4000"
MULTICAST = {Family.IPV4: "224.0.0.0/4", Family.IPV6: "ff00::/8"}


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
