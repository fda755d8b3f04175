"""What is on the nodes whether or not anybody watches it: sandboxes with their containers, addresses, what was admitted.

Kubelets that are started anew find it as it was, as they do in their runtime and in CNI's files.
"""

from __future__ import annotations

from dataclasses import field

from netsim.cluster.kubelet.addresses import PodNetwork
from netsim.cluster.kubelet.admission import NodeAdmission
from netsim.cluster.kubelet.pod_runtime import PodRuntime
from netsim.dataclass import dataclass
from netsim.objects.json import Document
from netsim.objects.meta import Key


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a given object asks for and cannot have; ``path`` is the field that asks."""

    object: Key
    message: str
    path: str = ""


@dataclass(slots=True)
class Fleet:
    """The nodes' state. ``given``: statuses that pods were loaded with; ``ending``: since when a pod is being ended."""

    problems: list[Problem] = field(default_factory=list)
    admission: NodeAdmission = field(default_factory=NodeAdmission)
    pods: dict[Key, PodRuntime] = field(default_factory=dict)
    given: dict[Key, Document] = field(default_factory=dict)
    ending: dict[Key, float] = field(default_factory=dict)
    network: PodNetwork = field(init=False)

    def __post_init__(self) -> None:
        self.network = PodNetwork(self.report)

    def report(self, key: Key, message: str) -> None:
        """A given pod cannot have the address that it asks for."""
        problem = Problem(key, message, "status.podIP")
        if problem not in self.problems:
            self.problems.append(problem)

    def known(self) -> list[Key]:
        """The pods of which anything is on a node, sorted."""
        return sorted({*self.pods, *self.ending, *self.network.holders(), *self.admission.pods()})

    def release(self, pod: Key) -> None:
        """A pod's containers have ended for good: its sandbox, its addresses and its share of the node are free."""
        self.network.delete(pod)
        self.admission.release(pod)
        self.pods.pop(pod, None)

    def forget(self, pod: Key) -> None:
        """A pod is gone."""
        self.release(pod)
        self.given.pop(pod, None)
        self.ending.pop(pod, None)
