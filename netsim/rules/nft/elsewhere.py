"""Statements that hand a packet, or a copy of it, to somebody else. Ref: nft(8) 1.0.6, "STATEMENTS"."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from netsim.dataclass import dataclass

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Expression


@dataclass(frozen=True, slots=True)
class Queue:
    """``queue num 1-4 bypass,fanout``: to a program that listens; ``number`` may be an interval or computed."""

    number: Expression
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Dup:
    """``dup to ADDRESS device NAME``: a copy is sent there; in family netdev only the device is named."""

    address: Expression | None
    device: Expression | None = None


@dataclass(frozen=True, slots=True)
class Fwd:
    """``fwd to NAME`` or ``fwd ip to ADDRESS device NAME``: a frame leaves by another device. Only in family netdev."""

    device: Expression
    family: str = ""
    address: Expression | None = None


@dataclass(frozen=True, slots=True)
class TProxy:
    """``tproxy [ip|ip6] to [ADDRESS][:PORT]``: to a socket of this host, the addresses left as they are."""

    family: str = ""
    address: Expression | None = None
    port: Expression | None = None


@dataclass(frozen=True, slots=True)
class SynProxy:
    """``synproxy mss 1460 wscale 9 timestamp sack-perm``: this host answers SYNs for the server."""

    mss: int | None = None
    wscale: int | None = None
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class FlowAdd:
    """``flow add @f``: the connection's later packets that come in by the flowtable's devices pass the hooks by."""

    flowtable: str


Elsewhere: TypeAlias = Queue | Dup | Fwd | TProxy | SynProxy | FlowAdd
