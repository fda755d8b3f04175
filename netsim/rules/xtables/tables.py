"""Tables that are being built, and what their chains may be called."""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.rules.xtables.ast import BUILTIN_CHAINS, Chain, Counters, Rule, Table, Verdict
from netsim.rules.xtables.values import read_integer

_CHAIN_NAME_LENGTH = 28
_POLICIES = {"ACCEPT": Verdict.ACCEPT, "DROP": Verdict.DROP}
_RESERVED = frozenset(verdict.value for verdict in Verdict)
NO_COUNTERS = Counters()
NAT_DROP = 'The "nat" table is not intended for filtering, the use of DROP is therefore inhibited.'


class LineRefusedError(Exception):
    """A line that is refused; ``word`` counts its words from 0."""

    def __init__(self, message: str, advice: str = "", word: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.word = word


@dataclass(slots=True)
class ChainUnderWork:
    """A chain that is being built."""

    policy: Verdict | None = None
    counters: Counters = NO_COUNTERS
    rules: list[Rule] = field(default_factory=list)


@dataclass(slots=True)
class TableUnderWork:
    """A table that is being built; its built-in chains exist from the start."""

    name: str
    chains: dict[str, ChainUnderWork]

    @classmethod
    def empty(cls, name: str) -> TableUnderWork:
        """A table as the kernel makes it."""
        return cls(name, {chain: ChainUnderWork(Verdict.ACCEPT) for chain in BUILTIN_CHAINS[name]})

    @classmethod
    def of(cls, table: Table) -> TableUnderWork:
        """A table to be changed, with what it has."""
        chains = cls.empty(table.name).chains
        for chain in table.chains.values():
            chains[chain.name] = ChainUnderWork(chain.policy, chain.counters, list(chain.rules))
        return cls(table.name, chains)

    def flush(self) -> None:
        """Empty the built-in chains, which keep their policies, and forget the others."""
        self.chains = {name: ChainUnderWork(self.chains[name].policy) for name in BUILTIN_CHAINS[self.name]}

    def done(self) -> Table:
        """The table as a value."""
        chains = {
            name: Chain(name, tuple(chain.rules), chain.policy, chain.counters) for name, chain in self.chains.items()
        }
        return Table(self.name, chains)


def read_policy(name: str, word: int) -> Verdict:
    """A built-in chain's policy."""
    if name not in _POLICIES:
        raise LineRefusedError(f"Bad policy name {name!r}", "ACCEPT or DROP", word)
    return _POLICIES[name]


def check_chain_name(name: str, word: int) -> None:
    """Raise LineRefusedError for a name that no chain may have."""
    length = len(name.encode())
    if length > _CHAIN_NAME_LENGTH:
        raise LineRefusedError(
            f"chain name `{name}' too long (must be under {_CHAIN_NAME_LENGTH + 1} chars)", f"it has {length}", word
        )
    if not name or name[0] in "-!":
        raise LineRefusedError(f"chain name not allowed to start with `{name[:1]}'", "", word)
    if name in _RESERVED:
        raise LineRefusedError("chain name may not clash with target name", "", word)


def read_counters(text: str) -> Counters:
    """``[packets:bytes]``; zero where it is none, which iptables-restore does not mind."""
    if text == "[0:0]":
        return NO_COUNTERS
    packets, colon, size = text.strip("[]").partition(":")
    try:
        return Counters(read_integer(packets, 1 << 64), read_integer(size, 1 << 64)) if colon else NO_COUNTERS
    except ValueError:
        return NO_COUNTERS
