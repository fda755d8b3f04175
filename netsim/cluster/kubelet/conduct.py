"""How a pod's programs behave, from its spec and its annotations. Programs are not run."""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.documents import mapping_at
from netsim.cluster.kubelet.pod_runtime import Conduct
from netsim.net.packet import Protocol
from netsim.objects.listen import LISTEN_ANNOTATION, ListenError, parse_listen
from netsim.objects.meta import Object
from netsim.objects.script import Script

_GRACE = 30


def conduct_of(pod: Object) -> Conduct:
    """What is known of a pod's programs."""
    given = mapping_at(pod.document, "spec").get("terminationGracePeriodSeconds")
    annotations = pod.metadata.annotations
    if not annotations and given in (None, _GRACE):
        return _DEFAULT
    return Conduct(
        float(given) if isinstance(given, int) else float(_GRACE),
        podstate.takes_to_end(pod),
        listening(pod),
        annotations.get(podstate.READY_ANNOTATION) == "false",
        Script.of(annotations),
    )


_DEFAULT = Conduct()


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
