"""Multipath routes: which of a route's nexthops a flow takes.

The kernel hashes a flow with a key that it drew at random when it booted, so nobody outside can tell a flow's way: it is a choice, each
way with its share of the weights, made once for a flow (and for its answers: the hash is the same in both directions).

Ref: net/ipv4/route.c:fib_multipath_hash(), net/ipv4/fib_semantics.c:fib_select_multipath(), fib_rebalance(),
net/core/flow_dissector.c:__flow_hash_consistentify() (v6.18).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntFlag
from fractions import Fraction

from netsim.net.address import Address
from netsim.net.packet import ICMPHeader, Packet
from netsim.stack.fib_trie import FibEntry, FibNexthop
from netsim.stack.namespace import Namespace

HashKeys = tuple[object, ...]


class HashField(IntFlag):
    """``fib_multipath_hash_fields``. Ref: include/net/ip_fib.h FIB_MULTIPATH_HASH_FIELD_* (v6.12)."""

    SRC_IP = 0x001
    DST_IP = 0x002
    IP_PROTO = 0x004
    FLOWLABEL = 0x008
    SRC_PORT = 0x010
    DST_PORT = 0x020
    INNER_SRC_IP = 0x040
    INNER_DST_IP = 0x080
    INNER_IP_PROTO = 0x100
    INNER_FLOWLABEL = 0x200
    INNER_SRC_PORT = 0x400
    INNER_DST_PORT = 0x800


LAYER_3 = HashField.SRC_IP | HashField.DST_IP
LAYER_4 = LAYER_3 | HashField.IP_PROTO | HashField.SRC_PORT | HashField.DST_PORT
INNER = 6
"""How far the bits of a field of the inner packet are from those of the outer one's."""


def hash_keys(ns: Namespace, packet: Packet, *, came_in: bool) -> HashKeys:
    """What of a packet is hashed, the same for both directions of a flow.

    By ``fib_multipath_hash_policy``: 0 the addresses (of an ICMP error that came in those of the packet it is about), 1 also protocol and
    ports, 2 the addresses inside of a tunnel that came in, else as 0, 3 what ``fib_multipath_hash_fields`` says. Packets here have no
    flow label. Ref: net/ipv4/route.c:fib_multipath_hash(), net/ipv6/route.c:rt6_multipath_hash() (v6.12).
    """
    name = f"net.ipv{packet.family.value}.fib_multipath_hash_"
    inner = packet.inner if came_in and isinstance(packet.inner, Packet) else None
    match ns.sysctls.get(f"{name}policy"):
        case 1:
            return _fields(packet, LAYER_4)
        case 2 if inner is not None:
            return _fields(inner, LAYER_3)
        case 3:
            wanted = HashField(ns.sysctls.get(f"{name}fields"))
            of_inner = () if inner is None else _fields(inner, HashField(wanted >> INNER))
            return (*_fields(packet, HashField(wanted & (1 << INNER) - 1)), *of_inner)
        case _:
            quoted = packet.l4.quoted if isinstance(packet.l4, ICMPHeader) else None
            return _fields(quoted if quoted is not None and came_in else packet, LAYER_3)


def _fields(packet: Packet, wanted: HashField) -> HashKeys:
    """Ends are in one order for both directions, and what is not wanted counts as 0. Ref: __flow_hash_consistentify()."""
    ip = packet.ip
    addresses = (int(ip.src) * bool(wanted & HashField.SRC_IP), int(ip.dst) * bool(wanted & HashField.DST_IP))
    source = (packet.sport or 0) * bool(wanted & HashField.SRC_PORT)
    destination = (packet.dport or 0) * bool(wanted & HashField.DST_PORT)
    protocol = int(ip.protocol) * bool(wanted & HashField.IP_PROTO)
    return (*sorted(addresses), protocol, *sorted((source, destination)))


def fib_select_path(ns: Namespace, entry: FibEntry, keys: HashKeys, src: Address | None) -> FibEntry:
    """The entry with one nexthop. ``src`` is the source of a packet that is made here: a nexthop whose own source it is comes first."""
    if entry.device is not None or not entry.nexthops:
        return entry
    ways = entry.nexthops
    suits = [src is not None and _source(ns, entry, way) == src for way in ways]
    good = [_good(ns, way) for way in ways]
    results = [_settled(drawn, suits, good) for drawn in range(len(ways))]
    if len(set(results)) == 1:
        return entry.through(ways[results[0]])
    return entry.through(ways[results[_draw(ns, entry, ways, keys)]])


def _source(ns: Namespace, entry: FibEntry, way: FibNexthop) -> Address | None:
    """``nh_saddr``: what a packet through this nexthop would have as its source."""
    towards = way.gateway or type(entry.prefix.network_address)(0)
    return ns.fib.select_source(way.device, towards, entry.scope)


def _settled(drawn: int, suits: Sequence[bool], good: Sequence[bool]) -> int:
    """The nexthop for a hash in the share of nexthop ``drawn``: best one that suits and comes from there on, else one that suits.

    Else the first from there on, else the first at all.

    Ref: net/ipv4/fib_semantics.c:fib_select_multipath() (v6.18).
    """
    best, score = 0, -1
    for index, fits in enumerate(suits):
        own = 2 * fits + (index >= drawn)
        if good[index] and own > score:
            best, score = index, own
    return best


def _good(ns: Namespace, way: FibNexthop) -> bool:
    """With ``fib_multipath_use_neigh`` a gateway that did not answer is passed over. Ref: fib_semantics.c:fib_good_nh() (v6.12)."""
    if way.gateway is None or way.gateway.version == 6 or not ns.sysctls.get("net.ipv4.fib_multipath_use_neigh"):
        return True
    if (way.device, way.gateway) in ns.neighbours:
        return True
    asked = {(n.device, n.address) for n in ns.spec.neighbours if not n.state.valid} | ns.unanswered
    return (way.device, way.gateway) not in asked


def _draw(ns: Namespace, entry: FibEntry, ways: Sequence[FibNexthop], keys: HashKeys) -> int:
    weights = tuple(way.weight for way in ways)
    known = ns.multipath.get((weights, keys))
    if known is None:
        total = sum(weights)
        options = [(str(way), Fraction(way.weight, total)) for way in ways]
        known = ns.network.chooser.choose(f"{ns.name}: the nexthop of {entry.prefix} for a flow's hash", options)
        ns.multipath[weights, keys] = known
    return known
