"""Claims and volumes: binds a claim to a volume that is there, or has one made by its class's provisioner.

Every provisioner that a StorageClass names is taken to run (but ``kubernetes.io/no-provisioner``, which stands for none); volumes are
states only. Ref: pkg/controller/volume/persistentvolume/pv_controller.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster.context import Context
from netsim.cluster.documents import compact, list_at, mapping_at, text_at, with_value
from netsim.cluster.storage import (
    DEFAULT_CLASS,
    NO_PROVISIONER,
    SELECTED_NODE,
    class_name,
    matching_volumes,
    waits_for_consumer,
)
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

_BOUND_BY = "pv.kubernetes.io/bound-by-controller"


class VolumeController:
    """Keeps claims and volumes bound to each other."""

    name = "persistentvolume-controller"

    def __init__(self, context: Context) -> None:
        self.queue = WorkQueue(context.clock)
        self._store = context.store
        self._recorder = context.recorder
        self._claims = context.informers.of("PersistentVolumeClaim")
        self._volumes = context.informers.of("PersistentVolume")
        self._classes = context.informers.of("StorageClass")
        self._claims.add_handler(self._claim_changed)
        self._volumes.add_handler(self._volume_changed)
        self._classes.add_handler(lambda _, __: self._again())

    def sync(self, key: Key) -> None:
        """Bind one claim, or say why it waits; set the phase of one volume."""
        item = self._store.find(key)
        if item is None or item.metadata.deletion_timestamp is not None:
            return
        if key.kind == "PersistentVolume":
            self._sync_volume(item)
        elif not text_at(item.document, "spec", "volumeName") or text_at(item.document, "status", "phase") != "Bound":
            self._sync_claim(item)

    # --- claims -----------------------------------------------------------------------------------------------------

    def _sync_claim(self, claim: Object) -> None:
        claim = self._with_class(claim)
        waits = waits_for_consumer(claim, self._classes) and SELECTED_NODE not in claim.metadata.annotations
        given = text_at(claim.document, "spec", "volumeName")
        candidates = matching_volumes(claim, self._store.list("PersistentVolume").items)
        if candidates and (not waits or given):
            self._bind(claim, candidates[0])
        elif given:
            self._set_phase(claim, "Pending")
        elif waits:
            message = "waiting for first consumer to be created before binding"
            self._recorder.normal(self.name, claim.key, "WaitForFirstConsumer", message)
            self._set_phase(claim, "Pending")
        else:
            self._provision(claim)

    def _with_class(self, claim: Object) -> Object:
        """A claim that says nothing of a class gets the default one. Ref: pv_controller.go:assignDefaultStorageClass()."""
        if "storageClassName" in mapping_at(claim.document, "spec") or class_name(claim):
            return claim
        default = [c for c in self._classes.all() if c.metadata.annotations.get(DEFAULT_CLASS) == "true"]
        if not default:
            return claim
        chosen = max(default, key=lambda c: (c.metadata.creation_timestamp or "", c.metadata.name))
        return self._store.update(
            Object.of(with_value(claim.document, ("spec", "storageClassName"), chosen.metadata.name))
        )

    def _provision(self, claim: Object) -> None:
        name = class_name(claim)
        class_ = self._classes.get(Key("StorageClass", "", name))
        if class_ is None:
            reason, message = (
                "FailedBinding",
                "no persistent volumes available for this claim and no storage class is set",
            )
            if name:
                reason, message = "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found'
            record = self._recorder.warning if name else self._recorder.normal
            record(self.name, claim.key, reason, message)
            self._set_phase(claim, "Pending")
        elif text_at(class_.document, "provisioner") == NO_PROVISIONER:
            self._set_phase(claim, "Pending")
        else:
            volume = self._store.create(Object.of(_volume(claim, class_)))
            message = f"Successfully provisioned volume {volume.metadata.name}"
            source = text_at(class_.document, "provisioner")
            self._recorder.normal(source, claim.key, "ProvisioningSucceeded", message)
            self._bind(claim, volume)

    def _bind(self, claim: Object, volume: Object) -> None:
        reference = _reference(claim)
        if mapping_at(volume.document, "spec", "claimRef").get("uid") != claim.metadata.uid:
            document = with_value(volume.document, ("spec", "claimRef"), reference)
            volume = self._store.update(Object.of(document))
        self._store.update_status(Object.of(with_value(volume.document, ("status", "phase"), "Bound")))
        document = with_value(claim.document, ("spec", "volumeName"), volume.metadata.name)
        document = with_value(document, ("metadata", "annotations", "pv.kubernetes.io/bind-completed"), "yes")
        claim = self._store.update(Object.of(document))
        status: Document = {
            **mapping_at(claim.document, "status"),
            "phase": "Bound",
            "accessModes": list(list_at(volume.document, "spec", "accessModes")),
            "capacity": dict(mapping_at(volume.document, "spec", "capacity")),
        }
        self._store.update_status(Object.of({**claim.document, "status": status}))

    def _set_phase(self, item: Object, phase: str) -> None:
        if text_at(item.document, "status", "phase") != phase:
            current = self._store.get(item.key)
            self._store.update_status(Object.of(with_value(current.document, ("status", "phase"), phase)))

    # --- volumes ----------------------------------------------------------------------------------------------------

    def _sync_volume(self, volume: Object) -> None:
        held = mapping_at(volume.document, "spec", "claimRef")
        if not held:
            self._set_phase(volume, "Available")
            return
        key = Key("PersistentVolumeClaim", str(held.get("namespace")), str(held.get("name")))
        claim = self._store.find(key)
        gone = held.get("uid") and (claim is None or claim.metadata.uid != held.get("uid"))
        if gone and text_at(volume.document, "spec", "persistentVolumeReclaimPolicy") == "Delete":
            self._store.delete(volume.key)
        elif gone:
            self._set_phase(volume, "Released")
        elif claim is None or text_at(claim.document, "spec", "volumeName") != volume.metadata.name:
            self._set_phase(volume, "Available")

    def _again(self) -> None:
        for claim in self._claims.all():
            if text_at(claim.document, "status", "phase") != "Bound":
                self.queue.add(claim.key)

    def _claim_changed(self, before: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)
        elif before is not None and text_at(before.document, "spec", "volumeName"):
            self.queue.add(Key("PersistentVolume", "", text_at(before.document, "spec", "volumeName")))

    def _volume_changed(self, before: Object | None, item: Object | None) -> None:
        if item is not None:
            self.queue.add(item.key)
        if before is None or item is None:
            self._again()


def _reference(claim: Object) -> dict[str, Json]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "namespace": claim.metadata.namespace,
        "name": claim.metadata.name,
        "uid": claim.metadata.uid,
    }


def _volume(claim: Object, class_: Object) -> Document:
    """The volume that a provisioner makes. One of local-path's is on the node that was chosen, and can be reached from there only."""
    spec, provisioner = mapping_at(claim.document, "spec"), text_at(class_.document, "provisioner")
    chosen = claim.metadata.annotations.get(SELECTED_NODE)
    on_node: Json = None
    if chosen and "local" in provisioner:
        name: Mapping[str, Json] = {"key": "kubernetes.io/hostname", "operator": "In", "values": [chosen]}
        on_node = {"required": {"nodeSelectorTerms": [{"matchExpressions": [name]}]}}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {
            "name": f"pvc-{claim.metadata.uid}",
            "annotations": {"pv.kubernetes.io/provisioned-by": provisioner, _BOUND_BY: "yes"},
        },
        "spec": compact(
            accessModes=list(list_at(spec, "accessModes")),
            capacity=dict(mapping_at(spec, "resources", "requests")),
            claimRef=_reference(claim),
            nodeAffinity=on_node,
            persistentVolumeReclaimPolicy=text_at(class_.document, "reclaimPolicy") or "Delete",
            storageClassName=class_.metadata.name,
            volumeMode=text_at(spec, "volumeMode") or "Filesystem",
        ),
        "status": {"phase": "Pending"},
    }
