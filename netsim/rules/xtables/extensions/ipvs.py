"""``-m ipvs``. Ref: iptables extensions/libxt_ipvs.c:ipvs_mt_parse(), ipvs_mt_dump() (v1.8.9)."""

from __future__ import annotations

from functools import partial

from netsim.net.address import Family
from netsim.rules.xtables.matches import IPVSMatch, IPVSMethod
from netsim.rules.xtables.option import Extension, Given, Option, inverting
from netsim.rules.xtables.values import read_port, read_prefix, read_protocol

_ASKED = ("vproto", "vaddr", "vport", "vdir", "vmethod", "vportctl")


def _read_reply(text: str) -> bool:
    names = {"ORIGINAL": False, "REPLY": True}
    if text.upper() not in names:
        raise ValueError(f"{text!r} is neither ORIGINAL nor REPLY")
    return names[text.upper()]


def _read_method(text: str) -> IPVSMethod:
    if text.upper() not in IPVSMethod.__members__:
        raise ValueError(f"{text!r} is none of GATE, IPIP and MASQ")
    return IPVSMethod[text.upper()]


def _build(given: Given) -> IPVSMatch:
    if not given.options:
        raise given.problem("At least one option is required")
    return IPVSMatch(
        of_ipvs=None if given.options.keys() != {"ipvs"} else not given.inverted("ipvs"),
        protocol=given.read("vproto", read_protocol),
        address=given.read("vaddr", partial(read_prefix, family=given.family)),
        port=given.read("vport", read_port),
        reply=given.read("vdir", _read_reply),
        method=given.read("vmethod", _read_method),
        control_port=given.read("vportctl", read_port),
        inverted=frozenset(name for name in _ASKED if given.inverted(name)),
    )


def _words(match: IPVSMatch, _family: Family) -> list[str]:
    said = {
        "vproto": match.protocol,
        "vaddr": None if match.address is None else _address(match),
        "vport": match.port,
        "vdir": None if match.reply is None else ("REPLY" if match.reply else "ORIGINAL"),
        "vmethod": None if match.method is None else match.method.name,
        "vportctl": match.control_port,
    }
    words = ["ipvs"]
    if match.of_ipvs is not None:
        words += inverting(["--ipvs"], inverted=not match.of_ipvs)
    for name, value in said.items():
        if value is not None:
            words += inverting([f"--{name}", str(value)], inverted=name in match.inverted)
    return words


def _address(match: IPVSMatch) -> str:
    prefix = match.address
    assert prefix is not None
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)


IPVS = Extension(
    "ipvs",
    (Option("ipvs", values=0, invertible=True), *(Option(name, invertible=True) for name in _ASKED)),
    _build,
    _words,
    (IPVSMatch,),
)
