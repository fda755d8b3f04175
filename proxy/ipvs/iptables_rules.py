"""The rules of iptables around IPVS: masquerading, source ranges, and ports of the node behind virtual addresses.

The rules do not name Services; they ask sets. A rule for a set stands only while the set has members.
Ref: pkg/proxy/ipvs/proxier.go:writeIptablesRules(), ipsetWithIptablesChain, iptablesJumpChain (v1.37)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from netsim.dataclass import dataclass
from proxy.iptables.fixed_rules import Jump
from proxy.ipvs.ip_sets import (
    CLUSTER_IP,
    EXTERNAL_IP,
    EXTERNAL_IP_LOCAL,
    HEALTH_CHECK_NODE_PORT,
    IPVS_IPS,
    LOAD_BALANCER,
    LOAD_BALANCER_FW,
    LOAD_BALANCER_LOCAL,
    LOAD_BALANCER_SOURCE_CIDR,
    LOAD_BALANCER_SOURCE_IP,
    LOOP_BACK,
    NODE_PORT_LOCAL_SCTP,
    NODE_PORT_LOCAL_TCP,
    NODE_PORT_LOCAL_UDP,
    NODE_PORT_SCTP,
    NODE_PORT_TCP,
    NODE_PORT_UDP,
    SETS,
    set_name,
)
from proxy.ipvs.settings import Settings
from proxy.node_port_addresses import LOOPBACK

SERVICES = "KUBE-SERVICES"
POSTROUTING = "KUBE-POSTROUTING"
NODE_PORT = "KUBE-NODE-PORT"
LOAD_BALANCER_CHAIN = "KUBE-LOAD-BALANCER"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
SOURCE_RANGES_FIREWALL = "KUBE-SOURCE-RANGES-FIREWALL"
IPVS_FILTER = "KUBE-IPVS-FILTER"
IPVS_OUT_FILTER = "KUBE-IPVS-OUT-FILTER"

NAT_CHAINS = (SERVICES, POSTROUTING, NODE_PORT, LOAD_BALANCER_CHAIN, MARK_MASQ)
FILTER_CHAINS = (FORWARD, NODE_PORT, PROXY_FIREWALL, SOURCE_RANGES_FIREWALL, IPVS_FILTER, IPVS_OUT_FILTER)

ORDER_FREE = frozenset({IPVS_OUT_FILTER})
"""Chains in which kube-proxy writes its service ports in no fixed order (the emulation goes by name)."""


def _jump(table: str, chain: str, target: str, comment: str) -> Jump:
    return Jump(table, chain, target, f'-m comment --comment "{comment}" -j {target}')


JUMPS: tuple[Jump, ...] = (
    _jump("nat", "OUTPUT", SERVICES, "kubernetes service portals"),
    _jump("nat", "PREROUTING", SERVICES, "kubernetes service portals"),
    _jump("nat", "POSTROUTING", POSTROUTING, "kubernetes postrouting rules"),
    _jump("filter", "FORWARD", FORWARD, "kubernetes forwarding rules"),
    _jump("filter", "INPUT", NODE_PORT, "kubernetes health check rules"),
    _jump("filter", "INPUT", PROXY_FIREWALL, "kube-proxy firewall rules"),
    _jump("filter", "FORWARD", PROXY_FIREWALL, "kube-proxy firewall rules"),
    _jump("filter", "INPUT", IPVS_FILTER, "kubernetes ipvs access filter"),
    _jump("filter", "OUTPUT", IPVS_OUT_FILTER, "kubernetes ipvs access filter"),
)
"""In the order in which kube-proxy ensures them. Each is put first into its chain, so the last of these ends up on top."""


@dataclass(frozen=True, slots=True)
class SetRule:
    """A rule that stands while its set has members."""

    table: str
    chain: str
    set_name: str
    directions: str
    target: str
    protocol: str = ""


SET_RULES: tuple[SetRule, ...] = (
    # An endpoint that reached itself gets its answer by way of the node.
    SetRule("nat", POSTROUTING, LOOP_BACK, "dst,dst,src", "MASQUERADE"),
    # Traffic to VIPs is masqueraded, unless policy Local keeps it on the node.
    SetRule("nat", SERVICES, LOAD_BALANCER, "dst,dst", LOAD_BALANCER_CHAIN),
    SetRule("nat", LOAD_BALANCER_CHAIN, LOAD_BALANCER_LOCAL, "dst,dst", "RETURN"),
    # So is traffic to node ports; the exception comes first.
    SetRule("nat", NODE_PORT, NODE_PORT_LOCAL_TCP, "dst", "RETURN", "tcp"),
    SetRule("nat", NODE_PORT, NODE_PORT_TCP, "dst", MARK_MASQ, "tcp"),
    SetRule("nat", NODE_PORT, NODE_PORT_LOCAL_UDP, "dst", "RETURN", "udp"),
    SetRule("nat", NODE_PORT, NODE_PORT_UDP, "dst", MARK_MASQ, "udp"),
    SetRule("nat", NODE_PORT, NODE_PORT_LOCAL_SCTP, "dst,dst", "RETURN", "sctp"),
    SetRule("nat", NODE_PORT, NODE_PORT_SCTP, "dst,dst", MARK_MASQ, "sctp"),
    # VIPs with source ranges let those pass, and drop the rest.
    SetRule("filter", PROXY_FIREWALL, LOAD_BALANCER_FW, "dst,dst", SOURCE_RANGES_FIREWALL),
    SetRule("filter", SOURCE_RANGES_FIREWALL, LOAD_BALANCER_SOURCE_CIDR, "dst,dst,src", "RETURN"),
    SetRule("filter", SOURCE_RANGES_FIREWALL, LOAD_BALANCER_SOURCE_IP, "dst,dst,src", "RETURN"),
)

FILTERED_DESTINATIONS = (
    # Of the ports of virtual addresses these are no ports of the node that happen to be reachable through them.
    (LOAD_BALANCER, "dst,dst"),
    (CLUSTER_IP, "dst,dst"),
    (EXTERNAL_IP, "dst,dst"),
    (EXTERNAL_IP_LOCAL, "dst,dst"),
    (HEALTH_CHECK_NODE_PORT, "dst"),
)

ACCEPTED = (CLUSTER_IP, LOAD_BALANCER)
"""What no later rule of PREROUTING and OUTPUT in table nat may touch."""


def jumps_in_place() -> tuple[Jump, ...]:
    """The jumps in the order in which they stand in their chains."""
    return tuple(reversed(JUMPS))


@dataclass(frozen=True, slots=True)
class ChainRules:
    """The rules of kube-proxy's chains by name, whole lines; every chain of its own is there."""

    nat: dict[str, str]
    filter: dict[str, str]


def chain_rules(settings: Settings, filled: Collection[str], refusals: Iterable[str]) -> ChainRules:
    """The rules, given the sets that have members (by IPv4 name) and the rules of KUBE-IPVS-OUT-FILTER."""
    rules = [*_set_rules(settings, filled), *_services(settings, filled), *_postrouting(settings)]
    rules += [("nat", LOAD_BALANCER_CHAIN, f"-j {MARK_MASQ}")]
    rules += [("nat", MARK_MASQ, f"-j MARK --or-mark {settings.masquerade_mark}")]
    rules += [("filter", SOURCE_RANGES_FIREWALL, "-j DROP"), *_filter_rules(settings)]
    rules += [("filter", IPVS_OUT_FILTER, refusal) for refusal in refusals]
    found = ChainRules(dict.fromkeys(NAT_CHAINS, ""), dict.fromkeys(FILTER_CHAINS, ""))
    for table, chains in (("nat", found.nat), ("filter", found.filter)):
        for chain in chains:
            chains[chain] = "".join(f"-A {c} {rule}\n" for t, c, rule in rules if t == table and c == chain)
    return found


_Rule = tuple[str, str, str]


def _match(settings: Settings, name: str, directions: str) -> str:
    return f"-m set --match-set {set_name(name, settings.family)} {directions}"


def _explained(settings: Settings, name: str, directions: str) -> str:
    return f'-m comment --comment "{SETS[name].comment}" {_match(settings, name, directions)}'


def _set_rules(settings: Settings, filled: Collection[str]) -> Iterator[_Rule]:
    # What the node itself sends to 127.0.0.0/8 or ::1 is no business of Services.
    yield "nat", SERVICES, f"-s {LOOPBACK[settings.family]} -j RETURN"
    for rule in SET_RULES:
        if rule.set_name in filled:
            protocol = f"-p {rule.protocol} " if rule.protocol else ""
            match = _explained(settings, rule.set_name, rule.directions)
            yield rule.table, rule.chain, f"{protocol}{match} -j {rule.target}"


def _services(settings: Settings, filled: Collection[str]) -> Iterator[_Rule]:
    if CLUSTER_IP in filled:
        yield "nat", SERVICES, f"{_masqueraded_cluster_ip(settings)} -j {MARK_MASQ}"
    if EXTERNAL_IP in filled:
        yield "nat", SERVICES, f"{_explained(settings, EXTERNAL_IP, 'dst,dst')} -j {MARK_MASQ}"
    for name in (EXTERNAL_IP, EXTERNAL_IP_LOCAL):
        if name in filled:
            match = _explained(settings, name, "dst,dst")
            # From another machine: not from a pod behind a bridge, not from the node.
            yield "nat", SERVICES, f"{match} -m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL -j ACCEPT"
            yield "nat", SERVICES, f"{match} -m addrtype --dst-type LOCAL -j ACCEPT"
    yield "nat", SERVICES, f"-m addrtype --dst-type LOCAL -j {NODE_PORT}"
    for name in ACCEPTED:
        if name in filled:
            yield "nat", SERVICES, f"{_match(settings, name, 'dst,dst')} -j ACCEPT"


def _masqueraded_cluster_ip(settings: Settings) -> str:
    """All traffic to cluster IPs, or that of others than the node's pods.

    Where pods cannot be told, at least what the node sends: its source is the cluster IP itself, which kube-ipvs0 has.
    """
    if settings.masquerade_all:
        return _explained(settings, CLUSTER_IP, "dst,dst")
    if settings.if_not_local:
        return f"{_explained(settings, CLUSTER_IP, 'dst,dst')} {settings.if_not_local}"
    return _explained(settings, CLUSTER_IP, "src,dst")


def _postrouting(settings: Settings) -> Iterator[_Rule]:
    mark = settings.masquerade_mark
    yield "nat", POSTROUTING, f"-m mark ! --mark {mark}/{mark} -j RETURN"
    yield "nat", POSTROUTING, f"-j MARK --xor-mark {mark}"
    comment = '-m comment --comment "kubernetes service traffic requiring SNAT"'
    yield "nat", POSTROUTING, f"{comment} -j MASQUERADE --random-fully"


def _filter_rules(settings: Settings) -> Iterator[_Rule]:
    mark = settings.masquerade_mark
    forwarding = '-m comment --comment "kubernetes forwarding rules"'
    yield "filter", FORWARD, f"{forwarding} -m mark --mark {mark}/{mark} -j ACCEPT"
    established = '-m comment --comment "kubernetes forwarding conntrack rule"'
    yield "filter", FORWARD, f"{established} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
    yield "filter", NODE_PORT, f"{_explained(settings, HEALTH_CHECK_NODE_PORT, 'dst')} -j ACCEPT"
    for name, directions in FILTERED_DESTINATIONS:
        yield "filter", IPVS_FILTER, f"{_match(settings, name, directions)} -j RETURN"
    yield "filter", IPVS_FILTER, f"-m conntrack --ctstate NEW {_match(settings, IPVS_IPS, 'dst')} -j REJECT"
