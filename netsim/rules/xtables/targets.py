"""Targets that few rules use: packets handed to programs, header fields, conntrack zones, sets.

``common_targets`` holds those of every node; ``ast`` names all of them in ``Target``.
"""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix


@dataclass(frozen=True, slots=True)
class QueueTarget:
    """``-j NFQUEUE``: a program decides. ``bypass`` accepts where none listens. Ref: net/netfilter/xt_NFQUEUE.c (v6.12)."""

    first: int = 0
    last: int = 0
    bypass: bool = False
    cpu_fanout: bool = False


@dataclass(frozen=True, slots=True)
class NetmapTarget:
    """``-j NETMAP``: the network part of the address changes, the host part stays. Ref: net/netfilter/xt_NETMAP.c (v6.12)."""

    to: Prefix


@dataclass(frozen=True, slots=True)
class TProxyTarget:
    """``-j TPROXY``; ``address`` None is the address of the device that the packet came in by. Ref: net/netfilter/xt_TPROXY.c (v6.12)."""

    port: int
    address: Address | None = None
    mark_value: int = 0
    mark_mask: int = 0


@dataclass(frozen=True, slots=True)
class TCPMSSTarget:
    """``-j TCPMSS``; ``mss`` None clamps to the path's MTU. Ref: net/netfilter/xt_TCPMSS.c (v6.12)."""

    mss: int | None = None


@dataclass(frozen=True, slots=True)
class TOSTarget:
    """``-j TOS`` and ``-j DSCP`` (``as_dscp``): the octet becomes ``(tos & ~mask) ^ value``. Ref: net/netfilter/xt_DSCP.c (v6.12)."""

    value: int
    mask: int = 0xFF
    as_dscp: bool = False


@dataclass(frozen=True, slots=True)
class TTLTarget:
    """``-j TTL`` (IPv4) and ``-j HL`` (IPv6); ``operation`` is ``set``, ``inc`` or ``dec``. Ref: net/netfilter/xt_HL.c (v6.12)."""

    operation: str
    value: int


@dataclass(frozen=True, slots=True)
class CTTarget:
    """``-j CT`` of packets that are tracked: their zone, their helper, and what conntrack tells others of them.

    ``zone`` None is the default zone; ``zone_from_mark`` takes the packet's mark. ``zone_direction`` is ``ORIGINAL`` or ``REPLY``
    where the zone counts in one direction only. Ref: net/netfilter/xt_CT.c:xt_ct_target() (v6.12).
    """

    zone: int | None = None
    zone_from_mark: bool = False
    zone_direction: str | None = None
    helper: str | None = None
    timeout: str | None = None
    events: str | None = None
    expectation_events: str | None = None


@dataclass(frozen=True, slots=True)
class SetOfTarget:
    """A set that ``-j SET`` changes; ``directions`` as in SetMatch."""

    name: str
    directions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SetTarget:
    """``-j SET``; ``timeout`` in seconds, None for the set's own; ``exist`` renews an entry. Ref: xt_set.c:set_target_v2() (v6.12)."""

    add: SetOfTarget | None = None
    delete: SetOfTarget | None = None
    timeout: int | None = None
    exist: bool = False


@dataclass(frozen=True, slots=True)
class PassiveTarget:
    """A target that no packet's way depends on: ``TRACE``, ``AUDIT``, ``CLASSIFY``, ``CHECKSUM``; ``words`` are its options."""

    name: str
    words: tuple[str, ...] = ()
