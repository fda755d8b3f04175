"""Kubelets: addresses, statuses, readiness, endings; and what a cluster begins with."""

from __future__ import annotations

import pytest

from netsim.cluster.bootstrap import ApiServer
from netsim.cluster.clock import VirtualClock
from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.errors import AlreadyExists
from netsim.cluster.events import EventRecorder
from netsim.cluster.ipam import AddressRange, AddressRefusal, NodeAddresses
from netsim.net.address import parse_address, parse_prefix
from netsim.objects.meta import Object
from tests.cluster_objects import (
    condition,
    container,
    doc,
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

# --- host-local -------------------------------------------------------------------------------------------------


def test_the_first_pod_gets_the_address_behind_the_gateway():
    pool = AddressRange(parse_prefix("10.244.1.0/24"))
    assert str(pool.gateway) == "10.244.1.1"
    assert [str(pool.allocate(n)) for n in "abc"] == ["10.244.1.2", "10.244.1.3", "10.244.1.4"]


def test_an_address_given_back_is_not_used_at_once():
    pool = AddressRange(parse_prefix("10.0.0.0/29"))
    taken = [pool.allocate(n) for n in "abc"]
    pool.release("b", taken[1])
    assert [str(pool.allocate(n)) for n in "def"] == ["10.0.0.5", "10.0.0.6", "10.0.0.3"]


def test_a_full_range_says_so_and_the_last_address_is_never_broadcast():
    pool = AddressRange(parse_prefix("10.0.0.0/30"))
    assert str(pool.allocate("a")) == "10.0.0.2"
    assert pool.allocate("b") == AddressRefusal("no IP addresses available in range set: 10.0.0.1-10.0.0.2")


def test_ipv6_has_no_broadcast_address():
    pool = AddressRange(parse_prefix("fd00::/126"))
    assert [str(pool.allocate(n)) for n in "ab"] == ["fd00::2", "fd00::3"]
    assert isinstance(pool.allocate("c"), AddressRefusal)


@pytest.mark.parametrize("prefix", ["10.0.0.0/31", "10.0.0.0/32", "fd00::/127"])
def test_a_prefix_that_is_too_small(prefix):
    with pytest.raises(ValueError, match="too small to allocate from"):
        AddressRange(parse_prefix(prefix))


RESERVATIONS = [
    ("10.0.0.5", None),
    ("10.0.0.1", "requested ip 10.0.0.1 is subnet's gateway"),
    ("10.0.0.255", "10.0.0.255 is not in the node's pod CIDR 10.0.0.0/24"),
    ("10.0.1.5", "10.0.1.5 is not in the node's pod CIDR 10.0.0.0/24"),
    ("10.0.0.9", "requested IP address 10.0.0.9 is not available: it is other's"),
    ("fd00::5", "fd00::5 is not in the node's pod CIDR 10.0.0.0/24"),
]


@pytest.mark.parametrize(("address", "said"), RESERVATIONS)
def test_reservations(address, said):
    pool = AddressRange(parse_prefix("10.0.0.0/24"))
    pool.reserve(parse_address("10.0.0.9"), "other")
    refusal = pool.reserve(parse_address(address), "me")
    assert refusal == (None if said is None else AddressRefusal(said))


def test_round_robin_goes_on_behind_a_reservation():
    pool = AddressRange(parse_prefix("10.0.0.0/24"))
    assert pool.reserve(parse_address("10.0.0.50"), "a") is None
    assert pool.reserve(parse_address("10.0.0.50"), "a") is None
    assert str(pool.allocate("b")) == "10.0.0.51"


def test_both_families_or_none():
    addresses = NodeAddresses(["10.0.0.0/30", "fd00::/64"])
    assert [str(a) for a in addresses.allocate("a")] == ["10.0.0.2", "fd00::2"]
    assert isinstance(addresses.allocate("b"), AddressRefusal)
    addresses.release("a")
    assert [str(a) for a in addresses.allocate("c")] == ["10.0.0.2", "fd00::3"]
    assert addresses.held_by("b") == ()


# --- status -----------------------------------------------------------------------------------------------------


def test_status_of_a_pod_that_runs():
    plane = steady([pod("a")])
    status = doc(plane, "Pod", "a")["status"]
    assert (status["phase"], status["podIP"], status["podIPs"]) == ("Running", "10.244.1.2", [{"ip": "10.244.1.2"}])
    assert (status["hostIP"], status["hostIPs"]) == ("192.168.0.11", [{"ip": "192.168.0.11"}])
    assert status["startTime"] == "2025-01-01T00:00:00Z"
    kinds = {c["type"]: c["status"] for c in status["conditions"]}
    assert kinds == dict.fromkeys(
        ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"), "True"
    )
    assert [(c["name"], c["ready"]) for c in status["containerStatuses"]] == [("c", True)]


def test_conditions_keep_the_time_of_their_last_change():
    slow = container(readinessProbe=probe(initialDelaySeconds=10))
    plane = steady([pod("a", containers=[slow], readinessGates=[{"conditionType": GATE}])])
    before = doc(plane, "Pod", "a")
    times = {c["type"]: c["lastTransitionTime"][-3:] for c in before["status"]["conditions"]}
    assert (times["Initialized"], times["ContainersReady"], times["Ready"]) == ("00Z", "10Z", "00Z")
    assert condition(before, "Ready")["reason"] == "ReadinessGatesNotReady"
    plane.clock.advance_to(20)
    conditions = [*before["status"]["conditions"], {"type": GATE, "status": "True"}]
    plane.store.update_status(Object.of({**before, "status": {**before["status"], "conditions": conditions}}))
    plane.run_until_steady()
    times = {c["type"]: c.get("lastTransitionTime", "")[-3:] for c in doc(plane, "Pod", "a")["status"]["conditions"]}
    assert (times["Initialized"], times["ContainersReady"], times["Ready"]) == ("00Z", "10Z", "20Z")


def test_dual_stack():
    nodes = [node(1, cidrs=["10.244.1.0/24", "fd00:1::/64"], addresses=["192.168.0.11", "192.168.9.9", "fd00::11"])]
    plane = steady([pod("a"), pod("b", hostNetwork=True)], nodes)
    assert doc(plane, "Pod", "a")["status"]["podIPs"] == [{"ip": "10.244.1.2"}, {"ip": "fd00:1::2"}]
    assert doc(plane, "Pod", "b")["status"]["podIPs"] == [{"ip": "192.168.0.11"}, {"ip": "fd00::11"}]


def test_given_addresses_are_kept_and_not_given_out_again():
    given = pod("given", nodeName="node1", status={"podIP": "10.244.1.2"})
    plane = steady([given, pod("a", nodeName="node1"), pod("b", nodeName="node1")])
    assert [p["status"]["podIP"] for p in pods(plane)] == ["10.244.1.3", "10.244.1.4", "10.244.1.2"]
    assert plane.problems == ()


PROBLEMS = [
    ("outside", "10.9.9.9", "10.9.9.9 is not in the node's pod CIDR 10.244.1.0/24"),
    ("gateway", "10.244.1.1", "requested ip 10.244.1.1 is subnet's gateway"),
    ("twice", "10.244.1.7", "requested IP address 10.244.1.7 is not available: it is Pod default/a's"),
    ("no address", "10.244.1", "'10.244.1' does not appear to be an IPv4 or IPv6 address"),
]


@pytest.mark.parametrize(("address", "said"), [r[1:] for r in PROBLEMS], ids=[r[0] for r in PROBLEMS])
def test_addresses_that_cannot_be_had_are_problems(address, said):
    first = pod("a", nodeName="node1", status={"podIP": "10.244.1.7"})
    plane = steady([first, pod("b", nodeName="node1", status={"podIP": address})])
    assert [(p.object, p.message) for p in plane.problems] == [(key("Pod", "b"), said)]


def test_a_range_that_is_full_is_an_event():
    plane = steady([pod("a"), pod("b")], [node(1, cidrs=["10.244.1.0/30"])])
    (warning,) = warnings(plane)
    assert warning[0] == "FailedCreatePodSandBox"
    assert "no IP addresses available in range set" in warning[1]
    assert "podIP" not in doc(plane, "Pod", "b")["status"]


def test_an_address_comes_back_when_its_pod_goes():
    plane = steady([pod("a"), pod("b")], [node(1, cidrs=["10.244.1.0/29"])])
    plane.delete(key("Pod", "a"))
    plane.run_until_steady()
    assert plane.addresses_of("node1").held_by("Pod default/a") == ()
    for name in ("c", "d", "e", "f"):
        plane.create(pod(name))
    plane.run_until_steady()
    assert doc(plane, "Pod", "f")["status"]["podIP"] == "10.244.1.2"


def test_a_node_without_a_pod_cidr_runs_pods_of_the_host_only():
    plane = steady([pod("a"), pod("b", hostNetwork=True)], [node(1, cidrs=[])])
    assert "node has no podCIDR assigned" in warnings(plane)[0][1]
    assert doc(plane, "Pod", "b")["status"]["podIP"] == "192.168.0.11"


# --- readiness --------------------------------------------------------------------------------------------------


def probe(port=None, kind="httpGet", **fields):
    return {**({kind: {"port": port}} if port is not None else {"exec": {"command": ["true"]}}), **fields}


READINESS = [
    # container fields, annotations → ready, when (seconds)
    ("no probe", {}, {}, True, 0),
    ("scripted", {}, {"netsim.io/ready": "false"}, False, 0),
    ("scripted as ready", {}, {"netsim.io/ready": "true"}, True, 0),
    ("delay", {"readinessProbe": probe(initialDelaySeconds=10)}, {}, True, 10),
    (
        "startup probe",
        {"startupProbe": probe(initialDelaySeconds=20), "readinessProbe": probe(initialDelaySeconds=5)},
        {},
        True,
        20,
    ),
    ("successes", {"readinessProbe": probe(initialDelaySeconds=1, successThreshold=3, periodSeconds=4)}, {}, True, 9),
    ("port nobody listens on", {"readinessProbe": probe(9999)}, {"netsim.io/listen": "8080/tcp"}, False, 0),
    ("port listened on", {"readinessProbe": probe(9999, "tcpSocket")}, {"netsim.io/listen": "8080,9999/tcp"}, True, 0),
    ("port listened on by UDP", {"readinessProbe": probe(9999, "grpc")}, {"netsim.io/listen": "9999/udp"}, False, 0),
    ("undeclared port without the annotation", {"readinessProbe": probe(9999)}, {}, True, 0),
    ("named port", {"readinessProbe": probe("http")}, {"netsim.io/listen": "1"}, False, 0),
    ("listens on nothing", {"readinessProbe": probe(8080)}, {"netsim.io/listen": ""}, False, 0),
    ("command", {"readinessProbe": probe()}, {"netsim.io/listen": ""}, True, 0),
]


@pytest.mark.parametrize(
    ("fields", "annotations", "ready", "when"), [r[1:] for r in READINESS], ids=[r[0] for r in READINESS]
)
def test_readiness(fields, annotations, ready, when):
    plane = steady([pod("a", annotations=annotations, containers=[container(**fields)])])
    found = condition(doc(plane, "Pod", "a"), "Ready")
    assert found["status"] == str(ready)
    assert plane.clock.now() == when
    if ready:
        assert found["lastTransitionTime"] == f"2025-01-01T00:00:{when:02}Z"
    else:
        assert (found["reason"], found["message"]) == ("ContainersNotReady", "containers with unready status: [c]")


def test_a_liveness_probe_that_fails_restarts_its_container_ever_more_slowly():
    fields = {"livenessProbe": probe(9999), "readinessProbe": probe(8080)}
    annotations = {"netsim.io/listen": "8080", "netsim.io/terminates-after": "1"}
    plane = steady([pod("a", annotations=annotations, containers=[container(**fields)])])
    (status,) = doc(plane, "Pod", "a")["status"]["containerStatuses"]
    assert (
        plane.clock.now() == 42
    )  # fails at 0, 10, 20 and ends at 21, is up again at once, fails until 41 and ends at 42
    assert (status["restartCount"], status["ready"], status["state"]["waiting"]["reason"]) == (
        1,
        False,
        "CrashLoopBackOff",
    )
    assert status["state"]["waiting"]["message"].startswith("back-off 10s restarting failed container=c pod=a_default(")
    assert ("Unhealthy", "Liveness probe failed: dial tcp 10.244.1.2:9999: connect: connection refused") in [
        (reason, message.replace('Get "http://10.244.1.2:9999/": ', "")) for reason, message in warnings(plane)
    ]
    starts = []
    while len(starts) < 8:
        plane.run_until(plane.clock.next_timer)
        (status,) = doc(plane, "Pod", "a")["status"]["containerStatuses"]
        if status["state"].get("running") and status["restartCount"] > len(starts) + 1:
            starts.append(plane.clock.now())
    ran = 21
    assert [b - a - ran for a, b in zip([21, *starts], starts, strict=False)] == [10, 20, 40, 80, 160, 300, 300, 300]


GATE = "example.org/lb"
GATES = [
    ([], "False", f'corresponding condition of pod readiness gate "{GATE}" does not exist.'),
    (
        [{"type": GATE, "status": "False"}],
        "False",
        f'the status of pod readiness gate "{GATE}" is not "True", but False',
    ),
    ([{"type": GATE, "status": "True"}], "True", None),
]


@pytest.mark.parametrize(("conditions", "ready", "said"), GATES)
def test_readiness_gates(conditions, ready, said):
    item = pod("a", readinessGates=[{"conditionType": GATE}], status={"conditions": conditions} if conditions else None)
    found = condition(doc(steady([item]), "Pod", "a"), "Ready")
    assert (found["status"], found.get("message")) == (ready, said)


def test_all_readiness_gates_that_hold_a_pod_back_are_told():
    gates = [{"conditionType": "example.org/a"}, {"conditionType": "example.org/b"}]
    found = condition(doc(steady([pod("a", readinessGates=gates)]), "Pod", "a"), "Ready")
    said = 'corresponding condition of pod readiness gate "example.org/{}" does not exist.'
    assert found["message"] == ", ".join(said.format(name) for name in "ab")


GIVEN = [
    ("phase", {"phase": "Failed"}, lambda s: s == {"phase": "Failed"}),
    ("pending", {"phase": "Pending"}, lambda s: "podIP" not in s),
    (
        "Ready",
        {"conditions": [{"type": "Ready", "status": "False", "reason": "mine"}]},
        lambda s: s["phase"] == "Running",
    ),
    ("host address", {"hostIP": "192.0.2.9"}, lambda s: s["hostIP"] == "192.0.2.9"),
]


@pytest.mark.parametrize(("status", "holds"), [r[1:] for r in GIVEN], ids=[r[0] for r in GIVEN])
def test_a_given_status_is_kept(status, holds):
    found = doc(steady([pod("a", status=status)]), "Pod", "a")["status"]
    assert holds(found)
    for wanted in status.get("conditions", []):
        assert wanted in found["conditions"]


def test_pods_on_a_broken_node_are_not_ready():
    plane = steady([pod("a", nodeName="node1")], [node(1, ready="Unknown")])
    assert condition(doc(plane, "Pod", "a"), "Ready")["reason"] == "NodeNotReady"
    assert doc(plane, "Node", "node1", "")["spec"]["taints"] == [
        {"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"},
        {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2025-01-01T00:00:00Z"},
    ]


def test_a_node_that_recovers_makes_its_pods_ready():
    plane = ControlPlane([node(1, ready="False")], [pod("a", nodeName="node1")], api_server=None)
    plane.run_until_steady(until=299)
    before = doc(plane, "Node", "node1", "")
    status = {**before["status"], "conditions": [{"type": "Ready", "status": "True"}]}
    plane.store.update_status(Object.of({**before, "status": status}))
    plane.run_until_steady()
    assert condition(doc(plane, "Pod", "a"), "Ready")["status"] == "True"
    assert doc(plane, "Node", "node1", "")["spec"]["taints"] == []


def test_a_pod_for_a_node_that_is_not_there_does_not_run():
    plane = steady([pod("a", nodeName="gone")])
    assert doc(plane, "Pod", "a")["status"] == {"phase": "Pending"}
    assert warnings(plane) == [("NodeNotFound", 'node "gone" not found: the pod is not run')]


def test_a_deleted_pod_ends_at_once():
    plane = steady([pod("a")])
    plane.delete(key("Pod", "a"))
    assert doc(plane, "Pod", "a")["metadata"]["deletionTimestamp"]
    plane.run_until_steady()
    assert pods(plane) == []


def test_a_pod_given_as_terminating_stays_so():
    item = pod("a").document
    metadata = {**item["metadata"], "deletionTimestamp": "2024-12-31T00:00:00Z"}
    plane = steady([Object.of({**item, "metadata": metadata})])
    found = doc(plane, "Pod", "a")
    assert found["metadata"]["deletionTimestamp"] == "2024-12-31T00:00:00Z"
    assert found["status"]["podIP"] == "10.244.1.2"


# --- what a cluster begins with ---------------------------------------------------------------------------------


def test_namespaces_are_there_and_made_where_they_are_named():
    named = Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": {"a": "b"}}})
    inside = Object.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "shop"}})
    other = Object.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "lost"}})
    plane = steady([inside, other, named])
    found = [n.metadata.name for n in plane.store.list("Namespace").items]
    assert found == ["default", "kube-node-lease", "kube-public", "kube-system", "lost", "shop"]
    assert doc(plane, "Namespace", "shop", "")["metadata"]["labels"] == {"a": "b"}


def test_an_object_twice_is_refused():
    with pytest.raises(AlreadyExists, match='pods "a" already exists'):
        ControlPlane([node(1)], [pod("a"), pod("a")])


CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}
SERVERS = [
    ("control plane node", {}, [node(1), node(2, labels=CONTROL_PLANE)], "192.168.0.12"),
    ("beside the nodes", {}, [node(1)], "192.168.0.10"),
    ("given", {"api_server": ApiServer(parse_address("192.0.2.1"), 443)}, [node(1)], "192.0.2.1"),
    ("none", {"api_server": None}, [node(1)], None),
]


@pytest.mark.parametrize(("options", "nodes", "address"), [r[1:] for r in SERVERS], ids=[r[0] for r in SERVERS])
def test_the_service_kubernetes(options, nodes, address):
    plane = ControlPlane(nodes, [], **options)
    plane.run_until_steady()
    found = [s.document for s in plane.store.list("EndpointSlice").items]
    assert [e["addresses"][0] for s in found for e in s["endpoints"]] == ([] if address is None else [address])
    services = [s.document["spec"]["clusterIP"] for s in plane.store.list("Service").items]
    assert services == ([] if address is None else ["10.96.0.1"])


def test_a_given_service_kubernetes_is_kept():
    item = service("kubernetes", clusterIP="10.96.0.99", selector={})
    plane = ControlPlane([node(1)], [item])
    assert doc(plane, "Service", "kubernetes")["spec"]["clusterIP"] == "10.96.0.99"
    assert [s.metadata.name for s in plane.store.list("EndpointSlice").items] == ["kubernetes"]


def test_events_say_what_was_done():
    plane = steady([workload("ReplicaSet", replicas=1, pod_template=template())])
    assert [e.reason for e in plane.events if e.object.kind != "Node"] == [
        *("SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"),
    ]
    assert all(e.count == 1 for e in plane.events)


def test_the_same_event_again_is_counted():
    clock = VirtualClock()
    recorder = EventRecorder(clock)
    recorder.warning("me", key("Pod", "a"), "Why", "because")
    clock.advance_to(5)
    recorder.warning("me", key("Pod", "a"), "Why", "because")
    recorder.normal("me", key("Pod", "a"), "Why", "other")
    assert [(e.message, e.count, e.first, e.last) for e in recorder.events] == [
        ("because", 2, 0, 5),
        ("other", 1, 5, 5),
    ]
