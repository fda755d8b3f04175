"""Containers of a pod. Ref: pkg/apis/core/validation/validation.go:{validateContainers,validateContainerCommon}() (v1.37)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set

from netsim.objects.json import Document, Json
from netsim.objects.listen import PROTOCOLS
from netsim.objects.path import Path, Problem
from netsim.objects.quantity import quantity
from netsim.objects.validation import addresses, names
from netsim.objects.validation.findings import (
    MapKey,
    duplicate,
    each_invalid,
    forbidden,
    invalid,
    not_found,
    required,
    unsupported,
)
from netsim.objects.validation.handlers import check_handlers
from netsim.objects.validation.parts import items_at, mapping_at, number_at, text_at

_PULLS = ("Always", "IfNotPresent", "Never")
_MESSAGES = ("File", "FallbackToLogsOnError")
_RESTARTS = ("Always", "Never", "OnFailure")
_STANDARD = frozenset({"cpu", "memory", "ephemeral-storage"})
_PROTOCOLS = tuple(sorted(PROTOCOLS))
_SOURCES = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")


def check_containers(spec: Document, path: Path, volumes: Set[str]) -> Iterator[Problem]:
    """All containers of a pod spec; ``volumes`` are the names of what they may mount."""
    if not spec.get("containers"):
        yield required((*path, "containers"))
    seen: set[str] = set()
    ports: set[str] = set()
    for where, container in items_at(spec, (*path, "containers")):
        yield from _check_common(container, where, volumes)
        yield from _repeated((*where, "name"), text_at(container, "name"), seen)
        yield from check_handlers(container, where)
    for where, container in items_at(spec, (*path, "containers")):
        yield from _check_host_ports(container, where, ports)
    for where, container in items_at(spec, (*path, "initContainers")):
        yield from _check_init(container, where, volumes, seen)


def _check_init(container: Document, path: Path, volumes: Set[str], seen: set[str]) -> Iterator[Problem]:
    yield from _check_common(container, path, volumes)
    policy = text_at(container, "restartPolicy")
    if policy and policy not in _RESTARTS:
        yield unsupported((*path, "restartPolicy"), policy, _RESTARTS)
    yield from _repeated((*path, "name"), text_at(container, "name"), seen)
    yield from _check_host_ports(container, path, set())
    if policy == "Always":
        yield from check_handlers(container, path)
        return
    for name in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield forbidden((*path, name), "may not be set for init containers without restartPolicy=Always")


def _repeated(path: Path, name: str, seen: set[str]) -> Iterator[Problem]:
    if name in seen:
        yield duplicate(path, name)
    seen.add(name)


def _check_common(container: Document, path: Path, volumes: Set[str]) -> Iterator[Problem]:
    name = text_at(container, "name")
    if name:
        yield from each_invalid((*path, "name"), name, names.dns1123_label(name))
    else:
        yield required((*path, "name"))
    if not text_at(container, "image"):
        yield required((*path, "image"))
    message = text_at(container, "terminationMessagePolicy", "File")
    if message not in _MESSAGES:
        yield unsupported((*path, "terminationMessagePolicy"), message, _MESSAGES)
    yield from _check_ports(container, path)
    yield from _check_env(container, path)
    yield from _check_mounts(container, path, volumes)
    pull = text_at(container, "imagePullPolicy", "Always")
    if pull not in _PULLS:
        yield unsupported((*path, "imagePullPolicy"), pull, _PULLS)
    yield from check_resources(mapping_at(container, "resources"), (*path, "resources"))


# --- ports ------------------------------------------------------------------------------------------------------


def _check_ports(container: Document, path: Path) -> Iterator[Problem]:
    seen: set[str] = set()
    for where, port in items_at(container, (*path, "ports")):
        name = text_at(port, "name")
        reasons = names.port_name(name) if name else ()
        yield from each_invalid((*where, "name"), name, reasons)
        if name and name in seen and not reasons:
            yield duplicate((*where, "name"), name)
        seen.add(name)
        number = number_at(port, "containerPort")
        if number:
            yield from each_invalid((*where, "containerPort"), number, names.port_number(number))
        else:
            yield required((*where, "containerPort"))
        host = number_at(port, "hostPort")
        if host:
            yield from each_invalid((*where, "hostPort"), host, names.port_number(host))
        protocol = text_at(port, "protocol", "TCP")
        if protocol not in PROTOCOLS:
            yield unsupported((*where, "protocol"), protocol, _PROTOCOLS)


def _check_host_ports(container: Document, path: Path, seen: set[str]) -> Iterator[Problem]:
    """Ports of the node that are there twice among containers."""
    for where, port in items_at(container, (*path, "ports")):
        if port.get("hostPort"):
            told = f"{text_at(port, 'protocol', 'TCP')}/{text_at(port, 'hostIP')}/{port['hostPort']}"
            yield from _repeated((*where, "hostPort"), told, seen)


def check_host_addresses(spec: Document, path: Path) -> Iterator[Problem]:
    """``hostIP``, which the API server lets pass and no node can use."""
    for group in ("initContainers", "containers"):
        for where, container in items_at(spec, (*path, group)):
            for at, port in items_at(container, (*where, "ports")):
                text = text_at(port, "hostIP")
                if text and port.get("hostPort"):
                    yield from each_invalid((*at, "hostIP"), text, addresses.address(text))


def check_host_network(spec: Document, path: Path) -> Iterator[Problem]:
    """A pod in the node's network has its own ports there. Ref: validatePodHostNetworkDeps()."""
    for where, container in items_at(spec, (*path, "containers")) if spec.get("hostNetwork") else ():
        for at, port in items_at(container, (*where, "ports")):
            host = number_at(port, "hostPort")
            if host and host != number_at(port, "containerPort"):
                why = "must match `containerPort` when `hostNetwork` is true"
                yield invalid((*at, "hostPort"), host, why)


# --- environment, volumes, resources ----------------------------------------------------------------------------


def _check_env(container: Document, path: Path) -> Iterator[Problem]:
    for where, variable in items_at(container, (*path, "env")):
        name = text_at(variable, "name")
        if name:
            yield from each_invalid((*where, "name"), name, names.environment_name(name))
        else:
            yield required((*where, "name"))
        source = variable.get("valueFrom")
        if source is not None:
            yield from _check_source(variable, (*where, "valueFrom"))


def _check_source(variable: Document, path: Path) -> Iterator[Problem]:
    source = mapping_at(variable, "valueFrom")
    given = [name for name in _SOURCES if source.get(name) is not None]
    if "fieldRef" in given:
        yield from _check_field(mapping_at(source, "fieldRef"), (*path, "fieldRef"))
    if not given:
        listed = f"{', '.join(f'`{name}`' for name in _SOURCES[:-1])} or `{_SOURCES[-1]}`"
        yield invalid(path, "", f"must specify one of: {listed}")
    elif variable.get("value"):
        yield invalid(path, "", "may not be specified when `value` is not empty")
    elif len(given) > 1:
        yield invalid(path, "", "may not have more than one field specified at a time")


# Ref: pkg/apis/core/pods/helpers.go:ConvertDownwardAPIFieldLabel(); validation.go:validEnvDownwardAPIFieldPathExpressions
_ENV_FIELDS = (
    *("metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"),
    *("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"),
)
_OTHER_FIELDS = ("metadata.annotations", "metadata.labels", "spec.restartPolicy", "spec.schedulerName", "status.phase")


def _check_field(reference: Document, path: Path) -> Iterator[Problem]:
    said = text_at(reference, "fieldPath")
    where = (*path, "fieldPath")
    plain, subscript, _ = said.partition("[")
    if not said:
        yield required(where)
    elif subscript and plain in ("metadata.annotations", "metadata.labels"):
        return
    elif said not in (*_ENV_FIELDS, *_OTHER_FIELDS):
        yield invalid(where, said, f"error converting fieldPath: field label not supported: {said}")
    elif said not in _ENV_FIELDS:
        yield unsupported(where, said, sorted(_ENV_FIELDS))


def _check_mounts(container: Document, path: Path, volumes: Set[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for where, mount in items_at(container, (*path, "volumeMounts")):
        name, place = text_at(mount, "name"), text_at(mount, "mountPath")
        if not name:
            yield required((*where, "name"))
        if name not in volumes:
            yield not_found((*where, "name"), name)
        if not place:
            yield required((*where, "mountPath"))
        if place in seen:
            yield invalid((*where, "mountPath"), place, "must be unique")
        seen.add(place)


def check_resources(resources: Document, path: Path) -> Iterator[Problem]:
    """What a container asks for, and what it may have at most. Ref: validateResourceRequirements()."""
    limits, requests = mapping_at(resources, "limits"), mapping_at(resources, "requests")
    for name, amount in sorted(limits.items()):
        yield from _check_resource(name, amount, (*path, "limits"))
    for name, amount in sorted({**{k: v for k, v in limits.items() if k not in requests}, **requests}.items()):
        yield from _check_resource(name, amount, (*path, "requests"))
        if name in limits and name in requests:
            yield from _check_below_limit(name, requests[name], limits[name], path)
        elif name not in limits and not _overcommitted(name):
            yield required((*path, "limits"), "Limit must be set for non overcommitable resources")


def _check_below_limit(name: str, asked: Json, most: Json, path: Path) -> Iterator[Problem]:
    if not _overcommitted(name) and quantity(asked) != quantity(most):
        yield invalid((*path, "requests"), str(asked), f"must be equal to {name} limit of {most}")
    elif quantity(asked) > quantity(most):
        yield invalid((*path, "requests"), str(asked), f"must be less than or equal to {name} limit of {most}")


def _overcommitted(name: str) -> bool:
    """Of what more may be asked for than there is. Ref: pkg/apis/core/v1/helper:IsOvercommitAllowed()."""
    native = "/" not in name or name.partition("/")[0].endswith("kubernetes.io")
    return native and not name.startswith("hugepages-")


def _check_resource(name: str, amount: Json, path: Path) -> Iterator[Problem]:
    at: Path = (*path, MapKey(name))
    qualified = names.qualified_name(name)
    yield from each_invalid(at, name, qualified)
    if not qualified and "/" not in name and name not in _STANDARD and not name.startswith("hugepages-"):
        # two checks of the API server come to nearly the same
        known: tuple[tuple[Callable[[str], bool], str], ...] = (
            (_known_elsewhere, "must be a standard resource type or fully qualified"),
            (lambda _: False, "must be a standard resource for containers"),
        )
        yield from each_invalid(at, name, [why for knows, why in known if not knows(name)])
    if quantity(amount) < 0:
        yield invalid(at, str(amount), "must be greater than or equal to 0")


def _known_elsewhere(name: str) -> bool:
    """Resources that a quota or a claim counts. Ref: pkg/apis/core/helper:IsStandardResourceName()."""
    return name in ("storage", "pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps")
