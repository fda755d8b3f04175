"""NAT and conntrack of the model and of this machine's kernel, packet by packet.

A router of two veths stands between a client's and a server's namespace. Frames are injected and captured with packet sockets, so no TCP of
either end takes part. Both sides get the same rules and the same packets; how each packet leaves and what ``conntrack -L`` prints must be
equal, ports that chance picks aside.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from netsim.net.packet import ICMPHeader, Packet
from tests.table.test_netfilter_nat import FIRST, FORWARD
from tests.unit.netfilter_world import answer, icmp, rules, udp, walk

pytestmark = pytest.mark.kernel

NETNS = "nsim-netfilter"
CLIENT, ROUTER, SERVER = f"{NETNS}-c", f"{NETNS}-r", f"{NETNS}-s"

SETUP = f"""
netns add {CLIENT}
netns add {ROUTER}
netns add {SERVER}
link add c0 netns {CLIENT} address 02:00:00:00:00:01 type veth peer name in0 netns {ROUTER} address 02:00:00:00:00:02
link add s0 netns {SERVER} address 02:00:00:00:00:03 type veth peer name out0 netns {ROUTER} address 02:00:00:00:00:04
-n {ROUTER} addr add 10.1.0.1/24 dev in0
-n {ROUTER} addr add 10.2.0.1/24 dev out0
-n {CLIENT} link set c0 up
-n {SERVER} link set s0 up
-n {ROUTER} link set in0 up
-n {ROUTER} link set out0 up
-n {ROUTER} neigh add 10.1.0.2 lladdr 02:00:00:00:00:01 dev in0
-n {ROUTER} neigh add 10.2.0.2 lladdr 02:00:00:00:00:03 dev out0
-n {ROUTER} neigh add 10.2.0.8 lladdr 02:00:00:00:00:03 dev out0
-n {ROUTER} route add 10.96.0.0/16 dev out0
"""

AGENT = """
import sys
from scapy.all import Ether, conf, raw
port = conf.L2socket(iface=sys.argv[1])
port.ins.settimeout(1)
print("ready", flush=True)
for line in sys.stdin:
    what, _, rest = line.strip().partition(" ")
    if what == "send":
        port.ins.send(bytes.fromhex(rest))
        print("sent", flush=True)
        continue
    try:
        while True:
            data, where = port.ins.recvfrom(65535)
            if where[2] != 4 and data[12:14] == b"\\x08\\x00":
                break
        print(data.hex(), flush=True)
    except TimeoutError:
        print("nothing", flush=True)
"""


@dataclass
class End:
    """A packet socket in a namespace."""

    process: subprocess.Popen[str]
    own: str
    router: str

    def ask(self, line: str) -> str:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def send(self, packet: Packet) -> None:
        assert self.ask(f"send {_frame(packet, self.own, self.router).hex()}") == "sent"

    def receive(self) -> str:
        return self.ask("receive")


@dataclass
class Lab:
    client: End
    server: End

    def load(self, tool: str, text: str) -> None:
        subprocess.run(
            ["ip", "netns", "exec", ROUTER, f"{tool}-restore"], input=text, text=True, check=True, capture_output=True
        )

    def flush(self) -> None:
        _run("ip", "netns", "exec", ROUTER, "conntrack", "-F")

    def conntrack(self) -> list[str]:
        return _run("ip", "netns", "exec", ROUTER, "conntrack", "-L").splitlines()


def _run(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    _remove()
    for line in SETUP.strip().splitlines():
        _run("ip", *line.split())
    _run("ip", "netns", "exec", ROUTER, "sysctl", "-qw", "net.ipv4.ip_forward=1")
    ends = [
        End(_agent(CLIENT, "c0"), "02:00:00:00:00:01", "02:00:00:00:00:02"),
        End(_agent(SERVER, "s0"), "02:00:00:00:00:03", "02:00:00:00:00:04"),
    ]
    yield Lab(*ends)
    for end in ends:
        end.process.kill()
        end.process.communicate()
    _remove()


def _agent(netns: str, device: str) -> subprocess.Popen[str]:
    import sys

    command = ["ip", "netns", "exec", netns, sys.executable, "-c", AGENT, device]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def _remove() -> None:
    for name in (CLIENT, ROUTER, SERVER):
        subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


def _frame(packet: Packet, src: str, dst: str) -> bytes:
    from scapy.layers.l2 import Ether
    from scapy.packet import raw

    return bytes(raw(Ether(src=src, dst=dst, type=0x0800) / _bytes(packet)))


def _bytes(packet: Packet) -> bytes:
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.sctp import SCTP, SCTPChunkInit, SCTPChunkInitAck
    from scapy.packet import raw

    names = {6: TCP, 17: UDP, 132: SCTP}
    ip = IP(src=str(packet.ip.src), dst=str(packet.ip.dst), ttl=packet.ip.ttl)
    if isinstance(packet.l4, ICMPHeader):
        l4 = ICMP(type=packet.l4.type, code=packet.l4.code, id=packet.l4.identifier)
        l4 = l4 / _bytes(packet.l4.quoted) if packet.l4.quoted is not None else l4
    else:
        l4 = names[packet.ip.protocol](sport=packet.sport, dport=packet.dport)
    if packet.ip.protocol == 6:
        l4.flags = int(packet.l4.flags)  # type: ignore[union-attr]
        l4.seq, l4.ack = (0, 0) if l4.flags == "S" else (0, 1)
    if packet.ip.protocol == 132:
        init = SCTPChunkInit if packet.l4.chunk == 1 else SCTPChunkInitAck  # type: ignore[union-attr]
        l4 = l4 / init(init_tag=7)
        l4.tag = 0 if packet.l4.chunk == 1 else 7  # type: ignore[union-attr]
    return bytes(raw(ip / l4))


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
