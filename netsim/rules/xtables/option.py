"""What an extension is to the reader and the dumper: a name, its options as data, and how values and words are made.

A new match or target is one row: an ``Extension`` with its ``Option``s, a ``build`` that turns what was given into a
value of the AST, and a ``words`` that says it again as iptables-save does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from netsim.net.address import Family

V = TypeVar("V")
T = TypeVar("T")


class OptionError(ValueError):
    """Something that iptables refuses at one word of a line; ``word`` counts the line's words from 0."""

    def __init__(self, message: str, word: int, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.word = word
        self.advice = advice


@dataclass(frozen=True, slots=True)
class Option:
    """One option by its long name, without dashes.

    ``values`` is how many words follow it. ``needs`` and ``excludes`` name other options of the extension.
    An option that is not ``modelled`` makes the whole extension not modelled where it is used.
    """

    name: str
    aliases: tuple[str, ...] = ()
    values: int = 1
    invertible: bool = False
    required: bool = False
    modelled: bool = True
    needs: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()


class Occurrence(NamedTuple):
    """An option as it was given."""

    values: tuple[str, ...]
    inverted: bool
    word: int


@dataclass(slots=True)
class Given:
    """What a rule gave to one extension: options by their names, in the order of the text."""

    extension: str
    family: Family
    word: int
    options: dict[str, Occurrence] = field(default_factory=dict)

    def __contains__(self, option: str) -> bool:
        return option in self.options

    def inverted(self, option: str) -> bool:
        """True where the option stands behind ``!``."""
        found = self.options.get(option)
        return found is not None and found.inverted

    def text(self, option: str) -> str:
        """The option's value as written; empty where it is absent."""
        found = self.options.get(option)
        return found.values[0] if found is not None else ""

    def read(self, option: str, reader: Callable[[str], T]) -> T | None:
        """The option's value, None where it is absent. A reader's ValueError becomes a problem at the option's value."""
        if (found := self.options.get(option)) is None:
            return None
        try:
            return reader(found.values[0])
        except ValueError as problem:
            raise OptionError(f"{self.extension}: bad value for --{option}: {problem}", found.word + 1) from None

    def problem(self, message: str, option: str | None = None, advice: str = "") -> OptionError:
        """A problem at an option, or at the extension's own name."""
        word = self.options[option].word if option in self.options else self.word
        return OptionError(f"{self.extension}: {message}", word, advice)

    def words(self) -> tuple[str, ...]:
        """All of it as words again, in the order of the text."""
        words: list[str] = []
        for name, found in self.options.items():
            words += [*(["!"] if found.inverted else []), f"--{name}", *found.values]
        return tuple(words)


@dataclass(frozen=True, slots=True)
class Needs:
    """What the kernel asks of a rule that uses an extension; empty means anything goes."""

    protocols: tuple[int, ...] = ()
    tables: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()


NOTHING = Needs()


def nothing(_value: object) -> Needs:
    """The needs of most."""
    return NOTHING


PORT_PROTOCOLS = (6, 17, 136, 132, 33)
BOTH = (Family.IPV4, Family.IPV6)


@dataclass(frozen=True, eq=False)
class Extension(Generic[V]):
    """One match or target module.

    ``words`` are what iptables-save prints behind ``-m`` or ``-j``, quoted where need be. They start with the module's name,
    which may depend on the value and the family.
    """

    name: str
    options: tuple[Option, ...]
    build: Callable[[Given], V]
    words: Callable[[V, Family], list[str]]
    types: tuple[type, ...]
    needs: Callable[[V], Needs] = nothing
    families: tuple[Family, ...] = BOTH
    by_name: dict[str, Option] = field(init=False)
    constrained: tuple[Option, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = {name: option for option in self.options for name in (option.name, *option.aliases)}
        constrained = tuple(option for option in self.options if option.required or option.needs or option.excludes)
        object.__setattr__(self, "by_name", names)
        object.__setattr__(self, "constrained", constrained)


def flag(name: str, *, present: bool) -> list[str]:
    """``--name`` where it is present."""
    return [f"--{name}"] if present else []


def inverting(words: list[str], *, inverted: bool) -> list[str]:
    """The words with ``!`` in front where inverted."""
    return ["!", *words] if inverted else words
