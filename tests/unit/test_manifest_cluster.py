"""The Cluster document, Node objects and kind configurations → ClusterSpec."""

from __future__ import annotations

import pytest

from netsim.manifest import LoadError
from netsim.manifest.load import Loaded, load_text
from netsim.net.address import parse_address, parse_prefix
from netsim.net.packet import Protocol
from netsim.objects.cluster import ClusterSpec, CNISpec, NoRoomError, node_pod_cidrs
from netsim.objects.core import Taint
from netsim.objects.path import path_text

HEAD = "apiVersion: netsim.io/v1alpha1\nkind: Cluster\nmetadata: {name: c}\nspec:\n"
KIND = "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\n"


def cluster(text: str) -> ClusterSpec:
    return load_text(HEAD + text, "x.yaml").cluster


def table(spec: ClusterSpec) -> list[tuple[str, str, str]]:
    return [(n.name, " ".join(map(str, n.addresses)), " ".join(map(str, n.pod_cidrs))) for n in spec.nodes]


@pytest.mark.parametrize("text", ["{}", "  nodes: [node1, node2]", "  nodes: [{name: node1}, {name: node2}]"])
def test_defaults_are_kubeadm_with_flannel(text: str) -> None:
    spec = cluster(text.replace("{}", "  nodes:") if text == "{}" else text)
    assert table(spec) == [
        ("node1", "192.168.0.11/24", "10.244.1.0/24"),
        ("node2", "192.168.0.12/24", "10.244.2.0/24"),
    ]
    assert spec.pod_cidrs == (parse_prefix("10.244.0.0/16"),)
    assert spec.service_cidrs == (parse_prefix("10.96.0.0/12"),)
    assert spec.gateways == (parse_address("192.168.0.1"),)
    assert spec.cni == CNISpec()
    assert spec.nodes[0].sysctls == {"net.ipv4.ip_forward": "1", "net.bridge.bridge-nf-call-iptables": "1"}
    assert (spec.external, spec.kube_proxy) == ((), None)


def test_everything_said() -> None:
    spec = cluster(
        """\
  podCIDR: 10.1.0.0/16
  serviceCIDR: [10.2.0.0/16]
  gateway: 10.0.0.254
  kubeProxy: {mode: nftables}
  cni: {plugin: bridge, backend: host-gw, hairpin: false, mtu: 1400, masquerade: false, iptablesForwardRules: false}
  nodes:
  - name: a
    addresses: [10.0.0.5/24]
    labels: {topology.kubernetes.io/zone: z}
    annotations: {x: z}
    taints: [{key: k, value: v, effect: NoSchedule}]
    unschedulable: true
    podCIDR: 10.1.7.0/24
    sysctls: {net.ipv4.ip_forward: 0, net.ipv4.conf.all.rp_filter: "1"}
    iptables: |
      *filter
      COMMIT
    ip6tables: "*nat"
    routes: [{to: 172.16.0.0/12, via: 10.0.0.9}, {to: 8.8.8.8, device: eth0}, {to: default, via: 10.0.0.254}]
    kubeProxy: {mode: ipvs}
  - b
  external:
  - {name: client, addresses: [10.0.0.100/24], listen: "80,53/udp"}
  - {name: far, addresses: [172.20.0.2/16], gateway: 172.20.0.1}
"""
    )
    a, b = spec.nodes
    assert table(spec) == [("a", "10.0.0.5/24", "10.1.7.0/24"), ("b", "10.0.0.11/24", "10.1.2.0/24")]
    assert (spec.cni.hairpin, spec.cni.mtu, spec.cni.masquerade, spec.cni.iptables_forward_rules) == (
        False,
        1400,
        False,
        False,
    )
    assert a.sysctls["net.ipv4.ip_forward"] == "0"
    assert a.sysctls["net.ipv4.conf.all.rp_filter"] == "1"
    assert a.taints == (Taint("k", "NoSchedule", "v"),)
    assert a.unschedulable
    assert (dict(a.labels), dict(a.annotations)) == ({"topology.kubernetes.io/zone": "z"}, {"x": "z"})
    assert [(str(r.to), str(r.via), r.device) for r in a.routes] == [
        ("172.16.0.0/12", "10.0.0.9", None),
        ("8.8.8.8/32", "None", "eth0"),
        ("0.0.0.0/0", "10.0.0.254", None),
    ]
    assert a.iptables is not None
    assert (a.iptables.text, a.iptables.origin.line, a.iptables.origin.column) == ("*filter\nCOMMIT\n", 20, 7)
    assert a.ip6tables is not None
    assert (a.ip6tables.origin.line, a.ip6tables.origin.column) == (22, 16)
    proxies = [spec.kube_proxy_of(node) for node in (a, b)]
    assert [proxy and proxy.document["mode"] for proxy in proxies] == ["ipvs", "nftables"]
    assert [proxy and str(proxy.where("mode")) for proxy in proxies] == ["x.yaml:24:17", "x.yaml:8:15"]
    client, far = spec.external
    assert client.listen == ((Protocol.TCP, 80), (Protocol.UDP, 53))
    assert [tuple(map(str, host.gateways)) for host in (client, far)] == [("10.0.0.254",), ("172.20.0.1",)]


def test_dual_stack() -> None:
    spec = cluster('  podCIDR: [10.244.0.0/16, "fd00:10:244::/56"]\n')
    assert table(spec)[0] == ("node1", "192.168.0.11/24 fd00:192:168::11/64", "10.244.1.0/24 fd00:10:244:1::/64")
    assert [str(c) for c in spec.service_cidrs] == ["10.96.0.0/12", "fd00:10:96::/112"]
    assert [str(g) for g in spec.gateways] == ["192.168.0.1", "fd00:192:168::1"]
    assert spec.nodes[0].sysctls["net.ipv6.conf.all.forwarding"] == "1"


def test_ipv6_only() -> None:
    spec = cluster('  serviceCIDR: "fd00:1::/112"\n  nodes: [a]\n')
    assert table(spec) == [("a", "fd00:192:168::11/64", "fd00:10:244:1::/64")]
    assert "net.ipv4.ip_forward" not in spec.nodes[0].sysctls


def test_default_addresses_avoid_those_that_are_taken() -> None:
    spec = cluster(
        "  nodes: [a, {name: b, addresses: [192.168.0.11/24]}]\n  external: [{name: c, addresses: [192.168.0.12/24]}]\n"
    )
    assert [row[1] for row in table(spec)] == ["192.168.0.13/24", "192.168.0.11/24"]


def test_a_node_with_the_first_address_is_not_the_gateway() -> None:
    assert cluster("  nodes: [{name: a, addresses: [192.168.0.1/24]}]\n").gateways == ()


def test_control_plane_has_the_first_block() -> None:
    label = "labels: {node-role.kubernetes.io/control-plane: ''}"
    spec = cluster(f"  nodes: [a, {{name: cp, {label}}}, b]\n")
    assert [row[2] for row in table(spec)] == ["10.244.1.0/24", "10.244.0.0/24", "10.244.2.0/24"]


@pytest.mark.parametrize(
    ("cidr", "roles", "taken", "blocks"),
    [
        ("10.0.0.0/16", [False], [], ["10.0.1.0/24"]),
        ("10.0.0.0/23", [False, False], [], ["10.0.0.0/24", "10.0.1.0/24"]),
        ("10.0.0.0/16", [True, False, True], [], ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]),
        ("10.0.0.0/16", [False, False], ["10.0.1.0/24"], ["10.0.2.0/24", "10.0.3.0/24"]),
        ("10.0.0.0/16", [True], ["10.0.0.0/23"], ["10.0.2.0/24"]),
        ("fd00::/56", [False], [], ["fd00:0:0:1::/64"]),
    ],
)
def test_blocks(cidr: str, roles: list[bool], taken: list[str], blocks: list[str]) -> None:
    found = node_pod_cidrs([parse_prefix(cidr)], roles, taken=[parse_prefix(item) for item in taken])
    assert [str(block) for (block,) in found] == blocks


@pytest.mark.parametrize(("cidr", "count"), [("10.0.0.0/25", 1), ("10.0.0.0/24", 2), ("fd00::/65", 1)])
def test_no_room(cidr: str, count: int) -> None:
    with pytest.raises(NoRoomError, match="has no room for"):
        node_pod_cidrs([parse_prefix(cidr)], [False] * count)


# --- Node objects -----------------------------------------------------------------------------------------------

NODE = """\
apiVersion: v1
kind: Node
metadata: {name: %s, labels: {zone: a}}
spec: {podCIDR: %s, taints: [{key: k, effect: NoExecute}]}
status: {addresses: [{type: Hostname, address: x}, {type: InternalIP, address: %s}]}
"""


def test_node_objects_define_nodes() -> None:
    spec = load_text(
        NODE % ("n1", "10.244.5.0/24", "10.0.0.1") + "---\n" + NODE % ("n2", "10.244.6.0/24", "10.0.0.2")
    ).cluster
    assert table(spec) == [("n1", "10.0.0.1/24", "10.244.5.0/24"), ("n2", "10.0.0.2/24", "10.244.6.0/24")]
    assert spec.nodes[0].taints == (Taint("k", "NoExecute"),)


def test_node_objects_say_more_about_the_clusters_nodes() -> None:
    text = HEAD + "  nodes: [{name: n1, addresses: [10.0.0.1/16], labels: {zone: b}}, n2]\n---\n"
    spec = load_text(
        text + NODE % ("n1", "10.244.5.0/24", "10.0.0.1") + "---\n" + NODE % ("n3", "10.244.6.0/24", "10.0.0.3")
    ).cluster
    assert table(spec) == [
        ("n1", "10.0.0.1/16", "10.244.5.0/24"),
        ("n2", "10.0.0.11/16", "10.244.2.0/24"),
        ("n3", "10.0.0.3/16", "10.244.6.0/24"),
    ]
    assert spec.nodes[0].labels == {"zone": "b"}


# --- kube-proxy and kind ----------------------------------------------------------------------------------------


def test_a_kube_proxy_configuration_of_its_own() -> None:
    text = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  scheduler: wrr\n"
    proxy = load_text(text, "p.yaml").cluster.kube_proxy
    assert proxy is not None
    assert proxy.document["mode"] == "ipvs"
    assert str(proxy.where("ipvs.scheduler")) == "p.yaml:5:3"
    assert str(proxy.where("ipvs.tcpTimeout")) == "p.yaml:4:1"
    assert [path_text(path) for path in proxy.places][-1] == "mode"


def kind(text: str) -> Loaded:
    return load_text(KIND + text, "kind.yaml")


def test_kind_default() -> None:
    spec = kind("").cluster
    assert table(spec) == [("kind-control-plane", "172.18.0.2/16", "10.244.0.0/24")]
    assert [str(c) for c in (*spec.service_cidrs, *spec.gateways)] == ["10.96.0.0/16", "172.18.0.1"]
    assert spec.nodes[0].taints == ()
    assert spec.nodes[0].control_plane


def test_kind_nodes() -> None:
    found = kind("name: x\nnodes: [{role: worker, labels: {a: b}}, {role: control-plane}, {role: worker}]\n")
    assert table(found.cluster) == [
        ("x-worker", "172.18.0.2/16", "10.244.1.0/24"),
        ("x-control-plane", "172.18.0.3/16", "10.244.0.0/24"),
        ("x-worker2", "172.18.0.4/16", "10.244.2.0/24"),
    ]
    assert found.cluster.nodes[0].labels == {"a": "b"}
    assert found.cluster.nodes[1].taints == (Taint("node-role.kubernetes.io/control-plane", "NoSchedule"),)
    assert "kindnet" in found.warnings[0].message


def test_kind_networking() -> None:
    spec = kind("networking: {ipFamily: dual, podSubnet: '10.1.0.0/16,fd00:1::/56', kubeProxyMode: nftables}\n").cluster
    assert table(spec) == [
        ("kind-control-plane", "172.18.0.2/16 fc00:f853:ccd:e793::2/64", "10.1.0.0/24 fd00:1::/64"),
    ]
    assert [str(c) for c in spec.service_cidrs] == ["10.96.0.0/16", "fd00:10:96::/112"]
    assert spec.kube_proxy is not None
    assert spec.kube_proxy.document["mode"] == "nftables"
    assert str(spec.kube_proxy.where("mode")).startswith("kind.yaml:3:")


def test_what_nodes_have_and_what_load_balancers_get() -> None:
    loaded = load_text(
        "apiVersion: netsim.io/v1alpha1\nkind: Cluster\nspec:\n"
        "  loadBalancerPool: 192.0.2.0/29, 192.0.2.64/29\n"
        "  nodes: [{name: a, allocatable: {cpu: 2, memory: 4Gi}}, b]\n"
        "---\napiVersion: v1\nkind: Node\nmetadata: {name: b}\nstatus: {allocatable: {pods: '5'}}\n"
    )
    assert [str(pool) for pool in loaded.cluster.load_balancer_pools] == ["192.0.2.0/29", "192.0.2.64/29"]
    assert [node.allocatable for node in loaded.cluster.nodes] == [{"cpu": "2", "memory": "4Gi"}, {"pods": "5"}]


def test_a_quantity_that_is_none_is_refused() -> None:
    with pytest.raises(LoadError, match=r"allocatable\.cpu: 'much' is not a quantity"):
        load_text("apiVersion: netsim.io/v1alpha1\nkind: Cluster\nspec: {nodes: [{name: a, allocatable: {cpu: much}}]}")
