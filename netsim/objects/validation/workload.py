"""Pods and what makes them. Ref: pkg/apis/core/validation:ValidatePodSpec(), pkg/apis/apps/validation (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netsim.objects.core import Container, ContainerPort, Pod, PodSpec
from netsim.objects.listen import LISTEN_ANNOTATION, PROTOCOLS, ListenError, parse_listen
from netsim.objects.meta import Object, ObjectMeta
from netsim.objects.path import Path, Problem
from netsim.objects.script import EXIT_ANNOTATION, PROBE_ANNOTATION, ScriptError, parse_exits, parse_failures
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import duplicate, invalid, required, unsupported
from netsim.objects.validation.metadata import check_labels
from netsim.objects.workload import LabelSelector, workload_of


def check_pod(item: Object) -> Iterator[Problem]:
    """A Pod: its containers, its ports and the annotation that says what it listens on."""
    pod = Pod.of(item)
    yield from _check_spec(pod.spec, ("spec",))
    yield from _check_annotations(pod.metadata, ("metadata",))
    for index, entry in enumerate(pod.status.pod_ips):
        if why := addresses.address(entry.ip):
            yield invalid(("status", "podIPs", index, "ip"), entry.ip, why)
    if pod.status.pod_ip and (why := addresses.address(pod.status.pod_ip)):
        yield invalid(("status", "podIP"), pod.status.pod_ip, why)


def check_workload(item: Object) -> Iterator[Problem]:
    """A workload: its pod template, and that its selector selects the pods it makes."""
    workload = workload_of(item)
    spec = workload.spec
    if spec.replicas < 0:
        yield invalid(("spec", "replicas"), spec.replicas, "must be greater than or equal to 0")
    template: Path = ("spec", "template")
    yield from check_labels(spec.template.metadata.labels, (*template, "metadata", "labels"))
    yield from _check_spec(spec.template.spec, (*template, "spec"))
    yield from _check_annotations(spec.template.metadata, (*template, "metadata"))
    if item.kind != "Job" and spec.selector is not None:
        yield from _check_selector(spec.selector, spec.template.metadata.labels)


def _check_selector(selector: LabelSelector, labels: Mapping[str, str]) -> Iterator[Problem]:
    path: Path = ("spec", "selector")
    if not selector.match_labels and not selector.match_expressions:
        yield invalid(path, {}, "empty selector is invalid for a workload")
        return
    yield from check_labels(selector.match_labels, (*path, "matchLabels"))
    for index, requirement in enumerate(selector.match_expressions):
        if requirement.operator not in {"In", "NotIn", "Exists", "DoesNotExist"}:
            where = (*path, "matchExpressions", index, "operator")
            yield unsupported(where, requirement.operator, ("In", "NotIn", "Exists", "DoesNotExist"))
    if not selector.matches(labels):
        wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.match_labels.items()))
        advice = f"give the template the labels that the selector asks for: {wanted}" if wanted else ""
        why = "`selector` does not match template `labels`"
        yield invalid(("spec", "template", "metadata", "labels"), dict(labels), why, advice)


# The annotations that say what a pod's programs do: how each is read, and an example.
_ANNOTATIONS: Mapping[str, tuple[Callable[[str], object], str]] = {
    LISTEN_ANNOTATION: (parse_listen, "8080/tcp,53/udp; empty text listens on nothing"),
    PROBE_ANNOTATION: (parse_failures, "readiness=fail@30s-60s, app/liveness=fail@2m"),
    EXIT_ANNOTATION: (parse_exits, "1@10s, migrate=0@5s"),
}


def _check_annotations(metadata: ObjectMeta, path: Path) -> Iterator[Problem]:
    for name, (parse, example) in _ANNOTATIONS.items():
        said = metadata.annotations.get(name)
        try:
            parse(said or "")
        except (ListenError, ScriptError) as error:
            yield invalid((*path, "annotations", name), said, str(error), f"for example {example}")


# --- containers -------------------------------------------------------------------------------------------------


def _check_spec(spec: PodSpec, path: Path) -> Iterator[Problem]:
    if not spec.containers:
        yield required((*path, "containers"))
    seen: set[str] = set()
    host_ports: set[tuple[str, str, int]] = set()
    for group, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for index, container in enumerate(containers):
            where = (*path, group, index)
            yield from _check_container(container, where)
            if container.name in seen:
                yield duplicate((*where, "name"), container.name)
            seen.add(container.name)
            for number, port in enumerate(container.ports):
                yield from _check_host_port(port, (*where, "ports", number), host_ports, host_network=spec.host_network)
    if spec.node_name and (why := names.dns1123_subdomain(spec.node_name)):
        yield invalid((*path, "nodeName"), spec.node_name, why)


def _check_container(container: Container, path: Path) -> Iterator[Problem]:
    if not container.name:
        yield required((*path, "name"))
    elif why := names.dns1123_label(container.name):
        yield invalid((*path, "name"), container.name, why)
    port_names: set[str] = set()
    for index, port in enumerate(container.ports):
        where = (*path, "ports", index)
        if why := names.port_number(port.container_port):
            yield invalid((*where, "containerPort"), port.container_port, why)
        if port.protocol not in PROTOCOLS:
            yield unsupported((*where, "protocol"), port.protocol, PROTOCOLS)
        if port.name and (why := names.port_name(port.name)):
            yield invalid((*where, "name"), port.name, why)
        if port.name and port.name in port_names:
            yield duplicate((*where, "name"), port.name)
        port_names.add(port.name)


def _check_host_port(
    port: ContainerPort, path: Path, seen: set[tuple[str, str, int]], *, host_network: bool
) -> Iterator[Problem]:
    if port.host_ip and (why := addresses.address(port.host_ip)):
        yield invalid((*path, "hostIP"), port.host_ip, why)
    if not port.host_port:
        return
    if why := names.port_number(port.host_port):
        yield invalid((*path, "hostPort"), port.host_port, why)
    elif host_network and port.host_port != port.container_port:
        why = "must match `containerPort` when `hostNetwork` is true"
        yield invalid((*path, "hostPort"), port.host_port, why)
    key = (port.protocol, port.host_ip, port.host_port)
    if key in seen:
        yield duplicate((*path, "hostPort"), f"{port.host_port}/{port.protocol}")
    seen.add(key)
