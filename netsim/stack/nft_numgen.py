"""numgen and the hashes: numbers below a modulus, by chance, in turn, or by what the packet is.

What chance decides is asked of the chooser. Where a number only looks up a map or is compared, the options are what that
comes to, each with its exact share; a hash without a seed of its own gives a flow the same number again.

Ref: net/netfilter/nft_numgen.c, nft_hash.c, include/linux/jhash.h:jhash() (v6.12), on a little-endian machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeVar

from netsim.rules.nft.ast import Jhash, Numgen
from netsim.stack.nf_nat_hash import jhash2
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_registers import Register, Scalar
from netsim.stack.steps import Choice
from netsim.stack.x_tables import RuleNotModelledError, XtContext

T = TypeVar("T")

MOST_NUMBERS = 1 << 16
"""A larger modulus is a hash for marks and the like, which no explorer can enumerate."""


def numbers_of(expression: Numgen | Jhash) -> range:
    """Every number that the expression may give; RuleNotModelledError where they are too many."""
    if expression.modulus > MOST_NUMBERS:
        raise RuleNotModelledError(f"a random number of {expression.modulus} values")
    return range(expression.offset, expression.offset + expression.modulus)


def random_outcome(
    ctx: XtContext, place: str, numbers: range, outcome_of: Callable[[int], T], label_of: Callable[[T], str]
) -> T:
    """What a random number comes to. Numbers that come to the same are one option. Ref: nft_ng_random_eval()."""
    shares: dict[T, int] = {}
    for number in numbers:
        outcome = outcome_of(number)
        shares[outcome] = shares.get(outcome, 0) + 1
    outcomes = tuple(shares)
    if len(outcomes) == 1:
        return outcomes[0]
    options = tuple((label_of(outcome), Fraction(shares[outcome], len(numbers))) for outcome in outcomes)
    return outcomes[choose(ctx, place, options)]


def choose(ctx: XtContext, place: str, options: tuple[tuple[str, Fraction], ...]) -> int:
    """Ask the chooser, and keep what it took for the rule's step."""
    description = f"{ctx.env.netns}: {place}"
    index = ctx.env.chooser.choose(description, options)
    ctx.choice = Choice(description, options, index)
    return index


def numgen(expression: Numgen, place: str) -> Eval:
    """A number for itself. ``inc`` begins with the first one; its counter lives as long as the namespace. Ref: nft_ng_inc_eval()."""
    if expression.mode == "inc":
        return increasing(expression)
    numbers = numbers_of(expression)
    return lambda ctx: random_outcome(ctx, place, numbers, lambda number: number, str)


def increasing(expression: Numgen) -> Eval:
    """``numgen inc``."""
    key = object()

    def count(ctx: XtContext) -> int:
        counters = ctx.state.nft.counters
        value = counters[key] = (counters.get(key, -1) + 1) % expression.modulus
        return value + expression.offset

    return count


# --- hashes -----------------------------------------------------------------------------------------------------


def seeded(expression: Jhash, of: Eval, widths: Sequence[int]) -> Eval:
    """``jhash … seed``: computed as the kernel does. ``widths`` are the parts' sizes in bytes. Ref: nft_jhash_eval()."""
    assert expression.seed is not None
    seed, modulus, offset = expression.seed, expression.modulus, expression.offset

    def value(ctx: XtContext) -> int | None:
        register = of(ctx)
        if register is None:
            return None
        return (jhash(_bytes(register, widths), seed) * modulus >> 32) + offset

    return value


def unseeded(
    expression: Jhash,
    place: str,
    key_of: Callable[[XtContext], object | None],
    label_of: Callable[[XtContext, int], str],
) -> Eval:
    """A hash with a secret of the kernel's: each number is as likely, and a flow that was seen has its own again.

    Ref: nft_hash.c:nft_jhash_init() (a random seed), nft_symhash_eval() (the secret of the flow dissector).
    """
    numbers = numbers_of(expression)
    name = expression if expression.expression is None else object()

    def value(ctx: XtContext) -> int | None:
        flow = key_of(ctx)
        if flow is None:
            return None
        known = ctx.state.nft.hashes
        if (name, flow) not in known:
            options = tuple((label_of(ctx, number), Fraction(1, len(numbers))) for number in numbers)
            index = choose(ctx, place, options) if len(options) > 1 else 0
            known[name, flow] = numbers[index]
        return known[name, flow]

    return value


def flow_of(ctx: XtContext) -> object:
    """What the flow dissector takes for one flow, both directions alike. Ref: net/core/flow_dissector.c:__skb_get_hash_symmetric_net()."""
    packet = ctx.skb.packet
    ends = ((int(packet.ip.src), packet.sport or 0), (int(packet.ip.dst), packet.dport or 0))
    return (packet.ip.dst.version, int(packet.ip.protocol), *sorted(ends))


def _bytes(register: Register, widths: Sequence[int]) -> bytes:
    """A register as it lies in memory: each part in network order, filled up to whole words."""
    parts: tuple[Scalar, ...] = register if isinstance(register, tuple) else (register,)
    found = b""
    for part, width in zip(parts, widths, strict=True):
        if isinstance(part, str):
            raise RuleNotModelledError("a hash of a device's name")
        raw = part.to_bytes(width, "big")
        found += raw + b"\0" * (-len(raw) % 4) if len(parts) > 1 else raw
    return found


def jhash(data: bytes, seed: int) -> int:
    """Ref: include/linux/jhash.h:jhash(); for whole words that is ``jhash2()``, and a rest is filled up with zeros."""
    padded = data + b"\0" * (-len(data) % 4)
    words = [int.from_bytes(padded[at : at + 4], "little") for at in range(0, len(padded), 4)]
    return jhash2(words, (seed - (len(words) << 2) + len(data)) & 0xFFFFFFFF)
