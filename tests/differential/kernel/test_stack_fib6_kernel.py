"""The IPv6 tables and choices on the real kernel."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netsim.topology.model import Netns
from netsim.verify.namespaces import RealNetwork
from tests.table.test_source_address6 import CHOSEN, many_addresses
from tests.table.test_stack_fib6 import ANYCAST, LOCAL, MAIN, REFUSED, SOURCES, host
from tests.unit.stack_world import netns, topology, veth

pytestmark = pytest.mark.kernel


@contextmanager
def built(spec: Netns) -> Iterator[RealNetwork]:
    ends = tuple(veth(f"g/{each.name}", f"h/{each.name}") for each in spec.devices if each.name != "lo")
    with RealNetwork(topology(spec, netns("g", ends))) as network:
        yield network


def ip(network: RealNetwork, *words: str) -> subprocess.CompletedProcess[str]:
    command = ["ip", "-6", "-n", network.real_name("h"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def real() -> Iterator[RealNetwork]:
    with built(host()) as network:
        yield network


def lines(text: str) -> list[str]:
    """pyroute2 says "proto static" where iproute2 says nothing ("boot")."""
    return sorted(line.replace(" proto static", "").strip() for line in text.splitlines())


@pytest.mark.parametrize(("table", "expected"), [("main", MAIN), ("local", LOCAL)], ids=["main", "local"])
def test_the_tables_are_the_kernels(real, table, expected):
    assert lines(ip(real, "route", "show", "table", table).stdout) == sorted(expected.splitlines())


def test_a_router_has_anycast_addresses():
    with built(host(forwarding=True)) as network:
        assert lines(ip(network, "route", "show", "table", "local").stdout) == sorted((LOCAL + ANYCAST).splitlines())


@pytest.mark.parametrize(("destination", "source"), SOURCES)
def test_the_source_is_the_kernels(real, destination, source):
    assert _source(ip(real, "route", "get", destination).stdout) == source


def _source(text: str) -> str | None:
    found = re.search(r" src (\S+)", text)
    return found[1] if found else None


def test_the_source_is_the_kernels_by_every_rule_of_rfc_6724():
    with built(many_addresses()) as network:
        found = [(rule, to, _source(ip(network, "route", "get", to).stdout)) for rule, to, _ in CHOSEN]
    assert found == CHOSEN


@pytest.mark.parametrize(("refused", "message"), REFUSED)
def test_the_kernel_refuses_the_same_routes(real, refused, message):
    words = [str(refused.to)]
    words += ["via", str(refused.via)] if refused.via is not None else []
    words += ["dev", refused.device] if refused.device is not None else []
    words += ["src", str(refused.source)] if refused.source is not None else []
    assert message in ip(real, "route", "add", *words).stderr


@pytest.mark.parametrize("change", ["down", "1279"])
def test_a_device_that_is_down_or_too_small_has_no_ipv6(change):
    with built(host()) as network:
        ip(network, "link", "set", "eth0", *(("down",) if change == "down" else ("mtu", change)))
        left = ip(network, "route", "show", "table", "all").stdout.splitlines()
    assert not [line for line in left if " dev eth0 " in line]
