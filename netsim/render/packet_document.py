"""A packet's headers as JSON values."""

from __future__ import annotations

from typing import assert_never

from netsim.net.packet import VXLAN, ICMPHeader, IPIPHeader, Packet, SCTPHeader, TCPFlags, TCPHeader, UDPHeader
from netsim.objects.json import Json

_FLAGS = (
    TCPFlags.FIN,
    TCPFlags.SYN,
    TCPFlags.RST,
    TCPFlags.PSH,
    TCPFlags.ACK,
    TCPFlags.URG,
    TCPFlags.ECE,
    TCPFlags.CWR,
)


def flag_names(flags: TCPFlags) -> list[Json]:
    """The flags that are set, by name, in the order of their bits."""
    return [flag.name for flag in _FLAGS if flags & flag]


def packet_document(packet: Packet) -> dict[str, Json]:
    """IP fields, then those of the transport header, then the payload's size in bytes."""
    ip = packet.ip
    return {
        "src": str(ip.src),
        "dst": str(ip.dst),
        "protocol": ip.protocol.name.lower(),
        "ttl": ip.ttl,
        "dscp": ip.dscp,
        "identification": ip.identification,
        "dontFragment": ip.dont_fragment,
        "fragmentOffset": ip.fragment_offset,
        "moreFragments": ip.more_fragments,
        **_transport(packet),
        "payload": packet.payload,
        **_inner(packet),
    }


def _inner(packet: Packet) -> dict[str, Json]:
    """What a tunnel's packet carries."""
    match packet.inner:
        case None:
            return {}
        case VXLAN(vni=vni, frame=frame):
            carried = packet_document(frame.payload) if isinstance(frame.payload, Packet) else None
            return {"inner": {"vni": vni, "srcMAC": str(frame.src), "dstMAC": str(frame.dst), "packet": carried}}
        case Packet() as carried_packet:
            return {"inner": {"vni": None, "srcMAC": None, "dstMAC": None, "packet": packet_document(carried_packet)}}
        case _ as never:
            assert_never(never)


def _transport(packet: Packet) -> dict[str, Json]:
    match packet.l4:
        case TCPHeader() as tcp:
            return {
                "sport": tcp.sport,
                "dport": tcp.dport,
                "flags": flag_names(tcp.flags),
                "seq": tcp.seq,
                "ack": tcp.ack,
                "window": tcp.window,
                "mss": tcp.mss,
            }
        case UDPHeader(sport=sport, dport=dport):
            return {"sport": sport, "dport": dport}
        case SCTPHeader() as sctp:
            tag = sctp.verification_tag
            return {"sport": sctp.sport, "dport": sctp.dport, "chunk": sctp.chunk.name, "verificationTag": tag}
        case IPIPHeader():
            return {}
        case ICMPHeader() as icmp:
            return {
                "type": icmp.type,
                "code": icmp.code,
                "identifier": icmp.identifier,
                "sequence": icmp.sequence,
                "mtu": icmp.mtu,
                "quoted": None if icmp.quoted is None else packet_document(icmp.quoted),
                "gateway": None if icmp.gateway is None else str(icmp.gateway),
            }
        case _ as never:
            assert_never(never)
