"""Print the README's set-up command for the main job (``main``) or the tests (``test``), so that CI runs what users read."""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
COMMANDS = {"main": r"^pip install \. && netsim .*$", "test": r"^pip install -e '\.\[test\]' && pytest.*$"}


def command(which: str) -> str:
    """The one line of the README's code blocks that is that command."""
    found = re.findall(COMMANDS[which], README.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if len(found) != 1:
        raise SystemExit(f"README.md must have exactly one line that matches {COMMANDS[which]!r}; found {len(found)}")
    return str(found[0])


if __name__ == "__main__":
    print(command(sys.argv[1]))  # noqa: T201  # this script's output is its purpose
