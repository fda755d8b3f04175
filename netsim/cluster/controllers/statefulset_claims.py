"""A StatefulSet's claims: one for each claim template and pod, and to whom they belong.

Ref: pkg/controller/statefulset/{stateful_pod_control,stateful_set_utils}.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.cluster.documents import list_at, mapping_at, strings_at, text_at, with_value
from netsim.cluster.events import EventRecorder
from netsim.cluster.store import Store
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object


@dataclass(frozen=True, slots=True)
class PodClaims:
    """Makes and hands over the claims of a StatefulSet's pods; ``source`` is who does."""

    store: Store
    recorder: EventRecorder
    source: str

    def make(self, owner: Object, pod: str) -> None:
        """A claim for each claim template, kept where it is there already. Ref: createPersistentVolumeClaims()."""
        for template, key in _keys(owner, pod):
            if self.store.find(key) is not None:
                continue
            self.store.create(Object.of(_claim(owner, template, key)))
            message = f"Create Claim {key.name} Pod {pod} in StatefulSet {owner.metadata.name} success"
            self.recorder.normal(self.source, owner.key, "SuccessfulCreate", message)

    def hand_over(self, owner: Object, pod: Object, *, condemned: bool) -> None:
        """Let claims go with the set, or with the pod, as the retention policy says. Ref: updateClaimOwnerRefForSetAndPod()."""
        policy = mapping_at(owner.document, "spec", "persistentVolumeClaimRetentionPolicy")
        scaled, deleted = (policy.get(when) == "Delete" for when in ("whenScaled", "whenDeleted"))
        heir = pod if condemned and scaled else owner if deleted else None
        for _, key in _keys(owner, pod.metadata.name):
            claim = self.store.find(key)
            if claim is not None:
                self._give(claim, heir, {owner.metadata.uid, pod.metadata.uid})

    def _give(self, claim: Object, heir: Object | None, parties: set[str]) -> None:
        given = [r for r in list_at(claim.document, "metadata", "ownerReferences") if isinstance(r, Mapping)]
        left: list[Json] = [r for r in given if r.get("uid") not in parties]
        if heir is not None:
            name, uid = heir.metadata.name, heir.metadata.uid
            left.append({"apiVersion": heir.api_version, "kind": heir.kind, "name": name, "uid": uid})
        if left != given:
            self.store.update(Object.of(with_value(claim.document, ("metadata", "ownerReferences"), left)))


def volumes(owner: Object, pod: str, template: Document) -> list[Json]:
    """The template's volumes, with one for each claim template. Ref: updateStorage()."""
    claims: dict[str, Json] = {
        text_at(t, "metadata", "name"): {
            "name": text_at(t, "metadata", "name"),
            "persistentVolumeClaim": {"claimName": key.name},
        }
        for t, key in _keys(owner, pod)
    }
    given = list_at(template, "spec", "volumes")
    return [*claims.values(), *(v for v in given if isinstance(v, Mapping) and v.get("name") not in claims)]


def _keys(owner: Object, pod: str) -> Iterator[tuple[Document, Key]]:
    for template in list_at(owner.document, "spec", "volumeClaimTemplates"):
        name = text_at(template, "metadata", "name") if isinstance(template, Mapping) else ""
        if isinstance(template, Mapping) and name:
            yield template, Key("PersistentVolumeClaim", owner.metadata.namespace, f"{name}-{pod}")


def _claim(owner: Object, template: Document, key: Key) -> Document:
    labels = {
        **strings_at(template, "metadata", "labels"),
        **strings_at(owner.document, "spec", "selector", "matchLabels"),
    }
    metadata: dict[str, Json] = {
        "name": key.name,
        "namespace": key.namespace,
        "labels": labels,
        "annotations": strings_at(template, "metadata", "annotations"),
    }
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata,
        "spec": mapping_at(template, "spec"),
        "status": {"phase": "Pending"},
    }
