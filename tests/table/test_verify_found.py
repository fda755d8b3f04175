"""What ``netsim verify`` found where model and kernel disagreed: a row each, with the kernel's reason."""

from __future__ import annotations

import socket
from dataclasses import replace

import pytest

from netsim.net.address import MAC, Family, parse_address
from netsim.net.packet import Protocol
from netsim.rules.nft.parse import parse as parse_nft
from netsim.rules.xtables.parse import parse
from netsim.stack.steps import BridgeDecision, NftChainPass
from netsim.stack.wiring import NetnsWiring
from netsim.topology.model import Bridge, BridgePort, Listener, Neighbour
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from netsim.verify.ends import IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IPV6_MTU_DISCOVER, prepare
from netsim.verify.foretold import foretell
from tests.unit.stack_world import device, lo, netns, route, topology, veth

ROUTES = [
    # id, gateway, device, what the kernel says
    ("an own address", "10.0.0.1", None, None),
    ("an own address, device named", "10.0.0.1", "eth0", None),
    ("a loopback address: the route goes through lo", "127.0.0.1", None, None),
    ("a broadcast address", "10.0.0.255", None, "Nexthop has invalid gateway."),
]


@pytest.mark.parametrize(("gateway", "device", "said"), [row[1:] for row in ROUTES], ids=[row[0] for row in ROUTES])
def test_gateways_that_the_kernel_takes(gateway, device, said):
    """What a gateway is found to be may be RTN_UNICAST or RTN_LOCAL. Ref: net/ipv4/fib_semantics.c:fib_check_nh_v4_gw() (v6.12)."""
    host = netns("h", (lo(), veth("h/eth0", "g/eth0", "10.0.0.1/24")), (route("10.9.0.0/16", gateway, device),))
    assert [message for _, message in NetnsWiring(host).fib.refused] == ([said] if said else [])


def test_a_process_that_asks_itself_by_udp_is_answered():
    """The answer is made by the same process in the same namespace; of datagrams the asker sends one."""
    dns = Listener(Protocol.UDP, 53, owner="p/main")
    world = topology(netns("p", (lo(),), listeners=(dns,)))
    flow = Flow("p", parse_address("127.0.0.1"), Protocol.UDP, 53, owner="p/main")
    found = trace(world, flow, source="p", target="127.0.0.1:53")
    assert (found.verdict.value, [leg.name for leg in found.branches[0].legs]) == ("DELIVERED", ["query", "answer"])


def test_a_gateway_that_is_an_own_address_is_not_asked_for():
    """The nexthop is of scope host, so the destination's own MAC is asked for. Ref: net/ipv4/route.c:rt_set_nexthop() (v6.12)."""
    here = netns("a", (veth("a/eth0", "b/eth0", "10.0.0.1/24"),), (route("10.9.0.0/16", "10.0.0.1"),))
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", "10.0.0.2/24", "10.9.0.2/16")))
    flow = Flow("a", parse_address("10.9.0.2"), Protocol.ICMP)
    assert trace(topology(here, there), flow, source="a", target="b").verdict.value == "DELIVERED"


def test_a_bridge_floods_its_newest_port_first():
    """A new port is put at the head of the list. Ref: net/bridge/br_if.c:br_add_if(), ``list_add_rcu(&p->list, …)`` (v6.12)."""
    ports = [veth(f"b/p{number}", f"h{number}/eth0", port=BridgePort("br0")) for number in range(3)]
    hosts = [
        netns(f"h{number}", (veth(f"h{number}/eth0", f"b/p{number}", f"10.0.0.{number + 1}/24"),))
        for number in range(3)
    ]
    known = Neighbour("eth0", parse_address("10.0.0.9"), MAC(0x02_00_00_00_00_09))
    bridge = netns("b", (device("b", "br0", Bridge()), *ports))
    world = topology(bridge, replace(hosts[0], neighbours=(known,)), *hosts[1:])
    flow = Flow("h0", parse_address("10.0.0.9"), Protocol.UDP, 9)
    found = trace(world, flow, source="h0", target="10.0.0.9")
    steps = [step for hop in found.branches[0].forward for step in hop.steps]
    assert [step.ports for step in steps if isinstance(step, BridgeDecision)] == [("p2", "p1")]


def test_a_frame_over_lo_has_no_source_mac_to_match():
    """``! --mac-source`` does not match there either. Ref: net/netfilter/xt_mac.c:mac_mt(), ``dev->type != ARPHRD_ETHER`` (v6.12)."""
    rules = parse(
        "*raw\n:PREROUTING ACCEPT\n-A PREROUTING -m mac ! --mac-source 02:00:00:00:00:01 -j DROP\nCOMMIT\n",
        Family.IPV4,
        "rules",
    )
    web = Listener(Protocol.TCP, 80, owner="web")
    world = topology(replace(netns("h", (lo(),), listeners=(web,)), xtables=(rules,)))
    flow = Flow("h", parse_address("127.0.0.1"), Protocol.TCP, 80)
    assert trace(world, flow, source="h", target="127.0.0.1:80").verdict.value == "DELIVERED"


@pytest.mark.parametrize("version", [4, 6])
def test_an_echo_reply_that_is_rejected_is_answered_by_nothing(version):
    """The kernel's one ICMP socket is busy with the reply. Ref: net/ipv4/icmp.c:icmp_xmit_lock(), net/ipv6/icmp.c (v6.12)."""
    one, two = ("10.0.0.1/24", "10.0.0.2/24") if version == 4 else ("fd00::1/64", "fd00::2/64")
    echo = "icmp -m icmp --icmp-type 0" if version == 4 else "ipv6-icmp -m icmp6 --icmpv6-type 129"
    text = f"*filter\n:OUTPUT ACCEPT\n-A OUTPUT -p {echo} -j REJECT\nCOMMIT\n"
    rules = parse(text, Family(version), "rules")
    here = netns("a", (lo(), veth("a/eth0", "b/eth0", one)))
    there = replace(netns("b", (lo(), veth("b/eth0", "a/eth0", two))), xtables=(rules,))
    ping = Protocol.ICMP if version == 4 else Protocol.ICMPV6
    flow = Flow("a", parse_address(two.partition("/")[0]), ping)
    found = trace(topology(here, there), flow, source="a", target="b")
    assert [leg.name for leg in found.branches[0].legs] == ["echo request", "echo reply"]
    assert found.branches[0].reason == "REPLY_RULE_REJECT"


def test_icmpv6_errors_are_sent_about_later_fragments_too():
    """IPv4 sends one about the first alone. Ref: net/ipv6/icmp.c:is_ineligible(), net/ipv4/icmp.c:__icmp_send() (v6.12)."""
    sent = {}
    for version, address in ((4, "10.0.0.1/24"), (6, "fd00::1/64")):
        host = netns("a", (lo(), veth("a/eth0", "b/eth0", address)))
        there = netns("b", (lo(), veth("b/eth0", "a/eth0", "10.0.0.2/24", "fd00::2/64")))
        nobody = parse_address("10.0.0.9" if version == 4 else "fd00::9")
        flow = Flow("a", nobody, Protocol.UDP, 53, payload=2000, dont_fragment=False)
        found = trace(topology(host, there), flow, source="a", target="b")
        sent[version] = sum(leg.name.startswith("ICMP") for leg in found.branches[0].legs)
    assert sent == {4: 1, 6: 2}


def test_a_rule_that_translates_the_other_family_matches_and_does_nothing():
    """Nothing in it asks for the family. Ref: net/netfilter/nft_nat.c:nft_nat_inet_eval() (v6.12)."""
    text = "table inet own { chain c { type nat hook output priority -100; dnat ip6 to fd00::2-fd00::3; } }"
    web = Listener(Protocol.TCP, 80, owner="web")
    world = topology(replace(netns("h", (lo(),), listeners=(web,)), nftables=(parse_nft(text, "rules"),)))
    found = trace(world, Flow("h", parse_address("127.0.0.1"), Protocol.TCP, 80), source="h", target="127.0.0.1:80")
    passes = [step for hop in found.branches[0].forward for step in hop.steps if isinstance(step, NftChainPass)]
    assert [evaluation.matched for step in passes for evaluation in step.evaluations] == [True]
    assert found.verdict.value == "DELIVERED"


def test_a_reset_of_a_rule_ends_the_connection_in_conntrack():
    """The reset itself is not tracked. Ref: net/ipv4/netfilter/nf_reject_ipv4.c:nf_send_reset(), nf_ct_set_closing() (v6.12)."""
    known = "-p tcp -m conntrack --ctstate ESTABLISHED"
    text = f"*filter\n:INPUT ACCEPT\n-A INPUT {known} -j REJECT --reject-with tcp-reset\nCOMMIT\n"
    here = replace(
        netns("a", (lo(), veth("a/eth0", "b/eth0", "10.0.0.1/24"))), xtables=(parse(text, Family.IPV4, "rules"),)
    )
    web = Listener(Protocol.TCP, 80, owner="web")
    there = replace(netns("b", (lo(), veth("b/eth0", "a/eth0", "10.0.0.2/24"))), listeners=(web,))
    _, (branch,) = foretell(topology(here, there), Flow("a", parse_address("10.0.0.2"), Protocol.TCP, 80))
    assert [entry.split()[1] for _, entry in branch.walk.conntrack] == ["CLOSE"]


@pytest.mark.parametrize("dont_fragment", [True, False], ids=["df", "no df"])
@pytest.mark.parametrize("destination", ["10.0.0.2", "fd00::2"])
def test_a_socket_with_dont_fragment_lets_its_host_cut_nothing(destination, dont_fragment):
    """With IPV6_DONTFRAG alone the host cuts what DNAT sends to a smaller MTU. Ref: net/ipv6/ip6_output.c:ip6_fragment() (v6.12)."""
    flow = Flow("a", parse_address(destination), Protocol.UDP, 53, dont_fragment=dont_fragment)
    family, *option = {
        4: (socket.AF_INET, socket.IPPROTO_IP, IP_MTU_DISCOVER),
        6: (socket.AF_INET6, socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER),
    }[flow.destination.version]
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        prepare(asking, flow)
        assert asking.getsockopt(*option) == (IP_PMTUDISC_DO if dont_fragment else IP_PMTUDISC_DONT)


def test_what_a_rule_sends_to_a_smaller_mtu_is_too_big_for_its_own_host():
    """Found by IPv6 in mode nftables: the socket knows the MTU of the way that it asked for, and DNAT comes behind that."""
    text = "table ip6 own { chain c { type nat hook output priority -100; ip6 daddr fd00:9::1 dnat to fd00:2::2; } }"
    small = replace(veth("a/eth1", "c/eth0", "fd00:2::1/64"), mtu=1400)
    ways = (route("fd00:9::/64", "fd00::2", "eth0"),)
    host = netns("a", (lo(), veth("a/eth0", "b/eth0", "fd00::1/64"), small), ways)
    there = netns("b", (lo(), veth("b/eth0", "a/eth0", "fd00::2/64")))
    pod = netns("c", (lo(), replace(veth("c/eth0", "a/eth1", "fd00:2::2/64"), mtu=1400)))
    world = topology(replace(host, nftables=(parse_nft(text, "rules"),)), there, pod)
    flow = Flow("a", parse_address("fd00:9::1"), Protocol.UDP, 53, payload=1372)
    assert [
        trace(world, replace(flow, dont_fragment=df), source="a", target="c").branches[0].reason for df in (True, False)
    ] == ["PACKET_TOO_BIG", "PORT_CLOSED"]
