"""What a scheduler gives a new client: exact shares where nobody knows whose turn it is, and what follows from a choice."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import IPHeader, Packet, Protocol, TCPFlags, TCPHeader
from netsim.rules.ipvs.ast import SCHEDULERS as NAMES
from netsim.rules.ipvs.ast import Forwarding, RealServer, TransportService, VirtualServer
from netsim.rules.ipvs.connections import parse as parse_connections
from netsim.rules.ipvs.parse import parse
from netsim.stack.ip_vs_ctl import IPVS, Service
from netsim.stack.ip_vs_sched import SCHEDULERS, Asked
from netsim.stack.ip_vs_sched_turns import HISTORY_COUNTS, cycle
from netsim.stack.network import Network
from netsim.stack.sysctl import Sysctls
from netsim.trace.explore import ScriptedChooser, WalkChooser, explore
from tests.table.ipvs_rows import UDP, VIP, Row, served, sysctls
from tests.unit.stack_world import Walk, changed

CLIENT = parse_address("10.2.0.1")


def virtual_server(scheduler: str, *weights: int, **more: object) -> VirtualServer:
    reals = tuple(
        RealServer(parse_address(f"10.1.0.{n}"), 8080, Forwarding.MASQUERADE, weight)
        for n, weight in enumerate(weights, 1)
    )
    key = TransportService(6, parse_address(VIP), 80)
    return VirtualServer(key, scheduler, real_servers=reals, **more)  # type: ignore[arg-type]


def packet(source: str = "10.2.0.1", sport: int = 40000) -> Packet:
    return Packet(IPHeader(parse_address(source), parse_address(VIP), Protocol.TCP), TCPHeader(sport, 80))


def sequences(spec: VirtualServer, length: int) -> dict[str, Fraction]:
    """The first real servers that connections which stay open get, as digits, with their probabilities."""

    def walk(chooser: WalkChooser) -> str:
        service, told = Service.of(spec), ""
        for _ in range(length):
            found = service.scheduler.schedule(Asked(packet(), chooser, "place"))
            if found.dest is None:
                return told + "-"
            found.dest.active += 1
            told += str(int(found.dest.spec.address) & 0xFF)
        return told

    summed: dict[str, Fraction] = {}
    for branch in explore(walk):
        summed[branch.value] = summed.get(branch.value, Fraction(0)) + branch.probability
    return summed


SHARES = [
    # scheduler, weights, what a new client gets: real server → chance in sixths
    ("rr", (1, 2, 3), {"1": 2, "2": 2, "3": 2}),
    ("lc", (1, 2, 3), {"1": 2, "2": 2, "3": 2}),
    ("wrr", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("wlc", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("sed", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("nq", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("lblc", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("lblcr", (1, 2, 3), {"1": 1, "2": 2, "3": 3}),
    ("rr", (0, 5, 5), {"2": 3, "3": 3}),
    ("wrr", (20, 0, 40), {"1": 2, "3": 4}),
    ("fo", (1, 2, 3), {"3": 6}),
    ("ovf", (1, 2, 3), {"3": 6}),
    ("rr", (0, 0), {"-": 6}),
    ("wlc", (), {"-": 6}),
    ("mh", (0, 0), {"-": 6}),
    ("sh", (), {"-": 6}),
]


@pytest.mark.parametrize(("scheduler", "weights", "sixths"), SHARES, ids=lambda value: str(value))
def test_a_new_clients_chances(scheduler: str, weights: tuple[int, ...], sixths: dict[str, int]) -> None:
    expected = {real: Fraction(share, 6) for real, share in sixths.items()}
    assert sequences(virtual_server(scheduler, *weights), 1) == expected


def test_two_choices_draw_the_last_of_the_list_as_often_as_the_first() -> None:
    # weights 1 and 2, the latest first: draws of 0..3; the first of the list takes one more than its weight
    assert sequences(virtual_server("twos", 1, 2), 1) == {"2": Fraction(3, 4), "1": Fraction(1, 4)}


def test_later_connections_follow_the_first() -> None:
    assert sequences(virtual_server("rr", 1, 1, 1), 3) == {
        "321": Fraction(1, 3),
        "213": Fraction(1, 3),
        "132": Fraction(1, 3),
    }


def test_what_a_choice_leaves_open_stays_open() -> None:
    """After the first 3 of the cycle 321 3 32 another 3, a 2 (before 1 or 3) or a 2 may follow."""
    found = sequences(virtual_server("wrr", 1, 2, 3), 2)
    assert found == {
        "32": Fraction(2, 6),
        "33": Fraction(1, 6),
        "21": Fraction(1, 6),
        "23": Fraction(1, 6),
        "13": Fraction(1, 6),
    }
    assert sum(found.values()) == 1


@pytest.mark.parametrize("scheduler", sorted(HISTORY_COUNTS))
@pytest.mark.parametrize("weights", [(1, 2, 3), (4, 1), (2, 2, 2), (7, 0, 3)], ids=str)
def test_a_cycle_gives_each_its_share(scheduler: str, weights: tuple[int, ...]) -> None:
    service = Service.of(virtual_server(scheduler, *weights))
    order = cycle(scheduler, service.dests)
    assert order is not None
    usable = [dest.weight for dest in service.dests if dest.weight]
    counts = [order.count(index) for index, dest in enumerate(service.dests) if dest.weight]
    by_weight = scheduler in ("wrr", "wlc", "sed", "nq")
    assert [count * sum(usable) for count in counts] == [
        (weight if by_weight else sum(usable) // len(usable)) * len(order) for weight in usable
    ] or not by_weight


def test_large_weights_keep_exact_shares() -> None:
    assert sequences(virtual_server("wrr", 65535, 65534), 1) == {
        "1": Fraction(65535, 131069),
        "2": Fraction(65534, 131069),
    }


def test_lblc_keeps_a_destination_on_its_real_server() -> None:
    assert set(sequences(virtual_server("lblc", 9, 9), 3)) == {"111", "222"}


def test_a_threshold_takes_a_real_server_out() -> None:
    spec = parse(
        f"-A -t {VIP}:80 -s rr\n-a -t {VIP}:80 -r 10.1.0.1:8080 -m -x 1\n-a -t {VIP}:80 -r 10.1.0.2:8080 -m", "x"
    )
    ipvs = IPVS(spec, Sysctls({}), _Standing())
    service = ipvs.service(TransportService(6, parse_address(VIP), 80))
    assert service is not None
    limited = service.dests[1]
    limited.active = 1
    limited.bound()
    assert limited.overloaded
    limited.active = 0
    limited.unbound()
    assert not limited.overloaded


class _Standing:
    def now(self) -> float:
        return 0.0


def test_every_scheduler_that_can_be_written_is_walked() -> None:
    assert sorted(SCHEDULERS) == sorted(NAMES)


def test_a_hash_needs_no_choice() -> None:
    for name in ("sh", "dh", "mh", "fo"):
        found = Service.of(virtual_server(name, 1, 2)).scheduler.schedule(Asked(packet(), ScriptedChooser(), "x"))
        assert found.choice is None
        assert found.dest is not None


# --- persistence and time -----------------------------------------------------------------------------------------


def two(scheduler: str = "rr", *, more: str = "") -> tuple[str, ...]:
    return (
        f"-A -t {VIP}:80 -s {scheduler}{more}",
        f"-a -t {VIP}:80 -r 10.2.0.2:8080 -m -w 1",
        f"-a -t {VIP}:80 -r 10.2.0.2:22 -m -w 1",
    )


def reals(walk: Walk) -> list[str]:
    return [conn.text(walk.clock.now()).split()[-1] for conn in _node(walk).conns if not conn.template]


def _node(walk: Walk) -> IPVS:
    ipvs = walk.network.namespace("n").ipvs
    assert ipvs is not None
    return ipvs


def asked(walk: Walk, ports: Iterator[int] | range) -> Walk:
    network: Network = walk.network
    for sport in ports:
        network.send(
            "c",
            Packet(IPHeader(parse_address("10.1.0.2"), parse_address(VIP), Protocol.TCP), TCPHeader(sport, 80)),
            "c",
        )
        network.run()
    return walk


def test_a_persistent_client_stays() -> None:
    walk = asked(Walk(Row("p", ipvsadm=two(more=" -p 60")).world()), range(50000, 50004))
    assert len(set(reals(walk))) == 1
    assert [conn.controlled for conn in _node(walk).conns if conn.template] == [4]


def test_without_persistence_it_takes_turns() -> None:
    walk = asked(Walk(Row("t", ipvsadm=two()).world()), range(50000, 50004))
    assert sorted(set(reals(walk))) == ["10.2.0.2:22", "10.2.0.2:8080"]


def test_a_template_outlives_its_time_while_connections_hang_on_it() -> None:
    walk = asked(Walk(Row("p", ipvsadm=two(more=" -p 5")).world()), range(50000, 50001))
    (template,) = [conn for conn in _node(walk).conns if conn.template]
    walk.clock.seconds = 30.0
    assert _node(walk).conns.find(template.key) is template


def test_granularity_puts_a_network_on_one_template() -> None:
    walk = asked(Walk(Row("p", ipvsadm=two(more=" -p 60 -M 255.255.255.0")).world()), range(50000, 50001))
    assert [str(conn.key.caddr) for conn in _node(walk).conns if conn.template] == ["10.1.0.0"]


def test_an_entry_runs_out() -> None:
    walk = Walk(Row("udp", port=53, kind="udp", ipvsadm=UDP).world()).udp("c", VIP, 53)
    assert len(list(_node(walk).conns)) == 1
    walk.clock.seconds = 301.0
    assert not list(_node(walk).conns)


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("0", "10.2.0.2:8080"), ("1", "10.2.0.2:22")],
    ids=["0 keeps the old one", "1 schedules anew"],
)
def test_a_port_used_again(mode: str, expected: str) -> None:
    """The first connection goes to the head of the list, the latest: 10.2.0.2:22."""
    row = Row("reuse", ipvsadm=two(), sysctls=sysctls(net__ipv4__vs__conn_reuse_mode=mode))
    known = parse_connections(f"TCP 01:40 TIME_WAIT 10.1.0.2:40000 {VIP}:80 10.2.0.2:8080", "x")
    walk = Walk(changed(row.world(), "n", ipvs_connections=known)).tcp("c", VIP, 80)
    assert reals(walk) == [expected]


@pytest.mark.parametrize(
    ("sysctl", "expected"),
    [("0", []), ("1", ["10.2.0.2:22"])],
    ids=["0 drops", "1 schedules anew"],
)
def test_a_real_server_that_is_gone(sysctl: str, expected: list[str]) -> None:
    row = Row("gone", ipvsadm=two(), sysctls=sysctls(net__ipv4__vs__expire_nodest_conn=sysctl))
    known = parse_connections(f"TCP 01:40 SYN_RECV 10.1.0.2:40000 {VIP}:80 10.2.0.77:8080", "x")
    walk = Walk(changed(row.world(), "n", ipvs_connections=known)).tcp("c", VIP, 80)
    assert [real for real in reals(walk) if real != "10.2.0.77:8080"] == expected


def test_ftp_data_and_sloppy_segments() -> None:
    ftp = served("10.2.0.2:21", port=21)
    walk = Walk(Row("ftp", ipvsadm=ftp).world()).tcp("c", VIP, 2000)
    assert not list(_node(walk).conns)  # a data port of the virtual FTP server: not IPVS's business without persistence
    for sloppy, count in (("0", 0), ("1", 1)):
        row = Row("sloppy", sysctls=sysctls(net__ipv4__vs__sloppy_tcp=sloppy))
        sent = Walk(row.world())
        sent.send("c", VIP, TCPHeader(40000, 80, TCPFlags.ACK, 5, 7))
        assert len(list(_node(sent).conns)) == count
