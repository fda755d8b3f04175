"""Every shipped topology with kube-proxy in mode nftables, on this machine's kernel: each kind of flow, packet by packet."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.scenario.build import load_world
from netsim.scenario.every_flow import every_flow
from netsim.verify.run import Answer, Case, verify
from proxy.config.model import ProxyMode

pytestmark = pytest.mark.kernel

BEYOND = ("ipip", "ipvs", "neighbour-table-full", "conntrack-full")
"""Topologies that a kernel without IPVS, dummy or ipip cannot build, and those whose sysctl is the whole machine's."""

NOT_ASKED = {"affinity-stuck": "its recent list is one of iptables mode's rules: it does not load in nftables mode"}

TOPOLOGIES = sorted(
    path
    for path in (Path(__file__).parents[3] / "topologies").iterdir()
    if path.is_dir() and path.name not in NOT_ASKED
)
VERSIONS = [(path, 4) for path in TOPOLOGIES] + [(path, 6) for path in TOPOLOGIES if path.name == "dual-stack"]


@pytest.mark.parametrize(("folder", "version"), VERSIONS, ids=lambda value: getattr(value, "name", f"v{value}"))
def test_the_kernel_does_what_is_foretold(folder: Path, version: int) -> None:
    world = load_world([folder], mode=ProxyMode.NFTABLES)[0]
    flows = every_flow(world, version=version, one_of_each=True)
    try:
        outcomes = list(verify(world.topology, [Case(each.flow, each.source, each.target) for each in flows]))
    except OSError:  # verify ends with status 4 and says what is missing
        if not folder.name.startswith(BEYOND):
            raise
        return
    differing = [f"{each.case}\n{each.difference}" for each in outcomes if each.answer is Answer.DIFFERS]
    assert not differing, "\n".join(differing)
    assert any(each.answer is Answer.AGREES for each in outcomes)
