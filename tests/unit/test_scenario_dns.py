"""Names as a pod's resolver asks for them and CoreDNS answers, and what a trace makes of them."""

from __future__ import annotations

import pytest

from netsim.manifest.load import load_text
from netsim.scenario.build import world_of
from netsim.scenario.dns import candidates, lookup, resolve
from netsim.scenario.names import UnknownNameError, find_destination, find_source
from netsim.scenario.question import PacketOptions, answer, question_of
from netsim.scenario.world import World

MANIFESTS = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {selector: {app: db}, ports: [{port: 80, targetPort: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
---
apiVersion: v1
kind: Service
metadata: {name: empty, namespace: shop}
spec: {clusterIP: None, selector: {app: nobody}, ports: [{port: 1}]}
---
apiVersion: v1
kind: Service
metadata: {name: db-http, namespace: shop}
spec: {clusterIP: None, selector: {app: db}, ports: [{name: sql, port: 80, targetPort: 5432}]}
---
apiVersion: v1
kind: Pod
metadata: {name: own-dns}
spec: {dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53]}, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: nodes-dns}
spec: {dnsPolicy: Default, containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ingress}
spec: {hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet, containers: [{name: c, image: x}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  serviceName: db
  replicas: 2
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: x, ports: [{containerPort: 5432}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {containers: [{name: c, image: x}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {hostNetwork: true, containers: [{name: c, image: x}]}
"""


@pytest.fixture(scope="module")
def world() -> World:
    return world_of(load_text(MANIFESTS))


def test_a_resolver_tries_the_search_path_first_for_fewer_than_five_dots() -> None:
    assert list(candidates("web.shop", "team")) == [
        "web.shop.team.svc.cluster.local",
        "web.shop.svc.cluster.local",
        "web.shop.cluster.local",
        "web.shop",
    ]
    assert next(candidates("a.b.c.d.e.f", "team")) == "a.b.c.d.e.f"
    assert list(candidates("web.shop.svc.cluster.local.", "team")) == ["web.shop.svc.cluster.local"]


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("db.shop.svc.cluster.local", 2),
        ("db-0.db.shop.svc.cluster.local", 1),
        ("DB-1.db.shop.svc.cluster.local", 1),
        ("db-2.db.shop.svc.cluster.local", None),
        ("empty.shop.svc.cluster.local", None),
        ("db.other.svc.cluster.local", None),
        ("10-244-9-9.shop.pod.cluster.local", 1),
        ("10-244-9-9.nowhere.pod.cluster.local", None),
        ("example.com", None),
    ],
)
def test_answers(world: World, name: str, count: int | None) -> None:
    found = lookup(world, name)
    assert (None if found is None else len(found.addresses)) == count


@pytest.mark.parametrize(
    ("text", "place", "label"),
    [
        ("web.shop.svc.cluster.local", "default", "svc/shop/web:80"),
        ("web.shop.svc.cluster.local.", "default", "svc/shop/web:80"),
        ("web.shop.svc", "default", "svc/shop/web:80"),
        ("web.shop", "default", "svc/shop/web:80"),
        ("db.shop", "default", "pod/shop/db-0:5432"),
        ("db-1.db", "shop", "pod/shop/db-1:5432"),
        ("db-1.db.shop:5432", "default", "pod/shop/db-1:5432"),
        ("shop/db", "default", "pod/shop/db-0:5432"),
        ("shop/db:99", "default", "pod/shop/db-0:99"),
        ("shop/db-http", "default", "pod/shop/db-0:80"),
        ("db-http.shop", "default", "pod/shop/db-0:80"),
        ("shop/db-http:sql", "default", "pod/shop/db-0:5432"),
        ("shop/svc/db", None, "pod/shop/db-0:5432"),
    ],
)
def test_what_a_trace_is_sent_to(world: World, text: str, place: str | None, label: str) -> None:
    assert find_destination(world, text, place=place).label == label


def test_that_a_name_leads_to_more_is_assumed(world: World) -> None:
    assumed = (
        "db.shop.svc.cluster.local leads to 10.244.2.4, 10.244.1.3, in any order: the client is taken to try 10.244.2.4"
    )
    for text in ("shop/db", "db.shop"):
        assert find_destination(world, text).assumed == assumed
        question = question_of(world, "client", text, PacketOptions())
        assert assumed in answer(world, question).assumptions
    for text in ("db-1.db.shop", "shop/web", "shop/db-0"):
        assert find_destination(world, text).assumed == ""


def test_short_names_depend_on_who_asks(world: World) -> None:
    assert resolve(world, "db-1.db", "shop") is not None
    assert resolve(world, "db-1.db", "default") is None
    assert find_source(world, "shop/db-0").namespace == "shop"


def test_a_pod_on_the_nodes_network_may_ask_the_clusters_dns(world: World) -> None:
    assert find_source(world, "ingress").namespace == "default"


@pytest.mark.parametrize("sender", ["agent", "own-dns", "nodes-dns", "node/node1"])
def test_who_does_not_ask_the_clusters_dns(world: World, sender: str) -> None:
    place = find_source(world, sender).namespace
    assert place is None
    with pytest.raises(UnknownNameError, match="the sender does not ask the cluster's DNS") as error:
        find_destination(world, "web.shop.svc.cluster.local", place=place)
    assert "shop/svc/web" in error.value.advice


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("wep.shop.svc.cluster.local", "NXDOMAIN"),
        ("empty.shop.svc", "NXDOMAIN"),
        ("shop/empty", "leads nowhere"),
        ("db-1.dv", "is called|here"),
    ],
)
def test_names_that_lead_nowhere(world: World, name: str, said: str) -> None:
    with pytest.raises(UnknownNameError, match=said):
        find_destination(world, name)
