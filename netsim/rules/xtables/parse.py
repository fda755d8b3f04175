"""The text of iptables-save and iptables-restore → typed rules."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.source import RuleSyntaxErrors
from netsim.rules.xtables.ast import Ruleset
from netsim.rules.xtables.collector import collector_at_rest
from netsim.rules.xtables.loader import Loader
from netsim.rules.xtables.parts import PartReader


def parse(text: str, family: Family, file: str) -> Ruleset:
    """What a namespace without rules has after ``iptables-restore`` (for IPv6 ``ip6tables-restore``) of the text.

    ``file`` names the text in origins and errors. Tables that the text does not name are absent; a table that it names has all its
    built-in chains. Raises RuleSyntaxErrors with everything that the real tool or the kernel would refuse.
    Differs from iptables 1.8.9: host names are not resolved, service names only from a table, renaming a chain is refused.
    """
    loader = Loader(family, file, PartReader(family))
    with collector_at_rest():
        loader.load(text)
        if loader.errors:
            raise RuleSyntaxErrors(loader.errors)
        return Ruleset(family, {name: table.done() for name, table in loader.tables.items()})
