"""Addresses and prefixes as Go's sloppy parsers read them, so that an old object reads as kube-proxy reads it.

Ref: k8s.io/utils/internal/third_party/forked/golang/net/parse.go (ParseIPSloppy, ParseCIDRSloppy)
"""

from __future__ import annotations

import ipaddress
import re

from netsim.net.address import Address, Family, Prefix, family_of

_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
"""Addresses that need no rewriting. Nearly all are such, and large clusters have many."""


def parse_address_sloppy(text: str) -> Address | None:
    """An address, None where the text is not one. IPv4 octets may have leading zeros; ``::ffff:1.2.3.4`` is IPv4."""
    try:
        return _unmapped(ipaddress.ip_address(_without_leading_zeros(text)))
    except ValueError:
        return None


def canonical_text(text: str) -> str:
    """An address as Go prints it, empty where the text is not one: ``10.0.0.1`` for ``010.0.0.1``."""
    if _PLAIN_IPV4.fullmatch(text):
        return text
    address = parse_address_sloppy(text)
    return "" if address is None else str(address)


def parse_prefix_sloppy(text: str) -> Prefix | None:
    """A prefix with its host bits cleared, None where the text is not one (a bare address is not)."""
    address, slash, length = text.partition("/")
    if not slash or not length.isascii() or not length.isdigit():
        return None
    try:
        return ipaddress.ip_network(f"{_without_leading_zeros(address)}/{length}", strict=False)
    except ValueError:
        return None


def is_family(text: str, family: Family) -> bool:
    """True where an address's text is of a family; told by the colon alone, which is enough for a stored address."""
    return (":" in text) is (family is Family.IPV6)


def addresses_of_family(texts: tuple[str, ...], family: Family) -> tuple[Address, ...]:
    """The addresses of one family, in order; what does not parse is left out. Ref: MapIPsByIPFamily."""
    parsed = (parse_address_sloppy(text) for text in texts)
    return tuple(a for a in parsed if a is not None and family_of(a) is family)


def prefixes_of_family(texts: tuple[str, ...], family: Family) -> tuple[Prefix, ...]:
    """The prefixes of one family, in order; what does not parse is left out. Ref: MapCIDRsByIPFamily."""
    parsed = (parse_prefix_sloppy(text) for text in texts)
    return tuple(p for p in parsed if p is not None and family_of(p) is family)


def _without_leading_zeros(text: str) -> str:
    octets = text.split(".")
    if len(octets) != 4 or not all(o.isascii() and o.isdigit() for o in octets):
        return text
    return ".".join(o.lstrip("0") or "0" for o in octets)


def _unmapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
