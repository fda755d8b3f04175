"""What stands between the braces of chains and sets."""

from __future__ import annotations

from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import BaseChain, Data, Element, Key, NamedSet, TableFamily, Verdict
from netsim.rules.nft.datatypes import datatype, known_types, read_time
from netsim.rules.nft.expressions import data_of, expression, key
from netsim.rules.nft.header_parts import number
from netsim.rules.nft.priorities import read_priority
from netsim.rules.nft.statements import STATEFUL, StatementReader
from netsim.rules.nft.tokens import Source
from netsim.rules.nft.work import ChainUnderWork
from netsim.rules.source import Origin, RuleSyntaxError

_HOOKS: dict[str, tuple[str, ...]] = {
    # chain type: hooks
    "filter": ("prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"),
    "nat": ("prerouting", "input", "output", "postrouting"),
    "route": ("output",),
}
_DYNAMIC_SIZE = 65535
OBJECT_KINDS = ("counter", "quota", "limit", "secmark", "synproxy")
"""What a map may hold beside values and verdicts: names of objects."""


@dataclass(slots=True)
class BlockReader:
    """Reads the blocks of one table."""

    source: Source
    family: TableFamily

    def words(self) -> list[str]:
        """Words joined by commas."""
        found = [self.source.word("a word")]
        while self.source.accept(","):
            found.append(self.source.word("a word"))
        return found

    def time(self) -> int:
        """A time in milliseconds."""
        token = self.source.peek()
        try:
            return read_time(self.source.word("a time"))
        except ValueError as problem:
            raise self.source.error(str(problem), token) from None

    # --- chains -------------------------------------------------------------------------------------------------

    def chain(self, chain: ChainUnderWork, errors: list[RuleSyntaxError]) -> None:
        """A chain's block behind its opening brace; errors of rules are collected."""
        source = self.source
        source.skip_ends()
        while not source.accept("}"):
            if source.peek().kind == "eof":
                raise source.error("syntax error, unexpected end of file, expecting '}'")
            try:
                self._chain_item(chain)
            except RuleSyntaxError as error:
                errors.append(error)
                while source.tokens[source.at].kind not in ("end", "eof"):
                    source.at += 1
            source.skip_ends()

    def _chain_item(self, chain: ChainUnderWork) -> None:
        source = self.source
        if source.peek().text == "type" and source.peek(2).text == "hook":
            chain.base = self._base(chain.base)
        elif source.peek().text == "policy" and source.peek(1).text in ("accept", "drop"):
            token = source.next()
            if chain.base is None:
                raise source.error("only a base chain has a policy", token)
            chain.base = replace(chain.base, policy=Verdict(source.next().text))
        elif source.peek().text == "comment" and source.peek(2).kind == "end":
            source.next()
            chain.comment = source.string()
        else:
            chain.rules.append(StatementReader(source, self.family).rule())

    def _base(self, before: BaseChain | None) -> BaseChain:
        source = self.source
        source.expect("type")
        token = source.peek()
        kind = source.word("filter, nat or route")
        source.expect("hook")
        hook_token = source.peek()
        hook = source.word("a hook")
        if kind not in _HOOKS:
            raise source.error(f"unknown chain type {kind!r}", token, ", ".join(_HOOKS))
        if hook not in _HOOKS[kind]:
            raise source.error(f"{kind} chains have no hook {hook!r}", hook_token, ", ".join(_HOOKS[kind]))
        devices = self._devices()
        if hook in ("ingress", "egress") and not devices:
            advice = "nft 1.0.6 leaves it out of its JSON: give what 'nft list ruleset' prints"
            raise source.error(f"a chain at hook {hook} needs a device", hook_token, advice)
        priority = self.priority(hook)
        base = BaseChain(kind, hook, priority, Verdict.ACCEPT, devices)
        if before is not None and replace(before, policy=base.policy) != base:
            raise source.error("File exists: the chain is hooked in otherwise", token)
        return base if before is None else before

    def _devices(self) -> tuple[str, ...]:
        source = self.source
        if source.accept("device"):
            return (source.string(),)
        if not source.accept("devices"):
            return ()
        source.expect("=")
        source.expect("{")
        found = [source.string()]
        while source.accept(","):
            found.append(source.string())
        source.expect("}")
        return tuple(found)

    def priority(self, hook: str) -> int:
        """``priority filter - 10``."""
        source = self.source
        source.expect("priority")
        token = source.peek()
        try:
            priority = read_priority(source.string(), hook, self.family)
        except ValueError as problem:
            raise source.error(str(problem), token) from None
        if source.accept("+"):
            return priority + number(source)
        return priority - number(source) if source.accept("-") else priority

    # --- sets ---------------------------------------------------------------------------------------------------

    def named_set(self, name: str, origin: Origin, *, is_map: bool) -> tuple[NamedSet, dict[Key, Element]]:
        """A set's or map's block behind its opening brace: the set without elements, and the elements."""
        source = self.source
        head = NamedSet(name, (), origin=origin)
        elements: dict[Key, Element] = {}
        source.skip_ends()
        while not source.accept("}"):
            if source.accept("elements", "="):
                elements = self.elements(head, with_data=True)
            else:
                head = self._set_item(head)
            source.skip_ends()
        if not head.key or bool(head.data) is not is_map:
            raise RuleSyntaxError(
                "set definition does not specify key" if not is_map else "map definition does not specify data", origin
            )
        if "dynamic" in head.flags and head.size is None:
            head = replace(head, size=_DYNAMIC_SIZE)
        return head, elements

    def _set_item(self, head: NamedSet) -> NamedSet:
        source = self.source
        token = source.peek()
        word = source.word("type, flags, timeout, size, comment or elements")
        match word:
            case "type":
                key_types = self._types()
                return replace(head, key=key_types, data=self._types() if source.accept(":") else ())
            case "typeof":
                key_types = datatype(expression(source))
                return replace(head, key=key_types, data=self._typeof() if source.accept(":") else ())
            case "flags":
                return replace(head, flags=frozenset(self.words()))
            case "timeout":
                return replace(head, timeout_ms=self.time())
            case "gc-interval":
                return replace(head, gc_interval_ms=self.time())
            case "size":
                return replace(head, size=number(source))
            case "policy":
                return replace(head, policy=source.word("memory or performance"))
            case "auto-merge":
                return replace(head, auto_merge=True)
            case "counter" if source.at_end():
                return replace(head, counter=True)
            case _ if word in STATEFUL:
                source.at -= 1
                return replace(head, stateful=(*head.stateful, StatementReader(source, self.family).stateful()))
            case "comment":
                return replace(head, comment=source.string())
            case _:
                raise source.error(f"syntax error, unexpected {word!r} in a set", token)

    def _typeof(self) -> tuple[str, ...]:
        return ("verdict",) if self.source.accept("verdict") else datatype(expression(self.source))

    def _types(self) -> tuple[str, ...]:
        source = self.source
        types: list[str] = []
        while True:
            token = source.peek()
            word = source.word("a datatype")
            if word not in known_types() and word not in ("verdict", *OBJECT_KINDS):
                raise source.error(f"unknown datatype {word}", token)
            types.append(word)
            if not source.accept("."):
                return tuple(types)

    def elements(self, head: NamedSet, *, with_data: bool) -> dict[Key, Element]:
        """``{ key [timeout …] [: data], … }`` of a named set."""
        source = self.source
        source.expect("{")
        found: dict[Key, Element] = {}
        source.skip_ends()
        while not source.accept("}"):
            origin = source.origin()
            element_key = key(source, head.key)
            if len(element_key) != len(head.key) and str(element_key[0]) != "Wildcard()":
                raise RuleSyntaxError(f"the set's elements have {len(head.key)} parts", origin)
            found[element_key] = replace(self._element(head, with_data=with_data), origin=origin)
            source.skip_ends()
            if not source.accept(","):
                source.expect("}")
                break
            source.skip_ends()
        return found

    def _element(self, head: NamedSet, *, with_data: bool) -> Element:
        source = self.source
        element = Element()
        while source.peek().text in ("timeout", "expires", "comment", *STATEFUL):
            match source.peek().text:
                case "timeout":
                    source.next()
                    element = replace(element, timeout_ms=self.time())
                case "expires":
                    source.next()
                    self.time()
                case "comment":
                    source.next()
                    element = replace(element, comment=source.string())
                case _:
                    StatementReader(source, self.family).stateful()
        data: Data | None = None
        if source.peek().text == ":":
            source.next()
            data = data_of(source, head.data)
        if head.data and with_data and data is None:
            raise source.error("an element of a map needs data", None, "key : data")
        if data is not None and not head.data:
            raise source.error("an element of a set has no data")
        return replace(element, data=data if with_data else None)
