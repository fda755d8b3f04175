"""When a pod's containers are ready, from its probes, its annotations and what it listens on.

Programs are not run: a probe succeeds once its delay is over, unless the pod was said not to listen on the port that it asks.
Ref: pkg/kubelet/prober/worker.go, pkg/kubelet/status/generate.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.cluster.documents import list_at, mapping_at
from netsim.cluster.podstate import READY_ANNOTATION, condition
from netsim.net.packet import Protocol
from netsim.objects.json import Document, Json
from netsim.objects.listen import LISTEN_ANNOTATION, ListenError, parse_listen
from netsim.objects.meta import Object


@dataclass(frozen=True, slots=True)
class ContainerReadiness:
    """One container: seconds after its start at which it is ready; None where it never is, and why."""

    name: str
    image: str
    after: float | None
    failure: str = ""


def containers_of(pod: Object) -> tuple[ContainerReadiness, ...]:
    """The readiness of each container of a pod."""
    listens = listening(pod)
    scripted = pod.metadata.annotations.get(READY_ANNOTATION)
    return tuple(
        _readiness(container, listens, scripted)
        for container in list_at(pod.document, "spec", "containers")
        if isinstance(container, Mapping)
    )


def _readiness(container: Document, listens: frozenset[int] | None, scripted: str | None) -> ContainerReadiness:
    name, image = str(container.get("name", "")), str(container.get("image", ""))
    if scripted == "false":
        return ContainerReadiness(name, image, None, f'annotation {READY_ANNOTATION} is "false"')
    after = 0.0
    for kind in ("startupProbe", "readinessProbe"):
        probe = container.get(kind)
        if not isinstance(probe, Mapping):
            continue
        port = probed_port(probe, container)
        if listens is not None and port is not None and port not in listens:
            what = kind.removesuffix("Probe").capitalize()
            return ContainerReadiness(name, image, None, f"{what} probe failed: nothing listens on port {port}")
        after = max(after, _delay(probe))
    return ContainerReadiness(name, image, after)


def failing_liveness(pod: Object) -> tuple[str, ...]:
    """The containers whose liveness probe asks a port on which the pod was said not to listen: they would be restarted again and again."""
    listens = listening(pod)
    if listens is None:
        return ()
    failing = []
    for container in list_at(pod.document, "spec", "containers"):
        if isinstance(container, Mapping):
            port = probed_port(mapping_at(container, "livenessProbe"), container)
            if port is not None and port not in listens:
                failing.append(str(container.get("name", "")))
    return tuple(failing)


def _delay(probe: Document) -> float:
    """The first probe comes after ``initialDelaySeconds``; each further success that is asked for takes a period more."""
    period = _number(probe.get("periodSeconds"), 10)
    return _number(probe.get("initialDelaySeconds"), 0) + (_number(probe.get("successThreshold"), 1) - 1) * period


def _number(value: Json, default: int) -> int:
    return value if isinstance(value, int) and value >= 0 else default


def probed_port(probe: Document, container: Document) -> int | None:
    """The port that a probe connects to, None where it runs a command or names a port that the container has not."""
    for kind in ("httpGet", "tcpSocket", "grpc"):
        asked = mapping_at(probe, kind).get("port")
        if isinstance(asked, int):
            return asked
        if isinstance(asked, str):
            return int(asked) if asked.isdecimal() else _port_named(asked, container)
    return None


def _port_named(name: str, container: Document) -> int | None:
    for port in list_at(container, "ports"):
        if isinstance(port, Mapping) and port.get("name") == name:
            number = port.get("containerPort")
            return number if isinstance(number, int) else None
    return None


def listening(pod: Object) -> frozenset[int] | None:
    """The TCP ports that the annotation ``netsim.io/listen`` says that the pod listens on; None without the annotation.

    A port that no container declares may be listened on all the same, so without the annotation no probe is taken to fail.
    An annotation that cannot be read listens on nothing.
    """
    text = pod.metadata.annotations.get(LISTEN_ANNOTATION)
    if text is None:
        return None
    try:
        return frozenset(port for protocol, port in parse_listen(text) if protocol is Protocol.TCP)
    except ListenError:
        return frozenset()


def missing_gate(pod: Object) -> str:
    """Why a readiness gate holds the pod back, empty where none does. Ref: status/generate.go:GeneratePodReadyCondition()."""
    for gate in list_at(pod.document, "spec", "readinessGates"):
        kind = str(gate.get("conditionType", "")) if isinstance(gate, Mapping) else ""
        found = condition(pod, kind)
        if found is None:
            return f'corresponding condition of pod readiness gate "{kind}" does not exist.'
        if found.get("status") != "True":
            return f'the status of pod readiness gate "{kind}" is not "True", but {found.get("status")}'
    return ""
