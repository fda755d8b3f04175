"""``-m set`` and ``-j SET``. Ref: iptables extensions/libxt_set.c, libxt_SET.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import NotModelledTarget, SetMatch
from netsim.rules.xtables.option import Extension, Given, Option, flag, inverting
from netsim.rules.xtables.targets import SetOfTarget, SetTarget
from netsim.rules.xtables.values import read_integer
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


def _directions(given: Given, option: str = "match-set") -> tuple[str, ...]:
    text = given.options[option].values[1]
    directions = tuple(text.split(","))
    if not set(directions) <= {"src", "dst"}:
        raise given.problem(f"you must specify (the comma separated list of) 'src' or 'dst', not {text!r}", option)
    if len(directions) > _DIMENSIONS:
        raise given.problem(f"can't have more than {_DIMENSIONS} src and dst in a list", option)
    return directions


def _name(given: Given, option: str) -> str:
    name = given.text(option)
    if not 0 < len(name) <= _NAME_LENGTH:
        raise given.problem(f"set name {name!r} must have 1 to {_NAME_LENGTH} characters", option)
    return name


def _further(given: Given) -> tuple[str, ...]:
    words: list[str] = []
    for option in _FURTHER:
        if option in given:
            found = given.options[option]
            words += inverting([f"--{option}", *found.values], inverted=found.inverted)
    return tuple(words)


def _build(given: Given) -> SetMatch:
    name = _name(given, "match-set")
    for option in ("update-counters", "update-subcounters"):
        if option in given and not given.inverted(option):
            raise given.problem(f"--{option} only makes sense behind '!'", option, "it is the default")
    return SetMatch(name, _directions(given), given.inverted("match-set"), _further(given))


def _words(match: SetMatch, _family: Family) -> list[str]:
    asked = ["--match-set", quote_where_needed(match.name), ",".join(match.directions)]
    return ["set", *inverting(asked, inverted=match.inverted), *match.options]


def _set_of(given: Given, option: str) -> SetOfTarget | None:
    return SetOfTarget(_name(given, option), _directions(given, option)) if option in given else None


def _build_target(given: Given) -> SetTarget | NotModelledTarget:
    if "map-set" in given:
        return NotModelledTarget("SET", given.words())
    add, delete = _set_of(given, "add-set"), _set_of(given, "del-set")
    if add is None and delete is None:
        raise given.problem("you must specify either --add-set, --del-set or --map-set")
    for option in ("timeout", "exist"):
        if option in given and add is None:
            raise given.problem(f"--{option} goes with --add-set", option)
    return SetTarget(add, delete, given.read("timeout", lambda text: read_integer(text, 0xFFFFFFFE)), "exist" in given)


def _target_words(target: SetTarget | NotModelledTarget, _family: Family) -> list[str]:
    if isinstance(target, NotModelledTarget):
        return [target.name, *map(quote_where_needed, target.words)]
    words = ["SET"]
    if target.add is not None:
        words += ["--add-set", quote_where_needed(target.add.name), ",".join(target.add.directions)]
        words += flag("exist", present=target.exist)
        words += ["--timeout", str(target.timeout)] if target.timeout is not None else []
    if target.delete is not None:
        words += ["--del-set", quote_where_needed(target.delete.name), ",".join(target.delete.directions)]
    return words


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
SET_TARGET = Extension[SetTarget | NotModelledTarget](
    "SET",
    (
        Option("add-set", values=2),
        Option("del-set", values=2),
        Option("map-set", values=2, excludes=("add-set", "del-set")),
        *(Option(name, values=0) for name in ("map-mark", "map-prio", "map-queue")),
        Option("timeout"),
        Option("exist", values=0),
    ),
    _build_target,
    _target_words,
    (SetTarget,),
)
