"""Intervals of values: how nft joins them in a set that has no name, and when it prints one as a prefix.

Ref: nftables 1.0.6 src/intervals.c:set_automerge(), src/segtree.c:interval_map_decompose(); src/datatype.c:DTYPE_F_PREFIX.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

from netsim.rules.nft.expression_ast import Key, Literal, Range
from netsim.rules.xtables.values import read_integer

MARK_BITS = 32


def joined(keys: Iterable[Key]) -> list[Key]:
    """The elements of an anonymous set in order, with those joined that overlap or touch, if any of them is an interval."""
    found = list(keys)
    spans = [_span(key[0]) if len(key) == 1 else None for key in found]
    known = sorted(span for span in spans if span is not None)
    if len(known) < len(found) or not any(isinstance(key[0], IPv4Network | IPv6Network | Range) for key in found):
        return found
    merged: list[tuple[int, int, int]] = []
    for kind, first, last in known:
        if merged and merged[-1][0] == kind and first <= merged[-1][2] + 1:
            merged[-1] = (kind, merged[-1][1], max(last, merged[-1][2]))
        else:
            merged.append((kind, first, last))
    return [(_literal(*span),) for span in merged]


def _span(literal: Literal) -> tuple[int, int, int] | None:
    """The version of an address or 0, the first and the last value; None of what has no order."""
    match literal:
        case int():
            return 0, literal, literal
        case IPv4Address() | IPv6Address():
            return literal.version, int(literal), int(literal)
        case IPv4Network() | IPv6Network():
            return literal.version, int(literal.network_address), int(literal.broadcast_address)
        case Range(first, last):
            return 0 if isinstance(first, int) else first.version, int(first), int(last)
        case _:
            return None


def _literal(version: int, first: int, last: int) -> Literal:
    if not version:
        return Range(first, last) if first != last else first
    word = IPv4Address if version == 4 else IPv6Address
    return as_prefix(Range(word(first), word(last))) if first != last else word(first)


def as_prefix(span: Range) -> Literal:
    """A range of addresses as the prefix that it is, if it is one."""
    first, last = span.first, span.last
    if isinstance(first, int) or isinstance(last, int):
        return span
    bits = first.max_prefixlen
    length = prefix_length(int(first), int(last), bits)
    return span if length is None else ip_network(f"{first}/{length}")


def prefix_length(first: int, last: int, bits: int) -> int | None:
    """The length of the prefix that first to last make, None where they make none."""
    free = (first ^ last).bit_length()
    whole = (1 << free) - 1
    return bits - free if first & whole == 0 and last & whole == whole else None


def mask_length(mask: int) -> int | None:
    """How many leading bits of a mark a mask takes, None where its bits are not the leading ones."""
    length = mask.bit_count()
    return length if mask == mark_mask(length) and 0 < length < MARK_BITS else None


def mark_mask(length: int) -> int:
    """The mask of a mark's leading bits."""
    return (1 << MARK_BITS) - (1 << (MARK_BITS - length))


def read_mark_prefix(text: str) -> tuple[int, int] | None:
    """``0x12000000/8`` as the value and the mask; None where there is no ``/``. Raises ValueError."""
    value, slash, length = text.partition("/")
    return (read_integer(value), mark_mask(read_integer(length, MARK_BITS))) if slash else None
