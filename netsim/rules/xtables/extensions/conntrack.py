"""``-m conntrack`` and ``-m state``. Ref: iptables extensions/libxt_conntrack.c (v1.8.9)."""

from __future__ import annotations

from functools import partial

from netsim.net.address import Family
from netsim.rules.xtables.ast import ConntrackMatch, CtState, CtStatusName, PortMatch, PrefixMatch, ProtocolMatch
from netsim.rules.xtables.matches import NumberRange
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.values import (
    read_integer_range,
    read_ports,
    read_prefix,
    read_protocol,
    write_host,
    write_ports,
)

_STATE_ORDER = ("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED", "SNAT", "DNAT")
_STATE_MODULE = frozenset(("INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"))
_ADDRESSES = ("ctorigsrc", "ctorigdst", "ctreplsrc", "ctrepldst")
_PORTS = ("ctorigsrcport", "ctorigdstport", "ctreplsrcport", "ctrepldstport")


def _read_states(allowed: frozenset[str], text: str) -> frozenset[CtState]:
    names = text.upper().split(",")
    for name in names:
        if name not in allowed:
            raise ValueError(f"bad ctstate {name!r}")
    return frozenset(CtState(name) for name in names)


def _write_states(states: frozenset[CtState]) -> str:
    return ",".join(name for name in _STATE_ORDER if CtState(name) in states)


def _read_direction(text: str) -> str:
    folded = text.upper()
    if folded not in ("ORIGINAL", "REPLY"):
        raise ValueError(f"{text!r} is neither ORIGINAL nor REPLY")
    return folded


def _prefix(given: Given, option: str) -> PrefixMatch | None:
    prefix = given.read(option, partial(read_prefix, family=given.family))
    return None if prefix is None else PrefixMatch(prefix, given.inverted(option))


def _port(given: Given, option: str) -> PortMatch | None:
    ports = given.read(option, read_ports)
    return None if ports is None else PortMatch(ports, given.inverted(option))


def _read_status(text: str) -> frozenset[CtStatusName]:
    names = text.upper().split(",")
    for name in names:
        if name not in CtStatusName.__members__:
            raise ValueError(f"bad ctstatus {name!r}")
    return frozenset(CtStatusName(name) for name in names)


def _read_expire(text: str) -> NumberRange:
    found = read_integer_range(text, 0xFFFFFFFF)
    return NumberRange(found.first, found.last)


def _build(given: Given) -> ConntrackMatch:
    if not given.options:
        raise given.problem("at least one option is required", advice="--ctstate is the usual one")
    protocol = given.read("ctproto", read_protocol)
    return ConntrackMatch(
        states=given.read("ctstate", partial(_read_states, frozenset(_STATE_ORDER))),
        states_inverted=given.inverted("ctstate"),
        direction=given.read("ctdir", _read_direction),
        original_source=_prefix(given, "ctorigsrc"),
        original_destination=_prefix(given, "ctorigdst"),
        reply_source=_prefix(given, "ctreplsrc"),
        reply_destination=_prefix(given, "ctrepldst"),
        original_source_port=_port(given, "ctorigsrcport"),
        original_destination_port=_port(given, "ctorigdstport"),
        reply_source_port=_port(given, "ctreplsrcport"),
        reply_destination_port=_port(given, "ctrepldstport"),
        protocol=None if protocol is None else ProtocolMatch(protocol, given.inverted("ctproto")),
        status=given.read("ctstatus", _read_status),
        status_inverted=given.inverted("ctstatus"),
        expire=given.read("ctexpire", _read_expire),
        expire_inverted=given.inverted("ctexpire"),
    )


def _build_state(given: Given) -> ConntrackMatch:
    states = given.read("state", partial(_read_states, _STATE_MODULE))
    return ConntrackMatch(states=states, states_inverted=given.inverted("state"), as_state=True)


def _words(match: ConntrackMatch, _family: Family) -> list[str]:
    module, option = ("state", "--state") if match.as_state else ("conntrack", "--ctstate")
    words = [module]
    if match.states is not None:
        words += inverting([option, _write_states(match.states)], inverted=match.states_inverted)
    if (protocol := match.protocol) is not None:
        words += inverting(["--ctproto", str(protocol.number)], inverted=protocol.inverted)
    prefixes = (match.original_source, match.original_destination, match.reply_source, match.reply_destination)
    for name, prefix in zip(_ADDRESSES, prefixes, strict=True):
        if prefix is not None:
            words += inverting([f"--{name}", write_host(prefix)], inverted=prefix.inverted)
    ports = (
        match.original_source_port,
        match.original_destination_port,
        match.reply_source_port,
        match.reply_destination_port,
    )
    for name, port in zip(_PORTS, ports, strict=True):
        if port is not None:
            words += inverting([f"--{name}", write_ports(port.ports)], inverted=port.inverted)
    return words + _status_words(match)


def _status_words(match: ConntrackMatch) -> list[str]:
    words: list[str] = []
    if match.status is not None:
        names = ",".join(each.value for each in CtStatusName if each in match.status)
        words += inverting(["--ctstatus", names], inverted=match.status_inverted)
    if (expire := match.expire) is not None:
        ends = str(expire.first) if expire.first == expire.last else f"{expire.first}:{expire.last}"
        words += inverting(["--ctexpire", ends], inverted=match.expire_inverted)
    if match.direction is not None:
        words += ["--ctdir", match.direction]
    return words


CONNTRACK = Extension[ConntrackMatch](
    "conntrack",
    (
        Option("ctstate", invertible=True),
        Option("ctproto", invertible=True),
        *(Option(name, invertible=True) for name in (*_ADDRESSES, *_PORTS)),
        Option("ctstatus", invertible=True),
        Option("ctexpire", invertible=True),
        Option("ctdir"),
    ),
    _build,
    _words,
    (ConntrackMatch,),
)
STATE = Extension[ConntrackMatch]("state", (Option("state", invertible=True, required=True),), _build_state, _words, ())
