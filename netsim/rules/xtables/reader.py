"""From the words of a rule to its meaning, the way iptables reads its options.

Options are looked up among the general ones and those of the modules loaded so far, the newest first; a long option may be
cut short where that is not ambiguous. ``-p tcp --dport 80`` loads ``-m tcp`` by itself. What is read is a ``Fragment``: all of a
rule, or a part of it that stands alone (``-m comment --comment x``); parts add up to the whole.

Ref: iptables/xshared.c:do_parse() and libxtables/xtoptions.c:xtables_option_parse() (v1.8.9).
"""

from __future__ import annotations

from dataclasses import field
from difflib import get_close_matches
from typing import Any, NamedTuple

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    Counters,
    InterfaceMatch,
    Jump,
    Match,
    PrefixMatch,
    ProtocolMatch,
    Verdict,
)
from netsim.rules.xtables.fragment import Fragment
from netsim.rules.xtables.option import Extension, Given, Needs, Occurrence, Option, OptionError
from netsim.rules.xtables.registry import find_match, find_target, implicit_match, match_names, target_names
from netsim.rules.xtables.values import read_integer, read_interface, read_prefix, read_protocol


class _General(NamedTuple):
    """A general option: its letter, how many words follow it, and whether it may be inverted."""

    letter: str
    values: int
    inverts: bool = False


_GENERAL: dict[str, _General] = {
    "source": _General("s", 1, inverts=True),
    "src": _General("s", 1, inverts=True),
    "destination": _General("d", 1, inverts=True),
    "dst": _General("d", 1, inverts=True),
    "protocol": _General("p", 1, inverts=True),
    "in-interface": _General("i", 1, inverts=True),
    "out-interface": _General("o", 1, inverts=True),
    "jump": _General("j", 1),
    "goto": _General("g", 1),
    "match": _General("m", 1),
    "fragments": _General("f", 0, inverts=True),
    "fragment": _General("f", 0, inverts=True),
    "set-counters": _General("c", 2),
    "ipv4": _General("4", 0),
    "ipv6": _General("6", 0),
}
_OTHER_NAMES = (
    # further long options of iptables: a name cut short must not begin one of them either
    *(
        "append",
        "check",
        "delete",
        "delete-chain",
        "insert",
        "replace",
        "list",
        "list-rules",
        "flush",
        "zero",
        "new-chain",
    ),
    *(
        "policy",
        "rename-chain",
        "help",
        "version",
        "numeric",
        "verbose",
        "exact",
        "wait",
        "wait-interval",
        "line-numbers",
    ),
    *("modprobe", "table"),
)
_LETTERS = {row.letter: row for row in _GENERAL.values()}
_VERDICTS = {verdict.value: verdict for verdict in Verdict}
_FORBIDDEN = {"t": "-t", "w": "-w", "W": "-W"}


@dataclass(slots=True)
class _Loaded:
    """A module in use: its row and what was given to it."""

    extension: Extension[Any]
    given: Given
    is_target: bool


@dataclass(slots=True)
class _Reader:
    """The state of reading one rule. ``cut_short`` allows options to be cut short."""

    words: list[str]
    family: Family
    cut_short: bool
    result: Fragment = field(default_factory=Fragment)
    loaded: list[_Loaded] = field(default_factory=list)
    implicit: bool = False
    place: int = 0
    inverted: bool = False

    # --- words to options ---------------------------------------------------------------------------------------

    def read(self) -> Fragment:
        words, count = self.words, len(self.words)
        while self.place < count:
            word = words[self.place]
            if word == "!":
                if self.inverted:
                    raise OptionError("multiple consecutive ! not allowed", self.place)
                self.inverted = True
                self.place += 1
                continue
            if word.startswith("--") and len(word) > 2:
                self._long(word)
            elif word.startswith("-") and len(word) > 1:
                self._short(word)
            else:
                raise OptionError(f"Bad argument `{word}'", self.place, "an option begins with a dash")
        if self.inverted:
            raise OptionError("nothing appropriate following !", count - 1)
        return self._finish()

    def _refuse_old_negation(self, name: str, values: tuple[str, ...]) -> None:
        """``-s ! 1.2.3.4``, which iptables took until 1.4.3."""
        if values and values[0] == "!" and self.place < len(self.words):
            value = self.words[self.place]
            raise OptionError(f"Bad argument `{value}'", self.place, f"'!' stands before the option: ! {name} {value}")

    def _take(self, count: int, name: str, glued: str | None) -> tuple[str, ...]:
        """The option's values; moves on behind them."""
        if glued is not None:
            if count == 0:
                raise OptionError(f"option {name} takes no value", self.place)
            count -= 1
        first = self.place + 1
        values = tuple(self.words[first : first + count])
        if len(values) < count:
            raise OptionError(f'option "{name}" requires an argument', len(self.words) - 1)
        self.place = first + count
        return values if glued is None else (glued, *values)

    def _short(self, word: str) -> None:
        letter, glued = word[1], word[2:] or None
        if letter in _FORBIDDEN:
            advice = "the table is the section's (*TABLE)" if letter == "t" else "leave it out"
            raise OptionError(f"The -{letter} option cannot be used in iptables-restore.", self.place, advice)
        if (row := _LETTERS.get(letter)) is None:
            raise OptionError(f'unknown option "{word}"', self.place)
        if glued is not None and letter in "ps":
            raise OptionError(f'option "{word}" must stand apart from its value', self.place, f"-{letter} {glued}")
        self._general(row, name=word[:2], glued=glued)

    def _long(self, word: str) -> None:
        name, equals, value = word[2:].partition("=")
        glued = value if equals else None
        if (general := _GENERAL.get(name)) is not None:
            self._general(general, name=f"--{name}", glued=glued)
            return
        for loaded in reversed(self.loaded):
            if (option := loaded.extension.by_name.get(name)) is not None:
                self._extension_option(loaded, option, name, glued)
                return
        if self.cut_short and self._abbreviated(name, glued):
            return
        if self._load_implicit():
            self._long(word)
            return
        raise self._unknown(name)

    def _abbreviated(self, name: str, glued: str | None) -> bool:
        """Take an option that was cut short; False where there is none, or more than one."""
        if any(other.startswith(name) for other in _OTHER_NAMES):
            return False
        general = {row[0]: (row, full) for full, row in _GENERAL.items() if full.startswith(name)}
        found = [
            (loaded, option)
            for loaded in reversed(self.loaded)
            for option in loaded.extension.options
            if any(full.startswith(name) for full in (option.name, *option.aliases))
        ]
        if len(general) + len(found) != 1:
            return False
        if found:
            self._extension_option(*found[0], name, glued)
        else:
            row, full = next(iter(general.values()))
            self._general(row, name=f"--{full}", glued=glued)
        return True

    def _load_implicit(self) -> bool:
        """Load the match of the protocol that ``-p`` named, once. Ref: iptables/xshared.c:load_proto() (v1.8.9)."""
        protocol = self.result.protocol
        if self.implicit or protocol is None:
            return False
        extension = implicit_match(protocol.number, self.family)
        if extension is None:
            return False
        self.implicit = True
        self.loaded.append(_Loaded(extension, Given(extension.name, self.family, self.place), is_target=False))
        return True

    def _unknown(self, name: str) -> OptionError:
        known = [option for loaded in self.loaded for option in loaded.extension.by_name] + list(_GENERAL)
        advice = ""
        if name in ("dport", "sport", "destination-port", "source-port"):
            advice = "ports need -p tcp, -p udp or -p sctp before them"
        elif near := get_close_matches(name, known, 1):
            advice = f"did you mean --{near[0]}?"
        return OptionError(f'unknown option "--{name}"', self.place, advice)

    # --- general options ----------------------------------------------------------------------------------------

    def _general(self, row: _General, *, name: str, glued: str | None) -> None:
        letter, values, inverts = row
        word = self.place
        taken = self._take(values, name, glued)
        inverted, self.inverted = self.inverted, False
        if inverted and not inverts:
            raise OptionError(f"unexpected ! flag before {name}", word)
        if inverts:
            self._refuse_old_negation(name, taken)
        if letter == "m":
            self._load_match(taken[0], word)
            return
        seen = "j" if letter == "g" else letter
        if seen in self.result.used:
            raise OptionError(f"multiple -{letter} flags not allowed", word)
        self.result.used += seen
        try:
            self._set(letter, taken, inverted=inverted)
        except OptionError:
            raise
        except ValueError as problem:
            raise OptionError(str(problem), word + (1 if glued is None and values else 0)) from None

    def _set(self, letter: str, values: tuple[str, ...], *, inverted: bool) -> None:
        result = self.result
        match letter:
            case "s":
                result.sources = self._prefixes(values[0], inverted=inverted)
            case "d":
                result.destinations = self._prefixes(values[0], inverted=inverted)
            case "i":
                result.in_interface = _interface(values[0], inverted=inverted)
            case "o":
                result.out_interface = _interface(values[0], inverted=inverted)
            case "p":
                result.protocol = _protocol(values[0], inverted=inverted)
            case "f":
                if self.family is Family.IPV6:
                    raise ValueError('unknown option "-f"')
                result.fragment = not inverted
            case "c":
                result.counters = Counters(read_integer(values[0], 1 << 64), read_integer(values[1], 1 << 64))
            case "4" | "6":
                result.other_family = letter != str(self.family.value)
            case _:
                self._jump(values[0], goto=letter == "g")

    def _prefixes(self, text: str, *, inverted: bool) -> tuple[PrefixMatch | None, ...]:
        if "," not in text:
            return (prefix_match(text, self.family, inverted=inverted),)
        if inverted:
            raise ValueError("! not allowed with multiple source or destination IP addresses")
        return tuple(
            prefix_match(item.strip(), self.family, inverted=False) for item in text.split(",") if item.strip()
        )

    def _jump(self, name: str, *, goto: bool) -> None:
        result = self.result
        word = self.place - 1
        result.jump_word = word
        if not name:
            raise OptionError("Invalid target name (too short)", word)
        if not goto and (verdict := _VERDICTS.get(name)) is not None:
            result.target = verdict
        elif not goto and (extension := find_target(name, self.family)) is not None:
            self.loaded.append(_Loaded(extension, Given(name, self.family, word), is_target=True))
        else:
            result.target = Jump(name, goto)

    def _load_match(self, name: str, word: int) -> None:
        if (extension := find_match(name, self.family)) is None:
            near = get_close_matches(name, match_names(self.family), 1)
            advice = f"did you mean {near[0]}?" if near else ""
            raise OptionError(f"Couldn't load match `{name}': no such module", word + 1, advice)
        self.loaded.append(_Loaded(extension, Given(extension.name, self.family, word + 1), is_target=False))

    # --- options of modules -------------------------------------------------------------------------------------

    def _extension_option(self, loaded: _Loaded, option: Option, name: str, glued: str | None) -> None:
        word = self.place
        values = self._take(option.values, f"--{name}", glued)
        inverted, self.inverted = self.inverted, False
        module = loaded.extension.name
        if option.invertible:
            self._refuse_old_negation(f"--{name}", values)
        if inverted and not option.invertible:
            raise OptionError(f'{module}: option "--{option.name}" cannot be inverted.', word)
        if option.name in loaded.given.options:
            raise OptionError(f'{module}: option "--{option.name}" can only be used once.', word)
        loaded.given.options[option.name] = Occurrence(values, inverted, word)

    def _finish(self) -> Fragment:
        result = self.result
        matches: list[Match] = []
        needs: list[tuple[str, Needs, int]] = []
        for loaded in self.loaded:
            extension, given = loaded.extension, loaded.given
            _check_options(extension, given)
            value = extension.build(given)
            asked = extension.needs(value)
            if asked.protocols or asked.tables:
                needs.append((extension.name, asked, given.word))
            if loaded.is_target:
                result.target = value
            else:
                matches.append(value)
        result.matches, result.needs = tuple(matches), tuple(needs)
        if result.other_family or len(result.sources) != 1 or len(result.destinations) != 1:
            result.is_one = False
        return result


def _check_options(extension: Extension[Any], given: Given) -> None:
    """What an extension's table of options asks. Ref: libxtables/xtoptions.c:xtables_options_fcheck() (v1.8.9)."""
    for option in extension.constrained:
        if option.name not in given.options:
            if option.required:
                raise given.problem(f'option "--{option.name}" must be specified')
            continue
        for other in option.needs:
            if other not in given.options:
                raise given.problem(f'option "--{option.name}" also requires "--{other}".', option.name)
        for other in option.excludes:
            if other in given.options:
                raise given.problem(f'option "--{option.name}" cannot be used together with "--{other}".', option.name)


def prefix_match(text: str, family: Family, *, inverted: bool) -> PrefixMatch | None:
    """``-s`` or ``-d``: None where every address is meant. Raises ValueError for what is no prefix."""
    prefix = read_prefix(text, family)
    return None if prefix.prefixlen == 0 and not inverted else PrefixMatch(prefix, inverted)


def _interface(text: str, *, inverted: bool) -> InterfaceMatch | None:
    name = read_interface(text)
    return None if name == "+" and not inverted else InterfaceMatch(name, inverted)


def _protocol(text: str, *, inverted: bool) -> ProtocolMatch | None:
    number = read_protocol(text)
    if number == 0:
        if inverted:
            raise ValueError("rule would never match protocol")
        return None
    return ProtocolMatch(number, inverted)


def is_target(name: str, family: Family) -> bool:
    """True for what ``-j`` takes as a target; anything else is a chain."""
    return name in _VERDICTS or find_target(name, family) is not None


def read_words(words: list[str], family: Family, *, cut_short: bool = True) -> Fragment:
    """What the words say; raise OptionError for what iptables would refuse."""
    return _Reader(words, family, cut_short).read()


def suggest_target(name: str, chains: list[str], family: Family) -> str:
    """The chain or target that was probably meant, empty where none is near."""
    candidates = [*chains, *target_names(family), *_VERDICTS]
    near = get_close_matches(name, candidates, 1)
    return f"did you mean {near[0]}?" if near else ""
