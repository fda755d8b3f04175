"""Whom a pod is spread with where it has no constraints of its own: the pods of its Services and of what made it.

Ref: pkg/scheduler/framework/plugins/helper/spread.go:DefaultSelector() (v1.37). The pods of one ReplicaSet are those that it made, which is
what its selector comes to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from netsim.cluster.context import Context
from netsim.cluster.documents import strings_at
from netsim.cluster.ownership import controller_key
from netsim.cluster.scheduling.affinity import PodTerm
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.population import Population
from netsim.cluster.selectors import of_labels
from netsim.objects.meta import Object

_OWNERS = ("ReplicaSet", "ReplicationController", "StatefulSet")
_BY_NAMESPACE = "namespace"


class Kin:
    """Knows the Services, and what makes pods."""

    def __init__(self, context: Context, population: Population) -> None:
        self._population = population
        self._services = context.informers.of("Service")
        self._services.add_index(_BY_NAMESPACE, _namespace)
        self._owners = {kind: context.informers.of(kind) for kind in _OWNERS}

    def counted(self, pod: Object, resident: Resident) -> Callable[[NodeState], int] | None:
        """How many of a pod's kin there are on a node, as a function; None where a pod has none to be spread with."""
        namespace = pod.metadata.namespace
        made_by = controller_key(pod)
        if made_by is not None and made_by.kind in _OWNERS and self._owners[made_by.kind].get(made_by) is not None:
            return lambda node: node.groups[resident.group]
        wanted: dict[str, str] = {}
        for service in self._services.by_index(_BY_NAMESPACE, namespace):
            selector = strings_at(service.document, "spec", "selector")
            if selector and of_labels(selector).matches(pod.metadata.labels):
                wanted |= selector
        if not wanted:
            return None
        tally = self._population.tally((PodTerm(of_labels(wanted), "", frozenset({namespace})),), living=True)
        return lambda node: tally[node.name]


def _namespace(item: Object) -> Iterable[str]:
    return (item.metadata.namespace,)
