"""Endpoints that somebody wrote → EndpointSlices, which is what kube-proxy reads.

Ref: pkg/controller/endpointslicemirroring/{endpointslicemirroring_controller,reconciler,utils}.go (v1.37). Slices are
written anew as a whole rather than endpoint by endpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.cluster.context import Context
from netsim.cluster.documents import canonical, list_at, mapping_at, strings_at, text_at
from netsim.cluster.ownership import controller_reference
from netsim.cluster.workqueue import WorkQueue
from netsim.net.address import Family, parse_address
from netsim.objects.core import SERVICE_NAME_LABEL
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
MANAGED_BY = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
MAX_ENDPOINTS_PER_SUBSET = 1000
_BY_SERVICE = "service"


class MirroringController:
    """Keeps the slices of every Endpoints whose Service selects no pods."""

    name = "endpointslicemirroring-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._recorder = context.recorder
        self._services = context.informers.of("Service")
        self._endpoints = context.informers.of("Endpoints")
        self._slices = context.informers.of("EndpointSlice")
        self._slices.add_index(_BY_SERVICE, _service_index)
        self._services.add_handler(self._changed)
        self._endpoints.add_handler(self._changed)

    def sync(self, key: Key) -> None:
        """Make the mirrored slices of one Endpoints what it says."""
        endpoints, service = self._endpoints.get(key), self._services.get(Key("Service", key.namespace, key.name))
        mine = [
            item
            for item in self._slices.by_index(_BY_SERVICE, f"{key.namespace}/{key.name}")
            if item.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY
        ]
        wanted: list[Document] = []
        if endpoints is not None and service is not None and _mirrored(endpoints, service):
            wanted = list(self._wanted(endpoints))
        left = {canonical(_content(item.document)): item for item in mine}
        missing = [document for document in wanted if left.pop(canonical(_content(document)), None) is None]
        for item in left.values():
            self._store.delete(item.key)
        for document in missing:
            self._store.create(Object.of(document))

    def _wanted(self, endpoints: Object) -> Iterable[Document]:
        """A slice for each set of ports and each family. Ref: reconciler.go:reconcile()."""
        groups: dict[tuple[str, str], dict[str, Document]] = {}
        ports: dict[str, list[Json]] = {}
        skipped = 0
        for subset in list_at(endpoints.document, "subsets"):
            if not isinstance(subset, Mapping):
                continue
            listed = [_port(p) for p in list_at(subset, "ports") if isinstance(p, Mapping)]
            key = canonical(listed)
            ports[key] = list(listed)
            found = [
                *_addresses(subset, "addresses", ready=True),
                *_addresses(subset, "notReadyAddresses", ready=False),
            ]
            skipped += max(0, len(found) - MAX_ENDPOINTS_PER_SUBSET)
            for address, endpoint in found[:MAX_ENDPOINTS_PER_SUBSET]:
                family = Family(parse_address(address).version).kubernetes
                groups.setdefault((key, family), {})[address] = endpoint
        if skipped:
            most = (
                f"A max of {MAX_ENDPOINTS_PER_SUBSET} addresses can be mirrored to EndpointSlices per Endpoints subset."
            )
            message = f"{most} {skipped} addresses were skipped"
            self._recorder.warning(self.name, endpoints.key, "TooManyAddressesToMirror", message)
        for (key, family), members in sorted(groups.items()):
            yield _slice(endpoints, family, ports[key], list(members.values()))

    def _changed(self, before: Object | None, item: Object | None) -> None:
        state = item or before
        if state is not None:
            self.queue.add(Key("Endpoints", state.metadata.namespace, state.metadata.name))


def _mirrored(endpoints: Object, service: Object) -> bool:
    """Ref: utils.go, endpointslicemirroring_controller.go:shouldMirror()."""
    if endpoints.metadata.labels.get(SKIP_LABEL) == "true" or LEADER in endpoints.metadata.annotations:
        return False
    return not strings_at(service.document, "spec", "selector") and endpoints.metadata.deletion_timestamp is None


def _service_index(item: Object) -> Iterable[str]:
    name = item.metadata.labels.get(SERVICE_NAME_LABEL)
    return (f"{item.metadata.namespace}/{name}",) if name else ()


def _port(port: Document) -> dict[str, Json]:
    entry: dict[str, Json] = {"name": text_at(port, "name"), "protocol": text_at(port, "protocol") or "TCP"}
    entry["port"] = port.get("port")
    if port.get("appProtocol"):
        entry["appProtocol"] = port["appProtocol"]
    return entry


def _addresses(subset: Document, name: str, *, ready: bool) -> list[tuple[str, Document]]:
    found: list[tuple[str, Document]] = []
    for item in list_at(subset, name):
        if not isinstance(item, Mapping) or not item.get("ip"):
            continue
        endpoint: dict[str, Json] = {"addresses": [str(item["ip"])], "conditions": {"ready": ready}}
        for field in ("hostname", "nodeName", "targetRef"):
            if item.get(field):
                endpoint[field] = item[field]
        found.append((str(item["ip"]), endpoint))
    return found


def _slice(endpoints: Object, family: str, ports: list[Json], members: list[Document]) -> Document:
    """Ref: utils.go:newEndpointSlice()."""
    labels = {key: value for key, value in endpoints.metadata.labels.items() if key != SERVICE_NAME_LABEL}
    annotations = {
        key: value
        for key, value in endpoints.metadata.annotations.items()
        if key
        not in ("endpoints.kubernetes.io/last-change-trigger-time", "kubectl.kubernetes.io/last-applied-configuration")
    }
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{endpoints.metadata.name}-",
            "namespace": endpoints.metadata.namespace,
            "labels": {**labels, SERVICE_NAME_LABEL: endpoints.metadata.name, MANAGED_BY_LABEL: MANAGED_BY},
            "annotations": annotations,
            "ownerReferences": [controller_reference(endpoints)],
        },
        "addressType": family,
        "endpoints": members,
        "ports": ports,
    }


def _content(document: Document) -> Document:
    metadata = mapping_at(document, "metadata")
    return {
        "addressType": document.get("addressType"),
        "endpoints": document.get("endpoints"),
        "ports": document.get("ports"),
        "labels": metadata.get("labels"),
        "annotations": metadata.get("annotations") or {},
    }
