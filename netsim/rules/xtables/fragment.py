"""What some words of a rule say: all of a rule, or a part of it that stands alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from netsim.rules.xtables.ast import Counters, InterfaceMatch, Match, PrefixMatch, ProtocolMatch, Target
from netsim.rules.xtables.option import Needs


class Fragment:
    """What some words say.

    Its defaults are the class's, so that making one costs nothing: there is one for each part of each rule.
    ``used`` holds the letters of the general options that were given. ``sources`` and ``destinations`` are all prefixes of a
    comma list, each of which makes a rule of its own; ``(None,)`` for any. ``other_family`` is true where ``-4`` or ``-6`` sends
    the rule to the other family's tables. ``is_one`` where exactly one rule comes of it. ``jump_word`` is where ``-j`` stands.
    """

    used: str = ""
    sources: tuple[PrefixMatch | None, ...] = (None,)
    destinations: tuple[PrefixMatch | None, ...] = (None,)
    in_interface: InterfaceMatch | None = None
    out_interface: InterfaceMatch | None = None
    protocol: ProtocolMatch | None = None
    fragment: bool | None = None
    matches: tuple[Match, ...] = ()
    target: Target | None = None
    counters: Counters | None = None
    needs: tuple[tuple[str, Needs, int], ...] = ()
    other_family: bool = False
    is_one: bool = True
    jump_word: int = 0

    def apart(self) -> Iterator[Fragment]:
        """One for each source and destination, none for the other family's."""
        if not self.other_family:
            for source in self.sources:
                for destination in self.destinations:
                    found = Fragment()
                    vars(found).update(vars(self), sources=(source,), destinations=(destination,))
                    yield found

    def reading(self) -> Reading:
        """What a whole rule says."""
        return self, self.matches, self.target

    def with_prefix(self, letter: str, prefix: PrefixMatch | None) -> Fragment:
        """The same with one source (``s``) or destination (``d``), which it has not."""
        found = Fragment()
        vars(found).update(vars(self))
        found.used += letter
        if letter == "s":
            found.sources = (prefix,)
        else:
            found.destinations = (prefix,)
        return found

    def joined(self, part: Fragment) -> Fragment | None:
        """What both say, matches aside; None where both give the same option."""
        mine = self.used
        for letter in part.used:
            if letter in mine:
                return None
        found = Fragment()
        said = vars(found)
        said.update(vars(self))
        said.update(vars(part))
        found.used = mine + part.used
        found.needs = self.needs + part.needs
        return found


Reading: TypeAlias = tuple[Fragment, tuple[Match, ...], Target | None]
"""What a whole rule says: its matches and target, and a fragment that knows the rest (its own may be a part of them only)."""
