"""EndpointSlices, Endpoints and Nodes. Ref: pkg/apis/discovery/validation, pkg/apis/core/validation (v1.37)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence

from netsim.objects.core import EndpointPort, EndpointSlice, Node, SliceEndpoint
from netsim.objects.json import Json
from netsim.objects.listen import PROTOCOLS
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import duplicate, invalid, required, unsupported

_MAX_ADDRESSES = 100
_ADDRESS_TYPES = ("FQDN", "IPv4", "IPv6")


def check_endpoint_slice(item: Object) -> Iterator[Problem]:
    """An EndpointSlice: its addresses are of its type, its ports have names of their own."""
    found = EndpointSlice.of(item)
    if found.address_type not in _ADDRESS_TYPES:
        yield unsupported(("addressType",), found.address_type, _ADDRESS_TYPES)
        return
    for index, endpoint in enumerate(found.endpoints):
        yield from _check_endpoint(endpoint, found.address_type, ("endpoints", index))
    seen: set[str] = set()
    for index, port in enumerate(found.ports):
        yield from _check_port(port, ("ports", index))
        if port.name in seen:
            yield duplicate(("ports", index, "name"), port.name)
        seen.add(port.name)


def _check_endpoint(endpoint: SliceEndpoint, address_type: str, path: Path) -> Iterator[Problem]:
    if not endpoint.addresses:
        yield required((*path, "addresses"), "must contain at least 1 address")
    if len(endpoint.addresses) > _MAX_ADDRESSES:
        yield Problem((*path, "addresses"), f"addresses: Too many: must have at most {_MAX_ADDRESSES} items")
    for index, text in enumerate(endpoint.addresses):
        if why := _address_problem(text, address_type):
            yield invalid((*path, "addresses", index), text, why)
    if endpoint.node_name and (why := names.dns1123_subdomain(endpoint.node_name)):
        yield invalid((*path, "nodeName"), endpoint.node_name, why)


def _address_problem(text: str, address_type: str) -> str | None:
    if address_type == "FQDN":
        return names.dns1123_subdomain(text.removesuffix("."))
    found = addresses.read_address(text)
    if found is None or f"IPv{found.version}" != address_type:
        return f"must be a valid {address_type} address"
    return addresses.non_special(found)


def _check_port(port: EndpointPort, path: Path) -> Iterator[Problem]:
    if port.name and (why := names.dns1123_label(port.name)):
        yield invalid((*path, "name"), port.name, why)
    if port.protocol not in PROTOCOLS:
        yield unsupported((*path, "protocol"), port.protocol, PROTOCOLS)
    if port.port is not None and (why := names.port_number(port.port)):
        yield invalid((*path, "port"), port.port, why)


def check_endpoints(item: Object) -> Iterator[Problem]:
    """Endpoints (v1): addresses and ports of each subset."""
    for path, subset in _each(item.document.get("subsets"), ("subsets",)):
        for group in ("addresses", "notReadyAddresses"):
            for where, entry in _each(subset.get(group), (*path, group)):
                text = str(entry.get("ip", ""))
                found = addresses.read_address(text)
                why = addresses.address(text) if found is None else addresses.non_special(found)
                if why:
                    yield invalid((*where, "ip"), text, why)
        for where, entry in _each(subset.get("ports"), (*path, "ports")):
            number = entry.get("port")
            if isinstance(number, int) and (why := names.port_number(number)):
                yield invalid((*where, "port"), number, why)


def _each(value: Json, path: Path) -> Iterator[tuple[Path, Mapping[str, Json]]]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        for index, entry in enumerate(value):
            if isinstance(entry, Mapping):
                yield (*path, index), entry


def check_node(item: Object) -> Iterator[Problem]:
    """A Node: its pod CIDRs and addresses."""
    node = Node.of(item)
    cidrs = node.spec.pod_cidrs
    if cidrs and node.spec.pod_cidr and cidrs[0] != node.spec.pod_cidr:
        yield invalid(("spec", "podCIDRs", 0), cidrs[0], "first value must match `podCIDR`")
    given: tuple[tuple[Path, str], ...] = tuple((("spec", "podCIDRs", i), text) for i, text in enumerate(cidrs))
    if not cidrs and node.spec.pod_cidr:
        given = ((("spec", "podCIDR"), node.spec.pod_cidr),)
    for path, text in given:
        if why := addresses.cidr(text):
            yield invalid(path, text, why)
        elif text != (right := str(ipaddress.ip_network(text, strict=False))):
            yield invalid(path, text, "has host bits set", f"write {right}")
    for index, address in enumerate(node.status.addresses):
        if address.type.endswith("IP") and (why := addresses.address(address.address)):
            yield invalid(("status", "addresses", index, "address"), address.address, why)
    for index, taint in enumerate(node.spec.taints):
        if taint.effect not in {"NoSchedule", "PreferNoSchedule", "NoExecute"}:
            where = ("spec", "taints", index, "effect")
            yield unsupported(where, taint.effect, ("NoSchedule", "PreferNoSchedule", "NoExecute"))
