"""Service and Pods → EndpointSlices: the controller around ``slices.reconcile``.

Ref: pkg/controller/endpointslice/endpointslice_controller.go (v1.37). A Service of which somebody gave slices is left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netsim.cluster.context import Context
from netsim.cluster.controllers.slices import Placed, Plan, Slice, address_types, reconcile
from netsim.cluster.documents import mapping_at, strings_at, text_at
from netsim.cluster.ownership import BY_LABEL, by_label, controller_reference, label_terms, selected, selector_term
from netsim.cluster.podstate import node_name
from netsim.cluster.selectors import of_labels
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.core import SERVICE_NAME_LABEL, ZONE_LABEL, Service
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object

_BY_SERVICE = "service"
_SELECTOR = "selector"
_TOPOLOGY_MODES = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")


class EndpointSliceController:
    """Keeps the slices of every Service that selects pods. ``families``: the cluster's, such as ``("IPv4",)``."""

    name = "endpointslice-controller"

    def __init__(self, context: Context, families: Sequence[str]) -> None:
        self.queue = WorkQueue(context.clock)
        self._families = tuple(families)
        self._store = context.store
        self._recorder = context.recorder
        self._nodes = context.informers.of("Node")
        self._services = context.informers.of("Service")
        self._pods = context.informers.of("Pod")
        self._slices = context.informers.of("EndpointSlice")
        self._made: set[Key] = set()
        self._services.add_index(_SELECTOR, _selector_index)
        self._pods.add_index(BY_LABEL, by_label)
        self._slices.add_index(_BY_SERVICE, _service_index)
        self._nodes.add_handler(self._node_changed)
        self._services.add_handler(self._service_changed)
        self._pods.add_handler(self._pod_changed)
        self._slices.add_handler(self._slice_changed)

    def sync(self, key: Key) -> None:
        """Make the slices of one Service what its pods are."""
        item = self._services.get(key)
        if item is None or item.metadata.deletion_timestamp is not None:
            return
        service = Service.of(item)
        if service.spec.type == "ExternalName" or not service.spec.selector:
            return
        existing = self._slices.by_index(_BY_SERVICE, f"{key.namespace}/{key.name}")
        if any(s.key not in self._made for s in existing):
            return
        self._warn_of_topology_mode(item)
        selector = of_labels(service.spec.selector)
        pods = [self._placed(pod) for pod in selected(self._pods, BY_LABEL, key.namespace, selector)]
        types = address_types(service, self._families)
        stale = [s for s in existing if text_at(s.document, "addressType") not in types]
        for address_type in types:
            mine = [Slice.of(s) for s in existing if text_at(s.document, "addressType") == address_type]
            self._carry_out(item, reconcile(service, address_type, pods, mine))
        self._carry_out(item, Plan(delete=tuple(s.metadata.name for s in stale)))

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
            made = self._store.create(Object.of(_document(service, item)))
            self._made.add(made.key)
        for name, item in [*reused, *((s.name, s) for s in plan.update)]:
            self._rewrite(Key("EndpointSlice", service.metadata.namespace, name), item)
        for name in delete:
            key = Key("EndpointSlice", service.metadata.namespace, name)
            self._store.delete(key)
            self._made.discard(key)

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

    def _warn_of_topology_mode(self, service: Object) -> None:
        if any(service.metadata.annotations.get(name) in ("Auto", "auto") for name in _TOPOLOGY_MODES):
            message = "topology-mode Auto is not modelled: no hints are set; use spec.trafficDistribution"
            self._recorder.warning(self.name, service.key, "NotModelled", message)

    # --- what changed -----------------------------------------------------------------------------------------------

    def _service_changed(self, _: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            if state is not None and (state is pod or pod is None or before is None or _moved(before, pod)):
                self._queue_services_of(state)

    def _queue_services_of(self, pod: Object) -> None:
        for term in label_terms(pod.metadata.namespace, pod.metadata.labels):
            for service in self._services.by_index(_SELECTOR, term):
                if _selector(service) and of_labels(_selector(service)).matches(pod.metadata.labels):
                    self.queue.add(service.key)

    def _slice_changed(self, before: Object | None, item: Object | None) -> None:
        for state in (before, item):
            if state is not None and (state.key not in self._made or item is None):
                name = state.metadata.labels.get(SERVICE_NAME_LABEL)
                if name:
                    self.queue.add(Key("Service", state.metadata.namespace, name))

    def _node_changed(self, before: Object | None, item: Object | None) -> None:
        zones = [None if n is None else n.metadata.labels.get(ZONE_LABEL, "") for n in (before, item)]
        if zones[0] != zones[1]:
            for service in self._services.all():
                self.queue.add(service.key)


def _moved(before: Object, after: Object) -> bool:
    return before.metadata.labels != after.metadata.labels


def _selector(service: Object) -> dict[str, str]:
    return strings_at(service.document, "spec", "selector")


def _selector_index(service: Object) -> Iterable[str]:
    selector = _selector(service)
    return (selector_term(service.metadata.namespace, of_labels(selector)),) if selector else ()


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
