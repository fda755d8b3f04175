"""What a machine's tools print, in the Cluster document: sets, connections, iptables-legacy's rules; and where their errors point."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.manifest import LoadError
from netsim.scenario.build import load_world

HEAD = """\
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec:
  nodes:
  - name: node1
"""


def world_of(tmp_path: Path, node: str, more: str = "") -> object:
    file = tmp_path / "x.yaml"
    file.write_text(HEAD + node + more, encoding="utf-8")
    world, _ = load_world([file])
    return world.topology.namespaces["node.node1"]


GOOD = """\
    iptablesLegacy: |
      *filter
      :FORWARD DROP [0:0]
      COMMIT
    ip6tablesLegacy: |
      *filter
      -A FORWARD -j DROP
      COMMIT
    ipset: |
      create bad hash:ip
      add bad 10.0.0.1
    conntrack: |
      udp 17 29 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1
"""


def test_a_node_has_what_its_tools_print(tmp_path: Path) -> None:
    netns = world_of(tmp_path, GOOD)
    assert [(each.family.value, each.legacy) for each in netns.xtables][:2] == [(4, True), (6, True)]  # type: ignore[attr-defined]
    assert any(not each.legacy for each in netns.xtables)  # type: ignore[attr-defined]
    assert list(netns.ipsets.sets) == ["bad"]  # type: ignore[attr-defined]
    (entry,) = netns.conntrack  # type: ignore[attr-defined]
    assert (entry.origin.line, entry.origin.file) == (18, str(tmp_path / "x.yaml"))


def test_an_external_host_has_them_too(tmp_path: Path) -> None:
    host = "  external:\n  - name: box\n    addresses: [192.168.0.100/24]\n" + GOOD
    file = tmp_path / "x.yaml"
    file.write_text(HEAD + host, encoding="utf-8")
    world, _ = load_world([file])
    netns = world.topology.namespaces["external.box"]
    assert (len(netns.xtables), len(netns.ipsets.sets), len(netns.conntrack)) == (2, 1, 1)


WAY, BACK = "src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2", "dst=10.0.0.1 sport=2 dport=1"

# text of the node | message | line
WRONG = [
    ("    ipset: |\n      create bad hash:ip\n      add worse 10.0.0.1\n", "does not exist: worse", 8),
    ("    conntrack: |\n\n      udp 17 29 src=10.0.0.1\n", "two tuples", 8),
    ("    iptablesLegacy: |\n      *filter\n      -A FORWARD -j NOWHERE\n      COMMIT\n", "NOWHERE", 8),
    (
        f"    conntrack: |\n      udp 17 29 {WAY} src=10.0.0.2 {BACK}\n      udp 17 29 {WAY} src=10.0.0.9 {BACK}\n",
        "another entry has one of its tuples (line 7)",
        8,
    ),
]


@pytest.mark.parametrize(("node", "message", "line"), WRONG)
def test_errors_point_into_the_file(tmp_path: Path, node: str, message: str, line: int) -> None:
    with pytest.raises(LoadError) as raised:
        world_of(tmp_path, node)
    (problem,) = raised.value.problems if hasattr(raised.value, "problems") else raised.value.diagnostics
    assert message in problem.message
    assert problem.line == line


def test_the_same_tuple_in_two_zones_is_no_clash(tmp_path: Path) -> None:
    way = "src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1"
    netns = world_of(tmp_path, f"    conntrack: |\n      udp 17 29 {way} zone=1\n      udp 17 29 {way} zone=2\n")
    assert len(netns.conntrack) == 2  # type: ignore[attr-defined]
