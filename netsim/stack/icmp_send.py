"""ICMP errors that the kernel makes: whether one is sent, from which address, about which packet.

Rates are not limited. Ref: net/ipv4/icmp.c:icmp_send(), icmp_route_lookup(); icmp_glue_bits() (v6.12); RFC 1122 §3.2.2.
IPv6's errors are ``icmpv6``'s.
"""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.stack.icmpv6 import icmp6_send
from netsim.stack.namespace import LocalOut, Namespace
from netsim.stack.nf_conntrack_core import CtStatus, nf_ct_attach
from netsim.stack.route import OutputKey, ip_route_output
from netsim.stack.skbuff import PacketType, SkBuff

_NAT_DONE = CtStatus.SRC_NAT_DONE | CtStatus.DST_NAT_DONE
DEST_UNREACH, TIME_EXCEEDED = 3, 11
ERROR_TYPES = {
    # 4 source quench, 5 redirect, 12 parameter problem. Ref: net/ipv4/icmp.c icmp_pointers[]; ICMPv6 errors are below 128
    Protocol.ICMP: frozenset({3, 4, 5, 11, 12}),
    Protocol.ICMPV6: frozenset(range(128)),
}


@dataclass(frozen=True, slots=True)
class Message:
    """An error's type and code, in one family."""

    type: int
    code: int


class Unreachable(Enum):
    """Why a packet does not get on; the values are the message in IPv4 and, where IPv6 has one, in IPv6."""

    NET = (Message(3, 0), Message(1, 0))
    HOST = (Message(3, 1), Message(1, 3))
    PROTOCOL = (Message(3, 2), Message(4, 1))
    PORT = (Message(3, 3), Message(1, 4))
    FRAG_NEEDED = (Message(3, 4), Message(2, 0))
    NET_PROHIBITED = (Message(3, 9), Message(1, 1))
    HOST_PROHIBITED = (Message(3, 10), Message(1, 1))
    ADMIN_PROHIBITED = (Message(3, 13), Message(1, 1))
    BEYOND_SCOPE = (Message(3, 1), Message(1, 2))
    TIME_EXCEEDED = (Message(11, 0), Message(3, 0))

    def message(self, family: Family) -> Message:
        """Its type and code in a family."""
        return self.value[0] if family is Family.IPV4 else self.value[1]


def icmp_unreachable(ns: Namespace, skb: SkBuff, why: Unreachable, mtu: int = 0) -> None:
    """Tell the sender of a packet why it does not get on; ``mtu`` in bytes for FRAG_NEEDED."""
    icmp_send(ns, skb, why.message(skb.packet.family), mtu=mtu)


def icmp_send(
    ns: Namespace, skb: SkBuff, message: Message, mtu: int = 0, by: str = "icmp", gateway: Address | None = None
) -> None:
    """Queue an error about a packet to its sender, unless the rules of RFC 1122 forbid one or there is no way back.

    ``gateway`` is what a redirect names.
    """
    packet = skb.packet
    if packet.family is Family.IPV6:
        icmp6_send(ns, skb, ICMPHeader(message.type, message.code, mtu=mtu, quoted=packet), by)
        return
    if skb.pkt_type is not PacketType.HOST or is_icmp_error(packet) or packet.ip.fragment_offset:
        return
    local = skb.nexthop is not None and skb.nexthop.local
    if (skb.nexthop is not None and skb.nexthop.broadcast) or packet.ip.dst.is_multicast:
        return
    source = _source(ns, packet.ip.src, packet.ip.dst if local else None)
    if source is None:
        return
    ttl = ns.sysctls.get("net.ipv4.ip_default_ttl")
    header = IPHeader(source, packet.ip.src, Protocol.ICMP, ttl, _dscp(packet.ip.dscp))
    error = ICMPHeader(message.type, message.code, mtu=mtu, quoted=packet, gateway=gateway)
    answer = SkBuff(Packet(header, error))
    nf_ct_attach(answer, skb)
    answer.before_nat = skb.ct is not None and skb.ct.status & _NAT_DONE != _NAT_DONE
    ns.network.local_out(ns.name, LocalOut(answer, by, owner=""))


def _dscp(about: int) -> int:
    """``RT_TOS(tos) | IPTOS_PREC_INTERNETCONTROL``: an error about an ordinary packet is cs6.

    Ref: net/ipv4/icmp.c:__icmp_send() (v6.12).
    """
    return (about << 2 & 0x1E | 0xC0) >> 2


def is_icmp_error(packet: Packet) -> bool:
    """True for an ICMP message that is itself about an error."""
    return isinstance(packet.l4, ICMPHeader) and packet.l4.type in ERROR_TYPES.get(packet.ip.protocol, ())


def _source(ns: Namespace, towards: Address, fixed: Address | None) -> Address | None:
    """The address the packet was for where that is ours, else what the route back prefers."""
    nexthop = ip_route_output(ns, OutputKey(towards, fixed)).nexthop
    return nexthop.source if nexthop is not None else None
