"""The iptables backend: keeps what it programmed, and writes what changed.

Each service port's rules are kept as text. A sync writes the shared chains whole, from joined text that is made anew only
where a port's part of it changed, and of the ports' own chains only those of Services that changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proxy.iptables.chains import (
    EXTERNAL_SERVICES,
    FILTER_CHAINS,
    KUBELET_FIREWALL,
    NAT_CHAINS,
    NODEPORTS,
    PROXY_FIREWALL,
    SERVICES,
    chain_line,
)
from proxy.iptables.fixed_rules import filter_rules, jumps_in_place, nat_rules, node_port_rules
from proxy.iptables.service_rules import ServiceRules, service_rules
from proxy.iptables.settings import Settings
from proxy.iptables.sync import IptablesSync
from proxy.names import ServicePortName
from proxy.plan import PlanUpdate

LARGE_CLUSTER_ENDPOINTS = 1000
"""Above so many endpoints, rules of endpoints have no comments. Ref: largeClusterEndpointsThreshold."""


class SharedChain:
    """A chain to which every service port may add rules; they stand in the order of the ports' names."""

    def __init__(self) -> None:
        self._parts: dict[ServicePortName, str] = {}
        self._text: str | None = ""

    def put(self, name: ServicePortName, part: str) -> None:
        """Set a port's part, empty where it has none."""
        if self._parts.get(name, "") == part:
            return
        if part:
            self._parts[name] = part
        else:
            del self._parts[name]
        self._text = None

    @property
    def text(self) -> str:
        """The rules of all ports."""
        if self._text is None:
            self._text = "".join(self._parts[name] for name in sorted(self._parts))
        return self._text


class IptablesBackend:
    """Programs the plans of one family in iptables. A ``proxy.proxier.Backend``."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rules: dict[ServicePortName, ServiceRules] = {}
        self._filter = {chain: SharedChain() for chain in (SERVICES, EXTERNAL_SERVICES, NODEPORTS, PROXY_FIREWALL)}
        self._nat = {chain: SharedChain() for chain in (SERVICES, NODEPORTS)}
        self._own: dict[str, str] = {}
        self._unused: dict[str, None] = {}
        self._last_cleanup: int | None = None

    def sync(self, update: PlanUpdate, now: int) -> IptablesSync:
        """Write an update as one run of iptables-restore."""
        large = update.endpoint_count > LARGE_CLUSTER_ENDPOINTS
        for name in update.removed:
            self._put(name, ServiceRules())
            del self._rules[name]
        written: dict[str, str] = {}
        for plan in update.changed:
            rules = service_rules(plan, self._settings, endpoint_comments=not large)
            self._put(plan.name, rules)
            written.update(rules.own)
        self._own.update(written)
        stale = self._stale_chains(now, large=large)
        for chain in stale:
            del self._own[chain]
        return self._result(update, written, stale)

    def _put(self, name: ServicePortName, rules: ServiceRules) -> None:
        before = self._rules.get(name)
        for chain, shared in self._filter.items():
            shared.put(name, rules.filter.get(chain, ""))
        for chain, shared in self._nat.items():
            shared.put(name, rules.nat.get(chain, ""))
        if before is not None:
            self._unused.update(dict.fromkeys(chain for chain in before.own if chain not in rules.own))
        for chain in rules.own:
            self._unused.pop(chain, None)
        self._rules[name] = rules

    def _stale_chains(self, now: int, *, large: bool) -> tuple[str, ...]:
        """Chains to delete. A large cluster's are deleted once in a sync period, since listing them takes so long there."""
        if large and self._last_cleanup is not None and now - self._last_cleanup <= self._settings.sync_period:
            return ()
        self._last_cleanup = now
        stale, self._unused = tuple(sorted(self._unused)), {}
        return stale

    def _result(self, update: PlanUpdate, written: Mapping[str, str], stale: Iterable[str]) -> IptablesSync:
        fixed_filter = filter_rules(self._settings)
        filter_chains = (*FILTER_CHAINS, KUBELET_FIREWALL) if KUBELET_FIREWALL in fixed_filter else FILTER_CHAINS
        filter_table = {c: _shared(self._filter, c) + fixed_filter.get(c, "") for c in filter_chains}
        nat_table = {c: _shared(self._nat, c) + _fixed_nat(self._settings, c) for c in NAT_CHAINS}
        return IptablesSync(
            family=self._settings.family,
            full=update.full,
            jumps=jumps_in_place(),
            restore=_restore(filter_table, nat_table, written, stale),
            sysctls=self._settings.sysctls,
            filter_chains=filter_table,
            nat_chains=nat_table,
            service_chains=dict(self._own),
        )


def _shared(chains: Mapping[str, SharedChain], chain: str) -> str:
    shared = chains.get(chain)
    return shared.text if shared is not None else ""


def _fixed_nat(settings: Settings, chain: str) -> str:
    return node_port_rules(settings) if chain == SERVICES else nat_rules(settings).get(chain, "")


def _restore(
    filter_table: Mapping[str, str], nat_table: Mapping[str, str], written: Mapping[str, str], stale: Iterable[str]
) -> str:
    stale = tuple(stale)
    parts = ["*filter\n", *map(chain_line, filter_table), *filter_table.values(), "COMMIT\n"]
    parts += ["*nat\n", *map(chain_line, (*nat_table, *written, *stale))]
    parts += [*nat_table.values(), *written.values(), *(f"-X {chain}\n" for chain in stale), "COMMIT\n"]
    return "".join(parts)
