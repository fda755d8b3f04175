"""What becomes of one IPv4 packet in small hand-made networks. The model's tests and the real kernel's read the same rows."""

from __future__ import annotations

from netsim.net.address import parse_address
from netsim.stack.reasons import DropReason
from netsim.topology.model import Neighbour, Topology
from tests.table.stack_rows_alike import (
    NOBODY,
    ROWS_ALIKE4,
    Row,
    extra_route,
    isolated,
    masquerading,
    replaced_routes,
    second_address,
    with_rules,
)
from tests.unit.stack_world import GROUND4, changed, netns, route, same_node, two_nodes, with_device, with_sysctls


def local_node_port(*, masquerade: bool, **sysctls: str) -> Topology:
    post = "-A POSTROUTING -d 10.244.0.2/32 -j MASQUERADE\n" if masquerade else ""
    text = (
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        f"-A OUTPUT -d 127.0.0.1/32 -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.0.2:80\n{post}COMMIT\n"
    )
    return with_sysctls(same_node(rules=text), "n", **sysctls)


def asymmetric(**sysctls: str) -> Topology:
    """x sends to pod c through n1, which has its route to x through cni0."""
    world = replaced_routes(two_nodes(), "x", route("10.244.1.0/24", "192.168.0.11"))
    world = extra_route(world, "n1", route("192.168.0.100/32", dev="cni0"))
    return with_sysctls(world, "n1", **sysctls)


def rejecting(kind: str) -> Topology:
    rule = f"-A FORWARD -d 10.244.1.2/32 -j REJECT --reject-with {kind}"
    return with_rules(GROUND4, two_nodes(), "n1", filter=rule)


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


def forwarding_nothing() -> Topology:
    """Node n1 sends its TCP port 30080 to pod c on n2, and its policy lets nothing through."""
    text = (
        "*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\nCOMMIT\n"
        "*nat\n:PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n"
        "-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination 10.244.1.2:80\nCOMMIT\n"
    )
    return changed(two_nodes(), "n1", xtables=netns("n1", (), rules=text).xtables)


def narrow() -> Topology:
    """The way from n2 to pod c is narrower than the rest."""
    world = two_nodes()
    for at in ("n2/cni0", "n2/vethc", "c/eth0"):
        world = with_device(world, at, mtu=1400)
    return world


def port_rule(*, accept: bool) -> Topology:
    """Node n1 forwards UDP to port 53 and nothing else, without conntrack."""
    verdict = "ACCEPT" if accept else "DROP"
    text = f"*filter\n:INPUT ACCEPT\n:FORWARD DROP\n:OUTPUT ACCEPT\n-A FORWARD -p udp -m udp --dport 53 -j {verdict}\nCOMMIT\n"
    return changed(two_nodes(), "n1", xtables=netns("n1", (), rules=text).xtables)


def martian_accepted(value: str) -> Topology:
    """x has n2's pod bridge address as a second address and sends from it, with n2's MAC known to it."""
    world = second_address(two_nodes(), "x/eth0", "10.244.1.1/32")
    world = replaced_routes(world, "x", route("10.244.1.2/32", "192.168.0.12", source=parse_address("10.244.1.1")))
    world = with_sysctls(world, "n2", net__ipv4__conf__all__accept_local=value)
    return knowing(world, "x", "192.168.0.12", "n2/eth0")


W = two_nodes()
ROWS: tuple[Row, ...] = (
    *ROWS_ALIKE4,
    # --- delivered ---------------------------------------------------------------------------------------------
    Row("to any loopback address", W, "a", "127.9.9.9", ("answer from 127.9.9.9",)),
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
    Row("directed broadcast", W, "a", "10.244.1.255", NOBODY, ("n2", DropReason.NO_SOCKET)),
    # --- no route ----------------------------------------------------------------------------------------------
    Row(
        "forwarding off on the device it came in on",
        changed(W, "n2", sysctls={"net.ipv4.conf.cni0.forwarding": "1"}),
        "a",
        "10.244.1.2",
        NOBODY,
        ("n2", DropReason.IP_FORWARDING_OFF),
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
    # --- neighbours --------------------------------------------------------------------------------------------
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
        "bridge down",
        with_device(W, "n2/cni0", up=False),
        "a",
        "10.244.1.2",
        ("error 3/0 from 192.168.0.12",),
        ("n2", DropReason.IP_INNOROUTES),
    ),
    # --- MTU ---------------------------------------------------------------------------------------------------
    Row(
        "switch port is smaller",
        with_device(W, "sw/n2", mtu=1400),
        "a",
        "10.244.1.2",
        NOBODY,
        ("sw", DropReason.PKT_TOO_BIG),
        payload=1400,
    ),
    # --- fragments ---------------------------------------------------------------------------------------------
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
        masquerading(GROUND4),
        "a",
        "192.168.0.100",
        ("error 3/3 from 192.168.0.100",),
        ("x", DropReason.NO_SOCKET),
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
        local_node_port(masquerade=True),
        "n",
        "127.0.0.1",
        NOBODY,
        ("n", DropReason.IP_OUTNOROUTES),
        tcp=True,
        port=30080,
    ),
    Row(
        "localhost nodePort with route_localnet",
        local_node_port(masquerade=True, net__ipv4__conf__all__route_localnet="1"),
        "n",
        "127.0.0.1",
        ("SYN-ACK from 127.0.0.1",),
        tcp=True,
        port=30080,
    ),
    # the node asks for the pod's MAC as 127.0.0.1, which is a martian to the pod
    Row(
        "localhost nodePort without masquerade",
        local_node_port(masquerade=False, net__ipv4__conf__all__route_localnet="1"),
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
        "isolated port to the bridge device",
        isolated(GROUND4),
        "a",
        "10.244.0.1",
        ("error 3/3 from 10.244.0.1",),
        ("n", DropReason.NO_SOCKET),
    ),
    # --- NAT on the way ----------------------------------------------------------------------------------------
    Row(
        "port closed behind masquerade",
        masquerading(GROUND4),
        "a",
        "192.168.0.100",
        ("error 3/3 from 192.168.0.100",),
        ("x", DropReason.NO_SOCKET),
    ),
    Row(
        "FORWARD policy DROP",
        forwarding_nothing(),
        "x",
        "192.168.0.11",
        NOBODY,
        ("n1", DropReason.NETFILTER_DROP),
        tcp=True,
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
)
