"""Hints of ``service.kubernetes.io/topology-mode: Auto``: each zone gets endpoints in proportion to its processors.

Ref: staging/src/k8s.io/endpointslice/topologycache/{topologycache,utils,sliceinfo}.go (v1.37). Where
Kubernetes takes zones from a Go map in any order, they are taken here in the order of their names.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from math import ceil

from netsim.cluster import podstate
from netsim.cluster.controllers.slices import Plan, Slice, without_hints
from netsim.cluster.documents import list_at, mapping_at, text_at
from netsim.dataclass import dataclass
from netsim.objects.core import ZONE_LABEL
from netsim.objects.json import Document
from netsim.objects.meta import Object
from netsim.objects.quantity import quantities

OVERLOAD = 0.2
"""The most that an endpoint may have to do above its share."""
ENOUGH = 1 / (1 + OVERLOAD)
MODES = ("service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode")
_EXCLUDED = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master")

NODE_INFO = "Insufficient Node information: allocatable CPU or zone not specified on one or more nodes"
FEW_ENDPOINTS = "Insufficient number of endpoints"
OVERLOADED = "Unable to allocate minimum required endpoints to each zone without exceeding overload threshold"
NO_ZONE = "One or more endpoints do not have a zone specified"
NO_HINTS = "No hints allocated for zones"


def asked_for(service: Object) -> bool:
    """True where a Service asks for them by its annotation."""
    found = next((service.metadata.annotations[name] for name in MODES if name in service.metadata.annotations), "")
    return found in ("Auto", "auto")


def ratios(nodes: Iterable[Object]) -> dict[str, float]:
    """The share of the processors by zone, empty where it is not known or there are not two zones. Ref: SetNodes()."""
    by_zone: dict[str, Decimal] = defaultdict(Decimal)
    for node in nodes:
        ready = podstate.condition(node, "Ready")
        if any(label in node.metadata.labels for label in _EXCLUDED) or ready is None or ready.get("status") != "True":
            continue
        cpu = quantities(mapping_at(node.document, "status", "allocatable")).get("cpu")
        zone = node.metadata.labels.get(ZONE_LABEL)
        if not zone or not cpu:
            return {}
        by_zone[zone] += cpu
    total = sum(by_zone.values(), Decimal(0))
    return {zone: float(cpu / total) for zone, cpu in sorted(by_zone.items())} if len(by_zone) > 1 else {}


@dataclass(frozen=True, slots=True)
class Allocation:
    """How many endpoints a zone should have: the share itself, and at least and at most."""

    minimum: int
    maximum: int
    desired: float


def allocations(shares: Mapping[str, float], endpoints: int) -> Mapping[str, Allocation] | str:
    """The allocation of each zone, or why there can be none. Ref: getAllocations()."""
    if not shares:
        return NODE_INFO
    amounts = f"({endpoints} endpoints, {len(shares)} zones)"
    if len(shares) > endpoints:
        return f"{FEW_ENDPOINTS} {amounts}"
    least = {zone: ceil(share * endpoints * ENOUGH) for zone, share in shares.items()}
    spare = endpoints - sum(least.values())
    if spare < 0:
        return f"{OVERLOADED} {amounts}"
    return {z: Allocation(n, n + spare, max(shares[z] * endpoints, float(n))) for z, n in least.items()}


def with_topology_hints(plan: Plan, shares: Mapping[str, float]) -> tuple[Plan, str]:
    """The plan with hints, and why it has none, empty where it has. Ref: AddHints()."""
    changing, kept = [*plan.create, *plan.update], list(plan.unchanged)
    ready = sum(1 for s in (*changing, *kept) for e in s.endpoints if _ready(e))
    found = allocations(shares, ready)
    if isinstance(found, str):
        return _hintless(plan), found
    if any(not text_at(e, "zone") for s in changing for e in s.endpoints if _ready(e)):
        return _hintless(plan), NO_ZONE
    given: Counter[str] = Counter()
    for item in kept[:]:
        counted = _hints_of(item, given, found)
        if counted is None:
            kept.remove(item)
            changing.append(item)
        else:
            given += counted
    hinted = _in_own_zone(changing, given)
    if not given:
        return _hintless(plan), NO_HINTS
    giving, receiving = exchange(found, given)
    moved = [_moved(s, giving, receiving) for s in hinted]
    number = len(plan.create)
    return replace(plan, create=tuple(moved[:number]), update=tuple(moved[number:]), unchanged=tuple(kept)), ""


def hints_given(plan: Plan) -> Counter[str]:
    """How many endpoints the slices of a plan have for each zone."""
    every = (e for s in (*plan.create, *plan.update, *plan.unchanged) for e in s.endpoints)
    return Counter(
        text_at(zone, "name") for e in every for zone in list_at(e, "hints", "forZones") if isinstance(zone, Mapping)
    )


def _hints_of(item: Slice, given: Counter[str], wanted: Mapping[str, Allocation]) -> Counter[str] | None:
    """The hints of a slice that does not change, None where they will not do any more. Ref: getHintsByZone()."""
    zones: Counter[str] = Counter()
    for endpoint in filter(_ready, item.endpoints):
        hints = [text_at(z, "name") for z in list_at(endpoint, "hints", "forZones") if isinstance(z, Mapping)]
        if not hints or any(zone not in wanted for zone in hints):
            return None
        zones.update(hints)
    return None if any(count + given[zone] > wanted[zone].maximum for zone, count in zones.items()) else zones


def _in_own_zone(slices: Sequence[Slice], given: Counter[str]) -> list[Slice]:
    hinted = []
    for item in slices:
        zones = [text_at(e, "zone") if _ready(e) else "" for e in item.endpoints]
        given.update(filter(None, zones))
        endpoints = tuple(_for_zone(e, zone) for e, zone in zip(item.endpoints, zones, strict=True))
        hinted.append(replace(item, endpoints=endpoints))
    return hinted


def exchange(wanted: Mapping[str, Allocation], given: Mapping[str, int]) -> tuple[Counter[str], Counter[str]]:
    """How many endpoints zones give to others, and get from others. Ref: getGivingAndReceivingZones()."""
    difference = {zone: given.get(zone, 0) - share.desired for zone, share in sorted(wanted.items())}
    over = {zone: d for zone, d in difference.items() if d > 0}
    under = {zone: -d for zone, d in difference.items() if d < 0}
    giving: Counter[str] = Counter()
    receiving: Counter[str] = Counter()
    while over and under:
        donor, heir = max(over, key=lambda z: over[z]), max(under, key=lambda z: under[z])
        most, need = over[donor], under[heir]
        if (most < 1 and need < 1) or most < 0.5 or need < 0.5:
            break
        giving[donor] += 1
        receiving[heir] += 1
        over[donor] -= 1
        under[heir] -= 1
    return giving, receiving


def _moved(item: Slice, giving: Counter[str], receiving: Counter[str]) -> Slice:
    """Ref: redistributeHints(): the first endpoints of a zone that gives are meant for one that gets."""
    endpoints = []
    for endpoint in item.endpoints:
        zone = text_at(endpoint, "zone")
        heir = next((z for z in sorted(receiving) if receiving[z] > 0), "")
        if _ready(endpoint) and giving[zone] > 0 and heir:
            giving[zone] -= 1
            receiving[heir] -= 1
            endpoint = _for_zone(endpoint, heir)
        endpoints.append(endpoint)
    return replace(item, endpoints=tuple(endpoints))


def _for_zone(endpoint: Document, zone: str) -> Document:
    bare = without_hints(endpoint)
    return {**bare, "hints": {"forZones": [{"name": zone}]}} if zone else bare


def _hintless(plan: Plan) -> Plan:
    """Ref: RemoveHintsFromSlices()."""
    bare = {s.name: replace(s, endpoints=tuple(map(without_hints, s.endpoints))) for s in plan.unchanged}
    late = tuple(bare[s.name] for s in plan.unchanged if bare[s.name] != s)
    kept = tuple(s for s in plan.unchanged if bare[s.name] == s)
    create, update = (tuple(_bare(s) for s in slices) for slices in (plan.create, plan.update))
    return replace(plan, create=create, update=(*update, *late), unchanged=kept)


def _bare(item: Slice) -> Slice:
    return replace(item, endpoints=tuple(map(without_hints, item.endpoints)))


def _ready(endpoint: Document) -> bool:
    return mapping_at(endpoint, "conditions").get("ready") is True
