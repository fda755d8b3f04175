"""The netfilter hooks of one network namespace: what is registered where, in which order.

Theory of operation. A packet passes a hook (`Netfilter.run`) and, in the order of ``HOOKS``, everything that is registered there. A table
is registered at a hook exactly where the rule set has its base chain: iptables-legacy makes all of a table's base chains
at once, iptables-nft only those that it is given, and both print what they made. The nat table is not walked by itself: the
NAT engine is registered at all its four hooks as soon as one nat base chain exists, and walks the chain for a connection's first
packet (`netsim.stack.nf_nat_core`).

Conntrack is off until something holds it (``nf_ct_netns_get()``), for each address family by itself. A rule holds it by standing in the
table, whether or not a packet ever comes to it: ``-m conntrack``, ``-m state``, ``-m connmark`` and others like them (``HOLDING_MATCHES``),
the targets CONNMARK, DNAT, SNAT, MASQUERADE and REDIRECT. An empty nat table does not, and neither does NOTRACK.
IPVS holds it for its families (`Netfilter.hold_conntrack`). iptables-nft and iptables-legacy do not differ in this.

Ref: include/uapi/linux/netfilter_ipv4.h:enum nf_ip_hook_priorities, net/netfilter/core.c:nf_hook_slow(),
net/netfilter/nf_conntrack_proto.c:nf_ct_netns_get() (v6.12).
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    ConnmarkMatch,
    ConnmarkTarget,
    ConntrackMatch,
    DNATTarget,
    MasqueradeTarget,
    Match,
    NotModelledMatch,
    NotModelledTarget,
    RedirectTarget,
    Rule,
    Ruleset,
    SNATTarget,
)
from netsim.rules.xtables.matches import AbsentMatch, ConnBytesMatch, ConnLimitMatch
from netsim.rules.xtables.targets import CTTarget, NetmapTarget, PassiveTarget
from netsim.stack.environment import HookEnvironment, HookVerdict
from netsim.stack.ip_fragment import FragmentQueues, is_fragment
from netsim.stack.ip_set import kernel_sets
from netsim.stack.ip_tables import CompiledTable, do_table
from netsim.stack.nf_conntrack_core import Conntrack, nf_conntrack_confirm, nf_conntrack_in
from netsim.stack.nf_nat_core import HOOK2MANIP, initialized, nf_nat_inet_fn
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook, Reassembly
from netsim.stack.x_tables import RecentEntry, TablesState, XtContext

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Ruleset as NftRuleset
    from netsim.stack.nf_tables_api import BaseHook, CompiledRuleset, LinkHook

_ALL = (Hook.PREROUTING, Hook.INPUT, Hook.FORWARD, Hook.OUTPUT, Hook.POSTROUTING)


@dataclass(frozen=True, slots=True)
class HookRow:
    """One part of netfilter, where it is registered and why there."""

    priority: int
    part: str
    hooks: tuple[Hook, ...]
    reason: str


HOOKS: tuple[HookRow, ...] = (
    HookRow(
        -400,
        "defrag",
        (Hook.PREROUTING, Hook.OUTPUT),
        "conntrack needs whole packets: fragments wait for each other",
    ),
    HookRow(-300, "raw", (Hook.PREROUTING, Hook.OUTPUT), "NOTRACK must come before conntrack"),
    HookRow(
        -200,
        "conntrack",
        (Hook.PREROUTING, Hook.OUTPUT),
        "where packets enter the stack; before any table that asks for a state",
    ),
    HookRow(-150, "mangle", _ALL, "marks must be set before NAT and routing look at them"),
    HookRow(-100, "nat", (Hook.PREROUTING, Hook.OUTPUT), "the destination changes before routing and before filter"),
    HookRow(
        0,
        "filter",
        (Hook.INPUT, Hook.FORWARD, Hook.OUTPUT),
        "sees the real destination, and the source before it is hidden",
    ),
    HookRow(50, "security", (Hook.INPUT, Hook.FORWARD, Hook.OUTPUT), "mandatory access control comes after filter"),
    HookRow(100, "nat", (Hook.INPUT, Hook.POSTROUTING), "the source changes last, when the output device is known"),
    HookRow(
        2**31 - 1, "confirm", (Hook.INPUT, Hook.POSTROUTING), "only what survived every rule enters the conntrack table"
    ),
)

# Whether a hook knows the input device, and the output device.
# In POSTROUTING the input device of a forwarded packet is known too (since v5.7).
DEVICES: dict[Hook, tuple[bool, bool]] = {
    Hook.PREROUTING: (True, False),
    Hook.INPUT: (True, False),
    Hook.FORWARD: (True, True),
    Hook.OUTPUT: (False, True),
    Hook.POSTROUTING: (True, True),
}

# Parts of rules that hold conntrack. Each one's checkentry function calls nf_ct_netns_get().
HOLDING_MATCHES = (ConntrackMatch, ConnmarkMatch, ConnLimitMatch, ConnBytesMatch)
HOLDING_TARGETS = (
    ConnmarkTarget,
    DNATTarget,
    SNATTarget,
    MasqueradeTarget,
    RedirectTarget,
    NetmapTarget,
    CTTarget,
)
HOLDING_NAMES = frozenset({"connlabel", "cluster", "helper", "CONNSECMARK", "DNAT", "SYNPROXY"})

Handler: TypeAlias = Callable[[XtContext], HookVerdict]
HookFunction: TypeAlias = Callable[[Hook, SkBuff], HookVerdict]


class _Compiled:
    """A rule set as the hooks need it; shared by every walk through the same Ruleset value."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.tables = {
            name: CompiledTable(ruleset.family.value, table, legacy=ruleset.legacy)
            for name, table in ruleset.tables.items()
        }
        self.holds_conntrack = any(map(holds_conntrack, _rules(ruleset)))


def _rules(ruleset: Ruleset) -> Iterable[Rule]:
    return (rule for table in ruleset.tables.values() for chain in table.chains.values() for rule in chain.rules)


def holds_conntrack(rule: Rule) -> bool:
    """True where the rule's mere presence turns conntrack on for its family."""
    if isinstance(rule.target, HOLDING_TARGETS):
        return True
    if isinstance(rule.target, NotModelledTarget | PassiveTarget) and rule.target.name in HOLDING_NAMES:
        return True
    return any(isinstance(match, HOLDING_MATCHES) or _named_holder(match) for match in rule.matches)


def _named_holder(match: Match) -> bool:
    return isinstance(match, NotModelledMatch | AbsentMatch) and match.module in HOLDING_NAMES


_CACHE_SIZE = 1024
_cache: OrderedDict[int, _Compiled] = OrderedDict()


def _compiled_nftables(rulesets: Sequence[NftRuleset]) -> list[CompiledRuleset]:
    if not rulesets:
        return []
    from netsim.stack.nf_tables_api import compile_ruleset

    return [compile_ruleset(ruleset) for ruleset in rulesets]


def _compile(ruleset: Ruleset) -> _Compiled:
    """The compiled form of a rule set, kept for the most recently used ones: a Ruleset never changes."""
    found = _cache.get(id(ruleset))
    if found is None or found.ruleset is not ruleset:
        found = _cache[id(ruleset)] = _Compiled(ruleset)
    _cache.move_to_end(id(ruleset))
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return found


class Netfilter:
    """The hooks of one namespace and what they remember: conntrack, ``recent`` lists, ``statistic`` counters.

    ``rulesets`` are those of IPv4 and IPv6, in the order in which they were loaded (of two with equal priority the later one runs first,
    as in the kernel). ``conntrack_families`` are those for which something else holds conntrack; an entry that is there before the walk
    holds it too, since something made it.
    """

    def __init__(
        self,
        rulesets: Sequence[Ruleset],
        env: HookEnvironment,
        *,
        conntrack_families: Iterable[Family] = (),
    ) -> None:
        self.env = env
        self.conntrack = Conntrack(env)
        self.state = TablesState(self.conntrack, kernel_sets(env.ipsets, env.clock))
        self._compiled = [_compile(ruleset) for ruleset in rulesets]
        self._nft = _compiled_nftables(env.nftables)
        self._held = {each.ruleset.family for each in self._compiled if each.holds_conntrack} | set(conntrack_families)
        self._held.update(family for each in self._nft for family in each.holds)
        now = env.clock.now()
        for name, addresses in env.recent.items():
            self.state.recent[name] = {address: RecentEntry([now], 0) for address in addresses}
        for entry in env.connections:
            self.conntrack.adopt(entry)
            self._held.add(entry.family)
        self._others: list[tuple[Hook, int, Family, Handler]] = []
        self._fragments = FragmentQueues()
        self._registered: dict[tuple[Family, Hook], list[tuple[int, Handler]]] = {}

    def race(self) -> None:
        """Let the next packet be looked up before the connections of those so far are confirmed."""
        self.conntrack.race()

    def conntrack_active(self, family: Family) -> bool:
        """True where packets of the family are tracked."""
        return family in self._held

    def translates(self, family: Family) -> bool:
        """True where NAT stands at a family's hooks: one chain of type nat, at whatever hook, puts it at all of them."""
        of_iptables = any(
            chain in table
            for table in self._tables("nat", family)
            for chain in ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING")
        )
        return of_iptables or any(self._base_hooks(family, each, "nat") for each in _ALL)

    def hold_conntrack(self, family: Family) -> None:
        """Turn conntrack on for a family, as IPVS does. Ref: nf_ct_netns_get()."""
        self._held.add(family)
        self._registered.clear()

    def register(self, hook: Hook, priority: int, family: Family, function: HookFunction) -> None:
        """Add a part that is not iptables (IPVS, nftables) at a hook. Ref: nf_register_net_hook()."""
        self._others.append((hook, priority, family, lambda ctx: function(ctx.hook, ctx.skb)))
        self._registered.clear()

    def run(self, hook: Hook, skb: SkBuff) -> HookVerdict:
        """Let a packet pass a hook. A DROP is recorded by whoever decided it; STOLEN met what is not modelled.

        The devices are those at the hook's start: a packet that is routed again in OUTPUT is still matched by its first ``-o``.
        Ref: nf_hook_slow().
        """
        handlers = self._handlers(skb.packet.family, hook)
        if not handlers:
            return HookVerdict.ACCEPT
        has_input, has_output = DEVICES[hook]
        iif = (skb.iif or "") if has_input else ""
        oif = (skb.oif or "") if has_output else ""
        ctx = XtContext(hook, skb, iif, oif, self.env, self.state)
        for _, handler in handlers:
            verdict = handler(ctx)
            if verdict is not HookVerdict.ACCEPT:
                return verdict
        return HookVerdict.ACCEPT

    def run_link(self, chain: LinkHook, hook: Hook, skb: SkBuff, iif: str, oif: str) -> HookVerdict:
        """Show a frame to a chain of family bridge or netdev. A DROP is recorded; STOLEN went another way, or is not modelled."""
        from netsim.stack.nf_tables_core import nft_do_chain

        return nft_do_chain(chain.table, chain.chain, XtContext(hook, skb, iif, oif, self.env, self.state))

    def _handlers(self, family: Family, hook: Hook) -> list[tuple[int, Handler]]:
        found = self._registered.get((family, hook))
        if found is None:
            found = self._registered[family, hook] = self._build(family, hook)
        return found

    def _build(self, family: Family, hook: Hook) -> list[tuple[int, Handler]]:
        handlers: list[tuple[int, Handler]] = []
        for row in HOOKS:
            if hook in row.hooks:
                for handler in self._part(row, family, hook):
                    _insert(handlers, row.priority, handler)
        for base in self._base_hooks(family, hook):
            if base.type != "nat":
                _insert(handlers, base.priority, self._base_chain(base))
        for where, priority, of, handler in self._others:
            if (where, of) == (hook, family):
                _insert(handlers, priority, handler)
        return handlers

    def _part(self, row: HookRow, family: Family, hook: Hook) -> list[Handler]:
        match row.part:
            case "defrag":
                return [self._defrag] if family in self._held else []
            case "conntrack":
                return [self._conntrack_in] if family in self._held else []
            case "confirm":
                return [self._confirm] if family in self._held else []
            case "nat":
                return self._nat(row, family, hook)
            case table:
                return [
                    self._table(each, row.priority, hook) for each in self._tables(table, family) if hook.value in each
                ]

    def _tables(self, name: str, family: Family) -> list[CompiledTable]:
        of_family = [each for each in self._compiled if each.ruleset.family is family]
        return [each.tables[name] for each in of_family if name in each.tables]

    def _defrag(self, ctx: XtContext) -> HookVerdict:
        """Hold a fragment until the others came. Ref: ipv4_conntrack_defrag(), ipv6_defrag()."""
        skb = ctx.skb
        if not is_fragment(skb.packet):
            return HookVerdict.ACCEPT
        whole = self._fragments.add(skb.packet)
        if whole is None:
            return HookVerdict.STOLEN
        skb.packet, skb.frag_max_size, skb.frag_list, skb.ignore_df = whole.packet, whole.max_size, whole.lengths, True
        self.env.recorder.record(self.env.netns, Reassembly(whole.packet, len(whole.lengths), ctx.hook.value))
        return HookVerdict.ACCEPT

    def _conntrack_in(self, ctx: XtContext) -> HookVerdict:
        return nf_conntrack_in(self.conntrack, self.env, ctx.hook, ctx.skb)

    def _confirm(self, ctx: XtContext) -> HookVerdict:
        return nf_conntrack_confirm(self.conntrack, self.env, ctx.hook, ctx.skb)

    def _table(self, table: CompiledTable, priority: int, hook: Hook) -> Handler:
        def walk(ctx: XtContext) -> HookVerdict:
            return do_table(table, hook.value, ctx, priority)

        return self._rerouting(walk) if (table.name, hook) == ("mangle", Hook.OUTPUT) else walk

    def _base_hooks(self, family: Family, hook: Hook, kind: str | None = None) -> list[BaseHook]:
        """The base chains of nftables at a hook, in the order in which they were loaded."""
        chains = (base for each in self._nft for base in each.hooks if base.hook is hook and family in base.families)
        return [base for base in chains if kind in (None, base.type)]

    def _base_chain(self, base: BaseHook) -> Handler:
        from netsim.stack.nf_tables_core import nft_do_chain

        def walk(ctx: XtContext) -> HookVerdict:
            return nft_do_chain(base.table, base.chain, ctx)

        return self._rerouting(walk) if base.type == "route" else walk

    def _rerouting(self, walk: Handler) -> Handler:
        """A packet made here is routed again where mangle changed what routing looks at.

        Ref: ipt_mangle_out(), net/netfilter/nft_chain_route.c:nf_route_table_hook4().
        """

        def handler(ctx: XtContext) -> HookVerdict:
            before = _routing_key(ctx.skb)
            verdict = walk(ctx)
            if verdict is HookVerdict.ACCEPT and _routing_key(ctx.skb) != before and not self.env.reroute(ctx.skb):
                return HookVerdict.DROP
            return verdict

        return handler

    def _nat(self, row: HookRow, family: Family, hook: Hook) -> list[Handler]:
        if not self.translates(family):
            return []
        here: list[tuple[int, Handler]] = []
        for table in self._tables("nat", family):
            if hook.value in table:
                _insert(here, row.priority, self._table(table, row.priority, hook))
        for base in self._base_hooks(family, hook, "nat"):
            _insert(here, base.priority, self._base_chain(base))

        def handler(ctx: XtContext) -> HookVerdict:
            destination = ctx.skb.packet.ip.dst
            verdict = nf_nat_inet_fn(self.conntrack, self.env, hook, ctx.skb, lambda: _consult(here, ctx))
            if verdict is not HookVerdict.ACCEPT:
                return verdict
            if hook is Hook.OUTPUT and _leaves_elsewhere(ctx.skb) and not self.env.reroute(ctx.skb):
                return HookVerdict.DROP
            if hook is Hook.PREROUTING and ctx.skb.packet.ip.dst != destination:
                ctx.skb.nexthop = None
            return verdict

        return [handler]


def _consult(chains: Sequence[tuple[int, Handler]], ctx: XtContext) -> HookVerdict:
    """Walk the nat chains of a hook, those of iptables and of nftables, until one decided. Ref: nf_nat_inet_fn()."""
    for _, walk in chains:
        verdict = walk(ctx)
        if verdict is not HookVerdict.ACCEPT:
            return verdict
        if ctx.skb.ct is not None and initialized(ctx.skb.ct, HOOK2MANIP[ctx.hook]):
            break
    return HookVerdict.ACCEPT


def _leaves_elsewhere(skb: SkBuff) -> bool:
    """True where NAT changes the destination of this direction's packets. Ref: nf_nat_ipv4_local_fn()."""
    if skb.ct is None or skb.ctinfo is None:
        return False
    direction = skb.ctinfo.direction
    return skb.ct.tuple(direction).dst != skb.ct.tuple(direction.opposite).src


def _routing_key(skb: SkBuff) -> tuple[object, ...]:
    ip = skb.packet.ip
    return (ip.src, ip.dst, ip.dscp, skb.mark)


def _insert(handlers: list[tuple[int, Handler]], priority: int, handler: Handler) -> None:
    """Before those of equal priority. Ref: net/netfilter/core.c:nf_hook_entries_grow()."""
    handlers.insert(bisect_left([each for each, _ in handlers], priority), (priority, handler))
