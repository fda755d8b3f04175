"""``netsim verify --guest`` on this side: what is asked of the guest, and what is told where there can be none."""

from __future__ import annotations

import json

import click
import pytest

from netsim.cli.guest import words_of
from netsim.cli.verify import command
from netsim.verify.guest.machine import Program, find_kernel
from tests.cli.commands import netsim


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (["--guest"], []),
        (["--guest", "--mode", "ipvs", "--all-flows"], ["--mode", "ipvs", "--all-flows"]),
        (["--guest-kernel", "/boot/linux", "--random", "5"], ["--random", "5"]),
        (["pod-a", "--guest", "svc-x", "-p", "80"], ["--port", "80", "--", "pod-a", "svc-x"]),
        (["-t", "a", "--guest", "-t", "b"], ["--topology", "a", "--topology", "b"]),
        (["--mark", "0x10", "--df", "a", "b"], ["--df", "--mark", "16", "--", "a", "b"]),
    ],
)
def test_the_guest_is_asked_for_the_same(given, asked):
    context = command.make_context("verify", list(given), parent=click.Context(click.Group("netsim")))
    assert sorted(words_of(context)) == sorted(asked)


def test_a_kernel_that_is_none_is_told():
    done = netsim("verify", "--guest-kernel", "/nowhere/linux")
    assert (done.status, "/nowhere/linux is no program" in done.err) == (4, True)


def test_the_package_of_the_kernel_is_told(monkeypatch):
    monkeypatch.setattr("netsim.verify.guest.machine.KERNELS", ("no-such-kernel",))
    monkeypatch.delenv("NETSIM_GUEST_KERNEL", raising=False)
    done = netsim("verify", "--guest")
    assert done.status == 4
    assert "no user-mode kernel (no-such-kernel) found" in done.err
    assert "apt-get install -y user-mode-linux" in done.err


def test_a_kernel_of_the_users_own_is_found(tmp_path):
    kernel = tmp_path / "linux"
    kernel.write_text("#!/bin/sh\n")
    kernel.chmod(0o755)
    assert find_kernel(str(kernel)) == str(kernel)


def test_a_program_finds_the_tools_and_this_netsim():
    said = json.loads(Program(["true"], {"PATH": "/opt/bin"}, "/").text())
    assert said["env"]["PATH"] == "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    assert said["env"]["PYTHONPATH"]
