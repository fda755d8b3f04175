"""Elements of entries: words ↔ values. Ranges and prefixes of ``ip`` and ``port`` stand for many members. Ref: ipset 7.17 lib/parse.c."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import islice, product
from typing import assert_never

from netsim.net.address import MAC, Address, Family, Prefix
from netsim.rules.ipset.ast import Dimension, Element, Interface, IPSet, Key, ProtocolPort
from netsim.rules.xtables.names import ICMP_TYPES, ICMPV6_TYPES
from netsim.rules.xtables.values import read_address, read_integer, read_port, read_protocol, write_protocol

_ICMP, _ICMPV6 = 1, 58
_WITH_PORTS = (6, 17, 132, 136)
_MOST_MEMBERS = 1 << 16


def read_entry(text: str, target: IPSet) -> list[Key]:
    """The members that an entry of a set stands for; raise ValueError."""
    dimensions = target.type.dimensions
    parts = text.split(",")
    if len(parts) != len(dimensions):
        ordinal = ("First", "Second", "Third")[min(len(parts), 2)]
        fault = (
            f"{ordinal} element is missing from" if len(parts) < len(dimensions) else "there are too many elements in"
        )
        raise ValueError(f"{fault} {text}")
    choices = [list(_read(part, dimension, target)) for part, dimension in zip(parts, dimensions, strict=True)]
    members = list(islice(product(*choices), _MOST_MEMBERS + 1))
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"{text} has more than {_MOST_MEMBERS} members")
    return members


def _read(text: str, dimension: Dimension, target: IPSet) -> Iterator[Element]:
    family = target.family or Family.IPV4
    match dimension:
        case Dimension.IP:
            yield from _addresses(text, family, target.options.netmask)
        case Dimension.NET:
            yield from _prefixes(text, family)
        case Dimension.PORT:
            yield from _bitmap_ports(text) if target.type.method == "bitmap" else _ports(text, family)
        case Dimension.MARK:
            yield read_integer(text) & target.options.markmask
        case Dimension.MAC:
            yield MAC.parse(text)
        case Dimension.IFACE:
            physdev = text.startswith("physdev:")
            yield Interface(text.removeprefix("physdev:"), physdev)
        case Dimension.SET:
            yield text
        case _:
            assert_never(dimension)


def _addresses(text: str, family: Family, netmask: int | None) -> Iterator[Address]:
    first, dash, last = text.partition("-")
    if dash:
        low, high = read_address(first, family), read_address(last, family)
    elif "/" in text:
        prefix = _prefix(text, family)
        low, high = prefix.network_address, prefix.broadcast_address
    else:
        low = high = read_address(text, family)
    if int(high) < int(low) or int(high) - int(low) >= _MOST_MEMBERS:
        raise ValueError(f"{text} is no range of at most {_MOST_MEMBERS} addresses")
    if (dash or "/" in text) and family is Family.IPV6 and low != high:
        raise ValueError(f"plain IP address must be supplied: {text}")
    mask = 0 if netmask is None else (1 << family.bits - netmask) - 1
    kind = type(low)
    yield from dict.fromkeys(kind(number & ~mask) for number in range(int(low), int(high) + 1))


def _prefix(text: str, family: Family) -> Prefix:
    address, _, length = text.partition("/")
    read_address(address, family)
    try:
        return ipaddress.ip_network(f"{address}/{read_integer(length, family.bits)}", strict=False)
    except ValueError as problem:
        raise ValueError(f"{text} is no prefix: {problem}") from None


def _prefixes(text: str, family: Family) -> Iterator[Prefix]:
    first, dash, last = text.partition("-")
    if dash:
        yield from ipaddress.summarize_address_range(read_address(first, family), read_address(last, family))
    else:
        yield _prefix(text if "/" in text else f"{text}/{family.bits}", family)


def _bitmap_ports(text: str) -> Iterator[int]:
    text = text.rpartition(":")[2]
    first, dash, last = text.partition("-")
    low = read_port(first)
    yield from range(low, (read_port(last) if dash else low) + 1)


def _ports(text: str, family: Family) -> Iterator[ProtocolPort]:
    name, colon, port = text.rpartition(":")
    protocol = read_protocol(name) if colon else 6
    if protocol in (_ICMP, _ICMPV6):
        yield ProtocolPort(protocol, _read_icmp(port, family))
        return
    if protocol not in _WITH_PORTS:
        if port != "0":
            raise ValueError(f"the only port of protocol {name} is 0")
        yield ProtocolPort(protocol, 0)
        return
    first, dash, last = port.partition("-")
    low = read_port(first)
    for number in range(low, (read_port(last) if dash else low) + 1):
        yield ProtocolPort(protocol, number)


def _read_icmp(text: str, family: Family) -> int:
    names = ICMP_TYPES if family is Family.IPV4 else ICMPV6_TYPES
    if text in names:
        return names[text][0] * 256 + names[text][1]
    kind, slash, code = text.partition("/")
    if not slash:
        raise ValueError(f"{text!r} is no ICMP type/code")
    return read_integer(kind, 255) * 256 + read_integer(code, 255)


def write_element(element: Element) -> str:
    """An element as ``ipset save`` prints it."""
    match element:
        case ProtocolPort():
            if element.protocol in (_ICMP, _ICMPV6):
                kind, code = divmod(element.port, 256)
                return f"{write_protocol(element.protocol)}:{kind}/{code}"
            return f"{write_protocol(element.protocol)}:{element.port}"
        case Interface():
            return f"physdev:{element.name}" if element.physdev else element.name
        case ipaddress.IPv4Network() | ipaddress.IPv6Network():
            host = element.prefixlen == element.max_prefixlen
            return str(element.network_address) if host else str(element)
        case MAC():
            return str(element).upper()
        case _:
            return str(element)


def write_key(key: Key, *, dimensions: tuple[Dimension, ...] = ()) -> str:
    """An entry's elements, joined as in its line."""
    marks = dimensions and Dimension.MARK in dimensions
    words = [f"{element:#010x}" if marks and isinstance(element, int) else write_element(element) for element in key]
    return ",".join(words)
