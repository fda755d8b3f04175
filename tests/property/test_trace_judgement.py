"""Whatever a walk records, it is judged, told and written down: no recording has no answer."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.packet import TCPFlags
from netsim.render.document import trace_document
from netsim.render.form import Detail
from netsim.render.pcap import captures
from netsim.render.text import render_text
from netsim.stack.reasons import DropReason
from netsim.stack.steps import Drop, LocalSend
from netsim.trace.model import Verdict
from netsim.trace.reasons import reasons
from tests.unit.trace_world import EVERY_STEP, TOPOLOGY, syn_ack, tracing

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads(Path(__file__).parents[2].joinpath("docs/trace.schema.json").read_text())
)
STEPS = [step for step in EVERY_STEP if not isinstance(step, LocalSend)]
HAPPENINGS = [*STEPS, *(Drop(reason, "somewhere") for reason in DropReason), "take", "fork"]
ways = st.lists(st.tuples(st.sampled_from(list(TOPOLOGY.namespaces)), st.sampled_from(HAPPENINGS)), max_size=8)


def walking(way):
    """A packet that meets what was drawn; a listener answers a SYN."""

    def meets(world, packet):
        for netns, happening in way:
            if happening == "take":
                world.take(netns, packet, "client" if netns == "pod-client" else f"{netns}'s")
                if packet.l4.flags == TCPFlags.SYN:
                    world.send(netns, syn_ack(packet), "tcp")
            elif happening == "fork":
                world.chooser.choose(f"at {netns}", (("a", Fraction(1, 3)), ("b", Fraction(2, 3))))
            else:
                world.step(netns, happening)

    return meets


exchanges = st.fixed_dictionaries({"SYN": ways, "SYN-ACK": ways, "ACK": ways})


@given(exchanges, st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_recording_has_an_answer(exchange, one_way):
    answer = tracing({name: walking(way) for name, way in exchange.items()}, one_way=one_way, limit=16)
    assert sum(branch.probability for branch in answer.branches) == 1
    for branch in answer.branches:
        row = reasons()[branch.reason]
        assert row.verdict is branch.verdict
        assert bool(branch.advice) == (branch.verdict is not Verdict.DELIVERED)
        assert "{" not in branch.sentence
    VALIDATOR.validate(json.loads(json.dumps(trace_document(answer))))
    for detail in Detail:
        assert render_text(answer, detail=detail).startswith(answer.verdict.value)


@given(ways)
@settings(max_examples=40, deadline=None)
def test_what_is_not_modelled_is_never_delivered(way):
    unknown = next(step for step in STEPS if type(step).__name__ == "NotModelled")
    answer = tracing({"SYN": walking([*way, ("node1", unknown)]), "SYN-ACK": walking([]), "ACK": walking([])}, limit=16)
    assert {branch.verdict for branch in answer.branches} == {Verdict.UNKNOWN}


@given(ways)
@settings(max_examples=20, deadline=None)
def test_every_frame_can_be_captured(way):
    answer = tracing({"SYN": walking(way), "SYN-ACK": walking([]), "ACK": walking([])}, limit=4)
    assert all(content.startswith(b"\xd4\xc3\xb2\xa1") for content in captures(answer).values())
