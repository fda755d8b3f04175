"""The nftables backend: keeps what it programmed, and writes what changed.

A transaction makes the chains of changed Services anew, adds elements and deletes those that nobody asks for any longer.
Chains out of use are emptied at once and deleted later: before Linux 6.2 a chain to which a map's element pointed counts
as in use for a moment after the element was deleted, and deleting it would make the whole transaction fail.
"""

from __future__ import annotations

from proxy.config.duration import SECOND
from proxy.names import ServicePortName
from proxy.nftables.elements import Element, ElementStorage
from proxy.nftables.fixed_table import FixedTable, fixed_table
from proxy.nftables.names import CONTAINERS, TABLE
from proxy.nftables.service_objects import ServiceObjects, service_objects
from proxy.nftables.settings import Settings
from proxy.nftables.sync import AffinitySet, NftablesSync
from proxy.plan import PlanUpdate, ServicePlan

STALE_CHAIN_AGE = 1 * SECOND
"""How long a chain must have been out of use before it is deleted, in nanoseconds."""

_NOTHING = ServiceObjects()


class NftablesBackend:
    """Programs the plans of one family in nftables. A ``proxy.proxier.Backend``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._where = f"{settings.ip} {TABLE}"
        self._fixed: FixedTable | None = None
        self._objects: dict[ServicePortName, ServiceObjects] = {}
        self._chains: dict[str, str] = {}
        self._stale: dict[str, int] = {}
        self._affinity: dict[str, AffinitySet] = {}
        self._unused_sets: dict[str, None] = {}
        self._storages = {name: ElementStorage(self._where, name) for name in CONTAINERS}

    def sync(self, update: PlanUpdate, now: int) -> NftablesSync:
        """Write an update as a transaction, after one that deletes what has been out of use."""
        cleanup = self._delete_stale_chains(now)
        fixed, statements = self._set_up(update)
        for name in update.removed:
            self._put(name, self._objects.pop(name, _NOTHING), _NOTHING)
        written = [(plan, service_objects(plan, self._settings)) for plan in update.changed]
        for plan, objects in written:
            self._put(plan.name, self._objects.get(plan.name, _NOTHING), objects)
        for plan, objects in written:
            statements += self._make(plan, objects)
        statements += self._flush_stale_chains(now)
        statements += self._delete_unused_sets()
        statements += [storage.settle() for storage in self._storages.values()]
        return NftablesSync(
            family=self._settings.family,
            full=update.full,
            cleanup=cleanup,
            transaction="".join(statements),
            sysctls=self._settings.sysctls,
            fixed=fixed,
            service_chains=self._chains.copy(),
            affinity_sets=self._affinity.copy(),
            elements={name: storage.snapshot() for name, storage in self._storages.items()},
        )

    def _set_up(self, update: PlanUpdate) -> tuple[FixedTable, list[str]]:
        """The fixed part, and how a full sync begins. Service CIDRs are looked at in full syncs only, as in kube-proxy."""
        if self._fixed is not None and not update.full:
            return self._fixed, []
        first = self._fixed is None
        self._fixed = fixed_table(self._settings, update.service_cidrs)
        for storage in self._storages.values():
            storage.reset()
        return self._fixed, [self._fixed.setup(first=first)]

    def _put(self, name: ServicePortName, before: ServiceObjects, objects: ServiceObjects) -> None:
        """Take note of what a service port needs now and does not need any longer."""
        self._stale.update({chain: 0 for chain in before.chains if chain not in objects.chains})
        self._unused_sets.update(dict.fromkeys(s for s in before.affinity if s not in objects.affinity))
        self._release(name, before, objects)
        for chain in objects.chains:
            self._stale.pop(chain, None)
        self._chains.update(objects.chains)
        for item, seconds in objects.affinity.items():
            made = self._affinity.get(item)
            self._affinity[item] = AffinitySet(seconds, seconds if made is None else made.made_with)

    def _release(self, name: ServicePortName, before: ServiceObjects, objects: ServiceObjects) -> None:
        kept = {(item.container, item.key) for item in objects.statements if isinstance(item, Element)}
        for item in before.statements:
            if isinstance(item, Element) and (item.container, item.key) not in kept:
                self._storages[item.container].release(name, item.key)

    def _make(self, plan: ServicePlan, objects: ServiceObjects) -> list[str]:
        self._objects[plan.name] = objects
        return [
            self._storages[item.container].claim(plan.name, item) if isinstance(item, Element) else item
            for item in objects.statements
        ]

    def _delete_stale_chains(self, now: int) -> str:
        old = sorted(chain for chain, since in self._stale.items() if since < now - STALE_CHAIN_AGE)
        for chain in old:
            del self._stale[chain]
            del self._chains[chain]
        return "".join(f"delete chain {self._where} {chain}\n" for chain in old)

    def _flush_stale_chains(self, now: int) -> list[str]:
        """Empty the chains out of use. Every sync does it to all that are still there, and their time starts anew."""
        for chain in self._stale:
            self._stale[chain] = now
            self._chains[chain] = ""
        return [f"flush chain {self._where} {chain}\n" for chain in sorted(self._stale)]

    def _delete_unused_sets(self) -> list[str]:
        unused, self._unused_sets = sorted(self._unused_sets), {}
        for name in unused:
            del self._affinity[name]
        return [f"delete set {self._where} {name}\n" for name in unused]
