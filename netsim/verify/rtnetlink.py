"""Links, routes, rules and forwarding entries in pyroute2's words. Device names become indexes by ``index_of``."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, TypeAlias, assert_never

from pyroute2.netlink.exceptions import NetlinkError

from netsim.topology.model import (
    IPIP,
    Bridge,
    Device,
    Dummy,
    FdbEntry,
    Loopback,
    Macvlan,
    MultipathHop,
    Neighbour,
    PolicyRule,
    ProxyNeighbour,
    Route,
    RouteScope,
    RuleAction,
    Veth,
    Vlan,
    Vxlan,
)

IndexOf: TypeAlias = Callable[[str], int]
Values: TypeAlias = dict[str, object]

RTNH_F_ONLINK = 4
NTF_SELF, NTF_MASTER = 0x02, 0x04
NUD_NOARP, NUD_PERMANENT = 0x40, 0x80
SCOPES = {RouteScope.GLOBAL: 0, RouteScope.LINK: 253, RouteScope.HOST: 254}
ACTIONS = {
    # include/uapi/linux/fib_rules.h FR_ACT_*
    RuleAction.LOOKUP: 1,
    RuleAction.BLACKHOLE: 6,
    RuleAction.UNREACHABLE: 7,
    RuleAction.PROHIBIT: 8,
    RuleAction.GOTO: 2,
    RuleAction.NOP: 3,
}


def link_values(device: Device) -> Values:
    """What every kind of device is made with. No packet stands for several segments, so that each has the size it has on a wire."""
    return {"address": str(device.mac), "mtu": device.mtu, "gso_max_segs": 1}


def stacked_link(device: Device, index_of: IndexOf) -> Values:
    """How a device that is neither loopback, bridge nor veth is made; the parent of a macvlan is in the namespace of ``index_of``."""
    match device.kind:
        case Dummy():
            return {"kind": "dummy", **link_values(device)}
        case Vlan(parent=parent, id=number):
            return {"kind": "vlan", "link": index_of(parent), "vlan_id": number, **link_values(device)}
        case Macvlan(parent=end, mode=mode):
            return {
                "kind": "macvlan",
                "link": index_of(end.device),
                "macvlan_mode": mode.value,
                **link_values(device),
            }
        case Vxlan():
            return _vxlan(device, device.kind, index_of)
        case IPIP():
            return _ipip(device, device.kind, index_of)
        case Loopback() | Bridge() | Veth():
            raise ValueError(f"{device.name} stands on no device")
        case _ as never:
            assert_never(never)


def _vxlan(device: Device, kind: Vxlan, index_of: IndexOf) -> Values:
    values: Values = {
        "kind": "vxlan",
        "vxlan_id": kind.vni,
        "vxlan_port": kind.port,
        "vxlan_learning": int(kind.learning),
        "vxlan_ageing": kind.ageing_time_s,
        **link_values(device),
    }
    if kind.local is not None:
        values["vxlan_local" if kind.local.version == 4 else "vxlan_local6"] = str(kind.local)
    if kind.remote is not None:
        values["vxlan_group" if kind.remote.version == 4 else "vxlan_group6"] = str(kind.remote)
    if kind.device is not None:
        values["vxlan_link"] = index_of(kind.device)
    return values


def _ipip(device: Device, kind: IPIP, index_of: IndexOf) -> Values:
    values: Values = {"kind": "ipip", "ipip_pmtudisc": int(kind.pmtudisc), "mtu": device.mtu}
    values |= {"ipip_local": str(kind.local)} if kind.local is not None else {}
    values |= {"ipip_remote": str(kind.remote)} if kind.remote is not None else {}
    values |= {"ipip_link": index_of(kind.device)} if kind.device is not None else {}
    return values


def route_values(route: Route, index_of: IndexOf) -> Values:
    """A route."""
    values: Values = {"dst": str(route.to), "type": route.type.value, "table": route.table}
    if route.to.prefixlen == 0:
        values |= {"dst": "default", "family": socket.AF_INET if route.to.version == 4 else socket.AF_INET6}
    if route.source is not None:
        values["prefsrc"] = str(route.source)
    if route.metric:
        values["priority"] = route.metric
    if (scope := _scope(route)) is not None:
        values["scope"] = scope
    values |= _metrics(route)
    if route.nexthops:
        values["multipath"] = [_hop(hop, index_of, several=True) for hop in route.nexthops]
        return values
    return values | _hop(MultipathHop(route.device, route.via, onlink=route.onlink), index_of, several=False)


RTAX_MTU = 2
"""Ref: include/uapi/linux/rtnetlink.h RTAX_*."""


def _metrics(route: Route) -> Values:
    given = {"lock": int(route.mtu_lock) << RTAX_MTU, "mtu": route.mtu, "advmss": route.advmss}
    found = {name: value for name, value in given.items() if value}
    return {"metrics": found} if found else {}


def _scope(route: Route) -> int | None:
    if route.scope is not None:
        return SCOPES[route.scope]
    return 254 if route.type.value == "local" and route.to.version == 4 else None


def _hop(hop: MultipathHop, index_of: IndexOf, *, several: bool) -> Values:
    values: Values = {}
    if hop.via is not None:
        values["gateway"] = str(hop.via)
    if hop.device is not None:
        values["oif"] = index_of(hop.device)
    if several:
        values["hops"] = hop.weight - 1
    if hop.onlink:
        values["flags"] = RTNH_F_ONLINK
    return values


def rule_values(rule: PolicyRule) -> Values:
    """A rule of the routing policy database."""
    prefix = rule.src or rule.dst
    version = rule.version if prefix is None else prefix.version
    values: Values = {
        "priority": rule.priority,
        "action": ACTIONS[rule.action],
        "family": socket.AF_INET if version == 4 else socket.AF_INET6,
    }
    if rule.action is RuleAction.LOOKUP:
        values["table"] = rule.table
    for name, given in (("src", rule.src), ("dst", rule.dst)):
        if given is not None:
            values[name] = str(given.network_address)
            values[f"{name}_len"] = given.prefixlen
    values |= {"iifname": rule.iif} if rule.iif is not None else {}
    values |= {"oifname": rule.oif} if rule.oif is not None else {}
    values |= {"fwmark": rule.fwmark, "fwmask": rule.fwmask} if rule.fwmark is not None else {}
    if rule.suppress_prefixlength is not None:
        values["FRA_SUPPRESS_PREFIXLEN"] = rule.suppress_prefixlength
    values |= {"flags": 2} if rule.inverted else {}  # FIB_RULE_INVERT
    values |= {"ip_proto": rule.protocol} if rule.protocol is not None else {}
    for name, ports in (("sport_range", rule.sports), ("dport_range", rule.dports), ("uid_range", rule.uids)):
        values |= {name: f"{ports[0]}:{ports[1]}"} if ports is not None else {}
    values |= {"tos": rule.tos} if rule.tos else {}
    values |= {"goto": rule.target} if rule.target is not None else {}
    return values


NTF_PROXY = 0x08


def neighbour_values(entry: Neighbour | ProxyNeighbour, index: int) -> Values:
    """A neighbour entry, or one of the addresses that a host answers for."""
    values: Values = {"dst": str(entry.address), "ifindex": index}
    if isinstance(entry, ProxyNeighbour):
        return values | {"flags": NTF_PROXY}
    values |= {"lladdr": str(entry.mac)} if entry.mac is not None else {}
    return values | {"state": entry.state.value}


def fdb_values(entry: FdbEntry, index_of: IndexOf) -> Values:
    """A static forwarding entry."""
    values: Values = {"ifindex": index_of(entry.device), "lladdr": str(entry.mac), "state": NUD_NOARP}
    if entry.dst is not None:
        return values | {"dst": str(entry.dst), "flags": NTF_SELF, "state": NUD_PERMANENT}
    return values | {"flags": NTF_MASTER}


NUD_PERMANENT, NUD_NOARP = 0x80, 0x40


def flush_learnt(asked: Any, bridges: Iterable[int]) -> None:
    """Forget the neighbours that a namespace learnt, and what its bridges (by index) learnt. ``asked`` is an IPRoute of the namespace."""
    for family in (2, 10):
        for entry in asked.get_neighbours(family=family):
            if not entry["state"] & (NUD_PERMANENT | NUD_NOARP):
                with suppress(NetlinkError):  # it may have gone by itself
                    asked.neigh("del", dst=entry.get_attr("NDA_DST"), ifindex=entry["ifindex"], family=family)
    for index in bridges:
        asked.link("set", index=index, kind="bridge", br_fdb_flush=1)
