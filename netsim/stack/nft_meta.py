"""The meta expression: what stands beside a packet. Ref: net/netfilter/nft_meta.c:nft_meta_get_eval(), nft_meta_set_eval() (v6.12)."""

from __future__ import annotations

from collections.abc import Callable

from netsim.rules.nft.ast import Meta
from netsim.stack.dev import skb_len
from netsim.stack.nft_expression import Eval
from netsim.stack.nft_registers import Register
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.x_tables import RuleNotModelledError, XtContext

MARK_BITS = 0xFFFFFFFF
NFPROTO = {4: 2, 6: 10}
ETHER_TYPE = {4: 0x0800, 6: 0x86DD}
ETHER_TYPE_ARP, ARP_LENGTH = 0x0806, 28
ARPHRD_ETHER, ARPHRD_LOOPBACK = 1, 772
DEFAULT_GROUP = 0

PACKET_TYPES = {
    # include/uapi/linux/if_packet.h
    PacketType.HOST: 0,
    PacketType.BROADCAST: 1,
    PacketType.MULTICAST: 2,
    PacketType.OTHERHOST: 3,
    PacketType.OUTGOING: 4,
}


def meta(expression: Meta) -> Eval:  # noqa: C901 - one case for each key
    """A key's value. The devices are those at the hook's start; a hook without one has an empty name and no group or type."""
    match expression.key:
        case "length":
            return lambda ctx: skb_len(ctx.skb.packet) if ctx.skb.arp is None else ARP_LENGTH
        case "protocol":
            return lambda ctx: ETHER_TYPE[ctx.skb.packet.ip.dst.version] if ctx.skb.arp is None else ETHER_TYPE_ARP
        case "nfproto":
            return lambda ctx: NFPROTO[ctx.skb.packet.ip.dst.version] if ctx.skb.arp is None else _nfproto()
        case "l4proto":
            return lambda ctx: int(ctx.skb.packet.ip.protocol) if ctx.skb.arp is None else None
        case "mark":
            return lambda ctx: ctx.skb.mark
        case "iif" | "iifname":
            return lambda ctx: ctx.iif
        case "oif" | "oifname":
            return lambda ctx: ctx.oif
        case "iiftype":
            return lambda ctx: _type(ctx.iif)
        case "oiftype":
            return lambda ctx: _type(ctx.oif)
        case "iifgroup":
            return lambda ctx: DEFAULT_GROUP if ctx.iif else None
        case "oifgroup":
            return lambda ctx: DEFAULT_GROUP if ctx.oif else None
        case "pkttype":
            return lambda ctx: _pkttype(ctx.skb)
        case "random":
            return _random
        case "skuid" | "skgid" | "cgroup":
            return _owner
        case key if key in _ALWAYS:
            return lambda _: _ALWAYS[key]
        case "rtclassid":
            return lambda ctx: None if ctx.skb.nexthop is None else 0
        case "priority":
            return lambda ctx: ctx.skb.priority
        case "iifkind" | "oifkind":
            return _kind(expression.key)
        case "ibrname" | "obrname":
            return lambda ctx: _bridge(ctx, expression.key)
        case key:
            raise RuleNotModelledError(f"meta {key}")


def _nfproto() -> int:
    """A table's family; only families ip, ip6 and inet ask for it, and ARP comes to none of them."""
    raise RuleNotModelledError("meta nfproto of ARP")


def _type(device: str) -> int | None:
    """``dev->type``; devices here look like Ethernet, but for ``lo``."""
    if not device:
        return None
    return ARPHRD_LOOPBACK if device == "lo" else ARPHRD_ETHER


def _pkttype(skb: SkBuff) -> int:
    """A multicast that went round by ``lo`` is told by its destination. Ref: nft_meta_get_eval_pkttype_lo()."""
    found = PACKET_TYPES.get(skb.pkt_type)
    if found is not None:
        return found
    return PACKET_TYPES[PacketType.MULTICAST if skb.packet.ip.dst.is_multicast else PacketType.BROADCAST]


def _random(_: XtContext) -> Register | None:
    """A number of 32 bits by chance; what it is compared with decides (``nft_match``), and by itself it has too many values."""
    raise RuleNotModelledError("meta random that is not compared with a number")


_ALWAYS: dict[str, Register] = {
    # what no packet of the model has: IPsec, a security mark, an L3 master device, a rule that traces it
    "ipsec": 0,
    "secmark": 0,
    "sdif": "",
    "sdifname": "",
    "nftrace": 0,
}
ROOT = 0


def _owner(ctx: XtContext) -> Register | None:
    """The user, the group and the net_cls class of the socket that sent it: each is 0, root's. What no socket here sent has none."""
    return None if ctx.skb.socket_owner is None else ROOT


def _kind(key: str) -> Eval:
    """``rtnl_link_ops->kind`` of a device; ``lo`` and what is no virtual device have none."""

    def value(ctx: XtContext) -> Register | None:
        device = ctx.iif if key == "iifkind" else ctx.oif
        return (ctx.env.device_kind(device) or None) if device else None

    return value


def _bridge(ctx: XtContext, key: str) -> Register | None:
    """The bridge that a port belongs to. Ref: net/bridge/netfilter/nft_meta_bridge.c:nft_meta_bridge_get_eval()."""
    device = ctx.iif if key == "ibrname" else ctx.oif
    return (ctx.env.bridge_of(device) or None) if device else None


def set_meta(target: Meta) -> Callable[[XtContext, Register], str]:
    """What ``meta mark set …`` does; the text says it. ``priority``, ``nftrace`` and ``secmark`` change no packet's way."""
    match target.key:
        case "mark":
            return _set_mark
        case "priority":
            return _set_priority
        case "nftrace" | "secmark":
            return lambda _ctx, value: f"{target.key} {value}"
        case "pkttype":
            return _set_pkttype
        case key:
            raise RuleNotModelledError(f"meta {key} set")


def _set_mark(ctx: XtContext, value: Register) -> str:
    assert isinstance(value, int)
    before, ctx.skb.mark = ctx.skb.mark, value & MARK_BITS
    return f"mark {before:#x} → {ctx.skb.mark:#x}"


def _set_priority(ctx: XtContext, value: Register) -> str:
    assert isinstance(value, int)
    ctx.skb.priority = value
    return f"priority {value:#x}"


def _set_pkttype(ctx: XtContext, value: Register) -> str:
    """Only between the types that frames come in with. Ref: nft_meta_set_eval(): skb_pkt_type_ok()."""
    wanted = next((kind for kind, number in PACKET_TYPES.items() if number == value), None)
    if wanted is None or wanted is PacketType.OUTGOING or ctx.skb.pkt_type not in _SETTABLE:
        return "pkttype stays"
    ctx.skb.pkt_type = wanted
    return f"pkttype {wanted.value}"


_SETTABLE = (PacketType.HOST, PacketType.BROADCAST, PacketType.MULTICAST, PacketType.OTHERHOST)
