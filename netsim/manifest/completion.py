"""A draft of a cluster → the ClusterSpec: the defaults are filled in. ``netsim.manifest.agreement`` checks the whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from netsim.manifest import networks
from netsim.manifest.agreement import check_draft, check_spec
from netsim.manifest.drafts import ClusterDraft, Defaults, ExternalDraft, NodeDraft
from netsim.manifest.entries import Report
from netsim.manifest.fields import Spot
from netsim.net.address import Address, InterfaceAddress, Prefix, parse_interface, parse_prefix
from netsim.objects.cluster import (
    CONTROL_PLANE_LABEL,
    DEFAULT_POD_CIDRS,
    DEFAULT_SERVICE_CIDRS,
    FORWARDING_SYSCTLS,
    NODE_NETWORKS,
    ClusterNode,
    ClusterSpec,
    ExternalHost,
    NoRoomError,
    node_pod_cidrs,
)

_T = TypeVar("_T")

DEFAULT_NODES = ("node1", "node2")

_KUBEADM = Defaults(DEFAULT_POD_CIDRS, DEFAULT_SERVICE_CIDRS, (NODE_NETWORKS[4],))
_IPV6 = Defaults((parse_prefix("fd00:10:244::/56"),), (parse_prefix("fd00:10:96::/112"),), (NODE_NETWORKS[6],))
_NODE_OFFSET = 11


def complete(draft: ClusterDraft, report: Report) -> ClusterSpec:
    """Fill in what nobody said. What does not fit together goes to the report."""
    draft.nodes = draft.nodes or [NodeDraft(name) for name in DEFAULT_NODES]
    check_draft(draft, report)
    defaults = draft.defaults or _KUBEADM
    pods, services = _cidrs(draft, defaults)
    addresses = _node_addresses(draft, defaults, [cidr.version for cidr in pods])
    gateways = _said(draft.gateways) or tuple(_default_gateways(addresses))
    blocks = _pod_blocks(draft, pods, report)
    spec = ClusterSpec(
        name=draft.name,
        pod_cidrs=pods,
        service_cidrs=services,
        cni=draft.cni,
        gateways=gateways,
        load_balancer_pools=_said(draft.load_balancer_pools),
        nodes=tuple(_node(*row, pods) for row in zip(draft.nodes, addresses, blocks, strict=True)),
        external=tuple(_external(host, gateways) for host in draft.external),
        kube_proxy=draft.kube_proxy,
        origin=draft.spot.origin if draft.spot is not None else None,
    )
    if not draft.doubtful:
        check_spec(draft, spec, report)
    return spec


def _said(pairs: Iterable[tuple[_T, Spot]]) -> tuple[_T, ...]:
    return tuple(value for value, _ in pairs)


# --- networks ---------------------------------------------------------------------------------------------------


def _cidrs(draft: ClusterDraft, defaults: Defaults) -> tuple[tuple[Prefix, ...], tuple[Prefix, ...]]:
    """Pod and service CIDRs. Where only one of the two was said, the other has its families."""
    pods, services = _said(draft.pod_cidrs), _said(draft.service_cidrs)
    if not pods and not services:
        return defaults.pod_cidrs, defaults.service_cidrs
    pods = pods or tuple(_of_families(services, (*defaults.pod_cidrs, *_KUBEADM.pod_cidrs, *_IPV6.pod_cidrs)))
    services = services or tuple(
        _of_families(pods, (*defaults.service_cidrs, *_KUBEADM.service_cidrs, *_IPV6.service_cidrs))
    )
    return pods, services


def _of_families(like: Sequence[Prefix], choices: Sequence[Prefix]) -> Iterator[Prefix]:
    for cidr in like:
        yield next(choice for choice in choices if choice.version == cidr.version)


def _node_addresses(
    draft: ClusterDraft, defaults: Defaults, versions: Sequence[int]
) -> list[tuple[InterfaceAddress, ...]]:
    """Every node's addresses: those that were said, and for each family of the pods that it has none of, the next free one."""
    said: list[list[InterfaceAddress]] = [[a for a, _ in node.addresses] for node in draft.nodes]
    firsts: dict[int, InterfaceAddress] = {
        address.version: address for address in (*_IPV6.first_addresses, *_KUBEADM.first_addresses)
    }
    firsts |= {address.version: address for address in defaults.first_addresses}
    for version in dict.fromkeys(versions):
        given = [address for addresses in said for address in addresses if address.version == version]
        start = _start(given, firsts[version])
        used: list[Address] = [address.ip for address in given]
        used += [a.ip for host in draft.external for a, _ in host.addresses]
        used += [a for a, _ in draft.gateways] or [start.network.network_address + 1]
        free = networks.free_addresses(start.network, start.ip, used)
        for addresses in said:
            if not any(address.version == version for address in addresses):
                addresses += [address for _, address in zip(range(1), free, strict=False)]
    return [tuple(addresses) for addresses in said]


def _start(given: Sequence[InterfaceAddress], default: InterfaceAddress) -> InterfaceAddress:
    """Where free addresses are looked for: in the network of the nodes that have one."""
    if not given or given[0].network == default.network:
        return default
    network = given[0].network
    offset = _NODE_OFFSET if network.num_addresses > 2 * _NODE_OFFSET else 1
    return parse_interface(f"{network.network_address + offset}/{network.prefixlen}")


def _default_gateways(addresses: Sequence[Sequence[InterfaceAddress]]) -> Iterator[Address]:
    """The first address of the nodes' network, for each family, unless a node has it."""
    taken = {address.ip for row in addresses for address in row}
    seen: set[int] = set()
    for address in (address for row in addresses for address in row):
        if address.version not in seen:
            seen.add(address.version)
            first = address.network.network_address + 1
            if first in address.network and first not in taken:
                yield first


def _pod_blocks(draft: ClusterDraft, pods: Sequence[Prefix], report: Report) -> list[tuple[Prefix, ...]]:
    """A block of each pod CIDR for each node; blocks that were said are not handed out again."""
    said = [_said(node.pod_cidrs) for node in draft.nodes]
    if all(said):
        return said
    roles = [CONTROL_PLANE_LABEL in node.labels for node in draft.nodes]
    try:
        blocks = node_pod_cidrs(pods, roles, taken=[cidr for row in said for cidr in row])
    except NoRoomError as error:
        spot = next((spot for _, spot in draft.pod_cidrs), draft.spot)
        if spot is not None:
            advice = "give the cluster a larger podCIDR, or give each node its own podCIDR"
            report.error(spot.entry, spot.path, str(error), advice)
        return [()] * len(draft.nodes)
    return [row or block for row, block in zip(said, blocks, strict=True)]


# --- machines ---------------------------------------------------------------------------------------------------


def _node(
    draft: NodeDraft, addresses: tuple[InterfaceAddress, ...], blocks: tuple[Prefix, ...], pods: Sequence[Prefix]
) -> ClusterNode:
    sysctls = {key: value for cidr in pods for key, value in FORWARDING_SYSCTLS[cidr.version].items()}
    return ClusterNode(
        name=draft.name,
        addresses=addresses,
        pod_cidrs=blocks,
        labels=draft.labels,
        annotations=draft.annotations,
        taints=draft.taints,
        unschedulable=draft.unschedulable,
        allocatable=draft.allocatable,
        kube_proxy_runs=draft.kube_proxy_runs,
        sysctls={**sysctls, **draft.sysctls},
        iptables=draft.iptables,
        ip6tables=draft.ip6tables,
        texts=draft.texts,
        routes=_said(draft.routes),
        routing=draft.routing,
        recent=draft.recent,
        kube_proxy=draft.kube_proxy,
        origin=draft.spot.origin if draft.spot is not None else None,
    )


def _external(draft: ExternalDraft, gateways: Sequence[Address]) -> ExternalHost:
    """A host outside; its gateway is by default the router of the nodes' network where it is on that network."""
    own = [address.network for address, _ in draft.addresses]
    ips = {address.ip for address, _ in draft.addresses}
    near = tuple(g for g in gateways if g not in ips and any(g.version == n.version and g in n for n in own))
    return ExternalHost(
        name=draft.name,
        addresses=_said(draft.addresses),
        gateways=_said(draft.gateways) or near,
        routes=_said(draft.routes),
        routing=draft.routing,
        recent=draft.recent,
        sysctls=draft.sysctls,
        iptables=draft.iptables,
        ip6tables=draft.ip6tables,
        texts=draft.texts,
        listen=draft.listen,
        origin=draft.spot.origin,
    )
