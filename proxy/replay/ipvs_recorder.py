"""Two quirks of the recorder of the reference cases in ipvs mode, and nothing that kube-proxy does.

READ THIS BEFORE COMPARING.

1. ``.ipvsadm``: the flag that kube-proxy gives with scheduler ``mh`` is 0x10, IP_VS_SVC_F_SCHED2, which ipvsadm prints as
   ``mh-port``. The recorder wrote ``flag-1``, which to ipvsadm is 0x08, ``mh-fallback``.
2. ``.addresses``: kube-proxy's fake of netlink keeps the addresses of a device in one Go slice and hands out that slice
   itself. The recorder sorted what it got, in place, and wrote all files when the last sync was over. Until a bind
   makes Go move the slice, later syncs change what an earlier listing shows: an address of step 01 stands in
   ``step-00….addresses``, perhaps twice, while the set KUBE-IPVS-IPS of step 00 does not have it. ``RecordedDevice`` does
   the same with the addresses that a sync binds and unbinds.
   Ref: pkg/proxy/ipvs/testing/fake.go:EnsureAddressBind(), UnbindAddress(), ListBindAddress() (v1.37)
"""

from __future__ import annotations

from collections.abc import Iterable

CAPACITIES = (
    1,
    2,
    4,
    8,
    16,
    32,
    71,
    143,
    303,
    591,
    1023,
    1535,
    2560,
    3584,
    5120,
    6656,
    8704,
    11264,
    14336,
    18432,
    23552,
)
"""How a slice of strings grows in Go 1.26 as ``append`` fills it: doubled, later by a quarter, rounded up to what the
allocator hands out. Ref: src/runtime/slice.go:growslice(), msize.go:roundupsize(); counted with a program."""


def ipvsadm_as_recorded(text: str) -> str:
    """The text of ``.ipvsadm`` as the recorder would have written it."""
    return text.replace(" -b mh-port\n", " -b flag-1\n")


class Listing:
    """What a recorder got when it asked for the addresses: a window on cells that others still write to."""

    def __init__(self, cells: list[str], length: int) -> None:
        self._cells = cells
        self._length = length

    def text(self) -> str:
        """What the window shows now, one address a line."""
        return "".join(f"{address}\n" for address in self._cells[: self._length])


class RecordedDevice:
    """The addresses of a device as the fake keeps them: a Go slice, that is an array with a length and a capacity.

    ``append`` writes to the array while there is room, and else to a larger copy (``CAPACITIES``).
    """

    def __init__(self) -> None:
        self._cells: list[str] = []
        self._length = 0
        self._capacity = 0

    def change(self, bound: Iterable[str], unbound: Iterable[str]) -> Listing:
        """Bind, unbind, then list as the recorder did: sorted in place."""
        for address in bound:
            self._append(address)
        for address in unbound:
            self._remove(address)
        self._cells[: self._length] = sorted(self._cells[: self._length])
        return Listing(self._cells, self._length)

    def _append(self, address: str) -> None:
        if self._length == self._capacity:
            self._capacity = next((c for c in CAPACITIES if c > self._capacity), self._capacity * 5 // 4)
            self._cells = self._cells[: self._length]
        self._cells[self._length :] = [address, *self._cells[self._length + 1 :]]
        self._length += 1

    def _remove(self, address: str) -> None:
        position = self._cells.index(address, 0, self._length)
        self._cells[position : self._length - 1] = self._cells[position + 1 : self._length]
        self._length -= 1
