"""What becomes of one packet where IPv4 and IPv6 are alike: the same rows on the ground of either family."""

from __future__ import annotations

from dataclasses import dataclass

from netsim.net.address import MAC, Family, parse_address, parse_interface
from netsim.net.packet import Protocol
from netsim.stack.reasons import DropReason
from netsim.topology.model import BridgePort, Listener, Neighbour, RouteType, Topology
from tests.unit.stack_world import GROUND4, GROUND6, Ground, changed, netns, route, same_node, two_nodes, with_device

NOBODY: tuple[str, ...] = ()
CHAINS = {
    "filter": ":INPUT ACCEPT\n:FORWARD ACCEPT\n:OUTPUT ACCEPT\n",
    "nat": ":PREROUTING ACCEPT\n:INPUT ACCEPT\n:OUTPUT ACCEPT\n:POSTROUTING ACCEPT\n",
}


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


@dataclass(frozen=True)
class Words:
    """How a family calls things: a router's errors (type and code), its own address, targets."""

    no_route: str
    no_host: str
    no_port: str
    prohibited: str
    unreachable_route: str
    too_big: str
    expired: str
    loopback: str
    unspecified: str
    port_unreachable: str
    cluster: str
    mtu_payload: int
    discovery: str = ""


WORDS = {
    Family.IPV4: Words(
        no_route="error 3/0",
        no_host="error 3/1",
        no_port="error 3/3",
        prohibited="error 3/13",
        unreachable_route="error 3/1",
        too_big="error 3/4",
        expired="error 11/0",
        loopback="127.0.0.1",
        unspecified="0.0.0.0",
        port_unreachable="icmp-port-unreachable",
        cluster="10.244.0.0/16",
        mtu_payload=1472,
    ),
    Family.IPV6: Words(
        no_route="error 1/0",
        no_host="error 1/3",
        no_port="error 1/4",
        prohibited="error 1/1",
        unreachable_route="error 1/0",
        too_big="error 2/0",
        expired="error 3/0",
        loopback="::1",
        unspecified="::",
        port_unreachable="icmp6-port-unreachable",
        cluster="fd00:10::/63",
        mtu_payload=1452,
        discovery="-A FORWARD -p ipv6-icmp -j ACCEPT\n",
    ),
}


# --- worlds -----------------------------------------------------------------------------------------------------


def extra_route(world: Topology, name: str, *routes: object) -> Topology:
    return changed(world, name, routes=(*world.namespaces[name].routes, *routes))


def replaced_routes(world: Topology, name: str, *routes: object) -> Topology:
    return changed(world, name, routes=routes)


def second_address(world: Topology, at: str, *addresses: str) -> Topology:
    name, dev = at.split("/")
    found = world.namespaces[name].device(dev)
    assert found is not None
    return with_device(world, at, addresses=(*found.addresses, *map(parse_interface, addresses)))


def listening(world: Topology, name: str, address: str, *, v6only: bool = False) -> Topology:
    listener = Listener(Protocol.UDP, 53, parse_address(address), owner="dns", v6only=v6only)
    return changed(world, name, listeners=(listener,))


def with_rules(ground: Ground, world: Topology, name: str, **tables: str) -> Topology:
    """Rules of a namespace, a text of ``-A`` lines for each table."""
    text = "".join(f"*{table}\n{CHAINS[table]}{lines}\nCOMMIT\n" for table, lines in tables.items())
    made = netns(name, (), rules=text) if ground.family is Family.IPV4 else netns(name, (), rules6=text)
    return changed(world, name, xtables=made.xtables)


def wrong_neighbour(ground: Ground) -> Topology:
    entry = Neighbour("cni0", parse_address(ground.pod(1, 2)), MAC.parse("02:00:00:00:00:99"))
    return changed(two_nodes(ground), "n2", neighbours=(entry,))


def masquerading(ground: Ground) -> Topology:
    """Node n1 masquerades what its pods send out of the cluster."""
    rule = f"-A POSTROUTING -s {ground.pods_of(0)} ! -d {WORDS[ground.family].cluster} -j MASQUERADE"
    return with_rules(ground, two_nodes(ground), "n1", nat=rule)


def node_port(ground: Ground, name: str, *, masquerade: bool, udp: int = 54, **filters: str) -> Topology:
    """Node ``name`` sends its port 30080 to pod c on n2: TCP to port 80, UDP to port ``udp`` (54: nobody listens)."""
    pod = ground.pod(1, 2)
    to = f"[{pod}]" if ground.family is Family.IPV6 else pod
    rules = [
        f"-A PREROUTING -p tcp -m tcp --dport 30080 -j DNAT --to-destination {to}:80",
        f"-A PREROUTING -p udp -m udp --dport 30080 -j DNAT --to-destination {to}:{udp}",
    ]
    if masquerade:
        rules.append(f"-A POSTROUTING -d {pod} -j MASQUERADE")
    world = extra_route(two_nodes(ground), "x", route(ground.pods_of(0), ground.host(11)))
    return with_rules(ground, world, name, nat="\n".join(rules), **filters)


def isolated(ground: Ground) -> Topology:
    world = same_node(ground=ground)
    for name in ("vetha", "vethb"):
        world = with_device(world, f"n/{name}", port=BridgePort("cni0", isolated=True))
    return world


def bridged_conntrack(ground: Ground) -> Topology:
    rules = (
        f"{WORDS[ground.family].discovery}-A FORWARD -p udp -m udp --dport 53 -j ACCEPT\n"
        "-A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT\n-A FORWARD -j DROP"
    )
    return with_rules(ground, same_node(ground=ground), "n", filter=rules)


def loop_of_routes(ground: Ground) -> Topology:
    world = two_nodes(ground)
    for here, there in (("n1", 12), ("n2", 11)):
        world = extra_route(world, here, route(outside(ground), ground.host(there)))
    return world


def outside(ground: Ground) -> str:
    return f"{ground.outside}0/{ground.bits}"


# --- rows -------------------------------------------------------------------------------------------------------


def rows_alike(g: Ground) -> tuple[Row, ...]:
    """The rows that both families share, on one family's ground."""
    w, world = WORDS[g.family], two_nodes(g)
    a, b, c = g.pod(0, 2), g.pod(0, 3), g.pod(1, 2)
    n1, n2, gate1, gate2, far = g.host(11), g.host(12), g.pod(0, 1), g.pod(1, 1), f"{g.outside}1"
    return (
        # --- delivered ---------------------------------------------------------------------------------------------
        Row("two nodes", world, "a", c, (f"answer from {c}",)),
        Row("two nodes tcp", world, "a", c, (f"SYN-ACK from {c}",), tcp=True, port=80),
        Row("from outside the cluster", world, "x", c, (f"answer from {c}",)),
        Row("to the node", world, "a", n2, (f"SYN-ACK from {n2}",), tcp=True, port=22),
        Row("to the node's other address", world, "x", gate2, (f"SYN-ACK from {gate2}",), tcp=True, port=22),
        Row("to itself", world, "a", a, (f"answer from {a}",)),
        Row("to loopback", world, "a", w.loopback, (f"answer from {w.loopback}",)),
        Row("to no address: to itself", world, "a", w.unspecified, (f"answer from {w.loopback}",)),
        # --- nobody listens ----------------------------------------------------------------------------------------
        Row("udp port closed", world, "a", c, (f"{w.no_port} from {c}",), ("c", DropReason.NO_SOCKET), port=54),
        Row(
            "tcp port closed",
            world,
            "a",
            c,
            (f"RST-ACK from {c}",),
            ("c", DropReason.NO_SOCKET),
            tcp=True,
            port=81,
        ),
        Row("own port closed", world, "a", a, (f"{w.no_port} from {a}",), ("a", DropReason.NO_SOCKET), port=54),
        Row(
            "listener of another address",
            listening(world, "c", w.loopback),
            "a",
            c,
            (f"{w.no_port} from {c}",),
            ("c", DropReason.NO_SOCKET),
        ),
        Row("listener of this address", listening(world, "c", c), "a", c, (f"answer from {c}",)),
        # --- no route ----------------------------------------------------------------------------------------------
        Row("no route at the sender", world, "x", a, ("ENETUNREACH",), ("x", DropReason.IP_OUTNOROUTES)),
        Row(
            "no route at the router",
            world,
            "a",
            far,
            (f"{w.no_route} from {gate1}",),
            ("n1", DropReason.IP_INNOROUTES),
        ),
        *(
            Row(
                f"{kind.value} route at the router",
                extra_route(world, "n1", route(outside(g), type=kind)),
                "a",
                far,
                heard,
                ("n1", reason),
            )
            for kind, heard, reason in (
                (RouteType.UNREACHABLE, (f"{w.unreachable_route} from {gate1}",), DropReason.IP_INADDRERRORS),
                (RouteType.PROHIBIT, (f"{w.prohibited} from {gate1}",), DropReason.IP_INADDRERRORS),
                (RouteType.BLACKHOLE, NOBODY, DropReason.ROUTE_BLACKHOLE),
                (RouteType.THROW, (f"{w.no_route} from {gate1}",), DropReason.IP_INNOROUTES),
            )
        ),
        *(
            Row(
                f"{kind.value} route at the sender",
                extra_route(world, "x", route(outside(g), type=kind)),
                "x",
                far,
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
            changed(world, "n2", sysctls=dict.fromkeys(g.forwarding, "0")),
            "a",
            c,
            NOBODY,
            ("n2", DropReason.IP_FORWARDING_OFF),
        ),
        Row(
            "a more specific route wins over a smaller metric",
            extra_route(world, "n1", route(c, type=RouteType.BLACKHOLE, metric=9000)),
            "a",
            c,
            NOBODY,
            ("n1", DropReason.ROUTE_BLACKHOLE),
        ),
        Row(
            "the smaller metric wins",
            extra_route(world, "n1", route(g.pods_of(1), type=RouteType.BLACKHOLE, metric=2000)),
            "a",
            c,
            (f"answer from {c}",),
        ),
        # the route back to a leaves by eth0, and the error's source is still that of the device it came in by
        Row(
            "a loop of routes",
            loop_of_routes(g),
            "a",
            far,
            (f"{w.expired} from {n2}",),
            ("n2", DropReason.TTL_EXCEEDED),
        ),
        # --- neighbours --------------------------------------------------------------------------------------------
        Row("nobody there, far", world, "a", g.pod(1, 9), (f"{w.no_host} from {n2}",), ("n2", DropReason.NEIGH_FAILED)),
        Row("nobody there, near", world, "a", g.pod(0, 9), (f"{w.no_host} from {a}",), ("a", DropReason.NEIGH_FAILED)),
        Row(
            "gateway that is not there",
            replaced_routes(world, "a", route("default", g.pod(0, 77), g.default_dev)),
            "a",
            c,
            (f"{w.no_host} from {a}",),
            ("a", DropReason.NEIGH_FAILED),
        ),
        Row("wrong permanent neighbour", wrong_neighbour(g), "a", c, NOBODY, ("c", DropReason.OTHERHOST)),
        # the error goes to the masqueraded source, which is the node itself, and is un-NATed in its OUTPUT
        Row(
            "after masquerading nobody there",
            masquerading(g),
            "a",
            g.host(99),
            (f"{w.no_host} from {n1}",),
            ("n1", DropReason.NEIGH_FAILED),
        ),
        # --- devices -----------------------------------------------------------------------------------------------
        Row(
            "pod's device down",
            with_device(world, "c/eth0", up=False),
            "a",
            c,
            (f"{w.no_host} from {n2}",),
            ("n2", DropReason.NEIGH_FAILED),
        ),
        Row(
            "node's device down",
            with_device(world, "n1/eth0", up=False),
            "a",
            c,
            (f"{w.no_route} from {gate1}",),
            ("n1", DropReason.IP_INNOROUTES),
        ),
        Row(
            "own device down",
            with_device(world, "a/eth0", up=False),
            "a",
            c,
            ("ENETUNREACH",),
            ("a", DropReason.IP_OUTNOROUTES),
        ),
        Row(
            "switch port of the sender down",
            with_device(world, "sw/n1", up=False),
            "a",
            c,
            (f"{w.no_host} from {gate1}",),
            ("n1", DropReason.NO_CARRIER),
        ),
        Row(
            "switch port of the receiver down",
            with_device(world, "sw/n2", up=False),
            "a",
            c,
            (f"{w.no_host} from {gate1}",),
            ("n1", DropReason.NEIGH_FAILED),
        ),
        # --- MTU ---------------------------------------------------------------------------------------------------
        Row(
            "router's way out is smaller",
            with_device(with_device(world, "n2/cni0", mtu=1400), "n2/vethc", mtu=1400),
            "a",
            c,
            (f"{w.too_big} mtu 1400 from {n2}",),
            ("n2", DropReason.PKT_TOO_BIG),
            payload=1400,
        ),
        Row(
            "sender's device is smaller",
            with_device(world, "a/eth0", mtu=1400),
            "a",
            c,
            ("EMSGSIZE",),
            ("a", DropReason.PKT_TOO_BIG),
            payload=1400,
        ),
        Row(
            "receiver's end of the veth is smaller",
            with_device(world, "c/eth0", mtu=1400),
            "a",
            c,
            NOBODY,
            ("n2", DropReason.PKT_TOO_BIG),
            payload=1400,
        ),
        Row("just as large as the MTU", world, "a", c, (f"answer from {c}",), payload=w.mtu_payload),
        # --- fragments ---------------------------------------------------------------------------------------------
        Row("cut by the sender", world, "a", c, (f"answer from {c}",), payload=3000, df=False),
        Row(
            "a nodePort's fragments",
            node_port(g, "n2", masquerade=False, udp=53),
            "x",
            n2,
            (f"answer from {n2}",),
            port=30080,
            payload=3000,
            df=False,
        ),
        Row(
            "fragments in a bridge with conntrack",
            bridged_conntrack(g),
            "a",
            b,
            (f"answer from {b}",),
            payload=3000,
            df=False,
        ),
        # --- bridge ports ------------------------------------------------------------------------------------------
        Row("isolated ports", isolated(g), "a", b, (f"{w.no_host} from {a}",), ("a", DropReason.NEIGH_FAILED)),
        Row(
            "nodePort of the pod's node",
            node_port(g, "n2", masquerade=False),
            "x",
            n2,
            (f"SYN-ACK from {n2}",),
            tcp=True,
            port=30080,
        ),
        Row(
            "nodePort of another node",
            node_port(g, "n1", masquerade=True),
            "x",
            n1,
            (f"SYN-ACK from {n1}",),
            tcp=True,
            port=30080,
        ),
        # the reply comes straight from n2, from an address that x never asked
        Row(
            "nodePort of another node, no masquerade",
            node_port(g, "n1", masquerade=False),
            "x",
            n1,
            NOBODY,
            ("x", DropReason.TCP_INVALID),
            tcp=True,
            port=30080,
        ),
        Row(
            "port closed behind a nodePort",
            node_port(g, "n2", masquerade=False),
            "x",
            n2,
            (f"{w.no_port} from {n2}",),
            ("c", DropReason.NO_SOCKET),
            port=30080,
        ),
        # the error is about a connection that was never confirmed, and is translated back all the same
        Row(
            "rejected behind a nodePort",
            node_port(g, "n2", masquerade=False, filter=f"-A FORWARD -d {c} -j REJECT"),
            "x",
            n2,
            (f"{w.no_port} from {n2}",),
            ("n2", DropReason.NETFILTER_REJECT),
            port=30080,
        ),
        Row(
            "reject in the sender's OUTPUT",
            with_rules(g, world, "a", filter=f"-A OUTPUT -d {c} -j REJECT --reject-with {w.port_unreachable}"),
            "a",
            c,
            (f"{w.no_port} from {a}",),
            ("a", DropReason.NETFILTER_REJECT),
        ),
    )


ROWS_ALIKE4, ROWS_ALIKE6 = rows_alike(GROUND4), rows_alike(GROUND6)
