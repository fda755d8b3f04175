"""``netsim verify --guest``: the ipvs topologies and random worlds on a kernel that has IPVS, and what a guest leaves behind (nothing)."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from netsim.scenario.sources import shipped
from tests.differential.kernel.test_verify_kernel import command
from tests.differential.kernel.uml.guest import answered_in_guest, require_guest

pytestmark = pytest.mark.kernel

JOB = Path(__file__).with_name("uml") / "verify_job.py"
NAMES = [each.name for each in shipped() if each.name.startswith(("ipvs", "ipip"))]
COUNT, SEED = 8, 20261124


@pytest.fixture(scope="module")
def answers() -> Any:
    return answered_in_guest(JOB, {"topologies": NAMES, "count": COUNT, "seed": SEED})


@pytest.mark.parametrize("name", NAMES)
def test_every_flow_of_a_topology_that_needs_a_guest(name, answers):
    assert answers["topologies"][name]["differing"] == []
    assert answers["topologies"][name]["agreed"] > 0


def test_random_worlds_in_mode_ipvs(answers):
    assert answers["random"]["differing"] == []
    assert answers["random"]["agreed"] == COUNT


def test_the_command_says_on_which_kernel_it_was():
    require_guest()
    with command("--guest", "-t", "same-node", "--mode", "ipvs") as run:
        out, err = run.communicate(timeout=120)
    assert run.returncode == 0, out + err
    assert "flows agree with Linux" in out
    assert os.uname().release not in out


def test_what_is_wrong_inside_is_told_outside():
    require_guest()
    with command("--guest", "pod-a", "svc-nowhere") as run:
        out, err = run.communicate(timeout=120)
    assert (run.returncode, out) == (2, "")
    assert "svc-nowhere" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_guest_goes_with_its_command(number):
    require_guest()
    with command("--guest", "-t", "default", "--all-flows") as run:
        guest = booted(run)
        run.send_signal(number)
        run.communicate(timeout=30)
    assert run.returncode == (-signal.SIGKILL if number == signal.SIGKILL else 130)
    end = time.monotonic() + 5
    while any(alive(pid) for pid in guest) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(alive(pid) for pid in guest)


def booted(run: subprocess.Popen[str]) -> list[int]:
    """The processes of the run's guest, once it runs programs: then there are several."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = descendants(run.pid)
        if len(found) > 5:
            return found
        time.sleep(0.05)
    raise AssertionError("no guest came up")


def descendants(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        found = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it ended meanwhile
        return []
    return [*found, *(each for child in found for each in descendants(child))]


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
