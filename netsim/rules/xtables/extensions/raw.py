"""``-j NOTRACK`` and ``-j CT``. Ref: iptables extensions/libxt_CT.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import NotModelledTarget, NoTrackTarget
from netsim.rules.xtables.option import Extension, Given, Needs, Option


def _build_ct(given: Given) -> NoTrackTarget | NotModelledTarget:
    if given.options.keys() == {"notrack"}:
        return NoTrackTarget(as_ct=True)
    return NotModelledTarget("CT", given.words())


def _words(target: NoTrackTarget | NotModelledTarget, _family: Family) -> list[str]:
    if isinstance(target, NotModelledTarget):
        return [target.name, *target.words]
    return ["CT", "--notrack"] if target.as_ct else ["NOTRACK"]


NOTRACK = Extension[NoTrackTarget | NotModelledTarget](
    "NOTRACK",
    (),
    lambda _given: NoTrackTarget(),
    _words,
    (NoTrackTarget,),
    needs=lambda _target: Needs(tables=("raw",)),
)
CT = Extension[NoTrackTarget | NotModelledTarget](
    "CT",
    (
        Option("notrack", values=0),
        Option("helper"),
        Option("timeout"),
        Option("ctevents"),
        Option("expevents"),
        Option("zone", excludes=("zone-orig", "zone-reply")),
        Option("zone-orig"),
        Option("zone-reply"),
    ),
    _build_ct,
    _words,
    (),
    needs=lambda _target: Needs(tables=("raw",)),
)
