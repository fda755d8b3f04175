"""Are the branches taken as often as the model says? An exact test with a bound on its error.

The number of times that a branch of probability p is taken in n independent exchanges is binomially distributed. A count is refused where
it, or one as far out on the same side, has a probability below ``ERROR`` divided by twice the number of branches: so a true model is
refused with a probability of at most ``ERROR``. Everything is whole numbers; nothing is approximated.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import comb

ERROR = Fraction(1, 1_000_000)


def tail(n: int, k: int, p: Fraction, *, upper: bool) -> Fraction:
    """The probability of at least (``upper``) or at most k successes in n trials."""
    a, b = p.numerator, p.denominator
    counted = range(k, n + 1) if upper else range(k + 1)
    return Fraction(sum(comb(n, i) * a**i * (b - a) ** (n - i) for i in counted), b**n)


def refused(counts: Mapping[str, int], expected: Mapping[str, Fraction]) -> tuple[str, ...]:
    """What of the counts cannot be chance, a sentence each; empty where all can. ``expected`` are probabilities that add up to 1."""
    n = sum(counts.values())
    bound = ERROR / (2 * max(1, len(expected)))
    told = [f"{outcome}: {count} of {n} times, and no branch foretells it"
            for outcome, count in sorted(counts.items()) if outcome not in expected]  # fmt: skip
    for outcome, p in sorted(expected.items()):
        k = counts.get(outcome, 0)
        if min(tail(n, k, p, upper=True), tail(n, k, p, upper=False)) < bound:
            told.append(f"{outcome}: {k} of {n} times, and the model says {p}")
    return tuple(told)
