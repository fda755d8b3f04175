"""Cluster IPs and node ports, handed out as the API server does, but always the same for the same input.

What a user asks for is reserved first. The rest comes from the upper part of the range, so that the lower part stays free for
those who ask; the lower part is used when the upper is full. Where the API server picks at random, this takes the lowest free
number, in the order in which the Services stand: the one deviation.
Ref: KEP-3070, pkg/registry/core/service/ipallocator/bitmap.go:calculateRangeOffset(); KEP-3668,
pkg/registry/core/service/{ipallocator/cidrallocator,portallocator/allocator,storage/alloc}.go (v1.37): the messages are theirs.
"""

from __future__ import annotations

from dataclasses import field
from typing import Final

from netsim.dataclass import dataclass
from netsim.net.address import Address, Prefix
from netsim.objects.meta import Key

KUBERNETES_SERVICE: Final = Key("Service", "default", "kubernetes")
"""The API server's own Service; it has the first address of the primary range."""

NODE_PORTS: Final = range(30000, 32768)
"""kube-apiserver --service-node-port-range (v1.37)."""

_MAX_IPV6_RANGE: Final = 65536


class AllocationError(ValueError):
    """A number that cannot be had; the message says why. ``holder``: who has it."""

    def __init__(self, message: str, holder: Key | None = None) -> None:
        super().__init__(message)
        self.holder = holder


@dataclass(slots=True)
class Pool:
    """Numbers from 0 to ``size`` - 1, of which the first ``static`` are handed out last. None is ever given back."""

    size: int
    static: int
    owners: dict[int, Key] = field(default_factory=dict)
    _passed: int = 0

    def reserve(self, number: int, owner: Key) -> Key | None:
        """Take a number that was asked for; answers who else has it already, None where it was free."""
        holder = self.owners.setdefault(number, owner)
        return holder if holder != owner else None

    def allocate(self, owner: Key) -> int:
        """Take the lowest free number of the upper part, else of the lower. Raises AllocationError where none is free."""
        while self._passed < self.size:
            number = (self.static + self._passed) % self.size
            self._passed += 1
            if number not in self.owners:
                self.owners[number] = owner
                return number
        raise AllocationError("range is full")


def static_band(size: int, *, lowest: int, step: int, highest: int) -> int:
    """How many numbers at the start of a range are left to those who ask: ``min(max(lowest, size/step), highest)``."""
    return 0 if size <= lowest else min(max(lowest, size // step), highest)


@dataclass(slots=True)
class AddressPool:
    """The addresses of one Service CIDR, without the network's own and (IPv4) the broadcast address."""

    cidr: Prefix
    pool: Pool

    @classmethod
    def of(cls, cidr: Prefix) -> AddressPool:
        """All of a CIDR's addresses free."""
        size = cidr.num_addresses
        usable = min(size, _MAX_IPV6_RANGE) - 1 if cidr.version == 6 else size - 2
        return cls(cidr, Pool(max(0, usable), static_band(size, lowest=16, step=16, highest=256)))

    def reserve(self, address: Address, owner: Key) -> None:
        """Take an address. Raises AllocationError where it is outside the range or another Service's."""
        offset = int(address) - int(self.cidr.network_address) - 1
        if address.version != self.cidr.version or not 0 <= offset < self.pool.size:
            raise AllocationError("the provided network does not match the current range")
        holder = self.pool.reserve(offset, owner)
        if holder is not None:
            raise AllocationError("provided IP is already allocated", holder)

    def allocate(self, owner: Key) -> Address:
        """Take the next free address. Raises AllocationError."""
        return self.cidr.network_address + 1 + self.pool.allocate(owner)


@dataclass(slots=True)
class NodePortPool:
    """The node ports of a cluster. One number belongs to one Service, whatever the protocol."""

    ports: range
    pool: Pool

    @classmethod
    def of(cls, ports: range = NODE_PORTS) -> NodePortPool:
        """All of a range free."""
        size = len(ports)
        return cls(ports, Pool(size, static_band(size, lowest=16, step=32, highest=128)))

    def reserve(self, port: int, owner: Key) -> None:
        """Take a port. Raises AllocationError where it is outside the range or another Service's."""
        if port not in self.ports:
            valid = f"{self.ports.start}-{self.ports.stop - 1}"
            raise AllocationError(f"provided port is not in the valid range. The range of valid ports is {valid}")
        holder = self.pool.reserve(port - self.ports.start, owner)
        if holder is not None:
            raise AllocationError("provided port is already allocated", holder)

    def allocate(self, owner: Key) -> int:
        """Take the next free port. Raises AllocationError."""
        return self.ports.start + self.pool.allocate(owner)
