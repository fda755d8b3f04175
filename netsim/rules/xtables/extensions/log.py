"""``-j LOG`` and ``-j NFLOG``. Ref: iptables extensions/libxt_LOG.c, libxt_NFLOG.c (v1.8.9)."""

from __future__ import annotations

from collections.abc import Callable

from netsim.net.address import Family
from netsim.rules.xtables.ast import LogTarget
from netsim.rules.xtables.option import Extension, Given, Option
from netsim.rules.xtables.values import read_integer
from netsim.rules.xtables.words import quote

_LEVELS = {
    "emerg": 0,
    "panic": 0,
    "alert": 1,
    "crit": 2,
    "err": 3,
    "error": 3,
    "warn": 4,
    "warning": 4,
    "notice": 5,
    "info": 6,
    "debug": 7,
}
_DEFAULT_LEVEL = 4
_FLAGS = ("log-tcp-sequence", "log-tcp-options", "log-ip-options", "log-uid", "log-macdecode")
_LOG_PREFIX = 29
_NFLOG_PREFIX = 63


def _read_level(text: str) -> int:
    return _LEVELS[text.lower()] if text.lower() in _LEVELS else read_integer(text, 7)


def _prefix_reader(longest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > longest:
            raise ValueError(f"the prefix is longer than {longest} characters")
        if "\n" in text:
            raise ValueError("newlines are not allowed")
        return text

    return read


def _build_log(given: Given) -> LogTarget:
    words: list[str] = []
    prefix = given.read("log-prefix", _prefix_reader(_LOG_PREFIX))
    if prefix:
        words += ["--log-prefix", prefix]
    level = given.read("log-level", _read_level)
    if level is not None and level != _DEFAULT_LEVEL:
        words += ["--log-level", str(level)]
    words += [f"--{option}" for option in _FLAGS if option in given]
    return LogTarget("LOG", tuple(words))


def _build_nflog(given: Given) -> LogTarget:
    words: list[str] = []
    prefix = given.read("nflog-prefix", _prefix_reader(_NFLOG_PREFIX))
    if prefix:
        words += ["--nflog-prefix", prefix]
    for option, most in (("nflog-group", 0xFFFF), ("nflog-range", 1 << 31), ("nflog-size", 1 << 31)):
        number = given.read(option, lambda text, most=most: read_integer(text, most))  # type: ignore[misc]
        if number or (number is not None and option == "nflog-size"):
            words += [f"--{option}", str(number)]
    threshold = given.read("nflog-threshold", lambda text: read_integer(text, 0xFFFF))
    if threshold is not None and threshold != 1:
        words += ["--nflog-threshold", str(threshold)]
    return LogTarget("NFLOG", tuple(words))


def _words(target: LogTarget, _family: Family) -> list[str]:
    words = [target.name]
    for before, word in zip(("", *target.words), target.words, strict=False):
        words.append(quote(word) if before.endswith("-prefix") else word)
    return words


LOG = Extension(
    "LOG",
    (Option("log-prefix"), Option("log-level"), *(Option(name, values=0) for name in _FLAGS)),
    _build_log,
    _words,
    (LogTarget,),
)
NFLOG = Extension(
    "NFLOG",
    (
        Option("nflog-prefix"),
        Option("nflog-group"),
        Option("nflog-range", excludes=("nflog-size",)),
        Option("nflog-size"),
        Option("nflog-threshold"),
    ),
    _build_nflog,
    _words,
    (),
)
