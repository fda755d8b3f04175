"""Addresses and prefixes as a user writes them, and whether the networks of a cluster fit together."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

from netsim.dataclass import dataclass
from netsim.manifest.fields import Spot
from netsim.net.address import Address, InterfaceAddress, Prefix, parse_address, parse_interface, parse_prefix


class NetworkError(ValueError):
    """A text that is not what it should be; ``advice`` says what to write instead."""

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.advice = advice


def prefix(text: str) -> Prefix:
    """``10.244.0.0/16``. Raises NetworkError; for host bits with the right prefix as advice."""
    if "/" not in text or "%" in text:
        raise NetworkError(f'"{text}" is not a CIDR', "write an address and a prefix length, such as 10.244.0.0/16")
    try:
        return parse_prefix(text)
    except ValueError:
        pass
    try:
        loose = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise NetworkError(f'"{text}" is not a CIDR ({error})') from None
    raise NetworkError(f"{text} has host bits set", f"write {loose}")


def route_prefix(text: str) -> Prefix | None:
    """A route's destination: a prefix, an address that stands for itself alone, or ``default`` (None)."""
    if text == "default":
        return None
    if "/" in text:
        return prefix(text)
    found = address(text)
    return parse_prefix(f"{found}/{found.max_prefixlen}")


def address(text: str) -> Address:
    """``192.168.0.1``. Raises NetworkError."""
    found = _address(text)
    if found is None:
        raise NetworkError(f'"{text}" is not an IP address', "write one without a prefix length, such as 192.168.0.1")
    return found


def _address(text: str) -> Address | None:
    try:
        return None if "%" in text else parse_address(text)
    except ValueError:
        return None


def interface(text: str) -> InterfaceAddress:
    """``192.168.0.11/24``: a machine's address with its network's prefix length. Raises NetworkError."""
    if "/" not in text and (found := _address(text)) is not None:
        mask = 24 if found.version == 4 else 64
        raise NetworkError(f"{text} has no prefix length", f"write {found}/{mask}, if its network is {mask} bits long")
    try:
        if "%" in text or "/" not in text:
            raise ValueError
        result = parse_interface(text)
    except ValueError:
        advice = "write an address and its network's prefix length, such as 192.168.0.11/24"
        raise NetworkError(f'"{text}" is not an address with a prefix length', advice) from None
    _check_host(result)
    return result


def _check_host(found: InterfaceAddress) -> None:
    network = found.network
    ip = found.ip
    if ip.is_loopback or ip.is_multicast or ip.is_unspecified:
        raise NetworkError(f"{ip} cannot be a machine's address")
    if network.prefixlen >= network.max_prefixlen - 1:
        return
    if ip == network.network_address:
        raise NetworkError(
            f"{ip} is the address of the network {network} itself", f"write {ip + 1}/{network.prefixlen}"
        )
    if network.version == 4 and ip == network.broadcast_address:
        raise NetworkError(f"{ip} is the broadcast address of {network}", f"write {ip - 1}/{network.prefixlen}")


# --- networks beside each other ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Named:
    """A network with what it is called and where it was written (None: it is a default)."""

    network: Prefix
    name: str
    spot: Spot | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two networks that have addresses in common; ``second`` is the one to point at."""

    first: Named
    second: Named

    @property
    def message(self) -> str:
        """What overlaps what."""
        return f"the {self.second.name} {self.second.network} overlaps the {self.first.name} {self.first.network}"


def overlaps(groups: Sequence[Iterable[Named]]) -> Iterator[Overlap]:
    """Every pair of networks of different groups with common addresses. A pair is told once, at what was written."""
    seen: list[tuple[int, Named]] = []
    for index, group in enumerate(groups):
        for item in group:
            for other_index, other in seen:
                if other_index == index or other.network.version != item.network.version:
                    continue
                if other.network.overlaps(item.network):
                    yield Overlap(item, other) if item.spot is None else Overlap(other, item)
            seen.append((index, item))


def free_addresses(network: Prefix, first: Address, used: Iterable[Address]) -> Iterator[InterfaceAddress]:
    """Addresses of a network from one on that nobody has."""
    taken = set(used)
    current = first
    while current in network and current != network.broadcast_address:
        if current not in taken:
            yield parse_interface(f"{current}/{network.prefixlen}")
        current += 1
