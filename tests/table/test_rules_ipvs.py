"""ipvsadm: what is read, what is printed, what is refused; kube-proxy's virtual servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from netsim.net.address import Family, parse_address
from netsim.rules.ipvs.ast import FirewallMarkService, Forwarding, RealServer, TransportService, VirtualServer
from netsim.rules.ipvs.dump import dump
from netsim.rules.ipvs.parse import parse
from netsim.rules.source import RuleSyntaxErrors

DATA = sorted((Path(__file__).parents[1] / "data" / "rules" / "ipvs").glob("*.ipvsadm"))
WEB = TransportService(6, parse_address("10.96.0.10"), 80)

# line, the virtual server, the line as it is printed (None: the same)
SERVICES: tuple[tuple[str, VirtualServer, str | None], ...] = (
    ("-A -t 10.96.0.10:80 -s rr", VirtualServer(WEB, "rr"), None),
    ("ipvsadm --add-service --tcp-service 10.96.0.10:http", VirtualServer(WEB), "-A -t 10.96.0.10:80 -s wlc"),
    ("-A -t 10.96.0.10:80 -s rr -p 10800", VirtualServer(WEB, "rr", persistent=10800), None),
    ("-A -t 10.96.0.10:80 -p -s rr", VirtualServer(WEB, "rr", persistent=300), "-A -t 10.96.0.10:80 -s rr -p 300"),
    ("-A -t 10.96.0.10:80 -s rr -p 5 -M 255.255.255.0", VirtualServer(WEB, "rr", persistent=5, netmask=24), None),
    ("-A -t 10.96.0.10:80 -s mh -b flag-1", VirtualServer(WEB, "mh", flags=frozenset((1,))), None),
    (
        "-A -t 10.96.0.10:80 -s sh -b sh-port,sh-fallback",
        VirtualServer(WEB, "sh", flags=frozenset((1, 2))),
        "-A -t 10.96.0.10:80 -s sh -b flag-1,flag-2",
    ),
    (
        "-A -u 10.96.0.10:53 -s rr --ops",
        VirtualServer(TransportService(17, WEB.address, 53), "rr", one_packet=True),
        "-A -u 10.96.0.10:53 -s rr -o",
    ),
    (
        "-A -u 10.96.0.10:53 -s rr -O",
        VirtualServer(TransportService(17, WEB.address, 53), "rr", one_packet=True),
        "-A -u 10.96.0.10:53 -s rr -o",
    ),
    (
        "-A --sctp-service [fd00::a]:80 -s lc",
        VirtualServer(TransportService(132, parse_address("fd00::a"), 80), "lc"),
        None,
    ),
    ("-A -f 5 -s nq", VirtualServer(FirewallMarkService(5), "nq"), None),
    (
        "-A -f 0x5 -6 -s rr -p 9 -M 64",
        VirtualServer(FirewallMarkService(5, Family.IPV6), "rr", persistent=9, netmask=64),
        "-A -f 5 -6 -s rr -p 9 -M 64",
    ),
    ("-A -t 10.96.0.10:0 -s rr -p 5", VirtualServer(TransportService(6, WEB.address, 0), "rr", persistent=5), None),
    (
        "-A -u 10.96.0.10:5060 -s rr -p 5 --pe sip -o",
        VirtualServer(
            TransportService(17, WEB.address, 5060), "rr", persistent=5, persistence_engine="sip", one_packet=True
        ),
        None,
    ),
)


@pytest.mark.parametrize(("line", "server", "printed"), SERVICES, ids=[line for line, *_ in SERVICES])
def test_a_virtual_server(line: str, server: VirtualServer, printed: str | None) -> None:
    servers = parse(f"{line}\n", "x")
    assert dict(servers.servers) == {server.key: server}
    assert dump(servers) == f"{printed or line}\n"
    assert parse(dump(servers), "dump") == servers


A1 = parse_address("10.244.1.2")
# line behind -A -t 10.96.0.10:80, the real server, as it is printed (None: the same)
REALS: tuple[tuple[str, RealServer, str | None], ...] = (
    ("-r 10.244.1.2:8080 -m -w 1", RealServer(A1, 8080, Forwarding.MASQUERADE), None),
    ("-r 10.244.1.2:8080 -m -w 0", RealServer(A1, 8080, Forwarding.MASQUERADE, weight=0), None),
    ("-r 10.244.1.2", RealServer(A1, 80), "-r 10.244.1.2:80 -g -w 1"),
    (
        "--real-server 10.244.1.2:80 --ipip --weight 7",
        RealServer(A1, 80, Forwarding.TUNNEL, weight=7),
        "-r 10.244.1.2:80 -i -w 7",
    ),
    (
        "-r 10.244.1.2:80 -i -w 1 --tun-type gue --tun-port 99",
        RealServer(A1, 80, Forwarding.TUNNEL, tunnel=("--tun-type", "gue", "--tun-port", "99")),
        None,
    ),
    ("-r 10.244.1.2:80 -m -w 3 -x 10 -y 5", RealServer(A1, 80, Forwarding.MASQUERADE, 3, 10, 5), None),
)


@pytest.mark.parametrize(("words", "real", "printed"), REALS, ids=[words for words, *_ in REALS])
def test_a_real_server(words: str, real: RealServer, printed: str | None) -> None:
    servers = parse(f"-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 {words}\n", "x")
    assert servers.servers[WEB].real_servers == (real,)
    assert dump(servers).split("\n")[1] == f"-a -t 10.96.0.10:80 {printed or words}"


def test_commands_change_what_is_there() -> None:
    base = parse(
        "-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 -r 1.1.1.1:80 -m\n-a -t 10.96.0.10:80 -r 2.2.2.2:80 -m\n", "x"
    )
    edited = parse("-e -t 10.96.0.10:80 -r 1.1.1.1:80 -m -w 9\n-E -t 10.96.0.10:80 -s wrr\n", "x", base=base).servers[
        WEB
    ]
    assert (edited.scheduler, [real.weight for real in edited.real_servers]) == ("wrr", [9, 1])
    assert [str(real.address) for real in edited.real_servers] == ["1.1.1.1", "2.2.2.2"]
    deleted = parse("-d -t 10.96.0.10:80 -r 1.1.1.1:80\n", "x", base=base).servers[WEB]
    assert [str(real.address) for real in deleted.real_servers] == ["2.2.2.2"]
    assert parse("-D -t 10.96.0.10:80\n", "x", base=base).servers == {}
    assert parse("-C\n", "x", base=base).servers == {}


# text behind "-A -t 10.96.0.10:80 -s rr" and one real server, message, column
REFUSED: tuple[tuple[str, str, int], ...] = (
    ("-A -t 10.96.0.10:80 -s rr", "Service already exists", 1),
    ("-A -t 10.96.0.11:80 -s best", "Scheduler or persistence engine not found: best", 24),
    ("-A -t 10.96.0.11 -s rr", "Zero port specified for non-persistent service", 1),
    ("-A -t 10.96.0.11:80 -s rr -o", "only for UDP", 27),
    ("-A -t 10.96.0.11:80 -s rr -b fast", "unknown scheduler flag fast", 30),
    ("-A -t 10.96.0.11:80 -s rr -p 5 -M 255.0.255.0", "invalid netmask", 35),
    ("-A -t 10.96.0.11:80 -s rr -w 5", "Illegal option weight with command -A", 30),
    ("-A -t web:80 -s rr", "illegal address or port", 7),
    ("-A -f 0 -s rr", "invalid fwmark value", 7),
    ("-A -s rr", "exactly one of", 1),
    ("-A -t 10.96.0.11:80 -u 10.96.0.11:80", "exactly one of", 1),
    ("-A -a -t 10.96.0.11:80", "multiple commands specified", 4),
    ("-t 10.96.0.11:80", "no command specified", 1),
    ("-a -t 10.96.0.11:80 -r 1.1.1.1:80 -m", "Service not defined", 1),
    ("-a -t 10.96.0.10:80 -r 1.1.1.1:80 -m", "Destination already exists", 24),
    ("-a -t 10.96.0.10:80 -r 2.2.2.2:81 -g", "differs from the service's", 24),
    ("-a -t 10.96.0.10:80 -r 2.2.2.2:80 -g -m", "multiple forwarding methods", 1),
    ("-a -t 10.96.0.10:80 -r 2.2.2.2:80 -m -w many", "illegal weight", 41),
    ("-a -t 10.96.0.10:80", "No real server specified", 1),
    ("-d -t 10.96.0.10:80 -r 2.2.2.2:80", "No such destination", 24),
    ("-D -t 10.96.0.11:80", "No such service", 1),
    ("-A -t 10.96.0.11:80 -s", "requires a value", 21),
    ("-A -t 10.96.0.11:80 --fast", "unexpected argument --fast", 21),
)


@pytest.mark.parametrize(("line", "message", "column"), REFUSED, ids=[line for line, *_ in REFUSED])
def test_what_ipvsadm_refuses_is_refused(line: str, message: str, column: int) -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(f"-A -t 10.96.0.10:80 -s rr\n-a -t 10.96.0.10:80 -r 1.1.1.1:80 -m\n{line}\n", "x")
    error = caught.value.errors[0]
    assert message in error.message
    assert (error.origin.line, error.origin.column) == (3, column)


@pytest.mark.parametrize("path", DATA, ids=lambda path: path.name)
def test_kube_proxy_servers_are_read_and_printed(path: Path) -> None:
    servers = parse(path.read_text(), path.name)
    assert parse(dump(servers), "dump") == servers
    assert sorted(dump(servers).split("\n")) == sorted(path.read_text().split("\n"))
