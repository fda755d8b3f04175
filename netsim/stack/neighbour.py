"""Neighbours: from the next hop's address to the MAC that a frame is sent to.

An entry, once known, stays: reachability times do not run out in the model, because what they would probe does not change during a walk.
Ref: net/core/neighbour.c:neigh_resolve_output(), net/ipv4/arp.c:arp_error_report() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import BROADCAST, MAC, Address
from netsim.stack.arp import arp_solicit
from netsim.stack.dev import dev_queue_xmit
from netsim.stack.icmp_send import Unreachable, icmp_unreachable
from netsim.stack.namespace import Namespace
from netsim.stack.ndisc import ndisc_solicit
from netsim.stack.neigh_table import has_room, limit_of, state_of
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import NeighbourResolution
from netsim.topology.model import IPIP, Device, Loopback, NeighbourState, Veth

_NO_MAC = MAC(0)
_SETTLED = (NeighbourState.PERMANENT, NeighbourState.NOARP, NeighbourState.REACHABLE)


def neigh_output(ns: Namespace, skb: SkBuff, device: Device, next_hop: Address) -> None:
    """Resolve the next hop, write the frame's header and send it.

    What becomes of a packet that waits for an answer is not told to whoever gave it. Ref: neigh_resolve_output() (v6.12).
    """
    if isinstance(device.kind, Loopback | IPIP):  # IFF_NOARP without an address
        skb.src_mac = skb.dst_mac = _NO_MAC
        dev_queue_xmit(ns, device, skb)
        return
    waits = (device.name, next_hop) not in ns.neighbours
    mac = _destination_mac(ns, skb, device, next_hop)
    if mac is None:
        return
    skb.src_mac, skb.dst_mac = device.mac, mac
    dev_queue_xmit(ns, device, skb)
    skb.refused = skb.refused and not waits


def _destination_mac(ns: Namespace, skb: SkBuff, device: Device, next_hop: Address) -> MAC | None:
    if skb.nexthop is not None and skb.nexthop.broadcast:
        return BROADCAST
    return neigh_resolve(ns, skb, device, next_hop)


def neigh_resolve(ns: Namespace, skb: SkBuff, device: Device, next_hop: Address) -> MAC | None:
    """The MAC of an address on a device's link. None: the packet ended here, and its sender was told so."""
    known = ns.neighbours.get((device.name, next_hop))
    if known is not None:
        state = state_of(ns, device.name, next_hop)
        detail = "" if state in _SETTLED else f"{state.value}: used at once, and asked for within seconds"
        ns.record(NeighbourResolution(device.name, next_hop, known, cached=True, detail=detail))
        return known
    if not device.up:
        ns.drop(DropReason.DEV_DOWN, "neigh_resolve_output", f"{device.name} is down")
        return None
    if not has_room(ns, next_hop.version):
        detail = f"no room for {next_hop}: gc_thresh3 is {limit_of(ns, next_hop.version)}"
        ns.record(NeighbourResolution(device.name, next_hop, None, cached=False, detail=detail))
        ns.drop(DropReason.NEIGH_CREATEFAIL, "neigh_alloc", detail)
        return None
    solicit = arp_solicit if next_hop.version == 4 else ndisc_solicit
    resolution = solicit(ns, device, next_hop, skb.packet.ip.src)
    detail = "the request goes in circles: a loop of bridges" if resolution.storm else resolution.detail
    mac = None if resolution.storm else resolution.mac
    ns.record(NeighbourResolution(device.name, next_hop, mac, cached=False, detail=detail))
    if resolution.storm:
        ns.drop(DropReason.FORWARDING_LOOP, "neigh_probe", detail)
    elif mac is None:
        ns.unanswered.add((device.name, next_hop))
        _failed(ns, skb, device, next_hop, detail)
    return mac


def _failed(ns: Namespace, skb: SkBuff, device: Device, next_hop: Address, why: str) -> None:
    """Nobody answered: the packet is dropped and its sender is told so ("host unreachable", ICMPv6 "address unreachable").

    Ref: net/ipv4/route.c:ipv4_link_failure(), net/ipv6/route.c:ip6_link_failure() (v6.12).
    """
    asked = "ARP" if next_hop.version == 4 else "neighbour discovery"
    where = "arp_error_report" if next_hop.version == 4 else "ndisc_error_report"
    if isinstance(device.kind, Veth) and not ns.network.wiring.carrier(device):
        peer = ns.network.wiring.peer(device)
        reason = DropReason.NO_PEER if peer is None else DropReason.NO_CARRIER
        detail = f"{device.name} has no peer" if peer is None else f"{peer[0]} is down"
        ns.drop(reason, "neigh_resolve_output", f"{detail}, so nobody answers {asked} for {next_hop}")
    else:
        detail = f"nobody on {device.name} answers {asked} for {next_hop}"
        ns.drop(DropReason.NEIGH_FAILED, where, f"{detail}: {why}" if why else detail)
    icmp_unreachable(ns, skb, Unreachable.HOST)
