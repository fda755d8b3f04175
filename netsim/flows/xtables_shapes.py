"""iptables' rules as shapes: what of a match or target is not simply its fields."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import fields

from netsim.flows.codes import Span, code_of
from netsim.flows.shapes import Language, Shape
from netsim.rules.xtables import ast as xt
from netsim.rules.xtables import matches as xt_matches
from netsim.rules.xtables import targets as xt_targets
from netsim.trace.verdict import RULES

_REASONS = tuple(row.comment for row in RULES if row.comment)


def _port_range(value: xt.PortRange, shape: Shape) -> Hashable:
    return shape.port(value.first, value.last)


def _transport(value: xt.TCPMatch | xt.UDPMatch | xt.SCTPMatch, shape: Shape) -> Hashable:
    wanted = value.destination
    if wanted is not None and not wanted.inverted and wanted.ports.first == wanted.ports.last:
        shape.asked_port = wanted.ports.first
    return (type(value).__name__, *(shape.add(getattr(value, each.name)) for each in fields(value)))


def _nat_range(value: xt.NATRange, shape: Shape) -> Hashable:
    form: list[Hashable] = ["to"]
    if value.first is not None:
        if value.last not in (None, value.first):
            shape.opaque = "translates to one of several addresses"
        form.append(shape.add(value.first))
    if value.port_first is not None:
        if value.port_last not in (None, value.port_first):
            shape.opaque = "translates to one of several ports"
        form.append(shape.port(value.port_first, value.port_first))
    return tuple(form)


def _address_range(value: xt_matches.AddressRange, shape: Shape) -> Hashable:
    return ("range", shape.span(Span(code_of(value.first), code_of(value.last))), value.inverted)


def _redirect(value: xt.RedirectTarget, shape: Shape) -> Hashable:
    shape.translates = shape.to_self = True
    return ("redirect", _nat_range(xt.NATRange(None, None, value.port_first, value.port_last), shape), value.random)


def _comment(value: xt.CommentMatch, shape: Shape) -> Hashable:
    """A verdict's reason may be read from a comment; nothing else is."""
    del shape
    return tuple(re.search(pattern, value.text) is not None for pattern in _REASONS)


def _jump(value: xt.Jump, shape: Shape) -> Hashable:
    shape.chains.append(value.chain)
    return ("goto" if value.goto else "jump", len(shape.chains))


def _set_match(value: xt.SetMatch, shape: Shape) -> Hashable:
    shape.sets.append(value.name)
    return ("set", len(shape.sets), value.directions, value.inverted, value.options)


def _recent(value: xt.RecentMatch, shape: Shape) -> Hashable:
    if value.mask is not None and int(value.mask) + 1 != 1 << value.mask.max_prefixlen:
        shape.opaque = "remembers masked addresses"
    shape.lists.append(value.name)
    return ("recent", value.operation, len(shape.lists), value.seconds, value.reap, value.hitcount, value.rttl,
            value.destination, value.inverted)  # fmt: skip


def _interface(value: xt.InterfaceMatch, shape: Shape) -> Hashable:
    shape.names.append(value.name)
    return ("device", value.name, value.inverted)


LANGUAGE = Language(
    special={
        xt.PortRange: _port_range,
        xt.TCPMatch: _transport,
        xt.UDPMatch: _transport,
        xt.SCTPMatch: _transport,
        xt.NATRange: _nat_range,
        xt.RedirectTarget: _redirect,
        xt.CommentMatch: _comment,
        xt.Jump: _jump,
        xt.SetMatch: _set_match,
        xt.RecentMatch: _recent,
        xt.InterfaceMatch: _interface,
        xt_matches.AddressRange: _address_range,
    },
    opaque={
        xt_matches.HashLimitMatch: "buckets by masked addresses",
        xt_matches.ConnLimitMatch: "counts by masked addresses",
        xt_matches.IPVSMatch: "compares ports of IPVS",
        xt.MACMatch: "compares a MAC",
        xt_targets.NetmapTarget: "computes an address",
        xt_targets.TProxyTarget: "sends to a socket of another address",
        xt_targets.SetTarget: "changes a set",
        xt_targets.CTTarget: "sets a conntrack zone",
    },
    translates=(xt.DNATTarget, xt.SNATTarget),
)
