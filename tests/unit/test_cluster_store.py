"""The store: versions, optimistic concurrency, watches."""

from __future__ import annotations

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.errors import AlreadyExists, BadRequest, Conflict, Expired, Invalid, NotFound, StatusError
from netsim.cluster.etcd.memory import MemoryStore
from netsim.cluster.etcd.model import DeleteRange, Put, Range, prefix_end
from netsim.cluster.listing import Page, read_token
from netsim.cluster.store import Store
from netsim.cluster.watch import EventType
from netsim.objects.meta import Object
from tests.cluster_objects import key, node, pod, service, workload


@pytest.fixture
def store() -> Store:
    return Store(VirtualClock())


def with_labels(item: Object, **labels: str) -> Object:
    metadata = {**item.document["metadata"], "labels": labels}
    return Object.of({**item.document, "metadata": metadata})


def told(watch):
    return [(e.type.value, e.object.metadata.name, e.object.metadata.resource_version) for e in watch.events()]


def test_create_fills_in_metadata(store):
    made = store.create(pod("a"))
    meta = made.document["metadata"]
    assert (meta["resourceVersion"], meta["generation"]) == ("2", 1)
    assert meta["creationTimestamp"] == "2025-01-01T00:00:00Z"
    assert made.metadata.uid == meta["uid"]
    assert store.get(key("Pod", "a")) == made
    assert Object.of(made.document) == made


def test_uids_differ_and_do_not_depend_on_what_else_was_made():
    one, two = Store(VirtualClock()), Store(VirtualClock())
    two.create(pod("other"))
    a = one.create(pod("a")).metadata.uid
    assert a == two.create(pod("a")).metadata.uid
    one.delete(key("Pod", "a"))
    assert one.create(pod("a")).metadata.uid != a


def test_cluster_scoped_objects_have_no_namespace(store):
    made = store.create(node(1))
    assert "namespace" not in made.document["metadata"]
    assert store.get(key("Node", "node1", "")) is made


def test_namespace_defaults(store):
    bare = Object.of({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x"}})
    assert store.create(bare).metadata.namespace == "default"


def test_refusals_in_the_words_of_the_api(store):
    store.create(pod("a"))
    made = store.create(workload("Deployment"))
    with pytest.raises(AlreadyExists, match=r'^pods "a" already exists$'):
        store.create(pod("a"))
    with pytest.raises(NotFound, match=r'^deployments\.apps "nope" not found$') as error:
        store.update(workload("Deployment", "nope"))
    assert (error.value.reason, error.value.code) == ("NotFound", 404)
    store.update(with_labels(made, a="b"))
    text = (
        'Operation cannot be fulfilled on deployments.apps "web": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    with pytest.raises(Conflict) as refused:
        store.update(with_labels(made, a="c"))
    assert (str(refused.value), refused.value.code) == (text, 409)
    with pytest.raises(StatusError, match="resourceVersion should not be set"):
        store.create(with_name(made, "other"))
    with pytest.raises(Invalid, match="name or generateName is required"):
        store.create(Object.of({"apiVersion": "v1", "kind": "Pod", "metadata": {}}))
    with pytest.raises(NotFound):
        store.delete(key("Pod", "nope"))


def with_name(item: Object, name: str) -> Object:
    return Object.of({**item.document, "metadata": {**item.document["metadata"], "name": name}})


def test_update_without_a_version_is_unconditional(store):
    store.create(service())
    store.update(with_labels(service(), a="1"))
    assert store.update(with_labels(service(), a="2")).metadata.labels == {"a": "2"}


def test_update_of_another_incarnation_conflicts(store):
    old = store.create(pod("a"))
    store.delete(old.key)
    store.create(pod("a"))
    stale = Object.of({**old.document, "metadata": {**old.document["metadata"], "resourceVersion": ""}})
    with pytest.raises(Conflict, match="Precondition failed: UID"):
        store.update(stale)


def test_an_update_that_changes_nothing_makes_no_version(store):
    made = store.create(service())
    assert store.update(made) is made
    assert store.resource_version == "2"


def test_generation_counts_changes_of_the_spec_only(store):
    made = store.create(workload("Deployment", replicas=1))
    labelled = store.update(with_labels(made, a="b"))
    assert labelled.metadata.generation == 1
    spec = {**labelled.document["spec"], "replicas": 2}
    scaled = store.update(Object.of({**labelled.document, "spec": spec}))
    assert (scaled.metadata.generation, scaled.document["metadata"]["generation"]) == (2, 2)
    reported = store.update_status(Object.of({**scaled.document, "status": {"replicas": 2}}))
    assert reported.metadata.generation == 2


def test_update_leaves_the_status_and_update_status_all_else(store):
    made = store.create(pod("a", status={"phase": "Running"}))
    updated = store.update(Object.of({**made.document, "status": {"phase": "Failed"}}))
    assert updated.document["status"] == {"phase": "Running"}
    changed = {**updated.document, "spec": {}, "status": {"phase": "Failed"}}
    reported = store.update_status(Object.of(changed))
    assert reported.document["status"] == {"phase": "Failed"}
    assert reported.document["spec"] == made.document["spec"]


def test_generated_names_differ_and_follow_from_the_seed():
    def names(count: int) -> list[str]:
        store = Store(VirtualClock())
        item = Object.of({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "web-"}})
        return [store.create(item).metadata.name for _ in range(count)]

    assert len(set(names(50))) == 50
    assert names(3) == names(50)[:3]
    assert all(len(n) == 9 and set(n[4:]) <= set("bcdfghjklmnpqrstvwxz2456789") for n in names(50))


def test_a_finalizer_holds_an_object_until_it_is_taken_off(store):
    document = pod("a").document
    held = {**document, "metadata": {**document["metadata"], "finalizers": ["example.org/x"]}}
    store.create(Object.of(held))
    left = store.delete(key("Pod", "a"))
    assert left is not None
    assert left.metadata.deletion_timestamp
    assert store.find(key("Pod", "a")) is not None
    store.update(Object.of({**left.document, "metadata": {**left.document["metadata"], "finalizers": []}}))
    assert store.find(key("Pod", "a")) is None


def test_a_pod_on_a_node_is_deleted_by_its_kubelet(store):
    store.create(pod("a", nodeName="node1"))
    left = store.delete(key("Pod", "a"))
    assert left is not None
    assert left.document["metadata"]["deletionGracePeriodSeconds"] == 30
    assert store.delete(key("Pod", "a"), grace_seconds=0) is None
    assert store.find(key("Pod", "a")) is None


def test_binding_twice_is_refused(store):
    store.create(pod("a"))
    condition = {"type": "PodScheduled", "status": "True"}
    bound = store.bind(key("Pod", "a"), "node1", condition)
    assert bound.document["status"]["conditions"] == [condition]
    with pytest.raises(Conflict, match='pod a is already assigned to node "node1"'):
        store.bind(key("Pod", "a"), "node2", condition)


# --- lists ------------------------------------------------------------------------------------------------------


def test_lists_are_sorted_and_selected(store):
    for name, labels in (("c", {"app": "x"}), ("a", {"app": "x", "tier": "db"}), ("b", {"app": "y"})):
        store.create(pod(name, labels=labels, nodeName="node1" if name == "c" else ""))

    def names(**options):
        return [item.metadata.name for item in store.list("Pod", **options).items]

    assert names() == ["a", "b", "c"]
    assert names(label_selector="app=x") == ["a", "c"]
    assert names(label_selector="app in (x, y),!tier") == ["b", "c"]
    assert names(field_selector="spec.nodeName=node1") == ["c"]
    assert names(field_selector="metadata.name!=c") == ["a", "b"]
    assert names(namespace="other") == []
    with pytest.raises(BadRequest, match=r"spec\.color"):
        store.list("Pod", field_selector="spec.color=red")


# --- watches ----------------------------------------------------------------------------------------------------


def test_watch_without_a_version_lists_first(store):
    store.create(pod("b"))
    store.create(pod("a"))
    watch = store.watch("Pod")
    assert told(watch) == [("ADDED", "a", "3"), ("ADDED", "b", "2")]
    assert told(watch) == []
    store.create(service())
    store.update(with_labels(pod("a"), x="y"))
    store.delete(key("Pod", "b"))
    assert told(watch) == [("MODIFIED", "a", "5"), ("DELETED", "b", "6")]


def test_a_watch_is_resumed_at_a_version(store):
    watch = store.watch("Pod")
    store.create(pod("a"))
    assert told(watch) == [("ADDED", "a", "2")]
    store.create(pod("b"))
    store.delete(key("Pod", "a"))
    again = store.watch("Pod", resource_version=watch.resource_version)
    assert told(again) == told(watch) == [("ADDED", "b", "3"), ("DELETED", "a", "4")]


def test_an_object_that_begins_or_ceases_to_match_is_added_or_deleted(store):
    watch = store.watch("Pod", label_selector="app=x")
    store.create(pod("a", labels={"app": "y"}))
    assert told(watch) == []
    store.update(with_labels(pod("a"), app="x"))
    assert told(watch) == [("ADDED", "a", "3")]
    store.update(with_labels(pod("a"), app="z"))
    (event,) = watch.events()
    assert (event.type.value, event.object.metadata.labels, event.object.metadata.resource_version) == (
        "DELETED",
        {"app": "x"},
        "4",
    )


def test_bookmarks_move_the_version_on(store):
    watch = store.watch("Pod", bookmarks=True)
    store.create(pod("a"))
    store.create(service())
    assert told(watch) == [("ADDED", "a", "2"), ("BOOKMARK", "", "3")]
    assert told(watch) == []
    assert watch.resource_version == "3"


def test_compaction_expires_old_versions(store):
    watch = store.watch("Pod")
    for name in "abc":
        store.create(pod(name))
    store.compact("3")
    with pytest.raises(Expired, match=r"^too old resource version: 2 \(3\)$") as error:
        store.watch("Pod", resource_version="2")
    assert (error.value.reason, error.value.code) == ("Expired", 410)
    with pytest.raises(Expired):
        watch.events()
    assert told(store.watch("Pod", resource_version="3")) == [("ADDED", "c", "4")]
    assert [name for _, name, _ in told(store.watch("Pod"))] == ["a", "b", "c"]


def test_compaction_reaches_kinds_that_were_never_written(store):
    store.create(pod("a"))
    store.create(pod("b"))
    store.compact()
    with pytest.raises(Expired):
        store.watch("Service", resource_version="2")
    assert told(store.watch("Service", resource_version="3")) == []


def test_a_version_that_is_none_is_refused(store):
    with pytest.raises(BadRequest, match="invalid resource version: 'x'"):
        store.watch("Pod", resource_version="x")


# --- pages ------------------------------------------------------------------------------------------------------


def named_pods(store: Store, *names: str) -> None:
    for name in names:
        store.create(pod(name, labels={"app": "x" if name < "d" else "y"}))


def pages(store: Store, limit: int, **options) -> list[list[str]]:
    found, token = [], ""
    while True:
        page = store.list("Pod", page=Page(limit, token), **options)
        found.append([item.metadata.name for item in page.items])
        token = page.continue_token
        if not token:
            return found


def test_a_list_in_pages(store):
    named_pods(store, *"edcba")
    assert pages(store, 2) == [["a", "b"], ["c", "d"], ["e"]]
    assert pages(store, 5) == [["a", "b", "c", "d", "e"]]
    assert pages(store, 1, label_selector="app=y") == [["d"], ["e"]]
    first = store.list("Pod", page=Page(2))
    assert (first.remaining, first.resource_version) == (3, "6")
    assert store.list("Pod", label_selector="app=x", page=Page(2)).remaining is None
    assert (read_token(first.continue_token).version, read_token(first.continue_token).start) == (6, "default/b\0")


def test_later_pages_are_of_the_first_ones_version(store):
    named_pods(store, *"abc")
    first = store.list("Pod", page=Page(1))
    store.delete(key("Pod", "b"))
    store.create(pod("bb"))
    second = store.list("Pod", page=Page(0, first.continue_token))
    assert ([item.metadata.name for item in second.items], second.resource_version) == (["b", "c"], "4")
    assert [item.metadata.name for item in store.as_of("Pod", 3)] == ["a", "b"]


def test_a_token_of_a_compacted_version_is_refused_with_another(store):
    named_pods(store, *"abc")
    first = store.list("Pod", page=Page(1))
    store.create(pod("bb"))
    store.compact()
    with pytest.raises(Expired, match="The provided continue parameter is too old") as error:
        store.list("Pod", page=Page(0, first.continue_token))
    rest = store.list("Pod", page=Page(0, error.value.continue_token))
    assert [item.metadata.name for item in rest.items] == ["b", "bb", "c"]


@pytest.mark.parametrize("token", ["?", "e30", "eyJ2IjoieCIsInJ2IjoxLCJzdGFydCI6ImEifQ", "W10"])
def test_tokens_that_are_none(store, token):
    with pytest.raises(BadRequest, match="continue key is not valid"):
        store.list("Pod", page=Page(1, token))


# --- what lies below --------------------------------------------------------------------------------------------


def test_objects_lie_where_an_api_server_puts_them():
    clock = VirtualClock()
    below = MemoryStore(clock.now)
    store = Store(clock, backend=below)
    custom = {"apiVersion": "example.org/v1", "kind": "Widget", "metadata": {"name": "w"}}
    for item in (pod("a"), service(), node(1), workload("Deployment"), Object.of(custom)):
        store.create(item)
    found = below.range(Range("/registry/", prefix_end("/registry/"))).kvs
    assert [kv.key for kv in found] == [
        "/registry/deployments/default/web",
        "/registry/example.org/widgets/default/w",
        "/registry/minions/node1",
        "/registry/pods/default/a",
        "/registry/services/specs/default/web",
    ]
    assert all("resourceVersion" not in kv.value["metadata"] for kv in found)


def test_a_store_begins_with_what_lies_below():
    clock = VirtualClock()
    below = MemoryStore(clock.now)
    first = Store(clock, backend=below)
    named_pods(first, "a", "b")
    second = Store(clock, backend=below)
    assert second.list("Pod") == first.list("Pod")
    with pytest.raises(Expired):
        second.watch("Pod", resource_version="2")


def test_what_others_write_below_is_taken_over():
    clock = VirtualClock()
    below = MemoryStore(clock.now)
    store = Store(clock, backend=below)
    named_pods(store, "a", "b")
    watch = store.watch("Pod", resource_version=store.resource_version)
    other = Store(clock, backend=below)
    other.update(with_labels(pod("a"), app="new"))
    below.transact((), [DeleteRange("/registry/pods/default/b")])
    below.transact((), [Put("/elsewhere", "is nothing to it")])
    with pytest.raises(Conflict, match="the object has been modified"):
        store.update(with_labels(pod("a"), app="mine"))
    assert [(e.type, e.object.metadata.name) for e in watch.events()] == [
        (EventType.MODIFIED, "a"),
        (EventType.DELETED, "b"),
    ]
    assert store.list("Pod") == Store(clock, backend=below).list("Pod")
    store.create(pod("c"))
    assert store.resource_version == str(below.revision)


def test_events_are_gone_after_an_hour():
    clock = VirtualClock()
    store = Store(clock)
    event = {"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e"}, "reason": "Started"}
    store.create(Object.of(event))
    store.create(pod("a"))
    watch = store.watch("Event", resource_version=store.resource_version)
    clock.advance_to(3659)
    store.refresh()
    assert watch.events() == []
    clock.advance_to(3660)
    store.refresh()
    assert [e.type for e in watch.events()] == [EventType.DELETED]
    assert (store.list("Event").items, len(store.list("Pod").items)) == ((), 1)
