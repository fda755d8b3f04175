"""What a packet meets on its way through IPVS: rows that a kernel and the model answer, in both their forms.

    c 10.1.0.2 ── 10.1.0.1 n 10.2.0.1 ── 10.2.0.2 b      or, bridged, all three on br0 of n

``n`` has the virtual servers; rules that only count stand first in each of its chains, one for each conntrack state.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from netsim.net.address import Family, parse_address, parse_interface
from netsim.net.packet import ICMPHeader, Protocol, TCPFlags, TCPHeader
from netsim.rules.ipvs.parse import parse as parse_ipvs
from netsim.rules.xtables.parse import parse as parse_rules
from netsim.stack.namespace import ArrivalKind
from netsim.stack.network import Network
from netsim.stack.steps import ChainPass
from netsim.topology.model import IPIP, Bridge, BridgePort, Device, Dummy, Listener, Netns, Topology
from netsim.trace.model import Flow
from netsim.trace.walk import drive
from tests.unit.stack_world import Walk, device, lo, netns, route, topology, veth

VIP = "10.96.0.1"
CHAINS = {
    "raw": ("PREROUTING", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
}
STATES = ("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "DNAT")
KUBE_PROXY = {"net.ipv4.vs.conntrack": "1", "net.ipv4.vs.expire_nodest_conn": "1"}
MASQUERADE = {"nat POSTROUTING": ("-j MASQUERADE",)}
TCP = (f"-A -t {VIP}:80 -s rr", f"-a -t {VIP}:80 -r 10.2.0.2:8080 -m -w 1")
UDP = (f"-A -u {VIP}:53 -s rr", f"-a -u {VIP}:53 -r 10.2.0.2:8053 -m -w 1")
BRIDGED = (f"-A -t {VIP}:80 -s rr", f"-a -t {VIP}:80 -r 10.1.0.3:8080 -m -w 1")
LISTENERS = (("b", "tcp", 4, 8080), ("b", "udp", 4, 8053), ("n", "tcp", 4, 22))


@dataclass(frozen=True)
class Row:
    name: str
    netns: str = "c"
    to: str = VIP
    port: int = 80
    kind: str = "tcp"
    ttl: int = 64
    rules: tuple[tuple[str, tuple[str, ...]], ...] = ()
    policies: tuple[tuple[str, str], ...] = ()
    sysctls: tuple[tuple[str, str], ...] = tuple(KUBE_PROXY.items())
    ipvsadm: tuple[str, ...] = TCP
    virtual: tuple[str, ...] = (VIP,)
    bridged: bool = False
    hairpin: bool = False
    on_backend: tuple[str, ...] = ()
    tunnelled: bool = False
    listeners: tuple[tuple[str, str, int, int], ...] = LISTENERS
    udp: bool = False

    def with_rules(self, rules: dict[str, tuple[str, ...]]) -> Row:
        return replace(self, rules=(*self.rules, *rules.items()))

    # --- both forms -------------------------------------------------------------------------------------------

    def iptables(self) -> str:
        lines: list[str] = []
        given, policies = dict(self.rules), dict(self.policies)
        for table, chains in CHAINS.items():
            lines.append(f"*{table}")
            lines += [f":{chain} {policies.get(f'{table} {chain}', 'ACCEPT')} [0:0]" for chain in chains]
            for chain in chains:
                lines.append(f"-A {chain}")
                if table != "nat":
                    lines += [f"-A {chain} -m conntrack --ctstate {state}" for state in STATES]
                lines += [f"-A {chain} {rule}" for rule in given.get(f"{table} {chain}", ())]
            lines.append("COMMIT")
        return "\n".join(lines) + "\n"

    def guest(self) -> dict[str, Any]:
        """As the guest's job builds it."""
        sysctls = {"net.ipv4.ip_forward": "1", **dict(self.sysctls)}
        addresses = [f"addr add {address}/32 dev kube-ipvs0" for address in self.virtual]
        dummy = ["link add kube-ipvs0 type dummy", *addresses] if self.virtual else []
        plain = {"sysctls": {}, "iptables": "", "ipvsadm": []}
        n_ip = [*(_BRIDGED_NODE if self.bridged else _NODE), *dummy]
        if self.hairpin:
            n_ip.append("link set vb type bridge_slave hairpin on")
        own = "10.1.0.3" if self.bridged else "10.2.0.2"
        router = "10.1.0.1" if self.bridged else "10.2.0.1"
        extra = [f"addr add {address}/32 dev lo" for address in self.on_backend]
        extra += ["link set tunl0 up"] if self.tunnelled else []
        backend = [f"addr add {own}/24 dev eth0", "link set eth0 up", f"route add default via {router}", *extra]
        client = ["addr add 10.1.0.2/24 dev eth0", "link set eth0 up", "route add default via 10.1.0.1"]
        rules = {"sysctls": sysctls, "iptables": self.iptables(), "ipvsadm": list(self.ipvsadm)}
        return {
            "netns": {"c": {**plain, "ip": client}, "n": {**rules, "ip": n_ip}, "b": {**plain, "ip": backend}},
            "listeners": [list(listener) for listener in self.listeners],
            "flow": {"netns": self.netns, "to": self.to, "port": self.port, "kind": self.kind, "ttl": self.ttl},
        }

    def world(self) -> Topology:
        """As the model walks it."""
        own, router = ("10.1.0.3", "10.1.0.1") if self.bridged else ("10.2.0.2", "10.2.0.1")
        on_lo = tuple(parse_interface(f"{address}/32") for address in self.on_backend)
        b_eth0 = veth("b/eth0", "n/vb", f"{own}/24")
        tunnel = replace(device("b", "tunl0", IPIP()), up=self.tunnelled)  # made with the module, down
        backend = netns("b", (_lo(on_lo), b_eth0, tunnel), (route("default", router),), listeners=self._listeners("b"))
        client = netns("c", (veth("c/eth0", "n/vc", "10.1.0.2/24"),), (route("default", "10.1.0.1"),))
        return topology(client, self._node(), backend)

    def _node(self) -> Netns:
        if self.bridged:
            port = BridgePort("br0", hairpin=self.hairpin)
            devices = [device("n", "br0", Bridge(), "10.1.0.1/24"), veth("n/vc", "c/eth0", port=BridgePort("br0"))]
            devices.append(veth("n/vb", "b/eth0", port=port))
        else:
            devices = [veth("n/vc", "c/eth0", "10.1.0.1/24"), veth("n/vb", "b/eth0", "10.2.0.1/24")]
        if self.virtual:
            addresses = tuple(f"{address}/32" for address in self.virtual)
            devices.append(replace(device("n", "kube-ipvs0", Dummy(), *addresses), up=False))
        quiet = {f"net.ipv4.conf.{name}.send_redirects": "0" for name in ("all", *(each.name for each in devices))}
        sysctls = {"net.ipv4.ip_forward": "1", **quiet, **dict(self.sysctls)}
        made = netns("n", devices, sysctls=sysctls, listeners=self._listeners("n"))
        servers = parse_ipvs("\n".join(self.ipvsadm), "n")
        return replace(made, xtables=(parse_rules(self.iptables(), Family.IPV4, "n"),), ipvs=servers)

    def _listeners(self, where: str) -> tuple[Listener, ...]:
        kinds = {"tcp": Protocol.TCP, "udp": Protocol.UDP}
        return tuple(Listener(kinds[kind], port, owner=where) for at, kind, _, port in self.listeners if at == where)


def _lo(addresses: tuple[Any, ...]) -> Device:
    return replace(lo(), addresses=(*lo().addresses, *addresses))


_NODE = [
    "link set vc up",
    "link set vb up",
    "addr add 10.1.0.1/24 dev vc",
    "addr add 10.2.0.1/24 dev vb",
]
_BRIDGED_NODE = [
    "link add br0 type bridge",
    "link set br0 up",
    "link set vc master br0",
    "link set vb master br0",
    "link set vc up",
    "link set vb up",
    "addr add 10.1.0.1/24 dev br0",
]


def sysctls(**more: str) -> tuple[tuple[str, str], ...]:
    """kube-proxy's, with others by name with ``__`` for the dot."""
    return tuple({**KUBE_PROXY, **{key.replace("__", "."): value for key, value in more.items()}}.items())


def served(real: str, weight: int = 1, method: str = "m", port: int = 80) -> tuple[str, ...]:
    return (f"-A -t {VIP}:{port} -s rr", f"-a -t {VIP}:{port} -r {real} -{method} -w {weight}")


CALL = "net.bridge.bridge-nf-call-iptables"
PLAIN = Row("client")
ROWS: tuple[Row, ...] = (
    PLAIN,
    Row("masqueraded").with_rules(MASQUERADE),
    Row("without conntrack", sysctls=()),
    Row("masquerade without conntrack", sysctls=()).with_rules(MASQUERADE),
    Row("INPUT drops", policies=(("filter INPUT", "DROP"),)),
    Row("FORWARD drops", policies=(("filter FORWARD", "DROP"),)),
    Row("OUTPUT drops", policies=(("filter OUTPUT", "DROP"),)),
    Row("node to VIP", netns="n"),
    Row("node to VIP masqueraded", netns="n").with_rules(MASQUERADE),
    Row("node to VIP without conntrack", netns="n", sysctls=()),
    Row("port without a service, nobody listens", port=81),
    Row("port without a service, the node listens", port=22),
    Row("no real server", ipvsadm=(f"-A -t {VIP}:80 -s rr",)),
    Row("no real server, node", netns="n", ipvsadm=(f"-A -t {VIP}:80 -s rr",)),
    Row("weight 0", ipvsadm=served("10.2.0.2:8080", 0)),
    Row("TTL 1", ttl=1),
    Row("TTL 2", ttl=2),
    Row("not forwarding", sysctls=sysctls(net__ipv4__ip_forward="0")),
    Row("VIP not local", virtual=()),
    Row("real server is the node", ipvsadm=served("10.2.0.1:22")),
    Row("real server is the node, node asks", netns="n", ipvsadm=served("10.2.0.1:22")),
    Row("real server is the node, masquerade", ipvsadm=served("10.2.0.1:22")).with_rules(MASQUERADE),
    Row("real server without a listener", ipvsadm=served("10.2.0.2:9999")),
    Row("real server does not exist", ipvsadm=served("10.2.0.77:8080")),
    Row("no route to the real server", ipvsadm=served("192.0.2.1:8080")),
    Row("real server is a loopback address", ipvsadm=served("127.0.0.1:22")),
    Row("real server is a loopback address, node asks", netns="n", ipvsadm=served("127.0.0.1:22")),
    Row("udp", port=53, kind="udp", ipvsadm=UDP),
    Row("udp masqueraded", port=53, kind="udp", ipvsadm=UDP).with_rules(MASQUERADE),
    Row("udp to a closed port", port=53, kind="udp", ipvsadm=(UDP[0], UDP[1].replace("8053", "9999"))),
    Row(
        "udp to a closed port, masqueraded", port=53, kind="udp", ipvsadm=(UDP[0], UDP[1].replace("8053", "9999"))
    ).with_rules(MASQUERADE),
    Row("udp from the node", netns="n", port=53, kind="udp", ipvsadm=UDP),
    Row("udp, one packet", port=53, kind="udp", ipvsadm=(f"{UDP[0]} -o", UDP[1])),
    Row("no reroute of answers", sysctls=sysctls(net__ipv4__vs__snat_reroute="0")),
    Row("firewall mark", ipvsadm=("-A -f 7 -s rr", "-a -f 7 -r 10.2.0.2:8080 -m -w 1")).with_rules(
        {"mangle PREROUTING": ("-p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xffffffff",)}
    ),
    Row(
        "firewall mark, any port",
        port=8080,
        ipvsadm=("-A -f 7 -s rr -p 60", "-a -f 7 -r 10.2.0.2:0 -m -w 1"),
    ).with_rules({"mangle PREROUTING": ("-p tcp -m tcp --dport 8080 -j MARK --set-xmark 0x7/0xffffffff",)}),
    Row("persistent", ipvsadm=(f"{TCP[0]} -p 60", TCP[1])),
    Row(
        "persistent, any port",
        port=8080,
        ipvsadm=(f"-A -t {VIP}:0 -s rr -p 60", f"-a -t {VIP}:0 -r 10.2.0.2:0 -m -w 1"),
    ),
    Row(
        "the node's own address",
        to="10.1.0.1",
        ipvsadm=("-A -t 10.1.0.1:80 -s rr", "-a -t 10.1.0.1:80 -r 10.2.0.2:8080 -m -w 1"),
    ),
    Row("an iptables rule takes it before", ipvsadm=TCP).with_rules(
        {"nat PREROUTING": (f"-d {VIP}/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.2.0.2:8080",)}
    ),
    Row("reset by a rule of INPUT", ipvsadm=TCP).with_rules(
        {"filter INPUT": ("-p tcp -j REJECT --reject-with tcp-reset",)}
    ),
    Row("rejected in OUTPUT", ipvsadm=TCP).with_rules(
        {"filter OUTPUT": ("-d 10.2.0.2/32 -p tcp -j REJECT --reject-with icmp-port-unreachable",)}
    ),
    Row("not tracked", ipvsadm=TCP).with_rules({"raw PREROUTING": ("-p tcp -j CT --notrack",)}),
    Row("hairpin", netns="b"),
    Row("hairpin masqueraded", netns="b").with_rules(MASQUERADE),
    Row("direct routing, no VIP there", ipvsadm=served("10.2.0.2:80", method="g")),
    Row(
        "direct routing",
        ipvsadm=served("10.2.0.2:80", method="g"),
        on_backend=(VIP,),
        listeners=(*LISTENERS, ("b", "tcp", 4, 80)),
    ),
    Row(
        "direct routing, answers accepted",
        ipvsadm=served("10.2.0.2:80", method="g"),
        on_backend=(VIP,),
        listeners=(*LISTENERS, ("b", "tcp", 4, 80)),
        sysctls=sysctls(net__ipv4__conf__all__accept_local="1"),
    ),
    Row(
        "tunnel",
        ipvsadm=served("10.2.0.2:80", method="i"),
        on_backend=(VIP,),
        tunnelled=True,
        listeners=(*LISTENERS, ("b", "tcp", 4, 80)),
        sysctls=sysctls(net__ipv4__conf__all__accept_local="1"),
    ),
    Row(
        "tunnel from the node, without conntrack",
        netns="n",
        ipvsadm=served("10.2.0.2:80", method="i"),
        on_backend=(VIP,),
        tunnelled=True,
        listeners=(*LISTENERS, ("b", "tcp", 4, 80)),
        sysctls=(("net.ipv4.conf.all.accept_local", "1"),),
    ),
    Row("tunnel to a real server that takes none", ipvsadm=served("10.2.0.2:80", method="i")),
    Row(
        "direct routing, bridged",
        bridged=True,
        ipvsadm=served("10.1.0.3:80", method="g"),
        on_backend=(VIP,),
        listeners=(*LISTENERS, ("b", "tcp", 4, 80)),
        sysctls=((CALL, "0"),),
    ),
    Row("bridged with br_netfilter", bridged=True, ipvsadm=BRIDGED, sysctls=((CALL, "1"), *KUBE_PROXY.items())),
    Row("bridged without br_netfilter", bridged=True, ipvsadm=BRIDGED, sysctls=((CALL, "0"), *KUBE_PROXY.items())),
    Row("bridged, masqueraded", bridged=True, ipvsadm=BRIDGED, sysctls=((CALL, "0"), *KUBE_PROXY.items())).with_rules(
        MASQUERADE
    ),
    Row(
        "bridged hairpin",
        netns="b",
        bridged=True,
        hairpin=True,
        ipvsadm=BRIDGED,
        sysctls=((CALL, "1"), *KUBE_PROXY.items()),
    ),
    Row(
        "bridged hairpin, masqueraded",
        netns="b",
        bridged=True,
        hairpin=True,
        ipvsadm=BRIDGED,
        sysctls=((CALL, "1"), *KUBE_PROXY.items()),
    ).with_rules(MASQUERADE),
)


# --- the model's answer -------------------------------------------------------------------------------------------

ERRORS = {(3, 3): "ECONNREFUSED", (3, 1): "EHOSTUNREACH", (11, 0): "EHOSTUNREACH", (3, 0): "ENETUNREACH"}


def modelled(row: Row) -> dict[str, Any]:
    """The model's answer in the guest's form."""
    walk = Walk(row.world())
    network: Network = walk.network
    protocol = Protocol.TCP if row.kind == "tcp" else Protocol.UDP
    flow = Flow(row.netns, parse_address(row.to), protocol, row.port, ttl=row.ttl, payload=0, dont_fragment=True)
    drive(network, walk.world, flow, one_way=False)
    assert not walk.not_modelled
    node = network.namespace("n")
    counts = Counter(
        f"{step.table} {evaluation.ref.chain} {evaluation.ref.index}"
        for step in walk.of(ChainPass, "n")
        for evaluation in step.evaluations
        if evaluation.matched
    )
    reached = [
        f"{arrival.netns} from {arrival.packet.ip.src}"
        for arrival in network.arrivals
        if arrival.kind is ArrivalKind.LISTENER and _opens(arrival.packet.l4)
    ]
    conns = sorted(conn.text(0) for conn in node.ipvs.conns) if node.ipvs is not None else []
    heard = _heard(walk)
    if row.kind == "tcp" and heard != "connected":
        reached = []  # a process learns of a connection that is open on both sides
    return {"heard": heard, "reached": reached, "counted": dict(counts), "connections": conns}


def _opens(l4: object) -> bool:
    return not isinstance(l4, TCPHeader) or bool(l4.flags & TCPFlags.SYN)


def _heard(walk: Walk) -> str:
    for arrival in walk.network.arrivals:
        if arrival.owner != "client":
            continue
        match arrival.packet.l4:
            case TCPHeader(flags=flags):
                return "ECONNREFUSED" if flags & TCPFlags.RST else "connected"
            case ICMPHeader(type=kind, code=code):
                return ERRORS[kind, code]
            case _:
                return "answer"
    return ""
