"""``-m set``. Ref: iptables extensions/libxt_set.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import SetMatch
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.words import quote_where_needed

_NAME_LENGTH = 31
_DIMENSIONS = 6
_FURTHER = (
    # in the order in which iptables-save prints them
    "return-nomatch",
    "update-counters",
    "update-subcounters",
    "packets-eq",
    "packets-lt",
    "packets-gt",
    "bytes-eq",
    "bytes-lt",
    "bytes-gt",
)


def _directions(given: Given) -> tuple[str, ...]:
    text = given.options["match-set"].values[1]
    directions = tuple(text.split(","))
    if not set(directions) <= {"src", "dst"}:
        raise given.problem(f"you must specify (the comma separated list of) 'src' or 'dst', not {text!r}", "match-set")
    if len(directions) > _DIMENSIONS:
        raise given.problem(f"can't have more than {_DIMENSIONS} src and dst in a list", "match-set")
    return directions


def _further(given: Given) -> tuple[str, ...]:
    words: list[str] = []
    for option in _FURTHER:
        if option in given:
            found = given.options[option]
            words += inverting([f"--{option}", *found.values], inverted=found.inverted)
    return tuple(words)


def _build(given: Given) -> SetMatch:
    name = given.text("match-set")
    if not 0 < len(name) <= _NAME_LENGTH:
        raise given.problem(f"set name {name!r} must have 1 to {_NAME_LENGTH} characters", "match-set")
    for option in ("update-counters", "update-subcounters"):
        if option in given and not given.inverted(option):
            raise given.problem(f"--{option} only makes sense behind '!'", option, "it is the default")
    return SetMatch(name, _directions(given), given.inverted("match-set"), _further(given))


def _words(match: SetMatch, _family: Family) -> list[str]:
    asked = ["--match-set", quote_where_needed(match.name), ",".join(match.directions)]
    return ["set", *inverting(asked, inverted=match.inverted), *match.options]


SET = Extension(
    "set",
    (
        Option("match-set", aliases=("set",), values=2, invertible=True, required=True),
        Option("return-nomatch", values=0),
        Option("update-counters", values=0, invertible=True),
        Option("update-subcounters", values=0, invertible=True),
        Option("packets-eq", invertible=True, excludes=("packets-lt", "packets-gt")),
        Option("packets-lt", excludes=("packets-gt",)),
        Option("packets-gt"),
        Option("bytes-eq", invertible=True, excludes=("bytes-lt", "bytes-gt")),
        Option("bytes-lt", excludes=("bytes-gt",)),
        Option("bytes-gt"),
    ),
    _build,
    _words,
    (SetMatch,),
)
