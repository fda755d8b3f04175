"""``netsim diff``: what differs between two loads, which flows change, and by what."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from netsim.difference.compare import Difference, difference
from netsim.difference.parts import parts
from netsim.difference.report import document, text
from netsim.manifest.load import load_text
from tests.cli.commands import netsim
from tests.cli.console import ROOT

BEFORE = (ROOT / "docs/examples/shop-before.yaml").read_text(encoding="utf-8")


def changed(*edits: tuple[str, str]) -> Difference:
    after = BEFORE
    for old, new in edits:
        assert old in after
        after = after.replace(old, new)
    return difference(load_text(BEFORE), load_text(after))


def told(found: Difference) -> dict[str, tuple[str, ...]]:
    return {str(pair): change.by for change in found.changes for pair in change.pairs}


def test_nothing_differs() -> None:
    found = changed()
    assert (found.parts, found.changes) == ((), ())
    assert found.compared > 50
    assert "are in both, and none of them changed\n" in text(found)


def test_flows_that_come_and_go_are_no_changed_ones() -> None:
    found = changed(("ports: [{port: 7070", "ports: [{port: 7171"))
    gone = sum(len(change.pairs) for change in found.changes if not change.after)
    assert gone > 0
    assert {change.by for change in found.changes} == {("Service default/cart",)}
    assert f"are in both, and none of them changed; {gone} came and {gone} went\n" in text(found)


def test_a_topology_has_a_name() -> None:
    shown = netsim("diff", "default,", "default")
    assert (shown.status, "a topology has no name" in shown.all) == (2, True)


def test_what_changes_no_flow_is_a_part_all_the_same() -> None:
    found = changed(("labels: {app: cart}", "labels: {app: cart, tier: back}"))
    assert [(part.name, part.how) for part in found.parts] == [("Pod default/cart", "metadata.labels.tier")]
    assert found.changes == ()


ROWS = [
    # an edit, the part, a pair that changes, the verdict and reason before and after
    (
        ("ports: [{port: 7070}]}", "ports: [{port: 7070, targetPort: 9}]}"),
        "Service default/cart",
        "pod/default/frontend → svc/default/cart:7070 clusterIP",
        ("DELIVERED", "DELIVERED"),
        ("REJECTED", "PORT_CLOSED"),
    ),
    (
        ("  type: NodePort\n", "  type: NodePort\n  externalTrafficPolicy: Local\n"),
        "Service default/shop",
        "external/customer → node/node1:30080",
        ("DELIVERED", "DELIVERED"),
        ("DROPPED", "NO_LOCAL_ENDPOINTS"),
    ),
    (
        ("{name: node1}", "{name: node1, sysctls: {net.ipv4.ip_forward: 0}}"),
        "node node1",
        "pod/default/cart → pod/default/frontend:8080",
        ("DELIVERED", "DELIVERED"),
        ("DROPPED", "IP_FORWARDING_OFF"),
    ),
    (
        ("  nodes:", "  kubeProxy: {mode: nftables}\n  nodes:"),
        "kube-proxy's configuration",
        "pod/default/cart → svc/default/shop:9 clusterIP",
        ("LEFT", "LEFT_MODEL"),
        ("REJECTED", "CLUSTER_IP_PORT_UNKNOWN"),
    ),
]


@pytest.mark.parametrize(("edit", "part", "pair", "was", "now"), ROWS, ids=[row[1] for row in ROWS])
def test_a_change_is_put_down_to_its_part(
    edit: tuple[str, str], part: str, pair: str, was: tuple[str, str], now: tuple[str, str]
) -> None:
    found = changed(edit)
    assert [each.name for each in found.parts] == [part]
    change = next(change for change in found.changes if any(str(p).startswith(pair) for p in change.pairs))
    assert {(ending.verdict, ending.reason) for ending in change.before} == {was}
    assert {(ending.verdict, ending.reason) for ending in change.after} == {now}
    assert {by for changed_ in found.changes for by in changed_.by} == {part}


def test_of_two_parts_each_has_its_own_flows() -> None:
    found = changed(ROWS[0][0], ROWS[1][0])
    by = told(found)
    assert {parts_ for pair, parts_ in by.items() if "svc/default/cart" in pair} == {("Service default/cart",)}
    assert {parts_ for pair, parts_ in by.items() if "30080" in pair} == {("Service default/shop",)}


def test_flows_that_come_and_go() -> None:
    pod = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: cart, labels: {app: cart}}\n"
    found = changed((pod, pod.replace("name: cart,", "name: other,")))
    gone = {pair.source: change.by for change in found.changes if not change.after for pair in change.pairs}
    came = {pair.source: change.by for change in found.changes if not change.before for pair in change.pairs}
    assert gone["pod/default/cart"] == ("Pod default/cart",)
    assert came["pod/default/other"] == ("Pod default/other",)


POD = """---
apiVersion: v1
kind: Pod
metadata: {name: new, namespace: there, labels: {app: new}}
spec: {nodeName: node1, containers: [{name: c, image: c, ports: [{containerPort: 80}]}]}
"""
SERVICE = """---
apiVersion: v1
kind: Service
metadata: {name: new, namespace: there}
spec: {selector: {app: new}, ports: [{port: 80}]}
"""
NAMESPACE = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: there}\n"


def test_what_comes_is_put_down_to_all_that_it_needs_and_nothing_else() -> None:
    """Three objects come together: alone the pod's flows need no Service, and the Service's no pod but as a sender."""
    one, other = load_text(BEFORE), load_text(BEFORE.rstrip("\n") + "\n" + NAMESPACE + POD + SERVICE)
    there = difference(one, other)
    by = told(there)
    assert all(not change.before for change in there.changes if any("there/new" in str(pair) for pair in change.pairs))
    to_service, to_pod = "svc/there/new:80 clusterIP 10.96.1.3", "pod/there/new:80"
    assert by[f"node/node1 → {to_service}"] == ("Service there/new",)
    assert by[f"node/node1 → {to_pod}"] == ("Pod there/new",)
    assert by[f"pod/there/new → {to_service}"] == ("Pod there/new", "Service there/new")
    back = difference(other, one)
    assert {str(pair): change.by for change in back.changes if not change.after for pair in change.pairs} == by
    assert "  now  -\n  by   Service there/new\n" in text(back)


def test_parts_of_the_cluster_document() -> None:
    other = BEFORE.replace("{name: node2}]", "{name: node2}, {name: node3}]").replace(
        "  external:", "  cni: {hairpin: false}\n  external:"
    )
    found = {part.name: part.how for part in parts(load_text(BEFORE), load_text(other))}
    assert found == {"the network plugin": "changed", "node node3": "added"}


def test_the_json_is_as_its_schema_says() -> None:
    schema = json.loads((ROOT / "docs/diff.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(document(changed(ROWS[0][0], ROWS[1][0])))


def test_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert netsim("diff", "default", "default").status == 0
    assert netsim("diff", "docs/examples/shop-before.yaml", "docs/examples/shop-after.yaml").status == 1
    assert netsim("diff", "default", "nowhere").status == 2
