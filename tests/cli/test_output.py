"""Where answers go: odd encodings, closed and full outputs, readers that leave early, links and devices. Whole processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from netsim.__main__ import main as program
from netsim.cli import answer
from tests.cli.commands import netsim

TRACE = ["trace", "pod-a", "svc-x", "--minimal"]


def started(words: list[str], *, shell: str = "", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A whole ``netsim`` process; ``shell`` stands behind it, as ``> /dev/full``."""
    line = f'"$0" -m netsim "$@" {shell}'
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line, sys.executable, *words],
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root, **environment},
    )


@pytest.mark.parametrize(
    ("encoding", "arrow"),
    [("utf-8", "→".encode()), ("latin-1", b"->"), ("ascii:strict", b""), ("cp1252", b"->"), ("koi8-r", b"->")],
)
def test_no_encoding_stops_an_answer(encoding: str, arrow: bytes) -> None:
    done = started(TRACE, PYTHONIOENCODING=encoding, LC_ALL="C", PYTHONUTF8="0")
    assert done.stderr == b""
    assert done.returncode == 0
    assert arrow in done.stdout.splitlines()[1]


def test_a_character_that_an_encoding_has_not_is_a_question_mark_in_an_error() -> None:
    done = started(["trace", "pöd", "svc-x"], PYTHONIOENCODING="koi8-r")
    assert b"Traceback" not in done.stderr
    assert done.returncode == 2


CLOSED = [
    # (redirection, what is said, exit status)
    pytest.param(">&-", b"error: the answer cannot be printed: standard output is closed\n", 2, id="closed"),
    pytest.param("> /dev/full", b"error: the answer cannot be printed: No space left on device\n", 2, id="full"),
    pytest.param("2>&- > /dev/null", b"", 0, id="no standard error"),
]


@pytest.mark.parametrize(("redirection", "says", "status"), CLOSED)
def test_an_output_that_takes_nothing(redirection: str, says: bytes, status: int) -> None:
    done = started(TRACE, shell=redirection)
    assert (done.stderr, done.returncode) == (says, status)


def test_the_version_on_a_full_device() -> None:
    done = started(["--version"], shell="> /dev/full")
    assert (done.stderr, done.returncode) == (b"error: No space left on device\n", 2)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["trace", "pod-a", "svc-x", "--all"], 0, id="delivered"),
        pytest.param(["trace", "pod-a", "svc-x:99", "--all"], 1, id="not delivered"),
    ],
)
def test_a_reader_that_leaves_early_does_not_change_the_status(words: list[str], status: int) -> None:
    done = started(words, shell="| true")
    assert (done.stderr, done.returncode) == (b"", status)


def test_a_file_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "real").chmod(0o600)
    (tmp_path / "link").symlink_to("real")
    assert netsim(*TRACE, "-f", str(tmp_path / "link")).status == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text().startswith("DELIVERED ")
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o600


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    """As root ``-f /dev/stdout`` once put a file in the place of the device's link."""
    link = tmp_path / "stdout"
    link.symlink_to("/proc/self/fd/1")
    done = started([*TRACE, "-f", str(link)])
    assert done.stdout.startswith(b"DELIVERED ")
    assert link.is_symlink()


@pytest.mark.parametrize("name", ["", "."])
def test_a_name_that_is_no_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = netsim(*TRACE, "-f", name)
    assert done.err.startswith("error: ")
    assert done.status == 2


@pytest.mark.parametrize(
    ("words", "option"),
    [
        ([*TRACE, "-f", ""], "'-f' / '--file'"),
        ([*TRACE, "--pcap", ""], "'--pcap'"),
        (["get", "pods", "--store", ""], "'--store'"),
        (["compare", "--plot", ""], "'--plot'"),
        (["check", "x", "--junit", ""], "'--junit'"),
        (["replay", ".", "--mode", "ipvs", "--out", ""], "'--out'"),
    ],
    ids=lambda value: value if isinstance(value, str) else value[0],
)
def test_a_file_without_a_name_is_not_the_current_folder(words: list[str], option: str) -> None:
    done = netsim(*words)
    assert done.err.startswith(f"error: Invalid value for {option}: it is empty\n")
    assert done.status == 2


@pytest.mark.parametrize(("has", "wide"), [(40, 60), (72, 72), (300, 100)])
def test_text_is_as_wide_as_a_narrow_terminal(has: int, wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "to_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(has))
    monkeypatch.setenv("TERM", "dumb")
    told = netsim("trace", "-t", "no-endpoints", "client", "svc/web", "--summary").out
    longest = max(len(line) for line in told.splitlines() if line.startswith(("do ", "   ")))
    assert wide - 16 < longest <= wide


def test_an_interrupt_is_quiet_and_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("netsim.cli.main.main", interrupted)
    with pytest.raises(SystemExit) as ended:
        program()
    assert ended.value.code == 130


def test_a_current_folder_that_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert netsim(*TRACE).status == 0


def test_the_bare_command_shows_what_there_is() -> None:
    done = netsim()
    assert done.err.startswith("Usage: netsim ")
    assert "trace" in done.err
    assert done.status == 2
