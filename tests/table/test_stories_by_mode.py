"""Stories that depend on kube-proxy's mode: the question of a topology's README in all three modes.

The numbers are those of the failure stories; what each mode answers is what kube-proxy's documentation, the issues and the kernels say.
"""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import netsim
from tests.cli.console import ROOT
from tests.golden.topologies import lessons

MODES = ("iptables", "nftables", "ipvs")
STORIES = (
    # story, topology, the answer in iptables, nftables and ipvs mode
    (8, "nft-lb-local-from-pod", ("DELIVERED", "DELIVERED", "DELIVERED")),
    (9, "ipvs-local-policy", ("NO_LOCAL_ENDPOINTS", "NO_LOCAL_ENDPOINTS", "REPLY_FROM_OTHER_PEER")),
    (19, "nft-localhost-nodeport", ("DELIVERED", "NODE_PORT_CLOSED", "NODE_PORT_CLOSED")),
    (19, "ipvs-localhost-nodeport", ("DELIVERED", "NODE_PORT_CLOSED", "NODE_PORT_CLOSED")),
    (20, "nft-second-node-address", ("DELIVERED", "NODE_PORT_CLOSED", "DELIVERED")),
    (22, "ipvs-port-reused", ("DELIVERED", "DELIVERED", "NEIGHBOUR_FAILED")),
    # the entry that IPVS left is untranslated: what finds it passes the other modes' NAT by
    (23, "ipvs-first-syn-dropped", ("LEFT_MODEL", "LEFT_MODEL", "IPVS_RESCHEDULED")),
    (23, "ipvs-real-server-gone", ("NO_CONNECTION", "NO_CONNECTION", "IPVS_DESTINATION_GONE")),
    (24, "ipvs-host-firewall", ("DELIVERED", "DELIVERED", "POLICY_DROP")),
    (25, "ipvs-ssh-to-clusterip", ("LEFT_MODEL", "CLUSTER_IP_PORT_UNKNOWN", "VIP_PORT_NOT_SERVED")),
    (26, "ipvs-node-to-clusterip", ("DELIVERED", "DELIVERED", "MARTIAN_SOURCE")),
    (27, "ipvs-hostport", ("DELIVERED", "DELIVERED", "ARRIVED_ELSEWHERE")),
    (56, "unused-clusterip-port", ("LEFT_MODEL", "CLUSTER_IP_PORT_UNKNOWN", "VIP_PORT_NOT_SERVED")),
    (56, "nft-unallocated-clusterip", ("LEFT_MODEL", "CLUSTER_IP_UNALLOCATED", "LEFT_MODEL")),
)
LESSONS = {lesson.id: lesson for lesson in lessons()}


@pytest.mark.parametrize(("story", "topology", "answers"), STORIES, ids=[f"{row[0]} {row[1]}" for row in STORIES])
def test_each_mode_answers(
    monkeypatch: pytest.MonkeyPatch, story: int, topology: str, answers: tuple[str, ...]
) -> None:
    monkeypatch.chdir(ROOT)
    assert story
    for mode, answer in zip(MODES, answers, strict=True):
        document = json.loads(netsim("trace", *LESSONS[topology].words, "--mode", mode, "-o", "json").out)
        assert {branch["reason"] for branch in document["branches"]} == {answer}, mode
