"""The form of a row of ``mode_table``, and sets of reasons that several rows have.

Reasons are those of ``netsim.trace.reason_table``. A row explains an answer where every outcome that iptables mode has alone has one of
its ``iptables`` reasons, every outcome that the other mode has alone one of its ``other`` reasons, and each circumstance holds. The first
row that does is the explanation, so rows about few flows come before those about many.
"""

from __future__ import annotations

from enum import Enum

from netsim.dataclass import dataclass
from proxy.config.model import ProxyMode


class Circumstance(Enum):
    """What a row may ask of a flow, its world, and the two answers; the value says it in words."""

    TO_LOOPBACK = "the destination is a loopback address"
    POLICY_LOCAL = "the Service has traffic policy Local"
    FROM_NODE = "a node asks"
    FROM_INSIDE = "a node or a pod asks"
    VIRTUAL_SOURCE = "who asks has an address that is a Service's too"
    REMEMBERED = "a machine knows connections from before"
    NODE_ADDRESS = "a node's own address is a Service's too"
    OWN_RULES = "a node has rules of its own"
    SAME_BACKENDS = "the same backends"
    FEWER_BACKENDS = "fewer backends than in iptables mode"


@dataclass(frozen=True, slots=True)
class Difference:
    """What one mode does otherwise than iptables mode.

    ``name`` is stable. ``why`` is a sentence without a full stop; ``source`` names documentation, issues (``k/k#1``: kubernetes/kubernetes)
    or source code; ``topology`` is a shipped one that shows it.
    """

    name: str
    mode: ProxyMode
    iptables: frozenset[str]
    other: frozenset[str]
    why: str
    source: str
    topology: str
    circumstances: tuple[Circumstance, ...] = ()


def of(*reasons: str) -> frozenset[str]:
    """A set of reasons."""
    return frozenset(reasons)


# what becomes of a packet that iptables mode does not translate, and of a segment of no connection
UNTRANSLATED = of(
    *("LEFT_MODEL", "NO_ROUTE", "NEIGHBOUR_FAILED", "ROUTE_UNREACHABLE", "TTL_EXCEEDED", "LOOP", "IP_FORWARDING_OFF"),
    *("ARRIVED_ELSEWHERE", "POLICY_DROP", "RULE_REJECT", "RULE_DROP"),
)
NOT_TRANSLATED_OUT = of("LEFT_MODEL", "NO_ROUTE", "ARRIVED_ELSEWHERE", "NEIGHBOUR_FAILED")
TRANSLATED = of(
    *("DELIVERED", "NO_ENDPOINTS", "NO_LOCAL_ENDPOINTS", "PORT_CLOSED", "NEIGHBOUR_FAILED", "LEFT_MODEL", "NO_ROUTE"),
    *("REPLY_NO_ROUTE", "REPLY_NEIGHBOUR_FAILED", "NO_ANSWER"),
)
STRAY = of(
    *("NO_CONNECTION", "NOT_ANSWERED", "PORT_CLOSED", "LEFT_MODEL", "NODE_PORT_CLOSED", "TTL_EXCEEDED"),
    *("NEIGHBOUR_FAILED", "CLUSTER_IP_PORT_UNKNOWN", "DELIVERED_ONE_WAY", "NO_ROUTE", "DELIVERED", "NO_ANSWER"),
)
REFUSED_BY_FIREWALL = of("POLICY_DROP", "RULE_DROP", "RULE_REJECT")
LOST_ANSWER = of(
    *("REPLY_FROM_OTHER_PEER", "REPLY_MARTIAN_SOURCE", "MARTIAN_SOURCE", "RP_FILTER", "REPLY_RP_FILTER", "NO_ANSWER"),
)
