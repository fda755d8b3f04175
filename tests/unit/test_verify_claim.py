"""Whose namespaces are whose: a run that lives is left alone, one that is gone is cleaned up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netsim.verify import claim


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(claim, "RUN", tmp_path)
    monkeypatch.setattr(claim, "FOLDER", str(tmp_path / "netns"))
    (tmp_path / "netns").mkdir()
    return tmp_path


def test_a_run_that_lives_is_not_stale(folders):
    mine = claim.Claim()
    (folders / "netns" / mine.netns(0)).touch()
    assert list(claim.stale()) == []
    mine.release()
    assert list(claim.stale()) == [mine.name], "its namespace is still there"


def test_two_runs_have_different_names():
    first, second = claim.Claim(), claim.Claim()
    assert first.netns(0) != second.netns(0)
    assert list(claim.stale()) == []
    first.release()
    second.release()


def test_a_run_that_was_killed_is_stale(folders):
    code = (
        "from pathlib import Path; from netsim.verify import claim;"
        f"claim.RUN = Path({str(folders)!r}); held = claim.Claim(); print(held.name)"
    )
    name = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    (folders / "netns" / f"netsim-{name}-0").touch()
    (folders / "netns" / "netsim-of-somebody").touch()
    assert list(claim.stale()) == [name]
    assert claim.namespaces_of(name) == [f"netsim-{name}-0"]
    claim.forget(name)
    (folders / "netns" / f"netsim-{name}-0").unlink()
    assert list(claim.stale()) == []
