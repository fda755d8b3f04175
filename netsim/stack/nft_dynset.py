"""What packets do to named sets: add, update, delete. Ref: net/netfilter/nft_dynset.c:nft_dynset_eval() (v6.12)."""

from __future__ import annotations

from netsim.rules.nft.ast import SetUpdate
from netsim.stack.nf_tables_expression import Scope, compile_expression
from netsim.stack.nft_lookup import NamedMapping
from netsim.stack.nft_registers import Register
from netsim.stack.nft_state import LiveElement, SetState
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext


def set_update(statement: SetUpdate, scope: Scope) -> Check:
    """True where the element is there afterwards; a set that is full ends the rule.

    ``add`` leaves an element's time alone, ``update`` begins it anew. An element gets the statement's timeout, or the set's own.
    """
    mapping = scope.named(statement.name)
    key = compile_expression(statement.element, scope, mapping.named.key)
    data = None if statement.data is None else compile_expression(statement.data, scope, mapping.named.data)
    milliseconds = statement.timeout_ms if statement.timeout_ms is not None else mapping.named.timeout_ms
    lives = milliseconds / 1000 if milliseconds else None

    def check(ctx: XtContext) -> bool:
        element = key(ctx)
        value = None if data is None else data(ctx)
        if element is None or (data is not None and value is None):
            return False
        state = ctx.state.nft.of_set(mapping.place)
        if statement.operation == "delete":
            state.added.pop(element, None)
            state.deleted.add(element)
            return True
        return _keep(ctx, statement, mapping, state, element, LiveElement(_deadline(ctx, lives), value))

    return check


def _deadline(ctx: XtContext, lives: float | None) -> float | None:
    return None if lives is None else ctx.env.clock.now() + lives


def _keep(
    ctx: XtContext, statement: SetUpdate, mapping: NamedMapping, state: SetState, element: Register, live: LiveElement
) -> bool:
    there = mapping.find(ctx, element) is not None
    if there and statement.operation == "add":
        return True
    size = mapping.named.size
    if not there and size is not None and mapping.count(state, ctx.env.clock.now()) >= size:
        return False
    if there and live.data is None and mapping.named.data:
        raise RuleNotModelledError(f"{statement.operation} of an element of the map {statement.name} without data")
    state.added[element] = live
    state.deleted.discard(element)
    return True
