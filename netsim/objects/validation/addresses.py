"""Addresses and prefixes in objects: each function answers why a text is refused, or None where it is good.

Ref: apimachinery/pkg/util/validation/ip.go, pkg/apis/core/validation:ValidateNonSpecialIP() (v1.37).
"""

from __future__ import annotations

import ipaddress

from netsim.net.address import Address, parse_address


def read_address(text: str) -> Address | None:
    """An address without a zone, None where the text is none."""
    try:
        return None if "%" in text else parse_address(text)
    except ValueError:
        return None


def address(text: str) -> str | None:
    """An IP address."""
    return None if read_address(text) else "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def non_special(found: Address) -> str | None:
    """An address that may be an endpoint or an external IP."""
    if found.is_unspecified:
        return f"may not be unspecified ({found})"
    if found.is_loopback:
        return "may not be in the loopback range (127.0.0.0/8, ::1/128)"
    if found.is_link_local:
        return "may not be in the link-local range (169.254.0.0/16, fe80::/10)"
    if any(found.version == net.version and found in net for net in _LINK_LOCAL_MULTICAST):
        return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
    return None


def cidr(text: str) -> str | None:
    """A prefix; the API server takes one with host bits set too, and so does this."""
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    return None if "/" in text else "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


_LINK_LOCAL_MULTICAST = (ipaddress.ip_network("224.0.0.0/24"), ipaddress.ip_network("ff02::/16"))
