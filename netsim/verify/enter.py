"""Makes named network namespaces, enters them and comes back.

A socket belongs for its life to the namespace it was made in, and ``/proc/sys/net`` shows that of whoever reads it. So one process can
hold the sockets of every namespace: it enters, opens, and leaves.
Ref: setns(2), net/core/net_namespace.c:netns_install() (v6.12).
"""

from __future__ import annotations

import ctypes
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CLONE_NEWNET = 0x40000000
MS_BIND, MS_REC, MS_SHARED, MNT_DETACH = 0x1000, 0x4000, 1 << 20, 2
FOLDER = "/run/netns"
OWN = "/proc/thread-self/ns/net"

_libc = ctypes.CDLL(None, use_errno=True)


@contextmanager
def entered(real_name: str) -> Iterator[None]:
    """Be in a named network namespace (``ip netns``) for as long as the block lasts. Raises OSError."""
    back = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        there = os.open(f"{FOLDER}/{real_name}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
        finally:
            os.close(there)
        try:
            yield
        finally:
            _setns(back)
    finally:
        os.close(back)


def _setns(descriptor: int) -> None:
    _checked("setns", _libc.setns(descriptor, CLONE_NEWNET))


# --- named namespaces, as ``ip netns`` makes them. Ref: iproute2 ip/ipnetns.c:netns_add(), on_netns_del() ---------------


def create(real_name: str) -> None:
    """Make a named namespace. Raises OSError; FileExistsError where the name is taken."""
    Path(FOLDER).mkdir(mode=0o755, exist_ok=True)
    folder = os.open(FOLDER, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # so that two of us do not both mount the folder
        _share_folder()
    finally:
        os.close(folder)
    path = f"{FOLDER}/{real_name}"
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0))
    back = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _checked("unshare", _libc.unshare(CLONE_NEWNET))
        try:
            _checked("mount", _mount(OWN, path, "none", MS_BIND))
        finally:
            _setns(back)
    except OSError:
        Path(path).unlink()
        raise
    finally:
        os.close(back)


def remove(real_name: str) -> None:
    """Take a named namespace away; the kernel ends it when nothing is left in it. Raises OSError."""
    path = f"{FOLDER}/{real_name}"
    _libc.umount2(path.encode(), MNT_DETACH)
    Path(path).unlink()


def _share_folder() -> None:
    if _mount("", FOLDER, "none", MS_SHARED | MS_REC) == 0:
        return
    _checked("mount", _mount(FOLDER, FOLDER, "none", MS_BIND | MS_REC))
    _checked("mount", _mount("", FOLDER, "none", MS_SHARED | MS_REC))


def _mount(source: str, target: str, kind: str, flags: int) -> int:
    return int(_libc.mount(source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None))


def _checked(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
