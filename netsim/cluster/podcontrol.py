"""Making and deleting pods for their controllers, with the events that Kubernetes records.

Ref: pkg/controller/controller_utils.go:RealPodControl (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from netsim.cluster.documents import compact, mapping_at
from netsim.cluster.errors import Forbidden, StatusError
from netsim.cluster.events import EventRecorder
from netsim.cluster.ownership import controller_reference
from netsim.cluster.selectors import Selector
from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class PodControl:
    """What one controller (``source``) does to pods; ``created`` and ``deleted``: what its events say."""

    store: Store
    recorder: EventRecorder
    source: str
    created: str = "Created pod: {pod}"
    deleted: str = "Deleted pod: {pod}"

    def create(self, owner: Object, template: Document, *, name: str = "", prefix: str = "") -> Object:
        """Make a pod of a template, with this name or a generated one (behind ``prefix``, or the owner's name). Raises StatusError."""
        try:
            pod = self.store.create(Object.of(pod_of(owner, template, name, prefix)))
        except StatusError as error:
            self.recorder.warning(self.source, owner.key, "FailedCreate", f"Error creating: {error}")
            raise
        self._tell(self.created, "SuccessfulCreate", owner, pod)
        return pod

    def delete(self, owner: Object, pod: Object) -> None:
        """Delete a pod; one that is being deleted is left to its kubelet. Raises StatusError."""
        if pod.metadata.deletion_timestamp is None:
            self.store.delete(pod.key)
            self._tell(self.deleted, "SuccessfulDelete", owner, pod)

    def _tell(self, what: str, reason: str, owner: Object, pod: Object) -> None:
        said = what.format(pod=pod.metadata.name, owner=owner.metadata.name)
        self.recorder.normal(self.source, owner.key, reason, said)

    def selects_own_template(self, owner: Object, selector: Selector) -> bool:
        """True where the selector selects what the template makes. Otherwise it warns: pods would be made without end.

        An API server refuses such an object. Ref: pkg/apis/apps/validation/validation.go (v1.37).
        """
        labels = {k: str(v) for k, v in mapping_at(owner.document, "spec", "template", "metadata", "labels").items()}
        if not selector.empty and selector.matches(labels):
            return True
        message = "spec.selector does not match spec.template.metadata.labels: no pod is made"
        self.recorder.warning(self.source, owner.key, "InvalidSelector", message)
        return False


def in_slow_start(create: Callable[[int], Object], number: int) -> tuple[list[Object], str]:
    """Make some things, 1 at first and then twice as many each time; after a batch in which some were refused no other begins.

    So a quota that is used up is not asked for each of thousands. ``create`` is called with the number of the thing. Answers what was
    made, and why something was not (Forbidden), empty where all was.
    Ref: pkg/controller/replicaset/replica_set.go:slowStartBatch() (v1.37).
    """
    made: list[Object] = []
    refused = ""
    begun, batch = 0, min(number, 1)
    while batch > 0 and not refused:
        for n in range(begun, begun + batch):
            try:
                made.append(create(n))
            except Forbidden as error:
                refused = refused or str(error)
        begun += batch
        batch = min(2 * batch, number - begun)
    return made, refused


def pod_of(owner: Object, template: Document, name: str = "", prefix: str = "") -> Document:
    """The pod that a template describes. Ref: controller_utils.go:GetPodFromTemplate()."""
    given = mapping_at(template, "metadata")
    metadata: Mapping[str, Json] = compact(
        name=name,
        generateName="" if name else prefix or f"{owner.metadata.name}-",
        namespace=owner.metadata.namespace,
        labels=given.get("labels"),
        annotations=given.get("annotations"),
        finalizers=given.get("finalizers"),
        ownerReferences=[controller_reference(owner)],
    )
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": mapping_at(template, "spec")}
