"""What packets do to named sets: add, update, delete, and the statements that an element has for itself.

Ref: net/netfilter/nft_dynset.c:nft_dynset_eval(), net/netfilter/nf_tables_core.h:nft_set_elem_update_expr() (v6.12).
"""

from __future__ import annotations

from netsim.rules.nft.ast import NamedSet, SetUpdate
from netsim.rules.nft.datatypes import datatype
from netsim.stack.nf_tables_expression import Scope, compile_expression
from netsim.stack.nft_lookup import NamedMapping, passes_element
from netsim.stack.nft_registers import Register
from netsim.stack.nft_state import LiveElement, SetState
from netsim.stack.x_tables import Check, RuleNotModelledError, XtContext


def set_update(statement: SetUpdate, scope: Scope) -> Check:
    """True where the element is there afterwards and its own statements let the packet pass; a set that is full ends the rule.

    ``add`` leaves an element's time alone, ``update`` begins it anew. An element gets the statement's timeout, or the set's own.
    """
    mapping = _mapping(statement, scope)
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
        kept = _keep(ctx, statement, mapping, state, element, LiveElement(_deadline(ctx, lives), value))
        return kept and passes_element(ctx, mapping, element, statement.stateful or mapping.named.stateful)

    return check


def _mapping(statement: SetUpdate, scope: Scope) -> NamedMapping:
    """The named set, or the one that a meter has for itself."""
    if statement.operation != "meter":
        return scope.named(statement.name)
    own = NamedSet(statement.name, datatype(statement.element), flags=frozenset({"dynamic"}))
    return NamedMapping((*scope.table, statement.name), own)


def _deadline(ctx: XtContext, lives: float | None) -> float | None:
    return None if lives is None else ctx.env.clock.now() + lives


def _keep(
    ctx: XtContext, statement: SetUpdate, mapping: NamedMapping, state: SetState, element: Register, live: LiveElement
) -> bool:
    there = mapping.find(ctx, element) is not None
    if there and statement.operation in ("add", "meter"):
        return True
    size = mapping.named.size
    if not there and size is not None and mapping.count(state, ctx.env.clock.now()) >= size:
        return False
    if there and live.data is None and mapping.named.data:
        raise RuleNotModelledError(f"{statement.operation} of an element of the map {statement.name} without data")
    if not there:
        state.generations[element] = state.generations.get(element, 0) + 1
    state.added[element] = live
    state.deleted.discard(element)
    return True
