"""The text of ``conntrack -L`` (plain, or with ``-o extended``) → typed entries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, family_of, parse_address
from netsim.rules.conntrack.ast import ICMP, ICMPV6, NAMES, ConntrackEntry, EntryTuple
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables.values import read_integer

STATES = {
    6: (
        *("NONE", "SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT"),
        *("CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSE", "SYN_SENT2"),
    ),
    132: (
        *("NONE", "CLOSED", "COOKIE_WAIT", "COOKIE_ECHOED", "ESTABLISHED"),
        *("SHUTDOWN_SENT", "SHUTDOWN_RECD", "SHUTDOWN_ACK_SENT", "HEARTBEAT_SENT"),
    ),
}
_WITH_PORTS = (6, 17, 33, 132, 136)
_IGNORED = frozenset({"packets", "bytes", "use", "id", "secctx", "labels", "delta-time", "helper"})
_TUPLE_FIELDS = {"sport": "sport", "dport": "dport", "type": "type", "code": "code", "id": "identifier"}
_WORD = re.compile(r"\S+")


class _EntryRefusedError(ValueError):
    """What is wrong at a word (counted from 0) of a line."""

    def __init__(self, message: str, word: int, advice: str = "") -> None:
        super().__init__(message)
        self.word = word
        self.advice = advice


def parse(text: str, file: str) -> tuple[ConntrackEntry, ...]:
    """The entries, in the order of the lines. Raises RuleSyntaxErrors with everything that is no entry, or that contradicts itself."""
    return tuple(_entries(text, file))


def _entries(text: str, file: str) -> Iterator[ConntrackEntry]:
    errors: list[RuleSyntaxError] = []
    found: list[ConntrackEntry] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = [match for match in _WORD.finditer(line) if not line.lstrip().startswith(("#", "conntrack v"))]
        if not words:
            continue
        origin = Origin(file, number, 1, line)
        try:
            found.append(replace(_Line([word[0] for word in words]).read(), origin=origin))
        except _EntryRefusedError as refused:
            place = words[min(refused.word, len(words) - 1)].start() + 1
            errors.append(RuleSyntaxError(str(refused), replace(origin, column=place), refused.advice))
    if errors:
        raise RuleSyntaxErrors(errors)
    return iter(found)


@dataclass(slots=True)
class _Line:
    """One line under work. ``sides`` are the fields of the tuples that were begun: ``src=`` begins one."""

    words: list[str]
    sides: list[dict[str, str]] = field(default_factory=list)
    flags: set[str] = field(default_factory=set)
    others: dict[str, tuple[str, int]] = field(default_factory=dict)

    def read(self) -> ConntrackEntry:
        at = 2 if self.words[0] in ("ipv4", "ipv6") else 0
        protocol = self._protocol(at)
        seconds = self._number(at + 2, "the seconds that the entry lives", lambda text: read_integer(text))
        at += 3
        state: str | None = None
        if protocol in STATES:
            state = self.words[at] if at < len(self.words) else ""
            if state not in STATES[protocol]:
                raise _EntryRefusedError(f"{state!r} is no state", at, f"one of {', '.join(STATES[protocol])}")
            at += 1
        for word in range(at, len(self.words)):
            self._word(word)
        return self._entry(protocol, seconds, state)

    def _protocol(self, at: int) -> int:
        if len(self.words) < at + 3:
            raise _EntryRefusedError("no conntrack entry", at, "such as: udp 17 29 src=… dst=… sport=… dport=… src=…")
        number = self._number(at + 1, "a protocol's number", lambda text: read_integer(text, 255))
        name = self.words[at]
        if name != NAMES.get(number, "unknown"):
            raise _EntryRefusedError(f"protocol {number} is {NAMES.get(number, 'unknown')}, not {name}", at)
        return number

    def _number(self, word: int, what: str, read: Callable[[str], int]) -> int:
        try:
            return read(self.words[word])
        except ValueError:
            raise _EntryRefusedError(f"{self.words[word]!r} is not {what}", word) from None

    def _word(self, at: int) -> None:
        word = self.words[at]
        if word in ("[UNREPLIED]", "[ASSURED]"):
            self.flags.add(word)
            return
        if word in ("[OFFLOAD]", "[HW_OFFLOAD]"):
            raise _EntryRefusedError("offloaded connections are not modelled", at)
        name, equals, value = word.partition("=")
        if not equals:
            raise _EntryRefusedError(f"{word!r} is no field of a conntrack entry", at)
        if name == "src":
            self.sides.append({})
        if name in ("src", "dst", *_TUPLE_FIELDS) and self._belongs_to_tuple(name):
            self.sides[-1][name] = value
        elif name in ("mark", "zone", "zone-orig", "zone-reply"):
            self.others[name] = (value, at)
        elif name not in _IGNORED:
            raise _EntryRefusedError(f"{name!r} is no field of a conntrack entry", at)

    def _belongs_to_tuple(self, name: str) -> bool:
        """``id=`` is ICMP's identifier in a tuple, and the entry's own number behind both."""
        if not self.sides or (len(self.sides) == 2 and name in self.sides[1]):
            return False
        return name != "id" or "type" in self.sides[-1]

    def _entry(self, protocol: int, seconds: int, state: str | None) -> ConntrackEntry:
        if len(self.sides) != 2:
            raise _EntryRefusedError(
                "an entry has two tuples: src=… of the first packet and src=… of its reply", len(self.words)
            )
        original, reply = (_tuple(side, protocol) for side in self.sides)
        families = {family_of(address) for side in (original, reply) for address in (side.src, side.dst)}
        if len(families) > 1:
            raise _EntryRefusedError("the addresses are of both families", 0)
        if protocol == (ICMPV6 if Family.IPV4 in families else ICMP):
            raise _EntryRefusedError(f"{NAMES[protocol]} goes with the other family's addresses", 0)
        zones = [name for name in ("zone", "zone-orig", "zone-reply") if name in self.others]
        direction = {"zone-orig": "ORIGINAL", "zone-reply": "REPLY"}.get(zones[0]) if len(zones) == 1 else None
        return ConntrackEntry(
            protocol=protocol,
            seconds=seconds,
            original=original,
            reply=reply,
            state=state,
            seen_reply="[UNREPLIED]" not in self.flags,
            assured="[ASSURED]" in self.flags,
            mark=self._other("mark", 0xFFFFFFFF),
            zone=self._other(zones[0], 0xFFFF) if zones else 0,
            zone_direction=direction,
        )

    def _other(self, name: str, most: int) -> int:
        value, word = self.others.get(name, ("0", 0))
        try:
            return read_integer(value, most)
        except ValueError as problem:
            raise _EntryRefusedError(f"{name}: {problem}", word) from None


def _tuple(side: dict[str, str], protocol: int) -> EntryTuple:
    needed = ["src", "dst"]
    if protocol in _WITH_PORTS:
        needed += ["sport", "dport"]
    if protocol in (ICMP, ICMPV6):
        needed += ["type", "code", "id"]
    for name in needed:
        if name not in side:
            raise _EntryRefusedError(
                f"a tuple has no {name}=", 0, f"a {NAMES.get(protocol)} tuple has {', '.join(needed)}"
            )
    numbers = {field: _field(name, side[name]) for name, field in _TUPLE_FIELDS.items() if name in side}
    return EntryTuple(_address(side["src"]), _address(side["dst"]), **numbers)


def _field(name: str, text: str) -> int:
    try:
        return read_integer(text, 0xFF if name in ("type", "code") else 0xFFFF)
    except ValueError as problem:
        raise _EntryRefusedError(f"{name}: {problem}", 0) from None


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        raise _EntryRefusedError(f"{text!r} is no address", 0) from None
