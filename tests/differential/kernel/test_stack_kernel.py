"""The stack's rows on the real kernel: each hand-made network is built from real namespaces, and a real socket is asked what it heard."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.net.packet import Protocol
from netsim.topology.model import Topology
from netsim.verify.namespaces import RealNetwork
from tests.table.stack_rows import ROWS, Row
from tests.table.stack_rows6 import ROWS6
from tests.table.test_stack_bridge import ROWS as BRIDGE_ROWS
from tests.table.test_stack_bridge import Row as BridgeRow
from tests.table.test_stack_bridge import world as bridge_world
from tests.unit.stack_world import with_device

LISTENER = Path(__file__).with_name("stack_listener.py")
PROBE = Path(__file__).with_name("stack_probe.py")
PATIENCE_S = "0.7"
SETTLE_S = 1.1
"""Longer than the kernel takes to notice a carrier and let a bridge port forward. Ref: net/core/link_watch.c (v6.12)."""


def inside(real: RealNetwork, name: str, *words: str) -> str:
    command = ["ip", "netns", "exec", real.real_name(name), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def probe(
    real: RealNetwork,
    src: str,
    protocol: Protocol,
    dst: str,
    port: int,
    payload: int = 0,
    ttl: int = 64,
    *,
    df: bool = True,
) -> str:
    words = ("40000", protocol.name.lower(), dst, str(port), str(payload), str(ttl), PATIENCE_S, str(int(df)))
    with listening(real):
        return inside(real, src, sys.executable, str(PROBE), *words)


@contextmanager
def listening(real: RealNetwork) -> Iterator[None]:
    """Every listener of the topology, each namespace's in a process of its own that says when its sockets are open."""
    processes = []
    for name, ns in real.topology.namespaces.items():
        words = [f"{each.protocol.name},{each.port},{each.address or ''},{int(each.v6only)}" for each in ns.listeners]
        if words:
            command = ["ip", "netns", "exec", real.real_name(name), sys.executable, str(LISTENER), *words]
            processes.append(subprocess.Popen(command, stdout=subprocess.PIPE))
    try:
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
        yield
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def as_a_socket_sees_it(heard: tuple[str, ...] | list[str], *, tcp: bool) -> str:
    """A TCP socket knows a reset and an ICMP error only as an errno."""
    words = "".join(heard)
    if not tcp:
        return words
    return next((errno for start, errno in TCP_ERRNO.items() if words.startswith(start)), words)


TCP_ERRNO = {
    # net/ipv4/icmp.c:icmp_err_convert[], net/ipv6/icmp.c:tab_unreach[] (v6.12)
    "RST": "ECONNREFUSED",
    "error 3/1 ": "EHOSTUNREACH",
    "error 1/3 ": "EHOSTUNREACH",
}


def up(world: Topology) -> Topology:
    """The same with every device up: routes through a device that is down cannot be added."""
    for name in world.namespaces:
        for device in world.namespaces[name].devices:
            world = with_device(world, f"{name}/{device.name}", up=True)
    return world


def take_down(real: RealNetwork, world: Topology) -> None:
    down = [(name, d.name) for name, ns in world.namespaces.items() for d in ns.devices if not d.up]
    for name, device in down:
        inside(real, name, "ip", "link", "set", device, "down")
    if down:
        time.sleep(SETTLE_S)


@pytest.mark.kernel
@pytest.mark.parametrize("row", ROWS + ROWS6, ids=[*(row.id for row in ROWS), *(f"v6 {row.id}" for row in ROWS6)])
def test_the_kernel_says_the_same(row: Row):
    with RealNetwork(up(row.world)) as real:
        take_down(real, row.world)
        protocol = Protocol.TCP if row.tcp else Protocol.UDP
        told = probe(real, row.src, protocol, row.dst, row.port, row.payload, row.ttl, df=row.df)
    assert told == as_a_socket_sees_it(row.heard, tcp=row.tcp)


@pytest.mark.kernel
@pytest.mark.parametrize(("row", "heard", "died"), BRIDGE_ROWS, ids=[row.id for row, _, _ in BRIDGE_ROWS])
def test_the_kernel_bridges_the_same(row: BridgeRow, heard, died):
    with RealNetwork(bridge_world(row)) as real:
        told = probe(real, "a", Protocol.TCP, "10.96.0.10", 80)
    assert told == as_a_socket_sees_it(heard, tcp=True)
