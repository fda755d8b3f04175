"""The text of ``nft -f`` and ``nft list ruleset``, or the JSON of ``nft -j``, → typed rules. Ref: nft(8) 1.0.6, libnftables-json(5)."""

from __future__ import annotations

from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import Element, Key, NamedSet, OtherObject, Ruleset, TableFamily
from netsim.rules.nft.blocks import BlockReader
from netsim.rules.nft.json_commands import is_json, json_source
from netsim.rules.nft.statements import StatementReader
from netsim.rules.nft.tokens import Source, Token
from netsim.rules.nft.work import ChainUnderWork, SetUnderWork, TableUnderWork, check_table
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors

_VERBS = (
    "add",
    "create",
    "insert",
    "replace",
    "delete",
    "destroy",
    "flush",
    "reset",
    "rename",
    "list",
    "monitor",
    "export",
)
_OBJECTS = ("table", "chain", "rule", "set", "map", "element", "ruleset")
_FAMILIES = {family.value: family for family in TableFamily}
_OTHER_OBJECTS = ("counter", "quota", "limit", "flowtable", "secmark", "synproxy")


def parse(text: str, file: str, *, base: Ruleset | None = None) -> Ruleset:
    """The rules after ``nft -f`` of the text on a namespace that has ``base``.

    The text is ``nft -f``'s or ``nft -j``'s: what begins with a brace is JSON. It is one transaction: all or nothing.
    Raises RuleSyntaxErrors with everything that nft or the kernel would refuse.
    What nft knows and the model does not is kept as text (``NotModelled``, ``OtherObject``).
    Differs from nft 1.0.6: ``include`` and handles are refused, and types of statements are not checked against the chain's type.
    """
    loader = _Loader(json_source(text, file) if is_json(text) else Source(text, file))
    if base is not None:
        loader.tables = {key: TableUnderWork.of(table) for key, table in base.tables.items()}
    loader.load()
    if loader.errors:
        raise RuleSyntaxErrors(loader.errors)
    return Ruleset({key: table.done() for key, table in loader.tables.items()})


@dataclass(slots=True)
class _Loader:
    source: Source
    tables: dict[tuple[TableFamily, str], TableUnderWork] = field(default_factory=dict)
    errors: list[RuleSyntaxError] = field(default_factory=list)

    def load(self) -> None:
        source = self.source
        source.skip_ends()
        while source.peek().kind != "eof":
            try:
                self._command()
                if not source.at_end():
                    raise source.error(f"syntax error, unexpected {source.peek().text!r}")
                if source.accept("}"):
                    raise source.error("syntax error, unexpected '}'")
            except RuleSyntaxError as error:
                self.errors.append(error)
                self._recover()
            source.skip_ends()
        if not self.errors:
            nowhere = Origin(source.file, 1)
            self.errors += [error for table in self.tables.values() for error in check_table(table, nowhere)]

    def _recover(self) -> None:
        """Go on behind the line of an error."""
        source = self.source
        while source.at < len(source.tokens) - 1 and source.tokens[source.at].kind != "end":
            source.at += 1

    def _command(self) -> None:
        source = self.source
        token = source.peek()
        if token.kind == "error":
            raise source.error("the quote is not closed", token)
        verb = "add"
        if token.text in _VERBS:
            verb = source.next().text
        elif token.text == "define":
            self._define()
            return
        elif token.text not in _OBJECTS and token.text not in _OTHER_OBJECTS:
            advice = "add, delete, flush … or table"
            raise source.error(f"syntax error, unexpected {token.text!r}, expecting a command", token, advice)
        if verb in ("list", "monitor", "export", "reset", "rename"):
            raise source.error(f"{verb} does not describe rules and is refused here", token)
        self._object(verb, source.peek())

    def _define(self) -> None:
        source = self.source
        source.next()
        name = source.word("a name")
        source.expect("=")
        values: list[Token] = []
        depth = 0
        while source.peek().kind != "eof" and (depth or source.peek().kind != "end"):
            token = source.next()
            if token.kind != "end":
                values.append(token)
            depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "punctuation" else 0
        source.variables[name] = values

    def _object(self, verb: str, token: Token) -> None:
        source = self.source
        kind = source.word("table, chain, rule, set, map or element")
        if kind == "ruleset" and verb == "flush":
            family = _FAMILIES.get(source.peek().text)
            if family is not None:
                source.next()
            self.tables = {key: table for key, table in self.tables.items() if family not in (None, key[0])}
            return
        if kind == "ct" or kind in _OTHER_OBJECTS:
            self._other(verb, kind)
            return
        if kind not in _OBJECTS or kind == "ruleset":
            raise source.error(f"syntax error, unexpected {kind!r}, expecting {', '.join(_OBJECTS)}", token)
        family = _FAMILIES[source.next().text] if source.peek().text in _FAMILIES else TableFamily.IP
        name_token = source.peek()
        key = (family, source.word("a table's name"))
        if kind == "table":
            self._table(verb, key, name_token)
            return
        if (table := self.tables.get(key)) is None:
            raise source.error(
                f"No such file or directory: there is no table {family.value} {key[1]}", name_token, "add table first"
            )
        match kind:
            case "chain":
                self._chain(verb, table)
            case "rule":
                self._rule(verb, table)
            case "element":
                self._element(verb, table)
            case _:
                self._set(verb, table, is_map=kind == "map")

    # --- tables -------------------------------------------------------------------------------------------------

    def _table(self, verb: str, key: tuple[TableFamily, str], token: Token) -> None:
        source = self.source
        there = self.tables.get(key)
        match verb:
            case "delete" | "destroy" | "flush":
                if there is None and verb != "destroy":
                    raise source.error("No such file or directory", token)
                if verb == "flush" and there is not None:
                    for chain in there.chains.values():
                        chain.rules.clear()
                else:
                    self.tables.pop(key, None)
                return
            case "create" if there is not None:
                raise source.error("File exists", token)
            case "add" | "create":
                table = self.tables.setdefault(key, TableUnderWork(*key))
            case _:
                raise source.error(f"syntax error, {verb} is not for tables", token)
        if source.accept("{"):
            self._table_block(table)

    def _table_block(self, table: TableUnderWork) -> None:
        source = self.source
        source.skip_ends()
        while not source.accept("}"):
            token = source.peek()
            if token.kind == "eof":
                raise source.error("syntax error, unexpected end of file, expecting '}'")
            try:
                self._table_item(table)
            except RuleSyntaxError as error:
                self.errors.append(error)
                self._recover()
            source.skip_ends()

    def _table_item(self, table: TableUnderWork) -> None:
        source = self.source
        kind = source.word("chain, set, map, comment or flags")
        match kind:
            case "comment":
                table.comment = source.string()
            case "flags":
                table.flags = frozenset(self._blocks(table).words())
            case "chain":
                self._chain("add", table)
            case "set" | "map":
                self._set("add", table, is_map=kind == "map")
            case "ct" | "counter" | "quota" | "limit" | "flowtable" | "secmark" | "synproxy":
                if kind == "ct":
                    kind = f"ct {source.word('helper, timeout or expectation')}"
                self._keep(table, kind)
            case _:
                raise source.error(f"syntax error, unexpected {kind!r}", None, "chain, set, map, comment or flags")

    def _blocks(self, table: TableUnderWork) -> BlockReader:
        return BlockReader(self.source, table.family)

    # --- chains and rules ---------------------------------------------------------------------------------------

    def _chain(self, verb: str, table: TableUnderWork) -> None:
        source = self.source
        token = source.peek()
        name = source.string()
        there = table.chains.get(name)
        if verb in ("delete", "destroy", "flush"):
            if there is None and verb != "destroy":
                raise source.error(f"No such file or directory: there is no chain {name}", token)
            if verb == "flush" and there is not None:
                there.rules.clear()
            else:
                table.chains.pop(name, None)
            return
        if verb not in ("add", "create"):
            raise source.error(f"syntax error, {verb} is not for chains", token)
        if there is not None and verb == "create":
            raise source.error("File exists", token)
        chain = table.chains.setdefault(name, ChainUnderWork())
        if source.accept("{"):
            self._blocks(table).chain(chain, self.errors)

    def _rule(self, verb: str, table: TableUnderWork) -> None:
        source = self.source
        token = source.peek()
        name = source.string()
        if (chain := table.chains.get(name)) is None:
            raise source.error(
                f"No such file or directory: there is no chain {name}", token, f"add chain … {name} first"
            )
        if source.peek().text in ("handle", "position") and source.peek(1).text.isdecimal():
            raise source.error("rules have no handles here", None, "use index, or write the whole chain")
        index: int | None = None
        if source.accept("index"):
            index = int(source.word("a number"))
            if index >= len(chain.rules):
                raise source.error(f"there is no rule {index}", token)
        rule = StatementReader(source, table.family).rule()
        if verb == "add":
            chain.rules.insert(len(chain.rules) if index is None else index + 1, rule)
        elif verb == "insert":
            chain.rules.insert(0 if index is None else index, rule)
        else:
            raise source.error(
                f"{verb} rule needs a handle, and rules have none here", token, "flush the chain and add its rules"
            )

    # --- sets ---------------------------------------------------------------------------------------------------

    def _set(self, verb: str, table: TableUnderWork, *, is_map: bool) -> None:
        source = self.source
        token = source.peek()
        name = source.string()
        there = table.sets.get(name)
        if verb in ("delete", "destroy", "flush"):
            if there is None and verb != "destroy":
                raise source.error(f"No such file or directory: there is no set {name}", token)
            if verb == "flush" and there is not None:
                there.elements.clear()
            else:
                table.sets.pop(name, None)
            return
        if verb not in ("add", "create") or (there is not None and verb == "create"):
            raise source.error("File exists" if there else f"syntax error, {verb} is not for sets", token)
        source.expect("{")
        head, elements = self._blocks(table).named_set(name, source.origin(token), is_map=is_map)
        if there is None:
            table.sets[name] = SetUnderWork(head, elements)
        elif (there.head.key, there.head.data, there.head.flags) != (head.key, head.data, head.flags):
            raise source.error("File exists", token, "the set is there with another description")
        else:
            there.head = _updated(there.head, head)
            there.elements.update(elements)

    def _element(self, verb: str, table: TableUnderWork) -> None:
        source = self.source
        token = source.peek()
        name = source.string()
        if (there := table.sets.get(name)) is None:
            raise source.error(f"No such file or directory: there is no set {name}", token)
        if verb not in ("add", "create", "delete", "destroy"):
            raise source.error(f"syntax error, {verb} is not for elements", token)
        elements = self._blocks(table).elements(there.head, with_data=verb in ("add", "create"))
        for key, element in elements.items():
            self._put(verb, there, key, element, token)

    def _put(self, verb: str, there: SetUnderWork, key: Key, element: Element, token: Token) -> None:
        if verb in ("delete", "destroy"):
            if there.elements.pop(key, None) is None and verb == "delete":
                raise self.source.error("No such file or directory: there is no such element", token)
            return
        before = there.elements.get(key)
        if before is not None and (verb == "create" or before.data != element.data):
            raise self.source.error("File exists: the element is there", token)
        there.elements[key] = element

    # --- what is not modelled -----------------------------------------------------------------------------------

    def _other(self, verb: str, kind: str) -> None:
        source = self.source
        if kind == "ct":
            kind = f"ct {source.word('helper, timeout or expectation')}"
        family = _FAMILIES[source.next().text] if source.peek().text in _FAMILIES else TableFamily.IP
        token = source.peek()
        key = (family, source.word("a table's name"))
        if (table := self.tables.get(key)) is None:
            raise source.error("No such file or directory: there is no such table", token)
        if verb in ("delete", "destroy"):
            table.others.pop(f"{kind} {source.string()}", None)
            return
        self._keep(table, kind)

    def _keep(self, table: TableUnderWork, kind: str) -> None:
        name = self.source.string()
        start = self.source.at
        if self.source.accept("{"):
            depth = 1
            while depth and self.source.peek().kind != "eof":
                token = self.source.next()
                depth += {"{": 1, "}": -1}.get(token.text, 0) if token.kind == "punctuation" else 0
        else:
            self.source.rest()
        text = self.source.between(start, self.source.at)
        table.others[f"{kind} {name}"] = OtherObject(kind, name, text)


def _updated(there: NamedSet, again: NamedSet) -> NamedSet:
    """A set that is added again: its times and size change, its comment does not. Ref: nf_tables_api.c:nf_tables_newset() (v6.12)."""
    return replace(
        there,
        timeout_ms=there.timeout_ms if again.timeout_ms is None else again.timeout_ms,
        gc_interval_ms=there.gc_interval_ms if again.gc_interval_ms is None else again.gc_interval_ms,
        size=there.size if again.size is None else again.size,
    )
