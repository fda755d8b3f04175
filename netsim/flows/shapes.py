"""Rules as shapes and constants: what of a rule is its own, and what names an address, a prefix, a port or a device.

Two rules of the same shape whose constants stand in the same relation to two packets treat those packets alike. A shape is a hashable
value with a numbered hole for each constant; what a walk compares by equality or membership becomes a hole, everything else stays
in the shape as it is. A rule that computes with an address (a hash, a mask, an order) cannot be told by holes: it is opaque.
What is not simply its fields stands in ``xtables_shapes`` and ``nft_shapes``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, TypeAlias

from netsim.flows.codes import Code, Ports, Span, code_of
from netsim.net.address import Address, Prefix
from netsim.trace.verdict import NFT_RULES, RULES

Form: TypeAlias = Callable[[Any, "Shape"], Hashable]
"""Takes a value of one type apart into a shape."""


@dataclass(slots=True)
class Shape:
    """One rule (or another frozen value) taken apart.

    ``exact`` and ``spans`` are its addresses, ``ports`` its port ranges, ``chains`` what it jumps to, ``sets`` what it looks into,
    ``lists`` the lists of ``recent``, in the order of its holes. ``translates``: its exact addresses and single ports may become a
    packet's. ``names`` are words that may be devices. ``opaque`` says why holes do not tell what it does; ``literal_ports``: it compares
    ports otherwise than by its holes. ``asked_port`` is the one destination port that it asks for.
    ``to_self``: it sends packets to the machine itself (REDIRECT). ``plain``: it has no holes but those of exact addresses.
    """

    form: Hashable = None
    exact: list[Code] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    ports: list[Ports] = field(default_factory=list)
    chains: list[str] = field(default_factory=list)
    sets: list[str] = field(default_factory=list)
    lists: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    translates: bool = False
    opaque: str = ""
    literal_ports: bool = False
    asked_port: int | None = None
    to_self: bool = False
    plain: bool = False

    def add(self, value: object) -> Hashable:
        """Take one more value apart; its form."""
        return _form(value, self)

    def port(self, first: int, last: int) -> Hashable:
        """The hole of a range of ports."""
        self.ports.append(Ports(first, last))
        return ("ports", len(self.ports))

    def span(self, span: Span) -> Hashable:
        """The hole of consecutive addresses."""
        self.spans.append(span)
        return ("span", len(self.spans))


@dataclass(frozen=True, slots=True)
class Language:
    """What of a language of rules is not simply its fields.

    ``opaque`` computes with an address, or hands it on in a way that equality and membership do not tell; ``translates`` names what may
    become a packet's.
    """

    special: Mapping[type, Form]
    opaque: Mapping[type, str]
    translates: tuple[type, ...]


@cache
def _known() -> Language:
    from netsim.flows import nft_shapes, xtables_shapes

    one, other = xtables_shapes.LANGUAGE, nft_shapes.LANGUAGE
    return Language(
        {**_ADDRESSES, **one.special, **other.special},
        {**one.opaque, **other.opaque},
        one.translates + other.translates,
    )


_CHAINS = (*(row.chain for row in RULES if row.chain), *(row.chain for row in NFT_RULES))


def shape_of(value: object) -> Shape:
    """A frozen value of the rules' languages, taken apart."""
    shape = Shape()
    shape.form = _form(value, shape)
    holes = (shape.spans, shape.ports, shape.chains, shape.sets, shape.lists)
    shape.plain = not any(holes)
    return shape


@cache
def chain_form(name: str) -> Hashable:
    """What a verdict may read from a chain's name."""
    return tuple(re.fullmatch(pattern, name) is not None for pattern in _CHAINS)


def _form(value: Any, shape: Shape) -> Hashable:
    known = _known()
    special = known.special.get(type(value))
    if special is not None:
        return special(value, shape)
    if isinstance(value, Enum):
        return value.name
    if value is None or isinstance(value, int | str | bytes):
        return value if value is None else (type(value).__name__, value)
    if isinstance(value, tuple):
        return tuple(_form(each, shape) for each in value)
    if isinstance(value, Mapping) and not value:
        return "nothing"
    if isinstance(value, frozenset):
        return tuple(sorted(repr(each) for each in value))
    if is_dataclass(value):
        shape.opaque = shape.opaque or known.opaque.get(type(value), "")
        shape.translates = shape.translates or type(value) in known.translates
        parts = tuple(_form(getattr(value, each.name), shape) for each in fields(value) if each.compare)
        return (type(value).__name__, *parts)
    shape.opaque = shape.opaque or f"{type(value).__name__} is not taken apart"
    return type(value).__name__


def _address(value: Address, shape: Shape) -> Hashable:
    shape.exact.append(code_of(value))
    return ("address", len(shape.exact))


def _prefix(value: Prefix, shape: Shape) -> Hashable:
    if value.prefixlen == value.max_prefixlen:
        return ("prefix", _address(value.network_address, shape))
    return shape.span(Span.of(value))


def _string(value: str, shape: Shape) -> Hashable:
    shape.names.append(value)
    return ("str", value)


_ADDRESSES: Mapping[type, Form] = {
    IPv4Address: _address,
    IPv6Address: _address,
    IPv4Network: _prefix,
    IPv6Network: _prefix,
    str: _string,
}
