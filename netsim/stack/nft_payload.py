"""The payload expression: fields of the network and the transport header, and what writes to them.

A field that the packet does not have ends the rule (``NFT_BREAK``), which also stands for the dependency that nft writes before it: ``tcp
dport 80`` asks for TCP first.
Ref: net/netfilter/nft_payload.c:nft_payload_eval(), nft_payload_set_eval() (v6.12); nftables 1.0.6 src/payload.c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from netsim.net.address import Address
from netsim.net.packet import ARP, ICMPHeader, Packet, Protocol, SCTPHeader, TCPFlags, TCPHeader, UDPHeader
from netsim.rules.nft.ast import Payload
from netsim.stack.dev import skb_len
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_meta import ETHER_TYPE_ARP
from netsim.stack.nft_registers import Register
from netsim.stack.steps import Hook
from netsim.stack.x_tables import RuleNotModelledError, XtContext

Field = Callable[[Packet], "int | None"]

_HEADER = {4: 20, 6: 40}
_TRANSPORTS: dict[str, int] = {
    # name in a rule: protocol number that nft asks for first
    "tcp": Protocol.TCP,
    "udp": Protocol.UDP,
    "sctp": Protocol.SCTP,
    "icmp": Protocol.ICMP,
    "icmpv6": Protocol.ICMPV6,
    "dccp": 33,
    "udplite": 136,
}
_DONT_FRAGMENT, _MORE_FRAGMENTS = 0x4000, 0x2000

_IP: dict[str, Field] = {
    "version": lambda packet: packet.ip.dst.version,
    "hdrlength": lambda _: 5,
    "dscp": lambda packet: packet.ip.dscp,
    "length": skb_len,
    "id": lambda packet: packet.ip.identification,
    "ttl": lambda packet: packet.ip.ttl,
    "protocol": lambda packet: int(packet.ip.protocol),
    "saddr": lambda packet: int(packet.ip.src),
    "daddr": lambda packet: int(packet.ip.dst),
    "frag-off": lambda packet: _frag_off(packet),
}
_IP6: dict[str, Field] = {
    "version": lambda packet: packet.ip.dst.version,
    "dscp": lambda packet: packet.ip.dscp,
    "flowlabel": lambda _: 0,
    "length": lambda packet: skb_len(packet) - _HEADER[6],
    "nexthdr": lambda packet: int(packet.ip.protocol),
    "hoplimit": lambda packet: packet.ip.ttl,
    "saddr": lambda packet: int(packet.ip.src),
    "daddr": lambda packet: int(packet.ip.dst),
}


def _frag_off(packet: Packet) -> int:
    ip = packet.ip
    flags = (_DONT_FRAGMENT if ip.dont_fragment else 0) | (_MORE_FRAGMENTS if ip.more_fragments else 0)
    return flags | ip.fragment_offset // 8


def _of_ports(packet: Packet, name: str) -> int | None:
    """``th sport`` and ``th dport``: the transport header's first two words of 16 bits, whatever its protocol."""
    l4 = packet.l4
    if isinstance(l4, TCPHeader | UDPHeader | SCTPHeader):
        return l4.sport if name == "sport" else l4.dport
    if isinstance(l4, ICMPHeader):
        return l4.type << 8 | l4.code if name == "sport" else icmp_checksum(l4)
    return None


def icmp_checksum(header: ICMPHeader) -> int:
    """The checksum of an echo message whose payload is zeros: what ``th dport`` reads of an ICMP message."""
    total = (header.type << 8 | header.code) + header.identifier + header.sequence + header.mtu
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _tcp(packet: Packet, name: str) -> int | None:
    header = packet.l4
    assert isinstance(header, TCPHeader)
    return {"flags": int(header.flags), "sequence": header.seq, "ackseq": header.ack, "window": header.window}[name]


def _icmp(packet: Packet, name: str) -> int | None:
    """``icmp id`` asks for an echo message first, ``icmp mtu`` for the one that has it."""
    header = packet.l4
    assert isinstance(header, ICMPHeader)
    version4 = packet.ip.protocol is Protocol.ICMP
    match name:
        case "type":
            return header.type
        case "code":
            return header.code
        case "mtu":
            return header.mtu if (header.type, version4) in ((3, True), (2, False)) else None
        case _:
            echo = header.type in ((0, 8) if version4 else (128, 129))
            return (header.identifier if name == "id" else header.sequence) if echo else None


def _transport(packet: Packet, protocol: str, name: str) -> int | None:
    if packet.ip.fragment_offset:
        return None
    if protocol != "th" and int(packet.ip.protocol) != _TRANSPORTS[protocol]:
        return None
    if name in ("sport", "dport"):
        return _of_ports(packet, name)
    match protocol:
        case "tcp":
            return _tcp(packet, name)
        case "icmp" | "icmpv6":
            return _icmp(packet, name)
        case "udp" if name == "length":
            return skb_len(packet) - _HEADER[packet.ip.dst.version]
        case "sctp" if isinstance(packet.l4, SCTPHeader):
            return packet.l4.verification_tag
        case _:
            raise RuleNotModelledError(f"{protocol} {name}")


def payload(expression: Payload) -> Eval:
    """Ref: nft_payload_eval(). ARP has an Ethernet header and its own; an IP packet has no ARP."""
    protocol, name = expression.protocol, expression.field
    if protocol == "ether":
        return _ether(name)
    if protocol == "arp":
        return lambda ctx: None if ctx.skb.arp is None else _arp(ctx.skb.arp, name)
    of_ip = _of_ip(protocol, name)
    return lambda ctx: of_ip(ctx) if ctx.skb.arp is None else None


def _of_ip(protocol: str, name: str) -> Eval:
    if protocol in ("ip", "ip6"):
        fields, version = (_IP, 4) if protocol == "ip" else (_IP6, 6)
        field = fields.get(name)
        if field is None:
            raise RuleNotModelledError(f"{protocol} {name}")
        return lambda ctx: field(ctx.skb.packet) if ctx.skb.packet.ip.dst.version == version else None
    if protocol == "vlan":
        return lambda ctx: _vlan(ctx, name)
    return lambda ctx: _transport(ctx.skb.packet, protocol, name)


def _arp(message: ARP, name: str) -> int:
    """A field of a message for IPv4 over Ethernet. RFC 826."""
    values = {
        "htype": _ETHERNET,
        "ptype": _ETHER_TYPE[4],
        "hlen": 6,
        "plen": 4,
        "operation": int(message.operation),
        "saddr ether": message.sender_mac.value,
        "daddr ether": message.target_mac.value,
        "saddr ip": int(message.sender_ip),
        "daddr ip": int(message.target_ip),
    }
    return values[name]


def _ether(name: str) -> Eval:
    """The Ethernet header is there from where a frame came in, and what nft asks for first is that it came from an Ethernet device."""

    def value(ctx: XtContext) -> int | None:
        skb = ctx.skb
        if skb.src_mac is None or skb.dst_mac is None or (ctx.iif and ctx.env.is_loopback(ctx.iif)):
            return None
        if not ctx.iif and ctx.hook not in _WITH_FRAMES:
            return None
        if name == "type" and skb.arp is not None:
            return ETHER_TYPE_ARP
        if name == "type":
            return _ETHER_TYPE[skb.packet.ip.dst.version] if skb.vlan is None else _VLAN
        return (skb.src_mac if name == "saddr" else skb.dst_mac).value

    return value


_WITH_FRAMES = (Hook.EGRESS,)
"""Hooks that know no input device and see the Ethernet header all the same."""

_ETHERNET = 1
_ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
_VLAN = 0x8100


def _vlan(ctx: XtContext, name: str) -> int | None:
    """A part of a frame's tag."""
    if ctx.skb.vlan is None:
        return None
    values = {"id": ctx.skb.vlan, "dei": 0, "cfi": 0, "pcp": 0, "type": _ETHER_TYPE[ctx.skb.packet.ip.dst.version]}
    return values[name]


# --- writing ----------------------------------------------------------------------------------------------------


def set_payload(target: Payload) -> Callable[[XtContext, Register], None]:
    """What ``ip dscp set …`` does with a packet. Ref: nft_payload_set_eval()."""
    protocol, name = target.protocol, target.field
    if (protocol, name) in _WRITABLE:
        return lambda ctx, value: _write(ctx, name, value)
    raise RuleNotModelledError(f"{protocol} {name} set")


_WRITABLE = {
    *(("ip", name) for name in ("saddr", "daddr", "ttl", "dscp")),
    *(("ip6", name) for name in ("saddr", "daddr", "hoplimit", "dscp")),
    *((protocol, name) for protocol in ("tcp", "udp", "sctp", "th") for name in ("sport", "dport")),
    ("tcp", "window"),
    ("tcp", "flags"),
}


def _write(ctx: XtContext, name: str, value: Register) -> None:
    packet = ctx.skb.packet
    assert isinstance(value, int)
    match name:
        case "saddr" | "daddr":
            address = _address(packet, value)
            ctx.skb.packet = packet.with_ip(**{"src" if name == "saddr" else "dst": address})
        case "ttl" | "hoplimit":
            ctx.skb.packet = packet.with_ip(ttl=value & 0xFF)
        case "dscp":
            ctx.skb.packet = packet.with_ip(dscp=value & 0x3F)
        case "flags":
            assert isinstance(packet.l4, TCPHeader)
            ctx.skb.packet = replace(packet, l4=replace(packet.l4, flags=TCPFlags(value & 0xFF)))
        case _:
            ctx.skb.packet = packet.with_l4(**{name: value & 0xFFFF})


def _address(packet: Packet, value: int) -> Address:
    return type(packet.ip.dst)(value)
