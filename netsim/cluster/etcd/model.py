"""Requests and answers of the key-value store, in etcd's own words.

Ref: api/etcdserverpb/rpc.proto, api/mvccpb/kv.proto (etcd v3.6). A value is a JSON document; etcd would hold its text.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.objects.json import Json


@dataclass(frozen=True, slots=True)
class KeyValue:
    """One key as of a revision. ``version`` counts its puts since it was created; ``lease`` 0: it is attached to none."""

    key: str
    value: Json
    create_revision: int
    mod_revision: int
    version: int
    lease: int = 0


class EventType(Enum):
    """What a transaction did to a key."""

    PUT = "PUT"
    DELETE = "DELETE"


@dataclass(frozen=True, slots=True)
class KeyEvent:
    """One change. Of a DELETE ``kv`` holds the key and the revision only; ``previous`` is what was there before, None for a new key."""

    type: EventType
    kv: KeyValue
    previous: KeyValue | None


# --- transactions -----------------------------------------------------------------------------------------------


class Target(Enum):
    """What of a key is compared."""

    VERSION = "version"
    CREATE_REVISION = "create_revision"
    MOD_REVISION = "mod_revision"
    VALUE = "value"
    LEASE = "lease"


class Result(Enum):
    """How it is compared."""

    EQUAL = "="
    NOT_EQUAL = "!="
    GREATER = ">"
    LESS = "<"


@dataclass(frozen=True, slots=True)
class Compare:
    """One condition. A key that is not there has version, revisions and lease 0; its value equals nothing."""

    key: str
    target: Target
    result: Result
    operand: Json


@dataclass(frozen=True, slots=True)
class Put:
    """Write a key. ``lease``: attach it to that lease, 0 to none."""

    key: str
    value: Json
    lease: int = 0


@dataclass(frozen=True, slots=True)
class DeleteRange:
    """Delete the keys from ``key`` up to but not including ``end``; without an end that one key."""

    key: str
    end: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """Read the keys from ``key`` up to but not including ``end``, in order; ``limit`` 0: all, ``revision`` 0: as they are now."""

    key: str
    end: str = ""
    limit: int = 0
    revision: int = 0


Operation: TypeAlias = Put | DeleteRange | Range


@dataclass(frozen=True, slots=True)
class RangeResponse:
    """``count`` keys are in the range; ``more``: the limit left some out."""

    kvs: tuple[KeyValue, ...]
    count: int
    revision: int

    @property
    def more(self) -> bool:
        """True where the limit left some out."""
        return self.count > len(self.kvs)


@dataclass(frozen=True, slots=True)
class PutResponse:
    """What was there before, None for a new key."""

    previous: KeyValue | None


@dataclass(frozen=True, slots=True)
class DeleteRangeResponse:
    """What was deleted."""

    previous: tuple[KeyValue, ...]


Answer: TypeAlias = PutResponse | DeleteRangeResponse | RangeResponse


@dataclass(frozen=True, slots=True)
class TransactionResponse:
    """``succeeded``: all conditions held, so the first list of operations was done, else the second; ``revision`` afterwards."""

    succeeded: bool
    revision: int
    answers: Sequence[Answer]


# --- leases -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease of ``ttl`` seconds that ends at ``expires`` (seconds of the store's clock) unless it is kept alive."""

    id: int
    ttl: int
    expires: float


@dataclass(frozen=True, slots=True)
class LeaseStatus:
    """A lease, the seconds that are left of it, and the keys that go with it."""

    lease: Lease
    remaining: float
    keys: tuple[str, ...]


# --- refusals ---------------------------------------------------------------------------------------------------


class EtcdError(Exception):
    """A refused request; ``str()`` is etcd's message. Ref: api/v3rpc/rpctypes/error.go (v3.6)."""

    text = ""

    def __init__(self) -> None:
        super().__init__(self.text)


class Compacted(EtcdError):  # noqa: N818 - etcd's own word
    """A revision that history no longer has; ``compacted`` is the newest such."""

    text = "etcdserver: mvcc: required revision has been compacted"

    def __init__(self, compacted: int) -> None:
        super().__init__()
        self.compacted = compacted


class FutureRevision(EtcdError):  # noqa: N818
    """A revision that is not yet written."""

    text = "etcdserver: mvcc: required revision is a future revision"


class LeaseNotFound(EtcdError):  # noqa: N818
    """A lease that was never granted, was revoked, or has expired."""

    text = "etcdserver: requested lease not found"


class LeaseExists(EtcdError):  # noqa: N818
    """A lease with a chosen number that somebody has."""

    text = "etcdserver: lease already exists"


class DuplicateKey(EtcdError):  # noqa: N818
    """A transaction that writes one key twice."""

    text = "etcdserver: duplicate key given in txn request"


class TooManyOperations(EtcdError):  # noqa: N818
    """A transaction of more than 128 operations."""

    text = "etcdserver: too many operations in txn request"


class EmptyKey(EtcdError):  # noqa: N818
    """A request without a key."""

    text = "etcdserver: key is not provided"


def prefix_end(prefix: str) -> str:
    """The ``end`` of a range over every key with a prefix. Ref: client/v3/op.go:GetPrefixRangeEnd()."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else ""
