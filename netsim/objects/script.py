"""What a pod's programs do by themselves, as its annotations say: probes that fail for a while, containers that end.

``netsim.io/probe: readiness=fail@30s-60s, app/liveness=fail@2m``: from when (included) until when (not included) a probe fails, in time
since the pod's sandbox was made; without an end for ever, without a start from the beginning, without a container in every one.

``netsim.io/exit: 1@10s, migrate=0@5s``: with which code a container ends, and how long after each of its starts (at once where that
is not said). Without it init containers end at once with 0, and others run on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import inf

from netsim.dataclass import dataclass

PROBE_ANNOTATION = "netsim.io/probe"
EXIT_ANNOTATION = "netsim.io/exit"

_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h))+|\d+(?:\.\d+)?"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PROBE = re.compile(
    rf"(?:(?P<container>[a-z0-9-]+)/)?(?P<probe>startup|readiness|liveness)=fail(?:@(?P<start>{_DURATION})(?:-(?P<end>{_DURATION})?)?)?"
)
_EXIT = re.compile(rf"(?:(?P<container>[a-z0-9-]+)=)?(?P<code>\d{{1,3}})(?:@(?P<after>{_DURATION}))?")


class ScriptError(ValueError):
    """A script that cannot be read; the message names the item."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A probe that fails in seconds ``start`` to ``end`` of its pod's life; ``container`` empty: of every container."""

    container: str
    probe: str
    start: float = 0.0
    end: float = inf


@dataclass(frozen=True, slots=True)
class Exit:
    """A container that ends with a code so many seconds after each start; ``container`` empty: every one but init containers."""

    container: str
    code: int
    after: float = 0.0


def seconds(text: str) -> float:
    """``90``, ``1m30s`` or ``500ms`` in seconds. Raises ValueError for what is no time."""
    if re.fullmatch(_DURATION, text, re.ASCII) is None:
        raise ValueError(f"{text!r} is no time, such as 10s, 1m30s or 250ms")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float(text)


def parse_failures(text: str) -> tuple[Failure, ...]:
    """Read the annotation ``netsim.io/probe``. Raises ScriptError."""
    return tuple(_failure(item) for item in _items(text))


def _failure(item: str) -> Failure:
    found = _PROBE.fullmatch(item)
    if found is None:
        raise ScriptError(f'"{item}" is not [CONTAINER/]PROBE=fail[@START[-END]], such as readiness=fail@30s-60s')
    start = seconds(found["start"]) if found["start"] else 0.0
    end = seconds(found["end"]) if found["end"] else inf
    if end <= start:
        raise ScriptError(f'"{item}": it ends before it begins')
    return Failure(found["container"] or "", found["probe"], start, end)


def parse_exits(text: str) -> tuple[Exit, ...]:
    """Read the annotation ``netsim.io/exit``. Raises ScriptError."""
    return tuple(_exit(item) for item in _items(text))


def _exit(item: str) -> Exit:
    found = _EXIT.fullmatch(item)
    if found is None or int(found["code"]) > 255:
        raise ScriptError(f'"{item}" is not [CONTAINER=]CODE[@TIME] with a code from 0 to 255, such as 1@10s')
    return Exit(found["container"] or "", int(found["code"]), seconds(found["after"]) if found["after"] else 0.0)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


@dataclass(frozen=True, slots=True)
class Script:
    """What both annotations of one pod say."""

    failures: tuple[Failure, ...] = ()
    exits: tuple[Exit, ...] = ()

    @classmethod
    def of(cls, annotations: Mapping[str, str]) -> Script:
        """Read them. What cannot be read says nothing: it was refused when it was loaded."""
        if PROBE_ANNOTATION not in annotations and EXIT_ANNOTATION not in annotations:
            return NO_SCRIPT
        try:
            probes, exits = annotations.get(PROBE_ANNOTATION, ""), annotations.get(EXIT_ANNOTATION, "")
            return cls(parse_failures(probes), parse_exits(exits))
        except ScriptError:
            return NO_SCRIPT

    def exit_of(self, container: str, *, init: bool) -> Exit | None:
        """How a container ends by itself, None where it runs on."""
        named = next((e for e in self.exits if e.container == container), None)
        if named is not None or init:
            return named or Exit(container, 0)
        return next((e for e in self.exits if not e.container), None)


NO_SCRIPT = Script()
