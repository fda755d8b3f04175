"""The typed form of an nftables rule set.

Commands (``add rule ip t c …``, as kube-proxy writes them) and what ``nft list ruleset`` prints of them give equal values: short
spellings (``mark`` for ``meta mark``, ``and`` for ``&``) are written out, named priorities and times are numbers, a set of one
element is that element, elements of anonymous sets are in a fixed order. Origins and counters take no part in equality.

Ref: nft(8) 1.0.6; net/netfilter/nf_tables_api.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.rules.nft.elsewhere import Elsewhere
from netsim.rules.nft.expression_ast import (
    AnonymousMap,
    AnonymousSet,
    Binary,
    Concatenation,
    Ct,
    Data,
    Expression,
    Fib,
    Flags,
    HeaderPart,
    Jhash,
    Jump,
    Key,
    Literal,
    Lookup,
    Meta,
    Numgen,
    Payload,
    Range,
    RawPayload,
    Rt,
    SetReference,
    SocketKey,
    TCPOption,
    Value,
    Verdict,
    Wildcard,
)
from netsim.rules.source import Origin

__all__ = [
    "NAT",
    "AnonymousMap",
    "AnonymousSet",
    "Assign",
    "BaseChain",
    "Binary",
    "Chain",
    "Concatenation",
    "Counter",
    "Ct",
    "CtCount",
    "Data",
    "Element",
    "Expression",
    "Fib",
    "Flags",
    "HeaderPart",
    "Jhash",
    "Jump",
    "Key",
    "Last",
    "Limit",
    "Literal",
    "Log",
    "Lookup",
    "Match",
    "Meta",
    "NamedSet",
    "NoTrack",
    "NotModelled",
    "Numgen",
    "ObjectReference",
    "OtherObject",
    "Payload",
    "Quota",
    "Range",
    "RawPayload",
    "Reject",
    "ResetOption",
    "Rt",
    "Rule",
    "Ruleset",
    "SetReference",
    "SetUpdate",
    "SocketKey",
    "Statement",
    "TCPOption",
    "Table",
    "TableFamily",
    "Value",
    "Verdict",
    "VerdictMap",
    "VerdictStatement",
    "Wildcard",
]


class TableFamily(Enum):
    """Families of tables, by nft's names."""

    IP = "ip"
    IP6 = "ip6"
    INET = "inet"
    ARP = "arp"
    BRIDGE = "bridge"
    NETDEV = "netdev"


# --- statements -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Match:
    """``left operator right``.

    The operator is one of ``== != < > <= >= &``. ``&`` asks whether one of the bits is set: it is what ``ct state
    established,related`` and ``tcp flags syn`` mean, which have no operator. ``!=`` with ``Flags`` asks that none is.
    """

    left: Expression
    operator: str
    right: Expression


@dataclass(frozen=True, slots=True)
class VerdictStatement:
    """``accept``, ``jump chain`` and the like."""

    verdict: Verdict | Jump


@dataclass(frozen=True, slots=True)
class VerdictMap:
    """``expression vmap @name`` or ``expression vmap { … }``."""

    key: Expression
    mapping: AnonymousMap | SetReference


@dataclass(frozen=True, slots=True)
class NAT:
    """``dnat``, ``snat``, ``masquerade`` or ``redirect``.

    ``family`` is ``ip`` or ``ip6`` where it is written. ``address`` may look up both address and port (a concatenation as data).
    ``flags`` are ``random``, ``fully-random`` and ``persistent``. ``prefix``: the network changes and the host's bits stay.
    """

    kind: str
    family: str | None = None
    address: Expression | None = None
    port: Expression | None = None
    flags: frozenset[str] = frozenset()
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Reject:
    """``reject with icmp port-unreachable``; ``protocol`` is ``icmp``, ``icmpv6``, ``icmpx`` or ``tcp`` (``code`` ``reset``).

    ``implied``: it is what ``reject`` alone means in its table's family, and is printed so.
    """

    protocol: str
    code: str
    implied: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Counter:
    """``counter``: counts; its numbers take no part in equality. ``name`` is a named counter's."""

    packets: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """``limit rate [over] 5/minute burst 7 packets``; ``unit`` is the time, ``of`` is ``packets`` or a unit of bytes."""

    rate: int
    unit: str
    of: str = "packets"
    burst: int = 5
    burst_of: str = "packets"
    over: bool = False


@dataclass(frozen=True, slots=True)
class Quota:
    """``quota over 25 mbytes used 1 kbytes``; ``of`` and ``used_of`` are units of bytes. Without ``over`` it is ``until``."""

    amount: int
    of: str
    over: bool = False
    used: int = 0
    used_of: str = "bytes"


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """``limit name "web"``, ``ct helper set "ftp"``, ``synproxy name "p"``: a named object of the table, or one that a map chooses.

    ``kind`` is the object's (``limit``, ``quota``, ``counter``, ``ct helper``, ``ct timeout``, ``ct expectation``, ``synproxy``,
    ``secmark``); ``choice`` is the map's look-up, where ``name`` is empty.
    """

    kind: str
    name: str
    choice: Expression | None = None


@dataclass(frozen=True, slots=True)
class CtCount:
    """``ct count [over] 10``: how many connections the rule, or a set's element, has seen that are still there."""

    limit: int
    over: bool = False


@dataclass(frozen=True, slots=True)
class Last:
    """``last``: remembers when a packet came last; changes nothing."""


@dataclass(frozen=True, slots=True)
class ResetOption:
    """``reset tcp option sack-perm``: the option is overwritten with NOPs."""

    name: str


@dataclass(frozen=True, slots=True)
class Log:
    """``log``: changes nothing; ``words`` are its options."""

    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assign:
    """``meta mark set …``, ``ct mark set …``, ``ip dscp set …``, ``tcp option maxseg size set …``."""

    target: Meta | Ct | Payload | TCPOption
    value: Expression


@dataclass(frozen=True, slots=True)
class SetUpdate:
    """``add``, ``update`` or ``delete`` an element of a named set from the packet. ``timeout_ms`` None for the set's own.

    ``stateful`` are statements that the element has for itself: counter, limit, quota, ``ct count``.
    """

    operation: str
    name: str
    element: Expression
    timeout_ms: int | None = None
    data: Expression | None = None
    stateful: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class NoTrack:
    """``notrack``."""


@dataclass(frozen=True, slots=True)
class NotModelled:
    """A statement that nft knows and the model does not, with its text; a walk that meets it ends UNKNOWN."""

    text: str


Statement: TypeAlias = (
    Match
    | VerdictStatement
    | VerdictMap
    | NAT
    | Reject
    | Counter
    | Limit
    | Quota
    | ObjectReference
    | Log
    | Assign
    | SetUpdate
    | NoTrack
    | CtCount
    | Last
    | ResetOption
    | Elsewhere
    | NotModelled
)


# --- rules, chains, sets, tables --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its statements are evaluated from left to right."""

    statements: tuple[Statement, ...]
    comment: str = ""
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class BaseChain:
    """What hooks a chain in. ``priority`` is a number; ``devices`` are for netdev and ingress."""

    type: str
    hook: str
    priority: int
    policy: Verdict = Verdict.ACCEPT
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain; ``base`` None where only other chains lead to it."""

    name: str
    rules: tuple[Rule, ...] = ()
    base: BaseChain | None = None
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """What an element has besides its key. ``data`` for maps; ``timeout_ms`` None for the set's own."""

    data: Data | None = None
    timeout_ms: int | None = None
    comment: str = ""
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class NamedSet:
    """A set, or a map where ``data`` is not empty (``("verdict",)`` for a verdict map). ``key`` and ``data`` are datatypes.

    ``stateful`` are statements that each of its elements has for itself.
    """

    name: str
    key: tuple[str, ...]
    data: tuple[str, ...] = ()
    flags: frozenset[str] = frozenset()
    timeout_ms: int | None = None
    gc_interval_ms: int | None = None
    size: int | None = None
    auto_merge: bool = False
    policy: str = ""
    counter: bool = False
    comment: str = ""
    stateful: tuple[Statement, ...] = ()
    elements: Mapping[Key, Element] = field(default_factory=dict)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class OtherObject:
    """A stateful object or flowtable of a table: its kind, name and text; ``netsim.rules.nft.objects`` reads those that matter."""

    kind: str
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table. Chains and sets (with maps) by name; the order takes no part in equality."""

    family: TableFamily
    name: str
    comment: str = ""
    flags: frozenset[str] = frozenset()
    chains: Mapping[str, Chain] = field(default_factory=dict)
    sets: Mapping[str, NamedSet] = field(default_factory=dict)
    others: Mapping[str, OtherObject] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All tables of a namespace, by family and name."""

    tables: Mapping[tuple[TableFamily, str], Table] = field(default_factory=dict)
