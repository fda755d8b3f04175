"""``routes``, ``rules`` and ``neighbours`` of a machine in the Cluster document."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.manifest import networks
from netsim.manifest.fields import Section, Spot, Text
from netsim.net.address import MAC, Address, Prefix, parse_prefix
from netsim.objects.cluster import (
    MAIN_TABLE,
    ROUTE_TYPES,
    RULE_ACTIONS,
    StaticNeighbour,
    StaticNexthop,
    StaticRoute,
    StaticRule,
)
from netsim.objects.path import nearest, path_text

ROUTE_FIELDS = ("to", "via", "device", "source", "metric", "table", "type", "onlink", "nexthops")
RULE_FIELDS = ("priority", "from", "to", "iif", "oif", "fwmark", "table", "action", "suppressPrefixLength", "not")
NEIGHBOUR_FIELDS = ("device", "address", "mac", "state")
TABLES = {"local": 255, "main": MAIN_TABLE, "default": 253}
LARGEST = 0xFFFFFFFF
EXAMPLE = "such as {to: 172.16.0.0/12, via: 192.168.0.1}"


# --- routes -----------------------------------------------------------------------------------------------------


def read_routes(section: Section) -> Iterator[tuple[StaticRoute, Spot]]:
    """The routes that are right; what is wrong goes to the report."""
    for item, _ in section.sections("routes"):
        item.allow(*ROUTE_FIELDS)
        route = _route(item)
        if route is not None:
            yield route, item.spot


def _route(item: Section) -> StaticRoute | None:
    destination, via_text, device = item.text("to"), item.text("via"), item.text("device")
    via = item.parsed(via_text, networks.address)
    kind = _word(item, "type", ROUTE_TYPES, "unicast")
    nexthops = tuple(_nexthops(item))
    if destination is None:
        item.error("the route has no destination", EXAMPLE)
        return None
    if kind == "unicast" and via_text is None and device is None and not item.has("nexthops"):
        item.error("the route has neither via nor device", EXAMPLE)
        return None
    if item.has("nexthops") and (via_text is not None or device is not None):
        item.error("the route has nexthops and a way of its own", "name each way among the nexthops", "nexthops")
        return None
    to = _destination(item, destination, via, nexthops)
    source = item.parsed(item.text("source"), networks.address)
    table = _table(item, "table", TABLES["local"] if kind == "local" else MAIN_TABLE)
    if to is None or table is None or kind is None or (via_text is not None and via is None):
        return None
    for way in (via, *(hop.via for hop in nexthops)):
        if way is not None and way.version != to.version:
            item.error(f"the route to {to} goes via {way}, which is of the other family", "", "via")
            return None
    return StaticRoute(
        to,
        via,
        device.value if device else None,
        item.spot.origin,
        table=table,
        metric=item.integer("metric", 0, LARGEST) or 0,
        source=source,
        onlink=bool(item.boolean("onlink")),
        type=kind,
        nexthops=nexthops,
    )


def _destination(item: Section, text: Text, via: Address | None, nexthops: tuple[StaticNexthop, ...]) -> Prefix | None:
    if text.value != "default":
        return item.parsed(text, networks.route_prefix)
    ways = [way for way in (via, *(hop.via for hop in nexthops)) if way is not None]
    return parse_prefix("::/0" if ways and ways[0].version == 6 else "0.0.0.0/0")


def _nexthops(item: Section) -> Iterator[StaticNexthop]:
    for hop, _ in item.sections("nexthops"):
        hop.allow("via", "device", "weight", "onlink")
        via, device = hop.parsed(hop.text("via"), networks.address), hop.text("device")
        weight = hop.integer("weight", 1, 256)
        if via is None and device is None:
            hop.error("the nexthop has neither via nor device", "such as {via: 192.168.0.2, weight: 1}")
            continue
        yield StaticNexthop(via, device.value if device else None, weight or 1, bool(hop.boolean("onlink")))


# --- rules ------------------------------------------------------------------------------------------------------


def read_rules(section: Section) -> Iterator[StaticRule]:
    """The rules of the routing policy database that are right."""
    for item, _ in section.sections("rules"):
        item.allow(*RULE_FIELDS)
        rule = _rule(item)
        if rule is not None:
            yield rule


def _rule(item: Section) -> StaticRule | None:
    priority = item.integer("priority", 1, LARGEST)
    src, dst = (item.parsed(item.text(name), networks.route_prefix) for name in ("from", "to"))
    action = _word(item, "action", RULE_ACTIONS, "lookup")
    table = _table(item, "table", None)
    mark = item.parsed(item.text("fwmark"), _mark)
    if priority is None:
        if not item.has("priority"):
            item.error("the rule has no priority", "such as {priority: 100, from: 10.244.0.0/16, table: 100}")
        return None
    if action == "lookup" and not item.has("table"):
        item.error("the rule names no table", "name one, or an action: prohibit, unreachable or blackhole")
        return None
    if src is not None and dst is not None and src.version != dst.version:
        item.error("from and to are of different families", "", "to")
        return None
    if action is None or (action == "lookup" and table is None):
        return None
    iif, oif = item.text("iif"), item.text("oif")
    return StaticRule(
        priority,
        table or MAIN_TABLE,
        action,
        src,
        dst,
        iif.value if iif else None,
        oif.value if oif else None,
        mark,
        item.integer("suppressPrefixLength", 0, 128),
        bool(item.boolean("not")),
        item.spot.origin,
    )


def _mark(text: str) -> tuple[int, int]:
    """``0x1`` or ``0x1/0xff``: value and mask."""
    value, slash, mask = text.partition("/")
    try:
        found = int(value, 0), int(mask, 0) if slash else LARGEST
    except ValueError:
        raise networks.NetworkError(f'"{text}" is not a mark', "write 0x1, or 0x1/0xff with a mask") from None
    if not all(0 <= number <= LARGEST for number in found):
        raise networks.NetworkError(f"{text} is larger than a mark, 32 bits")
    return found


# --- neighbours -------------------------------------------------------------------------------------------------


def read_neighbours(section: Section) -> Iterator[StaticNeighbour]:
    """The neighbour entries that are right."""
    for item, _ in section.sections("neighbours"):
        item.allow(*NEIGHBOUR_FIELDS)
        device = item.text("device")
        address = item.parsed(item.text("address"), networks.address)
        mac = item.parsed(item.text("mac"), MAC.parse)
        state = _word(item, "state", ("permanent", "reachable"), "permanent")
        if device is None or not item.has("address") or not item.has("mac"):
            example = "such as {device: eth0, address: 192.168.0.12, mac: 02:00:00:00:00:12}"
            item.error("a neighbour has a device, an address and a mac", example)
        elif address is not None and mac is not None and state is not None:
            yield StaticNeighbour(device.value, address, mac, permanent=state == "permanent")


# --- words ------------------------------------------------------------------------------------------------------


def _word(item: Section, name: str, words: tuple[str, ...], default: str) -> str | None:
    text = item.text(name)
    if text is None:
        return default
    if text.value in words:
        return text.value
    near = nearest(text.value, words)
    advice = f"did you mean {near}?" if near else f"one of {', '.join(words)}"
    item.error(f'{path_text(text.spot.path)}: unknown {name} "{text.value}"', advice, name)
    return None


def _table(item: Section, name: str, default: int | None) -> int | None:
    """A table's number, or the name of one that every machine has."""
    raw = item.raw(name)
    if raw is None:
        return default
    if isinstance(raw, str):
        word = _word(item, name, tuple(TABLES), "")
        return TABLES[word] if word else None
    return item.integer(name, 1, LARGEST)
