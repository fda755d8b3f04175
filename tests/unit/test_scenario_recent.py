"""What a machine remembers and what its kube-proxy left: ``recent`` lists, and rules of a kube-proxy that writes no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.manifest import LoadError
from netsim.scenario.build import load_world
from netsim.scenario.world import World
from tests.cli.commands import netsim
from tests.cli.console import ROOT

CLUSTER = """apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: small}
spec:
  nodes:
  - name: node1
    iptables: |
      *filter
      -A FORWARD -m recent --name guests --set
      COMMIT
"""


def world_of(tmp_path: Path, more: str) -> World:
    file = tmp_path / "small.yaml"
    file.write_text(CLUSTER + more, encoding="utf-8")
    return load_world([file])[0]


def test_a_list_has_its_addresses(tmp_path: Path) -> None:
    world = world_of(tmp_path, "    recent: {guests: [10.0.0.1, 10.0.0.2]}\n")
    recent = world.topology.namespaces["node.node1"].recent
    assert {name: [str(address) for address in found] for name, found in recent.items()} == {
        "guests": ["10.0.0.1", "10.0.0.2"]
    }


def test_a_list_that_no_rule_has_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LoadError) as refused:
        world_of(tmp_path, "    recent: {guest: [10.0.0.1]}\n")
    (told,) = refused.value.diagnostics
    assert "no rule of this machine has a recent list guest" in str(told)
    assert "did you mean guests?" in str(told)


def test_a_kube_proxy_that_does_not_run_writes_nothing(tmp_path: Path) -> None:
    assert any(chain.startswith("KUBE-") for chain in chains(world_of(tmp_path, "")))
    assert not any(chain.startswith("KUBE-") for chain in chains(world_of(tmp_path, "    kubeProxyRuns: false\n")))


def chains(world: World) -> list[str]:
    rulesets = world.topology.namespaces["node.node1"].xtables
    return [chain for ruleset in rulesets for table in ruleset.tables.values() for chain in table.chains]


def test_the_others_are_not_stuck(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    stuck = netsim("trace", "-t", "affinity-stuck", "client", "web", "--minimal").out
    free = netsim("trace", "-t", "affinity-stuck", "node/node2", "web", "--minimal").out
    assert "DROPPED" in stuck.splitlines()[0]
    assert "1 of 2 branches" not in stuck
    assert "10.244.2.2" in free
