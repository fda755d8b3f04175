"""What becomes of a flow, as far as every flow of its class has it in common: verdicts, backends, sources seen, with names put in later."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from netsim.net.address import Address
from netsim.trace.model import Branch, Trace, Verdict


@dataclass(frozen=True, slots=True)
class Bare:
    """What one branch came to, apart from names."""

    probability: Fraction
    verdict: Verdict
    reason: str


@dataclass(frozen=True, slots=True)
class Way:
    """One branch's outcome.

    ``backend`` is the address and port that the first packet arrived at or was translated to, ``source`` the address that the receiver
    saw, ``receiver`` whose socket took it; None where there is none.
    """

    probability: Fraction
    verdict: Verdict
    reason: str
    backend: tuple[Address, int] | None
    source: Address | None
    receiver: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of one flow: its branches in the order of the explorer."""

    ways: tuple[Way, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the branches'."""
        order = list(Verdict)
        return max((way.verdict for way in self.ways), key=order.index)

    @property
    def decisive(self) -> Way:
        """The first branch that has the flow's verdict."""
        verdict = self.verdict
        return next(way for way in self.ways if way.verdict is verdict)

    @property
    def reason(self) -> str:
        """The reason of the decisive branch."""
        return self.decisive.reason

    @property
    def delivered(self) -> Fraction:
        """The probability of the branches that are delivered."""
        return sum((way.probability for way in self.ways if way.verdict is Verdict.DELIVERED), start=Fraction(0))


def outcome_of(trace: Trace) -> Outcome:
    """What a trace says, without its steps."""
    return Outcome(tuple(way_of(branch) for branch in trace.branches))


def way_of(branch: Branch) -> Way:
    """What one branch says, without its steps."""
    source = branch.seen_source[0] if branch.seen_source is not None else None
    return Way(branch.probability, branch.verdict, branch.reason, branch.backend, source, branch.delivered_to)
