"""``-m quota`` and ``-m connbytes``. Ref: iptables extensions/libxt_quota.c, libxt_connbytes.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.matches import ConnBytesMatch, QuotaMatch
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.values import read_integer

_MODES = ("packets", "bytes", "avgpkt")
_DIRECTIONS = ("original", "reply", "both")
_LARGEST = 2**64 - 1


def _build_quota(given: Given) -> QuotaMatch:
    return QuotaMatch(given.read("quota", lambda text: read_integer(text, _LARGEST)) or 0, given.inverted("quota"))


def _quota_words(match: QuotaMatch, _family: Family) -> list[str]:
    return ["quota", *inverting(["--quota", str(match.quota)], inverted=match.inverted)]


def _read_volume(text: str) -> tuple[int, int | None]:
    first, colon, last = text.partition(":")
    low, high = read_integer(first, _LARGEST), read_integer(last, _LARGEST) if last else None
    if high is not None and low > high:
        raise ValueError(f"{text!r}: the first number is the smaller one")
    return low, high if colon else None


def _one_of(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError(f"{text!r} is none of {', '.join(words)}")
    return text


def _build_connbytes(given: Given) -> ConnBytesMatch:
    first, last = given.read("connbytes", _read_volume) or (0, None)
    return ConnBytesMatch(
        first,
        last,
        given.read("connbytes-mode", lambda text: _one_of(_MODES, text)) or "",
        given.read("connbytes-dir", lambda text: _one_of(_DIRECTIONS, text)) or "",
        given.inverted("connbytes"),
    )


def _connbytes_words(match: ConnBytesMatch, _family: Family) -> list[str]:
    volume = str(match.first) if match.last is None else f"{match.first}:{match.last}"
    asked = inverting(["--connbytes", volume], inverted=match.inverted)
    return ["connbytes", *asked, "--connbytes-mode", match.mode, "--connbytes-dir", match.direction]


QUOTA = Extension(
    "quota", (Option("quota", invertible=True, required=True),), _build_quota, _quota_words, (QuotaMatch,)
)
CONNBYTES = Extension(
    "connbytes",
    (
        Option("connbytes", invertible=True, required=True),
        Option("connbytes-mode", required=True),
        Option("connbytes-dir", required=True),
    ),
    _build_connbytes,
    _connbytes_words,
    (ConnBytesMatch,),
)
