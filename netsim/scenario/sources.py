"""Where a world comes from: what ``-t`` names, else the environment, else the current folder, else the shipped default."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from netsim.dataclass import dataclass

ENVIRONMENT_VARIABLE = "NETSIM_TOPOLOGY"
LOCAL_FILE = "netsim.yaml"
DEFAULT = "default"
STANDARD_INPUT = "-"

_PACKAGE = Path(__file__).resolve().parents[1]


class SourceError(ValueError):
    """A name that is neither a file, a folder nor a shipped topology; ``advice`` says which there are."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Shipped:
    """A topology that comes with netsim. ``title`` is its README's heading; ``file`` its manifests."""

    name: str
    file: Path
    title: str


def shipped_folder() -> Path:
    """The folder of the shipped topologies: in the wheel beside the package's code, in a checkout at its top."""
    installed = _PACKAGE / "_topologies"
    return installed if installed.is_dir() else _PACKAGE.parent / "topologies"


def shipped() -> tuple[Shipped, ...]:
    """Every shipped topology, by name."""
    folders = sorted(path for path in shipped_folder().iterdir() if _file_of(path).is_file())
    return tuple(Shipped(path.name, _file_of(path), _title(path / "README.md")) for path in folders)


def find_sources(given: Sequence[str], environment: Mapping[str, str]) -> tuple[Path, ...]:
    """The files and folders to load. Several in the environment variable are separated as in PATH. Raises SourceError."""
    if given:
        return tuple(_find(name) for name in given)
    if environment.get(ENVIRONMENT_VARIABLE):
        return tuple(_find(name) for name in environment[ENVIRONMENT_VARIABLE].split(os.pathsep) if name)
    local = Path(LOCAL_FILE)
    return (local,) if local.is_file() else (_find(DEFAULT),)


def _find(name: str) -> Path:
    if not name:
        raise SourceError("a topology has no name", "name a file, a folder ('.' is this one) or a shipped topology")
    path = Path(name)
    if name == STANDARD_INPUT or path.exists():
        return path
    file = _file_of(shipped_folder() / name)
    if "/" not in name and file.is_file():
        return _as_seen_from_here(file)
    if "/" in name or path.suffix:
        raise SourceError(
            f"{name}: no such file or folder", "-t takes a file, a folder or the name of a shipped topology"
        )
    known = [topology.name for topology in shipped()]
    close = difflib.get_close_matches(name, known, n=3)
    nearest = f"did you mean {' or '.join(close)}? " if close else ""
    raise SourceError(
        f"{name}: no such file, folder or shipped topology", f"{nearest}'netsim topology list' shows the shipped ones"
    )


def _as_seen_from_here(path: Path) -> Path:
    """The path relative to the current folder where it lies below it: what a person would type."""
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the current folder was deleted
        return path
    return path.relative_to(here) if path.is_relative_to(here) else path


def _file_of(folder: Path) -> Path:
    return folder / f"{folder.name}.yaml"


def _title(readme: Path) -> str:
    if not readme.is_file():
        return ""
    first = readme.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ").strip()
