"""One line in, the line that iptables-save 1.8.9 prints for it out. The kernel marked test asks the real tools the same rows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from netsim.net.address import Family
from netsim.rules.source import RuleSyntaxErrors
from netsim.rules.xtables.dump import dump
from netsim.rules.xtables.parse import parse

V4, V6 = Family.IPV4, Family.IPV6

# table, line without -A, what iptables-save prints (None: the same); observed with iptables 1.8.9 on Linux 6.18
ROWS: tuple[tuple[str, str, str | None], ...] = (
    (
        "filter",
        "INPUT -m tcp -p tcp -d 10.96.0.10 --dport 80 -j ACCEPT",
        "INPUT -d 10.96.0.10/32 -p tcp -m tcp --dport 80 -j ACCEPT",
    ),
    ("filter", "INPUT -p all -s 0.0.0.0/0 -d 0/0 -j ACCEPT", "INPUT -j ACCEPT"),
    ("filter", "INPUT -i + -j ACCEPT", "INPUT -j ACCEPT"),
    ("filter", "INPUT -i eth+ -j ACCEPT", None),
    ("filter", "INPUT ! -i eth0 -j ACCEPT", None),
    ("filter", "INPUT -s 10.1/16 -d 127/8 -j ACCEPT", "INPUT -s 10.1.0.0/16 -d 127.0.0.0/8 -j ACCEPT"),
    ("filter", "INPUT -s 10.1.2.3/255.255.0.0 -j ACCEPT", "INPUT -s 10.1.0.0/16 -j ACCEPT"),
    ("filter", "INPUT -s 1.2.3", "INPUT -s 1.2.3.0/32"),
    ("filter", "INPUT --proto tcp --dpor 80 --jum ACCEPT", "INPUT -p tcp -m tcp --dport 80 -j ACCEPT"),
    ("filter", "INPUT -p TCP --dport=80 -j ACCEPT", "INPUT -p tcp -m tcp --dport 80 -j ACCEPT"),
    (
        "filter",
        "INPUT --protocol 6 --source 1.2.3.4 --destination-port 80",
        "INPUT -s 1.2.3.4/32 -p tcp -m tcp --dport 80",
    ),
    ("filter", "INPUT -p tcp -m tcp -m tcp --dport 80 -j ACCEPT", None),
    (
        "filter",
        "INPUT -p tcp -j ACCEPT -m comment --comment after",
        "INPUT -p tcp -m comment --comment after -j ACCEPT",
    ),
    (
        "filter",
        "INPUT -m udp -p udp -m comment --comment mid --dport 80",
        "INPUT -p udp -m udp --dport 80 -m comment --comment mid",
    ),
    (
        "filter",
        "INPUT -p tcp -m comment --comment mid --dport 80",
        "INPUT -p tcp -m comment --comment mid -m tcp --dport 80",
    ),
    ("filter", "INPUT -p tcp --dport http:https", "INPUT -p tcp -m tcp --dport 80:443"),
    ("filter", "INPUT -p tcp --dport :80", "INPUT -p tcp -m tcp --dport 0:80"),
    ("filter", "INPUT -p tcp --dport 80:", "INPUT -p tcp -m tcp --dport 80:65535"),
    ("filter", "INPUT -p tcp --dport 0:65535", "INPUT -p tcp -m tcp"),
    ("filter", "INPUT -p udp ! --sport 53 --dport 1:5", "INPUT -p udp -m udp ! --sport 53 --dport 1:5"),
    ("filter", "INPUT -p tcp --syn", "INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN"),
    ("filter", "INPUT -p tcp ! --syn", "INPUT -p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN"),
    ("filter", "INPUT -p tcp --tcp-flags ALL NONE", "INPUT -p tcp -m tcp --tcp-flags FIN,SYN,RST,PSH,ACK,URG NONE"),
    ("filter", "INPUT -p tcp ! --tcp-option 5 ! --sport 1:2", "INPUT -p tcp -m tcp ! --sport 1:2 ! --tcp-option 5"),
    ("filter", "INPUT -p sctp --dport 80", "INPUT -p sctp -m sctp --dport 80"),
    (
        "filter",
        "INPUT -p sctp --dport 80 --chunk-types any DATA,INIT",
        "INPUT -p sctp -m sctp --dport 80 --chunk-types any DATA,INIT",
    ),
    ("filter", "INPUT -p icmp --icmp-type echo-request", "INPUT -p icmp -m icmp --icmp-type 8"),
    ("filter", "INPUT -p icmp --icmp-type 8/0", "INPUT -p icmp -m icmp --icmp-type 8/0"),
    ("filter", "INPUT -p icmp --icmp-type network-unreachable", "INPUT -p icmp -m icmp --icmp-type 3/0"),
    ("filter", "INPUT -p icmp ! --icmp-type any", "INPUT -p icmp -m icmp ! --icmp-type any"),
    ("filter", "INPUT -p tcp -m multiport --dports 1,2,3:4", None),
    ("filter", "INPUT -p tcp -m multiport ! --ports http,99", "INPUT -p tcp -m multiport ! --ports 80,99"),
    ("filter", "INPUT -p tcp -m multiport --source-ports 5", "INPUT -p tcp -m multiport --sports 5"),
    (
        "filter",
        "INPUT -m addrtype --src-type LOCAL,UNICAST ! --dst-type local --limit-iface-in",
        "INPUT -m addrtype --src-type UNICAST,LOCAL ! --dst-type LOCAL --limit-iface-in",
    ),
    (
        "filter",
        "INPUT -m conntrack --ctstate UNTRACKED,SNAT,DNAT,NEW,INVALID",
        "INPUT -m conntrack --ctstate INVALID,NEW,UNTRACKED,SNAT,DNAT",
    ),
    ("filter", "INPUT -m conntrack --ctstatus ASSURED --ctdir REPLY", None),
    ("filter", "INPUT -m state ! --state untracked,INVALID", "INPUT -m state ! --state INVALID,UNTRACKED"),
    ("filter", "INPUT -m mark --mark 1", "INPUT -m mark --mark 0x1"),
    ("filter", "INPUT -m mark ! --mark 0x00004000/0x00004000", "INPUT -m mark ! --mark 0x4000/0x4000"),
    (
        "filter",
        "INPUT -m connmark --mark 0x1/0x1 -m mark --mark 2",
        "INPUT -m connmark --mark 0x1/0x1 -m mark --mark 0x2",
    ),
    (
        "filter",
        "INPUT -m statistic --mode random ! --probability 0.3333333333",
        "INPUT -m statistic --mode random ! --probability 0.33333333349",
    ),
    (
        "filter",
        "INPUT -m statistic --mode random --probability 0.1428571429",
        "INPUT -m statistic --mode random --probability 0.14285714272",
    ),
    (
        "filter",
        "INPUT -m statistic --mode random --probability 1.0",
        "INPUT -m statistic --mode random --probability 1.00000000000",
    ),
    ("filter", "INPUT -m statistic --mode nth ! --every 3 --packet 2", None),
    ("filter", "INPUT -m recent --rcheck", "INPUT -m recent --rcheck --name DEFAULT --mask 255.255.255.255 --rsource"),
    (
        "filter",
        "INPUT -m recent --name K --rcheck --seconds 10800 --reap",
        "INPUT -m recent --rcheck --seconds 10800 --reap --name K --mask 255.255.255.255 --rsource",
    ),
    (
        "filter",
        "INPUT -m recent ! --rcheck --seconds 5 --hitcount 3 --rttl --name foo --rdest",
        "INPUT -m recent ! --rcheck --seconds 5 --hitcount 3 --rttl --name foo --mask 255.255.255.255 --rdest",
    ),
    (
        "filter",
        "INPUT -m recent --update --mask 255.255.255.0",
        "INPUT -m recent --update --name DEFAULT --mask 255.255.255.0 --rsource",
    ),
    (
        "filter",
        "INPUT -m physdev --physdev-in eth0 ! --physdev-is-in",
        "INPUT -m physdev ! --physdev-is-in --physdev-in eth0",
    ),
    ("filter", "FORWARD -m physdev --physdev-out eth+ --physdev-is-bridged", None),
    ("filter", "INPUT -m mac ! --mac-source AA:bb:cc:dd:ee:0", "INPUT -m mac ! --mac-source aa:bb:cc:dd:ee:00"),
    ("filter", "INPUT -j REJECT", "INPUT -j REJECT --reject-with icmp-port-unreachable"),
    ("filter", "INPUT -j REJECT --reject-with host-prohib", "INPUT -j REJECT --reject-with icmp-host-prohibited"),
    ("filter", "INPUT -p tcp -j REJECT --reject-with tcp-reset", None),
    (
        "filter",
        'INPUT -j LOG --log-prefix "a b: " --log-level info --log-uid',
        'INPUT -j LOG --log-prefix "a b: " --log-level 6 --log-uid',
    ),
    ("filter", "INPUT -j LOG --log-level 4", "INPUT -j LOG"),
    (
        "filter",
        'INPUT -j NFLOG --nflog-group 5 --nflog-prefix "x y"',
        'INPUT -j NFLOG --nflog-prefix "x y" --nflog-group 5',
    ),
    ("filter", "INPUT -j MARK --set-mark 0x1/0xff", "INPUT -j MARK --set-xmark 0x1/0xff"),
    ("filter", "INPUT -j MARK --set-mark 0x100/0xff", "INPUT -j MARK --set-xmark 0x100/0x1ff"),
    ("filter", "INPUT -j MARK --set-mark 7", "INPUT -j MARK --set-xmark 0x7/0xffffffff"),
    ("filter", "INPUT -j MARK --and-mark 0xff", "INPUT -j MARK --set-xmark 0x0/0xffffff00"),
    ("filter", "INPUT -j MARK --or-mark 0x00004000", "INPUT -j MARK --set-xmark 0x4000/0x4000"),
    ("filter", "INPUT -j MARK --xor-mark 0x00004000", "INPUT -j MARK --set-xmark 0x4000/0x0"),
    ("filter", "INPUT -j CONNMARK --set-mark 5/0xff", "INPUT -j CONNMARK --set-xmark 0x5/0xff"),
    (
        "filter",
        "INPUT -j CONNMARK --save-mark",
        "INPUT -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff",
    ),
    (
        "filter",
        "INPUT -j CONNMARK --restore-mark --mask 0xff",
        "INPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff",
    ),
    ("filter", "INPUT -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xf0", None),
    ("filter", "INPUT -j CONNMARK --and-mark 5", "INPUT -j CONNMARK --set-xmark 0x0/0xfffffffa"),
    ("filter", "INPUT -j RETURN", None),
    ("filter", "INPUT -f -j ACCEPT", None),
    ("filter", "INPUT -m limit --limit 5/min --limit-burst 7", None),
    ("nat", "PREROUTING -j DNAT --to 1.2.3.4", "PREROUTING -j DNAT --to-destination 1.2.3.4"),
    ("nat", "PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4-1.2.3.9:80-90 --random --persistent", None),
    ("nat", "PREROUTING -p tcp -j DNAT --to-destination :80", None),
    ("nat", "PREROUTING -p tcp -j DNAT --to-destination 1.2.3.4:80-90/70", None),
    (
        "nat",
        "POSTROUTING -j SNAT --to-source 1.2.3.4-1.2.3.4 --random-fully",
        "POSTROUTING -j SNAT --to-source 1.2.3.4 --random-fully",
    ),
    ("nat", "INPUT -p udp -j SNAT --to-source 1.2.3.4:1024-2000 --random", None),
    ("nat", "POSTROUTING -p tcp -j MASQUERADE --to-ports 1024-2000 --random --random-fully", None),
    (
        "nat",
        "PREROUTING -p tcp -j REDIRECT --to-port 8080-8090 --random",
        "PREROUTING -p tcp -j REDIRECT --to-ports 8080-8090 --random",
    ),
    ("raw", "PREROUTING -j NOTRACK", None),
    ("raw", "PREROUTING -j CT --notrack", None),
    ("raw", "PREROUTING -j CT --zone 5", None),
    ("filter", 'INPUT -m comment --comment "a b"', None),
    ("filter", 'INPUT -m comment --comment "default/web"', None),
    ("filter", 'INPUT -m comment --comment ""', None),
    ("filter", "INPUT -m comment --comment it's", 'INPUT -m comment --comment "it\\\'s"'),
    ("filter", 'INPUT -m comment --comment "back\\\\slash q\\"uote"', None),
    ("filter", 'INPUT -m comment --comment a"b c"', 'INPUT -m comment --comment "ab c"'),
    ("filter", 'INPUT -m comment --comment "-m tcp -j DROP" -j ACCEPT', None),
)

_CT_REST = (
    "--ctorigsrc 10.0.0.0/8 --ctorigdst 1.2.3.4 --ctreplsrc 1.2.3.4 ! --ctrepldst 5.6.7.8 --ctorigsrcport 1 "
    "--ctorigdstport 2:3 --ctreplsrcport 4 --ctrepldstport 5 --ctdir ORIGINAL"
)
ROWS += (
    (
        "filter",
        f"INPUT -m conntrack --ctstate NEW,ESTABLISHED,RELATED --ctproto tcp {_CT_REST}",
        f"INPUT -m conntrack --ctstate NEW,RELATED,ESTABLISHED --ctproto 6 {_CT_REST}",
    ),
)

ROWS_V6: tuple[tuple[str, str, str | None], ...] = (
    (
        "filter",
        "INPUT -p icmpv6 --icmpv6-type echo-request -j ACCEPT",
        "INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 128 -j ACCEPT",
    ),
    ("filter", "INPUT -p 58 -m icmpv6 --icmpv6-type 1/4", "INPUT -p ipv6-icmp -m icmp6 --icmpv6-type 1/4"),
    (
        "filter",
        "INPUT -s fd00::/64 -d fd00::1 -m recent --set --name a",
        "INPUT -s fd00::/64 -d fd00::1/128 -m recent --set --name a --mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource",
    ),
    ("filter", "INPUT -j REJECT", "INPUT -j REJECT --reject-with icmp6-port-unreachable"),
    ("filter", "INPUT -j REJECT --reject-with no-route", "INPUT -j REJECT --reject-with icmp6-no-route"),
    ("filter", "INPUT -s 1:2:3:4:5:6:7:8/ffff:ffff:: -j DROP", "INPUT -s 1:2::/32 -j DROP"),
    ("nat", "PREROUTING -p tcp -j DNAT --to-destination [fd00::1]:80", None),
    ("nat", "PREROUTING -p tcp -j DNAT --to-destination [fd00::1-fd00::9]:80-90", None),
    ("nat", "PREROUTING -j DNAT --to-destination [fd00::1]", "PREROUTING -j DNAT --to-destination fd00::1"),
)

ALL = [*((V4, *row) for row in ROWS), *((V6, *row) for row in ROWS_V6)]
IDS = [f"{family.kubernetes} {line}" for family, _, line, _ in ALL]


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line.startswith("-A")]


@pytest.mark.parametrize(("family", "table", "line", "saved"), ALL, ids=IDS)
def test_a_line_means_what_iptables_save_prints(family: Family, table: str, line: str, saved: str | None) -> None:
    ruleset = parse(f"*{table}\n-A {line}\nCOMMIT\n", family, "row")
    printed = f"-A {saved or line}"
    assert lines_of(dump(ruleset)) == [printed]
    assert parse(f"*{table}\n{printed}\nCOMMIT\n", family, "saved") == ruleset


LISTS = (
    (
        "FORWARD -s 1.2.3.4,5.6.7.8/16 -d 9.9.9.9,8.8.8.8 -j ACCEPT",
        [
            "1.2.3.4/32 -d 9.9.9.9/32",
            "1.2.3.4/32 -d 8.8.8.8/32",
            "5.6.0.0/16 -d 9.9.9.9/32",
            "5.6.0.0/16 -d 8.8.8.8/32",
        ],
    ),
    ("FORWARD -6 -j ACCEPT", []),
)


@pytest.mark.parametrize(("line", "addresses"), LISTS, ids=[line for line, _ in LISTS])
def test_a_line_may_stand_for_many_rules(line: str, addresses: list[str]) -> None:
    ruleset = parse(f"*filter\n-A {line}\nCOMMIT\n", V4, "row")
    assert lines_of(dump(ruleset)) == [f"-A FORWARD -s {each} -j ACCEPT" for each in addresses]


# text between *TABLE and COMMIT, what the message says, line and column of the error; all of them are refused by iptables 1.8.9
REFUSED: tuple[tuple[str, str, str, int, int], ...] = (
    ("filter", "-A INPUT -m limit --limit 5/fortnight", "bad rate unit", 2, 27),
    (
        "filter",
        "-A INPUT -m hashlimit --hashlimit-upto 1/hour --hashlimit-burst 38 --hashlimit-name x",
        "hashlimit: a burst",
        2,
        13,
    ),
    ("filter", "-A INPUT -m hashlimit --hashlimit-upto 1/hour", '"--hashlimit-name" must be specified', 2, 13),
    ("filter", "-A INPUT -m ttl --ttl-eq 256", "out of range", 2, 26),
    ("filter", "-A INPUT -m owner --uid-owner 0", "owner is not valid in INPUT", 2, 13),
    ("filter", "-A INPUT -m rpfilter", "rpfilter is only valid in table raw or mangle", 2, 13),
    ("mangle", "-A FORWARD -p tcp -j TPROXY --on-port 1", "TPROXY is not valid in FORWARD", 2, 22),
    ("mangle", "-A PREROUTING -p tcp -j TCPMSS --clamp-mss-to-pmtu", "TCPMSS is not valid in PREROUTING", 2, 25),
    ("filter", "-A FORWARD -j TTL --ttl-set 3", "TTL is only valid in table mangle", 2, 15),
    ("filter", "-A FORWARD -j CT --zone 3", "CT is only valid in table raw", 2, 15),
    ("filter", "-A FORWARD -j NETMAP --to 10.0.0.0/24", "NETMAP is only valid in table nat", 2, 15),
    ("filter", "-A FORWARD -j SET --exist", "you must specify either --add-set", 2, 15),
    ("mangle", "-A PREROUTING -j CLASSIFY --set-class 1:1", "CLASSIFY is not valid in PREROUTING", 2, 18),
    ("mangle", "-A FORWARD -j DSCP --set-dscp 64", "out of range", 2, 31),
    ("filter", "-A INPUT -j NFQUEUE --queue-num 1 --queue-balance 1:2", "cannot be used together", 2, 21),
    ("filter", "-A INPUT -s ! 1.2.3.4 -j ACCEPT", "Bad argument `1.2.3.4'", 2, 15),
    ("filter", "-A INPUT ! -p all -j ACCEPT", "rule would never match protocol", 2, 15),
    ("filter", "-A INPUT -p tcp --dport 80 --dport 81", "can only be used once", 2, 28),
    ("filter", "-A INPUT --dport 80 -j ACCEPT", 'unknown option "--dport"', 2, 10),
    ("filter", "-A INPUT -m tcp --dport 80", "tcp requires -p tcp", 2, 13),
    ("filter", "-A INPUT -p udp -m tcp --dport 80", "tcp requires -p tcp", 2, 20),
    ("filter", "-A INPUT -p tcp --dport 90:80", "invalid portrange (min > max)", 2, 25),
    ("filter", "-A INPUT -p tcp --dport ! 80", "Bad argument `80'", 2, 27),
    ("filter", "-A INPUT --p tcp", 'unknown option "--p"', 2, 10),
    ("filter", "-A INPUT -p icmp -m icmp", '"--icmp-type" must be specified', 2, 21),
    ("filter", "-A INPUT -m statistic --mode nth --every 3", 'also requires "--packet"', 2, 34),
    ("filter", "-A INPUT -m statistic --mode random --probability 1.1", "bad value for --probability", 2, 51),
    ("filter", "-A INPUT -m recent --seconds 5", "you must specify one of --set", 2, 13),
    ("filter", "-A INPUT -m recent --set --seconds 5", "--seconds goes only with", 2, 26),
    ("filter", "-A INPUT -m recent --rcheck --reap", 'also requires "--seconds"', 2, 29),
    ("filter", "-A INPUT -m recent --rcheck --set", "cannot be used together", 2, 29),
    ("filter", "-A INPUT -j REJECT --reject-with tcp-reset", "REJECT requires -p tcp", 2, 13),
    ("filter", "-A INPUT -j REJECT --reject-with nothing", "unknown reject type", 2, 34),
    ("filter", "-A INPUT -m comment ! --comment abc", "cannot be inverted", 2, 23),
    ("filter", "-A INPUT -m comment --comment 'single q'", "Bad argument `q''", 2, 39),
    ("filter", "-A INPUT -m nope --foo", "Couldn't load match `nope'", 2, 13),
    ("filter", "-A INPUT -j ACCEPT --foo", 'unknown option "--foo"', 2, 20),
    ("filter", "-A INPUT -j ACCEPT -j DROP", "multiple -j flags not allowed", 2, 20),
    ("filter", "-A INPUT -s 1.2.3.4 -s 1.2.3.5", "multiple -s flags not allowed", 2, 21),
    ("filter", "-A INPUT -s 1.2.3.4/33", "invalid mask '33' specified", 2, 13),
    ("filter", "-A INPUT -s 300.1.1.1", "host/network '300.1.1.1' not found", 2, 13),
    ("filter", "-A INPUT ! -s 1.2.3.4,1.2.3.5", "! not allowed with multiple", 2, 15),
    ("filter", "-A INPUT -i averyveryverylongname", "must be shorter than IFNAMSIZ", 2, 13),
    ("filter", "-A INPUT -p nosuch", "unknown protocol 'nosuch'", 2, 13),
    ("filter", "-A INPUT -j", 'option "-j" requires an argument', 2, 10),
    ("filter", "-A INPUT !", "nothing appropriate following !", 2, 10),
    ("filter", "-A INPUT ! ! -s 1.2.3.4", "multiple consecutive ! not allowed", 2, 12),
    ("filter", "-A INPUT -t nat -j ACCEPT", "-t option cannot be used", 2, 10),
    ("filter", "-A INPUT -o eth0 -j ACCEPT", "Can't use -o with INPUT", 2, 10),
    ("filter", "-A INPUT -j ACCEPT # why", "Bad argument `#'", 2, 20),
    ("filter", "-A INPUT -j INPUT", "INPUT is a built-in chain", 2, 13),
    ("filter", "-A INPUT -g ACCEPT", "Couldn't load target `ACCEPT'", 2, 13),
    ("filter", "-A INPUT -j NOPE", "Couldn't load target `NOPE'", 2, 13),
    ("filter", "-A INPUT -j Y\n:Y - [0:0]", "Couldn't load target `Y'", 2, 13),
    ("filter", "-A NOPE -j ACCEPT", "no chain 'NOPE' in table filter", 2, 4),
    ("filter", ":ABCDEFGHIJKLMNOPQRSTUVWXYZ123 - [0:0]", "too long (must be under 29 chars)", 2, 1),
    ("filter", ":ACCEPT - [0:0]", "may not clash with target name", 2, 1),
    ("filter", ":-x - [0:0]", "not allowed to start with `-'", 2, 1),
    ("filter", ":INPUT RETURN [0:0]", "Bad policy name 'RETURN'", 2, 8),
    ("filter", ":X", "policy invalid", 2, 1),
    ("filter", "-P INPUT REJECT", "Bad policy name 'REJECT'", 2, 10),
    ("filter", "-X INPUT", "cannot be deleted", 2, 4),
    ("filter", "-F nope", "no chain 'nope'", 2, 4),
    ("filter", "-N X\n-N X", "Chain already exists", 3, 4),
    ("filter", "-D INPUT -j DROP", "Bad rule", 2, 1),
    ("filter", "-I INPUT 5 -j DROP", "Index of insertion too big", 2, 10),
    ("filter", "[1:2 -A INPUT", "need ]", 2, 1),
    ("filter", "foo", "Bad argument `foo'", 2, 1),
    ("filter", "*nat", "the table filter is not closed", 2, 1),
    ("filter", ":X - [0:0]\n-A INPUT -j X\n-X X", "no chain X to jump to", 3, 1),
    (
        "filter",
        ":X - [0:0]\n:Y - [0:0]\n-A X -j Y\n-A Y -j X\n-A INPUT -j X",
        "Too many levels of symbolic links",
        5,
        1,
    ),
    ("filter", ":X - [0:0]\n-A X -j X\n-A OUTPUT -j X", "X → X", 3, 1),
    ("filter", "-A INPUT -j MASQUERADE", "MASQUERADE is only valid in table nat", 2, 13),
    ("filter", "-A INPUT -j CT --notrack", "CT is only valid in table raw", 2, 13),
    ("nat", "-A PREROUTING -j REJECT", "REJECT is only valid in table filter", 2, 18),
    ("nat", "-A PREROUTING -j MASQUERADE", "MASQUERADE is not valid in PREROUTING", 2, 18),
    ("nat", ":X - [0:0]\n-A X -j MASQUERADE\n-A PREROUTING -j X", "not valid reached from PREROUTING", 3, 9),
    ("nat", "-A PREROUTING -j SNAT --to-source 1.2.3.4", "SNAT is not valid in PREROUTING", 2, 18),
    ("nat", "-A POSTROUTING -j DNAT --to-destination 1.2.3.4", "DNAT is not valid in POSTROUTING", 2, 19),
    ("nat", "-A PREROUTING -j DNAT", '"--to-destination" must be specified', 2, 18),
    ("nat", "-A PREROUTING -j DNAT --to-destination 1.2.3.4:80", "DNAT requires -p tcp", 2, 18),
    ("nat", "-A POSTROUTING -j MASQUERADE --to-ports 1024", "MASQUERADE requires -p tcp", 2, 19),
    ("nat", "-A PREROUTING -j DROP", 'The "nat" table is not intended for filtering', 2, 18),
    ("filter", "-A INPUT -m addrtype --src-type ANYCAST --limit-iface-out", "addrtype is not valid in INPUT", 2, 13),
)
REFUSED_IDS = [text.replace("\n", " / ") for _, text, *_ in REFUSED]


@pytest.mark.parametrize(("table", "text", "message", "line", "column"), REFUSED, ids=REFUSED_IDS)
def test_what_the_tool_refuses_is_refused(table: str, text: str, message: str, line: int, column: int) -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse(f"*{table}\n{text}\nCOMMIT\n", V4, "refused.rules")
    error = caught.value.errors[0]
    assert message in error.message
    assert (error.origin.file, error.origin.line, error.origin.column) == ("refused.rules", line, column)
    assert error.origin.text == text.split("\n")[line - 2]


def test_a_quote_must_be_closed() -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse('*filter\n-A INPUT -m comment --comment "abc -j ACCEPT\nCOMMIT\n', V4, "x")
    error = caught.value.errors[0]
    assert (error.message, error.origin.line, error.origin.column) == ("the quote is not closed", 2, 31)


def test_all_errors_are_told_at_once() -> None:
    with pytest.raises(RuleSyntaxErrors) as caught:
        parse("*filter\n-A INPUT -j NOPE\n-A INPUT -p tcp\n-A INPUT --x\n-A INPUT -s 1.2.3.4.5\n", V4, "x")
    assert [error.origin.line for error in caught.value.errors] == [2, 4, 5, 6]
    assert "COMMIT expected" in caught.value.errors[-1].message


# --- the same rows against iptables and the kernel ----------------------------------------------------------------


@contextmanager
def namespace() -> Iterator[str]:
    name = f"nsim-rules-rows-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        yield name
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


def run(netns: str, program: str, text: str = "") -> tuple[int, str]:
    command = ["ip", "netns", "exec", netns, program]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


def variants(family: Family) -> list[str]:
    return ["iptables-nft", "iptables-legacy"] if family is V4 else ["ip6tables-nft", "ip6tables-legacy"]


@pytest.mark.kernel
@pytest.mark.parametrize("family", [V4, V6], ids=["IPv4", "IPv6"])
def test_the_rows_are_what_the_real_tools_print(family: Family) -> None:
    with namespace() as netns:
        for variant in variants(family):
            for _, table, line, saved in (row for row in ALL if row[0] is family):
                code, _ = run(netns, f"{variant}-restore", f"*{table}\n-A {line}\nCOMMIT\n")
                _, printed = run(netns, f"{variant}-save")
                assert (code, lines_of(printed)) == (0, [f"-A {saved or line}"]), (variant, line)
                run(netns, f"{variant}-restore", f"*{table}\nCOMMIT\n")


@pytest.mark.kernel
@pytest.mark.parametrize("variant", ["iptables-nft", "iptables-legacy"])
def test_the_real_tool_refuses_what_is_refused(variant: str) -> None:
    lenient = {":-x - [0:0]"} if variant == "iptables-legacy" else set()
    with namespace() as netns:
        taken = [
            text
            for table, text, *_ in REFUSED
            if text not in lenient and run(netns, f"{variant}-restore", f"*{table}\n{text}\nCOMMIT\n")[0] == 0
        ]
    assert taken == []
