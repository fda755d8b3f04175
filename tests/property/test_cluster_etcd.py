"""Random requests: the store in memory and the one in a file answer the same, and history says what the past was."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.cluster.clock import VirtualClock
from netsim.cluster.etcd.memory import MemoryStore
from netsim.cluster.etcd.model import Compare, DeleteRange, EtcdError, EventType, Put, Range, Result, Target
from netsim.cluster.etcd.store import KeyValueStore
from netsim.persistence.sqlite import SqliteStore

KEYS = st.sampled_from(["/a", "/a/1", "/a/2", "/b/1", "/c"])
VALUES = st.one_of(st.none(), st.text("xy", max_size=2), st.integers(0, 3), st.just({"k": [1, "ü", None]}))
ENDS = st.sampled_from(["", "/b", "/z"])
OPERATIONS = st.one_of(
    st.builds(Put, KEYS, VALUES, st.integers(0, 2)),
    st.builds(DeleteRange, KEYS, ENDS),
    st.builds(Range, KEYS, ENDS, st.integers(0, 2)),
)
COMPARES = st.builds(Compare, KEYS, st.sampled_from(Target), st.sampled_from(Result), st.integers(0, 4))
STEPS = st.one_of(
    st.tuples(
        st.just("transact"),
        st.lists(COMPARES, max_size=2),
        st.lists(OPERATIONS, max_size=3),
        st.lists(OPERATIONS, max_size=2),
    ),
    st.tuples(st.just("compact"), st.integers(1, 9)),
    st.tuples(st.just("grant"), st.integers(1, 5), st.integers(0, 2)),
    st.tuples(st.just("keep_alive"), st.integers(1, 2)),
    st.tuples(st.just("revoke"), st.integers(1, 2)),
    st.tuples(st.just("time_to_live"), st.integers(1, 2)),
    st.tuples(st.just("advance"), st.integers(1, 3)),
    st.tuples(st.just("range"), st.builds(Range, KEYS, ENDS, st.integers(0, 2), st.integers(0, 9))),
)


def asked(store: KeyValueStore, name: str, *arguments: Any) -> object:
    try:
        return getattr(store, name)(*arguments)
    except EtcdError as error:
        return str(error)


def replayed(store: KeyValueStore, after: int) -> dict[str, object]:
    """What is there now, from what was there after a revision and the changes since."""
    state = {kv.key: kv.value for kv in store.range(Range("/", "0", revision=after)).kvs}
    for event in store.events(after):
        assert (event.previous.value if event.previous else None) == state.get(event.kv.key)
        if event.type is EventType.PUT:
            state[event.kv.key] = event.kv.value
        else:
            del state[event.kv.key]
    return state


@settings(deadline=None)
@given(st.lists(STEPS, max_size=15))
def test_both_implementations_answer_the_same(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        clock = VirtualClock()
        memory, file = MemoryStore(clock.now), SqliteStore(Path(folder) / "s", clock.now)
        for name, *arguments in steps:
            if name == "advance":
                clock.advance_to(clock.now() + arguments[0])
                continue
            assert asked(memory, name, *arguments) == asked(file, name, *arguments)
            assert memory.revision == file.revision
        assert memory.events(memory.compacted) == file.events(file.compacted)
        now = {kv.key: kv.value for kv in memory.range(Range("/", "0")).kvs}
        for revision in range(max(1, memory.compacted), memory.revision + 1):
            assert replayed(memory, revision) == replayed(file, revision) == now
        file.close()
        again = SqliteStore(Path(folder) / "s", clock.now)
        assert {kv.key: kv.value for kv in again.range(Range("/", "0")).kvs} == now
        assert again.leases() == memory.leases()
        again.close()
