"""CNI's part: the addresses of each node's pods, from its pod CIDRs (``host-local``), or the node's own on the host's network."""

from __future__ import annotations

from collections.abc import Callable

from netsim.cluster import podstate
from netsim.cluster.documents import mapping_at
from netsim.cluster.ipam import AddressRefusal, NodeAddresses
from netsim.net.address import Address, parse_address
from netsim.objects.core import Node
from netsim.objects.meta import Key, Object


class PodNetwork:
    """Who holds which address on which node. ``report``: who is told of an address that was given and cannot be had."""

    def __init__(self, report: Callable[[Key, str], None]) -> None:
        self._report = report
        self._ranges: dict[str, NodeAddresses] = {}
        self._reserved_on: dict[Key, str] = {}

    def of(self, node: str) -> NodeAddresses | None:
        """Who holds which address of a node's pod CIDRs, None for a node that is not there."""
        return self._ranges.get(node)

    def join(self, node: Node) -> None:
        """A node is there, with its pod CIDRs."""
        if node.metadata.name in self._ranges:
            return
        try:
            ranges = NodeAddresses(node.spec.pod_cidrs or tuple(filter(None, (node.spec.pod_cidr,))))
        except ValueError as error:
            self._report(Key("Node", "", node.metadata.name), str(error))
            ranges = NodeAddresses(())
        self._ranges[node.metadata.name] = ranges

    def leave(self, node: str) -> None:
        """A node is gone."""
        self._ranges.pop(node, None)

    def add(self, pod: Object, node: Node) -> tuple[str, ...] | AddressRefusal:
        """CNI ADD: the addresses that a pod has, or gets now."""
        given = podstate.pod_addresses(pod)
        if on_host(pod):
            return tuple(given) or one_a_family(node.internal_addresses)
        ranges = self._ranges[node.metadata.name]
        if given and not ranges.held_by(str(pod.key)):
            return self._reserve(pod, node.metadata.name, given) or tuple(given)
        if given:
            return tuple(given)
        allocated = ranges.allocate(str(pod.key))
        if isinstance(allocated, AddressRefusal):
            return allocated
        self._reserved_on[pod.key] = node.metadata.name
        return tuple(str(a) for a in allocated)

    def delete(self, pod: Key) -> None:
        """CNI DEL: the addresses are free again."""
        node = self._reserved_on.pop(pod, None)
        if node is not None and node in self._ranges:
            self._ranges[node].release(str(pod))

    def holders(self) -> list[Key]:
        """The pods that hold addresses."""
        return list(self._reserved_on)

    def reserve_given(self, pod: Object) -> None:
        """Take the address that a pod was given with, before any other pod can get it."""
        given = podstate.pod_addresses(pod)
        if not given or on_host(pod) or pod.key in self._reserved_on or podstate.finished(pod):
            return
        node = podstate.node_name(pod) or self._node_with(given[0])
        if node in self._ranges:
            refusal = self._reserve(pod, node, given)
            if refusal is not None:
                self._report(pod.key, refusal.message)

    def _reserve(self, pod: Object, node: str, given: list[str]) -> AddressRefusal | None:
        try:
            addresses = [parse_address(a) for a in given]
        except ValueError as error:
            return AddressRefusal(str(error))
        refusal = self._ranges[node].reserve(str(pod.key), addresses)
        if refusal is None:
            self._reserved_on[pod.key] = node
        return refusal

    def _node_with(self, address: str) -> str:
        try:
            wanted: Address = parse_address(address)
        except ValueError:
            return ""
        return next((name for name, ranges in sorted(self._ranges.items()) if ranges.contains(wanted)), "")


def on_host(pod: Object) -> bool:
    """True for a pod in the host's network namespace."""
    return mapping_at(pod.document, "spec").get("hostNetwork") is True


def one_a_family(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """The first address of each family, in the order in which they come."""
    firsts: dict[int, str] = {}
    for address in addresses:
        firsts.setdefault(parse_address(address).version, address)
    return tuple(firsts.values())
