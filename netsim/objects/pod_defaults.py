"""The API server's defaults of pods: containers, probes, volumes. Ref: pkg/apis/core/v1/defaults.go (v1.37).

Structures of Go that are written though nothing is in them (``resources: {}``) are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from netsim.objects.json import Json

Draft: TypeAlias = dict[str, Any]
"""A document that is being filled in; JSON inside."""


def put(draft: Draft, **defaults: Json) -> None:
    """Put what is absent or empty; Go's zero values count as absent."""
    for key, value in defaults.items():
        if draft.get(key) in (None, ""):
            draft[key] = value


def section(draft: Draft, name: str) -> Draft:
    """The object at a key, made where it is not there."""
    found: Draft = draft.setdefault(name, {})
    return found


def fill_pod(draft: Draft) -> None:
    """A Pod."""
    spec = section(draft, "spec")
    fill_pod_spec(spec)
    put(spec, enableServiceLinks=True)
    for container in _containers(spec):
        resources = container.get("resources") or {}
        missing = {k: v for k, v in resources.get("limits", {}).items() if k not in resources.get("requests", {})}
        if missing:
            resources["requests"] = {**resources.get("requests", {}), **missing}
    if spec["terminationGracePeriodSeconds"] < 0:  # Ref: pkg/registry/core/pod/strategy.go:mutatePodGracePeriod
        spec["terminationGracePeriodSeconds"] = 1


def fill_pod_spec(spec: Draft) -> None:
    """What a pod consists of, in a Pod or in a template."""
    put(
        spec,
        dnsPolicy="ClusterFirst",
        restartPolicy="Always",
        schedulerName="default-scheduler",
        securityContext={},
        terminationGracePeriodSeconds=30,
    )
    for container in _containers(spec):
        _container(container)
        for port in container.get("ports", ()):
            put(port, protocol="TCP")
            if spec.get("hostNetwork") and not port.get("hostPort"):
                port["hostPort"] = port.get("containerPort", 0)
    for volume in spec.get("volumes", ()):
        _volume(volume)


def _containers(spec: Draft) -> Iterator[Draft]:
    for group in ("initContainers", "containers", "ephemeralContainers"):
        yield from spec.get(group, ())


def _container(container: Draft) -> None:
    image = str(container.get("image", ""))
    last = image.rpartition("/")[2]
    latest = bool(image) and "@" not in last and (":" not in last or last.endswith(":latest"))
    put(
        container,
        imagePullPolicy="Always" if latest else "IfNotPresent",
        terminationMessagePath="/dev/termination-log",
        terminationMessagePolicy="File",
    )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = container.get(name)
        if probe is not None:
            _handler(probe)
            for key, value in _PROBE.items():
                probe[key] = probe.get(key) or value
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _handler(hook)
    for variable in container.get("env", ()):
        _field_reference(variable.get("valueFrom"))


_PROBE = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}


def _handler(handler: Draft) -> None:
    if isinstance(handler.get("httpGet"), dict):
        put(handler["httpGet"], path="/", scheme="HTTP")
    if isinstance(handler.get("grpc"), dict):
        handler["grpc"].setdefault("service", "")


def _field_reference(holder: Draft | None) -> None:
    if holder and isinstance(holder.get("fieldRef"), dict):
        put(holder["fieldRef"], apiVersion="v1")


_MODE = 0o644


def _volume(volume: Draft) -> None:
    if not any(key != "name" for key in volume):
        volume["emptyDir"] = {}
    for name in ("configMap", "secret", "downwardAPI", "projected"):
        if isinstance(volume.get(name), dict):
            put(volume[name], defaultMode=_MODE)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    sources = [volume, *(volume.get("projected") or {}).get("sources", ())]
    for source in sources:
        for entry in (source.get("downwardAPI") or {}).get("items", ()):
            _field_reference(entry)
        if isinstance(source.get("serviceAccountToken"), dict):
            put(source["serviceAccountToken"], expirationSeconds=3600)
