"""The node that a proxy runs on, as far as it decides what is programmed.

Ref: cmd/kube-proxy/app/server.go:detectNodeIPs(), pkg/util/node:GetNodeHostIPs() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, family_of, parse_address
from netsim.objects.core import ZONE_LABEL, Node
from netsim.objects.meta import ObjectMeta
from proxy.addresses import parse_address_sloppy
from proxy.categorize import Place

_LOOPBACK = {Family.IPV4: parse_address("127.0.0.1"), Family.IPV6: parse_address("::1")}


@dataclass(frozen=True, slots=True)
class ProxyNode:
    """A node's name, primary addresses by family, labels, pod prefixes, interface addresses and sysctls.

    A family without an address has a loopback address in ``ips``, as kube-proxy makes it. ``addresses`` are those of
    all interfaces, from which ``nodePortAddresses`` picks. ``sysctls`` are those that differ from the default.
    ``families`` are those in which the node has an address of its own, IPv4 first (IPv4 where it has
    none): a proxier runs for each.
    """

    name: str
    ips: Mapping[Family, Address]
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_cidrs: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)
    families: tuple[Family, ...] = (Family.IPV4,)

    @property
    def place(self) -> Place:
        """What endpoints' hints are compared with."""
        return Place(self.name, self.labels.get(ZONE_LABEL, ""))


def node_ips(node: Node, bind_address: str = "0.0.0.0") -> Mapping[Family, Address]:
    """A node's primary address in each family: the first InternalIP, else the first ExternalIP, else loopback.

    ``bind_address`` overrides its family's unless it is unspecified.
    """
    ips = dict(_LOOPBACK)
    for kind in ("ExternalIP", "InternalIP"):
        for item in reversed(node.status.addresses):
            address = parse_address_sloppy(item.address) if item.type == kind else None
            if address is not None:
                ips[family_of(address)] = address
    bound = parse_address_sloppy(bind_address)
    if bound is not None and not bound.is_unspecified:
        ips[family_of(bound)] = bound
    return ips


def proxy_node(
    node: Node,
    *,
    name: str = "",
    bind_address: str = "0.0.0.0",
    addresses: tuple[Address, ...] | None = None,
    sysctls: Mapping[str, str] | None = None,
) -> ProxyNode:
    """What a proxy on a node knows of it. ``addresses`` None stands for the Node's own addresses and loopback.

    ``name`` is ``hostnameOverride``: under a name that is not the Node's, the proxy finds no Node of its own, and so has
    neither its addresses nor its labels, and takes no endpoint to be local.
    """
    found = node if name in ("", node.metadata.name) else Node(ObjectMeta(name=name))
    own = tuple(a for item in node.status.addresses if (a := parse_address_sloppy(item.address)) is not None)
    return ProxyNode(
        name=found.metadata.name,
        ips=node_ips(found, bind_address),
        labels=found.metadata.labels,
        pod_cidrs=found.spec.pod_cidrs or ((found.spec.pod_cidr,) if found.spec.pod_cidr else ()),
        addresses=addresses if addresses is not None else (*own, *_LOOPBACK.values()),
        sysctls=sysctls or {},
        families=tuple(f for f in Family if any(family_of(a) is f for a in own)) or (Family.IPV4,),
    )
