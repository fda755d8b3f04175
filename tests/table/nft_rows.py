"""Rules of nftables and the packets that they match: the same rows stand before the model and before a kernel.

The router has in0 (10.1.0.1) and out0 (10.2.0.1); a packet of a row comes in by in0 and leaves by out0. The rule under
test is the only one of chain ``c``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsim.net.packet import Packet
from tests.unit.netfilter_world import icmp, sctp, tcp, udp

SYN, ACK = tcp(), tcp(flags="A")
QUERY, PING = udp(), icmp()


@dataclass(frozen=True)
class NftRow:
    """``matched``: a letter a packet, ``y`` where the rule matched. ``base``: type, hook, priority. ``sets`` stands in the table."""

    id: str
    rule: str
    packets: Sequence[Packet]
    matched: str
    base: str = "filter forward 0"
    sets: str = ""
    family: str = "ip"

    def text(self) -> str:
        kind, hook, priority = self.base.split()
        device = {"ingress": ' device "in0"', "egress": ' device "out0"'}.get(hook, "")
        head = f"type {kind} hook {hook}{device} priority {priority}; policy accept;"
        return f"table {self.family} t {{\n{self.sets}\nchain c {{ {head}\n{self.rule} counter\n}}\n}}\n"


def row(rule: str, packets: Sequence[Packet], matched: str, **more: str) -> NftRow:
    where = more.get("base", "")
    return NftRow(" ".join(filter(None, (where, more.get("family", ""), rule))), rule, packets, matched, **more)


def _from(*sources: str) -> tuple[Packet, ...]:
    return tuple(tcp(src=source) for source in sources)


PROTOCOLS = (SYN, QUERY, PING)
NEAR = _from("10.1.0.2", "10.1.0.7", "10.1.0.200")

PAYLOAD = (
    row("ip saddr 10.1.0.2", NEAR, "ynn"),
    row("ip saddr != 10.1.0.2", NEAR, "nyy"),
    row("ip saddr 10.1.0.0/28", NEAR, "yyn"),
    row("ip saddr 10.1.0.5-10.1.0.250", NEAR, "nyy"),
    row("ip saddr & 0.0.0.255 == 0.0.0.7", NEAR, "nyn"),
    row("ip saddr { 10.1.0.2, 10.1.0.128/25 }", NEAR, "yny"),
    row("ip saddr != { 10.1.0.2, 10.1.0.128/25 }", NEAR, "nyn"),
    row("ip daddr . tcp dport { 10.2.0.2 . 80, 10.2.0.2 . 443 }", (SYN, tcp(dport=443), tcp(dport=8), QUERY), "yynn"),
    row("ip saddr . tcp dport { 10.1.0.0/28 . 80-90, 10.1.0.200 . 1-10 }", (*NEAR, tcp(dport=91)), "yynn"),
    row("ip protocol tcp", PROTOCOLS, "ynn"),
    row("ip ttl 63", (tcp(ttl=64), tcp(ttl=63)), "yn"),
    row("ip ttl < 63", (tcp(ttl=64), tcp(ttl=63)), "ny"),
    row("ip ttl 60-63", (tcp(ttl=64), tcp(ttl=12)), "yn"),
    row("ip version 4", (SYN,), "y"),
    row("ip hdrlength 5", (SYN,), "y"),
    row("ip dscp cs0", (SYN, SYN.with_ip(dscp=0x2E)), "yn"),
    row("ip dscp { ef, cs6 }", (SYN, SYN.with_ip(dscp=0x2E)), "ny"),
    row("ip length 44", (SYN, ACK), "yn"),
    row("ip length 28-40", (SYN, QUERY), "ny"),
    row("ip frag-off & 0x1fff == 0", (SYN,), "y"),
    row("tcp dport 80", (SYN, tcp(dport=81), QUERY, udp(dport=80)), "ynnn"),
    row("tcp dport != 80", (SYN, tcp(dport=81), QUERY), "nyn"),
    row("tcp dport 80-90", (SYN, tcp(dport=90), tcp(dport=91)), "yyn"),
    row("tcp dport >= 81", (SYN, tcp(dport=81)), "ny"),
    row("tcp dport { 80, 8000-8100 }", (SYN, tcp(dport=8100), tcp(dport=8101)), "yyn"),
    row("tcp sport 40000", (SYN, tcp(sport=1)), "yn"),
    row("th dport 53", (*PROTOCOLS, sctp(dport=53)), "nyny"),
    row("th sport 2048", PROTOCOLS, "nny"),
    row("meta l4proto . th dport { tcp . 80, udp . 53 }", (*PROTOCOLS, udp(dport=80)), "yynn"),
    row("udp dport 53", PROTOCOLS, "nyn"),
    row("udp length 8", (QUERY,), "y"),
    row("sctp dport 80", (sctp(), SYN), "yn"),
    row("tcp flags syn", (SYN, ACK, tcp(flags="SA")), "yny"),
    row("tcp flags syn,ack", (SYN, ACK, tcp(flags="R", sport=7)), "yyn"),
    row("tcp flags & (fin | syn | rst | ack) == syn", (SYN, ACK, tcp(flags="SA")), "ynn"),
    row("tcp flags & (fin | syn | rst | ack) != syn", (SYN, ACK, tcp(flags="SA"), QUERY), "nyyn"),
    row("tcp flags != syn", (SYN, ACK), "ny"),
    row("tcp flags != syn,ack", (SYN, ACK), "yy"),
    row("icmp type echo-request", (*PROTOCOLS, icmp(kind=13)), "nnyn"),
    row("icmp type { echo-request, timestamp-request }", (SYN, PING, icmp(kind=13)), "nyy"),
    row("icmp code 0", (PING, icmp(kind=3, code=3, quoted=udp(src="10.2.0.9", dst="10.1.0.2"))), "yn"),
    row("icmp id 7", (PING, icmp(identifier=8), icmp(kind=13)), "ynn"),
)
META = (
    row("meta l4proto tcp", PROTOCOLS, "ynn"),
    row("meta l4proto != tcp", PROTOCOLS, "nyy"),
    row("meta l4proto { tcp, icmp }", PROTOCOLS, "yny"),
    row("meta protocol ip", (SYN,), "y"),
    row("meta nfproto ipv4", (SYN,), "y", family="inet"),
    row("meta nfproto ipv6", (SYN,), "n", family="inet"),
    row("meta length 44", (SYN, ACK), "yn"),
    row('iifname "in0"', (SYN,), "y"),
    row('iifname "in*"', (SYN,), "y"),
    row('iifname != "in*"', (SYN,), "n"),
    row('iifname { "in0", "eth0" }', (SYN,), "y"),
    row('iifname . oifname { "in0" . "out0" }', (SYN,), "y"),
    row('iif "lo"', (SYN,), "n"),
    row('oifname "out0"', (SYN,), "y"),
    row('oifname "out0"', (SYN,), "n", base="filter prerouting 0"),
    row('oifname != "out0"', (SYN,), "y", base="filter prerouting 0"),
    row('iifname "in0"', (SYN,), "y", base="filter postrouting 0"),
    row("meta iiftype ether", (SYN,), "y"),
    row("meta iiftype != loopback", (SYN,), "y"),
    row("meta oiftype ether", (SYN,), "n", base="filter prerouting 0"),
    row("meta iifgroup default", (SYN,), "y"),
    row("meta pkttype host", (SYN,), "y"),
    row("meta pkttype != host", (SYN,), "n"),
    row("meta mark 0", (SYN,), "y"),
    row("meta mark != 0", (SYN,), "n"),
    row("meta mark & 0x1 == 0", (SYN,), "y"),
    row("meta mark 0x00000000/1", (SYN,), "y"),
    row("meta mark != 0x00000000/1", (SYN,), "n"),
    row("meta mark set 0x12345678 meta mark 0x12000000/8", (SYN,), "y"),
    row("meta mark set 0x12345678 meta mark { 0x12000000/8, 0x1 }", (SYN,), "y"),
    row("meta l4proto { 1-5, 6 }", PROTOCOLS, "yny"),
    row("icmp type { 3-5, 8-13 }", (SYN, PING, icmp(kind=13)), "nyy"),
    row("ip dscp { 0x01-0x2e, cs7 }", (SYN, SYN.with_ip(dscp=0x2E)), "ny"),
    row("meta skuid 0", (SYN,), "n"),
)
CT = (
    row("ct state new", (SYN, SYN, ACK), "yyn"),
    row("ct state new", (tcp(flags="R", sport=7),), "n"),
    row("ct state invalid", (tcp(flags="R", sport=7), tcp(flags="SA", dport=7)), "yy"),
    row("ct state established,related", (SYN, tcp(flags="SA")), "nn"),
    row("ct state != established", (SYN, tcp(flags="R", sport=7)), "yy"),
    row("ct state != established,new", (SYN, tcp(flags="R", sport=7)), "yy"),
    row("ct state != new", (SYN, tcp(flags="R", sport=7)), "ny"),
    row("ct state { new, established }", (SYN, tcp(flags="R", sport=7)), "yn"),
    row("ct state & (new | invalid) != 0", (SYN, tcp(flags="R", sport=7)), "yy"),
    row("ct direction original", (SYN, tcp(flags="R", sport=7)), "yn"),
    row("ct direction reply", (SYN,), "n"),
    row("ct status confirmed", (SYN, SYN), "ny"),
    row("ct status dnat", (SYN,), "n"),
    row("ct status & seen-reply == 0", (SYN,), "y"),
    row("ct mark 0", (SYN, tcp(flags="R", sport=7)), "yn"),
    row("ct zone 0", (SYN,), "y"),
    row("ct l3proto ipv4", (SYN,), "y", family="inet"),
    row("ct protocol tcp", (SYN, QUERY), "yn"),
    row("ct original ip saddr 10.1.0.2", NEAR, "ynn"),
    row("ct original ip daddr 10.2.0.0/24", (SYN,), "y"),
    row("ct reply ip saddr 10.2.0.2", (SYN,), "y"),
    row("ct reply ip daddr 10.2.0.2", (SYN,), "n"),
    row("meta l4proto tcp ct original proto-dst 80", (SYN, tcp(dport=81)), "yn"),
    row("meta l4proto tcp ct reply proto-dst 40000", (SYN,), "y"),
)
FIB = (
    row("fib daddr type unicast", (SYN,), "y"),
    row("fib daddr type local", (SYN, tcp(dst="10.2.0.1")), "ny", base="filter prerouting 0"),
    row("fib daddr type { local, broadcast }", (SYN, tcp(dst="10.1.0.1")), "ny", base="filter prerouting 0"),
    row("fib daddr . iif type local", (tcp(dst="10.2.0.1"), tcp(dst="10.1.0.1")), "ny", base="filter prerouting 0"),
    row("fib saddr type local", (SYN, tcp(src="10.2.0.1")), "ny", base="filter prerouting 0"),
    row("fib saddr type != local", (SYN,), "y"),
    row(
        "fib saddr . iif oif missing",
        (SYN, tcp(src="10.2.0.3"), tcp(src="10.9.0.9")),
        "nyy",
        base="filter prerouting 0",
    ),
    row("fib saddr . iif oif exists", (SYN, tcp(src="10.2.0.3")), "yn", base="filter prerouting 0"),
    row("fib saddr oif exists", (SYN, tcp(src="10.2.0.3"), tcp(src="10.9.0.9")), "yyn", base="filter prerouting 0"),
    row('fib saddr oifname "in0"', (SYN, tcp(src="10.2.0.3")), "yn", base="filter prerouting 0"),
    row('fib daddr oifname "out0"', (SYN,), "y"),
)
NUMBERS = (
    row("numgen inc mod 3 == 0", (SYN,) * 4, "ynny"),
    row("numgen inc mod 2 offset 5 == 6", (SYN,) * 3, "nyn"),
    row("jhash ip saddr mod 2 seed 0xdeadbeef == 0", NEAR, "yny"),
    row("jhash ip saddr mod 16 seed 0x1 offset 100 >= 108", NEAR, "yyn"),
    row("jhash ip saddr . tcp dport mod 4 seed 0x7 { 0, 1 }", NEAR, "yny"),
    row("jhash ip saddr . ip daddr . tcp sport mod 3 seed 0x99 == 1", NEAR, "nyy"),
)
SETS = (
    row("ip saddr @s", NEAR, "yny", sets="set s { type ipv4_addr; elements = { 10.1.0.2, 10.1.0.200 } }"),
    row("ip saddr != @s", NEAR, "nyn", sets="set s { type ipv4_addr; elements = { 10.1.0.2, 10.1.0.200 } }"),
    row(
        "ip saddr @s",
        NEAR,
        "nyy",
        sets="set s { type ipv4_addr; flags interval; elements = { 10.1.0.4/30, 10.1.0.128-10.1.0.201 } }",
    ),
    row(
        "ip saddr @s",
        NEAR,
        "yyy",
        sets="set s { type ipv4_addr; flags interval; auto-merge; elements = { 10.1.0.0/24, 10.1.0.7 } }",
    ),
    row(
        "meta l4proto . th dport @s",
        (*PROTOCOLS, tcp(dport=9)),
        "yynn",
        sets="set s { type inet_proto . inet_service; elements = { tcp . 80, udp . 53 } }",
    ),
    row(
        "ip saddr . tcp dport @s",
        (*NEAR, tcp(dport=85), tcp(dport=86)),
        "yynyn",
        sets="set s { type ipv4_addr . inet_service; flags interval; elements = { 10.1.0.0/28 . 80-85 } }",
    ),
    row("iifname @s", (SYN,), "y", sets='set s { type ifname; elements = { "in0" } }'),
    row("iifname @s", (SYN,), "y", sets='set s { type ifname; flags interval; elements = { "in*" } }'),
    row("meta mark @s", (SYN,), "y", sets="set s { type mark; elements = { 0x0, 0x7 } }"),
    row(
        "update @s { ip saddr }", (SYN, SYN), "yy", sets="set s { type ipv4_addr; flags dynamic,timeout; timeout 1m; }"
    ),
    row("add @s { ip saddr }", NEAR, "yyn", sets="set s { type ipv4_addr; flags dynamic; size 2; }"),
    row(
        "update @s { tcp dport timeout 1m }",
        PROTOCOLS,
        "ynn",
        sets="set s { type inet_service; flags dynamic,timeout; }",
    ),
    row(
        "ip saddr vmap @m",
        (*NEAR,),
        "nnn",
        sets="map m { type ipv4_addr : verdict; elements = { 10.1.0.2 : accept, 10.1.0.7 : return } }",
    ),
    row("ip saddr vmap { 10.1.0.2 : continue, 10.1.0.7 : accept }", NEAR, "ynn"),
    row("meta mark set ip saddr map { 10.1.0.2 : 0x1, 10.1.0.4-10.1.0.9 : 0x2 } meta mark 0x2", NEAR, "nyn"),
    row("ct state vmap { new : continue, invalid : accept }", (SYN, tcp(flags="R", sport=7)), "yn"),
    row("tcp dport vmap { 1-79 : accept, 80 : continue, * : accept }", (SYN, tcp(dport=7), tcp(dport=99)), "ynn"),
    row("ip saddr @s", NEAR, "yyy", sets="set s { type ipv4_addr; elements = { 10.1.0.2, * } }"),
)
STATEMENTS = (
    row("meta mark set 0x5 meta mark 0x5", (SYN,), "y"),
    row("meta mark set meta mark | 0x10 meta mark & 0x10 == 0x10", (SYN,), "y"),
    row("meta mark set 0xff meta mark set meta mark & 0x0f | 0x100 meta mark 0x10f", (SYN,), "y"),
    row("meta mark set 0x3 meta mark set meta mark ^ 0x1 meta mark 0x2", (SYN,), "y"),
    row("meta mark set 0x3 meta mark set meta mark << 4 meta mark 0x30", (SYN,), "y"),
    row("ct mark set 0x9 ct mark 0x9", (SYN, tcp(flags="R", sport=7)), "yn"),
    row("ct mark set 0x9 meta mark set ct mark meta mark 0x9", (SYN,), "y"),
    row("notrack ct state untracked", (SYN,), "y", base="filter prerouting -300"),
    row("ip dscp set ef ip dscp ef", (SYN,), "y"),
    row("ip ttl set 9 ip ttl 9", (SYN,), "y"),
    row("tcp dport set 99 tcp dport 99", (SYN, QUERY), "yn"),
    row("limit rate 1/hour burst 2 packets", (SYN,) * 4, "yynn"),
    row("limit rate over 1/hour burst 2 packets", (SYN,) * 4, "nnyy"),
    row("limit rate 1/day", (SYN,) * 7, "yyyyynn"),
    row("quota 100 bytes", (SYN,) * 4, "yynn"),
    row("quota over 100 bytes", (SYN,) * 4, "nnyy"),
    row("quota over 100 bytes used 80 bytes", (SYN,) * 2, "yy"),
    row('limit name "l"', (SYN,) * 3, "ynn", sets="limit l { rate 1/hour burst 1 packets; }"),
    row('quota name "q"', (SYN,) * 3, "nny", sets="quota q { over 100 bytes }"),
    row('log prefix "x " meta l4proto tcp', (SYN,), "y"),
    row("tcp option maxseg size 1460", (SYN, ACK, QUERY), "ynn"),
    row("tcp option maxseg size set 1400 tcp option maxseg size 1400", (SYN,), "y"),
    row("tcp option maxseg size set 1500 tcp option maxseg size 1460", (SYN,), "y"),
    row("tcp option maxseg size set rt mtu tcp option maxseg size 1460", (SYN,), "y"),
    row("rt mtu 1460", (SYN,), "y"),
    row("rt nexthop 10.2.0.2", (SYN, tcp(dst="10.2.0.8")), "yn"),
    row("rt ip nexthop 10.2.0.2", (SYN,), "y", family="inet"),
    row("meta nftrace set 1 meta l4proto tcp", (SYN,), "y"),
    row("meta priority set 1:2 meta l4proto tcp", (SYN,), "y"),
)

ROWS: tuple[NftRow, ...] = (*PAYLOAD, *META, *CT, *FIB, *NUMBERS, *SETS, *STATEMENTS)
