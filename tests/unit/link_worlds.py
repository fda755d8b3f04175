"""Small networks with tunnels, macvlan devices, policy routing and neighbours, for the model's tests and the real kernel's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netsim.net.address import MAC, parse_address, parse_prefix
from netsim.topology.model import (
    Bridge,
    BridgePort,
    Device,
    Endpoint,
    FdbEntry,
    Macvlan,
    MacvlanMode,
    MultipathHop,
    Neighbour,
    NeighbourState,
    Netns,
    PolicyRule,
    ProxyNeighbour,
    Role,
    Route,
    RuleAction,
    Topology,
    Vxlan,
)
from tests.unit.stack_world import (
    FORWARDING,
    WEB,
    changed,
    device,
    netns,
    pod,
    route,
    same_node,
    topology,
    two_nodes,
    veth,
    with_device,
    with_sysctls,
)


def vtep(name: str, local: str | None, *addresses: str, mtu: int = 1450, **more: object) -> Device:
    given = {"port": 8472, "learning": False, **more}
    kind = Vxlan(1, parse_address(local) if local else None, **given)  # type: ignore[arg-type]
    return device(name, "flannel.1", kind, *addresses, mtu=mtu)


def with_devices(world: Topology, name: str, *devices: Device) -> Topology:
    return changed(world, name, devices=(*world.namespaces[name].devices, *devices))


def without_device(world: Topology, at: str) -> Topology:
    name, dev = at.split("/")
    return changed(world, name, devices=tuple(d for d in world.namespaces[name].devices if d.name != dev))


def mac_of(world: Topology, at: str) -> MAC:
    name, dev = at.split("/")
    found = world.namespaces[name].device(dev)
    assert found is not None
    return found.mac


# --- vxlan ------------------------------------------------------------------------------------------------------

NODES = (("n1", "192.168.0.11", "10.244.0"), ("n2", "192.168.0.12", "10.244.1"))


def overlay(*, pod_mtu: int = 1450, **more: object) -> Topology:
    """two_nodes() with flannel's vxlan between them in place of host-gw routes."""
    world = two_nodes()
    for name, address, block in NODES:
        world = with_devices(world, name, vtep(name, address, f"{block}.0/32", **more))
    for (name, _, _), (other, there, block) in zip(NODES, reversed(NODES), strict=True):
        mac, end = mac_of(world, f"{other}/flannel.1"), parse_address(f"{block}.0")
        world = changed(
            world,
            name,
            routes=(route(f"{block}.0/24", f"{block}.0", "flannel.1", onlink=True),),
            neighbours=(Neighbour("flannel.1", end, mac),),
            fdb=(FdbEntry("flannel.1", mac, parse_address(there)),),
        )
    for at in ("a/eth0", "c/eth0", "n1/cni0", "n2/cni0", "n1/vetha", "n2/vethc"):
        world = with_device(world, at, mtu=pod_mtu)
    return world


def stale_fdb() -> Topology:
    """n1 knows n2's vxlan device by the MAC that it had before n2 was booted again."""
    return with_device(overlay(), "n2/flannel.1", mac=MAC.parse("02:00:00:00:99:99"))


def moved_vtep() -> Topology:
    """n1 has the neighbour, and no FDB entry for it."""
    return changed(overlay(), "n1", fdb=())


def other_vni() -> Topology:
    return with_device(overlay(), "n2/flannel.1", kind=Vxlan(2, parse_address("192.168.0.12"), learning=False))


def other_port() -> Topology:
    return with_device(overlay(), "n2/flannel.1", kind=Vxlan(1, parse_address("192.168.0.12"), 4789, learning=False))


def vtep_down() -> Topology:
    return with_device(overlay(), "n2/flannel.1", up=False)


def dead_endpoint() -> Topology:
    world = overlay()
    entry = replace(world.namespaces["n1"].fdb[0], dst=parse_address("192.168.0.77"))
    return changed(world, "n1", fdb=(entry,))


def own_endpoint() -> Topology:
    world = overlay()
    entry = replace(world.namespaces["n1"].fdb[0], dst=parse_address("192.168.0.11"))
    return changed(world, "n1", fdb=(entry,))


def firewalled(hook: str) -> Topology:
    """A node drops the tunnel's datagrams."""
    text = f"*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n-A {hook} -p udp -m udp --dport 8472 -j DROP\nCOMMIT\n"
    name = "n1" if hook == "OUTPUT" else "n2"
    return changed(overlay(), name, xtables=netns(name, (), rules=text).xtables)


def marked(*, masquerade: bool = True) -> Topology:
    """n1 marks pods' packets and masquerades what is marked: the tunnel's datagram has the mark too."""
    target = "MASQUERADE" if masquerade else "ACCEPT"
    text = (
        "*mangle\n:PREROUTING ACCEPT\n-A PREROUTING -i cni0 -j MARK --set-xmark 0x4000/0x4000\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        f"-A POSTROUTING -m mark --mark 0x4000/0x4000 -j {target}\nCOMMIT\n"
    )
    return changed(overlay(), "n1", xtables=netns("n1", (), rules=text).xtables)


def learning() -> Topology:
    """Two hosts with vxlan devices that find each other by ARP through the tunnel."""
    hosts = (("p", "10.0.0.1", "10.0.0.2", "10.9.0.1/24"), ("q", "10.0.0.2", "10.0.0.1", "10.9.0.2/24"))
    made = []
    for name, own, other, address in hosts:
        kind = Vxlan(42, parse_address(own), 4789, "eth0", learning=True, remote=parse_address(other))
        there = "q" if name == "p" else "p"
        links = (veth(f"{name}/eth0", f"{there}/eth0", f"{own}/24"), device(name, "vx0", kind, address, mtu=1450))
        made.append(netns(name, links, role=Role.EXTERNAL, listeners=WEB))
    return topology(*made)


def bridged_tunnel() -> Topology:
    """Pods a and c on one layer 2 network that a tunnel between two bridges makes."""
    made: list[Netns] = []
    for name, own, other, guest in (("p", "10.0.0.1", "10.0.0.2", "a"), ("q", "10.0.0.2", "10.0.0.1", "c")):
        kind = Vxlan(7, parse_address(own), 4789, learning=True, remote=parse_address(other))
        there = "q" if name == "p" else "p"
        links = (
            veth(f"{name}/eth0", f"{there}/eth0", f"{own}/24"),
            device(name, "br0", Bridge(), mtu=1450),
            device(name, "vx0", kind, mtu=1450, port=BridgePort("br0")),
            veth(f"{name}/veth0", f"{guest}/eth0", port=BridgePort("br0"), mtu=1450),
        )
        made.append(netns(name, links, role=Role.EXTERNAL))
    for guest, peer, address in (("a", "p/veth0", "10.9.0.1"), ("c", "q/veth0", "10.9.0.2")):
        made.append(
            netns(guest, (veth(f"{guest}/eth0", peer, f"{address}/24", mtu=1450),), role=Role.POD, listeners=WEB)
        )
    return topology(*made)


# --- macvlan ----------------------------------------------------------------------------------------------------


def macvlans(mode: MacvlanMode = MacvlanMode.BRIDGE) -> Topology:
    """Pods a and b on macvlan devices of h's eth0, with h and a far host x on that network."""
    base = Endpoint("h", "eth0")
    guests = [
        netns(
            name,
            (device(name, "eth0", Macvlan(base, mode), f"10.0.0.{number}/24"),),
            role=Role.POD,
            listeners=WEB,
        )
        for name, number in (("a", 11), ("b", 12))
    ]
    return topology(
        netns("h", (veth("h/eth0", "x/eth0", "10.0.0.1/24"),), listeners=WEB),
        netns("x", (veth("x/eth0", "h/eth0", "10.0.0.2/24"),), role=Role.EXTERNAL, listeners=WEB),
        *guests,
    )


# --- bridges ----------------------------------------------------------------------------------------------------


def static_fdb(port: str) -> Topology:
    """same_node() whose bridge was told that pod b's MAC is behind a port."""
    world = same_node()
    return changed(world, "n", fdb=(FdbEntry(port, mac_of(world, "b/eth0")),))


# --- policy routing ---------------------------------------------------------------------------------------------


def rule(priority: int, table: int = 254, **more: object) -> PolicyRule:
    words = {key: parse_prefix(str(value)) if key in ("src", "dst") else value for key, value in more.items()}
    return PolicyRule(priority, table, **words)  # type: ignore[arg-type]


def two_ways(
    *routes: Route,
    rules: Sequence[PolicyRule] = (),
    sysctls: Mapping[str, str] | None = None,
    iptables: str = "",
    back: str = "10.1.0.2",
    listeners: bool = True,
) -> Topology:
    """Client c behind router r, which reaches server s by two links: 10.1.0.0/24 and 10.2.0.0/24. s has 10.5.0.1 and answers by 10.1."""
    server = WEB if listeners else ()
    return topology(
        netns(
            "c",
            (veth("c/eth0", "r/c0", "10.0.0.5/24", "10.0.0.6/24"),),
            (route("default", "10.0.0.1"),),
            role=Role.EXTERNAL,
        ),
        netns(
            "r",
            (
                veth("r/c0", "c/eth0", "10.0.0.1/24"),
                veth("r/up1", "s/eth0", "10.1.0.2/24"),
                veth("r/up2", "s/eth1", "10.2.0.2/24"),
            ),
            routes,
            sysctls={**FORWARDING, **(sysctls or {})},
            rules=iptables,
        ),
        netns(
            "s",
            (
                device("s", "lo", two_nodes().namespaces["a"].devices[0].kind, "10.5.0.1/32"),
                veth("s/eth0", "r/up1", "10.1.0.1/24"),
                veth("s/eth1", "r/up2", "10.2.0.1/24"),
            ),
            (route("10.0.0.0/24", back),),
            role=Role.EXTERNAL,
            listeners=server,
        ),
    )


def policed(*rules: PolicyRule, **more: object) -> Topology:
    """two_ways() with the default by up1, table 100 by up2, and rules on the router."""
    routes = (
        route("10.5.0.0/16", "10.1.0.1"),
        route("10.5.0.0/16", "10.2.0.1", table=100),
        route("default", "10.2.0.1", table=101),
    )
    world = two_ways(*routes, **more)  # type: ignore[arg-type]
    return changed(world, "r", rules=rules)


MARKING = (
    "*mangle\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n-A {} -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x1/0xff\nCOMMIT\n"
)


def balanced(*weights: int, **more: object) -> Topology:
    """two_ways() with a multipath route to the server."""
    ways = [("10.1.0.1", "up1"), ("10.2.0.1", "up2")]
    hops = tuple(
        MultipathHop(dev, parse_address(via), weight) for (via, dev), weight in zip(ways, weights, strict=True)
    )
    return two_ways(Route(parse_prefix("10.5.0.0/16"), nexthops=hops), **more)  # type: ignore[arg-type]


# --- neighbours -------------------------------------------------------------------------------------------------


def arp(sysctl: str, value: str, device_name: str = "eth0") -> Topology:
    """x asks server s for addresses that are on its lo (10.7.0.1) and on its other card (10.8.0.1); it has them on-link."""
    return topology(
        netns(
            "x",
            (veth("x/eth0", "s/eth0", "10.0.0.2/24"),),
            (
                route("10.7.0.0/24", dev="eth0"),
                route("10.8.0.0/24", dev="eth0"),
                route("10.6.0.0/24", dev="eth0"),
                route("10.0.1.0/24", dev="eth0"),
            ),
            role=Role.EXTERNAL,
            listeners=WEB,
        ),
        netns(
            "s",
            (
                device("s", "lo", two_nodes().namespaces["a"].devices[0].kind, "10.7.0.1/32"),
                veth("s/eth0", "x/eth0", "10.0.0.1/24", "10.0.1.1/24"),
                veth("s/eth1", "y/eth0", "10.8.0.1/24"),
            ),
            role=Role.EXTERNAL,
            sysctls={**FORWARDING, f"net.ipv4.conf.{device_name}.{sysctl}": value},
            listeners=WEB,
        ),
        netns(
            "y",
            (veth("y/eth0", "s/eth1", "10.8.0.9/24"),),
            (route("default", "10.8.0.1"),),
            role=Role.EXTERNAL,
            listeners=WEB,
        ),
    )


def known(state: str, mac: MAC | None) -> Topology:
    """arp(), and x has an entry for s beforehand."""
    entry = Neighbour("eth0", parse_address("10.0.0.1"), mac, NeighbourState(state))
    return changed(arp("arp_ignore", "0"), "x", neighbours=(entry,))


def proxied() -> Topology:
    """arp(), and s answers for y on x's link."""
    return changed(arp("arp_ignore", "0"), "s", proxies=(ProxyNeighbour("eth0", parse_address("10.8.0.9")),))


def unanswered(world: Topology) -> Topology:
    """balanced(), and the first way's gateway did not answer."""
    entry = Neighbour("up1", parse_address("10.1.0.1"), None, NeighbourState.FAILED)
    return changed(world, "r", neighbours=(entry,))


__all__ = ["RuleAction", "pod", "with_sysctls"]
