"""Loading whole files: real ones, lists, places, warnings."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from netsim.manifest import LoadError, Severity, load
from netsim.manifest.load import load_text
from netsim.net.packet import Protocol
from netsim.objects.core import Pod, Service
from netsim.objects.listen import pod_listens
from netsim.objects.meta import Key

MANIFESTS = Path(__file__).parent.parent / "data" / "manifests"


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("guestbook", {"Deployment": 3, "Service": 3}),
        ("cassandra", {"Service": 1, "StatefulSet": 1, "StorageClass": 1}),
        ("online-boutique", {"Deployment": 12, "Service": 12, "ServiceAccount": 11}),
    ],
)
def test_real_manifests_load_without_a_word(name: str, kinds: dict[str, int]) -> None:
    found = load([MANIFESTS / f"{name}.yaml"])
    assert Counter(item.kind for item in found.objects) == kinds
    assert found.warnings == ()
    for item in found.objects:
        if item.kind == "Service":
            assert Service.of(item).spec.cluster_ip


def test_services_of_two_files_have_different_addresses() -> None:
    files = [MANIFESTS / "guestbook.yaml", MANIFESTS / "cassandra.yaml"]
    services = {s.metadata.name: s for s in (Service.of(i) for i in load(files).objects if i.kind == "Service")}
    assert {name: service.spec.cluster_ip for name, service in services.items()} == {
        "frontend": "10.96.1.1",
        "redis-master": "10.96.1.2",
        "redis-replica": "10.96.1.3",
        "cassandra": "None",
    }
    assert services["frontend"].spec.ports[0].node_port == 30086


def test_the_same_name_in_two_files_is_told() -> None:
    with pytest.raises(LoadError) as caught:
        load([MANIFESTS])
    assert [d.message for d in caught.value.diagnostics] == [
        "Deployment default/frontend is there twice",
        "Service default/frontend is there twice",
    ]
    assert all("guestbook.yaml:" in d.help for d in caught.value.diagnostics)


@pytest.mark.parametrize("name", ["guestbook", "online-boutique"])
def test_the_same_input_gives_the_same_objects(name: str) -> None:
    file = MANIFESTS / f"{name}.yaml"
    assert load([file]).objects == load([file]).objects


LIST = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: a}
  spec: {ports: [{port: 80}]}
- apiVersion: v1
  kind: PodList
  items:
  - metadata: {name: b}
    spec:
      containers:
      - {name: c, image: i, ports: [{containerPort: 80}]}
"""


def test_lists_are_taken_apart_and_items_keep_their_places() -> None:
    found = load_text(LIST, "l.yaml")
    assert [str(item.key) for item in found.objects] == ["Service default/a", "Pod default/b"]
    pod = Key("Pod", "default", "b")
    assert str(found.where(pod)) == "l.yaml:11:5"
    assert str(found.where(pod, "spec.containers[0].ports[0].containerPort")) == "l.yaml:14:38"
    assert str(found.where(pod, "status.podIP")) == "l.yaml:11:5"
    assert found.where(Key("Pod", "default", "z")) is None


def test_json() -> None:
    found = load_text(
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},\n "spec": {"containers": [{"name": "x", "image": "i"}]}}'
    )
    assert str(found.where(Key("Pod", "default", "a"), "spec.containers[0].name")) == "<text>:2:27"


SHOP = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  selector: {app: web}
  ports:
  - name: a
    port: 80
    targetPort: http
  - {name: b, port: 9000}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {}
    spec:
      containers:
      - name: c
        image: i
        ports:
        - {name: web, containerPort: 8080}
        - {name: dns, containerPort: 53, protocol: UDP}
"""


def told(text: str) -> list[tuple[int, str, str]]:
    found = load_text(text).warnings
    assert {item.severity for item in found} <= {Severity.WARNING}
    return [(item.line, item.message, item.help) for item in found]


def test_ports_that_nobody_listens_on_are_warnings() -> None:
    assert told(SHOP) == [
        (9, 'no selected pod has a port named "http"', "Deployment web: named ports are web"),
        (10, "no selected pod listens on 9000/TCP", "Deployment web: listens on 8080/TCP, 53/UDP"),
    ]


def test_ports_that_somebody_listens_on_are_not() -> None:
    assert told(SHOP.replace("targetPort: http", "targetPort: web").replace("9000", "8080")) == []


def test_the_listen_annotation_decides() -> None:
    said = SHOP.replace("targetPort: http", "targetPort: web").replace("{}", '{netsim.io/listen: "9000/tcp"}')
    assert told(said) == []


def test_a_selector_that_selects_nothing_is_a_warning() -> None:
    assert told(SHOP.replace("selector: {app: web}", "selector: {app: api}")) == [
        (5, "no pod of namespace shop has the labels app=api", "Deployment web has app=web")
    ]
    other = SHOP.replace(
        "{name: web, namespace: shop}\nspec:\n  selector: {app: web}", "{name: web}\nspec:\n  selector: {app: web}"
    )
    assert told(other) == [(5, "no pod of namespace default has the labels app=web", "the namespace has no pods")]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (None, [(Protocol.TCP, 80), (Protocol.UDP, 53)]),
        ("", []),
        (
            "8080/tcp, 53/udp,8080/TCP,9/sctp,7",
            [(Protocol.TCP, 8080), (Protocol.UDP, 53), (Protocol.SCTP, 9), (Protocol.TCP, 7)],
        ),
    ],
)
def test_pod_listens(annotation: str | None, expected: list[tuple[Protocol, int]]) -> None:
    said = f"annotations: {{netsim.io/listen: '{annotation}'}}" if annotation is not None else "labels: {}"
    text = (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: a, {said}}}\nspec:\n"
        "  initContainers: [{name: i, image: i, ports: [{containerPort: 1}]},"
        " {name: s, image: i, restartPolicy: Always, ports: [{containerPort: 80}]}]\n"
        "  containers: [{name: c, image: i, ports: [{containerPort: 53, protocol: UDP}, {containerPort: 80}]}]\n"
    )
    assert list(pod_listens(Pod.of(load_text(text).objects[0]))) == expected
