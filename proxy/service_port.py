"""One port of a Service, for one address family: what a proxier needs to know of it, whatever its mode.

A Service that is headless, has no cluster IP of the family, or is an ExternalName has no service ports.
Ref: pkg/proxy/serviceport.go:newBaseServiceInfo(), pkg/proxy/util/utils.go:ShouldSkipService() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, Prefix
from netsim.objects.core import LoadBalancerIngress, Service, ServicePortSpec
from proxy.addresses import addresses_of_family, is_family, parse_address_sloppy, prefixes_of_family
from proxy.names import ServicePortName


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of a Service in one family.

    ``protocol`` is as in the API (``TCP``); ``node_port`` and ``health_check_node_port`` are 0 where there is none.
    ``affinity_seconds`` is the ClientIP affinity's timeout in seconds, None where there is no affinity.
    ``load_balancer_vips`` are the ingress addresses of mode VIP; ``source_ranges`` is empty where any source may come.
    ``opened`` says that ranges were given and one of them spans the family. That means the same as no ranges, but to
    kube-proxy a Service that comes to it, or goes from it, has changed (an empty slice is not nil).
    """

    cluster_ip: Address
    port: int
    protocol: str
    node_port: int = 0
    external_ips: tuple[Address, ...] = ()
    load_balancer_vips: tuple[Address, ...] = ()
    source_ranges: tuple[Prefix, ...] = ()
    affinity_seconds: int | None = None
    health_check_node_port: int = 0
    external_policy_local: bool = False
    internal_policy_local: bool = False
    opened: bool = False

    @property
    def externally_accessible(self) -> bool:
        """True where something other than the cluster IP leads to it: a node port, a VIP or an external IP."""
        return bool(self.node_port or self.load_balancer_vips or self.external_ips)

    @property
    def uses_cluster_endpoints(self) -> bool:
        """True where traffic policy Cluster is ever applied.

        Policy Local for external traffic counts too: local clients of an external address are short-circuited to it.
        """
        return not self.internal_policy_local or self.externally_accessible

    @property
    def uses_local_endpoints(self) -> bool:
        """True where traffic policy Local is ever applied."""
        return self.internal_policy_local or (self.external_policy_local and self.externally_accessible)


def service_ports(service: Service, family: Family) -> Mapping[ServicePortName, ServicePort]:
    """The ports of a Service in one family, in the order of ``spec.ports``; empty where it is not proxied."""
    if not is_proxied(service):
        return {}
    cluster_ip = parse_address_sloppy(cluster_ip_of(service, family))
    if cluster_ip is None:
        return {}
    common = _common(service, family)
    meta = service.metadata
    return {
        ServicePortName(meta.namespace, meta.name, port.name, port.protocol): _service_port(port, cluster_ip, common)
        for port in service.spec.ports
    }


def is_proxied(service: Service) -> bool:
    """False for a headless Service, one without a cluster IP yet, and an ExternalName."""
    return service.spec.cluster_ip not in ("", "None") and service.spec.type != "ExternalName"


def cluster_ip_of(service: Service, family: Family) -> str:
    """Its cluster IP of a family, empty where it has none. Ref: GetClusterIPByFamily."""
    spec = service.spec
    if not spec.ip_families:
        return spec.cluster_ip if is_family(spec.cluster_ip, family) else ""
    for position, name in enumerate(spec.ip_families):
        if name == family.kubernetes and position < len(spec.cluster_ips):
            return spec.cluster_ips[position]
    return ""


@dataclass(frozen=True, slots=True)
class _Common:
    """What all ports of a Service share."""

    external_ips: tuple[Address, ...]
    load_balancer_vips: tuple[Address, ...]
    source_ranges: tuple[Prefix, ...]
    affinity_seconds: int | None
    health_check_node_port: int
    external_policy_local: bool
    internal_policy_local: bool
    opened: bool


def _common(service: Service, family: Family) -> _Common:
    spec = service.spec
    local = external_policy_local(service)
    ranges = prefixes_of_family(tuple(text.strip() for text in spec.load_balancer_source_ranges), family)
    opened = any(prefix.prefixlen == 0 for prefix in ranges)
    return _Common(
        external_ips=addresses_of_family(spec.external_ips, family),
        load_balancer_vips=_vips(service.status.load_balancer.ingress, family),
        source_ranges=() if opened else ranges,
        affinity_seconds=_affinity_seconds(service),
        health_check_node_port=spec.health_check_node_port if spec.type == "LoadBalancer" and local else 0,
        external_policy_local=local,
        internal_policy_local=spec.internal_traffic_policy == "Local",
        opened=opened,
    )


def _service_port(port: ServicePortSpec, cluster_ip: Address, common: _Common) -> ServicePort:
    return ServicePort(
        cluster_ip=cluster_ip,
        port=port.port,
        protocol=port.protocol,
        node_port=port.node_port,
        external_ips=common.external_ips,
        load_balancer_vips=common.load_balancer_vips,
        source_ranges=common.source_ranges,
        affinity_seconds=common.affinity_seconds,
        health_check_node_port=common.health_check_node_port,
        external_policy_local=common.external_policy_local,
        internal_policy_local=common.internal_policy_local,
        opened=common.opened,
    )


def external_policy_local(service: Service) -> bool:
    """True where ``externalTrafficPolicy: Local`` counts: a Service of a kind that can be reached from outside.

    Ref: pkg/api/v1/service/util.go:ExternalPolicyLocal()
    """
    spec = service.spec
    external = spec.type in ("LoadBalancer", "NodePort") or (spec.type == "ClusterIP" and bool(spec.external_ips))
    return external and spec.external_traffic_policy == "Local"


def _affinity_seconds(service: Service) -> int | None:
    if service.spec.session_affinity != "ClientIP":
        return None
    return service.spec.session_affinity_config.client_ip.timeout_seconds


def _vips(ingress: tuple[LoadBalancerIngress, ...], family: Family) -> tuple[Address, ...]:
    texts = tuple(item.ip for item in ingress if item.ip and item.ip_mode == "VIP")
    return addresses_of_family(texts, family)
