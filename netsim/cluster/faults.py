"""Misfortunes on purpose: what a timeline does to a running cluster beside what users ask its API for.

Each happens now, by the clock of the control plane; who wants it later says ``plane.at(60, lambda: plane.faults.kill_node("node2"))``.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from netsim.cluster.documents import list_at, text_at
from netsim.cluster.errors import BadRequest
from netsim.cluster.machines import Machines, ProbeKind
from netsim.cluster.store import Store
from netsim.objects.json import Document
from netsim.objects.meta import Key, Object


class Faults:
    """Kills and restores nodes, fails probes, ends containers. Every method raises NotFound for what is not there."""

    def __init__(self, store: Store, machines: Machines) -> None:
        self._store = store
        self._machines = machines

    def kill_node(self, name: str) -> None:
        """A node loses its power: its pods answer no more, and after the grace of its Lease it is Unknown."""
        self._machines.stop(self._node(name))

    def silence_kubelet(self, name: str) -> None:
        """A node's kubelet is heard of no more, while its pods go on."""
        self._machines.stop(self._node(name), power=False)

    def restore_node(self, name: str) -> None:
        """A node is back. After a loss of power its pods are started anew, in new sandboxes with new addresses."""
        self._machines.start(self._node(name))

    def dark_nodes(self) -> tuple[str, ...]:
        """The nodes without power, sorted: nothing that is sent to them arrives."""
        nodes = (item.metadata.name for item in self._store.list("Node").items)
        return tuple(name for name in nodes if (out := self._machines.outage(name)) is not None and out.power)

    def fail_probe(self, pod: Key, probe: ProbeKind, container: str = "", *, until: float = inf) -> None:
        """A probe of a pod's container (empty: of each that has such a probe) fails, until a time since the world began.

        Raises BadRequest where it has no such probe.
        """
        self._machines.fail(self._with_probe(pod, probe, container), probe, container, until=until)

    def mend_probe(self, pod: Key, probe: ProbeKind, container: str = "") -> None:
        """A probe that was told to fail succeeds again. Raises BadRequest where the pod has no such probe."""
        self._machines.mend(self._with_probe(pod, probe, container), probe, container)

    def end_container(self, pod: Key, container: str = "", *, exit_code: int = 1) -> None:
        """A container's program (empty: each one's) ends by itself. Raises BadRequest where the pod has no such container."""
        names = [text_at(c, "name") for c in _containers(self._store.get(pod))]
        if container and container not in names:
            raise BadRequest(f"container {container} is not valid for pod {pod.name}")
        for name in [container] if container else names:
            self._machines.end(pod, name, exit_code)

    def _node(self, name: str) -> str:
        return self._store.get(Key("Node", "", name)).metadata.name

    def _with_probe(self, pod: Key, probe: ProbeKind, container: str) -> Key:
        found = [c for c in _containers(self._store.get(pod)) if container in ("", text_at(c, "name"))]
        if not any(f"{probe.value}Probe" in c for c in found):
            where = f"container {container} of pod {pod.name}" if container else f"pod {pod.name}"
            raise BadRequest(f"{where} has no {probe.value}Probe")
        return pod


def _containers(pod: Object) -> list[Document]:
    names = ("initContainers", "containers")
    return [c for name in names for c in list_at(pod.document, "spec", name) if isinstance(c, Mapping)]
