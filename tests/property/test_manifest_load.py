"""A load raises LoadError or answers, whatever it is given."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netsim.manifest import Loaded, LoadError, Severity, load
from netsim.manifest.document import read_documents
from netsim.manifest.load import load_text
from netsim.objects.schema import Kind, builtin, find_kind

QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

WORDS = [
    *("apiVersion", "kind", "metadata", "spec", "items", "name", "namespace", "ports", "port", "selector", "status"),
    *("podCIDR", "serviceCIDR", "nodes", "addresses", "external", "cni", "kubeProxy", "routes", "listen", "gateway"),
    *(
        "clusterIP",
        "clusterIPs",
        "nodePort",
        "targetPort",
        "type",
        "containers",
        "template",
        "endpoints",
        "addressType",
    ),
    *("ipFamilies", "ipFamilyPolicy", "sysctls", "iptables", "labels", "taints", "networking", "podSubnet", "role"),
]
VALUES: list[Any] = [
    *(
        "v1",
        "apps/v1",
        "netsim.io/v1alpha1",
        "kind.x-k8s.io/v1alpha4",
        "discovery.k8s.io/v1",
        "List",
        "Cluster",
        "Service",
    ),
    *(
        "Pod",
        "Node",
        "Deployment",
        "EndpointSlice",
        "NodePort",
        "LoadBalancer",
        "ExternalName",
        "None",
        "a",
        "IPv4",
        "IPv6",
    ),
    *(
        "10.244.0.0/16",
        "fd00::/64",
        "192.168.0.1/24",
        "10.96.0.5",
        "::1",
        "0.0.0.0/0",
        "80/tcp",
        "default",
        "",
        "RequireDualStack",
    ),
    *(0, 1, 80, -1, 30080, 70000, 2**70, True, None, 1.5),
]
leaves = st.sampled_from(VALUES) | st.text(max_size=8)
documents = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=6),
    max_leaves=30,
)


def outcome(text: str) -> object:
    """The objects, or what was told instead: at least one error, each at its place."""
    found: Loaded | LoadError
    try:
        found = load_text(text, "x")
    except LoadError as error:
        found = error
    if isinstance(found, Loaded):
        return found.objects
    assert any(item.severity is Severity.ERROR for item in found.diagnostics)
    assert all(str(item).startswith(("error: x", "warning: x")) for item in found.diagnostics)
    return found.diagnostics


@QUICK
@given(st.binary(max_size=200))
def test_bytes(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with contextlib.suppress(LoadError):
        load([file])


@QUICK
@given(st.text(alphabet="-:{}[]&*!|>'\"%@`#,?~<a1 \n\t\\\u0085\ufeff", max_size=60))
def test_yaml_like_text(text: str) -> None:
    outcome(text)


@QUICK
@given(
    st.sampled_from(sorted(builtin().kinds))
    | st.sampled_from([("netsim.io/v1alpha1", "Cluster"), ("kind.x-k8s.io/v1alpha4", "Cluster")]),
    documents,
)
def test_objects_of_every_kind(kind: tuple[str, str], spec: object) -> None:
    head = {"apiVersion": kind[0], "kind": kind[1], "metadata": {"name": "a"}}
    body = {**spec, **head} if isinstance(spec, dict) and "networking" in spec else {**head, "spec": spec}
    assert outcome(json.dumps(body)) == outcome(json.dumps(body))


@QUICK
@given(documents)
def test_yaml_of_json_is_read_as_the_same_values(value: object) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    json_text = json.dumps(value)
    found, faults = read_documents(json_text if isinstance(value, dict | list) else f"[{json_text}]")
    assert faults == []
    assert found[0].value == (value if isinstance(value, dict | list) else [value])
    assert read_documents(text)[0] == read_documents(text, pure=True)[0]


service_specs = st.fixed_dictionaries(
    {
        "ports": st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True).map(
            lambda numbers: [{"name": f"p{n}", "port": n} for n in numbers]
        )
    },
    optional={
        "type": st.sampled_from(["ClusterIP", "NodePort", "LoadBalancer"]),
        "clusterIP": st.sampled_from(["10.96.1.1", "10.96.1.2", "10.96.0.9"]),
        "externalIPs": st.just(["1.2.3.4"]),
    },
)


@QUICK
@given(st.lists(service_specs, max_size=6))
def test_addresses_and_node_ports_are_unique_or_it_is_told(specs: list[dict[str, Any]]) -> None:
    items = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{i}"}, "spec": s} for i, s in enumerate(specs)
    ]
    asked = [s["clusterIP"] for s in specs if "clusterIP" in s]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
    taken = len(asked) - len(set(asked))
    if taken:
        with pytest.raises(LoadError) as caught:
            load_text(text)
        assert len(caught.value.diagnostics) == taken
        return
    found = load_text(text).objects
    stored: list[dict[str, Any]] = [item.document["spec"] for item in found]  # type: ignore[misc]
    addresses = [spec["clusterIP"] for spec in stored]
    assert len(set(addresses)) == len(addresses)
    ports = [port["nodePort"] for spec in stored for port in spec["ports"] if spec["type"] != "ClusterIP"]
    assert len(set(ports)) == len(ports)
    assert all(30000 <= port <= 32767 for port in ports)


NETWORKING = [
    "Service",
    "Pod",
    "Node",
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "ReplicationController",
    "Endpoints",
    "EndpointSlice",
]
SCALARS: dict[str, list[Any]] = {
    "s": ["", "a", "None", "10.96.0.5", "fd00::5", "10.244.0.0/24", "TCP", "NodePort", "LoadBalancer", "IPv4", "PreferDualStack", "-"],
    "i": [0, 1, 80, 30080, 70000, -1],
    "b": [True, False],
    "n": [1.5],
    "t": ["2026-01-01T00:00:00Z"],
    "y": ["aGk="],
    "x": [80, "http", "", "25%"],
    "q": ["100m", 1],
    "*": [{}, 1, "a"],
}  # fmt: skip


@st.composite
def well_formed(draw: st.DrawFn, notation: str, depth: int = 0) -> Any:
    """A value of the schema's type, with some of its fields."""
    if notation in SCALARS:
        return draw(st.sampled_from(SCALARS[notation]))
    if notation[0] in "[{":
        count = draw(st.integers(0, 2)) if depth < 7 else 0
        items = [draw(well_formed(notation[1:], depth + 1)) for _ in range(count)]
        return items if notation[0] == "[" else dict(zip(["app", "a.b/c"], items, strict=False))
    fields = builtin().fields(notation)
    needed = [name for name, field in fields.items() if field.required]
    wanted = [name for name in fields if name in WORDS or name in {"protocol", "hostNetwork", "matchLabels", "ip"}]
    some = draw(st.lists(st.sampled_from(sorted(fields)), max_size=3)) if depth < 4 else []
    also = draw(st.lists(st.sampled_from(wanted), max_size=5)) if wanted and depth < 7 else []
    return {
        name: draw(well_formed(fields[name].notation, depth + 1)) for name in dict.fromkeys([*needed, *some, *also])
    }


@settings(QUICK, max_examples=50, suppress_health_check=[*HealthCheck])
@given(st.lists(st.sampled_from(NETWORKING), min_size=1, max_size=2), st.data())
def test_well_formed_objects(kinds: list[str], data: st.DataObject) -> None:
    items = []
    for number, name in enumerate(kinds):
        kind = find_kind(builtin().versions_of(name)[0], name)
        assert isinstance(kind, Kind)
        body = data.draw(well_formed(kind.type))
        metadata = {"name": f"a{number}", "labels": data.draw(well_formed("{s"))}
        items.append({**body, "apiVersion": kind.api_version, "kind": name, "metadata": metadata})
    outcome(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))
