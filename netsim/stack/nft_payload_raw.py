"""``@nh,96,32`` and the like: bits of the network or the transport header, out of what the model keeps of them.

Checksums and TCP options beyond what the header has are not kept: bits of them are not modelled.
Ref: net/netfilter/nft_payload.c:nft_payload_eval() (v6.12); RFC 791 §3.1, RFC 8200 §3, RFC 9293 §3.1, RFC 768, RFC 9260 §3.1.
"""

from __future__ import annotations

from netsim.net.packet import ICMPHeader, Packet, SCTPHeader, TCPHeader, UDPHeader
from netsim.rules.nft.ast import RawPayload
from netsim.stack.dev import skb_len
from netsim.stack.nft_expression import Eval
from netsim.stack.x_tables import RuleNotModelledError, XtContext

_DONT_FRAGMENT, _MORE_FRAGMENTS = 0x4000, 0x2000
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_UNKNOWN = None
"""A byte that the model does not know."""

_Bytes = list[int | None]


def raw_payload(expression: RawPayload) -> Eval:
    """The bits as a number; None where the packet is too short. RuleNotModelledError where the model does not know one of them."""
    if expression.base == "ll":
        raise RuleNotModelledError(f"@ll,{expression.offset},{expression.length}")

    def value(ctx: XtContext) -> int | None:
        packet = ctx.skb.packet
        if ctx.skb.arp is not None:
            raise RuleNotModelledError(f"@{expression.base},{expression.offset},{expression.length} of ARP")
        if expression.base == "th" and packet.ip.fragment_offset:
            return None
        found = _network(packet) if expression.base == "nh" else _transport(packet)
        first, last = expression.offset // 8, (expression.offset + expression.length - 1) // 8
        if last >= len(found):
            return None
        return _bits(found[first : last + 1], expression)

    return value


def _bits(part: _Bytes, expression: RawPayload) -> int:
    known = [byte for byte in part if byte is not None]
    if len(known) < len(part):
        raise RuleNotModelledError(
            f"@{expression.base},{expression.offset},{expression.length}: bits that are not kept"
        )
    behind = len(known) * 8 - expression.offset % 8 - expression.length
    return int.from_bytes(bytes(known), "big") >> behind & ((1 << expression.length) - 1)


def _word(value: int, size: int) -> _Bytes:
    return list(value.to_bytes(size, "big"))


def _network(packet: Packet) -> _Bytes:
    ip, length = packet.ip, skb_len(packet)
    ends = [*_word(int(ip.src), ip.src.max_prefixlen // 8), *_word(int(ip.dst), ip.dst.max_prefixlen // 8)]
    if ip.dst.version == 6:
        head = _word(6 << 28 | ip.dscp << 22, 4)
        return [*head, *_word(length - _IPV6_HEADER, 2), int(ip.protocol), ip.ttl, *ends, *_transport(packet)]
    fragment = (_DONT_FRAGMENT if ip.dont_fragment else 0) | (_MORE_FRAGMENTS if ip.more_fragments else 0)
    head = [0x45, ip.dscp << 2, *_word(length, 2), *_word(ip.identification, 2)]
    head += _word(fragment | ip.fragment_offset // 8, 2)
    return [*head, ip.ttl, int(ip.protocol), _UNKNOWN, _UNKNOWN, *ends, *_transport(packet)]


def _transport(packet: Packet) -> _Bytes:
    header = packet.l4
    match header:
        case TCPHeader():
            numbers = [*_word(header.sport, 2), *_word(header.dport, 2), *_word(header.seq, 4), *_word(header.ack, 4)]
            return [*numbers, _UNKNOWN, int(header.flags), *_word(header.window, 2), *[_UNKNOWN] * 4]
        case UDPHeader():
            size = skb_len(packet) - (_IPV6_HEADER if packet.ip.dst.version == 6 else _IPV4_HEADER)
            return [*_word(header.sport, 2), *_word(header.dport, 2), *_word(size, 2), _UNKNOWN, _UNKNOWN]
        case SCTPHeader():
            ports = [*_word(header.sport, 2), *_word(header.dport, 2), *_word(header.verification_tag, 4)]
            return [*ports, *[_UNKNOWN] * 4, int(header.chunk)]
        case ICMPHeader():
            return [header.type, header.code, *[_UNKNOWN] * 6]
        case _:
            return []
