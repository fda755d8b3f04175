"""What an API server allocates for a Service: IP families, cluster IPs, node ports, the health-check node port.

Ref: pkg/registry/core/service/storage/alloc.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Prefix, family_of, parse_address
from netsim.objects.allocation import KUBERNETES_SERVICE, AddressPool, AllocationError, NodePortPool
from netsim.objects.meta import Key
from netsim.objects.path import Path, Problem
from netsim.objects.validation.findings import invalid

Draft: TypeAlias = dict[str, Any]

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}


@dataclass(slots=True)
class Allocations:
    """The pools of a cluster. ``reserve`` every Service first, then ``allocate`` each."""

    addresses: Mapping[str, AddressPool]
    ports: NodePortPool

    @classmethod
    def of(cls, service_cidrs: Sequence[Prefix]) -> Allocations:
        """Everything free, but for the address of the Service ``kubernetes``, where the CIDR has one for it."""
        pools = {family_of(cidr).kubernetes: AddressPool.of(cidr) for cidr in service_cidrs}
        for cidr in service_cidrs[:1]:
            if cidr.num_addresses > 2:
                pools[family_of(cidr).kubernetes].reserve(cidr.network_address + 1, KUBERNETES_SERVICE)
        return cls(pools, NodePortPool.of())

    def reserve(self, key: Key, draft: Draft) -> Iterator[Problem]:
        """Take what a Service asks for; fill in its IP families. Says what it cannot have."""
        spec = draft.setdefault("spec", {})
        if spec.get("type") == "ExternalName":
            return
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        elif spec.get("clusterIPs") and not spec.get("clusterIP"):
            spec["clusterIP"] = spec["clusterIPs"][0]
        yield from self._families(spec)
        for index, text in enumerate(spec.get("clusterIPs", ())):
            if text != "None":
                yield from self._reserve_address(key, index, text)
        yield from self._reserve_ports(key, spec)

    def allocate(self, key: Key, draft: Draft) -> Iterator[Problem]:
        """Give a Service what it did not ask for."""
        spec = draft["spec"]
        if spec.get("type") == "ExternalName":
            return
        if spec.get("clusterIP") != "None":
            yield from self._allocate_addresses(key, spec)
        if _has_node_ports(spec):
            yield from self._allocate_ports(key, spec)
        if _needs_health_check(spec) and not spec.get("healthCheckNodePort"):
            try:
                spec["healthCheckNodePort"] = self.ports.allocate(key)
            except AllocationError as error:
                yield Problem(("spec",), f"failed to allocate a healthCheckNodePort: {error}")

    # --- addresses ----------------------------------------------------------------------------------------------

    def _families(self, spec: Draft) -> Iterator[Problem]:
        headless_without_selector = spec.get("clusterIP") == "None" and not spec.get("selector")
        if not spec.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = "RequireDualStack" if headless_without_selector else "SingleStack"
        families: list[str] = list(spec.get("ipFamilies") or ())
        given = [text for text in spec.get("clusterIPs", ()) if text != "None"]
        families += [family_of(parse_address(text)).kubernetes for text in given[len(families) :]]
        single = spec["ipFamilyPolicy"] == "SingleStack"
        if single and max(len(given), len(families)) > 1 and not headless_without_selector:
            why = (
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple cluster IPs or IP families are specified"
            )
            yield invalid(("spec", "ipFamilyPolicy"), "SingleStack", why)
        families = families or [next(iter(self.addresses))]
        if not single and len(families) == 1 and (headless_without_selector or len(self.addresses) == 2):
            families.append(_OTHER[families[0]])
        spec["ipFamilies"] = families
        if not headless_without_selector:
            yield from self._configured(spec, families)

    def _configured(self, spec: Draft, families: Sequence[str]) -> Iterator[Problem]:
        ranges = " and ".join(str(pool.cidr) for pool in self.addresses.values())
        advice = f"the cluster's serviceCIDR is {ranges}; a dual-stack cluster has one of each family"
        if spec["ipFamilyPolicy"] == "RequireDualStack" and len(self.addresses) < 2:
            why = "this cluster is not configured for dual-stack services"
            yield invalid(("spec", "ipFamilyPolicy"), "RequireDualStack", why, advice)
        for index, family in enumerate(families):
            if family not in self.addresses:
                path: Path = ("spec", "ipFamilies", index)
                yield invalid(path, family, "not configured on this cluster", advice)

    def _reserve_address(self, key: Key, index: int, text: str) -> Iterator[Problem]:
        address = parse_address(text)
        path: Path = ("spec", "clusterIP") if index == 0 else ("spec", "clusterIPs", index)
        pool = self.addresses.get(family_of(address).kubernetes)
        if pool is None:
            return
        if key == KUBERNETES_SERVICE and address == pool.cidr.network_address + 1:
            return
        try:
            pool.reserve(address, key)
        except AllocationError as error:
            advice = "leave clusterIP out to have a free one allocated" if address in pool.cidr else ""
            advice = advice or f"choose an address of {pool.cidr}, or set spec.serviceCIDR in the Cluster document"
            yield Problem(path, str(error), advice)

    def _allocate_addresses(self, key: Key, spec: Draft) -> Iterator[Problem]:
        addresses: list[str] = spec.setdefault("clusterIPs", [])
        for family in spec["ipFamilies"][len(addresses) :]:
            pool = self.addresses.get(family)
            if pool is None:
                return
            try:
                addresses.append(str(pool.allocate(key)))
            except AllocationError as error:
                advice = "give the Cluster document a larger serviceCIDR"
                yield Problem(("spec",), f"failed to allocate a clusterIP from {pool.cidr}: {error}", advice)
                return
        if addresses:
            spec["clusterIP"] = addresses[0]

    # --- ports --------------------------------------------------------------------------------------------------

    def _reserve_ports(self, key: Key, spec: Draft) -> Iterator[Problem]:
        by_port: dict[int, int] = {}
        for index, port in enumerate(spec.get("ports", ())):
            number = port.get("nodePort")
            if number and spec["type"] in {"NodePort", "LoadBalancer"}:
                path: Path = ("spec", "ports", index, "nodePort")
                if number in by_port.values() and by_port.get(port["port"]) != number:
                    yield Problem(
                        path, f"nodePort {number} is already allocated to another port of this Service", _LEAVE_OUT
                    )
                else:
                    yield from self._reserve_port(key, number, path)
                by_port[port["port"]] = number
        number = spec.get("healthCheckNodePort")
        if number and _needs_health_check(spec):
            if number in by_port.values():
                yield Problem(
                    ("spec", "healthCheckNodePort"),
                    f"nodePort {number} is already allocated to this Service",
                    _LEAVE_OUT,
                )
                return
            yield from self._reserve_port(key, number, ("spec", "healthCheckNodePort"))

    def _reserve_port(self, key: Key, number: int, path: Path) -> Iterator[Problem]:
        try:
            self.ports.reserve(number, key)
        except AllocationError as error:
            yield Problem(path, str(error), _LEAVE_OUT)

    def _allocate_ports(self, key: Key, spec: Draft) -> Iterator[Problem]:
        ports = spec.get("ports", ())
        shared: dict[int, int] = {}
        for port in ports:
            if port.get("nodePort"):
                shared.setdefault(port["port"], port["nodePort"])
        for index, port in enumerate(ports):
            if not port.get("nodePort"):
                try:
                    port["nodePort"] = shared.get(port["port"]) or self.ports.allocate(key)
                except AllocationError as error:
                    yield Problem(("spec", "ports", index), f"failed to allocate a nodePort: {error}")
                    return
                shared[port["port"]] = port["nodePort"]


_LEAVE_OUT = "leave it out to have a free one allocated from 30000-32767"


def _has_node_ports(spec: Draft) -> bool:
    if spec["type"] == "LoadBalancer":
        return bool(spec.get("allocateLoadBalancerNodePorts", True))
    return bool(spec["type"] == "NodePort")


def _needs_health_check(spec: Draft) -> bool:
    return bool(spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")
