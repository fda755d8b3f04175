"""What a sync of the nftables mode writes, deletes, keeps for later and leaves alone."""

import pytest

from netsim.net.address import Family
from netsim.objects.meta import Key
from proxy.config.duration import HOUR, SECOND
from proxy.config.model import Conntrack, ProxyMode
from proxy.names import ServicePortName
from proxy.nftables.elements import Element, ElementStorage
from proxy.nftables.fixed_table import BASE_CHAINS
from proxy.nftables.names import endpoint_names, service_chains
from proxy.server import nftables_proxy
from tests.nftables_texts import NftablesTable, table_form
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object

WEB = Key("Service", "default", "web")
SERVICE_CHAIN = "service-PFISGYVC-default/web/tcp/"


def start(node=None, **configuration):
    return feed_and_proxy(node, nftables_proxy, mode=ProxyMode.NFTABLES, **configuration)


def sync(proxy, now=0):
    return proxy.sync(now)[Family.IPV4]


def put(feed, *items):
    for item in items:
        feed.put(item)


def two_services(feed, **spec):
    put(feed, service_object(**spec), slice_object([endpoint("10.244.1.2")]))
    put(feed, service_object("db", ips=("10.96.0.11",)), slice_object([endpoint("10.244.1.3")], service="db"))


def test_the_first_sync_is_full_and_deletes_base_chains_of_an_earlier_version():
    feed, proxy = start()
    two_services(feed)
    first = sync(proxy)
    assert first.full
    assert first.cleanup == ""
    assert first.transaction.startswith("add table ip kube-proxy ")
    for chain in BASE_CHAINS:
        head = f"chain ip kube-proxy {chain.name}"
        made = f"add {head} {{ type {chain.type} hook {chain.hook} priority {chain.priority} ; }}\n"
        assert f"add {head}\ndelete {head}\n" in first.transaction
        assert first.transaction.index(f"delete {head}\n") < first.transaction.index(f"{made}flush {head}\n")


def test_a_full_sync_after_an_hour_makes_everything_anew_but_no_base_chain():
    feed, proxy = start()
    two_services(feed)
    first = sync(proxy)
    assert not sync(proxy, HOUR).full
    again = sync(proxy, HOUR + 1)
    assert again.full
    assert "delete chain" not in again.transaction
    assert "flush map ip kube-proxy service-ips\n" in again.transaction
    assert "add element ip kube-proxy cluster-ips { 10.96.0.11 }\n" in again.transaction
    assert again.table() == first.table()


def test_a_partial_sync_names_only_what_changed():
    feed, proxy = start()
    two_services(feed)
    sync(proxy)
    put(feed, slice_object([endpoint("10.244.1.2"), endpoint("10.244.2.2", "node2")]))
    result = sync(proxy)
    assert not result.full
    chain = f"chain ip kube-proxy {SERVICE_CHAIN}\n"
    choice = "numgen random mod 2 map { 0 : 10.244.1.2 . 8080 , 1 : 10.244.2.2 . 8080 }"
    rule = f"add rule ip kube-proxy {SERVICE_CHAIN} meta l4proto tcp dnat ip addr . port to {choice}\n"
    assert result.transaction == f"add {chain}flush {chain}{rule}"
    assert sync(proxy).transaction == ""


def test_a_chain_out_of_use_is_emptied_by_each_sync_and_deleted_when_none_came_for_more_than_a_second():
    feed, proxy = start()
    two_services(feed)
    sync(proxy)
    feed.remove(WEB)
    flush = f"flush chain ip kube-proxy {SERVICE_CHAIN}\n"
    gone = sync(proxy, 1 * SECOND)
    assert flush in gone.transaction
    assert gone.service_chains[SERVICE_CHAIN] == ""
    for now in (1.5, 2.5, 3.5):
        again = sync(proxy, int(now * SECOND))
        assert (again.cleanup, again.transaction) == ("", flush)
    last = sync(proxy, int(4.5 * SECOND) + 1)
    assert (last.cleanup, last.transaction) == (f"delete chain ip kube-proxy {SERVICE_CHAIN}\n", "")
    assert SERVICE_CHAIN not in last.table()


@pytest.mark.parametrize(("after", "cleaned"), [(0, False), (5 * SECOND, True)])
def test_a_service_that_comes_back_takes_its_chain_up_again(after, cleaned):
    feed, proxy = start()
    two_services(feed)
    before = sync(proxy).table()
    feed.remove(WEB)
    sync(proxy)
    put(feed, service_object())
    back = sync(proxy, after)
    assert bool(back.cleanup) is cleaned
    assert f"add chain ip kube-proxy {SERVICE_CHAIN}\n" in back.transaction
    assert table_form(back.table()) == table_form(before)
    later = sync(proxy, 20 * SECOND)
    assert (later.cleanup, later.transaction) == ("", "")


def test_an_affinity_set_goes_at_once_with_the_rules_that_ask_it():
    feed, proxy = start()
    two_services(feed, sessionAffinity="ClientIP")
    kernel = NftablesTable()
    first = sync(proxy)
    kernel.apply(first.transaction)
    name = endpoint_names(ServicePortName("default", "web", "", "TCP"), "10.244.1.2", 8080).affinity
    assert list(first.affinity_sets) == [name]
    put(feed, service_object())
    result = sync(proxy)
    assert result.transaction.endswith(f"delete set ip kube-proxy {name}\n")
    assert not result.affinity_sets
    kernel.apply(result.transaction)
    assert kernel.form() == table_form(result.table())


def timeout(seconds):
    return {"sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": seconds}}}


def test_linux_takes_a_new_timeout_over_and_the_recorder_of_the_cases_does_not():
    feed, proxy = start()
    two_services(feed, **timeout(30))
    sync(proxy)
    put(feed, service_object(**timeout(60)))
    result = sync(proxy)
    assert "timeout 60s" in result.transaction
    assert "timeout 60s" in result.table()
    assert "timeout 30s" in result.table_as_recorded()
    assert "timeout 60s" not in result.table_as_recorded()


def test_service_cidrs_wait_for_a_full_sync():
    feed, proxy = start()
    two_services(feed)
    assert "unallocated" not in sync(proxy).table()
    assert not proxy.on_service_cidrs(("10.96.0.0/12", "fd00:10:96::/112", "10.112.0.0/16"))
    assert "unallocated" not in sync(proxy).table()
    proxy.proxiers[Family.IPV4].force_full_sync()
    rule = 'ip daddr { 10.96.0.0/12,10.112.0.0/16 } drop comment "Drop traffic to unallocated ClusterIPs"'
    assert f"cluster-ips-check {rule}\n" in sync(proxy).table()


def test_node_ports_are_served_on_the_primary_addresses_unless_told_otherwise_and_never_on_loopback():
    node = node_object(addresses=("192.168.0.11", "192.168.5.11"))
    _, proxy = start(node)
    assert sync(proxy).fixed.node_port_ips == ("192.168.0.11",)
    _, proxy = start(node, node_port_addresses=("192.168.0.0/16", "127.0.0.0/8"))
    assert sync(proxy).fixed.node_port_ips == ("192.168.0.11", "192.168.5.11")
    _, proxy = start(node, node_port_addresses=("all",))
    everywhere = sync(proxy)
    assert everywhere.fixed.node_port_ips is None
    assert "add set ip kube-proxy nodeport-ips" not in everywhere.table()
    assert "delete set ip kube-proxy nodeport-ips\n" in everywhere.transaction
    assert "fib daddr type local ip daddr != 127.0.0.0/8 " in everywhere.table()


def test_ipv6_node_ports_everywhere_leave_out_the_loopback_address():
    _, proxy = start(node_object(addresses=("fd00::1",)), node_port_addresses=("all",))
    table = proxy.sync()[Family.IPV6].table()
    assert "fib daddr type local ip6 daddr != ::1 meta l4proto" in table
    assert "nodeport-endpoints-check ip6 daddr != ::1 meta l4proto" in table


def test_sysctls_are_those_of_conntrack_alone():
    _, proxy = start(conntrack=Conntrack(True, 0, 90 * SECOND, 30 * SECOND, 0))
    assert sync(proxy).sysctls == {
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "90",
        "net.netfilter.nf_conntrack_udp_timeout": "30",
        "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
    }


def test_source_ranges_drop_even_where_there_is_no_endpoint():
    feed, proxy = start()
    spec = {"type": "LoadBalancer", "ingress": ({"ip": "203.0.113.7"},), "loadBalancerSourceRanges": ["10.0.0.0/8"]}
    put(feed, service_object(**spec))
    table = sync(proxy).table()
    firewall = service_chains(ServicePortName("default", "web", "", "TCP")).firewall
    assert f"firewall-ips {{ 203.0.113.7 . tcp . 80 : goto {firewall} }}\n" in table
    assert f"add rule ip kube-proxy {firewall} ip saddr != {{ 10.0.0.0/8 }} drop\n" in table
    assert "service-ips { 203.0.113.7" not in table


NAMES = (
    (("ns1", "svc1", "p80", "TCP"), "service-ULMVA6XW-ns1/svc1/tcp/p80"),
    (("default", "web", "", "TCP"), SERVICE_CHAIN),
)


@pytest.mark.parametrize(("name", "chain"), NAMES)
def test_names_of_chains(name, chain):
    assert service_chains(ServicePortName(*name)).service == chain


def test_names_of_endpoints():
    names = endpoint_names(ServicePortName("ns1", "svc1", "p80", "TCP"), "10.180.0.1", 80)
    assert names.chain == "endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"
    assert names.affinity == "affinity-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80"
    six = endpoint_names(ServicePortName("a", "b", "", "UDP"), "fd00::1", 53).chain
    assert six.endswith("-a/b/udp/__fd00..1/53")


def test_a_name_that_is_too_long_is_cut_behind_its_hash():
    long = ServicePortName("n" * 63, "s" * 63, "p" * 63, "SCTP")
    one = endpoint_names(long, "2001:0db8:1111:2222:3333:4444:5555:6666", 10001).chain
    two = endpoint_names(long, "2001:0db8:1111:2222:3333:4444:5555:6666", 10002).chain
    assert len(one) == len("endpoint-") + 240
    assert one.endswith("...")
    assert one != two
    assert one.partition("-n")[2] == two.partition("-n")[2]


A, B, C = (ServicePortName("default", name, "", "TCP") for name in "abc")


def test_an_element_that_several_ask_for_goes_with_the_last_of_them():
    storage = ElementStorage("ip t", "s")
    assert storage.claim(A, Element("s", "1")) == "add element ip t s { 1 }\n"
    assert storage.claim(B, Element("s", "1")) == ""
    storage.release(A, "1")
    assert storage.settle() == ""
    storage.release(B, "1")
    assert storage.settle() == "delete element ip t s { 1 }\n"
    assert storage.settle() == ""


@pytest.mark.parametrize("order", [(A, B), (B, A)])
def test_where_values_differ_the_last_name_has_the_element(order):
    storage = ElementStorage("ip t", "m")
    for name in order:
        storage.claim(name, Element("m", "1", f"goto {name.name}"))
    assert storage.snapshot()["1"].value == "goto b"
    storage.release(B, "1")
    assert storage.settle() == "delete element ip t m { 1 }\nadd element ip t m { 1 : goto a }\n"


def test_an_element_taken_over_by_another_in_one_sync_is_not_deleted():
    storage = ElementStorage("ip t", "m")
    storage.claim(C, Element("m", "1", "drop", "c"))
    storage.release(C, "1")
    assert storage.claim(A, Element("m", "1", "drop", "a")) == ""
    assert storage.settle() == ""
    assert storage.snapshot()["1"].comment == "c"
    assert storage.claim(A, Element("m", "1", "accept", "a")).splitlines() == [
        "delete element ip t m { 1 }",
        'add element ip t m { 1 comment "a" : accept }',
    ]


def test_after_a_reset_everything_is_added_again():
    storage = ElementStorage("ip t", "s")
    storage.claim(A, Element("s", "1"))
    storage.reset()
    storage.release(A, "1")
    assert storage.settle() == ""
    assert storage.claim(A, Element("s", "1")) == "add element ip t s { 1 }\n"
