"""A machine's own rules of nftables in the Cluster document: walked beside kube-proxy's; what nft refuses is told where it stands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netsim.manifest import LoadError
from netsim.rules.nft.ast import TableFamily
from netsim.scenario.build import load_world
from tests.cli.commands import netsim

WORLD = """apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {{name: own}}
spec:
  kubeProxy: {{mode: {mode}}}
  external:
  - name: client
    addresses: [192.168.0.100/24]
  nodes:
  - name: node1
    nftables: |
{rules}
---
apiVersion: v1
kind: Pod
metadata: {{name: web, labels: {{app: web}}}}
spec: {{nodeName: node1, containers: [{{name: c, image: i, ports: [{{containerPort: 8080}}]}}]}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{type: NodePort, selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080, nodePort: 30080}}]}}
"""

FIREWALL = """table inet firewall {
  set friends { type ipv4_addr; elements = { 192.168.0.50 } }
  chain forward {
    type filter hook forward priority filter + 10; policy accept;
    ct state established,related accept
    ip saddr != @friends reject with icmpx admin-prohibited comment "friends only"
  }
}"""


def world_file(folder: Path, rules: str, mode: str = "nftables") -> Path:
    file = folder / "own.yaml"
    indented = "\n".join(f"      {line}" for line in rules.splitlines())
    file.write_text(WORLD.format(mode=mode, rules=indented), encoding="utf-8")
    return file


@pytest.mark.parametrize("mode", ["nftables", "iptables"])
def test_a_table_of_its_own_still_rejects_what_kube_proxy_translated(tmp_path: Path, mode: str) -> None:
    """Story 31: the verdict is firewalld-like, whichever mode kube-proxy has."""
    file = world_file(tmp_path, FIREWALL, mode)
    document = json.loads(netsim("trace", "-t", str(file), "client", "node/node1:30080", "-o", "json").out)
    (branch,) = document["branches"]
    assert (branch["verdict"], branch["reason"]) == ("REJECTED", "RULE_REJECT")
    rule = branch["where"]["rule"]
    assert (rule["family"], rule["table"], rule["chain"], rule["number"]) == ("inet", "firewall", "forward", 2)
    assert rule["origin"] == {"file": str(file), "line": 17, "column": 11}
    text = netsim("trace", "-t", str(file), "client", "node/node1:30080").out
    assert "nft -a list chain inet firewall forward" in text
    assert 'comment "friends only"' in text


def test_both_kinds_of_rules_stand_in_the_topology(tmp_path: Path) -> None:
    world = load_world([world_file(tmp_path, FIREWALL)])[0]
    (ruleset,) = world.topology.namespaces["node.node1"].nftables
    assert list(ruleset.tables) == [(TableFamily.INET, "firewall"), (TableFamily.IP, "kube-proxy")]


def test_kube_proxys_table_of_a_dump_is_made_anew(tmp_path: Path) -> None:
    stale = "table ip kube-proxy { chain services { drop; }; chain c { type filter hook forward priority 0; drop; } }"
    world = load_world([world_file(tmp_path, stale)])[0]
    (ruleset,) = world.topology.namespaces["node.node1"].nftables
    table = ruleset.tables[TableFamily.IP, "kube-proxy"]
    assert "c" not in table.chains
    assert len(table.chains["services"].rules) > 1


REFUSED = [
    # the rules, line and column in the file, a piece of the message
    ("table ip t {\n  chain c { tcp dport nowhere accept; }\n}", 13, 29, "nowhere"),
    ("table ip t {\n  chain c { jump absent; }\n}", 13, 19, "there is no chain absent"),
    ("add rule ip t c accept", 12, 19, "there is no table ip t"),
]


@pytest.mark.parametrize(("rules", "line", "column", "message"), REFUSED)
def test_what_nft_refuses_has_its_place(tmp_path: Path, rules: str, line: int, column: int, message: str) -> None:
    with pytest.raises(LoadError) as caught:
        load_world([world_file(tmp_path, rules)])
    (problem,) = caught.value.diagnostics
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message


def test_an_unknown_statement_ends_the_walk_as_unknown(tmp_path: Path) -> None:
    file = world_file(tmp_path, "table inet t { chain c { type filter hook forward priority 0; queue to 1; } }")
    assert netsim("trace", "-t", str(file), "client", "node/node1:30080", "--minimal").status == 5


JSON = """{"nftables": [
  {"table": {"family": "inet", "name": "firewall"}},
  {"chain": {"family": "inet", "table": "firewall", "name": "c", "type": "filter", "hook": "forward", "prio": 0, "policy": "accept"}},
  {"rule": {"family": "inet", "table": "firewall", "chain": "c", "expr": [
    {"match": {"op": "==", "left": {"payload": {"protocol": "tcp", "field": "dport"}}, "right": 8080}},
    {"%s": null}]}}
]}"""


def test_what_nft_prints_as_json_is_input_too(tmp_path: Path) -> None:
    file = world_file(tmp_path, JSON % "drop")
    document = json.loads(netsim("trace", "-t", str(file), "client", "node/node1:30080", "-o", "json").out)
    (branch,) = document["branches"]
    assert branch["reason"] == "RULE_DROP"
    assert branch["where"]["rule"]["text"] == "tcp dport 8080 drop"


def test_errors_in_json_have_their_place(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as caught:
        load_world([world_file(tmp_path, JSON % "dorp")])
    (problem,) = caught.value.diagnostics
    assert (problem.line, problem.column) == (17, 11)
    assert "unknown statement 'dorp'" in problem.message


FRAMES = [
    # a chain of the node that sees frames, and what becomes of a connection from outside to its pod
    ('netdev t { chain c { type filter hook ingress device "eth0" priority 0; drop; } }', "NEIGHBOUR_FAILED"),
    ('netdev t { chain c { type filter hook ingress device "eth0" priority 0; } }', "DELIVERED"),
    ('netdev t { chain c { type filter hook ingress device "eth0" priority 0; tcp dport 30080 drop; } }', "RULE_DROP"),
    ("bridge t { chain c { type filter hook forward priority 0; drop; } }", "DELIVERED"),
    ("bridge t { chain c { type filter hook output priority 0; ip protocol tcp drop; } }", "RULE_DROP"),
    ("bridge t { chain c { type filter hook output priority 0; ip protocol tcp reject; } }", "NOT_MODELLED"),
]


@pytest.mark.parametrize(("hooked", "reason"), FRAMES)
def test_frames_pass_rules(tmp_path: Path, hooked: str, reason: str) -> None:
    file = world_file(tmp_path, f"table {hooked}")
    document = json.loads(netsim("trace", "-t", str(file), "client", "node/node1:30080", "-o", "json").out)
    assert {branch["reason"] for branch in document["branches"]} == {reason}


def test_an_error_that_the_node_makes_is_no_ordinary_traffic(tmp_path: Path) -> None:
    """ICMP errors have the precedence of internetwork control (cs6), which rules on DSCP see."""
    rules = "table ip t { chain c { type filter hook output priority 0; ip dscp cs6 ip protocol icmp drop; } }"
    file = world_file(tmp_path, rules)
    document = json.loads(
        netsim("trace", "-t", str(file), "client", "node/node1:9", "--proto", "udp", "-o", "json").out
    )
    (branch,) = document["branches"]
    others = [hop for leg in branch["exchange"] if isinstance(leg["hops"], list) for hop in leg["hops"]]
    hops = [*branch["forward"], *branch["reply"], *others]
    dropped = [step for hop in hops for step in hop["steps"] if step["type"] == "drop"]
    assert any(step["table"] == "t" for step in dropped)
