"""Which endpoints of a service port are used from this node: traffic policies, readiness, termination, hints.

Policy Cluster takes every ready endpoint that topology allows; where there is none, every one that still serves while it
terminates. Policy Local does the same among the node's own endpoints, without topology. Each falls back for itself.
Ref: pkg/proxy/topology.go:CategorizeEndpoints(), topologyModeFromHints() (v1.37)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import assert_never

from netsim.dataclass import dataclass
from proxy.endpoint import Endpoint
from proxy.service_port import ServicePort


class TopologyMode(Enum):
    """By which hints the endpoints of policy Cluster are narrowed."""

    NONE = ""
    SAME_NODE = "PreferSameNode"
    SAME_ZONE = "PreferSameZone"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the proxy runs: what hints are compared with. ``zone`` is empty where the Node has no zone label."""

    node: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Categories:
    """The endpoints of a service port by use; each in the order of the endpoints' text.

    ``cluster`` serves policy Cluster (empty where it is never applied), ``local`` policy Local (likewise); ``reachable`` is
    the union of both. ``anywhere`` says whether any node has a usable endpoint, even if ``reachable`` is empty.
    """

    cluster: tuple[Endpoint, ...] = ()
    local: tuple[Endpoint, ...] = ()
    reachable: tuple[Endpoint, ...] = ()
    anywhere: bool = False
    topology: TopologyMode = TopologyMode.NONE


NO_ENDPOINTS = Categories()


def categorize(endpoints: Sequence[Endpoint], port: ServicePort, place: Place) -> Categories:
    """Sort a service port's endpoints by use. ``endpoints`` are in the order of their text."""
    if not endpoints:
        return NO_ENDPOINTS
    cluster: tuple[Endpoint, ...] = ()
    topology = TopologyMode.NONE
    if port.uses_cluster_endpoints:
        topology = topology_mode(endpoints, place)
        cluster = _cluster_endpoints(endpoints, topology, place)
    if not port.uses_local_endpoints:
        return Categories(cluster, (), cluster, bool(cluster), topology)
    local = _local_endpoints(endpoints)
    anywhere = any(e.ready or e.serving_terminating for e in endpoints)
    return Categories(cluster, local, _union(cluster, local), anywhere, topology)


def topology_mode(endpoints: Sequence[Endpoint], place: Place) -> TopologyMode:
    """By which hints to narrow: same node, else same zone, else none.

    A kind of hint counts only where every ready endpoint has one and at least one of them names this node or zone.
    """
    ready = [e for e in endpoints if e.ready]
    if not ready:
        return TopologyMode.NONE
    if all(e.node_hints for e in ready) and any(place.node in e.node_hints for e in ready):
        return TopologyMode.SAME_NODE
    if all(e.zone_hints for e in ready) and any(place.zone in e.zone_hints for e in ready):
        return TopologyMode.SAME_ZONE
    return TopologyMode.NONE


def _cluster_endpoints(endpoints: Sequence[Endpoint], mode: TopologyMode, place: Place) -> tuple[Endpoint, ...]:
    near = tuple(e for e in endpoints if e.ready and _is_near(e, mode, place))
    return near or tuple(e for e in endpoints if e.serving_terminating)


def _local_endpoints(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    local = [e for e in endpoints if e.local]
    return tuple(e for e in local if e.ready) or tuple(e for e in local if e.serving_terminating)


def _is_near(endpoint: Endpoint, mode: TopologyMode, place: Place) -> bool:
    match mode:
        case TopologyMode.NONE:
            return True
        case TopologyMode.SAME_NODE:
            return place.node in endpoint.node_hints
        case TopologyMode.SAME_ZONE:
            return place.zone in endpoint.zone_hints
        case _:
            assert_never(mode)


def _union(cluster: tuple[Endpoint, ...], local: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    known = {e.text for e in cluster}
    extra = [e for e in local if e.text not in known]
    return tuple(sorted((*cluster, *extra), key=lambda e: e.text)) if extra else cluster
