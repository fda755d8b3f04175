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


def _scheduler(program: str) -> tuple[str, Any]:
    from tests.table.scheduler_rows import ROWS

    answers = {}
    for name, objects, pods in ROWS:
        found = _ask(program, [{"name": name, "objects": objects, "pods": pods}])
        answers[name] = [_placement(answer) for answer in found[name]]
    return "scheduler.json", answers


def _placement(answer: Any) -> Any:
    """Events, the node that is kept free, and how much more than the worst each node scores, where there are several."""
    told = sorted(_without_repeats(answer["events"]))
    found: dict[str, Any] = {"events": told}
    if any(" Preempted " in event for event in told):
        text = next(event for event in told if " on node " in event and " FailedScheduling " in event)
        found["nominated"] = text.partition(" on node ")[2].partition(",")[0]
    points = {name: sum(plugins.values()) for name, plugins in (answer.get("scores") or {}).items()}
    if len(points) > 1:
        found["points"] = {name: points[name] - min(points.values()) for name in sorted(points)}
        if list(points.values()).count(max(points.values())) > 1:
            found["events"] = []
    return found


def _without_repeats(events: list[str]) -> list[str]:
    """What was said at first: a pod for which others went is placed a moment later, which is no part of the answer."""
    fields = [event.split("|", 4) for event in events]
    preempted = any(field[2] == "Preempted" for field in fields)
    return [f"{f[0]} {f[2]} {f[4]}" for f in fields if not (preempted and f[2] == "Scheduled")]


def main() -> None:
    """Write the answers of one program."""
    which, program = sys.argv[1:]
    name, answers = {"slices": _slices, "scheduler": _scheduler}[which](program)
    text = json.dumps(answers, indent=1, sort_keys=True)
    (_ROOT / "tests/data/kubernetes-1.37" / name).write_text(text + "\n")


if __name__ == "__main__":
    main()
