"""Named priorities of base chains. Ref: nftables 1.0.6 src/rule.c:std_prios; include/uapi/linux/netfilter_ipv4.h (v6.12)."""

from __future__ import annotations

from netsim.rules.nft.ast import TableFamily

_INET: tuple[tuple[str, int, str | None], ...] = (
    # name, priority, the only hook it is for
    ("raw", -300, None),
    ("mangle", -150, None),
    ("dstnat", -100, "prerouting"),
    ("filter", 0, None),
    ("security", 50, None),
    ("srcnat", 100, "postrouting"),
)
_BRIDGE: tuple[tuple[str, int, str | None], ...] = (
    ("dstnat", -300, "prerouting"),
    ("filter", -200, None),
    ("out", 100, "output"),
    ("srcnat", 300, "postrouting"),
)
_NEAR = 10


def _names(family: TableFamily) -> tuple[tuple[str, int, str | None], ...]:
    return _BRIDGE if family is TableFamily.BRIDGE else _INET


def read_priority(name: str, hook: str, family: TableFamily) -> int:
    """A priority's number; raise ValueError for a name that the hook does not have."""
    if name.removeprefix("-").isdecimal():
        return int(name)
    for known, priority, only in _names(family):
        if known == name and only in (None, hook):
            return priority
    raise ValueError(f"{name!r} is invalid priority in this context")


def write_priority(priority: int, hook: str, family: TableFamily) -> str:
    """``filter``, ``dstnat - 10`` or a number, as ``nft list`` prints it."""
    for name, near, only in _names(family):
        difference = priority - near
        if only in (None, hook) and abs(difference) <= _NEAR:
            return name if not difference else f"{name} {'-' if difference < 0 else '+'} {abs(difference)}"
    return str(priority)
