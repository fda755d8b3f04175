"""What answers on health check node ports: how many of a Service's endpoints this node has.

A load balancer with policy Local asks every node and sends to those that have endpoints. Endpoints that are terminating
do not count, though they may still be served; two ports of one address count once.
Ref: pkg/proxy/healthcheck/service_health.go, ServicePortMap.HealthCheckNodePorts(), EndpointsMap.LocalReadyEndpoints()
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from proxy.names import NamespacedName, ServicePortName
from proxy.plan import ServicePlan


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One health check node port: ``local_endpoints`` is what it reports; with none it answers 503, else 200."""

    service: NamespacedName
    port: int
    local_endpoints: int

    @property
    def healthy(self) -> bool:
        """True where a load balancer should send to this node."""
        return self.local_endpoints > 0


def health_checks(plans: Mapping[ServicePortName, ServicePlan]) -> tuple[HealthCheck, ...]:
    """The health check node ports of all Services, sorted by Service."""
    ports: dict[NamespacedName, int] = {}
    local: dict[NamespacedName, set[str]] = {}
    for name in sorted(plans):
        plan = plans[name]
        if plan.port.health_check_node_port:
            ports[name.service] = plan.port.health_check_node_port
            local.setdefault(name.service, set()).update(e.ip for e in plan.endpoints if e.local and e.ready)
    return tuple(HealthCheck(service, port, len(local[service])) for service, port in ports.items())
