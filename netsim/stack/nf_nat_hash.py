"""Which address of a range a connection gets: the kernel's hash, without a secret, so the model gives the same answer.

Ref: net/netfilter/nf_nat_core.c:find_best_ips_proto(), include/linux/jhash.h:jhash2() (v6.12), on a little-endian machine.
"""

from __future__ import annotations

from typing import Literal

from netsim.net.address import Address, parse_address

MASK = 0xFFFFFFFF
JHASH_INITVAL = 0xDEADBEEF


def spread_address(
    src: Address, dst: Address, first: Address, last: Address, *, persistent: bool, replaces_destination: bool = False
) -> Address:
    """The address between first and last (both included) for a source and a destination; ``persistent`` ignores the destination.

    ``replaces_destination`` for DNAT: the kernel writes the result over the destination that it hashes (seen with IPv6 only).
    """
    width = src.max_prefixlen // 32
    source, destination = _words(src, "little"), _words(dst, "little")
    low, high = _words(first, "big"), _words(last, "big")
    value = jhash2(source + [0] * (4 - width), 0 if persistent else destination[-1])
    chosen: list[int] = []
    full = False
    for i in range(width):
        least, distance = (0, MASK) if full else (low[i], (high[i] - low[i] + 1) & MASK)
        word = (least + (value * distance >> 32)) & MASK
        chosen.append(word)
        full = full or word != high[i]
        if not persistent:
            value ^= int.from_bytes(word.to_bytes(4, "big"), "little") if replaces_destination else destination[i]
    packed = b"".join(word.to_bytes(4, "big") for word in chosen)
    return parse_address(packed)


def _words(address: Address, order: Literal["little", "big"]) -> list[int]:
    packed = address.packed
    return [int.from_bytes(packed[i : i + 4], order) for i in range(0, len(packed), 4)]


def _rotate(word: int, shift: int) -> int:
    return (word << shift | word >> (32 - shift)) & MASK


def jhash2(words: list[int], initval: int) -> int:
    """Bob Jenkins's lookup3 over 32-bit words. Ref: include/linux/jhash.h:jhash2()."""
    a = b = c = (JHASH_INITVAL + (len(words) << 2) + initval) & MASK
    position = 0
    while len(words) - position > 3:
        a, b, c = (a + words[position]) & MASK, (b + words[position + 1]) & MASK, (c + words[position + 2]) & MASK
        a, b, c = _mix(a, b, c)
        position += 3
    rest = words[position:]
    if not rest:
        return c
    padded = [*rest, 0, 0][:3]
    return _final((a + padded[0]) & MASK, (b + padded[1]) & MASK, (c + padded[2]) & MASK)


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Ref: __jhash_mix()."""
    for shift, which in ((4, 0), (6, 1), (8, 2), (16, 0), (19, 1), (4, 2)):
        if which == 0:
            a, c = (a - c & MASK) ^ _rotate(c, shift), (c + b) & MASK
        elif which == 1:
            b, a = (b - a & MASK) ^ _rotate(a, shift), (a + c) & MASK
        else:
            c, b = (c - b & MASK) ^ _rotate(b, shift), (b + a) & MASK
    return a, b, c


def _final(a: int, b: int, c: int) -> int:
    """Ref: __jhash_final()."""
    c = ((c ^ b) - _rotate(b, 14)) & MASK
    a = ((a ^ c) - _rotate(c, 11)) & MASK
    b = ((b ^ a) - _rotate(a, 25)) & MASK
    c = ((c ^ b) - _rotate(b, 16)) & MASK
    a = ((a ^ c) - _rotate(c, 4)) & MASK
    b = ((b ^ a) - _rotate(a, 14)) & MASK
    return ((c ^ b) - _rotate(b, 24)) & MASK
