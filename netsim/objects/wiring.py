"""What a machine of the Cluster document has beside its network cards: devices, forwarding entries, neighbours.

``netsim.manifest`` reads it; ``netsim.scenario`` hands it to the topology.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address, InterfaceAddress
from netsim.rules.source import Origin

DEVICE_KINDS = ("bridge", "dummy", "macvlan", "vlan")
MACVLAN_MODES = ("bridge", "private")
NEIGHBOUR_STATES = ("permanent", "noarp", "reachable", "stale", "delay", "probe", "incomplete", "failed")


@dataclass(frozen=True, slots=True)
class StaticDevice:
    """``devices[]``: a further device, or without ``kind`` a change of one that the machine has.

    A change names the device, or ``pod`` (``namespace/name``) for the node's end towards a pod. ``up``, ``carrier`` and the flags of a
    bridge port are None where nothing is said of them; ``carrier`` False is a cable that nobody plugged in.
    """

    name: str | None
    kind: str | None = None
    pod: str | None = None
    parent: str | None = None
    vlan: int | None = None
    mode: str = "bridge"
    addresses: tuple[InterfaceAddress, ...] = ()
    mtu: int | None = None
    mac: MAC | None = None
    up: bool | None = None
    carrier: bool | None = None
    master: str | None = None
    hairpin: bool | None = None
    isolated: bool | None = None
    learning: bool | None = None
    ageing_s: int | None = None
    origin: Origin | None = field(default=None, compare=False)
    places: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def where(self, name: str) -> Origin | None:
        """The place of one of its fields, else its own."""
        return self.places.get(name, self.origin)


@dataclass(frozen=True, slots=True)
class StaticFdb:
    """``fdb[]``: a static forwarding entry of a bridge port, or with ``dst`` of a vxlan device."""

    device: str
    mac: MAC
    dst: Address | None = None
    origin: Origin | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class StaticNeighbour:
    """``neighbours[]``: a neighbour entry that is there before the first packet; ``state`` is one of NEIGHBOUR_STATES.

    With ``proxy`` it is an address that the machine answers for, and has no MAC.
    """

    device: str
    address: Address
    mac: MAC | None = None
    state: str = "permanent"
    proxy: bool = False
    origin: Origin | None = field(default=None, compare=False)
