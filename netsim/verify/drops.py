"""The packets that the kernel dropped in a run's namespaces, and the reason that it gives (``skb_drop_reason``).

A BPF program at the tracepoint ``skb:kfree_skb`` copies the reason, the namespace and the packet's first bytes. It is asked for no
longer than the run lives, decides nothing and touches nothing: no file system is mounted and no setting changed.
Ref: include/trace/events/skb.h, net/core/skbuff.c:sk_skb_reason_drop() (v6.12).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from netsim.net.packet import Packet
from netsim.verify.bpf import RingBuffer, attach
from netsim.verify.btf import KernelTypes
from netsim.verify.capture import is_discovery
from netsim.verify.decode import Firsts, FirstsElsewhere, decode
from netsim.verify.enter import FOLDER

TRACEPOINT = "kfree_skb"
BUFFER = 1 << 18
HEAD, BYTES = 32, 192
RECORD = HEAD + BYTES
_RECORD = struct.Struct("=IIIIQ")
_PREFIX = "SKB_DROP_REASON_"


@dataclass(frozen=True, slots=True)
class Dropped:
    """A packet that ended in a namespace; ``reason`` is the kernel's name without its prefix. ``time_ns`` counts from boot."""

    netns: str
    packet: Packet
    reason: str
    time_ns: int


class Drops:
    """Drops in the namespaces of a run. ``real_names`` are their real names by modelled name; ``firsts`` is shared with the captures.

    Raises OSError or LookupError where the kernel does not tell them: no BPF, no type information, no such tracepoint.
    """

    def __init__(self, real_names: Mapping[str, str], firsts: FirstsElsewhere) -> None:
        types = KernelTypes()
        self._reasons = {number: name.removeprefix(_PREFIX) for number, name in types.values("skb_drop_reason").items()}
        self._names = {os.stat(f"{FOLDER}/{real}").st_ino: name for name, real in real_names.items()}  # noqa: PTH116
        self._firsts = Firsts(firsts)
        self._buffer = RingBuffer(BUFFER)
        try:
            self._attached = attach(TRACEPOINT, program(self._buffer.descriptor, types))
        except OSError:
            self._buffer.close()
            raise

    def fileno(self) -> int:
        """For a selector."""
        return self._buffer.descriptor

    def pending(self) -> Iterator[Dropped]:
        """What was dropped, without waiting."""
        for record in self._buffer.pending():
            reason, *inodes, time_ns = _RECORD.unpack_from(record)
            name = next((self._names[inode] for inode in inodes if inode in self._names), None)
            packet = decode(record[HEAD:], self._firsts) if name is not None else None
            if name is not None and packet is not None and not is_discovery(packet):
                yield Dropped(name, packet, self._reasons.get(reason, str(reason)), time_ns)

    def close(self) -> None:
        """Stop listening."""
        os.close(self._attached)
        self._buffer.close()


# --- the program -----------------------------------------------------------------------------------------------------

R0, R1, R2, R3, R6, R7, R8, FP = 0, 1, 2, 3, 6, 7, 8, 10
KTIME_GET_NS, PROBE_READ_KERNEL, RINGBUF_RESERVE, RINGBUF_SUBMIT = 5, 113, 131, 132
_POINTER, _SHORT = -8, -16


def program(buffer: int, types: KernelTypes) -> bytes:
    """What runs at the tracepoint, whose arguments are the packet, the place in the kernel and the reason."""
    namespace = (types.offset("net_device", "nd_net"), types.offset("net", "ns", "inum"))
    head, start = types.offset("sk_buff", "head"), types.offset("sk_buff", "network_header")
    found = [
        _copy(R6, R1),
        _load_word(R7, R6, 0),
        *_map(R1, buffer),
        _set(R2, RECORD),
        _set(R3, 0),
        _call(RINGBUF_RESERVE),
        _copy(R8, R0),
    ]
    body = [
        _load_word(R1, R6, 16),
        _store(R8, 0, R1, _WORD),
        *_inode(4, types.offset("sk_buff", "dev"), *namespace),
        *_inode(8, types.offset("sk_buff", "sk"), types.offset("sock", "__sk_common", "skc_net"), namespace[1]),
        *_inode(12, types.offset("sk_buff", "_skb_refdst"), types.offset("dst_entry", "dev"), *namespace),
        _call(KTIME_GET_NS),
        _store(R8, 16, R0, _DOUBLE),
        *_read(FP, _POINTER, 8, R7, head),
        *_read(FP, _SHORT, 2, R7, start),
        _load_word(R3, FP, _POINTER),
        _load_short(R1, FP, _SHORT),
        _add_register(R3, R1),
        *_address(R1, R8, HEAD),
        _set(R2, BYTES),
        _call(PROBE_READ_KERNEL),
        _copy(R1, R8),
        _set(R2, 0),
        _call(RINGBUF_SUBMIT),
    ]
    return b"".join([*found, _jump_if_zero(R0, len(body)), *body, _set(R0, 0), _insn(0x95)])


def _inode(into: int, pointer: int, *offsets: int) -> Iterator[bytes]:
    """Follow pointers from the packet to a namespace, and write the namespace's inode; 0 where one of them leads nowhere."""
    yield from _read(FP, _POINTER, 8, R7, pointer)
    for offset in offsets[:-1]:
        yield _load_word(R3, FP, _POINTER)
        yield _insn(
            0x57, R3, imm=-8
        )  # a route's reference has flags in its lowest bits. Ref: include/linux/skbuff.h SKB_DST_NOREF
        yield _insn(0x07, R3, imm=offset)
        yield from _read_there(FP, _POINTER, 8)
    yield _load_word(R3, FP, _POINTER)
    yield _insn(0x07, R3, imm=offsets[-1])
    yield from _read_there(R8, into, 4)


def _read(base: int, offset: int, size: int, pointer: int, member: int) -> Iterator[bytes]:
    """Copy a member of what a register points at."""
    yield _copy(R3, pointer)
    yield _insn(0x07, R3, imm=member)
    yield from _read_there(base, offset, size)


def _read_there(base: int, offset: int, size: int) -> Iterator[bytes]:
    """Copy what R3 points at; where it points at nothing, zeros."""
    yield from _address(R1, base, offset)
    yield _set(R2, size)
    yield _call(PROBE_READ_KERNEL)


_WORD, _DOUBLE = 0x63, 0x7B


def _insn(code: int, dst: int = 0, src: int = 0, off: int = 0, imm: int = 0) -> bytes:
    """Ref: Documentation/bpf/standardization/instruction-set.rst (v6.12)."""
    return struct.pack("=BBhi", code, dst | src << 4, off, imm)


def _load_word(dst: int, src: int, off: int) -> bytes:
    return _insn(0x79, dst, src, off)


def _load_short(dst: int, src: int, off: int) -> bytes:
    return _insn(0x69, dst, src, off)


def _store(dst: int, off: int, src: int, code: int) -> bytes:
    return _insn(code, dst, src, off)


def _copy(dst: int, src: int) -> bytes:
    return _insn(0xBF, dst, src)


def _set(dst: int, value: int) -> bytes:
    return _insn(0xB7, dst, imm=value)


def _add_register(dst: int, src: int) -> bytes:
    return _insn(0x0F, dst, src)


def _address(dst: int, base: int, offset: int) -> Iterator[bytes]:
    yield _copy(dst, base)
    yield _insn(0x07, dst, imm=offset)


def _call(helper: int) -> bytes:
    return _insn(0x85, imm=helper)


def _jump_if_zero(register: int, over: int) -> bytes:
    return _insn(0x15, register, off=over)


def _map(dst: int, descriptor: int) -> Iterator[bytes]:
    """A map's address takes two instructions."""
    yield _insn(0x18, dst, 1, imm=descriptor)
    yield _insn(0)
