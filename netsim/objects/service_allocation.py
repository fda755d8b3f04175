"""What an API server allocates for a Service: IP families, cluster IPs, node ports, the health-check node port.

Ref: pkg/registry/core/service/storage/alloc.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from netsim.dataclass import dataclass
from netsim.net.address import Prefix, family_of, parse_address
from netsim.objects.allocation import KUBERNETES_SERVICE, AddressPool, AllocationError, NodePortPool
from netsim.objects.meta import Key
from netsim.objects.path import Path, Problem
from netsim.objects.validation.findings import invalid
from netsim.objects.validation.service_families import check_cluster_ips

Draft: TypeAlias = dict[str, Any]

INTERNAL: Final = "Internal error occurred: "
"""How a message begins that is not about a field: the API server answers 500."""

_OTHER = {"IPv4": "IPv6", "IPv6": "IPv4"}
_POLICY: Path = ("spec", "ipFamilyPolicy")


@dataclass(slots=True)
class Allocations:
    """The pools of a cluster. ``reserve`` every Service first, then ``allocate`` each of which nothing was said."""

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

    def reserve(self, key: Key, draft: Draft, *, first: bool = False) -> Iterator[Problem]:
        """Take what a Service asks for; fill in its IP families. Says what it cannot have; ``first``: no more than the API server says."""
        spec = draft.setdefault("spec", {})
        if spec.get("type") == "ExternalName":
            return
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        problems = [*check_cluster_ips(spec)] or [*self._families(spec)]
        problems = problems or [*self._reserve_addresses(key, spec)]
        if not first or not problems:
            problems += self._reserve_ports(key, spec)
        yield from problems

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
                yield Problem(("spec",), f"{INTERNAL}failed to allocate a HealthCheck NodePort 0: {error}")

    # --- addresses ----------------------------------------------------------------------------------------------

    def _families(self, spec: Draft) -> Iterator[Problem]:
        """Ref: alloc.go:initIPFamilyFields()."""
        headless_without_selector = spec.get("clusterIP") == "None" and not spec.get("selector")
        if not spec.get("ipFamilyPolicy"):
            spec["ipFamilyPolicy"] = "RequireDualStack" if headless_without_selector else "SingleStack"
        families: list[str] = list(spec.get("ipFamilies") or ())
        problems = [*_single(spec, families), *self._inferred(spec, families)]
        if not problems and not headless_without_selector:
            problems += self._configured(spec, families)
        yield from problems
        if problems:
            return
        families = families or [next(iter(self.addresses))]
        single = spec["ipFamilyPolicy"] == "SingleStack"
        if not single and len(families) == 1 and (headless_without_selector or len(self.addresses) == 2):
            families.append(_OTHER[families[0]])
        spec["ipFamilies"] = families

    def _inferred(self, spec: Draft, families: list[str]) -> Iterator[Problem]:
        """The families of the addresses that are given, where none are."""
        ips = spec.get("clusterIPs", ())
        for index in range(len(families), len(ips)):
            if ips[0] == "None":
                return
            family = family_of(parse_address(ips[index])).kubernetes
            if family in self.addresses:
                families.append(family)
            else:
                at: Path = ("spec", "clusterIPs", index)
                path = ("spec", "clusterIP") if index == 0 else at
                yield invalid(path, ips, f"{family} is not configured on this cluster", self._advice(), at=at)

    def _configured(self, spec: Draft, families: Sequence[str]) -> Iterator[Problem]:
        if spec["ipFamilyPolicy"] == "RequireDualStack" and len(self.addresses) < 2:
            why = "this cluster is not configured for dual-stack services"
            yield invalid(_POLICY, "RequireDualStack", why, self._advice())
        for index, family in enumerate(families):
            if family not in self.addresses:
                path: Path = ("spec", "ipFamilies", index)
                yield invalid(path, family, "not configured on this cluster", self._advice())

    def _advice(self) -> str:
        ranges = " and ".join(str(pool.cidr) for pool in self.addresses.values())
        return f"the cluster's serviceCIDR is {ranges}; a dual-stack cluster has one of each family"

    def _reserve_addresses(self, key: Key, spec: Draft) -> Iterator[Problem]:
        ips = list(spec.get("clusterIPs", ()))
        if ips == ["None"]:
            return
        for index, text in enumerate(ips):
            address = parse_address(text)
            pool = self.addresses[family_of(address).kubernetes]
            if key == KUBERNETES_SERVICE and address == pool.cidr.network_address + 1:
                continue
            try:
                pool.reserve(address, key)
            except AllocationError as error:
                given = [*ips, *[""] * (len(spec["ipFamilies"]) - len(ips))]
                path: Path = ("spec", "clusterIP") if index == 0 else ("spec", "clusterIPs", index)
                at: Path = ("spec", "clusterIPs")
                why = f"failed to allocate IP {text}: {error}"
                yield invalid(path, given, why, _address_advice(error, pool), at=at)
                return

    def _allocate_addresses(self, key: Key, spec: Draft) -> Iterator[Problem]:
        addresses: list[str] = spec.setdefault("clusterIPs", [])
        for family in spec["ipFamilies"][len(addresses) :]:
            try:
                addresses.append(str(self.addresses[family].allocate(key)))
            except AllocationError as error:
                advice = "give the Cluster document a larger serviceCIDR"
                text = f'{INTERNAL}failed to allocate a serviceIP for Service "{key.name}": {error}'
                yield Problem(("spec",), text, advice)
                return
        if addresses:
            spec["clusterIP"] = addresses[0]

    # --- ports --------------------------------------------------------------------------------------------------

    def _reserve_ports(self, key: Key, spec: Draft) -> Iterator[Problem]:
        """Ref: alloc.go:initNodePorts(): a number that two ports of one port number share is taken once."""
        taken: set[int] = set()
        by_port: dict[int, int] = {}
        for index, port in enumerate(spec.get("ports", ()) if spec["type"] in {"NodePort", "LoadBalancer"} else ()):
            asked = by_port.get(port["port"])
            number = port.get("nodePort") or (asked is None and _asked_for(port["port"], spec["ports"]))
            if number and number != asked:
                path: Path = ("spec", "ports", index, "nodePort")
                why, advice = self._reserve_port(key, number, taken)
                if why:
                    yield invalid(path, number, why, advice)
                    return
                by_port.setdefault(port["port"], number)
        number = spec.get("healthCheckNodePort")
        if number and _needs_health_check(spec):
            why, advice = self._reserve_port(key, number, taken)
            if why:
                text = f"{INTERNAL}failed to allocate requested HealthCheck NodePort {number}: {why}"
                yield Problem(("spec", "healthCheckNodePort"), text, advice)

    def _reserve_port(self, key: Key, number: int, taken: set[int]) -> tuple[str, str]:
        """Why a port cannot be had, and what to do; two empty texts where it can."""
        try:
            if number in taken:
                raise AllocationError("provided port is already allocated", key)
            self.ports.reserve(number, key)
        except AllocationError as error:
            return str(error), _held(error) + _LEAVE_OUT
        taken.add(number)
        return "", ""

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
                    yield Problem(("spec", "ports", index), f"{INTERNAL}failed to allocate a nodePort: {error}")
                    return
                shared[port["port"]] = port["nodePort"]


_LEAVE_OUT = "leave it out to have a free one allocated from 30000-32767"


def _single(spec: Draft, families: Sequence[str]) -> Iterator[Problem]:
    counts = {"cluster IPs": len(spec.get("clusterIPs", ())), "IP families": len(families)}
    for what, count in counts.items():
        if spec["ipFamilyPolicy"] == "SingleStack" and count == 2:
            why = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            yield invalid(_POLICY, "SingleStack", why)


def _held(error: AllocationError) -> str:
    return f"{error.holder.namespace}/{error.holder.name} has it; " if error.holder else ""


def _address_advice(error: AllocationError, pool: AddressPool) -> str:
    if error.holder:
        return f"{_held(error)}leave clusterIP out to have a free one allocated"
    return f"choose an address of {pool.cidr}, or set spec.serviceCIDR in the Cluster document"


def _asked_for(number: int, ports: Sequence[Draft]) -> int:
    """The first node port that is asked for with a port number."""
    return next((port["nodePort"] for port in ports if port["port"] == number and port.get("nodePort")), 0)


def _has_node_ports(spec: Draft) -> bool:
    if spec["type"] == "LoadBalancer":
        return bool(spec.get("allocateLoadBalancerNodePorts", True))
    return bool(spec["type"] == "NodePort")


def _needs_health_check(spec: Draft) -> bool:
    return bool(spec["type"] == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local")
