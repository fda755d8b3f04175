"""Situations of nodes and pods to which Kubernetes' own scheduler answered: where a pod goes, what is said, what each node scores.

The answers are in tests/data/kubernetes-1.37/scheduler.json; how they were got: the README beside it. Only where one node is better
than all others is it told which one is taken: among equals there is a draw.
"""

from __future__ import annotations

from typing import Any

HOST, ZONE = "kubernetes.io/hostname", "topology.kubernetes.io/zone"
GPU = {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}
RATHER_NOT = {"key": "slow", "value": "", "effect": "PreferNoSchedule"}
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


def node(name: str, cpu: str = "4", memory: str = "8Gi", **changes: Any) -> dict[str, Any]:
    """changes: labels, taints, unschedulable, and further amounts, as allocatable."""
    labels = {HOST: name, **changes.get("labels", {})}
    if "zone" in changes:
        labels[ZONE] = changes["zone"]
    spec = {name: changes[name] for name in ("taints", "unschedulable") if name in changes}
    amounts = {"cpu": cpu, "memory": memory, "pods": changes.get("pods", "110"), **changes.get("more", {})}
    status = {"allocatable": amounts, "capacity": amounts, "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": status,
    }


def pod(name: str, *, on: str = "", cpu: str = "", memory: str = "", **changes: Any) -> dict[str, Any]:
    """changes: labels, namespace, priority, more (requests), ports (host's), limits, owner, started, deleting; else fields of spec."""
    requests = {k: v for k, v in (("cpu", cpu), ("memory", memory), *changes.pop("more", {}).items()) if v}
    container: dict[str, Any] = {"name": "c", "image": "x", "resources": {"requests": requests}}
    if "ports" in changes:
        container["ports"] = changes.pop("ports")
    metadata: dict[str, Any] = {"name": name, "namespace": changes.pop("namespace", "default"), "uid": f"uid-{name}"}
    metadata |= {"labels": changes.pop("labels", {}), "creationTimestamp": "2026-01-01T00:00:00Z"}
    if changes.pop("deleting", False):
        metadata |= {
            "deletionTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 30,
            "finalizers": ["a/b"],
        }
    if "owner" in changes:
        owner = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": changes["owner"], "uid": changes.pop("owner")}
        metadata["ownerReferences"] = [{**owner, "controller": True}]
    status: dict[str, Any] = {"phase": "Running" if on else "Pending"}
    if "started" in changes:
        status["startTime"] = f"2026-01-01T00:00:{changes['started']:02}Z"
        metadata["creationTimestamp"] = f"2026-01-01T00:00:{changes.pop('started'):02}Z"
    spec: dict[str, Any] = {"containers": [container], "schedulerName": "default-scheduler", **changes}
    spec.setdefault("priority", 0)
    if on:
        spec["nodeName"] = on
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def near(*terms: Any, kind: str = "podAffinity") -> dict[str, Any]:
    return {kind: {REQUIRED: list(terms)}}


def rather(*terms: tuple[int, Any], kind: str = "podAffinity") -> dict[str, Any]:
    return {kind: {PREFERRED: [{"weight": weight, "podAffinityTerm": term} for weight, term in terms]}}


def term(key: str = HOST, **more: Any) -> dict[str, Any]:
    return {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": key, **more}


def on_nodes(*terms: Any) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}


def named(*names: str) -> dict[str, Any]:
    return {"matchFields": [{"key": "metadata.name", "operator": "In", "values": list(names)}]}


def labelled(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


def spread(key: str = HOST, skew: int = 1, *, hard: bool = True, **more: Any) -> dict[str, Any]:
    how = "DoNotSchedule" if hard else "ScheduleAnyway"
    selector = {"matchLabels": {"app": "web"}}
    return {"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": how, "labelSelector": selector, **more}


def budget(allowed: int) -> dict[str, Any]:
    metadata = {"name": "b", "namespace": "default"}
    spec = {"selector": {"matchLabels": {"app": "web"}}, "minAvailable": 1}
    status = {"disruptionsAllowed": allowed, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata,
        "spec": spec,
        "status": status,
    }


def claim(name: str, **spec: Any) -> dict[str, Any]:
    asked = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}, **spec}
    bound = "volumeName" in spec
    metadata: dict[str, Any] = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    metadata["annotations"] = {"pv.kubernetes.io/bind-completed": "yes"} if bound else {}
    document = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": asked}
    return {**document, "status": {"phase": "Bound" if bound else "Pending"}}


def volume(name: str, claimed: str = "", **spec: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], **spec}
    if claimed:
        body["claimRef"] = {
            "kind": "PersistentVolumeClaim",
            "namespace": "default",
            "name": claimed,
            "uid": f"uid-{claimed}",
        }
    status = {"phase": "Bound" if claimed else "Available"}
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": body, "status": status}


def storage(name: str, mode: str, provisioner: str = "kubernetes.io/no-provisioner") -> dict[str, Any]:
    document = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return {**document, "provisioner": provisioner, "volumeBindingMode": mode}


def using(*claims: str) -> list[Any]:
    return [{"name": f"v{n}", "persistentVolumeClaim": {"claimName": name}} for n, name in enumerate(claims)]


TWO = [node("n1"), node("n2")]
THREE = [node("n1"), node("n2"), node("n3")]
ZONES = [node("n1", zone="a"), node("n2", zone="a"), node("n3", zone="b")]
WEB = {"app": "web"}
PORT = [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]
LOCAL = {"nodeAffinity": {"required": {"nodeSelectorTerms": [labelled(HOST, "In", "n1")]}}}
SMALL, LARGE = [node("n1", "1")], [node("n1", "1"), node("n2", "1")]


def webs(*nodes: str, start: int = 0, **changes: Any) -> list[Any]:
    return [pod(f"w{n}", on=on, **{"labels": WEB, **changes}) for n, on in enumerate(nodes, start)]


Row = tuple[str, list[Any], list[Any]]
REFUSED: list[Row] = [
    ("tainted and cordoned", [node("n1", taints=[GPU]), node("n2", unschedulable=True)], [pod("p")]),
    ("cordoned and tainted at once", [node("n1", taints=[GPU], unschedulable=True)], [pod("p")]),
    ("NoExecute", [node("n1", taints=[{**GPU, "effect": "NoExecute"}])], [pod("p")]),
    ("node selector", TWO, [pod("p", nodeSelector={"no": "where"})]),
    ("node affinity", TWO, [pod("p", affinity=on_nodes(labelled("disk", "In", "ssd")))]),
    ("an empty term", TWO, [pod("p", affinity=on_nodes({}))]),
    ("selector and taint", [node("n1", taints=[GPU]), node("n2")], [pod("p", nodeSelector={"no": "where"})]),
    ("a node by name that is full", [node("n1", pods="0"), node("n2")], [pod("p", affinity=on_nodes(named("n1")))]),
    ("a node by name that is not there", TWO, [pod("p", affinity=on_nodes(named("gone")))]),
    ("nodes by name, tainted", [node("n1", taints=[GPU]), *THREE[1:]], [pod("p", affinity=on_nodes(named("n1")))]),
    (
        "names that conflict",
        TWO,
        [pod("p", affinity=on_nodes({"matchFields": named("n1")["matchFields"] + named("n2")["matchFields"]}))],
    ),
    ("a name or a label", TWO, [pod("p", affinity=on_nodes(named("n1"), labelled("a", "Exists")), cpu="9")]),
    ("a name and a label", TWO, [pod("p", affinity=on_nodes({**named("n1"), **labelled("a", "Exists")}))]),
    ("more than nodes have", TWO, [pod("p", cpu="5")]),
    ("more than some have", [node("n1", "1", "4Gi"), node("n2", "1", "1Mi")], [pod("p", cpu="2", memory="1Gi")]),
    ("less than is left", [*TWO, pod("a", on="n1", cpu="3"), pod("b", on="n2", cpu="3")], [pod("p", cpu="2")]),
    ("one can never, one is full", [node("n1", "1"), node("n2"), pod("b", on="n2", cpu="3")], [pod("p", cpu="2")]),
    ("too many pods", [node("n1", pods="1"), pod("a", on="n1")], [pod("p")]),
    ("too many pods and too little", [node("n1", "1", pods="1"), pod("a", on="n1", cpu="1")], [pod("p", cpu="1")]),
    (
        "ephemeral storage",
        [node("n1", more={"ephemeral-storage": "1Gi"})],
        [pod("p", more={"ephemeral-storage": "2Gi"})],
    ),
    ("extended resource of nobody", TWO, [pod("p", more={"nvidia.com/gpu": "1"})]),
    (
        "extended resource that is taken",
        [node("n1", more={"nvidia.com/gpu": "1"}), pod("a", on="n1", more={"nvidia.com/gpu": "1"})],
        [pod("p", more={"nvidia.com/gpu": "1"})],
    ),
    ("huge pages", TWO, [pod("p", more={"hugepages-2Mi": "4Mi", "cpu": "1"})]),
    ("cpu and memory", [node("n1", "1", "1Gi")], [pod("p", cpu="2", memory="2Gi")]),
    ("host port", [node("n1"), pod("a", on="n1", ports=PORT)], [pod("p", ports=PORT)]),
    ("anti-affinity of its own", [node("n1"), *webs("n1")], [pod("p", affinity=near(term(), kind="podAntiAffinity"))]),
    (
        "anti-affinity of another",
        [node("n1"), pod("a", on="n1", affinity=near(term(), kind="podAntiAffinity"))],
        [pod("p", labels=WEB)],
    ),
    ("affinity to nobody", TWO, [pod("p", affinity=near(term()))]),
    ("affinity, nodes without the label", [node("n1"), *webs("n1")], [pod("p", affinity=near(term(ZONE)))]),
    (
        "affinity and anti-affinity",
        [*TWO, *webs("n1")],
        [pod("p", affinity={**near(term()), **near(term(), kind="podAntiAffinity")})],
    ),
    (
        "all three of them",
        [
            *THREE,
            *webs("n1"),
            pod(
                "a",
                on="n2",
                affinity=near({**term(), "labelSelector": {"matchLabels": {"app": "db"}}}, kind="podAntiAffinity"),
            ),
        ],
        [pod("p", labels={"app": "db"}, affinity={**near(term()), **near(term(), kind="podAntiAffinity")})],
    ),
    (
        "spread",
        [node("n1", zone="a"), node("n2", "1", zone="a"), *webs("n1")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread()], cpu="2")],
    ),
    (
        "spread, and a zone without a node that will do",
        [*ZONES, *webs("n1", "n2")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE)], nodeSelector={HOST: "n1"}, cpu="9")],
    ),
    (
        "spread, labels missing",
        [node("n1", zone="a"), node("n2"), *webs("n1")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE, minDomains=2)])],
    ),
    (
        "spread and affinity",
        [node("n1"), node("n2"), *webs("n1", "n2")],
        [
            pod(
                "p",
                labels=WEB,
                topologySpreadConstraints=[spread(minDomains=4)],
                affinity=near(term(), kind="podAntiAffinity"),
            )
        ],
    ),
    (
        "spread and resources",
        [*ZONES, *webs("n1", "n2")],
        [pod("p", labels=WEB, cpu="9", topologySpreadConstraints=[spread(minDomains=4)])],
    ),
    ("claim of nobody", TWO, [pod("p", volumes=using("c"))]),
    (
        "claim unbound",
        [*TWO, storage("s", "Immediate"), claim("c", storageClassName="s")],
        [pod("p", volumes=using("c"))],
    ),
    (
        "claim waits, no volume",
        [*TWO, storage("s", "WaitForFirstConsumer"), claim("c", storageClassName="s")],
        [pod("p", volumes=using("c"))],
    ),
    (
        "claim waits, volume elsewhere",
        [
            *THREE,
            storage("s", "WaitForFirstConsumer"),
            claim("c", storageClassName="s"),
            volume("v", storageClassName="s", **LOCAL),
        ],
        [pod("p", volumes=using("c"), cpu="5")],
    ),
    (
        "claim's volume elsewhere",
        [*TWO, claim("c", volumeName="v"), volume("v", "c", **LOCAL), pod("a", on="n1", cpu="4")],
        [pod("p", cpu="1", volumes=using("c"))],
    ),
    ("claim's volume gone", [*TWO, claim("c", volumeName="v")], [pod("p", volumes=using("c"))]),
    (
        "nothing helps on one of three",
        [node("n1", taints=[GPU]), node("n2", "1"), node("n3", pods="0")],
        [pod("p", cpu="2")],
    ),
]
PREEMPTED: list[Row] = [
    ("one goes", [*SMALL, pod("a", on="n1", cpu="1")], [pod("p", cpu="1", priority=10)]),
    ("never", [*SMALL, pod("a", on="n1", cpu="1")], [pod("p", cpu="1", priority=10, preemptionPolicy="Never")]),
    ("equal priority", [*SMALL, pod("a", on="n1", cpu="1", priority=10)], [pod("p", cpu="1", priority=10)]),
    (
        "not even all would help",
        [node("n1", "2"), pod("a", on="n1", cpu="1"), pod("b", on="n1", cpu="1", priority=20)],
        [pod("p", cpu="2", priority=10)],
    ),
    (
        "not even all would help, on one of two",
        [node("n1", "2"), node("n2", "1"), pod("a", on="n1", cpu="1"), pod("b", on="n1", cpu="1", priority=20)],
        [pod("p", cpu="2", priority=10)],
    ),
    (
        "the least important",
        [node("n1", "2"), pod("a", on="n1", cpu="1", priority=5), pod("b", on="n1", cpu="1", priority=1)],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "the younger of two",
        [node("n1", "2"), pod("a", on="n1", cpu="1", started=1), pod("b", on="n1", cpu="1", started=9)],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "the node of lower priority",
        [*LARGE, pod("a", on="n1", cpu="1", priority=5), pod("b", on="n2", cpu="1", priority=1)],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "the node of fewer pods",
        [*LARGE, pod("a", on="n1", cpu="500m"), pod("b", on="n1", cpu="500m"), pod("c", on="n2", cpu="1")],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "the node of lower sum",
        [
            *LARGE,
            pod("a", on="n1", cpu="500m", priority=5),
            pod("b", on="n1", cpu="500m", priority=4),
            pod("c", on="n2", cpu="500m", priority=5),
            pod("d", on="n2", cpu="500m", priority=1),
        ],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "the node whose pod is younger",
        [*LARGE, pod("a", on="n1", cpu="1", started=9), pod("b", on="n2", cpu="1", started=1)],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "budget spares a node",
        [*LARGE, *webs("n1", cpu="1"), pod("b", on="n2", cpu="1", priority=5), budget(0)],
        [pod("p", cpu="1", priority=10)],
    ),
    ("budget is broken", [*SMALL, *webs("n1", cpu="1"), budget(0)], [pod("p", cpu="1", priority=10)]),
    (
        "budget spares a pod",
        [node("n1", "2"), *webs("n1", cpu="1"), pod("b", on="n1", cpu="1", priority=5), budget(0)],
        [pod("p", cpu="1", priority=10)],
    ),
    ("host port goes", [*SMALL, pod("a", on="n1", ports=PORT)], [pod("p", ports=PORT, priority=10)]),
    (
        "anti-affinity goes",
        [*SMALL, *webs("n1")],
        [pod("p", priority=10, affinity=near(term(), kind="podAntiAffinity"))],
    ),
    ("affinity is not made", [*SMALL, pod("a", on="n1")], [pod("p", priority=10, affinity=near(term()))]),
    (
        "spread goes",
        [*ZONES, *webs("n1", "n1", "n2", "n2", "n3", "n3"), node("n4", unschedulable=True)],
        [pod("p", priority=10, labels=WEB, topologySpreadConstraints=[spread(skew=2)], nodeSelector={ZONE: "b"})],
    ),
    (
        "two go",
        [node("n1", "2"), pod("a", on="n1", cpu="1"), pod("b", on="n1", cpu="1")],
        [pod("p", cpu="2", priority=10)],
    ),
    (
        "tainted is left alone",
        [node("n1", "1", taints=[GPU]), node("n2", "1"), pod("a", on="n1", cpu="1"), pod("b", on="n2", cpu="1")],
        [pod("p", cpu="1", priority=10)],
    ),
]
SCORED: list[Row] = [
    ("empty nodes", TWO, [pod("p")]),
    ("one is used", [*TWO, pod("a", on="n1", cpu="1", memory="1Gi")], [pod("p", cpu="1", memory="1Gi")]),
    (
        "different sizes",
        [node("n1", "2", "4Gi"), node("n2", "8", "16Gi"), node("n3", "3", "5Gi")],
        [pod("p", cpu="500m", memory="700Mi")],
    ),
    ("without requests", [node("n1", "2", "4Gi"), node("n2", "8", "16Gi"), pod("a", on="n2")], [pod("p")]),
    ("only cpu", [node("n1", "2", "4Gi"), node("n2", "8", "16Gi")], [pod("p", cpu="1")]),
    ("only memory", [node("n1", "2", "4Gi"), node("n2", "8", "16Gi")], [pod("p", memory="1Gi")]),
    (
        "uneven use",
        [*TWO, pod("a", on="n1", cpu="3"), pod("b", on="n2", memory="6Gi")],
        [pod("p", cpu="1", memory="1Gi")],
    ),
    ("makes it even", [*TWO, pod("a", on="n1", cpu="2"), pod("b", on="n2", memory="4Gi")], [pod("p", memory="3Gi")]),
    ("makes it uneven", [*TWO, pod("a", on="n1", cpu="1", memory="2Gi")], [pod("p", cpu="3", memory="100Mi")]),
    (
        "extended resource beside",
        [node("n1", more={"nvidia.com/gpu": "2"}), node("n2", more={"nvidia.com/gpu": "4"})],
        [pod("p", cpu="1", more={"nvidia.com/gpu": "1"})],
    ),
    (
        "prefer not",
        [node("n1", taints=[RATHER_NOT]), node("n2", taints=[RATHER_NOT, {**RATHER_NOT, "key": "b"}]), node("n3")],
        [pod("p")],
    ),
    ("prefer not, all", [node("n1", taints=[RATHER_NOT]), node("n2", taints=[RATHER_NOT])], [pod("p")]),
    (
        "prefer not, tolerated",
        [node("n1", taints=[RATHER_NOT]), node("n2", taints=[RATHER_NOT, {**RATHER_NOT, "key": "b"}])],
        [pod("p", tolerations=[{"key": "slow", "operator": "Exists"}])],
    ),
    (
        "prefers nodes",
        [node("n1", labels={"disk": "ssd"}), node("n2", labels={"disk": "hdd"}), node("n3")],
        [
            pod(
                "p",
                affinity={
                    "nodeAffinity": {
                        PREFERRED: [
                            {"weight": 30, "preference": labelled("disk", "In", "ssd")},
                            {"weight": 7, "preference": labelled("disk", "Exists")},
                        ]
                    }
                },
            )
        ],
    ),
    (
        "prefers an empty term",
        TWO,
        [pod("p", affinity={"nodeAffinity": {PREFERRED: [{"weight": 30, "preference": {}}]}})],
    ),
    ("rather near", [*ZONES, *webs("n1")], [pod("p", affinity=rather((50, term()), (20, term(ZONE))))]),
    (
        "rather far",
        [*ZONES, *webs("n1", "n3", "n3")],
        [pod("p", affinity=rather((50, term()), (20, term(ZONE)), kind="podAntiAffinity"))],
    ),
    (
        "near of another",
        [*ZONES, pod("a", on="n1", affinity=near(term())), pod("b", on="n3", affinity=rather((9, term(ZONE))))],
        [pod("p", labels=WEB)],
    ),
    (
        "far of another",
        [*ZONES, pod("a", on="n1", affinity=rather((9, term(ZONE)), kind="podAntiAffinity"))],
        [pod("p", labels=WEB)],
    ),
    ("affinity to itself", ZONES, [pod("p", labels=WEB, affinity=near(term(ZONE)))]),
    (
        "affinity, other namespaces",
        [*ZONES, *webs("n1", namespace="x")],
        [pod("p", affinity=rather((9, term(namespaceSelector={}))))],
    ),
    (
        "soft spread",
        [*ZONES, *webs("n1", "n1", "n2")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(hard=False)])],
    ),
    (
        "soft spread over zones",
        [*ZONES, *webs("n1", "n1", "n2", "n3")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE, hard=False)])],
    ),
    (
        "soft spread over both",
        [*ZONES, *webs("n1", "n2", "n3", "n3")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE, 2, hard=False), spread(hard=False)])],
    ),
    (
        "soft spread, labels missing",
        [*ZONES, node("n4"), *webs("n1", "n4")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE, hard=False)])],
    ),
    (
        "soft spread, a node that is out",
        [*ZONES, node("n4", zone="b", taints=[GPU]), *webs("n1", "n4", "n4")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE, hard=False)])],
    ),
    (
        "soft spread, of others",
        [*ZONES, *webs("n1", "n2", "n2")],
        [pod("p", topologySpreadConstraints=[spread(hard=False)])],
    ),
    (
        "soft spread, terminating",
        [*ZONES, *webs("n1", "n1", deleting=True), *webs("n2", start=5)],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(hard=False)])],
    ),
    ("hard spread", [*ZONES, *webs("n1", "n2")], [pod("p", labels=WEB, topologySpreadConstraints=[spread()])]),
    (
        "hard spread over zones",
        [*ZONES, *webs("n3")],
        [pod("p", labels=WEB, topologySpreadConstraints=[spread(ZONE)], nodeName="")],
    ),
    ("one after another", TWO, [pod(f"p{n}", cpu="1", memory="1Gi") for n in range(3)]),
    ("owner without selectors", [*ZONES, *webs("n1", "n1", owner="rs")], [pod("p", labels=WEB, owner="rs")]),
    (
        "tolerates",
        [node("n1", taints=[GPU]), node("n2", unschedulable=True)],
        [pod("p", tolerations=[{"key": "dedicated", "operator": "Exists"}])],
    ),
    (
        "greater",
        [node("n1", labels={"c": "4"}), node("n2", labels={"c": "8"})],
        [pod("p", affinity=on_nodes(labelled("c", "Gt", "5")))],
    ),
]
SERVED = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default"},
    "spec": {"selector": WEB},
}
SETS = {
    "apiVersion": "apps/v1",
    "kind": "ReplicaSet",
    "metadata": {"name": "rs", "namespace": "default", "uid": "rs"},
    "spec": {"selector": {"matchLabels": WEB}, "template": {"metadata": {"labels": WEB}}},
}
SCORED += [
    ("pods of a Service", [*ZONES, SERVED, *webs("n1", "n1", "n3")], [pod("p", labels=WEB)]),
    ("pods of a ReplicaSet", [*ZONES, SETS, *webs("n1", "n1", "n3", owner="rs")], [pod("p", labels=WEB, owner="rs")]),
    ("pods of a Service, no zones", [*THREE, SERVED, *webs("n1", "n1", "n3")], [pod("p", labels=WEB)]),
    ("pods of a Service, some zones", [*ZONES, node("n4"), SERVED, *webs("n1", "n4", "n3")], [pod("p", labels=WEB)]),
]
PREEMPTED += [
    (
        "a budget allows one of two",
        [node("n1", "2"), *webs("n1", "n1", cpu="1"), budget(1)],
        [pod("p", cpu="2", priority=10)],
    ),
    (
        "one of two is spared by a budget",
        [node("n1", "2"), *webs("n1", "n1", cpu="1"), budget(1)],
        [pod("p", cpu="1", priority=10)],
    ),
    (
        "another's anti-affinity goes",
        [*SMALL, pod("a", on="n1", affinity=near(term(), kind="podAntiAffinity"))],
        [pod("p", labels=WEB, priority=10)],
    ),
    (
        "too many pods go",
        [node("n1", pods="1"), pod("a", on="n1")],
        [pod("p", priority=10)],
    ),
    (
        "still too many pods",
        [node("n1", "1", pods="1"), pod("a", on="n1", priority=20), node("n2", "1"), pod("b", on="n2", cpu="1")],
        [pod("p", priority=10, ports=PORT, nodeSelector={HOST: "n1"})],
    ),
    (
        "a port of one that is more important",
        [*SMALL, pod("a", on="n1", priority=20, ports=PORT), pod("b", on="n1")],
        [pod("p", priority=10, ports=PORT)],
    ),
]
ROWS = [*REFUSED, *PREEMPTED, *SCORED]
