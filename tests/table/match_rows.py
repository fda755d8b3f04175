"""Rules and packets: which packets a rule matches. Asked of the model, and of this machine's kernel by its counters.

A row: ipsets | table and chain | the rule | packets | one letter a packet, ``y`` where the rule matches it.
The packets of a row come one after the other to one namespace, which remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from netsim.net.packet import Packet
from tests.unit.netfilter_world import icmp, sctp, tcp, udp


class MatchRow(NamedTuple):
    sets: str
    where: str
    rule: str
    packets: Sequence[Packet]
    matched: str

    @property
    def id(self) -> str:
        return " | ".join([*(self.sets.splitlines()[1:2]), self.rule])


RAW, FORWARD, MANGLE = "raw PREROUTING", "filter FORWARD", "mangle PREROUTING"


def _flows(*ports: int) -> list[Packet]:
    return [udp(sport=port) for port in ports]


def _sources(*hosts: int) -> list[Packet]:
    return [udp(src=f"10.1.0.{host}", sport=1000 + n) for n, host in enumerate(hosts)]


SET_ROWS: tuple[MatchRow, ...] = (
    MatchRow("create s hash:ip\nadd s 10.1.0.2", RAW, "-m set --match-set s src", [tcp(), tcp(src="10.1.0.3")], "yn"),
    MatchRow("create s hash:ip\nadd s 10.1.0.2", RAW, "-m set ! --match-set s src", [tcp(), tcp(src="10.1.0.3")], "ny"),
    MatchRow("create s hash:ip\nadd s 10.2.0.2", RAW, "-m set --match-set s dst", [tcp(), icmp()], "yy"),
    MatchRow("create s hash:ip\nadd s 10.2.0.2", RAW, "-m set --match-set s dst,dst", [tcp()], "y"),
    MatchRow(
        "create s hash:ip netmask 24\nadd s 10.1.0.9",
        RAW,
        "-m set --match-set s src",
        [tcp(), tcp(src="10.1.1.2")],
        "yn",
    ),
    MatchRow(
        "create s hash:net\nadd s 10.1.0.0/24\nadd s 10.1.0.3/32 nomatch",
        RAW,
        "-m set --match-set s src",
        [tcp(), tcp(src="10.1.0.3"), tcp(src="10.1.1.3")],
        "ynn",
    ),
    MatchRow(
        "create s hash:net\nadd s 10.1.0.0/24\nadd s 10.1.0.3/32 nomatch",
        RAW,
        "-m set ! --match-set s src",
        [tcp(), tcp(src="10.1.0.3"), tcp(src="10.1.1.3")],
        "nyy",
    ),
    MatchRow(
        "create s hash:net\nadd s 10.1.0.0/24\nadd s 10.1.0.3/32 nomatch",
        RAW,
        "-m set --match-set s src --return-nomatch",
        [tcp(), tcp(src="10.1.0.3"), tcp(src="10.1.1.3")],
        "nyn",
    ),
    MatchRow(
        "create s hash:net\nadd s 10.1.0.0/16 nomatch\nadd s 10.1.0.0/24\nadd s 10.1.0.0/30 nomatch",
        RAW,
        "-m set --match-set s src",
        [tcp(src="10.1.9.9"), tcp(src="10.1.0.9"), tcp(src="10.1.0.2"), tcp(src="10.9.0.2")],
        "nynn",
    ),
    MatchRow(
        "create s hash:ip,port\nadd s 10.2.0.2,tcp:80\nadd s 10.2.0.2,udp:53\nadd s 10.2.0.2,icmp:8/0",
        RAW,
        "-m set --match-set s dst,dst",
        [tcp(), tcp(dport=81), udp(), udp(dport=80), icmp(), icmp(kind=0), sctp()],
        "ynynynn",
    ),
    MatchRow(
        "create s hash:ip,port\nadd s 10.1.0.2,sctp:80",
        RAW,
        "-m set --match-set s src,dst",
        [sctp(), sctp(dport=81), tcp()],
        "ynn",
    ),
    MatchRow(
        "create s hash:ip,port\nadd s 10.1.0.2,tcp:40000",
        RAW,
        "-m set --match-set s src,src",
        [tcp(), tcp(sport=1)],
        "yn",
    ),
    MatchRow("create s hash:ip,port\nadd s 10.2.0.2,tcp:80", RAW, "-m set --match-set s dst", [tcp()], "n"),
    MatchRow(
        "create s hash:ip,port,ip\nadd s 10.2.0.2,tcp:80,10.1.0.2",
        RAW,
        "-m set --match-set s dst,dst,src",
        [tcp(), tcp(src="10.1.0.3"), tcp(dport=81)],
        "ynn",
    ),
    MatchRow(
        "create s hash:ip,port,net\nadd s 10.2.0.2,tcp:80,10.1.0.0/24\nadd s 10.2.0.2,tcp:80,10.1.0.3/32 nomatch",
        RAW,
        "-m set --match-set s dst,dst,src",
        [tcp(), tcp(src="10.1.0.3"), tcp(src="10.1.1.2"), tcp(dport=81)],
        "ynnn",
    ),
    MatchRow(
        "create s hash:net,port\nadd s 10.2.0.0/24,tcp:80\nadd s 10.2.0.0/30,tcp:80 nomatch",
        RAW,
        "-m set --match-set s dst,dst",
        [tcp(), tcp(dst="10.2.0.9"), tcp(dst="10.2.0.9", dport=81)],
        "nyn",
    ),
    MatchRow(
        "create s hash:net,iface\nadd s 10.1.0.0/24,in0\nadd s 10.2.0.0/24,out0",
        FORWARD,
        "-m set --match-set s src,src",
        [tcp(), tcp(src="10.2.0.3")],
        "yn",
    ),
    MatchRow("create s hash:net,iface\nadd s 10.2.0.0/24,out0", FORWARD, "-m set --match-set s dst,dst", [tcp()], "y"),
    MatchRow("create s hash:net,iface\nadd s 10.2.0.0/24,out0", RAW, "-m set --match-set s dst,dst", [tcp()], "n"),
    MatchRow(
        "create s bitmap:port range 0-65535\nadd s 80\nadd s 53",
        RAW,
        "-m set --match-set s dst",
        [tcp(), udp(), sctp(), icmp(), tcp(dport=81)],
        "yynnn",
    ),
    MatchRow(
        "create s bitmap:port range 39000-41000\nadd s 40000",
        RAW,
        "-m set --match-set s src",
        [tcp(), tcp(sport=5)],
        "yn",
    ),
    MatchRow(
        "create s bitmap:ip range 10.1.0.0/24\nadd s 10.1.0.2",
        RAW,
        "-m set --match-set s src",
        [tcp(), tcp(src="10.1.0.3"), tcp(src="10.9.0.2")],
        "ynn",
    ),
    MatchRow(
        "create a hash:ip\nadd a 10.1.0.2\ncreate b hash:net\nadd b 10.1.7.0/24\ncreate s list:set\nadd s a\nadd s b",
        RAW,
        "-m set --match-set s src",
        [tcp(), tcp(src="10.1.7.7"), tcp(src="10.1.8.8")],
        "yyn",
    ),
    MatchRow("create s hash:ip timeout 100\nadd s 10.1.0.2", RAW, "-m set --match-set s src", [tcp()], "y"),
)

OTHER_ROWS: tuple[MatchRow, ...] = (
    MatchRow("", RAW, "-m iprange --src-range 10.1.0.2-10.1.0.4", _sources(1, 2, 4, 5), "nyyn"),
    MatchRow("", RAW, "-m iprange ! --src-range 10.1.0.2-10.1.0.4", _sources(1, 2, 4, 5), "ynny"),
    MatchRow(
        "", RAW, "-m iprange --src-range 10.1.0.2 --dst-range 10.2.0.3-10.2.0.9", [udp(), udp(dst="10.2.0.3")], "ny"
    ),
    MatchRow("", RAW, "-m length --length 28", [udp(), icmp(), sctp()], "yyn"),
    MatchRow("", RAW, "-m length ! --length 29:", [udp(), sctp()], "yn"),
    MatchRow("", RAW, "-m ttl --ttl-eq 64", [udp(), udp(ttl=63)], "yn"),
    MatchRow("", RAW, "-m ttl --ttl-lt 64", [udp(), udp(ttl=63)], "ny"),
    MatchRow("", RAW, "-m ttl --ttl-gt 63", [udp(), udp(ttl=63)], "yn"),
    MatchRow("", RAW, "-m ttl ! --ttl-eq 64", [udp(), udp(ttl=63)], "ny"),
    MatchRow("", RAW, "-m dscp --dscp 46", [udp(), udp().with_ip(dscp=46)], "ny"),
    MatchRow("", RAW, "-m tos --tos 0x10/0x3f", [udp(), udp().with_ip(dscp=4), udp().with_ip(dscp=0x32)], "nyn"),
    MatchRow("", RAW, "-m tos ! --tos 0x10/0x10", [udp(), udp().with_ip(dscp=4)], "yn"),
    MatchRow("", RAW, "-m pkttype --pkt-type unicast", [udp()], "y"),
    MatchRow("", RAW, "-m pkttype ! --pkt-type multicast", [udp()], "y"),
    MatchRow("", RAW, "-p icmp -m icmp --icmp-type echo-request", [icmp(), icmp(kind=0)], "yn"),
    MatchRow("", RAW, "-p icmp -m icmp --icmp-type 3/4", [icmp(kind=3, code=4), icmp(kind=3, code=3)], "yn"),
    MatchRow("", RAW, "-p icmp -m icmp --icmp-type any", [icmp(), icmp(kind=13)], "yy"),
    MatchRow("", RAW, "-p tcp -m tcp --tcp-flags SYN,ACK SYN", [tcp(), tcp(flags="SA"), tcp(flags="SF")], "yny"),
    MatchRow("", RAW, "-i in+", [tcp()], "y"),
    MatchRow("", RAW, "! -i in+", [tcp()], "n"),
    MatchRow("", RAW, "-m statistic --mode nth --every 3 --packet 0", _flows(1, 2, 3, 4, 5), "ynnyn"),
    MatchRow("", RAW, "-m statistic --mode nth --every 3 --packet 2", _flows(1, 2, 3, 4, 5), "nnynn"),
    MatchRow("", RAW, "-m statistic --mode nth ! --every 2 --packet 0", _flows(1, 2, 3, 4), "nyny"),
    MatchRow("", RAW, "-m limit --limit 1/hour --limit-burst 3", _flows(1, 2, 3, 4, 5), "yyynn"),
    MatchRow("", RAW, "-m limit --limit 1/hour --limit-burst 1", _flows(1, 2), "yn"),
    MatchRow(
        "",
        RAW,
        "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-mode srcip --hashlimit-name a",
        _sources(2, 2, 2, 3, 2, 3, 3),
        "yynynyn",
    ),
    MatchRow(
        "",
        RAW,
        "-m hashlimit --hashlimit-above 1/hour --hashlimit-burst 1 --hashlimit-mode srcip,dstport --hashlimit-name b",
        [udp(dport=1), udp(dport=2), udp(dport=1), udp(dport=2)],
        "nnyy",
    ),
    MatchRow(
        "",
        RAW,
        "-m hashlimit --hashlimit-upto 1/day --hashlimit-burst 1 --hashlimit-mode srcip --hashlimit-srcmask 24 --hashlimit-name c",
        [udp(src="10.1.0.2"), udp(src="10.1.0.3"), udp(src="10.1.1.3")],
        "yny",
    ),
    MatchRow(
        "",
        RAW,
        "-m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 2 --hashlimit-name d",
        _sources(2, 3, 4),
        "yyn",
    ),
    MatchRow("", FORWARD, "-m connlimit --connlimit-above 2", _flows(1, 2, 3, 3, 1), "nnyyy"),
    MatchRow("", FORWARD, "-m connlimit --connlimit-upto 2", _flows(1, 2, 3), "yyn"),
    MatchRow("", FORWARD, "-m connlimit --connlimit-above 1", _sources(2, 3, 2), "nny"),
    MatchRow("", FORWARD, "-m connlimit --connlimit-above 1 --connlimit-mask 24", _sources(2, 3), "ny"),
    MatchRow("", FORWARD, "-m connlimit --connlimit-above 1 --connlimit-daddr", _sources(2, 3), "ny"),
    MatchRow("", RAW, "-m rpfilter", [udp(), udp(src="10.2.0.3"), udp(src="10.9.0.9"), udp(src="10.1.0.1")], "ynnn"),
    MatchRow("", RAW, "-m rpfilter --invert", [udp(), udp(src="10.2.0.3"), udp(src="10.9.0.9")], "nyy"),
    MatchRow(
        "", RAW, "-m rpfilter --loose", [udp(), udp(src="10.2.0.3"), udp(src="10.9.0.9"), udp(src="10.1.0.1")], "yynn"
    ),
    MatchRow("", RAW, "-m rpfilter --accept-local --loose", [udp(src="10.1.0.1")], "y"),
    MatchRow("", RAW, "-m rpfilter --accept-local", [udp(src="10.1.0.1"), udp(src="10.2.0.1")], "yn"),
    MatchRow("", MANGLE, "-m socket", [udp(), tcp()], "nn"),
    MatchRow("", FORWARD, "-m conntrack --ctstatus CONFIRMED", [udp(), udp()], "ny"),
    MatchRow("", FORWARD, "-m conntrack --ctstatus ASSURED,SEEN_REPLY", [udp(), udp()], "nn"),
    MatchRow("", FORWARD, "-m conntrack ! --ctstatus ASSURED", [udp(), udp()], "yy"),
    MatchRow("", FORWARD, "-m conntrack --ctstatus NONE", [udp(), udp()], "nn"),
    MatchRow("", FORWARD, "-m conntrack --ctexpire 20:30", [udp(), udp()], "ny"),
    MatchRow("", FORWARD, "-m policy --dir in --pol none", [udp()], "y"),
    MatchRow("", FORWARD, "-m policy --dir in --pol ipsec", [udp()], "n"),
    MatchRow("", FORWARD, "-m policy --dir out --pol ipsec --strict --proto esp", [udp()], "n"),
    MatchRow("", FORWARD, "-m helper --helper ftp", [tcp()], "n"),
    MatchRow("", FORWARD, "-m helper ! --helper ftp", [tcp()], "y"),
    MatchRow("", FORWARD, "-m devgroup --src-group 0x0", [udp()], "y"),
    MatchRow("", FORWARD, "-m devgroup --src-group 0x1", [udp()], "n"),
    MatchRow("", FORWARD, "-m devgroup ! --dst-group 0x1/0x3", [udp()], "y"),
    MatchRow("", FORWARD, "-m realm --realm 0x5", [udp()], "n"),
    MatchRow("", FORWARD, "-m realm ! --realm 0x5/0xff", [udp()], "y"),
    MatchRow("", RAW, "-p tcp -m ecn --ecn-tcp-ece", [tcp()], "n"),
    MatchRow("", RAW, "-p tcp -m ecn ! --ecn-tcp-ece ! --ecn-tcp-cwr", [tcp()], "y"),
    MatchRow("", RAW, "-m ecn --ecn-ip-ect 0", [udp()], "y"),
    MatchRow("", RAW, "-m ecn --ecn-ip-ect 2", [udp()], "n"),
    MatchRow("", "mangle POSTROUTING", "-m cgroup --cgroup 1", [udp()], "n"),
    MatchRow("", "mangle POSTROUTING", "-m cgroup ! --cgroup 1", [udp()], "n"),
    MatchRow("", RAW, "-m quota --quota 60", _flows(1, 2, 3), "yyn"),
    MatchRow("", RAW, "-m quota ! --quota 60", _flows(1, 2, 3), "nny"),
    MatchRow(
        "",
        FORWARD,
        "-m connbytes --connbytes 2:3 --connbytes-mode packets --connbytes-dir both",
        _flows(1, 1, 1, 1, 2),
        "nyynn",
    ),
    MatchRow(
        "",
        FORWARD,
        "-m connbytes --connbytes 50 --connbytes-mode bytes --connbytes-dir original",
        _flows(1, 1, 1),
        "nyy",
    ),
    MatchRow(
        "",
        FORWARD,
        "-m connbytes ! --connbytes 0:27 --connbytes-mode avgpkt --connbytes-dir original",
        _flows(1, 1),
        "yy",
    ),
    MatchRow(
        "", FORWARD, "-m connbytes --connbytes 1 --connbytes-mode packets --connbytes-dir reply", _flows(1, 1), "nn"
    ),
    MatchRow("", FORWARD, "-m conntrack --ctstate INVALID", [tcp(flags="SA"), tcp(), tcp(flags="F")], "yny"),
)

ROWS = SET_ROWS + OTHER_ROWS
