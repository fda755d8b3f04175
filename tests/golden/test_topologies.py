"""Every shipped topology gives the answer that stands beside it, in text and JSON; tools/examples.py writes them anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.cli.commands import netsim
from tests.cli.console import ROOT
from tests.golden.topologies import EXPECTED, Lesson, lessons

LESSONS = list(lessons())
SCHEMA = json.loads((ROOT / "docs" / "trace.schema.json").read_text(encoding="utf-8"))

VERDICTS = {
    # what each lesson is about; a golden file may be rewritten by a tool, this table only by a person
    "across-nodes": "DELIVERED",
    "affinity-stuck": "DROPPED:NEIGHBOUR_FAILED",
    "asymmetric-reply": "DROPPED:INVALID_STATE_DROP",
    "bridge-nf-off": "MISDELIVERED:REPLY_FROM_OTHER_PEER",
    "calico-rpfilter": "DROPPED:RULE_DROP",
    "clusterip-from-outside": "MISDELIVERED:REPLY_FROM_OTHER_PEER",
    "conntrack-before-rules": "LEFT:LEFT_MODEL",
    "conntrack-full": "DROPPED:CONNTRACK_FULL",
    "default": "DELIVERED",
    "dns-race": "DELIVERED",
    "docker-forward-drop": "DROPPED:POLICY_DROP",
    "dual-stack": "DELIVERED",
    "external-ip-hijack": "DELIVERED",
    "firewalld-rejects": "REJECTED:RULE_REJECT",
    "forward-drop": "DROPPED:POLICY_DROP",
    "hairpin": "DELIVERED",
    "hairpin-no-masquerade": "DROPPED:MARTIAN_SOURCE",
    "hairpin-off": "DROPPED:HAIRPIN_OFF",
    "host-port": "DELIVERED",
    "hostport-before-nodeport": "MISDELIVERED:ARRIVED_ELSEWHERE",
    "internal-local": "DROPPED:NO_LOCAL_ENDPOINTS",
    "invalid-asymmetric": "DROPPED:INVALID_STATE_DROP",
    "ip-forward-off": "DROPPED:IP_FORWARDING_OFF",
    "ipip": "DELIVERED",
    "ipvs-affinity-stale": "DROPPED:NEIGHBOUR_FAILED",
    "ipvs-answers-arp": "DELIVERED",
    "ipvs-external-no-endpoints": "REJECTED:IPVS_NO_DESTINATION",
    "ipvs-first-syn-dropped": "DROPPED:IPVS_RESCHEDULED",
    "ipvs-host-firewall": "DROPPED:POLICY_DROP",
    "ipvs-hostport": "MISDELIVERED:ARRIVED_ELSEWHERE",
    "ipvs-local-policy": "MISDELIVERED:REPLY_FROM_OTHER_PEER",
    "ipvs-localhost-nodeport": "REJECTED:NODE_PORT_CLOSED",
    "ipvs-node-to-clusterip": "DROPPED:MARTIAN_SOURCE",
    "ipvs-port-reused": "DROPPED:NEIGHBOUR_FAILED",
    "ipvs-real-server-gone": "DROPPED:IPVS_DESTINATION_GONE",
    "ipvs-ssh-to-clusterip": "REJECTED:VIP_PORT_NOT_SERVED",
    "kube-proxy-behind": "DROPPED:NEIGHBOUR_FAILED",
    "kubeadm-addons": "DELIVERED",
    "lb-health-check": "DROPPED:NO_LOCAL_ENDPOINTS",
    "lb-short-circuit": "DELIVERED",
    "legacy-and-nft": "DROPPED:POLICY_DROP",
    "legacy-stale-dnat": "DROPPED:NEIGHBOUR_FAILED",
    "localhost": "DELIVERED",
    "localhost-nodeport": "DELIVERED",
    "masquerade-nodeport-number": "DELIVERED",
    "masquerade-other-address": "DROPPED:POLICY_DROP",
    "mtu": "DROPPED:PACKET_TOO_BIG",
    "named-port-absent": "REJECTED:NO_ENDPOINTS",
    "neighbour-table-full": "DROPPED:NEIGHBOUR_TABLE_FULL",
    "nft-hairpin-elsewhere": "DROPPED:MARTIAN_SOURCE",
    "nft-lb-local-from-pod": "DELIVERED",
    "nft-invalid-segment": "REJECTED:NO_CONNECTION",
    "nft-localhost-nodeport": "REJECTED:NODE_PORT_CLOSED",
    "nft-second-node-address": "REJECTED:NODE_PORT_CLOSED",
    "nft-unallocated-clusterip": "DROPPED:CLUSTER_IP_UNALLOCATED",
    "nft-unused-clusterip-port": "REJECTED:CLUSTER_IP_PORT_UNKNOWN",
    "no-endpoints": "REJECTED:NO_ENDPOINTS",
    "no-endpoints-accepted-first": "LEFT:LEFT_MODEL",
    "node-to-clusterip": "DELIVERED",
    "nodeport": "DELIVERED",
    "nodeport-forward-drop": "DROPPED:POLICY_DROP",
    "nodeport-local": "DROPPED:NO_LOCAL_ENDPOINTS",
    "one-family-endpoints": "REJECTED:NO_ENDPOINTS",
    "pod-cidr-overlap": "DROPPED:NEIGHBOUR_FAILED",
    "policy-route": "DELIVERED",
    "ptp": "DELIVERED",
    "reply-out-of-window": "MISDELIVERED:REPLY_NOT_TRANSLATED_BACK",
    "route-missing": "LEFT:LEFT_MODEL",
    "rp-filter": "DROPPED:RP_FILTER",
    "same-node": "DELIVERED",
    "selector-mismatch": "REJECTED:NO_ENDPOINTS",
    "snat-ports-exhausted": "DROPPED:NAT_NO_TUPLE",
    "source-ranges": "DROPPED:SOURCE_RANGE_DENIED",
    "stale-conntrack": "DROPPED:NEIGHBOUR_FAILED",
    "terminating-local": "DELIVERED",
    "ufw-denies-routed": "DROPPED:POLICY_DROP",
    "unused-clusterip-port": "LEFT:LEFT_MODEL",
    "vxlan": "DELIVERED",
    "vxlan-stale-fdb": "DROPPED:VTEP_UNKNOWN",
    "wrong-target-port": "REJECTED:PORT_CLOSED",
    "zone-hints-missing": "DELIVERED",
}


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
@pytest.mark.parametrize("name", EXPECTED)
def test_the_answer_is_the_one_beside_it(lesson: Lesson, name: str) -> None:
    expected = (lesson.folder / name).read_text(encoding="utf-8")
    assert netsim("trace", *lesson.words, *EXPECTED[name]).all == expected


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
def test_the_verdict_is_the_lesson(lesson: Lesson) -> None:
    verdict, _, reason = VERDICTS[lesson.id].partition(":")
    assert lesson.answer["verdict"] == verdict
    assert reason in ("", lesson.answer["reason"])


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.id)
def test_the_json_is_as_its_schema_says(lesson: Lesson) -> None:
    Draft202012Validator(SCHEMA).validate(lesson.answer)


def test_every_lesson_has_its_parts() -> None:
    assert sorted(VERDICTS) == [lesson.id for lesson in LESSONS]
    for lesson in LESSONS:
        names = {path.name for path in lesson.folder.iterdir()}
        assert names == {f"{lesson.id}.yaml", "README.md", *EXPECTED}


def test_a_folder_of_a_lesson_loads_as_it_stands(tmp_path: Path) -> None:
    done = netsim("trace", "-t", "topologies/default", "pod-a", "svc-x", "-f", str(tmp_path / "answer"))
    assert done.status == 0, done.err
