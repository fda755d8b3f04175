"""The steady state does not depend on the order of creation, and addresses are never given out twice."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.cluster.ipam import AddressRange, AddressRefusal
from netsim.net.address import parse_prefix
from netsim.objects.meta import Object
from tests.cluster_objects import container, key, node, pod, service, steady, template, workload

PROBE = {"initialDelaySeconds": 3, "exec": {}}
NODES = [
    node(1),
    node(2, labels={"topology.kubernetes.io/zone": "b"}),
    node(3, taints=[{"key": "k", "effect": "NoSchedule"}]),
]
OBJECTS = [
    workload("Deployment", "a", labels={"app": "a"}, replicas=3),
    workload(
        "Deployment",
        "b",
        labels={"app": "b"},
        replicas=2,
        pod_template=template({"app": "b"}, containers=[container(readinessProbe=PROBE)]),
    ),
    workload("StatefulSet", "s", labels={"app": "s"}, replicas=2, serviceName="s"),
    workload("DaemonSet", "d", labels={"app": "d"}),
    workload("ReplicaSet", "r", labels={"app": "r"}, replicas=2),
    pod("orphan", labels={"app": "r"}),
    pod("fixed", labels={"app": "a2"}, status={"podIP": "10.244.1.4"}),
    service("a", selector={"app": "a"}),
    service("s", selector={"app": "s"}, clusterIP="None"),
    service("r", selector={"app": "r"}),
]
_VERSIONS = ("resourceVersion",)


def everything(plane) -> dict[str, dict]:
    found = {}
    for kind in plane.store.kinds:
        for item in plane.store.list(kind).items:
            metadata = {k: v for k, v in item.document["metadata"].items() if k not in _VERSIONS}
            found[str(item.key)] = {**item.document, "metadata": metadata}
    return found


EXPECTED = everything(steady(OBJECTS, NODES))


@given(st.permutations(OBJECTS), st.permutations(NODES))
@settings(max_examples=15, deadline=None)
def test_any_order_of_creation_ends_in_the_same_state(objects, nodes):
    assert everything(steady(objects, nodes)) == EXPECTED


@given(st.permutations(OBJECTS))
@settings(max_examples=10, deadline=None)
def test_objects_that_come_later_end_in_as_many_pods(objects):
    objects = sorted(objects, key=lambda item: item.metadata.name != "fixed")  # its address must still be free
    plane = steady(objects[:4], NODES)
    for item in objects[4:]:
        plane.create(item)
        plane.run_until_steady()
    pods = plane.store.list("Pod").items
    expected = [value for value in EXPECTED.values() if value["kind"] == "Pod"]
    assert sorted(p.metadata.labels["app"] for p in pods) == sorted(p["metadata"]["labels"]["app"] for p in expected)
    addresses = [p.document["status"]["podIP"] for p in pods]
    assert len(set(addresses)) == len(addresses)


def test_a_steady_state_is_steady():
    plane = steady(OBJECTS, NODES)
    version = plane.store.resource_version
    plane.run_until_steady()
    assert plane.store.resource_version == version


OF_ITSELF = (
    "Namespace",
    "Node",
    "StorageClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "ConfigMap",
    "ServiceAccount",
    "Lease",
)


def test_deleting_everything_leaves_nothing_behind():
    plane = steady(OBJECTS, NODES)
    for item in OBJECTS:
        if plane.store.find(item.key) is not None:
            plane.delete(item.key)
    plane.run_until_steady()
    assert [k for k in plane.store.kinds if k not in OF_ITSELF] == []
    for name in ("node1", "node2"):
        assert plane.addresses_of(name)._held == {}


STEPS = st.lists(st.one_of(st.just("allocate"), st.integers(0, 12)), max_size=60)


@given(STEPS, st.sampled_from(["10.0.0.0/28", "fd00::/124"]))
def test_addresses_are_never_given_out_twice(steps, prefix):
    pool = AddressRange(parse_prefix(prefix))
    usable = set(pool.prefix.hosts()) - {pool.gateway}
    held = {}
    last = pool.gateway
    for number, step in enumerate(steps):
        if step == "allocate":
            address = pool.allocate(f"p{number}")
            if isinstance(address, AddressRefusal):
                assert len(held) >= len(usable)
                continue
            assert address not in held.values()
            assert address in usable
            free = sorted(usable - set(held.values()))
            assert address == next(
                (other for other in free if other > last), free[0]
            )  # round robin, as host-local does
            held[f"p{number}"] = last = address
        elif held:
            owner = sorted(held)[step % len(held)]
            pool.release(owner, held.pop(owner))


@given(st.lists(st.tuples(st.sampled_from(["scale", "delete"]), st.integers(0, 4)), max_size=8))
@settings(max_examples=15, deadline=None)
def test_pods_never_share_an_address(actions):
    plane = steady([workload("ReplicaSet", replicas=2)], [node(1, cidrs=["10.244.1.0/28"]), node(2)])
    for action, number in actions:
        if action == "scale":
            before = plane.store.get(key("ReplicaSet", "web")).document
            plane.store.update(Object.of({**before, "spec": {**before["spec"], "replicas": number}}))
        else:
            found = plane.store.list("Pod").items
            if found:
                plane.delete(found[number % len(found)].key)
        plane.run_until_steady()
        addresses = [p.document["status"]["podIP"] for p in plane.store.list("Pod").items]
        assert len(set(addresses)) == len(addresses)
        assert len(addresses) == plane.store.get(key("ReplicaSet", "web")).document["spec"]["replicas"]
