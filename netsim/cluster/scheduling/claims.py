"""A pod's volumes and the scheduler: what its claims have to say of where it runs.

Ref: pkg/scheduler/framework/plugins/volumebinding/{volume_binding,binder}.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.cluster.context import Context
from netsim.cluster.documents import list_at, mapping_at, text_at, with_value
from netsim.cluster.scheduling.filters import NO_VOLUME, NODE_AFFINITY_OF_VOLUME, Filter, Reasons, Request
from netsim.cluster.scheduling.nodes import NodeState
from netsim.cluster.scheduling.placement import PlacementSpec
from netsim.cluster.storage import NO_PROVISIONER, SELECTED_NODE, class_name, matching_volumes, waits_for_consumer
from netsim.dataclass import dataclass
from netsim.objects.meta import Key, Object

UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


@dataclass(frozen=True, slots=True)
class VolumeNeeds:
    """``problem``: why no node will do; ``filters``: what nodes will; ``waiting``: claims that are bound once a node is chosen."""

    problem: str = ""
    filters: tuple[Filter, ...] = ()
    waiting: tuple[Key, ...] = ()


class ClaimReader:
    """Reads the claims that pods name."""

    def __init__(self, context: Context) -> None:
        self._store = context.store
        self.claims = context.informers.of("PersistentVolumeClaim")
        self.volumes = context.informers.of("PersistentVolume")
        self.classes = context.informers.of("StorageClass")

    def needs(self, pod: Object) -> VolumeNeeds:
        """What a pod's claims ask for."""
        filters: list[Filter] = []
        waiting: list[Key] = []
        for name in claim_names(pod):
            key = Key("PersistentVolumeClaim", pod.metadata.namespace, name)
            claim = self._store.find(key)
            if claim is None:
                return VolumeNeeds(f'persistentvolumeclaim "{name}" not found')
            if claim.metadata.deletion_timestamp is not None:
                return VolumeNeeds(f'persistentvolumeclaim "{name}" is being deleted')
            volume = text_at(claim.document, "spec", "volumeName")
            if volume and text_at(claim.document, "status", "phase") == "Lost":
                return VolumeNeeds(f'persistentvolumeclaim "{name}" bound to non-existent persistentvolume "{volume}"')
            found = self._store.find(Key("PersistentVolume", "", volume)) if volume else None
            if volume and found is None:
                return VolumeNeeds(f'persistentvolume "{volume}" not found')
            if found is not None:
                filters.append(_on_volume(found))
            elif waits_for_consumer(claim, self.classes):
                waiting.append(key)
                filters.append(self._findable(claim))
            else:
                return VolumeNeeds(UNBOUND)
        return VolumeNeeds("", tuple(filters), tuple(waiting))

    def choose(self, needs: VolumeNeeds, node: str) -> None:
        """Tell the binder on which node claims are wanted."""
        for key in needs.waiting:
            claim = self._store.get(key)
            if claim.metadata.annotations.get(SELECTED_NODE) != node:
                path = ("metadata", "annotations", SELECTED_NODE)
                self._store.update(Object.of(with_value(claim.document, path, node)))

    def _findable(self, claim: Object) -> Filter:
        """A claim that waits: a node will do where a volume can be made for it, or one that is there can be reached."""
        class_ = self.classes.get(Key("StorageClass", "", class_name(claim)))
        if class_ is not None and text_at(class_.document, "provisioner") != NO_PROVISIONER:
            return lambda _request, _node: ()
        placements = [volume_placement(v) for v in matching_volumes(claim, self.volumes.all())]

        def check(_request: Request, node: NodeState) -> Reasons:
            return () if any(not _reach(p, node, NO_VOLUME) for p in placements) else (NO_VOLUME,)

        return check


def _on_volume(volume: Object) -> Filter:
    placement = volume_placement(volume)
    return lambda _request, node: _reach(placement, node, NODE_AFFINITY_OF_VOLUME)


def _reach(placement: PlacementSpec, node: NodeState, reason: str) -> Reasons:
    return () if placement.matches_node(node.name, node.view.metadata.labels) else (reason,)


def volume_placement(volume: Object) -> PlacementSpec:
    """The nodes that can reach a volume."""
    required = mapping_at(volume.document, "spec", "nodeAffinity").get("required")
    if not isinstance(required, Mapping):
        return PlacementSpec()
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return PlacementSpec.of({"affinity": affinity})


def claim_names(pod: Object) -> Iterator[str]:
    """The claims that a pod's volumes name, those of generic ephemeral volumes included."""
    for volume in list_at(pod.document, "spec", "volumes"):
        if isinstance(volume, Mapping):
            named = text_at(volume, "persistentVolumeClaim", "claimName")
            if named:
                yield named
            elif "ephemeral" in volume:
                yield f"{pod.metadata.name}-{volume.get('name')}"
