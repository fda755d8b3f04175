"""Why a packet ended in the stack. Names are the kernel's ``skb_drop_reason`` where it has one.

Ref: include/net/dropreason-core.h (v6.12).
"""

from __future__ import annotations

from enum import Enum


class DropReason(Enum):
    """A drop in one namespace; the value says in one phrase what it means."""

    NETFILTER_DROP = "a netfilter rule or policy dropped it"
    NETFILTER_REJECT = "a REJECT rule answered it"
    OTHERHOST = "the frame is addressed to another host's MAC"
    IP_OUTNOROUTES = "no route for a packet made here"
    SOCKET_REFUSED = "the system call refuses the destination"
    IP_INNOROUTES = "no route for a packet that came in"
    IP_INADDRERRORS = "the address is not acceptable here (forwarding is off, or a route says unreachable)"
    IP_LOCAL_SOURCE = "martian: the source is one of this host's own addresses"
    IP_INVALID_SOURCE = "martian: the source address cannot come from there"
    IP_RPFILTER = "reverse path filter: the source is not reached through that device"
    IP_INVALID_DEST = "martian: the destination cannot be reached from there"
    IP_FORWARDING_OFF = "ip_forward is 0 on this host"
    TTL_EXCEEDED = "the TTL reached 0"
    NEIGH_FAILED = "nobody answered ARP or neighbour discovery for the next hop"
    PKT_TOO_BIG = "the packet is larger than the MTU and must not be fragmented"
    NO_SOCKET = "no socket listens on that port"
    TCP_INVALID = "the segment belongs to no connection of this host"
    UDP_UNEXPECTED_PEER = "the connected socket expects another peer"
    ICMP_UNEXPECTED = "no echo request waits for this reply"
    BRIDGE_INGRESS_EGRESS = "the bridge does not send a frame back out of the port it came in on (hairpin_mode is 0)"
    BRIDGE_ISOLATED = "both bridge ports are isolated"
    BRIDGE_NO_PORT = "the bridge has no port to send it to"
    DEV_DOWN = "the device is down"
    NO_CARRIER = "the peer device is down"
    NO_PEER = "the device has no peer"
    CONNTRACK_FULL = "the conntrack table is full"
    CONNTRACK_CLASH = "another packet of the same tuple was confirmed first"
    NAT_NO_TUPLE = "NAT found no free tuple"
    ROUTE_BLACKHOLE = "a blackhole route takes it"
    IPVS_NO_DESTINATION = "no real server of the virtual server takes it"
    IPVS_DESTINATION_GONE = "the real server of the connection is gone"
    IPVS_RESCHEDULED = "IPVS ended the old connection of the port, and waits for the next packet"
    IPVS_ICMP_CHECKSUM = "IPVS takes the ICMPv6 error for damaged"
    IPVS_BOUNDARY = "IPVS does not let it cross between this host and others"
    NO_TX_TARGET = "the vxlan device knows no tunnel endpoint for the frame's MAC"
    VXLAN_VNI_NOT_FOUND = "no vxlan device has the datagram's identifier"
    VXLAN_INVALID_HDR = "the datagram to a vxlan port carries no frame"
    VXLAN_ENTRY_EXISTS = "the frame's source MAC belongs to another tunnel endpoint"
    MAC_INVALID_SOURCE = "the frame's source MAC is none"
    LOCAL_MAC = "the frame's source MAC is the vxlan device's own"
    DUMMY_DEVICE = "a dummy device sends nothing"
    NEIGH_CREATEFAIL = "the neighbour table is full (gc_thresh3)"
    PROTO_NOT_SUPPORTED = "no handler for that protocol"
    FORWARDING_LOOP = "the walk was cut: the packet goes in circles"
