"""Whatever the wiring: every walk ends, says how each packet ended, and is the same every time."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.net.address import parse_address
from netsim.stack.network import MOST_FRAMES
from netsim.stack.steps import Drop, LocalSend, NotModelled, SocketLookup, Transmit, TTLStep
from netsim.topology.model import Bridge, BridgePort, Role, Topology
from tests.unit.stack_world import WEB, Walk, device, netns, route, topology, veth

NAMES = ("h0", "h1", "h2", "h3")


@st.composite
def worlds(draw: st.DrawFn) -> Topology:
    """Up to four namespaces, joined at random by cables, some of them bridged, with routes at random and rp_filter at random."""
    count = draw(st.integers(2, 4))
    names = NAMES[:count]
    cables = draw(st.lists(st.tuples(st.sampled_from(names), st.sampled_from(names)), min_size=1, max_size=6))
    devices: dict[str, list[object]] = {name: [] for name in names}
    for number, (left, right) in enumerate(cables):
        for at, peer, end, other in ((left, right, "a", "b"), (right, left, "b", "a")):
            bridged = draw(st.booleans())
            port = BridgePort("br", hairpin=draw(st.booleans()), learning=draw(st.booleans())) if bridged else None
            addresses = () if bridged else (f"10.{number}.0.{1 if end == 'a' else 2}/24",)
            mtu = draw(st.sampled_from((1500, 1400)))
            devices[at].append(veth(f"{at}/c{number}{end}", f"{peer}/c{number}{other}", *addresses, port=port, mtu=mtu))
    spaces = []
    for index, name in enumerate(names):
        bridge = device(name, "br", Bridge(), *(f"10.{cable}.0.{10 + index}/24" for cable in range(len(cables))))
        gateway = f"10.{draw(st.integers(0, len(cables) - 1))}.0.{draw(st.sampled_from((1, 2, 10, 11)))}"
        sysctls = {
            "net.ipv4.ip_forward": draw(st.sampled_from("01")),
            "net.ipv4.conf.all.rp_filter": draw(st.sampled_from("012")),
        }
        routes = (route("default", gateway),)
        spaces.append(netns(name, (bridge, *devices[name]), routes, role=Role.NODE, sysctls=sysctls, listeners=WEB))
    return topology(*spaces)


packets = st.tuples(
    st.integers(0, 5),
    st.sampled_from((1, 2, 10, 11, 99)),
    st.sampled_from(("tcp", "udp", "ping")),
    st.integers(0, 1480),
)


def walk(world: Topology, packet: tuple[int, int, str, int]) -> Walk:
    cable, host, how, payload = packet
    seen = Walk(world)
    if seen.network.source_for("h0", parse_address(f"10.{cable}.0.{host}")) is None:
        return seen
    return getattr(seen, how)("h0", f"10.{cable}.0.{host}", payload=payload)


@settings(max_examples=80, deadline=None)
@given(worlds(), packets)
def test_every_walk_ends_and_says_how(world, packet):
    seen = walk(world, packet)
    made = seen.of(LocalSend)
    ended = [step for _, step in seen.steps if isinstance(step, Drop | NotModelled | SocketLookup)]
    assert len(made) <= len(ended), "each packet that was made came to an end"
    assert len(seen.of(Transmit)) <= len(made) * 2 * MOST_FRAMES


@settings(max_examples=25, deadline=None)
@given(worlds(), packets)
def test_the_same_question_has_the_same_answer(world, packet):
    first, second = walk(world, packet), walk(world, packet)
    assert first.steps == second.steps
    assert first.network.arrivals == second.network.arrivals


@settings(max_examples=30, deadline=None)
@given(worlds(), packets)
def test_the_ttl_only_falls_and_never_to_nothing(world, packet):
    for step in walk(world, packet).of(TTLStep):
        assert step.after == step.before - 1 >= 1
