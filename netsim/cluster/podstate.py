"""What a pod's document says of its state, as controllers ask for it.

Ref: pkg/api/v1/pod/util.go, pkg/controller/controller_utils.go (v1.37).
"""

from __future__ import annotations

from collections.abc import Mapping

from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import list_at, text_at
from netsim.objects.json import Document
from netsim.objects.meta import Object

MIRROR = "kubernetes.io/config.mirror"
"""The annotation of a static pod's image in the API server: the pod is its node's, and is there again when it is deleted."""

HOLD_TERMINATING = "netsim.io/terminating"
TERMINATES_AFTER = "netsim.io/terminates-after"
READY_ANNOTATION = "netsim.io/ready"


def phase(pod: Object) -> str:
    """``status.phase``; Pending where there is none."""
    return text_at(pod.document, "status", "phase") or "Pending"


def node_name(pod: Object) -> str:
    """``spec.nodeName``, empty before it has a node."""
    return text_at(pod.document, "spec", "nodeName")


def finished(pod: Object) -> bool:
    """True where all its containers have ended for good."""
    return phase(pod) in ("Succeeded", "Failed")


def held(pod: Object) -> bool:
    """True where its annotation keeps it terminating: it is being deleted, and stays so for as long as the world lasts."""
    return pod.metadata.annotations.get(HOLD_TERMINATING) == "true"


def active(pod: Object) -> bool:
    """True where it counts as a replica: not finished and not being deleted.

    A pod that is held terminating by its annotation counts, or its controller would make others, also held, without end.
    """
    return not finished(pod) and (pod.metadata.deletion_timestamp is None or held(pod))


def condition(pod: Object, kind: str) -> Document | None:
    """The condition of a type, None without one."""
    for item in list_at(pod.document, "status", "conditions"):
        if isinstance(item, Mapping) and item.get("type") == kind:
            return item
    return None


def ready(pod: Object) -> bool:
    """True where its Ready condition is True."""
    found = condition(pod, "Ready")
    return found is not None and found.get("status") == "True"


def available_in(pod: Object, min_ready_seconds: int, clock: VirtualClock) -> float | None:
    """Seconds until a ready pod counts as available: 0 where it does, None where it is not ready."""
    found = condition(pod, "Ready")
    if found is None or found.get("status") != "True":
        return None
    since = text_at(found, "lastTransitionTime")
    if not min_ready_seconds or not since:
        return 0.0
    return max(0.0, clock.seconds_of(since) + min_ready_seconds - clock.now())


def pod_addresses(pod: Object) -> list[str]:
    """``status.podIPs``, or ``podIP`` where only that is given."""
    addresses = [text_at(a, "ip") for a in list_at(pod.document, "status", "podIPs") if isinstance(a, Mapping)]
    single = text_at(pod.document, "status", "podIP")
    return addresses or ([single] if single else [])


def may_be_endpoint(pod: Object) -> bool:
    """True where it may stand in an EndpointSlice, terminating or not. Ref: util/controller_utils.go:ShouldPodBeInEndpoints()."""
    return not finished(pod) and bool(pod_addresses(pod))


def takes_to_end(pod: Object) -> float | None:
    """Seconds that a pod's programs take to end once they are told to, as its annotation says; None: all of their grace."""
    said = pod.metadata.annotations.get(TERMINATES_AFTER, "")
    return float(said) if said.replace(".", "", 1).isdecimal() else None
