"""The contract of the key-value store, on every implementation: revisions, transactions, compaction, leases, watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.etcd.memory import MemoryStore
from netsim.cluster.etcd.model import (
    Compacted,
    Compare,
    DeleteRange,
    DuplicateKey,
    EmptyKey,
    EtcdError,
    FutureRevision,
    LeaseExists,
    LeaseNotFound,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Result,
    Target,
    TooManyOperations,
    prefix_end,
)
from netsim.cluster.etcd.store import KeyValueStore
from netsim.persistence.sqlite import SqliteStore, StoreFileError


def in_memory(clock: VirtualClock, folder: Path) -> KeyValueStore:
    return MemoryStore(clock.now)


def in_a_file(clock: VirtualClock, folder: Path) -> KeyValueStore:
    return SqliteStore(folder / "store.db", clock.now)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(params=[in_memory, in_a_file])
def store(request: pytest.FixtureRequest, clock: VirtualClock, tmp_path: Path) -> Iterator[KeyValueStore]:
    made = request.param(clock, tmp_path)
    yield made
    made.close()


def put(store: KeyValueStore, key: str, value: str = "v", lease: int = 0) -> int:
    return store.transact((), [Put(key, value, lease)]).revision


def told(store: KeyValueStore, after: int, key: str = "", end: str = "") -> list[tuple[str, str, int, object]]:
    return [
        (e.type.value, e.kv.key, e.kv.mod_revision, e.previous.value if e.previous else None)
        for e in store.events(after, key, end)
    ]


def keys(store: KeyValueStore, key: str = "\0", end: str = "~", **options: int) -> dict[str, object]:
    return {kv.key: kv.value for kv in store.range(Range(key, end, **options)).kvs}


def test_a_new_store_is_at_revision_one(store: KeyValueStore) -> None:
    assert (store.revision, store.compacted, keys(store)) == (1, 0, {})


def test_revisions_and_versions_of_a_key(store: KeyValueStore) -> None:
    assert [put(store, "a"), put(store, "b"), put(store, "a", "w")] == [2, 3, 4]
    (kv,) = store.range(Range("a")).kvs
    assert (kv.value, kv.create_revision, kv.mod_revision, kv.version) == ("w", 2, 4, 2)
    store.transact((), [DeleteRange("a")])
    put(store, "a", "again")
    (kv,) = store.range(Range("a")).kvs
    assert (kv.create_revision, kv.mod_revision, kv.version) == (6, 6, 1)


def test_a_transaction_is_one_revision_and_answers_each_operation(store: KeyValueStore) -> None:
    put(store, "a", "old")
    done = store.transact((), [Put("a", "new"), Put("b", "1"), Range("a", "z"), DeleteRange("x", "z")])
    assert (done.succeeded, done.revision) == (True, 3)
    first, _, ranged, _ = done.answers
    assert isinstance(first, PutResponse)
    assert first.previous is not None
    assert first.previous.value == "old"
    assert isinstance(ranged, RangeResponse)
    assert [(kv.key, kv.value) for kv in ranged.kvs] == [("a", "new"), ("b", "1")]
    assert told(store, 2) == [("PUT", "a", 3, "old"), ("PUT", "b", 3, None)]


def test_a_transaction_that_changes_nothing_makes_no_revision(store: KeyValueStore) -> None:
    put(store, "a")
    assert store.transact((), [Range("a"), DeleteRange("nobody")]).revision == 2


COMPARES = [
    (Compare("a", Target.MOD_REVISION, Result.EQUAL, 3), True),
    (Compare("a", Target.MOD_REVISION, Result.GREATER, 3), False),
    (Compare("a", Target.CREATE_REVISION, Result.LESS, 3), True),
    (Compare("a", Target.VERSION, Result.NOT_EQUAL, 2), False),
    (Compare("a", Target.VALUE, Result.EQUAL, "w"), True),
    (Compare("a", Target.VALUE, Result.GREATER, "v"), True),
    (Compare("a", Target.LEASE, Result.EQUAL, 0), True),
    (Compare("gone", Target.VERSION, Result.EQUAL, 0), True),
    (Compare("gone", Target.CREATE_REVISION, Result.EQUAL, 0), True),
    (Compare("gone", Target.VALUE, Result.NOT_EQUAL, "x"), False),
]


@pytest.mark.parametrize(("compare", "holds"), COMPARES)
def test_compare_then_else(store: KeyValueStore, compare: Compare, holds: bool) -> None:
    put(store, "a")
    put(store, "a", "w")
    done = store.transact([compare], [Put("then", "1")], [Put("else", "1")])
    assert (done.succeeded, "then" in keys(store), "else" in keys(store)) == (holds, holds, not holds)


def test_every_condition_must_hold(store: KeyValueStore) -> None:
    absent = [Compare(k, Target.VERSION, Result.EQUAL, 0) for k in ("a", "b")]
    assert store.transact(absent, [Put("a", "1")]).succeeded
    assert not store.transact(absent, [Put("b", "1")]).succeeded


def many(store: KeyValueStore) -> None:
    store.transact((), [Put(f"k{n}", "v") for n in range(129)])


def lease_zero(store: KeyValueStore) -> None:
    store.transact((), [Put("a", "v", 7)])


REFUSED: list[tuple[str, Callable[[KeyValueStore], object], type[EtcdError], str]] = [
    ("a key twice", lambda s: s.transact((), [Put("a", "1"), Put("a", "2")]), DuplicateKey, "duplicate key given"),
    (
        "put and deleted",
        lambda s: s.transact((), [Put("a", "1"), DeleteRange("a", "b")]),
        DuplicateKey,
        "duplicate key",
    ),
    ("too many", many, TooManyOperations, "too many operations in txn request"),
    ("no such lease", lease_zero, LeaseNotFound, "requested lease not found"),
    ("no key", lambda s: s.range(Range("")), EmptyKey, "key is not provided"),
    ("not yet", lambda s: s.range(Range("a", revision=9)), FutureRevision, "is a future revision"),
    ("compact not yet", lambda s: s.compact(9), FutureRevision, "is a future revision"),
    ("kept alive", lambda s: s.keep_alive(5), LeaseNotFound, "requested lease not found"),
    ("revoked", lambda s: s.revoke(5), LeaseNotFound, "requested lease not found"),
]


@pytest.mark.parametrize(("act", "error", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_refusals_leave_everything_as_it_is(
    store: KeyValueStore, act: Callable[[KeyValueStore], object], error: type[EtcdError], said: str
) -> None:
    with pytest.raises(error, match=said):
        act(store)
    assert (store.revision, keys(store)) == (1, {})


def test_ranges_are_sorted_and_limited(store: KeyValueStore) -> None:
    for key in ("/p/b", "/p/a", "/q/a", "/p", "/p/a/c"):
        put(store, key)
    assert list(keys(store, "/p/", prefix_end("/p/"))) == ["/p/a", "/p/a/c", "/p/b"]
    part = store.range(Range("/p/", prefix_end("/p/"), limit=2))
    assert ([kv.key for kv in part.kvs], part.count, part.more) == (["/p/a", "/p/a/c"], 3, True)


def test_the_past_can_be_read(store: KeyValueStore) -> None:
    put(store, "a", "1")
    put(store, "b", "1")
    store.transact((), [DeleteRange("a"), Put("b", "2")])
    put(store, "a", "3")
    assert [keys(store, revision=n) for n in (1, 2, 3, 4, 5)] == [
        {},
        {"a": "1"},
        {"a": "1", "b": "1"},
        {"b": "2"},
        {"a": "3", "b": "2"},
    ]


def test_compaction_forgets_what_was_superseded(store: KeyValueStore) -> None:
    put(store, "a", "1")
    put(store, "a", "2")
    put(store, "b", "1")
    store.transact((), [DeleteRange("b")])
    put(store, "c", "1")
    store.compact(4)
    assert store.compacted == 4
    assert keys(store, revision=4) == {"a": "2", "b": "1"}
    assert told(store, 4) == [("DELETE", "b", 5, "1"), ("PUT", "c", 6, None)]
    for act in (lambda: store.range(Range("a", revision=3)), lambda: store.events(3), lambda: store.compact(4)):
        with pytest.raises(Compacted, match="required revision has been compacted") as error:
            act()
        assert error.value.compacted == 4
    store.compact(6)
    assert keys(store) == {"a": "2", "c": "1"}


def test_events_of_a_range_only(store: KeyValueStore) -> None:
    put(store, "/a/1")
    put(store, "/b/1")
    put(store, "/a/2")
    assert [key for _, key, _, _ in told(store, 1, "/a/", prefix_end("/a/"))] == ["/a/1", "/a/2"]
    assert [key for _, key, _, _ in told(store, 1, "/a/2")] == ["/a/2"]


# --- leases -----------------------------------------------------------------------------------------------------


def test_a_lease_takes_its_keys_with_it(store: KeyValueStore, clock: VirtualClock) -> None:
    lease = store.grant(10)
    put(store, "mine", lease=lease.id)
    put(store, "also", lease=lease.id)
    put(store, "other")
    clock.advance_to(9.5)
    assert store.time_to_live(lease.id).remaining == pytest.approx(0.5)
    assert store.time_to_live(lease.id).keys == ("also", "mine")
    clock.advance_to(10)
    assert keys(store) == {"other": "v"}
    assert told(store, 4) == [("DELETE", "also", 5, "v"), ("DELETE", "mine", 5, "v")]
    with pytest.raises(LeaseNotFound):
        store.time_to_live(lease.id)


def test_a_lease_that_is_kept_alive_stays(store: KeyValueStore, clock: VirtualClock) -> None:
    lease = store.grant(10)
    put(store, "mine", lease=lease.id)
    for second in (9, 18, 27):
        clock.advance_to(second)
        store.keep_alive(lease.id)
    assert "mine" in keys(store)
    clock.advance_to(37)
    assert keys(store) == {}


def test_a_key_goes_with_the_lease_of_its_last_put(store: KeyValueStore, clock: VirtualClock) -> None:
    short, long = store.grant(5), store.grant(50)
    put(store, "moved", lease=short.id)
    put(store, "moved", lease=long.id)
    put(store, "freed", lease=short.id)
    put(store, "freed")
    clock.advance_to(5)
    assert list(keys(store)) == ["freed", "moved"]
    clock.advance_to(50)
    assert list(keys(store)) == ["freed"]


def test_leases_are_numbered_and_revoked(store: KeyValueStore) -> None:
    first, chosen = store.grant(5), store.grant(5, 77)
    assert [lease.id for lease in store.leases()] == [first.id, chosen.id]
    with pytest.raises(LeaseExists, match="lease already exists"):
        store.grant(5, 77)
    put(store, "a", lease=77)
    store.revoke(77)
    assert (keys(store), [lease.id for lease in store.leases()]) == ({}, [first.id])


# --- files ------------------------------------------------------------------------------------------------------


def test_a_file_is_read_again(tmp_path: Path, clock: VirtualClock) -> None:
    one = SqliteStore(tmp_path / "s", clock.now)
    lease = one.grant(10)
    put(one, "a", "1", lease.id)
    put(one, "b", "ü")
    put(one, "b", "2")
    one.compact(3)
    one.keep_number("clock", 2.5)
    before = (one.revision, one.compacted, keys(one), told(one, 3), one.leases())
    one.close()
    two = SqliteStore(tmp_path / "s", clock.now)
    assert (two.revision, two.compacted, keys(two), told(two, 3), two.leases()) == before
    assert (two.number("clock"), two.number("nothing")) == (2.5, 0.0)
    clock.advance_to(10)
    assert keys(two) == {"b": "2"}
    two.close()


def test_a_batch_is_kept_whole_or_not_at_all(tmp_path: Path, clock: VirtualClock) -> None:
    store = SqliteStore(tmp_path / "s", clock.now)
    with store.batch():
        put(store, "a")
        put(store, "b")
    with pytest.raises(LeaseNotFound), store.batch():  # noqa: PT012 - what came before the refusal is the point
        put(store, "c")
        put(store, "d", lease=7)
    assert (list(keys(store)), store.revision) == (["a", "b"], 3)
    store.close()
    again = SqliteStore(tmp_path / "s", clock.now)
    assert (list(keys(again)), again.revision) == (["a", "b"], 3)
    again.close()


def text_file(path: Path) -> None:
    path.write_text("apiVersion: v1\n" * 40)


def another_database(path: Path) -> None:
    import sqlite3

    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()


def newer(path: Path) -> None:
    import sqlite3

    SqliteStore(path, lambda: 0.0).close()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()


@pytest.mark.parametrize(
    ("make", "said"),
    [(text_file, "not a database"), (another_database, "another database"), (newer, "newer netsim"), (Path.mkdir, "s")],
    ids=["a text", "another program's", "of the future", "a folder"],
)
def test_files_that_are_no_store(tmp_path: Path, make: Callable[[Path], None], said: str) -> None:
    path = tmp_path / "s"
    make(path)
    with pytest.raises(StoreFileError, match=said) as error:
        SqliteStore(path, lambda: 0.0)
    assert error.value.advice


def test_a_store_in_use_is_refused(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "s", lambda: 0.0)
    with pytest.raises(StoreFileError, match="another netsim is using this store"):
        SqliteStore(tmp_path / "s", lambda: 0.0)
    first.close()


def test_a_store_is_read_by_several_at_once(tmp_path: Path) -> None:
    first = SqliteStore(tmp_path / "s", lambda: 0.0)
    put(first, "a")
    first.close()
    readers = [SqliteStore(tmp_path / "s", lambda: 0.0, read_only=True) for _ in range(2)]
    assert [list(keys(reader)) for reader in readers] == [["a"], ["a"]]
    for reader in readers:
        reader.close()
    with pytest.raises(StoreFileError, match="unable to open"):
        SqliteStore(tmp_path / "none", lambda: 0.0, read_only=True)
    assert not (tmp_path / "none").exists()
