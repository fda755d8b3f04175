"""The forwarding database of a vxlan device: which tunnel endpoint is asked for which MAC.

Ref: drivers/net/vxlan/vxlan_core.c:vxlan_find_mac(), vxlan_snoop() (v6.18).
"""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address
from netsim.topology.model import FdbEntry, Vxlan

ALL_OTHERS = MAC(0)
"""The MAC whose entries stand for every MAC without one of its own."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """An endpoint that was seen to send from a MAC, and when (seconds of the world's clock)."""

    remote: Address
    updated: float


@dataclass(slots=True)
class VxlanState:
    """One vxlan device's forwarding database: what was given, and what was learnt."""

    given: tuple[FdbEntry, ...]
    learnt: dict[MAC, Learnt] = field(default_factory=dict)

    def static(self, mac: MAC) -> list[Address]:
        """The endpoints of the entries that were given for a MAC."""
        return [entry.dst for entry in self.given if entry.mac == mac and entry.dst is not None]

    def find(self, kind: Vxlan, mac: MAC, now: float) -> tuple[list[tuple[Address, str | None]], str]:
        """Where frames to a MAC go, each with the device it has to leave by (None: any), and how that was found."""
        if static := self.static(mac):
            return [(remote, None) for remote in static], f"the FDB has {mac} at {static[0]}"
        known = self.learnt.get(mac)
        if known is not None and now < known.updated + kind.ageing_time_s:
            return [(known.remote, None)], f"{mac} was learnt from {known.remote}"
        others: list[tuple[Address, str | None]] = [(remote, None) for remote in self.static(ALL_OTHERS)]
        if kind.remote is not None:
            others.insert(0, (kind.remote, kind.device))
        return others, "the FDB's entry for all others"
