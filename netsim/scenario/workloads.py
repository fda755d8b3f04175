"""Which workload made a pod: what people name, where pods have names that change with every roll-out."""

from __future__ import annotations

from netsim.objects.meta import Key
from netsim.scenario.world import World


def workloads_of(world: World) -> dict[str, str]:
    """``NAMESPACE/POD`` → ``deployment/NAMESPACE/NAME`` for the pods that a workload made; others are not there."""
    found: dict[str, str] = {}
    for key, item in sorted(world.objects.items()):
        owner = next((ref for ref in item.metadata.owner_references if ref.controller), None)
        if key.kind != "Pod" or owner is None:
            continue
        above = world.objects.get(Key(owner.kind, key.namespace, owner.name))
        higher = next((ref for ref in above.metadata.owner_references if ref.controller), None) if above else None
        last = higher or owner
        found[f"{key.namespace}/{key.name}"] = f"{last.kind.lower()}/{key.namespace}/{last.name}"
    return found
