"""A machine's virtual servers and IPVS connections in the Cluster document: what they lead to, and what is wrong with them."""

from __future__ import annotations

import pytest

from netsim.manifest import LoadError
from netsim.manifest.load import load_text
from netsim.rules.ipvs.connections import IPVSConnection, parse
from netsim.rules.ipvs.dump import dump
from netsim.rules.source import RuleSyntaxErrors
from netsim.scenario.build import world_of
from netsim.topology.model import Dummy

LISTED = """\
IPVS connection entries
pro expire state       source             virtual            destination
TCP 01:40  TIME_WAIT   10.244.1.2:40000   10.96.1.1:80       10.244.2.7:8080
UDP 104:59 UDP         [fd00::2]:5353     [fd96::a]:53       [fd00::7]:53
IP  00:10  NONE        10.244.1.2:0       0.0.0.7:0          10.244.2.7:0
"""


def test_connections_as_ipvsadm_lists_them() -> None:
    found = parse(LISTED, "x")
    assert [(entry.protocol, entry.seconds, entry.state, entry.template) for entry in found] == [
        (6, 100, "TIME_WAIT", False),
        (17, 6299, "UDP", False),
        (0, 10, "NONE", True),
    ]
    first = found[0]
    assert isinstance(first, IPVSConnection)
    assert [str(end[0]) for end in (first.client, first.virtual, first.real)] == [
        "10.244.1.2",
        "10.96.1.1",
        "10.244.2.7",
    ]


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("TCP 01:40 TIME_WAIT 10.0.0.1:1 10.0.0.2:2", 32, "a connection has six columns"),
        ("GRE 01:40 NONE 10.0.0.1:1 10.0.0.2:2 10.0.0.3:3", 1, "'GRE' is no protocol of IPVS"),
        ("TCP 1m NONE 10.0.0.1:1 10.0.0.2:2 10.0.0.3:3", 5, "'1m' is no time"),
        ("TCP 01:40 OPEN 10.0.0.1:1 10.0.0.2:2 10.0.0.3:3", 11, "'OPEN' is no state of IPVS"),
        ("TCP 01:40 NONE 10.0.0.1 10.0.0.2:2 10.0.0.3:3", 16, "'10.0.0.1' is no address with a port"),
        ("TCP 01:40 NONE 10.0.0.1:1 10.0.0.2:70000 10.0.0.3:3", 27, "'10.0.0.2:70000' is no address with a port"),
        ("TCP 01:40 NONE 10.0.0.1:1 10.0.0.2:2 web:3", 38, "'web:3' is no address with a port"),
    ],
)
def test_what_is_no_connection(line: str, column: int, message: str) -> None:
    with pytest.raises(RuleSyntaxErrors) as told:
        parse(f"\n{line}\n", "x")
    (error,) = told.value.errors
    assert (error.origin.line, error.origin.column, error.message) == (2, column, message)


CLUSTER = """\
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec:
  kubeProxy: {{mode: {mode}}}
  nodes:
  - name: node1
    ipvs: |
{servers}
    ipvsConnections: |
{connections}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec:
  nodeName: node1
  containers: [{{name: a, image: b}}]
"""


def document(servers: str, connections: str = "      # none", mode: str = "ipvs") -> str:
    indented = "\n".join(f"      {line}" for line in servers.splitlines())
    return CLUSTER.format(mode=mode, servers=indented, connections=connections)


def test_both_texts_tell_their_mistakes_where_they_stand() -> None:
    wrong = document(
        "-A -t 10.0.0.1:80 -s best\n-a -t 10.0.0.9:80 -r 10.1.0.1 -m",
        "      TCP soon NONE 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3",
    )
    with pytest.raises(LoadError) as told:
        world_of(load_text(wrong, "x.yaml"))
    places = [(problem.line, problem.column) for problem in told.value.diagnostics]
    assert (8, 28) in places
    assert (9, 7) in places


def test_connections_tell_their_mistakes_where_they_stand() -> None:
    wrong = document("-A -t 10.0.0.1:80 -s rr", "      TCP soon NONE 1.1.1.1:1 2.2.2.2:2 3.3.3.3:3")
    with pytest.raises(LoadError) as told:
        world_of(load_text(wrong, "x.yaml"))
    (problem,) = told.value.diagnostics
    assert (problem.line, problem.column, problem.message) == (10, 11, "'soon' is no time")


def test_what_kube_proxy_leaves_of_what_was_there() -> None:
    there = "-A -t 10.96.1.1:80 -s wlc\n-a -t 10.96.1.1:80 -r 10.9.9.9:80 -m -w 5\n-A -t 198.51.100.1:80 -s rr"
    node = world_of(load_text(document(there), "x.yaml")).topology.namespaces["node.node1"]
    text = dump(node.ipvs)
    assert "-A -t 10.96.1.1:80 -s rr\n-a -t 10.96.1.1:80 -r 10.9.9.9:80 -m -w 0\n" in text
    assert "-A -t 198.51.100.1:80 -s rr\n" in text


@pytest.mark.parametrize(("mode", "made"), [("ipvs", True), ("iptables", False)])
def test_the_device_of_virtual_addresses(mode: str, *, made: bool) -> None:
    node = world_of(load_text(document("-A -f 7", mode=mode), "x.yaml")).topology.namespaces["node.node1"]
    found = node.device("kube-ipvs0")
    assert (found is not None) == made
    if found is not None:
        assert isinstance(found.kind, Dummy)
        assert not found.up
        assert [str(address) for address in found.addresses] == ["10.96.1.1/32"]
    assert ("KUBE-CLUSTER-IP" in node.ipsets.sets) == made
