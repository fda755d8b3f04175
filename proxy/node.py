"""The node that a proxy runs on, as far as it decides what is programmed.

Ref: cmd/kube-proxy/app/server.go:detectNodeIPs(), pkg/util/node:GetNodeHostIPs() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from netsim.net.address import Address, Family, family_of, parse_address
from netsim.objects.core import ZONE_LABEL, Node
from proxy.addresses import parse_address_sloppy
from proxy.categorize import Place

_LOOPBACK = {Family.IPV4: parse_address("127.0.0.1"), Family.IPV6: parse_address("::1")}


@dataclass(frozen=True, slots=True)
class ProxyNode:
    """A node's name, primary addresses by family, labels, pod prefixes, interface addresses and sysctls.

    A family without an address has a loopback address in ``ips``, as kube-proxy makes it. ``addresses`` are those of
    all interfaces, from which ``nodePortAddresses`` picks. ``sysctls`` are those that differ from the default.
    """

    name: str
    ips: Mapping[Family, Address]
    labels: Mapping[str, str] = field(default_factory=dict)
    pod_cidrs: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    sysctls: Mapping[str, str] = field(default_factory=dict)

    @property
    def place(self) -> Place:
        """What endpoints' hints are compared with."""
        return Place(self.name, self.labels.get(ZONE_LABEL, ""))

    @property
    def families(self) -> tuple[Family, ...]:
        """The families in which the node has an address of its own, IPv4 first."""
        return tuple(family for family in Family if not self.ips[family].is_loopback)


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
    bind_address: str = "0.0.0.0",
    addresses: tuple[Address, ...] | None = None,
    sysctls: Mapping[str, str] | None = None,
) -> ProxyNode:
    """What a proxy on a node knows of it. ``addresses`` None stands for the Node's own addresses and loopback."""
    own = tuple(parse_address_sloppy(item.address) for item in node.status.addresses)
    return ProxyNode(
        name=node.metadata.name,
        ips=node_ips(node, bind_address),
        labels=node.metadata.labels,
        pod_cidrs=node.spec.pod_cidrs or ((node.spec.pod_cidr,) if node.spec.pod_cidr else ()),
        addresses=addresses if addresses is not None else (*(a for a in own if a is not None), *_LOOPBACK.values()),
        sysctls=sysctls or {},
    )
