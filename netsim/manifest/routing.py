"""``routes`` and ``rules`` of a machine in the Cluster document."""

from __future__ import annotations

from collections.abc import Iterator

from netsim.manifest import networks
from netsim.manifest.fields import Section, Spot, Text
from netsim.manifest.words import word
from netsim.net.address import Address, Prefix, parse_prefix
from netsim.objects.cluster import (
    MAIN_TABLE,
    ROUTE_SCOPES,
    ROUTE_TYPES,
    RULE_ACTIONS,
    StaticNexthop,
    StaticRoute,
    StaticRule,
)
from netsim.objects.listen import PROTOCOLS

METRIC_FIELDS = ("mtu", "mtuLock", "advmss")
ROUTE_FIELDS = (
    "to",
    "via",
    "device",
    "source",
    "metric",
    "table",
    "type",
    "scope",
    "onlink",
    "nexthops",
    *METRIC_FIELDS,
)
HEADER_FIELDS = ("protocol", "sport", "dport", "tos", "uidRange")
OUTCOME_FIELDS = ("table", "action", "target", "family", "suppressPrefixLength", "not")
RULE_FIELDS = ("priority", "from", "to", "iif", "oif", "fwmark", *HEADER_FIELDS, *OUTCOME_FIELDS)
FAMILIES = {"IPv4": 4, "IPv6": 6}
TABLES = {"local": 255, "main": MAIN_TABLE, "default": 253}
LARGEST = 0xFFFFFFFF
IP_PROTOCOLS = {
    **{name.lower(): int(number) for name, number in PROTOCOLS.items()},
    "icmp": 1,
    "icmpv6": 58,
}
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
    kind = word(item, "type", ROUTE_TYPES, "unicast")
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
        scope=word(item, "scope", ROUTE_SCOPES, "") or None,
        mtu=item.integer("mtu", 68, 65535) or 0,
        mtu_lock=bool(item.boolean("mtuLock")),
        advmss=item.integer("advmss", 1, 65535) or 0,
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
    action = word(item, "action", RULE_ACTIONS, "lookup")
    table = _table(item, "table", None)
    mark = item.parsed(item.text("fwmark"), _mark)
    if priority is None:
        if not item.has("priority"):
            item.error("the rule has no priority", "such as {priority: 100, from: 10.244.0.0/16, table: 100}")
        return None
    if action == "lookup" and not item.has("table"):
        item.error("the rule names no table", "name one, or an action: prohibit, unreachable or blackhole")
        return None
    target = item.integer("target", 1, LARGEST)
    if (action == "goto") != item.has("target") or (target is not None and target <= priority):
        item.error(
            "goto has a target, a larger priority, and nothing else has one", "such as {action: goto, target: 200}"
        )
        return None
    version = _version(item, src, dst)
    if version is None:
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
        protocol=_protocol(item),
        sports=_range(item, "sport", 65535),
        dports=_range(item, "dport", 65535),
        tos=item.integer("tos", 0, 255) or 0,
        uids=_range(item, "uidRange", LARGEST),
        target=target,
        version=version,
    )


def _version(item: Section, src: Prefix | None, dst: Prefix | None) -> int | None:
    """The family of a rule: what it says must agree."""
    if src is not None and dst is not None and src.version != dst.version:
        item.error("from and to are of different families", "", "to")
        return None
    prefix = src or dst
    family = word(item, "family", tuple(FAMILIES), "")
    if not family:
        return 4 if prefix is None else prefix.version
    if prefix is not None and prefix.version != FAMILIES[family]:
        item.error(f"{prefix} is not of the family {family}", "leave the family out", "family")
        return None
    return FAMILIES[family]


def _protocol(item: Section) -> int | None:
    """``tcp``, or a protocol's number."""
    if isinstance(item.raw("protocol"), str):
        name = word(item, "protocol", tuple(IP_PROTOCOLS), "")
        return IP_PROTOCOLS[name] if name else None
    return item.integer("protocol", 1, 255)


def _range(item: Section, name: str, highest: int) -> tuple[int, int] | None:
    """``80`` or ``8000-8080``."""
    if isinstance(item.raw(name), str):
        return item.parsed(item.text(name), lambda text: _numbers(text, highest))
    number = item.integer(name, 0, highest)
    return None if number is None else (number, number)


def _numbers(text: str, highest: int) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise networks.NetworkError(f'"{text}" is no number and no range', "write 80, or 8000-8080")
    found = int(first), int(last or first)
    if not found[0] <= found[1] <= highest:
        raise networks.NetworkError(f"{text} is no range of numbers up to {highest}")
    return found


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


# --- words ------------------------------------------------------------------------------------------------------


def _table(item: Section, name: str, default: int | None) -> int | None:
    """A table's number, or the name of one that every machine has."""
    raw = item.raw(name)
    if raw is None:
        return default
    if isinstance(raw, str):
        named = word(item, name, tuple(TABLES), "")
        return TABLES[named] if named else None
    return item.integer(name, 1, LARGEST)
