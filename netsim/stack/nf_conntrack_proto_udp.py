"""Conntrack's view of UDP, and of protocols it knows nothing of.

Ref: net/netfilter/nf_conntrack_proto_udp.c:nf_conntrack_udp_packet(), nf_conntrack_proto_generic.c (v6.12).
"""

from __future__ import annotations

from netsim.stack.nf_conntrack_entry import CtStatus
from netsim.stack.nf_conntrack_proto import Tracked, Tracking

STREAM_AFTER = 2.0  # seconds of traffic both ways that make a stream


def udp_packet(t: Tracking) -> Tracked:
    """Take a datagram: a flow that is answered and still alive after two seconds is a stream, and assured."""
    if not t.ct.confirmed:
        t.ct.udp_stream_since = t.now + STREAM_AFTER
    stream = t.ct.has(CtStatus.SEEN_REPLY) and t.now > t.ct.udp_stream_since
    t.refresh(t.timeout("udp_timeout_stream" if stream else "udp_timeout"))
    if stream and not t.ct.has(CtStatus.NAT_CLASH):  # the loser of a race goes soon
        t.ct.status |= CtStatus.ASSURED
    return Tracked.ACCEPT


def generic_packet(t: Tracking) -> Tracked:
    """Take a packet of any other protocol: two addresses are a flow."""
    t.refresh(t.timeout("generic_timeout"))
    return Tracked.ACCEPT
