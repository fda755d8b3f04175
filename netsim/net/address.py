"""Addresses, prefixes and link-layer addresses.

IP addresses and prefixes are the standard library's ``ipaddress`` values: hashable, ordered and known to every reader.
This module gives them the field's short names and adds the MAC address.
"""

from __future__ import annotations

import ipaddress
import re
from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Prefix: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
InterfaceAddress: TypeAlias = ipaddress.IPv4Interface | ipaddress.IPv6Interface

parse_address = ipaddress.ip_address
parse_prefix = ipaddress.ip_network
parse_interface = ipaddress.ip_interface


class Family(Enum):
    """An address family; the value is its IP version."""

    IPV4 = 4
    IPV6 = 6

    @property
    def bits(self) -> int:
        """Length of an address of this family, in bits."""
        return 32 if self is Family.IPV4 else 128

    @property
    def kubernetes(self) -> str:
        """The name in ``ipFamilies`` and ``addressType``: ``IPv4`` or ``IPv6``."""
        return f"IPv{self.value}"


def family_of(value: Address | Prefix | InterfaceAddress) -> Family:
    """The family of an address, a prefix or an interface address."""
    return Family.IPV4 if value.version == 4 else Family.IPV6


_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


@dataclass(frozen=True, slots=True, order=True)
class MAC:
    """A 48-bit link-layer address, most significant octet first."""

    value: int

    @classmethod
    def parse(cls, text: str) -> MAC:
        """Read ``aa:bb:cc:dd:ee:ff``; raise ValueError for anything else."""
        folded = text.strip().lower()
        if not _MAC.fullmatch(folded):
            raise ValueError(f"{text!r} is not a MAC address (expected aa:bb:cc:dd:ee:ff)")
        return cls(int(folded.replace(":", ""), 16))

    def __str__(self) -> str:
        digits = f"{self.value:012x}"
        return ":".join(digits[i : i + 2] for i in range(0, 12, 2))

    @property
    def is_broadcast(self) -> bool:
        """True for ff:ff:ff:ff:ff:ff."""
        return self.value == 0xFFFFFFFFFFFF

    @property
    def is_multicast(self) -> bool:
        """True where the group bit is set; broadcast is a group too. IEEE 802-2014 §8.2."""
        return bool(self.value >> 40 & 1)


BROADCAST = MAC(0xFFFFFFFFFFFF)
