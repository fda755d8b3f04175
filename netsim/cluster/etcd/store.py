"""The key-value store's interface, and all of it that does not depend on where keys are kept.

Ref: server/etcdserver/apply/uber_apply.go, server/storage/mvcc/{kvstore_txn,watchable_store}.go, server/lease/lessor.go (etcd v3.6).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, assert_never

from netsim.cluster.etcd.model import (
    Answer,
    Compacted,
    Compare,
    DeleteRange,
    DeleteRangeResponse,
    DuplicateKey,
    EmptyKey,
    EventType,
    FutureRevision,
    KeyEvent,
    KeyValue,
    Lease,
    LeaseExists,
    LeaseNotFound,
    LeaseStatus,
    Operation,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Result,
    Target,
    TooManyOperations,
    TransactionResponse,
)
from netsim.objects.json import Json

MAX_OPERATIONS: Final = 128
"""etcd's --max-txn-ops."""


class KeyValueStore(Protocol):
    """etcd as its clients see it. Every method may raise EtcdError; what has expired is gone before a method looks."""

    @property
    def revision(self) -> int:
        """The revision of the last transaction that changed anything; 1 before the first, as in etcd."""

    @property
    def compacted(self) -> int:
        """The revision up to which history was forgotten, 0 where none was."""

    def range(self, request: Range) -> RangeResponse:
        """Read keys. Raises Compacted and FutureRevision for a revision that is not there."""

    def transact(
        self, compares: Sequence[Compare], success: Sequence[Operation], failure: Sequence[Operation] = ()
    ) -> TransactionResponse:
        """Do the operations of ``success`` where every condition holds, else those of ``failure``: all or none, in one revision."""

    def events(self, after: int, key: str = "", end: str = "") -> Sequence[KeyEvent]:
        """What has changed after a revision, in order; of one key, of a range, or (no key) of all. Raises Compacted."""

    def compact(self, revision: int) -> None:
        """Forget what was before a revision. Raises Compacted and FutureRevision."""

    def grant(self, ttl: int, lease: int = 0) -> Lease:
        """A lease of ``ttl`` seconds; its number is chosen where none is given. Raises LeaseExists."""

    def keep_alive(self, lease: int) -> Lease:
        """Let a lease begin anew. Raises LeaseNotFound."""

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys in one revision. Raises LeaseNotFound."""

    def time_to_live(self, lease: int) -> LeaseStatus:
        """A lease's remaining time and its keys. Raises LeaseNotFound."""

    def leases(self) -> tuple[Lease, ...]:
        """Every lease, by number."""

    def close(self) -> None:
        """Let go of what holds the keys."""


class EmbeddedStore(ABC):
    """Transactions, comparisons and leases over a few primitives that say where keys and history are kept.

    ``now``: seconds of the clock by which leases expire.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._revision = 1
        self._compacted = 0
        self._leases: dict[int, Lease] = {}
        self._attached: dict[int, dict[str, None]] = {}
        self._next_expiry = float("inf")

    # --- where keys are kept ----------------------------------------------------------------------------------------

    @abstractmethod
    def _find(self, key: str) -> KeyValue | None:
        """A key as it is now."""

    @abstractmethod
    def _scan(self, key: str, end: str, revision: int) -> list[KeyValue]:
        """The keys of a range as of a revision (0: now), in order."""

    @abstractmethod
    def _append(self, events: Sequence[KeyEvent]) -> None:
        """Write down one transaction's changes, all or none."""

    @abstractmethod
    def _history(self, after: int) -> Iterable[KeyEvent]:
        """The changes after a revision, in order."""

    @abstractmethod
    def _forget(self, revision: int) -> None:
        """Drop what was superseded at or before a revision, and the changes up to it."""

    @abstractmethod
    def _save_lease(self, lease: Lease) -> None:
        """Write down a lease."""

    @abstractmethod
    def _drop_lease(self, lease: int) -> None:
        """Strike out a lease."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what holds the keys."""

    # --- reading ----------------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """The revision of the last transaction that changed anything."""
        self._expire()
        return self._revision

    @property
    def compacted(self) -> int:
        """The revision up to which history was forgotten, 0 where none was."""
        return self._compacted

    def range(self, request: Range) -> RangeResponse:
        """Read keys. Raises Compacted and FutureRevision for a revision that is not there."""
        self._expire()
        return self._ranged(request)

    def events(self, after: int, key: str = "", end: str = "") -> Sequence[KeyEvent]:
        """What has changed after a revision, in order. Raises Compacted."""
        self._expire()
        if after < self._compacted:
            raise Compacted(self._compacted)
        return [event for event in self._history(after) if not key or _within(event.kv.key, key, end)]

    def _ranged(self, request: Range, pending: Mapping[str, KeyEvent] | None = None) -> RangeResponse:
        if not request.key:
            raise EmptyKey
        if request.revision > self._revision:
            raise FutureRevision
        if 0 < request.revision < self._compacted:
            raise Compacted(self._compacted)
        found = self._scan(request.key, request.end, request.revision)
        if pending and not request.revision:
            changed = {key: event for key, event in pending.items() if _within(key, request.key, request.end)}
            put = [event.kv for event in changed.values() if event.type is EventType.PUT]
            found = sorted([kv for kv in found if kv.key not in changed] + put, key=lambda kv: kv.key)
        kept = found[: request.limit] if request.limit else found
        return RangeResponse(tuple(kept), len(found), self._revision)

    # --- writing ----------------------------------------------------------------------------------------------------

    def transact(
        self, compares: Sequence[Compare], success: Sequence[Operation], failure: Sequence[Operation] = ()
    ) -> TransactionResponse:
        """Do one list of operations or the other: all or none, in one revision."""
        self._expire()
        for operations in (success, failure):
            self._check(operations)
        succeeded = all(_holds(compare, self._find(compare.key)) for compare in compares)
        operations = success if succeeded else failure
        events: dict[str, KeyEvent] = {}
        answers = [self._do(operation, events) for operation in operations]
        self._commit(list(events.values()))
        return TransactionResponse(succeeded, self._revision, answers)

    def compact(self, revision: int) -> None:
        """Forget what was before a revision. Raises Compacted and FutureRevision."""
        self._expire()
        if revision <= self._compacted:
            raise Compacted(self._compacted)
        if revision > self._revision:
            raise FutureRevision
        self._compacted = revision
        self._forget(revision)

    def _check(self, operations: Sequence[Operation]) -> None:
        if len(operations) > MAX_OPERATIONS:
            raise TooManyOperations
        puts = [operation for operation in operations if isinstance(operation, Put)]
        for number, put in enumerate(puts):
            if put.lease and put.lease not in self._leases:
                raise LeaseNotFound
            if any(put.key == other.key for other in puts[:number]):
                raise DuplicateKey
        for operation in operations:
            if not operation.key:
                raise EmptyKey
            if isinstance(operation, DeleteRange) and any(_within(p.key, operation.key, operation.end) for p in puts):
                raise DuplicateKey

    def _do(self, operation: Operation, events: dict[str, KeyEvent]) -> Answer:
        """One operation of a transaction; it sees what those before it did."""
        match operation:
            case Put():
                before = self._find(operation.key)
                events[operation.key] = _put(operation, before, self._revision + 1)
                return PutResponse(before)
            case DeleteRange():
                gone = [operation.key] if not operation.end else []
                found = self._scan(operation.key, operation.end, 0) if operation.end else [self._find(gone[0])]
                deleted = [kv for kv in found if kv is not None and kv.key not in events]  # not twice by two ranges
                for kv in deleted:
                    events[kv.key] = _deleted(kv, self._revision + 1)
                return DeleteRangeResponse(tuple(deleted))
            case Range():
                return self._ranged(operation, events)
            case _:
                assert_never(operation)

    def _commit(self, events: Sequence[KeyEvent]) -> None:
        if not events:
            return
        self._revision += 1
        self._append(events)
        for event in events:
            self._attach(event)

    def _attach(self, event: KeyEvent) -> None:
        key, before = event.kv.key, event.previous
        if before is not None and before.lease and before.lease != event.kv.lease:
            self._attached.get(before.lease, {}).pop(key, None)
        if event.kv.lease:
            self._attached.setdefault(event.kv.lease, {})[key] = None

    # --- leases -----------------------------------------------------------------------------------------------------

    def grant(self, ttl: int, lease: int = 0) -> Lease:
        """A lease of ``ttl`` seconds; its number is the next free one where none is given. Raises LeaseExists."""
        self._expire()
        if lease in self._leases:
            raise LeaseExists
        number = lease or max(self._leases, default=0) + 1
        return self._granted(Lease(number, ttl, self._now() + ttl))

    def keep_alive(self, lease: int) -> Lease:
        """Let a lease begin anew. Raises LeaseNotFound."""
        found = self._lease(lease)
        return self._granted(Lease(found.id, found.ttl, self._now() + found.ttl))

    def revoke(self, lease: int) -> None:
        """End a lease and delete its keys in one revision. Raises LeaseNotFound."""
        self._lease(lease)
        self._end(lease)

    def time_to_live(self, lease: int) -> LeaseStatus:
        """A lease's remaining time and its keys. Raises LeaseNotFound."""
        found = self._lease(lease)
        return LeaseStatus(found, found.expires - self._now(), tuple(sorted(self._attached.get(lease, ()))))

    def leases(self) -> tuple[Lease, ...]:
        """Every lease, by number."""
        self._expire()
        return tuple(self._leases[number] for number in sorted(self._leases))

    def _lease(self, number: int) -> Lease:
        self._expire()
        if number not in self._leases:
            raise LeaseNotFound
        return self._leases[number]

    def _granted(self, lease: Lease) -> Lease:
        self._leases[lease.id] = lease
        self._save_lease(lease)
        self._next_expiry = min(found.expires for found in self._leases.values())
        return lease

    def _end(self, lease: int) -> None:
        del self._leases[lease]
        self._drop_lease(lease)
        keys = sorted(self._attached.pop(lease, ()))
        found = [kv for kv in map(self._find, keys) if kv is not None]
        self._commit([_deleted(kv, self._revision + 1) for kv in found])
        self._next_expiry = min((left.expires for left in self._leases.values()), default=float("inf"))

    def _expire(self) -> None:
        """End the leases whose time is over, the oldest first."""
        while self._next_expiry <= self._now():
            self._end(min(self._leases.values(), key=lambda lease: (lease.expires, lease.id)).id)


def _within(key: str, start: str, end: str) -> bool:
    return start <= key < end if end else key == start


def _put(put: Put, before: KeyValue | None, revision: int) -> KeyEvent:
    if before is None:
        now = KeyValue(put.key, put.value, revision, revision, 1, put.lease)
    else:
        now = KeyValue(put.key, put.value, before.create_revision, revision, before.version + 1, put.lease)
    return KeyEvent(EventType.PUT, now, before)


def _deleted(before: KeyValue, revision: int) -> KeyEvent:
    return KeyEvent(EventType.DELETE, KeyValue(before.key, None, 0, revision, 0), before)


def _holds(compare: Compare, kv: KeyValue | None) -> bool:
    if compare.target is Target.VALUE and kv is None:
        return False
    found: Json = getattr(kv, compare.target.value) if kv is not None else 0
    match compare.result:
        case Result.EQUAL:
            return bool(found == compare.operand)
        case Result.NOT_EQUAL:
            return bool(found != compare.operand)
        case Result.GREATER | Result.LESS:
            return _ordered(found, compare.operand, greater=compare.result is Result.GREATER)
        case _:
            assert_never(compare.result)


def _ordered(found: Json, operand: Json, *, greater: bool) -> bool:
    if isinstance(found, int | float) and isinstance(operand, int | float):
        return found > operand if greater else found < operand
    if isinstance(found, str) and isinstance(operand, str):
        return found > operand if greater else found < operand
    return False
