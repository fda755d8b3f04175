"""What some words of a rule say: all of a rule, or a part of it that stands alone."""

from __future__ import annotations

from netsim.rules.xtables.ast import Counters, InterfaceMatch, Match, PrefixMatch, ProtocolMatch, Target
from netsim.rules.xtables.option import Needs


class Fragment:
    """What some words say.

    Its defaults are the class's, so that making one costs nothing: there is one for each part of each rule.
    ``used`` holds the letters of the general options that were given. ``sources`` and ``destinations`` are all prefixes of a
    comma list, each of which makes a rule of its own; ``(None,)`` for any. ``other_family`` is true where ``-4`` or ``-6`` sends
    the rule to the other family's tables. ``jump_word`` is where ``-j`` stands.
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
    jump_word: int = 0
