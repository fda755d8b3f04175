"""Datatypes: which literals an expression is compared with, how they are read, and how ``nft list`` prints them.

Ref: nftables 1.0.6 src/{datatype,meta,ct,proto,fib}.c.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import assert_never

from netsim.net.address import Family, Prefix
from netsim.rules.nft.ast import (
    AnonymousSet,
    Binary,
    Concatenation,
    Ct,
    Expression,
    Fib,
    Flags,
    HeaderPart,
    Jhash,
    Literal,
    Lookup,
    Meta,
    Numgen,
    Payload,
    Range,
    RawPayload,
    Rt,
    SetReference,
    SocketKey,
    TCPOption,
    Value,
    Wildcard,
)
from netsim.rules.nft.datatype_tables import CT, INTEGER, META, PAYLOAD, QUOTED, SYMBOL, SYMBOLS
from netsim.rules.nft.intervals import MARK_BITS, as_prefix, mark_mask, prefix_length, read_mark_prefix
from netsim.rules.xtables.names import PROTOCOLS
from netsim.rules.xtables.values import read_address, read_integer, read_port, write_protocol

_SECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
_TIME = re.compile(r"(\d+)(ms|[smhdw])")


_HEXADECIMAL = {"mark": 10, "dscp": 4}
"""Datatypes whose numbers are printed in base 16, and the width of that, ``0x`` included."""


@cache
def known_types() -> frozenset[str]:
    """Every datatype that a set may have."""
    fields = (kind for fields in PAYLOAD.values() for kind in fields.values())
    return frozenset([*META.values(), *CT.values(), *fields, *SYMBOLS, "ether_addr", INTEGER]) - {SYMBOL}


_RT = {"mtu": INTEGER, "ip6 nexthop": "ipv6_addr", "classid": "realm", "ipsec": "boolean"}


def datatype(expression: Expression) -> tuple[str, ...]:  # noqa: C901 - one case for each kind
    """The datatypes of an expression's parts; ``("",)`` where none is known."""
    match expression:
        case Payload(protocol, name):
            return (PAYLOAD[protocol][name],)
        case Meta(key):
            return (META[key],)
        case Ct(key):
            return (CT[key],)
        case TCPOption() | SocketKey():
            return (INTEGER if not isinstance(expression, TCPOption) or expression.field else "boolean",)
        case HeaderPart(_, _, name):
            return (INTEGER if name else "boolean",)
        case RawPayload():
            return (INTEGER,)
        case Rt(key):
            return (_RT.get(key, "ipv4_addr"),)
        case Fib(_, result):
            return ({"type": "fib_addrtype", "check": "boolean"}.get(result, "fib_oif"),)
        case Numgen() | Jhash():
            return (INTEGER,)
        case Concatenation(parts):
            return tuple(kind for part in parts for kind in datatype(part))
        case Binary(_, left):
            return datatype(left)
        case SetReference() | AnonymousSet() | Lookup() | Value():
            return ("",)
        case _:
            assert_never(expression)


# --- reading ----------------------------------------------------------------------------------------------------


def read_literal(text: str, kind: str) -> Literal:
    """One literal of a datatype; of none ("") whatever it looks like. Raises ValueError."""
    if text == "*":
        return Wildcard()
    match kind:
        case "ipv4_addr":
            return _read_addresses(text, Family.IPV4)
        case "ipv6_addr":
            return _read_addresses(text, Family.IPV6)
        case "inet_proto":
            return _read_protocol(text)
        case "inet_service":
            return _read_range(text) if "-" in text and text[0].isdecimal() else read_port(text)
        case "mark" if (masked := read_mark_prefix(text)) is not None:
            return Range(masked[0], masked[0] | ~masked[1] & mark_mask(MARK_BITS))
        case "mark" | "integer":
            return _read_range(text)
        case "dscp" if text[:1].isdecimal():
            return _read_range(text, 63)
        case "duration":
            return read_time(text)
        case "":
            return _read_any(text)
        case _ if kind in SYMBOLS:
            return _read_symbol(text, kind)
        case _:
            return text


def _read_addresses(text: str, family: Family) -> Literal:
    first, dash, last = text.partition("-")
    if dash:
        return Range(read_address(first, family), read_address(last, family))
    address, slash, length = text.partition("/")
    base = read_address(address, family)
    if not slash:
        return base
    return _host(ipaddress.ip_network((int(base), read_integer(length, family.bits)), strict=False), family)


def _host(prefix: Prefix, family: Family) -> Literal:
    """A prefix, or the address where it is a whole one; ``ip_network`` of a small number is IPv4, so the family is asked."""
    known: Prefix = prefix
    if family is Family.IPV6 and prefix.version == 4:
        known = ipaddress.IPv6Network((int(prefix.network_address), prefix.prefixlen))
    return known.network_address if known.prefixlen == family.bits else known


def _read_protocol(text: str) -> Literal:
    if text[:1].isdecimal():
        return _read_range(text, 255)
    if text in PROTOCOLS and text != "all":
        return PROTOCOLS[text]
    raise ValueError(f"Could not resolve protocol name {text!r}")


def _read_range(text: str, most: int = 0xFFFFFFFF) -> Literal:
    first, dash, last = text.partition("-")
    return Range(read_integer(first, most), read_integer(last, most)) if dash else read_integer(text, most)


def _read_symbol(text: str, kind: str) -> Literal:
    if text in SYMBOLS[kind]:
        return text
    if text[:1].isdecimal():
        return _read_range(text)
    raise ValueError(f"{text!r} is no {kind}: {', '.join(SYMBOLS[kind])}")


def _read_any(text: str) -> Literal:
    for family in Family:
        try:
            return _read_addresses(text, family)
        except ValueError:
            continue
    return _read_range(text) if text[:1].isdecimal() else text


def read_time(text: str) -> int:
    """Milliseconds of ``3h``, ``1d2h3m4s5ms`` or a number of seconds."""
    if text.isdecimal():
        return int(text) * 1000
    if not text or _TIME.sub("", text):
        raise ValueError(f"{text!r} is no time (1d2h3m4s)")
    return sum(int(number) * _SECONDS[unit] for number, unit in _TIME.findall(text))


# --- writing ----------------------------------------------------------------------------------------------------


def write_literal(literal: Literal, kind: str) -> str:
    """A literal as ``nft list`` prints it."""
    match literal:
        case Wildcard():
            return "*"
        case Range(first, last):
            ends = (
                (first, last) if kind not in _HEXADECIMAL else (write_literal(first, kind), write_literal(last, kind))
            )
            return f"{ends[0]}-{ends[1]}"
        case Flags(names):
            order = SYMBOLS.get(kind, ())
            return ",".join(sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name)))
        case int():
            if kind in _HEXADECIMAL:
                return f"{literal:#0{_HEXADECIMAL[kind]}x}"
            if kind == "duration":
                return write_time(literal)
            return write_protocol(literal) if kind == "inet_proto" else str(literal)
        case str():
            quoted = kind in QUOTED or (kind == "fib_oif" and literal not in ("missing", "exists"))
            return f'"{literal}"' if quoted else literal
        case _:
            return str(literal)


def write_element(literal: Literal, kind: str) -> str:
    """A literal in a set, where a range that is a prefix is printed as one."""
    if isinstance(literal, Range):
        if kind != "mark":
            return write_literal(as_prefix(literal), kind)
        first, last = int(literal.first), int(literal.last)
        if (length := prefix_length(first, last, MARK_BITS)) is not None:
            return f"{write_literal(first, kind)}/{length}"
    return write_literal(literal, kind)


def write_time(milliseconds: int) -> str:
    """``1d2h``, as nft prints a time."""
    words: list[str] = []
    for unit in ("d", "h", "m", "s", "ms"):
        number, milliseconds = divmod(milliseconds, _SECONDS[unit])
        if number:
            words.append(f"{number}{unit}")
    return "".join(words) or "0s"


def sort_key(literal: Literal) -> tuple[int, int, str]:
    """A fixed order of literals: by their values, names last."""
    match literal:
        case bool() | int():
            return 0, literal, ""
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return 1, int(literal), str(literal)
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return 1, int(literal.network_address), str(literal)
        case Range(first, _):
            return 1 if not isinstance(first, int) else 0, int(first), str(literal)
        case _:
            return 2, 0, str(literal)
