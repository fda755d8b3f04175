"""The rows of ``stack_rows`` and ``stack_rows6`` in the model."""

from __future__ import annotations

import pytest

from netsim.stack.reasons import DropReason
from netsim.stack.steps import Drop
from tests.table.stack_rows import ROWS, Row
from tests.table.stack_rows6 import ROWS6
from tests.unit.stack_world import Walk

ERRNO = {
    # how the kernel's words in a detail are spelled by errno
    "Network is unreachable": "ENETUNREACH",
    "No route to host": "EHOSTUNREACH",
    "Permission denied": "EACCES",
    "Invalid argument": "EINVAL",
    "Message too long": "EMSGSIZE",
}


def walk(row: Row) -> Walk:
    seen = Walk(row.world)
    return (seen.tcp if row.tcp else seen.udp)(row.src, row.dst, row.port, payload=row.payload, ttl=row.ttl, df=row.df)


def heard(seen: Walk, row: Row) -> tuple[str, ...]:
    """What the client hears: from the network, or from its own system call."""
    told = [
        errno
        for step in seen.of(Drop, row.src)
        for words, errno in ERRNO.items()
        if f"the sender gets {words!r}" in step.detail
    ]
    return (*seen.heard, *told)


@pytest.mark.parametrize("row", ROWS + ROWS6, ids=[*(row.id for row in ROWS), *(f"v6 {row.id}" for row in ROWS6)])
def test_what_becomes_of_a_packet(row):
    seen = walk(row)
    assert heard(seen, row) == row.heard
    decisive = [drop for drop in seen.drops if drop[1] is not DropReason.OTHERHOST] or seen.drops
    assert decisive[:1] == ([row.died] if row.died else [])
    assert not seen.not_modelled


def test_rows_have_names_of_their_own():
    for rows in (ROWS, ROWS6):
        assert len({row.id for row in rows}) == len(rows)
