"""Statements that hand a packet to somebody else, and the ends that they and NAT name. Ref: nftables 1.0.6 src/parser_bison.y."""

from __future__ import annotations

import re

from netsim.rules.nft.ast import Expression, Range, Value
from netsim.rules.nft.datatypes import read_literal
from netsim.rules.nft.elsewhere import Dup, Elsewhere, FlowAdd, Fwd, Queue, SynProxy, TProxy
from netsim.rules.nft.expressions import expression, starts_expression
from netsim.rules.nft.header_parts import number
from netsim.rules.nft.tokens import Source
from netsim.rules.xtables.values import read_port

_BRACKETED = re.compile(r"\[(?P<first>[^]]+)\](-\[(?P<last>[^]]+)\])?(:(?P<port>.*))?")
_QUEUE_FLAGS = ("bypass", "fanout")


def elsewhere(source: Source) -> Elsewhere:
    """The statement that begins with the next token."""
    match source.next().text:
        case "queue":
            return _queue(source)
        case "dup":
            source.expect("to")
            return Dup(_value(source), _value(source, "ifname") if source.accept("device") else None)
        case "fwd":
            return _fwd(source)
        case "tproxy":
            return _tproxy(source)
        case "synproxy":
            return _synproxy(source)
        case _:
            source.expect("add")
            return FlowAdd(source.string().removeprefix("@"))


def _queue(source: Source) -> Queue:
    """``queue num 1-4 fanout,bypass`` or ``queue flags bypass to 3``; 0 where no number is told."""
    flags: list[str] = []
    number_of: Expression = Value(0)
    while not source.at_end():
        if source.accept("flags"):
            continue
        if source.accept("num") or source.accept("to"):
            number_of = _value(source, "integer")
        elif source.peek().text in _QUEUE_FLAGS:
            flags.append(source.next().text)
            source.accept(",")
        else:
            break
    return Queue(number_of, frozenset(flags))


def _value(source: Source, kind: str = "") -> Expression:
    if starts_expression(source):
        return expression(source)
    token = source.peek()
    text = source.string()
    try:
        return Value(text if kind == "ifname" or token.kind == "string" else read_literal(text, kind))
    except ValueError as problem:
        raise source.error(str(problem), token) from None


def _fwd(source: Source) -> Fwd:
    family = source.next().text if source.peek().text in ("ip", "ip6") else ""
    source.expect("to")
    if not family:
        return Fwd(_value(source, "ifname"))
    address = _value(source, {"ip": "ipv4_addr", "ip6": "ipv6_addr"}[family])
    source.expect("device")
    return Fwd(_value(source, "ifname"), family, address)


def _tproxy(source: Source) -> TProxy:
    family = source.next().text if source.peek().text in ("ip", "ip6") else ""
    source.expect("to")
    if starts_expression(source):
        address: Expression | None = expression(source)
        return TProxy(family, address, Value(number(source)) if source.accept(":") else None)
    token = source.peek()
    text = source.word("an address, a port or both")
    if text == ":":
        return TProxy(family, None, expression(source))
    try:
        address, port = endpoint(text)
    except ValueError as problem:
        raise source.error(f"{text!r} is no address and port: {problem}", token) from None
    return TProxy(family, address, port)


def _synproxy(source: Source) -> SynProxy:
    mss = number(source) if source.accept("mss") else None
    wscale = number(source) if source.accept("wscale") else None
    flags = [flag for flag in ("timestamp", "sack-perm") if source.accept(flag)]
    return SynProxy(mss, wscale, frozenset(flags))


def endpoint(text: str) -> tuple[Value | None, Value | None]:
    """``10.0.0.1:80``, ``[fd00::1]:80``, ``:80``, ``10.0.0.1-10.0.0.9:80-90`` or an address alone."""
    host, port = text, ""
    if (bracketed := _BRACKETED.fullmatch(text)) is not None:
        host = "-".join(filter(None, (bracketed["first"], bracketed["last"])))
        port = bracketed["port"] or ""
    elif text.startswith(":"):
        host, port = "", text[1:]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    address = None
    if host:
        found = read_literal(host, "ipv6_addr" if ":" in host else "ipv4_addr")
        address = Value(found)
    return address, _port(port)


def _port(text: str) -> Value | None:
    if not text:
        return None
    first, dash, last = text.partition("-")
    return Value(Range(read_port(first), read_port(last)) if dash else read_port(first))
