"""The entry: sources → objects and cluster, or every error at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path

from netsim.dataclass import dataclass
from netsim.manifest.cluster import read_cluster
from netsim.manifest.completion import complete
from netsim.manifest.crossreference import service_warnings
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity, in_order
from netsim.manifest.document import read_documents
from netsim.manifest.drafts import ClusterDraft
from netsim.manifest.entries import Entry, Report, SourceFile, entries_of
from netsim.manifest.fields import placed_document
from netsim.manifest.kind_config import KIND_API_VERSION, read_kind_config
from netsim.manifest.kube_proxy_configmap import configuration_in
from netsim.manifest.located import split_lines
from netsim.manifest.nodes import merge_nodes
from netsim.manifest.sources import Text, read_sources
from netsim.objects.cluster import CLUSTER_API_VERSION, CLUSTER_KIND, ClusterSpec
from netsim.objects.core import Pod
from netsim.objects.defaults import apply_defaults
from netsim.objects.meta import Key, Object
from netsim.objects.path import Path as FieldPath
from netsim.objects.path import Problem, nearest
from netsim.objects.schema import check, find_kind
from netsim.objects.validation import validate
from netsim.rules.source import Origin

CHECK_KIND, TIMELINE_KIND = "Check", "Timeline"
"""Documents of netsim's own that describe no part of a cluster: ``netsim check`` and ``netsim run`` read them."""

_KUBE_PROXY_KIND = "KubeProxyConfiguration"
_KUBE_PROXY_API_VERSION = "kubeproxy.config.k8s.io/v1alpha1"


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load found. ``objects`` have the API server's defaults and stand in the order of the files."""

    objects: tuple[Object, ...]
    cluster: ClusterSpec
    warnings: tuple[Diagnostic, ...] = ()
    _entries: Mapping[Key, Entry] = field(default_factory=dict, repr=False, compare=False)

    def where(self, key: Key, path: FieldPath | str = "") -> Origin | None:
        """Where a field of an object stands (``spec.ports[0].nodePort``), or the nearest thing around it.

        None for an object that came from no file.
        """
        entry = self._entries.get(key)
        return None if entry is None else entry.origin(path)


def load(sources: Sequence[Path | str]) -> Loaded:
    """Read files and folders in the given order. Raises LoadError with everything that is wrong."""
    report = Report()
    files: list[str] = []
    entries: list[Entry] = []
    for text in read_sources(sources):
        files.append(text.file)
        entries += _entries(text, report)
    return _build(entries, files, report)


def entries_in(source: Path | str, report: Report) -> list[Entry]:
    """The documents of a file as they stand; what cannot be read goes to the report."""
    return [entry for text in read_sources([source]) for entry in _entries(text, report)]


def load_text(text: str, file: str = "<text>") -> Loaded:
    """Read one text, as if it stood in a file of that name. Raises LoadError."""
    report = Report()
    return _build(_read(Text(file, text), report), [file], report)


def _entries(text: Text | Diagnostic, report: Report) -> list[Entry]:
    """What a file holds, or the finding that it cannot be read."""
    if isinstance(text, Text):
        return _read(text, report)
    report.found.append(text)
    return []


def _read(text: Text, report: Report) -> list[Entry]:
    file = SourceFile(text.file, split_lines(text.text))
    documents, faults = read_documents(text.text)
    for fault in faults:
        line = file.line(fault.line)
        report.found.append(
            Diagnostic(Severity.ERROR, file.name, fault.line, fault.column, fault.message, line, fault.advice)
        )
    if not documents and not faults:
        message = "the file has no documents" if text.text.strip() else "the file is empty"
        report.found.append(Diagnostic(Severity.ERROR, file.name, 0, 0, message))
    return [entry for document in documents for entry in entries_of(file, document, report)]


@dataclass(slots=True)
class _Sorted:
    """Entries by what they are for."""

    clusters: list[Entry] = field(default_factory=list)
    kube_proxies: list[Entry] = field(default_factory=list)
    objects: list[tuple[Entry, Object]] = field(default_factory=list)


def _build(entries: Sequence[Entry], files: Sequence[str], report: Report) -> Loaded:
    found = _Sorted()
    for entry in entries:
        _sort(entry, found, report)
    _check_duplicates(found.objects, report)
    draft = _draft(found, report)
    draft.name = draft.name or (Path(files[0]).stem if files else "cluster")
    cluster = complete(draft, report)
    defaulted = apply_defaults([item for _, item in found.objects], cluster)
    for index, problem in defaulted.problems:
        if not (draft.doubtful and problem.path[:2] in _OF_SERVICE_CIDR):
            report.problem(found.objects[index][0], problem)
    _check_nodes(found.objects, cluster, report)
    if not report.failed:
        for index, problem in service_warnings(defaulted.objects):
            report.problem(found.objects[index][0], problem, Severity.WARNING)
    diagnostics = in_order(report.found, files)
    if report.failed:
        raise LoadError(diagnostics)
    by_key = {item.key: entry for item, (entry, _) in zip(defaulted.objects, found.objects, strict=True)}
    return Loaded(defaulted.objects, cluster, diagnostics, by_key)


# --- one entry --------------------------------------------------------------------------------------------------


def _sort(entry: Entry, found: _Sorted, report: Report) -> None:
    if entry.api_version == CLUSTER_API_VERSION and entry.kind in {CHECK_KIND, TIMELINE_KIND}:
        return
    if entry.kind == CLUSTER_KIND and entry.api_version in {CLUSTER_API_VERSION, KIND_API_VERSION}:
        found.clusters.append(entry)
    elif entry.api_version == _KUBE_PROXY_API_VERSION and entry.kind == _KUBE_PROXY_KIND:
        found.kube_proxies.append(entry)
    else:
        item = _object(entry, report)
        if item is not None:
            found.objects.append((entry, item))
            found.kube_proxies += configuration_in(entry, item, report)


def _object(entry: Entry, report: Report) -> Object | None:
    """The object of an entry, None where its shape is wrong. What its fields say is checked too."""
    if problem := _own_kind(entry):
        report.problem(entry, problem)
        return None
    kind = find_kind(entry.api_version, entry.kind)
    if isinstance(kind, Problem):
        report.problem(entry, kind)
        return None
    problems = list(check(entry.document, kind))
    if not problems:
        document = {**entry.document, "metadata": entry.document.get("metadata") or {}}
        item = Object.of(document)
        problems = list(validate(item, namespaced=kind.namespaced))
        if not problems:
            return item
    for problem in problems:
        report.problem(entry, problem)
    return None


def _own_kind(entry: Entry) -> Problem | None:
    """What is wrong with an object of netsim's or kind's own groups, or of a tool that makes manifests."""
    group = entry.api_version.partition("/")[0]
    for known in (CLUSTER_API_VERSION, KIND_API_VERSION):
        if group != known.partition("/")[0]:
            continue
        if entry.kind == CLUSTER_KIND:
            return Problem(
                ("apiVersion",), f"no kind Cluster in apiVersion {entry.api_version}", f"write apiVersion: {known}"
            )
        return Problem(
            ("kind",), f"unknown kind {entry.kind} of apiVersion {entry.api_version}", "did you mean Cluster?"
        )
    if group == "kustomize.config.k8s.io":
        advice = "render it first: kubectl kustomize FOLDER > manifests.yaml"
        return Problem(("kind",), "a kustomization is not a manifest", advice)
    return None


def _check_duplicates(objects: Sequence[tuple[Entry, Object]], report: Report) -> None:
    seen: dict[tuple[str, Key], Entry] = {}
    for entry, item in objects:
        namespace = item.metadata.namespace
        kind = find_kind(item.api_version, item.kind)
        if not isinstance(kind, Problem) and kind.namespaced:
            namespace = namespace or "default"
        key = Key(item.kind, namespace, item.metadata.name)
        group = item.api_version.rpartition("/")[0]
        first = seen.setdefault((group, key), entry)
        if first is not entry:
            at = first.origin(("metadata", "name"))
            report.error(entry, ("metadata", "name"), f"{key} is there twice", f"the first is at {at.file}:{at.line}")


# --- the cluster ------------------------------------------------------------------------------------------------


_OF_SERVICE_CIDR = frozenset({("spec", name) for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")})


def _draft(found: _Sorted, report: Report) -> ClusterDraft:
    draft = ClusterDraft()
    for index, entry in enumerate(found.clusters):
        read = read_kind_config if entry.api_version == KIND_API_VERSION else read_cluster
        one = read(entry, report)
        if index == 0:
            draft = one
        else:
            at = found.clusters[0].origin()
            report.error(
                entry, ("kind",), "a second description of the cluster", f"the first is at {at.file}:{at.line}"
            )
    for entry in found.kube_proxies:
        if draft.kube_proxy is not None:
            at = draft.kube_proxy.origin
            message = "a second configuration of kube-proxy"
            report.error(entry, ("kind",), message, f"the first is at {at.file}:{at.line}; keep one of them")
        else:
            draft.kube_proxy = placed_document(entry, ())
    nodes = [(entry, item) for entry, item in found.objects if item.kind == "Node"]
    merge_nodes(draft, nodes, report)
    return draft


def _check_nodes(objects: Sequence[tuple[Entry, Object]], cluster: ClusterSpec, report: Report) -> None:
    known = [node.name for node in cluster.nodes]
    for entry, item in objects:
        if item.kind != "Pod":
            continue
        name = Pod.of(item).spec.node_name
        if name and name not in known:
            near = nearest(name, known)
            advice = f"did you mean {near}?" if near else f"the cluster's nodes are {', '.join(known)}"
            report.error(entry, ("spec", "nodeName"), f"{name} is not a node of the cluster", advice)
