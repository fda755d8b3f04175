"""What must hold for any history of Services and EndpointSlices, in iptables mode."""

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Family
from netsim.objects.meta import Key
from tests.proxy_objects import endpoint, feed_and_proxy, node_object, service_object, slice_object

NAMES = ("web", "db", "api")
V4 = {name: f"10.96.0.{i + 10}" for i, name in enumerate(NAMES)}
V6 = {name: f"fd00:10:96::{i + 10:x}" for i, name in enumerate(NAMES)}
DUAL_NODE = node_object(addresses=("192.168.0.11", "fd00:192:168::11"), labels={"topology.kubernetes.io/zone": "a"})

states = st.sampled_from(
    (
        {"ready": True},
        {"ready": False},
        {"ready": False, "serving": True, "terminating": True},
        {"ready": True, "zones": ("a",)},
        {"ready": True, "zones": ("b",)},
        {"ready": True, "nodes": ("node1",)},
    )
)
hosts = st.lists(
    st.tuples(st.integers(1, 6), st.sampled_from(("node1", "node2")), states), max_size=4, unique_by=lambda h: h[0]
)
policies = st.sampled_from(("Cluster", "Local"))


@st.composite
def specs(draw):
    """What a Service may say, without its addresses."""
    kind = draw(st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")))
    spec = {
        "type": kind,
        "internalTrafficPolicy": draw(policies),
        "sessionAffinity": draw(st.sampled_from(("None", "ClientIP"))),
    }
    port = {"port": draw(st.sampled_from((80, 81))), "protocol": draw(st.sampled_from(("TCP", "UDP", "SCTP")))}
    if kind != "ClusterIP":
        spec["externalTrafficPolicy"] = draw(policies)
        port["nodePort"] = draw(st.integers(30000, 30010))
    if kind == "LoadBalancer":
        spec["ingress"] = ({"ip": "203.0.113.7"},)
        spec["healthCheckNodePort"] = 31000
        spec["loadBalancerSourceRanges"] = draw(st.sampled_from(([], ["10.0.0.0/8"], ["192.168.0.0/16", "10.0.0.0/8"])))
    if draw(st.booleans()):
        spec["externalIPs"] = ["198.51.100.4"]
    return spec, port


def v4_service(name, spec, port):
    return service_object(name, ips=(V4[name],), ports=(port,), **spec)


def v4_slice(name, part, port, found):
    endpoints = [endpoint(f"10.244.0.{i}", node, **state) for i, node, state in found]
    return slice_object(
        endpoints, service=name, name=f"{name}-{part}", ports=({"port": 8080, "protocol": port["protocol"]},)
    )


@st.composite
def operations(draw):
    """One object that comes, changes or goes: (key, object or None)."""
    name = draw(st.sampled_from(NAMES))
    spec, port = draw(specs())
    part = draw(st.sampled_from("xy"))
    item = draw(st.sampled_from((v4_service(name, spec, port), v4_slice(name, part, port, draw(hosts)))))
    return item.key, draw(st.sampled_from((item, item, None)))


histories = st.lists(st.lists(operations(), max_size=5), min_size=1, max_size=4)


def play(feed, key, item):
    if item is None:
        feed.remove(key)
    else:
        feed.put(item)


def final(history):
    objects = {}
    for step in history:
        for key, item in step:
            objects[key] = item
    return {key: item for key, item in objects.items() if item is not None}


def tables(text):
    """The text by table and chain: the order of chains is free."""
    found = {}
    table = ""
    for line in text.splitlines():
        if line.startswith("*"):
            table = line
        elif line.startswith(":"):
            found[table, line.split()[0][1:]] = []
        elif line.startswith("-A"):
            found[table, line.split()[1]].append(line)
    return found


def rules(proxy):
    return {family: tables(sync.rules()) for family, sync in proxy.sync().items()}


def cold(objects, node=None):
    feed, proxy = feed_and_proxy(node)
    for item in objects:
        feed.put(item)
    return rules(proxy)


@settings(max_examples=60, deadline=None)
@given(histories)
def test_any_history_ends_as_a_cold_start_does(history):
    feed, proxy = feed_and_proxy(node_object(labels={"topology.kubernetes.io/zone": "a"}))
    warm = {}
    for step in history:
        for key, item in step:
            play(feed, key, item)
        warm = rules(proxy)
    assert warm == cold(final(history).values(), node_object(labels={"topology.kubernetes.io/zone": "a"}))


@settings(max_examples=60, deadline=None)
@given(histories)
def test_payloads_applied_in_turn_are_the_rules(history):
    """A model of iptables-restore --noflush: a named chain is emptied, -A appends, -X deletes."""
    feed, proxy = feed_and_proxy()
    kernel = {}
    for step in history:
        for key, item in step:
            play(feed, key, item)
        sync = proxy.sync()[Family.IPV4]
        restore(kernel, sync.restore)
        claimed = {key: found for key, found in tables(sync.rules()).items() if key[1].startswith("KUBE-")}
        made_by_jumps = {key: [] for key in claimed if key == ("*filter", "KUBE-FIREWALL")}
        assert {**made_by_jumps, **kernel} == claimed


def restore(kernel, payload):
    table = ""
    for line in payload.splitlines():
        match line.split():
            case [name] if name.startswith("*"):
                table = name
            case [chain, "-", _]:
                kernel[table, chain[1:]] = []
            case ["-A", chain, *_]:
                kernel[table, chain].append(line)
            case ["-X", chain]:
                assert kernel.pop((table, chain)) == []


@settings(max_examples=40, deadline=None)
@given(histories, operations())
def test_a_change_and_its_reversal_change_nothing(history, change):
    objects = final(history)
    feed, proxy = feed_and_proxy()
    for item in objects.values():
        feed.put(item)
    before = rules(proxy)
    key, item = change
    play(feed, key, item)
    rules(proxy)
    play(feed, key, objects.get(key))
    assert rules(proxy) == before
    play(feed, key, item)
    play(feed, key, objects.get(key))
    assert rules(proxy) == before


@settings(max_examples=40, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history, random):
    objects = list(final(history).values())
    texts = []
    for _ in range(2):
        feed, proxy = feed_and_proxy()
        for item in objects:
            feed.put(item)
        texts.append(proxy.sync()[Family.IPV4].rules())
        random.shuffle(objects)
    assert texts[0] == texts[1]


@settings(max_examples=40, deadline=None)
@given(specs(), hosts)
def test_the_ipv4_side_of_a_dual_stack_service_is_a_single_stack_one(described, found):
    spec, port = described
    single = [v4_service("web", spec, port), v4_slice("web", "x", port, found)]
    six = [endpoint(f"fd00:10:244::{i}", node, **state) for i, node, state in found]
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
    feed, proxy = feed_and_proxy()
    empty = rules(proxy)
    feed.put(v4_service("web", {}, {"port": 80}))
    assert rules(proxy) != empty
    feed.remove(Key("Service", "default", "web"))
    assert rules(proxy) == empty
