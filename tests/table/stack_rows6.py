"""What becomes of one IPv6 packet in small hand-made networks. The model's tests and the real kernel's read the same rows."""

from __future__ import annotations

from netsim.net.address import MAC, parse_address
from netsim.net.packet import Protocol
from netsim.stack.reasons import DropReason
from netsim.topology.model import BridgePort, Listener, Neighbour, RouteType, Topology
from tests.table.stack_rows import NOBODY, Row, extra_route, replaced_routes, second_address
from tests.unit.stack_world import changed, netns, route, with_device, with_sysctls
from tests.unit.stack_world6 import same_node6, two_nodes6

W = two_nodes6()
CHAINS = {
    "filter": ":INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n",
    "nat": ":PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n",
}


def with_rules6(world: Topology, name: str, **tables: str) -> Topology:
    """Rules of a namespace, a text of ``-A`` lines for each table."""
    text = "".join(f"*{table}\n{CHAINS[table]}{lines}\nCOMMIT\n" for table, lines in tables.items())
    return changed(world, name, xtables=netns(name, (), rules6=text).xtables)


def dropping(name: str, chain: str, kind: int) -> Topology:
    """A namespace whose rules drop one kind of neighbour discovery."""
    return with_rules6(two_nodes6(), name, filter=f"-A {chain} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j DROP")


def without_forwarding(**sysctls: str) -> Topology:
    return with_sysctls(changed(W, "n2", sysctls={}), "n2", **sysctls)


def rejecting(kind: str, chain: str = "FORWARD", protocol: str = "") -> Topology:
    name = "n1" if chain == "FORWARD" else "a"
    return with_rules6(W, name, filter=f"-A {chain} -d fd00:11::2/128 {protocol} -j REJECT --reject-with {kind}")


def node_port(name: str, *, masquerade: bool, filtered: str = "") -> Topology:
    """Node ``name`` sends its port 30080 to pod c on n2."""
    post = "\n-A POSTROUTING -d fd00:11::2/128 -j MASQUERADE" if masquerade else ""
    rules = f"-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination [fd00:11::2]:80{post}"
    udp = "\n-A PREROUTING -p udp -m udp --dport 30080 -j DNAT --to-destination [fd00:11::2]:54"
    world = extra_route(two_nodes6(), "x", route("fd00:10::/64", "fd00::11"))
    return with_rules6(world, name, nat=rules + udp, **({"filter": filtered} if filtered else {}))


def masquerading() -> Topology:
    rules = "-A POSTROUTING -s fd00:10::/64 ! -d fd00:10::/63 -j MASQUERADE"
    return with_rules6(two_nodes6(), "n1", nat=rules)


def link_local_nexthops() -> Topology:
    """The nodes route to each other's pods through their link-local addresses."""
    world = W
    for here, there, pods in (("n1", "n2", "fd00:11::/64"), ("n2", "n1", "fd00:10::/64")):
        world = replaced_routes(world, here, route(pods, link_local(world, f"{there}/eth0"), "eth0"))
    return world


def link_local(world: Topology, at: str) -> str:
    from netsim.stack.addrconf import eui64_link_local

    name, dev = at.split("/")
    found = world.namespaces[name].device(dev)
    assert found is not None
    return str(eui64_link_local(found.mac).ip)


def only_link_local() -> Topology:
    """Pod a has no address of its own but the link-local one, and a default route through its node's."""
    gateway = link_local(W, "n1/cni0")
    world = with_device(W, "a/eth0", addresses=())
    return replaced_routes(world, "a", route("default", gateway, "eth0"))


def wrong_neighbour() -> Topology:
    entry = Neighbour("cni0", parse_address("fd00:11::2"), MAC.parse("02:00:00:00:00:99"))
    return changed(W, "n2", neighbours=(entry,))


def listening(world: Topology, name: str, address: str | None, *, v6only: bool = False) -> Topology:
    bound = parse_address(address) if address else None
    return changed(world, name, listeners=(Listener(Protocol.UDP, 53, bound, owner="dns", v6only=v6only),))


def bridged_service(call: str, *, hairpin: bool = False) -> Topology:
    """The node translates fd00:96::10 port 80 to pod b, or to pod a itself where ``hairpin``."""
    backend = "fd00:10::2" if hairpin else "fd00:10::3"
    rules = f"-A PREROUTING -d fd00:96::10/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [{backend}]:80"
    masquerade = "\n-A POSTROUTING -s fd00:10::2/128 -d fd00:10::2/128 -j MASQUERADE" if hairpin else ""
    world = same_node6(hairpin=hairpin, sysctls={"net.bridge.bridge-nf-call-ip6tables": call})
    return with_rules6(world, "n", nat=rules + masquerade)


def bridged_drop(call: str) -> Topology:
    """The node's FORWARD drops everything; pods a and b are on one bridge."""
    world = same_node6(sysctls={"net.bridge.bridge-nf-call-ip6tables": call})
    return with_rules6(world, "n", filter="-A FORWARD -j DROP")


def bridged_reject(kind: str, protocol: str) -> Topology:
    rules = f"-A FORWARD -d fd00:10::3/128 -p {protocol} -m {protocol} --dport 50:90 -j REJECT --reject-with {kind}"
    return with_rules6(same_node6(), "n", filter=rules)


def isolated() -> Topology:
    world = same_node6()
    for name in ("vetha", "vethb"):
        world = with_device(world, f"n/{name}", port=BridgePort("cni0", isolated=True))
    return world


def untracked() -> Topology:
    """Only what belongs to a known connection comes back to pod a: an error must be recognised by what it quotes."""
    rules = (
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\n"
        "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT\n-A INPUT -j DROP"
    )
    return with_rules6(W, "a", filter=rules)


def narrow6(world: Topology = W) -> Topology:
    """The way from n2 to pod c is narrower than the rest."""
    return with_device(with_device(world, "n2/cni0", mtu=1400), "n2/vethc", mtu=1400)


def open_udp_node_port6() -> Topology:
    return with_rules6(
        W, "n2", nat="-A PREROUTING -p udp -m udp --dport 30080 -j DNAT --to-destination [fd00:11::2]:53"
    )


def bridged_conntrack6() -> Topology:
    rules = (
        "-A FORWARD -p ipv6-icmp -j ACCEPT\n-A FORWARD -p udp -m udp --dport 53 -j ACCEPT\n"
        "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A FORWARD -j DROP"
    )
    return with_rules6(same_node6(), "n", filter=rules)


ROWS6: tuple[Row, ...] = (
    # --- delivered ---------------------------------------------------------------------------------------------
    Row("two nodes", W, "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row("two nodes tcp", W, "a", "fd00:11::2", ("SYN-ACK from fd00:11::2",), tcp=True, port=80),
    Row("from outside the cluster", W, "x", "fd00:11::2", ("answer from fd00:11::2",)),
    Row("same node", same_node6(), "a", "fd00:10::3", ("answer from fd00:10::3",)),
    Row("to the node", W, "a", "fd00::12", ("SYN-ACK from fd00::12",), tcp=True, port=22),
    Row("to the node's other address", W, "x", "fd00:11::1", ("SYN-ACK from fd00:11::1",), tcp=True, port=22),
    Row("to itself", W, "a", "fd00:10::2", ("answer from fd00:10::2",)),
    Row("to loopback", W, "a", "::1", ("answer from ::1",)),
    Row("link-local next hops", link_local_nexthops(), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row("to no address: to itself", W, "a", "::", ("answer from ::1",)),
    # --- what a socket refuses ---------------------------------------------------------------------------------
    Row("tcp to a group", W, "a", "ff05::9", ("ENETUNREACH",), ("a", DropReason.SOCKET_REFUSED), tcp=True),
    Row("tcp to a group of the link", W, "a", "ff02::1", ("ENETUNREACH",), ("a", DropReason.SOCKET_REFUSED), tcp=True),
    Row("udp to a group of the link", W, "a", "ff02::1", ("EINVAL",), ("a", DropReason.IP_OUTNOROUTES)),
    # --- nobody listens ----------------------------------------------------------------------------------------
    Row("udp port closed", W, "a", "fd00:11::2", ("error 1/4 from fd00:11::2",), ("c", DropReason.NO_SOCKET), port=54),
    Row(
        "tcp port closed",
        W,
        "a",
        "fd00:11::2",
        ("RST-ACK from fd00:11::2",),
        ("c", DropReason.NO_SOCKET),
        tcp=True,
        port=81,
    ),
    Row("own port closed", W, "a", "fd00:10::2", ("error 1/4 from fd00:10::2",), ("a", DropReason.NO_SOCKET), port=54),
    Row(
        "listener of another address",
        listening(W, "c", "::1"),
        "a",
        "fd00:11::2",
        ("error 1/4 from fd00:11::2",),
        ("c", DropReason.NO_SOCKET),
    ),
    Row("listener of this address", listening(W, "c", "fd00:11::2"), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row("listener of ::", listening(W, "c", "::"), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row("listener of :: alone", listening(W, "c", "::", v6only=True), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row(
        "listener of 0.0.0.0",
        listening(W, "c", "0.0.0.0"),
        "a",
        "fd00:11::2",
        ("error 1/4 from fd00:11::2",),
        ("c", DropReason.NO_SOCKET),
    ),
    # --- no route ----------------------------------------------------------------------------------------------
    Row("no route at the sender", W, "x", "fd00:10::2", ("ENETUNREACH",), ("x", DropReason.IP_OUTNOROUTES)),
    Row(
        "no route at the router",
        W,
        "a",
        "2001:db8::1",
        ("error 1/0 from fd00:10::1",),
        ("n1", DropReason.IP_INNOROUTES),
    ),
    *(
        Row(
            f"{kind.value} route at the router",
            extra_route(W, "n1", route("2001:db8::/64", type=kind)),
            "a",
            "2001:db8::1",
            heard,
            ("n1", reason),
        )
        for kind, heard, reason in (
            (RouteType.UNREACHABLE, ("error 1/0 from fd00:10::1",), DropReason.IP_INADDRERRORS),
            (RouteType.PROHIBIT, ("error 1/1 from fd00:10::1",), DropReason.IP_INADDRERRORS),
            (RouteType.BLACKHOLE, NOBODY, DropReason.ROUTE_BLACKHOLE),
            (RouteType.THROW, ("error 1/0 from fd00:10::1",), DropReason.IP_INNOROUTES),
        )
    ),
    *(
        Row(
            f"{kind.value} route at the sender",
            extra_route(W, "x", route("2001:db8::/64", type=kind)),
            "x",
            "2001:db8::1",
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
        without_forwarding(),
        "a",
        "fd00:11::2",
        NOBODY,
        ("n2", DropReason.IP_FORWARDING_OFF),
    ),
    # unlike IPv4 only "all" counts
    Row(
        "forwarding of the device alone",
        without_forwarding(net__ipv6__conf__eth0__forwarding="1"),
        "a",
        "fd00:11::2",
        NOBODY,
        ("n2", DropReason.IP_FORWARDING_OFF),
    ),
    # unlike IPv4 a host that does not forward still says that it has no route
    Row(
        "no route and forwarding off",
        replaced_routes(changed(W, "n1", sysctls={}), "n1"),
        "a",
        "2001:db8::1",
        ("error 1/0 from fd00:10::1",),
        ("n1", DropReason.IP_INNOROUTES),
    ),
    Row(
        "a more specific route wins over a smaller metric",
        extra_route(W, "n1", route("fd00:11::2/128", type=RouteType.BLACKHOLE, metric=9000)),
        "a",
        "fd00:11::2",
        NOBODY,
        ("n1", DropReason.ROUTE_BLACKHOLE),
    ),
    Row(
        "the smaller metric wins",
        extra_route(W, "n1", route("fd00:11::/64", type=RouteType.BLACKHOLE, metric=2000)),
        "a",
        "fd00:11::2",
        ("answer from fd00:11::2",),
    ),
    # --- hop limit ---------------------------------------------------------------------------------------------
    Row("hop limit 1", W, "a", "fd00:11::2", ("error 3/0 from fd00:10::1",), ("n1", DropReason.TTL_EXCEEDED), ttl=1),
    Row("hop limit 2", W, "a", "fd00:11::2", ("error 3/0 from fd00::12",), ("n2", DropReason.TTL_EXCEEDED), ttl=2),
    Row("hop limit 3", W, "a", "fd00:11::2", ("answer from fd00:11::2",), ttl=3),
    Row(
        "hop limit 1 to the router itself",
        W,
        "a",
        "fd00:10::1",
        ("error 1/4 from fd00:10::1",),
        ("n1", DropReason.NO_SOCKET),
        ttl=1,
    ),
    # the route back to a leaves by eth0, and the error's source is still that of the device it came in by
    Row(
        "a loop of routes",
        extra_route(extra_route(W, "n1", route("2001:db8::/64", "fd00::12")), "n2", route("2001:db8::/64", "fd00::11")),
        "a",
        "2001:db8::1",
        ("error 3/0 from fd00::12",),
        ("n2", DropReason.TTL_EXCEEDED),
    ),
    # --- neighbours --------------------------------------------------------------------------------------------
    Row("nobody there, far", W, "a", "fd00:11::9", ("error 1/3 from fd00::12",), ("n2", DropReason.NEIGH_FAILED)),
    Row("nobody there, near", W, "a", "fd00:10::9", ("error 1/3 from fd00:10::2",), ("a", DropReason.NEIGH_FAILED)),
    Row(
        "gateway that is not there",
        replaced_routes(W, "a", route("default", "fd00:10::77", "eth0")),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::2",),
        ("a", DropReason.NEIGH_FAILED),
    ),
    Row("wrong permanent neighbour", wrong_neighbour(), "a", "fd00:11::2", NOBODY, ("c", DropReason.OTHERHOST)),
    # unlike ARP, a host answers only for the addresses of the device that it was asked on
    Row(
        "an address on another device is not answered for",
        replaced_routes(W, "x", route("fd00:11::/64", dev="eth0")),
        "x",
        "fd00:11::1",
        ("error 1/3 from fd00::100",),
        ("x", DropReason.NEIGH_FAILED),
    ),
    Row(
        "after masquerading nobody there",
        masquerading(),
        "a",
        "fd00::99",
        ("error 1/3 from fd00::11",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    # --- rules that drop neighbour discovery ---------------------------------------------------------------------
    Row(
        "solicitations dropped in INPUT",
        dropping("n2", "INPUT", 135),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    Row(
        "advertisements dropped in OUTPUT",
        dropping("n2", "OUTPUT", 136),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    Row(
        "advertisements dropped in INPUT",
        dropping("n1", "INPUT", 136),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    Row(
        "solicitations dropped in OUTPUT",
        dropping("n1", "OUTPUT", 135),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    # --- devices -----------------------------------------------------------------------------------------------
    Row(
        "pod's device down",
        with_device(W, "c/eth0", up=False),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00::12",),
        ("n2", DropReason.NEIGH_FAILED),
    ),
    Row(
        "node's device down",
        with_device(W, "n1/eth0", up=False),
        "a",
        "fd00:11::2",
        ("error 1/0 from fd00:10::1",),
        ("n1", DropReason.IP_INNOROUTES),
    ),
    Row(
        "own device down",
        with_device(W, "a/eth0", up=False),
        "a",
        "fd00:11::2",
        ("ENETUNREACH",),
        ("a", DropReason.IP_OUTNOROUTES),
    ),
    Row(
        "switch port of the sender down",
        with_device(W, "sw/n1", up=False),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NO_CARRIER),
    ),
    Row(
        "switch port of the receiver down",
        with_device(W, "sw/n2", up=False),
        "a",
        "fd00:11::2",
        ("error 1/3 from fd00:10::1",),
        ("n1", DropReason.NEIGH_FAILED),
    ),
    # --- MTU ---------------------------------------------------------------------------------------------------
    Row(
        "router's way out is smaller",
        with_device(with_device(W, "n2/cni0", mtu=1400), "n2/vethc", mtu=1400),
        "a",
        "fd00:11::2",
        ("error 2/0 mtu 1400 from fd00::12",),
        ("n2", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row(
        "sender's device is smaller",
        with_device(W, "a/eth0", mtu=1400),
        "a",
        "fd00:11::2",
        ("EMSGSIZE",),
        ("a", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row(
        "receiver's end of the veth is smaller",
        with_device(W, "c/eth0", mtu=1400),
        "a",
        "fd00:11::2",
        NOBODY,
        ("n2", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    Row("just as large as the MTU", W, "a", "fd00:11::2", ("answer from fd00:11::2",), payload=1452),
    # --- fragments ---------------------------------------------------------------------------------------------
    Row("cut by the sender", W, "a", "fd00:11::2", ("answer from fd00:11::2",), payload=3000, df=False),
    # a router does not cut, and the sender would have to send smaller fragments
    Row(
        "not cut by the router",
        narrow6(),
        "a",
        "fd00:11::2",
        ("error 2/0 mtu 1400 from fd00::12",),
        ("n2", DropReason.PKT_TOO_BIG),
        payload=1400,
        df=False,
    ),
    # conntrack joins the fragments, and the packet is cut again as it came
    Row(
        "a nodePort's fragments",
        open_udp_node_port6(),
        "x",
        "fd00::12",
        ("answer from fd00::12",),
        port=30080,
        payload=3000,
        df=False,
    ),
    # the fragments were of 1500 bytes: too large for the way on
    Row(
        "fragments joined and too large again",
        narrow6(open_udp_node_port6()),
        "x",
        "fd00::12",
        ("error 2/0 mtu 1400 from fd00::12",),
        ("n2", DropReason.PKT_TOO_BIG),
        port=30080,
        payload=3000,
        df=False,
    ),
    Row(
        "fragments in a bridge with conntrack",
        bridged_conntrack6(),
        "a",
        "fd00:10::3",
        ("answer from fd00:10::3",),
        payload=3000,
        df=False,
    ),
    # --- source addresses --------------------------------------------------------------------------------------
    Row(
        "a link-local source goes no further than its link",
        only_link_local(),
        "a",
        "fd00:11::2",
        (f"error 1/2 from {link_local(W, 'n1/cni0')}",),
        ("n1", DropReason.IP_INVALID_SOURCE),
    ),
    Row(
        "a link-local source to the node",
        only_link_local(),
        "a",
        "fd00:10::1",
        ("SYN-ACK from fd00:10::1",),
        tcp=True,
        port=22,
    ),
    Row(
        "no route back",
        replaced_routes(
            second_address(W, "x/eth0", "2001:db8:5::5/64"),
            "x",
            route("fd00:11::/64", "fd00::12", source=parse_address("2001:db8:5::5")),
        ),
        "x",
        "fd00:11::2",
        NOBODY,
        ("n2", DropReason.IP_INNOROUTES),
    ),
    Row(
        "a link-local destination without its device", W, "a", "fe80::1", ("EINVAL",), ("a", DropReason.IP_OUTNOROUTES)
    ),
    # --- bridges -----------------------------------------------------------------------------------------------
    Row(
        "isolated ports", isolated(), "a", "fd00:10::3", ("error 1/3 from fd00:10::2",), ("a", DropReason.NEIGH_FAILED)
    ),
    Row(
        "a bridged Service",
        bridged_service("1"),
        "a",
        "fd00:96::10",
        ("SYN-ACK from fd00:96::10",),
        tcp=True,
        port=80,
    ),
    # the answer is bridged past the translation
    Row(
        "a bridged Service without bridge-nf-call-ip6tables",
        bridged_service("0"),
        "a",
        "fd00:96::10",
        NOBODY,
        ("a", DropReason.TCP_INVALID),
        tcp=True,
        port=80,
    ),
    Row(
        "a pod's own Service with hairpin",
        bridged_service("1", hairpin=True),
        "a",
        "fd00:96::10",
        ("SYN-ACK from fd00:96::10",),
        tcp=True,
        port=80,
    ),
    # FORWARD also sees the solicitation that a bridge floods
    Row(
        "bridged neighbour discovery dropped in FORWARD",
        bridged_drop("1"),
        "a",
        "fd00:10::3",
        ("error 1/3 from fd00:10::2",),
        ("a", DropReason.NEIGH_FAILED),
    ),
    Row("the same without bridge-nf-call-ip6tables", bridged_drop("0"), "a", "fd00:10::3", ("answer from fd00:10::3",)),
    Row(
        "bridged reject",
        bridged_reject("icmp6-port-unreachable", "udp"),
        "a",
        "fd00:10::3",
        ("error 1/4 from fd00:10::1",),
        ("n", DropReason.NETFILTER_REJECT),
    ),
    Row(
        "bridged reset",
        bridged_reject("tcp-reset", "tcp"),
        "a",
        "fd00:10::3",
        ("RST-ACK from fd00:10::3",),
        ("n", DropReason.NETFILTER_REJECT),
        tcp=True,
        port=80,
    ),
    # --- NAT on the way ----------------------------------------------------------------------------------------
    Row(
        "masquerade",
        masquerading(),
        "a",
        "fd00::100",
        ("error 1/4 from fd00::100",),
        ("x", DropReason.NO_SOCKET),
        port=54,
    ),
    Row(
        "nodePort of the pod's node",
        node_port("n2", masquerade=False),
        "x",
        "fd00::12",
        ("SYN-ACK from fd00::12",),
        tcp=True,
        port=30080,
    ),
    Row(
        "nodePort of another node",
        node_port("n1", masquerade=True),
        "x",
        "fd00::11",
        ("SYN-ACK from fd00::11",),
        tcp=True,
        port=30080,
    ),
    Row(
        "nodePort of another node, no masquerade",
        node_port("n1", masquerade=False),
        "x",
        "fd00::11",
        NOBODY,
        ("x", DropReason.TCP_INVALID),
        tcp=True,
        port=30080,
    ),
    Row(
        "port closed behind a nodePort",
        node_port("n2", masquerade=False),
        "x",
        "fd00::12",
        ("error 1/4 from fd00::12",),
        ("c", DropReason.NO_SOCKET),
        port=30080,
    ),
    # the error is about a connection that was never confirmed, and is translated back all the same
    Row(
        "rejected behind a nodePort",
        node_port("n2", masquerade=False, filtered="-A FORWARD -d fd00:11::2/128 -j REJECT"),
        "x",
        "fd00::12",
        ("error 1/4 from fd00::12",),
        ("n2", DropReason.NETFILTER_REJECT),
        port=30080,
    ),
    # --- conntrack ---------------------------------------------------------------------------------------------
    Row("only related errors come in", untracked(), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    Row(
        "an error is related to what it quotes",
        untracked(),
        "a",
        "fd00:11::2",
        ("error 1/4 from fd00:11::2",),
        ("c", DropReason.NO_SOCKET),
        port=54,
    ),
    # --- REJECT ------------------------------------------------------------------------------------------------
    *(
        Row(
            f"reject with {kind}",
            rejecting(kind),
            "a",
            "fd00:11::2",
            (f"error 1/{code} from fd00:10::1",),
            ("n1", DropReason.NETFILTER_REJECT),
        )
        for kind, code in (
            ("icmp6-no-route", 0),
            ("icmp6-adm-prohibited", 1),
            ("icmp6-addr-unreachable", 3),
            ("icmp6-port-unreachable", 4),
            ("icmp6-policy-fail", 5),
            ("icmp6-reject-route", 6),
        )
    ),
    Row(
        "reject with tcp-reset",
        rejecting("tcp-reset", protocol="-p tcp"),
        "a",
        "fd00:11::2",
        ("RST-ACK from fd00:11::2",),
        ("n1", DropReason.NETFILTER_REJECT),
        tcp=True,
        port=80,
    ),
    Row(
        "reject in the sender's OUTPUT",
        rejecting("icmp6-port-unreachable", "OUTPUT"),
        "a",
        "fd00:11::2",
        ("error 1/4 from fd00:10::2",),
        ("a", DropReason.NETFILTER_REJECT),
    ),
)
