"""Expressions of ``nft -j`` as the words that ``nft -f`` has for them. Ref: libnftables-json(5) 1.0.6, "EXPRESSIONS"."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from netsim.rules.nft.json_values import JsonSyntaxError, Node
from netsim.rules.nft.tokens import Token

Form = Callable[[Node, int], Iterator[Token]]
_WORD = re.compile(r'[^\s;{},()"<>=!&|^#]+')
_SIGNS = ("&", "|", "^", "<<", ">>")
_TEXT_OF = {True: "exists", False: "missing"}
VERDICTS = ("accept", "drop", "continue", "return")


def mapping(node: Node) -> Mapping[str, Node]:
    """The parts of an object; JsonSyntaxError for anything else."""
    if not isinstance(node.value, Mapping):
        raise JsonSyntaxError("expecting an object", node.offset)
    return node.value


def items(node: Node | None) -> Sequence[Node]:
    """The parts of an array, or the one value that stands where an array might."""
    if node is None:
        return ()
    return node.value if isinstance(node.value, Sequence) and not isinstance(node.value, str) else (node,)


def text_of(node: Node) -> str:
    """A string or a number; JsonSyntaxError for anything else."""
    if isinstance(node.value, bool):
        return _TEXT_OF[node.value]
    if isinstance(node.value, str | int):
        return str(node.value)
    raise JsonSyntaxError("expecting a string or a number", node.offset)


def word(text: object, offset: int) -> Token:
    """One word; what is no word to ``nft -f`` stands in quotes."""
    found = str(text)
    return Token("word" if _WORD.fullmatch(found) else "string", found, offset)


def words(text: str, offset: int) -> Iterator[Token]:
    """Words and signs, one behind the other."""
    for each in text.split(" "):
        yield Token("punctuation" if each in ("{", "}", ",", "(", ")", "==", "&", "|", "=") else "word", each, offset)


def quoted(node: Node) -> Token:
    """A name in quotes."""
    return Token("string", text_of(node), node.offset)


def only(node: Node) -> tuple[str, Node]:
    """The one key of an object, and what belongs to it."""
    found = mapping(node)
    if len(found) != 1:
        raise JsonSyntaxError("expecting an object with one key", node.offset)
    return next(iter(found.items()))


def expression(node: Node) -> Iterator[Token]:
    """An expression, or a value where one may stand."""
    at = node.offset
    match node.value:
        case bool() | str() | int():
            yield word(text_of(node), at)
        case None:
            raise JsonSyntaxError("expecting an expression", at)
        case Mapping():
            key, inside = only(node)
            yield from _keyed(key, inside, at)
        case parts:
            yield from joined(parts, ",")


def joined(parts: Sequence[Node], sign: str) -> Iterator[Token]:
    """Expressions with a sign between them."""
    for number, part in enumerate(parts):
        if number:
            yield Token("word" if sign == "." else "punctuation", sign, part.offset)
        yield from expression(part)


def _keyed(key: str, inside: Node, at: int) -> Iterator[Token]:
    if key in _SIGNS:
        yield from _binary(key, inside)
    elif key in _FORMS:
        yield from _FORMS[key](inside, at)
    elif key in VERDICTS:
        yield word(key, at)
    elif key in ("jump", "goto"):
        yield word(key, at)
        yield quoted(mapping(inside)["target"])
    else:
        raise JsonSyntaxError(f"unknown expression {key!r}", at)


def _binary(sign: str, inside: Node) -> Iterator[Token]:
    parts = items(inside)
    if len(parts) < 2:
        raise JsonSyntaxError(f"{sign} needs two sides", inside.offset)
    yield from expression(parts[0])
    for right in parts[1:]:
        yield Token("punctuation", sign, right.offset)
        names = items(right)
        if len(names) > 1:
            yield Token("punctuation", "(", right.offset)
            yield from joined(names, "|")
            yield Token("punctuation", ")", right.offset)
        else:
            yield from expression(right)


# --- each form ------------------------------------------------------------------------------------------------------


def _payload(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    if "base" in parts:
        base, offset, length = (text_of(parts[name]) for name in ("base", "offset", "len"))
        yield from words(f"@{base} , {offset} , {length}", at)
    else:
        yield from words(f"{text_of(parts['protocol'])} {text_of(parts['field'])}", at)


def _meta(inside: Node, at: int) -> Iterator[Token]:
    yield from words(f"meta {text_of(mapping(inside)['key'])}", at)


def _ct(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    told = [text_of(parts[name]) for name in ("dir", "family", "key") if name in parts]
    yield from words(" ".join(["ct", *told]), at)


def _rt(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(" ".join(["rt", *(text_of(parts[name]) for name in ("family", "key") if name in parts)]), at)


def _socket(inside: Node, at: int) -> Iterator[Token]:
    yield from words(f"socket {text_of(mapping(inside)['key'])}", at)


def _fib(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"fib {' . '.join(map(text_of, items(parts['flags'])))} {text_of(parts['result'])}", at)


def _numgen(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from words(f"numgen {text_of(parts['mode'])} mod {text_of(parts['mod'])}{_offset(parts)}", at)


def _offset(parts: Mapping[str, Node]) -> str:
    return f" offset {text_of(parts['offset'])}" if "offset" in parts else ""


def _hash(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield word("jhash" if "expr" in parts else "symhash", at)
    if "expr" in parts:
        yield from expression(parts["expr"])
    seed = f" seed {text_of(parts['seed'])}" if "seed" in parts else ""
    yield from words(f"mod {text_of(parts['mod'])}{seed}{_offset(parts)}", at)


def _option(protocol: str) -> Form:
    def form(inside: Node, at: int) -> Iterator[Token]:
        parts = mapping(inside)
        told = [text_of(parts[name]) for name in ("name", "field") if name in parts]
        yield from words(" ".join([protocol, *told]), at)

    return form


def _exthdr(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    name = text_of(parts["name"])
    yield from words(f"{name} {text_of(parts['field'])}" if "field" in parts else f"exthdr {name}", at)


def _concat(inside: Node, at: int) -> Iterator[Token]:
    del at
    yield from joined(items(inside), ".")


def _prefix(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield word(f"{text_of(parts['addr'])}/{text_of(parts['len'])}", at)


def _range(inside: Node, at: int) -> Iterator[Token]:
    ends = items(inside)
    if len(ends) != 2:
        raise JsonSyntaxError("a range has two ends", at)
    first, last = map(text_of, ends)
    if _WORD.fullmatch(f"{first}-{last}") and ":" not in first[1:3]:
        yield word(f"{first}-{last}", at)
    else:
        yield from (quoted(ends[0]), word("-", at), quoted(ends[1]))


def _set(inside: Node, at: int) -> Iterator[Token]:
    yield Token("punctuation", "{", at)
    for number, element in enumerate(items(inside)):
        if number:
            yield Token("punctuation", ",", element.offset)
        yield from element_of(element)
    yield Token("punctuation", "}", at)


def element_of(node: Node) -> Iterator[Token]:
    """An element of a set; of a map a key and what belongs to it."""
    pair = items(node)
    if len(pair) == 2 and pair[0] is not node:
        yield from expression(pair[0])
        yield word(":", pair[1].offset)
        yield from expression(pair[1])
    else:
        yield from expression(node)


def _map(inside: Node, at: int) -> Iterator[Token]:
    parts = mapping(inside)
    yield from expression(parts["key"])
    yield word("map", at)
    yield from expression(parts["data"])


def _elem(inside: Node, at: int) -> Iterator[Token]:
    """An element with what it has besides its key; statements of its own are told by their numbers only."""
    parts = mapping(inside)
    yield from expression(parts["val"])
    for name in ("timeout", "expires"):
        if name in parts:
            yield from words(f"{name} {text_of(parts[name])}s", at)
    if "comment" in parts:
        yield from (word("comment", at), quoted(parts["comment"]))


_FORMS: dict[str, Form] = {
    "payload": _payload,
    "meta": _meta,
    "ct": _ct,
    "rt": _rt,
    "socket": _socket,
    "fib": _fib,
    "numgen": _numgen,
    "jhash": _hash,
    "symhash": _hash,
    "tcp option": _option("tcp option"),
    "ip option": _option("ip option"),
    "sctp chunk": _option("sctp chunk"),
    "exthdr": _exthdr,
    "concat": _concat,
    "prefix": _prefix,
    "range": _range,
    "set": _set,
    "map": _map,
    "elem": _elem,
}
