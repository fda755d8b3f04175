"""What the EndpointSlice controller remembers of topology hints: the zones' shares, and which Services have hints.

Ref: staging/src/k8s.io/endpointslice/topologycache/topologycache.go:TopologyCache (v1.37). It is lost when the controller starts anew,
as it is there: then it is told once more that hints are on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil

from netsim.cluster.controllers.slices import Plan
from netsim.cluster.controllers.topology_hints import ENOUGH, hints_given, ratios, with_topology_hints
from netsim.objects.meta import Key, Object

ENABLED = "Topology Aware Hints has been enabled"
DISABLED = "Topology Aware Hints has been disabled"


class TopologyCache:
    """Zones and Services as they were when they were last looked at."""

    def __init__(self) -> None:
        self._shares: dict[str, float] = {}
        self._given: dict[Key, dict[str, Mapping[str, int]]] = {}
        self._hinted: set[Key] = set()

    def set_nodes(self, nodes: Iterable[Object]) -> None:
        """Take the zones' shares from the nodes that there are."""
        self._shares = ratios(nodes)

    def overloaded(self) -> list[Key]:
        """The Services of which some zone has too few endpoints now. Ref: GetOverloadedServices()."""
        return [key for key, given in self._given.items() if any(self._overloaded(zones) for zones in given.values())]

    def _overloaded(self, given: Mapping[str, int]) -> bool:
        if not given or not self._shares:
            return bool(given)
        total = sum(given.values())
        return any(given.get(zone, 0) < ceil(total * share * ENOUGH) for zone, share in self._shares.items())

    def with_hints(self, service: Key, address_type: str, plan: Plan) -> tuple[Plan, str, str]:
        """The plan with hints, and what is new: that they are on, or why there are none; each empty where there is nothing to say.

        Ref: AddHints().
        """
        plan, refused = with_topology_hints(plan, self._shares)
        if refused:
            self.forget(service, address_type)
            return plan, "", refused
        self._given.setdefault(service, {})[address_type] = hints_given(plan)
        news = "" if service in self._hinted else ENABLED
        self._hinted.add(service)
        return plan, news, ""

    def forget(self, service: Key, address_type: str) -> bool:
        """A Service's slices of one type have no such hints any more; True where the Service had some. Ref: RemoveHints()."""
        self._given.get(service, {}).pop(address_type, None)
        if not self._given.get(service):
            self._given.pop(service, None)
        had = service in self._hinted
        self._hinted.discard(service)
        return had
