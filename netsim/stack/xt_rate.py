"""Matches that count over time: limit, hashlimit and connlimit.

Their buckets fill with the environment's clock, in fractions of a second where the kernel counts jiffies.
Ref: net/netfilter/xt_limit.c, xt_hashlimit.c, xt_connlimit.c, nf_conncount.c (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.credit import hashlimit_bucket
from netsim.rules.xtables.matches import LIMIT_SCALE, ConnLimitMatch, HashLimitMatch, LimitMatch
from netsim.stack.nf_conntrack_core import packet_tuple
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.nf_conntrack_tcp import TCPState
from netsim.stack.x_tables import Check, CountedConnections, TokenBucket, XtContext


def limit(match: LimitMatch) -> Check:
    """Ref: limit_mt(). The bucket is the rule's."""
    key = object()
    cost = match.interval / LIMIT_SCALE
    cap = cost * match.burst

    def check(ctx: XtContext) -> bool:
        now = ctx.env.clock.now()
        bucket = ctx.state.buckets.setdefault(key, TokenBucket(cost, cap, cap, now))
        return bucket.take(now)

    return check


def hashlimit(match: HashLimitMatch) -> Check:
    """Ref: hashlimit_mt_common(). Rules of one name share buckets; a bucket keeps the rate of the rule that made it."""
    cost, cap = hashlimit_bucket(match)

    def check(ctx: XtContext) -> bool:
        ports = _ports(match, ctx)
        if ports is None:
            return False
        now = ctx.env.clock.now()
        key = (ctx.skb.packet.family, match.name, *_addresses(match, ctx), *ports)
        bucket = ctx.state.buckets.get(key)
        if bucket is None or bucket.expires < now:
            bucket = ctx.state.buckets[key] = TokenBucket(cost, cap, cap, now)
        bucket.expires = now + match.expire_ms / 1000
        return bucket.take(now) != match.above

    return check


def _addresses(match: HashLimitMatch, ctx: XtContext) -> tuple[Address | None, Address | None]:
    ip = ctx.skb.packet.ip
    source = network_of(ip.src, match.source_length) if "srcip" in match.mode else None
    return source, network_of(ip.dst, match.destination_length) if "dstip" in match.mode else None


def _ports(match: HashLimitMatch, ctx: XtContext) -> tuple[int | None, int | None] | None:
    """Source and destination port as the mode asks; None for a fragment without a header. A protocol without ports has 0."""
    packet = ctx.skb.packet
    if not {"srcport", "dstport"} & set(match.mode):
        return None, None
    if packet.ip.fragment_offset:
        return None
    source = (packet.sport or 0) if "srcport" in match.mode else None
    return source, (packet.dport or 0) if "dstport" in match.mode else None


def network_of(address: Address, length: int | None) -> Address:
    """The address with the bits behind the prefix cleared."""
    if length is None or length == address.max_prefixlen:
        return address
    host = address.max_prefixlen - length
    return type(address)(int(address) >> host << host)


def connlimit(match: ConnLimitMatch) -> Check:
    """Ref: connlimit_mt(), nf_conncount.c:__nf_conncount_add(): connections that conntrack forgot, or that are closed, count no more."""
    key = object()

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        ct = ctx.skb.ct
        asked = ip.dst if match.destination else ip.src
        if ct is not None:
            asked = ct.original.dst if match.destination else ct.original.src
        seen = count_connections(ctx, key, network_of(asked, match.length))
        return (seen > match.limit) != match.upto

    return check


def count_connections(ctx: XtContext, key: object, group: object) -> int:
    """Count the packet's connection, and say how many of its group (and zone) there are. ``key`` names who counts.

    Ref: net/netfilter/nf_conncount.c:__nf_conncount_add() (v6.12).
    """
    ct = ctx.skb.ct
    counted = ctx.state.counted.setdefault(key, CountedConnections())
    seen = counted.by_network.setdefault((group, ct.zone.id if ct else 0), {})
    own = ct.original if ct is not None else packet_tuple(ctx.skb.packet)
    for known in [each for each in seen if each != own]:
        found = ctx.state.conntrack.find_original(known)
        if found is None or _closed(found):
            del seen[known]
    seen.setdefault(own)
    return len(seen)


def _closed(ct: NfConn) -> bool:
    return ct.tcp in (TCPState.TIME_WAIT, TCPState.CLOSE)
