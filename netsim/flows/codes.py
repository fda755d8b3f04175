"""Addresses as numbers, and spans of addresses and ports."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import TypeAlias

from netsim.net.address import Address, Prefix

Code: TypeAlias = int
"""An address as one number, different for each family: looking up an ``ipaddress`` value costs ten times as much."""

_V6 = 1 << 129


def code_of(address: Address) -> Code:
    """The number that stands for an address."""
    return int(address) | _V6 if address.version == 6 else int(address)


def address_of(code: Code) -> Address:
    """The address that a number stands for."""
    return IPv6Address(code ^ _V6) if code & _V6 else IPv4Address(code)


LOOPBACK: tuple[Code, ...] = (code_of(IPv4Address("127.0.0.1")), code_of(IPv6Address("::1")))
"""Where REDIRECT sends what a machine itself sent."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Consecutive addresses, both ends included."""

    first: Code
    last: Code

    @classmethod
    def of(cls, prefix: Prefix) -> Span:
        """The addresses of a prefix."""
        return cls(code_of(prefix.network_address), code_of(prefix.broadcast_address))

    def __contains__(self, code: Code) -> bool:
        return self.first <= code <= self.last


@dataclass(frozen=True, slots=True)
class Ports:
    """Consecutive ports, both ends included."""

    first: int
    last: int

    def __contains__(self, port: int) -> bool:
        return self.first <= port <= self.last


def calls(word: str, device: str) -> bool:
    """Whether a word of a rule may mean a device: its name, or its beginning and a wildcard."""
    return word == device or (word[-1:] in ("+", "*") and device.startswith(word[:-1]))
