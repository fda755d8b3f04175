"""The typed form of IP sets.

An entry's elements are one for each dimension of its set's type. The order of entries takes no part in equality.
Ref: include/uapi/linux/netfilter/ipset/ip_set.h (v6.12).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, Family, Prefix
from netsim.rules.source import Origin


class Dimension(Enum):
    """What one element of an entry is."""

    IP = "ip"
    NET = "net"
    PORT = "port"
    MARK = "mark"
    MAC = "mac"
    IFACE = "iface"
    SET = "set"


@dataclass(frozen=True, slots=True)
class SetType:
    """``hash:ip,port``: how members are kept, and what they are made of."""

    method: str
    dimensions: tuple[Dimension, ...]

    def __str__(self) -> str:
        return f"{self.method}:{','.join(dimension.value for dimension in self.dimensions)}"


@dataclass(frozen=True, slots=True)
class ProtocolPort:
    """``tcp:80``. For ICMP and ICMPv6 ``port`` is type × 256 + code; for a protocol without ports it is 0."""

    protocol: int
    port: int


@dataclass(frozen=True, slots=True)
class Interface:
    """A device name; ``physdev`` where it is the bridge port that is meant."""

    name: str
    physdev: bool = False


Element: TypeAlias = Address | Prefix | ProtocolPort | Interface | MAC | int | str
Key: TypeAlias = tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """What a member has besides its elements. ``timeout`` in seconds, None where it stays; counters take no part in equality."""

    nomatch: bool = False
    timeout: int | None = None
    comment: str = ""
    packets: int = field(default=0, compare=False)
    bytes: int = field(default=0, compare=False)
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SetOptions:
    """Options of ``create``.

    ``range`` is the first and last member of a bitmap. ``timeout`` in seconds, 0 for entries that stay by default, None for a set
    whose entries always stay.
    """

    maxelem: int = 65536
    timeout: int | None = None
    counters: bool = False
    comment: bool = False
    skbinfo: bool = False
    range: tuple[Address, Address] | tuple[int, int] | None = None
    netmask: int | None = None
    markmask: int = 0xFFFFFFFF
    size: int = 8
    hashsize: int = field(default=1024, compare=False)
    bucketsize: int = field(default=12, compare=False)


@dataclass(frozen=True, slots=True)
class IPSet:
    """One set. ``family`` is None for types without addresses."""

    name: str
    type: SetType
    family: Family | None = None
    options: SetOptions = SetOptions()
    entries: Mapping[Key, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IPSets:
    """All sets of a namespace by name, in the order in which they were created."""

    sets: Mapping[str, IPSet] = field(default_factory=dict)
