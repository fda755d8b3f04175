"""``nft -j list ruleset`` and the commands of ``nft -j -f`` → the words of ``nft -f``, each with its place in the JSON.

A listing's objects are commands ``add``. What nft 1.0.6 leaves out of its JSON is not there: ``auto-merge``, the flag ``dynamic``, comments
of tables and chains, devices of chains at ingress.
Ref: libnftables-json(5) 1.0.6; nftables src/json.c, src/parser_json.c.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from netsim.rules.nft.ast import TableFamily
from netsim.rules.nft.datatypes import write_time
from netsim.rules.nft.json_expressions import element_of, expression, items, mapping, only, quoted, text_of, word, words
from netsim.rules.nft.json_statements import counter_numbers, limit_numbers, statement, synproxy_numbers
from netsim.rules.nft.json_values import JsonSyntaxError, Node, read_json
from netsim.rules.nft.priorities import write_priority
from netsim.rules.nft.tokens import Source, Token
from netsim.rules.source import RuleSyntaxError, RuleSyntaxErrors

Parts = Mapping[str, Node]
_VERBS = ("add", "create", "insert", "replace", "delete", "destroy", "flush", "list", "reset", "rename")
_KINDS_OF_CT = ("ct helper", "ct timeout", "ct expectation")


def is_json(text: str) -> bool:
    """True where a text is what ``nft -j`` prints and takes: no text of ``nft -f`` begins with a brace."""
    return text.lstrip()[:1] == "{"


def json_source(text: str, file: str) -> Source:
    """A text's commands, ready to be read. Raises RuleSyntaxErrors with places in the JSON."""
    try:
        commands = mapping(read_json(text)).get("nftables")
        if commands is None:
            raise JsonSyntaxError('expecting an object with the key "nftables"', 0)
        return Source(text, file, [token for each in items(commands) for token in _command(each)])
    except JsonSyntaxError as problem:
        place = Source(text, file, []).origin(Token("word", "", problem.offset))
        error = RuleSyntaxError(str(problem), place, "libnftables-json(5) describes the form")
        raise RuleSyntaxErrors([error]) from None


def _command(node: Node) -> Iterator[Token]:
    key, inside = only(node)
    if key == "metainfo":
        return
    verb = "add"
    if key in _VERBS:
        verb = key
        key, inside = only(inside)
    at = node.offset
    if key == "ruleset":
        yield from words(f"{verb} ruleset", at)
    elif key in _FORMS:
        try:
            yield from _FORMS[key](verb, key, mapping(inside), at)
        except KeyError as missing:
            raise JsonSyntaxError(f"{key} without {missing}", at) from None
    else:
        raise JsonSyntaxError(f"unknown object {key!r}", at)
    yield _end(at)


def _end(at: int) -> Token:
    return Token("end", ";", at)


def _open(at: int) -> Token:
    return Token("punctuation", "{", at)


def _close(at: int) -> Token:
    return Token("punctuation", "}", at)


def _head(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    """``add set ip t``: everything up to the object's own name."""
    yield from words(f"{verb} {kind} {text_of(parts['family'])}", at)
    yield word(text_of(parts["table"]), at)


def _named(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _head(verb, kind, parts, at)
    yield quoted(parts["name"])


def _comment(parts: Parts, at: int) -> Iterator[Token]:
    if "comment" in parts:
        yield from (word("comment", at), quoted(parts["comment"]), _end(at))


def _table(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from words(f"{verb} {kind} {text_of(parts['family'])}", at)
    yield word(text_of(parts["name"]), at)
    if verb in ("add", "create") and {"flags", "comment"} & set(parts):
        yield _open(at)
        if "flags" in parts:
            yield from words(f"flags {' , '.join(map(text_of, items(parts['flags'])))}", at)
            yield _end(at)
        yield from _comment(parts, at)
        yield _close(at)


def _chain(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _named(verb, kind, parts, at)
    if verb not in ("add", "create"):
        return
    yield _open(at)
    if "hook" in parts:
        yield from words(f"type {text_of(parts['type'])} hook {text_of(parts['hook'])}", at)
        yield from _devices(parts, at)
        yield from words(f"priority {text_of(parts['prio'])}", at)
        yield _end(at)
        if "policy" in parts:
            yield from words(f"policy {text_of(parts['policy'])}", at)
            yield _end(at)
    yield from _comment(parts, at)
    yield _close(at)


def _devices(parts: Parts, at: int) -> Iterator[Token]:
    devices = items(parts.get("dev"))
    if devices:
        yield from words("devices = {", at)
        for number, device in enumerate(devices):
            yield from ((Token("punctuation", ",", at),) if number else ())
            yield quoted(device)
        yield _close(at)


def _rule(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _head(verb, kind, parts, at)
    yield quoted(parts["chain"])
    if verb in ("delete", "destroy", "replace") and "handle" in parts:
        yield from words(f"handle {text_of(parts['handle'])}", at)
    if "index" in parts:
        yield from words(f"index {text_of(parts['index'])}", at)
    for each in items(parts.get("expr")):
        yield from statement(each)
    if "comment" in parts:
        yield from (word("comment", at), quoted(parts["comment"]))


def _set(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _named(verb, kind, parts, at)
    if verb not in ("add", "create"):
        return
    yield _open(at)
    yield from _types(parts, at)
    if "flags" in parts:
        yield from words(f"flags {' , '.join(map(text_of, items(parts['flags'])))}", at)
        yield _end(at)
    for name, unit in (("timeout", "s"), ("gc-interval", "s"), ("size", ""), ("policy", "")):
        if name in parts:
            yield from words(f"{name} {text_of(parts[name])}{unit}", at)
            yield _end(at)
    if "auto-merge" in parts and parts["auto-merge"].value:
        yield from (word("auto-merge", at), _end(at))
    yield from _comment(parts, at)
    for own in items(parts.get("stmt")):
        yield from (*statement(own), _end(at))
    if "elem" in parts:
        yield from words("elements =", at)
        yield from _elements(parts["elem"])
        yield _end(at)
    yield _close(at)


def _types(parts: Parts, at: int) -> Iterator[Token]:
    """``type a . b : c``, or ``typeof`` and expressions."""
    kind = parts["type"]
    if isinstance(kind.value, Mapping):
        yield word("typeof", at)
        yield from expression(kind.value["typeof"])
    else:
        yield from words(f"type {' . '.join(map(text_of, items(kind)))}", at)
    if "map" in parts:
        yield word(":", at)
        yield from words(" . ".join(map(text_of, items(parts["map"]))), at)
    yield _end(at)


def _elements(node: Node) -> Iterator[Token]:
    yield _open(node.offset)
    for number, element in enumerate(items(node)):
        if number:
            yield Token("punctuation", ",", element.offset)
        yield from element_of(element)
    yield _close(node.offset)


def _element(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _named(verb, kind, parts, at)
    yield from _elements(parts["elem"])


# --- stateful objects and flowtables ------------------------------------------------------------------------------


def _object(verb: str, kind: str, parts: Parts, at: int) -> Iterator[Token]:
    yield from _named(verb, kind, parts, at)
    if verb not in ("add", "create"):
        return
    yield _open(at)
    yield from _INSIDE[kind](parts, at)
    yield from (_end(at), *_comment(parts, at), _close(at))


def _quota(parts: Parts, at: int) -> Iterator[Token]:
    over = "over " if "inv" in parts and parts["inv"].value else ""
    yield from words(over + _bytes(parts["bytes"]), at)
    if "used" in parts and text_of(parts["used"]) != "0":
        yield from words(f"used {_bytes(parts['used'])}", at)


def _bytes(node: Node) -> str:
    """The largest unit of which it is a whole number, as nft prints it. Ref: src/statement.c:get_rate()."""
    amount, units = int(text_of(node)), ["bytes", "kbytes", "mbytes"]
    while len(units) > 1 and amount and amount % 1024 == 0:
        amount //= 1024
        units.pop(0)
    return f"{amount} {units[0]}"


def _helper(parts: Parts, at: int) -> Iterator[Token]:
    yield from (word("type", at), quoted(parts["type"]), *words(f"protocol {text_of(parts['protocol'])}", at))
    yield from _l3proto(parts, at)


def _l3proto(parts: Parts, at: int) -> Iterator[Token]:
    if "l3proto" in parts:
        yield from (_end(at), *words(f"l3proto {text_of(parts['l3proto'])}", at))


def _timeout(parts: Parts, at: int) -> Iterator[Token]:
    yield from words(f"protocol {text_of(parts['protocol'])}", at)
    yield from _l3proto(parts, at)
    if "policy" in parts:
        told = (f"{name} : {text_of(time)}" for name, time in mapping(parts["policy"]).items())
        yield from (_end(at), *words(f"policy = {{ {' , '.join(told)} }}", at))


def _expectation(parts: Parts, at: int) -> Iterator[Token]:
    yield from words(f"protocol {text_of(parts['protocol'])}", at)
    told = (
        f"dport {text_of(parts['dport'])}",
        f"timeout {write_time(int(text_of(parts['timeout'])))}",
        f"size {text_of(parts['size'])}",
    )
    for each in told:
        yield from (_end(at), *words(each, at))
    yield from _l3proto(parts, at)


def _secmark(parts: Parts, at: int) -> Iterator[Token]:
    del at
    yield quoted(parts["context"])


def _flowtable(parts: Parts, at: int) -> Iterator[Token]:
    family = TableFamily(text_of(parts["family"]))
    priority = write_priority(int(text_of(parts["prio"])), text_of(parts["hook"]), family)
    yield from words(f"hook {text_of(parts['hook'])} priority {priority}", at)
    if "dev" in parts:
        yield from (_end(at), *_devices(parts, at))


_INSIDE: dict[str, Callable[[Parts, int], Iterator[Token]]] = {
    "counter": counter_numbers,
    "quota": _quota,
    "limit": limit_numbers,
    "ct helper": _helper,
    "ct timeout": _timeout,
    "ct expectation": _expectation,
    "synproxy": lambda parts, at: synproxy_numbers(parts, at, _end(at)),
    "secmark": _secmark,
    "flowtable": _flowtable,
}
_FORMS: dict[str, Callable[[str, str, Parts, int], Iterator[Token]]] = {
    "table": _table,
    "chain": _chain,
    "rule": _rule,
    "set": _set,
    "map": _set,
    "element": _element,
    **dict.fromkeys(_INSIDE, _object),
}
