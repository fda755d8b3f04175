"""What loads but does not work: Services whose selector or target port finds nothing. Each is a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from netsim.objects.core import Pod, Service, ServicePortSpec
from netsim.objects.listen import PROTOCOLS, pod_listens
from netsim.objects.meta import Object
from netsim.objects.path import Problem
from netsim.objects.workload import WORKLOADS, workload_of


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A pod, or the pod that a workload makes."""

    name: str
    namespace: str
    pod: Pod


def service_warnings(objects: Sequence[Object]) -> Iterator[tuple[int, Problem]]:
    """Findings by the index of the Service. Objects have the API server's defaults."""
    candidates = [found for item in objects if (found := _candidate(item)) is not None]
    for index, item in enumerate(objects):
        if item.kind != "Service":
            continue
        service = Service.of(item)
        if service.spec.selector and service.spec.type != "ExternalName":
            near = [found for found in candidates if found.namespace == item.metadata.namespace]
            for problem in _check(service, near):
                yield index, problem


def _candidate(item: Object) -> _Candidate | None:
    name = f"{item.kind} {item.metadata.name}"
    if item.kind == "Pod":
        return _Candidate(name, item.metadata.namespace, Pod.of(item))
    if item.kind in WORKLOADS:
        template = workload_of(item).spec.template
        return _Candidate(name, item.metadata.namespace, Pod(template.metadata, template.spec))
    return None


def _check(service: Service, candidates: Sequence[_Candidate]) -> Iterator[Problem]:
    selector = service.spec.selector
    selected = [found for found in candidates if _matches(selector, found.pod.metadata.labels)]
    if not selected:
        wanted = _labels(selector)
        message = f"no pod of namespace {service.metadata.namespace} has the labels {wanted}"
        yield Problem(("spec", "selector"), message, _nearest_labels(selector, candidates))
        return
    for index, port in enumerate(service.spec.ports):
        problem = _check_port(port, index, selected)
        if problem is not None:
            yield problem


def _check_port(port: ServicePortSpec, index: int, selected: Sequence[_Candidate]) -> Problem | None:
    target = port.target_port if port.target_port is not None else port.port
    path = ("spec", "ports", index, "targetPort")
    names = ", ".join(found.name for found in selected[:3])
    if isinstance(target, str):
        declared = [c for found in selected for c in _container_ports(found.pod) if c[1] == port.protocol]
        if any(name == target for name, _, _ in declared):
            return None
        known = sorted({name for name, _, _ in declared if name})
        listed = ", ".join(known) or "none"
        return Problem(path, f'no selected pod has a port named "{target}"', f"{names}: named ports are {listed}")
    protocol = PROTOCOLS[port.protocol]
    listens = [listen for found in selected for listen in pod_listens(found.pod)]
    if (protocol, target) in listens:
        return None
    known = [f"{number}/{name.name}" for name, number in sorted(set(listens))]
    listed = ", ".join(known) or "no port (a pod listens on its containerPorts, or on what netsim.io/listen says)"
    return Problem(path, f"no selected pod listens on {target}/{port.protocol}", f"{names}: listens on {listed}")


def _container_ports(pod: Pod) -> Iterator[tuple[str, str, int]]:
    for container in (*pod.spec.init_containers, *pod.spec.containers):
        for port in container.ports:
            yield port.name, port.protocol, port.container_port


def _matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in selector.items())


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _nearest_labels(selector: Mapping[str, str], candidates: Sequence[_Candidate]) -> str:
    """The pod whose labels agree most with the selector."""
    if not candidates:
        return "the namespace has no pods"
    ranked = sorted(candidates, key=lambda found: (-_agreement(selector, found.pod.metadata.labels), found.name))
    labels = ranked[0].pod.metadata.labels
    return f"{ranked[0].name} has {_labels(labels)}" if labels else f"{ranked[0].name} has no labels"


def _agreement(selector: Mapping[str, str], labels: Mapping[str, str]) -> int:
    """An equal label counts twice as much as one with another value."""
    return sum((key in labels) + (labels.get(key) == value) for key, value in selector.items())
