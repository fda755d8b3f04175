"""What a rule compares of headers: the IP header part of a rule, and the matches on transport headers."""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Prefix


@dataclass(frozen=True, slots=True)
class PrefixMatch:
    """``-s`` or ``-d``: the address lies in the prefix, or not (``!``)."""

    prefix: Prefix
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class InterfaceMatch:
    """``-i`` or ``-o``: the device's name, or its beginning where the name ends in ``+``."""

    name: str
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class ProtocolMatch:
    """``-p``: an IP protocol number (6 for tcp); 0 ("all") is written as no match at all."""

    number: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class PortRange:
    """First and last port, both included."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class PortMatch:
    """``--sport`` or ``--dport`` of ``-m tcp``, ``-m udp`` and ``-m sctp``."""

    ports: PortRange
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class TCPFlagsMatch:
    """``--tcp-flags MASK COMPARE`` (``--syn`` is ``SYN,RST,ACK,FIN SYN``)."""

    mask: int
    compare: int
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class TCPMatch:
    """``-m tcp``. Ref: net/netfilter/xt_tcpudp.c:tcp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None
    flags: TCPFlagsMatch | None = None
    option: int | None = None
    option_inverted: bool = False


@dataclass(frozen=True, slots=True)
class UDPMatch:
    """``-m udp``. Ref: net/netfilter/xt_tcpudp.c:udp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None


@dataclass(frozen=True, slots=True)
class SCTPMatch:
    """``-m sctp`` with ports. Ref: net/netfilter/xt_sctp.c:sctp_mt() (v6.12)."""

    source: PortMatch | None = None
    destination: PortMatch | None = None


@dataclass(frozen=True, slots=True)
class ICMPMatch:
    """``-m icmp --icmp-type`` or ``-m icmp6 --icmpv6-type``; codes are a range, 0–255 for any; type 255 is "any"."""

    type: int
    code_first: int = 0
    code_last: int = 255
    inverted: bool = False


@dataclass(frozen=True, slots=True)
class MultiportMatch:
    """``-m multiport``; ``which`` is ``source``, ``destination`` or ``either``."""

    which: str
    ports: tuple[PortRange, ...]
    inverted: bool = False
