"""Objects with a status, of every kind and state that ``kubectl get`` tells apart.

``tests/data/apiserver/tables.json`` has what a real kube-apiserver v1.37.2 makes of them: the objects, and the tables.
"""

from __future__ import annotations

from typing import Any

from tests.apiserver_rows import (
    CLAIM,
    CONFIG,
    CONTAINER,
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    ENDPOINTS,
    JOB,
    NODE,
    POD,
    REPLICA_SET,
    SECRET,
    SELECTOR,
    SERVICE,
    SLICE,
    STATEFUL_SET,
    VOLUME,
    Doc,
    changed,
)

TIME, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:03:20Z"


def _made(base: Doc, name: str, status: Doc | None = None, meta: Doc | None = None, **rest: Any) -> Doc:
    found = changed(base, metadata={"namespace": "tables", **(meta or {}), "name": name}, **rest)
    if base["metadata"].get("namespace") is None:
        del found["metadata"]["namespace"]
    return found | ({"status": status} if status else {})


def _fresh(api_version: str, kind: str, name: str, *, namespaced: bool = True, **rest: Any) -> Doc:
    metadata = {"name": name} | ({"namespace": "tables"} if namespaced else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _state(name: str, *, ready: bool = False, restarts: int = 0, **state: Any) -> Doc:
    last = state.pop("last", None)
    found = {"name": name, "ready": ready, "restartCount": restarts, "image": "i", "imageID": "", "state": state}
    if "running" in state:
        found["started"] = True
    return found | ({"lastState": {"terminated": last}} if last else {})


RUNS: Doc = {"running": {"startedAt": TIME}}
ENDED: Doc = {"exitCode": 1, "reason": "Error", "startedAt": TIME, "finishedAt": TIME}
DONE: Doc = {"exitCode": 0, "reason": "Completed", "startedAt": TIME, "finishedAt": TIME}
READY: Doc = {"type": "Ready", "status": "True"}


def _pod(name: str, phase: str, *states: Doc, init: tuple[Doc, ...] = (), **rest: Any) -> Doc:
    status = {"phase": phase, "containerStatuses": list(states), **rest.pop("status", {})}
    if init:
        status["initContainerStatuses"] = list(init)
    return _made(POD, name, status, **rest)


_TWO = {"containers": [{"name": "c", "image": "a"}, {"name": "d", "image": "b"}]}
_INIT = {"initContainers": [{"name": "i", "image": "a"}, {"name": "j", "image": "a"}]}
_SIDECAR = {"initContainers": [{"name": "s", "image": "a", "restartPolicy": "Always"}]}
PODS = (
    _pod(
        "running",
        "Running",
        _state("c", ready=True, **RUNS),
        status={"podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}], "conditions": [READY]},
    ),
    _pod("not-ready", "Running", _state("c", **RUNS)),
    _pod("half", "Running", _state("c", ready=True, **RUNS), _state("d", **RUNS), spec=_TWO),
    _pod("crashing", "Running", _state("c", restarts=3, waiting={"reason": "CrashLoopBackOff"}, last=ENDED)),
    _pod("failed", "Failed", _state("c", terminated=ENDED)),
    _pod(
        "signalled",
        "Failed",
        _state("c", terminated={"exitCode": 137, "signal": 9, "startedAt": TIME, "finishedAt": TIME}),
    ),
    _pod("exit-code", "Failed", _state("c", terminated={"exitCode": 7, "startedAt": TIME, "finishedAt": TIME})),
    _pod("completed", "Succeeded", _state("c", terminated=DONE)),
    _pod(
        "half-completed",
        "Running",
        _state("c", terminated=DONE),
        _state("d", ready=True, **RUNS),
        spec=_TWO,
        status={"conditions": [READY]},
    ),
    _pod("evicted", "Failed", status={"reason": "Evicted", "message": "low"}),
    _pod("pulling", "Pending", _state("c", waiting={"reason": "ImagePullBackOff"})),
    _pod("creating", "Pending", _state("c", waiting={"reason": "ContainerCreating"})),
    _pod("pending", "Pending"),
    _pod(
        "gated",
        "Pending",
        spec={"schedulingGates": [{"name": "a.b/c"}]},
        status={"conditions": [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]},
    ),
    _pod(
        "init-0", "Pending", init=(_state("i", **RUNS), _state("j", waiting={"reason": "PodInitializing"})), spec=_INIT
    ),
    _pod(
        "init-1",
        "Pending",
        init=(_state("i", terminated=DONE), _state("j", waiting={"reason": "PodInitializing"})),
        spec=_INIT,
    ),
    _pod(
        "init-error",
        "Pending",
        init=(_state("i", restarts=2, terminated=ENDED), _state("j", waiting={"reason": "PodInitializing"})),
        spec=_INIT,
    ),
    _pod(
        "init-crash",
        "Pending",
        init=(
            _state("i", restarts=2, waiting={"reason": "CrashLoopBackOff"}, last=ENDED),
            _state("j", waiting={"reason": "PodInitializing"}),
        ),
        spec=_INIT,
    ),
    _pod("sidecar", "Running", _state("c", ready=True, **RUNS), init=(_state("s", ready=True, **RUNS),), spec=_SIDECAR),
    _pod("nominated", "Pending", status={"nominatedNodeName": "node1"}),
    _pod(
        "gates",
        "Running",
        _state("c", ready=True, **RUNS),
        spec={"readinessGates": [{"conditionType": "a.b/c"}, {"conditionType": "a.b/d"}]},
        status={"conditions": [{"type": "a.b/c", "status": "True"}]},
    ),
)

SERVICES = (
    _made(SERVICE, "plain"),
    _made(SERVICE, "headless", spec={"clusterIP": "None"}),
    _made(SERVICE, "external", spec={"type": "ExternalName", "externalName": "a.b", "ports": None, "selector": None}),
    _made(SERVICE, "external-ips", spec={"externalIPs": ["192.0.2.1", "192.0.2.2"]}),
    _made(
        SERVICE,
        "node-port",
        spec={
            "type": "NodePort",
            "ports": [
                {"port": 80, "nodePort": 30180, "name": "a"},
                {"port": 53, "nodePort": 30153, "protocol": "UDP", "name": "b"},
            ],
        },
    ),
    _made(
        SERVICE,
        "balanced",
        {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}, {"hostname": "a.b"}]}},
        spec={"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30181}]},
    ),
    _made(
        SERVICE,
        "balanced-and-external",
        {"loadBalancer": {"ingress": [{"ip": "192.0.2.9"}]}},
        spec={"type": "LoadBalancer", "externalIPs": ["192.0.2.3"], "ports": [{"port": 80, "nodePort": 30182}]},
    ),
    _made(SERVICE, "pending", spec={"type": "LoadBalancer", "ports": [{"port": 80, "nodePort": 30183}]}),
    _made(SERVICE, "no-selector", spec={"selector": None}),
)

_MANY = [{"addresses": [f"10.1.2.{n}"]} for n in range(1, 6)]
NETWORK = (
    _made(SLICE, "plain"),
    _made(
        SLICE,
        "many",
        endpoints=_MANY,
        ports=[{"name": n, "port": p} for n, p in (("a", 1), ("b", 2), ("c", 3), ("d", 4))],
    ),
    _made(SLICE, "empty", endpoints=[], ports=[]),
    _made(SLICE, "any-port", ports=[{"name": "a"}]),
    _made(ENDPOINTS, "plain"),
    _made(
        ENDPOINTS, "many", subsets=[{"addresses": [{"ip": e["addresses"][0]} for e in _MANY], "ports": [{"port": 80}]}]
    ),
    _made(ENDPOINTS, "not-ready", subsets=[{"notReadyAddresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}]),
    _fresh(
        "networking.k8s.io/v1",
        "Ingress",
        "plain",
        spec={
            "ingressClassName": "nginx",
            "rules": [
                {
                    "host": "a.b",
                    "http": {
                        "paths": [
                            {
                                "path": "/",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "web", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ],
        },
        status={"loadBalancer": {"ingress": [{"ip": "192.0.2.8"}]}},
    ),
    _fresh(
        "networking.k8s.io/v1",
        "Ingress",
        "tls",
        spec={
            "tls": [{"hosts": ["a.b"], "secretName": "s"}],
            "rules": [{"host": n} for n in ("a.b", "c.d", "e.f", "g.h")],
        },
    ),
    _fresh(
        "networking.k8s.io/v1",
        "Ingress",
        "default",
        spec={"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
    ),
    _fresh(
        "networking.k8s.io/v1",
        "IngressClass",
        "nginx",
        namespaced=False,
        spec={"controller": "k8s.io/ingress-nginx", "parameters": {"apiGroup": "a.b", "kind": "K", "name": "n"}},
    ),
    _fresh("networking.k8s.io/v1", "NetworkPolicy", "plain", spec={"podSelector": SELECTOR}),
    _fresh("networking.k8s.io/v1", "NetworkPolicy", "all", spec={"podSelector": {}}),
    _fresh(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        "expressions",
        spec={
            "podSelector": {
                "matchLabels": {"b": "c"},
                "matchExpressions": [
                    {"key": "a", "operator": "NotIn", "values": ["y", "x"]},
                    {"key": "d", "operator": "Exists"},
                    {"key": "e", "operator": "DoesNotExist"},
                    {"key": "f", "operator": "In", "values": ["g"]},
                ],
            }
        },
    ),
)

_COUNTS = {"replicas": 3, "readyReplicas": 2, "updatedReplicas": 3, "availableReplicas": 2}
_BOTH = {"template": {"spec": {"containers": [CONTAINER, {"name": "d", "image": "b:2"}]}}}
WORKLOADS = (
    _made(DEPLOYMENT, "plain"),
    _made(DEPLOYMENT, "busy", _COUNTS, spec={"replicas": 3, **_BOTH}),
    _made(REPLICA_SET, "plain", {"replicas": 2, "readyReplicas": 1, "fullyLabeledReplicas": 2}, spec={"replicas": 3}),
    _made(STATEFUL_SET, "plain", {"replicas": 2, "readyReplicas": 1, "availableReplicas": 1}, spec={"replicas": 3}),
    _made(
        DAEMON_SET,
        "plain",
        {
            "desiredNumberScheduled": 5,
            "currentNumberScheduled": 4,
            "numberReady": 3,
            "updatedNumberScheduled": 2,
            "numberAvailable": 1,
            "numberMisscheduled": 0,
        },
    ),
    _made(DAEMON_SET, "chosen", spec={"template": {"spec": {"nodeSelector": {"b": "c", "a": "b"}}}}),
    _made(JOB, "running", {"startTime": TIME, "active": 1}),
    _made(
        JOB,
        "complete",
        {
            "startTime": TIME,
            "completionTime": LATER,
            "succeeded": 1,
            "conditions": [
                {"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": LATER},
                {"type": "Complete", "status": "True", "lastTransitionTime": LATER},
            ],
            "uncountedTerminatedPods": {},
        },
    ),
    _made(
        JOB,
        "failed",
        {
            "startTime": TIME,
            "failed": 1,
            "conditions": [
                {"type": "FailureTarget", "status": "True", "lastTransitionTime": LATER},
                {"type": "Failed", "status": "True", "lastTransitionTime": LATER},
            ],
            "uncountedTerminatedPods": {},
        },
    ),
    _made(
        JOB,
        "failing",
        {"startTime": TIME, "conditions": [{"type": "FailureTarget", "status": "True", "lastTransitionTime": LATER}]},
    ),
    _made(
        JOB,
        "completing",
        {
            "startTime": TIME,
            "conditions": [{"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": LATER}],
            "succeeded": 1,
        },
    ),
    _made(
        JOB,
        "suspended",
        {"conditions": [{"type": "Suspended", "status": "True", "lastTransitionTime": LATER}]},
        spec={"suspend": True},
    ),
    _made(JOB, "queue", {"startTime": TIME, "succeeded": 1}, spec={"parallelism": 3}),
    _made(JOB, "indexed", {"startTime": TIME, "succeeded": 1}, spec={"completions": 4, "completionMode": "Indexed"}),
    _made(CRON_JOB, "plain"),
    _made(
        CRON_JOB,
        "active",
        {"active": [{"kind": "Job", "name": "a"}], "lastScheduleTime": TIME},
        spec={"suspend": True, "timeZone": "Etc/UTC"},
    ),
    _fresh(
        "v1",
        "ReplicationController",
        "plain",
        spec={
            "replicas": 3,
            "selector": {"app": "web"},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}},
        },
        status={"replicas": 2, "readyReplicas": 1},
    ),
    _fresh("apps/v1", "ControllerRevision", "plain", revision=3, data={}),
    _fresh("apps/v1", "ControllerRevision", "owned", revision=3, data={})
    | {
        "metadata": {
            "name": "owned",
            "namespace": "tables",
            "ownerReferences": [
                {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
            ],
        }
    },
    _fresh(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "plain",
        spec={
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"},
            "minReplicas": 1,
            "maxReplicas": 5,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
        status={"currentReplicas": 2, "desiredReplicas": 2},
    ),
    _fresh(
        "policy/v1",
        "PodDisruptionBudget",
        "least",
        spec={"minAvailable": 1, "selector": SELECTOR},
        status={"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2},
    ),
    _fresh("policy/v1", "PodDisruptionBudget", "most", spec={"maxUnavailable": "25%", "selector": SELECTOR}),
)

_INFO = {
    "kubeletVersion": "v1.37.2",
    "osImage": "Debian",
    "kernelVersion": "6.18",
    "containerRuntimeVersion": "containerd://2.2.0",
    "architecture": "amd64",
    "bootID": "",
    "kubeProxyVersion": "",
    "machineID": "",
    "operatingSystem": "linux",
    "systemUUID": "",
}
CLUSTER = (
    _made(
        NODE,
        "ready",
        {
            "conditions": [READY],
            "nodeInfo": _INFO,
            "addresses": [
                {"type": "InternalIP", "address": "192.168.0.1"},
                {"type": "ExternalIP", "address": "192.0.2.1"},
            ],
        },
        {"labels": {"node-role.kubernetes.io/control-plane": "", "kubernetes.io/role": "master"}},
    ),
    _made(NODE, "not-ready", {"conditions": [{"type": "Ready", "status": "False"}], "nodeInfo": _INFO}),
    _made(NODE, "cordoned", {"conditions": [READY]}, spec={"unschedulable": True}),
    _made(NODE, "unknown", {"conditions": [{"type": "Ready", "status": "Unknown"}]}),
    _made(NODE, "silent"),
    _made(VOLUME, "plain", {"phase": "Available"}),
    _made(
        VOLUME,
        "bound",
        {"phase": "Bound"},
        spec={
            "accessModes": ["ReadOnlyMany", "ReadWriteOnce"],
            "storageClassName": "fast",
            "claimRef": {"namespace": "tables", "name": "bound"},
        },
    ),
    _made(CLAIM, "pending", spec={"storageClassName": "fast"}),
    _made(
        CLAIM,
        "bound",
        {"phase": "Bound", "accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "capacity": {"storage": "1Gi"}},
        spec={"storageClassName": "fast", "volumeName": "bound"},
    ),
    _made(CONFIG, "plain", data={"a": "1", "b": "2"}, binaryData={"c": "AA=="}),
    _made(SECRET, "plain", data={"a": "AA=="}),
    _fresh("v1", "ServiceAccount", "plain"),
    _fresh("v1", "Namespace", "tables-other", namespaced=False),
    _fresh("v1", "LimitRange", "plain", spec={"limits": [{"type": "Pod", "max": {"cpu": "1"}}]}),
    _fresh(
        "v1",
        "ResourceQuota",
        "plain",
        spec={"hard": {"pods": "5", "limits.cpu": "2", "requests.cpu": "1"}},
        status={
            "hard": {"pods": "5", "limits.cpu": "2", "requests.cpu": "1"},
            "used": {"pods": "1", "limits.cpu": "1", "requests.cpu": "500m"},
        },
    ),
    _fresh(
        "storage.k8s.io/v1",
        "StorageClass",
        "fast",
        namespaced=False,
        provisioner="a.b/c",
        reclaimPolicy="Retain",
        allowVolumeExpansion=True,
    ),
    _fresh("scheduling.k8s.io/v1", "PriorityClass", "high", namespaced=False, value=1000, preemptionPolicy="Never"),
    _fresh("coordination.k8s.io/v1", "Lease", "plain", spec={"holderIdentity": "me"}),
    _fresh("rbac.authorization.k8s.io/v1", "Role", "plain", rules=[]),
    _fresh("rbac.authorization.k8s.io/v1", "ClusterRole", "tables-plain", namespaced=False, rules=[]),
    _fresh(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "plain",
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "plain"},
        subjects=[
            {"kind": "User", "name": "jane"},
            {"kind": "User", "name": "joe"},
            {"kind": "Group", "name": "g"},
            {"kind": "ServiceAccount", "name": "s", "namespace": "tables"},
        ],
    ),
    _fresh(
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "tables-plain",
        namespaced=False,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        subjects=[{"kind": "User", "name": "jane"}],
    ),
    _fresh(
        "v1",
        "Event",
        "plain.1",
        involvedObject={"kind": "Pod", "namespace": "tables", "name": "running"},
        type="Warning",
        reason="Failed",
        message="it failed ",
        firstTimestamp=TIME,
        lastTimestamp=TIME,
        count=3,
        source={"component": "kubelet", "host": "node1"},
    ),
    _fresh(
        "v1",
        "Event",
        "field.1",
        involvedObject={"kind": "Pod", "namespace": "tables", "name": "running", "fieldPath": "spec.containers{c}"},
        type="Normal",
        reason="Pulled",
        message="pulled",
        firstTimestamp=TIME,
        lastTimestamp=TIME,
        count=1,
        source={"component": "kubelet"},
    ),
)

OBJECTS: tuple[Doc, ...] = (*PODS, *SERVICES, *NETWORK, *WORKLOADS, *CLUSTER)

DESCRIBED = (
    *("Pod", "Service", "EndpointSlice", "Endpoints", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"),
    *("Job", "CronJob"),
)
"""The kinds whose descriptions are recorded too."""
