"""What becomes of one packet in small hand-made networks. The model's tests and the real kernel's read the same rows."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netsim.net.address import MAC, parse_address, parse_interface
from netsim.net.packet import Protocol
from netsim.stack.reasons import DropReason
from netsim.topology.model import BridgePort, Listener, Neighbour, RouteType, Topology
from tests.unit.stack_world import changed, netns, route, same_node, two_nodes, with_device, with_sysctls

NOBODY: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A packet from ``src`` (a namespace) to ``dst``, what the client hears, and where and why the packet died first."""

    id: str
    world: Topology
    src: str
    dst: str
    heard: tuple[str, ...]
    died: tuple[str, DropReason] | None = None
    tcp: bool = False
    port: int = 53
    payload: int = 0
    ttl: int = 64
    df: bool = True


def extra_route(world: Topology, name: str, *routes: object) -> Topology:
    return changed(world, name, routes=(*world.namespaces[name].routes, *routes))


def replaced_routes(world: Topology, name: str, *routes: object) -> Topology:
    return changed(world, name, routes=routes)


def wrong_neighbour() -> Topology:
    entry = Neighbour("cni0", parse_address("10.244.1.2"), MAC.parse("02:00:00:00:00:99"))
    return changed(two_nodes(), "n2", neighbours=(entry,))


def listening(world: Topology, name: str, address: str) -> Topology:
    return changed(world, name, listeners=(Listener(Protocol.UDP, 53, parse_address(address), owner="dns"),))


def node_port(*, masquerade: bool, **sysctls: str) -> Topology:
    post = "-A POSTROUTING -d 10.244.0.2/32 -j MASQUERADE\n" if masquerade else ""
    text = (
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        f"-A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.0.2:80\n{post}COMMIT\n"
    )
    return with_sysctls(same_node(rules=text), "n", **sysctls)


def masquerading_node() -> Topology:
    text = (
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        "-A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/16 -j MASQUERADE\nCOMMIT\n"
    )
    rules = netns("n1", (), rules=text).xtables
    return changed(two_nodes(), "n1", xtables=rules)


def asymmetric(**sysctls: str) -> Topology:
    """x sends to pod c through n1, which has its route to x through cni0."""
    world = replaced_routes(two_nodes(), "x", route("10.244.1.0/24", "192.168.0.11"))
    world = extra_route(world, "n1", route("192.168.0.100/32", dev="cni0"))
    return with_sysctls(world, "n1", **sysctls)


def rejecting(kind: str, hook: str = "FORWARD") -> Topology:
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n"
        f"-A {hook} -d 10.244.1.2/32 -j REJECT --reject-with {kind}\nCOMMIT\n"
    )
    name = "n1" if hook == "FORWARD" else "a"
    return changed(two_nodes(), name, xtables=netns(name, (), rules=text).xtables)


def second_address(world: Topology, at: str, *addresses: str) -> Topology:
    name, dev = at.split("/")
    found = world.namespaces[name].device(dev)
    assert found is not None
    return with_device(world, at, addresses=(*found.addresses, *map(parse_interface, addresses)))


def odd_source() -> Topology:
    """x sends from an address that n2 has no route to; both know each other's MAC."""
    world = second_address(two_nodes(), "x/eth0", "172.16.5.5/24")
    world = replaced_routes(world, "x", route("10.244.1.0/24", "192.168.0.12", source=parse_address("172.16.5.5")))
    return knowing(world, "x", "192.168.0.12", "n2/eth0")


def knows_n1(world: Topology) -> Topology:
    return knowing(world, "x", "192.168.0.11", "n1/eth0")


def knowing(world: Topology, who: str, address: str, at: str) -> Topology:
    """``who`` has a permanent neighbour entry for an address, with the MAC of ``netns/device``."""
    name, dev = at.split("/")
    found = world.namespaces[name].device(dev)
    assert found is not None
    return changed(world, who, neighbours=(Neighbour("eth0", parse_address(address), found.mac),))


def isolated() -> Topology:
    world = same_node()
    for name in ("vetha", "vethb"):
        world = with_device(world, f"n/{name}", port=BridgePort("cni0", isolated=True))
    return world


def node_port_of(name: str, *, masquerade: bool, policy: str = "ACCEPT") -> Topology:
    """Node ``name`` sends its TCP port 30080 to pod c on n2."""
    post = "-A POSTROUTING -d 10.244.1.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE\n" if masquerade else ""
    text = (
        f"*filter\n:INPUT ACCEPT\n:FORWARD {policy}\n:OUTPUT ACCEPT\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        f"-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.1.2:80\n{post}COMMIT\n"
    )
    world = extra_route(two_nodes(), "x", route("10.244.0.0/24", "192.168.0.11"))
    return changed(world, name, xtables=netns(name, (), rules=text).xtables)


def udp_node_port(filtered: str = "") -> Topology:
    """Node n2 sends its UDP port 30080 to port 54 of pod c, where nobody listens."""
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n" + filtered + "COMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        "-A PREROUTING -p udp -m udp --dport 30080 -j DNAT --to-destination 10.244.1.2:54\nCOMMIT\n"
    )
    return changed(two_nodes(), "n2", xtables=netns("n2", (), rules=text).xtables)


def narrow() -> Topology:
    """The way from n2 to pod c is narrower than the rest."""
    world = two_nodes()
    for at in ("n2/cni0", "n2/vethc", "c/eth0"):
        world = with_device(world, at, mtu=1400)
    return world


def open_udp_node_port() -> Topology:
    """Node n2 sends its UDP port 30080 to pod c."""
    text = (
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        "-A PREROUTING -p udp -m udp --dport 30080 -j DNAT --to-destination 10.244.1.2:53\nCOMMIT\n"
    )
    return changed(two_nodes(), "n2", xtables=netns("n2", (), rules=text).xtables)


def port_rule(*, accept: bool) -> Topology:
    """Node n1 forwards UDP to port 53 and nothing else, without conntrack."""
    verdict = "ACCEPT" if accept else "DROP"
    text = f"*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n-A FORWARD -p udp -m udp --dport 53 -j {verdict}\nCOMMIT\n"
    return changed(two_nodes(), "n1", xtables=netns("n1", (), rules=text).xtables)


def bridged_conntrack() -> Topology:
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n"
        "-A FORWARD -p udp -m udp --dport 53 -j ACCEPT\n-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n"
    )
    return same_node(rules=text)


def martian_accepted(value: str) -> Topology:
    """x has n2's pod bridge address as a second address and sends from it, with n2's MAC known to it."""
    world = second_address(two_nodes(), "x/eth0", "10.244.1.1/32")
    world = replaced_routes(world, "x", route("10.244.1.2/32", "192.168.0.12", source=parse_address("10.244.1.1")))
    world = with_sysctls(world, "n2", net__ipv4__conf__all__accept_local=value)
    return knowing(world, "x", "192.168.0.12", "n2/eth0")


W = two_nodes()
ROWS: tuple[Row, ...] = (
    # --- delivered ---------------------------------------------------------------------------------------------
    Row("two nodes", W, "a", "10.244.1.2", ("answer from 10.244.1.2",)),
    Row("two nodes tcp", W, "a", "10.244.1.2", ("SYN-ACK from 10.244.1.2",), tcp=True, port=80),
    Row("from outside the cluster", W, "x", "10.244.1.2", ("answer from 10.244.1.2",)),
    Row("to the node", W, "a", "192.168.0.12", ("SYN-ACK from 192.168.0.12",), tcp=True, port=22),
    Row("to the node's other address", W, "x", "10.244.1.1", ("SYN-ACK from 10.244.1.1",), tcp=True, port=22),
    Row("to itself", W, "a", "10.244.0.2", ("answer from 10.244.0.2",)),
    Row("to loopback", W, "a", "127.0.0.1", ("answer from 127.0.0.1",)),
    Row("to any loopback address", W, "a", "127.9.9.9", ("answer from 127.9.9.9",)),
    Row("to no address: to itself", W, "a", "0.0.0.0", ("answer from 127.0.0.1",)),
    # --- what a socket refuses ---------------------------------------------------------------------------------
    *(
        Row(f"{'tcp' if tcp else 'udp'} to {dst}", W, "a", dst, (errno,), ("a", DropReason.SOCKET_REFUSED), tcp=tcp)
        for dst, tcp, errno in (
            ("10.244.0.255", True, "ENETUNREACH"),
            ("10.244.0.255", False, "EACCES"),
            ("255.255.255.255", True, "ENETUNREACH"),
            ("255.255.255.255", False, "EACCES"),
            ("224.0.0.5", True, "ENETUNREACH"),
        )
    ),
    Row("broadcast without a route", W, "x", "255.255.255.255", ("ENETUNREACH",), ("x", DropReason.IP_OUTNOROUTES)),
    # --- nobody listens ----------------------------------------------------------------------------------------
    Row("udp port closed", W, "a", "10.244.1.2", ("error 3/3 from 10.244.1.2",), ("c", DropReason.NO_SOCKET), port=54),
    Row(
        "tcp port closed",
        W,
        "a",
        "10.244.1.2",
        ("RST-ACK from 10.244.1.2",),
        ("c", DropReason.NO_SOCKET),
        tcp=True,
        port=81,
    ),
    Row("own port closed", W, "a", "10.244.0.2", ("error 3/3 from 10.244.0.2",), ("a", DropReason.NO_SOCKET), port=54),
    Row(
        "listener of another address",
        listening(W, "c", "127.0.0.1"),
        "a",
        "10.244.1.2",
        ("error 3/3 from 10.244.1.2",),
        ("c", DropReason.NO_SOCKET),
    ),
    Row("listener of this address", listening(W, "c", "10.244.1.2"), "a", "10.244.1.2", ("answer from 10.244.1.2",)),
    Row("directed broadcast", W, "a", "10.244.1.255", NOBODY, ("n2", DropReason.NO_SOCKET)),
    # --- no route ----------------------------------------------------------------------------------------------
    Row("no route at the sender", W, "x", "10.244.0.2", ("ENETUNREACH",), ("x", DropReason.IP_OUTNOROUTES)),
    Row(
        "no route at the router",
        W,
        "a",
        "203.0.113.1",
        ("error 3/0 from 10.244.0.1",),
        ("n1", DropReason.IP_INNOROUTES),
    ),
    *(
        Row(
            f"{kind.value} route at the router",
            extra_route(W, "n1", route("203.0.113.0/24", type=kind)),
            "a",
            "203.0.113.1",
            heard,
            ("n1", reason),
        )
        for kind, heard, reason in (
            (RouteType.UNREACHABLE, ("error 3/1 from 10.244.0.1",), DropReason.IP_INADDRERRORS),
            (RouteType.PROHIBIT, ("error 3/13 from 10.244.0.1",), DropReason.IP_INADDRERRORS),
            (RouteType.BLACKHOLE, NOBODY, DropReason.ROUTE_BLACKHOLE),
            (RouteType.THROW, ("error 3/0 from 10.244.0.1",), DropReason.IP_INNOROUTES),
        )
    ),
    *(
        Row(
            f"{kind.value} route at the sender",
            extra_route(W, "x", route("203.0.113.0/24", type=kind)),
            "x",
            "203.0.113.1",
            (error,),
            ("x", DropReason.IP_OUTNOROUTES),
        )
        for kind, error in (
            (RouteType.UNREACHABLE, "EHOSTUNREACH"),
            (RouteType.PROHIBIT, "EACCES"),
            (RouteType.BLACKHOLE, "EINVAL"),
            (RouteType.THROW, "ENETUNREACH"),
        )
    ),
    Row(
        "forwarding off",
        with_sysctls(W, "n2", net__ipv4__ip_forward="0"),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_FORWARDING_OFF),
    ),
    Row(
        "forwarding off on the device it came in on",
        changed(W, "n2", sysctls={"net.ipv4.conf.cni0.forwarding": "1"}),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_FORWARDING_OFF),
    ),
    Row(
        "a more specific route wins over a smaller metric",
        extra_route(W, "n1", route("10.244.1.2/32", type=RouteType.BLACKHOLE, metric=900)),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n1", DropReason.ROUTE_BLACKHOLE),
    ),
    Row(
        "the smaller metric wins",
        extra_route(W, "n1", route("10.244.1.0/24", type=RouteType.BLACKHOLE, metric=5)),
        "a",
        "10.244.1.2",
        ("answer from 10.244.1.2",),
    ),
    # --- TTL ---------------------------------------------------------------------------------------------------
    Row("ttl 1", W, "a", "10.244.1.2", ("error 11/0 from 10.244.0.1",), ("n1", DropReason.TTL_EXCEEDED), ttl=1),
    Row("ttl 2", W, "a", "10.244.1.2", ("error 11/0 from 192.168.0.12",), ("n2", DropReason.TTL_EXCEEDED), ttl=2),
    Row("ttl 3", W, "a", "10.244.1.2", ("answer from 10.244.1.2",), ttl=3),
    Row(
        "ttl 1 to the router itself",
        W,
        "a",
        "10.244.0.1",
        ("error 3/3 from 10.244.0.1",),
        ("n1", DropReason.NO_SOCKET),
        ttl=1,
    ),
    Row(
        "a loop of routes",
        extra_route(
            extra_route(W, "n1", route("203.0.113.0/24", "192.168.0.12")), "n2", route("203.0.113.0/24", "192.168.0.11")
        ),
        "a",
        "203.0.113.1",
        ("error 11/0 from 192.168.0.12",),
        ("n2", DropReason.TTL_EXCEEDED),
    ),
    # --- neighbours --------------------------------------------------------------------------------------------
    Row("nobody there, far", W, "a", "10.244.1.9", ("error 3/1 from 192.168.0.12",), ("n2", DropReason.NEIGH_FAILED)),
    Row("nobody there, near", W, "a", "10.244.0.9", ("error 3/1 from 10.244.0.2",), ("a", DropReason.NEIGH_FAILED)),
    Row(
        "gateway that is not there",
        replaced_routes(W, "a", route("default", "10.244.0.77")),
        "a",
        "10.244.1.2",
        ("error 3/1 from 10.244.0.2",),
        ("a", DropReason.NEIGH_FAILED),
    ),
    Row("wrong permanent neighbour", wrong_neighbour(), "a", "10.244.1.2", NOBODY, ("c", DropReason.OTHERHOST)),
    # the error goes to the masqueraded source, which is the node itself, and is un-NATed in its OUTPUT
    Row(
        "after masquerading nobody there",
        masquerading_node(),
        "a",
        "192.168.0.99",
        ("error 3/1 from 192.168.0.11",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    Row(
        "a router that answers ARP for no other's address",
        extra_route(replaced_routes(W, "x", route("10.244.1.0/24", dev="eth0")), "n2"),
        "x",
        "10.244.1.2",
        ("error 3/1 from 192.168.0.100",),
        ("x", DropReason.NEIGH_FAILED),
    ),
    Row(
        "a host answers ARP for its address on another device",
        replaced_routes(W, "x", route("10.244.1.0/24", dev="eth0")),
        "x",
        "10.244.1.1",
        ("SYN-ACK from 10.244.1.1",),
        tcp=True,
        port=22,
    ),
    # --- devices -----------------------------------------------------------------------------------------------
    Row(
        "pod's device down",
        with_device(W, "c/eth0", up=False),
        "a",
        "10.244.1.2",
        ("error 3/1 from 192.168.0.12",),
        ("n2", DropReason.NEIGH_FAILED),
    ),
    Row(
        "node's device down",
        with_device(W, "n1/eth0", up=False),
        "a",
        "10.244.1.2",
        ("error 3/0 from 10.244.0.1",),
        ("n1", DropReason.IP_INNOROUTES),
    ),
    Row(
        "own device down",
        with_device(W, "a/eth0", up=False),
        "a",
        "10.244.1.2",
        ("ENETUNREACH",),
        ("a", DropReason.IP_OUTNOROUTES),
    ),
    Row(
        "switch port of the sender down",
        with_device(W, "sw/n1", up=False),
        "a",
        "10.244.1.2",
        ("error 3/1 from 10.244.0.1",),
        ("n1", DropReason.NO_CARRIER),
    ),
    Row(
        "switch port of the receiver down",
        with_device(W, "sw/n2", up=False),
        "a",
        "10.244.1.2",
        ("error 3/1 from 10.244.0.1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    Row(
        "bridge down",
        with_device(W, "n2/cni0", up=False),
        "a",
        "10.244.1.2",
        ("error 3/0 from 192.168.0.12",),
        ("n2", DropReason.IP_INNOROUTES),
    ),
    # --- MTU ---------------------------------------------------------------------------------------------------
    Row(
        "router's way out is smaller",
        with_device(with_device(W, "n2/cni0", mtu=1400), "n2/vethc", mtu=1400),
        "a",
        "10.244.1.2",
        ("error 3/4 mtu 1400 from 192.168.0.12",),
        ("n2", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row(
        "sender's device is smaller",
        with_device(W, "a/eth0", mtu=1400),
        "a",
        "10.244.1.2",
        ("EMSGSIZE",),
        ("a", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row(
        "receiver's end of the veth is smaller",
        with_device(W, "c/eth0", mtu=1400),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row(
        "switch port is smaller",
        with_device(W, "sw/n2", mtu=1400),
        "a",
        "10.244.1.2",
        NOBODY,
        ("sw", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row("just as large as the MTU", W, "a", "10.244.1.2", ("answer from 10.244.1.2",), payload=1472),
    # --- fragments ---------------------------------------------------------------------------------------------
    Row("cut by the sender", W, "a", "10.244.1.2", ("answer from 10.244.1.2",), payload=3000, df=False),
    Row(
        "cut by the router",
        narrow(),
        "a",
        "10.244.1.2",
        ("answer from 10.244.1.2",),
        payload=1400,
        df=False,
    ),
    Row("cut twice", narrow(), "a", "10.244.1.2", ("answer from 10.244.1.2",), payload=3000, df=False),
    # conntrack joins the fragments and NAT sees a whole packet, which is cut again as it came
    Row(
        "joined for conntrack and cut again",
        masquerading_node(),
        "a",
        "192.168.0.100",
        ("error 3/3 from 192.168.0.100",),
        ("x", DropReason.NO_SOCKET),
        payload=3000,
        df=False,
    ),
    Row(
        "a nodePort's fragments",
        open_udp_node_port(),
        "x",
        "192.168.0.12",
        ("answer from 192.168.0.12",),
        port=30080,
        payload=3000,
        df=False,
    ),
    # without conntrack a later fragment has no port, and the rule does not match it: the packet never is whole
    Row(
        "a rule on ports and no conntrack",
        port_rule(accept=True),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n1", DropReason.NETFILTER_DROP),
        payload=3000,
        df=False,
    ),
    Row(
        "fragments in a bridge with conntrack",
        bridged_conntrack(),
        "a",
        "10.244.0.3",
        ("answer from 10.244.0.3",),
        payload=3000,
        df=False,
    ),
    # --- who may be the source ---------------------------------------------------------------------------------
    Row("asymmetric, rp_filter 0", asymmetric(), "x", "10.244.1.2", ("answer from 10.244.1.2",)),
    # an ARP request is validated as any packet: n1 does not answer x
    Row(
        "asymmetric, rp_filter 1",
        asymmetric(net__ipv4__conf__all__rp_filter="1"),
        "x",
        "10.244.1.2",
        ("error 3/1 from 192.168.0.100",),
        ("x", DropReason.NEIGH_FAILED),
    ),
    Row(
        "asymmetric, rp_filter 1, neighbour known",
        knows_n1(asymmetric(net__ipv4__conf__all__rp_filter="1")),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n1", DropReason.IP_RPFILTER),
    ),
    Row(
        "asymmetric, rp_filter 2",
        asymmetric(net__ipv4__conf__all__rp_filter="2"),
        "x",
        "10.244.1.2",
        ("answer from 10.244.1.2",),
    ),
    Row(
        "asymmetric, rp_filter 1 of the device",
        knows_n1(asymmetric(net__ipv4__conf__eth0__rp_filter="1")),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n1", DropReason.IP_RPFILTER),
    ),
    Row(
        "asymmetric, the larger rp_filter counts",
        asymmetric(net__ipv4__conf__all__rp_filter="1", net__ipv4__conf__eth0__rp_filter="2"),
        "x",
        "10.244.1.2",
        ("answer from 10.244.1.2",),
    ),
    Row(
        "asymmetric, rp_filter 1 of another device",
        asymmetric(net__ipv4__conf__cni0__rp_filter="1"),
        "x",
        "10.244.1.2",
        ("answer from 10.244.1.2",),
    ),
    Row(
        "loose rp_filter without any route back",
        with_sysctls(odd_source(), "n2", net__ipv4__conf__all__rp_filter="2"),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_RPFILTER),
    ),
    Row(
        "no rp_filter and no route back",
        odd_source(),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_INNOROUTES),
    ),
    # --- localhost and DNAT in OUTPUT ---------------------------------------------------------------------------
    Row(
        "localhost nodePort without route_localnet",
        node_port(masquerade=True),
        "n",
        "127.0.0.1",
        NOBODY,
        ("n", DropReason.IP_OUTNOROUTES),
        tcp=True,
        port=30080,
    ),
    Row(
        "localhost nodePort with route_localnet",
        node_port(masquerade=True, net__ipv4__conf__all__route_localnet="1"),
        "n",
        "127.0.0.1",
        ("SYN-ACK from 127.0.0.1",),
        tcp=True,
        port=30080,
    ),
    # the node asks for the pod's MAC as 127.0.0.1, which is a martian to the pod
    Row(
        "localhost nodePort without masquerade",
        node_port(masquerade=False, net__ipv4__conf__all__route_localnet="1"),
        "n",
        "127.0.0.1",
        ("error 3/1 from 127.0.0.1",),
        ("n", DropReason.NEIGH_FAILED),
        tcp=True,
        port=30080,
    ),
    # --- own addresses of others ---------------------------------------------------------------------------------
    Row(
        "a source that the router has itself",
        martian_accepted("0"),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_LOCAL_SOURCE),
    ),
    # accept_local lets it pass; the answer goes to the router, which knows nothing of it
    Row(
        "a source that the router has itself, accept_local 1",
        martian_accepted("1"),
        "x",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.NO_SOCKET),
    ),
    # --- bridge ports ------------------------------------------------------------------------------------------
    Row(
        "isolated ports", isolated(), "a", "10.244.0.3", ("error 3/1 from 10.244.0.2",), ("a", DropReason.NEIGH_FAILED)
    ),
    Row(
        "isolated port to the bridge device",
        isolated(),
        "a",
        "10.244.0.1",
        ("error 3/3 from 10.244.0.1",),
        ("n", DropReason.NO_SOCKET),
    ),
    # --- NAT on the way ----------------------------------------------------------------------------------------
    Row(
        "port closed behind masquerade",
        masquerading_node(),
        "a",
        "192.168.0.100",
        ("error 3/3 from 192.168.0.100",),
        ("x", DropReason.NO_SOCKET),
    ),
    Row(
        "nodePort of the pod's node",
        node_port_of("n2", masquerade=False),
        "x",
        "192.168.0.12",
        ("SYN-ACK from 192.168.0.12",),
        tcp=True,
        port=30080,
    ),
    Row(
        "nodePort of another node",
        node_port_of("n1", masquerade=True),
        "x",
        "192.168.0.11",
        ("SYN-ACK from 192.168.0.11",),
        tcp=True,
        port=30080,
    ),
    # the reply comes straight from n2, from an address that x never asked
    Row(
        "nodePort of another node, no masquerade",
        node_port_of("n1", masquerade=False),
        "x",
        "192.168.0.11",
        NOBODY,
        ("x", DropReason.TCP_INVALID),
        tcp=True,
        port=30080,
    ),
    Row(
        "FORWARD policy DROP",
        node_port_of("n1", masquerade=True, policy="DROP"),
        "x",
        "192.168.0.11",
        NOBODY,
        ("n1", DropReason.NETFILTER_DROP),
        tcp=True,
        port=30080,
    ),
    Row(
        "port closed behind a nodePort",
        udp_node_port(),
        "x",
        "192.168.0.12",
        ("error 3/3 from 192.168.0.12",),
        ("c", DropReason.NO_SOCKET),
        port=30080,
    ),
    # the error is about a connection that was never confirmed, and is translated back all the same
    Row(
        "rejected behind a nodePort",
        udp_node_port("-A FORWARD -d 10.244.1.2/32 -j REJECT\n"),
        "x",
        "192.168.0.12",
        ("error 3/3 from 192.168.0.12",),
        ("n2", DropReason.NETFILTER_REJECT),
        port=30080,
    ),
    # --- REJECT ------------------------------------------------------------------------------------------------
    *(
        Row(
            f"reject with {kind}",
            rejecting(kind),
            "a",
            "10.244.1.2",
            (f"error 3/{code} from 10.244.0.1",),
            ("n1", DropReason.NETFILTER_REJECT),
        )
        for kind, code in (
            ("icmp-net-unreachable", 0),
            ("icmp-host-unreachable", 1),
            ("icmp-proto-unreachable", 2),
            ("icmp-port-unreachable", 3),
            ("icmp-net-prohibited", 9),
            ("icmp-host-prohibited", 10),
            ("icmp-admin-prohibited", 13),
        )
    ),
    Row(
        "reject in the sender's OUTPUT",
        rejecting("icmp-port-unreachable", "OUTPUT"),
        "a",
        "10.244.1.2",
        ("error 3/3 from 10.244.0.2",),
        ("a", DropReason.NETFILTER_REJECT),
    ),
)


def named(name: str) -> Row:
    return next(replace(row) for row in ROWS if row.id == name)
