"""Comparisons: what a match statement asks of a packet.

Ref: net/netfilter/nft_cmp.c, nft_range.c, nft_bitwise.c, nft_lookup.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import (
    AnonymousSet,
    Binary,
    Concatenation,
    Expression,
    Flags,
    Match,
    Meta,
    Numgen,
    SetReference,
    Value,
)
from netsim.rules.nft.datatypes import datatype
from netsim.stack.nf_tables_expression import Scope, compile_expression, compile_find
from netsim.stack.nft_data import Bounds, bounds, flag_bits
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_lookup import NamedMapping, passes_element
from netsim.stack.nft_numgen import choose, numbers_of, random_outcome
from netsim.stack.nft_registers import Register
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext

Test = Callable[[Register], bool]


def match(statement: Match, scope: Scope) -> Check:
    """True where the packet has what is asked for. A packet without the field matches neither a comparison nor its opposite."""
    left, operator, right = statement.left, statement.operator, statement.right
    kinds = datatype(left)
    if isinstance(right, SetReference | AnonymousSet):
        return _in_set(left, right, scope, inverted=_inverted(operator))
    if not _is_literal(right):
        return _with_expression(left, right, scope, inverted=_inverted(operator))
    test = _test(operator, right, kinds)
    if isinstance(left, Numgen) and left.mode == "random":
        return _by_chance(left, test, scope)
    if (size := _random_size(left)) is not None:
        return _by_share(operator, right, kinds, size, scope)
    value = compile_expression(left, scope, kinds)
    return lambda ctx: (register := value(ctx)) is not None and test(register)


def _inverted(operator: str) -> bool:
    if operator not in ("==", "!="):
        raise RuleNotModelledError(f"the operator {operator} with a set or an expression")
    return operator == "!="


def _in_set(left: Expression, source: SetReference | AnonymousSet, scope: Scope, *, inverted: bool) -> Check:
    kinds = datatype(left)
    mapping = scope.mapping(source, kinds, ("",))
    if isinstance(left, Numgen):
        find = compile_find(left, mapping, scope, kinds)
        return lambda ctx: (find(ctx) is not None) != inverted
    value = compile_expression(left, scope, kinds)
    stateful = mapping.named.stateful if isinstance(mapping, NamedMapping) else ()

    def check(ctx: XtContext) -> bool:
        register = value(ctx)
        if register is None:
            return False
        found = mapping.find(ctx, register) is not None
        if found and stateful and isinstance(mapping, NamedMapping):
            found = passes_element(ctx, mapping, register, stateful)
        return found != inverted

    return check


def _with_expression(left: Expression, right: Expression, scope: Scope, *, inverted: bool) -> Check:
    kinds = datatype(left)
    one: Eval = compile_expression(left, scope, kinds)
    other: Eval = compile_expression(right, scope, kinds)

    def check(ctx: XtContext) -> bool:
        mine, theirs = one(ctx), other(ctx)
        return mine is not None and theirs is not None and (mine == theirs) != inverted

    return check


def _by_chance(left: Numgen, test: Test, scope: Scope) -> Check:
    numbers = numbers_of(left)

    def label(matched: bool) -> str:  # noqa: FBT001
        return scope.label if matched else f"past {scope.place}"

    return lambda ctx: random_outcome(ctx, scope.place, numbers, test, label)


def _random_size(left: Expression) -> int | None:
    """How many numbers ``meta random``, or some low bits of it, may be; None for any other expression."""
    match left:
        case Meta("random"):
            return 1 << 32
        case Binary("&", Meta("random"), Value(int(mask))) if mask & (mask + 1) == 0:
            return mask + 1
        case _:
            return None


def _by_share(operator: str, right: Expression, kinds: tuple[str, ...], size: int, scope: Scope) -> Check:
    """A random number against a literal: the share of the numbers that hold. It is how nft writes ``-m statistic``."""
    span = bounds(right.literal, kinds[0]) if isinstance(right, Value) else None
    if span is None or not isinstance(span.first, int) or not isinstance(span.last, int):
        raise RuleNotModelledError("meta random against what is no number")
    first, last = span.first, span.last
    counts = {"<": first, "<=": last + 1, ">": size - last - 1, ">=": size - first, "==": last - first + 1}
    counts["!="] = size - counts["=="]
    share = Fraction(min(max(counts[operator], 0), size), size)
    options = ((scope.label, share), (f"past {scope.place}", 1 - share))
    if share in (0, 1):
        return lambda _: share == 1
    return lambda ctx: choose(ctx, scope.place, options) == 0


# --- literals ---------------------------------------------------------------------------------------------------


def _is_literal(right: Expression) -> bool:
    if isinstance(right, Concatenation):
        return all(isinstance(part, Value) for part in right.parts)
    return isinstance(right, Value)


@dataclass(frozen=True, slots=True)
class _Spans:
    """A comparison with one pair of bounds for each part."""

    spans: tuple[Bounds | None, ...]

    def holds(self, register: Register) -> bool:
        parts = register if isinstance(register, tuple) else (register,)
        return all(span is None or span.holds(part) for span, part in zip(self.spans, parts, strict=True))


def _test(operator: str, right: Expression, kinds: tuple[str, ...]) -> Test:
    """A comparison with literals. Flags without an operator ask that one of them is set; ``!=`` compares the whole value with theirs.

    So ``ct state != established,related`` matches every packet: no state is both. Ref: what ``nft --debug=netlink`` prints (1.0.6).
    """
    literals = [part.literal for part in _values(right)]
    if isinstance(literals[0], Flags) and operator == "&":
        bits = flag_bits(literals[0], kinds[0])
        return lambda register: isinstance(register, int) and bool(register & bits)
    known = kinds if len(kinds) == len(literals) else ("",) * len(literals)
    spans = _Spans(tuple(bounds(literal, kind) for literal, kind in zip(literals, known, strict=True)))
    match operator:
        case "==":
            return spans.holds
        case "!=":
            return lambda register: not spans.holds(register)
        case "&":
            raise RuleNotModelledError("the operator & without flags")
        case _:
            return _ordered(operator, spans)


def _values(right: Expression) -> tuple[Value, ...]:
    parts = right.parts if isinstance(right, Concatenation) else (right,)
    return tuple(part for part in parts if isinstance(part, Value))


def _ordered(operator: str, spans: _Spans) -> Test:
    span = spans.spans[0]
    if len(spans.spans) != 1 or span is None or not isinstance(span.first, int) or not isinstance(span.last, int):
        raise RuleNotModelledError(f"the operator {operator} with what is no number")
    first, last = span.first, span.last
    tests: dict[str, Callable[[int], bool]] = {
        "<": lambda value: value < first,
        "<=": lambda value: value <= last,
        ">": lambda value: value > last,
        ">=": lambda value: value >= first,
    }
    test = tests[operator]
    return lambda register: isinstance(register, int) and test(register)
