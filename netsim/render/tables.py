"""Tables of names and values, as ``netsim topology`` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import assert_never

from netsim.topology.model import (
    IPIP,
    MAIN_TABLE,
    Bridge,
    Device,
    DeviceKind,
    Dummy,
    Loopback,
    Macvlan,
    MultipathHop,
    Netns,
    RouteType,
    Topology,
    Veth,
    Vlan,
    Vxlan,
    table_name,
)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns under capital headers, without lines, as kubectl prints them; values are never turned into numbers."""
    from tabulate import tabulate

    printed = tabulate([list(row) for row in rows], headers=[*headers], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in str(printed).splitlines())


def wiring(topology: Topology) -> str:
    """Every network namespace with its devices, routes, listeners and sysctls, as ``ip`` would name them."""
    return "\n\n".join(_netns(netns) for netns in topology.namespaces.values())


def _netns(netns: Netns) -> str:
    rows = [_device(device) for device in netns.devices]
    parts = [
        f"{netns.label}  (netns {netns.name})",
        _indented(table(("DEVICE", "KIND", "MAC", "MTU", "ADDRESSES"), rows)),
    ]
    if netns.routes or netns.rules or netns.neighbours or netns.fdb:
        parts.append(_indented("\n".join(_route_lines(netns))))
    if netns.listeners:
        listed = (f"{n.port}/{n.protocol.name.lower()} {n.owner}".rstrip() for n in netns.listeners)
        parts.append(_indented("listens: " + ", ".join(listed)))
    if netns.sysctls:
        parts.append(_indented("\n".join(f"{name} = {value}" for name, value in sorted(netns.sysctls.items()))))
    if netns.xtables:
        count = sum(len(c.rules) for r in netns.xtables for t in r.tables.values() for c in t.chains.values())
        parts.append(_indented(f"{count} iptables rules"))
    return "\n".join(parts)


def _device(device: Device) -> tuple[str, str, str, str, str]:
    kind = _kind(device.kind)
    if device.port is not None:
        kind += f", port of {device.port.master}" + (" (hairpin)" if device.port.hairpin else "")
    if not device.up:
        kind += ", down"
    addresses = " ".join(str(address) for address in device.addresses)
    return device.name, kind, str(device.mac), str(device.mtu), addresses


def _kind(kind: DeviceKind) -> str:
    match kind:
        case Veth(peer=peer):
            return f"veth to {peer}"
        case Bridge():
            return "bridge"
        case Loopback():
            return "loopback"
        case Dummy():
            return "dummy"
        case Vlan(parent=parent, id=number):
            return f"vlan {number} on {parent}"
        case Macvlan(parent=end, mode=mode):
            return f"macvlan ({mode.value}) on {end}"
        case Vxlan():
            ends = [f"local {kind.local}"] if kind.local else []
            ends += [f"remote {kind.remote}"] if kind.remote else []
            return " ".join(("vxlan", str(kind.vni), *ends, f"port {kind.port}"))
        case IPIP():
            return f"ipip local {kind.local or 'any'} remote {kind.remote or 'any'}"
        case _ as never:
            assert_never(never)


def _route_lines(netns: Netns) -> Iterable[str]:
    for route in netns.routes:
        words = [] if route.type is RouteType.UNICAST else [route.type.value]
        words.append("default" if route.to.prefixlen == 0 else str(route.to))
        words += ["via", str(route.via)] if route.via else []
        words += ["dev", route.device] if route.device else []
        words += ["table", table_name(route.table)] if route.table != MAIN_TABLE else []
        words += ["scope", route.scope.value] if route.scope else []
        words += ["src", str(route.source)] if route.source else []
        words += ["metric", str(route.metric)] if route.metric else []
        words += ["onlink"] if route.onlink else []
        words += [word for hop in route.nexthops for word in _hop(hop)]
        yield " ".join(words)
    yield from (f"rule {rule}" for rule in netns.rules)
    for entry in netns.neighbours:
        yield f"neighbour {entry.address} dev {entry.device} lladdr {entry.mac} {entry.state.value.upper()}"
    for known in netns.fdb:
        yield f"fdb {known.mac} dev {known.device}" + (f" dst {known.dst}" if known.dst is not None else " master")


def _hop(hop: MultipathHop) -> list[str]:
    via = ["via", str(hop.via)] if hop.via else []
    dev = ["dev", hop.device] if hop.device else []
    return ["nexthop", *via, *dev, "weight", str(hop.weight)]


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
