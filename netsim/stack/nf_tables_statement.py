"""Statements of a rule, compiled: what a rule asks, does, and decides, from left to right.

Ref: net/netfilter/nft_immediate.c, nft_log.c, nft_counter.c, nft_objref.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import (
    NAT,
    Assign,
    Counter,
    Ct,
    CtCount,
    Jump,
    Last,
    Limit,
    Log,
    Lookup,
    Match,
    Meta,
    NotModelled,
    NoTrack,
    ObjectReference,
    Payload,
    Quota,
    Reject,
    ResetOption,
    SetUpdate,
    Statement,
    TCPOption,
    Verdict,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.datatypes import datatype
from netsim.rules.nft.elsewhere import Dup, Elsewhere, FlowAdd, Fwd, Queue, SynProxy, TProxy
from netsim.rules.nft.write import write_statement
from netsim.stack.nf_tables_expression import Scope, compile_expression, compile_find
from netsim.stack.nft_ct import notrack, set_ct, set_object
from netsim.stack.nft_dynset import set_update
from netsim.stack.nft_elsewhere import dup, fwd, queue, synproxy, tproxy
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_exthdr import reset, set_tcp_option
from netsim.stack.nft_flow import flow_add
from netsim.stack.nft_limit import stateful
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
            if ref.family == "bridge":
                raise RuleNotModelledError("reject in family bridge")
            return reject(statement)
        case Counter():
            return lambda _: GO_ON
        case Limit() | Quota() | CtCount():
            return _check(stateful(statement, object()))
        case Last():
            return lambda _: GO_ON
        case ResetOption():
            return reset(statement)
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
        case Queue() | Dup() | Fwd() | TProxy() | SynProxy() | FlowAdd():
            return _elsewhere(statement, ref, scope)
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
            return _write_option(target, value)

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


def _write_option(target: TCPOption, value: Eval) -> Run:
    def run(ctx: XtContext) -> Result:
        register = value(ctx)
        said = None if register is None else set_tcp_option(target, ctx, register)
        return None if said is None else Outcome(None, said)

    return run


def _elsewhere(statement: Elsewhere, ref: NftRuleRef, scope: Scope) -> Run:
    match statement:
        case Queue():
            return queue(statement)
        case Dup():
            return dup(statement)
        case TProxy():
            return tproxy(statement, scope)
        case SynProxy():
            return synproxy(statement, "")
        case FlowAdd(name):
            return flow_add((ref.family, ref.table, name))
        case Fwd():
            return fwd(statement, scope)
        case _:
            assert_never(statement)


def _object(statement: ObjectReference, scope: Scope) -> Run:
    """A named object: its own state, shared by all rules that name it. A map may choose which."""
    if statement.choice is None:
        return _named_object(statement.kind, statement.name, scope)
    assert isinstance(statement.choice, Lookup)
    kinds = datatype(statement.choice.key)
    find = compile_find(statement.choice.key, scope.mapping(statement.choice.mapping, kinds, ("",)), scope, kinds)
    named: dict[str, Run] = {}

    def run(ctx: XtContext) -> Result:
        found = find(ctx)
        if found is None:
            return None
        name = found.label.strip('"')
        if name not in named:
            named[name] = _named_object(statement.kind, name, scope)
        return named[name](ctx)

    return run


def _named_object(kind: str, name: str, scope: Scope) -> Run:
    match kind:
        case "counter" | "secmark":
            said = Outcome(None, f"{kind} {name}")
            return lambda _: said
        case "ct helper" | "ct timeout" | "ct expectation":
            return set_object(kind, name)
        case "synproxy":
            return synproxy(None, f"synproxy name {name}")
        case _:
            reference = ObjectReference(kind, name)
            found = scope.named_object(reference)
            if found is None:
                raise RuleNotModelledError(f"{kind} name {name}")
            return _check(stateful(found, scope.object_key(reference)))
