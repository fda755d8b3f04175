"""Texts of the nftables mode in tests: how two are compared, and a model of what ``nft -f`` does with one."""

from __future__ import annotations

import re
from collections import defaultdict


def nftables_form(text: str):
    """The rules of each chain in their order, and everything else (declarations, elements, deletions) sorted."""
    rules = defaultdict(list)
    others = []
    for line in text.splitlines():
        words = line.split()
        if words[:2] == ["add", "rule"]:
            rules[words[4]].append(line)
        else:
            others.append(line)
    return dict(rules), sorted(others)


_BLOCK = re.compile(r"^\t(?P<head>(?:set|map|chain) \S+) \{\n(?P<body>.*?)^\t\}$", re.MULTILINE | re.DOTALL)
_ELEMENTS = re.compile(r"\t\telements = \{(?P<elements>.*)\}\n", re.DOTALL)


def listing(text: str):
    """What ``nft list ruleset`` prints of a table, by object: its lines, then its elements sorted."""
    found = {}
    for block in _BLOCK.finditer(text):
        body = block["body"]
        elements = _ELEMENTS.search(body)
        items = sorted(" ".join(e.split()) for e in elements["elements"].split(",")) if elements else []
        found[block["head"]] = ([*_ELEMENTS.sub("", body).splitlines()], items)
    assert found
    return found


class TransactionError(Exception):
    """A statement that Linux would refuse."""


class NftablesTable:
    """A table as Linux would keep it. ``apply`` takes a transaction as a whole or not at all.

    It refuses what Linux refuses: what is not there cannot be flushed, deleted or led to; what is in use cannot be deleted;
    an element cannot be added again with another value. Adding what is there changes nothing but a set's timeout.
    """

    def __init__(self):
        self.exists = False
        self.chains = {}
        self.declared = {}
        self.elements = {}

    def apply(self, transaction: str) -> None:
        copy = NftablesTable()
        copy.exists = self.exists
        copy.chains = {name: list(rules) for name, rules in self.chains.items()}
        copy.declared = dict(self.declared)
        copy.elements = {name: dict(items) for name, items in self.elements.items()}
        for line in transaction.splitlines():
            copy._statement(line)
        copy._check_references()
        self.__dict__.update(copy.__dict__)

    def form(self):
        """As ``nftables_form`` of the text that would make it, without the table and the comments of elements."""
        rules = {chain: rules for chain, rules in self.chains.items() if rules}
        elements = [
            f"{name} {{ {key}{value} }}" for name, items in self.elements.items() for key, value in items.items()
        ]
        return rules, sorted(self.declared.values()), sorted(elements)

    def _statement(self, line: str) -> None:
        verb, kind, _family, _table, *rest = line.split(" ", 5)
        if (verb, kind) == ("add", "table"):
            self.exists = True
            return
        self._need(self.exists, line)
        getattr(self, f"_{verb}_{kind}")(line, *rest)

    def _need(self, condition, line: str) -> None:
        if not condition:
            raise TransactionError(line)

    def _add_chain(self, line, name, declaration=""):
        present = self.declared.get(("chain", name))
        self._need(present in (None, line) or not declaration, line)
        self.declared.setdefault(("chain", name), line)
        self.chains.setdefault(name, [])

    def _flush_chain(self, line, name):
        self._need(name in self.chains, line)
        self.chains[name] = []

    def _delete_chain(self, line, name):
        self._need(self.chains.pop(name, None) == [], line)
        del self.declared["chain", name]

    def _add_rule(self, line, chain, _rule):
        self._need(chain in self.chains, line)
        self.chains[chain].append(line)

    def _add_container(self, kind, line, name):
        present = self.declared.get((kind, name), line)
        self._need(re.sub(r"timeout \d+s", "", present) == re.sub(r"timeout \d+s", "", line), line)
        self.declared[kind, name] = line
        self.elements.setdefault(name, {})

    def _add_set(self, line, name, _type):
        self._add_container("set", line, name)

    def _add_map(self, line, name, _type):
        self._add_container("map", line, name)

    def _delete_set(self, line, name):
        self._need(name in self.elements, line)
        del self.declared["set", name], self.elements[name]

    def _flush_set(self, line, name):
        self._need(name in self.elements, line)
        self.elements[name] = {}

    _flush_map = _flush_set

    def _add_element(self, line, name, body):
        self._need(name in self.elements, line)
        key, value = element(body)
        self._need(self.elements[name].get(key, value) == value, line)
        self.elements[name][key] = value

    def _delete_element(self, line, name, body):
        key, _ = element(body)
        self._need(self.elements.get(name, {}).pop(key, None) is not None, line)

    def _check_references(self):
        texts = [rule for rules in self.chains.values() for rule in rules]
        texts += [value for items in self.elements.values() for value in items.values()]
        for text in texts:
            for chain in re.findall(r"(?:goto|jump) (\S+)", text):
                self._need(chain in self.chains, f"{chain} is led to by {text}")
            for name in re.findall(r"@(\S+)", text):
                self._need(name in self.elements, f"{name} is asked by {text}")


def element(body: str) -> tuple[str, str]:
    """Key, and `` : value`` or nothing, of what stands in braces; without the comment."""
    key, colon, value = re.sub(r' comment "[^"]*"', "", body.strip("{} ")).partition(" : ")
    return key, f"{colon}{value}"


def table_form(text: str):
    """The form of ``NftablesTable.form``, of a table written as a text that would make it."""
    rules, others = nftables_form(text)
    declared = [line for line in others if line.split()[1] in ("chain", "set", "map")]
    elements = []
    for line in others:
        if line.startswith("add element"):
            name, body = line.split(" ", 5)[4:]
            key, value = element(body)
            elements.append(f"{name} {{ {key}{value} }}")
    return rules, sorted(declared), sorted(elements)
