"""PodSecurity: the levels baseline and restricted, where a namespace's label enforces one.

``warn`` and ``audit`` change nothing that is modelled; an older ``enforce-version`` is judged by the newest rules.
Ref: staging/src/k8s.io/pod-security-admission/{admission/admission.go,policy/check_*.go} (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netsim.cluster.admission.plugin import forbidden
from netsim.cluster.admission.security_checks import BASELINE, OVERLAPPING, RESTRICTED, Check
from netsim.cluster.documents import mapping_at
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

ENFORCE = "pod-security.kubernetes.io/enforce"
_LEVELS: Mapping[str, tuple[Check, ...]] = {
    "privileged": (),
    "baseline": tuple(sorted((*BASELINE, *OVERLAPPING), key=lambda check: check.id)),
    "restricted": (*BASELINE, *RESTRICTED),
}


def pod_security(item: Object, store: Store) -> None:
    """A pod keeps to what its namespace enforces. A level that is not known counts as restricted."""
    if item.kind != "Pod":
        return
    namespace = store.find(Key("Namespace", "", item.metadata.namespace))
    level = "" if namespace is None else namespace.metadata.labels.get(ENFORCE, "")
    if namespace is None or not level:
        return
    version = namespace.metadata.labels.get(f"{ENFORCE}-version", "latest")
    spec = mapping_at(item.document, "spec")
    found = [(check.reason, check.find(spec)) for check in _LEVELS.get(level, _LEVELS["restricted"])]
    told = ", ".join(f"{reason} ({detail})" for reason, detail in found if detail)
    if told:
        raise forbidden(item, f'violates PodSecurity "{level}:{version}": {told}')
