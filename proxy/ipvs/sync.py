"""What one sync of the ipvs mode does to a node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from proxy.iptables.chains import chain_line
from proxy.iptables.fixed_rules import Jump
from proxy.iptables.sync import BUILT_IN
from proxy.ipvs.ip_sets import IPSet
from proxy.ipvs.iptables_rules import ChainRules
from proxy.ipvs.settings import Timeouts
from proxy.ipvs.virtual_server import VirtualServer

DUMMY_DEVICE = "kube-ipvs0"


@dataclass(frozen=True, slots=True)
class IpvsChanges:
    """What a sync tells the tools, in the order of the syncs' steps.

    ``ipset`` is for ``ipset restore -exist``, ``ipvsadm`` for ``ipvsadm -R``; ``bound`` are addresses that kube-ipvs0 gets,
    in order, ``unbound`` those that it loses.
    """

    ipset: str
    ipvsadm: str
    bound: tuple[Address, ...]
    unbound: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class IpvsSync:
    """One sync of one family, and all that is programmed after it.

    ``jumps`` are the rules that must stand in built-in chains, in the order in which they stand. ``restore`` is what is
    given to ``iptables-restore --noflush --counters``: every chain, whole, at every sync.
    ``virtual_servers`` are by ``VirtualServer.service``, ``sets`` by the family's name of the set. ``addresses`` are those of
    ``kube-ipvs0`` (each with the longest prefix; the device is down), in the order of their text.
    ``next_check`` says when real servers of weight 0 are looked at again, in nanoseconds of the caller's clock; None where
    there are none. A sync at that time or later looks at them.
    ``sysctls`` and ``timeouts`` are set once, at start.
    """

    family: Family
    full: bool
    jumps: tuple[Jump, ...]
    chains: ChainRules
    changes: IpvsChanges
    sysctls: Mapping[str, str]
    timeouts: Timeouts | None
    next_check: int | None
    virtual_servers: Mapping[str, VirtualServer] = field(repr=False)
    sets: Mapping[str, IPSet] = field(repr=False)
    addresses: tuple[Address, ...] = field(repr=False)

    @property
    def restore(self) -> str:
        """The payload of iptables-restore."""
        nat, filter_ = self.chains.nat, self.chains.filter
        return "".join(
            (
                *("*nat\n", *map(chain_line, nat), *nat.values(), "COMMIT\n"),
                *("*filter\n", *map(chain_line, filter_), *filter_.values(), "COMMIT\n"),
            )
        )

    def rules(self) -> str:
        """The text of all iptables tables after the sync, on a node that has no other rules."""
        nat = _table("nat", self.chains.nat, self.jumps)
        filter_ = _table("filter", self.chains.filter, self.jumps)
        return f"{nat}{filter_}*mangle\nCOMMIT\n"

    def ipvsadm(self) -> str:
        """The virtual servers of the family as ``ipvsadm -Sn`` prints them, sorted."""
        servers = self.virtual_servers
        return "".join(line for service in sorted(servers) for line in servers[service].lines())

    def ipset(self) -> str:
        """The members of the family's sets, as lines of ``ipset save``, sorted. Sets without members have no line."""
        return "".join(line for name in sorted(self.sets) for line in self.sets[name].lines())

    def ipset_save(self) -> str:
        """The family's sets with their members, for ``ipset restore``."""
        return "".join((*(s.create() for s in self.sets.values()), self.ipset()))

    def dummy_addresses(self) -> str:
        """The addresses of ``kube-ipvs0``, one a line, sorted as text."""
        return "".join(f"{address}\n" for address in self.addresses)


def _table(table: str, rules: Mapping[str, str], jumps: tuple[Jump, ...]) -> str:
    built_in = dict.fromkeys(BUILT_IN[table], "")
    for jump in jumps:
        if jump.table == table:
            built_in[jump.chain] += f"-A {jump.chain} {jump.rule}\n"
    chains = {**built_in, **rules}
    return "".join((f"*{table}\n", *map(chain_line, chains), *chains.values(), "COMMIT\n"))
