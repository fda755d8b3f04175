"""Redirects on the real kernel: what a host believes after one packet."""

from __future__ import annotations

import re
import sys
import time

import pytest

from netsim.net.packet import Protocol
from netsim.verify.namespaces import RealNetwork
from tests.differential.kernel.test_stack_kernel import inside, probe
from tests.table.redirect_rows import PING, ROWS, Row

pytestmark = pytest.mark.kernel
ECHO = (
    "import socket, sys, time; s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6); "
    "s.sendto(bytes([128, 0, 0, 0, 0, 1, 0, 1]), (sys.argv[1], 0)); time.sleep(1)"
)
UNRATIONED_S = 0.1
"""The first redirect only asks for the new gateway's neighbour, and the next is not sent for 40 ms.
Ref: net/ipv4/route.c:__ip_do_redirect(), ip_rt_send_redirect() (v6.12)."""
SENDS = "net.ipv4.conf.{}.send_redirects"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_the_kernel_believes_the_same(row: Row):
    with RealNetwork(row.world) as real:
        for where in ("all", "eth0"):  # RealNetwork switches redirects off
            value = row.world.namespaces["r"].sysctls.get(SENDS.format(where), "1")
            inside(real, "r", "sysctl", "-qw", f"{SENDS.format(where)}={value}")
        for _ in range(2):
            time.sleep(UNRATIONED_S)
            if row.protocol is PING:
                inside(real, "h", sys.executable, "-c", ECHO, row.dst)
            else:
                probe(real, "h", Protocol.UDP, row.dst, 53)
        told = inside(real, "h", "ip", "route", "get", row.dst)
    found = re.search(r" via (?:inet6 )?(\S+)", told)
    assert found is not None, told
    assert found[1] == row.next_hop
