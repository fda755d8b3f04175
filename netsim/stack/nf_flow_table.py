"""Flowtables: packets of a connection that ``flow add`` put there go from the device that they come in by to the one they leave by.

They pass none of the hooks of IP, no bridge and no routing decision; NAT is done, and the TTL counted, here. What the short way cannot do
goes the long one: the last segments of a TCP connection (which also take it out of the table), fragments, what is too large, a TTL that
runs out.
Not compared with a running kernel: that of the checks has no flowtables.
Ref: net/netfilter/nf_flow_table_ip.c:nf_flow_offload_ip_hook(), nf_flow_offload_lookup(), nf_flow_offload_forward() (v6.12).
"""

from __future__ import annotations

from netsim.net.packet import TCPFlags, TCPHeader, UDPHeader
from netsim.stack.dst import dst_mtu, route_input
from netsim.stack.ip_fragment import is_fragment
from netsim.stack.namespace import Namespace
from netsim.stack.neighbour import neigh_output
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.nf_conntrack_tuple import Direction, packet_tuple
from netsim.stack.nf_tables_api import FlowHook
from netsim.stack.route import InputKey, Routed
from netsim.stack.skb_len import skb_len
from netsim.stack.skbuff import Nexthop, SkBuff
from netsim.stack.steps import ConntrackStep, Hook, NATStep, TTLStep
from netsim.topology.model import Device

_ENDING = TCPFlags.FIN | TCPFlags.RST


def nf_flow_offload(ns: Namespace, flows: FlowHook, device: Device, skb: SkBuff) -> bool:
    """Send a packet the short way where its connection is in the flowtable. True where that was done."""
    from netsim.stack.netfilter import Netfilter

    assert isinstance(ns.netfilter, Netfilter)
    packet = skb.packet
    if device.name not in flows.devices or is_fragment(packet) or not isinstance(packet.l4, TCPHeader | UDPHeader):
        return False
    known = ns.netfilter.state.nft.flows
    found = ns.netfilter.conntrack.find(packet_tuple(packet))
    if found is None or known.get(id(found[0]), (None,))[0] != flows.place:
        return False
    ct, direction = found
    if isinstance(packet.l4, TCPHeader) and packet.l4.flags & _ENDING:
        del known[id(ct)]
        return False
    nexthop = _way(ns, ct, direction, device, skb)
    if nexthop is None or packet.ip.ttl <= 1 or skb_len(packet) > dst_mtu(ns, nexthop, packet.family, forwarding=True):
        return False
    _forward(ns, flows, ct, direction, nexthop, skb)
    return True


def _way(ns: Namespace, ct: NfConn, direction: Direction, device: Device, skb: SkBuff) -> Nexthop | None:
    """Where packets of the direction leave: the route that their entry was given."""
    other = ct.tuple(direction.opposite)
    routed = route_input(ns, InputKey(other.dst, other.src, device, skb.mark))
    if not isinstance(routed, Routed) or routed.nexthop is None or routed.nexthop.local or routed.result != "unicast":
        return None
    return routed.nexthop


def _forward(ns: Namespace, flows: FlowHook, ct: NfConn, direction: Direction, nexthop: Nexthop, skb: SkBuff) -> None:
    """Ref: nf_flow_nat_ip(), ip_decrease_ttl(), neigh_xmit()."""
    detail = f"flowtable {' '.join(flows.place)}: it passes the hooks by and leaves by {nexthop.device}"
    ns.record(ConntrackStep(Hook.INGRESS, "offload", "ESTABLISHED", direction.value, ct.text(ns.now()), detail))
    before, other = skb.packet, ct.tuple(direction.opposite)
    after = before.with_ip(src=other.dst, dst=other.src).with_l4(sport=other.dport, dport=other.sport)
    if after != before:
        changes_source = (after.ip.src, after.sport) != (before.ip.src, before.sport)
        ns.record(NATStep(Hook.INGRESS, "SNAT" if changes_source else "DNAT", before, after, None, "by the flowtable"))
    ttl = before.ip.ttl
    ns.record(TTLStep(ttl, ttl - 1))
    ns.network.routed()
    skb.packet = after.with_ip(ttl=ttl - 1)
    neigh_output(ns, skb, ns.oif(nexthop), nexthop.gateway or skb.packet.ip.dst)
