"""What loads but does not work: Services whose selector or target port finds nothing. Each is a warning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netsim.dataclass import dataclass
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
    candidates = _Candidates([found for item in objects if (found := _candidate(item)) is not None])
    for index, item in enumerate(objects):
        if item.kind != "Service":
            continue
        service = Service.of(item)
        if service.spec.selector and service.spec.type != "ExternalName":
            for problem in _check(service, candidates):
                yield index, problem


class _Candidates:
    """All pods that are or will be, found by their labels."""

    def __init__(self, candidates: Sequence[_Candidate]) -> None:
        self._by_namespace: dict[str, list[_Candidate]] = {}
        self._by_label: dict[tuple[str, str, str], list[_Candidate]] = {}
        for found in candidates:
            self._by_namespace.setdefault(found.namespace, []).append(found)
            for key, value in found.pod.metadata.labels.items():
                self._by_label.setdefault((found.namespace, key, value), []).append(found)

    def of_namespace(self, namespace: str) -> Sequence[_Candidate]:
        """All of a namespace."""
        return self._by_namespace.get(namespace, [])

    def selected(self, namespace: str, selector: Mapping[str, str]) -> Sequence[_Candidate]:
        """Those that a selector (not an empty one) selects."""
        groups = [self._by_label.get((namespace, key, value), []) for key, value in selector.items()]
        return [found for found in min(groups, key=len) if _matches(selector, found.pod.metadata.labels)]


def _candidate(item: Object) -> _Candidate | None:
    name = f"{item.kind} {item.metadata.name}"
    if item.kind == "Pod":
        return _Candidate(name, item.metadata.namespace, Pod.of(item))
    if item.kind in WORKLOADS:
        template = workload_of(item).spec.template
        return _Candidate(name, item.metadata.namespace, Pod(template.metadata, template.spec))
    return None


def _check(service: Service, candidates: _Candidates) -> Iterator[Problem]:
    selector, namespace = service.spec.selector, service.metadata.namespace
    selected = candidates.selected(namespace, selector)
    if not selected:
        wanted = _labels(selector)
        message = f"no pod of namespace {namespace} has the labels {wanted}"
        yield Problem(("spec", "selector"), message, _nearest_labels(selector, candidates.of_namespace(namespace)))
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
