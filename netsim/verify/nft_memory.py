"""Whether rules of nftables remember packets, so that they must be loaded anew between flows that are not to know of each other."""

from __future__ import annotations

from netsim.rules.nft.ast import (
    NAT,
    Assign,
    Expression,
    Limit,
    Lookup,
    Match,
    Numgen,
    ObjectReference,
    Quota,
    Ruleset,
    SetUpdate,
    Statement,
    VerdictMap,
)


def nft_remembers(ruleset: Ruleset) -> bool:
    """True where a rule fills a set, counts, or limits."""
    return any(
        _remembers(statement)
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        for statement in rule.statements
    )


def _remembers(statement: Statement) -> bool:
    match statement:
        case SetUpdate() | Limit() | Quota() | ObjectReference():
            return True
        case Match(left):
            return _counts(left)
        case VerdictMap(key):
            return _counts(key)
        case Assign(value=value):
            return _counts(value)
        case NAT(address=address) if address is not None:
            return _counts(address)
        case _:
            return False


def _counts(expression: Expression) -> bool:
    found = expression.key if isinstance(expression, Lookup) else expression
    return isinstance(found, Numgen) and found.mode == "inc"
