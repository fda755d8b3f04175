"""The lives of containers: init containers and sidecars in order, probes over time, restarts, ends, admission, nodes that die."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.documents import with_value
from netsim.cluster.errors import BadRequest, NotFound
from netsim.cluster.kubelet.probes import Probe, Prober
from netsim.cluster.machines import ProbeKind, Window
from netsim.objects.meta import Object
from netsim.objects.script import Exit, Failure, ScriptError, parse_exits, parse_failures, seconds
from tests.cluster_objects import (
    condition,
    container,
    doc,
    endpoints,
    key,
    node,
    pod,
    pods,
    service,
    steady,
    template,
    warnings,
    workload,
)

HTTP = {"httpGet": {"port": 8080}}


def plane_of(*objects: Any, nodes: Any = None, until: float | None = None, **options: Any) -> ControlPlane:
    plane = ControlPlane(nodes or [node(1), node(2)], objects, api_server=None, **options)
    if until is None:
        plane.run_until_steady()
    else:
        plane.run_until(until)
    return plane


def statuses(plane: ControlPlane, name: str = "a", of: str = "containerStatuses") -> dict[str, Any]:
    return {s["name"]: s for s in doc(plane, "Pod", name)["status"][of]}


def ready(plane: ControlPlane, name: str = "a") -> bool:
    return condition(doc(plane, "Pod", name), "Ready")["status"] == "True"


def phase(plane: ControlPlane, name: str = "a") -> str:
    return doc(plane, "Pod", name)["status"]["phase"]


# --- scripts ----------------------------------------------------------------------------------------------------

INF = float("inf")
FAILURES = [
    ("readiness=fail", [Failure("", "readiness", 0, INF)]),
    ("readiness=fail@30s-60s", [Failure("", "readiness", 30, 60)]),
    (
        "app/liveness=fail@1m30s, startup=fail@0-500ms",
        [Failure("app", "liveness", 90, INF), Failure("", "startup", 0, 0.5)],
    ),
    ("readiness=fail@30s-", [Failure("", "readiness", 30, INF)]),
]


@pytest.mark.parametrize(("text", "found"), FAILURES)
def test_failures_are_read(text: str, found: list[Failure]) -> None:
    assert list(parse_failures(text)) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [("90", 90), ("1.5", 1.5), ("10s", 10), ("1m30s", 90), ("1h0.5s", 3600.5), ("250ms", 0.25), ("1m", 60)],
)
def test_times_are_read(text: str, found: float) -> None:
    assert seconds(text) == found


@pytest.mark.parametrize("text", ["", "soon", "1d", "-1s", "1s ", "s", "inf", "1e3", "٣s"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time, such as"):
        seconds(text)


EXITS = [
    ("1", [Exit("", 1)]),
    ("1@10s", [Exit("", 1, 10)]),
    ("migrate=0@5s, 2", [Exit("migrate", 0, 5), Exit("", 2)]),
]


@pytest.mark.parametrize(("text", "found"), EXITS)
def test_exits_are_read(text: str, found: list[Exit]) -> None:
    assert list(parse_exits(text)) == found


@pytest.mark.parametrize(
    "text", ["ready=fail", "readiness=ok", "readiness=fail@60s-30s", "readiness=fail@x", "A/readiness=fail"]
)
def test_failures_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ScriptError):
        parse_failures(text)


@pytest.mark.parametrize("text", ["256", "x", "1@", "c=1@soon"])
def test_exits_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ScriptError):
        parse_exits(text)


# --- probers ----------------------------------------------------------------------------------------------------

PROBERS = [
    # failures, successes, windows → when a readiness probe every 10 seconds changes its verdict
    ("at once", 3, 1, [], [(0, True)]),
    ("three failures", 3, 1, [Window(15, 45)], [(0, True), (40, False), (50, True)]),
    ("two are too few", 3, 1, [Window(15, 35)], [(0, True)]),
    ("two successes", 1, 2, [Window(35, 45)], [(10, True), (40, False), (60, True)]),
    ("never", 1, 1, [Window(0)], []),
    ("far away", 2, 1, [Window(100_001, 100_100)], [(0, True), (100_020, False), (100_100, True)]),
    ("an edge is not inside", 1, 1, [Window(10, 20)], [(0, True), (10, False), (20, True)]),
]


@pytest.mark.parametrize(
    ("failures", "successes", "windows", "flips"), [r[1:] for r in PROBERS], ids=[r[0] for r in PROBERS]
)
@pytest.mark.parametrize("stops", [(), (5, 25, 41, 99.5)])
def test_when_a_probe_changes_its_verdict(
    failures: int, successes: int, windows: list[Window], flips: Any, stops: Any
) -> None:
    """Whether it is asked once or again and again on the way makes no difference."""
    prober = Prober(Probe(ProbeKind.READINESS, failures=failures, successes=successes), 0.0, good=False)
    found = []
    for until in (*stops, 200_000):
        while (tick := prober.advance(windows, until)) is not None:
            if tick.flipped:
                found.append((tick.at, tick.ok))
    assert found == flips
    assert prober.due(windows) is None


# --- init containers and sidecars -------------------------------------------------------------------------------


def test_init_containers_run_one_after_the_other_before_the_rest() -> None:
    inits = [container(name="one"), container(name="two")]
    item = pod("a", annotations={"netsim.io/exit": "one=0@5s, two=0@10s"}, initContainers=inits)
    plane = plane_of(item, until=7)
    assert phase(plane) == "Pending"
    found = statuses(plane, of="initContainerStatuses")
    assert found["one"]["state"]["terminated"]["exitCode"] == 0
    assert "running" in found["two"]["state"]
    assert statuses(plane)["c"]["state"] == {"waiting": {"reason": "PodInitializing"}}
    waiting = condition(doc(plane, "Pod", "a"), "Initialized")
    assert (waiting["reason"], waiting["message"]) == (
        "ContainersNotInitialized",
        "containers with incomplete status: [two]",
    )
    plane.run_until_steady()
    assert (plane.clock.now(), phase(plane), ready(plane)) == (15, "Running", True)


def test_an_init_container_that_fails_is_tried_again_and_holds_the_rest_back() -> None:
    item = pod("a", annotations={"netsim.io/exit": "one=1@2s"}, initContainers=[container(name="one")])
    plane = plane_of(item)
    (found,) = statuses(plane, of="initContainerStatuses").values()
    assert (found["state"]["waiting"]["reason"], found["restartCount"]) == ("CrashLoopBackOff", 1)
    assert (phase(plane), ready(plane)) == ("Pending", False)


def test_an_init_container_that_may_not_be_restarted_fails_the_pod() -> None:
    item = pod(
        "a", annotations={"netsim.io/exit": "one=3"}, initContainers=[container(name="one")], restartPolicy="Never"
    )
    assert phase(plane_of(item)) == "Failed"


def test_a_sidecar_is_up_before_the_next_and_stays() -> None:
    proxy = container(name="proxy", restartPolicy="Always", startupProbe={**HTTP, "initialDelaySeconds": 4})
    plane = plane_of(pod("a", initContainers=[proxy, container(name="late")]), until=3)
    assert statuses(plane, of="initContainerStatuses")["late"]["state"] == {"waiting": {"reason": "PodInitializing"}}
    plane.run_until_steady()
    found = statuses(plane, of="initContainerStatuses")
    assert "running" in found["proxy"]["state"]
    assert found["late"]["state"]["terminated"]["reason"] == "Completed"
    assert (plane.clock.now(), ready(plane)) == (4, True)


def test_a_sidecar_ends_after_what_it_serves_and_the_pod_has_succeeded() -> None:
    proxy = container(name="proxy", restartPolicy="Always")
    annotations = {"netsim.io/exit": "c=0@5s", "netsim.io/terminates-after": "2"}
    plane = plane_of(pod("a", annotations=annotations, initContainers=[proxy], restartPolicy="Never"))
    assert (plane.clock.now(), phase(plane)) == (7, "Succeeded")
    said = {c["type"]: (c["status"], c.get("reason")) for c in doc(plane, "Pod", "a")["status"]["conditions"]}
    assert said == {
        "PodReadyToStartContainers": ("False", "PodSandboxNotReady"),
        "Initialized": ("True", "PodCompleted"),
        "Ready": ("False", "PodCompleted"),
        "ContainersReady": ("False", "PodCompleted"),
        "PodScheduled": ("True", None),
    }


# --- ends -------------------------------------------------------------------------------------------------------

ENDS = [
    # restart policy, exit code → phase, restarts at rest
    ("Always", 0, "Running", 1),
    ("Always", 1, "Running", 1),
    ("OnFailure", 0, "Succeeded", 0),
    ("OnFailure", 1, "Running", 1),
    ("Never", 0, "Succeeded", 0),
    ("Never", 1, "Failed", 0),
]


@pytest.mark.parametrize(("policy", "code", "wanted", "restarts"), ENDS)
def test_what_the_end_of_a_container_means(policy: str, code: int, wanted: str, restarts: int) -> None:
    plane = plane_of(pod("a", annotations={"netsim.io/exit": f"{code}@3s"}, restartPolicy=policy))
    (found,) = statuses(plane).values()
    assert (phase(plane), found["restartCount"]) == (wanted, restarts)
    if restarts:
        assert found["lastState"]["terminated"]["exitCode"] == code


def test_the_address_of_a_pod_that_is_over_is_free() -> None:
    plane = plane_of(pod("a", annotations={"netsim.io/exit": "0@3s"}, restartPolicy="Never", nodeName="node1"))
    assert plane.addresses_of("node1").held_by("Pod default/a") == ()


PRE_STOP = [
    ("sleep", {"sleep": {"seconds": 4}}, 30, 6),
    ("a command that sleeps", {"exec": {"command": ["sh", "-c", "sleep 4; nginx -s quit"]}}, 30, 6),
    ("a request", {"httpGet": {"port": 80}}, 30, 2),
    ("longer than the grace", {"sleep": {"seconds": 40}}, 30, 32),
    ("as long as is left", {"sleep": {"seconds": 9}}, 10, 10),
]


@pytest.mark.parametrize(("hook", "grace", "seconds"), [r[1:] for r in PRE_STOP], ids=[r[0] for r in PRE_STOP])
def test_a_hook_runs_within_the_grace(hook: Any, grace: int, seconds: int) -> None:
    item = pod(
        "a",
        annotations={"netsim.io/terminates-after": "2"},
        containers=[container(lifecycle={"preStop": hook})],
        terminationGracePeriodSeconds=grace,
    )
    plane = plane_of(item)
    plane.delete(item.key)
    plane.run_until(seconds - 0.5)
    assert len(pods(plane)) == 1
    plane.run_until(seconds)
    assert pods(plane) == []


# --- probes that fail for a while -------------------------------------------------------------------------------


def test_a_scripted_readiness_probe_takes_the_endpoint_away_and_brings_it_back() -> None:
    item = pod(
        "a",
        annotations={"netsim.io/probe": "readiness=fail@30s-60s"},
        containers=[container(readinessProbe={**HTTP, "periodSeconds": 5})],
    )
    plane = plane_of(service(), item, until=39)
    seen = []
    for at in (39, 40, 59, 60):
        plane.run_until(at)
        (endpoint,) = endpoints(plane).values()
        seen.append((ready(plane), endpoint["conditions"]["ready"]))
    assert seen == [(True, True), (False, False), (False, False), (True, True)]
    assert ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503") in warnings(plane)


def test_a_startup_probe_that_fails_too_often_restarts_the_container() -> None:
    probe = {**HTTP, "failureThreshold": 2, "periodSeconds": 5}
    item = pod(
        "a",
        annotations={"netsim.io/probe": "startup=fail@0s-8s", "netsim.io/terminates-after": "1"},
        containers=[container(startupProbe=probe)],
    )
    plane = plane_of(item)
    (found,) = statuses(plane).values()
    assert (found["restartCount"], found["started"], found["ready"]) == (1, True, True)
    assert plane.clock.now() == 11  # failed at 0 and 5, ended at 6; failed again at 6, well at 11


def test_a_probe_is_failed_and_mended_from_outside() -> None:
    item = pod("a", containers=[container(readinessProbe={**HTTP, "failureThreshold": 1})])
    plane = plane_of(item)
    plane.at(12, lambda: plane.faults.fail_probe(item.key, ProbeKind.READINESS))
    plane.at(33, lambda: plane.faults.mend_probe(item.key, ProbeKind.READINESS))
    seen = []
    for at in (19, 20, 39, 40):
        plane.run_until(at)
        seen.append(ready(plane))
    assert seen == [True, False, False, True]


def test_a_container_is_ended_from_outside() -> None:
    item = pod("a")
    plane = plane_of(item)
    plane.run_until(50)
    plane.faults.end_container(item.key, "c", exit_code=9)
    plane.run_until_steady()
    (found,) = statuses(plane).values()
    assert (found["restartCount"], found["lastState"]["terminated"]["exitCode"], found["ready"]) == (1, 9, True)


def test_what_is_not_there_cannot_fail() -> None:
    plane = plane_of(pod("a"))
    with pytest.raises(BadRequest, match="pod a has no readinessProbe"):
        plane.faults.fail_probe(key("Pod", "a"), ProbeKind.READINESS)
    with pytest.raises(BadRequest, match="container x is not valid for pod a"):
        plane.faults.end_container(key("Pod", "a"), "x")
    with pytest.raises(NotFound, match='nodes "node9" not found'):
        plane.faults.kill_node("node9")


# --- admission --------------------------------------------------------------------------------------------------

SMALL = {"cpu": "2", "memory": "1Gi", "pods": "2"}
REJECTED = [
    (
        "cpu",
        {"resources": {"requests": {"cpu": "1500m"}}},
        "OutOfcpu",
        "Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000",
    ),
    (
        "memory",
        {"resources": {"requests": {"memory": "2Gi"}}},
        "OutOfmemory",
        "Node didn't have enough resource: memory, requested: 2147483648, used: 0, capacity: 1073741824",
    ),
    (
        "ports",
        {"ports": [{"containerPort": 80, "hostPort": 80}]},
        "NodePorts",
        "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ),
]


SYSCTLS = [
    # (kernel parameters, other fields of the spec, why its kubelet refuses it)
    pytest.param(["net.ipv4.ip_local_port_range", "kernel.shm_rmid_forced"], {}, "", id="safe ones"),
    pytest.param(["net/ipv4/tcp_syncookies"], {}, "", id="with slashes"),
    pytest.param(["net.core.somaxconn"], {}, '"net.core.somaxconn" not allowlisted', id="an unsafe one"),
    pytest.param(
        ["net.ipv4.tcp_rmem", "net/ipv4/conf/all/rp_filter"],
        {},
        '"net.ipv4.conf.all.rp_filter" not allowlisted',
        id="one of two",
    ),
    pytest.param(
        ["net.ipv4.tcp_syncookies"],
        {"hostNetwork": True},
        '"net.ipv4.tcp_syncookies" not allowed with host net enabled',
        id="the node's network",
    ),
    pytest.param(
        ["kernel.shm_rmid_forced"],
        {"hostIPC": True},
        '"kernel.shm_rmid_forced" not allowed with host ipc enabled',
        id="the node's ipc",
    ),
]


@pytest.mark.parametrize(("names", "fields", "why"), SYSCTLS)
def test_a_node_takes_only_safe_kernel_parameters(names: list[str], fields: Any, why: str) -> None:
    asked = {"sysctls": [{"name": name, "value": "1"} for name in names]}
    plane = plane_of(pod("a", securityContext=asked, **fields))
    status = doc(plane, "Pod", "a")["status"]
    if not why:
        assert status["phase"] == "Running"
        return
    said = f"forbidden sysctl: {why}"
    assert (status["phase"], status["reason"], status["message"]) == (
        "Failed",
        "SysctlForbidden",
        f"Pod was rejected: {said}",
    )
    assert ("SysctlForbidden", said) in warnings(plane)


@pytest.mark.parametrize("kind", ["ReplicaSet", "Deployment", "StatefulSet", "DaemonSet"])
def test_a_world_does_not_wait_for_a_workload_whose_pods_are_refused_for_ever(kind: str) -> None:
    """A ReplicaSet makes a pod for each that failed: k/k#72593."""
    refused = template(securityContext={"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]})
    plane = plane_of(workload(kind, pod_template=refused))
    before = sum(event.reason == "SysctlForbidden" for event in plane.events)
    assert 0 < before <= 10
    plane.run_until(plane.clock.now() + 15)
    if kind in ("ReplicaSet", "Deployment"):
        assert before == 10
        assert sum(event.reason == "SysctlForbidden" for event in plane.events) == before + 1
        assert sum(item["status"].get("phase") != "Failed" for item in pods(plane)) == 1


@pytest.mark.parametrize("kind", ["ReplicaSet", "Deployment", "StatefulSet"])
def test_a_world_does_not_wait_for_a_workload_that_names_a_tainted_node(kind: str) -> None:
    """Its kubelet refuses the pods, and the taint drives them away: whoever is first."""
    plane = plane_of(workload(kind, pod_template=template(nodeName="node1")), nodes=[tainted(1), node(2)])
    assert 0 < len(pods(plane)) <= 11
    assert not any(ready(plane, item["metadata"]["name"]) for item in pods(plane) if item["status"].get("conditions"))


def test_a_taint_drives_all_pods_away_that_were_there_before() -> None:
    plane = plane_of(
        workload("ReplicaSet", replicas=15, pod_template=template(nodeName="node1")), nodes=[node(1), node(2)]
    )
    assert len(pods(plane)) == 15
    before = {item["metadata"]["uid"] for item in pods(plane)}
    plane.run_until(plane.clock.now() + 5)
    taints = [{"key": "k", "effect": "NoExecute"}]
    plane.store.update(Object.of(with_value(doc(plane, "Node", "node1", ""), ("spec", "taints"), taints)))
    plane.run_until(plane.clock.now() + 60)
    assert not before & {item["metadata"]["uid"] for item in pods(plane)}


def tainted(number: int) -> Object:
    made = node(number)
    return Object.of(with_value(made.document, ("spec", "taints"), [{"key": "k", "effect": "NoExecute"}]))


def test_a_node_refuses_who_does_not_tolerate_its_taint() -> None:
    taint = {"key": "k", "operator": "Exists"}
    plane = plane_of(pod("a", nodeName="node1"), pod("b", nodeName="node1", tolerations=[taint]), nodes=[tainted(1)])
    assert phase(plane, "b") == "Running"
    said = "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
    assert ("TaintToleration", said) in warnings(plane)


@pytest.mark.parametrize(("fields", "reason", "said"), [r[1:] for r in REJECTED], ids=[r[0] for r in REJECTED])
def test_a_node_rejects_what_it_has_no_room_for(fields: Any, reason: str, said: str) -> None:
    first = container(resources={"requests": {"cpu": "1"}})
    first["ports"] = [{"containerPort": 80, "hostPort": 80}]
    items = [
        pod("a", nodeName="node1", containers=[first]),
        pod("b", nodeName="node1", containers=[{"name": "c", "image": "i", **fields}]),
    ]
    plane = plane_of(*items, nodes=[node(1, allocatable=SMALL)])
    status = doc(plane, "Pod", "b")["status"]
    assert (status["phase"], status["reason"], status["message"]) == ("Failed", reason, f"Pod was rejected: {said}")
    assert phase(plane, "a") == "Running"


def test_a_node_takes_as_many_pods_as_it_says() -> None:
    items = [pod(name, nodeName="node1") for name in "abc"]
    plane = plane_of(*items, nodes=[node(1, allocatable=SMALL)])
    assert doc(plane, "Pod", "c")["status"]["reason"] == "OutOfpods"
    plane.delete(key("Pod", "a"))
    plane.run_until_steady()
    plane.create(pod("d", nodeName="node1"))
    plane.run_until_steady()
    assert phase(plane, "d") == "Running"


def test_a_static_pod_is_there_again_when_it_is_deleted() -> None:
    item = pod("etcd-node1", nodeName="node1", hostNetwork=True, annotations={"kubernetes.io/config.mirror": "x"})
    plane = plane_of(item)
    uid = doc(plane, "Pod", "etcd-node1")["metadata"]["uid"]
    plane.delete(item.key)
    plane.run_until_steady()
    found = doc(plane, "Pod", "etcd-node1")
    assert found["metadata"]["uid"] != uid
    assert ready(plane, "etcd-node1")


# --- nodes that die ---------------------------------------------------------------------------------------------


def test_a_node_that_dies_is_unknown_after_the_grace_of_its_lease() -> None:
    plane = plane_of(service(), pod("a", nodeName="node1"))
    plane.at(62, lambda: plane.faults.kill_node("node1"))
    plane.run_until(114)
    assert ready(plane)
    plane.run_until(115)  # renewed last at 60, seen then; at 110 it is not more than 50 seconds ago
    node1 = doc(plane, "Node", "node1", "")
    found = condition(node1, "Ready")
    assert (found["status"], found["reason"], found["message"]) == (
        "Unknown",
        "NodeStatusUnknown",
        "Kubelet stopped posting node status.",
    )
    assert [t["key"] for t in node1["spec"]["taints"]] == ["node.kubernetes.io/unreachable"] * 2
    assert not ready(plane)
    assert [e["conditions"]["ready"] for e in endpoints(plane).values()] == [False]
    assert plane.faults.dark_nodes() == ("node1",)


def test_pods_of_a_dead_node_are_replaced_and_end_when_it_is_back() -> None:
    plane = plane_of(pod("a", nodeName="node1"))
    plane.faults.kill_node("node1")
    plane.run_until_steady()
    assert plane.clock.now() == 355  # 55 until it is Unknown, 300 that its pods tolerate
    assert doc(plane, "Pod", "a")["metadata"]["deletionTimestamp"]
    plane.faults.restore_node("node1")
    plane.run_until_steady()
    assert pods(plane) == []
    assert condition(doc(plane, "Node", "node1", ""), "Ready")["status"] == "True"


def test_a_node_that_had_no_power_starts_its_pods_anew_with_other_addresses() -> None:
    plane = plane_of(pod("a", nodeName="node1"))
    before = doc(plane, "Pod", "a")["status"]["podIP"]
    plane.faults.kill_node("node1")
    plane.run_until(100)
    plane.faults.restore_node("node1")
    plane.run_until_steady()
    (found,) = statuses(plane).values()
    assert (before, doc(plane, "Pod", "a")["status"]["podIP"]) == ("10.244.1.2", "10.244.1.3")
    assert (found["restartCount"], found["lastState"]["terminated"]["exitCode"], ready(plane)) == (1, 255, True)
    assert any(e.reason == "SandboxChanged" for e in plane.events)


def test_a_kubelet_that_is_silent_leaves_its_containers_alone() -> None:
    plane = plane_of(pod("a", nodeName="node1"))
    plane.faults.silence_kubelet("node1")
    plane.run_until(100)
    assert (ready(plane), plane.faults.dark_nodes()) == (False, ())
    plane.faults.restore_node("node1")
    plane.run_until_steady()
    assert (statuses(plane)["c"]["restartCount"], doc(plane, "Pod", "a")["status"]["podIP"]) == (0, "10.244.1.2")
    assert ready(plane)


def test_a_short_outage_is_not_noticed() -> None:
    plane = plane_of(pod("a", nodeName="node1"))
    plane.faults.silence_kubelet("node1")
    plane.run_until(30)
    plane.faults.restore_node("node1")
    plane.run_until(200)
    assert not any(e.reason == "NodeNotReady" for e in plane.events)


# --- instants ---------------------------------------------------------------------------------------------------


def test_a_snapshot_stays_as_it_was() -> None:
    plane = plane_of(pod("a"))
    before = plane.snapshot()
    plane.delete(key("Pod", "a"))
    plane.run_until(60)
    after = plane.snapshot()
    assert [item.metadata.name for item in before.of_kind("Pod")] == ["a"]
    assert after.of_kind("Pod") == ()
    assert [(was.key, now) for was, now in after.changed_since(before) if was and was.kind == "Pod"] == [
        (key("Pod", "a"), None)
    ]
    assert (before.at, after.at) == (0, 60)
    with pytest.raises(ValueError, match="backwards"):
        plane.run_until(59)


def test_a_world_at_rest_does_not_wait_for_deadlines() -> None:
    plane = steady([pod("a", annotations={"netsim.io/exit": "1"})])
    assert plane.clock.now() == 0
    assert plane.clock.next_timer == 10
