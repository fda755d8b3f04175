"""Matches on the link layer: physdev and mac.

Ref: net/netfilter/xt_physdev.c:physdev_mt(), xt_mac.c:mac_mt() (v6.12).
"""

from __future__ import annotations

from netsim.rules.xtables.ast import InterfaceMatch, MACMatch, PhysdevMatch
from netsim.stack.x_tables import Check, XtContext


def interface_matches(match: InterfaceMatch | None, name: str) -> bool:
    """A device's name, or its beginning where the match ends in ``+``; a packet without a device has the empty name."""
    if match is None:
        return True
    hit = name.startswith(match.name[:-1]) if match.name.endswith("+") else name == match.name
    return hit != match.inverted


def physdev(match: PhysdevMatch) -> Check:
    """The bridge ports of a packet that br_netfilter lent to the hooks; any other packet has none, and matches only what is inverted."""

    def check(ctx: XtContext) -> bool:
        came_by, goes_by = ctx.skb.physindev, ctx.skb.physoutdev
        flags = ((match.is_bridged, goes_by), (match.is_in, came_by), (match.is_out, goes_by))
        if any(wanted is not None and (port is not None) != wanted for wanted, port in flags):
            return False
        return _port(match.physdev_in, came_by) and _port(match.physdev_out, goes_by)

    return check


def _port(match: InterfaceMatch | None, port: str | None) -> bool:
    if match is None:
        return True
    return match.inverted if port is None else interface_matches(match, port)


def mac(match: MACMatch) -> Check:
    """The source MAC of a frame that came in on an Ethernet device.

    A packet made here has none, and one over ``lo`` or a tunnel only a blank one: neither matches, inverted or not.
    Ref: net/netfilter/xt_mac.c:mac_mt(), ``skb->dev->type != ARPHRD_ETHER`` (v6.12).
    """

    def check(ctx: XtContext) -> bool:
        source = ctx.skb.src_mac
        return source is not None and source.value != 0 and (str(source) == match.mac) != match.inverted

    return check
