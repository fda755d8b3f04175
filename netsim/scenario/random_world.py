"""Hypothesis strategies for clusters and for flows in them: the worlds in which the model is held against the kernel.

A world is drawn as documents, as a user would write them, so that a disagreement can be written to a file and looked at with every
other command. What no document can say (a device that is down) is drawn beside them.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from netsim.dataclass import dataclass
from netsim.net.address import parse_address
from netsim.net.packet import Protocol, TCPFlags
from netsim.scenario.build import load_world
from netsim.scenario.every_flow import CLOSED_PORT, Asked, NamedFlow, destinations, sources
from netsim.scenario.random_ground import Families, Ground, grounds
from netsim.scenario.random_ipvs import SYSCTLS as IPVS_SYSCTLS
from netsim.scenario.random_ipvs import asked_of_own, ipvs_settings, ipvs_text
from netsim.scenario.random_nft import nft_text
from netsim.scenario.random_rules import rules_text
from netsim.scenario.world import World
from netsim.topology.model import Topology
from netsim.trace.model import Flow

FLAGS = (TCPFlags.ACK, TCPFlags.SYN | TCPFlags.ACK, TCPFlags.FIN | TCPFlags.ACK, TCPFlags.RST, TCPFlags(0), TCPFlags.FIN,
         TCPFlags.PSH | TCPFlags.ACK, TCPFlags.FIN | TCPFlags.PSH | TCPFlags.URG)  # fmt: skip
FLOWS = 12
FAMILY_CHOICES: tuple[dict[str, Any], ...] = (
    {"ipFamilyPolicy": "PreferDualStack"},
    {"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6", "IPv4"]},
    {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv6"]},
    {},
)
"""What a Service of a dual-stack cluster says of its families."""
RULES_OF = {4: "iptables", 6: "ip6tables"}
"""The field of a machine's own rules, by IP version."""


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
def drawn_worlds(
    draw: st.DrawFn, *, flows: int = FLOWS, mode: str = "iptables", families: Families = Families.IPV4
) -> Drawn:
    """A cluster that loads, and flows through it. In mode nftables its nodes have rules of nftables too."""
    import yaml

    nodes = draw(st.integers(1, 4))
    spoken = grounds(families)
    documents = [draw(_cluster(nodes, mode, spoken)), *draw(_services(spoken)), *draw(_pods(min(nodes, 2)))]
    text = yaml.safe_dump_all(documents, sort_keys=False)
    world = load_text(text)
    down = _down(draw, world.topology)
    topology = with_devices_down(world.topology, down)
    targets = [_asked(world, ground, nodes if mode == "ipvs" else 0) for ground in spoken]
    asked = tuple(draw(_flow(world, targets)) for _ in range(draw(st.integers(1, flows))))
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
def _cluster(draw: st.DrawFn, count: int, mode: str, spoken: tuple[Ground, ...]) -> dict[str, Any]:
    nodes = [draw(_node(number, mode, spoken)) for number in range(1, count + 1)]
    spec: dict[str, Any] = {"podCIDR": [g.pods for g in spoken], "serviceCIDR": [g.services for g in spoken]}
    spec |= {"nodes": nodes, "cni": draw(_cni()), "external": draw(_externals(spoken))}
    spec["kubeProxy"] = draw(_kube_proxy(mode, spoken))
    return {"apiVersion": "netsim.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "drawn"}, "spec": spec}


@st.composite
def _node(draw: st.DrawFn, number: int, mode: str, spoken: tuple[Ground, ...]) -> dict[str, Any]:
    node: dict[str, Any] = {"name": f"node{number}"}
    sysctls = {}
    settings = [setting for ground in spoken for setting in ground.sysctls]
    for name, values in dict([*settings, *(IPVS_SYSCTLS if mode == "ipvs" else ())]).items():
        if draw(st.integers(0, 11)) == 0:
            sysctls[name] = draw(st.sampled_from(values))
    if sysctls:
        node["sysctls"] = sysctls
    if mode == "nftables" and draw(st.booleans()):
        node["nftables"] = draw(nft_text(versions=tuple(ground.version for ground in spoken)))
    elif draw(st.booleans()):
        node |= _own_rules(draw, spoken)
    ground = draw(st.sampled_from(spoken))
    if mode == "ipvs" and draw(st.integers(0, 2)) == 0:
        node["ipvs"] = draw(ipvs_text(number, ground))
    if draw(st.integers(0, 7)) == 0:
        route = {"to": draw(st.sampled_from(ground.routes)), "via": draw(st.sampled_from(ground.gateways))}
        node["routes"] = [route]
    return node


def _own_rules(draw: st.DrawFn, spoken: tuple[Ground, ...], most: int = 8) -> dict[str, str]:
    """A machine's own rules of one of the IP versions or, now and then, of both."""
    chosen = draw(st.sampled_from((*((each,) for each in spoken), spoken)))
    texts = {RULES_OF[each.version]: draw(rules_text(most=most, version=each.version)) for each in chosen}
    return {name: text for name, text in texts.items() if text}


@st.composite
def _cni(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "hairpin": draw(st.sampled_from((True, True, False))),
        "masquerade": draw(st.sampled_from((True, True, False))),
        "iptablesForwardRules": draw(st.sampled_from((True, True, False))),
        "mtu": draw(st.sampled_from((1500, 1500, 1450, 1400))),
    }


@st.composite
def _kube_proxy(draw: st.DrawFn, mode: str, spoken: tuple[Ground, ...]) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "masqueradeAll": draw(st.sampled_from((False, False, True))),
        "masqueradeBit": draw(st.sampled_from((14, 14, 0, 15))),
    }
    if mode == "iptables":
        settings["localhostNodePorts"] = draw(st.sampled_from((True, True, False)))
    detection: dict[str, Any] = draw(
        st.sampled_from(
            (
                {"detectLocalMode": "ClusterCIDR", "clusterCIDR": ",".join(ground.pods for ground in spoken)},
                {"detectLocalMode": "ClusterCIDR"},
                {"detectLocalMode": "NodeCIDR"},
                {"detectLocalMode": "BridgeInterface", "detectLocal": {"bridgeInterface": "cni0"}},
                {"detectLocalMode": "InterfaceNamePrefix", "detectLocal": {"interfaceNamePrefix": "veth"}},
            )
        )
    )
    own: dict[str, Any] = {"ipvs": draw(ipvs_settings()), "iptables": settings} if mode == "ipvs" else {mode: settings}
    found: dict[str, Any] = {"mode": mode, **own, **detection}
    if draw(st.integers(0, 5)) == 0:
        ground = draw(st.sampled_from(spoken))
        found["nodePortAddresses"] = list(draw(st.sampled_from(ground.node_port_addresses)))
    return found


@st.composite
def _externals(draw: st.DrawFn, spoken: tuple[Ground, ...]) -> list[dict[str, Any]]:
    near: dict[str, Any] = {"name": "client", "addresses": [g.near for g in spoken], "listen": "80/tcp,53/udp"}
    far: dict[str, Any] = {"name": "far", "addresses": [g.far for g in spoken], "listen": "80/tcp"}
    if draw(st.integers(0, 5)) == 0:
        near["routes"] = [{"to": to, "via": g.first_node} for g in spoken for to in (g.pods, g.services)]
    if draw(st.integers(0, 7)) == 0:
        near |= _own_rules(draw, spoken, most=2)
    return draw(st.sampled_from(([near], [near], [near, far], [])))


# --- objects -----------------------------------------------------------------------------------------------------


@st.composite
def _services(draw: st.DrawFn, spoken: tuple[Ground, ...]) -> list[dict[str, Any]]:
    return [draw(_service(name, spoken)) for name in ("red", "blue", "green")[: draw(st.integers(1, 3))]]


@st.composite
def _service(draw: st.DrawFn, name: str, spoken: tuple[Ground, ...]) -> dict[str, Any]:
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
        spec["externalIPs"] = [draw(st.sampled_from(ground.external_ips)) for ground in spoken]
    if len(spoken) > 1:
        spec |= draw(st.sampled_from(FAMILY_CHOICES))
    if kind != "ClusterIP" and draw(st.integers(0, 2)) == 0:
        spec["externalTrafficPolicy"] = "Local"
    document: dict[str, Any] = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
    if kind == "LoadBalancer":
        mode = draw(st.sampled_from(("VIP", "VIP", "Proxy")))
        document["status"] = {"loadBalancer": {"ingress": [{"ip": g.ingress[name], "ipMode": mode} for g in spoken]}}
        if draw(st.integers(0, 2)) == 0:
            spec["loadBalancerSourceRanges"] = [draw(st.sampled_from(ground.source_ranges)) for ground in spoken]
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
def _flow(draw: st.DrawFn, world: World, targets: list[list[Asked]]) -> NamedFlow:
    """``targets`` are where it may go, for each IP version."""
    asking = draw(st.sampled_from(list(sources(world))))
    asked = draw(st.sampled_from(draw(st.sampled_from(targets))))
    protocol = asked.protocol if draw(st.integers(0, 7)) else draw(st.sampled_from((Protocol.TCP, Protocol.UDP)))
    port = 0 if protocol in (Protocol.ICMP, Protocol.ICMPV6) else asked.port or 80
    flow = Flow(asking.netns, asked.address, protocol, port, owner=asking.owner, dont_fragment=protocol is Protocol.TCP)
    return NamedFlow(draw(_packet(flow)), asking.label, asked.label)


def _asked(world: World, ground: Ground, ipvs_nodes: int) -> list[Asked]:
    """Where a flow of an IP version may go; Services several times, for theirs is the longest way.

    The first ``ipvs_nodes`` nodes may have virtual servers of their own.
    """
    found = [each for each in dict.fromkeys(destinations(world)) if each.address.version == ground.version]
    services = [each for each in found if "svc/" in each.label and each.port not in (0, CLOSED_PORT)]
    ping = Protocol.ICMP if ground.version == 4 else Protocol.ICMPV6
    kinds = ((Protocol.TCP, 80), (Protocol.UDP, 53), (ping, 0))
    nobody = [Asked(parse_address(ip), ip, *kinds[number % 3]) for number, ip in enumerate(ground.nobody)]
    return found + services * 3 + nobody + asked_of_own(ipvs_nodes, ground)


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
