"""``kubectl get`` and ``describe`` of every kind and state, as kube-apiserver and kubectl v1.37.2 print them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netsim.objects.meta import Object
from netsim.render.kubectl import human_duration
from netsim.render.kubectl_cells import Cells
from netsim.render.kubectl_columns import GENERIC, KINDS
from netsim.render.kubectl_describe import Surroundings, describe
from tests.apiserver_tables import OBJECTS

TABLES = json.loads((Path(__file__).parents[1] / "data/apiserver/tables.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("told", [told for _, told in TABLES], ids=[title for title, _ in TABLES])
def test_columns_and_cells(told: Any) -> None:
    item = Object.of(told["object"])
    layout, cells = KINDS.get(item.kind, GENERIC), Cells(lambda _: "AGE", human_duration)
    row = [*layout.row(item, cells), *layout.wide_row(item, cells)]
    found = list(zip((*layout.headers, *layout.wide), row, strict=True))
    assert found == [tuple(pair) for pair in told["shown"]]


DESCRIPTIONS = json.loads((Path(__file__).parents[1] / "data/apiserver/descriptions.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("title", DESCRIPTIONS)
def test_descriptions(title: str) -> None:
    told = Object.of(dict(TABLES)[title]["object"])
    found = describe(told, Surroundings(None, human_duration, human_duration))
    assert found.rstrip() == DESCRIPTIONS[title]


def test_every_object_is_there() -> None:
    assert len(TABLES) == len(OBJECTS)
