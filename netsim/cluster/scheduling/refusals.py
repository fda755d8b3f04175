"""What the scheduler writes of a pod that it could not place: the event, and the condition PodScheduled.

Ref: pkg/scheduler/schedule_one.go:handleSchedulingFailure(), updatePod() (v1.37).
"""

from __future__ import annotations

from netsim.cluster import podstate
from netsim.cluster.clock import VirtualClock
from netsim.cluster.documents import text_at, with_value
from netsim.cluster.events import EventRecorder
from netsim.cluster.store import Store, merged_condition
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Object

_NOTE = 1024
"""The most that an event's text may have. Ref: pkg/apis/core/validation/events.go: NoteLengthLimit."""


@dataclass(frozen=True, slots=True)
class Refusals:
    """Says no, in the name of the scheduler."""

    store: Store
    recorder: EventRecorder
    clock: VirtualClock
    source: str

    def unschedulable(self, pod: Object, message: str, *, nominated: str = "") -> None:
        """No node will do; ``nominated``: one is kept free for it until others have gone."""
        note = message if len(message) <= _NOTE else f"{message[: _NOTE - 4]} ..."
        self.recorder.warning(self.source, pod.key, "FailedScheduling", note)
        self.refuse(pod, "Unschedulable", message, nominated=nominated)

    def refuse(self, pod: Object, reason: str, message: str, *, nominated: str = "") -> None:
        """Write why a pod has no node, where it does not say so already."""
        known = podstate.condition(pod, "PodScheduled")
        same = known is not None and (known.get("reason"), known.get("message")) == (reason, message)
        if same and (not nominated or text_at(pod.document, "status", "nominatedNodeName") == nominated):
            return
        refused: Document = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastTransitionTime": self.clock.timestamp(),
        }
        if nominated:
            pod = Object.of(with_value(pod.document, ("status", "nominatedNodeName"), nominated))
        self.write_condition(pod, refused)

    def write_condition(self, pod: Object, condition: Document) -> None:
        """Set one condition of a pod."""
        document = with_value(pod.document, ("status", "conditions"), merged_condition(pod.document, condition))
        self.store.update_status(Object(pod.api_version, pod.kind, pod.metadata, document))
