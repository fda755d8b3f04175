"""What IPv6 asks of a packet that comes in, beside what both families do (``ip_input``).

Ref: net/ipv6/ip6_input.c:ip6_rcv_core(), ip6_mc_input() (v6.12); RFC 4291 §2.5.3, §2.7.
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import Packet
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.topology.model import Device, Loopback


def ip6_acceptable(ns: Namespace, device: Device, packet: Packet) -> bool:
    """Whether the device takes part in IPv6, and the addresses may come from there; the drop is recorded."""
    if not ns.fib6.addresses[device.name]:
        ns.drop(DropReason.IP_INVALID_DEST, "ip6_rcv_core", f"{device.name} takes no part in IPv6")
        return False
    return _valid(ns, device, packet.ip.src, packet.ip.dst, loopback=isinstance(device.kind, Loopback))


def _valid(ns: Namespace, device: Device, src: Address, dst: Address, *, loopback: bool) -> bool:
    """Addresses that must not come from the wire."""
    scope = int(dst) >> 112 & 0xF if dst.is_multicast else None
    if dst.is_loopback and not loopback:
        detail = f"{dst} cannot come from {device.name}"
    elif scope == 0 or (scope == 1 and not loopback):
        detail = f"{dst} is of a scope that does not leave a host"
    else:
        if not src.is_multicast and (loopback or not src.is_loopback):
            return True
        detail = f"martian source: {src} cannot come from {device.name}"
        ns.drop(DropReason.IP_INVALID_SOURCE, "ip6_rcv_core", detail)
        return False
    ns.drop(DropReason.IP_INVALID_DEST, "ip6_rcv_core", detail)
    return False


def ip6_mc_joined(ns: Namespace, device: Device, packet: Packet) -> bool:
    """True for a packet to one host, and to a group that the device joined; else the drop is recorded."""
    dst = packet.ip.dst
    if not dst.is_multicast or ns.fib6.joined(dst, device.name):
        return True
    ns.drop(DropReason.IP_INVALID_DEST, "ip6_mc_input", f"{device.name} has not joined the group {dst}")
    return False
