"""Timelines: what can be said, what is wrong with them, and what becomes of packets over time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from netsim.manifest import LoadError
from netsim.manifest.load import load_text
from netsim.timeline.live import Happening, LiveWorld
from netsim.timeline.read import read_timeline
from netsim.timeline.report import document
from netsim.timeline.run import Report, Run, Sent, StepRefusedError
from proxy.config.model import ProxyMode
from tests.cli.commands import netsim
from tests.cli.console import ROOT

HEAD = "apiVersion: netsim.io/v1alpha1\nkind: Timeline\nspec:\n  steps:\n"
MODES = ["iptables", "ipvs", "nftables"]


def written(folder: Path, steps: str) -> Path:
    file = folder / "some.yaml"
    file.write_text(HEAD + steps, encoding="utf-8")
    return file


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{at: 1s}", "the step does nothing"),
        ("{send: {from: a, to: b}}", "the step has no 'at'"),
        ("{at: soon, delete: pod/a}", "'soon' is no time, such as 10s, 1m30s or 250ms"),
        ("{at: 5 minutes, delete: pod/a}", "'5 minutes' is no time, such as 10s, 1m30s or 250ms"),
        ("{at: -3s, delete: pod/a}", "'-3s' is no time, such as 10s, 1m30s or 250ms"),
        ("{at: 1s, delete: pod/a, killNode: n}", "a step does one thing"),
        ("{at: 1s, send: {from: a}}", "a packet has from and to, or is sent again"),
        ("{at: 1s, send: {again: x}}", "no earlier step sends 'x'"),
        ("{at: 1s, send: {from: a, to: b, again: x}}", "what is sent again has the ends that it had"),
        ("{at: 1s, send: {from: a, to: b}, expect: {verdict: GONE}}", "'GONE' is not known"),
        ("{at: 1s, traffic: {from: a, to: b}}", "traffic has from, to, interval and until"),
        ("{at: 1s, scale: {name: deployment/a}}", "scale has name and replicas"),
        ("{at: 1s, failProbe: {pod: a, probe: lively}}", "'lively' is not known"),
        ("{at: 1s, hold: {}}", "hold names the nodes whose kube-proxy is meant"),
        ("{at: 1s, apply: text}", "apply: expected a manifest, or a list of them"),
        ("{at: 1s, delete: pod/a, expect: {verdict: DELIVERED}}", "only what is sent can be expected to arrive"),
        ("{at: 1s, explode: all}", 'unknown field "spec.steps[0].explode"'),
        ("7", "spec.steps[0]: expected an object, found a number"),
        ("{at: -1, delete: pod/a}", "-1 is before the beginning"),
        ("{at: 1s, apply: []}", "apply: there is nothing in the list"),
        ("{at: 1s, apply: {kind: Service, metadata: {name: a}}}", "the object has no apiVersion"),
        ("{at: 1s, apply: {apiVersion: v1, kind: Service, metadata: [a]}}", "the object has no name"),
        ("{at: 1s, apply: [{apiVersion: v1, kind: Servce, metadata: {name: a}}]}", "unknown kind Servce"),
        ("{at: 1s, traffic: {from: a, to: b, interval: 1us, until: 5s}}", "'1us' is no time"),
        ("{at: 1s, traffic: {from: a, to: b, interval: 1.0e-12, until: 5s}}", "a connection at most each 1ms"),
        ("{at: 9s, traffic: {from: a, to: b, interval: 1s, until: 5s}}", "the traffic ends before it begins"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, step: str, message: str) -> None:
    file = written(tmp_path, f"  - {step}\n")
    with pytest.raises(LoadError) as told:
        read_timeline(file)
    assert message in str(told.value)
    assert f"{file}:5:" in str(told.value)


def test_a_name_that_is_there_twice(tmp_path: Path) -> None:
    steps = "  - {at: 1s, send: {name: x, from: a, to: b}}\n  - {at: 2s, send: {name: x, from: a, to: b}}\n"
    with pytest.raises(LoadError, match="'x' is there twice"):
        read_timeline(written(tmp_path, steps))


def test_again_may_stand_before_what_is_sent_earlier(tmp_path: Path) -> None:
    steps = "  - {at: 2s, send: {again: x}}\n  - {at: 1s, send: {name: x, from: a, to: b}}\n"
    assert [step.at for step in read_timeline(written(tmp_path, steps)).steps] == [1.0, 2.0]


# --- worlds over time ------------------------------------------------------------------------------------------

WORLD = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec: {nodes: [{name: node1}, {name: node2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec: {nodeName: node1, containers: [{name: main, image: x}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: web, image: x, ports: [{containerPort: 8080}], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
"""
STICKY = WORLD.replace(
    "spec: {selector: {app: web}, ports", "spec: {sessionAffinity: ClientIP, selector: {app: web}, ports"
)
SHORTLY = STICKY.replace(
    "sessionAffinity: ClientIP,", "sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 100}},"
)


def ran(folder: Path, steps: str, mode: str, world: str = WORLD) -> Report:
    timeline = read_timeline(written(folder, steps))
    return Run(LiveWorld(load_text(world), ProxyMode(mode)), timeline).run()


def backends(report: Report) -> list[str]:
    return [
        str(entry.trace.decisive.backend[0])
        for entry in report.entries
        if isinstance(entry, Sent) and entry.trace.decisive.backend
    ]


def reasons(report: Report) -> list[str]:
    return [entry.trace.decisive.reason for entry in report.entries if isinstance(entry, Sent)]


def sends(times: list[int]) -> str:
    return "".join(f"  - {{at: {at}s, send: {{from: client, to: svc/web}}}}\n" for at in times)


@pytest.mark.parametrize("mode", MODES)
def test_connections_are_spread(tmp_path: Path, mode: str) -> None:
    assert len(set(backends(ran(tmp_path, sends(list(range(20))), mode)))) == 3


def test_round_robin_goes_by_turns(tmp_path: Path) -> None:
    found = backends(ran(tmp_path, sends(list(range(9))), "ipvs"))
    assert found[:3] * 3 == found
    assert len(set(found)) == 3


@pytest.mark.parametrize("mode", MODES)
def test_session_affinity_keeps_a_client_at_its_pod(tmp_path: Path, mode: str) -> None:
    assert len(set(backends(ran(tmp_path, sends([0, 1, 100, 5000, 10_000]), mode, STICKY)))) == 1


@pytest.mark.parametrize("mode", MODES)
def test_session_affinity_runs_out(tmp_path: Path, mode: str) -> None:
    """100 seconds after the last connection anybody may be chosen; IPVS also waits for the connections, 900 seconds for an open one."""
    close = backends(ran(tmp_path, sends([n * 90 for n in range(12)]), mode, SHORTLY))
    apart = backends(ran(tmp_path, sends([n * 1200 for n in range(12)]), mode, SHORTLY))
    assert len(set(close)) == 1
    assert len(set(apart)) > 1


@pytest.mark.parametrize("mode", MODES)
def test_a_pod_that_is_not_ready_gets_no_new_connections(tmp_path: Path, mode: str) -> None:
    world = LiveWorld(load_text(WORLD), ProxyMode(mode))
    pod = next(pod for pod in world.world.pods() if pod.metadata.name.startswith("web"))
    steps = f"  - {{at: 0s, failProbe: {{pod: {pod.metadata.name}}}}}\n{sends(list(range(10, 40)))}"
    report = Run(world, read_timeline(written(tmp_path, steps))).run()
    assert pod.status.pod_ip not in backends(report)
    assert len(set(backends(report))) == 2


@pytest.mark.parametrize("mode", MODES)
def test_a_held_kube_proxy_sends_to_pods_that_are_gone(tmp_path: Path, mode: str) -> None:
    steps = f"  - {{at: 0s, hold: {{kubeProxy: node1}}}}\n  - {{at: 1s, scale: {{name: deployment/web, replicas: 0}}}}\n{sends([50])}"
    release = "  - {at: 60s, release: {kubeProxy: all}}\n" + sends([70])
    report = ran(tmp_path, steps + release, mode)
    assert reasons(report)[0] in {"NEIGHBOUR_FAILED", "LEFT_MODEL"}
    assert reasons(report)[1] in {"NO_ENDPOINTS", "IPVS_NO_DESTINATION"}


@pytest.mark.parametrize("mode", MODES)
def test_a_connection_outlives_the_rules(tmp_path: Path, mode: str) -> None:
    """An established connection goes on to its pod when the Service is gone; a new one does not come about."""
    steps = "  - {at: 0s, send: {name: c, from: client, to: svc/web}}\n"
    again = "  - {at: 5s, send: {again: c}}\n"
    report = ran(tmp_path, steps + again, mode)
    assert reasons(report) == ["DELIVERED", "DELIVERED"]
    assert len(set(backends(report))) == 1


@pytest.mark.parametrize("mode", MODES)
def test_a_flushed_connection_is_reset(tmp_path: Path, mode: str) -> None:
    steps = "  - {at: 0s, send: {name: c, from: client, to: svc/web}}\n  - {at: 1s, flushConntrack: node1}\n"
    report = ran(tmp_path, steps + "  - {at: 2s, send: {again: c}}\n", mode)
    assert reasons(report)[0] == "DELIVERED"
    assert (reasons(report)[1] == "DELIVERED") == (mode == "ipvs"), "IPVS has a table of its own"


@pytest.mark.parametrize("mode", MODES)
def test_a_node_without_power_answers_nothing(tmp_path: Path, mode: str) -> None:
    steps = f"  - {{at: 0s, killNode: node2}}\n{sends(list(range(1, 12)))}  - {{at: 60s, restoreNode: node2}}\n{sends([200])}"
    found = reasons(ran(tmp_path, steps, mode))
    assert {"NEIGHBOUR_FAILED", "DELIVERED"} >= set(found[:-1])
    assert "NEIGHBOUR_FAILED" in found
    assert found[-1] == "DELIVERED"


@pytest.mark.parametrize("mode", MODES)
def test_a_rolling_update_with_grace_loses_nothing(tmp_path: Path, mode: str) -> None:
    steps = (
        "  - {at: 0s, traffic: {name: t, from: client, to: svc/web, interval: 1s, until: 45s}, expect: {mostLost: 0}}\n"
        "  - {at: 2s, scale: {name: deployment/web, replicas: 1}}\n  - {at: 10s, scale: {name: deployment/web, replicas: 4}}\n"
    )
    report = ran(tmp_path, steps, mode)
    assert report.holds
    assert report.traffic[0].sent == 46


def test_the_same_file_gives_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = ("run", "docs/examples/stale-dns.yaml", "-o", "json")
    assert netsim(*words).out == netsim(*words).out


def test_the_json_is_as_its_schema_says(tmp_path: Path) -> None:
    steps = "  - {at: 0s, traffic: {from: client, to: svc/web, interval: 1s, until: 3s}}\n"
    steps += "  - {at: 1s, scale: {name: deployment/web, replicas: 2}}\n"
    shown = document(ran(tmp_path, steps + sends([5]), "iptables"))
    schema = json.loads((ROOT / "docs/run.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator(schema).validate(shown)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{at: 1s, delete: pod/nobody}", "there is no Pod default/nobody"),
        ("{at: 1s, delete: nobody}", "nobody is not KIND/NAME"),
        ("{at: 1s, killNode: node9}", "there is no node node9"),
        ("{at: 1s, send: {from: nobody, to: svc/web}}", "nobody"),
        (
            "{at: 1s, apply: {apiVersion: v1, kind: Service, metadata: {name: web}, spec: {ports: [{port: 70000}]}}}",
            "70000",
        ),
        ("{at: 1s, scale: {name: svc/web, replicas: 2}}", "Service default/web has no replicas"),
        ("{at: 1s, traffic: {from: client, to: svc/nobody, interval: 1s, until: 3s}}", "nobody"),
    ],
)
def test_a_step_that_cannot_be_done(tmp_path: Path, step: str, message: str) -> None:
    with pytest.raises(StepRefusedError, match=message) as told:
        ran(tmp_path, f"  - {step}\n", "iptables")
    assert told.value.origin is not None
    assert told.value.origin.line == 5


GONE = "  - {at: 1s, traffic: {name: x, from: client, to: svc/web, interval: 1s, until: 60s}}\n"


def test_traffic_to_a_service_that_is_deleted_goes_to_the_address_that_it_had(tmp_path: Path) -> None:
    told = ran(tmp_path, GONE + "  - {at: 10s, delete: svc/web}\n", "iptables")
    assert {outcome.reason for outcome in told.traffic[0].outcomes} == {"DELIVERED", "LEFT_MODEL"}
    assert (told.traffic[0].sent, told.traffic[0].lost) == (60, 50)


def test_traffic_of_a_pod_ends_with_it(tmp_path: Path) -> None:
    told = ran(tmp_path, GONE + "  - {at: 10s, delete: pod/client}\n", "iptables")
    assert told.traffic[0].lost == 0
    assert told.traffic[0].sent == 39
    assert [e.what for e in told.entries if isinstance(e, Happening) and e.who == "traffic"] == [
        "x: nobody sends, pod/default/client is gone"
    ]


def test_traffic_of_a_node_rests_while_it_has_no_power(tmp_path: Path) -> None:
    steps = GONE + "  - {at: 10.5s, killNode: node1}\n  - {at: 12.5s, restoreNode: node1}\n"
    told = ran(tmp_path, steps.replace("from: client", "from: node/node1"), "iptables")
    assert told.traffic[0].sent == 58
    assert [e.what for e in told.entries if isinstance(e, Happening) and e.who == "traffic"] == [
        "x: nobody sends, node1 has no power"
    ]


AGAIN = "  - {at: 1s, send: {name: x, from: client, to: svc/web}}\n"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("  - {at: 2s, delete: pod/client}\n  - {at: 60s, send: {again: x}}\n", "pod/default/client is gone"),
        ("  - {at: 2s, killNode: node1}\n  - {at: 3s, send: {again: x}}\n", "node1 has no power"),
        ("  - {at: 2s, killNode: node1}\n  - {at: 3s, send: {from: client, to: svc/web}}\n", "node1 has no power"),
        pytest.param(
            "  - {at: 2s, delete: pod/client}\n"
            "  - {at: 60s, apply: {apiVersion: v1, kind: Pod, metadata: {name: client}, "
            "spec: {nodeName: node1, containers: [{name: main, image: x}]}}}\n"
            "  - {at: 61s, send: {again: x}}\n",
            "pod/default/client is not the one that it was",
            id="made anew",
        ),
    ],
)
def test_nobody_sends_where_the_sender_is_gone(tmp_path: Path, steps: str, message: str) -> None:
    with pytest.raises(StepRefusedError, match=message) as told:
        ran(tmp_path, AGAIN + steps, "iptables")
    assert told.value.origin is not None
    assert told.value.origin.line == 5 + steps.count("\n")


@pytest.mark.parametrize("mode", MODES)
def test_a_node_may_be_deleted(tmp_path: Path, mode: str) -> None:
    steps = "  - {at: 1s, delete: node/node2}\n  - {at: 300s, send: {from: client, to: svc/web}}\n"
    assert reasons(ran(tmp_path, steps, mode)) == ["DELIVERED"]
