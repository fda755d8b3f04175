"""The plan for one service port: every decision that does not depend on the proxy's mode, made once.

A backend turns plans into rules and decides nothing about endpoints or policies itself. What it may ask of a plan:

- where traffic arrives: ``port.cluster_ip`` (internal), ``port.external_ips``, ``port.load_balancer_vips`` and
  ``port.node_port`` (external);
- which endpoints serve it: ``cluster`` under policy Cluster, ``local`` under policy Local, ``reachable`` their union;
  ``internal_endpoints`` and ``external_endpoints`` pick by the port's policies;
- what is refused and how: ``internal_refusal`` and ``external_refusal``;
- ``restricts_sources`` and ``allows_node``: the load balancer's source ranges.

Ref: pkg/proxy/iptables/proxier.go:syncProxyRules() (v1.37), the same block in ipvs/ and nftables/.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix
from proxy.categorize import Categories, Place, TopologyMode, categorize
from proxy.endpoint import Endpoint
from proxy.names import NamespacedName, ServicePortName
from proxy.service_port import ServicePort


class Refusal(Enum):
    """Why traffic to a destination of a service port is not served; the value is the tail of kube-proxy's comments."""

    NO_ENDPOINTS = "has no endpoints"
    """No node has a usable endpoint: the proxy rejects."""

    NO_LOCAL_ENDPOINTS = "has no local endpoints"
    """Policy Local, and this node has none, though another may: the proxy drops."""


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """What is to be done with one service port, in one family, on one node.

    ``endpoints`` are all that its EndpointSlices name, usable or not; ``cluster``, ``local`` and ``reachable`` as in
    ``proxy.categorize.Categories``. ``has_endpoints``: some node has a usable endpoint.
    ``internal_refusal`` is for the cluster IP, ``external_refusal`` for everything else; None where it is served. With an
    external refusal NO_LOCAL_ENDPOINTS, local clients of an external address are still short-circuited to ``cluster``.
    ``allows_node``: the node's own address lies in the source ranges.
    """

    name: ServicePortName
    port: ServicePort
    endpoints: tuple[Endpoint, ...]
    cluster: tuple[Endpoint, ...]
    local: tuple[Endpoint, ...]
    reachable: tuple[Endpoint, ...]
    has_endpoints: bool
    topology: TopologyMode
    internal_refusal: Refusal | None
    external_refusal: Refusal | None
    allows_node: bool

    @property
    def internal_endpoints(self) -> tuple[Endpoint, ...]:
        """What the cluster IP leads to."""
        return self.local if self.port.internal_policy_local else self.cluster

    @property
    def external_endpoints(self) -> tuple[Endpoint, ...]:
        """What external destinations lead to for clients from elsewhere."""
        return self.local if self.port.external_policy_local else self.cluster

    @property
    def uses_cluster_policy(self) -> bool:
        """True where there are endpoints to balance over under policy Cluster."""
        return bool(self.cluster) and self.port.uses_cluster_endpoints

    @property
    def uses_local_policy(self) -> bool:
        """True where there are endpoints to balance over under policy Local."""
        return bool(self.local) and self.port.uses_local_endpoints

    @property
    def captures_external(self) -> bool:
        """True where external destinations are captured, be it only for local clients' sake."""
        return self.has_endpoints and self.port.externally_accessible

    @property
    def restricts_sources(self) -> bool:
        """True where VIPs may be reached from ``port.source_ranges`` only."""
        return self.has_endpoints and bool(self.port.load_balancer_vips) and bool(self.port.source_ranges)


@dataclass(frozen=True, slots=True)
class PlanUpdate:
    """What a sync is told: the plans as they stand, and what changed since the last sync.

    ``plans`` is a live, read-only view of every plan; ``changed`` are those of Services that had any change (all of them
    where ``full``), in the order of their names; ``removed`` names service ports that are no more.
    ``full`` asks to program everything anew; otherwise a backend need only look at ``changed`` and ``removed``.
    ``endpoint_count`` is the number of endpoints over all service ports, usable or not.
    ``stale_udp`` says that a UDP service port changed, so that conntrack entries may be stale (``proxy.conntrack``).
    """

    plans: Mapping[ServicePortName, ServicePlan]
    changed: tuple[ServicePlan, ...]
    removed: tuple[ServicePortName, ...]
    updated_services: frozenset[NamespacedName]
    full: bool
    endpoint_count: int
    service_cidrs: tuple[Prefix, ...]
    stale_udp: bool


def plan_service(
    name: ServicePortName, port: ServicePort, endpoints: tuple[Endpoint, ...], place: Place, node_ip: Address
) -> ServicePlan:
    """Make the plan of one service port. ``endpoints`` are in the order of their text."""
    found = categorize(endpoints, port, place)
    return ServicePlan(
        name=name,
        port=port,
        endpoints=endpoints,
        cluster=found.cluster,
        local=found.local,
        reachable=found.reachable,
        has_endpoints=found.anywhere,
        topology=found.topology,
        internal_refusal=_refusal(found, local_only=port.internal_policy_local),
        external_refusal=_refusal(found, local_only=port.external_policy_local),
        allows_node=any(node_ip.version == r.version and node_ip in r for r in port.source_ranges),
    )


def _refusal(found: Categories, *, local_only: bool) -> Refusal | None:
    if not found.anywhere:
        return Refusal.NO_ENDPOINTS
    return Refusal.NO_LOCAL_ENDPOINTS if local_only and not found.local else None
