"""The FIB's tables and choices on the real kernel."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from netsim.stack.reasons import DropReason
from netsim.verify.namespaces import RealNetwork
from tests.table.test_stack_fib import LOCAL, MAIN, SOURCES, host
from tests.unit.stack_world import netns, topology, veth
from tests.unit.test_stack_network import INPUTS, two_legs

pytestmark = pytest.mark.kernel


@pytest.fixture
def real() -> Iterator[RealNetwork]:
    with RealNetwork(topology(host(), netns("g", (veth("g/eth0", "h/eth0"),)))) as network:
        if "10.9.9.9" not in ip(network, "address", "show", "dev", "lo"):
            ip(network, "address", "add", "10.9.9.9/32", "dev", "lo")
        ip(network, "route", "del", "10.2.0.0/16")  # RealNetwork leaves the scope out, iproute2 does not
        ip(network, "route", "add", "10.2.0.0/16", "dev", "eth0")
        yield network


def ip(network: RealNetwork, *words: str) -> str:
    command = ["ip", "-n", network.real_name("h"), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("table", "expected"), [("main", MAIN), ("local", LOCAL)])
def test_the_tables_are_the_kernels(real, table, expected):
    printed = ip(real, "-4", "route", "show", "table", table)
    # pyroute2 says "proto static" where iproute2 says nothing ("boot")
    lines = sorted(
        line.replace(" proto static", "").strip()
        for line in printed.splitlines()
        if "fe80" not in line and "anycast" not in line
    )
    assert lines == sorted(expected.splitlines())


@pytest.mark.parametrize(("destination", "source"), SOURCES)
def test_the_source_is_the_kernels(real, destination, source):
    found = re.search(r" src (\S+)", ip(real, "route", "get", destination))
    assert (found[1] if found else None) == source


@pytest.mark.parametrize(("src", "dst", "sysctls", "result"), INPUTS)
def test_the_input_look_up_is_the_kernels(src, dst, sysctls, result):
    with RealNetwork(two_legs(sysctls)) as network:
        # RealNetwork switches redirects off, and a host that sends none asks less of a source (fib_frontend.c:fib_validate_source())
        redirects = "net.ipv4.conf.all.send_redirects"
        words = [
            "ip",
            "netns",
            "exec",
            network.real_name("h"),
            "sysctl",
            "-qw",
            f"{redirects}={sysctls.get(redirects, 1)}",
        ]
        subprocess.run(words, check=True)
        told = ip(network, "route", "get", dst, "from", src, "iif", "eth0")
    refused = isinstance(result, DropReason) or result == "unreachable"
    word = told.split(" ", 1)[0]
    assert (word if word in ("local", "broadcast") else "unicast" if word else "refused") == (
        "refused" if refused else result
    )
