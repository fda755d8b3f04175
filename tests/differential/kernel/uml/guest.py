"""Scripts of these tests in the product's guest: what one prints as JSON, given JSON on its standard input."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from netsim.verify.guest.machine import missing_for_guest, output_in_guest


def require_guest() -> None:
    """Skip where no guest can run, fail where it must."""
    missing = "; ".join(each.what for each in missing_for_guest())
    if missing and os.environ.get("NETSIM_REQUIRE_KERNEL"):
        pytest.fail(missing)
    if missing:
        pytest.skip(missing)


def answered_in_guest(job: Path, asked: Any) -> Any:
    """What the script ``job`` answers. Raises GuestError with what it says where it fails."""
    require_guest()
    return json.loads(output_in_guest([sys.executable, str(job)], json.dumps(asked)))
