"""Where a rule was written: the text that errors and traces point at."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """A place in a text: ``file`` is a path or a description such as ``kube-proxy on node1``; line and column count from 1."""

    file: str
    line: int
    column: int = 1
    text: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class RuleSyntaxError(ValueError):
    """A rule text that the real tool would refuse, with its place and what to do about it."""

    def __init__(self, message: str, origin: Origin, advice: str = "") -> None:
        super().__init__(f"{origin}: {message}")
        self.message = message
        self.origin = origin
        self.advice = advice


class RuleSyntaxErrors(ValueError):  # noqa: N818 - it carries several
    """Everything that the real tool would refuse in a text, in the order of its lines; never empty."""

    def __init__(self, errors: Sequence[RuleSyntaxError]) -> None:
        super().__init__("\n".join(str(error) for error in errors))
        self.errors = tuple(errors)
