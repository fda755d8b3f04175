"""The few calls of bpf(2) that reading a tracepoint takes: a ring buffer, a program and its place.

Ref: bpf(2); include/uapi/linux/bpf.h, Documentation/bpf/ringbuf.rst (v6.12).
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
from collections.abc import Iterator

MAP_CREATE, PROG_LOAD, RAW_TRACEPOINT_OPEN = 0, 5, 17
MAP_TYPE_RINGBUF, PROG_TYPE_RAW_TRACEPOINT = 27, 17
SYSCALLS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
"""The number of bpf(2). Ref: arch/*/kernel/syscalls."""

_BUSY, _DISCARDED = 1 << 31, 1 << 30
_LOG_SIZE = 1 << 16


class RingBuffer:
    """What a BPF program writes, record by record. Raises OSError where the kernel makes none."""

    def __init__(self, size: int) -> None:
        page = mmap.PAGESIZE
        self._size = size
        self.descriptor = _bpf(MAP_CREATE, struct.pack("=IIIII", MAP_TYPE_RINGBUF, 0, 0, size, 0))
        self._consumer = mmap.mmap(self.descriptor, page, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        self._records = mmap.mmap(self.descriptor, page + 2 * size, mmap.MAP_SHARED, mmap.PROT_READ, offset=page)

    def pending(self) -> Iterator[bytes]:
        """The records that are complete, without waiting; each is read once."""
        at = int.from_bytes(self._consumer[:8], "little")
        while at < int.from_bytes(self._records[:8], "little"):
            start = mmap.PAGESIZE + at % self._size
            described = int.from_bytes(self._records[start : start + 4], "little")
            if described & _BUSY:
                return
            length = described & ~_DISCARDED
            record = self._records[start + 8 : start + 8 + length]
            at += 8 + (length + 7) // 8 * 8
            self._consumer[:8] = at.to_bytes(8, "little")
            if not described & _DISCARDED:
                yield record

    def close(self) -> None:
        """Close it."""
        self._consumer.close()
        self._records.close()
        os.close(self.descriptor)


def attach(tracepoint: str, program: bytes) -> int:
    """Run a program at a tracepoint for as long as the descriptor is open. OSError where the kernel refuses."""
    loaded = _load(program)
    try:
        name = ctypes.create_string_buffer(tracepoint.encode())
        return _bpf(RAW_TRACEPOINT_OPEN, struct.pack("=QI", ctypes.addressof(name), loaded))
    finally:
        os.close(loaded)


def _load(program: bytes) -> int:
    code = ctypes.create_string_buffer(program, len(program))
    licence = ctypes.create_string_buffer(b"GPL")  # the helper that reads kernel memory is for programs of that licence
    log = ctypes.create_string_buffer(_LOG_SIZE)
    values = struct.pack(
        "=IIQQIIQ", PROG_TYPE_RAW_TRACEPOINT, len(program) // 8, ctypes.addressof(code), ctypes.addressof(licence),
        1, _LOG_SIZE, ctypes.addressof(log),
    )  # fmt: skip
    try:
        return _bpf(PROG_LOAD, values)
    except OSError as error:
        last = log.value.decode(errors="replace").strip().splitlines()[-2:]
        raise OSError(error.errno, f"{error.strerror}: {' '.join(last)}") from error


def _bpf(command: int, values: bytes) -> int:
    number = SYSCALLS.get(platform.machine())
    if number is None:
        raise OSError(f"bpf(2) has no known number on {platform.machine()}")
    libc = ctypes.CDLL(None, use_errno=True)
    held = ctypes.create_string_buffer(values, 128)
    found = libc.syscall(ctypes.c_long(number), ctypes.c_int(command), held, ctypes.c_uint(128))
    if found < 0:
        failed = ctypes.get_errno()
        raise OSError(failed, f"bpf(2): {os.strerror(failed)}")
    return int(found)
