"""The neighbour table of a machine: one for all its namespaces, with room for ``gc_thresh3`` entries.

Entries that are permanent do not count. The garbage collector would take entries that nobody used for five seconds; within a walk every
entry is in use. Ref: net/core/neighbour.c:neigh_alloc(), neigh_forced_gc() (v6.12). Not compared with a running kernel: the limit is the
whole machine's.
"""

from __future__ import annotations

from netsim.net.address import MAC, Address
from netsim.stack.namespace import Namespace
from netsim.topology.model import Device, NeighbourState, Role


def neigh_update(ns: Namespace, device: Device, address: Address, mac: MAC, *, override: bool = True) -> bool:
    """Learn a neighbour; False where there is no room for a new entry.

    A known one gets another MAC where the message may override, unless an administrator made the entry.
    Ref: net/core/neighbour.c:__neigh_update() (v6.12).
    """
    key = (device.name, address)
    if key in ns.neighbours:
        if override and not _fixed(ns, device.name, address):
            ns.neighbours[key] = mac
        return True
    if not has_room(ns, address.version):
        return False
    ns.neighbours[key] = mac
    return True


def arp_overrides(ns: Namespace, device: Device, address: Address) -> bool:
    """Whether an ARP message may give a known neighbour another MAC: not for a second after the last, so that the first answer counts.

    Within a walk that is: an entry that was there before it. Ref: net/ipv4/arp.c:arp_process(), ``LOCKTIME`` (v6.12).
    """
    known = ns.neighbours.get((device.name, address))
    return any((n.device, n.address, n.mac) == (device.name, address, known) for n in ns.spec.neighbours)


def has_room(ns: Namespace, version: int) -> bool:
    """Whether the machine's table takes another entry of a family."""
    limit = _limit(ns, version)
    return limit is None or _entries(ns, version) < limit


def limit_of(ns: Namespace, version: int) -> int:
    """``gc_thresh3`` of the machine, entries; raises KeyError for a family that is none."""
    return _owner(ns).sysctls.get(f"net.ipv{version}.neigh.default.gc_thresh3")


def _limit(ns: Namespace, version: int) -> int | None:
    """The limit where somebody set one; counting is spared where it is the default, which no walk comes near."""
    name = f"net.ipv{version}.neigh.default.gc_thresh3"
    spec = _owner(ns).spec
    return limit_of(ns, version) if name in spec.sysctls else None


def _owner(ns: Namespace) -> Namespace:
    """The machine's first namespace, which alone has the sysctl: the node's of a pod, else the namespace itself."""
    if ns.spec.role is not Role.POD or ns.spec.node is None:
        return ns
    wiring = ns.network.wiring
    name = wiring.node_of(ns.spec.node)
    return ns if name is None else ns.network.namespace(name)


def _entries(ns: Namespace, version: int) -> int:
    machine = [ns] if ns.spec.node is None else [n for n in ns.network.touched() if n.spec.node == ns.spec.node]
    return sum(
        1
        for each in machine
        for device, address in each.neighbours
        if address.version == version and not _permanent(each, device, address)
    )


def state_of(ns: Namespace, device: str, address: Address) -> NeighbourState:
    """The state of an entry that is there: as it was given, or reachable, as one that was learnt in this walk."""
    given = (n.state for n in ns.spec.neighbours if n.device == device and n.address == address and n.state.valid)
    return next(given, NeighbourState.REACHABLE)


def _fixed(ns: Namespace, device: str, address: Address) -> bool:
    return state_of(ns, device, address).fixed


def _permanent(ns: Namespace, device: str, address: Address) -> bool:
    """Those alone do not count. Ref: net/core/neighbour.c:neigh_alloc(), exempt_from_gc (v6.12)."""
    return state_of(ns, device, address) is NeighbourState.PERMANENT
