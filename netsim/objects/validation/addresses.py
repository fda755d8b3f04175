"""Addresses and prefixes in objects: each function answers every reason why a text is refused, nothing where it is good.

Ref: apimachinery/pkg/util/validation/ip.go, pkg/apis/core/validation:ValidateEndpointIP() (v1.37; StrictIPCIDRValidation is on).
"""

from __future__ import annotations

import ipaddress
import re

from netsim.net.address import Address, parse_address
from netsim.objects.validation.names import Reasons

_OCTET_ZEROS = re.compile(r"(?<![0-9a-fA-F:.])0+(?=[0-9])|(?<=\.)0+(?=[0-9])")


def read_address(text: str) -> Address | None:
    """An address without a zone, None where the text is none."""
    try:
        return None if "%" in text else parse_address(text)
    except ValueError:
        return None


def _sloppy(text: str) -> Address | None:
    """An address as old API servers read it: zeros before an octet of IPv4 count for nothing."""
    return read_address(text) or (read_address(_OCTET_ZEROS.sub("", text)) if "." in text else None)


def address(text: str) -> Reasons:
    """An IP address. Ref: ip.go:IsValidIPForLegacyField()."""
    found = _sloppy(text)
    if found is None:
        return ("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",)
    if read_address(text) is None:
        return ("must not have leading 0s",)
    mapped = found.version == 6 and found.ipv4_mapped is not None
    return ("must not be an IPv4-mapped IPv6 address",) if mapped else ()


def strict_address(text: str) -> Reasons:
    """An IP address in its canonical form. Ref: ip.go:IsValidIP()."""
    reasons = address(text)
    found = read_address(text)
    if reasons or found is None or str(found) == text:
        return reasons
    return (f'must be in canonical form ("{found}")',)


def non_special(text: str) -> Reasons:
    """An address that may be an endpoint or an external IP; others say nothing here."""
    found = _sloppy(text)
    if found is None:
        return ("must be a valid IP address",)
    rules = (
        (found.is_unspecified, f"may not be unspecified ({text})"),
        (found.is_loopback, "may not be in the loopback range (127.0.0.0/8, ::1/128)"),
        (found.is_link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"),
        (
            any(found.version == net.version and found in net for net in _LINK_LOCAL_MULTICAST),
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    )
    return tuple(why for broken, why in rules if broken)


def cidr(text: str) -> Reasons:
    """A prefix without bits beyond its length. Ref: ip.go:IsValidCIDRForLegacyField()."""
    place, slash, length = text.partition("/")
    plain = _OCTET_ZEROS.sub("", place) if "." in place else place
    try:
        found = ipaddress.ip_interface(f"{plain}/{int(length)}") if slash and length.isdecimal() else None
    except ValueError:
        found = None
    if found is None:
        return ("must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",)
    if plain != place or str(int(length)) != length:
        return ("must not have leading 0s in IP or prefix length",)
    if found.version == 6 and found.ip.ipv4_mapped is not None:
        return ("must not have an IPv4-mapped IPv6 address",)
    return () if found.ip == found.network.network_address else ("must not have bits set beyond the prefix length",)


_LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))
