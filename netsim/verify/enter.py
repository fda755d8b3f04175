"""Enters a network namespace and comes back.

A socket belongs for its life to the namespace it was made in, and ``/proc/sys/net`` shows that of whoever reads it. So one process can
hold the sockets of every namespace: it enters, opens, and leaves.
Ref: setns(2), net/core/net_namespace.c:netns_install() (v6.12).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
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
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
