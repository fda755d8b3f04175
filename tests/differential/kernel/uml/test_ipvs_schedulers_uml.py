"""Every scheduler's choices against a kernel that has IPVS: sequences of connections that stay open, and hashes of many clients."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from netsim.net.address import parse_address
from netsim.net.packet import IPHeader, Packet, Protocol, TCPHeader, UDPHeader
from netsim.rules.ipvs.ast import Forwarding, RealServer, TransportService, VirtualServer
from netsim.stack.ip_vs_conn import Conn, ConnKey, ConnTable
from netsim.stack.ip_vs_ctl import Service
from netsim.stack.ip_vs_sched import Asked
from netsim.trace.explore import ScriptedChooser
from tests.differential.kernel.uml.guest import answered_in_guest
from tests.differential.kernel.uml.schedulers_job import real_server, virtual

pytestmark = pytest.mark.kernel
PORT = 80
FLAGS = {"": frozenset(), "flag-1": frozenset({1}), "flag-2": frozenset({2}), "flag-1,flag-2": frozenset({1, 2})}


@dataclass(frozen=True)
class Case:
    scheduler: str
    weights: tuple[int, ...]
    clients: tuple[tuple[str, int], ...]
    udp: bool = False
    flags: str = ""
    persistent: int = 0

    @property
    def id(self) -> str:
        kind = "udp" if self.udp else "tcp"
        flags = f" -b {self.flags}" if self.flags else ""
        return f"{self.scheduler}{flags} {':'.join(map(str, self.weights))} {kind}"


def one_client(count: int) -> tuple[tuple[str, int], ...]:
    return tuple(("10.2.0.1", 20000 + number) for number in range(count))


def many_clients(count: int) -> tuple[tuple[str, int], ...]:
    drawn = random.Random(count)
    return tuple(
        (f"10.{drawn.randint(3, 250)}.{drawn.randint(0, 255)}.{drawn.randint(1, 254)}", 20000 + n) for n in range(count)
    )


WEIGHTS = (
    (1, 1, 1),
    (1, 2, 3),
    (3, 2, 1),
    (2, 4, 6),
    (5, 0, 3),
    (0, 0),
    (7,),
    (10, 1, 1, 1),
    (1, 0, 1, 0, 4),
    (3, 5, 7, 9),
)
TURNS = ("rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "ovf", "lblc", "lblcr")
CASES = [
    *(Case(name, weights, one_client(24), udp=udp) for name in TURNS for weights in WEIGHTS for udp in (False, True)),
    *(
        Case(name, weights, many_clients(40), flags=flags)
        for name, choices in (("sh", FLAGS), ("mh", FLAGS), ("dh", ("",)))
        for flags in choices
        for weights in WEIGHTS
    ),
    *(Case(name, (1, 2, 3), one_client(12), persistent=300) for name in ("rr", "sh", "wlc")),
]


def modelled(case: Case) -> list[int]:
    """What the model chooses where nobody had connected before."""
    number = CASES.index(case)
    vip = parse_address(virtual(number))
    protocol = Protocol.UDP if case.udp else Protocol.TCP
    reals = tuple(
        RealServer(parse_address(real_server(number, n)), 8080, Forwarding.MASQUERADE, weight)
        for n, weight in enumerate(case.weights, 1)
    )
    spec = VirtualServer(
        TransportService(protocol, vip, PORT), case.scheduler, flags=FLAGS[case.flags], real_servers=reals
    )
    service, table = Service.of(spec), ConnTable(_Standing())
    held: int | None = None
    found = []
    for source, sport in case.clients:
        src = parse_address(source)
        l4 = UDPHeader(sport, PORT) if case.udp else TCPHeader(sport, PORT)
        packet = Packet(IPHeader(src, vip, protocol), l4)
        if held is not None:
            found.append(held)
            continue
        scheduled = service.scheduler.schedule(Asked(packet, ScriptedChooser(), "", fresh=True))
        assert scheduled.choice is None
        if scheduled.dest is None:
            found.append(0)
            continue
        dest = scheduled.dest
        conn = Conn(
            ConnKey(protocol, src, sport, vip, PORT),
            dest.spec.address,
            8080,
            dest.spec.forwarding,
            dest,
            conntrack=False,
        )
        table.add(conn)
        table.saw(conn, packet, reply=False)
        found.append(int(dest.spec.address) & 0xFF)
        held = found[-1] if case.persistent else None
    return found


class _Standing:
    def now(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def answers() -> dict[Case, list[int]]:
    told = answered_in_guest(Path(__file__).with_name("schedulers_job.py"), [asdict(case) for case in CASES])
    return dict(zip(CASES, told, strict=True))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_model_chooses_as_the_kernel(case: Case, answers: dict[Case, list[int]]) -> None:
    assert modelled(case) == answers[case]
