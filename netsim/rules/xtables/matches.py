"""Matches that few rules use: addresses and lengths, rates and counts, sockets and types of service.

``common_matches`` and ``header_matches`` hold those of every node; ``ast`` names all of them in ``Match``.
"""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix


@dataclass(frozen=True, slots=True)
class NumberRange:
    """First and last number, both included."""

    first: int
    last: int

    def __contains__(self, number: int) -> bool:
        return self.first <= number <= self.last


@dataclass(frozen=True, slots=True)
class AddressRange:
    """First and last address, both included."""

    first: Address
    last: Address
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class IPRangeMatch:
    """``-m iprange``. Ref: net/netfilter/xt_iprange.c (v6.12)."""

    source: AddressRange | None = None
    destination: AddressRange | None = None


LIMIT_SCALE = 10_000
"""``XT_LIMIT_SCALE``: parts of a second in which ``-m limit`` counts."""


@dataclass(frozen=True, slots=True)
class LimitMatch:
    """``-m limit``: one packet each ``interval`` (in LIMIT_SCALE parts of a second), ``burst`` at once. Ref: net/netfilter/xt_limit.c."""

    interval: int
    burst: int = 5


HASHLIMIT_SCALE = 1_000_000
"""``XT_HASHLIMIT_SCALE_v2``."""


@dataclass(frozen=True, slots=True)
class HashLimitMatch:
    """``-m hashlimit`` by packets: a bucket for each value of ``mode`` (``srcip``, ``srcport``, ``dstip``, ``dstport``; none: one for all).

    ``interval`` is as in LimitMatch, in HASHLIMIT_SCALE parts of a second; ``expire_ms`` is how long an idle bucket is kept.
    Rules with one ``name`` share their buckets. ``sizes`` are the words of the hash table's own options, which no packet sees.
    Ref: net/netfilter/xt_hashlimit.c:hashlimit_mt_common() (v6.12).
    """

    name: str
    interval: int
    expire_ms: int
    burst: int = 5
    above: bool = False
    mode: tuple[str, ...] = ()
    source_length: int | None = None
    destination_length: int | None = None
    sizes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ConnLimitMatch:
    """``-m connlimit``: how many connections a source (or ``destination``) network of that prefix length has.

    ``upto`` matches up to that many, else above. Ref: net/netfilter/xt_connlimit.c (v6.12).
    """

    limit: int
    length: int
    upto: bool = False
    destination: bool = False


@dataclass(frozen=True, slots=True)
class LengthMatch:
    """``-m length``: bytes of the packet from its IP header on."""

    length: NumberRange
    inverted: bool = False


class Comparison(Enum):
    """How ``-m ttl`` and ``-m hl`` compare."""

    EQUAL = "eq"
    LESS = "lt"
    GREATER = "gt"


@dataclass(frozen=True, slots=True)
class TTLMatch:
    """``-m ttl`` (IPv4) and ``-m hl`` (IPv6)."""

    comparison: Comparison
    value: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class OwnerID:
    """User or group numbers of ``-m owner``."""

    numbers: NumberRange
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class OwnerMatch:
    """``-m owner``; ``socket`` None does not ask whether there is one. Ref: net/netfilter/xt_owner.c:owner_mt() (v6.12)."""

    socket: bool | None = None
    user: OwnerID | None = None
    group: OwnerID | None = None
    supplementary: bool = False


@dataclass(frozen=True, slots=True)
class RPFilterMatch:
    """``-m rpfilter``: is the source reached by the device that the packet came in by?

    Ref: net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c (v6.12).
    """

    loose: bool = False
    valid_mark: bool = False
    accept_local: bool = False
    inverted: bool = False


class IPVSMethod(Enum):
    """How IPVS forwards, by the names of ``--vmethod``."""

    GATE = "direct routing"
    IPIP = "tunnel"
    MASQ = "masquerading"


@dataclass(frozen=True, slots=True)
class IPVSMatch:
    """``-m ipvs``: packets that IPVS has dealt with. ``of_ipvs`` for ``--ipvs`` alone: whether it has.

    The others are asked of the packet's connection; ``inverted`` names the options that stand behind ``!``.
    Ref: net/netfilter/xt_ipvs.c (v6.12).
    """

    of_ipvs: bool | None = None
    protocol: int | None = None
    address: Prefix | None = None
    port: int | None = None
    reply: bool | None = None
    method: IPVSMethod | None = None
    control_port: int | None = None
    inverted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SocketMatch:
    """``-m socket``: has this host a socket for the packet? Ref: net/netfilter/xt_socket.c (v6.12)."""

    transparent: bool = False
    no_wildcard: bool = False
    restore_mark: bool = False


@dataclass(frozen=True, slots=True)
class TOSMatch:
    """``-m tos`` and ``-m dscp`` (``as_dscp``): bits of the type of service octet. Ref: net/netfilter/xt_dscp.c (v6.12)."""

    value: int
    mask: int = 0xFF
    inverted: bool = False
    as_dscp: bool = False


@dataclass(frozen=True, slots=True)
class PacketTypeMatch:
    """``-m pkttype``: ``unicast``, ``broadcast`` or ``multicast``, as the frame was addressed. Ref: net/netfilter/xt_pkttype.c (v6.12)."""

    kind: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class TCPMSSMatch:
    """``-m tcpmss``: the MSS option. Ref: net/netfilter/xt_tcpmss.c (v6.12)."""

    mss: NumberRange
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class AbsentMatch:
    """A match on what packets, connections and devices of the model do not have: IPsec, extension headers, helpers, groups, realms.

    ``words`` are its options as iptables-save prints them. What is not there is known, so a packet is decided.
    """

    module: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuotaMatch:
    """``-m quota``: so many bytes match, then none. Ref: net/netfilter/xt_quota.c:quota_mt() (v6.12)."""

    quota: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class ConnBytesMatch:
    """``-m connbytes``: what a connection transferred so far, this packet included; ``last`` None has no upper end.

    ``mode`` is ``packets``, ``bytes`` or ``avgpkt``, ``direction`` ``original``, ``reply`` or ``both``.
    Ref: net/netfilter/xt_connbytes.c:connbytes_mt() (v6.12).
    """

    first: int
    last: int | None
    mode: str
    direction: str
    inverted: bool = False
