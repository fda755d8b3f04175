"""Priority and DefaultTolerationSeconds: what every pod gets. Ref: plugin/pkg/admission/{priority,defaulttolerationseconds} (v1.37)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import forbidden, with_document
from netsim.cluster.documents import list_at, mapping_at, text_at, with_value
from netsim.objects.json import Json
from netsim.objects.meta import Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

SYSTEM_PRIORITIES = {"system-cluster-critical": 2_000_000_000, "system-node-critical": 2_000_001_000}
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def priority(item: Object, store: Store) -> Object:
    """The number that a pod's PriorityClass says, or the default class."""
    if item.kind != "Pod" or isinstance(mapping_at(item.document, "spec").get("priority"), int):
        return item
    name, policy = text_at(item.document, "spec", "priorityClassName"), ""
    value: Json = SYSTEM_PRIORITIES.get(name, 0)
    if name not in SYSTEM_PRIORITIES:
        classes = store.list("PriorityClass").items
        default = max(
            (c for c in classes if c.document.get("globalDefault") is True), key=lambda c: c.metadata.name, default=None
        )
        found = next((c for c in classes if c.metadata.name == name), None) if name else default
        if name and found is None:
            raise forbidden(item, f"no PriorityClass with name {name} was found")
        if found is not None:
            name, value, policy = (
                found.metadata.name,
                found.document.get("value"),
                text_at(found.document, "preemptionPolicy"),
            )
    if not name and not value:
        return item
    spec = {**mapping_at(item.document, "spec"), "priorityClassName": name, "priority": value}
    if policy and "preemptionPolicy" not in spec:
        spec["preemptionPolicy"] = policy
    return with_document(item, {**item.document, "spec": spec})


def default_toleration_seconds(item: Object, store: Store) -> Object:
    """Pods tolerate a node that is not heard of for five minutes."""
    del store
    if item.kind != "Pod":
        return item
    given = list_at(item.document, "spec", "tolerations")
    known = [t for t in given if isinstance(t, Mapping) and t.get("effect") in (None, "", "NoExecute")]
    missing = [key for key in _UNREACHABLE if not any(t.get("key") in (None, "", key) for t in known)]
    if not missing:
        return item
    added: list[Json] = [
        {"key": k, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300} for k in missing
    ]
    return with_document(item, with_value(item.document, ("spec", "tolerations"), [*given, *added]))
