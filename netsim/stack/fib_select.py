"""Multipath routes: which of a route's nexthops a flow takes.

The kernel hashes a flow with a key that it drew at random when it booted, so nobody outside can tell a flow's way: it is a choice, each
way with its share of the weights, made once for a flow (and for its answers: the hash is the same in both directions).

Ref: net/ipv4/route.c:fib_multipath_hash(), net/ipv4/fib_semantics.c:fib_select_multipath(), fib_rebalance(),
net/core/flow_dissector.c:__flow_hash_consistentify() (v6.18).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, Packet
from netsim.stack.fib_trie import FibEntry, FibNexthop
from netsim.stack.namespace import Namespace, NotModelledError

LAYER_3, LAYER_4 = 0, 1
HashKeys = tuple[object, ...]


def hash_keys(ns: Namespace, packet: Packet, *, came_in: bool) -> HashKeys:
    """What of a packet is hashed, the same for both directions of a flow.

    By ``net.ipv4.fib_multipath_hash_policy``: 0 the addresses (of an ICMP error that came in those of the packet it is about), 1 also
    protocol and ports. Raises NotModelledError for the other policies.
    """
    policy = ns.sysctls.get(f"net.ipv{packet.family.value}.fib_multipath_hash_policy")
    match policy:
        case 0:
            quoted = packet.l4.quoted if isinstance(packet.l4, ICMPHeader) else None
            ip = (quoted if quoted is not None and came_in else packet).ip
            return tuple(sorted((int(ip.src), int(ip.dst))))
        case 1:
            ip = packet.ip
            ports = sorted((packet.sport or 0, packet.dport or 0))
            return (*sorted((int(ip.src), int(ip.dst))), int(ip.protocol), *ports)
        case _:
            raise NotModelledError(f"fib_multipath_hash_policy {policy}", "fib_multipath_hash")


def fib_select_path(ns: Namespace, entry: FibEntry, keys: HashKeys, src: Address | None) -> FibEntry:
    """The entry with one nexthop. ``src`` is the source of a packet that is made here: a nexthop whose own source it is comes first."""
    if entry.device is not None or not entry.nexthops:
        return entry
    ways = entry.nexthops
    suits = [src is not None and _source(ns, entry, way) == src for way in ways]
    results = [_settled(drawn, suits) for drawn in range(len(ways))]
    if len(set(results)) == 1:
        return entry.through(ways[results[0]])
    return entry.through(ways[results[_draw(ns, entry, ways, keys)]])


def _source(ns: Namespace, entry: FibEntry, way: FibNexthop) -> Address | None:
    """``nh_saddr``: what a packet through this nexthop would have as its source."""
    towards = way.gateway or type(entry.prefix.network_address)(0)
    return ns.fib.select_source(way.device, towards, entry.scope)


def _settled(drawn: int, suits: Sequence[bool]) -> int:
    """The nexthop for a hash in the share of nexthop ``drawn``: the first from there on that suits, else any that does, else that one."""
    fitting = [index for index, fits in enumerate(suits) if fits]
    return next((index for index in fitting if index >= drawn), fitting[0] if fitting else drawn)


def _draw(ns: Namespace, entry: FibEntry, ways: Sequence[FibNexthop], keys: HashKeys) -> int:
    weights = tuple(way.weight for way in ways)
    known = ns.multipath.get((weights, keys))
    if known is None:
        total = sum(weights)
        options = [(str(way), Fraction(way.weight, total)) for way in ways]
        known = ns.network.chooser.choose(f"{ns.name}: the nexthop of {entry.prefix} for a flow's hash", options)
        ns.multipath[weights, keys] = known
    return known
