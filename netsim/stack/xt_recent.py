"""The recent match: named lists of addresses and when they were seen.

A list holds at most 100 addresses (the least recently used one goes), an address its last stamps, as many as the kernel
keeps for the largest hit count that is asked of it (at least 20 are kept here; a packet never needs more).
Ref: net/netfilter/xt_recent.c:recent_mt() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.ast import RecentMatch
from netsim.stack.x_tables import Check, RecentEntry, XtContext

LIST_TOTAL = 100  # module parameter ip_list_tot
STAMPS = 256  # more than any --hitcount may ask for (XT_RECENT_MAX_NSTAMPS)


def recent(match: RecentMatch) -> Check:
    """Ref: recent_mt()."""

    def check(ctx: XtContext) -> bool:
        ip = ctx.skb.packet.ip
        ttl = ip.ttl + (1 if ctx.oif and ctx.skb.socket_owner is None else 0)
        key = _masked(ip.dst if match.destination else ip.src, match.mask)
        entries = ctx.state.recent.setdefault(match.name, {})
        entry = entries.get(key)
        if entry is not None and match.rttl and entry.ttl != ttl:
            entry = None
        return _decide(match, entries, key, entry, ttl, ctx.env.clock.now())

    return check


def _decide(
    match: RecentMatch,
    entries: dict[object, RecentEntry],
    key: Address,
    entry: RecentEntry | None,
    ttl: int,
    now: float,
) -> bool:
    if entry is None:
        if match.operation != "set":
            return match.inverted
        _add(entries, key, RecentEntry([now], ttl))
        return not match.inverted
    if match.operation == "remove":
        del entries[key]
        return not match.inverted
    hit = match.operation == "set" or _seen(match, entry, now)
    matched = hit != match.inverted
    if match.reap and match.operation in ("rcheck", "update"):
        _reap(match, entries, entry, now, updating=match.operation == "update" and matched)
    if match.operation == "set" or (match.operation == "update" and matched):
        entry.stamps = [*entry.stamps, now][-STAMPS:]
        entry.ttl = ttl
        entries[key] = entries.pop(key, entry)
    return matched


def _seen(match: RecentMatch, entry: RecentEntry, now: float) -> bool:
    """Any stamp, or ``hitcount`` of them, within the last ``seconds`` (0: ever)."""
    since = now - match.seconds
    hits = sum(1 for stamp in entry.stamps if not match.seconds or stamp >= since)
    return hits >= max(1, match.hitcount)


def _reap(
    match: RecentMatch, entries: dict[object, RecentEntry], entry: RecentEntry, now: float, *, updating: bool
) -> None:
    """Ref: recent_entry_reap(): the least recently used address goes once its last stamp is too old."""
    key, oldest = next(iter(entries.items()))
    if not (oldest is entry and updating) and oldest.stamps[-1] < now - match.seconds:
        del entries[key]


def _add(entries: dict[object, RecentEntry], key: Address, entry: RecentEntry) -> None:
    entries.pop(key, None)
    if len(entries) >= LIST_TOTAL:
        del entries[next(iter(entries))]
    entries[key] = entry


def _masked(address: Address, mask: Address | None) -> Address:
    return address if mask is None else type(address)(int(address) & int(mask))
