"""What runs where, as the scheduler counts it: nodes with their pods, and tallies of the pods that somebody asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from netsim.cluster import podstate
from netsim.cluster.documents import canonical, mapping_at
from netsim.cluster.informer import Informer
from netsim.cluster.ownership import controller_of
from netsim.cluster.scheduling.affinity import Places, PodAffinity, PodTerm, Tally
from netsim.cluster.scheduling.nodes import NodeState, Resident
from netsim.cluster.scheduling.placement import Placements
from netsim.objects.meta import Key, Object

_Kind = tuple[tuple[PodTerm, ...], bool]
"""The pods that all of some terms mean; True: without those that are being deleted."""


class Population:
    """Nodes and the pods on them.

    ``on_reset`` is called whenever the nodes are read anew. ``disliked``: some node has a PreferNoSchedule taint.
    """

    def __init__(
        self, nodes: Informer, namespaces: Informer, placements: Placements, on_reset: Callable[[], None]
    ) -> None:
        self._node_objects = nodes
        self._namespaces = namespaces
        self._on_reset = on_reset
        self._nodes: dict[str, NodeState] | None = None
        self.disliked = False
        self._residents: dict[Key, tuple[str, Resident]] = {}
        self._nominated: dict[Key, tuple[str, Resident]] = {}
        self._placements = placements
        self._tallies: dict[_Kind, Tally] = {}
        self._asking: dict[tuple[str, PodTerm], Tally] = {}
        namespaces.add_handler(lambda _, __: self._tallies.clear())

    # --- nodes ------------------------------------------------------------------------------------------------------

    def nodes(self) -> dict[str, NodeState]:
        """Every node by its name, in the order of names."""
        if self._nodes is None:
            items = self._node_objects.all()
            self._nodes = {item.metadata.name: NodeState.of(item, order) for order, item in enumerate(items)}
            for name, resident in self._residents.values():
                if name in self._nodes:
                    self._nodes[name].add(resident)
            for key, (name, resident) in self._nominated.items():
                if name in self._nodes:
                    self._nodes[name].nominated[key] = resident
            self.disliked = any(t.effect == "PreferNoSchedule" for n in self._nodes.values() for t in n.taints)
            self._on_reset()
        return self._nodes

    def forget_nodes(self) -> None:
        """Read the nodes anew the next time that they are asked for."""
        self._nodes = None

    def labels_of(self, node: str) -> Mapping[str, str]:
        """A node's labels, none where it is gone."""
        found = self.nodes().get(node)
        return {} if found is None else found.view.metadata.labels

    # --- pods -------------------------------------------------------------------------------------------------------

    def resident(self, pod: Object) -> Resident:
        """How a pod is counted."""
        return Resident(
            pod.key,
            pod.metadata.labels,
            self._placements.of(pod),
            group_of(pod),
            PodAffinity.of(pod),
            priority_of(pod),
            pod.metadata.creation_timestamp or "",
            pod.metadata.deletion_timestamp is not None and not podstate.held(pod),
        )

    def counted(self, key: Key) -> Resident | None:
        """The pod as it is counted, None where it is not."""
        found = self._residents.get(key)
        return None if found is None else found[1]

    def add(self, node: str, resident: Resident) -> None:
        """Count a pod on a node."""
        self._residents[resident.key] = (node, resident)
        self.promise(resident.key, None)
        self._tally(node, resident, 1)
        if self._nodes is not None and node in self._nodes:
            self._nodes[node].add(resident)

    def remove(self, key: Key) -> bool:
        """Count a pod no more; False where it was not counted."""
        found = self._residents.pop(key, None)
        if found is None:
            return False
        node, resident = found
        self._tally(node, resident, -1)
        if self._nodes is not None and node in self._nodes:
            self._nodes[node].remove(resident)
        return True

    def take_away(self, resident: Resident) -> None:
        """Count a pod no more."""
        self.remove(resident.key)

    def promise(self, key: Key, to: tuple[str, Resident] | None) -> None:
        """Keep a node free for a pod that others make room for, or (None) no longer."""
        before = self._nominated.pop(key, None)
        if before is not None and before[0] in self.nodes():
            self.nodes()[before[0]].nominated.pop(key, None)
        if to is not None:
            self._nominated[key] = to
            if to[0] in self.nodes():
                self.nodes()[to[0]].nominated[key] = to[1]

    def promised(self, key: Key) -> str:
        """The node that is kept free for a pod, empty without one."""
        found = self._nominated.get(key)
        return "" if found is None else found[0]

    # --- tallies ----------------------------------------------------------------------------------------------------

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """A namespace's labels."""
        found = self._namespaces.get(Key("Namespace", "", name))
        return {} if found is None else found.metadata.labels

    def tally(self, terms: tuple[PodTerm, ...], *, living: bool = False) -> Tally:
        """The pods that every one of some terms means, by node; kept up to date from then on."""
        kind = (terms, living)
        found = self._tallies.get(kind)
        if found is None:
            found = self._tallies[kind] = Tally()
            for node, resident in self._residents.values():
                if self._is(kind, resident):
                    found[node] += 1
        return found

    def _is(self, kind: _Kind, resident: Resident) -> bool:
        terms, living = kind
        if living and resident.terminating:
            return False
        return all(t.means(resident.key.namespace, resident.labels, self.namespace_labels) for t in terms)

    def _tally(self, node: str, resident: Resident, sign: int) -> None:
        for kind, tally in self._tallies.items():
            if self._is(kind, resident):
                tally[node] += sign
        for word, term in _asked_by(resident.affinity):
            self._asking.setdefault((word, term), Tally())[node] += sign

    def asking(self) -> Iterable[tuple[str, PodTerm, Tally]]:
        """What the pods that run ask of others, and where those run that ask it: near, far, rather near, rather far."""
        return ((word, term, tally) for (word, term), tally in self._asking.items() if any(tally.values()))

    # --- affinity ---------------------------------------------------------------------------------------------------

    def places(self, pod: Resident) -> Places:
        """Where required inter-pod affinity lets a pod run. Ref: interpodaffinity/filtering.go:PreFilter()."""
        near = tuple((t.key, self._by_place((*pod.affinity.near,), t.key)) for t in pod.affinity.near)
        far = tuple((t.key, self._by_place((t,), t.key)) for t in pod.affinity.far)
        means_itself = all(t.means(pod.key.namespace, pod.labels, self.namespace_labels) for t in pod.affinity.near)
        alone = bool(near) and means_itself and not any(places for _, places in near)
        kept_off: set[tuple[str, str]] = set()
        for word, term, tally in self.asking():
            if word == "far" and term.means(pod.key.namespace, pod.labels, self.namespace_labels):
                kept_off |= {(term.key, value) for value in tally.by_place(term.key, self.labels_of)}
        return Places(near, alone, far, frozenset(kept_off))

    def _by_place(self, terms: tuple[PodTerm, ...], key: str) -> Counter[str]:
        return self.tally(terms).by_place(key, self.labels_of)


def _asked_by(affinity: PodAffinity) -> Iterable[tuple[str, PodTerm]]:
    for word in ("near", "far", "rather_near", "rather_far"):
        for term in getattr(affinity, word):
            yield word, term


def priority_of(pod: Object) -> int:
    """A pod's priority, which admission wrote into it."""
    given = mapping_at(pod.document, "spec").get("priority")
    return given if isinstance(given, int) else 0


def group_of(pod: Object) -> str:
    """The pods that are spread together: those of one owner; a pod of its own stands alone with those of its labels."""
    owner = controller_of(pod)
    if owner is not None:
        return owner.uid
    labels = pod.metadata.labels
    return f"{pod.metadata.namespace}/{canonical(labels)}" if labels else str(pod.key)
