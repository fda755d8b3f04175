"""A trace as a document for programs: everything the text shows and more, under a schema with a version.

``docs/trace.schema.json`` describes it. Keys stand in a fixed order; probabilities are exact fractions as text (``1/3``), addresses and
MACs text, sizes bytes. ``forward`` and ``reply`` of a branch are the hops of the first packet each way; ``exchange`` lists every packet in
order, and says ``forward`` or ``reply`` instead of repeating those hops.
"""

from __future__ import annotations

from netsim.net.address import Address
from netsim.net.packet import endpoint
from netsim.objects.json import Json
from netsim.render.packet_document import flag_names, packet_document
from netsim.render.step_document import choice_document, rule_document, step_document
from netsim.render.text import headline
from netsim.trace.model import Branch, Flow, Hop, Leg, Mend, Place, Trace

SCHEMA = "netsim.io/trace/v1"


def trace_document(trace: Trace) -> dict[str, Json]:
    """The trace as JSON values, which ``json.dumps`` and YAML's ``dump`` take as they are."""
    return {
        "schema": SCHEMA,
        "flow": _flow(trace),
        "verdict": trace.verdict.value,
        "reason": trace.decisive.reason,
        "summary": headline(trace),
        "total": trace.total,
        "branches": [_branch(branch) for branch in trace.branches],
        "assumptions": list(trace.assumptions),
        "mends": [_mend(mend) for mend in trace.mends],
    }


def _mend(mend: Mend) -> dict[str, Json]:
    steps: list[Json] = [{"change": step.words, "command": step.command} for step in mend.steps]
    return {"steps": steps, "verdict": mend.verdict.value, "sentence": mend.sentence}


def _flow(trace: Trace) -> dict[str, Json]:
    flow: Flow = trace.flow
    return {
        "source": trace.source,
        "target": trace.target,
        "netns": flow.netns,
        "address": None if flow.source is None else str(flow.source),
        "destination": str(flow.destination),
        "protocol": flow.protocol.name.lower(),
        "sport": flow.sport,
        "dport": flow.dport,
        "flags": flag_names(flow.flags),
        "payload": flow.payload,
        "ttl": flow.ttl,
        "dontFragment": flow.dont_fragment,
        "mark": flow.mark,
        "owner": flow.owner,
        "outOfStep": _out_of_step(flow),
    }


def _out_of_step(flow: Flow) -> dict[str, Json] | None:
    if (flow.seq_offset, flow.answer_seq_offset, flow.at_once) == (None, None, False):
        return None
    return {"seqOffset": flow.seq_offset, "answerSeqOffset": flow.answer_seq_offset, "atOnce": flow.at_once}


def _branch(branch: Branch) -> dict[str, Json]:
    return {
        "number": branch.number,
        "probability": str(branch.probability),
        "verdict": branch.verdict.value,
        "reason": branch.reason,
        "where": None if branch.where is None else _place(branch.where),
        "sentence": branch.sentence,
        "advice": branch.advice,
        "deliveredTo": branch.delivered_to,
        "backend": _end(branch.backend),
        "seenSource": _end(branch.seen_source),
        "choices": [choice_document(choice) for choice in branch.choices],
        "forward": [_hop(hop) for hop in branch.forward],
        "reply": [_hop(hop) for hop in branch.reply],
        "exchange": _exchange(branch),
    }


def _place(place: Place) -> dict[str, Json]:
    return {
        "netns": place.netns,
        "node": place.node,
        "hook": None if place.hook is None else place.hook.value,
        "table": place.table,
        "chain": place.chain,
        "rule": None if place.rule is None else rule_document(place.rule),
        "function": place.function,
    }


def _end(end: tuple[Address, int] | None) -> Json:
    return None if end is None else {"address": str(end[0]), "port": end[1], "text": endpoint(*end)}


def _exchange(branch: Branch) -> list[Json]:
    first_reply = next((leg for leg in branch.legs if leg.reply), None)
    return [_leg(leg, first=leg is branch.legs[0], first_reply=leg is first_reply) for leg in branch.legs]


def _leg(leg: Leg, *, first: bool, first_reply: bool) -> dict[str, Json]:
    said = "forward" if first else "reply" if first_reply else None
    return {
        "name": leg.name,
        "reply": leg.reply,
        "sent": None if leg.sent is None else packet_document(leg.sent),
        "received": None if leg.received is None else packet_document(leg.received),
        "hops": said or [_hop(hop) for hop in leg.hops],
    }


def _hop(hop: Hop) -> dict[str, Json]:
    return {
        "netns": hop.netns,
        "label": hop.label,
        "role": hop.role.value,
        "node": hop.node,
        "steps": [step_document(step) for step in hop.steps],
    }
