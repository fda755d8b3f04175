"""iptables-restore, line by line, on tables that are being built.

Ref: iptables/iptables-restore.c:ip46tables_restore_main() (v1.8.9).
"""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.source import Origin, RuleSyntaxError
from netsim.rules.xtables import words as quoting
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Counters, Jump, Rule
from netsim.rules.xtables.check import check_table
from netsim.rules.xtables.commands import chain_command, chain_of, command_letter, find_rules, index_of
from netsim.rules.xtables.fragment import Fragment, Reading
from netsim.rules.xtables.option import OptionError
from netsim.rules.xtables.parts import PartReader
from netsim.rules.xtables.placement import refusal
from netsim.rules.xtables.reader import read_words, suggest_target
from netsim.rules.xtables.tables import (
    ChainUnderWork,
    LineRefusedError,
    TableUnderWork,
    check_chain_name,
    read_counters,
    read_policy,
)


@dataclass(slots=True)
class Loader:
    """Takes a text into tables. ``errors`` is everything that was refused; where there is any, the tables mean nothing."""

    family: Family
    file: str
    parts: PartReader
    noflush: bool = False
    tables: dict[str, TableUnderWork] = field(default_factory=dict)
    errors: list[RuleSyntaxError] = field(default_factory=list)
    table: TableUnderWork | None = None
    line: str = ""
    number: int = 0

    def load(self, text: str) -> None:
        """Take every line of the text; report at its end a table that was not committed."""
        for number, line in enumerate(text.split("\n"), 1):
            self.number, self.line = number, line
            if line[:1] in ("-", "[") and self._append_by_parts(line):
                continue
            stripped = line.strip()
            if stripped and line[0] != "#":
                self._take(stripped)
        if self.table is not None:
            self.line = ""
            self._refuse(f"COMMIT expected: the table {self.table.name} is not closed", "add a line COMMIT", 0)

    def _take(self, stripped: str) -> None:
        try:
            if stripped[0] == "*":
                self._open(stripped[1:].strip())
            elif self.table is None:
                raise LineRefusedError("a table must be opened first", "write *filter (or *nat, …) before the rules")
            elif stripped == "COMMIT":
                self._commit(self.table)
            elif stripped[0] == ":":
                self._declare(self.table, stripped[1:].split())
            else:
                self._command(self.table, quoting.split(self.line))
        except LineRefusedError as refused:
            self._refuse(refused.message, refused.advice, refused.word)
        except quoting.UnclosedQuoteError as unclosed:
            self._refuse(str(unclosed), 'close it with "', 0)

    def _refuse(self, message: str, advice: str, word: int) -> None:
        try:
            found = quoting.split_with_columns(self.line)
            column = found[min(word, len(found) - 1)].column if found else 1
        except quoting.UnclosedQuoteError as unclosed:
            column = unclosed.column
        self.errors.append(RuleSyntaxError(message, self._origin(column), advice))

    def _origin(self, column: int = 1) -> Origin:
        return Origin(self.file, self.number, column, self.line)

    # --- tables and chains --------------------------------------------------------------------------------------

    def _open(self, name: str) -> None:
        unclosed = self.table
        if name not in BUILTIN_CHAINS:
            self.table = unclosed or TableUnderWork.empty("filter")
            raise LineRefusedError(f"no table {name!r}", f"the tables are {', '.join(BUILTIN_CHAINS)}")
        table = self.tables.get(name)
        if table is None:
            table = self.tables[name] = TableUnderWork.empty(name)
        elif not self.noflush:
            table.flush()
        self.table = table
        if unclosed is not None:
            raise LineRefusedError(f"the table {unclosed.name} is not closed", "add a line COMMIT before this one")

    def _commit(self, table: TableUnderWork) -> None:
        self.table = None
        if not self.errors:
            chains = {name: chain.rules for name, chain in table.chains.items()}
            self.errors += check_table(table.name, chains, self._origin())

    def _declare(self, table: TableUnderWork, words: list[str]) -> None:
        if len(words) < 2:
            raise LineRefusedError("policy invalid", f":{words[0] if words else 'NAME'} - [0:0]")
        name, policy = words[0], words[1]
        check_chain_name(name, 0)
        counters = read_counters(words[2]) if len(words) > 2 else Counters()
        if name in BUILTIN_CHAINS[table.name]:
            table.chains[name].counters = counters
            if policy != "-":
                table.chains[name].policy = read_policy(policy, 1)
        elif policy != "-":
            raise LineRefusedError(
                f"Can't set policy `{policy}' on `{name}'", "only built-in chains have one: write -", 1
            )
        elif name in table.chains:
            table.chains[name].rules.clear()
        else:
            table.chains[name] = ChainUnderWork(counters=counters)

    # --- rules --------------------------------------------------------------------------------------------------

    def _append_by_parts(self, line: str) -> bool:
        """Append a rule whose parts each stand alone; False where the line is to be read as a whole, and perhaps refused."""
        table = self.table
        if table is None or "\\" in line:
            return False
        counted = line.find("] -A ") + 2 if line[0] == "[" else 0
        start = counted + 3
        end = line.find(" ", start)
        name = line[start:end]
        if line[counted:start] != "-A " or end < 0 or (chain := table.chains.get(name)) is None:
            return False
        found = self.parts.read(line[end:])
        if found is None or refusal(table, name, found) is not None:
            return False
        chain.rules += self._rules(found, read_counters(line[: counted - 1]) if counted else None)
        return True

    def _rules(self, reading: Reading, counters: Counters | None) -> list[Rule]:
        """The rules that a line stands for: one for each source and destination, none for the other family's."""
        fragment, matches, target = reading
        origin = Origin(self.file, self.number, 1, self.line)
        return [
            Rule(
                each.sources[0],
                each.destinations[0],
                each.in_interface,
                each.out_interface,
                each.protocol,
                each.fragment,
                matches,
                target,
                each.counters or counters,
                origin,
            )
            for each in ((fragment,) if fragment.is_one else fragment.apart())
        ]

    def _command(self, table: TableUnderWork, words: list[str]) -> None:
        counters: Counters | None = None
        at = 0
        if words[0].startswith("["):
            if not words[0].endswith("]"):
                raise LineRefusedError("need ]", "[packets:bytes] -A …")
            counters, at = read_counters(words[0]), 1
        letter = command_letter(words[at] if at < len(words) else "")
        if letter is None:
            raise LineRefusedError(
                f"Bad argument `{words[min(at, len(words) - 1)]}'", "a line begins with a command such as -A", at
            )
        if letter in "ACDIR":
            self._rule_command(table, letter, words, at, counters)
        else:
            chain_command(table, letter, words, at)

    def _rule_command(
        self, table: TableUnderWork, letter: str, words: list[str], at: int, counters: Counters | None
    ) -> None:
        chain = chain_of(table, words, at + 1, f"-{letter}")
        rest = at + 2
        number: int | None = None
        if letter in "IDR" and rest < len(words) and words[rest].isdecimal():
            number, rest = int(words[rest]), rest + 1
        if letter == "D" and number is not None and rest == len(words):
            del chain.rules[index_of(chain, number, rest - 1)]
            return
        if (letter == "R" and number is None) or (letter == "D" and number is not None):
            raise LineRefusedError(f"-{letter} takes a rule number{'' if letter == 'R' else ' or a rule'}", "", at + 2)
        fragment = self._read(table, words, at + 1, rest)
        rules = self._rules(fragment.reading(), counters)
        match letter:
            case "A":
                chain.rules += rules
            case "I":
                self._insert(chain, rules, 1 if number is None else number, rest)
            case "R":
                if len(rules) != 1:
                    raise LineRefusedError("Replacement rule does not specify a unique address", "", rest)
                chain.rules[index_of(chain, number or 0, rest - 1)] = rules[0]
            case _:
                find_rules(chain, rules, delete=letter == "D")

    def _read(self, table: TableUnderWork, words: list[str], chain_word: int, rest: int) -> Fragment:
        try:
            fragment = read_words(words[rest:], self.family)
        except OptionError as problem:
            raise LineRefusedError(problem.message, problem.advice, problem.word + rest) from None
        if (refused := refusal(table, words[chain_word], fragment.reading())) is not None:
            if isinstance(fragment.target, Jump) and not refused.advice:
                refused.advice = suggest_target(fragment.target.chain, list(table.chains), self.family)
            raise LineRefusedError(refused.message, refused.advice, refused.word + rest)
        return fragment

    def _insert(self, chain: ChainUnderWork, rules: list[Rule], number: int, word: int) -> None:
        if not 1 <= number <= len(chain.rules) + 1:
            raise LineRefusedError("Index of insertion too big.", f"the chain has {len(chain.rules)} rules", word - 1)
        for rule in rules:
            chain.rules.insert(number - 1, rule)
