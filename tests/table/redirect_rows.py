"""Redirects in small hand-made networks: what the sender of a packet believes afterwards, in the model and on the real kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netsim.net.packet import Protocol
from netsim.stack.addrconf import eui64_link_local
from netsim.topology.model import Bridge, BridgePort, Role, Topology
from tests.unit.stack_world import FORWARDING, GROUND6, WEB, device, lo, netns, route, topology, veth

NAT = "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n-A POSTROUTING -s {}/32 -j MASQUERADE\nCOMMIT\n"


def link_local(who: str) -> str:
    return str(eui64_link_local(veth(f"{who}/eth0", "sw/p").mac).ip)


R6, G6 = link_local("r"), link_local("g")


def one_link(
    *,
    host: Mapping[str, str] | None = None,
    router: Mapping[str, str] | None = None,
    gateway: str = "10.1.0.2",
    gateway6: str = G6,
    sender: tuple[str, ...] = ("10.1.0.5/24", "fd01::5/64"),
    rules: str = "",
) -> Topology:
    """h sends to 10.9.0.1 (fd09::1) by router r, which sends it back to the link, to g."""
    ports = tuple(veth(f"sw/p{name}", f"{name}/eth0", port=BridgePort("br0")) for name in "hrg")
    return topology(
        netns("sw", (device("sw", "br0", Bridge()), *ports), role=Role.SWITCH),
        netns(
            "h",
            (veth("h/eth0", "sw/ph", *sender),),
            (route("10.9.0.0/24", "10.1.0.1", "eth0"), route("fd09::/64", R6, "eth0")),
            role=Role.EXTERNAL,
            sysctls=host,
        ),
        netns(
            "r",
            (veth("r/eth0", "sw/pr", "10.1.0.1/24", "10.2.0.1/24", "fd01::1/64"),),
            (route("10.9.0.0/24", gateway, "eth0"), route("fd09::/64", gateway6, "eth0")),
            sysctls={**FORWARDING, **GROUND6.forwarding, **(router or {})},
            rules=rules,
        ),
        netns(
            "g",
            (
                veth("g/eth0", "sw/pg", "10.1.0.2/24", "10.2.0.2/24", "fd01::2/64"),
                lo("10.9.0.1/32", "fd09::1/128"),
            ),
            (route("10.3.0.0/24", "10.1.0.1", "eth0"),),
            role=Role.EXTERNAL,
            sysctls={**FORWARDING, **GROUND6.forwarding},
            listeners=WEB,
        ),
    )


@dataclass(frozen=True)
class Row:
    """The next hop by which h sends to ``dst`` after two packets, a second apart."""

    id: str
    world: Topology
    next_hop: str
    dst: str = "10.9.0.1"
    protocol: Protocol = Protocol.UDP


OFF = {"net.ipv4.conf.all.send_redirects": "0", "net.ipv4.conf.eth0.send_redirects": "0"}
NOT_SHARED = {"net.ipv4.conf.all.shared_media": "0", "net.ipv4.conf.eth0.shared_media": "0"}
IGNORING = {"net.ipv4.conf.all.accept_redirects": "0", "net.ipv4.conf.eth0.accept_redirects": "0"}
PING = Protocol.ICMPV6
INSECURE = {"net.ipv4.conf.all.secure_redirects": "0", "net.ipv4.conf.eth0.secure_redirects": "0"}
ROWS = (
    Row("believed", one_link(), "10.1.0.2"),
    Row("not sent", one_link(router=OFF), "10.1.0.1"),
    Row("sent while one of the two is on", one_link(router={"net.ipv4.conf.all.send_redirects": "0"}), "10.1.0.2"),
    Row("not believed", one_link(host=IGNORING), "10.1.0.1"),
    Row(
        "a host believes where one of the two says so",
        one_link(host={"net.ipv4.conf.all.accept_redirects": "0"}),
        "10.1.0.2",
    ),
    Row(
        "a router believes where both say so",
        one_link(
            host={**FORWARDING, "net.ipv4.conf.all.accept_redirects": "1", "net.ipv4.conf.eth0.accept_redirects": "1"}
        ),
        "10.1.0.2",
    ),
    Row(
        "a router does not where one does not",
        one_link(
            host={**FORWARDING, "net.ipv4.conf.all.accept_redirects": "0", "net.ipv4.conf.eth0.accept_redirects": "1"}
        ),
        "10.1.0.1",
    ),
    Row("to another network of the link", one_link(gateway="10.2.0.2"), "10.2.0.2"),
    Row(
        "to another network of the link, router's shared_media 0",
        one_link(gateway="10.2.0.2", router=NOT_SHARED),
        "10.1.0.1",
    ),
    Row(
        "to another network of the link, host's shared_media 0",
        one_link(gateway="10.2.0.2", host=NOT_SHARED),
        "10.1.0.1",
    ),
    Row("to no gateway of the host, shared_media 0", one_link(host=NOT_SHARED), "10.1.0.1"),
    Row("the same, secure_redirects 0", one_link(host={**NOT_SHARED, **INSECURE}), "10.1.0.2"),
    Row("the first of a connection that NAT may yet change", one_link(rules=NAT.format("192.0.2.1")), "10.1.0.1"),
    Row("about a connection with NAT", one_link(rules=NAT.format("10.1.0.5")), "10.1.0.1"),
    Row("IPv6", one_link(), G6, "fd09::1", PING),
    Row("IPv6, UDP", one_link(), R6, "fd09::1"),
    Row("IPv6 not believed", one_link(host={"net.ipv6.conf.eth0.accept_redirects": "0"}), R6, "fd09::1", PING),
    Row("IPv6 not believed by a router", one_link(host={"net.ipv6.conf.all.forwarding": "1"}), R6, "fd09::1", PING),
    Row("IPv6 to a router of another name", one_link(gateway6="fd01::2"), R6, "fd09::1", PING),
)
