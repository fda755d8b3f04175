"""What becomes of one IPv6 packet in small hand-made networks. The model's tests and the real kernel's read the same rows."""

from __future__ import annotations

from netsim.net.address import parse_address
from netsim.stack.reasons import DropReason
from netsim.topology.model import Topology
from tests.table.stack_rows_alike import (
    NOBODY,
    ROWS_ALIKE6,
    Row,
    listening,
    masquerading,
    node_port,
    replaced_routes,
    second_address,
    with_rules,
)
from tests.unit.stack_world import GROUND6, changed, route, same_node, two_nodes, with_device, with_sysctls

W = two_nodes(GROUND6)


def dropping(name: str, chain: str, kind: int) -> Topology:
    """A namespace whose rules drop one kind of neighbour discovery."""
    return with_rules(
        GROUND6, two_nodes(GROUND6), name, filter=f"-A {chain} -p ipv6-icmp -m icmp6 --icmpv6-type {kind} -j DROP"
    )


def without_forwarding(**sysctls: str) -> Topology:
    return with_sysctls(changed(W, "n2", sysctls={}), "n2", **sysctls)


def rejecting(kind: str, protocol: str = "") -> Topology:
    return with_rules(
        GROUND6, W, "n1", filter=f"-A FORWARD -d fd00:11::2/128 {protocol} -j REJECT --reject-with {kind}"
    )


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


def bridged_service(call: str, *, hairpin: bool = False) -> Topology:
    """The node translates fd00:96::10 port 80 to pod b, or to pod a itself where ``hairpin``."""
    backend = "fd00:10::2" if hairpin else "fd00:10::3"
    rules = f"-A PREROUTING -d fd00:96::10/128 -p tcp -m tcp --dport 80 -j DNAT --to-destination [{backend}]:80"
    masquerade = "\n-A POSTROUTING -s fd00:10::2/128 -d fd00:10::2/128 -j MASQUERADE" if hairpin else ""
    world = same_node(ground=GROUND6, hairpin=hairpin, sysctls={"net.bridge.bridge-nf-call-ip6tables": call})
    return with_rules(GROUND6, world, "n", nat=rules + masquerade)


def bridged_drop(call: str) -> Topology:
    """The node's FORWARD drops everything; pods a and b are on one bridge."""
    world = same_node(ground=GROUND6, sysctls={"net.bridge.bridge-nf-call-ip6tables": call})
    return with_rules(GROUND6, world, "n", filter="-A FORWARD -j DROP")


def bridged_reject(kind: str, protocol: str) -> Topology:
    rules = f"-A FORWARD -d fd00:10::3/128 -p {protocol} -m {protocol} --dport 50:90 -j REJECT --reject-with {kind}"
    return with_rules(GROUND6, same_node(ground=GROUND6), "n", filter=rules)


def untracked() -> Topology:
    """Only what belongs to a known connection comes back to pod a: an error must be recognised by what it quotes."""
    rules = (
        "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
        "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 135 -j ACCEPT\n"
        "-A INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 136 -j ACCEPT\n-A INPUT -j DROP"
    )
    return with_rules(GROUND6, W, "a", filter=rules)


def narrow6(world: Topology = W) -> Topology:
    """The way from n2 to pod c is narrower than the rest."""
    return with_device(with_device(world, "n2/cni0", mtu=1400), "n2/vethc", mtu=1400)


ROWS6: tuple[Row, ...] = (
    *ROWS_ALIKE6,
    # --- delivered ---------------------------------------------------------------------------------------------
    Row("same node", same_node(ground=GROUND6), "a", "fd00:10::3", ("answer from fd00:10::3",)),
    Row("link-local next hops", link_local_nexthops(), "a", "fd00:11::2", ("answer from fd00:11::2",)),
    # --- what a socket refuses ---------------------------------------------------------------------------------
    Row("tcp to a group", W, "a", "ff05::9", ("ENETUNREACH",), ("a", DropReason.SOCKET_REFUSED), tcp=True),
    Row("tcp to a group of the link", W, "a", "ff02::1", ("ENETUNREACH",), ("a", DropReason.SOCKET_REFUSED), tcp=True),
    Row("udp to a group of the link", W, "a", "ff02::1", ("EINVAL",), ("a", DropReason.IP_OUTNOROUTES)),
    # --- nobody listens ----------------------------------------------------------------------------------------
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
    # --- neighbours --------------------------------------------------------------------------------------------
    # unlike ARP, a host answers only for the addresses of the device that it was asked on
    Row(
        "an address on another device is not answered for",
        replaced_routes(W, "x", route("fd00:11::/64", dev="eth0")),
        "x",
        "fd00:11::1",
        ("error 1/3 from fd00::100",),
        ("x", DropReason.NEIGH_FAILED),
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
    # --- fragments ---------------------------------------------------------------------------------------------
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
    # the fragments were of 1500 bytes: too large for the way on
    Row(
        "fragments joined and too large again",
        narrow6(node_port(GROUND6, "n2", masquerade=False, udp=53)),
        "x",
        "fd00::12",
        ("error 2/0 mtu 1400 from fd00::12",),
        ("n2", DropReason.PKT_TOO_BIG),
        port=30080,
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
        masquerading(GROUND6),
        "a",
        "fd00::100",
        ("error 1/4 from fd00::100",),
        ("x", DropReason.NO_SOCKET),
        port=54,
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
)
