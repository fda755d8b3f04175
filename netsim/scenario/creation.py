"""The chain of one pod's creation, from who asked for it to who sends packets to it, with times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netsim.cluster import podstate
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.events import Event, Severity
from netsim.cluster.ownership import controller_key
from netsim.cluster.scheduling.claims import claim_names
from netsim.objects.core import SERVICE_NAME_LABEL, Service
from netsim.objects.meta import Key, Object
from netsim.scenario.inspection import Inspection


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain. ``at``: seconds since the world began, None where it has not come to that; ``who`` did ``what``."""

    at: float | None
    who: str
    what: str
    warning: bool = False


def creation_of(inspection: Inspection, pod: Object) -> tuple[Link, ...]:
    """Every link in the order of cause and effect; the last ones say what a pod waits for, where it does not run."""
    owners = list(_owners(inspection, pod))
    links = [*_asked(inspection, owners, pod), *_stored(inspection, pod), *_volumes(inspection, pod)]
    links += _events(inspection, pod.key, "default-scheduler", Severity.WARNING)
    links += _events(inspection, pod.key, "default-scheduler", Severity.NORMAL)
    if podstate.node_name(pod):
        links += _on_node(inspection, pod)
    return (*links, *_in_services(inspection, pod))


def _owners(inspection: Inspection, pod: Object) -> Iterator[Object]:
    """Who made the pod, and who made that: the outermost last."""
    key = controller_key(pod)
    while key is not None:
        owner = inspection.plane.store.find(key)
        if owner is None:
            return
        yield owner
        key = controller_key(owner)


def _asked(inspection: Inspection, owners: list[Object], pod: Object) -> Iterator[Link]:
    first = owners[-1] if owners else pod
    said = f"{first.kind} {first.metadata.namespace}/{first.metadata.name}"
    made = _time(inspection, first.metadata.creation_timestamp)
    yield Link(made, "client", f"asks the API server for {said}")
    yield Link(made, "kube-apiserver", "authentication, authorization: not modelled, everybody may do everything")
    yield Link(
        made, "kube-apiserver", f"defaults, validates and admits it, and stores it: {said}, uid {first.metadata.uid}"
    )
    inner = [*owners[-2::-1], pod] if owners else []
    for owner, child in zip(reversed(owners), inner, strict=False):
        for event in inspection.plane.events:
            named = event.object == owner.key and child.metadata.name in event.message.split()
            if named and event.reason in ("ScalingReplicaSet", "SuccessfulCreate"):
                yield Link(event.first, event.source, f"{event.message} (for {owner.kind} {owner.metadata.name})")


def _stored(inspection: Inspection, pod: Object) -> Iterator[Link]:
    spec = mapping_at(pod.document, "spec")
    limited = [t for t in list_at(spec, "tolerations") if isinstance(t, Mapping) and "tolerationSeconds" in t]
    added = [f"service account {text_at(spec, 'serviceAccountName') or 'default'}"]
    if limited:
        added.append(f"{limited[0].get('tolerationSeconds')} s on a node that is not ready or not reachable")
    if spec.get("priority"):
        added.append(f"priority {spec['priority']} ({text_at(spec, 'priorityClassName')})")
    made = _time(inspection, pod.metadata.creation_timestamp)
    yield Link(
        made, "kube-apiserver", f"admits the pod (it gets: {', '.join(added)}) and stores it, without a node yet"
    )


def _volumes(inspection: Inspection, pod: Object) -> Iterator[Link]:
    for name in claim_names(pod):
        key = Key("PersistentVolumeClaim", pod.metadata.namespace, name)
        claim = inspection.plane.store.find(key)
        for event in inspection.events_of([key]):
            yield Link(event.first, event.source, f"claim {name}: {event.message}", event.severity is Severity.WARNING)
        if claim is not None and text_at(claim.document, "spec", "volumeName"):
            volume = text_at(claim.document, "spec", "volumeName")
            yield Link(
                _time(inspection, claim.metadata.creation_timestamp),
                "pv-controller",
                f"claim {name} is bound to {volume}",
            )


def _events(inspection: Inspection, key: Key, source: str, severity: Severity) -> Iterator[Link]:
    for event in inspection.events_of([key]):
        if event.source == source and event.severity is severity:
            yield _told(event)


def _told(event: Event) -> Link:
    times = f" ({event.count} times)" if event.count > 1 else ""
    return Link(
        event.first, event.source, f"{event.reason}: {event.message}{times}", event.severity is Severity.WARNING
    )


def _on_node(inspection: Inspection, pod: Object) -> Iterator[Link]:
    node = podstate.node_name(pod)
    who, addresses = f"kubelet {node}", podstate.pod_addresses(pod)
    own = [e for e in inspection.events_of([pod.key]) if e.source == "kubelet"]
    started = next((e.first for e in own if e.reason == "Started"), None)
    on_host = mapping_at(pod.document, "spec").get("hostNetwork") is True
    if addresses:
        yield Link(started, who, "CRI: makes the sandbox, whose pause container holds the network namespace")
        if on_host:
            yield Link(started, who, f"hostNetwork: no CNI is asked, the pod has the node's address {addresses[0]}")
        else:
            yield Link(
                started,
                who,
                f"CNI ADD: the pod gets {' and '.join(addresses)} of the node's {_cidrs(inspection, node)}",
            )
    yield from (_told(event) for event in own)
    ready = podstate.condition(pod, "Ready")
    if ready is not None and addresses:
        true = ready.get("status") == "True"
        said = "the pod is Ready" if true else f"the pod is not Ready: {ready.get('message') or ready.get('reason')}"
        yield Link(_time(inspection, text_at(ready, "lastTransitionTime")), who, said, not true)


def _cidrs(inspection: Inspection, node: str) -> str:
    found = inspection.plane.store.find(Key("Node", "", node))
    return " and ".join(map(str, list_at(found.document, "spec", "podCIDRs"))) if found is not None else "pod CIDR"


def _in_services(inspection: Inspection, pod: Object) -> Iterator[Link]:
    store = inspection.plane.store
    at = _time(inspection, text_at(podstate.condition(pod, "Ready") or {}, "lastTransitionTime"))
    for item in store.list("EndpointSlice", pod.metadata.namespace).items:
        name = item.metadata.labels.get(SERVICE_NAME_LABEL, "")
        for endpoint in list_at(item.document, "endpoints"):
            if not isinstance(endpoint, Mapping) or mapping_at(endpoint, "targetRef").get("uid") != pod.metadata.uid:
                continue
            ready = mapping_at(endpoint, "conditions").get("ready") is not False
            address = ", ".join(map(str, list_at(endpoint, "addresses")))
            word = "ready" if ready else "not ready"
            said = f"{address} is an endpoint ({word}) of Service {name}, in slice {item.metadata.name}"
            yield Link(at, "endpointslice-controller", said, not ready)
            service = store.find(Key("Service", pod.metadata.namespace, name))
            if service is None or not ready:
                continue
            headless = Service.of(service).headless
            how = (
                "headless: DNS leads to the pod, nothing is programmed"
                if headless
                else "programs it on every node (netsim rules NODE)"
            )
            yield Link(at, "kube-proxy", how)


def _time(inspection: Inspection, timestamp: str | None) -> float | None:
    try:
        return inspection.clock.seconds_of(timestamp) if timestamp else None
    except (ValueError, TypeError):
        return None
