"""Colour on a terminal, and none elsewhere: an argument, no state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from netsim.dataclass import dataclass
from netsim.trace.model import Verdict


@dataclass(frozen=True, slots=True)
class Style:
    """What each part of a text looks like: the numbers of an SGR sequence (ECMA-48 §8.3.117) by the part's name; none is plain."""

    codes: Mapping[str, str] = field(default_factory=dict)

    def paint(self, text: str, part: str) -> str:
        """The text with its part's colour around it."""
        code = self.codes.get(part)
        return f"\x1b[{code}m{text}\x1b[0m" if code and text else text

    def verdict(self, verdict: Verdict, text: str | None = None) -> str:
        """A verdict's word (or another text) in the verdict's colour."""
        return self.paint(verdict.value if text is None else text, _VERDICT_PARTS[verdict])


_VERDICT_PARTS: dict[Verdict, str] = {
    Verdict.DELIVERED: "good",
    Verdict.REJECTED: "bad",
    Verdict.DROPPED: "bad",
    Verdict.NO_ROUTE: "bad",
    Verdict.LOOP: "bad",
    Verdict.LEFT: "doubtful",
    Verdict.MISDELIVERED: "bad",
    Verdict.UNKNOWN: "doubtful",
}

PLAIN = Style()
COLOUR = Style(
    {
        "good": "1;32",
        "bad": "1;31",
        "doubtful": "1;33",
        "heading": "1",
        "place": "1;36",
        "rewrite": "33",
        "rule": "2",
        "word": "2",
    }
)
