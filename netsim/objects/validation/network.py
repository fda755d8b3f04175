"""EndpointSlices, Endpoints and Nodes. Ref: pkg/apis/discovery/validation, pkg/apis/core/validation (v1.37)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from netsim.objects.json import Document
from netsim.objects.listen import PROTOCOLS
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import (
    duplicate,
    each_invalid,
    invalid,
    required,
    too_many,
    unsupported,
)
from netsim.objects.validation.parts import items_at, list_at, mapping_at, number_at, text_at
from netsim.objects.validation.scheduling import check_taints

_MOST_ADDRESSES, _MOST_PORTS, _MOST_ENDPOINTS = 100, 20_000, 1000
_ADDRESS_TYPES: Final = ("FQDN", "IPv4", "IPv6")
_PROTOCOLS: Final = tuple(sorted(PROTOCOLS))


# --- EndpointSlice ----------------------------------------------------------------------------------------------


def check_endpoint_slice(item: Object) -> Iterator[Problem]:
    """An EndpointSlice: its addresses are of its type, its ports have names of their own. Ref: ValidateEndpointSlice()."""
    document = item.document
    kind = text_at(document, "addressType")
    yield from _check_slice_ports(document)
    endpoints = list_at(document, "endpoints")
    if len(endpoints) > _MOST_ENDPOINTS:
        yield too_many(("endpoints",), len(endpoints), _MOST_ENDPOINTS)
    else:
        for path, endpoint in items_at(document, ("endpoints",)):
            yield from _check_endpoint(endpoint, kind, path)
    # what is declared beside the fields is told after what is programmed
    if not kind:
        yield required(("addressType",))
    elif kind not in _ADDRESS_TYPES:
        yield unsupported(("addressType",), kind, _ADDRESS_TYPES)
    for path, endpoint in items_at(document, ("endpoints",)):
        given = list_at(endpoint, "addresses")
        if not given:
            yield required((*path, "addresses"))
        elif len(given) > _MOST_ADDRESSES:
            yield too_many((*path, "addresses"), len(given), _MOST_ADDRESSES)


def _check_slice_ports(document: Document) -> Iterator[Problem]:
    ports = list_at(document, "ports")
    if len(ports) > _MOST_PORTS:
        yield too_many(("ports",), len(ports), _MOST_PORTS)
        return
    seen: set[str] = set()
    for path, port in items_at(document, ("ports",)):
        name, protocol = text_at(port, "name"), text_at(port, "protocol", "TCP")
        if name:
            yield from each_invalid((*path, "name"), name, names.dns1123_label(name))
        if name in seen:
            yield duplicate((*path, "name"), name)
        seen.add(name)
        if protocol not in PROTOCOLS:
            yield unsupported((*path, "protocol"), protocol, _PROTOCOLS)
        application = text_at(port, "appProtocol")
        if application:
            yield from each_invalid((*path, "appProtocol"), application, names.qualified_name(application))


def _check_endpoint(endpoint: Document, kind: str, path: Path) -> Iterator[Problem]:
    for index, text in enumerate(list_at(endpoint, "addresses")):
        yield from _check_address(str(text), kind, (*path, "addresses", index))
    for name, rule in (("nodeName", names.dns1123_subdomain), ("hostname", names.dns1123_label)):
        value = endpoint.get(name)
        if isinstance(value, str):
            yield from each_invalid((*path, name), value, rule(value))
    hints = mapping_at(endpoint, "hints")
    for group, rule in (("forZones", names.label_value), ("forNodes", names.dns1123_subdomain)):
        for where, hint in items_at(hints, (*path, "hints", group)):
            name = text_at(hint, "name")
            yield from each_invalid((*where, "name"), name, rule(name))


def _check_address(text: str, kind: str, path: Path) -> Iterator[Problem]:
    if kind == "FQDN":
        name = text.removesuffix(".")
        wrong = names.dns1123_subdomain(name)
        if not wrong and "." not in name:
            wrong = ("should be a domain with at least two segments separated by dots",)
        yield from each_invalid(path, name, (",".join(wrong),) if wrong else ())
    elif kind in ("IPv4", "IPv6"):
        reasons = addresses.address(text) if kind == "IPv4" else addresses.strict_address(text)
        yield from each_invalid(path, text, reasons)
        found = addresses.read_address(text)
        if not reasons and found is not None:
            if f"IPv{found.version}" != kind:
                yield invalid(path, text, f"must be an {kind} address", at=path[:-1])
            yield from each_invalid(path, text, addresses.non_special(text))


# --- Endpoints --------------------------------------------------------------------------------------------------


def check_endpoints(item: Object) -> Iterator[Problem]:
    """Endpoints (v1): addresses and ports of each subset. Ref: validateEndpointSubsets()."""
    for path, subset in items_at(item.document, ("subsets",)):
        if not list_at(subset, "addresses") and not list_at(subset, "notReadyAddresses"):
            yield required(path, "must specify `addresses` or `notReadyAddresses`")
        for group in ("addresses", "notReadyAddresses"):
            for where, entry in items_at(subset, (*path, group)):
                text = text_at(entry, "ip")
                reasons = (*addresses.address(text), *addresses.non_special(text))
                yield from each_invalid((*where, "ip"), text, reasons)
        several = len(list_at(subset, "ports")) > 1
        for where, port in items_at(subset, (*path, "ports")):
            yield from _check_endpoint_port(port, where, several=several)


def _check_endpoint_port(port: Document, path: Path, *, several: bool) -> Iterator[Problem]:
    name, number, protocol = text_at(port, "name"), number_at(port, "port"), text_at(port, "protocol", "TCP")
    if name:
        yield from each_invalid((*path, "name"), name, names.dns1123_label(name))
    elif several:
        yield required((*path, "name"))
    yield from each_invalid((*path, "port"), number, names.port_number(number))
    if protocol not in PROTOCOLS:
        yield unsupported((*path, "protocol"), protocol, _PROTOCOLS)


# --- Node -------------------------------------------------------------------------------------------------------


def check_node(item: Object) -> Iterator[Problem]:
    """A Node: its taints, pod CIDRs and addresses. Ref: ValidateNode()."""
    spec = mapping_at(item.document, "spec")
    yield from check_taints(spec, ("spec", "taints"), ("metadata", "taints"))
    given = [str(text) for text in list_at(spec, "podCIDRs")]
    alone = text_at(spec, "podCIDR")
    if alone and (not given or given[0] != alone):
        # the singular field decides. Ref: pkg/apis/core/v1/conversion.go
        given = [alone]
    path: Path = ("spec", "podCIDRs")
    wrong = False
    for index, text in enumerate(given):
        where: Path = ("spec", "podCIDR") if given == [alone] else (*path, index)
        for why in addresses.cidr(text):
            wrong = True
            yield invalid(where, text, why, _right(text), at=(*path, index))
    versions = {ipaddress.ip_interface(text).version for text in given} if not wrong else set()
    if len(given) > 1 and (len(given) > 2 or len(versions) < 2) and not wrong:
        yield invalid(path, given, "may specify no more than one CIDR for each IP family")
    for where, address in items_at(mapping_at(item.document, "status"), ("status", "addresses")):
        text = text_at(address, "address")
        if text_at(address, "type").endswith("IP"):
            yield from each_invalid((*where, "address"), text, addresses.address(text))


def _right(text: str) -> str:
    """What a prefix with host bits was meant to be."""
    try:
        return f"write {ipaddress.ip_network(text, strict=False)}" if "/" in text else ""
    except ValueError:
        return ""
