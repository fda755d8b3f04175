"""The key-value store in an SQLite file.

A revision is on the disk before its transaction answers, and a file is either of before or of after it. One process writes at a
time: a second one is refused at once.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from netsim.cluster.etcd.model import EventType, KeyEvent, KeyValue, Lease
from netsim.cluster.etcd.store import EmbeddedStore

_APPLICATION = 0x6E73696D  # "nsim"
_FORMAT = 1
_TABLES = """
CREATE TABLE IF NOT EXISTS version (
  key TEXT NOT NULL, mod_revision INTEGER NOT NULL, sub INTEGER NOT NULL, create_revision INTEGER NOT NULL,
  version INTEGER NOT NULL, lease INTEGER NOT NULL, value TEXT, superseded INTEGER,
  PRIMARY KEY (key, mod_revision)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_revision ON version (mod_revision, sub);
CREATE INDEX IF NOT EXISTS attached ON version (lease, key) WHERE lease != 0 AND superseded IS NULL;
CREATE TABLE IF NOT EXISTS lease (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL, expires REAL NOT NULL);
CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, value REAL NOT NULL);
"""
_COLUMNS = "key, value, create_revision, mod_revision, version, lease"


class StoreFileError(ValueError):
    """A file that cannot be used as a store; ``advice`` says what to do."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


class SqliteStore(EmbeddedStore):
    """Every key's versions since the last compaction are rows; a deletion is a row of version 0.

    ``read_only``: the file has to be there, nothing is written, and others may read it meanwhile.
    Raises StoreFileError where the path cannot be opened, is no store, is one of a newer netsim, or is in use.
    """

    def __init__(self, path: Path, now: Callable[[], float], *, read_only: bool = False) -> None:
        super().__init__(now)
        self._path = path
        place = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        try:
            self._connection = sqlite3.connect(place, uri=True, timeout=0, isolation_level=None)
            self._open(read_only=read_only)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise StoreFileError(
                    f"{path}: another netsim is using this store", "wait until it has ended"
                ) from error
            raise StoreFileError(f"{path}: {error}", "name a file in a folder that is there and writable") from error
        except sqlite3.DatabaseError as error:
            raise StoreFileError(
                f"{path}: {error}", "name a file that netsim made, or one that is not there"
            ) from error

    def _open(self, *, read_only: bool) -> None:
        run = self._connection.execute
        application, format_ = run("PRAGMA application_id").fetchone()[0], run("PRAGMA user_version").fetchone()[0]
        used = run("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (used or read_only) and application != _APPLICATION:
            raise StoreFileError(
                f"{self._path}: not a store of netsim, but another database", "name a file that is not there"
            )
        if format_ > _FORMAT:
            advice = f"this netsim reads format {_FORMAT}; use the newer one, or another file"
            raise StoreFileError(f"{self._path}: a store of format {format_}, of a newer netsim", advice)
        if not read_only:
            self._prepare()
        self._load()

    def _prepare(self) -> None:
        run = self._connection.execute
        run("PRAGMA locking_mode = EXCLUSIVE")
        run("PRAGMA synchronous = NORMAL")
        run("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            run(statement)
        run(f"PRAGMA application_id = {_APPLICATION}")
        run(f"PRAGMA user_version = {_FORMAT}")
        run("COMMIT")

    def _load(self) -> None:
        run = self._connection.execute
        numbers = dict(run("SELECT name, value FROM number"))
        self._revision, self._compacted = int(numbers.get("revision", 1)), int(numbers.get("compacted", 0))
        self._leases, self._attached = {}, {}
        for number, ttl, expires in run("SELECT id, ttl, expires FROM lease ORDER BY id"):
            self._leases[number] = Lease(number, ttl, expires)
        for number, key in run("SELECT lease, key FROM version WHERE lease != 0 AND superseded IS NULL ORDER BY key"):
            self._attached.setdefault(number, {})[key] = None
        self._next_expiry = min((lease.expires for lease in self._leases.values()), default=float("inf"))

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def number(self, name: str) -> float:
        """A number that was kept beside the keys, 0 where there is none."""
        row = self._connection.execute("SELECT value FROM number WHERE name = ?", (name,)).fetchone()
        return float(row[0]) if row else 0.0

    def keep_number(self, name: str, value: float) -> None:
        """Keep a number beside the keys, such as the time on the clock."""
        self._connection.execute("INSERT OR REPLACE INTO number VALUES (?, ?)", (name, value))

    @contextmanager
    def batch(self) -> Iterator[None]:
        """One disk transaction around many of the store's: all that is done inside is kept, or (on an exception) nothing."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            self._load()
            raise
        self._connection.execute("COMMIT")

    # --- where keys are kept ----------------------------------------------------------------------------------------

    def _find(self, key: str) -> KeyValue | None:
        row = self._connection.execute(
            f"SELECT {_COLUMNS} FROM version WHERE key = ? AND superseded IS NULL AND version > 0", (key,)
        ).fetchone()
        return None if row is None else _key_value(row)

    def _scan(self, key: str, end: str, revision: int) -> list[KeyValue]:
        where, values = ("key >= ? AND key < ?", (key, end)) if end else ("key = ?", (key,))
        when: tuple[int, ...] = ()
        if revision:
            where += " AND mod_revision <= ? AND (superseded IS NULL OR superseded > ?)"
            when = (revision, revision)
        else:
            where += " AND superseded IS NULL"
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM version WHERE {where} AND version > 0 ORDER BY key", (*values, *when)
        )
        return [_key_value(row) for row in rows]

    def _append(self, events: Sequence[KeyEvent]) -> None:
        run = self._connection.execute
        outermost = not self._connection.in_transaction
        if outermost:
            run("BEGIN IMMEDIATE")
        for sub, event in enumerate(events):
            kv = event.kv
            run("UPDATE version SET superseded = ? WHERE key = ? AND superseded IS NULL", (kv.mod_revision, kv.key))
            text = json.dumps(kv.value, separators=(",", ":"), ensure_ascii=False) if kv.version else None
            row = (kv.key, kv.mod_revision, sub, kv.create_revision, kv.version, kv.lease, text)
            run("INSERT INTO version VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", row)
        self.keep_number("revision", self._revision)
        if outermost:
            run("COMMIT")

    def _history(self, after: int) -> Iterable[KeyEvent]:
        columns = ", ".join(f"{side}.{name}" for side in ("now", "old") for name in _COLUMNS.split(", "))
        rows = self._connection.execute(
            f"SELECT {columns} FROM version AS now LEFT JOIN version AS old"
            " ON old.key = now.key AND old.superseded = now.mod_revision AND old.version > 0"
            " WHERE now.mod_revision > ? ORDER BY now.mod_revision, now.sub",
            (after,),
        )
        for row in rows:
            now, old = _key_value(row[:6]), None if row[6] is None else _key_value(row[6:])
            yield KeyEvent(EventType.PUT if now.version else EventType.DELETE, now, old)

    def _forget(self, revision: int) -> None:
        run = self._connection.execute
        run("DELETE FROM version WHERE superseded <= ?", (revision,))
        run("DELETE FROM version WHERE version = 0 AND mod_revision <= ?", (revision,))
        self.keep_number("compacted", revision)

    def _save_lease(self, lease: Lease) -> None:
        self._connection.execute("INSERT OR REPLACE INTO lease VALUES (?, ?, ?)", (lease.id, lease.ttl, lease.expires))

    def _drop_lease(self, lease: int) -> None:
        self._connection.execute("DELETE FROM lease WHERE id = ?", (lease,))


def _key_value(row: tuple[str, str | None, int, int, int, int]) -> KeyValue:
    key, text, created, modified, version, lease = row
    return KeyValue(key, None if text is None else json.loads(text), created, modified, version, lease)
