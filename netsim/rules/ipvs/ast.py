"""The typed form of IPVS: virtual servers, their schedulers and real servers.

Ref: include/uapi/linux/ip_vs.h (v6.12). The order of virtual servers takes no part in equality; the order of real servers does,
because schedulers look at them in turn.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import Enum
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from netsim.rules.source import Origin

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos")


@dataclass(frozen=True, slots=True)
class TransportService:
    """A virtual service by protocol (6, 17 or 132), address and port; port 0 is any port of a persistent service."""

    protocol: int
    address: Address
    port: int


@dataclass(frozen=True, slots=True)
class FirewallMarkService:
    """A virtual service for packets with a firewall mark, which is not 0."""

    mark: int
    family: Family = Family.IPV4


ServiceKey: TypeAlias = TransportService | FirewallMarkService


class Forwarding(Enum):
    """How packets reach a real server; the values are ipvsadm's letters."""

    MASQUERADE = "m"
    DIRECT_ROUTE = "g"
    TUNNEL = "i"


@dataclass(frozen=True, slots=True)
class RealServer:
    """One real server. ``upper`` and ``lower`` are connection thresholds, 0 for none.

    ``tunnel`` are the words of ``--tun-type`` and its further options, empty for plain IPIP.
    """

    address: Address
    port: int
    forwarding: Forwarding = Forwarding.DIRECT_ROUTE
    weight: int = 1
    upper: int = 0
    lower: int = 0
    tunnel: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """One virtual server.

    ``persistent`` is the timeout in seconds, None where connections of one client may go to different real servers;
    ``netmask`` is the prefix length by which clients are told apart, None for whole addresses. ``flags`` are the scheduler's, by
    number 1 to 3 (``sh-fallback`` and ``mh-fallback`` are 1, ``sh-port`` and ``mh-port`` are 2).
    """

    key: ServiceKey
    scheduler: str = "wlc"
    persistent: int | None = None
    netmask: int | None = None
    flags: frozenset[int] = frozenset()
    one_packet: bool = False
    persistence_engine: str = ""
    real_servers: tuple[RealServer, ...] = ()
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class VirtualServers:
    """All virtual servers of a namespace."""

    servers: Mapping[ServiceKey, VirtualServer] = field(default_factory=dict)
