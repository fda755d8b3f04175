"""``-j DNAT``, ``SNAT``, ``MASQUERADE``, ``REDIRECT`` and ``NETMAP``. Ref: iptables extensions/libxt_NAT.c, libxt_NETMAP.c (v1.8.9)."""

from __future__ import annotations

from functools import cache, partial

from netsim.net.address import Address, Family
from netsim.rules.xtables.ast import (
    DNATTarget,
    MasqueradeTarget,
    NATRange,
    NotModelledTarget,
    PortRange,
    RedirectTarget,
    SNATTarget,
)
from netsim.rules.xtables.option import PORT_PROTOCOLS, Extension, Given, Needs, Option, flag
from netsim.rules.xtables.targets import NetmapTarget
from netsim.rules.xtables.values import read_address, read_port, read_ports, read_prefix, write_ports


def _read_port_range(text: str) -> PortRange:
    first, dash, last = text.partition("-")
    if not first or (dash and not last):
        raise ValueError(f"port range {text!r} is not complete")
    ports = read_ports(text, "-") if dash else PortRange(read_port(text), read_port(text))
    if ports.first == 0 and dash:
        raise ValueError(f"port range {text!r} starts at 0")
    return ports


def _split(text: str, family: Family) -> tuple[str, str | None]:
    """Addresses and ports (None where there are none) of ``--to-destination`` and ``--to-source``."""
    if family is Family.IPV4:
        addresses, colon, ports = text.partition(":")
        return addresses, ports if colon else None
    if not text.startswith("["):
        if text.startswith(":") and not text.startswith("::"):
            return "", text[1:]
        return text, None
    addresses, bracket, rest = text[1:].partition("]")
    if not bracket or (rest and not rest.startswith(":")):
        raise ValueError(f"{text!r} is not [address]:port")
    return addresses, rest[1:] if rest else None


def _read_range(text: str, family: Family) -> NATRange:
    addresses, port_text = _split(text, family)
    ports = None if port_text is None else _read_port_range(port_text)
    first: Address | None = None
    last: Address | None = None
    if addresses:
        low, dash, high = addresses.partition("-")
        first = read_address(low, family)
        last = read_address(high, family) if dash else first
        if int(last) < int(first):
            raise ValueError(f"the address range {addresses} is empty")
    elif ports is None:
        raise ValueError("neither an address nor a port")
    return NATRange(first, last, ports.first if ports else None, ports.last if ports else None)


def _write_range(to: NATRange) -> str:
    addresses = "" if to.first is None else str(to.first)
    if to.last is not None and to.last != to.first:
        addresses += f"-{to.last}"
    if to.port_first is None or to.port_last is None:
        return addresses
    if to.first is not None and to.first.version == 6:
        addresses = f"[{addresses}]"
    return f"{addresses}:{write_ports(PortRange(to.port_first, to.port_last), '-')}"


def _range(given: Given, option: str) -> NATRange:
    return given.read(option, partial(_read_range, family=given.family)) or NATRange()


def _build_dnat(given: Given) -> DNATTarget | NotModelledTarget:
    addresses, slash, base = given.text("to-destination").rpartition("/")
    if slash and base and "-" in addresses:
        return NotModelledTarget("DNAT", given.words())
    return DNATTarget(_range(given, "to-destination"), "random" in given, "persistent" in given)


def _build_snat(given: Given) -> SNATTarget:
    to = _range(given, "to-source")
    return SNATTarget(to, "random" in given, "random-fully" in given, "persistent" in given)


def _ports(given: Given) -> tuple[int | None, int | None]:
    ports = given.read("to-ports", _read_port_range)
    return (None, None) if ports is None else (ports.first, ports.last)


def _build_masquerade(given: Given) -> MasqueradeTarget:
    return MasqueradeTarget(*_ports(given), "random" in given, "random-fully" in given)


def _build_redirect(given: Given) -> RedirectTarget:
    return RedirectTarget(*_ports(given), "random" in given)


def _build_netmap(given: Given) -> NetmapTarget:
    prefix = given.read("to", partial(read_prefix, family=given.family))
    if prefix is None:
        raise given.problem("--to must be specified")
    return NetmapTarget(prefix)


def _to_ports(target: MasqueradeTarget | RedirectTarget) -> list[str]:
    if target.port_first is None or target.port_last is None:
        return []
    return ["--to-ports", write_ports(PortRange(target.port_first, target.port_last), "-")]


def _dnat_words(target: DNATTarget | NotModelledTarget, _family: Family) -> list[str]:
    if isinstance(target, NotModelledTarget):
        return [target.name, *target.words]
    return [
        *("DNAT", "--to-destination", _write_range(target.to)),
        *flag("random", present=target.random),
        *flag("persistent", present=target.persistent),
    ]


def _snat_words(target: SNATTarget, _family: Family) -> list[str]:
    return [
        *("SNAT", "--to-source", _write_range(target.to)),
        *flag("random", present=target.random),
        *flag("random-fully", present=target.random_fully),
        *flag("persistent", present=target.persistent),
    ]


def _masquerade_words(target: MasqueradeTarget, _family: Family) -> list[str]:
    return [
        *("MASQUERADE", *_to_ports(target)),
        *flag("random", present=target.random),
        *flag("random-fully", present=target.random_fully),
    ]


@cache
def _needs(hooks: tuple[str, ...], *, ports: bool) -> Needs:
    return Needs(protocols=PORT_PROTOCOLS if ports else (), tables=("nat",), hooks=hooks)


_INBOUND = ("PREROUTING", "OUTPUT")
_SOURCE = ("POSTROUTING", "INPUT")
_RANDOM = Option("random", values=0)
_RANDOM_FULLY = Option("random-fully", values=0)
_PERSISTENT = Option("persistent", values=0)

DNAT = Extension[DNATTarget | NotModelledTarget](
    "DNAT",
    (Option("to-destination", required=True), _RANDOM, _PERSISTENT),
    _build_dnat,
    _dnat_words,
    (DNATTarget,),
    needs=lambda target: _needs(_INBOUND, ports=isinstance(target, DNATTarget) and target.to.port_first is not None),
)
SNAT = Extension(
    "SNAT",
    (Option("to-source", required=True), _RANDOM, _RANDOM_FULLY, _PERSISTENT),
    _build_snat,
    _snat_words,
    (SNATTarget,),
    needs=lambda target: _needs(_SOURCE, ports=target.to.port_first is not None),
)
MASQUERADE = Extension(
    "MASQUERADE",
    (Option("to-ports"), _RANDOM, _RANDOM_FULLY),
    _build_masquerade,
    _masquerade_words,
    (MasqueradeTarget,),
    needs=lambda target: _needs(("POSTROUTING",), ports=target.port_first is not None),
)
REDIRECT = Extension(
    "REDIRECT",
    (Option("to-ports"), _RANDOM),
    _build_redirect,
    lambda target, _family: ["REDIRECT", *_to_ports(target), *flag("random", present=target.random)],
    (RedirectTarget,),
    needs=lambda target: _needs(_INBOUND, ports=target.port_first is not None),
)
NETMAP = Extension(
    "NETMAP",
    (Option("to", required=True),),
    _build_netmap,
    lambda target, _family: ["NETMAP", "--to", str(target.to)],
    (NetmapTarget,),
    needs=lambda _target: _needs((*_INBOUND, *_SOURCE), ports=False),
)
