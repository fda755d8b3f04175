from __future__ import annotations

from dataclasses import replace

import pytest

from netsim.net.address import MAC, Family, parse_address, parse_prefix
from netsim.net.packet import Protocol
from netsim.rules.xtables.parse import parse
from netsim.topology.build import build, with_rules
from netsim.topology.cni.flannel import flannel_rules
from netsim.topology.model import BridgePort, Endpoint, Listener, Role, Route, Veth
from netsim.topology.naming import IFNAMSIZ, address_mac, port_name, veth_name
from netsim.topology.plan import CNIPlan, GatewayPlan, PlanError
from netsim.topology.validate import validate
from tests.unit.topology_plans import (
    CLUSTER_CIDRS,
    addresses,
    cluster,
    dual_stack,
    external,
    machine,
    pod,
    routes,
    two_nodes,
)


def test_every_namespace_is_there_in_a_fixed_order() -> None:
    assert list(build(two_nodes()).namespaces) == [
        "outside",
        "gateway",
        "switch.lan0",
        "node.node1",
        "pod.default.a",
        "pod.default.b",
        "node.node2",
        "pod.default.c",
        "external.client",
    ]


def test_a_node_has_what_kubeadm_flannel_and_bridge_give_it() -> None:
    node = build(two_nodes()).namespaces["node.node1"]
    assert (node.role, node.label, node.node) == (Role.NODE, "node/node1", "node1")
    assert [device.name for device in node.devices[:3]] == ["lo", "eth0", "cni0"]
    assert routes(node) == ["0.0.0.0/0 via 192.168.0.1 dev eth0", "10.244.2.0/24 via 192.168.0.12 dev eth0"]
    assert node.sysctls["net.ipv4.ip_forward"] == "1"
    assert [(one.port, one.owner) for one in node.listeners] == [
        (22, "node1/sshd"),
        (10250, "node1/kubelet"),
        (10256, "node1/kube-proxy"),
        (6443, "node1/kube-apiserver"),
    ]
    assert 6443 not in [one.port for one in build(two_nodes()).namespaces["node.node2"].listeners]


def test_cni0_has_the_first_address_of_the_pod_cidr_and_a_port_with_hairpin_for_each_pod() -> None:
    topology = build(two_nodes())
    node = topology.namespaces["node.node1"]
    assert addresses(topology, "node.node1", "cni0") == ["10.244.1.1/24"]
    ports = [device for device in node.devices if device.port is not None]
    assert [port.port for port in ports] == [BridgePort("cni0", hairpin=True)] * 2
    assert [port.kind for port in ports] == [
        Veth(Endpoint("pod.default.a", "eth0")),
        Veth(Endpoint("pod.default.b", "eth0")),
    ]


def test_hairpin_and_mtu_are_the_plugins() -> None:
    plan = replace(two_nodes(), cni=CNIPlan(CLUSTER_CIDRS, hairpin=False, mtu=1400))
    topology = build(plan)
    inside = {device.name: device for device in topology.namespaces["node.node1"].devices}
    assert {device.port.hairpin for device in inside.values() if device.port is not None} == {False}
    assert inside["cni0"].mtu == 1400
    assert inside["eth0"].mtu == 1500
    pod_device = topology.namespaces["pod.default.a"].device("eth0")
    assert pod_device is not None
    assert pod_device.mtu == 1400


def test_a_node_without_pods_has_no_cni0() -> None:
    node = build(cluster(machine(1), machine(2), pods=(pod("a", 1, "10.244.1.2"),))).namespaces["node.node2"]
    assert node.device("cni0") is None


def test_a_pod_has_its_address_its_routes_and_its_containers_listeners() -> None:
    inside = build(two_nodes()).namespaces["pod.default.a"]
    assert (inside.role, inside.label, inside.node) == (Role.POD, "pod/default/a", "node1")
    assert [str(a) for device in inside.devices for a in device.addresses] == [
        "127.0.0.1/8",
        "::1/128",
        "10.244.1.2/24",
    ]
    assert routes(inside) == ["0.0.0.0/0 via 10.244.1.1 dev eth0", "10.244.0.0/16 via 10.244.1.1 dev eth0"]
    assert inside.listeners == (Listener(Protocol.TCP, 8080, owner="default/a/web"),)


def test_a_host_network_pod_listens_on_its_node() -> None:
    plan = cluster(machine(1), pods=(pod("proxy", 1, "192.168.0.11", host_network=True),))
    topology = build(plan)
    assert "pod.default.proxy" not in topology.namespaces
    assert topology.namespaces["node.node1"].device("cni0") is None
    assert Listener(Protocol.TCP, 8080, owner="default/proxy/web") in topology.namespaces["node.node1"].listeners


def test_both_families_alike() -> None:
    topology = build(dual_stack())
    assert addresses(topology, "node.node1", "eth0") == ["192.168.0.11/24", "fd00:10::11/64"]
    assert addresses(topology, "node.node1", "cni0") == ["10.244.1.1/24", "fd00:244:0:1::1/64"]
    assert "fd00:244:0:2::/64 via fd00:10::12 dev eth0" in routes(topology.namespaces["node.node1"])
    assert "::/0 via fd00:10::1 dev eth0" in routes(topology.namespaces["node.node1"])
    assert "::/0 via fd00:244:0:1::1 dev eth0" in routes(topology.namespaces["pod.default.a"])
    assert "fd00:244::/48 via fd00:244:0:1::1 dev eth0" in routes(topology.namespaces["pod.default.a"])
    assert topology.namespaces["node.node1"].sysctls["net.ipv6.conf.all.forwarding"] == "1"


def test_an_external_host_in_no_node_network_has_a_network_of_its_own_behind_the_gateway() -> None:
    topology = build(dual_stack())
    assert topology.namespaces["switch.lan1"].label == "switch/203.0.113.0/24"
    assert addresses(topology, "external.far", "eth0") == ["203.0.113.7/24", "2001:db8:7::7/64"]
    assert addresses(topology, "gateway", "eth1") == ["203.0.113.1/24", "2001:db8:7::1/64"]
    assert topology.namespaces["external.far"].listeners == ()
    assert routes(topology.namespaces["external.far"]) == [
        "0.0.0.0/0 via 203.0.113.1 dev eth0",
        "::/0 via 2001:db8:7::1 dev eth0",
    ]


def test_what_is_not_described_is_outside() -> None:
    topology = build(two_nodes())
    assert topology.namespaces["outside"].role is Role.OUTSIDE
    assert routes(topology.namespaces["gateway"]) == ["0.0.0.0/0 via 100.64.0.2 dev wan0"]
    assert routes(build(dual_stack()).namespaces["gateway"])[1] == "::/0 via fd00:ffff:ffff:ffff::2 dev wan0"
    assert topology.namespaces["gateway"].sysctls["net.ipv4.ip_forward"] == "1"


def test_the_link_to_the_outside_avoids_described_networks() -> None:
    plan = cluster(machine(1, "100.64.0.11/10", pod_cidrs=("198.18.0.0/16",)))
    assert addresses(build(plan), "gateway", "wan0")[0] == "192.0.0.1/29"


def test_nodes_in_two_networks_are_joined_by_the_gateway_and_have_no_host_gw_route() -> None:
    topology = build(cluster(machine(1, "192.168.0.11/24"), machine(2, "192.168.1.12/24")))
    assert addresses(topology, "gateway", "eth0") == ["192.168.0.1/24"]
    assert addresses(topology, "gateway", "eth1") == ["192.168.1.1/24"]
    assert routes(topology.namespaces["node.node1"]) == ["0.0.0.0/0 via 192.168.0.1 dev eth0"]


def test_a_second_network_is_a_second_card_on_a_second_switch() -> None:
    topology = build(cluster(machine(1, "192.168.0.11/24", "10.9.0.5/24"), externals=(external("db", "10.9.0.77/24"),)))
    assert addresses(topology, "node.node1", "eth1") == ["10.9.0.5/24"]
    card = topology.namespaces["node.node1"].device("eth1")
    assert card is not None
    assert card.kind == Veth(Endpoint("switch.lan1", "node1-eth1"))


def test_a_second_address_of_the_same_network_is_on_the_same_card() -> None:
    topology = build(cluster(machine(1, "192.168.0.11/24", "192.168.0.21/24")))
    assert addresses(topology, "node.node1", "eth0") == ["192.168.0.11/24", "192.168.0.21/24"]


def test_networks_that_overlap_are_one_switch() -> None:
    topology = build(cluster(machine(1, "192.168.0.11/24"), machine(2, "192.168.5.12/16")))
    assert [name for name in topology.namespaces if name.startswith("switch")] == ["switch.lan0"]


def test_a_given_gateway_is_the_routers_address() -> None:
    router = (parse_address("192.168.0.254"),)
    topology = build(cluster(machine(1, gateways=router), machine(2, gateways=router)))
    assert addresses(topology, "gateway", "eth0") == ["192.168.0.254/24"]
    assert "0.0.0.0/0 via 192.168.0.254 dev eth0" in routes(topology.namespaces["node.node1"])


def test_a_described_host_may_be_the_gateway() -> None:
    host = external("router", "192.168.0.1/24", sysctls={"net.ipv4.ip_forward": "1"})
    topology = build(cluster(machine(1, gateways=(parse_address("192.168.0.1"),)), externals=(host,)))
    assert addresses(topology, "gateway", "eth0") == ["192.168.0.2/24"]
    assert routes(topology.namespaces["node.node1"]) == ["0.0.0.0/0 via 192.168.0.1 dev eth0"]
    assert routes(topology.namespaces["external.router"]) == ["0.0.0.0/0 via 192.168.0.2 dev eth0"]


def test_own_routes_get_their_device_and_win_over_made_ones() -> None:
    own = (
        Route(parse_prefix("172.16.0.0/12"), via=parse_address("192.168.0.100")),
        Route(parse_prefix("0.0.0.0/0"), via=parse_address("192.168.0.100")),
    )
    topology = build(replace(two_nodes(), machines=(machine(1, routes=own), machine(2))))
    assert routes(topology.namespaces["node.node1"]) == [
        "10.244.2.0/24 via 192.168.0.12 dev eth0",
        "172.16.0.0/12 via 192.168.0.100 dev eth0",
        "0.0.0.0/0 via 192.168.0.100 dev eth0",
    ]


def test_the_gateway_takes_routes_and_sysctls() -> None:
    pods = Route(parse_prefix("10.244.1.0/24"), via=parse_address("192.168.0.11"))
    plan = replace(two_nodes(), gateway=GatewayPlan((pods,), {"net.ipv4.conf.all.rp_filter": "1"}))
    gateway = build(plan).namespaces["gateway"]
    assert "10.244.1.0/24 via 192.168.0.11 dev eth0" in routes(gateway)
    assert gateway.sysctls["net.ipv4.conf.all.rp_filter"] == "1"


def test_a_nodes_own_sysctls_win_and_its_pods_inherit_ipv4s() -> None:
    own = {
        "net.ipv4.conf.all.forwarding": "0",
        "net.ipv4.conf.default.rp_filter": "1",
        "net.bridge.bridge-nf-call-iptables": "0",
    }
    topology = build(cluster(machine(1, sysctls=own), pods=(pod("a", 1, "10.244.1.2"),)))
    node, inside = topology.namespaces["node.node1"], topology.namespaces["pod.default.a"]
    assert node.sysctls["net.ipv4.ip_forward"] == "0"
    assert "net.ipv4.conf.all.forwarding" not in node.sysctls
    assert node.sysctls["net.bridge.bridge-nf-call-iptables"] == "0"
    assert dict(inside.sysctls) == {"net.ipv4.ip_forward": "0", "net.ipv4.conf.default.rp_filter": "1"}


def test_rules_are_put_in_after_those_there() -> None:
    sets = parse("*filter\n:FORWARD DROP [0:0]\nCOMMIT\n", Family.IPV4, "test")
    topology = with_rules(with_rules(build(two_nodes()), {"node.node1": [sets]}), {"node.node1": [sets]})
    assert topology.namespaces["node.node1"].xtables == (sets, sets)
    assert topology.namespaces["node.node2"].xtables == ()
    with pytest.raises(KeyError):
        with_rules(topology, {"node.node9": [sets]})


def test_all_contradictions_are_reported_at_once() -> None:
    plan = cluster(
        machine(1),
        machine(1),
        pods=(pod("a", 1, "10.9.9.9"), pod("b", 7, "10.244.7.2"), pod("c", 1)),
        externals=(external("nowhere"),),
    )
    with pytest.raises(PlanError) as caught:
        build(plan)
    assert [str(problem) for problem in caught.value.problems] == [
        "node/node1: is described more than once",
        "external/nowhere: has no address",
        "pod/default/a: 10.9.9.9 lies in no pod CIDR of its node node1",
        "pod/default/b: its node 'node7' is not described",
        "pod/default/c: the pod has no address",
    ]


def test_sysctls_are_checked_wherever_they_are_set() -> None:
    plan = cluster(
        machine(1, sysctls={"net.ipv4.ip_foward": "1"}),
        pods=(pod("a", 1, "10.244.1.2", sysctls={"net.ipv4.conf.eth0.arp_accept": "1"}),),
        externals=(external("client", "192.168.0.100/24", sysctls={"net.ipv4.ip_forward": "on"}),),
        gateway=GatewayPlan(sysctls={"net.ipv4.conf.all.rp_filter": "3"}),
    )
    with pytest.raises(PlanError) as caught:
        build(plan)
    assert [problem.subject for problem in caught.value.problems] == [
        "node/node1",
        "pod/default/a",
        "external/client",
        "gateway",
    ]
    assert caught.value.problems[0].advice == "did you mean net.ipv4.ip_forward?"


@pytest.mark.parametrize(
    ("node", "message"),
    [
        pytest.param(
            machine(1, gateways=(parse_address("10.0.0.1"),)),
            "the gateway 10.0.0.1 is on none of its networks",
            id="gateway",
        ),
        pytest.param(
            machine(1, routes=(Route(parse_prefix("172.16.0.0/12"), via=parse_address("10.0.0.1")),)),
            "the route to 172.16.0.0/12 has the gateway 10.0.0.1, which is on none of its networks",
            id="route",
        ),
        pytest.param(
            machine(1, routes=(Route(parse_prefix("172.16.0.0/12")),)),
            "the route to 172.16.0.0/12 names neither a gateway nor a device",
            id="no way",
        ),
    ],
)
def test_what_the_kernel_refuses_is_refused(node: object, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        build(cluster(node))  # type: ignore[arg-type]
    assert [problem.message for problem in caught.value.problems] == [message]


def test_an_address_that_is_there_twice_can_be_built_and_is_found() -> None:
    topology = build(cluster(machine(1), machine(2, "192.168.0.11/24")))
    assert [problem.message for problem in validate(topology)] == [
        "has the address 192.168.0.11 of node.node1/eth0 on the same segment"
    ]


# --- names --------------------------------------------------------------------------------------------------------


def test_names_and_macs_do_not_depend_on_order_or_hash_seed() -> None:
    assert veth_name("node1/default/a") == "vethf5f9ce81"
    assert veth_name("node1/default/a", {"vethf5f9ce81"}) != "vethf5f9ce81"
    assert str(address_mac(parse_address("10.244.1.2"))) == "0a:58:0a:f4:01:02"
    assert address_mac(parse_address("fd00::1")) != address_mac(parse_address("fd00::2"))


@pytest.mark.parametrize("host", ["node1", "a-very-long-host-name.example.org", "with space/and slash"])
def test_a_port_name_is_one_that_the_kernel_takes(host: str) -> None:
    first = port_name(host, "eth0")
    second = port_name(host, "eth0", {first})
    assert len(first) <= IFNAMSIZ
    assert len(second) <= IFNAMSIZ
    assert first != second
    assert not set(first) & set(" /:")


def test_macs_are_unicast_and_locally_administered() -> None:
    for netns in build(dual_stack()).namespaces.values():
        for device in netns.devices:
            assert device.mac == MAC(0) if device.name == "lo" else device.mac.value >> 40 & 3 == 2


# --- flannel ------------------------------------------------------------------------------------------------------


def test_flannels_rules_are_those_of_its_source() -> None:
    plan = dual_stack()
    text = flannel_rules(plan.machines[0], plan.cni, Family.IPV6)
    assert text.splitlines() == [
        "*nat",
        ":FLANNEL-POSTRTG - [0:0]",
        '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
        '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s fd00:244:0:1::/64 -d fd00:244::/48 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s fd00:244::/48 -d fd00:244:0:1::/64 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG ! -s fd00:244::/48 -d fd00:244:0:1::/64 -m comment --comment "flanneld masq" -j RETURN',
        '-A FLANNEL-POSTRTG -s fd00:244::/48 ! -d ff00::/8 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
        '-A FLANNEL-POSTRTG ! -s fd00:244::/48 -d fd00:244::/48 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
        "COMMIT",
        "*filter",
        ":FLANNEL-FWD - [0:0]",
        '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD',
        '-A FLANNEL-FWD -s fd00:244::/48 -m comment --comment "flanneld forward" -j ACCEPT',
        '-A FLANNEL-FWD -d fd00:244::/48 -m comment --comment "flanneld forward" -j ACCEPT',
        "COMMIT",
    ]


@pytest.mark.parametrize(
    ("cni", "family", "tables"),
    [
        pytest.param(CNIPlan(CLUSTER_CIDRS), Family.IPV4, ["*nat", "*filter"], id="all"),
        pytest.param(CNIPlan(CLUSTER_CIDRS, masquerade=False), Family.IPV4, ["*filter"], id="without --ip-masq"),
        pytest.param(CNIPlan(CLUSTER_CIDRS, forward_rules=False), Family.IPV4, ["*nat"], id="without forward rules"),
        pytest.param(CNIPlan(CLUSTER_CIDRS), Family.IPV6, [], id="no such family"),
    ],
)
def test_flannel_writes_only_what_it_is_told_to(cni: CNIPlan, family: Family, tables: list[str]) -> None:
    text = flannel_rules(machine(1), cni, family)
    assert [line for line in text.splitlines() if line.startswith("*")] == tables
    if text:
        parse(text, family, "flannel")
