"""EndpointSlices against the answers of Kubernetes' own reconciler to the same situations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.controllers.endpointslice import EndpointSliceController
from netsim.cluster.store import Store
from netsim.objects.meta import Key, Object
from tests.table.endpointslice_rows import ROWS, said, shape

ANSWERS = json.loads((Path(__file__).parents[1] / "data/kubernetes-1.37/endpointslices.json").read_text())


def answers_of(steps: list[Any]) -> list[Any]:
    """What the controller makes of each step, and the events that it writes."""
    clock = VirtualClock()
    store = Store(clock)
    context = Context.of(store, clock)
    controller = EndpointSliceController(context, ("IPv4", "IPv6"))
    seen: dict[str, int] = {}
    found = []
    for step in steps:
        before = dict.fromkeys(context.recorder.events)
        _become(store, [*step["nodes"], *step["pods"], step["service"]])
        context.informers.drain()
        controller.sync(Key("Service", "default", "web"))
        slices = [item.document for item in store.list("EndpointSlice").items]
        events = [
            f"{e.severity.value} {e.reason} {said(e.message)}" for e in context.recorder.events if e not in before
        ]
        found.append({"slices": shape(slices, seen), "events": sorted(events)})
    return found


def _become(store: Store, documents: list[Any]) -> None:
    """Make the store hold exactly these nodes, pods and Services."""
    wanted = {item.key: item for item in map(Object.of, documents)}
    for kind in ("Node", "Pod", "Service"):
        for item in store.list(kind).items:
            if wanted.get(item.key) is None or kind == "Pod":
                store.delete(item.key, grace_seconds=0)
    for key, item in wanted.items():
        if store.find(key) is None:
            store.create(item)
        else:
            store.update(item)
            store.update_status(item)


@pytest.mark.parametrize(("name", "steps"), ROWS, ids=[name for name, _ in ROWS])
def test_slices_are_those_of_kubernetes(name, steps):
    assert answers_of(steps) == ANSWERS[name]


def test_every_answer_has_its_row():
    assert sorted(ANSWERS) == sorted(name for name, _ in ROWS)
