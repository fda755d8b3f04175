"""Which endpoints are used: readiness, termination, policies and hints, a row a rule."""

from dataclasses import dataclass, field

import pytest

from netsim.net.address import parse_address
from proxy.categorize import Place, TopologyMode, categorize
from proxy.endpoint import Endpoint
from proxy.service_port import ServicePort

HERE = Place("node1", "a")


def ep(name, *, local=False, state="ready", zones=(), nodes=()):
    flags = {
        "ready": {},
        "not-ready": {"ready": False, "serving": False},
        "leaving": {"ready": False, "serving": True, "terminating": True},
        "left": {"ready": False, "serving": False, "terminating": True},
    }[state]
    return Endpoint(name, 80, name, local=local, zone_hints=frozenset(zones), node_hints=frozenset(nodes), **flags)


@dataclass
class Row:
    id: str
    endpoints: list
    cluster: str = ""
    local: str = ""
    reachable: str | None = None
    anywhere: bool = True
    policies: dict = field(default_factory=dict)
    topology: TopologyMode = TopologyMode.NONE
    place: Place = HERE


INTERNAL_LOCAL = {"internal_policy_local": True}
EXTERNAL_LOCAL = {"external_policy_local": True, "node_port": 30080}
BOTH_LOCAL = {**INTERNAL_LOCAL, **EXTERNAL_LOCAL}

ROWS = [
    Row("nothing", [], anywhere=False),
    Row("only ready ones", [ep("a"), ep("b", state="not-ready"), ep("c", state="leaving")], "a"),
    Row("leaving ones where none is ready", [ep("a", state="leaving"), ep("b", state="left")], "a"),
    Row("none that left", [ep("a", state="left"), ep("b", state="not-ready")], anywhere=False),
    Row("internal Local takes the node's own", [ep("a"), ep("b", local=True)], "", "b", "b", policies=INTERNAL_LOCAL),
    Row("internal Local without any here", [ep("a")], "", "", "", policies=INTERNAL_LOCAL),
    Row(
        "external Local keeps Cluster for short circuits",
        [ep("a"), ep("b", local=True)],
        "ab",
        "b",
        "ab",
        policies=EXTERNAL_LOCAL,
    ),
    Row(
        "external Local without node port, VIP or external IP",
        [ep("a")],
        "a",
        "",
        policies={"external_policy_local": True},
    ),
    Row(
        "Local falls back to leaving ones for itself",
        [ep("a"), ep("b", local=True, state="leaving")],
        "a",
        "b",
        "ab",
        policies=EXTERNAL_LOCAL,
    ),
    Row(
        "Local prefers a ready one to a leaving one",
        [ep("a", local=True), ep("b", local=True, state="leaving")],
        "a",
        "a",
        "a",
        policies=EXTERNAL_LOCAL,
    ),
    Row("both Local but accessible from outside", [ep("a"), ep("b", local=True)], "ab", "b", "ab", policies=BOTH_LOCAL),
    Row(
        "hints for this zone",
        [ep("a", zones="a"), ep("b", zones="b")],
        "a",
        topology=TopologyMode.SAME_ZONE,
    ),
    Row("a ready endpoint without a hint", [ep("a", zones="a"), ep("b")], "ab"),
    Row(
        "hints of endpoints that are not ready do not count",
        [ep("a", zones="a"), ep("b", state="not-ready")],
        "a",
        topology=TopologyMode.SAME_ZONE,
    ),
    Row("a ready endpoint without a node hint", [ep("a", nodes=["node1"]), ep("b")], "ab"),
    Row("no hint for this zone", [ep("a", zones="b"), ep("b", zones="c")], "ab"),
    Row("a node without a zone", [ep("a", zones="a")], "a", place=Place("node1")),
    Row(
        "hints for this node come before zones",
        [ep("a", zones="a", nodes=["node1"]), ep("b", zones="a", nodes=["node2"])],
        "a",
        topology=TopologyMode.SAME_NODE,
    ),
    Row(
        "zones where no hint names this node",
        [ep("a", zones="a", nodes=["node3"]), ep("b", zones="b", nodes=["node2"])],
        "a",
        topology=TopologyMode.SAME_ZONE,
    ),
    Row(
        "an endpoint for several zones",
        [ep("a", zones=["b", "a"]), ep("b", zones=["b"])],
        "a",
        topology=TopologyMode.SAME_ZONE,
    ),
    Row(
        "Local does not look at hints",
        [ep("a", zones="a"), ep("b", local=True, zones="b")],
        "a",
        "b",
        "ab",
        policies=EXTERNAL_LOCAL,
        topology=TopologyMode.SAME_ZONE,
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_categories(row):
    port = ServicePort(parse_address("10.96.0.10"), 80, "TCP", **row.policies)
    found = categorize(row.endpoints, port, row.place)
    names = ["".join(e.text for e in group) for group in (found.cluster, found.local, found.reachable)]
    assert names == [row.cluster, row.local, row.cluster if row.reachable is None else row.reachable]
    assert found.anywhere is row.anywhere
    assert found.topology is row.topology
