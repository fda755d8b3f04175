"""NAT and conntrack of the model and of this machine's kernel, packet by packet.

A router of two veths stands between a client's and a server's namespace. Frames are injected and captured with packet sockets, so no TCP of
either end takes part. Both sides get the same rules and the same packets; how each packet leaves and what ``conntrack -L`` prints must be
equal, ports that chance picks aside.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator

import pytest

from netsim.net.packet import ICMPHeader, Packet
from tests.differential.kernel.router import Lab, lab_of
from tests.table.test_netfilter_nat import FIRST, FORWARD
from tests.unit.netfilter_world import answer, icmp, rules, udp, walk

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    yield from lab_of(f"nsim-netfilter-{os.getpid()}")


def _ends(data: str) -> str:
    """``src:sport → dst:dport`` of a captured frame, with the ICMP identifier as the source port."""
    if data == "nothing":
        return data
    from scapy.layers.inet import ICMP
    from scapy.layers.l2 import Ether

    ip = Ether(bytes.fromhex(data))["IP"]
    if ICMP in ip:
        return f"{ip.src}:{ip[ICMP].id} → {ip.dst}"
    return f"{ip.src}:{ip.payload.sport} → {ip.dst}:{ip.payload.dport}"


def _ends_of(packet: Packet) -> str:
    if isinstance(packet.l4, ICMPHeader):
        return f"{packet.ip.src}:{packet.l4.identifier} → {packet.ip.dst}"
    return str(packet)


def _same_for(packet: Packet, data: str) -> Packet:
    """The model's packet with the source port that chance gave the real one."""
    found = re.match(r"[0-9.]+:(\d+) ", _ends(data))
    assert found is not None, data
    port = int(found[1])
    return packet.with_l4(identifier=port) if isinstance(packet.l4, ICMPHeader) else packet.with_l4(sport=port)


def _plain(line: str, port: int | None, real: int | None) -> str:
    """An entry without what differs: its life, its users, and the port that chance picked."""
    line = re.sub(r" use=\d+", "", line)
    line = re.sub(r"^(\w+ +\d+) \d+", r"\1", line)
    return line if port is None else re.sub(rf"(dport|id)={real}\b", rf"\1={port}", line)


ROWS = [(text, packet, leaves) for text, packet, way, leaves in FIRST if way == FORWARD]


@pytest.mark.parametrize("tool", ["iptables", "iptables-legacy"])
@pytest.mark.parametrize(("text", "packet", "leaves"), ROWS)
def test_kernel_and_model_agree(lab: Lab, tool: str, text: str, packet: Packet, leaves: Packet) -> None:
    other = "iptables-legacy" if tool == "iptables" else "iptables"
    lab.load(other, "*nat\nCOMMIT\n")
    lab.load(tool, f"*nat\n{text}\nCOMMIT\n")
    lab.flush()
    world, netfilter = rules(f"*nat\n{text}")

    lab.client.send(packet)
    captured = lab.server.receive()
    skb = walk(netfilter, packet)
    assert skb is not None
    real = _same_for(skb.packet, captured) if world.ports_asked else skb.packet
    assert _ends(captured) == _ends_of(real)
    if world.ports_asked:
        first, last = world.ports_asked[0]
        assert first <= (real.sport or getattr(real.l4, "identifier", 0)) <= last

    lab.server.send(answer(real))
    walk(netfilter, answer(skb.packet), back=True)
    assert _ends(lab.client.receive()) == _ends_of(answer(packet))

    ports = (skb.packet.sport, real.sport)
    if isinstance(skb.packet.l4, ICMPHeader) and isinstance(real.l4, ICMPHeader):
        ports = (skb.packet.l4.identifier, real.l4.identifier)
    chance = ports if world.ports_asked else (None, None)
    listed = [_plain(line, *chance) for line in lab.conntrack()]
    assert listed == [_plain(line, None, None) for line in netfilter.conntrack.text().splitlines()]


ERRORS = [
    # rules | what the server answers: an ICMP error from itself or from a router before it
    ("-A POSTROUTING -j MASQUERADE", "10.2.0.2"),
    ("-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2", "10.2.0.254"),
    ("-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\n-A POSTROUTING -j MASQUERADE", "10.2.0.2"),
    ("-A PREROUTING -d 10.96.0.1 -j DNAT --to-destination 10.2.0.2\n-A POSTROUTING -j MASQUERADE", "10.2.0.254"),
]


@pytest.mark.parametrize(("text", "source"), ERRORS)
@pytest.mark.parametrize("make", [udp, icmp])
def test_icmp_errors(lab: Lab, text: str, source: str, make: Callable[..., Packet]) -> None:
    lab.load("iptables-legacy", "*nat\nCOMMIT\n")
    lab.load("iptables", f"*nat\n{text}\nCOMMIT\n")
    lab.flush()
    _, netfilter = rules(f"*nat\n{text}")
    packet = make(dst="10.96.0.1" if "10.96" in text else "10.2.0.2")
    lab.client.send(packet)
    lab.server.receive()
    sent = walk(netfilter, packet)
    assert sent is not None
    error = icmp(source, str(sent.packet.ip.src), 3, 1, 0, quoted=sent.packet)
    lab.server.send(error)
    got = walk(netfilter, error, back=True)
    assert got is not None
    assert isinstance(got.packet.l4, ICMPHeader)
    assert got.packet.l4.quoted is not None
    real = bytes.fromhex(lab.client.receive())[14:]
    assert _addresses(real) == f"{got.packet.ip.src} → {got.packet.ip.dst}"
    assert real[20] == 3
    assert _ends((bytes(14) + real[28:]).hex().replace("0" * 28, "0" * 24 + "0800", 1)) == _ends_of(
        got.packet.l4.quoted
    )


def _addresses(ip: bytes) -> str:
    from ipaddress import ip_address

    return f"{ip_address(ip[12:16])} → {ip_address(ip[16:20])}"
