"""What must hold for any history of Services and EndpointSlices, in ipvs mode."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Family
from netsim.objects.meta import Key
from proxy.config.duration import MINUTE
from proxy.config.model import ProxyMode
from proxy.server import ipvs_proxy
from tests.property.test_proxy_syncs import (
    DUAL_NODE,
    V4,
    V6,
    final,
    histories,
    hosts,
    operations,
    play,
    specs,
    v4_service,
    v4_slice,
)
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object

ZONE_A = {"topology.kubernetes.io/zone": "a"}


class Connections:
    """Every real server whose address has an odd last byte has a connection, as long as ``open``."""

    def __init__(self):
        self.open = True

    def count(self, server, real):
        return int(self.open and int(real.address) % 2)


def start(node=None, connections=None, **configuration):
    def make(configured, on):
        return ipvs_proxy(configured, on, connections)

    return feed_and_proxy(node or node_object(labels=ZONE_A), make, mode=ProxyMode.IPVS, **configuration)


def texts(sync):
    return sync.rules(), sync.ipvsadm(), sync.ipset_save(), sync.dummy_addresses()


def state(proxy, now=0):
    return {family: texts(sync) for family, sync in proxy.sync(now).items()}


def cold(objects, node=None):
    feed, proxy = start(node)
    for item in objects:
        feed.put(item)
    return state(proxy)


def play_all(feed, step):
    for key, item in step:
        play(feed, key, item)


@settings(max_examples=60, deadline=None)
@given(histories)
def test_any_history_ends_as_a_cold_start_does(history):
    feed, proxy = start()
    warm = {}
    for step in history:
        play_all(feed, step)
        warm = state(proxy)
    assert warm == cold(final(history).values())


class Tools:
    """ipset, ipvsadm and ip as strict as they are: nothing is made twice, nothing is changed or deleted that is not there."""

    def __init__(self):
        self.servers = {}
        self.sets = {}
        self.addresses = set()

    def apply(self, changes):
        for line in changes.ipset.splitlines():
            self.ipset(*line.split(maxsplit=2))
        for line in changes.ipvsadm.splitlines():
            self.ipvsadm(line)
        for address in changes.bound:
            assert address not in self.addresses
            self.addresses.add(address)
        for address in changes.unbound:
            self.addresses.remove(address)

    def ipset(self, verb, name, rest):
        match verb:
            case "create":
                assert name not in self.sets
                self.sets[name] = set()
            case "add":
                assert rest not in self.sets[name]
                self.sets[name].add(rest)
            case "del":
                self.sets[name].remove(rest)

    def ipvsadm(self, line):
        verb, *words = line.split()
        service = " ".join(words[:2])
        match verb:
            case "-A":
                assert service not in self.servers
                self.servers[service] = (words[2:], {})
            case "-E":
                self.servers[service] = (words[2:], self.servers[service][1])
            case "-D":
                del self.servers[service]
            case "-a":
                assert words[3] not in self.servers[service][1]
                self.servers[service][1][words[3]] = words[4:]
            case "-e":
                assert words[3] in self.servers[service][1]
                self.servers[service][1][words[3]] = words[4:]
            case "-d":
                del self.servers[service][1][words[3]]

    def texts(self):
        lines = []
        for service in sorted(self.servers):
            options, real_servers = self.servers[service]
            lines.append(" ".join(["-A", service, *options]))
            lines += [" ".join(["-a", service, "-r", real, *real_servers[real]]) for real in sorted(real_servers)]
        members = [f"add {name} {member}" for name in sorted(self.sets) for member in sorted(self.sets[name])]
        return lines, members, self.addresses


@settings(max_examples=60, deadline=None)
@given(histories, st.booleans())
def test_what_the_tools_are_told_in_turn_is_what_is_programmed(history, connected):
    feed, proxy = start(connections=Connections() if connected else None)
    tools = Tools()
    for number, step in enumerate(history):
        play_all(feed, step)
        sync = proxy.sync(number * MINUTE)[Family.IPV4]
        tools.apply(sync.changes)
        assert tools.texts() == (sync.ipvsadm().splitlines(), sync.ipset().splitlines(), set(sync.addresses))


def without_draining(sync):
    def serving(server):
        return replace(server, real_servers=tuple(real for real in server.real_servers if real.weight))

    return {service: serving(server) for service, server in sync.virtual_servers.items()}


@settings(max_examples=60, deadline=None)
@given(histories)
def test_connections_delay_the_end_of_real_servers_and_change_nothing_else(history):
    connections = Connections()
    feed, proxy = start(connections=connections)
    sync = None
    for step in history:
        play_all(feed, step)
        sync = proxy.sync(1)[Family.IPV4]
    other_feed, other = start()
    for item in final(history).values():
        other_feed.put(item)
    wanted = other.sync()[Family.IPV4]
    draining = [(s, r) for s in sync.virtual_servers.values() for r in s.real_servers if not r.weight]
    assert without_draining(sync) == wanted.virtual_servers
    assert (sync.rules(), sync.ipset(), sync.addresses) == (wanted.rules(), wanted.ipset(), wanted.addresses)
    assert all(server.protocol == "TCP" and connections.count(server, real) for server, real in draining)
    assert (sync.next_check is not None) == bool(draining)
    connections.open = False
    later = proxy.sync(sync.next_check or 1)[Family.IPV4]
    assert later.ipvsadm() == wanted.ipvsadm()
    assert later.next_check is None


@settings(max_examples=40, deadline=None)
@given(histories, operations())
def test_a_change_and_its_reversal_change_nothing(history, change):
    objects = final(history)
    feed, proxy = start()
    for item in objects.values():
        feed.put(item)
    before = state(proxy)
    key, item = change
    play(feed, key, item)
    state(proxy)
    play(feed, key, objects.get(key))
    assert state(proxy) == before
    play(feed, key, item)
    play(feed, key, objects.get(key))
    changes = proxy.sync()[Family.IPV4].changes
    assert (changes.ipset, changes.ipvsadm, changes.bound, changes.unbound) == ("", "", (), ())


@settings(max_examples=40, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history, random):
    objects = list(final(history).values())
    found = []
    for _ in range(2):
        found.append(cold(objects))
        random.shuffle(objects)
    assert found[0] == found[1]


@settings(max_examples=40, deadline=None)
@given(histories)
def test_a_full_sync_finds_nothing_to_do(history):
    feed, proxy = start()
    for item in final(history).values():
        feed.put(item)
    before = state(proxy)
    proxy.proxiers[Family.IPV4].force_full_sync()
    sync = proxy.sync()[Family.IPV4]
    assert sync.full
    assert (sync.changes.ipset, sync.changes.ipvsadm) == ("", "")
    assert texts(sync) == before[Family.IPV4]


@settings(max_examples=40, deadline=None)
@given(specs(), hosts)
def test_the_ipv4_side_of_a_dual_stack_service_is_a_single_stack_one(described, found):
    spec, port = described
    single = [v4_service("web", spec, port), v4_slice("web", "x", port, found)]
    six = [endpoint(f"fd00:10:244::{i}", node, **where) for i, node, where in found]
    ports = ({"port": 8080, "protocol": port["protocol"]},)
    dual = [
        service_object("web", ips=(V4["web"], V6["web"]), ports=(port,), **spec),
        single[1],
        slice_object(six, service="web", name="web-6", ports=ports, family="IPv6"),
    ]
    both = cold(dual, DUAL_NODE)
    assert both[Family.IPV4] == cold(single, DUAL_NODE)[Family.IPV4]
    assert both[Family.IPV6] != cold(single, DUAL_NODE)[Family.IPV6]


def test_deleting_everything_leaves_the_fixed_rules():
    feed, proxy = start()
    empty = state(proxy)
    feed.put(v4_service("web", {}, {"port": 80}))
    assert state(proxy) != empty
    feed.remove(Key("Service", "default", "web"))
    assert state(proxy) == empty
