"""A built topology as the kernel has it: what ``ip`` and ``bridge`` print of real namespaces, and real connections through them."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from netsim.net.address import Family
from netsim.topology.build import build
from netsim.topology.cni.flannel import flannel_rules
from netsim.topology.model import Bridge, Netns, Topology
from netsim.topology.sysctl import canonical, default, known, read
from netsim.topology.sysctl_table import KNOWN
from netsim.verify.namespaces import RealNetwork
from tests.unit.topology_plans import dual_stack

pytestmark = pytest.mark.kernel

PER_NETNS = (
    "net.ipv4.conf.*",
    "net.ipv6.conf.*",
    "net.bridge",
    "net.ipv4.ip_",
    "net.ipv4.icmp_",
    "net.netfilter.nf_conntrack_",
)
PER_HOST = {
    # not per namespace, or made from the machine's memory. Ref: Documentation/networking/nf_conntrack-sysctl.rst
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_buckets",
    "net.netfilter.nf_conntrack_expect_max",
}


@pytest.fixture(scope="module")
def topology() -> Topology:
    return build(dual_stack())


@pytest.fixture(scope="module")
def real(topology: Topology) -> Iterator[RealNetwork]:
    with RealNetwork(topology) as network:
        yield network


def inside(real: RealNetwork, name: str, *words: str, stdin: str | None = None) -> str:
    command = ["ip", "netns", "exec", real.real_name(name), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, input=stdin).stdout


def as_json(real: RealNetwork, name: str, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(inside(real, name, words[0], "-j", *words[1:]) or "[]")
    return found


def every_namespace(topology: Topology) -> Iterator[Netns]:
    yield from topology.namespaces.values()


def test_the_same_devices(topology: Topology, real: RealNetwork) -> None:
    for netns in every_namespace(topology):
        seen = {link["ifname"]: link for link in as_json(real, netns.name, "ip", "-d", "link")}
        assert set(seen) == {device.name for device in netns.devices}
        for device in netns.devices:
            link = seen[device.name]
            assert (link["mtu"], link["address"], "UP" in link["flags"]) == (device.mtu, str(device.mac), True)
            assert link.get("master") == (None if device.port is None else device.port.master)
            assert (link.get("linkinfo", {}).get("info_kind") == "bridge") == isinstance(device.kind, Bridge)


def test_the_same_bridge_ports(topology: Topology, real: RealNetwork) -> None:
    for netns in every_namespace(topology):
        seen = {port["ifname"]: port for port in as_json(real, netns.name, "bridge", "-d", "link") if "hairpin" in port}
        expected = {device.name: device.port for device in netns.devices if device.port is not None}
        assert {
            name: (port["master"], port["hairpin"], port["learning"]) for name, port in seen.items() if name in expected
        } == {name: (port.master, port.hairpin, port.learning) for name, port in expected.items()}


def test_the_same_addresses(topology: Topology, real: RealNetwork) -> None:
    for netns in every_namespace(topology):
        for link in as_json(real, netns.name, "ip", "address"):
            device = netns.device(link["ifname"])
            assert device is not None
            seen = {f"{a['local']}/{a['prefixlen']}" for a in link["addr_info"] if a["scope"] != "link"}
            assert seen == {str(address) for address in device.addresses}


@pytest.mark.parametrize("family", [4, 6])
def test_the_same_routes(topology: Topology, real: RealNetwork, family: int) -> None:
    for netns in every_namespace(topology):
        listed = as_json(real, netns.name, "ip", f"-{family}", "route")
        seen = {(r["dst"], r.get("gateway"), r["dev"]) for r in listed if r.get("protocol") != "kernel"}
        expected = {
            ("default" if route.to.prefixlen == 0 else str(route.to), str(route.via), route.device)
            for route in netns.routes
            if route.to.version == family
        }
        assert seen == expected, netns.name


def test_the_same_sysctls(topology: Topology, real: RealNetwork) -> None:
    for netns in every_namespace(topology):
        for name in netns.sysctls:
            assert inside(real, netns.name, "sysctl", "-n", name).strip() == read(netns.sysctls, name)


def test_a_device_forwards_where_the_table_says_so(topology: Topology, real: RealNetwork) -> None:
    for name in ("node.node1", "pod.default.a", "external.far", "gateway"):
        for family in ("ipv4", "ipv6"):
            sysctl = f"net.{family}.conf.eth0.forwarding"
            assert inside(real, name, "sysctl", "-n", sysctl).strip() == read(topology.namespaces[name].sysctls, sysctl)


FRESH = f"nsim-fresh-{os.getpid()}"


def test_the_tables_defaults_are_a_fresh_namespaces() -> None:
    subprocess.run(["ip", "netns", "add", FRESH], check=True)
    try:
        words = ["ip", "netns", "exec", FRESH, "sysctl", "-a"]
        printed = subprocess.run(words, check=True, capture_output=True, text=True).stdout.splitlines()
    finally:
        subprocess.run(["ip", "netns", "del", FRESH], check=True)
    values = {name.strip(): value.strip() for name, _, value in (line.partition("=") for line in printed)}
    covered = set()
    for name, value in values.items():
        row = known(name)
        if row is None or not row.name.startswith(PER_NETNS) or name in PER_HOST or ".lo." in name or ".eth0." in name:
            continue
        covered.add(row.name)
        assert " ".join(value.split()) == default(name), name
    there = {row.name for row in KNOWN if row.name.startswith(PER_NETNS)} - PER_HOST
    assert there == covered
    assert canonical("net.ipv4.conf.all.forwarding") in values


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
@pytest.mark.parametrize("family", list(Family))
def test_iptables_takes_flannels_rules_and_prints_them_back(real: RealNetwork, tool: str, family: Family) -> None:
    plan = dual_stack()
    text = flannel_rules(plan.machines[0], plan.cni, family)
    program = tool if family is Family.IPV4 else tool.replace("ip", "ip6", 1)
    inside(real, "node.node1", f"{program}-restore", "--noflush", stdin=text)
    try:
        saved = inside(real, "node.node1", f"{program}-save").splitlines()
    finally:
        for table in ("nat", "filter"):
            inside(real, "node.node1", program, "-t", table, "-F")
            inside(real, "node.node1", program, "-t", table, "-X")
    assert _rules(saved) == _rules(text.splitlines())


def _rules(lines: list[str]) -> list[str]:
    """Rules table by table; iptables-save prints ``filter`` and ``nat`` in an order of its own."""
    return sorted(line for line in lines if line.startswith("-A"))
