"""Named limits and quotas of a table, out of the text that the table keeps. Ref: nft(8), "STATEFUL OBJECTS"."""

from __future__ import annotations

from netsim.rules.nft.ast import Limit, OtherObject, Quota, Statement, TableFamily
from netsim.rules.nft.statements import StatementReader
from netsim.rules.nft.tokens import Source
from netsim.rules.source import RuleSyntaxError


def named_object(found: OtherObject | None) -> Limit | Quota | None:
    """A limit or quota that stands as ``{ rate 5/second }`` or ``{ over 25 mbytes }``; None for anything else."""
    if found is None or found.kind not in ("limit", "quota"):
        return None
    inside = found.text.strip().removeprefix("{").removesuffix("}").strip()
    reader = StatementReader(Source(f"{found.kind} {inside}", found.name), TableFamily.INET)
    try:
        statement: Statement = reader.statement()
    except RuleSyntaxError:
        return None
    return statement if isinstance(statement, Limit | Quota) else None
