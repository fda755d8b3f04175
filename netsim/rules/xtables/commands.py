"""The commands of a line that are not about one rule: chains are made, emptied, deleted, and get policies."""

from __future__ import annotations

from collections.abc import Callable

from netsim.rules.xtables.ast import BUILTIN_CHAINS, Counters, Rule
from netsim.rules.xtables.tables import (
    NAT_DROP,
    ChainUnderWork,
    LineRefusedError,
    TableUnderWork,
    check_chain_name,
    read_policy,
)

_COMMANDS = {
    # long name: letter
    "append": "A",
    "check": "C",
    "delete": "D",
    "delete-chain": "X",
    "flush": "F",
    "insert": "I",
    "new-chain": "N",
    "policy": "P",
    "rename-chain": "E",
    "replace": "R",
    "zero": "Z",
}


def command_letter(word: str) -> str | None:
    """The letter of a command, long or short; None where it is none."""
    if word.startswith("--"):
        begun = [letter for name, letter in _COMMANDS.items() if name.startswith(word[2:])]
        return _COMMANDS.get(word[2:]) or (begun[0] if len(begun) == 1 else None)
    return word[1] if len(word) == 2 and word[0] == "-" and word[1] in _COMMANDS.values() else None


def chain_of(table: TableUnderWork, words: list[str], at: int, command: str) -> ChainUnderWork:
    """The chain that a word names; raise LineRefusedError where there is none."""
    if at >= len(words):
        raise LineRefusedError(f'option "{command}" requires an argument', "the name of a chain", len(words) - 1)
    name = words[at]
    if name not in table.chains:
        check_chain_name(name, at)
        advice = f"declare it first: :{name} - [0:0]" if command in ("-A", "-I") else ""
        raise LineRefusedError(f"no chain {name!r} in table {table.name}", advice, at)
    return table.chains[name]


def _new(table: TableUnderWork, words: list[str], at: int) -> None:
    if at >= len(words):
        raise LineRefusedError('option "-N" requires an argument', "the name of a chain")
    check_chain_name(words[at], at)
    if words[at] in table.chains:
        raise LineRefusedError(f"Chain already exists: {words[at]}", "", at)
    table.chains[words[at]] = ChainUnderWork()


def _delete(table: TableUnderWork, words: list[str], at: int) -> None:
    builtin = BUILTIN_CHAINS[table.name]
    if at >= len(words):
        for name in [name for name in table.chains if name not in builtin]:
            if table.chains[name].rules:
                raise LineRefusedError(f"chain {name} is not empty", "flush it first (-F)")
            del table.chains[name]
        return
    chain = chain_of(table, words, at, "-X")
    if words[at] in builtin:
        raise LineRefusedError(f"{words[at]} is a built-in chain and cannot be deleted", "-F empties it", at)
    if chain.rules:
        raise LineRefusedError(f"chain {words[at]} is not empty", "flush it first (-F)", at)
    del table.chains[words[at]]


def _flush(table: TableUnderWork, words: list[str], at: int) -> None:
    for chain in [chain_of(table, words, at, "-F")] if at < len(words) else list(table.chains.values()):
        chain.rules.clear()


def _zero(table: TableUnderWork, words: list[str], at: int) -> None:
    for chain in [chain_of(table, words, at, "-Z")] if at < len(words) else list(table.chains.values()):
        chain.counters = Counters()


def _set_policy(table: TableUnderWork, words: list[str], at: int) -> None:
    chain = chain_of(table, words, at, "-P")
    if words[at] not in BUILTIN_CHAINS[table.name]:
        raise LineRefusedError(f"{words[at]} is no built-in chain: it has no policy", "", at)
    if at + 1 >= len(words):
        raise LineRefusedError("-P requires a chain and a policy", "-P INPUT DROP", at)
    if table.name == "nat" and words[at + 1] == "DROP":
        raise LineRefusedError(NAT_DROP, "drop in the filter table", at + 1)
    chain.policy = read_policy(words[at + 1], at + 1)


def _rename(table: TableUnderWork, words: list[str], at: int) -> None:
    chain_of(table, words, at, "-E")
    raise LineRefusedError("renaming chains (-E) is not modelled", "delete the chain and make another", at - 1)


def find_rules(chain: ChainUnderWork, rules: list[Rule], *, delete: bool) -> None:
    """Raise LineRefusedError unless the chain has the rules (``-C``); take them out (``-D``)."""
    for rule in rules:
        if rule not in chain.rules:
            raise LineRefusedError("Bad rule (does a matching rule exist in that chain?).")
        if delete:
            chain.rules.remove(rule)


def index_of(chain: ChainUnderWork, number: int, word: int) -> int:
    """The index of the rule of that number, which counts from 1."""
    if not 1 <= number <= len(chain.rules):
        raise LineRefusedError(f"there is no rule {number}", f"the chain has {len(chain.rules)} rules", word)
    return number - 1


_TAKE: dict[str, Callable[[TableUnderWork, list[str], int], None]] = {
    "N": _new,
    "X": _delete,
    "F": _flush,
    "Z": _zero,
    "P": _set_policy,
    "E": _rename,
}


def chain_command(table: TableUnderWork, letter: str, words: list[str], at: int) -> None:
    """Carry out a command whose word is at ``at``."""
    extra = at + (3 if letter in "PE" else 2)
    if extra < len(words):
        raise LineRefusedError(f"Bad argument `{words[extra]}'", "", extra)
    _TAKE[letter](table, words, at + 1)
