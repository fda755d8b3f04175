"""Service and Pods → EndpointSlices: the controller around ``slices.reconcile``.

Ref: pkg/controller/endpointslice/endpointslice_controller.go (v1.37). A Service of which somebody gave slices is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.selecting import ServiceController
from netsim.cluster.controllers.slices import (
    MANAGED_BY,
    MANAGED_BY_LABEL,
    Placed,
    Plan,
    Slice,
    address_types,
    reconcile,
)
from netsim.cluster.controllers.topology_cache import DISABLED, TopologyCache
from netsim.cluster.controllers.topology_hints import asked_for
from netsim.cluster.documents import mapping_at, text_at
from netsim.cluster.ownership import (
    controller_reference,
)
from netsim.cluster.podstate import node_name
from netsim.objects.core import SERVICE_NAME_LABEL, ZONE_LABEL, Service
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object

_BY_SERVICE = "service"


class EndpointSliceController(ServiceController):
    """Keeps the slices of every Service that selects pods. ``families``: the cluster's, such as ``("IPv4",)``."""

    name = "endpointslice-controller"

    def __init__(self, context: Context, families: Sequence[str]) -> None:
        super().__init__(context)
        self._families = tuple(families)
        self._nodes = context.informers.of("Node")
        self._slices = context.informers.of("EndpointSlice")
        self._topology = TopologyCache()
        self._nodes_changed = False
        self._incomplete: dict[Key, None] = {}
        self._slices.add_index(_BY_SERVICE, _service_index)
        self._nodes.add_handler(self._node_changed)
        self._slices.add_handler(self._slice_changed)

    def sync(self, key: Key) -> None:
        """Make the slices of one Service what its pods are."""
        if self._nodes_changed:
            self._check_topology()
        item = self._services.get(key)
        if item is None or item.metadata.deletion_timestamp is not None:
            return
        service = Service.of(item)
        if service.spec.type == "ExternalName" or not service.spec.selector:
            return
        existing = self._slices.by_index(_BY_SERVICE, f"{key.namespace}/{key.name}")
        if any(not self._is_mine(s) for s in existing):
            return
        pods = [self._placed(pod) for pod in self._selected(service)]
        types = address_types(service, self._families)
        stale = [s for s in existing if text_at(s.document, "addressType") not in types]
        for address_type in types:
            mine = [Slice.of(s) for s in existing if text_at(s.document, "addressType") == address_type]
            self._carry_out(item, self._plan(item, service, address_type, pods, mine))
        self._carry_out(item, Plan(delete=tuple(s.metadata.name for s in stale)))
        for address_type in {text_at(s.document, "addressType"): None for s in stale}:
            self._topology.forget(key, address_type)
        self._tell_of_missing_nodes(key, [] if service.spec.publish_not_ready_addresses else pods)

    def _tell_of_missing_nodes(self, key: Key, pods: Sequence[Placed]) -> None:
        """Pods on a node that is not there are left out, and the Service is tried again; here: when a node comes."""
        self._incomplete.pop(key, None)
        skipped = [placed.pod for placed in pods if placed.zone is None and podstate.may_be_endpoint(placed.pod)]
        if not skipped:
            return
        self._incomplete[key] = None
        name = f"{key.namespace}/{key.name}"
        said = [f"skipping Pod {p.metadata.name} for Service {name}: Node {node_name(p)} Not Found" for p in skipped]
        whole = said[0] if len(said) == 1 else f"[{', '.join(said)}]"
        message = f"Error updating Endpoint Slices for Service {name}: {whole}"
        self._recorder.warning(self.name, key, "FailedToUpdateEndpointSlices", message)

    def _is_mine(self, item: Object) -> bool:
        """True for a slice of this controller, but one that was loaded: what somebody wrote down is not written over."""
        return item.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY and item.key not in self._given

    def _placed(self, pod: Object) -> Placed:
        node = self._nodes.get(Key("Node", "", node_name(pod)))
        return Placed(pod, None if node is None else node.metadata.labels.get(ZONE_LABEL, ""))

    def _carry_out(self, service: Object, plan: Plan) -> None:
        """Ref: reconciler.go:finalize(): a slice that would be deleted is written anew where one is to be made."""
        create, delete = list(plan.create), list(plan.delete)
        reused: list[tuple[str, Slice]] = []
        while create and delete:
            reused.append((delete.pop(0), create.pop()))
        for item in create:
            self._store.create(Object.of(_document(service, item)))
        for name, item in [*reused, *((s.name, s) for s in plan.update)]:
            self._rewrite(Key("EndpointSlice", service.metadata.namespace, name), item)
        for name in delete:
            self._store.delete(Key("EndpointSlice", service.metadata.namespace, name))

    def _rewrite(self, key: Key, item: Slice) -> None:
        current = self._store.get(key)
        metadata = {**mapping_at(current.document, "metadata"), "labels": dict(item.labels)}
        document = {
            **current.document,
            "metadata": metadata,
            "endpoints": list(item.endpoints),
            "ports": list(item.ports),
        }
        self._store.update(Object.of(document))

    def _plan(
        self, item: Object, service: Service, address_type: str, pods: Sequence[Placed], mine: Sequence[Slice]
    ) -> Plan:
        """The annotation goes before ``trafficDistribution``."""
        by_topology = asked_for(item)
        plan = reconcile(service, address_type, pods, mine, hints=not by_topology)
        refused, news = "", ""
        if by_topology:
            plan, news, refused = self._topology.with_hints(item.key, address_type, plan)
        elif self._topology.forget(item.key, address_type):
            refused = DISABLED
        if refused:
            message = f"{refused}, addressType: {address_type}"
            self._recorder.warning(self.name, item.key, "TopologyAwareHintsDisabled", message)
        if news:
            self._recorder.normal(
                self.name, item.key, "TopologyAwareHintsEnabled", f"{news}, addressType: {address_type}"
            )
        return plan

    # --- what changed -----------------------------------------------------------------------------------------------

    def _slice_changed(self, before: Object | None, item: Object | None) -> None:
        for state in (before, item):
            if state is not None and (item is None or not self._is_mine(state)):
                name = state.metadata.labels.get(SERVICE_NAME_LABEL)
                if name:
                    self.queue.add(Key("Service", state.metadata.namespace, name))

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        """What a node has of processors, and its zone in the slices, is not looked at again before something else changes.

        Ref: updateNode(), checkNodeTopologyDistribution().
        """
        if before is None:
            for key in self._incomplete:
                self.queue.add(key)
        if _place(before) != _place(item):
            self._nodes_changed = True
            self.queue.add(_TOPOLOGY)

    def _check_topology(self) -> None:
        self._topology.set_nodes(self._nodes.all())
        self._nodes_changed = False
        for key in self._topology.overloaded():
            self.queue.add(key)


_TOPOLOGY = Key("Node", "", "")
"""In the queue: the nodes are to be looked at again."""


def _place(node: Object | None) -> tuple[object, ...]:
    """What of a node makes its zones be looked at again."""
    if node is None:
        return ()
    ready = podstate.condition(node, "Ready")
    return node.metadata.labels.get(ZONE_LABEL, ""), ready is not None and ready.get("status") == "True"


def _service_index(item: Object) -> Iterable[str]:
    name = item.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{item.metadata.namespace}/{name}",) if name else ()


def _document(service: Object, item: Slice) -> Document:
    name = service.metadata.name
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": service.metadata.namespace,
            "labels": dict(item.labels),
            "ownerReferences": [controller_reference(service)],
        },
        "addressType": item.address_type,
        "endpoints": list(item.endpoints),
        "ports": list(item.ports),
    }
