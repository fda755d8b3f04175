"""Services of type LoadBalancer: addresses from a pool, as a bare-metal load balancer's controller hands them out.

Ref: staging/src/k8s.io/cloud-provider/controllers/service/controller.go (v1.37). Without a pool nobody attends to them, and they stay
pending. One whose status was loaded keeps its address, and so does one of a ``loadBalancerClass``, which is somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, text_at, with_value, without
from netsim.cluster.workqueue import WorkQueue
from netsim.net.address import Address, Prefix, family_of, parse_address
from netsim.objects.core import Service
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object

FINALIZER = "service.kubernetes.io/load-balancer-cleanup"
EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"


class LoadBalancerController:
    """Gives each such Service one address of each of its families."""

    name = "service-controller"

    def __init__(self, context: Context, pools: Sequence[Prefix]) -> None:
        self.queue = WorkQueue(context.clock)
        self._pools = tuple(pools)
        self._store = context.store
        self._recorder = context.recorder
        self._services = context.informers.of("Service")
        self._nodes = context.informers.of("Node")
        self._hosts: tuple[str, ...] = ()
        self._held: dict[str, Key] = {}
        self._services.add_handler(self._service_changed)
        self._nodes.add_handler(self._node_changed)

    def sync(self, key: Key) -> None:
        """Give one Service its addresses, or take them back."""
        item = self._store.find(key)
        if item is None or not self._pools:
            return
        wanted = _is_balanced(item) and item.metadata.deletion_timestamp is None
        if wanted:
            self._ensure(item)
        elif FINALIZER in item.metadata.finalizers:
            self._clean_up(item)

    def hosts(self) -> tuple[str, ...]:
        """The nodes that a load balancer sends to, sorted: all but those that are excluded by a label or are going."""
        nodes = self._nodes.all()
        return tuple(
            n.metadata.name
            for n in nodes
            if EXCLUDED not in n.metadata.labels and n.metadata.deletion_timestamp is None
        )

    def _ensure(self, item: Object) -> None:
        if ingress_of(item):
            return
        self._recorder.normal(self.name, item.key, "EnsuringLoadBalancer", "Ensuring load balancer")
        addresses = list(self._addresses(item))
        if not addresses:
            message = "Error syncing load balancer: failed to ensure load balancer: no address is free in the pools"
            self._recorder.warning(self.name, item.key, "SyncLoadBalancerFailed", message)
            return
        if FINALIZER not in item.metadata.finalizers:
            path = ("metadata", "finalizers")
            item = self._store.update(
                Object.of(with_value(item.document, path, [*item.metadata.finalizers, FINALIZER]))
            )
        ingress: list[Json] = [{"ip": str(a), "ipMode": "VIP"} for a in addresses]
        self._held.update({str(a): item.key for a in addresses})
        self._store.update_status(Object.of(with_value(item.document, ("status", "loadBalancer", "ingress"), ingress)))
        self._recorder.normal(self.name, item.key, "EnsuredLoadBalancer", "Ensured load balancer")

    def _addresses(self, item: Object) -> Iterator[Address]:
        service = Service.of(item)
        asked = text_at(item.document, "spec", "loadBalancerIP")
        for family in service.spec.ip_families or ("IPv4",):
            pools = [p for p in self._pools if family_of(p).kubernetes == family]
            if asked and family_of(parse_address(asked)).kubernetes == family:
                given = parse_address(asked)
                if any(given in p for p in pools) and self._held.get(asked, item.key) == item.key:
                    yield given
                continue
            free = (a for p in pools for a in p if not _reserved(p, a) and str(a) not in self._held)
            found = next(free, None)
            if found is not None:
                yield found

    def _clean_up(self, item: Object) -> None:
        self._recorder.normal(self.name, item.key, "DeletingLoadBalancer", "Deleting load balancer")
        for address in ingress_of(item):
            self._held.pop(address, None)
        left: list[Json] = [f for f in item.metadata.finalizers if f != FINALIZER]
        if item.metadata.deletion_timestamp is None:
            item = self._store.update_status(Object.of(without(item.document, ("status", "loadBalancer", "ingress"))))
        self._store.update(Object.of(with_value(item.document, ("metadata", "finalizers"), left)))
        self._recorder.normal(self.name, item.key, "DeletedLoadBalancer", "Deleted load balancer")

    def _service_changed(self, before: Object | None, item: Object | None) -> None:
        state = item or before
        if state is None:
            return
        for address in ingress_of(state):
            if item is None:
                self._held.pop(address, None)
            else:
                self._held.setdefault(address, item.key)
        self.queue.add(state.key)

    def _node_changed(self, _: Object | None, __: Object | None) -> None:
        """Ref: nodeSyncService(): every balanced Service is told of the nodes that there are now."""
        hosts = self.hosts()
        if hosts == self._hosts:
            return
        known, self._hosts = self._hosts, hosts
        for item in self._services.all() if known and self._pools else ():
            if _is_balanced(item) and FINALIZER in item.metadata.finalizers:
                self._recorder.normal(
                    self.name, item.key, "UpdatedLoadBalancer", "Updated load balancer with new hosts"
                )


def ingress_of(service: Object) -> list[str]:
    """The addresses of a Service's load balancer."""
    entries = list_at(service.document, "status", "loadBalancer", "ingress")
    return [text_at(e, "ip") for e in entries if isinstance(e, Mapping) and text_at(e, "ip")]


def _is_balanced(service: Object) -> bool:
    spec = mapping_at(service.document, "spec")
    return spec.get("type") == "LoadBalancer" and not spec.get("loadBalancerClass")


def _reserved(pool: Prefix, address: Address) -> bool:
    """The network's own address and IPv4's broadcast address are nobody's."""
    if pool.num_addresses <= 2:
        return False
    return address == pool.network_address or (pool.version == 4 and address == pool.broadcast_address)
