"""The table of agreement: cases by mode, IP version and feature, added up over runs, and written beside what other modes have on a page."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

BEGIN, END = "<!-- agreement: begin -->", "<!-- agreement: end -->"
TITLES: Mapping[str, str] = {
    "iptables": "iptables (nft)",
    "legacy": "iptables (legacy)",
    "nftables": "nftables",
    "ipvs": "ipvs, in a guest",
}
"""What the table calls a mode; columns stand in this order, for IPv4 and then IPv6."""
ALL = "all flows"
HEADS = ("mode", "seeds", "commit", "kernel", "not compared: not modelled", "drawn, but not to be built")

Key: TypeAlias = tuple[str, int, str]
Rows: TypeAlias = dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class Ran:
    """How a mode was run: seeds, commits of this project, kernels; flows that met what is not modelled, worlds that none can build."""

    seeds: tuple[str, ...] = ()
    commits: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    left_out: int = 0
    refused: int = 0

    def __add__(self, other: Ran) -> Ran:
        return Ran(
            _both(self.seeds, other.seeds),
            _both(self.commits, other.commits),
            _both(self.kernels, other.kernels),
            self.left_out + other.left_out,
            self.refused + other.refused,
        )


def _both(some: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*some, *more)))


@dataclass(slots=True)
class Tally:
    """Cases and agreed ones by (mode, IP version, feature); how each mode was run; the differences, as text."""

    cases: Counter[Key] = field(default_factory=Counter)
    agreed: Counter[Key] = field(default_factory=Counter)
    ran: dict[str, Ran] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.cases + other.cases,
            self.agreed + other.agreed,
            {mode: self.ran.get(mode, Ran()) + other.ran.get(mode, Ran()) for mode in {**self.ran, **other.ran}},
            [*self.differences, *other.differences],
        )

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        cells = [[*key, self.cases[key], self.agreed[key]] for key in sorted(self.cases)]
        ran = {mode: asdict(self.ran[mode]) for mode in sorted(self.ran)}
        text = json.dumps({"cells": cells, "ran": ran, "differences": self.differences}, indent=1)
        file.write_text(f"{text}\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Tally:
        """What ``save`` wrote; empty where there is no file yet."""
        if not file.exists():
            return cls()
        saved = json.loads(file.read_text(encoding="utf-8"))
        tally = cls(differences=saved["differences"])
        for mode, version, feature, cases, agreed in saved["cells"]:
            tally.cases[mode, version, feature], tally.agreed[mode, version, feature] = cases, agreed
        for mode, ran in saved["ran"].items():
            tally.ran[mode] = Ran(*(tuple(each) if isinstance(each, list) else each for each in ran.values()))
        return tally


def report(tally: Tally, page: str = "") -> str:
    """Two tables in Markdown: agreed / cases of each feature, and how each mode was run. Modes that did not run keep what ``page`` says."""
    features, runs = _tables(page)
    for title in (TITLES[mode] for mode in tally.ran):
        features = {name: _without(title, cells) for name, cells in features.items()}
    for mode, version, name in tally.cases:
        key = (mode, version, name)
        cell = f"{tally.agreed[key]} / {tally.cases[key]}"
        features.setdefault(name, {})[f"{TITLES[mode]}, IPv{version}"] = cell
    runs |= {TITLES[mode]: _run_cells(ran) for mode, ran in tally.ran.items()}
    all_columns = [f"{title}, IPv{version}" for title in TITLES.values() for version in (4, 6)]
    columns = [column for column in all_columns if column in features.get(ALL, {})]
    names = [ALL, *sorted(name for name, cells in features.items() if cells and name != ALL)]
    lines = [f"| feature | {' | '.join(columns)} |", f"| --- |{' ---: |' * len(columns)}"]
    lines += [_line([name, *(features[name].get(column, "") for column in columns)]) for name in names]
    told = [
        _line([title, *(runs[title].get(head, "") for head in HEADS[1:])]) for title in TITLES.values() if title in runs
    ]
    return "\n".join([*lines, "", "Agreed / cases.", "", _line(HEADS), f"|{' --- |' * len(HEADS)}", *told])


def _run_cells(ran: Ran) -> dict[str, str]:
    lists = (", ".join(each) for each in (ran.seeds, ran.commits, ran.kernels))
    return dict(zip(HEADS[1:], [*lists, str(ran.left_out), str(ran.refused)], strict=True))


def _without(title: str, cells: Mapping[str, str]) -> dict[str, str]:
    return {column: cell for column, cell in cells.items() if column.rpartition(", IPv")[0] != title}


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _tables(page: str) -> tuple[Rows, Rows]:
    """The two tables of a page, by the first cell of a row and the head of a column; empty cells are left out."""
    features: Rows = {}
    runs: Rows = {}
    heads: list[str] = []
    _, _, between = page.partition(BEGIN)
    for line in between.partition(END)[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "---":
            continue
        if cells[0] in {"feature", HEADS[0]}:
            heads = cells
            continue
        rows = features if heads[0] == "feature" else runs
        rows[cells[0]] = {head: cell for head, cell in zip(heads[1:], cells[1:], strict=True) if cell}
    return features, runs


def write(tally: Tally, page: Path) -> None:
    """Put the tables between the marks of a page."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{report(tally, text)}\n{END}{after}", encoding="utf-8")
