"""ServiceAccount: every pod runs as an account that is there, and has its token mounted.

Secrets of ServiceAccounts are not enforced (``kubernetes.io/enforce-mountable-secrets``, deprecated).
Ref: plugin/pkg/admission/serviceaccount/admission.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from netsim.cluster.admission.plugin import forbidden, with_document
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.podstate import MIRROR
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object

if TYPE_CHECKING:
    from netsim.cluster.store import Store

MOUNT_PATH: Final = "/var/run/secrets/kubernetes.io/serviceaccount"
TOKEN_VOLUME: Final = "kube-api-access-"
_SOURCES: Final[list[Json]] = [
    {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
    {"configMap": {"items": [{"key": "ca.crt", "path": "ca.crt"}], "name": "kube-root-ca.crt"}},
    {
        "downwardAPI": {
            "items": [{"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}, "path": "namespace"}]
        }
    },
]


def default_account(namespace: str) -> Object:
    """The ServiceAccount ``default`` of a namespace."""
    return Object.of(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": namespace}}
    )


def service_account(item: Object, store: Store) -> Object:
    """A pod with its account's name, its token and its imagePullSecrets. A pod that was loaded with a status has been admitted before."""
    if item.kind != "Pod" or item.metadata.annotations.get(MIRROR):
        return item
    spec = mapping_at(item.document, "spec")
    name = text_at(spec, "serviceAccountName") or text_at(spec, "serviceAccount") or "default"
    named: Document = {**spec, "serviceAccountName": name, "serviceAccount": name}
    if item.document.get("status"):
        return with_document(item, {**item.document, "spec": named})
    place = item.metadata.namespace
    account = store.find(Key("ServiceAccount", place, name))
    if account is None and name == "default":
        # The API server waits a second for its controller to make it; in one process the wait is the controller's turn.
        account = store.create(default_account(place))
    if account is None:
        raise forbidden(item, f'error looking up service account {place}/{name}: serviceaccount "{name}" not found')
    secrets = list_at(account.document, "imagePullSecrets")
    if secrets and not list_at(spec, "imagePullSecrets"):
        named = {**named, "imagePullSecrets": list(secrets)}
    if _mounts(account, spec):
        named = _mounted(named, item, store)
    return with_document(item, {**item.document, "spec": named})


def _mounts(account: Object, spec: Document) -> bool:
    """Ref: admission.go:shouldAutomount(): the pod's word goes before the account's."""
    for said in (spec.get("automountServiceAccountToken"), account.document.get("automountServiceAccountToken")):
        if isinstance(said, bool):
            return said
    return True


def _mounted(spec: Document, item: Object, store: Store) -> Document:
    given = list_at(spec, "volumes")
    names = [text_at(volume, "name") for volume in given if isinstance(volume, Mapping)]
    volume = next((name for name in names if name.startswith(TOKEN_VOLUME)), "")
    fresh = volume or store.generate(f"volume/{item.metadata.namespace}/{item.metadata.name}", TOKEN_VOLUME)
    mount: Document = {"mountPath": MOUNT_PATH, "name": fresh, "readOnly": True}
    groups = {g: _with_mount(spec, g, mount) for g in ("initContainers", "containers") if list_at(spec, g)}
    if volume or not any(mount in list_at(c, "volumeMounts") for items in groups.values() for c in items):
        return {**spec, **groups}
    source: Document = {"name": fresh, "projected": {"defaultMode": 420, "sources": _SOURCES}}
    return {**spec, **groups, "volumes": [*given, source]}


def _with_mount(spec: Document, group: str, mount: Document) -> list[Document]:
    filled = []
    for container in list_at(spec, group):
        if isinstance(container, Mapping):
            mounts = list_at(container, "volumeMounts")
            if not any(isinstance(m, Mapping) and m.get("mountPath") == MOUNT_PATH for m in mounts):
                container = {**container, "volumeMounts": [*mounts, mount]}
            filled.append(container)
    return filled
