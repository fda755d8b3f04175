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
_PREEMPTS = "PreemptLowerPriority"
_UNREACHABLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")


def priority(item: Object, store: Store) -> Object:
    """The number that a pod's PriorityClass says, or the default class. A pod that was loaded with a status has been admitted before."""
    if item.kind != "Pod":
        return item
    spec = mapping_at(item.document, "spec")
    name, value, policy = _class_of(item, store)
    given = spec.get("priority")
    if isinstance(given, int) and given != value and not item.document.get("status"):
        why = (
            f"the integer value of priority ({given}) must not be provided in pod spec; "
            f"priority admission controller computed {value} from the given PriorityClass name"
        )
        raise forbidden(item, why)
    added: dict[str, Json] = {"priorityClassName": name} if name else {}
    added |= {"priority": value if given is None else given, "preemptionPolicy": spec.get("preemptionPolicy") or policy}
    return with_document(item, {**item.document, "spec": {**spec, **added}})


def _class_of(item: Object, store: Store) -> tuple[str, Json, str]:
    """The name, value and preemption policy of a pod's class; no name where there is none. Raises Forbidden."""
    name = text_at(item.document, "spec", "priorityClassName")
    if name in SYSTEM_PRIORITIES:
        return name, SYSTEM_PRIORITIES[name], _PREEMPTS
    classes = store.list("PriorityClass").items
    default = max(
        (c for c in classes if c.document.get("globalDefault") is True), key=lambda c: c.metadata.name, default=None
    )
    found = next((c for c in classes if c.metadata.name == name), None) if name else default
    if found is None:
        if name:
            raise forbidden(item, f"no PriorityClass with name {name} was found")
        return "", 0, _PREEMPTS
    return found.metadata.name, found.document.get("value"), text_at(found.document, "preemptionPolicy") or _PREEMPTS


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
