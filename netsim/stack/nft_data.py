"""What stands in a register: nft's literals as the numbers and names that expressions compare.

A register holds a number, or a device's name; several joined by ``.`` are a tuple. A literal is a pair of bounds, both
included, which are equal for a single value: prefixes and ranges are intervals, and a name that ends in ``*`` is one of names.

Ref: nftables 1.0.6 src/{datatype,ct,fib,meta,proto}.c; include/uapi/linux/netfilter/nf_tables.h (v6.12).
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from netsim.rules.nft.ast import Flags, Key, Literal, Range, Wildcard
from netsim.rules.xtables.names import PROTOCOLS
from netsim.stack.nft_registers import Register, Scalar
from netsim.stack.x_tables import RuleNotModelledError

LAST_NAME = "\U0010ffff"
"""Behind every character that a device's name may have."""

NAMES = frozenset(
    {
        *("ifname", "iface_index", "fib_oif", "ifkind", "ct_helper"),
        *("counter", "quota", "limit", "secmark", "synproxy"),  # named objects
    }
)
"""Datatypes whose values are names here: devices, kinds of them, objects of the table."""

DSCP = {
    # RFC 2474, 2597, 3246, 5865, 8622, by nft's names
    **{f"cs{number}": number << 3 for number in range(8)},
    **{f"af{number}{drop}": number << 3 | drop << 1 for number in range(1, 5) for drop in range(1, 4)},
    "ef": 0x2E,
    "va": 0x2C,
    "lephb": 0x01,
    "be": 0x00,
}
NUMBERS: dict[str, dict[str, int]] = {
    # datatype: symbol: number
    "ct_state": {"invalid": 1, "established": 2, "related": 4, "new": 8, "untracked": 64},
    "ct_dir": {"original": 0, "reply": 1},
    "ct_status": {
        "expected": 1,
        "seen-reply": 2,
        "assured": 4,
        "confirmed": 8,
        "snat": 0x10,
        "dnat": 0x20,
        "dying": 0x200,
    },
    "fib_addrtype": {
        "unspec": 0,
        "unicast": 1,
        "local": 2,
        "broadcast": 3,
        "anycast": 4,
        "multicast": 5,
        "blackhole": 6,
        "unreachable": 7,
        "prohibit": 8,
    },
    "pkt_type": {"host": 0, "unicast": 0, "broadcast": 1, "multicast": 2, "other": 3},
    "nf_proto": {"ipv4": 2, "ipv6": 10},
    "tcp_flag": {"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ecn": 64, "cwr": 128},
    "ether_type": {"ip": 0x0800, "ip6": 0x86DD, "arp": 0x0806, "vlan": 0x8100, "8021q": 0x8100, "8021ad": 0x88A8},
    "icmp_type": {
        "echo-reply": 0,
        "destination-unreachable": 3,
        "source-quench": 4,
        "redirect": 5,
        "echo-request": 8,
        "router-advertisement": 9,
        "router-solicitation": 10,
        "time-exceeded": 11,
        "parameter-problem": 12,
        "timestamp-request": 13,
        "timestamp-reply": 14,
        "info-request": 15,
        "info-reply": 16,
        "address-mask-request": 17,
        "address-mask-reply": 18,
    },
    "icmp_code": {
        "net-unreachable": 0,
        "host-unreachable": 1,
        "prot-unreachable": 2,
        "port-unreachable": 3,
        "frag-needed": 4,
        "net-prohibited": 9,
        "host-prohibited": 10,
        "admin-prohibited": 13,
    },
    "icmpv6_type": {
        "destination-unreachable": 1,
        "packet-too-big": 2,
        "time-exceeded": 3,
        "parameter-problem": 4,
        "echo-request": 128,
        "echo-reply": 129,
        "mld-listener-query": 130,
        "mld-listener-report": 131,
        "mld-listener-done": 132,
        "mld-listener-reduction": 132,
        "nd-router-solicit": 133,
        "nd-router-advert": 134,
        "nd-neighbor-solicit": 135,
        "nd-neighbor-advert": 136,
        "nd-redirect": 137,
        "router-renumbering": 138,
        "ind-neighbor-solicit": 141,
        "ind-neighbor-advert": 142,
        "mld2-listener-report": 143,
    },
    "icmpv6_code": {
        "no-route": 0,
        "admin-prohibited": 1,
        "addr-unreachable": 3,
        "port-unreachable": 4,
        "policy-fail": 5,
        "reject-route": 6,
    },
    "boolean": {"missing": 0, "exists": 1},
    "arp_op": {"request": 1, "reply": 2, "rrequest": 3, "rreply": 4, "inrequest": 8, "inreply": 9, "nak": 10},
    "ct_event": {
        "new": 1,
        "related": 2,
        "destroy": 4,
        "reply": 8,
        "assured": 16,
        "protoinfo": 32,
        "helper": 64,
        "mark": 128,
        "seqadj": 256,
        "secmark": 512,
        "label": 1024,
    },
    "realm": {"cosmos": 0},
    "dscp": DSCP,
    "iface_type": {"ether": 1, "ppp": 512, "ipip": 768, "loopback": 772, "sit": 776, "ipgre": 778},
    "devgroup": {"default": 0},
    "inet_proto": PROTOCOLS,
}


class Bounds(NamedTuple):
    """A literal's first and last value; equal for a single one. Names and numbers do not mix."""

    first: Scalar
    last: Scalar

    @property
    def single(self) -> bool:
        """True for one value."""
        return self.first == self.last

    def holds(self, value: Scalar) -> bool:
        """True where the value lies between the two."""
        if isinstance(value, str) or isinstance(self.first, str) or isinstance(self.last, str):
            return str(self.first) <= str(value) <= str(self.last)
        return self.first <= value <= self.last


def bounds(literal: Literal, kind: str) -> Bounds | None:
    """The values that a literal of a datatype stands for; None for ``*``, which is any.

    Raises RuleNotModelledError for a name that the datatype has and the model does not know.
    """
    match literal:
        case Wildcard():
            return None
        case int():
            return Bounds(literal, literal)
        case ipaddress.IPv4Address() | ipaddress.IPv6Address():
            return Bounds(int(literal), int(literal))
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            return Bounds(int(literal.network_address), int(literal.broadcast_address))
        case Range(first, last):
            return Bounds(int(first), int(last))
        case Flags():
            bits = flag_bits(literal, kind)
            return Bounds(bits, bits)
        case str():
            return _of_text(literal, kind)


def flag_bits(flags: Flags, kind: str) -> int:
    """The bits of ``established,related``."""
    found = 0
    for name in flags.names:
        found |= _number(name, kind)
    return found


def key_bounds(key: Key, kinds: tuple[str, ...]) -> tuple[Bounds | None, ...]:
    """The bounds of each part of an element."""
    known = kinds if len(kinds) == len(key) else ("",) * len(key)
    return tuple(bounds(part, kind) for part, kind in zip(key, known, strict=True))


def flat(parts: tuple[Register, ...]) -> Register:
    """Registers one behind the other."""
    found: list[Scalar] = []
    for part in parts:
        found += part if isinstance(part, tuple) else (part,)
    return found[0] if len(found) == 1 else tuple(found)


def _of_text(text: str, kind: str) -> Bounds:
    if kind == "fib_oif" and text in ("missing", "exists"):
        return Bounds("", "") if text == "missing" else Bounds("\0", LAST_NAME)
    if kind in NAMES or (kind == "" and not text[:1].isdecimal()):
        if text.endswith("*") and not text.endswith("\\*"):
            return Bounds(text[:-1], text[:-1] + LAST_NAME)
        return Bounds(text, text)
    if kind == "ether_addr":
        return _single(int(text.replace(":", ""), 16))
    if "-" in text[1:] and text not in NUMBERS.get(kind, {}):
        first, _, last = text.partition("-")
        return Bounds(_number(first, kind), _number(last, kind))
    return _single(_number(text, kind))


def _single(number: int) -> Bounds:
    return Bounds(number, number)


def _number(text: str, kind: str) -> int:
    known = NUMBERS.get(kind, {})
    if text in known:
        return known[text]
    try:
        if kind == "classid" and ":" in text:
            major, _, minor = text.partition(":")
            return int(major, 16) << 16 | int(minor, 16)
        return int(text, 0)
    except ValueError:
        raise RuleNotModelledError(f"the value {text!r} of datatype {kind or 'unknown'}") from None
