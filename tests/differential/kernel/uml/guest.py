"""Scripts of these tests in the product's guest: what one prints as JSON, given JSON on its standard input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from netsim.verify.guest.machine import Program, find_kernel, missing_for_guest, run_in_guest

ROOT = Path(__file__).resolve().parents[4]


def require_guest() -> None:
    """Skip where no guest can run, fail where it must."""
    missing = "; ".join(each.what for each in missing_for_guest())
    if missing and os.environ.get("NETSIM_REQUIRE_KERNEL"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def answered_in_guest(job: Path, asked: Any) -> Any:
    """What the script ``job`` answers. Raises AssertionError with what it says where it fails, GuestError where the guest dies."""
    require_guest()
    out, err = bytearray(), bytearray()
    kernel = find_kernel()
    assert kernel is not None
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = Program([sys.executable, str(job)], env, stdin=json.dumps(asked))
    status = run_in_guest(kernel, program, out.extend, err.extend)
    assert status == 0, err.decode(errors="replace")
    return json.loads(out)
