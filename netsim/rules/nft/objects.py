"""Named limits and quotas, and flowtables, out of the text that a table keeps. Ref: nft(8), "STATEFUL OBJECTS", "FLOWTABLES"."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.rules.nft.ast import Limit, OtherObject, Quota, Statement, TableFamily
from netsim.rules.nft.blocks import BlockReader
from netsim.rules.nft.statements import StatementReader
from netsim.rules.nft.tokens import Source
from netsim.rules.source import RuleSyntaxError


@dataclass(frozen=True, slots=True)
class Flowtable:
    """A flowtable: the devices whose packets it looks at when they come in, and when among the chains at ``ingress``."""

    name: str
    priority: int
    devices: tuple[str, ...]


def flowtable(found: OtherObject, family: TableFamily) -> Flowtable:
    """``{ hook ingress priority filter; devices = { "eth0", "eth1" } }``. Raises RuleSyntaxError."""
    source = Source(found.text.strip().removeprefix("{").removesuffix("}"), found.name)
    priority, devices = 0, list[str]()
    source.skip_ends()
    while source.peek().kind != "eof":
        if source.accept("hook", "ingress"):
            priority = BlockReader(source, family).priority("ingress")
        elif source.accept("devices", "=", "{"):
            devices.append(source.string())
            while source.accept(","):
                devices.append(source.string())
            source.expect("}")
        else:
            source.rest()
        source.skip_ends()
    return Flowtable(found.name, priority, tuple(devices))


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
