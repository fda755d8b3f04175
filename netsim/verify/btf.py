"""Where the running kernel keeps the members of its structures, and what it calls the values of an enum: its own type information.

Ref: Documentation/bpf/btf.rst, include/uapi/linux/btf.h (v6.12).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from pathlib import Path

VMLINUX = Path("/sys/kernel/btf/vmlinux")
_HEADER = struct.Struct("=HBBIIIII")
_TYPE = struct.Struct("=III")
_MAGIC = 0xEB9F
STRUCT, UNION, ENUM = 4, 5, 6
_EXTRA: dict[int, tuple[int, int]] = {
    # kind: bytes that follow a type of it, and bytes for each of its parts
    1: (4, 0),  # int
    3: (12, 0),  # array
    STRUCT: (0, 12),
    UNION: (0, 12),
    ENUM: (0, 8),
    13: (0, 8),  # function's prototype
    14: (4, 0),  # variable
    15: (0, 12),  # section
    17: (4, 0),  # declaration tag
    19: (0, 12),  # enum of 64 bits
}


class KernelTypes:
    """The kernel's types. Raises OSError where it does not tell them (CONFIG_DEBUG_INFO_BTF)."""

    def __init__(self, file: Path = VMLINUX) -> None:
        self._data = data = file.read_bytes()
        magic, _, _, size, types_at, types_size, names_at, _ = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise OSError(f"{file} is no BTF of this machine's byte order")
        self._names = size + names_at
        self._types = array("I", [0])  # where each type stands; the first is void
        at, end = size + types_at, size + types_at + types_size
        while at < end:
            self._types.append(at)
            _, described, _ = _TYPE.unpack_from(data, at)
            fixed, each = _EXTRA.get(described >> 24 & 0x1F, (0, 0))
            at += _TYPE.size + fixed + each * (described & 0xFFFF)

    def offset(self, structure: str, *members: str) -> int:
        """Bytes from the beginning of a structure to a member, or to a member of that member. LookupError where there is none."""
        return self._offset(self._named(structure, STRUCT), members)

    def values(self, enum: str) -> dict[int, str]:
        """The names of an enum's values. LookupError where there is no such enum."""
        at = self._named(enum, ENUM)
        return {value: self._name(name) for name, value in self._parts(at, "=Ii")}

    def _offset(self, at: int, members: tuple[str, ...]) -> int:
        found = self._member(at, members[0])
        if found is None:
            raise LookupError(f"the kernel's {self._name(self._type(at)[0])} has no member {members[0]}")
        bits, type_at = found
        return bits // 8 + (self._offset(type_at, members[1:]) if len(members) > 1 else 0)

    def _member(self, at: int, wanted: str) -> tuple[int, int] | None:
        """Offset in bits and type of a member; those of nameless structures inside are members too."""
        for name_at, kind, described in self._parts(at, "=III"):
            name, offset = self._name(name_at), described & 0xFFFFFF
            if name == wanted:
                return offset, self._real(self._types[kind])
            inner = self._real(self._types[kind]) if not name else 0
            if inner and self._kind(inner) in (STRUCT, UNION):
                found = self._member(inner, wanted)
                if found is not None:
                    return offset + found[0], found[1]
        return None

    def _real(self, at: int) -> int:
        """The type behind names (typedef) and qualifiers."""
        while at and self._kind(at) in (8, 9, 10, 11, 18):
            at = self._types[self._type(at)[2]]
        return at

    def _parts(self, at: int, layout: str) -> Iterator[tuple[int, ...]]:
        count = self._type(at)[1] & 0xFFFF
        size = struct.calcsize(layout)
        start = at + _TYPE.size
        return struct.iter_unpack(layout, self._data[start : start + size * count])

    def _named(self, wanted: str, kind: int) -> int:
        for at in self._types[1:]:
            name, described, _ = _TYPE.unpack_from(self._data, at)
            if described >> 24 & 0x1F == kind and name and self._name(name) == wanted:
                return at
        raise LookupError(f"the kernel has no {wanted}")

    def _type(self, at: int) -> tuple[int, int, int]:
        found: tuple[int, int, int] = _TYPE.unpack_from(self._data, at)
        return found

    def _kind(self, at: int) -> int:
        return self._type(at)[1] >> 24 & 0x1F

    def _name(self, at: int) -> str:
        start = self._names + at
        return self._data[start : self._data.index(b"\0", start)].decode()
