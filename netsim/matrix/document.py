"""The matrix for programs: JSON (docs/matrix.schema.json) and CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

from netsim.matrix.grid import LEGEND, Cell, Grid, Sign, command_of
from netsim.matrix.survey import Matrix, Ways, decisive, delivered

SCHEMA = "netsim.io/matrix/v1"


def document(matrix: Matrix, grid: Grid) -> dict[str, Any]:
    """The grid with every outcome once: cells name outcomes by their number."""
    numbers: dict[Ways, int] = {}
    rows = [
        {"source": source, "cells": [_cell(grid.cells.get((source, name)), numbers) for name in grid.destinations]}
        for source in grid.sources
    ]
    return {
        "schema": SCHEMA,
        "by": grid.by.value,
        "flows": matrix.flows,
        "legend": {sign.value: words for sign, words in LEGEND.items()},
        "destinations": list(grid.destinations),
        "rows": rows,
        "outcomes": [_outcome(ways) for ways in numbers],
        "notDelivered": [
            {
                "verdict": decisive(fared.ways).verdict.value,
                "reason": decisive(fared.ways).reason,
                "flows": fared.flows,
                "witness": {"source": fared.source, "destination": fared.destination.label, "command": [*command_of(fared)]},
            }
            for fared in grid.reasons()
        ],
    }  # fmt: skip


def _cell(cell: Cell | None, numbers: dict[Ways, int]) -> dict[str, Any]:
    if cell is None:
        return {"sign": Sign.NOTHING.value, "outcomes": []}
    outcomes = [[numbers.setdefault(ways, len(numbers)), fared.flows] for ways, fared in cell.fared.items()]
    return {"sign": cell.sign.value, "outcomes": outcomes}


def _outcome(ways: Ways) -> dict[str, Any]:
    worst = decisive(ways)
    return {
        "verdict": worst.verdict.value,
        "reason": worst.reason,
        "delivered": str(delivered(ways)),
        "branches": [
            {"probability": str(way.probability), "verdict": way.verdict.value, "reason": way.reason} for way in ways
        ],
    }


CSV_HEADERS = (
    "source",
    "destination",
    "sign",
    "flows",
    "verdict",
    "reason",
    "delivered",
    "example source",
    "example destination",
)


def csv_text(grid: Grid) -> str:
    """A line for each outcome of each cell. ``delivered`` is the probability, exact."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_HEADERS)
    for source in grid.sources:
        for name in grid.destinations:
            cell = grid.cells.get((source, name))
            for fared in cell.fared.values() if cell is not None else ():
                worst = decisive(fared.ways)
                assert cell is not None
                row = (
                    source,
                    name,
                    cell.sign.value,
                    fared.flows,
                    worst.verdict.value,
                    worst.reason,
                    delivered(fared.ways),
                )
                writer.writerow([*row, fared.source, fared.destination.label])
    return text.getvalue()
