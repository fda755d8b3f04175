"""Probes and lifecycle hooks. Ref: pkg/apis/core/validation/validation.go:{validateProbe,validateHandler,validateLifecycle}() (v1.37)."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.objects.json import Document
from netsim.objects.path import Path, Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import each_invalid, forbidden, invalid, negative, required, unsupported
from netsim.objects.validation.parts import mapping_at, text_at

_PROBE_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc")
_HOOK_HANDLERS = ("exec", "httpGet", "tcpSocket", "sleep")
_NUMBERS = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
_SCHEMES = ("HTTP", "HTTPS")


def check_handlers(container: Document, path: Path) -> Iterator[Problem]:
    """What a container that goes on running is asked and told."""
    for name in ("postStart", "preStop"):
        hook = mapping_at(container, "lifecycle").get(name)
        if hook is not None:
            yield from _check_handler(
                mapping_at(mapping_at(container, "lifecycle"), name), _HOOK_HANDLERS, (*path, "lifecycle", name)
            )
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if container.get(name) is not None:
            yield from _check_probe(mapping_at(container, name), (*path, name))


def _check_probe(probe: Document, path: Path) -> Iterator[Problem]:
    yield from _check_handler(probe, _PROBE_HANDLERS, path)
    for name in _NUMBERS:
        yield from negative((*path, name), probe.get(name))
    grace = probe.get("terminationGracePeriodSeconds")
    if isinstance(grace, int) and grace <= 0:
        yield invalid((*path, "terminationGracePeriodSeconds"), grace, "must be greater than 0")
    if path[-1] == "readinessProbe":
        if grace is not None:
            yield invalid((*path, "terminationGracePeriodSeconds"), grace, "must not be set for readinessProbes")
    elif probe.get("successThreshold") not in (None, 0, 1):
        yield invalid((*path, "successThreshold"), probe.get("successThreshold"), "must be 1")


def _check_handler(handler: Document, known: tuple[str, ...], path: Path) -> Iterator[Problem]:
    given = [name for name in known if handler.get(name) is not None]
    if not given:
        yield required(path, "must specify a handler type")
        return
    yield from _check_action(given[0], mapping_at(handler, given[0]), (*path, given[0]))
    for name in given[1:]:
        yield forbidden((*path, name), "may not specify more than 1 handler type")


def _check_action(name: str, action: Document, path: Path) -> Iterator[Problem]:
    if name == "exec" and not action.get("command"):
        yield required((*path, "command"))
    if name in ("httpGet", "tcpSocket", "grpc"):
        port = action.get("port") or 0
        if isinstance(port, int | str):
            yield from each_invalid((*path, "port"), port, names.port_number_or_name(port))
    if name == "httpGet" and text_at(action, "scheme", "HTTP") not in _SCHEMES:
        yield unsupported((*path, "scheme"), text_at(action, "scheme"), _SCHEMES)
