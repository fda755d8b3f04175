"""Which rules of a chain a packet could match, without looking at all of them.

A rule is filed under one thing that it asks for by one exact value: the destination's address, the source's, the protocol with its
destination port, or a device. A packet looks at the rules that are filed under its own values and at those that could not be
filed, in their order. The rest would fail at that very check, and nothing that stands before the check remembers or asks for anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import TypeAlias

from netsim.dataclass import dataclass
from netsim.rules.xtables.ast import (
    CommentMatch,
    InterfaceMatch,
    PortMatch,
    PrefixMatch,
    Rule,
    SCTPMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.stack.skbuff import SkBuff

INDEX_FROM = 16  # chains shorter than this are evaluated rule by rule
_PORT_MATCHES = (TCPMatch, UDPMatch, SCTPMatch)

Index: TypeAlias = dict[int, list[int]]


@dataclass(slots=True)
class RuleIndex:
    """The rules of one chain by what they ask for; every list is in the chain's order."""

    count: int
    destinations: Index = field(default_factory=dict)
    sources: Index = field(default_factory=dict)
    ports: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    in_devices: dict[str, list[int]] = field(default_factory=dict)
    out_devices: dict[str, list[int]] = field(default_factory=dict)
    others: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> RuleIndex:
        """File the rules of a chain."""
        index = cls(len(rules))
        if len(rules) >= INDEX_FROM:
            for number, rule in enumerate(rules):
                index._file(rule).append(number)
        return index

    def _file(self, rule: Rule) -> list[int]:
        """The list that a rule belongs to."""
        if (address := _exact(rule.destination)) is not None:
            return self.destinations.setdefault(address, [])
        if (address := _exact(rule.source)) is not None:
            return self.sources.setdefault(address, [])
        if (port := _port(rule)) is not None:
            return self.ports.setdefault(port, [])
        if (device := _device(rule.in_interface)) is not None:
            return self.in_devices.setdefault(device, [])
        if (device := _device(rule.out_interface)) is not None:
            return self.out_devices.setdefault(device, [])
        return self.others

    def candidates(self, skb: SkBuff, iif: str, oif: str) -> Sequence[int]:
        """Numbers of the rules that a packet could match, in order."""
        if self.count < INDEX_FROM:
            return range(self.count)
        ip = skb.packet.ip
        found = [self.destinations.get(int(ip.dst))] if self.destinations else []
        if self.sources:
            found.append(self.sources.get(int(ip.src)))
        if self.ports:
            found.append(self.ports.get((int(ip.protocol), skb.packet.dport or 0)))
        if self.in_devices:
            found.append(self.in_devices.get(iif))
        if self.out_devices:
            found.append(self.out_devices.get(oif))
        own = [each for each in found if each]
        if not own:
            return self.others
        if len(own) == 1 and not self.others:
            return own[0]
        return sorted(number for each in (self.others, *own) for number in each)


def _exact(match: PrefixMatch | None) -> int | None:
    if match is None or match.inverted or match.prefix.prefixlen != match.prefix.max_prefixlen:
        return None
    return int(match.prefix.network_address)


def _device(match: InterfaceMatch | None) -> str | None:
    return None if match is None or match.inverted or match.name.endswith("+") else match.name


def _port(rule: Rule) -> tuple[int, int] | None:
    """Protocol and destination port that a rule asks for before anything that could have an effect."""
    if rule.protocol is None or rule.protocol.inverted:
        return None
    for match in rule.matches:
        if isinstance(match, _PORT_MATCHES):
            port = _single(match.destination)
            return None if port is None else (rule.protocol.number, port)
        if not isinstance(match, CommentMatch):
            return None
    return None


def _single(match: PortMatch | None) -> int | None:
    return None if match is None or match.inverted or match.ports.first != match.ports.last else match.ports.first
