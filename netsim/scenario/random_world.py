"""Hypothesis strategies for clusters and for flows in them: the worlds in which the model is held against the kernel.

A world is drawn as documents, as a user would write them, so that a disagreement can be written to a file and looked at with every
other command. What no document can say (a device that is down) is drawn beside them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netsim.net.address import parse_address
from netsim.net.packet import Protocol, TCPFlags
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import CLOSED_PORT, Asked, NamedFlow, destinations, sources
from netsim.scenario.random_nft import nft_text
from netsim.scenario.random_rules import rules_text
from netsim.scenario.world import World
from netsim.topology.model import Topology
from netsim.trace.model import Flow

NODE_SYSCTLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # sysctl, values that differ from the default
    ("net.ipv4.conf.all.rp_filter", ("1", "2")),
    ("net.ipv4.conf.eth0.rp_filter", ("1", "2")),
    ("net.ipv4.ip_forward", ("0",)),
    ("net.bridge.bridge-nf-call-iptables", ("0",)),
    ("net.ipv4.conf.all.route_localnet", ("1", "0")),
    ("net.ipv4.conf.all.accept_local", ("1",)),
    ("net.ipv4.icmp_echo_ignore_all", ("1",)),
    ("net.ipv4.conf.eth0.forwarding", ("0",)),
    ("net.netfilter.nf_conntrack_tcp_loose", ("0",)),
)
ROUTES = ("10.244.2.0/25", "10.96.1.0/30", "172.16.0.0/12", "192.168.0.100/32")
ADDRESSES = (
    "10.244.1.77",
    "10.244.9.9",
    "192.168.0.99",
    "192.168.0.255",
    "172.16.0.1",
    "127.0.0.1",
    "10.96.1.200",
    "8.8.8.8",
)
FLAGS = (TCPFlags.ACK, TCPFlags.SYN | TCPFlags.ACK, TCPFlags.FIN | TCPFlags.ACK, TCPFlags.RST, TCPFlags(0), TCPFlags.FIN,
         TCPFlags.PSH | TCPFlags.ACK, TCPFlags.FIN | TCPFlags.PSH | TCPFlags.URG)  # fmt: skip
FLOWS = 12


@dataclass(frozen=True, slots=True)
class Drawn:
    """A world that was drawn: its documents, what else is broken (``netns/device`` that are down), and flows through it."""

    documents: str
    down: tuple[str, ...]
    world: World
    topology: Topology
    flows: tuple[NamedFlow, ...]

    @property
    def key(self) -> str:
        """The world without its flows: equal for equal worlds."""
        return f"{self.documents}{self.down}"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # IPython's protocol, which hypothesis uses
        del cycle
        printer.text(repr(self))

    def __repr__(self) -> str:
        flows = "\n".join(f"# {flow.source} → {flow.target}: {flow.flow}" for flow in self.flows)
        return f"{self.documents}# devices down: {', '.join(self.down) or 'none'}\n{flows}"


@st.composite
def drawn_worlds(draw: st.DrawFn, *, flows: int = FLOWS, mode: str = "iptables") -> Drawn:
    """A cluster that loads, and flows through it. In mode nftables its nodes have rules of nftables too."""
    import yaml

    nodes = draw(st.integers(1, 4))
    documents = [draw(_cluster(nodes, mode)), *draw(_services()), *draw(_pods(min(nodes, 2)))]
    text = yaml.safe_dump_all(documents, sort_keys=False)
    world = load_text(text)
    down = _down(draw, world.topology)
    topology = with_devices_down(world.topology, down)
    asked = tuple(draw(_flow(world)) for _ in range(draw(st.integers(1, flows))))
    return Drawn(text, down, world, topology, asked)


def load_text(text: str) -> World:
    """The world of documents. Raises LoadError."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "world.yaml")
        path.write_text(text, encoding="utf-8")
        return load_world([path])[0]


def with_devices_down(topology: Topology, down: tuple[str, ...]) -> Topology:
    """The topology with devices (``netns/device``) set down."""
    spaces = dict(topology.namespaces)
    for name, netns in spaces.items():
        devices = tuple(replace(each, up=each.up and f"{name}/{each.name}" not in down) for each in netns.devices)
        spaces[name] = replace(netns, devices=devices)
    return replace(topology, namespaces=spaces)


def _down(draw: st.DrawFn, topology: Topology) -> tuple[str, ...]:
    if draw(st.integers(0, 9)):
        return ()
    devices = [f"{netns.name}/{device.name}" for netns in topology.namespaces.values() for device in netns.devices
               if device.name not in ("lo", "wan0")]  # fmt: skip
    return (draw(st.sampled_from(devices)),)


# --- the cluster -------------------------------------------------------------------------------------------------


@st.composite
def _cluster(draw: st.DrawFn, count: int, mode: str) -> dict[str, Any]:
    nodes = [draw(_node(number, mode)) for number in range(1, count + 1)]
    spec: dict[str, Any] = {"nodes": nodes, "cni": draw(_cni()), "external": draw(_externals())}
    spec["kubeProxy"] = draw(_kube_proxy(mode))
    return {"apiVersion": "netsim.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "drawn"}, "spec": spec}


@st.composite
def _node(draw: st.DrawFn, number: int, mode: str) -> dict[str, Any]:
    node: dict[str, Any] = {"name": f"node{number}"}
    sysctls = {}
    for name, values in NODE_SYSCTLS:
        if draw(st.integers(0, 11)) == 0:
            sysctls[name] = draw(st.sampled_from(values))
    if sysctls:
        node["sysctls"] = sysctls
    if mode == "nftables" and draw(st.booleans()):
        node["nftables"] = draw(nft_text())
    elif draw(st.booleans()):
        text = draw(rules_text())
        if text:
            node["iptables"] = text
    if draw(st.integers(0, 7)) == 0:
        node["routes"] = [
            {"to": draw(st.sampled_from(ROUTES)), "via": draw(st.sampled_from(("192.168.0.12", "192.168.0.99")))}
        ]
    return node


@st.composite
def _cni(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "hairpin": draw(st.sampled_from((True, True, False))),
        "masquerade": draw(st.sampled_from((True, True, False))),
        "iptablesForwardRules": draw(st.sampled_from((True, True, False))),
        "mtu": draw(st.sampled_from((1500, 1500, 1450, 1400))),
    }


@st.composite
def _kube_proxy(draw: st.DrawFn, mode: str) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "masqueradeAll": draw(st.sampled_from((False, False, True))),
        "masqueradeBit": draw(st.sampled_from((14, 14, 0, 15))),
    }
    if mode == "iptables":
        settings["localhostNodePorts"] = draw(st.sampled_from((True, True, False)))
    detection: dict[str, Any] = draw(
        st.sampled_from(
            (
                {"detectLocalMode": "ClusterCIDR", "clusterCIDR": "10.244.0.0/16"},
                {"detectLocalMode": "ClusterCIDR"},
                {"detectLocalMode": "NodeCIDR"},
                {"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}},
                {"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}},
            )
        )
    )
    found: dict[str, Any] = {"mode": mode, mode: settings, **detection}
    if draw(st.integers(0, 5)) == 0:
        found["nodePortAddresses"] = draw(
            st.sampled_from((["primary"], ["192.168.0.0/24"], ["127.0.0.0/8"], ["10.0.0.0/8"]))
        )
    return found


@st.composite
def _externals(draw: st.DrawFn) -> list[dict[str, Any]]:
    near: dict[str, Any] = {"name": "client", "addresses": ["192.168.0.100/24"], "listen": "80/tcp,53/udp"}
    far: dict[str, Any] = {"name": "far", "addresses": ["172.31.0.5/24"], "listen": "80/tcp"}
    if draw(st.integers(0, 5)) == 0:
        near["routes"] = [{"to": "10.244.0.0/16", "via": "192.168.0.11"}, {"to": "10.96.0.0/12", "via": "192.168.0.11"}]
    if draw(st.integers(0, 7)) == 0:
        text = draw(rules_text(most=2))
        if text:
            near["iptables"] = text
    return draw(st.sampled_from(([near], [near], [near, far], [])))


# --- objects -----------------------------------------------------------------------------------------------------


@st.composite
def _services(draw: st.DrawFn) -> list[dict[str, Any]]:
    return [draw(_service(name)) for name in ("red", "blue", "green")[: draw(st.integers(1, 3))]]


@st.composite
def _service(draw: st.DrawFn, name: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")))
    ports: list[dict[str, Any]] = [{"name": "web", "port": 80, "targetPort": draw(st.sampled_from((8080, 80, "web")))}]
    if draw(st.booleans()):
        ports.append({"name": "dns", "port": 53, "protocol": "UDP", "targetPort": draw(st.sampled_from((53, 54)))})
    spec: dict[str, Any] = {"type": kind, "selector": {"app": draw(st.sampled_from(("red", "blue")))}, "ports": ports}
    if draw(st.integers(0, 4)) == 0:
        spec["internalTrafficPolicy"] = "Local"
    if draw(st.integers(0, 4)) == 0:
        spec["sessionAffinity"] = "ClientIP"
    if draw(st.integers(0, 5)) == 0:
        spec["externalIPs"] = [draw(st.sampled_from(("192.168.0.50", "172.16.5.5", "192.168.0.12")))]
    if kind != "ClusterIP" and draw(st.integers(0, 2)) == 0:
        spec["externalTrafficPolicy"] = "Local"
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    if kind == "LoadBalancer":
        address = {"red": "192.168.0.60", "blue": "192.168.0.61", "green": "192.168.0.62"}[name]
        mode = draw(st.sampled_from(("VIP", "VIP", "Proxy")))
        document["status"] = {"loadBalancer": {"ingress": [{"ip": address, "ipMode": mode}]}}
        if draw(st.integers(0, 2)) == 0:
            spec["loadBalancerSourceRanges"] = [
                draw(st.sampled_from(("192.168.0.0/24", "10.244.0.0/16", "192.168.0.100/32")))
            ]
    return document


@st.composite
def _pods(draw: st.DrawFn, nodes: int) -> list[dict[str, Any]]:
    return [draw(_pod(f"p{number}", nodes)) for number in range(1, draw(st.integers(1, 5)) + 1)]


@st.composite
def _pod(draw: st.DrawFn, name: str, nodes: int) -> dict[str, Any]:
    ports: list[dict[str, Any]] = [{"name": "web", "containerPort": draw(st.sampled_from((8080, 80)))}]
    if draw(st.booleans()):
        ports.append({"name": "dns", "containerPort": 53, "protocol": "UDP"})
    metadata: dict[str, Any] = {"name": name, "labels": {"app": draw(st.sampled_from(("red", "blue")))}}
    if draw(st.integers(0, 9)) == 0:
        metadata["annotations"] = {"netsim.io/listen": ""}
    container = {"name": "main", "image": "example.com/main", "ports": ports}
    spec: dict[str, Any] = {"containers": [container], "nodeName": f"node{draw(st.integers(1, nodes))}"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


# --- flows -------------------------------------------------------------------------------------------------------


@st.composite
def _flow(draw: st.DrawFn, world: World) -> NamedFlow:
    asking = draw(st.sampled_from(list(sources(world))))
    asked = draw(st.sampled_from(_asked(world)))
    protocol = asked.protocol if draw(st.integers(0, 7)) else draw(st.sampled_from((Protocol.TCP, Protocol.UDP)))
    port = 0 if protocol is Protocol.ICMP else asked.port or 80
    flow = Flow(asking.netns, asked.address, protocol, port, owner=asking.owner, dont_fragment=protocol is Protocol.TCP)
    return NamedFlow(draw(_packet(flow)), asking.label, asked.label)


def _asked(world: World) -> list[Asked]:
    """Where a flow may go; Services several times, for theirs is the longest way."""
    found = [each for each in dict.fromkeys(destinations(world)) if each.address.version == 4]
    services = [each for each in found if "svc/" in each.label and each.port not in (0, CLOSED_PORT)]
    kinds = ((Protocol.TCP, 80), (Protocol.UDP, 53), (Protocol.ICMP, 0))
    nobody = [Asked(parse_address(ip), ip, *kinds[number % 3]) for number, ip in enumerate(ADDRESSES)]
    return found + services * 3 + nobody


@st.composite
def _packet(draw: st.DrawFn, flow: Flow) -> Flow:
    """What else the first packet may be: TTL, length, mark, flags."""
    ttl = draw(st.sampled_from((64,) * 12 + (1, 2, 3)))
    mark = draw(st.sampled_from((0, 0, 0, 0, 0, 1, 0x4000)))
    sport = draw(st.sampled_from((40000, 40000, 40000, 777)))
    payload = draw(st.sampled_from((0, 16, 16, 16, 1372, 1422, 1460)))
    flags = TCPFlags.SYN
    if flow.protocol is Protocol.TCP:
        flags = draw(st.sampled_from((*(TCPFlags.SYN,) * 8, *FLAGS)))
        payload = min(payload, 16)
    fragments = flow.protocol is not Protocol.TCP and draw(st.booleans())
    return replace(flow, ttl=ttl, mark=mark, sport=sport, payload=payload, flags=flags, dont_fragment=not fragments)
