"""Pods and pod templates. Ref: pkg/apis/core/validation/validation.go:{ValidatePodCreate,ValidatePodTemplateSpec}() (v1.37).

Security contexts, resource claims and operating systems are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from netsim.objects.json import Document
from netsim.objects.listen import LISTEN_ANNOTATION, ListenError, parse_listen
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.script import EXIT_ANNOTATION, PROBE_ANNOTATION, ScriptError, parse_exits, parse_failures
from netsim.objects.validation import addresses, names
from netsim.objects.validation.container import check_containers, check_host_addresses, check_host_network
from netsim.objects.validation.findings import MapKey, each_invalid, forbidden, invalid, required, unsupported
from netsim.objects.validation.metadata import check_annotations, check_labels
from netsim.objects.validation.parts import items_at, list_at, mapping_at, text_at, texts_at
from netsim.objects.validation.scheduling import check_affinity, check_spread, check_tolerations
from netsim.objects.validation.volumes import check_volumes

_RESTARTS: Final = ("Always", "OnFailure", "Never")
_DNS_POLICIES: Final = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
_MOST_DEADLINE: Final = 2**31 - 1
_MOST_SERVERS, _MOST_SEARCHES = 3, 32


def check_pod(item: Object) -> Iterator[Problem]:
    """A Pod: its spec, the annotations that say what it does, and its addresses."""
    spec = mapping_at(item.document, "spec")
    yield from _check_own_annotations(item.metadata.annotations, ("metadata", "annotations"))
    yield from check_pod_spec(spec, ("spec",))
    for group in ("containers", "initContainers"):
        for path, container in items_at(spec, ("spec", group)):
            image = text_at(container, "image")
            if image != image.strip():
                yield invalid((*path, "image"), image, "must not have leading or trailing whitespace")
    if spec.get("nodeName") and spec.get("schedulingGates"):
        yield forbidden(("spec", "nodeName"), "cannot be set until all schedulingGates have been cleared")
    status = mapping_at(item.document, "status")
    for path, entry in items_at(status, ("status", "podIPs")):
        yield from each_invalid((*path, "ip"), text_at(entry, "ip"), addresses.address(text_at(entry, "ip")))
    if address := text_at(status, "podIP"):
        yield from each_invalid(("status", "podIP"), address, addresses.address(address))


def check_template(template: Document, path: Path) -> Iterator[Problem]:
    """A pod template; of its metadata the API server tells without the word."""
    metadata, where = mapping_at(template, "metadata"), (*path, "metadata")
    yield from check_labels(texts_at(metadata, "labels"), (*where, "labels"), at=(*path, "labels"))
    annotations = texts_at(metadata, "annotations")
    yield from check_annotations(annotations, (*where, "annotations"), at=(*path, "annotations"))
    yield from _check_own_annotations(annotations, (*where, "annotations"))
    yield from check_pod_spec(mapping_at(template, "spec"), (*path, "spec"))


def check_pod_spec(spec: Document, path: Path) -> Iterator[Problem]:
    """What a pod consists of, in the API server's order."""
    yield from check_volumes(spec, path)
    known = frozenset(text_at(volume, "name") for _, volume in items_at(spec, ("volumes",)))
    yield from check_containers(spec, path, known)
    yield from check_host_addresses(spec, path)
    yield from check_host_network(spec, path)
    for name, words, usual in (
        ("restartPolicy", _RESTARTS, "Always"),
        ("dnsPolicy", _DNS_POLICIES, "ClusterFirst"),
    ):
        value = text_at(spec, name, usual)
        if value not in words:
            yield unsupported((*path, name), value, words)
    yield from check_labels(texts_at(spec, "nodeSelector"), (*path, "nodeSelector"))
    yield from check_affinity(mapping_at(spec, "affinity"), (*path, "affinity"))
    yield from _check_dns(spec, path)
    yield from check_spread(spec, path)
    yield from _check_names(spec, path)
    yield from check_tolerations(spec, path)
    for where, alias in items_at(spec, (*path, "hostAliases")):
        yield from each_invalid((*where, "ip"), text_at(alias, "ip"), addresses.address(text_at(alias, "ip")))
        for index, host in enumerate(list_at(alias, "hostnames")):
            yield from each_invalid((*where, "hostnames", index), host, names.dns1123_subdomain(str(host)))
    if name := text_at(spec, "priorityClassName"):
        yield from each_invalid((*path, "priorityClassName"), name, names.dns1123_subdomain(name))


def _check_dns(spec: Document, path: Path) -> Iterator[Problem]:
    where, config = (*path, "dnsConfig"), mapping_at(spec, "dnsConfig")
    servers, searches = list_at(config, "nameservers"), list_at(config, "searches")
    if spec.get("dnsPolicy") == "None":
        if spec.get("dnsConfig") is None:
            yield required(where, "must provide `dnsConfig` when `dnsPolicy` is None")
            return
        if not servers:
            why = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            yield required((*where, "nameservers"), why)
            return
    if len(servers) > _MOST_SERVERS:
        yield invalid((*where, "nameservers"), servers, f"must not have more than {_MOST_SERVERS} nameservers")
    for index, text in enumerate(servers):
        yield from each_invalid((*where, "nameservers", index), text, addresses.address(str(text)))
    if len(searches) > _MOST_SEARCHES:
        yield invalid((*where, "searches"), searches, f"must not have more than {_MOST_SEARCHES} search paths")
    for index, text in enumerate(searches):
        name = str(text).removesuffix(".")
        if text != ".":
            yield from each_invalid((*where, "searches", index), name, names.search_path(name))


_NAMES: Mapping[str, names.Rule] = {
    "serviceAccountName": names.dns1123_subdomain,
    "nodeName": names.dns1123_subdomain,
    "hostname": names.dns1123_label,
    "subdomain": names.dns1123_label,
}


def _check_names(spec: Document, path: Path) -> Iterator[Problem]:
    for field, rule in _NAMES.items():
        value = text_at(spec, field)
        if value:
            yield from each_invalid((*path, field), value, rule(value))
        if field == "nodeName":
            yield from _check_deadline(spec, path)


def _check_deadline(spec: Document, path: Path) -> Iterator[Problem]:
    seconds = spec.get("activeDeadlineSeconds")
    if isinstance(seconds, int) and not 1 <= seconds <= _MOST_DEADLINE:
        why = f"must be between 1 and {_MOST_DEADLINE}, inclusive"
        yield invalid((*path, "activeDeadlineSeconds"), seconds, why)


# The annotations that say what a pod's programs do: how each is read, and an example.
_ANNOTATIONS: Mapping[str, tuple[Callable[[str], object], str]] = {
    LISTEN_ANNOTATION: (parse_listen, "8080/tcp,53/udp; empty text listens on nothing"),
    PROBE_ANNOTATION: (parse_failures, "readiness=fail@30s-60s, app/liveness=fail@2m"),
    EXIT_ANNOTATION: (parse_exits, "1@10s, migrate=0@5s"),
}


def _check_own_annotations(annotations: Mapping[str, str], path: Path) -> Iterator[Problem]:
    for name, (parse, example) in _ANNOTATIONS.items():
        said = annotations.get(name)
        try:
            parse(said or "")
        except (ListenError, ScriptError) as error:
            yield invalid((*path, MapKey(name)), said, str(error), f"for example {example}")
