"""Each shipped topology is one lesson: what `netsim trace` says of it, in every form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import jsonschema
import pytest

from netsim.net.packet import Protocol
from netsim.render.document import trace_document
from netsim.render.form import Detail
from netsim.render.pcap import captures
from netsim.render.text import render_text
from netsim.scenario.build import load_world
from netsim.scenario.names import find_destination, find_source
from netsim.trace.model import Flow
from netsim.trace.trace import trace

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "docs/trace.schema.json").read_text()))

LESSONS = [
    # topology, source, destination, verdict, reason, branches
    ("across-nodes", "client", "server:8080", "DELIVERED", "DELIVERED", 1),
    ("bridge-nf-off", "client", "svc/web", "MISDELIVERED", "REPLY_FROM_OTHER_PEER", 1),
    ("default", "pod-a", "svc-x", "DELIVERED", "DELIVERED", 3),
    ("forward-drop", "client", "server:8080", "DROPPED", "POLICY_DROP", 1),
    ("hairpin", "web", "svc/web", "DELIVERED", "DELIVERED", 1),
    ("hairpin-off", "web", "svc/web", "DROPPED", "HAIRPIN_OFF", 1),
    ("internal-local", "client", "svc/web", "DROPPED", "NO_LOCAL_ENDPOINTS", 1),
    ("ip-forward-off", "client", "server:8080", "DROPPED", "IP_FORWARDING_OFF", 1),
    ("localhost", "pod/web", "127.0.0.1:9090", "DELIVERED", "DELIVERED", 1),
    ("localhost-nodeport", "node/node1", "127.0.0.1:30080", "DELIVERED", "DELIVERED", 1),
    ("named-port-absent", "client", "svc/web", "REJECTED", "NO_ENDPOINTS", 1),
    ("no-endpoints", "client", "svc/web", "REJECTED", "NO_ENDPOINTS", 1),
    ("node-to-clusterip", "node/node1", "svc/web", "DELIVERED", "DELIVERED", 1),
    ("nodeport", "client", "node/node1:30080", "DELIVERED", "DELIVERED", 2),
    ("nodeport-local", "client", "node/node2:30080", "DROPPED", "NO_LOCAL_ENDPOINTS", 1),
    ("same-node", "client", "server:8080", "DELIVERED", "DELIVERED", 1),
    ("selector-mismatch", "client", "svc/web", "REJECTED", "NO_ENDPOINTS", 1),
    ("unused-clusterip-port", "client", "10.96.0.10:81", "LEFT", "LEFT_MODEL", 1),
    ("wrong-target-port", "client", "svc/web", "REJECTED", "PORT_CLOSED", 1),
]


def asked(topology, source, destination):
    world, _ = load_world([ROOT / "topologies" / topology])
    start, end = find_source(world, source), find_destination(world, destination)
    flow = Flow(start.netns, end.address, Protocol.TCP, dport=end.port or 0)
    return trace(
        world.topology, flow, source=source, target=destination, expected=world.expected(end.address, end.port)
    )


@pytest.mark.parametrize("row", LESSONS, ids=lambda row: row[0])
def test_a_lesson_says_what_it_teaches_in_every_form(row):
    topology, source, destination, verdict, code, branches = row
    answer = asked(topology, source, destination)
    assert (answer.verdict.value, answer.decisive.reason, len(answer.branches)) == (verdict, code, branches)
    assert sum((branch.probability for branch in answer.branches), start=Fraction(0)) == 1
    VALIDATOR.validate(json.loads(json.dumps(trace_document(answer))))
    for detail in Detail:
        assert render_text(answer, detail=detail).startswith(verdict)


def test_a_capture_of_a_real_walk_has_every_namespace():
    answer = asked("across-nodes", "client", "server:8080")
    walked = dict.fromkeys(hop.netns for leg in answer.decisive.legs for hop in leg.hops)
    assert len(captures(answer)) == len(walked) == 5


def test_the_answer_does_not_depend_on_the_hash_seed():
    said = {
        subprocess.run(
            [sys.executable, "-m", "netsim", "trace", "-t", "nodeport", "client", "node/node1:30080", "-o", "json"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1
    assert json.loads(said.pop())["verdict"] == "DELIVERED"
