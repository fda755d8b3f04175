"""What the ipvs mode programs for Services that the reference cases do not show."""

import pytest

from netsim.net.address import Family, parse_address
from netsim.objects.core import Node
from proxy.config.duration import SECOND
from proxy.config.model import IPVS, ProxyMode
from proxy.config.read import read_configuration
from proxy.ipvs.ip_sets import SETS, set_name
from proxy.ipvs.settings import Timeouts, ipvs_settings
from proxy.ipvs.virtual_server import RealServer, VirtualServer
from proxy.node import proxy_node
from proxy.server import ipvs_proxy
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object

VIP = ({"ip": "203.0.113.7"},)


def synced(*items, node=None, family=Family.IPV4, **configuration):
    feed, proxy = feed_and_proxy(node, ipvs_proxy, mode=ProxyMode.IPVS, **configuration)
    for item in items:
        feed.put(item)
    return proxy.sync()[family]


def services(sync):
    return [line.removeprefix("-A ") for line in sync.ipvsadm().splitlines() if line.startswith("-A")]


def members(sync, name):
    return sorted(sync.sets[name].members)


SERVERS = (
    (VirtualServer("TCP", parse_address("10.96.0.1"), 80, "rr"), "-A -t 10.96.0.1:80 -s rr\n"),
    (VirtualServer("UDP", parse_address("fd00::1"), 53, "wlc", 60), "-A -u [fd00::1]:53 -s wlc -p 60\n"),
    (
        VirtualServer("SCTP", parse_address("10.96.0.1"), 7, "mh", 1, hashes_client_port=True),
        "-A --sctp-service 10.96.0.1:7 -s mh -p 1 -b mh-port\n",
    ),
    (
        VirtualServer("TCP", parse_address("::1"), 1, "rr", None, False, (RealServer(parse_address("fd00::2"), 8, 0),)),
        "-A -t [::1]:1 -s rr\n-a -t [::1]:1 -r [fd00::2]:8 -m -w 0\n",
    ),
)


@pytest.mark.parametrize(("server", "text"), SERVERS)
def test_virtual_servers_are_written_as_ipvsadm_writes_them(server, text):
    assert "".join(server.lines()) == text


@pytest.mark.parametrize("scheduler", ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "sed", "nq", "mh", ""])
def test_every_scheduler_of_the_configuration_is_that_of_the_virtual_servers(scheduler):
    document = {"mode": "ipvs", "ipvs": {"scheduler": scheduler}}
    configuration = read_configuration(document)
    sync = synced(service_object(), ipvs=configuration.ipvs)
    flags = " -b mh-port" if scheduler == "mh" else ""
    assert services(sync) == [f"-t 10.96.0.10:80 -s {scheduler or 'rr'}{flags}"]


def test_affinity_is_persistence_of_every_address():
    affine = {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 90}}}
    sync = synced(service_object(type="NodePort", ports=({"port": 80, "nodePort": 30080},), **affine))
    assert services(sync) == ["-t 10.96.0.10:80 -s rr -p 90", "-t 192.168.0.11:30080 -s rr -p 90"]


VS_SYSCTLS = {
    "net.ipv4.vs.conntrack": "1",
    "net.ipv4.vs.expire_nodest_conn": "1",
    "net.ipv4.vs.expire_quiescent_template": "1",
    "net.ipv4.ip_forward": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "3600",
}
ARP_SYSCTLS = {"net.ipv4.conf.all.arp_ignore": "1", "net.ipv4.conf.all.arp_announce": "2"}


@pytest.mark.parametrize(
    ("ipvs", "sysctls", "timeouts"),
    [
        (IPVS(), VS_SYSCTLS, None),
        (IPVS(strict_arp=True), {**VS_SYSCTLS, **ARP_SYSCTLS}, None),
        (IPVS(tcp_timeout=900 * SECOND), VS_SYSCTLS, Timeouts(900, 0, 0)),
        (IPVS(tcp_fin_timeout=30 * SECOND, udp_timeout=90 * SECOND), VS_SYSCTLS, Timeouts(0, 30, 90)),
    ],
)
def test_sysctls_and_timeouts_follow_the_configuration(ipvs, sysctls, timeouts):
    sync = synced(ipvs=ipvs)
    assert (sync.sysctls, sync.timeouts) == (sysctls, timeouts)


ADDRESSES = tuple(
    map(parse_address, ("192.168.0.11", "10.9.0.1", "127.0.0.1", "127.5.0.1", "fd00::11", "fe80::11", "::1"))
)


@pytest.mark.parametrize(
    ("values", "family", "served"),
    [
        ((), Family.IPV4, ("10.9.0.1", "192.168.0.11")),
        (("all",), Family.IPV4, ("10.9.0.1", "192.168.0.11")),
        (("primary",), Family.IPV4, ("192.168.0.11",)),
        (("10.0.0.0/8",), Family.IPV4, ("10.9.0.1",)),
        (("127.0.0.0/8",), Family.IPV4, ()),
        (("172.16.0.0/12",), Family.IPV4, ()),
        (("10.0.0.0/8",), Family.IPV6, ("fd00::11",)),
        (("localhost",), Family.IPV6, ()),
        (("fe80::/10",), Family.IPV6, ("fe80::11",)),
    ],
)
def test_node_ports_are_served_on_addresses_but_never_on_loopback(values, family, served):
    node = proxy_node(Node.of(node_object(addresses=("192.168.0.11", "fd00::11"))), addresses=ADDRESSES)
    configuration = read_configuration({"mode": "ipvs", "nodePortAddresses": list(values)})
    assert tuple(map(str, ipvs_settings(configuration, node, family).node_port_ips)) == served


BALANCED = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": 31000, "ingress": VIP}


def test_without_addresses_for_node_ports_kube_proxy_forgets_the_health_check_too():
    item = service_object(ports=({"port": 80, "nodePort": 30080},), **BALANCED)
    sync = synced(item, node_port_addresses=("172.16.0.0/12",))
    assert services(sync) == ["-t 10.96.0.10:80 -s rr", "-t 203.0.113.7:80 -s rr"]
    assert members(sync, "KUBE-HEALTH-CHECK-NODE-PORT") == []
    assert members(sync, "KUBE-NODE-PORT-TCP") == []
    assert members(synced(item), "KUBE-HEALTH-CHECK-NODE-PORT") == ["31000"]


def test_an_address_of_the_nodes_own_is_served_but_not_put_on_the_dummy_device():
    own = synced(service_object(externalIPs=["192.168.0.11", "198.51.100.4"]))
    assert services(own) == ["-t 10.96.0.10:80 -s rr", "-t 192.168.0.11:80 -s rr", "-t 198.51.100.4:80 -s rr"]
    assert own.dummy_addresses() == "10.96.0.10\n198.51.100.4\n"
    assert members(own, "KUBE-IPVS-IPS") == ["10.96.0.10", "198.51.100.4"]
    assert members(own, "KUBE-EXTERNAL-IP") == ["192.168.0.11,tcp:80", "198.51.100.4,tcp:80"]


def test_source_ranges_are_asked_without_endpoints_and_keep_the_node_out():
    sync = synced(service_object(loadBalancerSourceRanges=["10.0.0.0/8"], type="LoadBalancer", ingress=VIP))
    assert members(sync, "KUBE-LOAD-BALANCER-FW") == ["203.0.113.7,tcp:80"]
    assert members(sync, "KUBE-LOAD-BALANCER-SOURCE-CIDR") == ["203.0.113.7,tcp:80,10.0.0.0/8"]
    assert members(sync, "KUBE-LOAD-BALANCER-SOURCE-IP") == []
    refusal = "-A KUBE-IPVS-OUT-FILTER -s 203.0.113.7 -m ipvs --vaddr 203.0.113.7 --vproto tcp --vport 80 -j DROP\n"
    assert sync.chains.filter["KUBE-IPVS-OUT-FILTER"] == refusal


def test_the_node_may_reach_a_vip_whose_ranges_hold_it():
    ranges = {"loadBalancerSourceRanges": ["192.168.0.0/24"], "type": "LoadBalancer", "ingress": VIP}
    sync = synced(service_object(**ranges))
    assert members(sync, "KUBE-LOAD-BALANCER-SOURCE-IP") == ["203.0.113.7,tcp:80,203.0.113.7"]
    assert sync.chains.filter["KUBE-IPVS-OUT-FILTER"] == ""


def test_rules_follow_source_ranges_even_if_the_same_sets_have_members():
    feed, proxy = feed_and_proxy(None, ipvs_proxy, mode=ProxyMode.IPVS)
    found = []
    for holding in ("a", "b", "ab"):
        for number, other in enumerate("ab"):
            ranges = ["192.168.0.0/24"] if other in holding else ["10.0.0.0/8"]
            spec = {"type": "LoadBalancer", "ingress": ({"ip": f"203.0.113.{number}"},)}
            feed.put(service_object(other, ips=(f"10.96.0.{number}",), loadBalancerSourceRanges=ranges, **spec))
        found.append(proxy.sync()[Family.IPV4].chains.filter["KUBE-IPVS-OUT-FILTER"].split(" -m ")[0])
    out = "-A KUBE-IPVS-OUT-FILTER -s"
    assert found == [f"{out} 203.0.113.1", f"{out} 203.0.113.0", ""]


def test_sctp_node_ports_stand_with_their_addresses():
    ports = ({"port": 80, "protocol": "SCTP", "nodePort": 30080},)
    sync = synced(service_object(type="NodePort", externalTrafficPolicy="Local", ports=ports))
    for name in ("KUBE-NODE-PORT-SCTP-HASH", "KUBE-NODE-PORT-LOCAL-SCTP-HASH"):
        assert members(sync, name) == ["192.168.0.11,sctp:30080"]


def test_endpoints_of_the_node_reach_themselves_ready_or_not():
    found = [endpoint("10.244.1.2"), endpoint("10.244.1.3", ready=False), endpoint("10.244.2.2", "node2")]
    sync = synced(service_object(), slice_object(found))
    assert members(sync, "KUBE-LOOP-BACK") == ["10.244.1.2,tcp:8080,10.244.1.2", "10.244.1.3,tcp:8080,10.244.1.3"]


def test_policy_local_without_local_endpoints_leads_to_all_of_them():
    found = [endpoint("10.244.2.2", "node2"), endpoint("10.244.2.3", "node2")]
    ports = ({"port": 80, "nodePort": 30080},)
    external = service_object(type="NodePort", externalTrafficPolicy="Local", ports=ports)
    assert synced(external, slice_object(found)).ipvsadm().count("-t 192.168.0.11:30080 -r") == 2
    local = [*found, endpoint("10.244.1.2")]
    assert synced(external, slice_object(local)).ipvsadm().count("-t 192.168.0.11:30080 -r") == 1


def test_two_spellings_of_an_address_are_one_real_server():
    found = [endpoint("fd00:10:244::2"), endpoint("FD00:10:244:0::2"), endpoint("fd00:10:244::1")]
    items = (service_object(ips=("fd00:10:96::a",)), slice_object(found, family="IPv6"))
    sync = synced(*items, node=node_object(addresses=("fd00::11",)), family=Family.IPV6)
    (server,) = sync.virtual_servers.values()
    assert [real.text for real in server.real_servers] == ["[fd00:10:244::1]:8080", "[fd00:10:244::2]:8080"]


def test_of_two_services_with_one_address_the_last_by_name_is_programmed():
    feed, proxy = feed_and_proxy(None, ipvs_proxy, mode=ProxyMode.IPVS)
    for number, name in enumerate("ab"):
        feed.put(service_object(name, ips=(f"10.96.0.{number}",), externalIPs=["198.51.100.4"]))
        feed.put(slice_object([endpoint(f"10.244.1.{number}")], service=name))
    assert "-a -t 198.51.100.4:80 -r 10.244.1.1:8080" in proxy.sync()[Family.IPV4].ipvsadm()
    feed.remove(service_object("b", ips=("10.96.0.1",)).key)
    second = proxy.sync()[Family.IPV4]
    assert "-a -t 198.51.100.4:80 -r 10.244.1.0:8080" in second.ipvsadm()
    assert "-d -t 198.51.100.4:80 -r 10.244.1.1:8080\n" in second.changes.ipvsadm
    assert "-D -t 198.51.100.4:80" not in second.changes.ipvsadm
    assert (second.changes.bound, second.changes.unbound) == ((), (parse_address("10.96.0.1"),))


def test_ipv6_names_of_sets_are_cut_to_31_characters_and_stay_apart():
    names = [set_name(name, family) for name in SETS for family in Family]
    assert max(map(len, names)) == 31
    assert len(set(names)) == 2 * len(SETS)
    assert set_name("KUBE-NODE-PORT-LOCAL-SCTP-HASH", Family.IPV6) == "KUBE-6-NODE-PORT-LOCAL-SCTP-HAS"
    assert set_name("KUBE-CLUSTER-IP", Family.IPV6) == "KUBE-6-CLUSTER-IP"
