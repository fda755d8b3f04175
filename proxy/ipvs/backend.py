"""The ipvs backend: keeps what it programmed, and applies what changed.

kube-proxy looks at everything at every sync, and changes what differs. Here a sync looks at the service ports whose
Services changed, which comes to the same, since nothing but this backend touches what it programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netsim.net.address import Address
from proxy.ipvs.claims import Claims, claims
from proxy.ipvs.counted import CountedMembers, MemberChanges
from proxy.ipvs.ip_sets import IPVS_IPS, SETS, IPSet, set_name
from proxy.ipvs.iptables_rules import ChainRules, chain_rules, jumps_in_place
from proxy.ipvs.server_table import ServerTable
from proxy.ipvs.settings import Settings
from proxy.ipvs.sync import IpvsChanges, IpvsSync
from proxy.ipvs.termination import ConnectionCounts, NoConnections
from proxy.names import ServicePortName
from proxy.plan import PlanUpdate

NO_CLAIMS = Claims()


class IpvsBackend:
    """Programs the plans of one family in IPVS. A ``proxy.proxier.Backend``.

    ``connections`` says how many connections a real server has, which decides when it goes.
    """

    def __init__(self, settings: Settings, connections: ConnectionCounts | None = None) -> None:
        self._settings = settings
        self._claims: dict[ServicePortName, Claims] = {}
        self._servers = ServerTable(settings.excluded, connections or NoConnections())
        self._members = {name: CountedMembers() for name in SETS}
        self._sets = {n: IPSet(set_name(n, settings.family), kind.type, settings.family) for n, kind in SETS.items()}
        self._made_sets = False
        self._known_addresses: dict[str, Address] = {}
        self._addresses: tuple[Address, ...] = ()
        self._refusals: dict[ServicePortName, tuple[str, ...]] = {}
        self._filled: frozenset[str] = frozenset()
        self._chains: ChainRules | None = None

    def sync(self, update: PlanUpdate, now: int) -> IpvsSync:
        """Program an update."""
        for name in update.removed:
            self._put(name, NO_CLAIMS)
        for plan in update.changed:
            self._put(plan.name, claims(plan, self._settings))
        ipvsadm = self._servers.program(now)
        changes = {name: members.take_changes() for name, members in self._members.items()}
        bound, unbound = self._sync_addresses(changes[IPVS_IPS])
        return IpvsSync(
            family=self._settings.family,
            full=update.full,
            jumps=jumps_in_place(),
            changes=IpvsChanges(self._sync_sets(changes), ipvsadm, bound, unbound),
            chains=self._chain_rules(),
            sysctls=self._settings.sysctls,
            timeouts=self._settings.timeouts,
            next_check=self._servers.next_check,
            virtual_servers=self._servers.snapshot(),
            sets={s.name: s for s in self._sets.values()},
            addresses=self._addresses,
        )

    def _put(self, name: ServicePortName, new: Claims) -> None:
        old = self._claims.pop(name, NO_CLAIMS)
        if new is not NO_CLAIMS:
            self._claims[name] = new
        for base, member in new.members:
            if (base, member) not in old.members:
                self._members[base].claim(member)
        for base, member in old.members:
            if (base, member) not in new.members:
                self._members[base].release(member)
        self._known_addresses.update(new.addresses)
        self._servers.exchange(name, old.servers, new.servers)
        if old.refusals != new.refusals:
            self._refusals.pop(name, None)
            self._refusals.update({name: new.refusals} if new.refusals else {})
            self._chains = None

    def _sync_addresses(self, changes: MemberChanges) -> tuple[tuple[Address, ...], tuple[Address, ...]]:
        if not changes.came and not changes.went:
            return (), ()
        known = self._known_addresses
        bound = tuple(known[text] for text in changes.came)
        unbound = tuple(known[text] for text in changes.went)
        self._known_addresses = {text: known[text] for text in sorted(self._members[IPVS_IPS].members)}
        self._addresses = tuple(self._known_addresses.values())
        return bound, unbound

    def _sync_sets(self, changes: Mapping[str, MemberChanges]) -> str:
        """What ipset is told, as lines for ``ipset restore -exist``."""
        lines = [] if self._made_sets else [s.create() for s in self._sets.values()]
        self._made_sets = True
        for base, change in changes.items():
            if change.came or change.went:
                name = self._sets[base].name
                lines += [f"del {name} {member}\n" for member in sorted(change.went)]
                lines += [f"add {name} {member}\n" for member in sorted(change.came)]
                self._sets[base] = replace(self._sets[base], members=self._members[base].members)
        return "".join(lines)

    def _chain_rules(self) -> ChainRules:
        filled = frozenset(name for name, members in self._members.items() if len(members))
        if self._chains is None or filled != self._filled:
            self._filled = filled
            refusals = [rule for name in sorted(self._refusals) for rule in self._refusals[name]]
            self._chains = chain_rules(self._settings, filled, refusals)
        return self._chains
