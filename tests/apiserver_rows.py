"""What users send to an API server: the rows that a real kube-apiserver v1.37.2 and netsim's are asked alike.

A row is an object to be made (as a dry run), or a change of ``before`` by a merge patch. The real answers are in
``tests/data/apiserver/answers.json``; ``tests/differential/apiserver/record.py`` writes them.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from netsim.cluster.patching.patches import merge_patch

Doc = dict[str, Any]


class Row(NamedTuple):
    """``id`` names the row; ``user`` asks; ``patch`` changes ``body`` once it is stored, if it is to be ``stored``."""

    id: str
    body: Doc
    patch: Doc | None = None
    user: str = "admin"
    stored: bool = True


def changed(base: Doc, **changes: Any) -> Doc:
    return merge_patch(base, changes)  # type: ignore[return-value]


def _object(api_version: str, kind: str, name: str, namespace: str = "default", **rest: Any) -> Doc:
    metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


CONTAINER: Doc = {"name": "c", "image": "web:1"}
TEMPLATE: Doc = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [CONTAINER]}}
SELECTOR: Doc = {"matchLabels": {"app": "web"}}
SERVICE = _object("v1", "Service", "new", spec={"selector": {"app": "web"}, "ports": [{"port": 80}]})
POD = _object("v1", "Pod", "new", spec={"containers": [CONTAINER]})
WORKLOAD: Doc = {"selector": SELECTOR, "template": TEMPLATE}
DEPLOYMENT = _object("apps/v1", "Deployment", "new", spec=WORKLOAD)
REPLICA_SET = _object("apps/v1", "ReplicaSet", "new", spec=WORKLOAD)
STATEFUL_SET = _object("apps/v1", "StatefulSet", "new", spec={**WORKLOAD, "serviceName": "web"})
DAEMON_SET = _object("apps/v1", "DaemonSet", "new", spec=WORKLOAD)
ONCE: Doc = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
JOB = _object("batch/v1", "Job", "new", spec={"template": ONCE})
CRON_JOB = _object(
    "batch/v1", "CronJob", "new", spec={"schedule": "*/5 * * * *", "jobTemplate": {"spec": {"template": ONCE}}}
)
SLICE = _object(
    "discovery.k8s.io/v1",
    "EndpointSlice",
    "new",
    addressType="IPv4",
    endpoints=[{"addresses": ["10.1.2.3"]}],
    ports=[{"name": "http", "port": 80}],
)
ENDPOINTS = _object("v1", "Endpoints", "new", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 80}]}])
NAMESPACE = _object("v1", "Namespace", "new", "")
NODE = _object("v1", "Node", "new", "", spec={})
VOLUME = _object(
    "v1",
    "PersistentVolume",
    "new",
    "",
    spec={"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/tmp/x"}},
)
CLAIM = _object(
    "v1",
    "PersistentVolumeClaim",
    "new",
    spec={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
)
CONFIG = _object("v1", "ConfigMap", "new", data={"a": "1"})
SECRET = _object("v1", "Secret", "new")


def svc(title: str, *, meta: Doc | None = None, **spec: Any) -> Row:
    return Row(f"service: {title}", changed(SERVICE, spec=spec, metadata=meta or {}))


def pod(title: str, *, meta: Doc | None = None, user: str = "admin", **spec: Any) -> Row:
    return Row(f"pod: {title}", changed(POD, spec=spec, metadata=meta or {}), user=user)


def box(title: str, **fields: Any) -> Row:
    return pod(f"container: {title}", containers=[{**CONTAINER, **fields}])


def of(base: Doc, title: str, *, meta: Doc | None = None, **spec: Any) -> Row:
    return Row(f"{base['kind'].lower()}: {title}", changed(base, spec=spec, metadata=meta or {}))


def top(base: Doc, title: str, **fields: Any) -> Row:
    return Row(f"{base['kind'].lower()}: {title}", changed(base, **fields))


def change(base: Doc, title: str, patch: Doc, **fields: Any) -> Row:
    name = f"old-{base['kind'].lower()}-{''.join(c if c.isalnum() else '-' for c in title.lower())}"[:50].strip("-")
    return Row(f"{base['kind'].lower()} changed: {title}", changed(base, metadata={"name": name}, **fields), patch)


# What is there before the rows are asked.
WORLD: tuple[Doc, ...] = (
    _object("v1", "Namespace", "limited", ""),
    _object("v1", "Namespace", "counted", ""),
    changed(
        _object("v1", "Namespace", "strict", ""),
        metadata={"labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    ),
    changed(
        _object("v1", "Namespace", "basic", ""), metadata={"labels": {"pod-security.kubernetes.io/enforce": "baseline"}}
    ),
    *(_object("v1", "ServiceAccount", "default", ns) for ns in ("default", "limited", "counted", "strict", "basic")),
    _object(
        "v1",
        "Service",
        "taken",
        spec={
            "type": "NodePort",
            "clusterIP": "10.96.0.77",
            "ports": [{"port": 80, "nodePort": 30077}],
            "selector": {"app": "web"},
        },
    ),
    _object(
        "v1",
        "LimitRange",
        "limits",
        "limited",
        spec={
            "limits": [
                {
                    "type": "Container",
                    "max": {"cpu": "1", "memory": "1Gi"},
                    "min": {"cpu": "100m"},
                    "default": {"cpu": "500m"},
                    "defaultRequest": {"cpu": "200m"},
                    "maxLimitRequestRatio": {"cpu": "4"},
                },
                {"type": "Pod", "max": {"cpu": "2"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "5Gi"}, "min": {"storage": "1Gi"}},
            ]
        },
    ),
    _object(
        "v1",
        "ResourceQuota",
        "compute",
        "counted",
        spec={"hard": {"pods": "1", "requests.cpu": "1", "limits.memory": "1Gi", "services.nodeports": "0"}},
    ),
    changed(CONFIG, metadata={"name": "here"}),
    _object(
        "storage.k8s.io/v1",
        "StorageClass",
        "standard",
        "",
        provisioner="example.org/disk",
        volumeBindingMode="WaitForFirstConsumer",
    )
    | {"metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}},
)

_LONG = "a" * 64
SERVICES = [
    svc("plain"),
    svc("no spec", selector=None, ports=None),
    svc("without ports", ports=[]),
    svc("port 0", ports=[{"port": 0}]),
    svc("port 65536", ports=[{"port": 65536}]),
    svc("port negative", ports=[{"port": -1}]),
    svc("port as text", ports=[{"port": "80"}]),
    svc("port as a name", ports=[{"port": "http"}]),
    svc("port missing", ports=[{"targetPort": 80}]),
    svc("targetPort 0", ports=[{"port": 80, "targetPort": 0}]),
    svc("targetPort 70000", ports=[{"port": 80, "targetPort": 70000}]),
    svc("targetPort named", ports=[{"port": 80, "targetPort": "http"}]),
    svc("targetPort a quoted number", ports=[{"port": 80, "targetPort": "8080"}]),
    svc("targetPort too long", ports=[{"port": 80, "targetPort": "a-name-that-is-too-long"}]),
    svc("targetPort with many faults", ports=[{"port": 80, "targetPort": "-A--"}]),
    svc("targetPort empty", ports=[{"port": 80, "targetPort": ""}]),
    svc("two ports without names", ports=[{"port": 80}, {"port": 443}]),
    svc("two ports, one name", ports=[{"port": 80, "name": "a"}, {"port": 443}]),
    svc("duplicate port names", ports=[{"port": 80, "name": "a"}, {"port": 443, "name": "a"}]),
    svc("duplicate ports", ports=[{"port": 80, "name": "a"}, {"port": 80, "name": "b"}]),
    svc("one port of two protocols", ports=[{"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}]),
    svc("bad port name", ports=[{"port": 80, "name": "My_Port"}]),
    svc("long port name", ports=[{"port": 80, "name": _LONG}]),
    svc("lower-case protocol", ports=[{"port": 80, "protocol": "tcp"}]),
    svc("unknown protocol", ports=[{"port": 80, "protocol": "ICMP"}]),
    svc("appProtocol", ports=[{"port": 80, "appProtocol": "kubernetes.io/h2c"}]),
    svc("bad appProtocol", ports=[{"port": 80, "appProtocol": "a b"}]),
    svc("several faults", ports=[{"port": 0, "protocol": "x", "name": "A"}], type="Cluster", sessionAffinity="yes"),
    svc("unknown type", type="Clusterip"),
    svc("NodePort", type="NodePort"),
    svc("nodePort asked for", type="NodePort", ports=[{"port": 80, "nodePort": 30080}]),
    svc("nodePort below", type="NodePort", ports=[{"port": 80, "nodePort": 80}]),
    svc("nodePort above", type="NodePort", ports=[{"port": 80, "nodePort": 32768}]),
    svc("nodePort no port", type="NodePort", ports=[{"port": 80, "nodePort": 70000}]),
    svc("nodePort taken", type="NodePort", ports=[{"port": 80, "nodePort": 30077}]),
    svc("nodePort on ClusterIP", ports=[{"port": 80, "nodePort": 30080}]),
    svc(
        "nodePort twice",
        type="NodePort",
        ports=[{"port": 80, "name": "a", "nodePort": 30080}, {"port": 81, "name": "b", "nodePort": 30080}],
    ),
    svc(
        "nodePort of two protocols",
        type="NodePort",
        ports=[
            {"port": 53, "name": "a", "nodePort": 30053},
            {"port": 53, "name": "b", "nodePort": 30053, "protocol": "UDP"},
        ],
    ),
    svc(
        "nodePort of two protocols, other ports",
        type="NodePort",
        ports=[
            {"port": 53, "name": "a", "nodePort": 30053},
            {"port": 54, "name": "b", "nodePort": 30053, "protocol": "UDP"},
        ],
    ),
    svc("clusterIP", clusterIP="10.96.1.1"),
    svc("clusterIP taken", clusterIP="10.96.0.77"),
    svc("clusterIP of kubernetes", clusterIP="10.96.0.1"),
    svc("clusterIP outside", clusterIP="10.200.0.1"),
    svc("clusterIP network address", clusterIP="10.96.0.0"),
    svc("clusterIP broadcast address", clusterIP="10.96.255.255"),
    svc("clusterIP no address", clusterIP="10.96.0.300"),
    svc("clusterIP with zeros", clusterIP="10.96.01.1"),
    svc("clusterIP IPv6 here", clusterIP="fd00::1"),
    svc("clusterIP word", clusterIP="none"),
    svc("clusterIPs only", clusterIPs=["10.96.1.1"]),
    svc("clusterIPs other than clusterIP", clusterIP="10.96.1.1", clusterIPs=["10.96.1.2"]),
    svc("clusterIPs two of a family", clusterIPs=["10.96.1.1", "10.96.1.2"]),
    svc("clusterIPs three", clusterIPs=["10.96.1.1", "10.96.1.2", "10.96.1.3"]),
    svc("clusterIPs None and more", clusterIPs=["None", "10.96.1.2"]),
    svc("clusterIPs dual", clusterIPs=["10.96.1.1", "fd00::1"]),
    svc("headless", clusterIP="None"),
    svc("headless without ports", clusterIP="None", ports=None),
    svc("headless without selector", clusterIP="None", selector=None),
    svc("headless NodePort", clusterIP="None", type="NodePort"),
    svc("headless LoadBalancer", clusterIP="None", type="LoadBalancer"),
    svc("ipFamilies IPv4", ipFamilies=["IPv4"]),
    svc("ipFamilies IPv6", ipFamilies=["IPv6"]),
    svc("ipFamilies wrong", ipFamilies=["ipv4"]),
    svc("ipFamilies twice", ipFamilies=["IPv4", "IPv4"]),
    svc("ipFamilies both", ipFamilies=["IPv4", "IPv6"]),
    svc("ipFamilies against clusterIP", ipFamilies=["IPv6"], clusterIP="10.96.1.1"),
    svc("ipFamilyPolicy wrong", ipFamilyPolicy="DualStack"),
    svc("ipFamilyPolicy RequireDualStack", ipFamilyPolicy="RequireDualStack"),
    svc("ipFamilyPolicy PreferDualStack", ipFamilyPolicy="PreferDualStack"),
    svc("ipFamilyPolicy SingleStack with two", ipFamilyPolicy="SingleStack", ipFamilies=["IPv4", "IPv6"]),
    svc("ExternalName", type="ExternalName", externalName="db.example.org", ports=None, selector=None),
    svc("ExternalName with a dot", type="ExternalName", externalName="db.example.org.", ports=None),
    svc("ExternalName without a name", type="ExternalName", ports=None),
    svc("ExternalName of a URL", type="ExternalName", externalName="https://db.example.org", ports=None),
    svc("ExternalName in capitals", type="ExternalName", externalName="DB.example.org", ports=None),
    svc("ExternalName of an address", type="ExternalName", externalName="192.0.2.1", ports=None),
    svc("ExternalName with clusterIP", type="ExternalName", externalName="a.b", clusterIP="10.96.1.1"),
    svc("ExternalName headless", type="ExternalName", externalName="a.b", clusterIP="None"),
    svc("ExternalName with families", type="ExternalName", externalName="a.b", ipFamilies=["IPv4"]),
    svc("ExternalName with a policy", type="ExternalName", externalName="a.b", ipFamilyPolicy="SingleStack"),
    svc("ExternalName with nodePort", type="ExternalName", externalName="a.b", ports=[{"port": 80, "nodePort": 30080}]),
    svc("externalName on ClusterIP", externalName="a.b"),
    svc("ClientIP", sessionAffinity="ClientIP"),
    svc("ClientIP 0", sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 0}}),
    svc("ClientIP 86400", sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 86400}}),
    svc("ClientIP 86401", sessionAffinity="ClientIP", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 86401}}),
    svc(
        "affinity None with a timeout",
        sessionAffinity="None",
        sessionAffinityConfig={"clientIP": {"timeoutSeconds": 9}},
    ),
    svc("a timeout alone", sessionAffinityConfig={"clientIP": {"timeoutSeconds": 9}}),
    svc("affinity wrong", sessionAffinity="clientIP"),
    svc("internalTrafficPolicy wrong", internalTrafficPolicy="local"),
    svc("internalTrafficPolicy Local", internalTrafficPolicy="Local"),
    svc("externalTrafficPolicy on ClusterIP", externalTrafficPolicy="Local"),
    svc(
        "externalTrafficPolicy on ClusterIP with externalIPs", externalTrafficPolicy="Local", externalIPs=["192.0.2.1"]
    ),
    svc("externalTrafficPolicy wrong", type="NodePort", externalTrafficPolicy="local"),
    svc("externalTrafficPolicy Local", type="NodePort", externalTrafficPolicy="Local"),
    svc("trafficDistribution", trafficDistribution="PreferClose"),
    svc("trafficDistribution wrong", trafficDistribution="Close"),
    svc("externalIPs", externalIPs=["192.0.2.1"]),
    svc("externalIPs wrong", externalIPs=["192.0.2.256"]),
    svc("externalIPs loopback", externalIPs=["127.0.0.1"]),
    svc("externalIPs unspecified", externalIPs=["0.0.0.0"]),
    svc("externalIPs link-local", externalIPs=["169.254.1.1"]),
    svc("externalIPs multicast", externalIPs=["224.0.0.1"]),
    svc("LoadBalancer", type="LoadBalancer"),
    svc("LoadBalancer without node ports", type="LoadBalancer", allocateLoadBalancerNodePorts=False),
    svc("LoadBalancer Local", type="LoadBalancer", externalTrafficPolicy="Local"),
    svc("healthCheckNodePort", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30081),
    svc("healthCheckNodePort outside", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=10256),
    svc("healthCheckNodePort taken", type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=30077),
    svc("healthCheckNodePort with Cluster", type="LoadBalancer", healthCheckNodePort=30081),
    svc("healthCheckNodePort on NodePort", type="NodePort", externalTrafficPolicy="Local", healthCheckNodePort=30081),
    svc("LoadBalancer of the kubelet's port", type="LoadBalancer", ports=[{"port": 10250}]),
    svc("loadBalancerSourceRanges", type="LoadBalancer", loadBalancerSourceRanges=[" 192.0.2.0/24 "]),
    svc("loadBalancerSourceRanges wrong", type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.0"]),
    svc("loadBalancerSourceRanges host bits", type="LoadBalancer", loadBalancerSourceRanges=["192.0.2.1/24"]),
    svc("loadBalancerSourceRanges on ClusterIP", loadBalancerSourceRanges=["192.0.2.0/24"]),
    svc("loadBalancerClass", type="LoadBalancer", loadBalancerClass="example.org/lb"),
    svc("loadBalancerClass on ClusterIP", loadBalancerClass="example.org/lb"),
    svc("loadBalancerClass wrong", type="LoadBalancer", loadBalancerClass="a b"),
    svc("allocateLoadBalancerNodePorts on NodePort", type="NodePort", allocateLoadBalancerNodePorts=False),
    svc("bad selector key", selector={"a b": "c"}),
    svc("bad selector value", selector={"a": "b c"}),
    svc("selector value a number", selector={"a": 1}),
    svc(
        "topology annotations disagree",
        meta={
            "annotations": {
                "service.kubernetes.io/topology-mode": "Auto",
                "service.kubernetes.io/topology-aware-hints": "Disabled",
            }
        },
    ),
    svc("unknown field", selectr={"a": "b"}),
    svc("unknown fields", selectr={"a": "b"}, ports=[{"port": 80, "targetport": 80}]),
    svc("ports an object", ports={"port": 80}),
    svc("spec a list", ports=[80]),
    Row("service: unknown top field", {**SERVICE, "specs": {}}),
    svc("name in capitals", meta={"name": "Web"}),
    svc("name begins with a digit", meta={"name": "1web"}),
    svc("name with a dot", meta={"name": "web.a"}),
    svc("name too long", meta={"name": _LONG}),
    svc("name exists", meta={"name": "taken"}),
    svc("no name", meta={"name": None}),
    svc("no such namespace", meta={"namespace": "nowhere"}),
    svc("bad label key", meta={"labels": {"a/b/c": "d"}}),
    svc("bad label prefix", meta={"labels": {"A_B/c": "d"}}),
    svc("bad label value", meta={"labels": {"a": "-"}}),
    svc("long label value", meta={"labels": {"a": _LONG}}),
    svc("long label name", meta={"labels": {_LONG: "a"}}),
    svc("bad annotation key", meta={"annotations": {"a b": "d"}}),
    svc("annotation a number", meta={"annotations": {"a": 1}}),
    svc("bad owner", meta={"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": ""}]}),
    svc("bad finalizer", meta={"finalizers": ["x"]}),
    svc("resourceVersion given", meta={"resourceVersion": "5"}),
    change(SERVICE, "clusterIP", {"spec": {"clusterIP": "10.96.3.3", "clusterIPs": ["10.96.3.3"]}}),
    change(SERVICE, "clusterIP alone", {"spec": {"clusterIP": "10.96.3.3"}}),
    change(SERVICE, "clusterIP to headless", {"spec": {"clusterIP": "None", "clusterIPs": ["None"]}}),
    change(SERVICE, "clusterIP unset", {"spec": {"clusterIP": "", "clusterIPs": None}}),
    change(SERVICE, "to NodePort", {"spec": {"type": "NodePort"}}),
    change(SERVICE, "to NodePort taken", {"spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30077}]}}),
    change(SERVICE, "from NodePort", {"spec": {"type": "ClusterIP"}}, spec={"type": "NodePort"}),
    change(SERVICE, "to ExternalName", {"spec": {"type": "ExternalName", "externalName": "a.b"}}),
    change(SERVICE, "to ExternalName without", {"spec": {"type": "ExternalName"}}),
    change(SERVICE, "families", {"spec": {"ipFamilies": ["IPv6"]}}),
    change(SERVICE, "policy to dual", {"spec": {"ipFamilyPolicy": "RequireDualStack"}}),
    change(SERVICE, "policy to prefer", {"spec": {"ipFamilyPolicy": "PreferDualStack"}}),
    change(SERVICE, "selector", {"spec": {"selector": {"app": "x"}}}),
    change(SERVICE, "port 0", {"spec": {"ports": [{"port": 0}]}}),
    change(
        SERVICE,
        "healthCheckNodePort",
        {"spec": {"healthCheckNodePort": 31999}},
        spec={"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
    ),
    change(
        SERVICE,
        "loadBalancerClass",
        {"spec": {"loadBalancerClass": "b.org/b"}},
        spec={"type": "LoadBalancer", "loadBalancerClass": "a.org/a"},
    ),
    change(SERVICE, "LoadBalancer to ClusterIP", {"spec": {"type": "ClusterIP"}}, spec={"type": "LoadBalancer"}),
    change(
        SERVICE,
        "Local to Cluster",
        {"spec": {"externalTrafficPolicy": "Cluster"}},
        spec={"type": "LoadBalancer", "externalTrafficPolicy": "Local"},
    ),
    change(SERVICE, "uid", {"metadata": {"uid": "x"}}),
    change(SERVICE, "resourceVersion stale", {"metadata": {"resourceVersion": "1"}}),
    change(SERVICE, "unknown field", {"spec": {"selectr": {}}}),
    change(SERVICE, "name", {"metadata": {"name": "other"}}),
]

PODS = [
    pod("plain"),
    pod("no containers", containers=[]),
    pod("containers missing", containers=None),
    pod("unknown field", containrs=[]),
    box("without image", image=""),
    box("image with blanks", image=" web:1"),
    box("name missing", name=None),
    box("name in capitals", name="Web"),
    pod("two containers of a name", containers=[CONTAINER, CONTAINER]),
    pod("init container of the same name", initContainers=[CONTAINER]),
    box("port", ports=[{"containerPort": 80}]),
    box("port 0", ports=[{"containerPort": 0}]),
    box("port missing", ports=[{"name": "http"}]),
    box("port 70000", ports=[{"containerPort": 70000}]),
    box("port name too long", ports=[{"containerPort": 80, "name": "a-name-that-is-too-long"}]),
    box("port name in capitals", ports=[{"containerPort": 80, "name": "HTTP"}]),
    box("port name digits", ports=[{"containerPort": 80, "name": "80"}]),
    box("two ports of a name", ports=[{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}]),
    box("protocol wrong", ports=[{"containerPort": 80, "protocol": "tcp"}]),
    box("hostPort", ports=[{"containerPort": 80, "hostPort": 8080}]),
    box("hostPort 70000", ports=[{"containerPort": 80, "hostPort": 70000}]),
    box("hostIP wrong", ports=[{"containerPort": 80, "hostPort": 8080, "hostIP": "1.2.3"}]),
    box("two of a hostPort", ports=[{"containerPort": 80, "hostPort": 8080}, {"containerPort": 81, "hostPort": 8080}]),
    pod("hostNetwork", hostNetwork=True, containers=[{**CONTAINER, "ports": [{"containerPort": 80}]}]),
    pod(
        "hostNetwork with another hostPort",
        hostNetwork=True,
        containers=[{**CONTAINER, "ports": [{"containerPort": 80, "hostPort": 81}]}],
    ),
    box("pull policy wrong", imagePullPolicy="always"),
    box("requests", resources={"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"cpu": "1"}}),
    box("request above limit", resources={"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}),
    box("request negative", resources={"requests": {"cpu": "-1"}}),
    box("request no quantity", resources={"requests": {"cpu": "lots"}}),
    box("limit of an unknown resource", resources={"limits": {"gpu": "1"}}),
    box("limit of a device", resources={"limits": {"example.org/gpu": "1"}}),
    box("request of a device without limit", resources={"requests": {"example.org/gpu": "1"}}),
    box(
        "env",
        env=[{"name": "A", "value": "1"}, {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
    ),
    box("env without name", env=[{"value": "1"}]),
    box("env name with =", env=[{"name": "a=b", "value": "1"}]),
    box("env value a number", env=[{"name": "a", "value": 1}]),
    box("env of both", env=[{"name": "a", "value": "1", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]),
    box("env of a wrong field", env=[{"name": "a", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodename"}}}]),
    box("mount without volume", volumeMounts=[{"name": "v", "mountPath": "/v"}]),
    pod(
        "mount",
        containers=[{**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        volumes=[{"name": "v", "emptyDir": {}}],
    ),
    pod(
        "mount twice at a path",
        containers=[
            {**CONTAINER, "volumeMounts": [{"name": "v", "mountPath": "/v"}, {"name": "v", "mountPath": "/v"}]}
        ],
        volumes=[{"name": "v", "emptyDir": {}}],
    ),
    pod("volume of no type", volumes=[{"name": "v"}]),
    pod(
        "volumes",
        volumes=[
            {"name": "a", "configMap": {"name": "c"}},
            {"name": "b", "secret": {"secretName": "s"}},
            {"name": "d", "hostPath": {"path": "/x"}},
            {"name": "e", "persistentVolumeClaim": {"claimName": "p"}},
            {"name": "f", "downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
        ],
    ),
    pod("volume of two types", volumes=[{"name": "v", "emptyDir": {}, "hostPath": {"path": "/x"}}]),
    pod("volumes of a name", volumes=[{"name": "v", "emptyDir": {}}, {"name": "v", "emptyDir": {}}]),
    pod("volume name wrong", volumes=[{"name": "V", "emptyDir": {}}]),
    box("probe", readinessProbe={"httpGet": {"port": 80}}),
    box("probe of a named port", readinessProbe={"tcpSocket": {"port": "http"}}),
    box("probe grpc", livenessProbe={"grpc": {"port": 80}}, startupProbe={"exec": {"command": ["a"]}}),
    box("probe without handler", readinessProbe={"periodSeconds": 5}),
    box("probe of two handlers", readinessProbe={"httpGet": {"port": 80}, "tcpSocket": {"port": 80}}),
    box("probe port 0", readinessProbe={"httpGet": {"port": 0}}),
    box("probe port missing", readinessProbe={"httpGet": {"path": "/"}}),
    box("probe negative", readinessProbe={"tcpSocket": {"port": 80}, "periodSeconds": -1}),
    box("liveness successThreshold", livenessProbe={"tcpSocket": {"port": 80}, "successThreshold": 2}),
    box("lifecycle", lifecycle={"preStop": {"exec": {"command": ["a"]}}}),
    box("lifecycle empty", lifecycle={"preStop": {}}),
    pod("sidecar", initContainers=[{"name": "s", "image": "x", "restartPolicy": "Always"}]),
    pod("init restartPolicy wrong", initContainers=[{"name": "s", "image": "x", "restartPolicy": "Sometimes"}]),
    pod(
        "init with readiness",
        initContainers=[{"name": "s", "image": "x", "readinessProbe": {"tcpSocket": {"port": 1}}}],
    ),
    pod("restartPolicy wrong", restartPolicy="always"),
    pod("dnsPolicy wrong", dnsPolicy="clusterFirst"),
    pod("dnsPolicy None without config", dnsPolicy="None"),
    pod("dnsConfig", dnsPolicy="None", dnsConfig={"nameservers": ["10.0.0.1"], "searches": ["a.b"]}),
    pod("dnsConfig wrong", dnsConfig={"nameservers": ["x"]}),
    pod("dnsConfig of many", dnsConfig={"nameservers": ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]}),
    pod("grace negative", terminationGracePeriodSeconds=-1),
    pod("deadline 0", activeDeadlineSeconds=0),
    pod("nodeSelector wrong", nodeSelector={"a b": "c"}),
    pod("nodeName wrong", nodeName="Node_1"),
    pod("hostname wrong", hostname="A.b"),
    pod("subdomain wrong", subdomain="A"),
    pod("hostAliases", hostAliases=[{"ip": "10.0.0.300", "hostnames": ["a_b"]}]),
    pod("tolerations", tolerations=[{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]),
    pod("toleration of a value that exists", tolerations=[{"key": "a", "operator": "Exists", "value": "x"}]),
    pod("toleration without key", tolerations=[{"operator": "Equal", "value": "x"}]),
    pod("toleration operator wrong", tolerations=[{"key": "a", "operator": "equals"}]),
    pod("toleration effect wrong", tolerations=[{"key": "a", "effect": "Never"}]),
    pod("toleration seconds of NoSchedule", tolerations=[{"key": "a", "effect": "NoSchedule", "tolerationSeconds": 5}]),
    pod(
        "affinity operator wrong",
        affinity={
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {
                    "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]}]
                }
            }
        },
    ),
    pod(
        "affinity without terms",
        affinity={"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}},
    ),
    pod(
        "affinity weight 0",
        affinity={
            "podAntiAffinity": {
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 0, "podAffinityTerm": {"labelSelector": SELECTOR, "topologyKey": "zone"}}
                ]
            }
        },
    ),
    pod(
        "affinity without topologyKey",
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [{"labelSelector": SELECTOR, "topologyKey": ""}]
            }
        },
    ),
    pod(
        "spread",
        topologySpreadConstraints=[
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": SELECTOR}
        ],
    ),
    pod("spread wrong", topologySpreadConstraints=[{"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "x"}]),
    pod("priority class missing", priorityClassName="no"),
    pod("priority class", priorityClassName="system-node-critical"),
    pod("priority given", priority=7),
    pod("service account missing", serviceAccountName="robot"),
    pod("service account name wrong", serviceAccountName="Robot!"),
    pod("no token", automountServiceAccountToken=False),
    pod("name with underscore", meta={"name": "a_b"}),
    pod("name too long", meta={"name": "a" * 254}),
    pod("no such namespace", meta={"namespace": "nowhere"}),
    pod("limits: by default", meta={"namespace": "limited"}),
    Row(
        "pod: limits: too much",
        changed(
            POD,
            metadata={"namespace": "limited"},
            spec={"containers": [{**CONTAINER, "resources": {"limits": {"cpu": "2", "memory": "1Gi"}}}]},
        ),
    ),
    Row(
        "pod: limits: too little",
        changed(
            POD,
            metadata={"namespace": "limited"},
            spec={
                "containers": [
                    {**CONTAINER, "resources": {"requests": {"cpu": "50m"}, "limits": {"cpu": "1", "memory": "1Gi"}}}
                ]
            },
        ),
    ),
    Row(
        "pod: limits: whole pod",
        changed(
            POD,
            metadata={"namespace": "limited"},
            spec={
                "containers": [
                    {"name": n, "image": "x", "resources": {"limits": {"cpu": "1", "memory": "1Gi"}}} for n in "abc"
                ]
            },
        ),
    ),
    pod("quota: says nothing", meta={"namespace": "counted"}),
    Row(
        "pod: quota: too much",
        changed(
            POD,
            metadata={"namespace": "counted"},
            spec={
                "containers": [
                    {**CONTAINER, "resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "2", "memory": "2Gi"}}}
                ]
            },
        ),
    ),
    Row(
        "service: quota: node ports",
        changed(SERVICE, metadata={"namespace": "counted"}, spec={"type": "NodePort"}),
    ),
    pod("restricted", meta={"namespace": "strict"}),
    pod("baseline", meta={"namespace": "basic"}),
    pod(
        "baseline broken",
        meta={"namespace": "basic"},
        hostNetwork=True,
        hostPID=True,
        volumes=[{"name": "v", "hostPath": {"path": "/x"}}],
        containers=[
            {**CONTAINER, "ports": [{"containerPort": 80, "hostPort": 80}], "securityContext": {"privileged": True}}
        ],
    ),
    pod(
        "restricted and good",
        meta={"namespace": "strict"},
        securityContext={"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        containers=[
            {
                **CONTAINER,
                "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
            }
        ],
    ),
    pod("forbidden", user="jane"),
    change(POD, "image", {"spec": {"containers": [{**CONTAINER, "image": "web:2"}]}}),
    change(POD, "image empty", {"spec": {"containers": [{**CONTAINER, "image": ""}]}}),
    change(POD, "dnsPolicy", {"spec": {"dnsPolicy": "Default"}}),
    change(POD, "another container", {"spec": {"containers": [CONTAINER, {"name": "d", "image": "x"}]}}),
    change(POD, "tolerations fewer", {"spec": {"tolerations": []}}),
    change(POD, "labels", {"metadata": {"labels": {"a": "b"}}}),
    change(POD, "nodeName", {"spec": {"nodeName": "node9"}}),
    change(POD, "serviceAccount", {"spec": {"serviceAccountName": "x", "serviceAccount": "x"}}),
]

_OTHER = {"selector": {"matchLabels": {"app": "y"}}}
WORKLOADS = [
    of(DEPLOYMENT, "plain"),
    of(DEPLOYMENT, "selector missing", selector=None),
    of(DEPLOYMENT, "selector empty", selector={"matchLabels": None}),
    of(DEPLOYMENT, "selector of other labels", **_OTHER),
    of(DEPLOYMENT, "template without labels", template={"metadata": None}),
    of(DEPLOYMENT, "template missing", template=None),
    of(
        DEPLOYMENT,
        "selector operator wrong",
        selector={"matchExpressions": [{"key": "a", "operator": "in", "values": ["b"]}]},
    ),
    of(DEPLOYMENT, "selector In without values", selector={"matchExpressions": [{"key": "app", "operator": "In"}]}),
    of(
        DEPLOYMENT,
        "selector Exists with values",
        selector={"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["b"]}]},
    ),
    of(DEPLOYMENT, "selector key wrong", selector={"matchLabels": {"a b": "c"}}),
    of(DEPLOYMENT, "replicas negative", replicas=-1),
    of(DEPLOYMENT, "replicas as text", replicas="2"),
    of(DEPLOYMENT, "replicas a fraction", replicas=1.5),
    of(DEPLOYMENT, "strategy wrong", strategy={"type": "Rolling"}),
    of(DEPLOYMENT, "Recreate", strategy={"type": "Recreate"}),
    of(DEPLOYMENT, "Recreate with rollingUpdate", strategy={"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
    of(DEPLOYMENT, "maxSurge wrong", strategy={"rollingUpdate": {"maxSurge": "half"}}),
    of(DEPLOYMENT, "maxUnavailable above all", strategy={"rollingUpdate": {"maxUnavailable": "150%"}}),
    of(DEPLOYMENT, "neither surge nor unavailable", strategy={"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
    of(DEPLOYMENT, "minReady above deadline", minReadySeconds=700),
    of(DEPLOYMENT, "history negative", revisionHistoryLimit=-1),
    of(DEPLOYMENT, "restartPolicy Never", template={"spec": {"restartPolicy": "Never"}}),
    of(DEPLOYMENT, "activeDeadlineSeconds", template={"spec": {"activeDeadlineSeconds": 5}}),
    of(DEPLOYMENT, "container without image", template={"spec": {"containers": [{"name": "c"}]}}),
    of(DEPLOYMENT, "container without name", template={"spec": {"containers": [{"image": "c"}]}}),
    of(DEPLOYMENT, "unknown field", template={"spec": {"contianers": []}}),
    of(DEPLOYMENT, "name wrong", meta={"name": "My.App_1"}),
    of(DEPLOYMENT, "template label wrong", template={"metadata": {"labels": {"app": "web", "v": "1 2"}}}),
    of(DEPLOYMENT, "template label a number", template={"metadata": {"labels": {"v": 1}}}),
    Row("deployment: old version", {**DEPLOYMENT, "apiVersion": "extensions/v1beta1"}),
    Row("deployment: core version", {**DEPLOYMENT, "apiVersion": "v1"}),
    change(DEPLOYMENT, "selector", {"spec": {**_OTHER, "template": {"metadata": {"labels": {"app": "y"}}}}}),
    change(DEPLOYMENT, "replicas", {"spec": {"replicas": 3}}),
    change(DEPLOYMENT, "replicas negative", {"spec": {"replicas": -3}}),
    change(DEPLOYMENT, "template labels", {"spec": {"template": {"metadata": {"labels": {"app": "y"}}}}}),
    of(REPLICA_SET, "plain"),
    of(REPLICA_SET, "selector missing", selector=None),
    of(REPLICA_SET, "selector of other labels", **_OTHER),
    of(REPLICA_SET, "restartPolicy Never", template={"spec": {"restartPolicy": "Never"}}),
    change(REPLICA_SET, "selector", {"spec": {**_OTHER, "template": {"metadata": {"labels": {"app": "y"}}}}}),
    of(STATEFUL_SET, "plain"),
    of(STATEFUL_SET, "serviceName missing", serviceName=None),
    of(STATEFUL_SET, "serviceName wrong", serviceName="Web"),
    of(STATEFUL_SET, "selector missing", selector=None),
    of(STATEFUL_SET, "selector of other labels", **_OTHER),
    of(STATEFUL_SET, "policy wrong", podManagementPolicy="parallel"),
    of(STATEFUL_SET, "strategy wrong", updateStrategy={"type": "Recreate"}),
    of(STATEFUL_SET, "partition negative", updateStrategy={"rollingUpdate": {"partition": -1}}),
    of(
        STATEFUL_SET,
        "OnDelete with rollingUpdate",
        updateStrategy={"type": "OnDelete", "rollingUpdate": {"partition": 1}},
    ),
    of(STATEFUL_SET, "ordinals negative", ordinals={"start": -1}),
    of(STATEFUL_SET, "retention wrong", persistentVolumeClaimRetentionPolicy={"whenDeleted": "keep"}),
    of(STATEFUL_SET, "restartPolicy Never", template={"spec": {"restartPolicy": "Never"}}),
    of(
        STATEFUL_SET,
        "claims",
        volumeClaimTemplates=[
            {
                "metadata": {"name": "data"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
            }
        ],
    ),
    change(STATEFUL_SET, "serviceName", {"spec": {"serviceName": "other"}}),
    change(STATEFUL_SET, "selector", {"spec": {**_OTHER, "template": {"metadata": {"labels": {"app": "y"}}}}}),
    change(STATEFUL_SET, "replicas", {"spec": {"replicas": 4}}),
    of(DAEMON_SET, "plain"),
    of(DAEMON_SET, "replicas", replicas=2),
    of(DAEMON_SET, "selector missing", selector=None),
    of(DAEMON_SET, "selector empty", selector={"matchLabels": None}),
    of(DAEMON_SET, "selector of other labels", **_OTHER),
    of(DAEMON_SET, "strategy wrong", updateStrategy={"type": "Recreate"}),
    of(DAEMON_SET, "neither", updateStrategy={"rollingUpdate": {"maxUnavailable": 0}}),
    of(DAEMON_SET, "both", updateStrategy={"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}),
    of(DAEMON_SET, "restartPolicy Never", template={"spec": {"restartPolicy": "Never"}}),
    change(DAEMON_SET, "selector", {"spec": {**_OTHER, "template": {"metadata": {"labels": {"app": "y"}}}}}),
    of(JOB, "plain"),
    of(JOB, "restartPolicy Always", template={"spec": {"restartPolicy": "Always"}}),
    of(JOB, "restartPolicy missing", template={"spec": {"restartPolicy": None}}),
    of(JOB, "selector", selector=SELECTOR),
    of(JOB, "completions negative", completions=-1),
    of(JOB, "parallelism negative", parallelism=-1),
    of(JOB, "backoffLimit negative", backoffLimit=-1),
    of(JOB, "completionMode wrong", completionMode="indexed"),
    of(JOB, "Indexed without completions", completionMode="Indexed"),
    of(JOB, "deadline negative", activeDeadlineSeconds=-1),
    of(JOB, "ttl negative", ttlSecondsAfterFinished=-1),
    of(JOB, "template missing", template=None),
    change(JOB, "template", {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "x"}]}}}}),
    change(JOB, "completions", {"spec": {"completions": 5}}),
    change(JOB, "suspend", {"spec": {"suspend": True}}),
    of(CRON_JOB, "plain"),
    of(CRON_JOB, "schedule missing", schedule=None),
    of(CRON_JOB, "schedule wrong", schedule="every day"),
    of(CRON_JOB, "schedule of six fields", schedule="* * * * * *"),
    of(CRON_JOB, "schedule out of range", schedule="61 * * * *"),
    of(CRON_JOB, "schedule with TZ", schedule="TZ=UTC 0 * * * *"),
    of(CRON_JOB, "timeZone", timeZone="Europe/Berlin"),
    of(CRON_JOB, "timeZone wrong", timeZone="Europe/Nowhere"),
    of(CRON_JOB, "timeZone local", timeZone="Local"),
    of(CRON_JOB, "concurrency wrong", concurrencyPolicy="forbid"),
    of(CRON_JOB, "deadline negative", startingDeadlineSeconds=-1),
    of(CRON_JOB, "history negative", successfulJobsHistoryLimit=-1),
    of(CRON_JOB, "restartPolicy missing", jobTemplate={"spec": {"template": {"spec": {"restartPolicy": None}}}}),
    of(CRON_JOB, "name too long", meta={"name": "a" * 53}),
]

OTHERS = [
    top(SLICE, "plain"),
    top(SLICE, "addressType missing", addressType=None),
    top(SLICE, "addressType wrong", addressType="ipv4"),
    top(SLICE, "IPv6 in IPv4", endpoints=[{"addresses": ["fd00::1"]}]),
    top(SLICE, "no address", endpoints=[{"addresses": []}]),
    top(SLICE, "addresses missing", endpoints=[{"conditions": {"ready": True}}]),
    top(SLICE, "a hostname", endpoints=[{"addresses": ["web"]}]),
    top(SLICE, "loopback", endpoints=[{"addresses": ["127.0.0.1"]}]),
    top(SLICE, "FQDN", addressType="FQDN", endpoints=[{"addresses": ["a.b"]}]),
    top(SLICE, "port 0", ports=[{"port": 0}]),
    top(SLICE, "port 70000", ports=[{"port": 70000}]),
    top(SLICE, "protocol wrong", ports=[{"port": 80, "protocol": "tcp"}]),
    top(SLICE, "port names twice", ports=[{"port": 80, "name": "a"}, {"port": 81, "name": "a"}]),
    top(SLICE, "port without name twice", ports=[{"port": 80}, {"port": 81}]),
    top(SLICE, "port name wrong", ports=[{"port": 80, "name": "A"}]),
    top(SLICE, "nodeName wrong", endpoints=[{"addresses": ["10.1.2.3"], "nodeName": "A b"}]),
    top(SLICE, "hostname wrong", endpoints=[{"addresses": ["10.1.2.3"], "hostname": "A.b"}]),
    top(SLICE, "hints wrong", endpoints=[{"addresses": ["10.1.2.3"], "hints": {"forZones": [{"name": "A b"}]}}]),
    change(SLICE, "addressType", {"addressType": "IPv6", "endpoints": [{"addresses": ["fd00::1"]}]}),
    top(ENDPOINTS, "plain"),
    top(ENDPOINTS, "address wrong", subsets=[{"addresses": [{"ip": "10.1.2"}], "ports": [{"port": 80}]}]),
    top(ENDPOINTS, "loopback", subsets=[{"addresses": [{"ip": "127.0.0.1"}], "ports": [{"port": 80}]}]),
    top(ENDPOINTS, "nothing in it", subsets=[{}]),
    top(ENDPOINTS, "port 0", subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 0}]}]),
    top(
        ENDPOINTS,
        "two ports without names",
        subsets=[{"addresses": [{"ip": "10.1.2.3"}], "ports": [{"port": 1}, {"port": 2}]}],
    ),
    top(NAMESPACE, "plain"),
    top(NAMESPACE, "name with a dot", metadata={"name": "a.b"}),
    top(NAMESPACE, "in a namespace", metadata={"namespace": "default"}),
    top(NAMESPACE, "exists", metadata={"name": "limited"}),
    top(NAMESPACE, "unknown field", spec={"x": 1}),
    of(NODE, "plain"),
    of(NODE, "podCIDR", podCIDR="10.244.9.0/24"),
    of(NODE, "podCIDR wrong", podCIDR="10.244.9.0"),
    of(NODE, "podCIDRs other", podCIDR="10.244.9.0/24", podCIDRs=["10.244.8.0/24"]),
    of(NODE, "podCIDRs two of a family", podCIDRs=["10.244.9.0/24", "10.244.8.0/24"]),
    of(NODE, "podCIDRs three", podCIDRs=["10.244.9.0/24", "10.244.8.0/24", "fd00::/64"]),
    of(NODE, "taint effect wrong", taints=[{"key": "a", "effect": "Never"}]),
    of(NODE, "taint without effect", taints=[{"key": "a"}]),
    of(NODE, "taint key wrong", taints=[{"key": "a b", "effect": "NoSchedule"}]),
    of(NODE, "taints twice", taints=[{"key": "a", "effect": "NoSchedule"}, {"key": "a", "effect": "NoSchedule"}]),
    of(NODE, "name wrong", meta={"name": "Node_1"}),
    change(
        NODE,
        "podCIDR",
        {"spec": {"podCIDR": "10.244.8.0/24", "podCIDRs": ["10.244.8.0/24"]}},
        spec={"podCIDR": "10.244.7.0/24"},
    ),
    of(VOLUME, "plain"),
    of(VOLUME, "capacity missing", capacity=None),
    of(VOLUME, "accessModes missing", accessModes=None),
    of(VOLUME, "accessModes wrong", accessModes=["RWO"]),
    of(VOLUME, "no source", hostPath=None),
    of(VOLUME, "two sources", nfs={"server": "a", "path": "/"}),
    of(VOLUME, "reclaim wrong", persistentVolumeReclaimPolicy="delete"),
    change(VOLUME, "source", {"spec": {"hostPath": {"path": "/tmp/y"}}}),
    of(CLAIM, "plain"),
    of(CLAIM, "accessModes missing", accessModes=None),
    of(CLAIM, "accessModes wrong", accessModes=["RWO"]),
    of(CLAIM, "accessMode once-pod and more", accessModes=["ReadWriteOncePod", "ReadOnlyMany"]),
    of(CLAIM, "storage missing", resources=None),
    of(CLAIM, "storage 0", resources={"requests": {"storage": "0"}}),
    of(CLAIM, "storage no quantity", resources={"requests": {"storage": "much"}}),
    of(CLAIM, "class wrong", storageClassName="A b"),
    of(CLAIM, "volumeMode wrong", volumeMode="block"),
    of(CLAIM, "limits: too much", meta={"namespace": "limited"}, resources={"requests": {"storage": "6Gi"}}),
    of(CLAIM, "limits: too little", meta={"namespace": "limited"}, resources={"requests": {"storage": "1Mi"}}),
    change(CLAIM, "accessModes", {"spec": {"accessModes": ["ReadOnlyMany"]}}),
    change(CLAIM, "storage", {"spec": {"resources": {"requests": {"storage": "2Gi"}}}}),
    top(CONFIG, "plain"),
    top(CONFIG, "key wrong", data={"a b": "c"}),
    top(CONFIG, "value a number", data={"a": 1}),
    top(CONFIG, "unknown field", dta={}),
    top(CONFIG, "key in both", binaryData={"a": "AA=="}),
    top(CONFIG, "no base64", binaryData={"b": "a!"}),
    change(CONFIG, "immutable", {"data": {"a": "2"}}, immutable=True),
    change(CONFIG, "no longer immutable", {"immutable": None}, immutable=True),
    top(SECRET, "plain"),
    top(SECRET, "data no base64", data={"a": "a!"}),
    top(SECRET, "key wrong", data={"a b": "YQ=="}),
    top(SECRET, "stringData", stringData={"a": "b"}),
    top(SECRET, "tls without data", type="kubernetes.io/tls"),
    change(SECRET, "type", {"type": "example.org/x"}),
    Row("kind unknown", _object("v1", "Servise", "new")),
    Row("configmap: forbidden", CONFIG, user="jane"),
    Row("node: forbidden", NODE, user="jane"),
    Row("deployment: forbidden", DEPLOYMENT, user="jane"),
    Row("configmap changed: forbidden", changed(CONFIG, metadata={"name": "here"}), {"data": {"a": "2"}}, "jane"),
    Row(
        "configmap changed: not there", changed(CONFIG, metadata={"name": "absent"}), {"data": {"a": "2"}}, stored=False
    ),
]

ROWS: tuple[Row, ...] = (*SERVICES, *PODS, *WORKLOADS, *OTHERS)
