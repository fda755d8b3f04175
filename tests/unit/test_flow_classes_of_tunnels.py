"""Packets of tunnels have ports of their own, or none: rules that ask for those tell flows apart."""

from __future__ import annotations

import pytest

from netsim.flows import Classes, Outcome, outcome_of
from netsim.scenario.every_flow import every_flow
from netsim.scenario.random_world import load_text
from netsim.trace.trace import trace

CLUSTER = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {{name: tunnels}}
spec:
  cni: {{backend: {backend}}}
  nodes:
  - name: node1
  - name: node2
    iptables: |
      *filter
      -A INPUT {rule} -j DROP
      COMMIT
  - name: node3
    iptables: |
      *filter
      -A INPUT {harmless} -j DROP
      COMMIT
"""
SERVICE = """
---
apiVersion: v1
kind: Service
metadata: {name: s}
spec: {selector: {app: p}, ports: [{port: 443, targetPort: 80}]}
"""
POD = """
---
apiVersion: v1
kind: Pod
metadata: {{name: p{number}, labels: {{app: p}}}}
spec:
  nodeName: node{number}
  containers: [{{name: c, image: c, ports: [{{containerPort: 80}}]}}]
"""

ROWS = [
    # backend, the rule on node2 that stops what tunnels bring, one of the same form on node3 that stops nothing
    ("vxlan", "-p udp -m udp --dport 8472", "-p udp -m udp --dport 8473"),
    ("ipip", "-p ipencap", "-p gre"),
]


@pytest.mark.parametrize(("backend", "rule", "harmless"), ROWS, ids=[row[0] for row in ROWS])
def test_what_stops_a_tunnel_stops_only_its_flows(backend: str, rule: str, harmless: str) -> None:
    pods = "".join(POD.format(number=number) for number in (1, 2, 3))
    world = load_text(CLUSTER.format(backend=backend, rule=rule, harmless=harmless) + pods + SERVICE)
    classes = Classes(world.topology)
    told: dict[tuple[str, str], Outcome] = {}
    for each in every_flow(world):
        flow = each.flow
        expected = world.expected(flow.destination, flow.dport or None)
        told[each.source, each.target] = classes.outcome(flow, expected)
        walked = outcome_of(trace(world.topology, flow, source="", target="", expected=expected))
        assert told[each.source, each.target] == walked
    to_two, to_three = told["pod/default/p1", "pod/default/p2:80"], told["pod/default/p1", "pod/default/p3:80"]
    assert (to_two.reason, to_three.reason) == ("RULE_DROP", "DELIVERED")
