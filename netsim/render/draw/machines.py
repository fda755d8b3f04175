"""What pictures made of text have in common: namespaces by the machine that they are on, each with its addresses."""

from __future__ import annotations

from netsim.topology.model import Device, Loopback, Netns, Topology


def by_machine(topology: Topology) -> tuple[list[Netns], dict[str, list[Netns]]]:
    """The namespaces that are a machine of their own, and those of each node, in the topology's order."""
    alone: list[Netns] = []
    nodes: dict[str, list[Netns]] = {}
    for netns in topology.namespaces.values():
        (alone if netns.node is None else nodes.setdefault(netns.node, [])).append(netns)
    return alone, nodes


def addressed(netns: Netns) -> list[Device]:
    """Its devices that have addresses; the loopback device is in every namespace and is left out."""
    return [device for device in netns.devices if not isinstance(device.kind, Loopback) and device.addresses]


def rows(netns: Netns) -> list[str]:
    """What stands in its box: its label, and a line for each device with addresses."""
    return [netns.label, *(f"{device.name} {' '.join(map(str, device.addresses))}" for device in addressed(netns))]
