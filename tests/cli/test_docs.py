"""Every command that the documentation shows prints what the documentation says."""

from __future__ import annotations

import pytest

from tests.cli.commands import netsim
from tests.cli.console import ROOT, Example, as_pattern, documents, examples

EXAMPLES = [example for file in documents() for example in examples(file)]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_example_prints_what_it_says(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)
    program, *words = example.words
    assert program == "netsim", f"{example.id}: only netsim commands are shown, for what else runs is not tested"
    printed = netsim(*words).all
    assert as_pattern(example.output).fullmatch("".join(f"{line.rstrip()}\n" for line in printed.splitlines())), printed


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 20
    assert any(example.file == ROOT / "README.md" for example in EXAMPLES)
