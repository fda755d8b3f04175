"""nftables' rules as shapes: what of a statement or expression is not simply its fields."""

from __future__ import annotations

from collections.abc import Hashable
from ipaddress import IPv4Address, IPv6Address

from netsim.flows.codes import Span, code_of
from netsim.flows.shapes import Language, Shape
from netsim.rules.nft import ast as nft
from netsim.rules.nft.elsewhere import TProxy


def datum(kind: str, literal: nft.Literal, shape: Shape) -> Hashable:
    """One part of a set's element, of that datatype, taken apart; its form. What NAT finds in a map it gives to packets."""
    if kind != "inet_service" or not isinstance(literal, int | nft.Range):
        return shape.add(literal)
    first, last = (literal.first, literal.last) if isinstance(literal, nft.Range) else (literal, literal)
    assert isinstance(first, int)
    assert isinstance(last, int)
    return shape.port(first, last)


def _range(value: nft.Range, shape: Shape) -> Hashable:
    first, last = value.first, value.last
    if isinstance(first, int) or isinstance(last, int):
        return ("range", first, last)
    return ("range of addresses", shape.span(Span(code_of(first), code_of(last))))


def _jump(value: nft.Jump, shape: Shape) -> Hashable:
    shape.chains.append(value.chain)
    return ("goto" if value.goto else "jump", len(shape.chains))


def _set_reference(value: nft.SetReference, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    return ("set", len(shape.sets))


def _set_update(value: nft.SetUpdate, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    shape.translates = True  # what it puts into a map may become a packet's
    own = shape.add(value.stateful)
    parts = (value.operation, value.timeout_ms, shape.add(value.element), shape.add(value.data), own)
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
    return ("binary", value.operator, *(shape.add(each) for each in operands))


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


def _match(value: nft.Match, shape: Shape) -> Hashable:
    if value.operator not in ("==", "!=") and (_names_address(value.left) or _names_address(value.right)):
        shape.opaque = "orders addresses"
    return ("match", value.operator, shape.add(value.left), shape.add(value.right))


def _verdict_map(value: nft.VerdictMap | nft.Lookup, shape: Shape) -> Hashable:
    """Ports that are looked up in a named set are told by the set's elements."""
    by_name = isinstance(value.mapping, nft.SetReference)
    before = shape.literal_ports
    key = shape.add(value.key)
    shape.literal_ports = before if by_name else shape.literal_ports
    return (type(value).__name__, key, shape.add(value.mapping))


def _assign(value: nft.Assign, shape: Shape) -> Hashable:
    if _names_address(value.target):
        shape.opaque = "writes an address"
    if isinstance(value.target, nft.Payload) and value.target.field in ("sport", "dport"):
        shape.opaque = "writes a port"
    return ("assign", shape.add(value.target), shape.add(value.value))


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
            pairs = [(shape.add(each), _nat_data(data, shape)) for each, data in elements]
            return ("map", shape.add(key), tuple(pairs))
        case nft.Value(literal=literal):
            return _end_of(literal, shape)
        case _:
            return shape.add(value)


def _nat_data(data: nft.Data, shape: Shape) -> Hashable:
    if not isinstance(data, tuple):
        return shape.add(data)
    return tuple(_end_of(each, shape) for each in data)


def _end_of(literal: nft.Literal, shape: Shape) -> Hashable:
    """An address or a port that may become a packet's."""
    if isinstance(literal, nft.Range):
        shape.opaque = "translates to one of several addresses or ports"
        return "range"
    return shape.port(literal, literal) if isinstance(literal, int) else shape.add(literal)


def _rule(value: nft.Rule, shape: Shape) -> Hashable:
    return tuple(shape.add(each) for each in value.statements)


LANGUAGE = Language(
    special={
        nft.Range: _range,
        nft.Jump: _jump,
        nft.SetReference: _set_reference,
        nft.SetUpdate: _set_update,
        nft.Payload: _payload,
        nft.Binary: _binary,
        nft.Ct: _ct,
        nft.Match: _match,
        nft.VerdictMap: _verdict_map,
        nft.Lookup: _verdict_map,
        nft.Assign: _assign,
        nft.NAT: _nat,
        nft.Rule: _rule,
    },
    opaque={
        nft.Jhash: "hashes",
        nft.RawPayload: "looks at bits of addresses",
        TProxy: "sends to a socket of another address",
    },
    translates=(nft.NAT,),
)
