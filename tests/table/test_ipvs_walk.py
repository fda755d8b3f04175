"""IPVS's ways through a node: what a user-mode-linux kernel 6.1 did, row by row (tests/differential/kernel/uml asks it anew)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import Family, parse_address
from netsim.rules.ipvs.parse import parse as parse_ipvs
from netsim.rules.xtables.parse import parse as parse_rules
from netsim.stack.reasons import DropReason
from netsim.stack.steps import ChainPass, ConntrackStep, Encapsulation, Hook, IPVSStep, NATStep, TTLStep
from netsim.topology.model import Dummy
from tests.table.ipvs_rows import MASQUERADE, ROWS, VIP, Row, modelled, served, sysctls
from tests.unit.stack_world import Walk, changed, device, lo, netns, route, topology, veth, with_device

MEASURED: dict[str, tuple[str, str]] = {
    # row: what the client hears, and which process hears from whom
    "client": ("connected", "b from 10.1.0.2"),
    "masqueraded": ("connected", "b from 10.2.0.1"),
    "without conntrack": ("connected", "b from 10.1.0.2"),
    "masquerade without conntrack": ("connected", "b from 10.1.0.2"),
    "INPUT drops": ("", ""),
    "FORWARD drops": ("", ""),
    "OUTPUT drops": ("", ""),
    "node to VIP": ("connected", "b from 10.96.0.1"),
    "node to VIP masqueraded": ("connected", "b from 10.2.0.1"),
    "node to VIP without conntrack": ("connected", "b from 10.96.0.1"),
    "port without a service, nobody listens": ("ECONNREFUSED", ""),
    "port without a service, the node listens": ("connected", "n from 10.1.0.2"),
    "no real server": ("ECONNREFUSED", ""),
    "no real server, node": ("ECONNREFUSED", ""),
    "weight 0": ("ECONNREFUSED", ""),
    "TTL 1": ("EHOSTUNREACH", ""),
    "TTL 2": ("connected", "b from 10.1.0.2"),
    "not forwarding": ("", ""),
    "VIP not local": ("ENETUNREACH", ""),
    "real server is the node": ("connected", "n from 10.1.0.2"),
    "real server is the node, node asks": ("connected", "n from 10.96.0.1"),
    "real server is the node, masquerade": ("connected", "n from 10.1.0.2"),
    "real server without a listener": ("ECONNREFUSED", ""),
    "real server does not exist": ("EHOSTUNREACH", ""),
    "no route to the real server": ("EHOSTUNREACH", ""),
    "real server is a loopback address": ("", ""),
    "real server is a loopback address, node asks": ("connected", "n from 10.96.0.1"),
    "udp": ("answer", "b from 10.1.0.2"),
    "udp masqueraded": ("answer", "b from 10.2.0.1"),
    "udp to a closed port": ("ECONNREFUSED", ""),
    "udp to a closed port, masqueraded": ("ECONNREFUSED", ""),
    "udp from the node": ("answer", "b from 10.96.0.1"),
    "udp, one packet": ("", "b from 10.1.0.2"),
    "no reroute of answers": ("connected", "b from 10.1.0.2"),
    "firewall mark": ("connected", "b from 10.1.0.2"),
    "firewall mark, any port": ("connected", "b from 10.1.0.2"),
    "persistent": ("connected", "b from 10.1.0.2"),
    "persistent, any port": ("connected", "b from 10.1.0.2"),
    "the node's own address": ("connected", "b from 10.1.0.2"),
    "an iptables rule takes it before": ("connected", "b from 10.1.0.2"),
    "reset by a rule of INPUT": ("ECONNREFUSED", ""),
    "rejected in OUTPUT": ("ECONNREFUSED", ""),
    "not tracked": ("connected", "b from 10.1.0.2"),
    "hairpin": ("", ""),
    "hairpin masqueraded": ("connected", "b from 10.2.0.1"),
    "direct routing, no VIP there": ("", ""),
    "direct routing": ("", ""),
    "direct routing, answers accepted": ("connected", "b from 10.1.0.2"),
    "tunnel": ("connected", "b from 10.1.0.2"),
    "tunnel from the node, without conntrack": ("", ""),
    "tunnel to a real server that takes none": ("ECONNREFUSED", ""),
    "direct routing, bridged": ("connected", "b from 10.1.0.2"),
    "bridged with br_netfilter": ("connected", "b from 10.1.0.2"),
    "bridged without br_netfilter": ("", ""),
    "bridged, masqueraded": ("connected", "b from 10.1.0.1"),
    "bridged hairpin": ("", ""),
    "bridged hairpin, masqueraded": ("connected", "b from 10.1.0.1"),
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_model_does_what_the_kernel_did(row: Row) -> None:
    found = modelled(row)
    assert (found["heard"], "".join(found["reached"])) == MEASURED[row.name]


def test_every_row_was_measured() -> None:
    assert list(MEASURED) == [row.name for row in ROWS]


# --- which hooks see a packet ----------------------------------------------------------------------------------------


def visited(walk: Walk) -> list[str]:
    """The chains of table mangle and nat that the node showed the first packet, in order."""
    seen: list[str] = []
    for where, step in walk.steps:
        if where == "b":
            break
        if where == "n" and isinstance(step, ChainPass) and step.table in ("mangle", "nat"):
            seen.append(f"{step.table} {step.hook.value}")
    return seen


ROW = {row.name: row for row in ROWS}


def walk_of(name: str) -> Walk:
    row = ROW[name]
    return Walk(row.world()).tcp(row.netns, row.to, row.port, ttl=row.ttl)


REQUEST = [
    "mangle PREROUTING",
    "nat PREROUTING",
    "mangle INPUT",
    "mangle OUTPUT",
    "mangle POSTROUTING",
    "nat POSTROUTING",
]


@pytest.mark.parametrize(
    ("name", "chains"),
    [
        pytest.param(
            "client", REQUEST, id="INPUT up to 97, then OUTPUT from the start; no FORWARD, no nat INPUT, no nat OUTPUT"
        ),
        pytest.param("masqueraded", REQUEST, id="nat POSTROUTING as for any connection"),
        pytest.param("without conntrack", REQUEST[:-1], id="untracked: nat POSTROUTING is skipped"),
        pytest.param(
            "node to VIP",
            ["mangle OUTPUT", "nat OUTPUT", "mangle OUTPUT", "mangle POSTROUTING", "nat POSTROUTING"],
            id="OUTPUT twice for what the node itself sends",
        ),
        pytest.param("TTL 1", REQUEST[:3], id="nothing behind a TTL that ran out"),
        pytest.param("INPUT drops", REQUEST[:3], id="INPUT decides before IPVS"),
        pytest.param("not forwarding", REQUEST, id="ip_forward does not matter to requests"),
    ],
)
def test_which_chains_see_a_request(name: str, chains: list[str]) -> None:
    walk = walk_of(name)
    first = visited(walk)[: len(chains)]
    assert first == chains


def test_a_request_loses_one_of_its_ttl() -> None:
    assert walk_of("client").of(TTLStep, "n")[0] == TTLStep(64, 63)


def test_an_answer_is_translated_in_forward_at_100() -> None:
    walk = walk_of("client")
    replies = [step for step in walk.of(IPVSStep, "n") if step.action == "reply"]
    assert [(step.hook, str(step.before), str(step.after)) for step in replies] == [
        (Hook.FORWARD, "10.2.0.2:8080 → 10.1.0.2:40000", f"{VIP}:80 → 10.1.0.2:40000")
    ]


def test_an_answer_to_the_node_is_translated_in_input() -> None:
    replies = [step for step in walk_of("node to VIP").of(IPVSStep, "n") if step.action == "reply"]
    assert [step.hook for step in replies] == [Hook.INPUT]


def test_conntrack_keeps_one_entry_without_nat_bits() -> None:
    walk = walk_of("masqueraded")
    node = walk.network.namespace("n").netfilter
    entries = [str(entry.original) + " " + str(entry.reply) for entry in node.conntrack]
    assert entries == [f"src=10.1.0.2 dst={VIP} sport=40000 dport=80 src=10.2.0.2 dst=10.2.0.1 sport=8080 dport=40000"]
    assert "mangle FORWARD 6" not in modelled(ROW["masqueraded"])["counted"]  # --ctstate DNAT
    assert [step.kind for step in walk.of(NATStep, "n")] == ["MASQUERADE", "un-SNAT"]


def test_without_conntrack_packets_are_untracked_behind_ipvs() -> None:
    walk = walk_of("masquerade without conntrack")
    assert not walk.of(NATStep, "n")
    assert [step.action for step in walk.of(ConntrackStep, "n")][:2] == ["new", "untracked"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no real server", DropReason.IPVS_NO_DESTINATION),
        ("weight 0", DropReason.IPVS_NO_DESTINATION),
        ("TTL 1", DropReason.TTL_EXCEEDED),
        ("real server is a loopback address", DropReason.IPVS_BOUNDARY),
        ("no route to the real server", DropReason.IP_OUTNOROUTES),
        ("hairpin", DropReason.IP_LOCAL_SOURCE),
        ("not forwarding", DropReason.IP_FORWARDING_OFF),
    ],
)
def test_why_a_connection_dies(name: str, reason: DropReason) -> None:
    assert walk_of(name).drops[0][1] is reason


def test_a_virtual_address_that_is_not_local_is_told() -> None:
    steps = walk_of("VIP not local").of(IPVSStep, "n")
    assert not steps  # there is no route either: the packet is refused before it could be forwarded
    routed = Row("a default route", virtual=(), ipvsadm=served("10.2.0.2:8080")).world()
    node = routed.namespaces["n"]
    world = changed(routed, "n", routes=(*node.routes, route("default", "10.2.0.2")))
    assert [step.action for step in Walk(world).tcp("c", VIP, 80).of(IPVSStep, "n")] == ["miss"]


def test_a_tunnel_other_than_ipip_is_not_modelled() -> None:
    gue = (f"-A -t {VIP}:80 -s rr", f"-a -t {VIP}:80 -r 10.2.0.2:80 -i --tun-type gue --tun-port 6080 -w 1")
    walk = Walk(Row("tunnel", ipvsadm=gue).world()).tcp("c", VIP, 80)
    assert walk.not_modelled == ["IPVS tunnelling by --tun-type gue --tun-port 6080"]


def test_a_tunnel_puts_the_packet_into_another_one() -> None:
    (wrapped,) = walk_of("tunnel").of(Encapsulation, "n")
    assert (str(wrapped.inner), str(wrapped.outer)) == (f"10.1.0.2:40000 → {VIP}:80", "10.2.0.1 → 10.2.0.2")


def test_a_packet_too_large_for_the_way_is_refused() -> None:
    world = with_device(ROW["udp"].world(), "n/vb", mtu=1000)
    walk = Walk(world).udp("c", VIP, 53, payload=1200)
    assert walk.heard == [f"error 3/4 mtu 1000 from {VIP}"]


def test_the_ipvs_match_sees_what_goes_to_a_real_server() -> None:
    rules = {"filter OUTPUT": (f"-m ipvs --vproto 6 --vaddr {VIP} --vport 80 -j DROP",)}
    walk = Walk(Row("ipvs match").with_rules(rules).world()).tcp("c", VIP, 80)
    assert walk.drops == [("n", DropReason.NETFILTER_DROP)]
    other = {
        "filter OUTPUT": ("-m ipvs ! --vport 80 -j DROP", "-m ipvs --vdir REPLY -j DROP", "-m ipvs ! --ipvs -j DROP")
    }
    assert not Walk(Row("ipvs match").with_rules(other).world()).tcp("c", VIP, 80).drops


def test_masquerade_needs_conntrack_of_ipvs() -> None:
    walk = Walk(Row("off", sysctls=sysctls(net__ipv4__vs__conntrack="0")).with_rules(MASQUERADE).world()).tcp(
        "c", VIP, 80
    )
    assert walk.reached == ["b b from 10.1.0.2"]


def test_an_ipv6_address_of_a_dummy_device_is_local_while_the_device_is_down() -> None:
    """Seen on Linux 6.1: a local route, and neither a route to its network nor one for multicast."""
    made = netns("n", (replace(device("n", "kube-ipvs0", Dummy(), "fd00::1/128"), up=False),))
    fib = Walk(topology(made)).network.namespace("n").fib6
    found = fib.lookup(parse_address("fd00::1"))
    assert found is not None
    assert (found.kind.value, found.device) == ("local", "kube-ipvs0")
    assert fib.lookup(parse_address("ff02::1")) is None


@pytest.mark.parametrize("tracked", [False, True])
def test_ipvs_loses_the_icmpv6_errors_of_real_servers_that_conntrack_has_not_checked(*, tracked: bool) -> None:
    """Seen on Linux 6.1: the error that the real server sends never reaches the client; over IPv4, and behind conntrack, it does."""
    client = netns("c", (veth("c/eth0", "n/vc", "fd01::2/64"),), (route("default", "fd01::1"),))
    backend = netns("b", (veth("b/eth0", "n/vb", "fd02::2/64"),), (route("default", "fd02::1"),))
    servers = parse_ipvs("-A -u [fd96::1]:53 -s rr\n-a -u [fd96::1]:53 -r [fd02::2]:9999 -m", "n")
    node = netns(
        "n",
        (
            veth("n/vc", "c/eth0", "fd01::1/64"),
            veth("n/vb", "b/eth0", "fd02::1/64"),
            replace(device("n", "kube-ipvs0", Dummy(), "fd96::1/128"), up=False),
        ),
        sysctls={"net.ipv6.conf.all.forwarding": "1"},
    )
    rules = "*filter\n:INPUT ACCEPT\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n" if tracked else ""
    node = replace(node, ipvs=servers, xtables=(parse_rules(rules, Family.IPV6, "n"),) if tracked else ())
    walk = Walk(topology(client, node, backend)).udp("c", "fd96::1", 53)
    lost = [] if tracked else [("n", DropReason.IPVS_ICMP_CHECKSUM)]
    assert walk.drops == [("b", DropReason.NO_SOCKET), *lost]
    assert bool(walk.heard) is tracked


@pytest.mark.parametrize(
    ("rules", "lost"),
    [
        ("", True),
        ("*filter\n:INPUT ACCEPT\n-A INPUT -m conntrack --ctstate NEW\nCOMMIT\n", True),
        ("*nat\n:POSTROUTING ACCEPT\n-A POSTROUTING -s fd77::/64 -j MASQUERADE\nCOMMIT\n", False),
    ],
    ids=["untracked", "tracked", "nat"],
)
def test_an_icmpv6_error_of_the_node_itself_passes_ipvs_where_nat_has_checked_it(rules: str, *, lost: bool) -> None:
    """Seen on Linux 6.1 for the first and the last: NAT checks it in OUTPUT, one step before IPVS; conntrack checks what comes in."""
    client = netns("c", (veth("c/eth0", "n/vc", "fd01::2/64"),))
    servers = parse_ipvs("-A -u [fd01::1]:53 -s rr\n-a -u [fd01::1]:53 -r [fd01::1]:9999 -m", "n")
    settings = {"net.ipv4.vs.conntrack": "1"}
    node = replace(netns("n", (lo(), veth("n/vc", "c/eth0", "fd01::1/64")), sysctls=settings), ipvs=servers)
    if rules:
        node = replace(node, xtables=(parse_rules(rules, Family.IPV6, "n"),))
    walk = Walk(topology(client, node)).udp("c", "fd01::1", 53)
    assert walk.drops == [("n", DropReason.NO_SOCKET), *([("n", DropReason.IPVS_ICMP_CHECKSUM)] if lost else [])]
    assert bool(walk.heard) is not lost
