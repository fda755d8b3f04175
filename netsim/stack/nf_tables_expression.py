"""Expressions of a rule, compiled: each part once, to a function of a packet at a hook.

Ref: net/netfilter/nft_bitwise.c, nft_cmp.c, nft_range.c, nft_immediate.c, nft_lookup.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import (
    AnonymousMap,
    AnonymousSet,
    Binary,
    Concatenation,
    Ct,
    Expression,
    Fib,
    HeaderPart,
    Jhash,
    Limit,
    Lookup,
    Meta,
    Numgen,
    ObjectReference,
    Payload,
    Quota,
    RawPayload,
    Rt,
    SetReference,
    SocketKey,
    TCPOption,
    Value,
)
from netsim.rules.nft.datatypes import datatype
from netsim.stack.nft_ct import ct
from netsim.stack.nft_data import Bounds, bounds, flat
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_exthdr import header_part, tcp_option
from netsim.stack.nft_fib import fib
from netsim.stack.nft_lookup import AnonymousMapping, Found, Mapping, NamedMapping
from netsim.stack.nft_meta import meta
from netsim.stack.nft_numgen import flow_of, numbers_of, numgen, random_outcome, seeded, unseeded
from netsim.stack.nft_payload import payload
from netsim.stack.nft_payload_raw import raw_payload
from netsim.stack.nft_registers import Register
from netsim.stack.nft_rt import rt, socket
from netsim.stack.x_tables import RuleNotModelledError, XtContext

Finder = Callable[[XtContext], "Found | None"]
BoundsEval = Callable[[XtContext], "tuple[Bounds, ...] | None"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What an expression is compiled for: the rule's place in words, what it leads to, and what its table has."""

    place: str
    label: str
    named: Callable[[str], NamedMapping]
    named_object: Callable[[ObjectReference], Limit | Quota | None]
    table: tuple[str, str]

    def object_key(self, reference: ObjectReference) -> object:
        """What a named object's state is kept under: all rules that name it share it."""
        return (*self.table, reference.kind, reference.name)

    def mapping(
        self, source: AnonymousMap | AnonymousSet | SetReference, kinds: tuple[str, ...], data: tuple[str, ...]
    ) -> Mapping:
        """What a look-up asks."""
        if isinstance(source, SetReference):
            return self.named(source.name)
        return AnonymousMapping(source, kinds, data)


def compile_expression(  # noqa: C901 - one case for each kind
    expression: Expression, scope: Scope, kinds: tuple[str, ...] = ("",)
) -> Eval:
    """An expression that fills a register. ``kinds`` are the datatypes that literals in it have.

    Raises RuleNotModelledError where it cannot be compiled.
    """
    match expression:
        case Payload():
            return payload(expression)
        case Meta():
            return meta(expression)
        case Ct():
            return ct(expression)
        case TCPOption():
            return tcp_option(expression)
        case HeaderPart():
            return header_part(expression)
        case RawPayload():
            return raw_payload(expression)
        case Rt():
            return rt(expression)
        case SocketKey():
            return socket(expression)
        case Fib():
            return fib(expression)
        case Numgen():
            return numgen(expression, scope.place)
        case Jhash():
            return _hash(expression, scope, lambda _ctx, number: str(number))
        case Concatenation(parts):
            return _concatenation(parts, scope, kinds)
        case Binary():
            return _binary(expression, scope)
        case Lookup():
            return _single(compile_bounds(expression, scope, kinds))
        case Value():
            return _immediate(expression, kinds[0])
        case SetReference() | AnonymousSet():
            raise RuleNotModelledError("a set where a value is expected")
        case _:
            assert_never(expression)


def _immediate(value: Value, kind: str) -> Eval:
    span = bounds(value.literal, kind)
    if span is None or not span.single:
        raise RuleNotModelledError(f"the interval {value.literal} where one value is expected")
    first = span.first
    return lambda _: first


def _concatenation(parts: tuple[Expression, ...], scope: Scope, kinds: tuple[str, ...]) -> Eval:
    known = kinds if len(kinds) == len(parts) else ("",) * len(parts)
    compiled = [compile_expression(part, scope, (kind,)) for part, kind in zip(parts, known, strict=True)]

    def value(ctx: XtContext) -> Register | None:
        found: list[Register] = []
        for part in compiled:
            register = part(ctx)
            if register is None:
                return None
            found.append(register)
        return flat(tuple(found))

    return value


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "&": lambda left, right: left & right,
    "|": lambda left, right: left | right,
    "^": lambda left, right: left ^ right,
    "<<": lambda left, right: left << right,
    ">>": lambda left, right: left >> right,
}


def _binary(expression: Binary, scope: Scope) -> Eval:
    """Bitwise arithmetic; a shift to the left keeps the width of a mark, which is all that rules shift."""
    kinds = datatype(expression.left)
    left = compile_expression(expression.left, scope, kinds)
    right = compile_expression(expression.right, scope, kinds)
    operation = _OPERATIONS[expression.operator]
    limit = 0xFFFFFFFF if expression.operator == "<<" else None

    def value(ctx: XtContext) -> Register | None:
        one, other = left(ctx), right(ctx)
        if one is None or other is None:
            return None
        if not isinstance(one, int) or not isinstance(other, int):
            raise RuleNotModelledError(f"the operator {expression.operator} on what is no number")
        result = operation(one, other)
        return result if limit is None else result & limit

    return value


# --- hashes -----------------------------------------------------------------------------------------------------

WIDTHS = {
    # bytes of a datatype
    "ipv4_addr": 4,
    "ipv6_addr": 16,
    "inet_service": 2,
    "inet_proto": 1,
    "mark": 4,
}


def _hash(expression: Jhash, scope: Scope, label_of: Callable[[XtContext, int], str]) -> Eval:
    if expression.expression is None:
        return unseeded(expression, scope.place, flow_of, label_of)
    of = compile_expression(expression.expression, scope)
    if expression.seed is None:
        return unseeded(expression, scope.place, of, label_of)
    kinds = datatype(expression.expression)
    if not all(kind in WIDTHS for kind in kinds):
        raise RuleNotModelledError(f"jhash of {' . '.join(kinds)}")
    return seeded(expression, of, [WIDTHS[kind] for kind in kinds])


# --- look-ups ---------------------------------------------------------------------------------------------------


def compile_find(key: Expression, mapping: Mapping, scope: Scope, kinds: tuple[str, ...]) -> Finder:
    """The element of a set or map that holds an expression's value. What chance decides forks by what it comes to."""
    if isinstance(key, Numgen) and key.mode == "random":
        numbers = numbers_of(key)
        return lambda ctx: random_outcome(ctx, scope.place, numbers, lambda number: mapping.find(ctx, number), _label)
    if isinstance(key, Jhash):
        value = _hash(key, scope, lambda ctx, number: _label(mapping.find(ctx, number)))
    else:
        value = compile_expression(key, scope, kinds)

    def find(ctx: XtContext) -> Found | None:
        register = value(ctx)
        return None if register is None else mapping.find(ctx, register)

    return find


def _label(found: Found | None) -> str:
    return "no element" if found is None else found.label


def compile_bounds(expression: Expression, scope: Scope, kinds: tuple[str, ...]) -> BoundsEval:
    """An expression that may stand for an interval, as a NAT address does: one pair of bounds for each part."""
    match expression:
        case Value(literal):
            span = bounds(literal, kinds[0])
            if span is None:
                raise RuleNotModelledError("* as a value")
            return lambda _: (span,)
        case Lookup(key, source):
            finder = compile_find(key, scope.mapping(source, datatype(key), kinds), scope, datatype(key))
            return lambda ctx: _data(finder(ctx))
        case _:
            value = compile_expression(expression, scope, kinds)
            return lambda ctx: _exact(value(ctx))


def _data(found: Found | None) -> tuple[Bounds, ...] | None:
    if found is None:
        return None
    if not isinstance(found.data, tuple):
        raise RuleNotModelledError("a verdict where a value is expected")
    return found.data


def _exact(register: Register | None) -> tuple[Bounds, ...] | None:
    if register is None:
        return None
    parts = register if isinstance(register, tuple) else (register,)
    return tuple(Bounds(part, part) for part in parts)


def _single(of: BoundsEval) -> Eval:
    def value(ctx: XtContext) -> Register | None:
        found = of(ctx)
        if found is None:
            return None
        if not all(part.single for part in found):
            raise RuleNotModelledError("an interval where one value is expected")
        return flat(tuple(part.first for part in found))

    return value
