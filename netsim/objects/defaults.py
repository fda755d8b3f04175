"""The API server's defaults: what is stored where a user left a field out.

``default_document`` fills in one document by itself; ``apply_defaults`` does it for all objects of a cluster and gives each
Service its addresses and ports. Both copy; nothing is changed in place, and nothing that a user wrote is dropped.
Ref: pkg/apis/{core,apps,batch,discovery}/v1/defaults.go, pkg/registry/core/service/storage/alloc.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from netsim.dataclass import dataclass
from netsim.objects.cluster import ClusterSpec
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key, Object
from netsim.objects.path import Problem
from netsim.objects.schema import builtin
from netsim.objects.service_allocation import Allocations

Draft: TypeAlias = dict[str, Any]
"""A document that is being filled in; JSON inside."""


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
    for index, key, draft in services:
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


def _set(draft: Draft, **defaults: Json) -> None:
    """Put what is absent or empty; Go's zero values count as absent."""
    for key, value in defaults.items():
        if draft.get(key) in (None, ""):
            draft[key] = value


def _section(draft: Draft, name: str) -> Draft:
    section: Draft = draft.setdefault(name, {})
    return section


# --- core -------------------------------------------------------------------------------------------------------


def _service(draft: Draft) -> None:
    spec = _section(draft, "spec")
    _set(spec, sessionAffinity="None", type="ClusterIP")
    if spec["sessionAffinity"] == "None":
        spec.pop("sessionAffinityConfig", None)
    elif spec["sessionAffinity"] == "ClientIP":
        client_ip = _section(_section(spec, "sessionAffinityConfig"), "clientIP")
        _set(client_ip, timeoutSeconds=10800)
    for port in spec.get("ports", ()):
        _set(port, protocol="TCP")
        if port.get("targetPort") in (None, "", 0):
            port["targetPort"] = port["port"]
    if spec["type"] in {"NodePort", "LoadBalancer"} or (spec["type"] == "ClusterIP" and spec.get("externalIPs")):
        _set(spec, externalTrafficPolicy="Cluster")
    if spec["type"] != "ExternalName":
        _set(spec, internalTrafficPolicy="Cluster")
    if spec["type"] == "LoadBalancer":
        _set(spec, allocateLoadBalancerNodePorts=True)
        for ingress in draft.get("status", {}).get("loadBalancer", {}).get("ingress", ()):
            if ingress.get("ip"):
                _set(ingress, ipMode="VIP")


def _pod(draft: Draft) -> None:
    spec = _section(draft, "spec")
    _pod_spec(spec)
    _set(spec, enableServiceLinks=True)


def _pod_spec(spec: Draft) -> None:
    _set(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    for container in _containers(spec):
        _container(container)
        for port in container.get("ports", ()):
            _set(port, protocol="TCP")
            if spec.get("hostNetwork") and not port.get("hostPort"):
                port["hostPort"] = port["containerPort"]


def _containers(spec: Draft) -> Iterator[Draft]:
    for group in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(group, ())


def _container(container: Draft) -> None:
    image = str(container.get("image", ""))
    last = image.rpartition("/")[2]
    latest = bool(image) and "@" not in last and (":" not in last or last.endswith(":latest"))
    _set(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            for key, value in {
                "timeoutSeconds": 1,
                "periodSeconds": 10,
                "successThreshold": 1,
                "failureThreshold": 3,
            }.items():
                probe[key] = probe.get(key) or value


def _endpoints(draft: Draft) -> None:
    for subset in draft.get("subsets", ()):
        for port in subset.get("ports", ()):
            _set(port, protocol="TCP")


def _endpoint_slice(draft: Draft) -> None:
    for port in draft.get("ports", ()):
        port.setdefault("name", "")
        _set(port, protocol="TCP")


def _namespace(draft: Draft) -> None:
    name = draft["metadata"].get("name")
    if name:
        _section(draft["metadata"], "labels")["kubernetes.io/metadata.name"] = name
    _set(_section(draft, "status"), phase="Active")


def _secret(draft: Draft) -> None:
    _set(draft, type="Opaque")


# --- apps and batch ---------------------------------------------------------------------------------------------


def _template(draft: Draft) -> None:
    template = _section(_section(draft, "spec"), "template")
    _pod_spec(_section(template, "spec"))


def _deployment(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    _set(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = _section(spec, "strategy")
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(_section(strategy, "rollingUpdate"), maxSurge="25%", maxUnavailable="25%")


def _replica_set(draft: Draft) -> None:
    _template(draft)
    _set(draft["spec"], replicas=1)


def _replication_controller(draft: Draft) -> None:
    _template(draft)
    labels = draft["spec"]["template"].get("metadata", {}).get("labels")
    if labels:
        if not draft["spec"].get("selector"):
            draft["spec"]["selector"] = dict(labels)
        if not draft["metadata"].get("labels"):
            draft["metadata"]["labels"] = dict(labels)
    _set(draft["spec"], replicas=1)


def _stateful_set(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    _set(spec, replicas=1, revisionHistoryLimit=10, podManagementPolicy="OrderedReady")
    strategy = _section(spec, "updateStrategy")
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(_section(strategy, "rollingUpdate"), partition=0)
    _set(_section(spec, "persistentVolumeClaimRetentionPolicy"), whenDeleted="Retain", whenScaled="Retain")


def _daemon_set(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    _set(spec, revisionHistoryLimit=10)
    strategy = _section(spec, "updateStrategy")
    _set(strategy, type="RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        _set(_section(strategy, "rollingUpdate"), maxSurge=0, maxUnavailable=1)


def _job(draft: Draft) -> None:
    _template(draft)
    spec = draft["spec"]
    if "completions" not in spec and "parallelism" not in spec:
        _set(spec, completions=1)
    _set(spec, parallelism=1, backoffLimit=6, completionMode="NonIndexed", suspend=False)


def _cron_job(draft: Draft) -> None:
    """Of the Job that it will make only the pods' part has defaults. Ref: pkg/apis/batch/v1/defaults.go:SetDefaults_CronJob() (v1.37)."""
    spec = _section(draft, "spec")
    _set(spec, concurrencyPolicy="Allow", suspend=False, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    _template(_section(spec, "jobTemplate"))


_FILL: Mapping[str, Callable[[Draft], None]] = {
    "CronJob": _cron_job,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "EndpointSlice": _endpoint_slice,
    "Endpoints": _endpoints,
    "Job": _job,
    "Namespace": _namespace,
    "Pod": _pod,
    "ReplicaSet": _replica_set,
    "ReplicationController": _replication_controller,
    "Secret": _secret,
    "Service": _service,
    "StatefulSet": _stateful_set,
}
