"""Situations of a Service, its pods and nodes, step by step, to which Kubernetes' own reconciler answered.

The answers are in tests/data/kubernetes-1.37/endpointslices.json; how they were got: the README beside it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

ZONE = "topology.kubernetes.io/zone"
MODE = {"service.kubernetes.io/topology-mode": "Auto"}
OLD_MODE = {"service.kubernetes.io/topology-aware-hints": "auto"}
OFF = {"service.kubernetes.io/topology-aware-hints": "disabled", **MODE}
HTTP = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}
NAMED = {"name": "http", "port": 80, "protocol": "TCP", "targetPort": "http"}
DNS = [
    {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
    {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
    {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
]
DUAL = ["IPv4", "IPv6"]


def node(name: str, zone: str | None = None, cpu: str = "2", *, ready: str = "True", **labels: str) -> dict[str, Any]:
    labelled = {**({} if zone is None else {ZONE: zone}), **{k.replace("_", "/"): v for k, v in labels.items()}}
    status: dict[str, Any] = {"conditions": [{"type": "Ready", "status": ready}]}
    if cpu:
        status["allocatable"] = {"cpu": cpu}
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labelled}, "status": status}


def service(*, labels: Any = None, annotations: Any = None, **spec: Any) -> dict[str, Any]:
    """The Service ``web``; spec fields over one port 80 to 8080."""
    body = {"clusterIP": "10.96.0.10", "ipFamilies": ["IPv4"], "selector": {"app": "web"}, "ports": [HTTP], **spec}
    metadata = {"name": "web", "namespace": "default", "uid": "service-uid"}
    metadata |= {"labels": labels or {}, "annotations": annotations or {}}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": body}


def pod(number: int, on: str = "n1", **changes: Any) -> dict[str, Any]:
    """Pod ``p<number>``; changes: ready, phase, deleting, ips, ports (of its container), sidecar (ports), spec."""
    ips = changes.get("ips", [f"10.244.{number // 200}.{number % 200 + 2}"])
    spec: dict[str, Any] = {"nodeName": on, "containers": [_container("c", changes.get("ports", []))]}
    if "sidecar" in changes:
        spec["initContainers"] = [{**_container("s", changes["sidecar"]), "restartPolicy": "Always"}]
    if "init" in changes:
        spec["initContainers"] = [_container("i", changes["init"])]
    metadata: dict[str, Any] = {"name": f"p{number}", "namespace": "default", "uid": f"pod-{number}"}
    metadata["labels"] = {"app": "web"}
    if changes.get("deleting"):
        metadata |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 30}
    ready = "True" if changes.get("ready", True) else "False"
    status: dict[str, Any] = {"phase": changes.get("phase", "Running"), "conditions": [_condition(ready)]}
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    spec |= changes.get("spec", {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def _container(name: str, ports: Any) -> dict[str, Any]:
    listed = [{"name": n, "containerPort": p, "protocol": proto} for n, p, proto in ports]
    return {"name": name, "image": "x", "ports": listed}


def _condition(status: str) -> dict[str, Any]:
    return {"type": "Ready", "status": status}


NODES = [node("n1", "a"), node("n2", "b"), node("n3", "c")]
TWO_ZONES = [node("n1", "a"), node("n2", "b")]
UNEVEN = [node("n1", "a", "6"), node("n2", "b", "2")]


def step(svc: Any, pods: Any, nodes: Any = None) -> dict[str, Any]:
    return {"service": svc, "pods": list(pods), "nodes": NODES if nodes is None else nodes}


def over(nodes: int, count: int, start: int = 0, **changes: Any) -> list[Any]:
    """Pods on nodes n1, n2, …, in turn."""
    return [pod(start + n, f"n{n % nodes + 1}", **changes) for n in range(count)]


def _one(svc: Any, pods: Any, nodes: Any = None) -> list[Any]:
    return [step(svc, pods, nodes)]


def _close(how: str, pods: Any, nodes: Any = None) -> list[Any]:
    return _one(service(trafficDistribution=how), pods, nodes)


def _auto(pods: Any, nodes: Any = None, **spec: Any) -> list[Any]:
    return _one(service(annotations=MODE, **spec), pods, nodes)


H = [("http", 8080, "TCP")]
ROWS: list[tuple[str, list[Any]]] = [
    ("no pods", _one(service(), [])),
    ("one pod", _one(service(), [pod(1)])),
    ("not ready", _one(service(), [pod(1, ready=False)])),
    ("terminating, ready", _one(service(), [pod(1, deleting=True)])),
    ("terminating, not ready", _one(service(), [pod(1, deleting=True, ready=False)])),
    ("published, not ready", _one(service(publishNotReadyAddresses=True), [pod(1, ready=False)])),
    ("published, terminating", _one(service(publishNotReadyAddresses=True), [pod(1, deleting=True)])),
    (
        "published, terminating, not ready",
        _one(service(publishNotReadyAddresses=True), [pod(1, deleting=True, ready=False)]),
    ),
    ("succeeded", _one(service(), [pod(1, phase="Succeeded", ready=False)])),
    ("failed", _one(service(publishNotReadyAddresses=True), [pod(1, phase="Failed", ready=False)])),
    ("pending with an address", _one(service(), [pod(1, phase="Pending", ready=False)])),
    ("without an address", _one(service(), [pod(1, ips=[], ready=False), pod(2)])),
    ("node not there", _one(service(), [pod(1, "gone"), pod(2)])),
    ("node not there, published", _one(service(publishNotReadyAddresses=True), [pod(1, "gone"), pod(2)])),
    ("only on a node that is not there", _one(service(), [pod(1, "gone")])),
    ("zone of a node", _one(service(), over(3, 3))),
    ("node without a zone", _one(service(), [pod(1, "n9")], [node("n9")])),
    ("node with an empty zone", _one(service(), [pod(1, "n9")], [node("n9", "")])),
    ("hostname", _one(service(), [pod(1, spec={"hostname": "h", "subdomain": "web"})])),
    ("hostname, other subdomain", _one(service(), [pod(1, spec={"hostname": "h", "subdomain": "x"})])),
    ("hostname without subdomain", _one(service(), [pod(1, spec={"hostname": "h"})])),
    ("two ports", _one(service(ports=[HTTP, {"name": "x", "port": 9, "protocol": "UDP", "targetPort": 9}]), [pod(1)])),
    ("ports of kube-dns", _one(service(ports=DNS), [pod(1)])),
    (
        "many ports",
        _one(service(ports=[{**HTTP, "name": n, "port": k} for k, n in enumerate("abcdefgh", 1)]), [pod(1)]),
    ),
    ("port without a name", _one(service(ports=[{"port": 80, "protocol": "TCP", "targetPort": 80}]), [pod(1)])),
    ("SCTP", _one(service(ports=[{"name": "s", "port": 80, "protocol": "SCTP", "targetPort": 80}]), [pod(1)])),
    ("appProtocol", _one(service(ports=[{**HTTP, "appProtocol": "kubernetes.io/h2c"}]), [pod(1)])),
    ("named port", _one(service(ports=[NAMED]), [pod(1, ports=H)])),
    ("named port, other protocol", _one(service(ports=[NAMED]), [pod(1, ports=[("http", 80, "UDP")])])),
    ("named port of nobody", _one(service(ports=[NAMED]), [pod(1)])),
    ("named port beside a number", _one(service(ports=[NAMED, {**HTTP, "name": "n"}]), [pod(1)])),
    ("named port of a sidecar", _one(service(ports=[NAMED]), [pod(1, sidecar=H)])),
    ("named port of an init container", _one(service(ports=[NAMED]), [pod(1, init=H)])),
    (
        "named port, container before sidecar",
        _one(service(ports=[NAMED]), [pod(1, ports=[("http", 1, "TCP")], sidecar=H)]),
    ),
    (
        "named port that differs between pods",
        _one(service(ports=[NAMED]), [pod(1, ports=H), pod(2, ports=[("http", 9090, "TCP")]), pod(3)]),
    ),
    ("headless", _one(service(clusterIP="None"), [pod(1)])),
    ("headless without ports", _one(service(clusterIP="None", ports=[]), [pod(1), pod(2, "n2")])),
    ("labels of the Service", _one(service(labels={"team": "x", "kubernetes.io/service-name": "lie"}), [pod(1)])),
    ("IPv6 only", _one(service(ipFamilies=["IPv6"], clusterIP="fd00::10"), [pod(1, ips=["fd00:1::2"])])),
    ("IPv6 of a pod of IPv4", _one(service(ipFamilies=["IPv6"], clusterIP="fd00::10"), [pod(1)])),
    ("both families", _one(service(ipFamilies=DUAL), [pod(1, ips=["10.0.0.1", "fd00::1"])])),
    ("both families, a pod of one", _one(service(ipFamilies=DUAL), [pod(1, ips=["10.0.0.1", "fd00::1"]), pod(2)])),
    ("an address as nobody writes it", _one(service(ipFamilies=["IPv6"]), [pod(1, ips=["FD00:0:0::1"])])),
    # --- packing -----------------------------------------------------------------------------------------------
    ("100 pods", _one(service(), over(3, 100))),
    ("101 pods", _one(service(), over(3, 101))),
    ("250 pods", _one(service(), over(3, 250))),
    ("60, then 90", [step(service(), over(3, 60)), step(service(), over(3, 90))]),
    ("100, then 101, then 100", [step(service(), over(3, n)) for n in (100, 101, 100)]),
    ("one of 150 leaves, one comes", [step(service(), over(3, 150)), step(service(), over(3, 150, 1))]),
    ("all leave", [step(service(), over(3, 3)), step(service(), [])]),
    ("first comes, all leave, first comes", [step(service(), p) for p in ([], [pod(1)], [], [pod(2)])]),
    ("becomes ready", [step(service(), [pod(1, ready=False)]), step(service(), [pod(1)])]),
    ("is deleted", [step(service(), [pod(1), pod(2)]), step(service(), [pod(1, deleting=True), pod(2)])]),
    ("moves to another address", [step(service(), [pod(1)]), step(service(), [pod(1, ips=["10.9.9.9"])])]),
    ("labels change", [step(service(labels=x), [pod(1)]) for x in ({"a": "1"}, {"a": "2", "b": "3"}, {})]),
    ("port changes", [step(service(), [pod(1)]), step(service(ports=[{**HTTP, "targetPort": 9}]), [pod(1)])]),
    (
        "a family more, then less",
        [step(service(ipFamilies=f), [pod(1, ips=["10.0.0.1", "fd00::1"])]) for f in (["IPv4"], DUAL, ["IPv6"])],
    ),
    ("becomes headless", [step(service(clusterIP=c), [pod(1)]) for c in ("10.96.0.10", "None")]),
    (
        "becomes headless, and another pod",
        [step(service(), [pod(1)]), step(service(clusterIP="None"), [pod(1), pod(2)])],
    ),
    ("node gets a zone", [step(service(), [pod(1)], [node("n1")]), step(service(), [pod(1)], [node("n1", "a")])]),
    # --- trafficDistribution -------------------------------------------------------------------------------------
    ("PreferClose", _close("PreferClose", over(3, 3))),
    ("PreferSameZone", _close("PreferSameZone", over(3, 3))),
    ("PreferSameNode", _close("PreferSameNode", over(3, 3))),
    ("PreferSameNode without zones", _close("PreferSameNode", [pod(1)], [node("n1")])),
    ("PreferSameZone without zones", _close("PreferSameZone", [pod(1)], [node("n1")])),
    ("PreferSameZone, not ready", _close("PreferSameZone", [pod(1), pod(2, ready=False), pod(3, deleting=True)])),
    (
        "PreferSameNode, published",
        _one(service(trafficDistribution="PreferSameNode", publishNotReadyAddresses=True), [pod(1, ready=False)]),
    ),
    (
        "PreferSameZone, stops being ready",
        [step(service(trafficDistribution="PreferSameZone"), [pod(1, ready=r), pod(2)]) for r in (True, False, True)],
    ),
    (
        "trafficDistribution changes",
        [step(service(trafficDistribution=t), over(3, 2)) for t in ("PreferSameNode", "PreferSameZone", None)],
    ),
    ("trafficDistribution of nobody", _close("Whatever", [pod(1)])),
    # --- topology-mode --------------------------------------------------------------------------------------------
    ("Auto, even", _auto(over(2, 4), TWO_ZONES)),
    ("Auto, three zones", _auto(over(3, 9))),
    ("Auto, too few", _auto(over(2, 2), NODES)),
    ("Auto, one zone", _auto(over(1, 4), [node("n1", "a"), node("n2", "a")])),
    ("Auto, no processors", _auto(over(2, 4), [node("n1", "a", ""), node("n2", "b")])),
    ("Auto, a node without a zone", _auto(over(2, 4), [*TWO_ZONES, node("n3")])),
    ("Auto, a node that is not ready", _auto(over(2, 4), [*TWO_ZONES, node("n3", ready="False")])),
    (
        "Auto, a control plane without a zone",
        _auto(over(2, 4), [*TWO_ZONES, node("n3", **{"node-role.kubernetes.io_control-plane": ""})]),
    ),
    ("Auto, uneven", _auto(over(2, 8), UNEVEN)),
    ("Auto, overload", _auto(over(2, 3), TWO_ZONES)),
    ("Auto, five of two zones", _auto(over(2, 5), TWO_ZONES)),
    ("Auto, all in one zone", _auto(over(1, 8), TWO_ZONES)),
    ("Auto, an endpoint without a zone", _auto([*over(2, 6), pod(9, "n9")], [*TWO_ZONES, node("n9", ready="False")])),
    ("Auto, not all ready", _auto([*over(2, 6), pod(9, ready=False)], TWO_ZONES)),
    ("Auto, none ready", _auto(over(2, 4, ready=False), TWO_ZONES)),
    ("Auto goes before trafficDistribution", _auto(over(2, 4), TWO_ZONES, trafficDistribution="PreferSameNode")),
    ("the old annotation", _one(service(annotations=OLD_MODE), over(2, 4), TWO_ZONES)),
    ("the old annotation goes first", _one(service(annotations=OFF), over(2, 4), TWO_ZONES)),
    (
        "Auto, both families",
        _auto(
            [pod(n, f"n{n % 2 + 1}", ips=[f"10.0.0.{n}", f"fd00::{n}"]) for n in range(1, 5)],
            TWO_ZONES,
            ipFamilies=DUAL,
        ),
    ),
    ("Auto on and off", [step(service(annotations=a), over(2, 4), TWO_ZONES) for a in (MODE, {}, MODE)]),
    (
        "Auto, then trafficDistribution",
        [
            step(service(annotations=MODE), over(2, 4), TWO_ZONES),
            step(service(trafficDistribution="PreferSameZone"), over(2, 4), TWO_ZONES),
        ],
    ),
    (
        "Auto, pods leave until there are too few",
        [step(service(annotations=MODE), over(2, n), TWO_ZONES) for n in (6, 2, 1)],
    ),
    ("Auto, again the same", [step(service(annotations=MODE), over(2, 4), TWO_ZONES)] * 2),
    (
        "Auto, a zone grows",
        [
            step(service(annotations=MODE), over(2, 8), [*TWO_ZONES, node("n4", "a", "4", ready=r)])
            for r in ("False", "True")
        ],
    ),
    ("Auto, 150 pods", _auto(over(2, 150), TWO_ZONES)),
]

# --- answers, in a form that two can be compared in ------------------------------------------------------------------

MANY = 20


def shape(slices: list[Any], seen: dict[str, int]) -> list[str]:
    """Slices as lines that do not depend on generated names and on the order of a Go map.

    ``seen`` numbers the names by when they came. Where there are many endpoints, or some are meant for another zone, which of them
    are where is chance: then how many there are in each slice, and with which hints in all, is told.
    """
    every = [e for item in slices for e in item["endpoints"] or ()]
    hints = Counter(f"{e.get('zone')}>{_names(e, 'forZones')}" for e in every if "hints" in e)
    counted = len(every) > MANY or any(len(set(pair.split(">"))) > 1 for pair in hints)
    forms = [(item["metadata"]["name"], _form(item, counted=counted)) for item in slices]
    for name, _ in sorted(forms, key=lambda pair: pair[1]):
        seen.setdefault(name, len(seen) + 1)
    totals = [f"hints {dict(sorted(hints.items()))}"] if counted else []
    return sorted(f"{seen[name]}: {form}" for name, form in forms) + totals


def _form(item: Any, *, counted: bool) -> str:
    ports = ",".join(_port(port) for port in item["ports"] or ())
    labels = item["metadata"]["labels"]
    own = ",".join(f"{k}={v}" for k, v in sorted(labels.items()) if (k, v) not in _ALWAYS)
    endpoints = item["endpoints"] or []
    told = f"{len(endpoints)} endpoints" if counted else " ".join(sorted(map(_endpoint, endpoints)))
    return f"{item['addressType']} [{ports}] {{{own}}}{'' if set(_ALWAYS) <= set(labels.items()) else ' ?'} {told}"


_ALWAYS = (
    ("endpointslice.kubernetes.io/managed-by", "endpointslice-controller.k8s.io"),
    ("kubernetes.io/service-name", "web"),
)


def _port(port: Any) -> str:
    protocol = f"{port.get('name')}:{port.get('port')}/{port.get('protocol')}"
    return f"{protocol}/{port['appProtocol']}" if port.get("appProtocol") else protocol


def _endpoint(item: Any) -> str:
    flags = "".join(letter if item["conditions"][name] else "-" for name, letter in _FLAGS)
    fields = [item["targetRef"]["name"], *item["addresses"], flags]
    fields += [f"{name}={item[name]}" for name in ("hostname", "nodeName", "zone") if name in item]
    fields += [f"{kind}={_names(item, kind)}" for kind in ("forZones", "forNodes") if item.get("hints", {}).get(kind)]
    return "(" + " ".join(fields) + ")"


_FLAGS = (("ready", "R"), ("serving", "S"), ("terminating", "T"))


def _names(endpoint: Any, kind: str) -> str:
    return "+".join(hint["name"] for hint in endpoint.get("hints", {}).get(kind, ()))


def said(message: str) -> str:
    """An event's text without the family: which of two comes first is chance."""
    return message.partition(", addressType: ")[0]
