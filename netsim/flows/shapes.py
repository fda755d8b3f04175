"""Rules as shapes and constants: what of a rule is its own, and what names an address, a prefix, a port or a device.

Two rules of the same shape whose constants stand in the same relation to two packets treat those packets alike. A shape is a hashable
value with a numbered hole for each constant; what a walk compares by equality or membership becomes a hole, everything else stays
in the shape as it is. A rule that computes with an address (a hash, a mask, an order) cannot be told by holes: it is opaque.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from netsim.flows.codes import Code, Ports, Span, code_of
from netsim.net.address import Address, Prefix
from netsim.rules.nft import ast as nft
from netsim.rules.nft.elsewhere import TProxy
from netsim.rules.xtables import ast as xt
from netsim.rules.xtables import matches as xt_matches
from netsim.rules.xtables import targets as xt_targets
from netsim.trace.verdict import NFT_RULES, RULES


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

    def datum(self, kind: str, literal: nft.Literal) -> Hashable:
        """Take one part of a set's element apart, of that datatype; its form. What NAT finds in a map it gives to packets."""
        if kind != "inet_service" or not isinstance(literal, int | nft.Range):
            return _form(literal, self)
        first, last = (literal.first, literal.last) if isinstance(literal, nft.Range) else (literal, literal)
        assert isinstance(first, int)
        assert isinstance(last, int)
        return _port_range(xt.PortRange(first, last), self)


OPAQUE: dict[type, str] = {
    # what computes with an address or hands it on in a way that equality and membership do not tell
    xt_matches.HashLimitMatch: "buckets by masked addresses",
    xt_matches.ConnLimitMatch: "counts by masked addresses",
    xt_matches.IPVSMatch: "compares ports of IPVS",
    xt.MACMatch: "compares a MAC",
    xt_targets.NetmapTarget: "computes an address",
    xt_targets.TProxyTarget: "sends to a socket of another address",
    xt_targets.SetTarget: "changes a set",
    xt_targets.CTTarget: "sets a conntrack zone",
    nft.Jhash: "hashes",
    nft.RawPayload: "looks at bits of addresses",
    TProxy: "sends to a socket of another address",
}
TRANSLATES = (xt.DNATTarget, xt.SNATTarget, nft.NAT)
_REASONS = tuple(row.comment for row in RULES if row.comment)
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
    special = _SPECIAL.get(type(value))
    if special is not None:
        found: Hashable = special(value, shape)
        return found
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
        if type(value) in OPAQUE:
            shape.opaque = shape.opaque or OPAQUE[type(value)]
        if isinstance(value, TRANSLATES):
            shape.translates = True
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
    shape.spans.append(Span.of(value))
    return ("span", len(shape.spans))


def _port_range(value: xt.PortRange, shape: Shape) -> Hashable:
    shape.ports.append(Ports(value.first, value.last))
    return ("ports", len(shape.ports))


def _transport(value: xt.TCPMatch | xt.UDPMatch | xt.SCTPMatch, shape: Shape) -> Hashable:
    wanted = value.destination
    if wanted is not None and not wanted.inverted and wanted.ports.first == wanted.ports.last:
        shape.asked_port = wanted.ports.first
    return (type(value).__name__, *(_form(getattr(value, each.name), shape) for each in fields(value)))


def _nat_range(value: xt.NATRange, shape: Shape) -> Hashable:
    form: list[Hashable] = ["to"]
    if value.first is not None:
        if value.last not in (None, value.first):
            shape.opaque = "translates to one of several addresses"
        form.append(_address(value.first, shape))
    if value.port_first is not None:
        if value.port_last not in (None, value.port_first):
            shape.opaque = "translates to one of several ports"
        form.append(_port_range(xt.PortRange(value.port_first, value.port_first), shape))
    return tuple(form)


def _address_range(value: xt_matches.AddressRange, shape: Shape) -> Hashable:
    shape.spans.append(Span(code_of(value.first), code_of(value.last)))
    return ("range", len(shape.spans), value.inverted)


def _redirect(value: xt.RedirectTarget, shape: Shape) -> Hashable:
    shape.translates = shape.to_self = True
    return ("redirect", _nat_range(xt.NATRange(None, None, value.port_first, value.port_last), shape), value.random)


def _comment(value: xt.CommentMatch, shape: Shape) -> Hashable:
    """A verdict's reason may be read from a comment; nothing else is."""
    del shape
    return tuple(re.search(pattern, value.text) is not None for pattern in _REASONS)


def _jump(value: xt.Jump, shape: Shape) -> Hashable:
    shape.chains.append(value.chain)
    return ("goto" if value.goto else "jump", len(shape.chains))


def _set_match(value: xt.SetMatch, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    return ("set", len(shape.sets), value.directions, value.inverted, value.options)


def _recent(value: xt.RecentMatch, shape: Shape) -> Hashable:
    if value.mask is not None and int(value.mask) + 1 != 1 << value.mask.max_prefixlen:
        shape.opaque = "remembers masked addresses"
    shape.lists.append(value.name)
    return ("recent", value.operation, len(shape.lists), value.seconds, value.reap, value.hitcount, value.rttl,
            value.destination, value.inverted)  # fmt: skip


def _interface(value: xt.InterfaceMatch, shape: Shape) -> Hashable:
    shape.names.append(value.name)
    return ("device", value.name, value.inverted)


def _nft_range(value: nft.Range, shape: Shape) -> Hashable:
    first, last = value.first, value.last
    if isinstance(first, int) or isinstance(last, int):
        return ("range", first, last)
    shape.spans.append(Span(code_of(first), code_of(last)))
    return ("range of addresses", len(shape.spans))


def _nft_jump(value: nft.Jump, shape: Shape) -> Hashable:
    shape.chains.append(value.chain)
    return ("goto" if value.goto else "jump", len(shape.chains))


def _set_reference(value: nft.SetReference, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    return ("set", len(shape.sets))


def _set_update(value: nft.SetUpdate, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    shape.translates = True  # what it puts into a map may become a packet's
    own = _form(value.stateful, shape)
    parts = (value.operation, value.timeout_ms, _form(value.element, shape), _form(value.data, shape), own)
    return ("update", len(shape.sets), parts)


def _payload(value: nft.Payload, shape: Shape) -> Hashable:
    if value.protocol == "ether":
        shape.opaque = "looks at a MAC"
    shape.literal_ports = shape.literal_ports or value.field in ("sport", "dport")
    return ("payload", value.protocol, value.field)


def _ct(value: nft.Ct, shape: Shape) -> Hashable:
    shape.literal_ports = shape.literal_ports or value.key.startswith("proto-")
    return ("ct", value.key, value.direction)


def _binary(value: nft.Binary, shape: Shape) -> Hashable:
    operands = (value.left, value.right)
    if any(_names_address(each) for each in operands):
        shape.opaque = "computes with an address"
    return ("binary", value.operator, *(_form(each, shape) for each in operands))


def _names_address(value: object) -> bool:
    match value:
        case nft.Payload(field=field) if field in ("saddr", "daddr"):
            return True
        case nft.Ct(key=key) | nft.Rt(key=key):
            return "addr" in key or "nexthop" in key
        case nft.Value(literal=IPv4Address() | IPv6Address()):
            return True
        case nft.Binary(left=left, right=right):
            return _names_address(left) or _names_address(right)
        case nft.Concatenation(parts=parts):
            return any(_names_address(each) for each in parts)
    return False


def _nft_match(value: nft.Match, shape: Shape) -> Hashable:
    if value.operator not in ("==", "!=") and (_names_address(value.left) or _names_address(value.right)):
        shape.opaque = "orders addresses"
    return ("match", value.operator, _form(value.left, shape), _form(value.right, shape))


def _verdict_map(value: nft.VerdictMap | nft.Lookup, shape: Shape) -> Hashable:
    """Ports that are looked up in a named set are told by the set's elements."""
    by_name = isinstance(value.mapping, nft.SetReference)
    before = shape.literal_ports
    key = _form(value.key, shape)
    shape.literal_ports = before if by_name else shape.literal_ports
    return (type(value).__name__, key, _form(value.mapping, shape))


def _assign(value: nft.Assign, shape: Shape) -> Hashable:
    if _names_address(value.target):
        shape.opaque = "writes an address"
    if isinstance(value.target, nft.Payload) and value.target.field in ("sport", "dport"):
        shape.opaque = "writes a port"
    return ("assign", _form(value.target, shape), _form(value.value, shape))


def _nat(value: nft.NAT, shape: Shape) -> Hashable:
    """Addresses and ports that are written here, alone or in a map, may become the packet's."""
    if value.prefix:
        shape.opaque = "computes an address"
    shape.translates = True
    shape.to_self = shape.to_self or value.kind == "redirect"
    to = (_nat_to(value.address, shape), _nat_to(value.port, shape))
    return ("nat", value.kind, value.family, *to, tuple(sorted(value.flags)))


def _nat_to(value: nft.Expression | None, shape: Shape) -> Hashable:
    match value:
        case nft.Lookup(key=key, mapping=nft.AnonymousMap(elements=elements)):
            pairs = [(_form(each, shape), _nat_data(data, shape)) for each, data in elements]
            return ("map", _form(key, shape), tuple(pairs))
        case nft.Value(literal=literal):
            return _end_of(literal, shape)
        case _:
            return _form(value, shape)


def _nat_data(data: nft.Data, shape: Shape) -> Hashable:
    if not isinstance(data, tuple):
        return _form(data, shape)
    return tuple(_end_of(each, shape) for each in data)


def _end_of(literal: nft.Literal, shape: Shape) -> Hashable:
    """An address or a port that may become a packet's."""
    if isinstance(literal, nft.Range):
        shape.opaque = "translates to one of several addresses or ports"
        return "range"
    return _port_range(xt.PortRange(literal, literal), shape) if isinstance(literal, int) else _form(literal, shape)


def _nft_rule(value: nft.Rule, shape: Shape) -> Hashable:
    return tuple(_form(each, shape) for each in value.statements)


def _string(value: str, shape: Shape) -> Hashable:
    shape.names.append(value)
    return ("str", value)


_SPECIAL: dict[type, Any] = {
    # what is not simply its fields
    IPv4Address: _address,
    IPv6Address: _address,
    IPv4Network: _prefix,
    IPv6Network: _prefix,
    xt.PortRange: _port_range,
    xt.TCPMatch: _transport,
    xt.UDPMatch: _transport,
    xt.SCTPMatch: _transport,
    xt.NATRange: _nat_range,
    xt.RedirectTarget: _redirect,
    xt.CommentMatch: _comment,
    xt.Jump: _jump,
    xt.SetMatch: _set_match,
    xt.RecentMatch: _recent,
    xt.InterfaceMatch: _interface,
    xt_matches.AddressRange: _address_range,
    str: _string,
    nft.Range: _nft_range,
    nft.Jump: _nft_jump,
    nft.SetReference: _set_reference,
    nft.SetUpdate: _set_update,
    nft.Payload: _payload,
    nft.Binary: _binary,
    nft.Ct: _ct,
    nft.Match: _nft_match,
    nft.VerdictMap: _verdict_map,
    nft.Lookup: _verdict_map,
    nft.Assign: _assign,
    nft.NAT: _nat,
    nft.Rule: _nft_rule,
}
