"""What a host learnt of the way to one destination and not of others: a smaller path MTU, another next hop.

Ref: include/net/ip_fib.h struct fib_nh_exception, net/ipv4/route.c:update_or_create_fnhe(), rt_bind_exception();
net/ipv6/route.c:rt6_insert_exception(), rt6_find_cached_rt() (v6.12).
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.stack.skbuff import Nexthop

Way: TypeAlias = tuple[str, Address]
"""A nexthop's device and a destination. The kernel tells two gateways on one device apart, too."""


@dataclass(frozen=True, slots=True)
class PathMTU:
    """Bytes, until when (seconds of the world's clock), and whether packets lose their DF because it is below ``min_pmtu``."""

    mtu: int
    expires: float
    locked: bool = False


@dataclass(slots=True)
class NexthopExceptions:
    """What one namespace learnt. A redirect lives as long as the walk: ``RT_GC_TIMEOUT`` is five minutes."""

    path_mtus: dict[Way, PathMTU] = field(default_factory=dict)
    redirects: dict[Way, Address] = field(default_factory=dict)

    def bind(self, nexthop: Nexthop, destination: Address, now: float) -> Nexthop:
        """The nexthop as it is for this destination."""
        way = (nexthop.device, destination)
        known = self.path_mtus.get(way)
        if known is not None and now < known.expires:
            nexthop = replace(nexthop, path_mtu=known.mtu, mtu_locked=nexthop.mtu_locked or known.locked)
        gateway = self.redirects.get(way)
        if gateway is not None:
            nexthop = replace(nexthop, gateway=None if gateway == destination else gateway)
        return nexthop
