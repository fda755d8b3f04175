"""Ask Kubernetes' own EndpointSlice reconciler and scheduler what the rows of tests/table/*_rows.py come to, and keep the answers.

``tools/answers.py slices PROGRAM`` and ``tools/answers.py scheduler PROGRAM``, where PROGRAM is tools/answers/<which>/main.go, built
as tests/data/kubernetes-1.37/README.md says. Tests read the answers, so they need no Go.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(_ROOT))


def _ask(program: str, situations: list[Any]) -> Any:
    asked = json.dumps(situations)
    done = subprocess.run([program], input=asked, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def _slices(program: str) -> tuple[str, Any]:
    from tests.table.endpointslice_rows import ROWS, said, shape

    found = _ask(program, [{"name": name, "steps": steps} for name, steps in ROWS])
    answers = {}
    for name, _ in ROWS:
        seen: dict[str, int] = {}
        answers[name] = [{"slices": shape(a["slices"] or [], seen), "events": _events(a, said)} for a in found[name]]
    return "endpointslices.json", answers


def _events(answer: Any, said: Any) -> list[str]:
    """The reconciler's events, and the one that its controller writes of its error."""
    events = [said(event) for event in answer.get("events", [])]
    if "error" in answer:
        failed = "Warning FailedToUpdateEndpointSlices Error updating Endpoint Slices for Service default/web"
        events.append(f"{failed}: {answer['error']}")
    return events


def main() -> None:
    """Write the answers of one program."""
    which, program = sys.argv[1:]
    name, answers = {"slices": _slices}[which](program)
    text = json.dumps(answers, indent=1, sort_keys=True)
    (_ROOT / "tests/data/kubernetes-1.37" / name).write_text(text + "\n")


if __name__ == "__main__":
    main()
