"""The matrix as an HTML page that stands alone: a grid whose cells tell more under the mouse and the keyboard's focus."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from html import escape

from netsim.matrix.grid import LEGEND, Cell, Grid, Sign, command_of
from netsim.matrix.survey import Matrix, decisive
from netsim.render import html

_STYLE = """
body { max-width: none; }
.grid { overflow-x: auto; padding-bottom: 4.5rem; margin-bottom: -3.5rem; }
.grid table { width: auto; font-size: .85rem; border-collapse: separate; border-spacing: 1px; }
.grid th, .grid td { border: 0; padding: 0; }
.grid thead th { vertical-align: bottom; background: none; height: 1px; }
.grid thead th span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; padding: .4rem .2rem; font-weight: 400; }
.grid tbody th { position: sticky; left: 0; background: var(--paper); text-align: right; padding: 0 .6rem 0 0; font-weight: 400;
                 white-space: nowrap; z-index: 1; }
.grid td { width: 1.6rem; height: 1.6rem; min-width: 1.6rem; text-align: center; vertical-align: middle; position: relative;
           font-weight: 700; }
.grid td.d { background: color-mix(in srgb, var(--good) 18%, var(--paper)); color: var(--good); }
.grid td.x { background: color-mix(in srgb, var(--bad) 26%, var(--paper)); color: var(--bad); }
.grid td.p, .grid td.u { background: color-mix(in srgb, var(--doubtful) 24%, var(--paper)); color: var(--doubtful); }
.grid td[tabindex]:hover, .grid td[tabindex]:focus { outline: 2px solid var(--ink); outline-offset: -1px; z-index: 3; }
.grid td[data-say]:hover::after, .grid td[data-say]:focus::after {
  content: attr(data-say); position: absolute; top: 100%; left: 0; z-index: 4; width: max-content; max-width: 30rem; white-space: pre-line;
  text-align: left; font-weight: 400; background: var(--ink); color: var(--paper); padding: .4rem .6rem; border-radius: 4px; }
.grid tr td:nth-last-child(-n+8)[data-say]:not(:nth-child(-n+9)):hover::after,
.grid tr td:nth-last-child(-n+8)[data-say]:not(:nth-child(-n+9)):focus::after { left: auto; right: 0; }
dl.legend { display: grid; grid-template-columns: 1.6rem auto; gap: .2rem .8rem; margin: 1rem 0; } dl.legend dd { margin: 0; }
dl.legend dt { text-align: center; font-weight: 700; }
@media print { .grid { overflow: visible; padding: 0; margin: 0; } .grid table { font-size: 7px; }
  .grid td { width: 1.2em; height: 1.2em; min-width: 1.2em;
  print-color-adjust: exact; -webkit-print-color-adjust: exact; } .grid tbody th { position: static; } }
"""

_LOOKS: Mapping[Sign, tuple[str, str]] = {
    # sign: the cell's class and what stands in it; readable without colour
    Sign.DELIVERED: ("d", "·"),
    Sign.REFUSED: ("x", "✕"),
    Sign.PARTLY: ("p", "~"),
    Sign.UNKNOWN: ("u", "?"),
    Sign.NOTHING: ("n", ""),
}


def page(matrix: Matrix, grid: Grid, title: str) -> str:
    """The whole document."""
    reasons = grid.reasons()
    delivered = matrix.flows - sum(fared.flows for fared in reasons)
    lead = f"{delivered} of {matrix.flows} flows are delivered. Rows ask columns; point at a cell, or reach it by the Tab key."
    return html.page(title, lead, [*_grid(grid), *_legend(grid), *_reasons(grid)], _STYLE)


def _grid(grid: Grid) -> Iterator[str]:
    heads = "".join(f'<th scope="col"><span>{escape(name)}</span></th>' for name in grid.destinations)
    yield f'<div class="grid"><table>\n<thead><tr><td></td>{heads}</tr></thead>\n<tbody>'
    for source in grid.sources:
        cells = "".join(_cell(source, name, grid.cells.get((source, name))) for name in grid.destinations)
        yield f'<tr><th scope="row">{escape(source)}</th>{cells}</tr>'
    yield "</tbody></table></div>"


def _cell(source: str, name: str, cell: Cell | None) -> str:
    if cell is None:
        return "<td></td>"
    look, sign = _LOOKS[cell.sign]
    says = "\n".join((f"{source} → {name}", *cell.said().split("; ")))
    return f'<td class="{look}" tabindex="0" data-say="{escape(says)}" aria-label="{escape(says)}">{sign}</td>'


def _legend(grid: Grid) -> Iterator[str]:
    used = {cell.sign for cell in grid.cells.values()}
    yield '<dl class="legend">'
    yield from (
        f'<dt class="{_LOOKS[sign][0]}">{_LOOKS[sign][1]}</dt><dd>{escape(LEGEND[sign])}</dd>'
        for sign in LEGEND
        if sign in used
    )
    yield "</dl>"


def _reasons(grid: Grid) -> Iterator[str]:
    reasons = grid.reasons()
    if not reasons:
        return
    yield "<h2>What is not delivered, and one flow of each kind</h2>"
    rows = (
        (
            str(fared.flows),
            html.verdict(decisive(fared.ways).verdict.value),
            html.text(decisive(fared.ways).reason),
            html.text(f"{fared.source} → {fared.destination.label}"),
            html.code(shlex.join(command_of(fared))),
        )
        for fared in reasons
    )
    yield html.table(("Flows", "Verdict", "Reason", "For example", "See it"), rows)
