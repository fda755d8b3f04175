"""Values of options: from a word to a typed value, and the word that iptables-save prints for it.

Readers raise ValueError with a message that fits behind the option's name.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache

from netsim.net.address import Address, Family, Prefix
from netsim.rules.xtables.ast import InterfaceMatch, PortRange, PrefixMatch
from netsim.rules.xtables.names import PROTOCOL_NAMES, PROTOCOLS, SERVICES

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_IFNAMSIZ = 16
_ALL_ONES = 0xFFFFFFFF


def read_integer(text: str, maximum: int = _ALL_ONES, minimum: int = 0) -> int:
    """A number as C's ``strtoul(…, 0)`` reads it: decimal, 0x… or octal with a leading 0."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is not a number")
    try:
        value = int(text, 8 if len(text) > 1 and text[0] == "0" and text[1] not in "xX" else 0)
    except ValueError:
        raise ValueError(f"{text!r} is not an octal number") from None
    if not minimum <= value <= maximum:
        raise ValueError(f"{text} is out of range ({minimum}-{maximum})")
    return value


def read_integer_range(text: str, maximum: int) -> PortRange:
    """``first`` or ``first:last``; an end left out is 0 or the maximum."""
    first, colon, last = text.partition(":")
    low = read_integer(first, maximum) if first or not colon else 0
    high = (read_integer(last, maximum) if last else maximum) if colon else low
    if low > high:
        raise ValueError(f"{text} is an empty range (min > max)")
    return PortRange(low, high)


def read_mark(text: str) -> tuple[int, int]:
    """``value[/mask]`` of 32 bits; without a mask all bits count."""
    value, slash, mask = text.partition("/")
    return read_integer(value), read_integer(mask) if slash else _ALL_ONES


def write_mark(value: int, mask: int) -> str:
    """A mark match's value, with its mask where not all bits count."""
    return f"{value:#x}" if mask == _ALL_ONES else f"{value:#x}/{mask:#x}"


# --- ports and protocols ----------------------------------------------------------------------------------------


def read_port(text: str) -> int:
    """A port number or one of the service names that are known."""
    if text.isdecimal() or text[:2] in ("0x", "0X"):
        return read_integer(text, 0xFFFF)
    if (port := SERVICES.get(text)) is None:
        raise ValueError(f"invalid port/service {text!r} specified")
    return port


@lru_cache(maxsize=1 << 14)
def read_ports(text: str, separator: str = ":") -> PortRange:
    """``port`` or ``first:last``; an end left out is 0 or 65535."""
    first, found, last = text.partition(separator)
    low = read_port(first) if first or not found else 0
    high = (read_port(last) if last else 0xFFFF) if found else low
    if low > high:
        raise ValueError("invalid portrange (min > max)")
    return PortRange(low, high)


def write_ports(ports: PortRange, separator: str = ":") -> str:
    """``80`` or ``80:90``."""
    return str(ports.first) if ports.first == ports.last else f"{ports.first}{separator}{ports.last}"


def read_protocol(text: str) -> int:
    """A protocol's number, 0 for all."""
    if (number := PROTOCOLS.get(text.lower())) is not None:
        return number
    if not text.isdecimal() or int(text) > 255:
        raise ValueError(f"unknown protocol {text!r} specified")
    return int(text)


def write_protocol(number: int) -> str:
    """A protocol's name where there is one."""
    return PROTOCOL_NAMES.get(number, str(number))


# --- addresses --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1 << 16)
def read_address(text: str, family: Family) -> Address:
    """One whole address of the family."""
    if family is Family.IPV4:
        return ipaddress.IPv4Address(_ipv4(text))
    return ipaddress.IPv6Address(_ipv6(text))


_OCTETS = {str(octet): octet for octet in range(256)}


def _ipv4(text: str) -> int:
    """An IPv4 address as a number: four decimal octets without leading zeros."""
    try:
        a, b, c, d = text.split(".")
        return _OCTETS[a] << 24 | _OCTETS[b] << 16 | _OCTETS[c] << 8 | _OCTETS[d]
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} is not an IPv4 address") from None


def _ipv6(text: str) -> int:
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an IPv6 address") from None
    if address.scope_id:
        raise ValueError(f"{text!r} is not an IPv6 address")
    return int(address)


@lru_cache(maxsize=1 << 16)
def read_prefix(text: str, family: Family) -> Prefix:
    """``address[/length|/mask]`` with the host bits cleared. IPv4 addresses may leave octets out at their end (``10.1/16``)."""
    address, slash, mask = text.partition("/")
    length = _prefix_length(mask, family) if slash else family.bits
    if family is Family.IPV4:
        whole = address if address.count(".") >= 3 else ".".join([*address.split("."), "0", "0", "0"][:4])
        return ipaddress.IPv4Network((_host(whole, address, _ipv4) & _mask(length, 32), length))
    return ipaddress.IPv6Network((_host(address, address, _ipv6) & _mask(length, 128), length))


def _host(text: str, written: str, reader: Callable[[str], int]) -> int:
    try:
        return reader(text)
    except ValueError:
        raise ValueError(f"host/network {written!r} not found") from None


def _mask(length: int, bits: int) -> int:
    return ((1 << length) - 1) << (bits - length)


def _prefix_length(mask: str, family: Family) -> int:
    if mask.isdecimal():
        if int(mask) > family.bits:
            raise ValueError(f"invalid mask {mask!r} specified")
        return int(mask)
    try:
        return contiguous(read_address(mask, family), family)
    except ValueError as problem:
        message = str(problem) if "hole" in str(problem) else f"invalid mask {mask!r} specified"
        raise ValueError(message) from None


def contiguous(mask: Address, family: Family) -> int:
    """The prefix length of a netmask; ValueError where the mask has holes, which the model does not have."""
    length = f"{int(mask):b}".count("1")
    if int(mask) != _mask(length, family.bits):
        raise ValueError(f"the mask {mask} has a hole; such masks are not modelled")
    return length


def write_prefix(match: PrefixMatch, option: str) -> list[str]:
    """``[!] -s 10.0.0.0/8``."""
    return [*(["!"] if match.inverted else []), option, str(match.prefix)]


def write_host(match: PrefixMatch) -> str:
    """An address without ``/32`` where the prefix is one address."""
    prefix = match.prefix
    return str(prefix.network_address) if prefix.prefixlen == prefix.max_prefixlen else str(prefix)


def read_interface(text: str) -> str:
    """A device name of at most 15 characters, ``+`` at its end for "begins with"."""
    if not text:
        raise ValueError("an interface name must not be empty")
    if len(text.encode()) >= _IFNAMSIZ:
        raise ValueError(f"interface name {text!r} must be shorter than IFNAMSIZ ({_IFNAMSIZ - 1})")
    return text


def write_interface(match: InterfaceMatch, option: str) -> list[str]:
    """``[!] -i eth+``."""
    return [*(["!"] if match.inverted else []), option, match.name]
