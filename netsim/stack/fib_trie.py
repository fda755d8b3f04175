"""Routes and the table that holds them: longest prefix first, then the smaller metric. One form for both families.

Ref: net/ipv4/fib_trie.c:fib_table_lookup(), net/ipv4/fib_semantics.c (v6.12).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family, Prefix, family_of
from netsim.topology.model import PolicyRule


class RouteKind(Enum):
    """``RTN_*``: what an entry does with a packet; the value is iproute2's word."""

    UNICAST = "unicast"
    LOCAL = "local"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    ANYCAST = "anycast"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBIT = "prohibit"
    THROW = "throw"


class Scope(Enum):
    """How far a destination is. Ref: include/uapi/linux/rtnetlink.h RT_SCOPE_*."""

    UNIVERSE = 0
    LINK = 253
    HOST = 254


@dataclass(frozen=True, slots=True)
class FibNexthop:
    """One way of a multipath route; ``weight`` is its share."""

    device: str
    gateway: Address | None
    weight: int = 1
    onlink: bool = False

    def __str__(self) -> str:
        via = f"via {self.gateway} " if self.gateway is not None else ""
        return f"nexthop {via}dev {self.device} weight {self.weight}" + (" onlink" if self.onlink else "")


@dataclass(frozen=True, slots=True)
class FibEntry:
    """One route. ``device`` of a local entry is the device that has the address; ``source`` is ``fib_prefsrc``.

    A multipath route has ``nexthops`` and no ``device`` until one of them is chosen. ``rule`` is there where an RPDB rule and no route
    decided. ``mtu`` and ``advmss`` are metrics in bytes, 0 where the route has none.
    """

    kind: RouteKind
    prefix: Prefix
    table: str
    device: str | None = None
    gateway: Address | None = None
    source: Address | None = None
    metric: int = 0
    scope: Scope = Scope.UNIVERSE
    kernel: bool = False
    onlink: bool = False
    nexthops: tuple[FibNexthop, ...] = ()
    rule: PolicyRule | None = None
    mtu: int = 0
    mtu_locked: bool = False
    advmss: int = 0

    def uses(self, device: str) -> bool:
        """True where a nexthop goes out of the device. Ref: net/ipv4/fib_frontend.c:fib_info_nh_uses_dev() (v6.12)."""
        return self.device == device or any(nexthop.device == device for nexthop in self.nexthops)

    def through(self, nexthop: FibNexthop) -> FibEntry:
        """The entry with one of its nexthops chosen."""
        return replace(self, device=nexthop.device, gateway=nexthop.gateway, onlink=nexthop.onlink, nexthops=(nexthop,))

    def __str__(self) -> str:
        """The entry as ``ip route`` (``ip route show table local``) prints it; of a multipath route with the nexthops that are left."""
        if self.rule is not None:
            return f"rule {self.rule}"
        words = [] if self.kind is RouteKind.UNICAST else [self.kind.value]
        words.append(_destination(self.prefix))
        words += [f"via {self.gateway}"] if self.gateway is not None else []
        words += [f"dev {self.device}"] if self.device is not None else []
        words += ["proto kernel"] if self.kernel else []
        if self.prefix.version == 4 and self.scope is not Scope.UNIVERSE:
            words.append(f"scope {self.scope.name.lower()}")
        words += [f"src {self.source}"] if self.source is not None else []
        words += [f"metric {self.metric}"] if self.metric or self.prefix.version == 6 else []
        words += ["onlink"] if self.onlink else []
        words += [f"mtu {'lock ' if self.mtu_locked else ''}{self.mtu}"] if self.mtu else []
        words += [f"advmss {self.advmss}"] if self.advmss else []
        words += ["pref medium"] if self.prefix.version == 6 else []
        words += [str(nexthop) for nexthop in self.nexthops] if self.device is None else []
        return " ".join(words)


class Table:
    """One routing table: a longest prefix match for each family."""

    def __init__(self) -> None:
        self._by_length: dict[Family, dict[int, dict[int, list[FibEntry]]]] = {family: {} for family in Family}
        self._lengths: dict[Family, tuple[tuple[int, dict[int, list[FibEntry]]], ...]] = dict.fromkeys(Family, ())
        """For each length, longest first: the number of host bits, and the entries by network."""

    def add(self, entry: FibEntry) -> None:
        """Insert; the same prefix with a smaller metric comes first, and the first of equal ones stays first."""
        if all(known.metric != entry.metric or known.kind is not entry.kind for known in self.of_prefix(entry.prefix)):
            self.append(entry)

    def append(self, entry: FibEntry) -> None:
        """Insert behind those of the same prefix and metric (IPv6 has one for each device)."""
        family = family_of(entry.prefix)
        lengths = self._by_length[family]
        new_length = entry.prefix.prefixlen not in lengths
        bucket = lengths.setdefault(entry.prefix.prefixlen, {})
        entries = bucket.setdefault(int(entry.prefix.network_address), [])
        entries.append(entry)
        if len(entries) > 1:
            entries.sort(key=lambda known: known.metric)
        if new_length:
            ordered = sorted(lengths, reverse=True)
            self._lengths[family] = tuple((family.bits - length, lengths[length]) for length in ordered)

    def of_prefix(self, prefix: Prefix) -> Sequence[FibEntry]:
        """The entries of exactly that prefix, the smallest metric first."""
        bucket = self._by_length[family_of(prefix)].get(prefix.prefixlen, {})
        return tuple(bucket.get(int(prefix.network_address), ()))

    def lookup(self, address: Address, oif: str | None = None, skipped: Collection[str] = ()) -> FibEntry | None:
        """The entry of the longest prefix that holds the address, and whose device is ``oif`` where one is given.

        Ways through the devices in ``skipped`` do not count. With ``oif`` a multipath entry comes back with the first way that fits.
        """
        number = int(address)
        for shift, bucket in self._lengths[family_of(address)]:
            for entry in bucket.get(number >> shift << shift, ()):
                found = entry if oif is None and not skipped else _usable(entry, oif, skipped)
                if found is not None:
                    return found
        return None

    def __iter__(self) -> Iterator[FibEntry]:
        for lengths in self._by_length.values():
            for length in sorted(lengths):
                for network in sorted(lengths[length]):
                    yield from lengths[length][network]


def _usable(entry: FibEntry, oif: str | None, skipped: Collection[str]) -> FibEntry | None:
    """Ref: net/ipv4/fib_trie.c:fib_lookup_good_nhc() (v6.12)."""
    if entry.nexthops:
        good = tuple(n for n in entry.nexthops if oif in (None, n.device) and n.device not in skipped)
        if not good:
            return None
        return entry.through(good[0]) if oif is not None else replace(entry, nexthops=good)
    if entry.device in skipped and entry.kind is RouteKind.UNICAST:
        return None
    return entry if oif is None or entry.device == oif else None


def _destination(prefix: Prefix) -> str:
    if prefix.prefixlen == 0:
        return "default"
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)
