"""What the table holds whatever the Services are: base chains, jumps, masquerading, declarations of sets and maps.

Ref: pkg/proxy/nftables/proxier.go:setupNFTables() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.dataclass import dataclass
from netsim.net.address import Family, Prefix
from proxy.nftables import names as n
from proxy.nftables.settings import Settings


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain that hangs on a netfilter hook."""

    name: str
    type: str
    hook: str
    priority: int


@dataclass(frozen=True, slots=True)
class Jump:
    """A rule that leads from a base chain to one of kube-proxy's. ``match`` may be empty."""

    target: str
    chain: str
    match: str


_DNAT = -100
_SNAT = 100
_FILTER = 0

BASE_CHAINS = (
    # Source ranges are about the destination as it was sent, so they are looked at before DNAT.
    BaseChain(n.FILTER_PREROUTING_PRE_DNAT, "filter", "prerouting", _DNAT - 10),
    BaseChain(n.FILTER_OUTPUT_PRE_DNAT, "filter", "output", _DNAT - 10),
    # What is refused was not translated, so it can be looked at after DNAT, where reject is allowed.
    BaseChain(n.FILTER_INPUT, "filter", "input", _FILTER),
    BaseChain(n.FILTER_FORWARD, "filter", "forward", _FILTER),
    BaseChain(n.FILTER_OUTPUT, "filter", "output", _FILTER),
    BaseChain(n.NAT_PREROUTING, "nat", "prerouting", _DNAT),
    BaseChain(n.NAT_OUTPUT, "nat", "output", _DNAT),
    BaseChain(n.NAT_POSTROUTING, "nat", "postrouting", _SNAT),
)

_NEW = "ct state new "

JUMPS = (
    # A node port is refused on the way to the node itself only.
    Jump(n.NODE_PORT_ENDPOINTS_CHECK, n.FILTER_INPUT, _NEW),
    Jump(n.SERVICE_ENDPOINTS_CHECK, n.FILTER_INPUT, _NEW),
    Jump(n.SERVICE_ENDPOINTS_CHECK, n.FILTER_FORWARD, _NEW),
    Jump(n.SERVICE_ENDPOINTS_CHECK, n.FILTER_OUTPUT, _NEW),
    Jump(n.FIREWALL_CHECK, n.FILTER_PREROUTING_PRE_DNAT, _NEW),
    Jump(n.FIREWALL_CHECK, n.FILTER_OUTPUT_PRE_DNAT, _NEW),
    Jump(n.SERVICES, n.NAT_OUTPUT, ""),
    Jump(n.SERVICES, n.NAT_PREROUTING, ""),
    Jump(n.MASQUERADING, n.NAT_POSTROUTING, ""),
    # After the endpoints' check: what is left of traffic to cluster IPs is for a port that no Service has.
    Jump(n.CLUSTER_IPS_CHECK, n.FILTER_FORWARD, _NEW),
    Jump(n.CLUSTER_IPS_CHECK, n.FILTER_OUTPUT, _NEW),
)
"""In the order in which they are added, which is the order of the rules within a base chain."""

_REGULAR_CHAINS = (
    n.NODE_PORT_ENDPOINTS_CHECK,
    n.SERVICE_ENDPOINTS_CHECK,
    n.FIREWALL_CHECK,
    n.SERVICES,
    n.MASQUERADING,
    n.CLUSTER_IPS_CHECK,
)
_REJECT_COMMENT = "helper for @no-endpoint-services / @no-endpoint-nodeports"

_MAPS = (
    (n.FIREWALL_IPS, True, "destinations that are subject to LoadBalancerSourceRanges"),
    (n.NO_ENDPOINT_NODE_PORTS, False, "vmap to drop or reject packets to service nodeports with no endpoints"),
    (n.NO_ENDPOINT_SERVICES, True, "vmap to drop or reject packets to services with no endpoints"),
    (n.SERVICE_IPS, True, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    (n.SERVICE_NODE_PORTS, False, "NodePort traffic"),
)
"""Verdict maps: name, whether the key starts with an address (then protocol and port), comment."""


@dataclass(frozen=True, slots=True)
class FixedTable:
    """The fixed part of a table.

    ``chains``, ``sets`` and ``maps`` are declarations by name (whole lines), ``rules`` the fixed chains' rules (whole
    lines), ``node_port_ips`` the elements of ``nodeport-ips``, None where there is no such set.
    """

    settings: Settings
    chains: Mapping[str, str]
    sets: Mapping[str, str]
    maps: Mapping[str, str]
    rules: Mapping[str, str]
    node_port_ips: tuple[str, ...] | None

    @property
    def table(self) -> str:
        """The declaration of the table."""
        return f'add table {self.settings.ip} {n.TABLE} {{ comment "rules for kube-proxy" ; }}\n'

    def setup(self, *, first: bool) -> str:
        """The beginning of a full sync's transaction: makes everything fixed anew and empties sets and maps.

        ``first`` is the first sync of a run: base chains that an earlier kube-proxy left may have other hooks or
        priorities, which cannot be changed, so they are deleted first (and added before that, since one that is not
        there cannot be deleted). Statements are grouped by kind, where kube-proxy mixes them.
        """
        where = f"{self.settings.ip} {n.TABLE}"
        parts = [self.table]
        if first:
            parts += [f"add chain {where} {c.name}\ndelete chain {where} {c.name}\n" for c in BASE_CHAINS]
        parts += [f"{line}flush chain {where} {name}\n" for name, line in self.chains.items()]
        parts += self.sets.values()
        if self.node_port_ips is None:
            parts.append(_node_port_ips_set(self.settings))
            parts.append(f"delete set {where} {n.NODE_PORT_IPS}\n")
        else:
            parts.append(f"flush set {where} {n.NODE_PORT_IPS}\n")
            parts += [f"add element {where} {n.NODE_PORT_IPS} {{ {ip} }}\n" for ip in self.node_port_ips]
        parts += self.maps.values()
        parts += self.rules.values()
        parts += [f"flush {'map' if name in self.maps else 'set'} {where} {name}\n" for name in n.CONTAINERS]
        return "".join(parts)


def fixed_table(settings: Settings, service_cidrs: tuple[Prefix, ...]) -> FixedTable:
    """The fixed part for a family. ``service_cidrs``: where nothing but cluster IPs can be; may be empty."""
    rules = {
        **_jump_rules(settings),
        n.CLUSTER_IPS_CHECK: _cluster_ips_check(settings, service_cidrs),
        n.FIREWALL_CHECK: _lines(settings, n.FIREWALL_CHECK, _by_destination(settings, n.FIREWALL_IPS)),
        n.MASQUERADING: _masquerading(settings),
        n.NODE_PORT_ENDPOINTS_CHECK: _node_ports(settings, n.NODE_PORT_ENDPOINTS_CHECK, n.NO_ENDPOINT_NODE_PORTS),
        n.REJECT: _lines(settings, n.REJECT, "reject"),
        n.SERVICE_ENDPOINTS_CHECK: _lines(
            settings, n.SERVICE_ENDPOINTS_CHECK, _by_destination(settings, n.NO_ENDPOINT_SERVICES)
        ),
        n.SERVICES: _services(settings),
    }
    ips = settings.node_port_ips
    return FixedTable(
        settings=settings,
        chains=_chains(settings),
        sets=_sets(settings),
        maps=_maps(settings),
        rules=rules,
        node_port_ips=None if ips is None else tuple(str(ip) for ip in ips),
    )


def _lines(settings: Settings, chain: str, *rules: str) -> str:
    return "".join(f"add rule {settings.ip} {n.TABLE} {chain} {rule}\n" for rule in rules)


def _chains(settings: Settings) -> Mapping[str, str]:
    head = f"add chain {settings.ip} {n.TABLE}"
    base = {c.name: f"{head} {c.name} {{ type {c.type} hook {c.hook} priority {c.priority} ; }}\n" for c in BASE_CHAINS}
    regular = {name: f"{head} {name}\n" for name in _REGULAR_CHAINS}
    return {**base, **regular, n.REJECT: f'{head} {n.REJECT} {{ comment "{_REJECT_COMMENT}" ; }}\n'}


def _sets(settings: Settings) -> Mapping[str, str]:
    address = settings.address_type
    hairpin = f"{address} . {address} . inet_proto . inet_service"
    sets = {
        n.CLUSTER_IPS: _set(settings, n.CLUSTER_IPS, address, "Active ClusterIPs"),
        n.HAIRPIN_CONNECTIONS: _set(settings, n.HAIRPIN_CONNECTIONS, hairpin, "service hairpin connections"),
    }
    return sets if settings.node_port_ips is None else {**sets, n.NODE_PORT_IPS: _node_port_ips_set(settings)}


def _node_port_ips_set(settings: Settings) -> str:
    return _set(settings, n.NODE_PORT_IPS, settings.address_type, "IPs that accept NodePort traffic")


def _set(settings: Settings, name: str, key: str, comment: str) -> str:
    return f'add set {settings.ip} {n.TABLE} {name} {{ type {key} ; comment "{comment}" ; }}\n'


def _maps(settings: Settings) -> Mapping[str, str]:
    port = "inet_proto . inet_service : verdict"
    types = {True: f"{settings.address_type} . {port}", False: port}
    head = f"add map {settings.ip} {n.TABLE}"
    return {
        name: f'{head} {name} {{ type {types[addressed]} ; comment "{comment}" ; }}\n'
        for name, addressed, comment in _MAPS
    }


def _jump_rules(settings: Settings) -> Mapping[str, str]:
    rules = {chain.name: "" for chain in BASE_CHAINS}
    for jump in JUMPS:
        rules[jump.chain] += _lines(settings, jump.chain, f"{jump.match}jump {jump.target}")
    return rules


def _by_destination(settings: Settings, name: str) -> str:
    return f"{settings.ip} daddr . meta l4proto . th dport vmap @{name}"


def _node_ports(settings: Settings, chain: str, name: str) -> str:
    """The rule that looks node ports up: on the addresses that serve them, else on every address but loopback.

    Chain ``services`` sees forwarded traffic too, so it must ask whether an address is local; the check is reached from
    the input hook alone.
    """
    match settings.node_port_ips:
        case None:
            loopback = "127.0.0.0/8" if settings.family is Family.IPV4 else "::1"
            local = "fib daddr type local " if chain == n.SERVICES else ""
            where = f"{local}{settings.ip} daddr != {loopback}"
        case _:
            where = f"{settings.ip} daddr @{n.NODE_PORT_IPS}"
    return _lines(settings, chain, f"{where} meta l4proto . th dport vmap @{name}")


def _services(settings: Settings) -> str:
    """Mark what comes to a cluster IP from outside the cluster; then dispatch.

    Someone may have a route for cluster IPs that leads to any node. What comes that way may go on to another node, and its
    answer must come back this way. One rule does it for all Services.
    """
    to_cluster_ips = f"{settings.ip} daddr @{n.CLUSTER_IPS}"
    mark = []
    if settings.masquerade_all:
        mark = [f'{to_cluster_ips} {settings.masquerade} comment "masquerade all clusterIP traffic"']
    elif settings.if_not_local:
        comment = 'comment "masquerade clusterIP traffic from outside cluster"'
        mark = [f"{to_cluster_ips} {settings.if_not_local} {settings.masquerade} {comment}"]
    dispatch = _lines(settings, n.SERVICES, *mark, _by_destination(settings, n.SERVICE_IPS))
    return dispatch + _node_ports(settings, n.SERVICES, n.SERVICE_NODE_PORTS)


def _masquerading(settings: Settings) -> str:
    """Masquerade what was marked, and what an endpoint of this node sent to itself by way of a Service."""
    mark = settings.masquerade_mark
    hairpin = f"{settings.ip} saddr . {settings.ip} daddr . meta l4proto . th dport @{n.HAIRPIN_CONNECTIONS}"
    return _lines(
        settings,
        n.MASQUERADING,
        f"mark and {mark} != 0 mark set mark xor {mark} masquerade fully-random",
        f"ct status dnat {hairpin} masquerade fully-random",
    )


def _cluster_ips_check(settings: Settings, service_cidrs: tuple[Prefix, ...]) -> str:
    """What was not dispatched: reject ports that no Service has, drop addresses that no Service has."""
    daddr = f"{settings.ip} daddr"
    rules = [f'{daddr} @{n.CLUSTER_IPS} reject comment "Reject traffic to invalid ports of ClusterIPs"']
    if service_cidrs:
        prefixes = ",".join(str(prefix) for prefix in service_cidrs)
        rules.append(f'{daddr} {{ {prefixes} }} drop comment "Drop traffic to unallocated ClusterIPs"')
    return _lines(settings, n.CLUSTER_IPS_CHECK, *rules)
