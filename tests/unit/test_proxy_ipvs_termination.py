"""Real servers that go while connections to them last, and virtual servers that are left alone."""

import pytest

from netsim.net.address import Family
from netsim.objects.meta import Key
from proxy.config.duration import MINUTE, SECOND
from proxy.config.model import IPVS, ProxyMode
from proxy.ipvs import backend
from proxy.server import ipvs_proxy
from tests.proxy_objects import endpoint, feed_and_proxy, service_object, slice_object

START = 7 * SECOND


class Open:
    """Connections by the text of the real server."""

    def __init__(self):
        self.counts = {}

    def count(self, server, real):
        return self.counts.get(real.text, 0)


class World:
    def __init__(self, protocol="TCP", **ipvs):
        self.open = Open()
        self.ports = ({"port": 80, "protocol": protocol},)
        self.feed, self.proxy = feed_and_proxy(
            None, lambda c, n: ipvs_proxy(c, n, self.open), mode=ProxyMode.IPVS, ipvs=IPVS(**ipvs)
        )
        self.feed.put(service_object(ports=self.ports))

    def sync(self, *last_bytes, now=START):
        found = [endpoint(f"10.244.1.{n}") for n in last_bytes]
        self.feed.put(slice_object(found, ports=({"port": 8080, "protocol": self.ports[0]["protocol"]},)))
        return self.at(now)

    def at(self, now):
        return self.proxy.sync(now)[Family.IPV4]


def weights(sync):
    return {real.text: real.weight for server in sync.virtual_servers.values() for real in server.real_servers}


def test_without_connections_a_real_server_goes_at_once():
    world = World()
    world.sync(2, 3)
    sync = world.sync(3)
    assert weights(sync) == {"10.244.1.3:8080": 1}
    assert sync.changes.ipvsadm == "-d -t 10.96.0.10:80 -r 10.244.1.2:8080\n"
    assert sync.next_check is None


def test_with_connections_it_gets_weight_0_and_goes_at_the_next_look():
    world = World()
    world.sync(2, 3)
    world.open.counts = {"10.244.1.2:8080": 1}
    sync = world.sync(3, now=START + 10 * SECOND)
    assert weights(sync) == {"10.244.1.2:8080": 0, "10.244.1.3:8080": 1}
    assert sync.changes.ipvsadm == "-e -t 10.96.0.10:80 -r 10.244.1.2:8080 -m -w 0\n"
    assert sync.next_check == START + MINUTE
    world.open.counts = {}
    assert weights(world.at(START + MINUTE - 1)) == weights(sync)
    later = world.at(START + MINUTE)
    assert later.changes.ipvsadm == "-d -t 10.96.0.10:80 -r 10.244.1.2:8080\n"
    assert (weights(later), later.next_check) == ({"10.244.1.3:8080": 1}, None)


def test_it_stays_as_long_as_connections_last_and_is_looked_at_once_a_minute():
    world = World()
    world.sync(2)
    world.open.counts = {"10.244.1.2:8080": 5}
    world.sync()
    for minutes in (1, 2, 3):
        sync = world.at(START + minutes * MINUTE)
        assert (weights(sync), sync.changes.ipvsadm) == ({"10.244.1.2:8080": 0}, "")
        assert sync.next_check == START + (minutes + 1) * MINUTE
    world.open.counts = {}
    assert world.at(START + 10 * MINUTE + 1).changes.ipvsadm.startswith("-d")


def test_one_of_weight_0_waits_for_the_look_even_if_others_change_and_its_connections_ended():
    world = World()
    world.sync(2, 3)
    world.open.counts = {"10.244.1.2:8080": 1}
    world.sync(3)
    world.open.counts = {}
    sync = world.sync(3, 4)
    assert sync.changes.ipvsadm == "-a -t 10.96.0.10:80 -r 10.244.1.4:8080 -m -w 1\n"
    assert weights(sync) == {"10.244.1.2:8080": 0, "10.244.1.3:8080": 1, "10.244.1.4:8080": 1}


def test_looks_that_no_sync_took_are_not_made_up_for():
    world = World()
    world.sync(2)
    world.open.counts = {"10.244.1.2:8080": 1}
    world.sync()
    assert world.at(START + 10 * MINUTE + 1).next_check == START + 11 * MINUTE


def test_one_that_is_wanted_again_is_deleted_and_added_anew():
    world = World()
    world.sync(2)
    world.open.counts = {"10.244.1.2:8080": 1}
    world.sync()
    sync = world.sync(2)
    target = "-t 10.96.0.10:80 -r 10.244.1.2:8080"
    assert sync.changes.ipvsadm == f"-d {target}\n-a {target} -m -w 1\n"
    assert (weights(sync), sync.next_check) == ({"10.244.1.2:8080": 1}, None)


@pytest.mark.parametrize("protocol", ["UDP", "SCTP"])
def test_udp_and_sctp_do_not_wait(protocol):
    world = World(protocol)
    world.sync(2)
    world.open.counts = {"10.244.1.2:8080": 1}
    assert weights(world.sync()) == {}


def test_a_virtual_server_takes_its_real_servers_with_it():
    world = World()
    world.sync(2, 3)
    world.open.counts = {"10.244.1.2:8080": 1}
    world.sync(3)
    world.feed.remove(Key("Service", "default", "web"))
    sync = world.at(START)
    assert sync.changes.ipvsadm == "-D -t 10.96.0.10:80\n"
    assert (sync.ipvsadm(), sync.next_check) == ("", None)
    assert world.at(START + MINUTE).changes.ipvsadm == ""


def test_what_is_changed_about_a_virtual_server_leaves_its_real_servers_alone():
    world = World()
    world.sync(2)
    world.feed.put(service_object(sessionAffinity="ClientIP"))
    assert world.at(START).changes.ipvsadm == "-E -t 10.96.0.10:80 -s rr -p 10800\n"


@pytest.mark.parametrize(
    ("excluded", "left"),
    [((), False), (("10.96.0.0/24",), True), (("10.97.0.0/24",), False), (("fd00::/8", "10.0.0.0/8"), True)],
)
def test_virtual_servers_in_excluded_prefixes_are_never_deleted(excluded, left):
    world = World(exclude_cidrs=excluded)
    before = world.sync(2).ipvsadm()
    world.feed.remove(Key("Service", "default", "web"))
    sync = world.at(START)
    assert sync.ipvsadm() == (before if left else "")
    assert sync.ipset() == ""
    assert sync.dummy_addresses() == ""
    world.feed.put(service_object(ports=world.ports))
    assert world.at(START).ipvsadm() == before


def test_a_partial_sync_looks_at_changed_services_only(monkeypatch):
    world = World()
    for number in range(20):
        world.feed.put(service_object(f"s{number}", ips=(f"10.96.2.{number + 1}",)))
    world.sync(2)
    looked_at = []
    ask = backend.claims
    monkeypatch.setattr(backend, "claims", lambda plan, *rest: looked_at.append(str(plan.name)) or ask(plan, *rest))
    world.feed.put(slice_object([endpoint("10.244.1.3")], service="s7"))
    sync = world.at(START)
    assert looked_at == ["default/s7"]
    assert sync.changes.ipvsadm == "-a -t 10.96.2.8:80 -r 10.244.1.3:8080 -m -w 1\n"
    assert sync.changes.ipset == "add KUBE-LOOP-BACK 10.244.1.3,tcp:8080,10.244.1.3\n"


def test_an_earlier_sync_keeps_what_it_said():
    world = World()
    first = world.sync(2)
    texts = (first.rules(), first.ipvsadm(), first.ipset(), first.dummy_addresses())
    world.feed.put(service_object("db", ips=("10.96.0.11",), type="LoadBalancer", ingress=({"ip": "203.0.113.7"},)))
    world.sync(3)
    assert (first.rules(), first.ipvsadm(), first.ipset(), first.dummy_addresses()) == texts
