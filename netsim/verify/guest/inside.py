"""The first process of a guest: makes a file system, runs one program, hands back what it says and its exit status, and halts.

The root file system is the machine's own, seen through hostfs and not to be written to. Over it lies an overlay in the guest's memory,
so that the guest has the machine's Python and tools, and nothing that it writes stays. Three serial lines lead out of it: a program as
one line of JSON comes in by the first and its exit status goes back there, standard output and standard error have one each.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import termios
import threading
import time
import tty
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netsim.verify.guest.modules import FOLDER, MODULES, OVERLAY, SYSCTLS

CONTROL, OUT, ERR = "/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"
READY = b"ready\n"
SCRATCH = "/mnt"
POWER_OFF = 0x4321FEDC  # include/uapi/linux/reboot.h LINUX_REBOOT_CMD_POWER_OFF
MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Do all of it. Does not return."""
    try:
        _make_root()
        _load_modules()
        _serve()
    finally:
        os.sync()
        _libc.reboot(POWER_OFF)
        time.sleep(60)


# --- file systems and modules ------------------------------------------------------------------------------------------


def _make_root() -> None:
    _mount("proc", "/proc", "proc")
    if "\toverlay\n" not in Path("/proc/filesystems").read_text(encoding="ascii"):
        subprocess.run(["/sbin/insmod", f"{FOLDER}/{os.uname().release}/{OVERLAY}"], check=True)
    _mount("tmpfs", SCRATCH, "tmpfs")
    upper, work, root = (Path(SCRATCH, name) for name in ("upper", "work", "root"))
    for folder in (upper, work, root):
        folder.mkdir()
    _mount("overlay", str(root), "overlay", f"lowerdir=/,upperdir={upper},workdir={work}")
    for kind, name in (("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev"), ("tmpfs", "run")):
        _mount(kind, str(root / name), kind)
    os.chdir(root)
    _checked("pivot_root", _libc.pivot_root(b".", b"."))  # for the kernel's own helpers too, which load modules
    _libc.umount2(b".", MNT_DETACH)
    os.chdir("/")


def _load_modules() -> None:
    """A kernel that has everything built in has no folder of modules, and needs none."""
    release = os.uname().release
    there, here = Path(FOLDER, release), Path("/lib/modules", release)
    if there.is_dir() and not here.exists():
        here.parent.mkdir(parents=True, exist_ok=True)
        here.symlink_to(there)
    if here.exists():
        names = [name for name, _ in MODULES]
        subprocess.run(["/sbin/modprobe", "-a", "-q", *names], check=False, stderr=subprocess.DEVNULL)
    for name, value, _ in SYSCTLS:
        with contextlib.suppress(OSError):
            Path("/proc/sys", name).write_text(value, encoding="ascii")


def _mount(source: str, target: str, kind: str, options: str = "") -> None:
    _checked(f"mount {target}", _libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()))


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


# --- the job ------------------------------------------------------------------------------------------------------------


def _serve() -> None:
    control, out, err = (_open_line(path) for path in (CONTROL, OUT, ERR))
    _write(control, READY)
    job = json.loads(_read_line(control))
    status = _run(job, out, err)
    for line in (out, err):
        termios.tcdrain(line)
    _write(control, json.dumps({"status": status}).encode() + b"\n")
    termios.tcdrain(control)


def _run(job: dict[str, Any], out: int, err: int) -> int:
    """A program's exit status. What it writes goes by a pipe, unless the line is to look like a terminal to it."""
    copies = []
    given = subprocess.PIPE if job["stdin"] is not None else subprocess.DEVNULL
    targets = [line if job[name] else subprocess.PIPE for name, line in (("out_is_tty", out), ("err_is_tty", err))]
    words: Sequence[str] = job["argv"]
    with subprocess.Popen(
        words, stdin=given, stdout=targets[0], stderr=targets[1], env=job["env"], cwd=job["cwd"], start_new_session=True
    ) as child:
        for pipe, line in ((child.stdout, out), (child.stderr, err)):
            if pipe is not None:
                copies.append(threading.Thread(target=_copy, args=(pipe.fileno(), line)))
                copies[-1].start()
        if child.stdin is not None:
            child.stdin.write(job["stdin"].encode())
            child.stdin.close()
        child.wait()
        for copy in copies:
            copy.join()
    return child.returncode


def _open_line(path: str) -> int:
    line = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    tty.setraw(line)
    return line


def _read_line(line: int) -> bytes:
    found = b""
    while not found.endswith(b"\n"):
        found += os.read(line, 1 << 16)
    return found


def _copy(source: int, target: int) -> None:
    while data := os.read(source, 1 << 12):
        _write(target, data)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]


if __name__ == "__main__":
    sys.stdout = sys.stderr = open("/dev/console", "w", encoding="utf-8") if Path("/dev/console").exists() else None  # noqa: PTH123, SIM115
    main()
