"""``netsim verify`` where it cannot or must not run. What it does where it can is in tests/differential/kernel."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.cli.commands import netsim


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pod-a",), "verify needs both SRC and DST, or neither"),
        (("pod-a", "svc-x", "--all-flows"), "--all-flows verifies every flow, and SRC and DST name one"),
        (("--random", "5", "-t", "default"), "--random draws its own worlds"),
        (("--ttl", "3"), "the packet's options are for one flow"),
        (("--random", "5", "--all-flows", "--guest"), "--random draws its own worlds"),
        (("pod-a", "svc-nowhere"), "svc-nowhere"),
        (("pod-a", "svc-x", "--family", "ipv6"), "--family is for worlds that are drawn"),
    ],
)
def test_usage(words, message, monkeypatch):
    monkeypatch.setattr("netsim.verify.requirements.missing", lambda topology, legacy: iter(()))
    done = netsim("verify", *words)
    assert done.status == 2
    assert message in done.err


def test_who_is_not_root_is_told(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    done = netsim("verify", "pod-a", "svc-x")
    assert done.status == 4
    assert "must be root" in done.err
    assert "help: sudo netsim verify" in done.err


def test_every_tool_that_is_missing_is_told_with_its_package(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    done = netsim("verify", "--legacy")
    assert done.status == 4
    assert "iptables-legacy-restore, ip6tables-legacy-restore not found" in done.err
    assert "nft not found" in done.err
    assert "apt-get install -y iptables && apt-get install -y nftables" in done.err
