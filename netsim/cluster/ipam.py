"""Addresses for pods, as CNI's ``host-local`` plugin hands them out on one node.

Ref: containernetworking/plugins plugins/ipam/host-local/backend/allocator/{allocator,range}.go (v1.9).
"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix, parse_prefix


@dataclass(frozen=True, slots=True)
class AddressRefusal:
    """Why an address could not be had, in host-local's words."""

    message: str


class AddressRange:
    """The addresses of one pod CIDR. The first is the gateway's (the bridge), and the last of IPv4 is the broadcast address.

    Round robin: the search goes on behind the address that was reserved last and wraps around, so that an address that was
    given back is not used again at once. Raises ValueError for a prefix with less than two usable addresses.
    """

    def __init__(self, prefix: Prefix) -> None:
        if prefix.prefixlen > prefix.max_prefixlen - 2:
            raise ValueError(f"Network {prefix} too small to allocate from")
        self.prefix = prefix
        self.gateway: Address = prefix.network_address + 1
        self._first = int(prefix.network_address) + 1
        self._last = int(prefix.broadcast_address) - (1 if prefix.version == 4 else 0)
        self._owner: dict[int, str] = {}
        self._position = self._first

    def reserve(self, address: Address, owner: str) -> AddressRefusal | None:
        """Take one address for an owner, and say why not where that cannot be. Taking one's own address again is no change."""
        number = int(address)
        if address.version != self.prefix.version or not self._first <= number <= self._last:
            return AddressRefusal(f"{address} is not in the node's pod CIDR {self.prefix}")
        if address == self.gateway:
            return AddressRefusal(f"requested ip {address} is subnet's gateway")
        holder = self._owner.get(number)
        if holder == owner:
            return None
        if holder is not None:
            return AddressRefusal(f"requested IP address {address} is not available: it is {holder}'s")
        self._owner[number] = owner
        self._position = number
        return None

    def allocate(self, owner: str) -> Address | AddressRefusal:
        """Take the next free address for an owner."""
        size = self._last - self._first + 1
        if len(self._owner) >= size - 1:
            return AddressRefusal(f"no IP addresses available in range set: {self._first_address}-{self._last_address}")
        number = self._position
        while True:
            number = self._first if number >= self._last else number + 1
            if number != int(self.gateway) and number not in self._owner:
                break
        self._owner[number] = owner
        self._position = number
        return self.prefix.network_address + (number - int(self.prefix.network_address))

    def release(self, owner: str, address: Address) -> None:
        """Give an address back; one that is not the owner's is left alone."""
        if self._owner.get(int(address)) == owner:
            del self._owner[int(address)]

    @property
    def _first_address(self) -> Address:
        return self.prefix.network_address + 1

    @property
    def _last_address(self) -> Address:
        return self.prefix.network_address + (self._last - int(self.prefix.network_address))


class NodeAddresses:
    """The pod CIDRs of one node, one a family, and who holds which of their addresses."""

    def __init__(self, cidrs: Sequence[str]) -> None:
        self._ranges = tuple(AddressRange(parse_prefix(cidr)) for cidr in cidrs)
        self._held: dict[str, list[Address]] = {}

    @property
    def gateways(self) -> tuple[Address, ...]:
        """The bridge's address in each CIDR."""
        return tuple(r.gateway for r in self._ranges)

    def held_by(self, owner: str) -> tuple[Address, ...]:
        """What an owner holds, in the order of the CIDRs."""
        return tuple(self._held.get(owner, ()))

    def contains(self, address: Address) -> bool:
        """True where an address lies in one of the CIDRs."""
        return any(r.prefix.version == address.version and address in r.prefix for r in self._ranges)

    def reserve(self, owner: str, addresses: Sequence[Address]) -> AddressRefusal | None:
        """Take the given addresses, at most one a family; all of them or none."""
        for address in addresses:
            range_ = next((r for r in self._ranges if r.prefix.version == address.version), None)
            refusal: AddressRefusal | None = AddressRefusal(f"{address} is not in a pod CIDR of the node")
            if range_ is not None:
                refusal = range_.reserve(address, owner)
            if refusal is not None:
                self.release(owner)
                return refusal
            self._held.setdefault(owner, []).append(address)
        return None

    def allocate(self, owner: str) -> tuple[Address, ...] | AddressRefusal:
        """Take one address of each CIDR, all or none; what the owner holds already is answered again."""
        if owner in self._held:
            return self.held_by(owner)
        if not self._ranges:
            return AddressRefusal("node has no podCIDR assigned")
        for range_ in self._ranges:
            address = range_.allocate(owner)
            if isinstance(address, AddressRefusal):
                self.release(owner)
                return address
            self._held.setdefault(owner, []).append(address)
        return self.held_by(owner)

    def release(self, owner: str) -> None:
        """Give back all that an owner holds."""
        for address in self._held.pop(owner, ()):
            for range_ in self._ranges:
                if range_.prefix.version == address.version:
                    range_.release(owner, address)
