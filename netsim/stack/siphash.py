"""hsiphash as a 64-bit kernel computes it: SipHash-1-3, of which the low 32 bits are kept.

Ref: lib/siphash.c:__hsiphash_unaligned(), hsiphash_1u32() with BITS_PER_LONG 64 (v6.12); Aumasson and Bernstein, SipHash (2012).
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_CONSTANTS = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
_FINAL_ROUNDS = 3


def hsiphash_1u32(word: int, key: tuple[int, int]) -> int:
    """The hash (32 bits) of one 32-bit word in the machine's order, little-endian."""
    v0, v1, v2, v3 = (constant ^ key[index % 2] for index, constant in enumerate(_CONSTANTS))
    block = 4 << 56 | word & 0xFFFFFFFF
    v0, v1, v2, v3 = _round(v0, v1, v2, v3 ^ block)
    v0, v2 = v0 ^ block, v2 ^ 0xFF
    for _ in range(_FINAL_ROUNDS):
        v0, v1, v2, v3 = _round(v0, v1, v2, v3)
    return (v0 ^ v1 ^ v2 ^ v3) & 0xFFFFFFFF


def _rotate(value: int, shift: int) -> int:
    return (value << shift | value >> (64 - shift)) & _MASK


def _round(v0: int, v1: int, v2: int, v3: int) -> tuple[int, int, int, int]:
    v0 = (v0 + v1) & _MASK
    v1 = _rotate(v1, 13) ^ v0
    v0 = _rotate(v0, 32)
    v2 = (v2 + v3) & _MASK
    v3 = _rotate(v3, 16) ^ v2
    v0 = (v0 + v3) & _MASK
    v3 = _rotate(v3, 21) ^ v0
    v2 = (v2 + v1) & _MASK
    v1 = _rotate(v1, 17) ^ v2
    return v0, v1, _rotate(v2, 32), v3
