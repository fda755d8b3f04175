"""How the errors of a load look. ``NETSIM_UPDATE_GOLDEN=1`` writes the expected files anew."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netsim.manifest import LoadError
from netsim.manifest.load import load_text

FOLDER = Path(__file__).parent / "load"
CASES = sorted(path.name for path in FOLDER.glob("*.yaml"))


def rendered(name: str) -> str:
    text = (FOLDER / name).read_text(encoding="utf-8")
    try:
        found = load_text(text, f"shop/{name}").warnings
    except LoadError as error:
        found = error.diagnostics
    return "".join(f"{item}\n" for item in found)


@pytest.mark.parametrize("name", CASES)
def test_messages(name: str) -> None:
    expected = (FOLDER / name).with_suffix(".txt")
    if os.environ.get("NETSIM_UPDATE_GOLDEN"):
        expected.write_text(rendered(name), encoding="utf-8")
    assert rendered(name) == expected.read_text(encoding="utf-8")


def test_there_are_cases() -> None:
    assert len(CASES) >= 4
