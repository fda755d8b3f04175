"""What one sync of the iptables mode does to a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from proxy.iptables.chains import chain_line
from proxy.iptables.fixed_rules import JUMPS, Jump

BUILT_IN = {"nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"), "filter": ("INPUT", "FORWARD", "OUTPUT")}


@dataclass(frozen=True, slots=True)
class IptablesSync:
    """One sync of one family.

    ``jumps`` are the rules that must stand in built-in chains, in the order in which they stand; a full sync ensures
    them, a partial one relies on them. ``restore`` is what is given to ``iptables-restore --noflush --counters``: shared
    chains whole, of other chains those that changed. ``sysctls`` are set once, at start.
    The remaining fields are all of kube-proxy's chains after the sync, name to rules (whole lines).
    """

    family: Family
    full: bool
    jumps: tuple[Jump, ...]
    restore: str
    sysctls: Mapping[str, str]
    filter_chains: Mapping[str, str] = field(repr=False)
    nat_chains: Mapping[str, str] = field(repr=False)
    service_chains: Mapping[str, str] = field(repr=False)

    def rules(self) -> str:
        """The text of all tables after the sync, on a node that has no other rules.

        Built-in chains have no policy here (``-``), which iptables-restore reads as "leave it as it is".
        """
        nat = _chains("nat", {**self.nat_chains, **self.service_chains}, self.jumps)
        return "".join(
            (
                "*nat\n",
                nat,
                "COMMIT\n*filter\n",
                _chains("filter", self.filter_chains, self.jumps),
                "COMMIT\n*mangle\nCOMMIT\n",
            )
        )


def _chains(table: str, rules: Mapping[str, str], jumps: tuple[Jump, ...]) -> str:
    """A table's chains, built-in ones first, then those that jumps made, then others; and their rules in that order."""
    built_in = dict.fromkeys(BUILT_IN[table], "")
    for jump in jumps:
        if jump.table == table:
            built_in[jump.chain] += f"-A {jump.chain} {jump.rule}\n"
    made = dict.fromkeys(jump.target for jump in JUMPS if jump.table == table)
    ordered = {**built_in, **{chain: rules.get(chain, "") for chain in made}, **rules}
    return "".join((*map(chain_line, ordered), *ordered.values()))
