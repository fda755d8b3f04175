"""Reading rules part by part, so that what was read once is not read again.

``-s 10.0.0.1 -m comment --comment x -m tcp --dport 80 -j KUBE-MARK-MASQ`` has four parts: the comment, the words on both sides of it, and
what ``-j`` begins. A part that stands alone (all its options are general ones or its own modules') means the same in every rule, and a
node's rules repeat the same few parts thousands of times, once an address is taken out of them. Whatever does not stand alone
is None here and is to be read as a whole: this is a way to be fast, never another meaning.
"""

from __future__ import annotations

import re
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.xtables import words as quoting
from netsim.rules.xtables.ast import CommentMatch, DNATTarget, Jump, Match, NATRange
from netsim.rules.xtables.extensions.comment import read_comment
from netsim.rules.xtables.fragment import Fragment, Reading
from netsim.rules.xtables.option import OptionError
from netsim.rules.xtables.reader import is_target, prefix_match, read_words
from netsim.rules.xtables.registry import needs_of
from netsim.rules.xtables.values import read_address

_COMMENT = '-m comment --comment "'
# An address and what stands on both sides of it. Every option before it is known, so that none takes "-s" or "-d" for its value.
_ADDRESSED = re.compile(
    r"((?:-m (?:tcp|udp|sctp) )?(?:-p [a-z0-9]+ )?(?:--[ds]port [0-9:]+ )?)(! )?-([sd]) ([0-9a-fA-F.:/]+)(?: (.*))?"
)
_DNAT = re.compile(r"DNAT --to-destination (?:([0-9.]+)|\[([0-9a-f:]+)\]):([1-9][0-9]{0,4})")
_LAST_PORT = 0xFFFF


@dataclass(slots=True)
class PartReader:
    """Remembers the parts that it has read: comments, what ``-j`` begins, and any other words."""

    family: Family
    comments: dict[str, CommentMatch] = field(default_factory=dict)
    targets: dict[str, Jump | Fragment | None] = field(default_factory=dict)
    others: dict[str, Fragment | None] = field(default_factory=dict)

    def read(self, specification: str) -> Reading | None:
        """What a rule's words behind the chain's name say; None where they must be read as a whole.

        The specification begins with a blank, and has no backslash.
        """
        text, jumps, tail = specification.rpartition(" -j ")
        if not jumps:
            text = tail
        whole: Fragment | None = None
        matches: tuple[Match, ...] = ()
        while text:
            before, comment, text = text.partition(_COMMENT)
            if words := before.strip(" "):
                part = self.others.get(words) or self._words(words)
                if part is None or (comment and before[-1] != " "):
                    return None
                if (whole := part if whole is None else whole.joined(part)) is None:
                    return None
                matches += part.matches
            if comment:
                comment, ends, text = text.partition('"')
                if not ends or (text and text[0] != " "):
                    return None
                matches += (self.comments.get(comment) or self._comment(comment),)
        said = whole or _NOTHING
        return self._with_target(said, matches, tail) if jumps else (said, matches, said.target)

    def _with_target(self, whole: Fragment, matches: tuple[Match, ...], text: str) -> Reading | None:
        target = self.targets.get(text) or self._target(text)
        if isinstance(target, Jump):
            return None if "j" in whole.used else (whole, matches, target)
        if target is None or (both := whole.joined(target)) is None:
            return None
        return both, matches + target.matches, target.target

    def _comment(self, text: str) -> CommentMatch:
        found = self.comments[text] = read_comment(text)
        return found

    def _words(self, text: str) -> Fragment | None:
        if text not in self.others:
            self.others[text] = self._addressed(text) or self._read(text)
        return self.others[text]

    def _addressed(self, text: str) -> Fragment | None:
        """Words with an address among them: without it they are the same in rule after rule."""
        found = _ADDRESSED.fullmatch(text)
        if found is None:
            return None
        before, inverted, letter, address, behind = found.groups()
        rest = (before + behind if behind else before).strip(" ")
        base = self.others.get(rest) or self._words(rest)
        if base is None or letter in base.used:
            return None
        try:
            match = prefix_match(address, self.family, inverted=inverted is not None)
        except ValueError:
            return None
        return base.with_prefix(letter, match)

    def _read(self, text: str) -> Fragment | None:
        if text.count('"') % 2:
            return None
        try:
            return read_words(quoting.split(text), self.family, cut_short=False)
        except OptionError:
            return None

    def _target(self, text: str) -> Jump | Fragment | None:
        found: Jump | Fragment | None
        if text in self.targets:
            return self.targets[text]
        if text and " " not in text and '"' not in text and not is_target(text, self.family):
            found = Jump(text)
        else:
            found = self._dnat(text) or self._read(f"-j {text}")
        self.targets[text] = found
        return found

    def _dnat(self, text: str) -> Fragment | None:
        """DNAT to one address and port, of which there is one for each endpoint."""
        found = _DNAT.fullmatch(text)
        if found is None or (found[1] is None) is (self.family is Family.IPV4):
            return None
        port = int(found[3])
        try:
            address = read_address(found[1] or found[2], self.family)
        except ValueError:
            return None
        if port > _LAST_PORT:
            return None
        target = DNATTarget(NATRange(address, address, port, port))
        fragment = Fragment()
        fragment.used, fragment.jump_word, fragment.target = "j", 1, target
        fragment.needs = (("DNAT", needs_of(target), 1),)
        return fragment


_NOTHING = Fragment()
