"""The routing policy database: which rules look at a packet, in which order, and what their tables say.

Ref: net/core/fib_rules.c:fib_rules_lookup(), fib_rule_match(); net/ipv4/fib_rules.c:fib4_rule_action(), fib4_rule_suppress() (v6.12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, family_of, parse_prefix
from netsim.net.packet import Packet
from netsim.stack.fib_trie import FibEntry, RouteKind, Table
from netsim.topology.model import DEFAULT_TABLE, LOCAL_TABLE, MAIN_TABLE, PolicyRule, RuleAction

ALL = {Family.IPV4: parse_prefix("0.0.0.0/0"), Family.IPV6: parse_prefix("::/0")}
LOOPBACK = "lo"
KIND_OF_ACTION = {
    RuleAction.BLACKHOLE: RouteKind.BLACKHOLE,
    RuleAction.UNREACHABLE: RouteKind.UNREACHABLE,
    RuleAction.PROHIBIT: RouteKind.PROHIBIT,
}

KERNEL_RULES = {
    # net/ipv4/fib_rules.c:fib_default_rules_init(), net/ipv6/fib6_rules.c:fib6_rules_net_init(): IPv6 has no table default
    Family.IPV4: (
        PolicyRule(0, LOCAL_TABLE),
        PolicyRule(32766, MAIN_TABLE),
        PolicyRule(32767, DEFAULT_TABLE),
    ),
    Family.IPV6: (PolicyRule(0, LOCAL_TABLE, version=6), PolicyRule(32766, MAIN_TABLE, version=6)),
}


@dataclass(frozen=True, slots=True)
class FlowKey:
    """``struct flowi``, as far as rules and tables look at it. ``iif`` None is a packet that is made here (``lo``)."""

    dst: Address
    src: Address | None = None
    iif: str | None = None
    oif: str | None = None
    mark: int = 0
    skip_nothing: bool = False
    protocol: int = 0
    sport: int = 0
    dport: int = 0
    tos: int = 0

    def about(self, packet: Packet | None) -> FlowKey:
        """The key with what a packet's headers say beside its addresses: what only rules of the topology look at.

        Ref: include/net/ip_fib.h:fib4_rules_early_flow_dissect() (v6.12).
        """
        if packet is None:
            return self
        ports = (packet.sport or 0, packet.dport or 0)
        return replace(self, protocol=int(packet.ip.protocol), sport=ports[0], dport=ports[1], tos=packet.ip.dscp << 2)

    def answering(self, packet: Packet | None) -> FlowKey:
        """The same for the way back, with the ports the other way round. Ref: __fib_validate_source()."""
        key = self.about(packet)
        return replace(key, sport=key.dport, dport=key.sport)


class RulePath:
    """The rules of a namespace in the order in which they are asked, and the tables that they name."""

    def __init__(self, rules: Sequence[PolicyRule], tables: Mapping[int, Table], skipped: frozenset[str]) -> None:
        self._tables = tables
        self._skipped = skipped
        self._custom = {family: tuple(r for r in rules if version_of(r) == family.value) for family in Family}
        self._rules = {
            family: sorted((*KERNEL_RULES[family], *self._custom[family]), key=lambda rule: rule.priority)
            for family in Family
        }
        self._priorities = {family: {rule.priority for rule in self._rules[family]} for family in Family}

    def custom(self, family: Family) -> bool:
        """True where there is a rule beside the kernel's own."""
        return bool(self._custom[family])

    def lookup(self, key: FlowKey) -> FibEntry | None:
        """The first rule's answer that is one: a ``throw`` route, and nothing found, let the next rule speak."""
        skipped = frozenset[str]() if key.skip_nothing else self._skipped
        family = family_of(key.dst)
        custom = bool(self._custom[family])
        at_least = 0
        for rule in self._rules[family]:
            if custom and (rule.priority < at_least or not matches(rule, key)):
                continue
            if rule.action is RuleAction.GOTO and rule.target in self._priorities[family]:
                assert rule.target is not None
                at_least = rule.target
                continue
            found = self._ask(rule, key, skipped, family)
            if found is not None and found.kind is not RouteKind.THROW:
                return found
        return None

    def _ask(self, rule: PolicyRule, key: FlowKey, skipped: frozenset[str], family: Family) -> FibEntry | None:
        if rule.action in (RuleAction.GOTO, RuleAction.NOP):
            return None
        if rule.action is not RuleAction.LOOKUP:
            return FibEntry(KIND_OF_ACTION[rule.action], ALL[family], "", rule=rule)
        table = self._tables.get(rule.table)
        found = table.lookup(key.dst, key.oif, skipped) if table is not None else None
        limit = rule.suppress_prefixlength
        return None if found is not None and limit is not None and found.prefix.prefixlen <= limit else found


def version_of(rule: PolicyRule) -> int:
    """The family of a rule: that of its prefixes, else the one it names."""
    prefix = rule.src or rule.dst
    return rule.version if prefix is None else prefix.version


def matches(rule: PolicyRule, key: FlowKey) -> bool:
    """Whether a rule is about a packet. A source that is not chosen yet is 0.0.0.0 and lies in no prefix but /0."""
    holds = (
        rule.iif in (None, key.iif or LOOPBACK)
        and rule.oif in (None, key.oif)
        and (rule.fwmark is None or (key.mark ^ rule.fwmark) & rule.fwmask == 0)
        and (rule.src is None or (key.src or type(key.dst)(0)) in rule.src)
        and (rule.dst is None or key.dst in rule.dst)
        and _headers_match(rule, key)
    )
    return holds is not rule.inverted


def _headers_match(rule: PolicyRule, key: FlowKey) -> bool:
    """Every process is root here, and what is forwarded counts as root's. Ref: net/ipv4/fib_rules.c:fib4_rule_match() (v6.12)."""
    return (
        rule.protocol in (None, key.protocol)
        and (rule.sports is None or rule.sports[0] <= key.sport <= rule.sports[1])
        and (rule.dports is None or rule.dports[0] <= key.dport <= rule.dports[1])
        and rule.tos in (0, key.tos)
        and (rule.uids is None or rule.uids[0] == 0)
    )
