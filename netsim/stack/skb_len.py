"""``skb->len``: how long a packet is, by what it holds."""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, IPIPHeader, Packet, SCTPHeader, TCPHeader, UDPHeader

ICMP_ERROR_LENGTH = {4: 576, 6: 1280}
IP_HEADER = {4: 20, 6: 40}
FRAGMENT_HEADER = 8
ND_REDIRECT = 40
"""Bytes of a redirect before its options. RFC 4861 §4.5."""


def skb_len(packet: Packet) -> int:
    """The length of an IP packet with its header, in bytes. TCP carries no options but MSS and the window scale."""
    ip = packet.ip
    header = IP_HEADER[ip.dst.version]
    if ip.fragment_offset or ip.more_fragments:
        header += FRAGMENT_HEADER if ip.dst.version == 6 else 0
        if ip.fragment_offset:
            return header + packet.payload
    match packet.l4:
        case TCPHeader(mss=mss, wscale=wscale):
            options = (mss is not None) + (wscale is not None)
            return header + 20 + 4 * options + packet.payload
        case UDPHeader():
            return header + 8 + packet.payload
        case SCTPHeader():
            return header + 12 + packet.payload
        case IPIPHeader():
            return header + packet.payload
        case ICMPHeader(quoted=None):
            return header + 8 + packet.payload
        case ICMPHeader(quoted=quoted, gateway=gateway, link_layer=link_layer):
            assert quoted is not None
            if gateway is not None and packet.ip.dst.version == 6:
                fixed = header + ND_REDIRECT + (8 if link_layer is not None else 0)
                return fixed + (min(ICMP_ERROR_LENGTH[6] - fixed, skb_len(quoted) + 8) & ~7)
            return min(ICMP_ERROR_LENGTH[packet.ip.dst.version], header + 8 + skb_len(quoted))
