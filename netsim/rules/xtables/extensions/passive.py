"""Targets that no packet's way depends on: what they write down, count or label is not asked by any rule of the model.

TEE sends a copy, which is not walked.

Ref: iptables extensions/libxt_TRACE.c, libxt_AUDIT.c, libxt_CLASSIFY.c, libxt_CHECKSUM.c (v1.8.9).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from netsim.net.address import Family
from netsim.rules.xtables.extensions.unmodelled import options_of
from netsim.rules.xtables.option import BOTH, Extension, Given, Needs, Option
from netsim.rules.xtables.targets import PassiveTarget
from netsim.rules.xtables.words import quote_where_needed

_CLASS = re.compile(r"([0-9a-fA-F]{1,4}):([0-9a-fA-F]{1,4})")
_AUDITED = ("accept", "drop", "reject")


def _read_class(text: str) -> str:
    found = _CLASS.fullmatch(text)
    if found is None:
        raise ValueError(f"bad class value {text!r} (expected MAJOR:MINOR)")
    return f"{int(found[1], 16):04x}:{int(found[2], 16):04x}"


def _read_audited(text: str) -> str:
    if text.lower() not in _AUDITED:
        raise ValueError(f"bad action type value {text!r}: {', '.join(_AUDITED)}")
    return text.lower()


def _build_classify(given: Given) -> PassiveTarget:
    return PassiveTarget("CLASSIFY", ("--set-class", given.read("set-class", _read_class) or ""))


def _build_audit(given: Given) -> PassiveTarget:
    return PassiveTarget("AUDIT", ("--type", given.read("type", _read_audited) or ""))


def _words(target: PassiveTarget, _family: Family) -> list[str]:
    return [target.name, *target.words]


TRACE = Extension(
    "TRACE",
    (),
    lambda _given: PassiveTarget("TRACE"),
    _words,
    (PassiveTarget,),
    needs=lambda _target: Needs(tables=("raw",)),
)
AUDIT = Extension("AUDIT", (Option("type", required=True),), _build_audit, _words, ())
CLASSIFY = Extension(
    "CLASSIFY",
    (Option("set-class", required=True),),
    _build_classify,
    _words,
    (),
    needs=lambda _target: Needs(hooks=("FORWARD", "OUTPUT", "POSTROUTING")),
)
CHECKSUM = Extension(
    "CHECKSUM",
    (Option("checksum-fill", values=0, required=True),),
    lambda _given: PassiveTarget("CHECKSUM", ("--checksum-fill",)),
    _words,
    (),
    needs=lambda _target: Needs(tables=("mangle",)),
)

_FURTHER: tuple[tuple[str, tuple[Family, ...], str, Needs], ...] = (
    # target, families, options as in ``unmodelled``, what the kernel asks of the rule
    ("CONNSECMARK", BOTH, "save=0 restore=0", Needs(tables=("mangle", "security"))),
    ("IDLETIMER", BOTH, "timeout+ label+ alarm=0", Needs()),
    ("LED", BOTH, "led-trigger-id+ led-delay led-always-blink=0", Needs()),
    ("RATEEST", BOTH, "rateest-name+ rateest-interval+ rateest-ewmalog+", Needs()),
    ("SECMARK", BOTH, "selctx+", Needs(tables=("mangle", "security"))),
    ("TEE", BOTH, "gateway+", Needs()),
    ("ULOG", (Family.IPV4,), "ulog-nlgroup ulog-prefix ulog-cprange ulog-qthreshold", Needs()),
)


def _always(needs: Needs) -> Callable[[PassiveTarget], Needs]:
    return lambda _target: needs


def _quoted(target: PassiveTarget, _family: Family) -> list[str]:
    return [target.name, *map(quote_where_needed, target.words)]


FURTHER_PASSIVE: tuple[Extension[PassiveTarget], ...] = tuple(
    Extension(
        name,
        options_of(specs),
        lambda given: PassiveTarget(given.extension, given.words()),
        _quoted,
        (),
        needs=_always(needs),
        families=families,
    )
    for name, families, specs, needs in _FURTHER
)
