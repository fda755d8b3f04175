"""Service and Pods → Endpoints, as they were before EndpointSlices and still are beside them.

Ref: pkg/controller/endpoint/endpoints_controller.go, pkg/api/v1/endpoints/util.go:RepackSubsets() (v1.37). Endpoints that somebody
loaded are left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from netsim.cluster import podstate
from netsim.cluster.context import Context
from netsim.cluster.controllers.selecting import ServiceController
from netsim.cluster.controllers.slices import HEADLESS_LABEL, address_types, endpoint_ports, fnv_1a
from netsim.cluster.documents import canonical, compact, list_at, mapping_at, strings_at, text_at
from netsim.dataclass import dataclass
from netsim.net.address import Family, parse_address
from netsim.objects.core import Service
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGED_BY = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
MAX_CAPACITY = 1000


class EndpointsController(ServiceController):
    """Keeps the Endpoints of every Service that selects pods. ``families``: the cluster's, such as ``("IPv4",)``."""

    name = "endpoint-controller"

    def __init__(self, context: Context, families: Sequence[str]) -> None:
        super().__init__(context)
        self._families = tuple(families)
        context.informers.of("Endpoints").add_handler(self._endpoints_changed)

    def sync(self, key: Key) -> None:
        """Make the Endpoints of one Service what its pods are."""
        item, place = self._services.get(key), Key("Endpoints", key.namespace, key.name)
        known = self._store.find(place)
        if place in self._given:
            return
        if item is None or item.metadata.deletion_timestamp is not None:
            if known is not None and known.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
                self._store.delete(place)
            return
        service = Service.of(item)
        if service.spec.type == "ExternalName" or not service.spec.selector:
            return
        subsets, dropped = self._subsets(service, self._selected(service))
        document = _document(service, subsets, dropped=dropped)
        if known is None:
            self._store.create(Object.of(document))
        elif _content(known.document) != _content(document):
            self._store.update(Object.of({**document, "metadata": _metadata(known, document)}))

    def _endpoints_changed(self, before: Object | None, item: Object | None) -> None:
        """Those that are left of a Service that went while nobody watched. Ref: checkLeftoverEndpoints()."""
        if before is None and item is not None:
            key = Key("Service", item.metadata.namespace, item.metadata.name)
            if self._store.find(key) is None:
                self.queue.add(key)

    def _subsets(self, service: Service, pods: Iterable[Object]) -> tuple[list[Json], bool]:
        """Addresses by their ports, sorted; and whether some were left out because there are too many."""
        family = (service.spec.ip_families or address_types(service, self._families))[0]
        groups: dict[str, _Subset] = {}
        found = sorted(
            (entry for pod in pods if (entry := self._entry(service, family, pod)) is not None), key=lambda e: e.order
        )
        kept = sorted(found, key=lambda e: not e.ready)[:MAX_CAPACITY]
        for entry in sorted(kept, key=lambda e: e.order):
            listed = [compact(**{k: v for k, v in port.items() if v != ""}) for port in entry.ports]
            group = groups.setdefault(canonical(listed), _Subset(list(listed)))
            (group.ready if entry.ready else group.unready).append(entry.address)
        return [groups[key].document() for key in sorted(groups)], len(kept) < len(found)

    def _entry(self, service: Service, family: str, pod: Object) -> _Entry | None:
        """Ref: podToEndpointAddressForService(), ShouldPodBeInEndpoints()."""
        publishes = service.spec.publish_not_ready_addresses
        if podstate.finished(pod) or (pod.metadata.deletion_timestamp is not None and not publishes):
            return None
        addresses = [
            str(parse_address(a))
            for a in podstate.pod_addresses(pod)
            if Family(parse_address(a).version).kubernetes == family
        ]
        spec = mapping_at(pod.document, "spec")
        ports = sorted(endpoint_ports(service, spec), key=_order)
        if not addresses or not (ports if service.spec.ports else service.headless):
            return None
        named = bool(spec.get("hostname")) and spec.get("subdomain") == service.metadata.name
        target = {
            "kind": "Pod",
            "namespace": pod.metadata.namespace,
            "name": pod.metadata.name,
            "uid": pod.metadata.uid,
        }
        address = compact(
            ip=addresses[0],
            hostname=spec.get("hostname") if named and service.metadata.namespace == pod.metadata.namespace else None,
            nodeName=podstate.node_name(pod),
            targetRef=target,
        )
        return _Entry(addresses[0], ports, address, publishes or podstate.ready(pod))


@dataclass(frozen=True, slots=True)
class _Entry:
    order: str
    ports: list[Document]
    address: Document
    ready: bool


class _Subset:
    """The addresses that have the same ports."""

    def __init__(self, ports: list[Json]) -> None:
        self.ports = ports
        self.ready: list[Json] = []
        self.unready: list[Json] = []

    def document(self) -> Document:
        return compact(addresses=self.ready, notReadyAddresses=self.unready, ports=self.ports)


def _order(port: Document) -> int:
    """The order of a subset's ports. Ref: pkg/api/v1/endpoints/util.go:portsByHash."""
    return _hash(
        f"(v1.EndpointPort){{Name:(string){port['name']} Port:(int32){port['port']} "
        f"Protocol:(v1.Protocol){port['protocol']} AppProtocol:(*string){port.get('appProtocol', '<nil>')}}}"
    )


_hash = lru_cache(fnv_1a)


def _document(service: Service, subsets: list[Json], *, dropped: bool) -> Document:
    labels = {k: v for k, v in service.metadata.labels.items() if k not in (HEADLESS_LABEL, MANAGED_BY_LABEL)}
    if service.headless:
        labels[HEADLESS_LABEL] = ""
    metadata = compact(
        name=service.metadata.name,
        namespace=service.metadata.namespace,
        labels={**labels, MANAGED_BY_LABEL: MANAGED_BY},
        annotations={OVER_CAPACITY: "truncated"} if dropped else None,
    )
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata, "subsets": subsets}


def _content(document: Document) -> tuple[object, object, object]:
    over = text_at(document, "metadata", "annotations", OVER_CAPACITY)
    return list(list_at(document, "subsets")), strings_at(document, "metadata", "labels"), over


def _metadata(known: Object, document: Document) -> Document:
    wanted, old = mapping_at(document, "metadata"), mapping_at(known.document, "metadata")
    others = {k: v for k, v in mapping_at(old, "annotations").items() if k != OVER_CAPACITY}
    annotations = {**others, **mapping_at(wanted, "annotations")}
    kept = {k: v for k, v in old.items() if k != "annotations"}
    return {**kept, "labels": wanted["labels"], **({"annotations": annotations} if annotations else {})}
