"""One line that says what a topology holds."""

from __future__ import annotations

from collections import Counter

from netsim.topology.model import Role, Topology

COUNTED = (
    (Role.SWITCH, "network", "networks"),
    (Role.NODE, "node", "nodes"),
    (Role.POD, "pod", "pods"),
    (Role.EXTERNAL, "external host", "external hosts"),
)


def summary(topology: Topology) -> str:
    """``1 network, 3 nodes, 12 pods``."""
    counts = Counter(netns.role for netns in topology.namespaces.values())
    return ", ".join(
        f"{counts[role]} {one if counts[role] == 1 else many}" for role, one, many in COUNTED if counts[role]
    )
