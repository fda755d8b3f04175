"""What must hold for any history of Services and EndpointSlices, in nftables mode."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import Family
from netsim.objects.meta import Key
from proxy.config.duration import SECOND
from proxy.config.model import ProxyMode
from proxy.server import nftables_proxy
from tests.nftables_texts import NftablesTable, table_form
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


def start(node=None):
    return feed_and_proxy(node or node_object(labels=ZONE_A), nftables_proxy, mode=ProxyMode.NFTABLES)


def put_all(objects, node=None):
    feed, proxy = start(node)
    for item in objects:
        feed.put(item)
    return proxy


def cold(objects, node=None):
    return {family: table_form(sync.table()) for family, sync in put_all(objects, node).sync().items()}


def in_use(form):
    """Without chains that are kept for later: those of service ports that have no rules."""
    rules, declared, elements = form
    kept = [line for line in declared if "/" not in line or line.split()[1] == "set" or line.split()[4] in rules]
    return rules, kept, elements


@settings(max_examples=60, deadline=None)
@given(histories)
def test_any_history_ends_as_a_cold_start_does_but_for_chains_kept_for_later(history):
    feed, proxy = start()
    warm = {}
    for step in history:
        for key, item in step:
            play(feed, key, item)
        warm = {family: table_form(sync.table()) for family, sync in proxy.sync().items()}
    expected = cold(final(history).values())
    assert {family: in_use(form) for family, form in warm.items()} == expected
    later = proxy.sync(3 * SECOND)
    assert {family: table_form(sync.table()) for family, sync in later.items()} == expected


@settings(max_examples=60, deadline=None)
@given(histories, st.lists(st.sampled_from((0, SECOND // 2, 2 * SECOND, 3700 * SECOND)), min_size=4, max_size=4))
def test_transactions_applied_in_turn_are_the_table(history, gaps):
    """At any pace: chains are deleted late, and full syncs come in between."""
    feed, proxy = start()
    kernel = NftablesTable()
    now = 0
    for step, gap in zip(history, gaps, strict=False):
        for key, item in step:
            play(feed, key, item)
        sync = proxy.sync(now)[Family.IPV4]
        kernel.apply(sync.cleanup)
        kernel.apply(sync.transaction)
        assert kernel.form() == table_form(sync.table())
        now += gap


@settings(max_examples=40, deadline=None)
@given(histories)
def test_a_full_sync_changes_nothing_and_a_sync_without_changes_only_empties_unused_chains(history):
    feed, proxy = start()
    for step in history:
        for key, item in step:
            play(feed, key, item)
        proxy.sync()
    before = proxy.sync()[Family.IPV4]
    assert all(line.startswith("flush chain ") for line in before.transaction.splitlines())
    proxy.proxiers[Family.IPV4].force_full_sync()
    after = proxy.sync()[Family.IPV4]
    assert after.full
    assert table_form(after.table()) == table_form(before.table())


@settings(max_examples=40, deadline=None)
@given(histories, operations())
def test_a_change_and_its_reversal_change_nothing_once_unused_chains_are_gone(history, change):
    objects = final(history)
    feed, proxy = start()
    for item in objects.values():
        feed.put(item)
    before = table_form(proxy.sync()[Family.IPV4].table())
    key, item = change
    for now in (2 * SECOND, 6 * SECOND):
        play(feed, key, item)
        proxy.sync(now)
        play(feed, key, objects.get(key))
        proxy.sync(now)
        assert table_form(proxy.sync(now + 2 * SECOND)[Family.IPV4].table()) == before
    play(feed, key, item)
    play(feed, key, objects.get(key))
    taken_back = proxy.sync(9 * SECOND)[Family.IPV4]
    assert " element " not in taken_back.transaction
    assert "delete " not in taken_back.transaction
    assert table_form(taken_back.table()) == before


@settings(max_examples=40, deadline=None)
@given(histories, st.randoms(use_true_random=False))
def test_the_order_of_events_does_not_matter(history, random):
    objects = list(final(history).values())
    texts = []
    for _ in range(2):
        sync = put_all(objects).sync()[Family.IPV4]
        texts.append((sync.transaction, sync.table()))
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
    alone = cold(single, DUAL_NODE)
    assert both[Family.IPV4] == alone[Family.IPV4]
    assert both[Family.IPV6] != alone[Family.IPV6]


@settings(max_examples=40, deadline=None)
@given(specs(), hosts)
def test_every_endpoint_has_the_same_share(described, found):
    """Choices are numbered from 0 without gaps, and name each endpoint once."""
    spec, port = described
    rules, _, _ = cold([v4_service("web", spec, port), v4_slice("web", "x", port, found)])[Family.IPV4]
    for rule in (rule for chain in rules.values() for rule in chain if "numgen" in rule):
        modulus = int(re.search(r"numgen random mod (\d+)", rule)[1])
        choices = re.search(r"map \{ (.*) \}", rule)[1].split(" , ")
        assert [choice.partition(" : ")[0] for choice in choices] == [str(i) for i in range(modulus)]
        assert len({choice.partition(" : ")[2] for choice in choices}) == modulus


def test_deleting_everything_leaves_the_fixed_table():
    feed, proxy = start()
    empty = proxy.sync()[Family.IPV4].table()
    feed.put(v4_service("web", {"sessionAffinity": "ClientIP"}, {"port": 80}))
    feed.put(v4_slice("web", "x", {"protocol": "TCP"}, [(1, "node1", {})]))
    assert proxy.sync()[Family.IPV4].table() != empty
    feed.remove(Key("Service", "default", "web"))
    kept = proxy.sync()[Family.IPV4].table()
    assert "affinity-" not in kept
    assert len(kept.splitlines()) == len(empty.splitlines()) + 2
    assert proxy.sync(2 * SECOND)[Family.IPV4].table() == empty
