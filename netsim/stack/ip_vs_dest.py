"""What IPVS keeps of a real server while packets go by: its weight and how many connections it has.

Ref: include/net/ip_vs.h:struct ip_vs_dest, net/netfilter/ipvs/ip_vs_conn.c:ip_vs_bind_dest(), ip_vs_unbind_dest() (v6.12).
"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.dataclass import dataclass
from netsim.net.packet import endpoint
from netsim.rules.ipvs.ast import RealServer


@dataclass(slots=True, eq=False)
class Dest:
    """A real server. ``available`` is False where it was removed and only connections still know it.

    ``active`` and ``inactive`` count its connections as ``ipvsadm -Ln`` does, ``persistent`` its persistence templates.
    """

    spec: RealServer
    weight: int
    active: int = 0
    inactive: int = 0
    persistent: int = 0
    overloaded: bool = False
    available: bool = True

    def __str__(self) -> str:
        return endpoint(self.spec.address, self.spec.port or None)

    @property
    def overhead(self) -> int:
        """What a connection costs: an active one 256 times an inactive one. Ref: ip_vs_dest_conn_overhead()."""
        return (self.active << 8) + self.inactive

    @property
    def total(self) -> int:
        """Ref: ip_vs_dest_totalconns()."""
        return self.active + self.inactive + self.persistent

    @property
    def usable(self) -> bool:
        """True where it may get new connections."""
        return self.weight > 0 and not self.overloaded

    def bound(self) -> None:
        """A connection more: the upper threshold may be reached."""
        if self.spec.upper and self.total >= self.spec.upper:
            self.overloaded = True

    def unbound(self) -> None:
        """A connection less: below the lower threshold (or three quarters of the upper one) it takes new ones again."""
        if self.spec.lower:
            below = self.total < self.spec.lower
        elif self.spec.upper:
            below = self.total * 4 < self.spec.upper * 3
        else:
            below = True
        self.overloaded = self.overloaded and not below


def destinations(real_servers: Sequence[RealServer]) -> tuple[Dest, ...]:
    """The kernel's list: what was added last stands first. Ref: ip_vs_ctl.c:__ip_vs_update_dest() list_add_rcu() (v6.12)."""
    return tuple(Dest(real, real.weight) for real in reversed(real_servers))
