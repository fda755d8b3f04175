"""``-m limit``, ``-m hashlimit`` and ``-m connlimit``.

Ref: iptables extensions/libxt_limit.c, libxt_hashlimit.c, libxt_connlimit.c (v1.8.9).
"""

from __future__ import annotations

import re

from netsim.net.address import Family
from netsim.rules.xtables.ast import NotModelledMatch
from netsim.rules.xtables.credit import is_out_of_range
from netsim.rules.xtables.matches import HASHLIMIT_SCALE, LIMIT_SCALE, ConnLimitMatch, HashLimitMatch, LimitMatch
from netsim.rules.xtables.option import Extension, Given, Option
from netsim.rules.xtables.values import read_integer
from netsim.rules.xtables.words import quote_where_needed

_UNITS = {"day": 86400, "hour": 3600, "min": 60, "sec": 1}  # as printed, longest first
_UNIT_NAMES = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_DEFAULT_BURST = 5
_DEFAULT_LIMIT = "3/hour"


def _unit(text: str) -> int:
    """Seconds of a unit, which may be cut short."""
    found = next((seconds for name, seconds in _UNIT_NAMES.items() if text and name.startswith(text.lower())), None)
    if found is None:
        raise ValueError(f"bad rate unit {text!r}: second, minute, hour or day")
    return found


def _read_rate(text: str, scale: int) -> tuple[int, int]:
    """``rate[/unit]`` as the parts of a second between two packets, and the seconds of its unit."""
    count, slash, unit = text.partition("/")
    seconds = _unit(unit) if slash else 1
    rate = read_integer(count)
    if rate == 0:
        raise ValueError(f"bad rate {text!r}")
    if rate // seconds > scale:
        raise ValueError(f"rate too fast {text!r}")
    return scale * seconds // rate, seconds


def _write_rate(interval: int, scale: int) -> tuple[str, int]:
    """The rate in the longest unit that loses nothing, and the unit's seconds. Ref: libxt_limit.c:print_rate()."""
    units = list(_UNITS.items())
    chosen = units[0]
    for name, seconds in units[1:]:
        whole = seconds * scale
        if interval > whole or whole // interval < whole % interval:
            break
        chosen = (name, seconds)
    name, seconds = chosen
    return f"{seconds * scale // interval}/{name}", seconds


def _build_limit(given: Given) -> LimitMatch:
    read = given.read("limit", lambda text: _read_rate(text, LIMIT_SCALE))
    interval, _ = read or _read_rate(_DEFAULT_LIMIT, LIMIT_SCALE)
    burst = given.read("limit-burst", lambda text: read_integer(text, 10000))
    return LimitMatch(interval, _DEFAULT_BURST if burst is None else burst)


def _limit_words(match: LimitMatch, _family: Family) -> list[str]:
    words = ["limit", "--limit", _write_rate(match.interval, LIMIT_SCALE)[0]]
    return words + (["--limit-burst", str(match.burst)] if match.burst != _DEFAULT_BURST else [])


# --- hashlimit --------------------------------------------------------------------------------------------------

_BYTES = re.compile(r"[0-9]+[kKmMgG]?[bB](/s)?")
_MODES = ("srcip", "srcport", "dstip", "dstport")
_SIZES = ("hashlimit-htable-size", "hashlimit-htable-max", "hashlimit-htable-gcinterval")
_DEFAULT_SIZES = {"hashlimit-htable-gcinterval": 1000}


def _read_modes(text: str) -> tuple[str, ...]:
    names = text.lower().split(",")
    for name in names:
        if name not in _MODES:
            raise ValueError(f"unknown mode {name!r}: {', '.join(_MODES)}")
    return tuple(mode for mode in _MODES if mode in names)


def _sizes(given: Given) -> tuple[str, ...]:
    words: list[str] = []
    for option in _SIZES:
        number = given.read(option, read_integer)
        if number is not None and number != _DEFAULT_SIZES.get(option):
            words += [f"--{option}", str(number)]
    return tuple(words)


def _length(given: Given, option: str) -> int | None:
    length = given.read(option, lambda text: read_integer(text, given.family.bits))
    return None if length == given.family.bits else length


def _build_hashlimit(given: Given) -> HashLimitMatch | NotModelledMatch:
    named = [option for option in ("hashlimit-upto", "hashlimit-above") if option in given]
    if len(named) != 1:
        raise given.problem("exactly one of --hashlimit-upto and --hashlimit-above must be specified")
    if _BYTES.fullmatch(given.text(named[0])) or "hashlimit-rate-match" in given or "hashlimit-rate-interval" in given:
        return NotModelledMatch("hashlimit", given.words())
    interval, seconds = given.read(named[0], lambda text: _read_rate(text, HASHLIMIT_SCALE)) or (0, 1)
    burst = given.read("hashlimit-burst", lambda text: read_integer(text, 1_000_000, 1))
    expire = given.read("hashlimit-htable-expire", read_integer)
    match = HashLimitMatch(
        name=given.text("hashlimit-name"),
        interval=interval,
        expire_ms=seconds * 1000 if expire is None else expire,
        burst=_DEFAULT_BURST if burst is None else burst,
        above=named[0] == "hashlimit-above",
        mode=given.read("hashlimit-mode", _read_modes) or (),
        source_length=_length(given, "hashlimit-srcmask"),
        destination_length=_length(given, "hashlimit-dstmask"),
        sizes=_sizes(given),
    )
    if is_out_of_range(match):
        message = f"a burst of {match.burst} at that rate: Numerical result out of range"
        raise given.problem(message, advice="a lower burst: the kernel counts 37 hours of credit")
    return match


def _hashlimit_words(match: HashLimitMatch | NotModelledMatch, _family: Family) -> list[str]:
    if isinstance(match, NotModelledMatch):
        return [match.module, *map(quote_where_needed, match.words)]
    rate, seconds = _write_rate(match.interval, HASHLIMIT_SCALE)
    words = ["hashlimit", "--hashlimit-above" if match.above else "--hashlimit-upto", rate]
    words += ["--hashlimit-burst", str(match.burst)]
    words += ["--hashlimit-mode", ",".join(match.mode)] if match.mode else []
    words += ["--hashlimit-name", quote_where_needed(match.name), *match.sizes]
    words += ["--hashlimit-htable-expire", str(match.expire_ms)] if match.expire_ms != seconds * 1000 else []
    for option, length in (("srcmask", match.source_length), ("dstmask", match.destination_length)):
        words += [f"--hashlimit-{option}", str(length)] if length is not None else []
    return words


# --- connlimit --------------------------------------------------------------------------------------------------


def _build_connlimit(given: Given) -> ConnLimitMatch:
    named = [option for option in ("connlimit-upto", "connlimit-above") if option in given]
    if len(named) != 1:
        raise given.problem("exactly one of --connlimit-upto and --connlimit-above must be specified")
    limit = given.read(named[0], read_integer) or 0
    length = given.read("connlimit-mask", lambda text: read_integer(text, given.family.bits))
    upto = (named[0] == "connlimit-upto") != given.inverted(named[0])
    return ConnLimitMatch(limit, given.family.bits if length is None else length, upto, "connlimit-daddr" in given)


def _connlimit_words(match: ConnLimitMatch, _family: Family) -> list[str]:
    words = ["connlimit", "--connlimit-upto" if match.upto else "--connlimit-above", str(match.limit)]
    words += ["--connlimit-mask", str(match.length)]
    return [*words, "--connlimit-daddr" if match.destination else "--connlimit-saddr"]


LIMIT = Extension("limit", (Option("limit"), Option("limit-burst")), _build_limit, _limit_words, (LimitMatch,))
HASHLIMIT = Extension[HashLimitMatch | NotModelledMatch](
    "hashlimit",
    (
        Option("hashlimit-upto", aliases=("hashlimit",), excludes=("hashlimit-above",)),
        Option("hashlimit-above"),
        Option("hashlimit-burst"),
        Option("hashlimit-mode"),
        Option("hashlimit-srcmask"),
        Option("hashlimit-dstmask"),
        Option("hashlimit-name", required=True),
        *(Option(name) for name in _SIZES),
        Option("hashlimit-htable-expire"),
        Option("hashlimit-rate-match", values=0),
        Option("hashlimit-rate-interval"),
    ),
    _build_hashlimit,
    _hashlimit_words,
    (HashLimitMatch,),
)
CONNLIMIT = Extension(
    "connlimit",
    (
        Option("connlimit-upto", excludes=("connlimit-above",)),
        Option("connlimit-above", invertible=True),
        Option("connlimit-mask"),
        Option("connlimit-saddr", values=0, excludes=("connlimit-daddr",)),
        Option("connlimit-daddr", values=0),
    ),
    _build_connlimit,
    _connlimit_words,
    (ConnLimitMatch,),
)
