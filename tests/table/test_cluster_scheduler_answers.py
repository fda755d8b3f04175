"""The scheduler against the answers of Kubernetes' own to the same situations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsim.cluster.clock import VirtualClock
from netsim.cluster.context import Context
from netsim.cluster.documents import text_at
from netsim.cluster.scheduling.scheduler import Scheduler
from netsim.cluster.store import Store
from netsim.objects.meta import Key, Object
from tests.table.scheduler_rows import ROWS

ANSWERS = json.loads((Path(__file__).parents[1] / "data/kubernetes-1.37/scheduler.json").read_text())


def answers_of(objects: list[Any], pods: list[Any]) -> list[Any]:
    """What the scheduler does with each pod, in the form of the answers."""
    clock = VirtualClock()
    store = Store(clock)
    context = Context.of(store, clock)
    scheduler = Scheduler(context)
    _create(store, objects)
    return [_answer_of(context, scheduler, item) for item in pods]


def _create(store: Store, objects: list[Any]) -> None:
    namespaces = {item["metadata"].get("namespace") for item in objects} - {None}
    for name in sorted(namespaces | {"default"}):
        store.create(Object.of({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}))
    for item in objects:
        store.create(Object.of(item))


def _answer_of(context: Context, scheduler: Scheduler, document: Any) -> Any:
    before = len(context.recorder.events)
    made = context.store.create(Object.of(document))
    context.informers.drain()
    points = scheduler.points(made)
    scheduler.sync(made.key)
    context.informers.drain()
    after = context.store.get(Key("Pod", "default", made.metadata.name)).document
    events = context.recorder.events[before:]
    answer: dict[str, Any] = {"events": sorted(f"{e.object.name} {e.reason} {e.message}" for e in events)}
    if text_at(after, "status", "nominatedNodeName"):
        answer["nominated"] = after["status"]["nominatedNodeName"]
    if len(points) > 1 and not any(" FailedScheduling " in event for event in answer["events"]):
        least = min(points.values())
        answer["points"] = {name: number - least for name, number in sorted(points.items())}
        if list(points.values()).count(max(points.values())) > 1:  # who is taken of equals is chance
            answer["events"] = []
    return answer


@pytest.mark.parametrize(("name", "objects", "pods"), ROWS, ids=[row[0] for row in ROWS])
def test_the_scheduler_is_that_of_kubernetes(name, objects, pods):
    assert answers_of(objects, pods) == ANSWERS[name]


def test_every_answer_has_its_row():
    assert sorted(ANSWERS) == sorted(row[0] for row in ROWS)
