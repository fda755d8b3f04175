"""A running cluster as one value: its objects at rest, its kube-proxies, and the topology that packets walk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field

from netsim.cluster.events import Event, Severity
from netsim.dataclass import dataclass
from netsim.manifest import Loaded
from netsim.net.address import Address
from netsim.objects.cluster import ClusterSpec
from netsim.objects.core import Pod
from netsim.objects.meta import Key, Object
from netsim.scenario.expectations import Expectations
from netsim.scenario.kube_proxies import NodeProxy
from netsim.topology.model import Topology
from netsim.topology.naming import external_netns, node_netns, pod_netns
from proxy.config.model import ProxyMode


@dataclass(frozen=True, slots=True)
class World:
    """What a load led to. ``assumptions`` are what the answer to any question about it rests on.

    ``loaded`` and ``mode`` (None: what is configured) are what it was made of, so that it can be made again with a change.
    """

    loaded: Loaded = field(repr=False)
    mode: ProxyMode | None
    objects: Mapping[Key, Object]
    proxies: Mapping[str, NodeProxy]
    topology: Topology
    events: tuple[Event, ...] = ()
    assumptions: tuple[str, ...] = ()
    _expectations: list[Expectations] = field(default_factory=list, init=False, repr=False, compare=False)
    """Made when a destination is first asked for; one at most."""

    @property
    def cluster(self) -> ClusterSpec:
        """The cluster's machines and networks."""
        return self.loaded.cluster

    # --- namespaces -------------------------------------------------------------------------------------------------

    def node_netns(self, node: str) -> str:
        """The network namespace of a node."""
        return node_netns(node)

    def external_netns(self, host: str) -> str:
        """The network namespace of an external host."""
        return external_netns(host)

    def pod_netns(self, pod: Pod) -> str | None:
        """The network namespace that a pod runs in, None where it does not run."""
        place = pod.metadata
        name = node_netns(pod.spec.node_name) if pod.spec.host_network else pod_netns(place.namespace, place.name)
        return name if name in self.topology.namespaces else None

    def owner_of(self, address: Address) -> str | None:
        """The network namespace that has an address on one of its devices (loopback aside)."""
        for netns in self.topology.namespaces.values():
            for device in netns.devices:
                if device.name != "lo" and any(held.ip == address for held in device.addresses):
                    return netns.name
        return None

    # --- addresses --------------------------------------------------------------------------------------------------

    def node_addresses(self, node: str) -> tuple[Address, ...]:
        """A node's addresses, its primary one first."""
        found = self.cluster.node(node)
        return () if found is None else tuple(address.ip for address in found.addresses)

    def external_addresses(self, host: str) -> tuple[Address, ...]:
        """An external host's addresses."""
        return tuple(address.ip for found in self.cluster.external if found.name == host for address in found.addresses)

    # --- pods -------------------------------------------------------------------------------------------------------

    def pods(self) -> Iterator[Pod]:
        """Every pod, by namespace and name."""
        return (Pod.of(item) for key, item in sorted(self.objects.items()) if key.kind == "Pod")

    def waiting_pods(self) -> Iterator[Pod]:
        """The pods that ought to run and do not: no node has them yet, or their node has refused them."""
        for pod in self.pods():
            refused = pod.status.phase == "Failed" and pod.status.reason
            if (refused or pod.status.phase == "Pending") and self.pod_netns(pod) is None:
                yield pod

    def pods_of(self, owner: Key) -> Iterator[Pod]:
        """The pods that a workload controls, directly or through a ReplicaSet of its own."""
        owned = {owner}
        for key, item in sorted(self.objects.items()):
            if key.kind == "ReplicaSet" and _controlled_by(item, owned):
                owned = owned | {key}
        return (Pod.of(i) for key, i in sorted(self.objects.items()) if key.kind == "Pod" and _controlled_by(i, owned))

    def why_not_running(self, pod: Pod) -> str:
        """What the control plane's events say of a pod that does not run."""
        return self.last_warning(pod) or f"its phase is {pod.status.phase}"

    def why_not_ready(self, pod: Pod) -> str:
        """Why a pod is not Ready: it does not run, or what its kubelet says of its containers."""
        if self.pod_netns(pod) is None:
            return self.why_not_running(pod)
        return self.last_warning(pod) or "it runs, but its condition Ready is not True: look at its readiness probe"

    def last_warning(self, pod: Pod) -> str:
        """What the control plane last warned of about a pod, empty for nothing."""
        key = Key("Pod", pod.metadata.namespace, pod.metadata.name)
        told = (e for e in self.events if e.object == key and e.severity is Severity.WARNING)
        return next((e.message for e in reversed(list(told)) if e.reason != "NotModelled"), "")

    # --- what a destination stands for ------------------------------------------------------------------------------

    def expected(self, address: Address, port: int | None) -> frozenset[str] | None:
        """The namespaces in which a packet to that destination is meant to arrive, None where the world does not say.

        A Service's addresses and node ports stand for its endpoints, a node's host ports for the pods that have them; any other address for
        whoever has it.
        """
        return self.expectations().of(address, port)

    def service_of(self, address: Address, port: int | None) -> Key | None:
        """The Service that has an address (cluster IP, external IP, load balancer), or that port of every node."""
        return self.expectations().service_of(address, port)

    def expectations(self) -> Expectations:
        """What the world's objects say of every destination, read once."""
        if not self._expectations:
            self._expectations.append(Expectations(self.objects, self.cluster, self.topology))
        return self._expectations[0]


def _controlled_by(item: Object, owners: set[Key]) -> bool:
    namespace = item.metadata.namespace
    return any(
        reference.controller and Key(reference.kind, namespace, reference.name) in owners
        for reference in item.metadata.owner_references
    )
