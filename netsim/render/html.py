"""HTML pages that stand on their own: no script, no font, no file beside them; light on paper, dark where the reader's screen is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_CSS = """
:root { color-scheme: light dark; --ink: #0f172a; --paper: #ffffff; --soft: #f1f5f9; --line: #cbd5e1; --muted: #56616f;
        --good: #0f766e; --bad: #b91c1c; --doubtful: #92600a; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e2e8f0; --paper: #0f172a; --soft: #1e293b; --line: #475569; --muted: #a3b0c2;
          --good: #2dd4bf; --bad: #f87171; --doubtful: #fbbf24; } }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", Arial, sans-serif; color: var(--ink);
       background: var(--paper); max-width: 78rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.6rem; margin: 0 0 .25rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
p.lead { color: var(--muted); margin: 0 0 1.5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { background: var(--soft); font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font: .86em/1.45 ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
.good, .bad, .doubtful { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); } .doubtful { color: var(--doubtful); }
.muted { color: var(--muted); }
@media print { body { max-width: none; margin: 0; font-size: 11px; } h2 { break-after: avoid; } tr { break-inside: avoid; } }
"""


def page(title: str, lead: str, body: Iterable[str], style: str = "") -> str:
    """A whole document. ``body`` is HTML already; title and lead are text. ``style`` is CSS besides what every page has."""
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>',
            f"<style>{_CSS}{style}</style></head>",
            "<body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="lead">{escape(lead)}</p>',
            *body,
            "</body>",
            "</html>",
            "",
        )
    )


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table. Headers are text, cells are HTML already; a cell of digits stands to the right."""
    head = "".join(f"<th>{escape(header)}</th>" for header in headers)
    body = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(html: str) -> str:
    style = ' class="number"' if html.replace(",", "").isdigit() else ""
    return f"<td{style}>{html}</td>"


def text(words: str) -> str:
    """Text as HTML."""
    return escape(words)


def code(words: str) -> str:
    """A command or a rule."""
    return f"<code>{escape(words)}</code>"


def verdict(word: str) -> str:
    """A verdict in its colour."""
    style = "good" if word == "DELIVERED" else "doubtful" if word in ("LEFT", "UNKNOWN") else "bad"
    return f'<span class="{style}">{escape(word)}</span>'
