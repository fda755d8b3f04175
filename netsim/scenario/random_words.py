"""The addresses and words of each IP version that rules are drawn with.

A text of nftables is drawn with names in capitals in place of what depends on the version (``IP saddr POD1``), and spelled at the end.
Rules of iptables say most of it in words of their own, so theirs are tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from netsim.dataclass import dataclass

_NAME = re.compile(r"\b[A-Z][A-Z0-9]+\b")

SPELLING: Mapping[int, Mapping[str, str]] = {
    # IP version: name → how it is written; AT… is an address before a port
    4: {
        "IP": "ip", "ICMP": "icmp", "ADDRESS": "ipv4_addr", "TTL": "ip ttl", "PROTOCOL": "ip protocol",
        "PART": "ip frag-off & 0x1fff != 0",
        "PODS": "10.244.0.0/16", "PODS1": "10.244.1.0/24", "PODS2": "10.244.2.0/24", "POD1": "10.244.1.2",
        "POD2": "10.244.2.2", "POD3": "10.244.1.3", "SOMEPODS": "10.244.1.1-10.244.1.9", "SERVICES": "10.96.0.0/12",
        "SERVICE": "10.96.1.1", "NODES": "192.168.0.0/24", "NODE1": "192.168.0.11", "NODE2": "192.168.0.12",
        "CLIENT": "192.168.0.100", "LOOPBACK": "127.0.0.0/8", "FREE": "192.168.0.77", "NOBODY": "10.9.9.9",
        "ATPOD1": "10.244.1.2", "ATPOD2": "10.244.2.2", "ATNODE1": "192.168.0.11",
    },
    6: {
        "IP": "ip6", "ICMP": "icmpv6", "ADDRESS": "ipv6_addr", "TTL": "ip6 hoplimit", "PROTOCOL": "ip6 nexthdr",
        "PART": "ip6 hoplimit != 1",
        "PODS": "fd00:10:244::/56", "PODS1": "fd00:10:244:1::/64", "PODS2": "fd00:10:244:2::/64",
        "POD1": "fd00:10:244:1::2", "POD2": "fd00:10:244:2::2", "POD3": "fd00:10:244:1::3",
        "SOMEPODS": "fd00:10:244:1::1-fd00:10:244:1::9", "SERVICES": "fd00:10:96::/112", "SERVICE": "fd00:10:96::101",
        "NODES": "fd00:192:168::/64", "NODE1": "fd00:192:168::11", "NODE2": "fd00:192:168::12",
        "CLIENT": "fd00:192:168::100", "LOOPBACK": "::1", "FREE": "fd00:192:168::77", "NOBODY": "fd00:9:9::9",
        "ATPOD1": "[fd00:10:244:1::2]", "ATPOD2": "[fd00:10:244:2::2]", "ATNODE1": "[fd00:192:168::11]",
    },
}  # fmt: skip


def spelled(text: str, version: int) -> str:
    """The text with every name in capitals as the IP version writes it. Raises KeyError for a name that it has not."""
    return _NAME.sub(lambda found: SPELLING[version][found[0]], text)


@dataclass(frozen=True, slots=True)
class Words:
    """What rules of iptables, or of ip6tables, are drawn with."""

    version: int
    everything: str
    icmp: tuple[str, str, str]
    """The protocol, its match and that match's option."""
    icmp_kinds: tuple[str, ...]
    address_types: tuple[str, ...]
    rejects: tuple[str, ...]

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Prefixes that sources and destinations are compared with, as iptables-save prints them."""
        names = (
            "PODS",
            "PODS1",
            "POD1",
            "POD2",
            "SERVICES",
            "SERVICE",
            "NODES",
            "NODE1",
            "NODE2",
            "CLIENT",
            "LOOPBACK",
        )
        host = 32 if self.version == 4 else 128
        found = (spelled(name, self.version) for name in names)
        return (*(prefix if "/" in prefix else f"{prefix}/{host}" for prefix in found), self.everything)

    @property
    def destinations(self) -> tuple[str, ...]:
        """What a rule of DNAT gives a packet for its destination."""
        return self._spelled("POD1", "ATPOD2:8080", "NODE2", "CLIENT", "POD1-POD3")

    @property
    def sources(self) -> tuple[str, ...]:
        """What a rule of SNAT gives a packet for its source."""
        return self._spelled("NODE1", "POD2", "ATNODE1:3000-3010", "FREE")

    def _spelled(self, *texts: str) -> tuple[str, ...]:
        return tuple(spelled(text, self.version) for text in texts)


WORDS: Mapping[int, Words] = {
    4: Words(
        version=4,
        everything="0.0.0.0/0",
        icmp=("icmp", "icmp", "--icmp-type"),
        icmp_kinds=("8", "0", "3", "3/3", "11", "any"),
        address_types=(
            *("LOCAL", "UNICAST", "BROADCAST", "MULTICAST", "LOCAL,BROADCAST", "BLACKHOLE", "UNREACHABLE", "PROHIBIT"),
        ),
        rejects=(
            *("icmp-net-unreachable", "icmp-host-unreachable", "icmp-proto-unreachable", "icmp-port-unreachable"),
            *("icmp-net-prohibited", "icmp-host-prohibited", "icmp-admin-prohibited", "tcp-reset"),
        ),
    ),
    6: Words(
        version=6,
        everything="::/0",
        icmp=("ipv6-icmp", "icmp6", "--icmpv6-type"),
        icmp_kinds=("128", "129", "1", "1/4", "3", "2"),
        address_types=("LOCAL", "UNICAST", "MULTICAST", "LOCAL,MULTICAST", "UNREACHABLE", "ANYCAST"),
        rejects=(
            *("icmp6-no-route", "icmp6-adm-prohibited", "icmp6-addr-unreachable", "icmp6-port-unreachable"),
            *("icmp6-policy-fail", "icmp6-reject-route", "tcp-reset"),
        ),
    ),
}
