"""Targets that no packet's way depends on: TRACE, AUDIT, CLASSIFY and CHECKSUM.

Ref: iptables extensions/libxt_TRACE.c, libxt_AUDIT.c, libxt_CLASSIFY.c, libxt_CHECKSUM.c (v1.8.9).
"""

from __future__ import annotations

import re

from netsim.net.address import Family
from netsim.rules.xtables.option import Extension, Given, Needs, Option
from netsim.rules.xtables.targets import PassiveTarget

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
