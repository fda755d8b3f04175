"""A rule set of nftables as the hooks need it: its base chains, and whether it holds conntrack.

A rule holds conntrack by standing in a table, for the table's families, whether or not a packet ever comes to it: the expression and
the statement ``ct``, every kind of NAT, ``flow add`` and ``synproxy``. ``notrack`` does not, and neither does an empty nat chain.

Ref: net/netfilter/nf_tables_api.c:nft_netdev_register_hooks(), nf_tables_register_hook(); nft_ct.c:nft_ct_get_init(), nft_nat.c,
nft_masq.c, nft_redir.c, nft_flow_offload.c: calls of nf_ct_netns_get() (v6.12).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.nft.ast import (
    NAT,
    AnonymousSet,
    Assign,
    Binary,
    Concatenation,
    Counter,
    Ct,
    CtCount,
    Expression,
    Fib,
    HeaderPart,
    Jhash,
    Last,
    Limit,
    Log,
    Lookup,
    Match,
    Meta,
    NotModelled,
    NoTrack,
    Numgen,
    ObjectReference,
    Payload,
    Quota,
    RawPayload,
    Reject,
    ResetOption,
    Rt,
    Ruleset,
    SetReference,
    SetUpdate,
    SocketKey,
    Statement,
    Table,
    TableFamily,
    TCPOption,
    Value,
    Verdict,
    VerdictMap,
    VerdictStatement,
)
from netsim.rules.nft.elsewhere import Dup, FlowAdd, Fwd, Queue, SynProxy, TProxy
from netsim.rules.nft.objects import flowtable
from netsim.stack.nf_tables_core import CompiledTable
from netsim.stack.steps import IP_HOOKS, Hook

FAMILIES: dict[TableFamily, tuple[Family, ...]] = {
    # whose packets come to the IP hooks of a table; those of the other families have hooks of their own
    TableFamily.IP: (Family.IPV4,),
    TableFamily.IP6: (Family.IPV6,),
    TableFamily.INET: (Family.IPV4, Family.IPV6),
    TableFamily.ARP: (),
    TableFamily.BRIDGE: (),
    TableFamily.NETDEV: (),
}
HOOKS = {hook.value.lower(): hook for hook in IP_HOOKS}
LINK_HOOKS = {hook.value.lower(): hook for hook in Hook}
HOLDING_WORDS = ("ct ", "flow ", "synproxy")


@dataclass(frozen=True, slots=True)
class BaseHook:
    """A base chain at a hook of IPv4, IPv6 or both."""

    hook: Hook
    families: tuple[Family, ...]
    type: str
    priority: int
    table: CompiledTable
    chain: str


@dataclass(frozen=True, slots=True)
class LinkHook:
    """A base chain that sees frames: of families bridge, netdev and arp, or ``hook ingress`` of inet (as ``netdev``)."""

    family: str
    hook: Hook
    priority: int
    table: CompiledTable
    chain: str
    devices: tuple[str, ...]

    def __str__(self) -> str:
        return f"table {self.table.family} {self.table.name}, chain {self.chain}"


@dataclass(frozen=True, slots=True)
class FlowHook:
    """A flowtable at its devices; ``place`` is family, table and name."""

    place: tuple[str, str, str]
    priority: int
    devices: tuple[str, ...]


class CompiledRuleset:
    """A rule set as the hooks need it; shared by every walk through the same Ruleset value."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.hooks: list[BaseHook] = []
        self.links: list[LinkHook] = []
        self.flowtables: list[FlowHook] = []
        self.holds: set[Family] = set()
        for table in ruleset.tables.values():
            if "dormant" not in table.flags:
                self._hook_in(table)
            if any(map(holds_conntrack, _statements(table))):
                self.holds.update(FAMILIES[table.family])

    def _hook_in(self, table: Table) -> None:
        compiled = CompiledTable(table)
        for other in table.others.values():
            if other.kind == "flowtable":
                found = flowtable(other, table.family)
                place = (compiled.family, table.name, found.name)
                self.flowtables.append(FlowHook(place, found.priority, found.devices))
        families = FAMILIES[table.family]
        for chain in table.chains.values():
            base = chain.base
            if base is None:
                continue
            hook = HOOKS.get(base.hook)
            if families and hook is not None:
                self.hooks.append(BaseHook(hook, families, base.type, base.priority, compiled, chain.name))
            elif chain.rules or base.policy is not Verdict.ACCEPT:
                family = "netdev" if table.family is TableFamily.INET else compiled.family
                where = LINK_HOOKS[base.hook]
                self.links.append(LinkHook(family, where, base.priority, compiled, chain.name, base.devices))


_CACHE_SIZE = 256
_cache: OrderedDict[int, CompiledRuleset] = OrderedDict()


def compile_ruleset(ruleset: Ruleset) -> CompiledRuleset:
    """The compiled form of a rule set, kept for the most recently used ones: a Ruleset never changes."""
    found = _cache.get(id(ruleset))
    if found is None or found.ruleset is not ruleset:
        found = _cache[id(ruleset)] = CompiledRuleset(ruleset)
    _cache.move_to_end(id(ruleset))
    if len(_cache) > _CACHE_SIZE:
        _cache.popitem(last=False)
    return found


# --- what holds conntrack ---------------------------------------------------------------------------------------


def _statements(table: Table) -> Iterator[Statement]:
    for chain in table.chains.values():
        for rule in chain.rules:
            yield from rule.statements


def holds_conntrack(statement: Statement) -> bool:
    """True where the statement's mere presence turns conntrack on for its table's families."""
    match statement:
        case NAT():
            return True
        case Assign(target, value):
            return isinstance(target, Ct) or _asks_ct((value,))
        case Match(left, _, right):
            return _asks_ct((left, right))
        case VerdictMap(key):
            return _asks_ct((key,))
        case SetUpdate(element=element, data=data, stateful=stateful):
            return _asks_ct((element,) if data is None else (element, data)) or any(map(holds_conntrack, stateful))
        case NotModelled(text):
            return text.startswith(HOLDING_WORDS)
        case CtCount() | SynProxy() | FlowAdd():
            return True
        case ObjectReference(kind):
            return kind.startswith("ct ") or kind == "synproxy"
        case VerdictStatement() | Reject() | Counter() | Limit() | Quota() | Log() | NoTrack() | Last() | ResetOption():
            return False
        case Queue() | Dup() | Fwd() | TProxy():
            return False
        case _:
            assert_never(statement)


def _asks_ct(expressions: Iterable[Expression]) -> bool:
    return any(map(_is_ct, expressions))


def _is_ct(expression: Expression) -> bool:
    match expression:
        case Ct():
            return True
        case Concatenation(parts):
            return _asks_ct(parts)
        case Binary(_, left, right):
            return _asks_ct((left, right))
        case Lookup(key):
            return _is_ct(key)
        case Jhash(of):
            return of is not None and _is_ct(of)
        case (
            Payload()
            | Meta()
            | TCPOption()
            | HeaderPart()
            | RawPayload()
            | Rt()
            | SocketKey()
            | Fib()
            | Numgen()
            | SetReference()
            | AnonymousSet()
            | Value()
        ):
            return False
        case _:
            assert_never(expression)
