"""Which hosts share a network: from addresses to network cards, switches and default routers.

The rules, in this order:

1. An address with a full prefix length takes the length of the described network that it lies in, else /24 (/64).
2. A host has one card a network. An IPv4 and an IPv6 network share a card, the first with the first, so a dual-stack node has
   one ``eth0``; each further network of the same family has the next card.
3. Networks that overlap, and networks that meet on one card, are one segment: one switch.
4. On every network the gateway has the addresses that hosts name as their gateway and that are no host's own; where nobody names one,
   the first address of the network that no host has.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from netsim.dataclass import dataclass
from netsim.net.address import Address, InterfaceAddress, Prefix, family_of, parse_interface, parse_prefix
from netsim.topology.plan import HostPlan

WAN = "wan0"
GUESSED_LENGTH = {4: 24, 6: 64}

TRANSIT = (
    # networks for the gateway's link to the outside; the first that overlaps nothing described is taken
    "100.64.0.0/30",  # RFC 6598: what a provider's side of a router has
    "198.18.255.0/30",  # RFC 2544, benchmarks
    "192.0.0.0/29",  # RFC 7335
    "169.254.254.0/30",  # RFC 3927
    "fd00:ffff:ffff:ffff::/126",
    "fdff:ffff:ffff:ffff::/126",
    "2001:db8:ffff:ffff::/126",
)


@dataclass(frozen=True, slots=True)
class Card:
    """A network card of a host: its device name, its addresses, and the index of the segment it is plugged into."""

    device: str
    addresses: tuple[InterfaceAddress, ...]
    segment: int


@dataclass(frozen=True, slots=True)
class Segment:
    """One switch: the networks on it and the gateway's addresses there, both in the order in which they are described."""

    networks: tuple[Prefix, ...]
    gateway: tuple[InterfaceAddress, ...]


@dataclass(frozen=True, slots=True)
class LAN:
    """All of it. ``cards`` is keyed by the host's network namespace; ``transit`` is gateway and outside, a pair a described family."""

    cards: Mapping[str, tuple[Card, ...]]
    segments: tuple[Segment, ...]
    transit: tuple[tuple[InterfaceAddress, InterfaceAddress], ...]

    @property
    def gateway_cards(self) -> tuple[Card, ...]:
        """The gateway's own cards: first the one to the outside, which is on no segment (-1), then one a segment that it is on."""
        wan = Card(WAN, tuple(inner for inner, _ in self.transit), -1)
        legs = [
            Card(f"eth{index}", segment.gateway, index)
            for index, segment in enumerate(self.segments)
            if segment.gateway
        ]
        return (wan, *legs)

    def default_routers(self, netns: str) -> tuple[Address, ...]:
        """The gateway's address for each family of the host, looked for on its first network of that family."""
        found: dict[int, Address] = {}
        seen: set[int] = set()
        for card in self.cards[netns]:
            for address in card.addresses:
                if address.version not in seen:
                    seen.add(address.version)
                    found.update(self._router(card.segment, address))
        return tuple(found[version] for version in sorted(found))

    def _router(self, segment: int, address: InterfaceAddress) -> dict[int, Address]:
        routers = (router.ip for router in self.segments[segment].gateway if router.ip in address.network)
        router = next(routers, None)
        return {} if router is None else {address.version: router}


def arrange(hosts: Mapping[str, HostPlan], avoid: Iterable[Prefix] = ()) -> LAN:
    """Lay out the networks of the hosts (keyed by namespace, in order of description).

    ``avoid`` are further prefixes that the link to the outside must not take (pod networks).
    """
    placed = _with_lengths(hosts)
    cards = {netns: _cards(addresses) for netns, addresses in placed.items()}
    groups = _segments([card for group in cards.values() for card in group])
    used = {address.ip for addresses in placed.values() for address in addresses}
    named = [gateway for host in hosts.values() for gateway in host.gateways]
    segments = tuple(Segment(group, _gateway_addresses(group, named, used)) for group in groups)
    plugged = {
        netns: tuple(_card(index, card, placed[netns], groups) for index, card in enumerate(group))
        for netns, group in cards.items()
    }
    return LAN(plugged, segments, _transit([*(net for group in groups for net in group), *avoid]))


def _with_lengths(hosts: Mapping[str, HostPlan]) -> dict[str, tuple[InterfaceAddress, ...]]:
    known = [a.network for host in hosts.values() for a in host.addresses if a.network.prefixlen < a.max_prefixlen]
    return {netns: tuple(_with_length(address, known) for address in host.addresses) for netns, host in hosts.items()}


def _with_length(address: InterfaceAddress, known: Sequence[Prefix]) -> InterfaceAddress:
    if address.network.prefixlen < address.max_prefixlen:
        return address
    lengths = (network.prefixlen for network in known if address.ip in network)
    return parse_interface(f"{address.ip}/{next(lengths, GUESSED_LENGTH[address.version])}")


def _cards(addresses: Sequence[InterfaceAddress]) -> list[list[Prefix]]:
    """The networks on each card of one host."""
    cards: list[list[Prefix]] = []
    for network in (address.network for address in addresses):
        if any(overlap(network, other) for card in cards for other in card):
            _join(cards, network)
        elif home := next((card for card in cards if all(other.version != network.version for other in card)), None):
            home.append(network)
        else:
            cards.append([network])
    return cards


def _join(cards: list[list[Prefix]], network: Prefix) -> None:
    home = next(card for card in cards if any(overlap(network, other) for other in card))
    if network not in home:
        home.append(network)


def _segments(cards: Sequence[list[Prefix]]) -> tuple[tuple[Prefix, ...], ...]:
    """Networks that meet on a card or overlap, together; in the order in which they come up."""
    groups: list[list[Prefix]] = []
    for card in cards:
        touching = [group for group in groups if any(overlap(a, b) for a in group for b in card)]
        merged = list(dict.fromkeys(network for group in [*touching, card] for network in group))
        if touching:
            groups[groups.index(touching[0])] = merged
            groups = [group for group in groups if group is merged or all(group is not other for other in touching)]
        else:
            groups.append(merged)
    return tuple(tuple(group) for group in groups)


def _card(
    index: int, networks: Sequence[Prefix], addresses: Sequence[InterfaceAddress], groups: Sequence[Sequence[Prefix]]
) -> Card:
    own = tuple(address for address in addresses if address.network in networks)
    segment = next(number for number, group in enumerate(groups) if networks[0] in group)
    return Card(f"eth{index}", own, segment)


def _gateway_addresses(
    networks: Sequence[Prefix], named: Sequence[Address], used: set[Address]
) -> tuple[InterfaceAddress, ...]:
    found: dict[Address, InterfaceAddress] = {}
    for network in networks:
        wanted = [address for address in named if address in network and address not in used]
        if not wanted and not any(address in network for address in found):
            wanted = [free for free in [_first_free(network, used)] if free is not None]
        for address in wanted:
            found.setdefault(address, parse_interface(f"{address}/{network.prefixlen}"))
    return tuple(found.values())


def _first_free(network: Prefix, used: set[Address]) -> Address | None:
    return next((host for host in network.hosts() if host not in used), None)


def _transit(described: Sequence[Prefix]) -> tuple[tuple[InterfaceAddress, InterfaceAddress], ...]:
    links = []
    for version in sorted({network.version for network in described}):
        free = (
            net
            for net in map(parse_prefix, TRANSIT)
            if net.version == version and not any(overlap(net, d) for d in described)
        )
        if (network := next(free, None)) is not None:
            first, second = (network.network_address + offset for offset in (1, 2))
            links.append((_interface(first, network), _interface(second, network)))
    return tuple(links)


def _interface(address: Address, network: Prefix) -> InterfaceAddress:
    return parse_interface(f"{address}/{network.prefixlen}")


def overlap(one: Prefix, other: Prefix) -> bool:
    """Do two prefixes share an address? Those of different families do not."""
    if isinstance(one, ipaddress.IPv4Network):
        return isinstance(other, ipaddress.IPv4Network) and one.overlaps(other)
    return isinstance(other, ipaddress.IPv6Network) and one.overlaps(other)


def on_link(address: Address, cards: Sequence[Card]) -> Card | None:
    """The first card that has the address in one of its networks."""
    return next(
        (
            card
            for card in cards
            if any(family_of(a) is family_of(address) and address in a.network for a in card.addresses)
        ),
        None,
    )
