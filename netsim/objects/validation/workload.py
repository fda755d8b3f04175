"""What makes pods: Deployments, ReplicaSets, StatefulSets, DaemonSets, ReplicationControllers.

Ref: pkg/apis/apps/validation/validation.go, pkg/apis/core/validation/validation.go:ValidateReplicationControllerSpec() (v1.37).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from netsim.objects.json import Document, Json
from netsim.objects.meta import Object
from netsim.objects.path import Path, Problem
from netsim.objects.validation import names
from netsim.objects.validation.findings import each_invalid, forbidden, invalid, negative, required, unsupported
from netsim.objects.validation.metadata import check_selector
from netsim.objects.validation.parts import items_at, mapping_at, number_at, text_at, texts_at
from netsim.objects.validation.pod import check_template
from netsim.objects.validation.volumes import check_claim_spec
from netsim.objects.workload import LabelSelector, Requirement, workload_of

SPEC: Path = ("spec",)
TEMPLATE: Path = ("spec", "template")
_DEADLINE = 600


def check_deployment(item: Object) -> Iterator[Problem]:
    """Ref: ValidateDeploymentSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from negative((*SPEC, "replicas"), spec.get("replicas"))
    yield from _check_selector(spec, "deployment")
    if _readable(spec):
        yield from _check_replicas_template(item, spec, "ReplicaSet")
    yield from _check_deployment_strategy(spec)
    ready, deadline = number_at(spec, "minReadySeconds"), spec.get("progressDeadlineSeconds", _DEADLINE)
    yield from negative((*SPEC, "minReadySeconds"), ready)
    yield from negative((*SPEC, "revisionHistoryLimit"), spec.get("revisionHistoryLimit"))
    if isinstance(deadline, int) and deadline <= ready:
        yield from negative((*SPEC, "progressDeadlineSeconds"), deadline)
        yield invalid((*SPEC, "progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds")


def check_replica_set(item: Object) -> Iterator[Problem]:
    """Ref: ValidateReplicaSetSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from negative((*SPEC, "replicas"), spec.get("replicas"))
    yield from negative((*SPEC, "minReadySeconds"), spec.get("minReadySeconds"))
    yield from _check_selector(spec, "deployment")  # the API server's own word here
    if _readable(spec):
        yield from _check_replicas_template(item, spec, "ReplicaSet")


def check_replication_controller(item: Object) -> Iterator[Problem]:
    """Ref: ValidateReplicationControllerSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from negative((*SPEC, "minReadySeconds"), spec.get("minReadySeconds"))
    labels = texts_at(mapping_at(mapping_at(spec, "template"), "metadata"), "labels")
    if not spec.get("selector") and not labels:  # the template's labels are the default
        yield required((*SPEC, "selector"))
    yield from negative((*SPEC, "replicas"), spec.get("replicas"))
    yield from _check_replicas_template(item, spec, "ReplicationController")


def check_stateful_set(item: Object) -> Iterator[Problem]:
    """Ref: ValidateStatefulSetSpec()."""
    spec = mapping_at(item.document, "spec")
    policy = text_at(spec, "podManagementPolicy", "OrderedReady")
    if policy not in ("OrderedReady", "Parallel"):
        yield invalid((*SPEC, "podManagementPolicy"), policy, "must be 'OrderedReady' or 'Parallel'")
    yield from _check_stateful_strategy(mapping_at(spec, "updateStrategy"))
    for name, word in mapping_at(spec, "persistentVolumeClaimRetentionPolicy").items():
        if word not in ("Retain", "Delete"):
            yield unsupported((*SPEC, "persistentVolumeClaimRetentionPolicy", name), word, ("Retain", "Delete"))
    for path, claim in items_at(spec, (*SPEC, "volumeClaimTemplates")):
        yield from check_claim_spec(mapping_at(claim, "spec"), (*path, "spec"))
    yield from negative((*SPEC, "replicas"), spec.get("replicas"))
    yield from negative((*SPEC, "minReadySeconds"), spec.get("minReadySeconds"))
    yield from negative((*SPEC, "ordinals", "start"), mapping_at(spec, "ordinals").get("start"))
    service = text_at(spec, "serviceName")
    if service:
        yield from each_invalid((*SPEC, "serviceName"), service, names.dns1123_label(service))
    yield from _check_selector(spec, "statefulset")
    if _readable(spec):
        yield from _check_matches(spec)
        yield from check_template(_with_claims(spec), TEMPLATE)
        yield from _check_runs_on(spec, "StatefulSet")


def _with_claims(spec: Document) -> Document:
    """The template with the volumes that its claims become, and without the names that the controller gives."""
    template = mapping_at(spec, "template")
    pod = {k: v for k, v in mapping_at(template, "spec").items() if k not in ("hostname", "subdomain")}
    claims = [text_at(mapping_at(claim, "metadata"), "name") for _, claim in items_at(spec, ("volumeClaimTemplates",))]
    given = [volume for _, volume in items_at(pod, ("volumes",)) if volume.get("name") not in claims]
    made: list[Json] = [{"name": name, "emptyDir": {}} for name in claims if name]
    return {**template, "spec": {**pod, "volumes": [*given, *made]}}


def check_daemon_set(item: Object) -> Iterator[Problem]:
    """Ref: ValidateDaemonSetSpec()."""
    spec = mapping_at(item.document, "spec")
    yield from check_selector(mapping_at(spec, "selector"), (*SPEC, "selector"))
    if _readable(spec):
        yield from _check_matches(spec)
    if spec.get("selector") is not None and _is_empty(spec):
        yield invalid((*SPEC, "selector"), {}, "empty selector is invalid for daemonset")
    yield from check_template(mapping_at(spec, "template"), TEMPLATE)
    yield from _check_runs_on(spec, "DaemonSet")
    yield from negative((*SPEC, "minReadySeconds"), spec.get("minReadySeconds"))
    yield from _check_daemon_strategy(mapping_at(spec, "updateStrategy"))
    yield from negative((*SPEC, "revisionHistoryLimit"), spec.get("revisionHistoryLimit"))


# --- selectors and templates ------------------------------------------------------------------------------------


def _is_empty(spec: Document) -> bool:
    selector = mapping_at(spec, "selector")
    return not selector.get("matchLabels") and not selector.get("matchExpressions")


def _check_selector(spec: Document, word: str) -> Iterator[Problem]:
    path: Path = (*SPEC, "selector")
    if spec.get("selector") is None:
        yield required(path)
        return
    wrong = list(check_selector(mapping_at(spec, "selector"), path))
    yield from wrong
    if _is_empty(spec):
        yield invalid(path, {}, f"empty selector is invalid for {word}")
    if wrong:
        yield invalid(
            path,
            selector_shown(mapping_at(spec, "selector")),
            "" if word == "statefulset" else "invalid label selector",
        )


def selector_shown(selector: Document) -> Document:
    """A selector with its keys in Go's order."""
    labels = dict(sorted(texts_at(selector, "matchLabels").items()))
    expressions: list[Json] = [
        {name: entry[name] for name in ("key", "operator", "values") if entry.get(name)}
        for _, entry in items_at(selector, ("matchExpressions",))
    ]
    parts: Document = {"matchLabels": labels, "matchExpressions": expressions}
    return {name: part for name, part in parts.items() if part}


def _readable(spec: Document) -> bool:
    """True for a selector that can be asked what it selects. Ref: metav1.LabelSelectorAsSelector()."""
    return not any(check_selector(mapping_at(spec, "selector"), ("selector",)))


def _check_matches(spec: Document) -> Iterator[Problem]:
    """That a workload selects the pods that it makes; without a selector it selects none."""
    labels = texts_at(mapping_at(mapping_at(spec, "template"), "metadata"), "labels")
    selector = selector_of(mapping_at(spec, "selector"))
    if spec.get("selector") is not None and selector.matches(labels):
        return
    wanted = ", ".join(f"{key}={value}" for key, value in sorted(selector.match_labels.items()))
    advice = f"give the template the labels that the selector asks for: {wanted}" if wanted else ""
    why = "`selector` does not match template `labels`"
    yield invalid((*TEMPLATE, "metadata", "labels"), dict(sorted(labels.items())) or None, why, advice)


def selector_of(document: Document) -> LabelSelector:
    """A ``metav1.LabelSelector``."""
    expressions = (entry for _, entry in items_at(document, ("matchExpressions",)))
    return LabelSelector(
        texts_at(document, "matchLabels"),
        tuple(
            Requirement(text_at(e, "key"), text_at(e, "operator"), tuple(str(v) for v in e.get("values") or ()))  # type: ignore[union-attr]
            for e in expressions
        ),
    )


def _check_replicas_template(item: Object, spec: Document, word: str) -> Iterator[Problem]:
    """Ref: ValidatePodTemplateSpecForReplicaSet(), ValidatePodTemplateSpecForRC()."""
    if item.kind == "ReplicationController":
        selector = workload_of(item).spec.selector
        labels = texts_at(mapping_at(mapping_at(spec, "template"), "metadata"), "labels")
        if selector is not None and not selector.matches(labels):
            why = "`selector` does not match template `labels`"
            yield invalid((*TEMPLATE, "metadata", "labels"), dict(labels), why)
    elif spec.get("selector") is None or not _is_empty(spec):
        yield from _check_matches(spec)
    yield from check_template(mapping_at(spec, "template"), TEMPLATE)
    yield from _check_runs_on(spec, word)


def _check_runs_on(spec: Document, word: str) -> Iterator[Problem]:
    """What a pod that is to run for ever may not say."""
    pod = mapping_at(mapping_at(spec, "template"), "spec")
    policy = text_at(pod, "restartPolicy", "Always")
    if policy != "Always":
        yield unsupported((*TEMPLATE, "spec", "restartPolicy"), policy, ("Always",))
    if pod.get("activeDeadlineSeconds") is not None:
        path: Path = (*TEMPLATE, "spec", "activeDeadlineSeconds")
        yield forbidden(path, f"activeDeadlineSeconds in {word} is not Supported")


# --- strategies -------------------------------------------------------------------------------------------------


def _check_deployment_strategy(spec: Document) -> Iterator[Problem]:
    path: Path = (*SPEC, "strategy")
    strategy = mapping_at(spec, "strategy")
    kind, rolling = text_at(strategy, "type", "RollingUpdate"), strategy.get("rollingUpdate")
    if kind == "Recreate":
        if rolling is not None:
            why = "may not be specified when strategy `type` is 'Recreate'"
            yield forbidden((*path, "rollingUpdate"), why)
        return
    if kind != "RollingUpdate":
        told = {"Type": kind, "RollingUpdate": None}
        yield unsupported((*path, "type"), told, ("Recreate", "RollingUpdate"), at=path)
        return
    numbers = mapping_at(strategy, "rollingUpdate")
    missing, surge = (numbers.get(name, "25%") for name in ("maxUnavailable", "maxSurge"))
    at = (*path, "rollingUpdate")
    yield from _check_share(missing, (*at, "maxUnavailable"))
    yield from _check_share(surge, (*at, "maxSurge"))
    if not _share(missing) and not _share(surge):
        yield invalid((*at, "maxUnavailable"), missing, "may not be 0 when `maxSurge` is 0")
    yield from _check_at_most_all(missing, (*at, "maxUnavailable"))


def _check_stateful_strategy(strategy: Document) -> Iterator[Problem]:
    path: Path = (*SPEC, "updateStrategy")
    kind, rolling = text_at(strategy, "type", "RollingUpdate"), strategy.get("rollingUpdate")
    if kind not in ("RollingUpdate", "OnDelete"):
        told = {"Type": kind, "RollingUpdate": None}
        yield invalid((*path, "type"), told, "must be 'RollingUpdate' or 'OnDelete'", at=path)
    elif kind == "OnDelete" and rolling is not None:
        numbers = mapping_at(strategy, "rollingUpdate")
        value = {"Partition": number_at(numbers, "partition"), "MaxUnavailable": numbers.get("maxUnavailable")}
        yield invalid((*path, "rollingUpdate"), value, "only allowed for updateStrategy 'RollingUpdate'")
    elif kind == "RollingUpdate":
        partition = mapping_at(strategy, "rollingUpdate").get("partition")
        yield from negative((*path, "rollingUpdate", "partition"), partition)


def _check_daemon_strategy(strategy: Document) -> Iterator[Problem]:
    path: Path = (*SPEC, "updateStrategy")
    kind = text_at(strategy, "type", "RollingUpdate")
    if kind not in ("RollingUpdate", "OnDelete"):
        told = {"Type": kind, "RollingUpdate": None}
        yield unsupported((*path, "type"), told, ("RollingUpdate", "OnDelete"), at=path)
    if kind != "RollingUpdate":
        return
    numbers, at = mapping_at(strategy, "rollingUpdate"), (*path, "rollingUpdate")
    missing, surge = numbers.get("maxUnavailable", 1), numbers.get("maxSurge", 0)
    for check in (_check_share, _check_at_most_all):
        yield from check(missing, (*at, "maxUnavailable"))
        yield from check(surge, (*at, "maxSurge"))
    if _share(missing) and _share(surge):
        yield invalid((*at, "maxSurge"), surge, "may not be set when maxUnavailable is non-zero")
    elif not _share(missing) and not _share(surge):
        yield required((*at, "maxUnavailable"), "cannot be 0 when maxSurge is 0")


_PERCENT = re.compile(r"[0-9]+%")


def _check_share(value: Json, path: Path) -> Iterator[Problem]:
    """A number, or a part of a hundred. Ref: ValidatePositiveIntOrPercent()."""
    if isinstance(value, str) and not _PERCENT.fullmatch(value):
        rule = "a valid percent string must be a numeric string followed by an ending '%'"
        why = f"{rule} (e.g. '1%',  or '93%', regex used for validation is '{_PERCENT.pattern}')"
        yield invalid(path, value, why)
    yield from negative(path, value)


def _share(value: Json) -> int:
    """A number or a percentage as a number, 0 for a text that is none."""
    if isinstance(value, str):
        return int(value[:-1]) if _PERCENT.fullmatch(value) else 0
    return value if isinstance(value, int) else 0


def _check_at_most_all(value: Json, path: Path) -> Iterator[Problem]:
    if isinstance(value, str) and _share(value) > 100:
        yield invalid(path, value, "must not be greater than 100%")
