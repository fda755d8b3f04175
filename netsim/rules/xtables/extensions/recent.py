"""``-m recent``. Ref: iptables extensions/libxt_recent.c (v1.8.9); net/netfilter/xt_recent.c:recent_mt_check() (v6.12)."""

from __future__ import annotations

from functools import partial

from netsim.net.address import Address, Family, parse_address
from netsim.rules.xtables.ast import RecentMatch
from netsim.rules.xtables.option import Extension, Given, Option, flag, inverting
from netsim.rules.xtables.values import read_address, read_integer
from netsim.rules.xtables.words import quote_where_needed

_OPERATIONS = ("set", "rcheck", "update", "remove")
_NAME_LENGTH = 200
_MOST_HITS = 255
_ALL_ONES: dict[Family, Address] = {
    Family.IPV4: parse_address("255.255.255.255"),
    Family.IPV6: parse_address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
}


def _read_name(text: str) -> str:
    if not text or len(text) >= _NAME_LENGTH or "/" in text:
        raise ValueError(f"{text!r} is not a list name (1 to {_NAME_LENGTH - 1} characters, no /)")
    return text


def _build(given: Given) -> RecentMatch:
    named = [operation for operation in _OPERATIONS if operation in given]
    if not named:
        raise given.problem("you must specify one of --set, --rcheck, --update and --remove")
    operation = named[0]
    for option in ("seconds", "hitcount", "rttl"):
        if option in given and operation not in ("rcheck", "update"):
            raise given.problem(f"--{option} goes only with --rcheck and --update", option)
    mask = given.read("mask", partial(read_address, family=given.family))
    return RecentMatch(
        operation=operation,
        name=given.read("name", _read_name) or "DEFAULT",
        seconds=given.read("seconds", lambda text: read_integer(text, minimum=1)) or 0,
        reap="reap" in given,
        hitcount=given.read("hitcount", lambda text: read_integer(text, _MOST_HITS)) or 0,
        rttl="rttl" in given,
        mask=None if mask == _ALL_ONES[given.family] else mask,
        destination="rdest" in given,
        inverted=given.inverted(operation),
    )


def _words(match: RecentMatch, family: Family) -> list[str]:
    words = ["recent", *inverting([f"--{match.operation}"], inverted=match.inverted)]
    if match.seconds:
        words += ["--seconds", str(match.seconds)]
    words += flag("reap", present=match.reap)
    if match.hitcount:
        words += ["--hitcount", str(match.hitcount)]
    words += flag("rttl", present=match.rttl)
    words += ["--name", quote_where_needed(match.name), "--mask", str(match.mask or _ALL_ONES[family])]
    return [*words, "--rdest" if match.destination else "--rsource"]


RECENT = Extension(
    "recent",
    (
        *(
            Option(name, values=0, invertible=True, excludes=tuple(other for other in _OPERATIONS if other != name))
            for name in _OPERATIONS
        ),
        Option("seconds"),
        Option("reap", values=0, needs=("seconds",)),
        Option("hitcount"),
        Option("rttl", values=0),
        Option("name"),
        Option("rsource", values=0, excludes=("rdest",)),
        Option("rdest", values=0),
        Option("mask"),
    ),
    _build,
    _words,
    (RecentMatch,),
)
