"""``-m statistic``. Ref: iptables extensions/libxt_statistic.c (v1.8.9)."""

from __future__ import annotations

import math
import re

from netsim.net.address import Family
from netsim.rules.xtables.ast import StatisticNthMatch, StatisticRandomMatch
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.values import read_integer

_DECIMAL = re.compile(r"[0-9]*\.?[0-9]+([eE][-+]?[0-9]+)?|[0-9]+\.")
_SCALE = 1 << 31


def threshold(probability: float) -> int:
    """``lround(0x80000000 * p)``: what the kernel keeps of a probability between 0 and 1."""
    return math.floor(probability * _SCALE + 0.5)


def _read_probability(text: str) -> int:
    if not _DECIMAL.fullmatch(text) or not 0.0 <= float(text) <= 1.0:
        raise ValueError(f"{text!r} is no number in the range 0-1")
    return threshold(float(text))


def _read_mode(text: str) -> str:
    if text not in ("random", "nth"):
        raise ValueError(f"{text!r} is neither random nor nth")
    return text


def _build(given: Given) -> StatisticRandomMatch | StatisticNthMatch:
    foreign = {"random": ("every", "packet"), "nth": ("probability",)}
    mode = given.read("mode", _read_mode) or "random"
    for option in foreign[mode]:
        if option in given:
            raise given.problem(f"--{option} does not go with --mode {mode}", option)
    if mode == "random":
        limit = given.read("probability", _read_probability)
        if limit is None:
            raise given.problem("--probability must be specified when using random mode")
        return StatisticRandomMatch(limit, given.inverted("probability"))
    every = given.read("every", lambda text: read_integer(text, minimum=1))
    packet = given.read("packet", read_integer)
    if every is None or packet is None:
        raise given.problem("--every and --packet must be specified when using nth mode")
    if packet >= every:
        raise given.problem("the --packet p must be 0 <= p <= n-1", "packet")
    return StatisticNthMatch(every, packet, given.inverted("every"))


def _words(match: StatisticRandomMatch | StatisticNthMatch, _family: Family) -> list[str]:
    words = ["statistic", "--mode"]
    if isinstance(match, StatisticRandomMatch):
        chance = f"{match.threshold / _SCALE:.11f}"
        return [*words, "random", *inverting(["--probability", chance], inverted=match.inverted)]
    every = inverting(["--every", str(match.every)], inverted=match.inverted)
    return [*words, "nth", *every, "--packet", str(match.packet)]


STATISTIC = Extension[StatisticRandomMatch | StatisticNthMatch](
    "statistic",
    (
        Option("mode", required=True),
        Option("probability", invertible=True),
        Option("every", invertible=True, needs=("packet",)),
        Option("packet"),
    ),
    _build,
    _words,
    (StatisticRandomMatch, StatisticNthMatch),
)
