"""Neighbour discovery: a solicitation goes to the target's group as a real ICMPv6 packet, its owner advertises itself, both sides learn.

The packets take the ways of any packet: they pass ip6tables (a rule that drops types 135 or 136 breaks resolution), bridges flood and
learn from them, br_netfilter sees them where it is on. One resolution is walked at once, apart from the packet that waits
for it. Duplicate address detection and unreachability detection take longer than a walk.

Ref: net/ipv6/ndisc.c:ndisc_solicit(), ndisc_recv_ns(), ndisc_recv_na(), ndisc_send_skb() (v6.12); RFC 4861.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address
from netsim.net.packet import ICMPHeader, IPHeader, Packet, Protocol
from netsim.stack.addrconf import multicast_mac, solicited_node
from netsim.stack.dev import dev_queue_xmit
from netsim.stack.namespace import Namespace, NotModelledError
from netsim.stack.neigh_table import neigh_update
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import Drop, Hook, NotModelled, Step
from netsim.topology.model import Device, ProxyNeighbour

NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
HOP_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Resolution:
    """What came of asking: the MAC, or None and why; ``storm`` where the solicitation went in circles."""

    mac: MAC | None
    storm: bool = False
    detail: str = ""


def is_ndisc(packet: Packet) -> bool:
    """True for a solicitation or an advertisement."""
    message = packet.l4
    return isinstance(message, ICMPHeader) and message.target is not None


def ndisc_solicit(ns: Namespace, device: Device, target: Address, hint: Address) -> Resolution:
    """Ask for the MAC of an address on a device's link. ``hint`` is the source of the packet that waits for the answer.

    Raises NotModelledError where nobody answered and a solicitation met what is not modelled.
    """
    assert isinstance(target, IPv6Address)
    source = hint if ns.fib6.chk_addr(hint, device.name) else ns.fib6.link_local(device.name)
    if source is None:
        return Resolution(None, detail=f"{device.name} has no link-local address to ask from")
    group = solicited_node(target)
    packet = _message(NEIGHBOUR_SOLICITATION, source, group, target, device.mac)
    steps = ns.network.aside(lambda: _send(ns, device, packet, multicast_mac(group)))
    mac = ns.neighbours.get((device.name, target))
    if mac is not None:
        return Resolution(mac)
    storm = any(isinstance(step, Drop) and step.reason is DropReason.FORWARDING_LOOP for _, step in steps)
    for _, step in steps:
        if isinstance(step, NotModelled):
            raise NotModelledError(f"{step.what}, which neighbour discovery for {target} meets", step.where)
    return Resolution(None, storm, "" if storm else _why(steps))


def ndisc_rcv(ns: Namespace, skb: SkBuff) -> None:
    """A solicitation or an advertisement for this host."""
    message = skb.packet.l4
    assert isinstance(message, ICMPHeader)
    assert skb.iif is not None
    if skb.packet.ip.ttl != HOP_LIMIT or message.target is None or message.target.is_multicast:
        return
    device = ns.devices[skb.iif]
    if message.type == NEIGHBOUR_SOLICITATION:
        _solicited(ns, device, skb, message)
    elif message.link_layer is not None:
        neigh_update(ns, device, message.target, message.link_layer, override=message.override)


def _solicited(ns: Namespace, device: Device, skb: SkBuff, message: ICMPHeader) -> None:
    """A host answers for the addresses of the device that was asked on, and for no other's. Ref: ndisc_recv_ns() (v6.12)."""
    target, asker = message.target, skb.packet.ip.src
    assert target is not None
    if not ns.fib6.answers_for(target, device.name) and not _is_proxied(ns, device, target):
        return
    if message.link_layer is not None:
        neigh_update(ns, device, asker, message.link_layer)
    mac = ns.neighbours.get((device.name, asker))
    own = ns.fib6.chk_addr(target, device.name)
    source = target if own else ns.fib6.select_source(device.name, asker)
    if mac is not None and source is not None:
        answer = _message(NEIGHBOUR_ADVERTISEMENT, source, asker, target, device.mac, override=own)
        _send(ns, device, answer, mac)


def _is_proxied(ns: Namespace, device: Device, target: Address) -> bool:
    """A router answers for others where it was told for whom, and ``proxy_ndp`` is on. Ref: ndisc_recv_ns(), pndisc_is_router()."""
    if ProxyNeighbour(device.name, target) not in ns.spec.proxies or not ns.sysctls.conf6(device.name, "forwarding"):
        return False
    return bool(ns.sysctls.get("net.ipv6.conf.all.proxy_ndp") or ns.sysctls.conf6(device.name, "proxy_ndp"))


def _message(
    kind: int, source: Address, destination: Address, target: Address, mac: MAC, *, override: bool = True
) -> Packet:
    header = IPHeader(source, destination, Protocol.ICMPV6, HOP_LIMIT, dont_fragment=True)
    return Packet(header, ICMPHeader(kind, target=target, link_layer=mac, override=override), payload=24)


def _send(ns: Namespace, device: Device, packet: Packet, mac: MAC) -> None:
    """OUTPUT and POSTROUTING, without a route: the device is given. Ref: ndisc_send_skb(), icmp6_dst_alloc() (v6.12)."""
    skb = SkBuff(packet, device.mac, mac, oif=device.name)
    skb.nexthop = Nexthop(device.name, None, packet.ip.src)
    if ns.nf_hook(Hook.OUTPUT, skb) and ns.nf_hook(Hook.POSTROUTING, skb):
        dev_queue_xmit(ns, device, skb)


def _why(steps: Sequence[tuple[str, Step]]) -> str:
    """Which rule stopped a solicitation or an advertisement, where one did."""
    for netns, step in steps:
        if isinstance(step, Drop) and step.reason in (DropReason.NETFILTER_DROP, DropReason.NETFILTER_REJECT):
            rule = f"rule {step.ref.index + 1} of chain {step.ref.chain}" if step.ref is not None else step.detail
            return f"{netns} drops neighbour discovery in {step.where}, table {step.table}: {rule}"
    return ""
