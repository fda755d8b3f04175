"""The revisions of a StatefulSet's or DaemonSet's template, as ControllerRevisions.

Ref: pkg/controller/history/controller_history.go, statefulset/stateful_set_control.go:getStatefulSetRevisions(),
daemon/update.go:constructHistory() (v1.37).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netsim.cluster.documents import mapping_at, strings_at
from netsim.cluster.informer import Informer
from netsim.cluster.naming import template_hash
from netsim.cluster.ownership import BY_CONTROLLER, by_controller, controller_of, controller_reference
from netsim.cluster.store import Store
from netsim.cluster.workloads import template_of
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object

REVISION_LABEL = "controller-revision-hash"


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision: its object's name, its hash, and the template."""

    name: str
    digest: str
    template: Document


@dataclass(frozen=True, slots=True)
class History:
    """Keeps the ControllerRevisions of one kind of owner."""

    store: Store
    revisions: Informer

    def __post_init__(self) -> None:
        self.revisions.add_index(BY_CONTROLLER, by_controller)

    def of(self, owner: Object) -> tuple[Revision, Mapping[str, Revision]]:
        """The revision of the owner's template, and all by name; an old one that is asked for again becomes the newest."""
        digest = template_hash(template_of(owner))
        name = f"{owner.metadata.name}-{digest}"
        known = self._known(owner)
        latest = max((_number(item) for item in known), default=0)
        found = next((item for item in known if item.metadata.name == name), None)
        if found is None:
            known.append(self.store.create(Object.of(_document(owner, name, digest, latest + 1))))
        elif _number(found) < latest:
            self.store.update(Object.of({**found.document, "revision": latest + 1}))
        revisions = {item.metadata.name: _revision(item) for item in known}
        return revisions[name], revisions

    def truncate(self, owner: Object, live: Collection[str], limit: int) -> None:
        """Delete the oldest that no pod has, but as many as the limit says."""
        dead = sorted((i for i in self._known(owner) if i.metadata.name not in live), key=_number)
        for item in dead[: max(0, len(dead) - limit)]:
            self.store.delete(item.key)

    def _known(self, owner: Object) -> list[Object]:
        """The owner's; one of its name that the informer has not heard of, or that nobody owns, is the owner's too."""
        found = list(self.revisions.by_index(BY_CONTROLLER, owner.metadata.uid))
        name = f"{owner.metadata.name}-{template_hash(template_of(owner))}"
        newest = self.store.find(Key("ControllerRevision", owner.metadata.namespace, name))
        if newest is not None and newest.metadata.name not in {item.metadata.name for item in found}:
            found.append(newest if controller_of(newest) is not None else self._adopted(owner, newest))
        return found

    def _adopted(self, owner: Object, item: Object) -> Object:
        metadata = {**mapping_at(item.document, "metadata"), "ownerReferences": [controller_reference(owner)]}
        return self.store.update(Object.of({**item.document, "metadata": metadata}))


def _number(item: Object) -> int:
    value = item.document.get("revision")
    return value if isinstance(value, int) else 0


def _revision(item: Object) -> Revision:
    template = mapping_at(item.document, "data", "spec", "template")
    return Revision(item.metadata.name, item.metadata.labels.get(REVISION_LABEL, ""), template)


def _document(owner: Object, name: str, digest: str, number: int) -> Document:
    template = template_of(owner)
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": name,
            "namespace": owner.metadata.namespace,
            "labels": {**strings_at(template, "metadata", "labels"), REVISION_LABEL: digest},
            "ownerReferences": [controller_reference(owner)],
        },
        "revision": number,
        "data": {"spec": {"template": template}},
    }
