"""IPv6 addresses of devices: link-local addresses, scopes, groups, and which address a packet gets as its source.

Duplicate address detection is not modelled: every address is usable at once (nodad). Link-local addresses are EUI-64
(``addr_gen_mode`` 0). Lifetimes, temporary and optimistic addresses do not exist here.

Ref: net/ipv6/addrconf.c:addrconf_dev_config(), addrconf_ifdown(), ipv6_dev_get_saddr(), net/ipv6/addrlabel.c (v6.12); RFC 6724.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv6Address, IPv6Interface, IPv6Network

from netsim.net.address import MAC
from netsim.stack.sysctl import Sysctls
from netsim.topology.model import Device, Dummy, Loopback

IPV6_MIN_MTU = 1280
LINK_LOCAL_SCOPE, SITE_LOCAL_SCOPE, GLOBAL_SCOPE = 2, 5, 14
LOOPBACK6 = IPv6Interface("::1/128")
ALL_NODES = (IPv6Address("ff01::1"), IPv6Address("ff02::1"))
ALL_ROUTERS = (IPv6Address("ff01::2"), IPv6Address("ff02::2"), IPv6Address("ff05::2"))
_LINK_LOCAL = int(IPv6Address("fe80::"))
_SOLICITED_NODE = int(IPv6Address("ff02::1:ff00:0"))
_SITE_LOCAL = IPv6Network("fec0::/10")
_ORCHID = IPv6Network("2001:10::/28")

LABELS: tuple[tuple[IPv6Network, int], ...] = (
    # net/ipv6/addrlabel.c:ip6addrlbl_init_table[], the longest prefix first
    (IPv6Network("::1/128"), 0),
    (IPv6Network("::/96"), 3),
    (IPv6Network("::ffff:0:0/96"), 4),
    (IPv6Network("2001::/32"), 6),
    (IPv6Network("2001:10::/28"), 7),
    (IPv6Network("3ffe::/16"), 12),
    (IPv6Network("2002::/16"), 2),
    (IPv6Network("fec0::/10"), 11),
    (IPv6Network("fc00::/7"), 5),
    (IPv6Network("::/0"), 1),
)


def eui64_link_local(mac: MAC) -> IPv6Interface:
    """The link-local address that a device gives itself. Ref: include/net/addrconf.h:addrconf_ifid_eui48() (v6.12)."""
    upper, lower = mac.value >> 24, mac.value & 0xFFFFFF
    identifier = (upper ^ 0x020000) << 40 | 0xFFFE << 24 | lower
    return IPv6Interface((_LINK_LOCAL | identifier, 64))


def solicited_node(address: IPv6Address) -> IPv6Address:
    """The multicast group in which an address's owner is asked for. RFC 4291 §2.7.1."""
    return IPv6Address(_SOLICITED_NODE | int(address) & 0xFFFFFF)


def multicast_mac(group: IPv6Address) -> MAC:
    """The MAC of a group's frames. RFC 2464 §7."""
    return MAC(0x3333 << 32 | int(group) & 0xFFFFFFFF)


def ipv6_addr_scope(address: IPv6Address) -> int:
    """``__ipv6_addr_src_scope()`` of a unicast address, or the scope field of a multicast one."""
    if address.is_multicast:
        return int(address) >> 112 & 0xF
    if address.is_link_local or address.is_loopback:
        return LINK_LOCAL_SCOPE
    return SITE_LOCAL_SCOPE if address in _SITE_LOCAL else GLOBAL_SCOPE


def label(address: IPv6Address) -> int:
    """The label of the policy table. RFC 6724 §2.1, as the kernel has it."""
    return next(number for network, number in LABELS if address in network)


def has_ipv6(device: Device, sysctls: Sysctls) -> bool:
    """True where a device takes part in IPv6: it is up, large enough, and nobody switched it off.

    A device that goes down loses its addresses (``keep_addr_on_down`` 0), and so does one whose MTU falls below 1280.
    """
    return device.up and device.mtu >= IPV6_MIN_MTU and not sysctls.conf6(device.name, "disable_ipv6")


def is_settled_while_down(device: Device, sysctls: Sysctls) -> bool:
    """True for a dummy device that was never up: its link has no ARP, so its addresses are local at once (``kube-ipvs0``).

    Ref: net/ipv6/addrconf.c:addrconf_dad_begin(), which looks at IFF_NOARP before it looks whether the device is ready (v6.12).
    """
    usable = device.mtu >= IPV6_MIN_MTU and not sysctls.conf6(device.name, "disable_ipv6")
    return isinstance(device.kind, Dummy) and not device.up and usable


def inet6_addresses(device: Device, sysctls: Sysctls) -> tuple[IPv6Interface, ...]:
    """A device's IPv6 addresses in the kernel's order: the larger scope first, and of equal scopes the later one first.

    Ref: net/ipv6/addrconf.c:ipv6_link_dev_addr() (v6.12).
    """
    given = [address for address in device.addresses if isinstance(address, IPv6Interface)]
    if is_settled_while_down(device, sysctls):
        order = sorted(range(len(given)), key=lambda at: (-ipv6_addr_scope(given[at].ip), -at))
        return tuple(given[at] for at in order)
    if not has_ipv6(device, sysctls):
        return ()
    implied = LOOPBACK6 if isinstance(device.kind, Loopback) else eui64_link_local(device.mac)
    newest_first = [*(address for address in reversed(given) if address.ip != implied.ip), implied]
    return tuple(sorted(newest_first, key=lambda address: -ipv6_addr_scope(address.ip)))


def ipv6_dev_get_saddr(
    candidates: Iterable[tuple[str, IPv6Interface]], oif: str | None, towards: IPv6Address
) -> IPv6Address | None:
    """The source for a packet to an address that leaves by ``oif``; of equally good candidates the first.

    Candidates are devices and their addresses in the kernel's order. Ref: net/ipv6/addrconf.c:ipv6_dev_get_saddr() (v6.12).
    """
    scope, wanted = ipv6_addr_scope(towards), label(towards)
    only_oif = oif is not None and (towards.is_multicast or scope <= LINK_LOCAL_SCOPE)
    orchid = towards in _ORCHID
    best: IPv6Address | None = None
    highest: tuple[int, ...] = ()
    for device, address in candidates:
        if only_oif and device != oif:
            continue
        own = ipv6_addr_scope(address.ip)
        score = (
            # the order is enum ipv6_saddr_rule's
            int(address.ip == towards),
            -own if own >= scope else own - 128,
            int(oif in (None, device)),
            int(label(address.ip) == wanted),
            int((address.ip in _ORCHID) == orchid),
            min(_common_bits(address.ip, towards), address.network.prefixlen),
        )
        if best is None or score > highest:
            best, highest = address.ip, score
    return best


def _common_bits(one: IPv6Address, other: IPv6Address) -> int:
    """``ipv6_addr_diff()``."""
    return 128 - (int(one) ^ int(other)).bit_length()
