"""Services. Ref: pkg/apis/core/validation/validation.go:ValidateService() (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.objects.core import Service, ServicePortSpec, ServiceSpec
from netsim.objects.json import Json
from netsim.objects.listen import PROTOCOLS
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import duplicate, forbidden, invalid, required, unsupported
from netsim.objects.validation.metadata import check_labels

_WORDS: Mapping[str, tuple[str, ...]] = {
    "type": ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort"),
    "sessionAffinity": ("ClientIP", "None"),
    "internalTrafficPolicy": ("Cluster", "Local"),
    "externalTrafficPolicy": ("Cluster", "Local"),
    "ipFamilyPolicy": ("PreferDualStack", "RequireDualStack", "SingleStack"),
    "trafficDistribution": ("PreferClose", "PreferSameNode", "PreferSameZone"),
}
_MAX_AFFINITY_SECONDS = 86400
_KUBELET_PORT = 10250


def check_service(item: Object) -> Iterator[Problem]:
    """Everything that is wrong with one Service by itself; what is allocated is checked in netsim.objects.allocation."""
    spec = Service.of(item).spec
    given = item.document.get("spec")
    raw: Mapping[str, Json] = given if isinstance(given, Mapping) else {}
    yield from _check_words(raw)
    yield from _check_ports(spec)
    yield from check_labels(spec.selector, ("spec", "selector"))
    yield from _check_external_name(spec)
    yield from _check_cluster_ips(spec)
    yield from _check_affinity(spec, raw)
    yield from _check_external(spec, raw)
    yield from _check_load_balancer(spec, raw)
    yield from _check_status(Service.of(item))


def _check_words(raw: Mapping[str, Json]) -> Iterator[Problem]:
    for name, words in _WORDS.items():
        value = raw.get(name)
        if isinstance(value, str) and value and value not in words:
            yield unsupported(("spec", name), value, words)


# --- ports ------------------------------------------------------------------------------------------------------


def _check_ports(spec: ServiceSpec) -> Iterator[Problem]:
    if not spec.ports and spec.cluster_ip != "None" and spec.type != "ExternalName":
        yield required(
            ("spec", "ports"), advice="a Service without ports reaches nothing; only a headless one may have none"
        )
    names_seen: set[str] = set()
    numbers_seen: set[tuple[str, int]] = set()
    node_ports_seen: set[tuple[str, int]] = set()
    for index, port in enumerate(spec.ports):
        path: Path = ("spec", "ports", index)
        yield from _check_port(port, path)
        if not port.name and len(spec.ports) > 1:
            yield required((*path, "name"), advice="a Service with several ports names each of them")
        if port.name and port.name in names_seen:
            yield duplicate((*path, "name"), port.name)
        if (port.protocol, port.port) in numbers_seen:
            yield duplicate((*path, "port"), f"{port.port}/{port.protocol}")
        if port.node_port and (port.protocol, port.node_port) in node_ports_seen:
            yield duplicate((*path, "nodePort"), port.node_port)
        if port.node_port and spec.type in {"ClusterIP", "ExternalName"}:
            why = f"may not be used when `type` is '{spec.type}'"
            yield forbidden((*path, "nodePort"), why, "set type: NodePort or LoadBalancer, or remove nodePort")
        if spec.type == "LoadBalancer" and port.port == _KUBELET_PORT:
            why = f"may not expose port {_KUBELET_PORT} externally since it is used by kubelet"
            yield invalid((*path, "port"), port.port, why)
        names_seen.add(port.name)
        numbers_seen.add((port.protocol, port.port))
        node_ports_seen.add((port.protocol, port.node_port))


def _check_port(port: ServicePortSpec, path: Path) -> Iterator[Problem]:
    if why := names.port_number(port.port):
        yield invalid((*path, "port"), port.port, why)
    if port.name and (why := names.dns1123_label(port.name)):
        yield invalid((*path, "name"), port.name, why)
    if port.protocol not in PROTOCOLS:
        yield unsupported((*path, "protocol"), port.protocol, PROTOCOLS)
    if port.node_port and (why := names.port_number(port.node_port)):
        yield invalid((*path, "nodePort"), port.node_port, why)
    target = port.target_port
    if isinstance(target, int) and target != 0 and (why := names.port_number(target)):
        yield invalid((*path, "targetPort"), target, why)
    if isinstance(target, str) and target and (why := names.port_name(target)):
        advice = f"remove the quotes: {target}" if target.isdecimal() else ""
        yield invalid((*path, "targetPort"), target, why, advice)


# --- addresses --------------------------------------------------------------------------------------------------


def _check_external_name(spec: ServiceSpec) -> Iterator[Problem]:
    if spec.type != "ExternalName":
        return
    if not spec.external_name:
        yield required(("spec", "externalName"))
    elif why := names.dns1123_subdomain(spec.external_name.removesuffix(".")):
        yield invalid(("spec", "externalName"), spec.external_name, why)
    if spec.cluster_ip:
        yield forbidden(("spec", "clusterIP"), "may not be set for ExternalName services")


def _check_cluster_ips(spec: ServiceSpec) -> Iterator[Problem]:
    if spec.cluster_ip == "None" and spec.type in {"NodePort", "LoadBalancer"}:
        yield invalid(("spec", "clusterIP"), "None", f"may not be set to 'None' for {spec.type} services")
    if spec.cluster_ips and spec.cluster_ip and spec.cluster_ips[0] != spec.cluster_ip:
        yield invalid(("spec", "clusterIPs", 0), spec.cluster_ips[0], "first value must match `clusterIP`")
    if spec.cluster_ip not in {"", "None"} and addresses.read_address(spec.cluster_ip) is None:
        yield invalid(("spec", "clusterIP"), spec.cluster_ip, "must be empty, 'None', or a valid IP address")
    if len(spec.cluster_ips) > 2:
        yield invalid(("spec", "clusterIPs"), list(spec.cluster_ips), "may only hold up to 2 values")
    for index, text in enumerate(spec.cluster_ips):
        if text == "None" and len(spec.cluster_ips) > 1:
            yield invalid(("spec", "clusterIPs"), list(spec.cluster_ips), "'None' must be the first and only value")
        elif text != "None" and text != spec.cluster_ip and (why := addresses.address(text)):
            yield invalid(("spec", "clusterIPs", index), text, why)
    for index, family in enumerate(spec.ip_families):
        if family not in {"IPv4", "IPv6"}:
            yield unsupported(("spec", "ipFamilies", index), family, ("IPv4", "IPv6"))
        elif family in spec.ip_families[:index]:
            yield duplicate(("spec", "ipFamilies", index), family)
    yield from _check_families(spec)


def _check_families(spec: ServiceSpec) -> Iterator[Problem]:
    found = [addresses.read_address(text) for text in spec.cluster_ips or (spec.cluster_ip,)]
    for index, (family, ip) in enumerate(zip(spec.ip_families, found, strict=False)):
        if ip is not None and f"IPv{ip.version}" != family:
            why = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            yield invalid(("spec", "clusterIPs", index), str(ip), why)
    versions = [ip.version for ip in found if ip is not None]
    if len(versions) == 2 and versions[0] == versions[1]:
        why = "may specify no more than one IP for each IP family"
        yield invalid(("spec", "clusterIPs"), list(spec.cluster_ips), why)
    if spec.ip_family_policy == "SingleStack" and max(len(versions), len(spec.ip_families)) == 2:
        headless_without_selector = spec.cluster_ip == "None" and not spec.selector
        if not headless_without_selector:
            what = "cluster IPs" if len(versions) == 2 else "IP families"
            why = f"must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            yield invalid(("spec", "ipFamilyPolicy"), "SingleStack", why)


# --- affinity and outside ---------------------------------------------------------------------------------------


def _check_affinity(spec: ServiceSpec, raw: Mapping[str, Json]) -> Iterator[Problem]:
    path = ("spec", "sessionAffinityConfig")
    if spec.session_affinity == "None" and raw.get("sessionAffinity") == "None" and raw.get(path[1]):
        yield forbidden(path, "must not be set when session affinity is None")
    seconds = spec.session_affinity_config.client_ip.timeout_seconds
    if spec.session_affinity == "ClientIP" and not 0 < seconds <= _MAX_AFFINITY_SECONDS:
        why = f"must be greater than 0 and less than {_MAX_AFFINITY_SECONDS}"
        yield invalid((*path, "clientIP", "timeoutSeconds"), seconds, why)


def _check_external(spec: ServiceSpec, raw: Mapping[str, Json]) -> Iterator[Problem]:
    for index, text in enumerate(spec.external_ips):
        found = addresses.read_address(text)
        why = addresses.address(text) if found is None else addresses.non_special(found)
        if why:
            yield invalid(("spec", "externalIPs", index), text, why)
    outside = spec.type in {"NodePort", "LoadBalancer"} or (spec.type == "ClusterIP" and bool(spec.external_ips))
    policy = raw.get("externalTrafficPolicy")
    if policy and not outside:
        why = "may only be set for externally-accessible services"
        yield invalid(
            ("spec", "externalTrafficPolicy"), policy, why, "it decides nothing for a ClusterIP Service; remove it"
        )
    if spec.health_check_node_port and not (spec.type == "LoadBalancer" and spec.external_traffic_policy == "Local"):
        why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        yield invalid(("spec", "healthCheckNodePort"), spec.health_check_node_port, why)


_ONLY_LOAD_BALANCER = ("allocateLoadBalancerNodePorts", "loadBalancerClass")


def _check_load_balancer(spec: ServiceSpec, raw: Mapping[str, Json]) -> Iterator[Problem]:
    if spec.type != "LoadBalancer":
        for name in _ONLY_LOAD_BALANCER:
            if raw.get(name) is not None:
                yield forbidden(("spec", name), "may only be used when `type` is 'LoadBalancer'")
        if spec.load_balancer_source_ranges:
            path = ("spec", "loadBalancerSourceRanges")
            yield forbidden(path, "may only be used when `type` is 'LoadBalancer'")
    for index, text in enumerate(spec.load_balancer_source_ranges):
        if why := addresses.cidr(text.strip()):
            yield invalid(("spec", "loadBalancerSourceRanges", index), text, why)


def _check_status(service: Service) -> Iterator[Problem]:
    for index, ingress in enumerate(service.status.load_balancer.ingress):
        path: Path = ("status", "loadBalancer", "ingress", index)
        if ingress.ip and (why := addresses.address(ingress.ip)):
            yield invalid((*path, "ip"), ingress.ip, why)
        if ingress.ip_mode not in {"VIP", "Proxy"}:
            yield unsupported((*path, "ipMode"), ingress.ip_mode, ("Proxy", "VIP"))
        if ingress.hostname and (why := names.dns1123_subdomain(ingress.hostname)):
            yield invalid((*path, "hostname"), ingress.hostname, why)
