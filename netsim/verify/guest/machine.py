"""Boots a guest and runs one program in it.

Everything of the guest hangs on this process: it lives in a process namespace whose first process is killed when this one ends, however
it ends. It writes no file outside its own memory. It is pinned to one CPU: one that moves between CPUs is five times slower.
Ref: Documentation/virt/uml/user_mode_linux_howto_v2.rst (v6.1).
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import netsim
from netsim.verify.guest.inside import READY
from netsim.verify.requirements import Missing

KERNELS = ("linux.uml", "linux")
"""Names of a user-mode kernel: Debian's, and that of one built from source."""

IN_GUEST = "NETSIM_IN_GUEST"
"""The environment variable that tells a program that it runs in a guest."""

MEMORY = "768M"
BOOT_SECONDS = 60.0
SYSTEM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TOOLS = (
    # tool, Debian's package
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
    ("taskset", "util-linux"),
    ("prlimit", "util-linux"),
    ("modprobe", "kmod"),
)

TRIES = 2
"""How often a guest is booted for one program: one in a hundred dies for no reason that is known."""

Sink = Callable[[bytes], None]


class GuestError(RuntimeError):
    """The guest did not boot, or died; the text is the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Program:
    """What to run in the guest. ``out_is_tty`` and ``err_is_tty``: the program is to see a terminal there."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: str = field(default_factory=lambda: str(Path.cwd()))
    stdin: str | None = None
    out_is_tty: bool = False
    err_is_tty: bool = False

    def text(self) -> bytes:
        """As the guest reads it: one line of JSON."""
        paths = os.pathsep.join(filter(None, (self.env.get("PATH"), SYSTEM_PATH)))
        said = {
            "argv": list(self.argv),
            "env": {**self.env, "PATH": paths, **_python_path(self.env)},
            "cwd": self.cwd,
            "stdin": self.stdin,
            "out_is_tty": self.out_is_tty,
            "err_is_tty": self.err_is_tty,
        }
        return json.dumps(said).encode() + b"\n"


def find_kernel(given: str | None = None) -> str | None:
    """The user-mode kernel to boot: the one that is given, else Debian's; None where there is none."""
    if given is not None:
        return shutil.which(given)
    return next(filter(None, map(shutil.which, KERNELS)), None)


def missing_for_guest(given: str | None = None) -> Iterator[Missing]:
    """What this machine lacks to boot a guest, and the command that gets it. ``given`` is a kernel of the user's own."""
    if find_kernel(given) is None:
        what = f"{given} is no program" if given is not None else f"no user-mode kernel ({KERNELS[0]}) found"
        yield Missing(what, "apt-get install -y user-mode-linux")
    for tool, package in TOOLS:
        if shutil.which(tool, path=SYSTEM_PATH) is None:
            yield Missing(f"{tool} not found", f"apt-get install -y {package}")


def run_in_guest(kernel: str, program: Program, out: Sink, err: Sink) -> int:
    """The exit status of a program in a guest; what it writes goes to ``out`` and ``err`` as it comes. Raises GuestError.

    A guest that dies before it said anything is tried once more.
    """
    said = [0]

    def noted(sink: Sink) -> Sink:
        def take(data: bytes) -> None:
            said[0] += len(data)
            sink(data)

        return take

    for _ in range(TRIES - 1):
        with suppress(GuestError), Guest(kernel) as guest:
            return guest.run(program, noted(out), noted(err))
        if said[0]:
            break
    with Guest(kernel) as guest:
        return guest.run(program, out, err)


def output_in_guest(argv: Sequence[str], stdin: str | None = None) -> bytes:
    """What a program prints in a guest of the kernel that is found here; what it says of errors goes to standard error.

    Raises GuestError where there is no kernel, where the guest dies, and where the program fails.
    """
    kernel = find_kernel(os.environ.get("NETSIM_GUEST_KERNEL"))
    if kernel is None:
        raise GuestError(f"no user-mode kernel ({KERNELS[0]}) found")
    out, err = bytearray(), bytearray()
    env = {**os.environ, IN_GUEST: "1"}
    status = run_in_guest(kernel, Program(argv, env, stdin=stdin), out.extend, err.extend)
    told = err.decode(errors="replace")
    if status != 0:
        raise GuestError(f"{' '.join(argv)} ended with {status}\n{told}")
    sys.stderr.write(told)
    return bytes(out)


class Guest:
    """One guest, for as long as the context lasts. It runs one program."""

    def __init__(self, kernel: str) -> None:
        self._stack = ExitStack()
        pairs = [socket.socketpair() for _ in range(3)]
        for ours, theirs in pairs:
            self._stack.enter_context(ours)
            self._stack.enter_context(theirs)
        self._control, self._out, self._err = (ours for ours, _ in pairs)
        lines = [theirs.fileno() for _, theirs in pairs]
        self._console = b""
        self._process = subprocess.Popen(
            _command(kernel, lines),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=lines,
            env={**os.environ, "TMPDIR": _memory_folder()},
            start_new_session=True,
        )
        for _, theirs in pairs:
            theirs.close()

    def __enter__(self) -> Guest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._stack.close()

    def run(self, program: Program, out: Sink, err: Sink) -> int:
        """Its exit status. Raises GuestError where the guest does not boot or dies."""
        answers = b""
        asked = False
        began = time.monotonic()
        with selectors.DefaultSelector() as selector:
            for source, sink in ((self._out, out), (self._err, err), (self._control, None)):
                selector.register(source, selectors.EVENT_READ, sink)
            assert self._process.stdout is not None
            selector.register(self._process.stdout, selectors.EVENT_READ, self._note)
            while True:
                events = selector.select(1)
                if not asked and time.monotonic() - began > BOOT_SECONDS:
                    raise self._error(f"the guest did not boot within {BOOT_SECONDS:.0f} s")
                for key, _ in events:
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fileobj)
                        if key.fileobj is self._process.stdout:
                            raise self._error("the guest died")
                    elif key.data is not None:
                        key.data(data)
                    else:
                        answers += data
                if not asked and answers.endswith(READY):
                    asked, answers = True, b""
                    self._control.sendall(program.text())
                elif asked and answers.endswith(b"\n") and not _has_more(self._out, self._err):
                    return int(json.loads(answers)["status"])

    def _note(self, data: bytes) -> None:
        self._console = (self._console + data)[-(1 << 14) :]

    def _error(self, what: str) -> GuestError:
        return GuestError(f"{what}\n{self._console[-2000:].decode(errors='replace')}".rstrip())


def _has_more(*sources: socket.socket) -> bool:
    """The status comes by another line than what the program wrote before it."""
    for source in sources:
        with suppress(BlockingIOError):
            if source.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                return True
    return False


def _command(kernel: str, lines: Sequence[int]) -> list[str]:
    cpus = sorted(os.sched_getaffinity(0))
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)  # hostfs holds one open for each that the guest has seen
    words = ["setpriv", "--pdeathsig", "KILL", "prlimit", f"--nofile={most_files}"]
    words += ["unshare", "--pid", "--fork", "--kill-child"]
    if os.geteuid() != 0:
        words += ["--user", "--map-current-user"]
    words += ["taskset", "-c", str(cpus[os.getpid() % len(cpus)]), kernel, f"mem={MEMORY}"]
    words += ["rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null", "con0=null,fd:1", "ssl=null"]
    words += [f"ssl{number}=fd:{line}" for number, line in enumerate(lines)]
    words += [f"uml_dir={os.devnull}/", f"init={_quoted(sys.executable)}"]
    words += [f"{name}={_quoted(value)}" for name, value in _python_path(os.environ).items()]
    return [*words, "--", "-B", "-m", "netsim.verify.guest.inside"]


def _quoted(value: str) -> str:
    """A value of the kernel's command line. Ref: lib/cmdline.c:next_arg() (v6.1)."""
    return f'"{value}"' if " " in value else value


def _python_path(env: Mapping[str, str]) -> dict[str, str]:
    """Where the guest's Python finds this very program."""
    ours = str(Path(netsim.__file__).resolve().parent.parent)
    return {"PYTHONPATH": os.pathsep.join(filter(None, (ours, env.get("PYTHONPATH"))))}


def _memory_folder() -> str:
    """Where the guest's memory is a file: /dev/shm, unless that is too small or nothing may be executed there (as in a container)."""
    needed = int(MEMORY.removesuffix("M")) << 20
    for folder in ("/dev/shm", "/tmp"):
        with suppress(OSError):
            found = os.statvfs(folder)
            if found.f_bavail * found.f_frsize >= needed and not found.f_flag & os.ST_NOEXEC:
                return folder
    return "/var/tmp"
