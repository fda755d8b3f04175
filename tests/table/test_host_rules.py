"""Rule sets as real programs write them: nothing in them is unknown, the real tools load them, and packets go their way through them.

``tests/data/rules/hosts``: ipvs-node is a real node's (kube-proxy in ipvs mode with node-local-dns, from kubeskoop's tests). The others
are written as their programs document it, or as their sources print it: Docker 28, firewalld 1.3 (FirewallBackend=iptables), ufw 0.36,
Calico 3.28, kube-router 2.1 (without its hairpin rules, which ask ``-m ipvs``), flannel 0.26, CNI portmap 1.5.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from netsim.net.address import Family
from netsim.net.packet import Packet
from netsim.rules.ipset.dump import dump as dump_ipsets
from netsim.rules.ipset.parse import parse as parse_ipsets
from netsim.rules.xtables.ast import NotModelledMatch, NotModelledTarget
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.parse import parse
from netsim.stack.netfilter import Netfilter
from netsim.stack.steps import Drop, NotModelled
from tests.unit.netfilter_world import FORWARD, INPUT, World, icmp, tcp, udp, walk

HOSTS = Path(__file__).parent.parent / "data" / "rules" / "hosts"
NAMES = sorted(file.stem for file in HOSTS.glob("*.rules"))


def text_of(name: str, ending: str) -> str:
    file = HOSTS / f"{name}.{ending}"
    return file.read_text(encoding="utf-8") if file.exists() else ""


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_unknown(name: str) -> None:
    ruleset = parse(text_of(name, "rules"), Family.IPV4, name)
    parts = [
        part
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        for part in (*rule.matches, rule.target)
    ]
    assert parts
    assert [part for part in parts if isinstance(part, NotModelledMatch | NotModelledTarget)] == []
    assert parse(dump(ruleset), Family.IPV4, "again") == ruleset


def loaded(name: str, world: World) -> Netfilter:
    world.ipsets = parse_ipsets(text_of(name, "ipset"), f"{name}.ipset")
    return Netfilter([parse(text_of(name, "rules"), Family.IPV4, name)], world)


# host | packet | hooks | devices in and out | the chain where it is dropped, or how it leaves
WAYS = [
    ("docker", tcp(dst="10.1.0.1", dport=8080), FORWARD, ("eth0", "docker0"), "10.1.0.2:40000 → 172.17.0.2:80"),
    ("docker", udp(dst="10.1.0.1", dport=5353), FORWARD, ("eth0", "docker0"), "10.1.0.2:40000 → 172.17.0.2:53"),
    ("docker", tcp(dst="172.17.0.2"), FORWARD, ("eth0", "docker0"), "PREROUTING"),
    ("docker", tcp(src="172.17.0.2"), FORWARD, ("docker0", "eth0"), "10.9.0.1:40000 → 10.2.0.2:80"),
    (
        "docker",
        tcp(src="172.17.0.2", dst="172.18.0.9"),
        FORWARD,
        ("docker0", "br-3f0d2b6c1a9e"),
        "DOCKER-ISOLATION-STAGE-2",
    ),
    ("docker", tcp(), FORWARD, ("eth0", "eth1"), "FORWARD"),
    ("docker", tcp(src="198.51.100.9"), FORWARD, ("docker0", "eth0"), "DOCKER-USER"),
    ("firewalld", tcp(dst="10.1.0.1", dport=22), INPUT, ("in0", ""), "10.1.0.2:40000 → 10.1.0.1:22"),
    ("firewalld", tcp(dst="10.1.0.1", dport=8085), INPUT, ("in0", ""), "10.1.0.2:40000 → 10.1.0.1:8085"),
    ("firewalld", tcp(dst="10.1.0.1", dport=23), INPUT, ("in0", ""), "INPUT"),
    ("firewalld", tcp(src="203.0.113.5", dst="10.1.0.1", dport=22), INPUT, ("in0", ""), "IN_public_deny"),
    ("firewalld", tcp(src="10.9.0.9", dst="10.1.0.1", dport=22), INPUT, ("in0", ""), "PREROUTING"),
    ("firewalld", tcp(), FORWARD, ("in0", "eth0"), "FORWARD"),
    ("firewalld", icmp(), FORWARD, ("in0", "eth0"), "10.9.0.1 → 10.2.0.2"),
    ("firewalld", tcp(dport=5432), FORWARD, ("in0", "eth0"), "10.9.0.1:40000 → 10.2.0.2:5432"),
    ("firewalld", tcp(dst="10.1.0.1", dport=8443), FORWARD, ("in0", "eth0"), "10.9.0.1:40000 → 10.2.0.2:443"),
    ("ufw", tcp(dst="10.1.0.1", dport=22), INPUT, ("in0", ""), "10.1.0.2:40000 → 10.1.0.1:22"),
    ("ufw", tcp(dst="10.1.0.1", dport=443), INPUT, ("in0", ""), "10.1.0.2:40000 → 10.1.0.1:443"),
    ("ufw", tcp(dst="10.1.0.1", dport=8080), INPUT, ("in0", ""), "INPUT"),
    ("ufw", udp(dst="10.1.0.1", dport=137), INPUT, ("in0", ""), "ufw-skip-to-policy-input"),
    ("ufw", tcp(dst="10.1.0.1", flags="SA"), INPUT, ("in0", ""), "ufw-before-input"),
    ("ufw", tcp(), FORWARD, ("in0", "out0"), "FORWARD"),
    ("ufw", icmp(), FORWARD, ("in0", "out0"), "10.1.0.2 → 10.2.0.2"),
    ("calico", tcp(src="10.1.0.7"), FORWARD, ("cali1a2b3c4d5e6", "eth0"), "10.9.0.1:1024 → 10.2.0.2:80"),
    (
        "calico",
        tcp(src="10.1.0.7", dst="10.1.9.9"),
        FORWARD,
        ("cali1a2b3c4d5e6", "eth0"),
        "10.1.0.7:40000 → 10.1.9.9:80",
    ),
    ("calico", tcp(src="10.9.0.9"), FORWARD, ("cali1a2b3c4d5e6", "eth0"), "cali-PREROUTING"),
    ("calico", tcp(src="10.1.0.8"), FORWARD, ("califfffffffff", "eth0"), "cali-from-wl-dispatch"),
    ("calico", tcp(src="10.1.0.7", dport=5432), FORWARD, ("eth0", "cali1a2b3c4d5e6"), "10.9.0.1:1024 → 10.2.0.2:5432"),
    ("calico", tcp(src="10.1.0.7", dport=5433), FORWARD, ("eth0", "cali1a2b3c4d5e6"), "cali-tw-cali1a2b3c4d5e6"),
    ("calico", tcp(src="10.1.0.8", dport=5432), FORWARD, ("eth0", "cali1a2b3c4d5e6"), "cali-tw-cali1a2b3c4d5e6"),
    ("calico", udp(src="10.1.0.7", dport=4789), FORWARD, ("cali1a2b3c4d5e6", "eth0"), "cali-fw-cali1a2b3c4d5e6"),
    ("kube-router", tcp(dport=8080), FORWARD, ("eth0", "kube-bridge"), "10.9.0.1:1024 → 10.2.0.2:8080"),
    ("kube-router", tcp(dport=8081), FORWARD, ("eth0", "kube-bridge"), "KUBE-POD-FW-6LZF4IVA5CKDQVZG"),
    ("kube-router", tcp(src="10.1.0.3", dport=8080), FORWARD, ("eth0", "kube-bridge"), "KUBE-POD-FW-6LZF4IVA5CKDQVZG"),
    ("kube-router", tcp(dst="10.96.0.1", dport=443), INPUT, ("kube-bridge", ""), "10.1.0.2:40000 → 10.96.0.1:443"),
    ("kube-router", tcp(dst="10.96.0.1", dport=444), INPUT, ("kube-bridge", ""), "KUBE-ROUTER-SERVICES"),
    ("flannel", tcp(), FORWARD, ("cni0", "eth0"), "10.9.0.1:1024 → 10.2.0.2:80"),
    ("flannel", tcp(dst="10.244.2.2"), FORWARD, ("cni0", "eth0"), "10.1.0.2:40000 → 10.244.2.2:80"),
    ("flannel", tcp(src="10.3.0.3"), FORWARD, ("eth0", "eth1"), "FORWARD"),
    ("portmap", tcp(dst="10.1.0.1", dport=8080), FORWARD, ("eth0", "cni0"), "10.1.0.2:40000 → 10.2.0.2:80"),
    (
        "portmap",
        tcp(src="10.2.0.2", dst="10.1.0.1", dport=8080),
        FORWARD,
        ("cni0", "cni0"),
        "10.2.0.1:40000 → 10.2.0.2:80",
    ),
    ("portmap", tcp(dst="10.1.0.1", dport=8081), INPUT, ("eth0", ""), "10.1.0.2:40000 → 10.1.0.1:8081"),
    ("ipvs-node", udp(src="172.16.0.5", dst="172.23.0.10"), INPUT, ("cni0", ""), "172.16.0.5:40000 → 172.23.0.10:53"),
    ("ipvs-node", udp(dst="169.254.20.10"), INPUT, ("nodelocaldns", ""), "10.1.0.2:40000 → 169.254.20.10:53"),
    ("ipvs-node", tcp(src="10.9.9.9", dst="127.0.0.5"), INPUT, ("eth0", ""), "KUBE-FIREWALL"),
]


@pytest.mark.parametrize(("name", "packet", "hooks", "devices", "way"), WAYS, ids=[f"{r[0]} {r[1]}" for r in WAYS])
def test_packets_go_their_way(name: str, packet: Packet, hooks, devices, way: str) -> None:
    from netsim.stack.environment import HookVerdict
    from netsim.stack.skbuff import Nexthop, SkBuff
    from netsim.stack.steps import Hook

    came, goes = devices
    world = World(routes_back={"10.9.0.9": "", "10.1.0.7": "cali1a2b3c4d5e6", "10.1.0.8": "califfffffffff"})
    world.addresses |= {
        "eth0": ("10.9.0.1",),
        "cni0": ("10.2.0.1",),
        "kube-bridge": ("10.9.0.1",),
        "cali1a2b3c4d5e6": ("10.9.0.1",),
    }
    netfilter = loaded(name, world)
    skb = SkBuff(packet, iif=came)
    verdict = HookVerdict.ACCEPT
    for hook in hooks:
        if hook in (Hook.FORWARD, Hook.POSTROUTING) and skb.oif is None:
            skb.oif, skb.nexthop = goes, Nexthop(goes, None, None)
        verdict = netfilter.run(hook, skb)
        if verdict is not HookVerdict.ACCEPT:
            break
    assert not world.of(NotModelled)
    assert (world.drop().chain if world.of(Drop) else str(skb.packet)) == way


def test_ufw_limits_ssh() -> None:
    world = World()
    netfilter = loaded("ufw", world)
    passed = [walk(netfilter, tcp(dst="10.1.0.1", dport=22, sport=port), INPUT) is not None for port in range(1, 8)]
    assert passed == [True] * 5 + [False] * 2
    world.time = 31
    assert walk(netfilter, tcp(dst="10.1.0.1", dport=22, sport=9), INPUT) is not None


@pytest.mark.kernel
@pytest.mark.parametrize("backend", ["nft", "legacy"])
@pytest.mark.parametrize("name", NAMES)
def test_the_real_tools_load_them(name: str, backend: str) -> None:
    netns = f"nsim-host-{name}"
    subprocess.run(["ip", "netns", "del", netns], check=False, capture_output=True)
    subprocess.run(["ip", "netns", "add", netns], check=True)
    try:
        sets = dump_ipsets(parse_ipsets(text_of(name, "ipset"), name))
        ruleset = parse(text_of(name, "rules"), Family.IPV4, name)
        for words, text in ((["ipset", "restore"], sets), ([f"iptables-{backend}-restore"], text_of(name, "rules"))):
            done = subprocess.run(
                ["ip", "netns", "exec", netns, *words], input=text, text=True, capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr
        saved = subprocess.run(
            ["ip", "netns", "exec", netns, f"iptables-{backend}-save"], text=True, capture_output=True, check=True
        )
        assert sorted(_rules(saved.stdout)) == sorted(_rules(dump(ruleset)))
    finally:
        subprocess.run(["ip", "netns", "del", netns], check=True)


def _rules(text: str) -> list[str]:
    table, found = "", []
    for line in text.splitlines():
        table = line[1:] if line.startswith("*") else table
        if line.startswith("-A"):
            found.append(f"{table} {line}")
    return found
