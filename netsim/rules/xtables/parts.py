"""Reading rules part by part, so that what was read once is not read again.

``-s 10.0.0.1 -m comment --comment x -j KUBE-MARK-MASQ`` has three parts, cut before ``-m`` and ``-j``. A part that stands alone (all its
options are general ones or its own module's) means the same in every rule. A node's rules repeat the same few parts
thousands of times. Whatever does not stand alone is None here and is to be read as a whole: this is a way to be fast, never
another meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from netsim.net.address import Family
from netsim.rules.xtables import words as quoting
from netsim.rules.xtables.ast import Match
from netsim.rules.xtables.fragment import Fragment
from netsim.rules.xtables.option import Needs, OptionError
from netsim.rules.xtables.reader import is_target, read_words


@dataclass(slots=True)
class PartReader:
    """Remembers the parts that it has read."""

    family: Family
    known: dict[str, Fragment | None] = field(default_factory=dict)

    def read(self, specification: str) -> Fragment | None:
        """What a rule's words behind the chain's name say; None where they must be read as a whole.

        The specification begins with a blank, and has no backslash.
        """
        known = self.known
        first, *rest = specification.replace(" -j ", " -m -j ").split(" -m ")
        fragments: list[Fragment] = []
        if first and not first.isspace():
            rest.insert(0, first)
        for text in rest:
            fragment = known[text] if text in known else self._part(text)
            if fragment is None:
                return None
            fragments.append(fragment)
        return fragments[0] if len(fragments) == 1 else _joined(fragments)

    def _part(self, text: str) -> Fragment | None:
        fragment = _comment(text) or self._jump(text)
        if fragment is None and text.count('"') % 2 == 0:
            words = quoting.split(text)
            if text[:1] not in ("-", " "):
                words.insert(0, "-m")
            try:
                fragment = read_words(words, self.family, cut_short=False)
            except OptionError:
                fragment = None
        self.known[text] = fragment
        return fragment

    def _jump(self, text: str) -> Fragment | None:
        """A jump to a chain, which is half of all parts."""
        if text[:3] != "-j " or " " in text[3:] or '"' in text or len(text) == 3:
            return None
        name = text[3:]
        if is_target(name, self.family):
            return None
        return Fragment.jump(name)


def _comment(text: str) -> Fragment | None:
    """A comment alone, which is most of the other half."""
    if text[:18] == "comment --comment ":
        comment = text[18:]
        if comment[:1] == '"':
            if len(comment) > 1 and comment[-1] == '"' and comment.count('"') == 2:
                return Fragment.comment(comment[1:-1])
        elif comment and '"' not in comment and " " not in comment and "\t" not in comment:
            return Fragment.comment(comment)
    return None


def _joined(fragments: list[Fragment]) -> Fragment | None:
    """One fragment that says what all of them say; None where two give the same option."""
    whole = Fragment()
    used = ""
    matches: tuple[Match, ...] = ()
    needs: tuple[tuple[str, Needs, int], ...] = ()
    for part in fragments:
        matches += part.matches
        needs += part.needs
        letters = part.used
        if not letters:
            continue
        for letter in letters:
            if letter in used:
                return None
        used += letters
        if part.target is not None:
            whole.target = part.target
        if letters == "j":
            continue
        if "s" in letters:
            whole.sources = part.sources
        if "d" in letters:
            whole.destinations = part.destinations
        whole.in_interface = part.in_interface or whole.in_interface
        whole.out_interface = part.out_interface or whole.out_interface
        whole.protocol = part.protocol or whole.protocol
        whole.fragment = part.fragment if "f" in letters else whole.fragment
        whole.counters = part.counters or whole.counters
        whole.other_family = whole.other_family or part.other_family
    whole.used, whole.matches, whole.needs = used, matches, needs
    return whole
