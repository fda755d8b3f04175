"""IP sets at work: what a packet is to a set, under the clock.

A set's type says which element each dimension takes from a packet. Where a dimension is a network the prefix lengths that the set
holds are tried from the longest on, and the first entry found decides: a ``nomatch`` entry is an answer, and it is no.

Ref: net/netfilter/ipset/ip_set_core.c:ip_set_test(), ip_set_hash_gen.h:mtype_test_cidrs(), ip_set_getport.c, ip_set_list_set.c (v6.12).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network
from itertools import product

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, Prefix
from netsim.net.packet import ICMPHeader, Packet, Protocol
from netsim.rules.ipset.ast import Dimension, Element, Entry, Interface, IPSet, IPSets, Key, ProtocolPort
from netsim.rules.ipset.elements import write_key
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Clock
from netsim.stack.x_tables import AddressSet, RuleNotModelledError

_PORTS = (Protocol.TCP, Protocol.UDP, Protocol.SCTP)
_BITMAP_PORTS = (Protocol.TCP, Protocol.UDP)


@dataclass(slots=True)
class _Member:
    """An entry in the kernel; ``expires`` in seconds of the world's clock, None where it stays."""

    nomatch: bool
    expires: float | None

    def alive(self, now: float) -> bool:
        return self.expires is None or self.expires > now


@dataclass(frozen=True, slots=True)
class _Asked:
    """A packet as a set is asked about it."""

    skb: SkBuff
    directions: Sequence[str]
    iif: str
    oif: str

    def source(self, dimension: int) -> bool:
        """True where this dimension looks at the source; a dimension that was not named looks at the destination."""
        return dimension < len(self.directions) and self.directions[dimension] == "src"


class KernelSet:
    """One set that holds addresses, ports and the like. Members come and go with packets and time.

    The members that a walk changed stand beside those that the set came with, so that making one costs nothing.
    """

    def __init__(self, spec: IPSet, clock: Clock) -> None:
        self.spec = spec
        self._clock = clock
        self._since = clock.now()
        self._changed: dict[Key, _Member | None] = {}
        self._lengths = _prefix_lengths(spec)

    def _member(self, key: Key, now: float) -> _Member | None:
        """The member that lives now, None where there is none."""
        if key in self._changed:
            member = self._changed[key]
        else:
            entry = self.spec.entries.get(key)
            member = None if entry is None else _member_of(entry, self._since)
        return member if member is not None and member.alive(now) else None

    def _count(self, now: float) -> int:
        keys = [*self.spec.entries, *(key for key in self._changed if key not in self.spec.entries)]
        return sum(self._member(key, now) is not None for key in keys)

    def test(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, return_nomatch: bool = False) -> bool:
        """True where the packet is a member. ``return_nomatch`` asks for the exceptions instead. Ref: ip_set_test()."""
        asked = _Asked(skb, directions, iif, oif)
        if not self._applies(asked):
            return False
        now = self._clock.now()
        for key in self._candidates(asked):
            member = self._member(key, now)
            if member is not None:
                return member.nomatch == (return_nomatch and Dimension.NET in self.spec.type.dimensions)
        return False

    def add(
        self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, timeout: int | None, exist: bool
    ) -> str | None:
        """Add what the packet is; its text, None where nothing changed. ``timeout`` None is the set's own, 0 for ever."""
        key = self._own_key(_Asked(skb, directions, iif, oif))
        if key is None:
            return None
        now = self._clock.now()
        there = self._member(key, now)
        if there is not None and not exist:
            return None
        options = self.spec.options
        if there is None and self.spec.type.method == "hash" and self._count(now) >= options.maxelem:
            return None
        seconds = None if options.timeout is None else options.timeout if timeout is None else timeout
        self._changed[key] = _member_of(Entry(timeout=seconds), now)
        for index, element in enumerate(key):
            if isinstance(element, IPv4Network | IPv6Network):
                known = self._lengths.get(index, ())
                self._lengths = {
                    **self._lengths,
                    index: tuple(sorted({*known, element.prefixlen}, reverse=True)),
                }
        return write_key(key, dimensions=self.spec.type.dimensions)

    def delete(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str) -> str | None:
        """Take out what the packet is; its text, None where it was no member."""
        key = self._own_key(_Asked(skb, directions, iif, oif))
        if key is None or self._member(key, self._clock.now()) is None:
            return None
        self._changed[key] = None
        return write_key(key, dimensions=self.spec.type.dimensions)

    def _applies(self, asked: _Asked) -> bool:
        """Ref: ip_set_test(): the rule must name all dimensions, and the family must be the set's."""
        family = self.spec.family
        if len(asked.directions) < len(self.spec.type.dimensions):
            return False
        return family is None or asked.skb.packet.family is family

    def _own_key(self, asked: _Asked) -> Key | None:
        """The entry that the packet itself would be: a network dimension takes the longest prefix that the set holds."""
        if not self._applies(asked):
            return None
        return next(iter(self._candidates(asked, only_longest=True)), None)

    def _candidates(self, asked: _Asked, *, only_longest: bool = False) -> list[Key]:
        """Entries that would hold the packet, the one that decides first."""
        choices: list[list[Element]] = []
        for index, dimension in enumerate(self.spec.type.dimensions):
            found = self._elements(asked, index, dimension, only_longest=only_longest)
            if not found:
                return []
            choices.append(found)
        return list(product(*choices))

    def _elements(self, asked: _Asked, index: int, dimension: Dimension, *, only_longest: bool) -> list[Element]:
        source, packet = asked.source(index), asked.skb.packet
        address = packet.ip.src if source else packet.ip.dst
        match dimension:
            case Dimension.IP:
                return self._address(address)
            case Dimension.NET:
                lengths = self._lengths.get(index, ())
                if only_longest:
                    lengths = lengths[:1] or (address.max_prefixlen,)
                return [_network(address, length) for length in lengths]
            case Dimension.PORT:
                return self._port(packet, source=source)
            case Dimension.MARK:
                return [asked.skb.mark & self.spec.options.markmask]
            case Dimension.MAC:
                return _mac(asked.skb.src_mac if source else asked.skb.dst_mac)
            case Dimension.IFACE:
                return self._interface(asked.iif if source else asked.oif)
            case Dimension.SET:
                raise AssertionError("a list of sets has members of its own")

    def _address(self, address: Address) -> list[Element]:
        options = self.spec.options
        if options.netmask is not None:
            address = _network(address, options.netmask).network_address
        if self.spec.type.method == "bitmap" and options.range is not None:
            first, last = options.range
            if not int(first) <= int(address) <= int(last):
                return []
        return [address]

    def _port(self, packet: Packet, *, source: bool) -> list[Element]:
        """Ref: ip_set_getport.c:ip_set_get_ip4_port(), ip_set_get_ip_port() for a bitmap, which knows TCP and UDP only."""
        protocol = int(packet.ip.protocol)
        if packet.ip.fragment_offset and protocol in (*_PORTS, Protocol.ICMP, Protocol.ICMPV6):
            return []
        if isinstance(packet.l4, ICMPHeader):
            number = packet.l4.type << 8 | packet.l4.code
        else:
            number = (packet.sport if source else packet.dport) or 0
        if self.spec.type.method == "bitmap":
            return [number] if protocol in _BITMAP_PORTS else []
        return [ProtocolPort(protocol, number if protocol in (*_PORTS, Protocol.ICMP, Protocol.ICMPV6) else 0)]

    def _interface(self, name: str) -> list[Element]:
        if any(isinstance(element, Interface) and element.physdev for key in self.spec.entries for element in key):
            raise RuleNotModelledError(f"the set {self.spec.name} holds bridge ports (physdev:)")
        return [Interface(name)] if name else []


def _member_of(entry: Entry, since: float) -> _Member:
    return _Member(entry.nomatch, None if not entry.timeout else since + entry.timeout)


_CACHE_SIZE = 256
_lengths_of: OrderedDict[int, tuple[IPSet, Mapping[int, tuple[int, ...]]]] = OrderedDict()


def _prefix_lengths(spec: IPSet) -> Mapping[int, tuple[int, ...]]:
    """The prefix lengths that a set holds in each of its dimensions, the longest first; kept for the sets used last."""
    found = _lengths_of.get(id(spec))
    if found is None or found[0] is not spec:
        lengths: dict[int, set[int]] = {}
        if Dimension.NET in spec.type.dimensions:
            for key in spec.entries:
                for index, element in enumerate(key):
                    if isinstance(element, IPv4Network | IPv6Network):
                        lengths.setdefault(index, set()).add(element.prefixlen)
        ordered = {index: tuple(sorted(each, reverse=True)) for index, each in lengths.items()}
        found = _lengths_of[id(spec)] = (spec, ordered)
    _lengths_of.move_to_end(id(spec))
    if len(_lengths_of) > _CACHE_SIZE:
        _lengths_of.popitem(last=False)
    return found[1]


def _network(address: Address, length: int) -> Prefix:
    host = address.max_prefixlen - length
    kind = IPv4Network if address.version == 4 else IPv6Network
    return kind((int(address) >> host << host, length))


def _mac(mac: MAC | None) -> list[Element]:
    return [mac] if mac is not None and mac.value else []


@dataclass(slots=True)
class SetOfSets:
    """``list:set``: the sets in it are asked in turn. Ref: ip_set_list_set.c:list_set_ktest()."""

    spec: IPSet
    members: tuple[AddressSet, ...]

    def test(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, return_nomatch: bool = False) -> bool:
        """True where one of its sets holds the packet."""
        return any(each.test(skb, directions, iif=iif, oif=oif, return_nomatch=return_nomatch) for each in self.members)

    def add(
        self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str, timeout: int | None, exist: bool
    ) -> str | None:
        """Add to the first of its sets that takes it. Ref: list_set_kadd()."""
        for each in self.members:
            done = each.add(skb, directions, iif=iif, oif=oif, timeout=timeout, exist=exist)
            if done is not None:
                return done
        return None

    def delete(self, skb: SkBuff, directions: Sequence[str], *, iif: str, oif: str) -> str | None:
        """Delete from the first of its sets that has it. Ref: list_set_kdel()."""
        for each in self.members:
            done = each.delete(skb, directions, iif=iif, oif=oif)
            if done is not None:
                return done
        return None


def kernel_sets(sets: IPSets, clock: Clock) -> Mapping[str, AddressSet]:
    """Every set of a namespace, ready to be asked. Timeouts count from now."""
    plain = {each.name: each for each in sets.sets.values() if each.type.method != "list"}
    made: dict[str, AddressSet] = {name: KernelSet(each, clock) for name, each in plain.items()}
    for each in sets.sets.values():
        if each.type.method == "list":
            names = [str(key[0]) for key in each.entries]
            made[each.name] = SetOfSets(each, tuple(made[name] for name in names if name in made))
    return made
