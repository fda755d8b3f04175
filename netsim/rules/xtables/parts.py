"""Reading rules part by part, so that what was read once is not read again.

``-s 10.0.0.1 -m comment --comment x -j KUBE-MARK-MASQ`` has three parts, cut before ``-m`` and ``-j``. A part that stands alone (all its
options are general ones or its own module's) means the same in every rule. A node's rules repeat the same few parts
thousands of times. Whatever does not stand alone is None here and is to be read as a whole: this is a way to be fast, never
another meaning.
"""

from __future__ import annotations

import re
from copy import copy
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.net.address import Family
from netsim.rules.xtables import words as quoting
from netsim.rules.xtables.ast import CommentMatch, DNATTarget, Jump, Match, NATRange
from netsim.rules.xtables.extensions.comment import read_comment
from netsim.rules.xtables.fragment import Fragment
from netsim.rules.xtables.option import OptionError
from netsim.rules.xtables.reader import is_target, prefix_match, read_words
from netsim.rules.xtables.registry import needs_of
from netsim.rules.xtables.values import read_address

# A part in which a word "-s" or "-d" is that option: nothing before it takes a value that may look so.
_PLAIN = re.compile(r"(?:tcp|udp|sctp) |(?:-p [a-z0-9]+ )?(?:! )?-[sd] ")
_ADDRESSES = re.compile(r"(?:(?<= )|^)(! )?-([sd]) ([0-9a-fA-F.:/]+)(?: |$)")
_DNAT = re.compile(r"-j DNAT --to-destination ([0-9.]+):([1-9][0-9]{0,4})")
_LAST_PORT = 0xFFFF


@dataclass(slots=True)
class PartReader:
    """Remembers the parts that it has read."""

    family: Family
    known: dict[str, Fragment | None] = field(default_factory=dict)
    jumps: dict[str, Jump] = field(default_factory=dict)

    def read(self, specification: str) -> Fragment | None:
        """What a rule's words behind the chain's name say; None where they must be read as a whole.

        The specification begins with a blank, and has no backslash.
        """
        known = self.known
        first, *parts = specification.replace(" -j ", " -m -j ").split(" -m ")
        if first and not first.isspace():
            parts.insert(0, first)
        whole = Fragment()
        matches: list[Match] = []
        for text in parts:
            if text[:18] == "comment --comment " and (found := _comment(text)) is not None:
                comment, text = found
                matches.append(comment)
                if not text:
                    continue
            if text[:3] == "-j " and (jump := self._jump(text)) is not None:
                if "j" in whole.used:
                    return None
                whole.used += "j"
                whole.target, whole.jump_word = jump, 1
            else:
                part = known[text] if text in known else self._part(text)
                if part is None or not _join(whole, part):
                    return None
                matches += part.matches
        whole.matches = tuple(matches)
        return whole

    def _part(self, text: str) -> Fragment | None:
        fragment: Fragment | None = None
        if text.count('"') % 2 == 0:
            fragment = self._dnat(text) or self._with_addresses(text) or self._read(text)
        self.known[text] = fragment
        return fragment

    def _read(self, text: str) -> Fragment | None:
        words = quoting.split(text)
        if text[:1] not in ("-", " "):
            words.insert(0, "-m")
        try:
            return read_words(words, self.family, cut_short=False)
        except OptionError:
            return None

    def _with_addresses(self, text: str) -> Fragment | None:
        """A part with ``-s`` and ``-d`` among ``-p`` and its module's options: without these two it is the same in rule after rule."""
        found = _ADDRESSES.findall(text) if _PLAIN.match(text) else []
        if not found:
            return None
        rest = _ADDRESSES.sub("", text)
        base = self.known[rest] if rest in self.known else self._remember(rest)
        if base is None or "s" in base.used or "d" in base.used:
            return None
        whole = copy(base)
        for inverted, letter, prefix in found:
            if letter in whole.used:
                return None
            try:
                match = prefix_match(prefix, self.family, inverted=bool(inverted))
            except ValueError:
                return None
            whole.used += letter
            if letter == "s":
                whole.sources = (match,)
            else:
                whole.destinations = (match,)
        return whole

    def _remember(self, text: str) -> Fragment | None:
        fragment = self.known[text] = self._read(text) if text.strip() else Fragment()
        return fragment

    def _dnat(self, text: str) -> Fragment | None:
        """DNAT to one address and port, of which there is one for each endpoint."""
        found = _DNAT.fullmatch(text) if self.family is Family.IPV4 else None
        if found is None or int(found[2]) > _LAST_PORT:
            return None
        try:
            address = read_address(found[1], Family.IPV4)
        except ValueError:
            return None
        port = int(found[2])
        target = DNATTarget(NATRange(address, address, port, port))
        fragment = Fragment()
        fragment.used, fragment.jump_word, fragment.target = "j", 1, target
        fragment.needs = (("DNAT", needs_of(target), 1),)
        return fragment

    def _jump(self, text: str) -> Jump | None:
        """A jump to a chain, which is half of all parts."""
        found = self.jumps.get(text)
        if found is not None:
            return found
        name = text[3:]
        if not name or " " in name or '"' in name or is_target(name, self.family):
            return None
        found = self.jumps[text] = Jump(name)
        return found


def _comment(text: str) -> tuple[CommentMatch, str] | None:
    """A comment, which is most of the other half, and what stands behind it: a part of its own, with general options."""
    if text[18:19] == '"':
        comment, quote, rest = text[19:].partition('"')
        if not quote or (rest and rest[0] != " "):
            return None
    else:
        comment, _, rest = text[18:].partition(" ")
        if not comment or '"' in comment or "\t" in comment:
            return None
    return read_comment(comment), rest.strip(" ")


def _join(whole: Fragment, part: Fragment) -> bool:
    """Let the whole say what a part says, its matches aside; False where both give the same option."""
    letters = part.used
    for letter in letters:
        if letter in whole.used:
            return False
    if part.needs:
        whole.needs += part.needs
    if not letters:
        return True
    whole.used += letters
    if part.target is not None:
        whole.target, whole.jump_word = part.target, part.jump_word
    if letters == "j":
        return True
    if "s" in letters:
        whole.sources = part.sources
    if "d" in letters:
        whole.destinations = part.destinations
    if part.protocol is not None:
        whole.protocol = part.protocol
    if letters.strip("sdpj"):
        whole.in_interface = part.in_interface or whole.in_interface
        whole.out_interface = part.out_interface or whole.out_interface
        whole.fragment = part.fragment if "f" in letters else whole.fragment
        whole.counters = part.counters or whole.counters
        whole.other_family = whole.other_family or part.other_family
    return True
