"""Path MTUs and the metrics of routes on the real kernel."""

from __future__ import annotations

import pytest

from netsim.net.packet import Protocol
from netsim.verify.namespaces import RealNetwork
from tests.differential.kernel.test_stack_kernel import probe
from tests.table.path_mtu_rows import METRICS, TOLD, Row

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("row", [*TOLD, *METRICS], ids=lambda row: row.id)
def test_the_kernel_says_the_same(row: Row):
    with RealNetwork(row.world) as real:
        told = [probe(real, "a", Protocol.UDP, row.dst, 53, row.payload, df=row.df) for _ in row.heard]
    assert tuple(told) == row.heard
