"""Networks in which flows look alike to whoever forgets one thing that a walk may read: each row is that one thing."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsim.net.address import parse_interface
from netsim.rules.ipset.parse import parse as parse_ipset
from netsim.topology.model import Device, Dummy, FdbEntry, Netns, PolicyRule, Role, RouteType, Topology
from netsim.trace.model import Flow
from tests.table.flow_class_network import (
    LO,
    host,
    lan,
    link,
    link_local,
    mac,
    network,
    ping,
    router,
    server,
    servers,
    switch,
    tcp,
    via,
    with_iptables,
    with_nft,
)


@dataclass(frozen=True, slots=True)
class Row:
    """Flows that are alike but for what the row is about."""

    id: str
    topology: Topology
    alike: tuple[Flow, ...]


TO_EACH = tuple(tcp("client", f"10.1.0.1{number}") for number in (1, 2, 3))
PORTS = tuple(tcp("client", "10.1.0.11", port) for port in (80, 81, 85, 443, 8080, 9))

RULES = [
    Row(
        "dnat to a range of ports",
        servers(
            with_iptables(
                router(), "nat", "-A PREROUTING -p tcp -m tcp --dport 81 -j DNAT --to-destination 10.1.0.11:8080-8081"
            )
        ),
        PORTS,
    ),
    Row("nft dnat to a range of ports", servers(with_nft(router(), "tcp dport 81 dnat to 10.1.0.11:8080-8081")), PORTS),
    Row(
        "redirect by a map of ports",
        servers(with_nft(router(), "redirect to tcp dport map { 81 : 80, 85 : 8080 }")),
        TO_EACH + PORTS,
    ),
    Row(
        "redirect by a named map of ports",
        servers(
            with_nft(
                router(),
                "redirect to tcp dport map @m",
                sets="map m { type inet_service : inet_service; elements = { 81 : 80, 85 : 8080 } }",
            )
        ),
        PORTS,
    ),
    Row(
        "marks by a named map",
        servers(
            with_nft(
                router(),
                "meta mark set ip daddr map @m",
                "meta mark 2 drop",
                sets="map m { type ipv4_addr : mark; elements = { 10.1.0.11 : 1, 10.1.0.12 : 2, 10.1.0.13 : 3 } }",
                chain="type filter hook prerouting priority -150;",
            )
        ),
        TO_EACH,
    ),
    Row(
        "a set of ranges of ports",
        servers(
            with_nft(
                router(),
                "ip daddr . tcp dport vmap @m",
                sets="map m { type ipv4_addr . inet_service : verdict; flags interval; elements = { 10.1.0.0/24 . 80-82 : drop } }",
                chain="type filter hook forward priority 0;",
            )
        ),
        PORTS,
    ),
    Row(
        "a port as conntrack knows it",
        servers(
            with_nft(
                router(), "meta l4proto tcp ct original proto-dst 85 drop", chain="type filter hook forward priority 0;"
            )
        ),
        PORTS,
    ),
    Row(
        "a port that a rule writes",
        servers(with_nft(router(), "tcp dport 81 tcp dport set 8080", chain="type filter hook forward priority 0;")),
        PORTS,
    ),
    Row(
        "what a rule puts into a map of NAT",
        servers(
            with_nft(
                router(),
                "tcp dport 81 update @m { ip saddr : 10.1.0.12 }",
                "dnat to ip saddr map @m",
                sets="map m { type ipv4_addr : ipv4_addr; flags dynamic; size 9; }",
            )
        ),
        PORTS,
    ),
    Row(
        "which of a set's networks is the longer",
        lan(
            router(),
            *(
                replace(
                    with_iptables(server(number), "filter", "-A INPUT -m set --match-set n src -j DROP"),
                    ipsets=parse_ipset(f"create n hash:net\nadd n {one}\nadd n {other}\n", "row"),
                )
                for number, one, other in (
                    (1, "10.0.0.0/16", "10.0.0.0/24 nomatch"),
                    (2, "10.0.0.0/24", "10.0.0.0/16 nomatch"),
                )
            ),
        ),
        TO_EACH[:2],
    ),
]

POLICY = [
    Row(
        "a policy rule that asks for a port",
        servers(replace(router(), rules=(PolicyRule(100, table=7, dports=(85, 85), protocol=6),),
                        routes=(via("0.0.0.0/0", "10.0.0.2", table=7),))),
        PORTS,
    ),
    Row(
        "a policy rule that asks for a pod's device",
        network(
            replace(
                host(
                    "node",
                    *(link("node", f"veth{n}", f"pod{n}/eth0") for n in (1, 2, 3)),
                    Device("dummy0", Dummy(), mac("node", "dummy0"), addresses=(parse_interface("10.2.0.1/32"),)),
                ),
                rules=(PolicyRule(100, table=7, iif="veth2"),),
                routes=(
                    *(via(f"10.2.{n}.2/32", device=f"veth{n}") for n in (1, 2, 3)),
                    via("10.2.3.0/24", table=7, type=RouteType.BLACKHOLE),
                ),
            ),
            *(
                host(
                    f"pod{n}",
                    link(f"pod{n}", "eth0", f"node/veth{n}", f"10.2.{n}.2/32"),
                    role=Role.POD,
                    routes=(via("0.0.0.0/0", "10.2.0.1", "eth0", onlink=True),),
                )
                for n in (1, 2, 3)
            ),
        ),
        (tcp("pod1", "10.2.3.2"), tcp("pod2", "10.2.3.2")),
    ),
]  # fmt: skip

SOURCES = [
    Row(
        "two networks on one device",
        network(
            switch("lan", "asker/eth0", "one/eth0", "two/eth0"),
            host("asker", link("asker", "eth0", "lan/asker", "10.1.0.5/24", "10.2.0.5/24")),
            host("one", link("one", "eth0", "lan/one", "10.1.0.6/14")),
            host("two", link("two", "eth0", "lan/two", "10.2.0.6/14")),
        ),
        (tcp("asker", "10.1.0.6"), tcp("asker", "10.2.0.6")),
    ),
    Row(
        "a loopback address that was not given",
        network(replace(host("alone"), devices=(replace(LO, addresses=()),))),
        (tcp("alone", "127.0.0.5"), ping("alone", "127.0.0.1")),
    ),
    Row(
        "a source of a device that leads nowhere",
        servers(
            router(),
            server(1),
            with_nft(
                host(
                    "server2",
                    link("server2", "eth0", "lan/server2", "10.1.0.12/24"),
                    Device("dummy0", Dummy(), mac("server2", "dummy0"), addresses=(parse_interface("10.9.0.1/32"),)),
                    routes=(via("10.8.0.0/16", device="dummy0"), via("0.0.0.0/0", "10.1.0.1")),
                ),
                "ip daddr 10.8.0.1 dnat to 10.1.0.11",
                chain="type nat hook output priority -100;",
            ),
        ),
        (tcp("server2", "10.8.0.1"), tcp("server2", "10.8.0.2")),
    ),
    Row(
        "a network behind a dummy device",
        lan(
            router(),
            host(
                "server1",
                link("server1", "eth0", "lan/server1", "10.1.0.11/24"),
                Device("dummy0", Dummy(), mac("server1", "dummy0"), addresses=(parse_interface("10.9.0.1/24"),)),
                routes=(via("0.0.0.0/0", "10.1.0.1"),),
            ),
        ),
        (tcp("server1", "10.9.0.7"), tcp("server1", "10.7.0.7")),
    ),
    Row(
        "addresses of lo alone",
        network(
            replace(
                host("one", link("one", "eth0", "two/eth0"), routes=(via("10.7.0.2/32", device="eth0"),)),
                devices=(
                    replace(LO, addresses=(parse_interface("127.0.0.1/8"), parse_interface("10.7.0.1/32"))),
                    link("one", "eth0", "two/eth0"),
                ),
            ),
            host("two", link("two", "eth0", "one/eth0", "10.7.0.2/32"), routes=(via("10.7.0.1/32", device="eth0"),)),
        ),
        (tcp("one", "10.7.0.2"),),
    ),
    Row(
        "a second address of lo's second network",
        network(
            replace(
                host("alone"),
                devices=(
                    replace(
                        LO,
                        addresses=tuple(
                            map(parse_interface, ("127.0.0.1/8", "10.1.1.1/24", "10.2.2.1/24", "10.2.2.2/24"))
                        ),
                    ),
                ),
            )
        ),
        (tcp("alone", "10.2.2.2"), tcp("alone", "10.1.1.1")),
    ),
    Row(
        "two IPv6 networks, of which the destination is nearer to one",
        network(
            host(
                "asker",
                link("asker", "eth0", "router/eth0", "fd00:1::1/64", "fd00:8::1/64"),
                routes=(via("::/0", "fd00:1::2"),),
            ),
            host(
                "router",
                link("router", "eth0", "asker/eth0", "fd00:1::2/64", "fd00:8::2/64"),
                link("router", "eth1", "lan/router", "fd00:5::2/16"),
            ),
            switch("lan", "router/eth1", "near/eth0", "far/eth0"),
            *(
                host(
                    name,
                    link(name, "eth0", f"lan/{name}", f"{address}/16"),
                    routes=(via("fd00:1::/64", "fd00:5::2"), via("fd00:8::/64", "fd00:5::2")),
                )
                for name, address in (("near", "fd00:2::1"), ("far", "fd00:9::1"))
            ),
        ),
        (tcp("asker", "fd00:2::1"), tcp("asker", "fd00:9::1")),
    ),
]

RULE = "-A FORWARD -p tcp -m tcp --dport 80 -j DROP"


def _bridges() -> Topology:
    """A bridge between two others on each side, of which one has a rule."""
    sides = [
        space
        for side, address in (("left", "10.1.0.2/24"), ("right", "10.1.0.3/24"))
        for space in (
            switch(f"{side}1", f"first/{side}1", f"{side}2/{side}1"),
            switch(f"{side}2", f"{side}1/{side}2", f"{side}/eth0"),
            host(side, link(side, "eth0", f"{side}2/{side}", address)),
        )
    ]
    filtering = replace(with_iptables(sides[0], "filter", RULE), sysctls={"net.bridge.bridge-nf-call-iptables": "1"})
    asker = host("asker", link("asker", "eth0", "first/asker", "10.1.0.1/24"))
    return network(asker, switch("first", "asker/eth0", "left1/first", "right1/first"), filtering, *sides[1:])


def _crossed() -> Topology:
    """Two routers of one make, whose wires are the other way round."""
    rule = "-A INPUT -i eth1 -j DROP"
    straight = host("r1", link("r1", "eth0", "sa/r1", "10.1.0.1/24"), link("r1", "eth1", "sb/r1", "10.2.0.1/24"))
    crossed = host("r2", link("r2", "eth0", "sb/r2", "10.1.0.2/24"), link("r2", "eth1", "sa/r2", "10.2.0.2/24"))
    return network(
        host("asker", link("asker", "eth0", "sa/asker", "10.1.0.9/24")),
        switch("sa", "asker/eth0", "r1/eth0", "r2/eth1"),
        switch("sb", "r1/eth1", "r2/eth0"),
        with_iptables(straight, "filter", rule),
        with_iptables(crossed, "filter", rule),
    )


def deaf(netns: Netns) -> Netns:
    """A switch whose ports learn nothing."""
    return replace(
        netns,
        devices=tuple(
            each if each.port is None else replace(each, port=replace(each.port, learning=False))
            for each in netns.devices
        ),
    )


def nameless(netns: Netns, label: str) -> Netns:
    """A machine with another label, whose sockets are nobody's."""
    return replace(netns, label=label, listeners=tuple(replace(each, owner="") for each in netns.listeners))


WIRES = [
    Row("a bridge between bridges", _bridges(), (tcp("asker", "10.1.0.3"), tcp("asker", "10.1.0.2"))),
    Row(
        "wires the other way round",
        _crossed(),
        (tcp("asker", "10.1.0.1"), tcp("asker", "10.1.0.2")),
    ),
    Row(
        "a frame that a bridge was told to send elsewhere",
        network(
            replace(
                deaf(switch("lan", "asker/eth0", "right/eth0", "wrong/eth0")),
                fdb=(FdbEntry("wrong", mac("right", "eth0")),),
            ),
            host("asker", link("asker", "eth0", "lan/asker", "10.1.0.1/24")),
            host("right", link("right", "eth0", "lan/right", "10.1.0.2/24")),
            host("wrong", link("wrong", "eth0", "lan/wrong", "10.1.0.3/24")),
        ),
        (tcp("asker", "10.1.0.3"), tcp("asker", "10.1.0.2")),
    ),
    Row(
        "a gateway on no network of the sender's",
        network(
            switch("lan", "asker/eth0", "gateway/eth0", "other/eth0"),
            host(
                "asker",
                link("asker", "eth0", "lan/asker", "10.1.0.1/32"),
                routes=(via("10.8.0.0/16", "10.9.0.1", "eth0", onlink=True),),
            ),
            host(
                "gateway",
                link("gateway", "eth0", "lan/gateway", "10.9.0.1/32", "10.8.0.1/32"),
                routes=(via("10.1.0.1/32", device="eth0"),),
            ),
            host("other", link("other", "eth0", "lan/other", "10.8.0.2/32")),
        ),
        (tcp("asker", "10.8.0.1"), tcp("asker", "10.8.0.2")),
    ),
    Row(
        "an own address for a gateway",
        network(
            switch("lan", "asker/eth0", "owner/eth0"),
            host("asker", link("asker", "eth0", "lan/asker", "10.1.0.1/24"), routes=(via("10.8.0.0/16", "10.1.0.1"),)),
            host("owner", link("owner", "eth0", "lan/owner", "10.1.0.2/24", "10.8.0.1/32")),
        ),
        (tcp("asker", "10.8.0.1"), tcp("asker", "10.8.0.2")),
    ),
    Row(
        "a gateway by its link-local address",
        network(
            switch("lan", "asker/eth0", "gateway/eth0"),
            host(
                "asker",
                link("asker", "eth0", "lan/asker", "fd00:1::1/64"),
                routes=(via("::/0", link_local("gateway"), "eth0"),),
            ),
            host("gateway", link("gateway", "eth0", "lan/gateway", "fd00:1::2/64", "fd00:7::1/128")),
        ),
        (tcp("asker", "fd00:7::1"), tcp("asker", "fd00:7::2")),
    ),
    Row(
        "the routers' anycast address",
        network(
            switch("lan", "asker/eth0", "router/eth0", "other/eth0"),
            replace(host("asker", link("asker", "eth0", "lan/asker", "fd00:1::1/64")), sysctls={}),
            host("router", link("router", "eth0", "lan/router", "fd00:1::2/64")),
            replace(host("other", link("other", "eth0", "lan/other", "fd00:1::3/64")), sysctls={}),
        ),
        (ping("asker", "fd00:1::"), ping("asker", "fd00:1::9")),
    ),
    Row(
        "two machines of one name",
        servers(
            with_iptables(
                router(),
                "nat",
                "-A PREROUTING -d 10.1.0.11/32 -p udp -j DNAT --to-destination 10.1.0.12",
                "-A PREROUTING -d 10.1.0.13/32 -p udp -j DNAT --to-destination 10.1.0.14",
            ),
            *(nameless(server(number), "twin" if number < 3 else f"server{number}") for number in (1, 2, 3, 4)),
        ),
        (tcp("client", "10.1.0.11"), tcp("client", "10.1.0.13")),
    ),
]

ROWS = (*RULES, *POLICY, *SOURCES, *WIRES)
