"""What holds at every instant and after every interruption: the bounds of a roll-out, no orphans, the same end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from netsim.cluster.controlplane import ControlPlane
from netsim.cluster.workloads import scaled
from netsim.objects.meta import Key, Object
from tests.cluster_objects import container, doc, node, service, template, workload

SLOW = container(readinessProbe={"exec": {"command": ["true"]}, "initialDelaySeconds": 3})
FAST_END = {"netsim.io/terminates-after": "2"}
NODES = [node(1), node(2), node(3)]


def body(version: str, labels: Any) -> dict[str, Any]:
    return template({**labels, "version": version}, FAST_END, containers=[SLOW])


def deployment(version: str = "1", replicas: int = 3, **strategy: Any) -> Object:
    labels = {"app": "web"}
    rolling = {"type": "RollingUpdate", "rollingUpdate": strategy}
    return workload(
        "Deployment", labels=labels, pod_template=body(version, labels), replicas=replicas, strategy=rolling
    )


def edit(plane: ControlPlane, kind: str, name: str, **spec: Any) -> None:
    before = doc(plane, kind, name)
    plane.store.update(Object.of({**before, "spec": {**before["spec"], **spec}}))


def live(plane: ControlPlane) -> list[Object]:
    return [p for p in plane.store.list("Pod").items if p.metadata.deletion_timestamp is None]


def is_ready(pod: Object) -> bool:
    conditions = pod.document.get("status", {}).get("conditions", [])  # type: ignore[union-attr]
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


BOUNDS = st.sampled_from([(1, 0), (0, 1), (2, 1), ("50%", "25%"), (0, "50%"), (3, 3)])


@given(st.integers(1, 6), BOUNDS, st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_a_roll_out_stays_within_its_bounds_at_every_instant(replicas: int, bounds: Any, waits: list[int]) -> None:
    """Also when the next one begins in the middle of it."""
    plane = ControlPlane(
        NODES, [deployment(replicas=replicas, maxSurge=bounds[0], maxUnavailable=bounds[1])], api_server=None
    )
    plane.run_until_steady()
    most = replicas + scaled(bounds[0], replicas, default=0, up=True)
    least = replicas - max(scaled(bounds[1], replicas, default=0, up=False), most == replicas)
    seen: list[tuple[int, int]] = []
    plane.observe(lambda: seen.append((len(live(plane)), sum(map(is_ready, live(plane))))))
    for number, wait in enumerate(waits, 2):
        edit(plane, "Deployment", "web", template=body(str(number), {"app": "web"}))
        plane.run_until(plane.clock.now() + wait)
    plane.run_until_steady()
    assert max(count for count, _ in seen) <= most
    assert min(ready for _, ready in seen) >= least
    assert Counter(p.metadata.labels["version"] for p in live(plane)) == {str(len(waits) + 1): replicas}


# --- interruptions ----------------------------------------------------------------------------------------------


class _Interrupted(BaseException):
    """The control plane stops here."""


def interrupt(plane: ControlPlane, after: int) -> Callable[[], None]:
    """Let the control plane stop at its n-th write from now on, before it is made; answers what undoes this."""
    store: Any = plane.store
    left = [after]
    names = ("create", "update", "update_status", "delete", "bind")
    originals = {name: getattr(store, name) for name in names}

    def counting(original: Any) -> Any:
        def write(*args: Any, **fields: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise _Interrupted
            return original(*args, **fields)

        return write

    for name, original in originals.items():
        setattr(store, name, counting(original))
    return lambda: [delattr(store, name) for name in names] and None  # type: ignore[func-returns-value]


def run(plane: ControlPlane, steps: list[int]) -> None:
    """Come to rest, with an interruption after so many writes each time."""
    for after in steps:
        undo = interrupt(plane, after)
        try:
            plane.run_until_steady()
        except _Interrupted:
            undo()
            plane.restart()
        else:
            undo()
    plane.run_until_steady()


LABELS = {name: {"app": name} for name in ("web", "db", "log", "sum")}
WORLD = [
    deployment(replicas=3, maxSurge=1, maxUnavailable=0),
    workload(
        "StatefulSet", "db", labels=LABELS["db"], pod_template=body("1", LABELS["db"]), replicas=2, serviceName="db"
    ),
    workload("DaemonSet", "log", labels=LABELS["log"], pod_template=body("1", LABELS["log"])),
    workload(
        "Job",
        "sum",
        completions=3,
        parallelism=2,
        pod_template=template(
            LABELS["sum"], {"netsim.io/exit": "0@4s"}, restartPolicy="Never", containers=[container()]
        ),
    ),
    service("web", selector=LABELS["web"]),
    service("db", selector=LABELS["db"], clusterIP="None"),
]


def outline(plane: ControlPlane) -> Any:
    """What the end has to be the same in: everything but generated names and times."""
    pods = Counter(
        (p.metadata.labels.get("app"), p.metadata.labels.get("version"), p.document["status"]["phase"], is_ready(p))  # type: ignore[index,call-overload]
        for p in plane.store.list("Pod").items
    )
    ends = {
        item.metadata.name: sum(
            bool(e["conditions"]["ready"]) for s in slices_of(plane, item.metadata.name) for e in s["endpoints"]
        )
        for item in plane.store.list("Service").items
    }
    job = plane.store.find(Key("Job", "default", "sum"))
    counts = None if job is None else {k: job.document["status"].get(k) for k in ("active", "succeeded", "failed")}  # type: ignore[index,call-overload,union-attr]
    return pods, ends, counts


def slices_of(plane: ControlPlane, name: str) -> list[Any]:
    return [s.document for s in plane.store.list("EndpointSlice", None, f"kubernetes.io/service-name={name}").items]


def orphans(plane: ControlPlane) -> list[str]:
    """Objects that name an owner which is not there."""
    uids = {item.metadata.uid for kind in plane.store.kinds for item in plane.store.list(kind).items}
    return [
        str(item.key)
        for kind in plane.store.kinds
        for item in plane.store.list(kind).items
        if any(owner.uid not in uids for owner in item.metadata.owner_references)
    ]


def world(steps: list[int]) -> ControlPlane:
    plane = ControlPlane(NODES, WORLD, api_server=None)
    run(plane, steps)
    return plane


EXPECTED = outline(world([]))
STEPS = st.lists(st.integers(0, 60), min_size=1, max_size=4)


@given(STEPS)
def test_an_interrupted_control_plane_comes_to_the_same_end(steps: list[int]) -> None:
    plane = world(steps)
    assert (outline(plane), orphans(plane)) == (EXPECTED, [])


@given(STEPS, st.sampled_from(["Deployment/web", "StatefulSet/db", "DaemonSet/log"]))
def test_an_interrupted_roll_out_ends(steps: list[int], target: str) -> None:
    kind, name = target.split("/")
    plane = world([])
    edit(plane, kind, name, template=body("2", LABELS[name]))
    run(plane, steps)
    found = Counter(p.metadata.labels["version"] for p in live(plane) if p.metadata.labels["app"] == name)
    assert found == {"2": {"web": 3, "db": 2, "log": 3}[name]}
    assert (outline(plane)[1], orphans(plane)) == (EXPECTED[1], [])


@given(STEPS)
def test_an_interrupted_deletion_leaves_nothing_behind(steps: list[int]) -> None:
    plane = world([])
    for item in WORLD:
        plane.delete(item.key)
    run(plane, steps)
    assert [p.metadata.name for p in plane.store.list("Pod").items] == []
    left = ("ReplicaSet", "EndpointSlice", "Endpoints", "ControllerRevision", "Job")
    assert [i.metadata.name for kind in left for i in plane.store.list(kind, "default").items] == []
    assert orphans(plane) == []
    assert all(plane.addresses_of(f"node{n}")._held == {} for n in (1, 2, 3))  # type: ignore[union-attr]
