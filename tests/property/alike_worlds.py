"""Hypothesis strategies for clusters in which much is alike: nodes of one make, workloads of several pods, Services of one kind.

What is not alike is drawn beside it: one node's own rules, routes or sysctls, a source range, a policy, a pod that listens elsewhere.
So classes have many flows, and each way in which a flow may fall out of its class is met.
"""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import strategies as st

from netsim.scenario.random_ground import GROUNDS
from netsim.scenario.random_ipvs import ipvs_text
from netsim.scenario.random_nft import nft_text
from netsim.scenario.random_rules import rules_text
from netsim.scenario.random_world import load_text
from netsim.scenario.world import World

PORTS = (80, 443, 8080)
TARGETS = (8080, 9090)
SYSCTLS = (
    ("net.ipv4.conf.all.rp_filter", "1"),
    ("net.ipv4.ip_forward", "0"),
    ("net.bridge.bridge-nf-call-iptables", "0"),
    ("net.ipv4.conf.all.route_localnet", "1"),
    ("net.ipv4.icmp_echo_ignore_all", "1"),
)
TUNNEL_RULES = tuple(
    f"*filter\n-A {chain} {what} -j DROP\nCOMMIT\n"
    for chain in ("INPUT", "OUTPUT")
    for what in ("-p udp -m udp --dport 8472", "-p ipencap")
)
"""Rules of a node's own that meet what tunnels send, whose ports are none of the flow's."""
MEMORY_RULES = tuple(
    f"*filter\n-A FORWARD {what}\nCOMMIT\n"
    for what in (
        "-m limit --limit 1/minute --limit-burst 2 -j DROP",
        "-p tcp -m recent --name met --rdest --update --hitcount 2 -j DROP",
        "-m conntrack --ctstate NEW -m statistic --mode random --probability 0.5 -j DROP",
        "-p icmp -m icmp --icmp-type 3 -j DROP",
        "-m conntrack --ctdir REPLY -j REJECT",
    )
)
"""Rules whose answer to a later packet of a flow, or to an answer or an error, is another one."""
DUAL = {"podCIDR": ["10.244.0.0/16", "fd00:10:244::/56"], "serviceCIDR": ["10.96.0.0/12", "fd00:10:96::/112"]}


@st.composite
def alike_worlds(draw: st.DrawFn, mode: str) -> tuple[str, World]:
    """A cluster as a document, and loaded."""
    nodes = draw(st.integers(2, 4))
    workloads = draw(st.integers(1, 3))
    documents = [_cluster(draw, nodes, mode)]
    documents += [_workload(draw, f"w{number}", nodes) for number in range(workloads)]
    documents += [_service(draw, f"s{number}", workloads) for number in range(draw(st.integers(1, 4)))]
    text = yaml.safe_dump_all(documents, sort_keys=False)
    return text, load_text(text)


def _cluster(draw: st.DrawFn, nodes: int, mode: str) -> dict[str, Any]:
    machines: list[dict[str, Any]] = [{"name": f"node{number}"} for number in range(1, nodes + 1)]
    for machine in machines:
        if draw(st.integers(0, 5)) == 0:
            machine |= draw(_oddity(mode))
    spec: dict[str, Any] = {
        "nodes": machines,
        "cni": {
            "plugin": draw(st.sampled_from(("bridge", "bridge", "ptp"))),
            "backend": draw(st.sampled_from(("host-gw", "host-gw", "vxlan", "ipip"))),
        },
        "kubeProxy": {"mode": mode},
    }
    dual = draw(st.integers(0, 3)) == 0
    if dual:
        spec |= DUAL
        spec["cni"]["backend"] = "host-gw"
    if draw(st.booleans()):
        addresses = ["192.168.0.100/24", *(["fd00:192:168::100/64"] if dual else [])]
        spec["external"] = [{"name": "client", "addresses": addresses}]
    if draw(st.integers(0, 3)) == 0:
        spec["kubeProxy"] |= draw(st.sampled_from(({"clusterCIDR": "10.244.0.0/17"}, {"detectLocalMode": "BridgeInterface",
            "detectLocal": {"bridgeInterface": "cni0"}}, {"nodePortAddresses": ["primary"]})))  # fmt: skip
    return {"apiVersion": "netsim.io/v1alpha1", "kind": "Cluster", "metadata": {"name": "alike"}, "spec": spec}


@st.composite
def _oddity(draw: st.DrawFn, mode: str) -> dict[str, Any]:
    kinds: list[dict[str, Any]] = [
        {"sysctls": dict([draw(st.sampled_from(SYSCTLS))])},
        {"routes": [{"to": "10.244.2.0/25", "via": "192.168.0.12"}]},
        {"iptables": draw(rules_text(most=3))} if mode != "nftables" else {"nftables": draw(nft_text())},
    ]
    if mode != "nftables":
        kinds.append({"iptables": draw(st.sampled_from((*TUNNEL_RULES, *MEMORY_RULES)))})
    if mode == "ipvs":
        kinds.append({"ipvs": draw(ipvs_text(1, GROUNDS[4]))})
    return draw(st.sampled_from(kinds))


def _workload(draw: st.DrawFn, name: str, nodes: int) -> dict[str, Any]:
    port: dict[str, Any] = {"containerPort": draw(st.sampled_from(TARGETS))}
    if draw(st.integers(0, 7)) == 0:
        port["hostPort"] = 8088
    pod: dict[str, Any] = {"containers": [{"name": "app", "image": "app", "ports": [port]}]}
    kind = "DaemonSet" if "hostPort" in port else "Deployment"
    if kind == "Deployment" and draw(st.integers(0, 7)) == 0:
        pod["nodeName"] = f"node{draw(st.integers(1, nodes))}"
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
    }
    if kind == "Deployment":
        spec["replicas"] = draw(st.integers(1, 5))
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _service(draw: st.DrawFn, name: str, workloads: int) -> dict[str, Any]:
    kind = draw(st.sampled_from(("ClusterIP", "ClusterIP", "NodePort", "LoadBalancer")))
    spec: dict[str, Any] = {
        "type": kind,
        "selector": {"app": f"w{draw(st.integers(0, workloads))}"},
        "ports": [{"port": draw(st.sampled_from(PORTS)), "targetPort": draw(st.sampled_from(TARGETS))}],
    }
    if kind != "ClusterIP" and draw(st.booleans()):
        spec["externalTrafficPolicy"] = "Local"
    if kind == "LoadBalancer" and draw(st.booleans()):
        spec["loadBalancerSourceRanges"] = [draw(st.sampled_from(("192.168.0.0/24", "10.244.1.2/32", "10.244.0.0/23")))]
    for option, value in (
        ("internalTrafficPolicy", "Local"),
        ("sessionAffinity", "ClientIP"),
        ("externalIPs", ["192.168.0.50"]),
        ("ipFamilyPolicy", "PreferDualStack"),
    ):
        if draw(st.integers(0, 4)) == 0:
            spec[option] = value
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}
