"""``netsim get``, ``events`` and ``describe``: what they print and what they refuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import netsim

NODEPORT = ("-t", "nodeport")


@pytest.fixture(autouse=True)
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


def test_get_pods_has_kubectls_columns() -> None:
    done = netsim("get", "pods", *NODEPORT)
    lines = done.out.splitlines()
    assert (done.status, lines[0].split()) == (0, ["NAME", "READY", "STATUS", "RESTARTS", "AGE"])
    assert len(lines) == 3
    assert all(line.split()[1:4] == ["1/1", "Running", "0"] for line in lines[1:])


def test_columns_stand_three_blanks_apart_under_their_headers() -> None:
    lines = netsim("get", "svc", *NODEPORT).out.splitlines()
    at = lines[0].index("CLUSTER-IP")
    assert lines[0][at - 3 : at] == "   "
    assert lines[1][at:].startswith("10.96.")


@pytest.mark.parametrize("word", ["po", "pod", "pods", "Pod", "pods,po"])
def test_a_kind_has_several_words(word: str) -> None:
    assert netsim("get", word, *NODEPORT).out == netsim("get", "pods", *NODEPORT).out


def test_qualified_kinds_and_names() -> None:
    names = netsim("get", "deployments.apps", "-o", "name", *NODEPORT).out
    assert names == "deployment.apps/web\n"
    assert netsim("get", "deploy/web", "-o", "name", *NODEPORT).out == names
    assert netsim("get", "deploy", "web", "-o", "name", *NODEPORT).out == names


def test_all_prefixes_names_and_separates_tables() -> None:
    tables = netsim("get", "all", *NODEPORT).out.rstrip("\n").split("\n\n")
    assert [table.splitlines()[1].split("/")[0] for table in tables] == [
        "pod",
        "service",
        "deployment.apps",
        "replicaset.apps",
    ]


def test_all_namespaces_adds_a_column_only_to_kinds_that_have_one() -> None:
    assert netsim("get", "pods", "-A", *NODEPORT).out.startswith("NAMESPACE   NAME ")
    assert netsim("get", "nodes", "-A", *NODEPORT).out.startswith("NAME ")


def test_yaml_and_json_say_the_same() -> None:
    from_yaml = yaml.safe_load(netsim("get", "svc", "web", "-o", "yaml", *NODEPORT).out)
    from_json = json.loads(netsim("get", "svc", "web", "-o", "json", *NODEPORT).out)
    assert from_yaml == from_json
    assert (from_json["kind"], from_json["metadata"]["name"]) == ("Service", "web")


def test_several_objects_are_a_list() -> None:
    listed = json.loads(netsim("get", "pods", "-o", "json", *NODEPORT).out)
    assert (listed["kind"], len(listed["items"])) == ("List", 2)


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("-l", "app=web"), 2),
        (("-l", "app!=web"), 0),
        (("-l", "app in (web, x)"), 2),
        (("--field-selector", "spec.nodeName=node1"), 1),
        (("--field-selector", "status.phase!=Running"), 0),
    ],
)
def test_selectors(options: tuple[str, ...], count: int) -> None:
    assert len(netsim("get", "pods", "-o", "name", *options, *NODEPORT).out.split()) == count


def test_nothing_is_said_as_kubectl_says_it() -> None:
    done = netsim("get", "pods", "-n", "nowhere", *NODEPORT)
    assert (done.status, done.out, done.err) == (0, "", "No resources found in nowhere namespace.\n")


@pytest.mark.parametrize(
    ("words", "message", "help_"),
    [
        (("get", "pdos"), 'the server doesn\'t have a resource type "pdos"', "did you mean pods"),
        (("get", "pod", "wbe"), 'pods "wbe" not found in namespace default', "there are: web-"),
        (("get", "deploy", "wep"), 'deployments.apps "wep" not found', "did you mean web?"),
        (
            ("get", "svc", "web", "-n", "kube-system"),
            "not found in namespace kube-system",
            "it is in namespace default",
        ),
        (("get", "pods", "-l", "a=("), "unable to parse requirement", "such as"),
        (("get", "pods", "--field-selector", "spec.color=red"), "field label not supported: spec.color", "such as"),
        (("get", "pods", "x", "-l", "a=b"), "a name cannot be combined", ""),
        (("get", "pods", "-A", "-n", "x"), "-n and -A exclude each other", "name a namespace"),
        (("describe", "svc", "weB"), 'services "weB" not found', "did you mean web?"),
        (("get", "pod/a", "svc/web"), "svc/web names a kind again", "one KIND and its names: pod a web"),
        (("explain-creation", "deploy/web"), 'namespaces "deploy" not found', "netsim get namespaces"),
        (("events", "--for", "web"), "not KIND/NAME", "such as"),
        (("events", "--for", "pod/none"), 'pods "none" not found', "there are"),
        (("events", "--types", "Bad"), "an event's type is Normal or Warning", ""),
    ],
)
def test_refusals(words: tuple[str, ...], message: str, help_: str) -> None:
    done = netsim(*words, *NODEPORT)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("error: ")
    assert message in done.err
    assert help_ in done.err


def test_events_of_one_object_in_the_order_of_their_time() -> None:
    done = netsim("events", "--for", "deploy/web", *NODEPORT)
    assert [line.split()[1:4] for line in done.out.splitlines()[1:]] == [
        ["Normal", "ScalingReplicaSet", "deployment/web"]
    ]


def test_events_by_type_and_as_objects() -> None:
    assert netsim("events", "--types", "Warning", *NODEPORT).err == "No events found in default namespace.\n"
    listed = json.loads(netsim("events", "-o", "json", *NODEPORT).out)
    assert {item["kind"] for item in listed["items"]} == {"Event"}
    assert any(item["reason"] == "Scheduled" for item in listed["items"])


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (("pod", "client"), []),
        (("svc", "web"), ["NodePort:", "TargetPort:", "Endpoints:", "External Traffic Policy:"]),
        (("node", "node1"), ["PodCIDR:", "Non-terminated Pods:", "Kubelet Version:"]),
        (("deployment", "web"), ["Replicas:", "NewReplicaSet:", "RollingUpdateStrategy:"]),
        (("rs",), ["Controlled By:", "Pods Status:"]),
    ],
)
def test_descriptions_name_what_kubectl_names(words: tuple[str, ...], lines: list[str]) -> None:
    done = netsim("describe", *words, *NODEPORT)
    if words[1:] == ("client",):
        assert done.status == 2  # the client is an external host, no pod
        return
    assert done.status == 0
    assert all(any(line.strip().startswith(start) for line in done.out.splitlines()) for start in lines)
    assert "Events:" in done.out


def test_of_several_kinds_the_name_has_its_kind_and_no_other_column() -> None:
    events, services = netsim("get", "events,svc", "-o", "wide", *NODEPORT).out.split("\n\n")
    assert events.splitlines()[1].startswith("0s ")
    assert events.splitlines()[1].split()[-1].startswith("event/")
    assert services.splitlines()[1].startswith("service/web ")


BALANCED = """
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  type: LoadBalancer
  loadBalancerIP: 192.0.2.1
  externalIPs: [192.0.2.9]
  ports: [{port: 80, appProtocol: http}]
%s
"""


@pytest.mark.parametrize(
    ("status", "ingress"),
    [
        ("", None),
        ("status: {loadBalancer: {ingress: [{ip: 192.0.2.1, ipMode: VIP}]}}", "192.0.2.1 (VIP)"),
        ("status: {loadBalancer: {ingress: [{hostname: lb.example}]}}", "lb.example"),
    ],
    ids=["pending", "address", "hostname"],
)
def test_a_load_balancer_is_described(tmp_path: Path, status: str, ingress: str | None) -> None:
    file = tmp_path / "lb.yaml"
    file.write_text(BALANCED % status)
    told = dict(line.split(":", 1) for line in netsim("describe", "svc", "web", "-t", str(file)).out.splitlines())
    assert told["Desired LoadBalancer IP"].strip() == "192.0.2.1"
    assert told["AppProtocol"].strip() == "http"
    assert told.get("LoadBalancer Ingress", "").strip() == (ingress or "")
    assert ("LoadBalancer Ingress" in told) == (ingress is not None)


def test_an_answer_goes_to_a_file(tmp_path: Path) -> None:
    target = tmp_path / "pods.txt"
    assert netsim("get", "pods", "-f", str(target), *NODEPORT).out == ""
    assert target.read_text().startswith("NAME ")


PENDING = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: x}]}
"""


def links(*words: str) -> list[dict[str, object]]:
    done = netsim("explain-creation", "-o", "json", *words)
    assert done.status == 0, done.err
    found: list[dict[str, object]] = json.loads(done.out)
    return found


def test_the_chain_of_a_creation_is_in_order() -> None:
    name = netsim("get", "pods", "-o", "name", *NODEPORT).out.split()[0]
    assert [link["who"] for link in links(name, *NODEPORT)] == [
        "client",
        *["kube-apiserver"] * 3,  # authentication, authorization, admission
        "deployment-controller",
        "replicaset-controller",
        *["kube-apiserver"] * 6,  # authorization, what three plugins give it, who has no objection, the store
        "default-scheduler",
        *["kubelet node2"] * 2,
        *["kubelet"] * 3,
        "kubelet node2",
        "endpointslice-controller",
        "kube-proxy",
    ]


def test_a_pod_that_waits_is_pending_to_a_selector_too(tmp_path: Path) -> None:
    file = tmp_path / "pending.yaml"
    file.write_text(PENDING)
    for phase, count in (("Pending", 1), ("Running", 0)):
        found = netsim("get", "pods", "-o", "name", "-t", str(file), "--field-selector", f"status.phase={phase}").out
        assert len(found.split()) == count


def test_the_chain_of_a_pod_that_waits_ends_with_why(tmp_path: Path) -> None:
    file = tmp_path / "pending.yaml"
    file.write_text(PENDING)
    name = netsim("get", "pods", "-o", "name", "-t", str(file)).out.strip()
    last = links(name, "-t", str(file))[-1]
    assert (last["who"], last["warning"]) == ("default-scheduler", True)
    assert "2 node(s) didn't match Pod's node affinity/selector" in str(last["what"])


def test_the_chain_of_a_pod_that_is_not_there() -> None:
    done = netsim("explain-creation", "wbe", *NODEPORT)
    assert (done.status, done.err.splitlines()[0]) == (2, 'error: pods "wbe" not found in namespace default')
