"""Expressions and literals of a rule. Ref: nftables 1.0.6 src/parser_bison.y."""

from __future__ import annotations

from netsim.rules.nft.ast import (
    AnonymousMap,
    AnonymousSet,
    Binary,
    Concatenation,
    Ct,
    Data,
    Expression,
    Fib,
    Flags,
    Jhash,
    Jump,
    Key,
    Literal,
    Lookup,
    Meta,
    Numgen,
    Payload,
    Rt,
    SetReference,
    SocketKey,
    Value,
    Verdict,
)
from netsim.rules.nft.datatype_tables import BITS, CT, META, OLD_META, PAYLOAD, SHORT_META
from netsim.rules.nft.datatypes import datatype, read_literal, sort_key
from netsim.rules.nft.header_parts import EXTENSIONS, RAW, choice, extension, header_part, number, raw_payload
from netsim.rules.nft.intervals import joined
from netsim.rules.nft.tokens import Source, Token

_OPERATORS = {
    "&": "&",
    "and": "&",
    "|": "|",
    "or": "|",
    "^": "^",
    "xor": "^",
    "<<": "<<",
    "lshift": "<<",
    ">>": ">>",
    "rshift": ">>",
}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}
RT_KEYS = ("mtu", "nexthop", "classid", "ipsec")
SOCKET_KEYS = ("transparent", "wildcard", "mark")
_FIB_INPUTS = ("saddr", "daddr", "mark", "iif", "oif")
_FIB_RESULTS = ("type", "oif", "oifname", "check")


def expression(source: Source) -> Expression:
    """An expression: parts joined by ``.``, and what a map makes of them."""
    parts = [_binary(source, _primary(source))]
    while source.accept("."):
        parts.append(_binary(source, _primary(source)))
    whole = parts[0] if len(parts) == 1 else Concatenation(tuple(parts))
    while source.accept("map"):
        whole = Lookup(whole, mapping(source, datatype(whole)))
    return whole


def starts_expression(source: Source, word: str = "") -> bool:
    """True where an expression with a keyword begins; ``word`` stands for the next one where that is more than the keyword."""
    text = word or source.peek().text
    return (
        text in PAYLOAD
        or text in SHORT_META
        or text in ("meta", "ct", "fib", "rt", "socket", "numgen", "jhash", "symhash", "exthdr")
        or text in EXTENSIONS
        or (text in RAW and source.peek(1).text == ",")
    )


def _primary(source: Source) -> Expression:  # noqa: C901 - one case for each kind
    token = source.peek()
    match token.text:
        case "meta":
            source.next()
            return Meta(_meta_key(source))
        case "ct":
            source.next()
            return _ct(source)
        case "fib":
            source.next()
            return _fib(source)
        case "socket":
            source.next()
            return SocketKey(choice(source, SOCKET_KEYS, "a key of a socket"))
        case "tcp" | "ip" | "sctp" | "exthdr" if source.peek(1).text in ("option", "chunk") or token.text == "exthdr":
            return header_part(source)
        case "rt" if source.peek(1).text in EXTENSIONS["rt"]:
            return extension(source)
        case _ if token.text in EXTENSIONS and token.text not in PAYLOAD and token.text != "rt":
            return extension(source)
        case _ if token.text in RAW and source.peek(1).text == ",":
            return raw_payload(source)
        case "rt":
            source.next()
            return Rt(_rt_key(source))
        case "numgen":
            source.next()
            mode = choice(source, ("random", "inc"), "random or inc")
            source.expect("mod")
            return Numgen(mode, number(source), number(source) if source.accept("offset") else 0)
        case "jhash":
            source.next()
            return _hash(source, expression(source))
        case "symhash":
            source.next()
            return _hash(source, None)
        case _ if token.kind == "word" and token.text in PAYLOAD:
            source.next()
            return Payload(token.text, _field(source, token.text))
        case _ if token.kind == "word" and token.text in SHORT_META:
            return Meta(source.next().text)
        case _:
            return Value(literal(source, ""))


def _meta_key(source: Source) -> str:
    """``secpath`` is what ``ipsec`` was called."""
    if source.peek().text in OLD_META:
        return OLD_META[source.next().text]
    return choice(source, META, "a meta key")


def _hash(source: Source, of: Expression | None) -> Jhash:
    source.expect("mod")
    modulus = number(source)
    seed = number(source) if source.accept("seed") else None
    return Jhash(of, modulus, seed, number(source) if source.accept("offset") else 0)


def _ct(source: Source) -> Ct:
    direction = source.next().text if source.peek().text in ("original", "reply") else None
    if source.peek().text in ("ip", "ip6"):
        family = source.next().text
        return Ct(f"{family} {choice(source, ('saddr', 'daddr'), 'saddr or daddr')}", direction)
    return Ct(choice(source, CT, "a ct key"), direction)


def _fib(source: Source) -> Fib:
    inputs: list[str] = []
    while True:
        inputs.append(choice(source, _FIB_INPUTS, "saddr, daddr, mark, iif or oif"))
        if not source.accept("."):
            break
    ordered = tuple(name for name in _FIB_INPUTS if name in inputs)
    return Fib(ordered, choice(source, _FIB_RESULTS, "type, oif or oifname"))


def _rt_key(source: Source) -> str:
    family = f"{source.next().text} " if source.peek().text in ("ip", "ip6") else ""
    return family + choice(source, RT_KEYS, "a key of the route")


def _field(source: Source, protocol: str) -> str:
    name = source.peek().text
    if protocol == "arp" and name in ("saddr", "daddr"):
        return f"{source.next().text} {choice(source, ('ip', 'ether'), 'ip or ether')}"
    return choice(source, PAYLOAD[protocol], f"a field of {protocol}")


def _binary(source: Source, left: Expression) -> Expression:
    while (operator := _OPERATORS.get(source.peek().text)) is not None and source.peek().kind != "string":
        source.next()
        kind = datatype(left)[0]
        if source.accept("("):
            right: Expression = Value(_flags(source, kind, ")"))
        elif starts_expression(source):
            right = _primary(source)
        else:
            right = Value(_bits(source, kind))
        left = Binary(operator, _masked(operator, left, right), right)
    return left


def _masked(operator: str, left: Expression, right: Expression) -> Expression:
    """The left side of ``x & mask | value``, with the value's bits in the mask, as nft keeps it."""
    match operator, left, right:
        case "|", Binary("&", inner, Value(int(mask))), Value(int(value)):
            return Binary("&", inner, Value(mask | value))
    return left


def _bits(source: Source, kind: str) -> Literal:
    """A literal, or several bits joined by commas."""
    first = literal(source, kind)
    if kind in BITS and isinstance(first, str):
        names = [first]
        while source.accept(",") or source.accept("|"):
            names.append(str(literal(source, kind)))
        return Flags(frozenset(names))
    return first


def _flags(source: Source, kind: str, end: str) -> Literal:
    names = [str(literal(source, kind))]
    while source.accept("|") or source.accept(","):
        names.append(str(literal(source, kind)))
    source.expect(end)
    return Flags(frozenset(names))


# --- literals, sets, maps ---------------------------------------------------------------------------------------


def literal(source: Source, kind: str) -> Literal:
    """Take a literal of a datatype."""
    token = source.peek()
    if token.kind == "string":
        first = source.next().text
        if source.peek().text == "-" and source.peek(1).kind == "string":
            source.next()
            return f'{first}"-"{source.next().text}'
        return first
    text = source.word("a value")
    try:
        return read_literal(text, kind)
    except ValueError as problem:
        raise source.error(str(problem), token) from None


_NAMES_OF_PROTOCOLS = ("inet_proto", "ether_type", "iface_type")


def right_side(source: Source, kinds: tuple[str, ...]) -> Expression:
    """What stands behind a comparison: a set, literals, or another expression."""
    token = source.peek()
    if token.kind == "punctuation" and token.text == "{":
        return anonymous_set(source, kinds)
    if token.kind == "word" and token.text.startswith("@") and not starts_expression(source):
        return SetReference(source.next().text[1:])
    if token.kind == "punctuation" and token.text == "(":
        source.next()
        return Value(_flags(source, kinds[0], ")"))
    if starts_expression(source) and not (kinds[0] in _NAMES_OF_PROTOCOLS and token.text in PAYLOAD):
        return expression(source)
    if len(kinds) > 1:
        return Concatenation(tuple(Value(part) for part in key(source, kinds)))
    return Value(_bits(source, kinds[0]))


def key(source: Source, kinds: tuple[str, ...]) -> Key:
    """The parts of an element, joined by ``.``."""
    parts = [literal(source, kinds[0])]
    while source.accept("."):
        parts.append(literal(source, kinds[min(len(parts), len(kinds) - 1)] if kinds != ("",) else ""))
    return tuple(parts)


def anonymous_set(source: Source, kinds: tuple[str, ...]) -> Expression:
    """``{ … }`` behind a comparison; the element itself where there is only one."""
    elements = dict.fromkeys(element for element, _ in _braced(source, kinds, with_data=False))
    if len(elements) == 1:
        values = tuple(Value(part) for part in next(iter(elements)))
        return _one(values, kinds[0])
    return AnonymousSet(tuple(sorted(joined(elements), key=lambda each: [sort_key(part) for part in each])))


def _one(values: tuple[Value, ...], kind: str) -> Expression:
    if len(values) > 1:
        return Concatenation(values)
    found = values[0].literal
    return Value(Flags(frozenset((found,)))) if kind in BITS and isinstance(found, str) else values[0]


def mapping(source: Source, kinds: tuple[str, ...]) -> AnonymousMap | SetReference:
    """``@name`` or ``{ key : data, … }``."""
    if source.peek().text.startswith("@"):
        return SetReference(source.next().text[1:])
    pairs = _braced(source, kinds, with_data=True)
    found = {element: data for element, data in pairs if data is not None}
    return AnonymousMap(tuple(sorted(found.items(), key=lambda pair: [sort_key(part) for part in pair[0]])))


def _braced(source: Source, kinds: tuple[str, ...], *, with_data: bool) -> list[tuple[Key, Data | None]]:
    source.expect("{")
    found: list[tuple[Key, Data | None]] = []
    source.skip_ends()
    while not source.accept("}"):
        element = key(source, kinds)
        data = None
        if with_data:
            source.expect(":")
            data = data_of(source, ("",))
        found.append((element, data))
        source.skip_ends()
        if not source.accept(","):
            source.expect("}")
            break
        source.skip_ends()
    return found


def data_of(source: Source, kinds: tuple[str, ...]) -> Data:
    """What a map holds: a verdict or a value."""
    token = source.peek()
    if kinds in (("",), ("verdict",)) and token.kind == "word":
        if token.text in ("jump", "goto"):
            return jump(source)
        if token.text in _VERDICTS:
            return _VERDICTS[source.next().text]
    if kinds == ("verdict",):
        raise source.error(f"syntax error, unexpected {token.text!r}, expecting a verdict", token)
    return key(source, kinds)


def jump(source: Source) -> Jump:
    """``jump chain`` or ``goto chain``."""
    return Jump(goto=source.next().text == "goto", chain=source.string())


def verdict(token: Token) -> Verdict | None:
    """The verdict that a token is, None where it is none."""
    return _VERDICTS.get(token.text) if token.kind == "word" else None
