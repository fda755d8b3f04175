"""From watches to a proxy: which objects kube-proxy watches, and what each event means to it.

The proxy does not know who serves its watches. It asks for them through ``Watch``; what it is given may be selected
already by ``SELECTOR`` or not, since the feed selects again.
Ref: pkg/proxy/config/config.go, cmd/kube-proxy/app/server.go:Run() (v1.37)
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from netsim.dataclass import dataclass
from netsim.objects.core import EndpointSlice, Node, Service
from netsim.objects.json import DecodeError, decode
from netsim.objects.meta import Key, Object
from proxy.names import NamespacedName

PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
"""A Service with this label is left to another proxy."""

HEADLESS_LABEL = "service.kubernetes.io/headless"
"""The mark of a headless Service's slices."""

SELECTOR = f"!{PROXY_NAME_LABEL},!{HEADLESS_LABEL}"
"""The label selector with which kube-proxy watches Services and EndpointSlices."""


class WatchEvent(Protocol):
    """One event of a watch: the value of ``type`` is ADDED, MODIFIED, DELETED or BOOKMARK."""

    @property
    def type(self) -> Enum:
        """What happened."""
        ...

    @property
    def object(self) -> Object:
        """The object as it is now; of a DELETED one its last state."""
        ...


class Watch(Protocol):
    """A watch that is asked, not one that calls."""

    def events(self) -> Sequence[WatchEvent]:
        """What has come since it was last asked, in order."""
        ...


class ObjectHandler(Protocol):
    """What takes in objects. Each method answers whether a sync is due."""

    def on_service(self, name: NamespacedName, service: Service | None) -> bool:
        """A Service as it stands now, None where it is gone."""
        ...

    def on_endpoint_slice(self, item: EndpointSlice, *, removed: bool = False) -> bool:
        """An EndpointSlice as it stands now, or its removal."""
        ...

    def on_node(self, node: Node) -> bool:
        """A Node as it stands now."""
        ...

    def on_service_cidrs(self, cidrs: tuple[str, ...]) -> bool:
        """The prefixes of all ServiceCIDRs."""
        ...


@dataclass(frozen=True, slots=True)
class _ServiceCIDRSpec:
    cidrs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _ServiceCIDR:
    spec: _ServiceCIDRSpec = _ServiceCIDRSpec()


class Views:
    """Typed views of objects that were decoded before. kube-proxies that watch one store are handed the very same objects."""

    def __init__(self) -> None:
        self._services: dict[int, tuple[Object, Service]] = {}
        self._slices: dict[int, tuple[Object, EndpointSlice]] = {}

    def service(self, item: Object) -> Service:
        """The view of a Service. Raises DecodeError."""
        found = self._services.get(id(item))
        if found is None:
            found = self._services[id(item)] = (item, Service.of(item))
        return found[1]

    def endpoint_slice(self, item: Object) -> EndpointSlice:
        """The view of an EndpointSlice. Raises DecodeError."""
        found = self._slices.get(id(item))
        if found is None:
            found = self._slices[id(item)] = (item, EndpointSlice.of(item))
        return found[1]


class ObjectFeed:
    """Hands objects to a proxy by kind. Objects of other kinds, or not selected, are no business of a proxy.

    The slices and ServiceCIDRs that it handed over are kept: the removal of the first names the Service they belonged to,
    and of the second the proxy is told all that are left.
    """

    def __init__(self, handler: ObjectHandler, views: Views | None = None) -> None:
        self._handler = handler
        self._views = views
        self._slices: dict[Key, EndpointSlice] = {}
        self._cidrs: dict[Key, tuple[str, ...]] = {}

    def put(self, item: Object) -> bool:
        """An object that came or changed. True where a sync is due. Raises DecodeError with the object's name."""
        try:
            return self._put(item)
        except DecodeError as error:
            raise DecodeError(f"{item.key}: {error.path}", error.message) from error

    def remove(self, key: Key) -> bool:
        """An object that went. True where a sync is due."""
        match key.kind:
            case "Service":
                return self._handler.on_service(NamespacedName(key.namespace, key.name), None)
            case "EndpointSlice" if key in self._slices:
                return self._handler.on_endpoint_slice(self._slices.pop(key), removed=True)
            case "ServiceCIDR" if key in self._cidrs:
                del self._cidrs[key]
                return self._tell_cidrs()
            case _:
                return False

    def _put(self, item: Object) -> bool:
        match item.kind:
            case "Service" | "EndpointSlice" if not is_selected(item):
                return self.remove(item.key)
            case "Service":
                name = NamespacedName(item.metadata.namespace, item.metadata.name)
                return self._handler.on_service(name, self._views.service(item) if self._views else Service.of(item))
            case "EndpointSlice":
                found = self._views.endpoint_slice(item) if self._views else EndpointSlice.of(item)
                self._slices[item.key] = found
                return self._handler.on_endpoint_slice(found)
            case "Node":
                return self._handler.on_node(Node.of(item))
            case "ServiceCIDR":
                self._cidrs[item.key] = decode(_ServiceCIDR, item.document).spec.cidrs
                return self._tell_cidrs()
            case _:
                return False

    def _tell_cidrs(self) -> bool:
        return self._handler.on_service_cidrs(tuple(c for key in sorted(self._cidrs) for c in self._cidrs[key]))


class WatchFeed:
    """Pulls a proxy's watches and hands over what came. ``views`` are shared with the feeds of other proxies."""

    def __init__(self, handler: ObjectHandler, watches: Sequence[Watch], views: Views | None = None) -> None:
        self._feed = ObjectFeed(handler, views)
        self._watches = tuple(watches)

    def pull(self) -> bool:
        """Take in everything that came since the last call. True where a sync is due."""
        due = False
        for watch in self._watches:
            for event in watch.events():
                due |= self._take(event)
        return due

    def _take(self, event: WatchEvent) -> bool:
        match event.type.value:
            case "ADDED" | "MODIFIED":
                return self._feed.put(event.object)
            case "DELETED":
                return self._feed.remove(event.object.key)
            case "BOOKMARK":
                return False
            case other:
                raise ValueError(f"unknown type of watch event: {other!r}")


def is_selected(item: Object) -> bool:
    """True where an object's labels match ``SELECTOR``."""
    labels = item.metadata.labels
    return PROXY_NAME_LABEL not in labels and HEADLESS_LABEL not in labels
