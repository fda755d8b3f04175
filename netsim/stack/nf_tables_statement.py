"""Statements of a rule, compiled: what a rule asks, does, and decides, from left to right.

Ref: net/netfilter/nft_immediate.c, nft_log.c, nft_counter.c, nft_objref.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from netsim.rules.nft.ast import (
    NAT,
    Assign,
    Counter,
    Ct,
    Jump,
    Limit,
    Log,
    Match,
    Meta,
    NotModelled,
    NoTrack,
    ObjectReference,
    Payload,
    Quota,
    Reject,
    SetUpdate,
    Statement,
    TCPOption,
    Verdict,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.datatypes import datatype
from netsim.rules.nft.write import write_statement
from netsim.stack.nf_tables_expression import Scope, compile_expression, compile_find
from netsim.stack.nft_ct import notrack, set_ct
from netsim.stack.nft_dynset import set_update
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_exthdr import set_tcp_option
from netsim.stack.nft_limit import limit, quota
from netsim.stack.nft_match import match as compare
from netsim.stack.nft_meta import set_meta
from netsim.stack.nft_nat import nat
from netsim.stack.nft_payload import payload, set_payload
from netsim.stack.nft_reject import reject
from netsim.stack.steps import NftRuleRef
from netsim.stack.x_tables import Check, Outcome, RuleNotModelledError, XtContext


@dataclass(frozen=True, slots=True)
class Steering:
    """A verdict or a jump; ``comment`` is that of the verdict map's element which led there."""

    to: Verdict | Jump
    comment: str = ""


Result: TypeAlias = Outcome | Steering | None
"""None is ``NFT_BREAK``: the rule does not match. An Outcome without a verdict goes on with the next statement."""

Run: TypeAlias = Callable[[XtContext], Result]

GO_ON = Outcome(None, "")


def compile_statement(statement: Statement, ref: NftRuleRef, scope: Scope) -> Run:
    """What a statement does with a packet. One that cannot be compiled says so when a packet comes to it."""
    try:
        return compiled(statement, ref, scope)
    except RuleNotModelledError as missing:
        return _not_modelled(str(missing))


def compiled(statement: Statement, ref: NftRuleRef, scope: Scope) -> Run:  # noqa: C901 - one case for each kind
    """What a statement does with a packet; raises RuleNotModelledError for one that the model does not have."""
    match statement:
        case Match():
            return _check(compare(statement, scope))
        case VerdictStatement(verdict):
            steering = Steering(verdict)
            return lambda _: steering
        case VerdictMap():
            return _verdict_map(statement, scope)
        case NAT():
            return nat(statement, ref, scope)
        case Reject():
            return reject(statement)
        case Counter():
            return lambda _: GO_ON
        case Limit():
            return _check(limit(statement, object()))
        case Quota():
            return _check(quota(statement, object()))
        case Log():
            text = Outcome(None, write_statement(statement))
            return lambda _: text
        case Assign():
            return _assign(statement, scope)
        case SetUpdate():
            return _check(set_update(statement, scope))
        case NoTrack():
            return notrack
        case ObjectReference():
            return _object(statement, scope)
        case NotModelled(text):
            raise RuleNotModelledError(text)
        case _:
            assert_never(statement)


def _check(check: Check) -> Run:
    return lambda ctx: GO_ON if check(ctx) else None


def _not_modelled(text: str) -> Run:
    def run(_: XtContext) -> Result:
        raise RuleNotModelledError(text)

    return run


def _verdict_map(statement: VerdictMap, scope: Scope) -> Run:
    kinds = datatype(statement.key)
    mapping = scope.mapping(statement.mapping, kinds, ("verdict",))
    find = compile_find(statement.key, mapping, scope, kinds)

    def run(ctx: XtContext) -> Result:
        found = find(ctx)
        if found is None:
            return None
        if not isinstance(found.data, Verdict | Jump):
            raise RuleNotModelledError("a value where a verdict is expected")
        return Steering(found.data, found.comment)

    return run


def _assign(statement: Assign, scope: Scope) -> Run:
    target = statement.target
    value = compile_expression(statement.value, scope, datatype(target))
    match target:
        case Meta():
            write = set_meta(target)
        case Ct():
            write = set_ct(target)
        case Payload():
            return _write_payload(target, value)
        case TCPOption():
            return _write_option(value)

    def run(ctx: XtContext) -> Result:
        register = value(ctx)
        return None if register is None else Outcome(None, write(ctx, register))

    return run


def _write_payload(target: Payload, value: Eval) -> Run:
    """A packet without the field is not written to: nft asks for its protocol first."""
    there, write = payload(target), set_payload(target)

    def run(ctx: XtContext) -> Result:
        register = value(ctx)
        if register is None or there(ctx) is None:
            return None
        write(ctx, register)
        return GO_ON

    return run


def _write_option(value: Eval) -> Run:
    def run(ctx: XtContext) -> Result:
        register = value(ctx)
        said = None if register is None else set_tcp_option(ctx, register)
        return None if said is None else Outcome(None, said)

    return run


def _object(statement: ObjectReference, scope: Scope) -> Run:
    """``limit name "x"``, ``quota name "x"``: the object's own state, shared by all rules that name it."""
    named = scope.named_object(statement)
    match named:
        case Limit():
            return _check(limit(named, scope.object_key(statement)))
        case Quota():
            return _check(quota(named, scope.object_key(statement)))
        case _:
            raise RuleNotModelledError(f"{statement.kind} name {statement.name}")
