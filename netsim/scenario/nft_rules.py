"""The nftables rules of one machine, as the programs on it write them one after the other: its own, then kube-proxy's of each family.

The machine's own text is there first, as ``nft -f`` would load it. kube-proxy in mode nftables has a table of its own, which it makes
anew: what a dump of a running node has of that table is replaced.
"""

from __future__ import annotations

from netsim.net.address import Family
from netsim.objects.cluster import RulesText
from netsim.rules.nft.ast import Ruleset, TableFamily
from netsim.rules.nft.parse import parse
from netsim.scenario.kube_proxies import NodeProxy
from proxy.nftables.names import TABLE
from proxy.nftables.sync import NftablesSync

FAMILIES = {Family.IPV4: TableFamily.IP, Family.IPV6: TableFamily.IP6}


def own_nftables(text: RulesText | None) -> Ruleset | None:
    """Rules that a user wrote for a machine. Raises RuleSyntaxErrors with places in the user's file."""
    if text is None:
        return None
    indent = " " * (text.origin.column - 1)
    lines = [f"{indent}{line}" for line in text.text.splitlines()]
    return parse("\n".join([*[""] * (text.origin.line - 1), *lines, ""]), text.origin.file)


def node_nftables(text: RulesText | None, proxy: NodeProxy, node: str) -> tuple[Ruleset, ...]:
    """A node's rules of nftables, its own and kube-proxy's; empty where it has none. Raises RuleSyntaxErrors."""
    ruleset = own_nftables(text)
    for family, sync in proxy.syncs.items():
        if isinstance(sync, NftablesSync):
            ruleset = parse(sync.table(), f"kube-proxy on {node}", base=_without(ruleset, FAMILIES[family]))
    return () if ruleset is None else (ruleset,)


def _without(ruleset: Ruleset | None, family: TableFamily) -> Ruleset | None:
    """The rules without kube-proxy's table of a family."""
    if ruleset is None:
        return None
    return Ruleset({key: table for key, table in ruleset.tables.items() if key != (family, TABLE)})
