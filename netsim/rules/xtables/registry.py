"""Every match and target that the reader knows: one row each. To add one, write its ``Extension`` and list it here."""

from __future__ import annotations

from typing import Any

from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    ICMPMatch,
    Match,
    MultiportMatch,
    NotModelledMatch,
    NotModelledTarget,
    SCTPMatch,
    Target,
    TCPMatch,
    UDPMatch,
)
from netsim.rules.xtables.extensions.absent import ABSENT_MATCHES
from netsim.rules.xtables.extensions.addrtype import ADDRTYPE
from netsim.rules.xtables.extensions.comment import COMMENT
from netsim.rules.xtables.extensions.conntrack import CONNTRACK, STATE
from netsim.rules.xtables.extensions.header import (
    DSCP_MATCH,
    DSCP_TARGET,
    HL_MATCH,
    HL_TARGET,
    IPRANGE,
    LENGTH,
    PKTTYPE,
    TCPMSS_MATCH,
    TCPMSS_TARGET,
    TOS_MATCH,
    TOS_TARGET,
    TTL_MATCH,
    TTL_TARGET,
)
from netsim.rules.xtables.extensions.icmp import ICMP, ICMP6
from netsim.rules.xtables.extensions.ipset import SET, SET_TARGET
from netsim.rules.xtables.extensions.ipvs import IPVS
from netsim.rules.xtables.extensions.link import MAC, PHYSDEV
from netsim.rules.xtables.extensions.log import LOG, NFLOG
from netsim.rules.xtables.extensions.mark import CONNMARK_MATCH, CONNMARK_TARGET, MARK_MATCH, MARK_TARGET
from netsim.rules.xtables.extensions.nat import DNAT, MASQUERADE, NETMAP, REDIRECT, SNAT
from netsim.rules.xtables.extensions.passive import AUDIT, CHECKSUM, CLASSIFY, FURTHER_PASSIVE, TRACE
from netsim.rules.xtables.extensions.rate import CONNLIMIT, HASHLIMIT, LIMIT
from netsim.rules.xtables.extensions.raw import CT, NOTRACK
from netsim.rules.xtables.extensions.recent import RECENT
from netsim.rules.xtables.extensions.reject import REJECT
from netsim.rules.xtables.extensions.socket import NFQUEUE, OWNER, RPFILTER, SOCKET, TPROXY
from netsim.rules.xtables.extensions.statistic import STATISTIC
from netsim.rules.xtables.extensions.transport import MULTIPORT, SCTP, TCP, UDP
from netsim.rules.xtables.extensions.unmodelled import UNMODELLED_MATCHES, UNMODELLED_TARGETS
from netsim.rules.xtables.extensions.volume import CONNBYTES, QUOTA
from netsim.rules.xtables.matches import AbsentMatch
from netsim.rules.xtables.option import NOTHING, Extension, Needs, nothing
from netsim.rules.xtables.targets import PassiveTarget

# Rows hold values of many types; the type of each is tied to its row by ``Extension.types``.
_MATCH_ROWS: tuple[Extension[Any], ...] = (
    *(TCP, UDP, SCTP, MULTIPORT, ICMP, ICMP6),
    *(CONNTRACK, STATE, MARK_MATCH, CONNMARK_MATCH),
    *(COMMENT, STATISTIC, RECENT, ADDRTYPE, SET, PHYSDEV, MAC),
    *(IPRANGE, LENGTH, TTL_MATCH, HL_MATCH, TOS_MATCH, DSCP_MATCH, PKTTYPE, TCPMSS_MATCH),
    *(LIMIT, HASHLIMIT, CONNLIMIT, QUOTA, CONNBYTES, IPVS, OWNER, RPFILTER, SOCKET),
    *ABSENT_MATCHES,
    *UNMODELLED_MATCHES,
)
_TARGET_ROWS: tuple[Extension[Any], ...] = (
    *(DNAT, SNAT, MASQUERADE, REDIRECT, NETMAP, REJECT),
    *(MARK_TARGET, CONNMARK_TARGET, NOTRACK, CT, LOG, NFLOG, NFQUEUE, TPROXY, SET_TARGET),
    *(TTL_TARGET, HL_TARGET, TOS_TARGET, DSCP_TARGET, TCPMSS_TARGET, TRACE, AUDIT, CLASSIFY, CHECKSUM),
    *FURTHER_PASSIVE,
    *UNMODELLED_TARGETS,
)

_ALIASES: dict[Family, dict[str, str]] = {
    # names by which a module is asked for besides its own (libxtables/xtables.c:xtables_find_match())
    Family.IPV4: {},
    Family.IPV6: {"icmp": "icmp6", "icmpv6": "icmp6", "ipv6-icmp": "icmp6", "ipv6-mh": "mh"},
}
_IMPLICIT: dict[int, str] = {
    6: "tcp",
    17: "udp",
    132: "sctp",
    33: "dccp",
    1: "icmp",
    58: "icmp6",
    51: "ah",
    50: "esp",
    135: "mh",
}


def _by_name(rows: tuple[Extension[Any], ...], family: Family) -> dict[str, Extension[Any]]:
    return {row.name: row for row in rows if family in row.families}


_MATCHES = {family: _by_name(_MATCH_ROWS, family) for family in Family}
_TARGETS = {family: _by_name(_TARGET_ROWS, family) for family in Family}
_BY_TYPE: dict[type, Extension[Any]] = {kind: row for row in (*_MATCH_ROWS, *_TARGET_ROWS) for kind in row.types}
PLACED = frozenset(kind for kind, row in _BY_TYPE.items() if row.needs is not nothing) | {
    NotModelledMatch,
    NotModelledTarget,
}
HOOKED = PLACED - {TCPMatch, UDPMatch, SCTPMatch, MultiportMatch, ICMPMatch}
"""Types of which some values ask for hooks: all that are placed but those that only ask for a protocol."""

_NAMED: dict[tuple[type, str], Extension[Any]] = {
    # values that stand for many rows, and name theirs
    **{(kind, row.name): row for row in _MATCH_ROWS for kind in (NotModelledMatch, AbsentMatch)},
    **{(kind, row.name): row for row in _TARGET_ROWS for kind in (NotModelledTarget, PassiveTarget)},
}


def find_match(name: str, family: Family) -> Extension[Any] | None:
    """The match module of a name, None where iptables has none."""
    return _MATCHES[family].get(_ALIASES[family].get(name, name))


def find_target(name: str, family: Family) -> Extension[Any] | None:
    """The target of a name, None where it is none (a chain, perhaps)."""
    return _TARGETS[family].get(name)


def implicit_match(protocol: int, family: Family) -> Extension[Any] | None:
    """The match that ``-p`` makes available without ``-m``."""
    return find_match(_IMPLICIT[protocol], family) if protocol in _IMPLICIT else None


def match_names(family: Family) -> tuple[str, ...]:
    """All match modules of a family, sorted."""
    return tuple(sorted(_MATCHES[family]))


def target_names(family: Family) -> tuple[str, ...]:
    """All extension targets of a family, sorted."""
    return tuple(sorted(_TARGETS[family]))


def extension_of(value: Match | Target) -> Extension[Any] | None:
    """The row that a match or target comes from; None for verdicts and jumps."""
    if isinstance(value, NotModelledMatch | AbsentMatch):
        return _NAMED.get((type(value), value.module))
    if isinstance(value, NotModelledTarget | PassiveTarget):
        return _NAMED.get((type(value), value.name))
    return _BY_TYPE.get(type(value))


def needs_of(value: Match | Target) -> Needs:
    """What the kernel asks of a rule with this match or target."""
    row = extension_of(value)
    return NOTHING if row is None else row.needs(value)
