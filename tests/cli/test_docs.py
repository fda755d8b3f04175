"""Every command that the documentation shows prints what the documentation says."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from netsim.cli.main import run
from tests.cli.console import ROOT, Example, as_pattern, documents, examples

EXAMPLES = [example for file in documents() for example in examples(file)]


def outcome(words: list[str]) -> tuple[str, int]:
    """Standard output and error of one netsim command line, as a terminal shows them together, and the exit status."""
    runner = CliRunner()
    with runner.isolation() as (output, *_rest):
        status = run(words)
        text = output.getvalue().decode()
        errors = _rest[0]
        text += errors.getvalue().decode() if errors is not None else ""
    return text, status


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.id)
def test_example_prints_what_it_says(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("NETSIM_TOPOLOGY", raising=False)
    program, *words = example.words
    assert program == "netsim", f"{example.id}: only netsim commands are shown, for what else runs is not tested"
    text, _ = outcome(words)
    assert as_pattern(example.output).fullmatch("\n".join(line.rstrip() for line in text.splitlines()) + "\n"), text


def test_there_are_examples() -> None:
    assert len(EXAMPLES) > 20
    assert any(example.file.name == "README.md" and example.file.parent == ROOT for example in EXAMPLES)
