"""The chain of one pod's creation, from who asked for it to who sends packets to it, with times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.cluster import podstate
from netsim.cluster.access.users import ADMIN, User, service_account
from netsim.cluster.admission import CHAIN
from netsim.cluster.admission.service_account import TOKEN_VOLUME
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.cluster.events import Event, Severity
from netsim.cluster.ownership import controller_key
from netsim.cluster.resources import resource_of
from netsim.cluster.scheduling.claims import claim_names
from netsim.dataclass import dataclass
from netsim.objects.core import SERVICE_NAME_LABEL, Service
from netsim.objects.meta import Key, Object
from netsim.scenario.inspection import Inspection
from netsim.scenario.rights import decision_of


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the chain. ``at``: seconds since the world began, None where it has not come to that; ``who`` did ``what``."""

    at: float | None
    who: str
    what: str
    warning: bool = False


def creation_of(inspection: Inspection, pod: Object, user: User = ADMIN) -> tuple[Link, ...]:
    """Every link in the order of cause and effect; the last ones say what a pod waits for, where it does not run.

    ``user``: who is taken to have asked; where they may not, the chain ends there.
    """
    owners = list(_owners(inspection, pod))
    first = owners[-1] if owners else pod
    asked = list(_asked(inspection, first, user))
    if asked[-1].warning:
        return tuple(asked)
    links = [*asked, *_stored(inspection, first), *_made(inspection, owners, pod)]
    links += [*_admitted(inspection, pod, by=owners[0] if owners else None), *_volumes(inspection, pod)]
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


def _asked(inspection: Inspection, first: Object, user: User) -> Iterator[Link]:
    made = _time(inspection, first.metadata.creation_timestamp)
    yield Link(made, "client", f"asks the API server for {_named(first)}")
    groups = ", ".join(user.groups)
    how = "the client certificate (CN, O)" if user == ADMIN else "--as, instead of the client certificate"
    yield Link(made, "kube-apiserver", f"authentication: {user.name}, of the groups {groups}: from {how}")
    yield _authorized(inspection, first, user)


def _authorized(inspection: Inspection, item: Object, user: User) -> Link:
    """The link that says by which rule a user may make an object, or that they may not."""
    made = _time(inspection, item.metadata.creation_timestamp)
    asked = Key(item.kind, item.metadata.namespace, "")
    decision = decision_of(inspection, user, "create", asked)
    if decision.allowed:
        what = f"{user.name} may create {resource_of(item.kind, item.api_version).qualified}"
        return Link(made, "kube-apiserver", f"authorization: {what}: {decision.reason}")
    said = inspection.plane.api.acting_as(user).attributes("create", asked).forbidden
    return Link(made, "kube-apiserver", f"authorization: {said}: no authorizer allows it", warning=True)


def _named(item: Object) -> str:
    return f"{item.kind} {item.metadata.namespace}/{item.metadata.name}"


def _stored(inspection: Inspection, item: Object) -> Iterator[Link]:
    made = _time(inspection, item.metadata.creation_timestamp)
    if item.kind != "Pod":
        changed = ", ".join(inspection.plane.admission.changed_by(item.key))
        admits = f"admission changes it ({changed})" if changed else "admission leaves it as it is"
        yield Link(
            made,
            "kube-apiserver",
            f"defaults and validates it, {admits}, and stores it: {_named(item)}, uid {item.metadata.uid}",
        )


def _made(inspection: Inspection, owners: list[Object], pod: Object) -> Iterator[Link]:
    """What controllers made of it on the way to the pod."""
    inner = [*owners[-2::-1], pod] if owners else []
    for owner, child in zip(reversed(owners), inner, strict=False):
        for event in inspection.plane.events:
            named = event.object == owner.key and child.metadata.name in event.message.split()
            if named and event.reason in ("ScalingReplicaSet", "SuccessfulCreate"):
                yield Link(event.first, event.source, f"{event.message} (for {owner.kind} {owner.metadata.name})")


_CONTROLLERS = {
    "ReplicaSet": "replicaset-controller",
    "ReplicationController": "replication-controller",
    "StatefulSet": "statefulset-controller",
    "DaemonSet": "daemon-set-controller",
    "Job": "job-controller",
}


def _admitted(inspection: Inspection, pod: Object, *, by: Object | None) -> Iterator[Link]:
    if by is not None and by.kind in _CONTROLLERS:
        yield _authorized(inspection, pod, service_account("kube-system", _CONTROLLERS[by.kind]))
    made = _time(inspection, pod.metadata.creation_timestamp)
    for plugin in inspection.plane.admission.changed_by(pod.key):
        yield Link(made, "kube-apiserver", f"admission, {plugin}: the pod gets {_got(plugin, pod)}")
    others = [p.name for p in CHAIN if p.name not in inspection.plane.admission.changed_by(pod.key)]
    yield Link(made, "kube-apiserver", f"admission: no objection of {', '.join(others)}")
    yield Link(made, "kube-apiserver", f"stores {_named(pod)}, without a node yet")


def _got(plugin: str, pod: Object) -> str:
    """What a plugin gives a pod."""
    spec = mapping_at(pod.document, "spec")
    match plugin:
        case "ServiceAccount":
            volumes = (text_at(v, "name") for v in list_at(spec, "volumes") if isinstance(v, Mapping))
            token = next((name for name in volumes if name.startswith(TOKEN_VOLUME)), "")
            return f"the account {text_at(spec, 'serviceAccountName')}" + (f" and its token ({token})" if token else "")
        case "Priority":
            named = text_at(spec, "priorityClassName")
            return f"priority {spec.get('priority')}" + (f" ({named})" if named else "")
        case "DefaultTolerationSeconds":
            limited = [t for t in list_at(spec, "tolerations") if isinstance(t, Mapping) and "tolerationSeconds" in t]
            seconds = limited[0].get("tolerationSeconds") if limited else 300
            return f"{seconds} s on a node that is not ready or not reachable"
        case _:
            return "what its containers leave out"


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
