"""What one sync of the nftables mode does to a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from proxy.nftables.elements import Element
from proxy.nftables.fixed_table import FixedTable
from proxy.nftables.names import NODE_PORT_IPS, TABLE
from proxy.nftables.service_objects import affinity_set


@dataclass(frozen=True, slots=True)
class AffinitySet:
    """An affinity set's timeout in seconds: as it is now, and as it was when the set was made."""

    seconds: int
    made_with: int


@dataclass(frozen=True, slots=True)
class NftablesSync:
    """One sync of one family.

    ``cleanup`` is a transaction that deletes chains that have been out of use for long enough; it is run before
    ``transaction``, which does everything else. Both are for ``nft -f``; either may be empty, and then is not run.
    ``sysctls`` are set once, at start.
    The remaining fields are the table after the sync: what is always there; the service ports' chains, name to rules
    (whole lines; those out of use have none); affinity sets by name; elements by set or map, then by key.
    """

    family: Family
    full: bool
    cleanup: str
    transaction: str
    sysctls: Mapping[str, str]
    fixed: FixedTable = field(repr=False)
    service_chains: Mapping[str, str] = field(repr=False)
    affinity_sets: Mapping[str, AffinitySet] = field(repr=False)
    elements: Mapping[str, Mapping[str, Element]] = field(repr=False)

    def table(self) -> str:
        """The table after the sync, as a transaction that would make it, sorted by kind and name."""
        return self._table({name: item.seconds for name, item in self.affinity_sets.items()})

    def table_as_recorded(self) -> str:
        """The table as a fake of nftables has it that the reference cases were recorded from.

        Adding a set that exists does nothing in the fake, so the set keeps the timeout that it was made with. Linux takes
        the new timeout over (since 6.2; net/netfilter/nf_tables_api.c:nf_tables_newset()), which ``table`` tells.
        """
        return self._table({name: item.made_with for name, item in self.affinity_sets.items()})

    def _table(self, timeouts: Mapping[str, int]) -> str:
        settings = self.fixed.settings
        where = f"{settings.ip} {TABLE}"
        chains = {**{name: f"add chain {where} {name}\n" for name in self.service_chains}, **self.fixed.chains}
        sets = {
            **{name: affinity_set(settings, name, seconds) for name, seconds in timeouts.items()},
            **self.fixed.sets,
        }
        rules = {**self.service_chains, **self.fixed.rules}
        parts = [self.fixed.table]
        for group in (chains, sets, self.fixed.maps, rules):
            parts += [group[name] for name in sorted(group)]
        for name in (*sorted(self.fixed.sets), *sorted(self.fixed.maps)):
            parts += [f"add element {where} {name} {{ {body} }}\n" for body in self._bodies(name)]
        return "".join(parts)

    def _bodies(self, container: str) -> list[str]:
        if container == NODE_PORT_IPS:
            return list(self.fixed.node_port_ips or ())
        return [element.body() for element in self.elements[container].values()]
