"""Whether an nftables rule is there to drop what conntrack calls INVALID."""

from __future__ import annotations

from netsim.rules.nft.ast import AnonymousMap, Ct, Flags, Match, Rule, Statement, Value, Verdict, VerdictMap

_STATE = Ct("state")


def drops_invalid(rule: Rule) -> bool:
    """True for ``ct state invalid drop`` and ``ct state vmap { invalid : drop, … }``."""
    return any(map(_asks_invalid, rule.statements))


def _asks_invalid(statement: Statement) -> bool:
    match statement:
        case Match(left, _, Value(literal)) if left == _STATE:
            return literal in (Flags(frozenset({"invalid"})), "invalid")
        case VerdictMap(key, AnonymousMap(elements)) if key == _STATE:
            return (("invalid",), Verdict.DROP) in elements
        case _:
            return False
