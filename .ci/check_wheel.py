"""Build the wheel from a clean clone, look at what is in it, and run the README's main command from the clone alone."""

# ruff: noqa: T201  # this script reports to CI's log
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from readme_commands import command

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = re.compile(r"(netsim|proxy)/.*\.(py|typed|json)|netsim/_topologies/.*|netsim-[^/]*\.dist-info/.*")
NEEDED = (
    "netsim/cli/main.py",
    "netsim/py.typed",
    "netsim/objects/schema.json",
    "proxy/__init__.py",
    "proxy/py.typed",
    "netsim/_topologies/default/default.yaml",
)


def run(*words: str, cwd: Path) -> str:
    """The output of a command; CI fails with it where the command fails."""
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def check_content(wheel: Path) -> None:
    """Every file in the wheel is one we meant to ship, and those that a run needs are there."""
    names = zipfile.ZipFile(wheel).namelist()
    stray = [name for name in names if not ALLOWED.fullmatch(name)]
    absent = [name for name in NEEDED if name not in names]
    if stray or absent:
        raise SystemExit(f"wheel: unexpected files {stray}, missing files {absent}")
    print(f"{wheel.name}: {len(names)} files")


def main() -> None:
    """Clone, build, look, install, run."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        clone = base / "clone"
        run("git", "clone", "--quiet", str(ROOT), str(clone), cwd=base)
        run(
            sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(base / "dist"), str(clone), cwd=base
        )
        check_content(next((base / "dist").glob("netsim-*.whl")))
        run(sys.executable, "-m", "venv", str(base / "venv"), cwd=base)
        main_command = command("main")
        output = run(
            "bash", "-euo", "pipefail", "-c", f'export PATH="{base}/venv/bin:$PATH"; {main_command}', cwd=clone
        )
        print(output[-2000:])
        if "DELIVERED" not in output:
            raise SystemExit(f"{main_command} did not deliver")


if __name__ == "__main__":
    main()
