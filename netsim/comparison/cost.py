"""What each mode costs: what it programs, and what one changed endpoint makes it tell the kernel, as Services grow in number."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.objects.core import EndpointSlice, Node, Service
from netsim.objects.json import Document
from netsim.objects.meta import Object
from proxy.config.model import KubeProxyConfiguration, ProxyMode
from proxy.iptables.sync import IptablesSync
from proxy.names import NamespacedName
from proxy.node import ProxyNode, proxy_node
from proxy.server import KubeProxy, iptables_proxy, ipvs_proxy, nftables_proxy

if TYPE_CHECKING:
    from proxy.ipvs.sync import IpvsSync
    from proxy.nftables.sync import NftablesSync

SIZES = (10, 100, 1000)
ENDPOINTS = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """What a node of a cluster with ``services`` Services of three endpoints has, and what one endpoint's change takes.

    ``rules`` of iptables or nftables, ``sets`` (of ipset; sets and maps of nftables) with ``elements`` in them, ``virtual`` servers of IPVS
    with ``real`` servers. ``update_lines`` and ``update_bytes`` are what the kernel's tools are told after one endpoint was replaced.
    """

    mode: ProxyMode
    services: int
    rules: int
    sets: int
    elements: int
    virtual: int
    real: int
    update_lines: int
    update_bytes: int


def costs(sizes: Sequence[int] = (), modes: Sequence[ProxyMode] = tuple(ProxyMode)) -> Iterator[Cost]:
    """The cost of each mode at each size; no ``sizes``: at SIZES."""
    return (_cost(mode, size) for mode in modes for size in sizes or SIZES)


def _cost(mode: ProxyMode, size: int) -> Cost:
    running = _proxy(mode)
    for number in range(size):
        running.on_service(NamespacedName("default", f"s{number}"), Service.of(Object.of(_service(number))))
        running.on_endpoint_slice(EndpointSlice.of(Object.of(_slice(number, ENDPOINTS))))
    first = running.sync(0)[Family.IPV4]
    running.on_endpoint_slice(EndpointSlice.of(Object.of(_slice(0, ENDPOINTS + 1))))
    update = _update(running.sync(1)[Family.IPV4])
    return Cost(mode, size, *_programmed(first), _lines(update), len(update.encode()))


def _proxy(mode: ProxyMode) -> KubeProxy[IptablesSync] | KubeProxy[IpvsSync] | KubeProxy[NftablesSync]:
    configuration = KubeProxyConfiguration(mode=mode, cluster_cidrs=("10.128.0.0/9",))
    place = _place(configuration)
    match mode:
        case ProxyMode.IPTABLES:
            return iptables_proxy(configuration, place)
        case ProxyMode.IPVS:
            return ipvs_proxy(configuration, place)
        case ProxyMode.NFTABLES:
            return nftables_proxy(configuration, place)
        case never:
            assert_never(never)


def _place(configuration: KubeProxyConfiguration) -> ProxyNode:
    addresses = [{"type": "InternalIP", "address": "192.168.0.1"}]
    document: Document = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "node1"},
        "status": {"addresses": addresses},
    }
    return proxy_node(Node.of(Object.of(document)), name="node1", bind_address=configuration.bind_address, sysctls={})


def _programmed(sync: IptablesSync | IpvsSync | NftablesSync) -> tuple[int, int, int, int, int]:
    """Rules, sets, elements, virtual servers, real servers."""
    from proxy.ipvs.sync import IpvsSync

    if isinstance(sync, IptablesSync):
        return _rules(sync.rules()), 0, 0, 0, 0
    if isinstance(sync, IpvsSync):
        servers = sync.virtual_servers.values()
        elements = sum(len(each.members) for each in sync.sets.values())
        return _rules(sync.rules()), len(sync.sets), elements, len(servers), sum(len(s.real_servers) for s in servers)
    table = sync.table()
    sets = len(re.findall(r"^add (?:set|map) ", table, re.MULTILINE))
    elements = sum(len(found) for found in sync.elements.values())
    return len(re.findall(r"^add rule ", table, re.MULTILINE)), sets, elements, 0, 0


def _rules(text: str) -> int:
    return sum(line.startswith("-A ") for line in text.splitlines())


def _update(sync: IptablesSync | IpvsSync | NftablesSync) -> str:
    """What the tools are told at this sync."""
    from proxy.ipvs.sync import IpvsSync

    if isinstance(sync, IptablesSync):
        return sync.restore
    if isinstance(sync, IpvsSync):
        return f"{sync.restore}{sync.changes.ipset}{sync.changes.ipvsadm}"
    return f"{sync.cleanup}{sync.transaction}"


def _lines(text: str) -> int:
    return len(text.splitlines())


# --- a cluster of that size -------------------------------------------------------------------------------------


def _service(number: int) -> Document:
    address = _address(96, number)
    spec: Document = {
        "type": "ClusterIP",
        "clusterIP": address,
        "clusterIPs": [address],
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
    }
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"s{number}", "namespace": "default"},
        "spec": spec,
    }


def _slice(number: int, last: int) -> Document:
    endpoints = [_endpoint(number * 4 + place) for place in (1, 2, last)]
    labels: Mapping[str, str] = {"kubernetes.io/service-name": f"s{number}"}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": f"s{number}-a", "namespace": "default", "labels": dict(labels)},
        "addressType": "IPv4",
        "endpoints": list(endpoints),
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}],
    }


def _endpoint(place: int) -> Document:
    conditions: Document = {"ready": True, "serving": True, "terminating": False}
    return {"addresses": [_address(128, place)], "conditions": conditions, "nodeName": f"node{place % 3 + 1}"}


def _address(first: int, number: int) -> str:
    return f"10.{first + number // 65536}.{number // 256 % 256}.{number % 256}"
