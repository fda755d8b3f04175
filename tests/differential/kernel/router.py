"""A router of two veths between a client's and a server's namespace, with packet sockets at both ends: no TCP of theirs takes part."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from netsim.net.packet import ICMPHeader, Packet

SETUP = """
netns add {netns}-c
netns add {netns}-r
netns add {netns}-s
link add c0 netns {netns}-c address 02:00:00:00:00:01 type veth peer name in0 netns {netns}-r address 02:00:00:00:00:02
link add s0 netns {netns}-s address 02:00:00:00:00:03 type veth peer name out0 netns {netns}-r address 02:00:00:00:00:04
-n {netns}-r addr add 10.1.0.1/24 dev in0
-n {netns}-r addr add 10.2.0.1/24 dev out0
-n {netns}-c link set c0 up
-n {netns}-s link set s0 up
-n {netns}-r link set in0 up
-n {netns}-r link set out0 up
-n {netns}-r neigh add 10.1.0.2 lladdr 02:00:00:00:00:01 dev in0
-n {netns}-r neigh add 10.2.0.2 lladdr 02:00:00:00:00:03 dev out0
-n {netns}-r neigh add 10.2.0.8 lladdr 02:00:00:00:00:03 dev out0
-n {netns}-r route add 10.96.0.0/16 dev out0
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
        assert self.ask(f"send {frame(packet, self.own, self.router).hex()}") == "sent"

    def receive(self) -> str:
        return self.ask("receive")


@dataclass
class Lab:
    netns: str
    client: End
    server: End

    def run(self, *words: str, text: str = "") -> str:
        """What a command prints in the router's namespace."""
        command = ["ip", "netns", "exec", f"{self.netns}-r", *words]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}\n{text}"
        return done.stdout

    def load(self, tool: str, text: str) -> None:
        self.run(f"{tool}-restore", text=text)

    def flush(self) -> None:
        self.run("conntrack", "-F")

    def conntrack(self) -> list[str]:
        return self.run("conntrack", "-L").splitlines()


def lab_of(netns: str) -> Iterator[Lab]:
    """A lab whose namespaces are called NETNS-c, NETNS-r and NETNS-s; they go when the iterator is closed."""
    _remove(netns)
    for line in SETUP.replace("{netns}", netns).strip().splitlines():
        subprocess.run(["ip", *line.split()], check=True, capture_output=True)
    ends = [
        End(_agent(f"{netns}-c", "c0"), "02:00:00:00:00:01", "02:00:00:00:00:02"),
        End(_agent(f"{netns}-s", "s0"), "02:00:00:00:00:03", "02:00:00:00:00:04"),
    ]
    lab = Lab(netns, *ends)
    lab.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    yield lab
    for end in ends:
        end.process.kill()
        end.process.communicate()
    _remove(netns)


def _agent(netns: str, device: str) -> subprocess.Popen[str]:
    command = ["ip", "netns", "exec", netns, sys.executable, "-c", AGENT, device]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "ready"
    return process


def _remove(netns: str) -> None:
    for end in "crs":
        subprocess.run(["ip", "netns", "del", f"{netns}-{end}"], check=False, capture_output=True)


def frame(packet: Packet, src: str, dst: str) -> bytes:
    from scapy.layers.l2 import Ether
    from scapy.packet import raw

    return bytes(raw(Ether(src=src, dst=dst, type=0x0800) / _bytes(packet)))


def _bytes(packet: Packet) -> bytes:
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.sctp import SCTP, SCTPChunkInit, SCTPChunkInitAck
    from scapy.packet import raw

    names = {6: TCP, 17: UDP, 132: SCTP}
    ip = IP(src=str(packet.ip.src), dst=str(packet.ip.dst), ttl=packet.ip.ttl, tos=packet.ip.dscp << 2)
    if isinstance(packet.l4, ICMPHeader):
        l4 = ICMP(type=packet.l4.type, code=packet.l4.code, id=packet.l4.identifier)
        l4 = l4 / _bytes(packet.l4.quoted) if packet.l4.quoted is not None else l4
    else:
        l4 = names[packet.ip.protocol](sport=packet.sport, dport=packet.dport)
    if packet.ip.protocol == 6:
        l4.flags = int(packet.l4.flags)  # type: ignore[union-attr]
        l4.seq, l4.ack, l4.window = packet.l4.seq, packet.l4.ack, packet.l4.window  # type: ignore[union-attr]
        options = {"MSS": packet.l4.mss, "WScale": packet.l4.wscale}  # type: ignore[union-attr]
        l4.options = [(name, value) for name, value in options.items() if value is not None]
        l4 = l4 / (b"x" * packet.payload)
    if packet.ip.protocol == 132:
        init = SCTPChunkInit if packet.l4.chunk == 1 else SCTPChunkInitAck  # type: ignore[union-attr]
        l4 = l4 / init(init_tag=7)
        l4.tag = 0 if packet.l4.chunk == 1 else 7  # type: ignore[union-attr]
    return bytes(raw(ip / l4))
