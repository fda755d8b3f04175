"""``-m icmp`` and ``-m icmp6``. Ref: iptables extensions/libipt_icmp.c, libip6t_icmp6.c (v1.8.9)."""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.address import Family
from netsim.rules.xtables.ast import ICMPMatch
from netsim.rules.xtables.names import ICMP_TYPES, ICMPV6_TYPES
from netsim.rules.xtables.option import Extension, Given, Needs, Option, inverting
from netsim.rules.xtables.values import read_integer

_ANY = 255


def _reader(names: dict[str, tuple[int, int, int]]) -> Callable[[str], tuple[int, int, int]]:
    def read(text: str) -> tuple[int, int, int]:
        folded = text.lower()
        if folded in names:
            return names[folded]
        begun = sorted(name for name in names if name.startswith(folded) and not folded[:1].isdecimal())
        if begun:
            if len({names[name] for name in begun}) > 1:
                raise ValueError(f"ambiguous ICMP type {text!r}: {begun[0]} or {begun[1]}?")
            return names[begun[0]]
        kind, slash, code = text.partition("/")
        number = read_integer(kind, 255)
        return (number, read_integer(code, 255), read_integer(code, 255)) if slash else (number, 0, 255)

    return read


_READ_ICMP = _reader(ICMP_TYPES)
_READ_ICMPV6 = _reader(ICMPV6_TYPES)


def _build_icmp(given: Given) -> ICMPMatch:
    kind, first, last = given.read("icmp-type", _READ_ICMP) or (_ANY, 0, 255)
    return ICMPMatch(kind, first, last, given.inverted("icmp-type"))


def _build_icmp6(given: Given) -> ICMPMatch:
    kind, first, last = given.read("icmpv6-type", _READ_ICMPV6) or (_ANY, 0, 255)
    return ICMPMatch(kind, first, last, given.inverted("icmpv6-type"))


def _words(match: ICMPMatch, family: Family) -> list[str]:
    module, option = ("icmp", "--icmp-type") if family is Family.IPV4 else ("icmp6", "--icmpv6-type")
    kind = str(match.type)
    if family is Family.IPV4 and match.type == _ANY:
        kind = "any"
    elif (match.code_first, match.code_last) != (0, 255):
        kind = f"{match.type}/{match.code_first}"
    return [module, *inverting([option, kind], inverted=match.inverted)]


ICMP = Extension(
    "icmp",
    (Option("icmp-type", invertible=True, required=True),),
    _build_icmp,
    _words,
    (ICMPMatch,),
    needs=lambda _match: Needs(protocols=(1, 58)),
    families=(Family.IPV4,),
)
ICMP6 = Extension(
    "icmp6",
    (Option("icmpv6-type", invertible=True, required=True),),
    _build_icmp6,
    _words,
    (ICMPMatch,),
    needs=lambda _match: Needs(protocols=(1, 58)),
    families=(Family.IPV6,),
)
