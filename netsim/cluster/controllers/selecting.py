"""What the controllers of Services' endpoints share: which Services a pod belongs to, and which pods a Service selects."""

from __future__ import annotations

from collections.abc import Iterable

from netsim.cluster.context import Context
from netsim.cluster.documents import strings_at
from netsim.cluster.ownership import BY_LABEL, by_label, label_terms, selected, selector_term
from netsim.cluster.selectors import of_labels
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.core import Service
from netsim.objects.meta import Object

_SELECTOR = "selector"


class ServiceController:
    """Queues Services that change, and those of every pod that changes."""

    name = ""

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._recorder = context.recorder
        self._given = context.given
        self._services = context.informers.of("Service")
        self._pods = context.informers.of("Pod")
        self._services.add_index(_SELECTOR, _selector_index)
        self._pods.add_index(BY_LABEL, by_label)
        self._services.add_handler(self._service_changed)
        self._pods.add_handler(self._pod_changed)

    def _selected(self, service: Service) -> list[Object]:
        """The pods that a Service selects, in the order of their names."""
        return selected(self._pods, BY_LABEL, service.metadata.namespace, of_labels(service.spec.selector))

    def _service_changed(self, before: Object | None, item: Object | None) -> None:
        state = item or before
        if state is not None:
            self.queue.add(state.key)

    def _pod_changed(self, before: Object | None, pod: Object | None) -> None:
        for state in (before, pod):
            moved = before is None or pod is None or before.metadata.labels != pod.metadata.labels
            if state is not None and (state is pod or moved):
                self._queue_services_of(state)

    def _queue_services_of(self, pod: Object) -> None:
        for term in label_terms(pod.metadata.namespace, pod.metadata.labels):
            for service in self._services.by_index(_SELECTOR, term):
                selector = strings_at(service.document, "spec", "selector")
                if selector and of_labels(selector).matches(pod.metadata.labels):
                    self.queue.add(service.key)


def _selector_index(service: Object) -> Iterable[str]:
    selector = strings_at(service.document, "spec", "selector")
    return (selector_term(service.metadata.namespace, of_labels(selector)),) if selector else ()
