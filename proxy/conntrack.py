"""Which UDP flows kube-proxy forgets after a sync, so that they are not sent to endpoints that are gone.

TCP needs no such care: a connection to an endpoint that is gone fails and is opened anew. A UDP client may go on sending
with the same ports for ever, and its conntrack entry with it.
Ref: pkg/proxy/conntrack/cleanup.go:CleanStaleEntries() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Address
from proxy.addresses import parse_address_sloppy
from proxy.names import ServicePortName
from proxy.plan import ServicePlan


@dataclass(frozen=True, slots=True)
class UDPFlow:
    """A conntrack entry of UDP: where the client sent to, and who is expected to answer."""

    destination: Address
    destination_port: int
    reply_source: Address


def stale_flows(plans: Mapping[ServicePortName, ServicePlan], flows: Iterable[UDPFlow]) -> tuple[UDPFlow, ...]:
    """The flows to a UDP service port (by address, else by node port) that none of its serving endpoints answers."""
    by_address: dict[tuple[Address, int], frozenset[Address | None]] = {}
    by_node_port: dict[int, frozenset[Address | None]] = {}
    for name in sorted(plans):
        plan = plans[name]
        if name.protocol == "UDP":
            _index(plan, by_address, by_node_port)
    return tuple(flow for flow in flows if _is_stale(flow, by_address, by_node_port))


def _index(
    plan: ServicePlan,
    by_address: dict[tuple[Address, int], frozenset[Address | None]],
    by_node_port: dict[int, frozenset[Address | None]],
) -> None:
    serving = frozenset(parse_address_sloppy(e.ip) for e in plan.endpoints if e.serving)
    port = plan.port
    for address in (port.cluster_ip, *port.external_ips, *port.load_balancer_vips):
        by_address[address, port.port] = serving
    if port.node_port:
        by_node_port[port.node_port] = serving


def _is_stale(
    flow: UDPFlow,
    by_address: Mapping[tuple[Address, int], frozenset[Address | None]],
    by_node_port: Mapping[int, frozenset[Address | None]],
) -> bool:
    serving = by_address.get((flow.destination, flow.destination_port))
    if serving is None:
        serving = by_node_port.get(flow.destination_port)
    return serving is not None and flow.reply_source not in serving
