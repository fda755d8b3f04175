"""The control plane as one thing: give it nodes and objects, let it run until it is steady, read its store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from netsim.cluster import bootstrap, podstate
from netsim.cluster.access import bootstrap_policy
from netsim.cluster.access.controllers import (
    ClusterRoleAggregationController,
    RootCACertPublisher,
    ServiceAccountController,
    root_certificate,
)
from netsim.cluster.admission import Admission
from netsim.cluster.admission.service_account import default_account
from netsim.cluster.bootstrap import ApiServer
from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.controllers.cronjob import CronJobController
from netsim.cluster.controllers.daemonset import DaemonSetController
from netsim.cluster.controllers.deployment import DeploymentController
from netsim.cluster.controllers.disruption import DisruptionController
from netsim.cluster.controllers.endpoints import EndpointsController
from netsim.cluster.controllers.endpointslice import EndpointSliceController
from netsim.cluster.controllers.eviction import EvictionController
from netsim.cluster.controllers.garbage import GarbageCollector
from netsim.cluster.controllers.job import JobController
from netsim.cluster.controllers.loadbalancer import LoadBalancerController
from netsim.cluster.controllers.mirroring import MirroringController
from netsim.cluster.controllers.namespace import NamespaceController
from netsim.cluster.controllers.nodelifecycle import NodeLifecycleController, with_readiness
from netsim.cluster.controllers.replicaset import ReplicaSetController
from netsim.cluster.controllers.statefulset import StatefulSetController
from netsim.cluster.controllers.volumes import VolumeController
from netsim.cluster.documents import mapping_at, with_value, without
from netsim.cluster.errors import Forbidden
from netsim.cluster.events import Event
from netsim.cluster.faults import Faults
from netsim.cluster.ipam import NodeAddresses
from netsim.cluster.kubelet.fleet import Fleet, Problem
from netsim.cluster.kubelet.kubelet import Kubelet
from netsim.cluster.naming import NameSource
from netsim.cluster.resources import resource_of
from netsim.cluster.runtime import Controller, Runtime
from netsim.cluster.scheduling.scheduler import Scheduler
from netsim.cluster.snapshot import Snapshot
from netsim.cluster.store import Store
from netsim.net.address import family_of, parse_prefix
from netsim.objects.core import SERVICE_NAME_LABEL
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.access.authentication import Authentication
    from netsim.cluster.access.tokens import TokenAuthority
    from netsim.cluster.api import Api

# In the order in which they are given their turn in a round; it decides nothing but the order of events.
_WORKLOADS = (
    DeploymentController,  # what makes ReplicaSets comes before what makes pods of them
    StatefulSetController,
    DaemonSetController,
    JobController,
    CronJobController,
)


# What admission looks at is there before what it looks at it for.
_FIRST = {
    "Namespace": 0,
    "PriorityClass": 1,
    "StorageClass": 1,
    "ServiceAccount": 1,
    "LimitRange": 2,
    "ResourceQuota": 3,
}


class ControlPlane:
    """A cluster's API server, controllers, scheduler and kubelets.

    ``nodes`` are Nodes with ``spec.podCIDRs``, ``status.addresses``, labels and taints; ``objects`` is everything else, in any
    order: what comes of it does not depend on the order. ``service_cidrs``: one for each family, the first family being the
    default. ``api_server``: where ``default/kubernetes`` leads; None: the cluster has no such Service; ``"auto"``:
    ``ApiServer.of_nodes``. ``api`` are the verbs of users, for who changes the running cluster; ``faults`` are
    what happens to its machines and programs.
    ``seed`` decides the names that are generated. ``load_balancer_pools``: prefixes whose addresses Services of type LoadBalancer get.

    Raises StatusError where an object is there twice or has no name, DecodeError where one has not the form of its kind.
    """

    def __init__(
        self,
        nodes: Sequence[Object],
        objects: Iterable[Object],
        *,
        clock: VirtualClock | None = None,
        seed: int = 0,
        service_cidrs: Sequence[str] = ("10.96.0.0/16",),
        api_server: ApiServer | Literal["auto"] | None = "auto",
        max_rounds: int = 20_000,
        load_balancer_pools: Sequence[str] = (),
    ) -> None:
        self._pools = tuple(parse_prefix(pool) for pool in load_balancer_pools)
        self.clock = clock or VirtualClock()
        self.store = Store(self.clock, NameSource(seed))
        self._context = Context.of(self.store, self.clock, seed=seed)
        self._context.informers.of("Node")  # first: who gets an address asks what nodes there are
        self.faults = Faults(self.store, self._context.machines)
        self._fleet = Fleet()
        self._max_rounds = max_rounds
        self._service_cidrs = tuple(parse_prefix(cidr) for cidr in service_cidrs)
        self._runtime = self._started()
        self.admission = Admission()
        self._seed = seed
        self._own: set[Key] = set()
        self._bootstrap(bootstrap_policy.objects())
        for name in bootstrap.NAMESPACES:
            self._ensure_namespace(name)
        self._bootstrap(bootstrap.addons())
        for node in nodes:
            self.create(node)
        given = sorted(objects, key=lambda item: _FIRST.get(item.kind, len(_FIRST)))
        self.store.admit = self.admission.admit
        for item in given:
            try:
                self.create(item)
            except Forbidden as error:
                self._fleet.problems.append(Problem(item.key, str(error)))
        if not self.store.list("StorageClass").items:
            self.store.create(bootstrap.storage_class())
        server = ApiServer.of_nodes(nodes) if api_server == "auto" else api_server
        self._create_kubernetes_service(server, service_cidrs)

    def _started(self) -> Runtime:
        return Runtime(self.clock, self._context.informers, self._controllers(), max_rounds=self._max_rounds)

    def restart(self) -> None:
        """Start every controller, the scheduler and the kubelets anew: they know only what the store and the nodes hold."""
        self._context = self._context.anew()
        self._context.informers.of("Node")
        self._runtime = self._started()

    def _controllers(self) -> list[Controller]:
        context = self._context
        families = [family_of(cidr).kubernetes for cidr in self._service_cidrs]
        return [
            NodeLifecycleController(context),
            ServiceAccountController(context),
            RootCACertPublisher(context),
            ClusterRoleAggregationController(context),
            *(make(context) for make in _WORKLOADS),
            ReplicaSetController(context),
            ReplicaSetController(context, "ReplicationController"),
            VolumeController(context),
            Scheduler(context),
            Kubelet(context, self._fleet),
            DisruptionController(context),
            EvictionController(context),
            EndpointsController(context, families),
            EndpointSliceController(context, families),
            MirroringController(context),
            LoadBalancerController(context, self._pools),
            NamespaceController(context),
            GarbageCollector(context),
        ]

    # What only users of the API need is imported when there is one: a cold trace does not pay for it.

    @cached_property
    def api(self) -> Api:
        """The verbs of users; ``kubernetes-admin``'s, who may do everything. ``api.acting_as`` gives those of others."""
        from netsim.cluster.access.authorization import Authorization
        from netsim.cluster.api import Api

        return Api(self.store, self.clock, self._service_cidrs, Authorization.of_kubeadm(self.store))

    @cached_property
    def tokens(self) -> TokenAuthority:
        """Who makes the ServiceAccounts' tokens."""
        from netsim.cluster.access.tokens import TokenAuthority

        return TokenAuthority(self.store, self.clock, self._seed)

    @cached_property
    def authentication(self) -> Authentication:
        """Who knows whose a request is."""
        from netsim.cluster.access.authentication import Authentication

        return Authentication(self.store, self.clock, self.tokens)

    # --- changing the world -----------------------------------------------------------------------------------------

    def create(self, item: Object) -> Object:
        """Load an object as it was given: its namespace is made where it is not there, a pod's status is kept.

        A pod that was given with a ``deletionTimestamp`` stays terminating. Raises StatusError.
        """
        if item.kind == "Namespace":
            self._ensure_namespace(item.metadata.name)
        if item.key in self._own:  # what a cluster has of itself is not there twice: it is as it was given
            self._own.remove(item.key)
            return self.store.update(Object.of(without(item.document, ("metadata", "resourceVersion"))))
        if item.kind == "Node":
            item = with_readiness(bootstrap.registered(item), self.clock.timestamp())
        if resource_of(item.kind, item.api_version).namespaced:
            self._ensure_namespace(item.metadata.namespace or "default")
        if item.metadata.resource_version:
            item = Object.of(without(item.document, ("metadata", "resourceVersion")))
        if item.kind == "Pod" and item.metadata.deletion_timestamp:
            item = Object.of(with_value(item.document, ("metadata", "annotations", podstate.HOLD_TERMINATING), "true"))
        made = self.store.create(item)
        if made.kind in ("EndpointSlice", "Endpoints") or made.metadata.owner_references:
            self._context.given.add(made.key)
        if made.kind == "Pod" and mapping_at(item.document, "status"):
            self._fleet.given[made.key] = mapping_at(item.document, "status")
        return made

    def delete(self, key: Key) -> None:
        """Delete an object, as ``kubectl delete`` does. Raises NotFound."""
        self.store.delete(key)

    def run_until_steady(self, *, until: float | None = None) -> None:
        """Run until nothing changes any more and no timer is set; ``until``: but not past that time. Raises NotSteadyError."""
        self._runtime.run_until_steady(until=until)

    def run_until(self, when: float) -> None:
        """Let time go by to an instant, in seconds since the world began, and bring everything that is due then to an end.

        Raises ValueError for the past, NotSteadyError.
        """
        if when < self.clock.now():
            raise ValueError(f"time does not run backwards: {when} < {self.clock.now()}")
        self._runtime.run_until_steady(until=when)

    def at(self, when: float, action: Callable[[], None]) -> None:
        """Do something at an instant, before the control plane sees it; whoever runs to rest waits for it."""
        self.clock.call_at(when, action)

    def observe(self, observer: Callable[[], None]) -> None:
        """Call a function after each round of the control plane: whenever anything may have changed, at any instant."""
        self._runtime.observe(observer)

    # --- reading it -------------------------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """Everything as it is at this instant; it stays so whatever happens afterwards."""
        return Snapshot.of(self.clock, self.store, self.events)

    @property
    def events(self) -> tuple[Event, ...]:
        """What was done and could not be done, in order."""
        return self._context.recorder.events

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What given objects ask for and cannot have, such as an address twice; for a loader to report."""
        return tuple(self._fleet.problems)

    def addresses_of(self, node: str) -> NodeAddresses | None:
        """The pod addresses of a node and who holds them, None for a node that is not there."""
        return self._fleet.network.of(node)

    # --- bootstrap --------------------------------------------------------------------------------------------------

    def _bootstrap(self, items: Iterable[Object]) -> None:
        """Make what a cluster has before anybody asks for it."""
        for item in items:
            self._own.add(item.key)
            self.store.create(item)

    def _ensure_namespace(self, name: str) -> None:
        """A namespace as its controllers leave it: nothing that is loaded has to wait for its ServiceAccount."""
        if self.store.find(Key("Namespace", "", name)) is None:
            self._bootstrap((bootstrap.namespace(name), default_account(name), root_certificate(name)))

    def _create_kubernetes_service(self, server: ApiServer | None, service_cidrs: Sequence[str]) -> None:
        if server is None or not service_cidrs:
            return
        if self.store.find(Key("Service", "default", "kubernetes")) is None:
            self.store.create(bootstrap.kubernetes_service(service_cidrs[0]))
        slices = self.store.list("EndpointSlice", "default").items
        if not any(s.metadata.labels.get(SERVICE_NAME_LABEL) == "kubernetes" for s in slices):
            self.store.create(bootstrap.kubernetes_slice(server))
