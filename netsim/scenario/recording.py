"""A cluster at rest in a file: every revision of its objects, its events and its clock, to be looked at again without settling anew.

The file is the API server's key-value store (``netsim.persistence.sqlite``), with what is not an object beside it under ``/netsim/``.
What is on the nodes is not in it: a recorded cluster is read, not run on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from netsim.cluster.admission import Admission
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import is_mapping, list_at, text_at
from netsim.cluster.etcd.model import DeleteRange, EventType, Put, Range, prefix_end
from netsim.cluster.etcd.store import KeyValueStore
from netsim.cluster.events import Event, Severity
from netsim.cluster.store import Store
from netsim.objects.json import Document, Json
from netsim.objects.meta import Key
from netsim.persistence.sqlite import SqliteStore, StoreFileError

if TYPE_CHECKING:
    from netsim.cluster.api import Api
    from netsim.cluster.controlplane import ControlPlane

_EVENTS, _ADMISSION = "/netsim/events/", "/netsim/admission/"


@dataclass
class Recorded:
    """What a file holds of a control plane: as much of ``ControlPlane`` as reading needs."""

    clock: VirtualClock
    store: Store
    events: tuple[Event, ...] = ()
    admission: Admission = field(default_factory=Admission)

    @cached_property
    def api(self) -> Api:
        """The verbs of users."""
        from netsim.cluster.api import Api

        return Api(self.store, self.clock, ())


def record(plane: ControlPlane, path: Path) -> None:
    """Write a control plane at rest to a file, whole or not at all. Raises StoreFileError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        file = SqliteStore(beside, plane.clock.now)
        try:
            with file.batch():
                _replay(plane.store.backend, file)
                for number, event in enumerate(plane.events):
                    file.transact((), (Put(f"{_EVENTS}{number:08}", _event_document(event)),))
                for key, plugins in plane.admission.changes():
                    name = f"{_ADMISSION}{key.kind}/{key.namespace}/{key.name}"
                    file.transact((), (Put(name, {"plugins": list(plugins)}),))
                file.keep_number("clock", plane.clock.now())
                file.keep_number("version", int(plane.store.resource_version))
        finally:
            file.close()
        beside.replace(path)
    except StoreFileError as error:
        raise StoreFileError(error.message.replace(str(beside), str(path)), error.advice) from error
    except OSError as error:
        raise StoreFileError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def recorded(path: Path) -> Recorded:
    """What a file holds; its store's ``backend`` is to be closed. Raises StoreFileError."""
    clock = VirtualClock()
    file = SqliteStore(path, clock.now, read_only=True)
    clock.advance_to(file.number("clock"))
    events = tuple(_event(value) for _, value in _under(file, _EVENTS))
    admission = Admission()
    for name, value in _under(file, _ADMISSION):
        admission.restore(Key(*name.split("/")), tuple(map(str, list_at(value, "plugins"))))
    return Recorded(clock, Store(clock, backend=file), events, admission)


def _replay(source: KeyValueStore, target: KeyValueStore) -> None:
    """The same revisions in another store. Leases stay behind: what is recorded does not expire."""
    events = source.events(source.compacted)
    for _, changes in groupby(events, key=lambda event: event.kv.mod_revision):
        operations = [
            Put(event.kv.key, event.kv.value) if event.type is EventType.PUT else DeleteRange(event.kv.key)
            for event in changes
        ]
        target.transact((), operations)


def _under(store: KeyValueStore, prefix: str) -> Iterator[tuple[str, Document]]:
    for kv in store.range(Range(prefix, prefix_end(prefix))).kvs:
        if is_mapping(kv.value):
            yield kv.key.removeprefix(prefix), kv.value


def _event_document(event: Event) -> Document:
    place: list[Json] = [event.object.kind, event.object.namespace, event.object.name]
    return {
        "severity": event.severity.value,
        "reason": event.reason,
        "object": place,
        "message": event.message,
        "source": event.source,
        "first": event.first,
        "last": event.last,
        "count": event.count,
    }


def _event(document: Document) -> Event:
    kind, namespace, name = map(str, list_at(document, "object"))
    first, last, count = (document.get(key) for key in ("first", "last", "count"))
    assert isinstance(first, int | float)
    assert isinstance(last, int | float)
    assert isinstance(count, int)
    reason, message, source = (text_at(document, key) for key in ("reason", "message", "source"))
    severity = Severity(text_at(document, "severity"))
    return Event(severity, reason, Key(kind, namespace, name), message, source, first, last, count)
