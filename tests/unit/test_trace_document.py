"""The document says what the text says and more, and is what its JSON Schema says it is."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml

from netsim.net.packet import TCPFlags
from netsim.render.document import trace_document
from netsim.render.packet_document import flag_names, packet_document
from netsim.render.step_document import rule_document, step_document
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    Step,
)
from netsim.trace.model import Verdict
from tests.unit.trace_world import (
    ERROR,
    EVERY_STEP,
    GOOD_TCP,
    RULE,
    SCTP,
    TCP_FLOW,
    drop_rule,
    dying,
    ref,
    refused,
    tracing,
)

SCHEMA = json.loads(Path(__file__).parents[2].joinpath("docs/trace.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_the_schema_is_a_schema_and_strict_everywhere():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def objects(node):
        if isinstance(node, dict):
            if node.get("type") == "object":
                yield node
            for value in node.values():
                yield from objects(value)

    found = list(objects(SCHEMA))
    assert len(found) > 20
    assert all(node["additionalProperties"] is False for node in found)
    assert all(sorted(node["required"]) == sorted(node["properties"]) for node in found)


@pytest.mark.parametrize("step", EVERY_STEP, ids=lambda step: type(step).__name__)
def test_every_step_is_as_the_schema_says(step):
    schema = {**SCHEMA["$defs"]["step"], "$defs": SCHEMA["$defs"]}
    jsonschema.Draft202012Validator(schema).validate(step_document(step))


def test_every_kind_of_step_is_in_the_list():
    assert {type(step) for step in EVERY_STEP} == set(Step.__args__)


TRACES = {
    "delivered": lambda: tracing(GOOD_TCP),
    "one way": lambda: tracing(GOOD_TCP, one_way=True),
    "bound": lambda: tracing(GOOD_TCP, limit=1),
    "no packet": lambda: tracing(GOOD_TCP, source=None),
    "dropped": lambda: tracing({"SYN": dying(DropReason.NETFILTER_DROP, "FORWARD", ref=ref(drop_rule("x")))}),
    "refused": lambda: tracing({"SYN": refused(), "RST": lambda w, p: w.take("pod-client", p, "client")}),
    "payload": lambda: tracing(GOOD_TCP, replace(TCP_FLOW, payload=10), assumptions=("assumed",)),
}


@pytest.mark.parametrize("made", TRACES.values(), ids=TRACES)
def test_real_documents_are_as_the_schema_says(made):
    text = json.dumps(trace_document(made()))
    VALIDATOR.validate(json.loads(text))


def test_the_schema_refuses_what_is_wrong():
    good = json.loads(json.dumps(trace_document(tracing(GOOD_TCP))))
    for change in (
        lambda doc: doc.update(extra=1),
        lambda doc: doc.update(schema="netsim.io/trace/v2"),
        lambda doc: doc["branches"][0].update(probability="0.33"),
        lambda doc: doc["branches"][0]["forward"][0]["steps"][0].update(type="teleport"),
        lambda doc: doc["branches"][0].pop("where"),
        lambda doc: doc.update(branches=[]),
    ):
        bad = copy.deepcopy(good)
        change(bad)
        assert not VALIDATOR.is_valid(bad)


def test_the_document_says_what_became_of_the_flow():
    document = trace_document(tracing(GOOD_TCP, assumptions=("the CNI is flannel",)))
    assert list(document) == [
        "schema",
        "flow",
        "verdict",
        "reason",
        "summary",
        "total",
        "branches",
        "assumptions",
        "mends",
    ]
    assert (document["schema"], document["verdict"], document["total"]) == ("netsim.io/trace/v1", "DELIVERED", 2)
    assert document["assumptions"] == ["the CNI is flannel"]
    branch = document["branches"][1]
    assert (branch["number"], branch["probability"], branch["deliveredTo"]) == (2, "2/3", "default/web2")
    assert branch["backend"] == {"address": "10.244.1.8", "port": 8080, "text": "10.244.1.8:8080"}
    assert branch["choices"][0]["options"][1] == {"text": "10.244.1.8:8080", "probability": "2/3"}
    assert [hop["netns"] for hop in branch["forward"]] == ["pod-client", "node1", "pod-web2"]
    assert [hop["netns"] for hop in branch["reply"]] == ["pod-web2", "node1", "pod-client"]


def test_the_exchange_names_the_hops_that_stand_elsewhere():
    branch = trace_document(tracing(GOOD_TCP))["branches"][0]
    legs = branch["exchange"]
    assert [(leg["name"], leg["reply"]) for leg in legs] == [("SYN", False), ("SYN-ACK", True), ("ACK", False)]
    assert [leg["hops"] if isinstance(leg["hops"], str) else len(leg["hops"]) for leg in legs] == [
        "forward",
        "reply",
        2,
    ]


def test_where_it_was_decided():
    branch = trace_document(TRACES["dropped"]())["branches"][0]
    where = branch["where"]
    assert (where["hook"], where["table"], where["chain"], where["rule"]["number"]) == (
        "FORWARD",
        "filter",
        "KUBE-SERVICES",
        1,
    )
    assert where["rule"]["text"] == "-A KUBE-SERVICES -m comment --comment x -j DROP"
    assert branch["verdict"] == Verdict.DROPPED.value


def test_a_rule_has_its_text_and_origin():
    rule = rule_document(RULE)
    assert rule["text"].startswith("-A KUBE-SEP-A -m comment")
    assert rule["origin"] == {"file": "x.rules", "line": 3, "column": 5}


def test_a_packet_has_its_own_protocols_fields():
    quoted = packet_document(ERROR)["quoted"]
    assert (quoted["protocol"], quoted["dport"], quoted["payload"]) == ("udp", 53, 30)
    assert "flags" not in quoted
    assert packet_document(SCTP)["chunk"] == "COOKIE_ECHO"
    assert flag_names(TCPFlags.SYN | TCPFlags.ACK | TCPFlags.CWR) == ["SYN", "ACK", "CWR"]


def test_yaml_reads_back_as_the_same_document():
    document = trace_document(tracing(GOOD_TCP))
    assert yaml.safe_load(yaml.safe_dump(document, sort_keys=False, allow_unicode=True)) == document
