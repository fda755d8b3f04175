"""Informers, work queues, the clock and the loop."""

from __future__ import annotations

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.errors import Conflict
from netsim.cluster.informer import Informers
from netsim.cluster.ownership import BY_LABEL, by_label, selected
from netsim.cluster.runtime import NotSteadyError, Runtime
from netsim.cluster.selectors import parse_selector
from netsim.cluster.store import Store
from netsim.cluster.workqueue import WorkQueue
from netsim.objects.meta import Object
from tests.cluster_objects import key, pod, steady, workload


def relabelled(name: str, **labels: str) -> Object:
    return pod(name, labels=labels)


def test_informer_calls_handlers_and_keeps_indexes():
    store = Store(VirtualClock())
    store.create(relabelled("a", app="x"))
    informer = Informers(store).of("Pod")
    informer.add_index(BY_LABEL, by_label)
    seen = []
    informer.add_handler(
        lambda before, now: seen.append((before and before.metadata.name, now and now.metadata.labels))
    )
    assert informer.drain()
    assert not informer.drain()
    store.update(relabelled("a", app="y"))
    informer.drain()
    assert informer.by_index(BY_LABEL, "default/app=x") == []
    assert [p.metadata.name for p in informer.by_index(BY_LABEL, "default/app=y")] == ["a"]
    store.delete(key("Pod", "a"))
    informer.drain()
    assert informer.count(BY_LABEL, "default") == 0
    assert seen == [(None, {"app": "x"}), ("a", {"app": "y"}), ("a", None)]


def test_informer_lists_again_when_its_watch_expired():
    store = Store(VirtualClock())
    informer = Informers(store).of("Pod")
    store.create(pod("stays"))
    store.create(pod("goes"))
    informer.drain()
    seen = []
    informer.add_handler(lambda before, now: seen.append((bool(before), bool(now), (now or before).metadata.name)))
    seen.clear()
    store.delete(key("Pod", "goes"))
    store.create(pod("new"))
    store.compact()
    assert informer.drain()
    assert seen == [(True, False, "goes"), (False, True, "new")]
    assert [p.metadata.name for p in informer.all()] == ["new", "stays"]


def test_a_handler_added_late_sees_what_is_there():
    store = Store(VirtualClock())
    store.create(pod("a"))
    informer = Informers(store).of("Pod")
    informer.drain()
    seen = []
    informer.add_handler(lambda before, now: seen.append(now.metadata.name))
    assert seen == ["a"]


def test_selected_looks_under_the_rarest_label():
    store = Store(VirtualClock())
    for n in range(20):
        store.create(relabelled(f"p{n:02}", app="x", one="yes" if n == 7 else "no"))
    informer = Informers(store).of("Pod")
    informer.add_index(BY_LABEL, by_label)
    informer.drain()
    assert [p.metadata.name for p in selected(informer, BY_LABEL, "default", parse_selector("app=x,one=yes"))] == [
        "p07"
    ]
    assert len(selected(informer, BY_LABEL, "default", parse_selector("one!=yes"))) == 19
    assert selected(informer, BY_LABEL, "other", parse_selector("app=x")) == []


def test_queue_holds_a_key_once_and_keeps_its_place():
    queue = WorkQueue(VirtualClock())
    for name in ("a", "b", "a"):
        queue.add(key("Pod", name))
    assert [k.name for k in queue.take_all()] == ["a", "b"]
    assert len(queue) == 0


def test_queue_adds_after_virtual_time():
    clock = VirtualClock()
    queue = WorkQueue(clock)
    queue.add_after(key("Pod", "late"), 5)
    queue.add_after(key("Pod", "now"), 0)
    assert [k.name for k in queue.take_all()] == ["now"]
    clock.advance_to(4.9)
    assert len(queue) == 0
    assert clock.advance_to_next_timer()
    assert clock.now() == 5
    assert [k.name for k in queue.take_all()] == ["late"]
    assert not clock.advance_to_next_timer()


def test_timers_run_in_order_each_at_its_own_time():
    clock = VirtualClock()
    seen = []
    clock.call_at(3, lambda: seen.append(("c", clock.now())))
    clock.call_at(1, lambda: seen.append(("a", clock.now())))
    clock.call_at(1, lambda: clock.call_at(2, lambda: seen.append(("b", clock.now()))))
    clock.advance_to(10)
    assert seen == [("a", 1), ("b", 2), ("c", 3)]
    assert clock.now() == 10
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_to(9)


def test_clock_writes_and_reads_timestamps():
    clock = VirtualClock()
    clock.advance_to(61.9)
    assert clock.timestamp() == "2025-01-01T00:01:01Z"
    assert clock.seconds_of("2025-01-01T00:01:01Z") == 61


class Flapping:
    """Two minds: scales a ReplicaSet up when it is down and down when it is up."""

    name = "flapping"

    def __init__(self, clock: VirtualClock, store: Store, informers: Informers) -> None:
        self.queue = WorkQueue(clock)
        self._store = store
        informers.of("ReplicaSet").add_handler(lambda before, now: self.queue.add(now.key))

    def sync(self, item):
        document = self._store.get(item).document
        replicas = 1 - document["spec"]["replicas"]
        self._store.update(Object.of({**document, "spec": {**document["spec"], "replicas": replicas}}))


class Refusing(Flapping):
    name = "refusing"

    def sync(self, item):
        raise Conflict.of("replicasets.apps", item.name)


@pytest.mark.parametrize(
    ("kind", "said"), [(Flapping, "flapping on ReplicaSet"), (Refusing, "Operation cannot be fulfilled")]
)
def test_what_never_rests_is_an_error(kind, said):
    clock = VirtualClock()
    store = Store(clock)
    informers = Informers(store)
    runtime = Runtime(clock, informers, [kind(clock, store, informers)], max_rounds=50)
    store.create(workload("ReplicaSet", replicas=0))
    with pytest.raises(NotSteadyError, match=said) as error:
        runtime.run_until_steady()
    assert error.value.busy == ((kind.name, key("ReplicaSet", "web")),)
    assert "after 50 rounds" in str(error.value)


class Waiting(Flapping):
    name = "waiting"

    def sync(self, item):
        self.queue.add_after(item, 10)


def test_until_bounds_the_clock():
    clock = VirtualClock()
    store = Store(clock)
    informers = Informers(store)
    runtime = Runtime(clock, informers, [Waiting(clock, store, informers)])
    store.create(workload("ReplicaSet", replicas=0))
    runtime.run_until_steady(until=25)
    assert clock.now() == 25
    assert clock.next_timer == 30


def test_what_is_refused_waits_longer_each_time():
    clock = VirtualClock()
    queue = WorkQueue(clock)
    waited = []
    for _ in range(20):
        begin = clock.now()
        queue.add_rate_limited(key("Pod", "a"))
        assert clock.at_rest
        clock.advance_to_next_timer()
        assert queue.take_all() == [key("Pod", "a")]
        waited.append(round(clock.now() - begin, 3))
    assert waited[:4] == [0.005, 0.01, 0.02, 0.04]
    assert waited[-2:] == [1000.0, 1000.0]
    queue.forget(key("Pod", "a"))
    queue.add_rate_limited(key("Pod", "a"))
    assert round(clock.next_timer - clock.now(), 3) == 0.005


def test_a_refused_pod_comes_up_once_the_quota_allows_it():
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "default"}}
    plane = steady([Object.of({**quota, "spec": {"hard": {"pods": "1"}}}), workload("ReplicaSet", replicas=2)])
    assert len(plane.store.list("Pod").items) == 1
    plane.store.update(Object.of({**quota, "spec": {"hard": {"pods": "2"}}}))
    plane.run_until_steady(until=plane.clock.now() + 2000)
    assert len(plane.store.list("Pod").items) == 2
