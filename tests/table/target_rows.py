"""Rules and packets: how the packets leave. Asked of the model, and of this machine's kernel by captures and ``conntrack -L``.

A row: ipset text | rules | packets, one after the other | how each leaves (empty: it does not) | the conntrack entries afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netsim.net.packet import Packet, TCPHeader
from tests.unit.netfilter_world import tcp, udp


class TargetRow(NamedTuple):
    sets: str
    rules: str
    packets: Sequence[Packet]
    leaves: Sequence[str]
    conntrack: Sequence[str] = ()

    @property
    def id(self) -> str:
        return " / ".join(self.rules.splitlines())


def described(packet: Packet) -> str:
    """What of a packet a target may change, in one line."""
    mss = f" mss {packet.l4.mss}" if isinstance(packet.l4, TCPHeader) else ""
    return f"{packet} ttl {packet.ip.ttl} tos {packet.ip.dscp << 2:#04x}{mss}"


def _mangle(rule: str, packet: Packet, leaves: str) -> TargetRow:
    return TargetRow("", f"*mangle\n-A FORWARD {rule}", [packet], [leaves])


UDP, TCP = "10.1.0.2:40000 → 10.2.0.2:53", "10.1.0.2:40000 → 10.2.0.2:80"
SYN = "-p tcp -m tcp --tcp-flags SYN,RST SYN"
IN, OUT = "src=10.1.0.2 dst=10.2.0.2 sport=40000 dport=53", "src=10.2.0.2 dst=10.1.0.2 sport=53 dport=40000"

ROWS: tuple[TargetRow, ...] = (
    _mangle("-j TTL --ttl-set 9", udp(), f"{UDP} ttl 9 tos 0x00"),
    _mangle("-j TTL --ttl-dec 3", udp(), f"{UDP} ttl 60 tos 0x00"),
    _mangle("-j TTL --ttl-inc 200", udp(), f"{UDP} ttl 255 tos 0x00"),
    _mangle("-j DSCP --set-dscp 46", udp().with_ip(dscp=1), f"{UDP} ttl 63 tos 0xb8"),
    _mangle("-j TOS --set-tos 0x10/0x3f", udp().with_ip(dscp=0x33), f"{UDP} ttl 63 tos 0xd0"),
    _mangle("-j TOS --or-tos 0x10", udp().with_ip(dscp=0x30), f"{UDP} ttl 63 tos 0xd0"),
    _mangle("-j TOS --xor-tos 0x14", udp().with_ip(dscp=0x5), f"{UDP} ttl 63 tos 0x00"),
    _mangle("-j TOS --and-tos 0xf0", udp().with_ip(dscp=0x3F), f"{UDP} ttl 63 tos 0xf0"),
    _mangle(f"{SYN} -j TCPMSS --set-mss 1000", tcp(), f"{TCP} ttl 63 tos 0x00 mss 1000"),
    _mangle(f"{SYN} -j TCPMSS --set-mss 1460", tcp().with_l4(mss=1400), f"{TCP} ttl 63 tos 0x00 mss 1400"),
    _mangle(f"{SYN} -j TCPMSS --set-mss 1460", tcp().with_l4(mss=None), f"{TCP} ttl 63 tos 0x00 mss 536"),
    _mangle(f"{SYN} -j TCPMSS --clamp-mss-to-pmtu", tcp().with_l4(mss=8960), f"{TCP} ttl 63 tos 0x00 mss 1460"),
    _mangle(f"{SYN} -j TCPMSS --clamp-mss-to-pmtu", tcp().with_l4(mss=1400), f"{TCP} ttl 63 tos 0x00 mss 1400"),
    _mangle("-j CLASSIFY --set-class 1:1", udp(), f"{UDP} ttl 63 tos 0x00"),
    _mangle("-j AUDIT --type accept", udp(), f"{UDP} ttl 63 tos 0x00"),
    TargetRow(
        "",
        "*filter\n-A FORWARD -j NFQUEUE --queue-num 7 --queue-bypass\n-A FORWARD -j DROP",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
    ),
    TargetRow(
        "",
        "*nat\n-A PREROUTING -d 10.96.0.0/24 -j NETMAP --to 10.2.0.0/24",
        [udp(dst="10.96.0.2")],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 src=10.1.0.2 dst=10.96.0.2 sport=40000 dport=53 [UNREPLIED] {OUT} mark=0"],
    ),
    TargetRow(
        "",
        "*nat\n-A POSTROUTING -s 10.1.0.0/24 -j NETMAP --to 10.77.0.0/24",
        [udp()],
        ["10.77.0.2:40000 → 10.2.0.2:53 ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] src=10.2.0.2 dst=10.77.0.2 sport=53 dport=40000 mark=0"],
    ),
    TargetRow(
        "",
        "*raw\n-A PREROUTING -j CT --zone 5",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=0 zone=5"],
    ),
    TargetRow(
        "",
        "*raw\n-A PREROUTING -j CT --zone-orig 5",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} zone-orig=5 [UNREPLIED] {OUT} mark=0"],
    ),
    TargetRow(
        "",
        "*raw\n-A PREROUTING -p udp -m udp --dport 53 -m statistic --mode nth --every 2 --packet 0 -j CT --zone 7",
        [udp(), udp()],
        [f"{UDP} ttl 63 tos 0x00"] * 2,
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=0", f"udp 17 {IN} [UNREPLIED] {OUT} mark=0 zone=7"],
    ),
    TargetRow(
        "",
        "*mangle\n-A PREROUTING -j MARK --set-mark 9\n-A FORWARD -j CONNMARK --save-mark\n*raw\n-A PREROUTING -j CT --zone mark",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=9"],
    ),
    TargetRow(
        "",
        "*mangle\n-A FORWARD -j CONNMARK --set-mark 0xff\n-A FORWARD -j CONNMARK --and-mark 0x0f\n-A FORWARD -j CONNMARK --xor-mark 0x3",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=12"],
    ),
    TargetRow(
        "",
        "*mangle\n-A FORWARD -j CONNMARK --set-xmark 0x3/0xff --left-shift-mark 4",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=48"],
    ),
    TargetRow(
        "",
        "*mangle\n-A PREROUTING -j MARK --set-mark 0x30\n-A FORWARD -j CONNMARK --save-mark --right-shift-mark 4",
        [udp()],
        [f"{UDP} ttl 63 tos 0x00"],
        [f"udp 17 {IN} [UNREPLIED] {OUT} mark=3"],
    ),
    TargetRow(
        "create s hash:ip\n",
        "*mangle\n-A FORWARD -p udp -m udp --dport 1 -j SET --add-set s src\n-A FORWARD -p udp -m udp --dport 3 -j SET --del-set s src\n"
        "-A FORWARD -m set --match-set s src -j TTL --ttl-set 77",
        [udp(dport=port) for port in (2, 1, 2, 3, 2)],
        [
            f"10.1.0.2:40000 → 10.2.0.2:{port} ttl {ttl} tos 0x00"
            for port, ttl in ((2, 63), (1, 77), (2, 77), (3, 63), (2, 63))
        ],
    ),
    TargetRow(
        "create s hash:ip,port,ip\n",
        "*mangle\n-A FORWARD -j SET --add-set s src,dst,dst\n-A FORWARD -m set --match-set s src,dst,dst -j TTL --ttl-set 77",
        [udp()],
        [f"{UDP} ttl 77 tos 0x00"],
    ),
    TargetRow(
        "create s hash:net\nadd s 10.1.0.0/24\n",
        "*mangle\n-A FORWARD -j SET --del-set s src\n-A FORWARD -m set --match-set s src -j TTL --ttl-set 77",
        [udp(), udp()],
        [f"{UDP} ttl 63 tos 0x00"] * 2,
    ),
)
