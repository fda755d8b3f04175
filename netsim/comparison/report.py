"""A comparison as text, JSON, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netsim.comparison.cluster import Comparison, Differing, Group
from netsim.comparison.cost import Cost
from netsim.comparison.flow import Backend, InMode, SideBySide
from netsim.difference.flows import Ending
from netsim.difference.report import endings_text
from netsim.net.packet import endpoint
from netsim.objects.json import Json
from netsim.render import html
from netsim.render.form import counted, wrapped
from netsim.render.markdown_text import escaped, table_lines
from netsim.render.tables import table
from netsim.render.text import headline
from proxy.config.model import ProxyMode

SCHEMA = "netsim.io/compare/v1"
FLOWS_SHOWN = 3


# --- one flow ---------------------------------------------------------------------------------------------------


def flow_text(found: SideBySide, width: int = 100) -> str:
    """The modes side by side, then each with what decided in it."""
    first = found.modes[0].trace
    lines = [f"{first.source} → {first.target}", ""]
    lines += table(("", *(each.mode.value for each in found.modes)), _rows(found)).splitlines()
    for each in found.modes:
        lines += ["", f"{each.mode.value}: {headline(each.trace)}"]
        lines += [f"  {line}" for line in _decisions(each, width - 2)]
    lines += ["", _sum(found)]
    return "\n".join(lines) + "\n"


def _rows(found: SideBySide) -> Iterator[tuple[str, ...]]:
    yield ("verdict", *(each.trace.verdict.value for each in found.modes))
    yield ("reason", *(each.trace.decisive.reason for each in found.modes))
    ends = list(dict.fromkeys(backend.end for each in found.modes for backend in each.backends if backend.end))
    for end in ends:
        yield (f"to {endpoint(*end)}", *(_chance(each, end) for each in found.modes))
    yield ("source seen", *(_sources(each.backends) for each in found.modes))
    yield ("rules evaluated", *(str(each.evaluated) for each in found.modes))
    yield ("conntrack entries", *(str(len(each.entries)) for each in found.modes))


def _chance(each: InMode, end: object) -> str:
    chance = sum(backend.probability for backend in each.backends if backend.end == end)
    return str(chance) if chance else "-"


def _sources(backends: Iterable[Backend]) -> str:
    return ", ".join(sorted({str(backend.seen) for backend in backends if backend.seen is not None})) or "-"


def _decisions(each: InMode, width: int) -> Iterator[str]:
    for place, what, by in each.decided:
        yield f"{place}: {what}"
        yield from (f"  {line}" for line in wrapped(f"by {by}", width - 2))
    yield from (f"conntrack on {entry}" for entry in each.entries)
    if each.why is not None:
        yield from wrapped(f"why: {each.why.why} ({each.why.source})", width)


def _sum(found: SideBySide) -> str:
    if found.same:
        return "the modes lead to the same backends, as likely, from the same source"
    return "the modes differ"


# --- a cluster --------------------------------------------------------------------------------------------------


def cluster_text(found: Comparison, width: int = 100) -> str:
    """What changes from one mode to the other, a paragraph for each reason."""
    lines = [_lead(found)]
    for group in found.groups:
        lines += ["", _title(group), *wrapped(f"why: {why_of(group)}", width)]
        for each in group.flows[:FLOWS_SHOWN]:
            lines += [
                f"  {each.pair}",
                f"    {found.one.value:<9} {endings_text(each.before)}",
                f"    {found.other.value:<9} {endings_text(each.after)}",
            ]
        if len(group.flows) > FLOWS_SHOWN:
            lines.append(f"  … and {len(group.flows) - FLOWS_SHOWN} more kinds of flows")
    return "\n".join(lines) + "\n"


def _lead(found: Comparison) -> str:
    changed = sum(len(group.flows) for group in found.groups)
    services = {name for group in found.groups for name in group.services}
    way = f"from {found.one.value} to {found.other.value}"
    if not changed:
        return f"no flow changes {way}: {found.compared} kinds of flows were compared"
    whose = f", of {counted(len(services), 'Service')}" if services else ""
    return f"{changed} of {found.compared} kinds of flows change {way}{whose}"


def _title(group: Group) -> str:
    names = ", ".join(row.name for row in group.why) or "not explained"
    asked = f", asked of {', '.join(group.services[:4])}" if group.services else ""
    more = f" and {len(group.services) - 4} more" if len(group.services) > 4 else ""
    return f"{names}: {counted(len(group.flows), 'kind')} of flows{asked}{more}"


def why_of(group: Group) -> str:
    """Why the flows differ, with who says so."""
    if not group.why:
        return "no known difference between the modes explains it; please report it with the topology"
    return "; ".join(f"{row.mode.value} mode: {row.why} ({row.source})" for row in group.why)


def costs_text(found: Sequence[Cost]) -> str:
    """A row for each mode and size."""
    return table(_COST_HEADERS, map(_cost_row, found))


_COST_HEADERS = (
    "MODE",
    "SERVICES",
    "RULES",
    "SETS",
    "ELEMENTS",
    "VIRTUAL SERVERS",
    "REAL SERVERS",
    "LINES PER CHANGE",
    "BYTES PER CHANGE",
)


def _cost_row(cost: Cost) -> tuple[str, ...]:
    numbers = (
        cost.services,
        cost.rules,
        cost.sets,
        cost.elements,
        cost.virtual,
        cost.real,
        cost.update_lines,
        cost.update_bytes,
    )
    return (cost.mode.value, *map(str, numbers))


# --- a migration ------------------------------------------------------------------------------------------------

IPVS_NOTE = (
    "kube-proxy's ipvs mode is deprecated since Kubernetes 1.35 and will be removed; nftables mode is the one that replaces it. "
    "Sources: KEP-5495; kubernetes.io, Virtual IPs and Service Proxies."
)


def migration_md(found: Comparison, costs: Sequence[Cost]) -> str:
    """A report for who plans to change the mode: what changes, for which Services, why, and what it costs before and after."""
    lines = [f"# kube-proxy from {found.one.value} to {found.other.value}", "", f"{_lead(found)}.", ""]
    if ProxyMode.IPVS in (found.one, found.other):
        lines += [IPVS_NOTE, ""]
    if found.groups:
        lines += ["## What changes", ""]
    for number, group in enumerate(found.groups, 1):
        lines += _group_md(number, group, found.one, found.other)
    lines += ["## Before you change it", "", *_steps(found), "", "## What it costs", ""]
    compared = [cost for cost in costs if cost.mode in (found.one, found.other)]
    lines += table_lines([header.lower() for header in _COST_HEADERS], map(_cost_row, compared))
    return "\n".join(lines) + "\n"


def _group_md(number: int, group: Group, one: ProxyMode, other: ProxyMode) -> Iterator[str]:
    yield from (f"### {number}. {escaped(_title(group))}", "", f"{escaped(why_of(group))}.", "")
    if group.services:
        yield from ("Services: " + ", ".join(f"`{name}`" for name in group.services), "")
    rows = ((str(f.pair), endings_text(f.before), endings_text(f.after)) for f in group.flows)
    yield from table_lines(("flow", one.value, other.value), (map(escaped, row) for row in rows))
    yield ""
    yield f"See it: `{_witness(group.flows[0])}` with `--mode {one.value}` and `--mode {other.value}`."
    yield ""


def _witness(each: Differing) -> str:
    flow = each.witness
    target = endpoint(flow.destination, flow.dport or None)
    protocol = "" if each.pair.protocol == "tcp" else f" --proto {each.pair.protocol.removesuffix('v6')}"
    return f"netsim trace {each.pair.source} {target}{protocol}"


def _steps(found: Comparison) -> Iterator[str]:
    again = f"`netsim compare --from {found.one.value} --to {found.other.value}`"
    yield f"1. Change the Services above, or accept what becomes of them; {again} tells what is left."
    yield f"2. Try it on one node: `mode: {found.other.value}` in its kube-proxy's configuration, and `netsim check` with what you expect."
    if found.one is ProxyMode.IPVS:
        yield (
            "3. Remove what ipvs mode leaves behind: `kube-proxy --cleanup`, or `ipvsadm -C; ip link del kube-ipvs0`, then the KUBE-* "
            "chains and ipsets."
        )
    else:
        yield "3. Remove what the old mode leaves behind: `kube-proxy --cleanup`, or a reboot of the node."
    yield "4. Connections that are open go on by conntrack; those that IPVS balanced do not."


# --- documents --------------------------------------------------------------------------------------------------


def flow_document(found: SideBySide) -> dict[str, Json]:
    """The modes side by side for programs; ``docs/compare.schema.json`` describes it."""
    first = found.modes[0].trace
    modes: list[Json] = [_mode_document(each) for each in found.modes]
    return {
        "schema": SCHEMA,
        "kind": "flow",
        "source": first.source,
        "target": first.target,
        "same": found.same,
        "modes": modes,
    }


def _mode_document(each: InMode) -> dict[str, Json]:
    return {
        "mode": each.mode.value,
        "verdict": each.trace.verdict.value,
        "reason": each.trace.decisive.reason,
        "summary": headline(each.trace),
        "backends": [
            {
                "end": None if backend.end is None else endpoint(*backend.end),
                "probability": str(backend.probability),
                "receiver": backend.receiver,
                "seenSource": None if backend.seen is None else str(backend.seen),
            }
            for backend in each.backends
        ],
        "rulesEvaluated": each.evaluated,
        "decided": [{"where": where, "what": what, "by": by} for where, what, by in each.decided],
        "conntrack": list(each.entries),
        "why": None if each.why is None else each.why.name,
    }


def cluster_document(found: Comparison) -> dict[str, Json]:
    """What changes, for programs."""
    groups: list[Json] = [_group_document(group) for group in found.groups]
    return {
        "schema": SCHEMA,
        "kind": "cluster",
        "from": found.one.value,
        "to": found.other.value,
        "compared": found.compared,
        "groups": groups,
    }


def _group_document(group: Group) -> dict[str, Json]:
    return {
        "why": [{"name": row.name, "mode": row.mode.value, "text": row.why, "source": row.source} for row in group.why],
        "services": list(group.services),
        "flows": [
            {
                "from": each.pair.source,
                "to": each.pair.target,
                "protocol": each.pair.protocol,
                "before": endings_text(each.before),
                "after": endings_text(each.after),
            }
            for each in group.flows
        ],
    }


# --- pages ------------------------------------------------------------------------------------------------------


def flow_html(found: SideBySide) -> str:
    """The modes side by side as a page."""
    first = found.modes[0].trace
    rows = [
        (html.text(row[0]), *(html.verdict(cell) if row[0] == "verdict" else html.text(cell) for cell in row[1:]))
        for row in _rows(found)
    ]
    body = [html.table(("", *(each.mode.value for each in found.modes)), rows)]
    for each in found.modes:
        body += [f"<h2>{html.text(each.mode.value)}</h2>", f"<p>{html.text(headline(each.trace))}</p>"]
        decided = [(html.text(where), html.text(what), html.code(by)) for where, what, by in each.decided]
        body += [html.table(("where", "what", "by"), decided)] if decided else []
        if each.why is not None:
            body.append(f'<p class="muted">{html.text(f"{each.why.why} ({each.why.source})")}</p>')
    return html.page(f"{first.source} → {first.target}", _sum(found), body)


def cluster_html(found: Comparison, costs: Sequence[Cost]) -> str:
    """What changes as a page."""
    body: list[str] = []
    for group in found.groups:
        body += [f"<h2>{html.text(_title(group))}</h2>", f"<p>{html.text(why_of(group))}</p>"]
        rows = [
            (html.text(str(each.pair)), _endings_html(each.before), _endings_html(each.after)) for each in group.flows
        ]
        body.append(html.table(("flow", found.one.value, found.other.value), rows))
    body += [
        "<h2>What the modes cost</h2>",
        html.table(_COST_HEADERS, [tuple(map(html.text, _cost_row(cost))) for cost in costs]),
    ]
    return html.page(f"kube-proxy: {found.one.value} → {found.other.value}", _lead(found), body)


def _endings_html(endings: Iterable[Ending]) -> str:
    parts = []
    for ending in sorted(endings):
        rest = str(ending).removeprefix(ending.verdict)
        parts.append(f"{html.verdict(ending.verdict)}{html.text(rest)}")
    return "<br>".join(parts)
