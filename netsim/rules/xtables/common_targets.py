"""Targets that the rules of every node use: verdicts, jumps, answers, NAT and marks."""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address


class Verdict(Enum):
    """Built-in targets that end or leave a chain."""

    ACCEPT = "ACCEPT"
    DROP = "DROP"
    RETURN = "RETURN"
    QUEUE = "QUEUE"


@dataclass(frozen=True, slots=True)
class Jump:
    """``-j CHAIN``, or ``-g CHAIN`` where ``goto`` is true."""

    chain: str
    goto: bool = False


@dataclass(frozen=True, slots=True)
class RejectTarget:
    """``-j REJECT --reject-with``; ``kind`` by its full name (``icmp-port-unreachable``, ``icmp6-port-unreachable``, ``tcp-reset``)."""

    kind: str


@dataclass(frozen=True, slots=True)
class NATRange:
    """Addresses and ports that NAT may use, both ends included; None keeps the packet's own."""

    first: Address | None = None
    last: Address | None = None
    port_first: int | None = None
    port_last: int | None = None


@dataclass(frozen=True, slots=True)
class DNATTarget:
    """``-j DNAT --to-destination``."""

    to: NATRange
    random: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class SNATTarget:
    """``-j SNAT --to-source``."""

    to: NATRange
    random: bool = False
    random_fully: bool = False
    persistent: bool = False


@dataclass(frozen=True, slots=True)
class MasqueradeTarget:
    """``-j MASQUERADE``."""

    port_first: int | None = None
    port_last: int | None = None
    random: bool = False
    random_fully: bool = False


@dataclass(frozen=True, slots=True)
class RedirectTarget:
    """``-j REDIRECT``."""

    port_first: int | None = None
    port_last: int | None = None
    random: bool = False


@dataclass(frozen=True, slots=True)
class MarkTarget:
    """``-j MARK``: the mark becomes ``(mark & ~mask) ^ value``.

    ``--or-mark B`` is value=B mask=B; ``--xor-mark B`` is value=B mask=0; ``--set-xmark V/M`` is itself.
    Ref: net/netfilter/xt_mark.c:mark_tg().
    """

    value: int
    mask: int


@dataclass(frozen=True, slots=True)
class ConnmarkTarget:
    """``-j CONNMARK``; ``operation`` is ``set``, ``save`` or ``restore``. Ref: net/netfilter/xt_connmark.c.

    ``shift`` moves the bits that are written, to the left where it is positive.
    """

    operation: str
    value: int = 0
    ct_mask: int = 0xFFFFFFFF
    nf_mask: int = 0xFFFFFFFF
    shift: int = 0


@dataclass(frozen=True, slots=True)
class NoTrackTarget:
    """``-j NOTRACK``, the same as ``-j CT --notrack`` (``as_ct`` keeps the spelling)."""

    as_ct: bool = False


@dataclass(frozen=True, slots=True)
class LogTarget:
    """``-j LOG`` and ``-j NFLOG``: changes nothing; ``words`` are its options."""

    name: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotModelledTarget:
    """A target that the real tool knows and the model does not."""

    name: str
    words: tuple[str, ...]
