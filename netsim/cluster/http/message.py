"""Requests and responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from netsim.cluster.access.users import Certificate
from netsim.dataclass import dataclass
from netsim.objects.json import Document, Json


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``query`` and ``headers`` may hold a name several times; header names are in lower case.

    ``body`` is what was sent, decoded from JSON; None: nothing. ``certificate``: the client's, whose signature the front has checked.
    """

    method: str
    path: str
    query: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    body: Json = None
    certificate: Certificate | None = None

    def parameter(self, name: str) -> str:
        """A query parameter's last value, empty without one."""
        return self.query.get(name, ("",))[-1]

    def flag(self, name: str) -> bool:
        """A query parameter as a truth value. Ref: apimachinery/pkg/runtime/conversion.go:Convert_Slice_string_To_bool()."""
        return name in self.query and self.parameter(name).lower() not in ("false", "0")

    def header(self, name: str) -> str:
        """A header's first value, empty without one."""
        return self.headers.get(name, ("",))[0]


class WatchStream:
    """A watch's events as they go over the wire. Iterate over it whenever the world has moved: it ends where nothing more has come."""

    def __init__(self, read: Callable[[], list[Document]]) -> None:
        self._read = read
        self.closed = False

    def __iter__(self) -> Iterator[Document]:
        """What has come since the last time: ``{"type": "ADDED", "object": {…}}``. An ERROR is the last."""
        if self.closed:
            return
        for event in self._read():
            yield event
            if event["type"] == "ERROR":
                self.closed = True
                return


@dataclass(frozen=True, slots=True)
class Response:
    """One response: a JSON body, a text, or a stream of a watch's events."""

    status: int
    body: Json = None
    text: str = ""
    stream: WatchStream | None = None
    warnings: tuple[str, ...] = ()

    @property
    def headers(self) -> Mapping[str, tuple[str, ...]]:
        """The headers that go with it. Ref: apimachinery/pkg/util/net/http.go:NewWarningHeader()."""
        kind = "text/plain; charset=utf-8" if self.text else "application/json"
        found: dict[str, tuple[str, ...]] = {"content-type": (kind,), "cache-control": ("no-cache, private",)}
        if self.warnings:
            escaped = (w.replace("\\", "\\\\").replace('"', '\\"') for w in self.warnings)
            found["warning"] = tuple(f'299 - "{text}"' for text in escaped)
        return found
