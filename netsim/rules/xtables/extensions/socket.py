"""Matches and targets that ask for sockets and routes, and NFQUEUE: owner, socket, rpfilter, TPROXY.

Ref: iptables extensions/libxt_owner.c, libxt_socket.c, libxt_rpfilter.c, libxt_TPROXY.c, libxt_NFQUEUE.c (v1.8.9).
"""

from __future__ import annotations

from functools import partial

from netsim.net.address import Family
from netsim.rules.xtables.extensions.header import write_numbers
from netsim.rules.xtables.matches import NumberRange, OwnerID, OwnerMatch, RPFilterMatch, SocketMatch
from netsim.rules.xtables.option import Extension, Given, Needs, Option, flag, inverting
from netsim.rules.xtables.targets import QueueTarget, TProxyTarget
from netsim.rules.xtables.values import read_address, read_integer, read_mark, read_port

_KNOWN_IDS = {"root": 0}
_NO_ID = 0xFFFFFFFE


def _read_ids(text: str) -> NumberRange:
    if text in _KNOWN_IDS:
        return NumberRange(_KNOWN_IDS[text], _KNOWN_IDS[text])
    first, dash, last = text.partition("-")
    if not first.isdecimal():
        raise ValueError(f"{text!r} is no number (names of users and groups are not looked up)")
    low = read_integer(first, _NO_ID)
    high = read_integer(last, _NO_ID) if dash else low
    if high < low:
        raise ValueError(f"{text} is an empty range")
    return NumberRange(low, high)


def _ids(given: Given, option: str) -> OwnerID | None:
    found = given.read(option, _read_ids)
    return None if found is None else OwnerID(found, given.inverted(option))


def _build_owner(given: Given) -> OwnerMatch:
    if not given.options.keys() - {"suppl-groups"}:
        raise given.problem("at least one of --uid-owner, --gid-owner and --socket-exists is required")
    socket = not given.inverted("socket-exists") if "socket-exists" in given else None
    return OwnerMatch(socket, _ids(given, "uid-owner"), _ids(given, "gid-owner"), "suppl-groups" in given)


def _owner_words(match: OwnerMatch, _family: Family) -> list[str]:
    words = ["owner"]
    if match.socket is not None:
        words += inverting(["--socket-exists"], inverted=not match.socket)
    for option, found in (("--uid-owner", match.user), ("--gid-owner", match.group)):
        if found is not None:
            words += inverting([option, write_numbers(found.numbers, "-")], inverted=found.inverted)
    return words + flag("suppl-groups", present=match.supplementary)


def _build_rpfilter(given: Given) -> RPFilterMatch:
    return RPFilterMatch("loose" in given, "validmark" in given, "accept-local" in given, "invert" in given)


def _rpfilter_words(match: RPFilterMatch, _family: Family) -> list[str]:
    return [
        "rpfilter",
        *flag("loose", present=match.loose),
        *flag("validmark", present=match.valid_mark),
        *flag("accept-local", present=match.accept_local),
        *flag("invert", present=match.inverted),
    ]


def _build_socket(given: Given) -> SocketMatch:
    return SocketMatch("transparent" in given, "nowildcard" in given, "restore-skmark" in given)


def _socket_words(match: SocketMatch, _family: Family) -> list[str]:
    return [
        "socket",
        *flag("transparent", present=match.transparent),
        *flag("nowildcard", present=match.no_wildcard),
        *flag("restore-skmark", present=match.restore_mark),
    ]


def _build_tproxy(given: Given) -> TProxyTarget:
    address = given.read("on-ip", partial(read_address, family=given.family))
    value, mask = given.read("tproxy-mark", read_mark) or (0, 0)
    port = given.read("on-port", read_port) or 0
    return TProxyTarget(port, None if address is None or address.is_unspecified else address, value, mask)


def _tproxy_words(target: TProxyTarget, family: Family) -> list[str]:
    unset = "0.0.0.0" if family is Family.IPV4 else "::"
    address = unset if target.address is None else str(target.address)
    mark = f"{target.mark_value:#x}/{target.mark_mask:#x}"
    return ["TPROXY", "--on-port", str(target.port), "--on-ip", address, "--tproxy-mark", mark]


def _build_nfqueue(given: Given) -> QueueTarget:
    number = given.read("queue-num", lambda text: read_integer(text, 0xFFFF))
    first = last = number or 0
    if (text := given.text("queue-balance")) != "":
        low, colon, high = text.partition(":")
        if not colon:
            raise given.problem("--queue-balance takes first:last", "queue-balance")
        first, last = read_integer(low, 0xFFFF), read_integer(high, 0xFFFF)
        if last <= first:
            raise given.problem("the last queue must come after the first", "queue-balance")
    return QueueTarget(first, last, "queue-bypass" in given, "queue-cpu-fanout" in given)


def _nfqueue_words(target: QueueTarget, _family: Family) -> list[str]:
    queues = ["--queue-num", str(target.first)]
    if target.first != target.last:
        queues = ["--queue-balance", f"{target.first}:{target.last}"]
    bypass = flag("queue-bypass", present=target.bypass)
    return ["NFQUEUE", *queues, *bypass, *flag("queue-cpu-fanout", present=target.cpu_fanout)]


OWNER = Extension(
    "owner",
    (
        Option("uid-owner", invertible=True),
        Option("gid-owner", invertible=True),
        Option("socket-exists", values=0, invertible=True),
        Option("suppl-groups", values=0),
    ),
    _build_owner,
    _owner_words,
    (OwnerMatch,),
    needs=lambda _match: Needs(hooks=("OUTPUT", "POSTROUTING")),
)
RPFILTER = Extension(
    "rpfilter",
    tuple(Option(name, values=0) for name in ("loose", "validmark", "accept-local", "invert")),
    _build_rpfilter,
    _rpfilter_words,
    (RPFilterMatch,),
    needs=lambda _match: Needs(tables=("raw", "mangle"), hooks=("PREROUTING",)),
)
SOCKET = Extension(
    "socket",
    tuple(Option(name, values=0) for name in ("transparent", "nowildcard", "restore-skmark")),
    _build_socket,
    _socket_words,
    (SocketMatch,),
    needs=lambda _match: Needs(hooks=("PREROUTING", "INPUT")),
)
TPROXY = Extension(
    "TPROXY",
    (Option("on-port", required=True), Option("on-ip"), Option("tproxy-mark")),
    _build_tproxy,
    _tproxy_words,
    (TProxyTarget,),
    needs=lambda _target: Needs((6, 17), ("mangle",), ("PREROUTING",)),
)
NFQUEUE = Extension(
    "NFQUEUE",
    (
        Option("queue-num", excludes=("queue-balance",)),
        Option("queue-balance"),
        Option("queue-bypass", values=0),
        Option("queue-cpu-fanout", values=0, needs=("queue-balance",)),
    ),
    _build_nfqueue,
    _nfqueue_words,
    (QueueTarget,),
)
