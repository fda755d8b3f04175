"""What a sync of the iptables mode writes, deletes and leaves alone."""

from netsim.net.address import Family
from netsim.objects.core import Node
from netsim.objects.meta import Key
from proxy.config.duration import HOUR, SECOND
from proxy.config.model import Conntrack, IPTables
from proxy.iptables import backend
from proxy.iptables.backend import LARGE_CLUSTER_ENDPOINTS
from proxy.iptables.service_rules import probability
from proxy.names import NamespacedName
from proxy.replay.recorder import as_recorded
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object


def sync(proxy, now=0):
    return proxy.sync(now)[Family.IPV4]


def put(feed, *items):
    for item in items:
        feed.put(item)


def two_services(feed):
    put(feed, service_object(), slice_object([endpoint("10.244.1.2")]))
    put(feed, service_object("db", ips=("10.96.0.11",)), slice_object([endpoint("10.244.1.3")], service="db"))


def test_the_first_sync_is_full_and_ensures_the_jumps():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    first = sync(proxy)
    assert first.full
    assert [j.target for j in first.jumps if (j.table, j.chain) == ("filter", "INPUT")] == [
        "KUBE-FIREWALL",
        "KUBE-PROXY-FIREWALL",
        "KUBE-NODEPORTS",
        "KUBE-EXTERNAL-SERVICES",
    ]
    assert first.sysctls == {**TIMEOUTS, "net.ipv4.conf.all.route_localnet": "1"}


TIMEOUTS = {
    "net.netfilter.nf_conntrack_tcp_timeout_established": "86400",
    "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "3600",
}


def test_sysctls_follow_the_configuration():
    conntrack = Conntrack(True, 0, 90 * SECOND, 30 * SECOND, 0)
    _, proxy = feed_and_proxy(conntrack=conntrack, iptables=IPTables(localhost_node_ports=False))
    result = sync(proxy)
    assert result.sysctls == {
        "net.netfilter.nf_conntrack_tcp_timeout_close_wait": "90",
        "net.netfilter.nf_conntrack_udp_timeout": "30",
        "net.netfilter.nf_conntrack_tcp_be_liberal": "1",
    }
    assert "--ctstate INVALID" not in result.restore


def test_a_partial_sync_names_only_what_changed():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    sync(proxy)
    feed.put(slice_object([endpoint("10.244.1.4")], service="db"))
    second = sync(proxy)
    assert not second.full
    assert "10.244.1.4" in second.restore
    assert "10.244.1.2" not in second.restore
    assert "default/web cluster IP" in second.restore
    assert "10.244.1.2" in second.rules()


def test_nothing_changed_writes_only_shared_chains():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    before = sync(proxy).rules()
    again = sync(proxy)
    assert ":KUBE-SEP" not in again.restore
    assert again.rules() == before


def test_chains_of_what_is_gone_are_deleted_once():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    sync(proxy)
    feed.remove(Key("Service", "default", "db"))
    second = sync(proxy)
    deleted = [line.split()[1][:8] for line in second.restore.splitlines() if line.startswith("-X")]
    assert sorted(deleted) == ["KUBE-SEP", "KUBE-SVC"]
    assert "default/db" not in second.rules()
    assert "-X" not in sync(proxy).restore


def test_a_chain_that_comes_back_before_the_sync_is_kept():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    sync(proxy)
    feed.remove(Key("Service", "default", "db"))
    feed.put(service_object("db", ips=("10.96.0.12",)))
    second = sync(proxy)
    assert "-X" not in second.restore
    assert "10.96.0.12" in second.restore


def large(feed, count=LARGE_CLUSTER_ENDPOINTS + 1):
    addresses = [f"10.245.{i // 200}.{i % 200 + 1}" for i in range(count)]
    put(feed, service_object("big", ips=("10.96.1.1",)), slice_object(map(endpoint, addresses), service="big"))


def test_a_large_cluster_leaves_comments_of_endpoints_out():
    feed, proxy = feed_and_proxy()
    large(feed, LARGE_CLUSTER_ENDPOINTS)
    assert "default/big -> " in sync(proxy).restore
    large(feed)
    assert "default/big -> " not in sync(proxy).restore
    assert '"default/big cluster IP"' in sync(proxy).restore


def test_chains_of_others_keep_their_comments_when_the_cluster_grows_large():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    sync(proxy)
    large(feed)
    assert "default/web -> 10.244.1.2:8080" in sync(proxy).rules()
    proxy.proxiers[Family.IPV4].force_full_sync()
    assert "default/web -> 10.244.1.2:8080" not in sync(proxy).rules()


def test_a_large_cluster_deletes_stale_chains_once_in_a_sync_period():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    large(feed)
    sync(proxy, now=SECOND)
    feed.remove(Key("Service", "default", "db"))
    soon = sync(proxy, now=31 * SECOND)
    assert "-X" not in soon.restore
    assert "10.244.1.3:8080" in soon.rules()
    later = sync(proxy, now=32 * SECOND)
    assert later.restore.count("-X") == 2
    assert "10.244.1.3:8080" not in later.rules()


def test_everything_is_written_again_after_an_hour():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    sync(proxy, now=1)
    assert not sync(proxy, now=HOUR + 1).full
    assert sync(proxy, now=HOUR + 2).full


def test_another_zone_of_the_node_means_a_full_sync_and_other_endpoints():
    feed, proxy = feed_and_proxy(node_object(labels={"topology.kubernetes.io/zone": "a"}))
    put(feed, service_object(), slice_object([endpoint("10.244.1.2", zones="a"), endpoint("10.244.1.3", zones="b")]))
    assert "10.244.1.3" not in sync(proxy).rules()
    assert not proxy.on_node(Node.of(node_object(labels={"topology.kubernetes.io/zone": "a", "x": "y"})))
    assert not proxy.on_node(Node.of(node_object("node2", labels={"topology.kubernetes.io/zone": "b"})))
    assert proxy.on_node(Node.of(node_object(labels={"topology.kubernetes.io/zone": "b"})))
    moved = sync(proxy)
    assert moved.full
    assert "10.244.1.2" not in moved.rules()


def test_the_node_itself_passes_source_ranges_that_hold_its_address():
    feed, proxy = feed_and_proxy()
    balanced = {"type": "LoadBalancer", "ingress": ({"ip": "203.0.113.7"},)}
    put(feed, slice_object([endpoint("10.244.1.2")]))
    put(feed, service_object(loadBalancerSourceRanges=["192.168.0.0/24"], **balanced))
    assert "-s 203.0.113.7 -j KUBE-EXT" in sync(proxy).rules()
    put(feed, service_object(loadBalancerSourceRanges=["192.168.1.0/24"], **balanced))
    assert "-s 203.0.113.7 -j KUBE-EXT" not in sync(proxy).rules()


def test_node_ports_on_listed_addresses_leave_loopback_out_without_localhost_node_ports():
    _, proxy = feed_and_proxy(node_port_addresses=("192.168.0.0/16", "127.0.0.0/8"))
    destinations = [line.split(" -d ")[1] for line in sync(proxy).restore.splitlines() if "must be the last" in line]
    assert destinations == ["127.0.0.1 -j KUBE-NODEPORTS", "192.168.0.11 -j KUBE-NODEPORTS"]
    _, proxy = feed_and_proxy(node_port_addresses=("primary",))
    primary = sync(proxy)
    (rule,) = (line for line in primary.restore.splitlines() if "must be the last" in line)
    assert rule.endswith("-d 192.168.0.11 -j KUBE-NODEPORTS")
    assert primary.sysctls == TIMEOUTS
    assert "KUBE-FIREWALL -m" not in primary.restore


def test_same_port_number_over_tcp_and_udp_are_two_service_ports():
    feed, proxy = feed_and_proxy()
    ports = ({"name": "dns", "port": 53}, {"name": "dns-tcp", "port": 53, "protocol": "UDP"})
    put(feed, service_object("dns", ports=ports), slice_object([endpoint("10.244.1.2")], service="dns", ports=ports))
    sync(proxy)
    assert [p.name.protocol for p in proxy.proxiers[Family.IPV4].plans.values()] == ["TCP", "UDP"]


def test_probabilities_are_written_with_ten_digits():
    assert [probability(n) for n in (2, 3, 7)] == ["0.5000000000", "0.3333333333", "0.1428571429"]


def test_a_service_is_proxied_by_name_even_if_slices_come_first():
    feed, proxy = feed_and_proxy()
    feed.put(slice_object([endpoint("10.244.1.2")]))
    assert "10.244.1.2" not in sync(proxy).rules()
    feed.put(service_object())
    assert "10.244.1.2" in sync(proxy).rules()
    assert NamespacedName("default", "web") in {name.service for name in proxy.proxiers[Family.IPV4].plans}


def test_the_recorders_quirk_touches_only_unquoted_comments_before_a_final_jump():
    quoted = '-A C -m comment --comment "default/web cluster IP" -d 1.2.3.4 -j KUBE-MARK-MASQ'
    dnat = "-A C -m comment --comment default/web -m tcp -p tcp -j DNAT --to-destination 1.2.3.4:80"
    jump = "-A C -m comment --comment default/web -s 1.2.3.4 -j KUBE-MARK-MASQ"
    plain = "-A C -j KUBE-MARK-MASQ"
    text = "\n".join((quoted, dnat, jump, plain, ""))
    wanted = '-A C -m comment --comment "default/web -s 1.2.3.4" -j KUBE-MARK-MASQ'
    assert as_recorded(text) == "\n".join((quoted, dnat, wanted, plain, ""))
    assert as_recorded(as_recorded(text)) == as_recorded(text)


def test_what_is_sent_keeps_its_matches():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    result = sync(proxy)
    wanted = "-m comment --comment default/web -s 10.244.1.2 -j KUBE-MARK-MASQ"
    assert wanted in result.restore
    assert wanted in result.rules()


def test_a_partial_sync_writes_the_rules_of_changed_services_only(monkeypatch):
    feed, proxy = feed_and_proxy()
    for number in range(20):
        name = f"s{number}"
        put(
            feed,
            service_object(name, ips=(f"10.96.2.{number + 1}",)),
            slice_object([endpoint("10.244.1.2")], service=name),
        )
    sync(proxy)
    looked_at = []
    write = backend.service_rules
    monkeypatch.setattr(
        backend, "service_rules", lambda plan, *a, **k: looked_at.append(str(plan.name)) or write(plan, *a, **k)
    )
    feed.put(slice_object([endpoint("10.244.1.3")], service="s7"))
    sync(proxy)
    assert looked_at == ["default/s7"]


def test_a_stale_chain_that_is_used_again_before_it_was_deleted_stays():
    feed, proxy = feed_and_proxy()
    two_services(feed)
    large(feed)
    sync(proxy)
    feed.put(slice_object([], service="db"))
    sync(proxy)
    feed.put(slice_object([endpoint("10.244.1.3")], service="db"))
    sync(proxy)
    later = sync(proxy, now=HOUR)
    assert "-X" not in later.restore
    assert "10.244.1.3:8080" in later.rules()


def test_a_cluster_is_no_longer_large_when_its_endpoints_are_gone():
    feed, proxy = feed_and_proxy()
    large(feed)
    sync(proxy)
    feed.remove(Key("Service", "default", "big"))
    two_services(feed)
    assert "default/web -> 10.244.1.2:8080" in sync(proxy).restore


def test_only_changes_of_udp_ports_may_leave_stale_flows():
    feed, proxy = feed_and_proxy()
    planner = proxy.proxiers[Family.IPV4]._planner
    udp = ({"port": 53, "protocol": "UDP"},)
    put(
        feed,
        service_object(),
        service_object("dns", ports=udp),
        slice_object([endpoint("10.244.1.2")], ports=udp, service="dns"),
    )
    assert not planner.advance(full=True).stale_udp
    feed.put(service_object(ports=({"port": 81},)))
    assert not planner.advance(full=False).stale_udp
    feed.put(slice_object([endpoint("10.244.1.3")], ports=udp, service="dns"))
    assert planner.advance(full=False).stale_udp
    feed.put(service_object("dns", ports=udp, externalIPs=["1.2.3.4"]))
    assert planner.advance(full=False).stale_udp
