"""Who owns what, and how controllers find what is theirs without looking at everything.

Ref: pkg/controller/controller_ref_manager.go, staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/controller_ref.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netsim.cluster.documents import list_at, text_at, with_value
from netsim.cluster.informer import Informer
from netsim.cluster.selectors import Selector
from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.objects.json import Json
from netsim.objects.meta import Key, Object, OwnerReference

BY_CONTROLLER = "controller"
BY_LABEL = "label"
BY_NODE = "node"
ORPHANS = "orphans"


def controller_of(item: Object) -> OwnerReference | None:
    """The owner that manages an object, None without one."""
    return next((owner for owner in item.metadata.owner_references if owner.controller), None)


def controller_key(item: Object) -> Key | None:
    """The key of the owner that manages an object, None without one."""
    owner = controller_of(item)
    return None if owner is None else Key(owner.kind, item.metadata.namespace, owner.name)


def controller_reference(owner: Object) -> Mapping[str, Json]:
    """The entry for ``ownerReferences`` of what an owner manages."""
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.metadata.name,
        "uid": owner.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def by_controller(item: Object) -> Iterable[str]:
    """Index: the uid of the owner that manages an object."""
    owner = controller_of(item)
    return () if owner is None else (owner.uid,)


def by_label(item: Object) -> Iterable[str]:
    """Index: the namespace, and each label in it."""
    return label_terms(item.metadata.namespace, item.metadata.labels)


def by_node(pod: Object) -> Iterable[str]:
    """Index: the node of a pod."""
    return filter(None, (text_at(pod.document, "spec", "nodeName"),))


def orphans(item: Object) -> Iterable[str]:
    """Index: as ``by_label``, of objects that nobody manages."""
    return by_label(item) if controller_of(item) is None else ()


def label_terms(namespace: str, labels: Mapping[str, str]) -> list[str]:
    """The terms under which an object with these labels is filed."""
    return [namespace, *(f"{namespace}/{key}={value}" for key, value in labels.items())]


def selector_term(namespace: str, selector: Selector) -> str:
    """One term under which every object that the selector selects is filed: index a selector by it to find it from labels."""
    pairs = selector.pairs
    return f"{namespace}/{pairs[0][0]}={pairs[0][1]}" if pairs else namespace


def selected(informer: Informer, index: str, namespace: str, selector: Selector) -> list[Object]:
    """The objects of a namespace that a selector selects, sorted; looks only at those under its rarest label.

    ``index`` is BY_LABEL or ORPHANS.
    """
    if selector.nothing:
        return []
    terms = [f"{namespace}/{key}={value}" for key, value in selector.pairs] or [namespace]
    rarest = min(terms, key=lambda term: informer.count(index, term))
    return [item for item in informer.by_index(index, rarest) if selector.matches(item.metadata.labels)]


@dataclass(frozen=True, slots=True)
class Claims:
    """What an owner manages: its own objects, after matching orphans were adopted and what matches no more was let go."""

    store: Store
    informer: Informer

    def __post_init__(self) -> None:
        self.informer.add_index(BY_CONTROLLER, by_controller)
        self.informer.add_index(ORPHANS, orphans)

    def claim(self, owner: Object, selector: Selector) -> list[Object]:
        """The objects that the owner manages, sorted by name. An owner that is being deleted adopts nothing.

        Raises Conflict where an object was changed meanwhile.
        """
        mine: list[Object] = []
        for item in self.informer.by_index(BY_CONTROLLER, owner.metadata.uid):
            if selector.matches(item.metadata.labels):
                mine.append(item)
            elif item.metadata.deletion_timestamp is None:
                self._release(owner, item)
        if owner.metadata.deletion_timestamp is None:
            found = selected(self.informer, ORPHANS, owner.metadata.namespace, selector)
            adopted = [self._adopt(owner, item) for item in found if item.metadata.deletion_timestamp is None]
            mine = sorted(mine + adopted, key=lambda item: item.key) if adopted else mine
        return mine

    def _adopt(self, owner: Object, item: Object) -> Object:
        references = [*list_at(item.document, "metadata", "ownerReferences"), controller_reference(owner)]
        return self.store.update(Object.of(with_value(item.document, ("metadata", "ownerReferences"), references)))

    def _release(self, owner: Object, item: Object) -> None:
        references = [
            reference
            for reference in list_at(item.document, "metadata", "ownerReferences")
            if not (isinstance(reference, Mapping) and reference.get("uid") == owner.metadata.uid)
        ]
        self.store.update(Object.of(with_value(item.document, ("metadata", "ownerReferences"), references)))
