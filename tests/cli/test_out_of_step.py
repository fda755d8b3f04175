"""Flows whose packets are out of step: segments out of the window, and datagrams that race."""

from __future__ import annotations

import json

import pytest

from tests.cli.commands import netsim


@pytest.mark.parametrize(
    ("mode", "offset", "code"),
    [
        ("iptables", 0, "DELIVERED"),
        ("iptables", 400_000, "REPLY_INVALID_STATE_DROP"),
        ("iptables", -400_000, "DELIVERED"),  # what lies below the window is let pass and translated
        ("nftables", 400_000, "REPLY_NOT_TRANSLATED_BACK"),
    ],
)
def test_a_segment_of_the_peer(mode: str, offset: int, code: str) -> None:
    words = ("-t", "default", "pod-a", "svc-x", "--mode", mode, "--answer-seq-offset", str(offset), "--pick", "1")
    answer = json.loads(netsim("trace", *words, "-o", "json").out)
    assert answer["branches"][0]["reason"] == code
    assert answer["flow"]["outOfStep"]["answerSeqOffset"] == offset


@pytest.mark.parametrize(("offset", "code"), [(0, "DELIVERED"), (400_000, "INVALID_STATE_DROP")])
def test_a_segment_of_the_asker(offset: int, code: str) -> None:
    words = ("-t", "default", "pod-a", "svc-x", "--seq-offset", str(offset), "--pick", "1")
    answer = json.loads(netsim("trace", *words, "-o", "json").out)
    assert answer["branches"][0]["reason"] == code


def test_two_datagrams_at_once() -> None:
    """Both are translated, each to a backend of its own; the loser's entry serves its answer. Ref: nf_ct_resolve_clash_harder()."""
    words = ("-t", "topologies/dns-race", "client", "dns", "--at-once")
    told = netsim("trace", *words, "--all").out
    assert told.count("for replies only: ") == 2
