"""Statements of ``nft -j`` as the words that ``nft -f`` has for them. Ref: libnftables-json(5) 1.0.6, "STATEMENTS"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.rules.nft.json_expressions import (
    VERDICTS,
    Form,
    expression,
    items,
    mapping,
    only,
    quoted,
    text_of,
    word,
    words,
)
from netsim.rules.nft.json_values import JsonSyntaxError, Node
from netsim.rules.nft.tokens import Token, tokens


def statement(node: Node) -> Iterator[Token]:
    """One statement. What nft itself has no JSON for stands there as text."""
    if isinstance(node.value, str):
        yield from (Token(each.kind, each.text, node.offset) for each in tokens(node.value))
        return
    key, inside = only(node)
    if key in VERDICTS or key in ("jump", "goto", "notrack"):
        yield word(key, node.offset)
        if key in ("jump", "goto"):
            yield quoted(mapping(inside)["target"])
    elif key in _FORMS:
        yield from _FORMS[key](inside, node.offset)
    else:
        raise JsonSyntaxError(f"unknown statement {key!r}", node.offset)


def _match(inside: Node, at: int) -> Iterator[Token]:
    """``in`` asks for bits, as a comparison without an operator does."""
    parts = mapping(inside)
    yield from expression(parts["left"])
    operator = text_of(parts["op"]) if "op" in parts else "=="
    if operator != "in":
        yield Token("punctuation", operator, at)
    yield from expression(parts["right"])


def _mangle(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from expression(parts["key"])
    yield word("set", at)
    yield from expression(parts["value"])


def _vmap(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from expression(parts["key"])
    yield word("vmap", at)
    yield from expression(parts["data"])


def _named(kind: str, inside: Node, at: int) -> Iterator[Token]:
    """``counter name "c"``, or one that a map chooses."""
    yield from words(f"{kind} name", at)
    yield from (quoted(inside),) if isinstance(inside.value, str) else expression(inside)


def _is_named(inside: Node) -> bool:
    return isinstance(inside.value, str) or (isinstance(inside.value, Mapping) and "map" in inside.value)


def _counter(inside: Node, at: int) -> Iterator[Token]:
    if _is_named(inside):
        yield from _named("counter", inside, at)
        return
    yield word("counter", at)
    if inside.value is not None:
        yield from counter_numbers(mapping(inside), at)


def counter_numbers(parts: Mapping[str, Node], at: int) -> Iterator[Token]:
    """``packets 3 bytes 4``."""
    yield from words(f"packets {text_of(parts['packets'])} bytes {text_of(parts['bytes'])}", at)


def _limit(inside: Node, at: int) -> Iterator[Token]:
    if _is_named(inside):
        yield from _named("limit", inside, at)
        return
    yield word("limit", at)
    yield from limit_numbers(mapping(inside), at)


def limit_numbers(parts: Mapping[str, Node], at: int) -> Iterator[Token]:
    """``rate over 5/minute burst 7 packets``; a usual burst is not told."""
    over = " over" if "inv" in parts and parts["inv"].value else ""
    unit, per = (text_of(parts[name]) if name in parts else "" for name in ("rate_unit", "per"))
    rate = text_of(parts["rate"])
    yield from words(f"rate{over} {rate} {unit}/{per}" if unit else f"rate{over} {rate}/{per}", at)
    burst = text_of(parts["burst"]) if "burst" in parts else ""
    burst_unit = text_of(parts["burst_unit"]) if "burst_unit" in parts else unit or "packets"
    if burst and burst != ("0" if unit else "5"):
        yield from words(f"burst {burst} {burst_unit if unit else 'packets'}", at)


def _quota(inside: Node, at: int) -> Iterator[Token]:
    if _is_named(inside):
        yield from _named("quota", inside, at)
        return
    parts = mapping(inside)
    yield from words(f"quota {_over(parts)}{text_of(parts['val'])} {_unit(parts, 'val_unit')}", at)
    if "used" in parts:
        yield from words(f"used {text_of(parts['used'])} {_unit(parts, 'used_unit')}", at)


def _over(parts: Mapping[str, Node]) -> str:
    return "over " if "inv" in parts and parts["inv"].value else ""


def _unit(parts: Mapping[str, Node], name: str) -> str:
    return text_of(parts[name]) if name in parts else "bytes"


def _nat(kind: str) -> Form:
    def form(inside: Node, at: int) -> Iterator[Token]:
        yield word(kind, at)
        if inside.value is None:
            return
        parts = mapping(inside)
        if "family" in parts:
            yield word(text_of(parts["family"]), at)
        if "prefix" in map(text_of, items(parts.get("type_flags"))):
            yield word("prefix", at)
        if "addr" in parts or "port" in parts:
            yield word("to", at)
            yield from endpoint(parts.get("addr"), parts.get("port"), at)
        flags = [text_of(flag) for flag in items(parts.get("flags"))]
        yield from (word(flag, at) for flag in flags if flag != "netmap")

    return form


def endpoint(address: Node | None, port: Node | None, at: int) -> Iterator[Token]:
    """``10.0.0.1-10.0.0.9:80``, ``[fd00::1]:80``, ``:80``; what is computed has its port behind it."""
    text, behind = "", ""
    if port is not None:
        behind = ":" if _computed(port) else ":" + _plain(port)
    if address is not None and _computed(address):
        yield from expression(address)
        behind = behind[:1]
    elif address is not None:
        text = _plain(address)
        if behind and ":" in text:
            text = "-".join(f"[{end}]" for end in text.split("-"))
    if text or behind:
        yield word(text + behind, at)
    if port is not None and behind == ":":
        yield from expression(port)


def _computed(node: Node) -> bool:
    return isinstance(node.value, Mapping) and not {"range", "prefix"} & set(node.value)


def _plain(node: Node) -> str:
    return "".join(token.text for token in expression(node))


def _reject(inside: Node, at: int) -> Iterator[Token]:
    yield word("reject", at)
    if inside.value is None:
        return
    parts = mapping(inside)
    kind = text_of(parts["type"])
    yield from words(f"with {kind}", at)
    if "expr" in parts:
        yield from expression(parts["expr"])


def _log(inside: Node, at: int) -> Iterator[Token]:
    yield word("log", at)
    if inside.value is None:
        return
    parts = mapping(inside)
    if "prefix" in parts:
        yield from (word("prefix", at), quoted(parts["prefix"]))
    for name in ("group", "snaplen", "queue-threshold", "level"):
        if name in parts:
            yield from words(f"{name} {text_of(parts[name])}", at)
    yield from _log_flags([text_of(flag) for flag in items(parts.get("flags"))], at)


def _log_flags(flags: list[str], at: int) -> Iterator[Token]:
    of_tcp = [flag.removeprefix("tcp ") for flag in flags if flag.startswith("tcp ")]
    if of_tcp:
        yield from words(f"flags tcp {' , '.join(of_tcp)}", at)
    for flag in flags:
        if not flag.startswith("tcp "):
            yield from words(f"flags {flag}", at)


def _update(inside: Node, at: int, name: str = "set") -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"{text_of(parts['op'])} {text_of(parts[name])} {{", at)
    yield from expression(parts["elem"])
    for own in items(parts.get("stmt")):
        yield from statement(own)
    if "data" in parts:
        yield word(":", at)
        yield from expression(parts["data"])
    yield Token("punctuation", "}", at)


def _map_update(inside: Node, at: int) -> Iterator[Token]:
    yield from _update(inside, at, "map")


def _meter(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words("meter", at)
    yield quoted(parts["name"])
    if "size" in parts:
        yield from words(f"size {text_of(parts['size'])}", at)
    yield Token("punctuation", "{", at)
    yield from expression(parts["key"])
    yield from statement(parts["stmt"])
    yield Token("punctuation", "}", at)


def _set_object(kind: str) -> Form:
    def form(inside: Node, at: int) -> Iterator[Token]:
        yield from words(f"{kind} set", at)
        yield from (quoted(inside),) if isinstance(inside.value, str) else expression(inside)

    return form


def _ct_count(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"ct count {_over(parts)}{text_of(parts['val'])}", at)


def _queue(inside: Node, at: int) -> Iterator[Token]:
    yield word("queue", at)
    if inside.value is None:
        return
    parts = mapping(inside)
    flags = [text_of(flag) for flag in items(parts.get("flags"))]
    if flags:
        yield from words(f"flags {' , '.join(flags)}", at)
    if "num" in parts:
        yield word("to", at)
        yield from expression(parts["num"])


def _dup(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words("dup to", at)
    yield from expression(parts["addr"])
    if "dev" in parts:
        yield word("device", at)
        yield from expression(parts["dev"])


def _fwd(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield word("fwd", at)
    if "addr" not in parts:
        yield word("to", at)
    else:
        yield from words(f"{text_of(parts['family'])} to", at)
        yield from expression(parts["addr"])
        yield word("device", at)
    yield from expression(parts["dev"])


def _tproxy(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"tproxy {text_of(parts['family'])} to" if "family" in parts else "tproxy to", at)
    yield from endpoint(parts.get("addr"), parts.get("port"), at)


def _synproxy(inside: Node, at: int) -> Iterator[Token]:
    if _is_named(inside):
        yield from _named("synproxy", inside, at)
        return
    yield word("synproxy", at)
    if inside.value is not None:
        yield from synproxy_numbers(mapping(inside), at)


def synproxy_numbers(parts: Mapping[str, Node], at: int, end: Token | None = None) -> Iterator[Token]:
    """``mss 1460 wscale 7 timestamp sack-perm``; ``end`` stands between them where each is a line of its own."""
    told = [f"{name} {text_of(parts[name])}" for name in ("mss", "wscale") if name in parts]
    flags = " ".join(text_of(flag) for flag in items(parts.get("flags")))
    for number, each in enumerate(filter(None, (*told, flags))):
        if number and end is not None:
            yield end
        yield from words(each, at)


def _flow(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"flow {text_of(parts['op'])} {text_of(parts['flowtable'])}", at)


def _last(inside: Node, at: int) -> Iterator[Token]:
    del inside
    yield word("last", at)


def _reset(inside: Node, at: int) -> Iterator[Token]:
    yield word("reset", at)
    yield from expression(inside)


def _xt(inside: Node, at: int) -> Iterator[Token]:
    """An extension of iptables, of which nft prints nothing but the name."""
    if inside.value is None:
        yield word("xt", at)
        return
    parts = mapping(inside)
    yield from (*words(f"xt {text_of(parts['type'])}", at), quoted(parts["name"]))


_FORMS: dict[str, Form] = {
    "match": _match,
    "mangle": _mangle,
    "vmap": _vmap,
    "counter": _counter,
    "limit": _limit,
    "quota": _quota,
    "dnat": _nat("dnat"),
    "snat": _nat("snat"),
    "masquerade": _nat("masquerade"),
    "redirect": _nat("redirect"),
    "reject": _reject,
    "log": _log,
    "set": _update,
    "map": _map_update,
    "meter": _meter,
    "ct helper": _set_object("ct helper"),
    "ct timeout": _set_object("ct timeout"),
    "ct expectation": _set_object("ct expectation"),
    "secmark": _set_object("meta secmark"),
    "ct count": _ct_count,
    "queue": _queue,
    "dup": _dup,
    "fwd": _fwd,
    "tproxy": _tproxy,
    "synproxy": _synproxy,
    "flow": _flow,
    "last": _last,
    "reset": _reset,
    "xt": _xt,
}
