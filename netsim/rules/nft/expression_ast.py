"""Values, expressions and verdicts of a typed rule; ``netsim.rules.nft.ast`` has what is made of them, and gives them on.

Ref: nft(8) 1.0.6, "EXPRESSIONS", "PRIMARY EXPRESSIONS".
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix

# --- values -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Range:
    """``first-last``, both included."""

    first: Address | int
    last: Address | int


@dataclass(frozen=True, slots=True)
class Flags:
    """Symbolic bits: ``established,related``, ``fin | syn``; bits of one field."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Wildcard:
    """``*``: the element that matches what no other does."""


Literal: TypeAlias = int | str | Address | Prefix | Range | Flags | Wildcard


# --- expressions ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Payload:
    """A header field: ``ip saddr``, ``tcp dport``; ``th`` is any transport header."""

    protocol: str
    field: str


@dataclass(frozen=True, slots=True)
class Meta:
    """What stands beside a packet: ``meta mark``, ``meta l4proto``, ``iifname``."""

    key: str


@dataclass(frozen=True, slots=True)
class Ct:
    """``ct state``, ``ct mark``, ``ct original ip saddr``; ``direction`` is ``original``, ``reply`` or None."""

    key: str
    direction: str | None = None


@dataclass(frozen=True, slots=True)
class TCPOption:
    """``tcp option maxseg size``: the option's name and the field of it, empty where only the option's presence is asked."""

    name: str
    field: str


@dataclass(frozen=True, slots=True)
class HeaderPart:
    """``ip option rr``, ``exthdr frag``, ``frag id``, ``sctp chunk init``: a part that a packet may have or not.

    ``kind`` is ``ip option``, ``exthdr`` or ``sctp chunk``; ``field`` is empty where only the presence is asked.
    """

    kind: str
    name: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class RawPayload:
    """``@th,16,16``: bits of a packet. ``base`` is ``ll``, ``nh`` or ``th``; ``offset`` and ``length`` in bits."""

    base: str
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Rt:
    """What routing decided: ``rt mtu`` (a TCP segment size), ``rt nexthop``, ``rt ip6 nexthop``, ``rt classid``, ``rt ipsec``."""

    key: str


@dataclass(frozen=True, slots=True)
class SocketKey:
    """``socket transparent``, ``socket wildcard``: of the socket that would take the packet."""

    key: str


@dataclass(frozen=True, slots=True)
class Fib:
    """``fib saddr type``: ``inputs`` of the look-up, in nft's order, and what is asked (``type``, ``oif``, ``oifname``)."""

    inputs: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class Numgen:
    """``numgen random mod 3`` or ``numgen inc mod 3 offset 1``."""

    mode: str
    modulus: int
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Jhash:
    """``jhash ip saddr mod 3 seed 0x1 offset 0``; ``symhash`` where there is no expression."""

    expression: Expression | None
    modulus: int
    seed: int | None = None
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Concatenation:
    """``ip daddr . meta l4proto . th dport``."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """``left & right`` and the like; ``operator`` is one of ``& | ^ << >>``."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class SetReference:
    """``@name``: a named set or map of the same table."""

    name: str


@dataclass(frozen=True, slots=True)
class AnonymousSet:
    """``{ 10.0.0.1, 10.0.0.2 }``: ordered; intervals that touched are one, so that a single one may be left."""

    elements: tuple[Key, ...]


@dataclass(frozen=True, slots=True)
class AnonymousMap:
    """``{ 0 : 10.0.0.1 . 80, 1 : … }`` or with verdicts, ordered by key."""

    elements: tuple[tuple[Key, Data], ...]


@dataclass(frozen=True, slots=True)
class Lookup:
    """``expression map { … }`` or ``expression map @name``: the data that belongs to the expression's value."""

    key: Expression
    mapping: AnonymousMap | SetReference


@dataclass(frozen=True, slots=True)
class Value:
    """A literal where an expression may stand."""

    literal: Literal


Expression: TypeAlias = (
    Payload
    | Meta
    | Ct
    | TCPOption
    | HeaderPart
    | RawPayload
    | Rt
    | SocketKey
    | Fib
    | Numgen
    | Jhash
    | Concatenation
    | Binary
    | SetReference
    | AnonymousSet
    | Lookup
    | Value
)


# --- verdicts ---------------------------------------------------------------------------------------------------


class Verdict(Enum):
    """Verdicts without a chain."""

    ACCEPT = "accept"
    DROP = "drop"
    CONTINUE = "continue"
    RETURN = "return"


@dataclass(frozen=True, slots=True)
class Jump:
    """``jump chain``, or ``goto chain`` where ``goto`` is true."""

    chain: str
    goto: bool = False


Key: TypeAlias = tuple[Literal, ...]
Data: TypeAlias = Verdict | Jump | tuple[Literal, ...]
