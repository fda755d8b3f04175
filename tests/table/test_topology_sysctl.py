from __future__ import annotations

import pytest

from netsim.topology.sysctl import KNOWN, ProblemKind, canonical, check, default, inherited_by_new_netns, known, read

FORWARD = {"net.ipv4.ip_forward": "1"}
NOT_OF_IPVS = ("drop_entry", "drop_packet", "secure_tcp", "schedule_icmp", "ignore_tunneled")
CHECKS = [
    ("net.ipv4.ip_forward", "1", None),
    ("net/ipv4/ip_forward", "0", None),
    ("net.ipv4.ip_forward", "2", ProblemKind.BAD_VALUE),
    ("net.ipv4.ip_forward", "yes", ProblemKind.BAD_VALUE),
    ("net.ipv4.conf.eth0.rp_filter", "2", None),
    ("net.ipv4.conf.eth0/100.rp_filter", "2", None),
    ("net.ipv4.conf.all.rp_filter", "3", ProblemKind.BAD_VALUE),
    ("net.ipv4.ip_local_port_range", "32768\t60999", None),
    ("net.ipv4.ip_local_port_range", "1024 65535", ProblemKind.NOT_MODELLED),
    ("net.ipv4.ip_local_port_range", "1024", ProblemKind.BAD_VALUE),
    ("net.ipv4.conf.eth0.arp_accept", "1", ProblemKind.NOT_MODELLED),
    ("net.ipv4.conf.eth0.arp_accept", "0", None),
    ("net.ipv4.conf.all.accept_source_route", "0", None),
    ("net.ipv6.conf.all.use_tempaddr", "-1", None),
    ("net.ipv4.ip_foward", "1", ProblemKind.UNKNOWN_NAME),
    ("vm.max_map_count", "262144", ProblemKind.UNKNOWN_NAME),
    *((f"net.ipv4.vs.{name}", "0", None) for name in NOT_OF_IPVS),
    *((f"net.ipv4.vs.{name}", "1", ProblemKind.NOT_MODELLED) for name in NOT_OF_IPVS),
    ("net.ipv4.vs.cache_bypass", "1", ProblemKind.UNKNOWN_NAME),
]


@pytest.mark.parametrize(("name", "value", "expected"), CHECKS, ids=[f"{name}={value}" for name, value, _ in CHECKS])
def test_check(name: str, value: str, expected: ProblemKind | None) -> None:
    problem = check(name, value)
    assert (problem and problem.kind) == expected


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("net.ipv4.ip_foward", "net.ipv4.ip_forward"),
        ("net.ipv4.conf.eth0.rpfilter", "net.ipv4.conf.eth0.rp_filter"),
        ("net.bridge.bridge_nf_call_iptables", "net.bridge.bridge-nf-call-iptables"),
    ],
)
def test_an_unknown_name_has_the_nearest_one_as_advice(wrong: str, right: str) -> None:
    problem = check(wrong, "1")
    assert problem is not None
    assert problem.advice == f"did you mean {right}?"


READS = [
    # what is set, what is asked, what sysctl -n prints
    ({}, "net.ipv4.ip_forward", "0"),
    (FORWARD, "net.ipv4.conf.all.forwarding", "1"),
    (FORWARD, "net.ipv4.conf.eth0.forwarding", "1"),
    (FORWARD, "net.ipv4.conf.default.forwarding", "1"),
    ({**FORWARD, "net.ipv4.conf.eth0.forwarding": "0"}, "net.ipv4.conf.eth0.forwarding", "0"),
    ({"net.ipv4.conf.all.rp_filter": "1"}, "net.ipv4.conf.eth0.rp_filter", "0"),
    ({"net.ipv4.conf.default.rp_filter": "1"}, "net.ipv4.conf.eth0.rp_filter", "1"),
    ({"net.ipv4.conf.default.rp_filter": "1"}, "net.ipv4.conf.all.rp_filter", "0"),
    ({"net.ipv6.conf.all.forwarding": "1"}, "net.ipv6.conf.eth0.forwarding", "1"),
    ({"net/ipv4/conf/eth0.100/rp_filter": "1"}, "net.ipv4.conf.eth0/100.rp_filter", "1"),
    ({}, "net.ipv4.conf.eth0.accept_source_route", "1"),
    ({}, "net.ipv4.conf.all.accept_source_route", "0"),
]


@pytest.mark.parametrize(("settings", "name", "value"), READS, ids=[f"{s}-{n}" for s, n, _ in READS])
def test_read(settings: dict[str, str], name: str, value: str) -> None:
    assert read(settings, name) == value


def test_read_refuses_an_unknown_name() -> None:
    with pytest.raises(KeyError):
        read({}, "net.ipv4.nonsense")


def test_canonical() -> None:
    assert canonical("net/ipv4/conf/eth0.100/rp_filter") == "net.ipv4.conf.eth0/100.rp_filter"
    assert canonical("net.ipv4.conf.all.forwarding") == "net.ipv4.ip_forward"


def test_a_new_namespace_inherits_ipv4s_conf_and_nothing_else() -> None:
    settings = {
        "net.ipv4.conf.all.forwarding": "1",
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.eth0.rp_filter": "2",
        "net.ipv6.conf.all.forwarding": "1",
        "net.bridge.bridge-nf-call-iptables": "0",
    }
    assert inherited_by_new_netns(settings) == {"net.ipv4.ip_forward": "1", "net.ipv4.conf.default.rp_filter": "1"}


def test_every_row_takes_its_own_default_and_stands_once() -> None:
    names = [row.name for row in KNOWN]
    assert len(set(names)) == len(names)
    for row in KNOWN:
        concrete = row.name.replace("*", "eth0")
        assert known(concrete) is row
        if row.name != "net.ipv4.ping_group_range":
            assert check(concrete, row.default) is None
        assert default(concrete) == row.default
