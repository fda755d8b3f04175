"""``-j NOTRACK`` and ``-j CT``. Ref: iptables extensions/libxt_CT.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import NoTrackTarget
from netsim.rules.xtables.option import Extension, Given, Needs, Option
from netsim.rules.xtables.targets import CTTarget
from netsim.rules.xtables.values import read_integer
from netsim.rules.xtables.words import quote_where_needed

_ZONES = {"zone": None, "zone-orig": "ORIGINAL", "zone-reply": "REPLY"}


def _build_ct(given: Given) -> NoTrackTarget | CTTarget:
    if "notrack" in given:
        return NoTrackTarget(as_ct=True)
    zones = [option for option in given.options if option in _ZONES]
    text = given.text(zones[-1]) if zones else ""
    zone = None
    if zones and text != "mark":
        zone = given.read(zones[-1], lambda number: read_integer(number, 0xFFFF))
    return CTTarget(
        zone=zone or None,
        zone_from_mark=text == "mark",
        zone_direction=_ZONES[zones[0]] if len(zones) == 1 else None,
        helper=given.text("helper") or None,
        timeout=given.text("timeout") or None,
        events=given.text("ctevents") or None,
        expectation_events=given.text("expevents") or None,
    )


def _words(target: NoTrackTarget | CTTarget, _family: Family) -> list[str]:
    if isinstance(target, NoTrackTarget):
        return ["CT", "--notrack"] if target.as_ct else ["NOTRACK"]
    words = ["CT"]
    texts = (
        ("helper", target.helper),
        ("timeout", target.timeout),
        ("ctevents", target.events),
        ("expevents", target.expectation_events),
    )
    for option, text in texts:
        words += [f"--{option}", quote_where_needed(text)] if text is not None else []
    if target.zone is not None or target.zone_from_mark:
        option = next(name for name, direction in _ZONES.items() if direction == target.zone_direction)
        words += [f"--{option}", "mark" if target.zone_from_mark else str(target.zone)]
    return words


NOTRACK = Extension[NoTrackTarget | CTTarget](
    "NOTRACK",
    (),
    lambda _given: NoTrackTarget(),
    _words,
    (NoTrackTarget,),
    needs=lambda _target: Needs(tables=("raw",)),
)
CT = Extension[NoTrackTarget | CTTarget](
    "CT",
    (
        Option("notrack", values=0),
        Option("helper"),
        Option("timeout"),
        Option("ctevents"),
        Option("expevents"),
        *(Option(name) for name in _ZONES),
    ),
    _build_ct,
    _words,
    (CTTarget,),
    needs=lambda _target: Needs(tables=("raw",)),
)
