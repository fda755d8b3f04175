"""Services. Ref: pkg/apis/core/validation/validation.go:validateService() (v1.37): its checks in its order.

What an absent field is defaulted to is good, so nothing that is absent is missed here.
"""

from __future__ import annotations

from collections.abc import Iterator

from netsim.objects.json import Document, Json
from netsim.objects.listen import PROTOCOLS
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import (
    MapKey,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    required,
    unsupported,
)
from netsim.objects.validation.metadata import check_labels
from netsim.objects.validation.parts import items_at, list_at, mapping_at, number_at, text_at, texts_at
from netsim.objects.validation.service_families import check_cluster_ips, is_headless

_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_POLICIES = ("Cluster", "Local")
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_MAX_AFFINITY_SECONDS = 86400
_ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges"


def check_service(item: Object) -> Iterator[Problem]:
    """Everything that is wrong with one Service by itself; what is allocated is checked in netsim.objects.allocation."""
    spec = mapping_at(item.document, "spec")
    kind = text_at(spec, "type", "ClusterIP")
    yield from _check_annotations(item)
    yield from _check_type(spec, kind)
    yield from _check_ports(spec)
    yield from check_labels(texts_at(spec, "selector"), ("spec", "selector"))
    yield from _check_affinity(spec)
    if kind != "ExternalName":
        yield from check_cluster_ips(spec)
    for index, text in enumerate(list_at(spec, "externalIPs")):
        reasons = addresses.address(str(text)) or addresses.non_special(str(text))
        yield from each_invalid(("spec", "externalIPs", index), text, reasons)
    if kind not in _TYPES:
        yield unsupported(("spec", "type"), kind, _TYPES)
    yield from _check_repeated(spec, kind)
    yield from _check_load_balancer(item, spec, kind)
    yield from _check_policies(spec, kind)
    yield from _check_status(item)


def _check_annotations(item: Object) -> Iterator[Problem]:
    given = item.metadata.annotations
    if _HINTS in given and _MODE in given and given[_HINTS] != given[_MODE]:
        path: Path = ("metadata", "annotations", MapKey(_MODE))
        yield invalid(path, given[_MODE], f"must match annotations[{_HINTS}] when both are specified")


def _check_type(spec: Document, kind: str) -> Iterator[Problem]:
    """What a type needs, and what it cannot have."""
    if not list_at(spec, "ports") and not is_headless(spec) and kind != "ExternalName":
        advice = "a Service without ports reaches nothing; only a headless one may have none"
        yield required(("spec", "ports"), advice=advice)
    if kind in ("LoadBalancer", "NodePort") and is_headless(spec):
        yield invalid(("spec", "clusterIPs", 0), "None", f"may not be set to 'None' for {kind} services")
    if kind != "ExternalName":
        return
    for name in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if spec.get(name) or (name == "clusterIPs" and spec.get("clusterIP")):
            at: Path = ("spec", name)
            path = at if spec.get(name) else ("spec", "clusterIP")
            yield forbidden(path, "may not be set for ExternalName services", at=at)
    cname = text_at(spec, "externalName").removesuffix(".")
    if not cname:
        yield required(("spec", "externalName"))
    else:
        yield from each_invalid(("spec", "externalName"), cname, names.dns1123_subdomain(cname))


# --- ports ------------------------------------------------------------------------------------------------------


def _check_ports(spec: Document) -> Iterator[Problem]:
    seen: set[str] = set()
    several = len(list_at(spec, "ports")) > 1
    for path, port in items_at(spec, ("spec", "ports")):
        name = text_at(port, "name")
        if name:
            yield from each_invalid((*path, "name"), name, names.dns1123_label(name))
            if name in seen:
                yield duplicate((*path, "name"), name)
            seen.add(name)
        elif several:
            yield required((*path, "name"), advice="a Service with several ports names each of them")
        yield from _check_port(port, path)


def _check_port(port: Document, path: Path) -> Iterator[Problem]:
    number, protocol = number_at(port, "port"), text_at(port, "protocol", "TCP")
    yield from each_invalid((*path, "port"), number, names.port_number(number))
    if protocol not in PROTOCOLS:
        yield unsupported((*path, "protocol"), protocol, sorted(PROTOCOLS))
    target = port.get("targetPort") or number
    if isinstance(target, int | str):
        for why in names.port_number_or_name(target):
            advice = f"remove the quotes: {target}" if isinstance(target, str) and target.isdecimal() else ""
            yield invalid((*path, "targetPort"), target, why, advice)
    application = text_at(port, "appProtocol")
    if application:
        yield from each_invalid((*path, "appProtocol"), application, names.qualified_name(application))


def _check_repeated(spec: Document, kind: str) -> Iterator[Problem]:
    """Node ports that the type does not have; node ports and ports that are there twice for a protocol."""
    ports = tuple(items_at(spec, ("spec", "ports")))
    if kind == "ClusterIP":
        for path, port in ports:
            if port.get("nodePort"):
                why = "may not be used when `type` is 'ClusterIP'"
                yield forbidden((*path, "nodePort"), why, "set type: NodePort or LoadBalancer, or remove nodePort")
    seen: set[tuple[str, Json]] = set()
    for path, port in ports:
        number = port.get("nodePort")
        key = (text_at(port, "protocol", "TCP"), number)
        if number and key in seen:
            yield duplicate((*path, "nodePort"), number)
        seen.add(key)
    seen.clear()
    for path, port in ports:
        key = (text_at(port, "protocol", "TCP"), port.get("port"))
        if key in seen:
            # the key that the API server looks for is a whole core.ServicePort, and so it says
            told = {"Name": "", "Protocol": key[0], "AppProtocol": None, "Port": key[1], "TargetPort": 0, "NodePort": 0}
            yield duplicate(path, told)
        seen.add(key)


# --- affinity and outside ---------------------------------------------------------------------------------------


def _check_affinity(spec: Document) -> Iterator[Problem]:
    affinity = text_at(spec, "sessionAffinity", "None")
    if affinity not in ("ClientIP", "None"):
        yield unsupported(("spec", "sessionAffinity"), affinity, ("ClientIP", "None"))
    if affinity != "ClientIP":
        return
    seconds = mapping_at(mapping_at(spec, "sessionAffinityConfig"), "clientIP").get("timeoutSeconds")
    if isinstance(seconds, int) and not 0 < seconds <= _MAX_AFFINITY_SECONDS:
        path: Path = ("spec", "sessionAffinityConfig", "clientIP", "timeoutSeconds")
        yield invalid(path, seconds, f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}")


def _check_load_balancer(item: Object, spec: Document, kind: str) -> Iterator[Problem]:
    ranges = list_at(spec, "loadBalancerSourceRanges")
    # the API server's own spelling of the field
    path, at = ("spec", "loadBalancerSourceRanges"), ("spec", "LoadBalancerSourceRanges")
    if ranges and kind != "LoadBalancer":
        yield forbidden(path, _ONLY_LOAD_BALANCER, at=at)
    for index, text in enumerate(ranges):
        value = str(text).strip()
        yield from each_invalid((*path, index), value, addresses.cidr(value), at=(*at, index))
    said = item.metadata.annotations.get(_RANGES_ANNOTATION)
    if not ranges and said is not None:
        yield from _check_ranges_annotation(said, kind)
    if kind == "LoadBalancer":
        name = text_at(spec, "loadBalancerClass")
        if name:
            yield from each_invalid(("spec", "loadBalancerClass"), name, names.qualified_name(name))
        return
    for field in ("allocateLoadBalancerNodePorts", "loadBalancerClass"):
        if spec.get(field) is not None:
            yield forbidden(("spec", field), _ONLY_LOAD_BALANCER)


def _check_ranges_annotation(said: str, kind: str) -> Iterator[Problem]:
    path: Path = ("metadata", "annotations", MapKey(_RANGES_ANNOTATION))
    if kind != "LoadBalancer":
        yield forbidden(path, _ONLY_LOAD_BALANCER)
    for text in said.split(",") if said.strip() else ():
        yield from each_invalid(path, text.strip(), addresses.cidr(text.strip()))


def _check_policies(spec: Document, kind: str) -> Iterator[Problem]:
    outside = kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(list_at(spec, "externalIPs")))
    path: Path = ("spec", "externalTrafficPolicy")
    policy = text_at(spec, "externalTrafficPolicy")
    if policy and not outside:
        advice = "it decides nothing for a ClusterIP Service; remove it"
        yield invalid(path, policy, "may only be set for externally-accessible services", advice)
    elif policy and policy not in _POLICIES:
        yield unsupported(path, policy, _POLICIES)
    check = number_at(spec, "healthCheckNodePort")
    if check and not (kind == "LoadBalancer" and policy == "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid(("spec", "healthCheckNodePort"), check, why)
    elif check:
        yield from each_invalid(("spec", "healthCheckNodePort"), check, names.port_number(check))
    internal = text_at(spec, "internalTrafficPolicy", "Cluster")
    if internal not in _POLICIES:
        yield unsupported(("spec", "internalTrafficPolicy"), internal, _POLICIES)
    distribution = spec.get("trafficDistribution")
    if isinstance(distribution, str) and distribution not in _DISTRIBUTIONS:
        yield unsupported(("spec", "trafficDistribution"), distribution, _DISTRIBUTIONS)


def _check_status(item: Object) -> Iterator[Problem]:
    """Ref: ValidateLoadBalancerStatus()."""
    status = mapping_at(mapping_at(item.document, "status"), "loadBalancer")
    for path, ingress in items_at(status, ("status", "loadBalancer", "ingress")):
        ip, mode, hostname = (text_at(ingress, name) for name in ("ip", "ipMode", "hostname"))
        if ip:
            yield from each_invalid((*path, "ip"), ip, addresses.address(ip))
        if mode and not ip:
            yield forbidden((*path, "ipMode"), "may not be specified when `ip` is not set")
        elif mode and mode not in ("Proxy", "VIP"):
            yield unsupported((*path, "ipMode"), mode, ("Proxy", "VIP"))
        if hostname:
            yield from each_invalid((*path, "hostname"), hostname, names.dns1123_subdomain(hostname))
