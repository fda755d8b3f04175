"""``-m addrtype``. Ref: iptables extensions/libxt_addrtype.c (v1.8.9); net/netfilter/xt_addrtype.c (v6.12)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import AddressType, AddrTypeMatch, NotModelledMatch
from netsim.rules.xtables.option import Extension, Given, Needs, Option, flag, inverting

_NOT_MODELLED = ("THROW", "NAT", "XRESOLVE")


def _read_types(text: str) -> frozenset[AddressType] | None:
    """The types, None where one of them is known but not modelled."""
    names = text.upper().split(",")
    for name in names:
        if name not in AddressType.__members__ and name not in _NOT_MODELLED:
            raise ValueError(f"bad type {name!r}")
    if any(name in _NOT_MODELLED for name in names):
        return None
    return frozenset(AddressType[name] for name in names)


def _write_types(types: frozenset[AddressType]) -> str:
    return ",".join(kind.value for kind in AddressType if kind in types)


def _build(given: Given) -> AddrTypeMatch | NotModelledMatch:
    if "src-type" not in given and "dst-type" not in given:
        raise given.problem("you must specify at least one option", advice="--src-type or --dst-type")
    source, destination = given.read("src-type", _read_types), given.read("dst-type", _read_types)
    if ("src-type" in given and source is None) or ("dst-type" in given and destination is None):
        return NotModelledMatch("addrtype", given.words())
    return AddrTypeMatch(
        source=source,
        source_inverted=given.inverted("src-type"),
        destination=destination,
        destination_inverted=given.inverted("dst-type"),
        limit_iface_in="limit-iface-in" in given,
        limit_iface_out="limit-iface-out" in given,
    )


def _words(match: AddrTypeMatch | NotModelledMatch, _family: Family) -> list[str]:
    if isinstance(match, NotModelledMatch):
        return [match.module, *match.words]
    words = ["addrtype"]
    if match.source is not None:
        words += inverting(["--src-type", _write_types(match.source)], inverted=match.source_inverted)
    if match.destination is not None:
        words += inverting(["--dst-type", _write_types(match.destination)], inverted=match.destination_inverted)
    words += flag("limit-iface-in", present=match.limit_iface_in)
    return words + flag("limit-iface-out", present=match.limit_iface_out)


def _needs(match: AddrTypeMatch | NotModelledMatch) -> Needs:
    if isinstance(match, NotModelledMatch):
        return Needs()
    if match.limit_iface_in:
        return Needs(hooks=("PREROUTING", "INPUT", "FORWARD"))
    if match.limit_iface_out:
        return Needs(hooks=("POSTROUTING", "OUTPUT", "FORWARD"))
    return Needs()


ADDRTYPE = Extension[AddrTypeMatch | NotModelledMatch](
    "addrtype",
    (
        Option("src-type", invertible=True),
        Option("dst-type", invertible=True),
        Option("limit-iface-in", values=0, excludes=("limit-iface-out",)),
        Option("limit-iface-out", values=0),
    ),
    _build,
    _words,
    (AddrTypeMatch,),
    needs=_needs,
)
