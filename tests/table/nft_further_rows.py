"""More rules of nftables and the packets that they match, for both sides like ``nft_rows``: objects, keys that are seldom asked, state."""

from __future__ import annotations

from tests.table.nft_rows import ACK, NEAR, PING, PROTOCOLS, QUERY, SYN, NftRow, row
from tests.unit.netfilter_world import sctp, tcp, udp

_ONE_BY_ONE = (tcp(sport=1001), tcp(sport=1002), tcp(sport=1003))
_PREROUTING = "filter prerouting 0"
_RAW = "filter prerouting -300"

OBJECTS = (
    row('counter name "c"', (SYN,), "y", sets="counter c { }"),
    row('counter name tcp dport map { 80 : "c" }', (SYN, tcp(dport=81), QUERY), "ynn", sets="counter c { }"),
    row(
        "limit name tcp dport map @m",
        (SYN, SYN, tcp(dport=81), tcp(dport=82)),
        "ynyn",
        sets="limit l { rate 1/hour burst 1 packets; }\nlimit k { rate 1/hour burst 1 packets; }\n"
        'map m { type inet_service : limit; elements = { 80 : "l", 81 : "k" } }',
    ),
    row('quota name ip saddr map { 10.1.0.2 : "q" }', (SYN,) * 3, "yyn", sets="quota q { 100 bytes }"),
    row(
        'ct helper set "h" meta l4proto tcp',
        (SYN,),
        "y",
        sets='ct helper h { type "ftp" protocol tcp; }',
        base="filter prerouting -150",
    ),
)
ELEMENTS = (
    row(
        "add @s { ip saddr limit rate 1/hour burst 2 packets }",
        (*NEAR, SYN, SYN, NEAR[1]),
        "yyyyny",
        sets="set s { type ipv4_addr; flags dynamic; }",
    ),
    row(
        "add @s { ip saddr limit rate over 1/hour burst 2 packets }",
        (SYN, SYN, SYN, NEAR[1]),
        "nnyn",
        sets="set s { type ipv4_addr; flags dynamic; }",
    ),
    row("update @s { ip saddr counter }", (SYN, SYN), "yy", sets="set s { type ipv4_addr; flags dynamic; }"),
    row(
        "add @s { ip saddr ct count over 2 }",
        (*_ONE_BY_ONE, tcp(src="10.1.0.7")),
        "nnyn",
        sets="set s { type ipv4_addr; flags dynamic; }",
    ),
    row(
        "add @s { tcp dport ct count 1 }",
        (SYN, tcp(sport=9), SYN),
        "ynn",
        sets="set s { type inet_service; flags dynamic; }",
    ),
    row("add @s { ip saddr quota 100 bytes }", (SYN,) * 4, "yynn", sets="set s { type ipv4_addr; flags dynamic; }"),
    row("add @s { ip saddr }", (SYN,) * 3, "yyy", sets="set s { type ipv4_addr; flags dynamic; counter; }"),
    row("meter m { ip saddr limit rate 1/hour burst 1 packets }", (SYN, SYN, NEAR[1]), "yny"),
    row("ct count 2", _ONE_BY_ONE, "yyn"),
    row("ct count over 2", (*_ONE_BY_ONE, _ONE_BY_ONE[0]), "nnyy"),
)
KEYS = (
    row('meta iifkind "veth"', (SYN,), "y"),
    row('meta oifkind "bridge"', (SYN,), "n"),
    row("meta ipsec exists", (SYN,), "n"),
    row("meta ipsec missing", (SYN,), "y"),
    row("meta rtclassid 0", (SYN,), "y"),
    row("meta rtclassid 0", (SYN,), "n", base=_PREROUTING),
    row("rt classid 0", (SYN,), "y"),
    row("rt ipsec missing", (SYN,), "y"),
    row("meta skuid 0", (SYN,), "n"),
    row("meta priority 0", (SYN,), "y"),
    row("meta priority set 1:2 meta priority 1:2", (SYN,), "y"),
    row("meta pkttype set multicast meta pkttype multicast", (SYN,), "y", base=_PREROUTING),
    row("ct bytes > 50", (QUERY, QUERY, QUERY), "nyy"),
    row("ct original packets 2", (QUERY, QUERY, QUERY), "nyn"),
    row("ct original packets 1", (SYN, SYN, SYN), "yyy"),
    row("ct reply packets 0", (SYN,), "y"),
    row("ct avgpkt 28", (QUERY, QUERY), "yy"),
    row('ct helper "ftp"', (SYN,), "n"),
    row("ct zone 0", (SYN,), "y"),
    row("ct zone set 5", (SYN,), "y", base=_RAW),
    row("ct original zone 0", (SYN,), "y"),
    row("ct event set new,destroy", (SYN,), "y"),
    row("ct expiration > 1m", (SYN, QUERY), "nn"),
    row("fib saddr . iif oif exists", NEAR, "yyy", base=_PREROUTING),
    row("fib daddr oif missing", (SYN, tcp(dst="10.9.0.9")), "ny", base=_PREROUTING),
    row("socket mark 0x1", (SYN,), "n", base=_PREROUTING),
    row("ether saddr 02:00:00:00:00:99", (SYN,), "n"),
    row("numgen inc mod 2 offset 10 11", (SYN,) * 4, "nyny"),
    row("numgen inc mod 2 offset 10 10", (SYN,) * 4, "ynyn"),
)
PARTS = (
    row("tcp option maxseg exists", (SYN, ACK), "yn"),
    row("tcp option md5sig exists", (SYN, QUERY), "nn"),
    row("tcp option maxseg length 4", (SYN,), "y"),
    row("reset tcp option sack-perm", PROTOCOLS, "ynn"),
    row("ip option rr exists", (SYN,), "n"),
    row("ip option rr missing", (SYN,), "y"),
    row("sctp chunk init exists", (sctp(), SYN), "yn"),
    row("sctp chunk data exists", (sctp(),), "n"),
    row("exthdr frag exists", (SYN,), "n", family="inet"),
    row("@nh,96,32 0x0a010007", NEAR, "nyn"),
    row("@nh,72,8 17", PROTOCOLS, "nyn"),
    row("@nh,0,4 4", (SYN,), "y"),
    row("@th,16,16 80", (SYN, tcp(dport=81), udp(dport=80)), "yny"),
    row("@th,104,8 2", (SYN, ACK), "yn"),
    row("@th,0,8 8", (PING,), "y"),
)
HANDED = (
    row("tcp dport 80 tproxy to :3128", (SYN,), "n", base=_PREROUTING),
    row("meta l4proto tcp tproxy to 127.0.0.1:3128", (SYN, QUERY), "nn", base=_PREROUTING),
    row("dup to 10.2.0.9", (SYN,), "y"),
    row("synproxy mss 1460 wscale 7", (QUERY,), "n"),
)

_INGRESS, _EGRESS = "filter ingress 0", "filter egress 0"
DEVICES = (
    row("ip saddr 10.1.0.2", NEAR, "ynn", base=_INGRESS, family="netdev"),
    row("tcp dport 80", PROTOCOLS, "ynn", base=_INGRESS, family="netdev"),
    row('iifname "in0"', (SYN,), "y", base=_INGRESS, family="netdev"),
    row("meta protocol ip", (SYN,), "y", base=_INGRESS, family="netdev"),
    row("meta l4proto udp", PROTOCOLS, "nyn", base=_INGRESS, family="netdev"),
    row("ip ttl 64", (tcp(ttl=64), tcp(ttl=63)), "yn", base=_INGRESS, family="netdev"),
    row("ether type ip", (SYN,), "y", base=_INGRESS, family="netdev"),
    row("ether type arp", (SYN,), "n", base=_INGRESS, family="netdev"),
    row("meta mark 0x0 meta mark set 0x5 meta mark 0x5", (SYN,), "y", base=_INGRESS, family="netdev"),
    row("ip ttl 63", (tcp(ttl=64), tcp(ttl=63)), "yn", base=_EGRESS, family="netdev"),
    row('oifname "out0"', (SYN,), "y", base=_EGRESS, family="netdev"),
    row("ether type ip", (SYN,), "y", base=_EGRESS, family="netdev"),
    row("ip daddr 10.2.0.2 tcp dport { 80, 443 }", (SYN, tcp(dport=443), QUERY), "yyn", base=_EGRESS, family="netdev"),
    row("ip saddr 10.1.0.2", NEAR, "ynn", base=_INGRESS, family="inet"),
)

FURTHER_ROWS: tuple[NftRow, ...] = (*OBJECTS, *ELEMENTS, *KEYS, *PARTS, *HANDED, *DEVICES)
