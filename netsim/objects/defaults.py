"""The API server's defaults: what is stored where a user left a field out.

``default_document`` fills in one document by itself; ``apply_defaults`` does it for all objects of a cluster and gives each
Service its addresses and ports. Both copy; nothing is changed in place, and nothing that a user wrote is dropped.
Ref: pkg/apis/{core,apps,batch,discovery}/v1/defaults.go, pkg/registry/core/service/storage/alloc.go (v1.37).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netsim.dataclass import dataclass
from netsim.objects.cluster import ClusterSpec
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import Problem
from netsim.objects.pod_defaults import Draft, fill_pod, fill_pod_spec, put, section
from netsim.objects.schema import builtin
from netsim.objects.service_allocation import Allocations


@dataclass(frozen=True, slots=True)
class Defaulted:
    """Objects as an API server stores them, in the given order, and what could not be allocated, by an object's index."""

    objects: tuple[Object, ...]
    problems: tuple[tuple[int, Problem], ...] = ()


def apply_defaults(objects: Sequence[Object], cluster: ClusterSpec) -> Defaulted:
    """Fill in every object; allocate cluster IPs, node ports and health-check node ports.

    What Services ask for is reserved before anything is handed out, so the order matters only among those that do not ask.
    """
    drafts = [default_document(item.document) for item in objects]
    allocations = Allocations.of(cluster.service_cidrs)
    services = [(index, _key(draft), draft) for index, draft in enumerate(drafts) if draft["kind"] == "Service"]
    problems: list[tuple[int, Problem]] = []
    for index, key, draft in services:
        problems += ((index, problem) for problem in allocations.reserve(key, draft))
    failed = {index for index, _ in problems}
    for index, key, draft in services:
        if index not in failed:
            problems += ((index, problem) for problem in allocations.allocate(key, draft))
    return Defaulted(tuple(Object.of(draft) for draft in drafts), tuple(dict.fromkeys(problems)))


def default_document(document: Document) -> Draft:
    """A copy of one document with what the API server fills in without looking at other objects."""
    draft: Draft = _thaw(document)
    kind = builtin().kinds.get((str(draft.get("apiVersion")), str(draft.get("kind"))))
    metadata = draft.setdefault("metadata", {})
    if kind is not None and kind.namespaced and not metadata.get("namespace"):
        metadata["namespace"] = "default"
    fill = _FILL.get(str(draft.get("kind")))
    if fill is not None:
        fill(draft)
    return draft


def _key(draft: Draft) -> Key:
    return Key(draft["kind"], draft["metadata"].get("namespace", ""), draft["metadata"]["name"])


def _thaw(value: Json) -> Any:
    """A copy made of dicts and lists, without null fields: the API server stores none."""
    if isinstance(value, Mapping):
        return {key: _thaw(item) for key, item in value.items() if item is not None or key == "creationTimestamp"}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_thaw(item) for item in value]
    return value


# --- core -------------------------------------------------------------------------------------------------------


def _service(draft: Draft) -> None:
    spec = section(draft, "spec")
    put(spec, sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client_ip = section(section(spec, "sessionAffinityConfig"), "clientIP")
        put(client_ip, timeoutSeconds=10800)
    for port in spec.get("ports", ()):
        put(port, protocol="TCP", port=0)
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port["port"]
    if spec["type"] in {"NodePort", "LoadBalancer"} or (spec["type"] == "ClusterIP" and spec.get("externalIPs")):
        put(spec, externalTrafficPolicy="Cluster")
    if spec["type"] in {"NodePort", "LoadBalancer", "ClusterIP"}:
        put(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        put(spec, allocateLoadBalancerNodePorts=True)
        for ingress in draft.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            if ingress.get("ip"):
                put(ingress, ipMode="VIP")


def _endpoints(draft: Draft) -> None:
    for subset in draft.get("subsets", ()):
        for port in subset.get("ports", ()):
            put(port, protocol="TCP")


def _endpoint_slice(draft: Draft) -> None:
    for port in draft.get("ports", ()):
        port.setdefault("name", "")
        put(port, protocol="TCP")


def _namespace(draft: Draft) -> None:
    name = draft["metadata"].get("name")
    if name:
        section(draft["metadata"], "labels")["kubernetes.io/metadata.name"] = name
    put(section(draft, "status"), phase="Active")


def _secret(draft: Draft) -> None:
    """Its type, and what was written as plain text. Ref: pkg/apis/core/v1/conversion.go:Convert_v1_Secret_To_core_Secret()."""
    put(draft, type="Opaque")
    plain = draft.pop("stringData", None) or {}
    if plain:
        encoded = {key: base64.b64encode(str(value).encode()).decode() for key, value in plain.items()}
        draft["data"] = {**(draft.get("data") or {}), **encoded}


def _node(draft: Draft) -> None:
    """The singular pod CIDR decides. Ref: pkg/apis/core/v1/conversion.go:Convert_v1_NodeSpec_To_core_NodeSpec()."""
    spec = section(draft, "spec")
    alone, several = spec.get("podCIDR"), spec.get("podCIDRs")
    if alone and (not several or several[0] != alone):
        spec["podCIDRs"] = [alone]


def _persistent_volume(draft: Draft) -> None:
    spec = section(draft, "spec")
    put(spec, persistentVolumeReclaimPolicy="Retain", volumeMode="Filesystem")
    if isinstance(spec.get("hostPath"), dict):
        spec["hostPath"].setdefault("type", "")


def _claim(draft: Draft) -> None:
    put(section(draft, "spec"), volumeMode="Filesystem")


def _limit_range(draft: Draft) -> None:
    """What a container gets that says nothing: what it may have at most. Ref: defaults.go:SetDefaults_LimitRangeItem()."""
    for limit in section(draft, "spec").get("limits", ()):
        if limit.get("type") == "Container":
            limit["default"] = {**limit.get("max", {}), **limit.get("default", {})}
            least = {**limit.get("min", {}), **limit["default"]}
            limit["defaultRequest"] = {**least, **limit.get("defaultRequest", {})}


# --- apps and batch ---------------------------------------------------------------------------------------------


def _template(draft: Draft) -> None:
    template = section(section(draft, "spec"), "template")
    fill_pod_spec(section(template, "spec"))


def _deployment(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    put(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = section(spec, "strategy")
    put(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        put(section(strategy, "rollingUpdate"), maxSurge="25%", maxUnavailable="25%")


def _replica_set(draft: Draft) -> None:
    _template(draft)
    put(draft["spec"], replicas=1)


def _replication_controller(draft: Draft) -> None:
    _template(draft)
    labels = draft["spec"]["template"].get("metadata", {}).get("labels")
    if labels:
        if not draft["spec"].get("selector"):
            draft["spec"]["selector"] = dict(labels)
        if not draft["metadata"].get("labels"):
            draft["metadata"]["labels"] = dict(labels)
    put(draft["spec"], replicas=1)


def _stateful_set(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    put(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = section(spec, "updateStrategy")
    put(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        put(section(strategy, "rollingUpdate"), partition=0, maxUnavailable=1)
    put(section(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")
    for claim in spec.get("volumeClaimTemplates", ()):
        put(claim, apiVersion="v1", kind="PersistentVolumeClaim", status={"phase": "Pending"})
        _claim(claim)


def _daemon_set(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    put(spec, revisionHistoryLimit=10)
    strategy = section(spec, "updateStrategy")
    put(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        put(section(strategy, "rollingUpdate"), maxSurge=0, maxUnavailable=1)


def _job(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        put(spec, completions=1)
    backoff = _MOST if spec.get("backoffLimitPerIndex") is not None else 6
    put(spec, parallelism=1, backoffLimit=backoff, completionMode="NonIndexed", suspend=False, manualSelector=False)
    put(spec, podReplacementPolicy="Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed")


_MOST = 2**31 - 1


def _cron_job(draft: Draft) -> None:
    """Of the Job that it will make only the pods' part has defaults. Ref: pkg/apis/batch/v1/defaults.go:SetDefaults_CronJob() (v1.37)."""
    spec = section(draft, "spec")
    put(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _template(section(spec, "jobTemplate"))


_FILL: Mapping[str, Callable[[Draft], None]] = {
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "Job": _job,
    "LimitRange": _limit_range,
    "Namespace": _namespace,
    "Node": _node,
    "PersistentVolume": _persistent_volume,
    "PersistentVolumeClaim": _claim,
    "Pod": fill_pod,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replication_controller,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
