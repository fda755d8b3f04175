"""The test of frequencies: exact, and wrong as seldom as it says."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest

from netsim.verify.frequency import ERROR, refused, tail

HALF, THIRD = Fraction(1, 2), Fraction(1, 3)


@pytest.mark.parametrize(
    ("n", "k", "p", "upper", "chance"),
    [
        (10, 0, HALF, False, Fraction(1, 1024)),
        (10, 10, HALF, True, Fraction(1, 1024)),
        (10, 0, HALF, True, Fraction(1)),
        (3, 2, THIRD, True, Fraction(7, 27)),
        (3, 1, THIRD, False, Fraction(20, 27)),
    ],
)
def test_tail(n, k, p, upper, chance):
    assert tail(n, k, p, upper=upper) == chance


def test_what_chance_allows_is_let_pass():
    assert refused({"a": 26, "b": 34}, {"a": HALF, "b": HALF}) == ()


def test_an_outcome_that_nothing_foretells_is_refused():
    assert refused({"c": 1}, {"a": Fraction(1)}) == (
        "c: 1 of 1 times, and no branch foretells it",
        "a: 0 of 1 times, and the model says 1",
    )


def test_a_branch_that_is_never_taken_is_refused():
    told = refused({"a": 60}, {"a": HALF, "b": HALF})
    assert told == ("a: 60 of 60 times, and the model says 1/2", "b: 0 of 60 times, and the model says 1/2")


def test_a_true_model_is_refused_no_more_often_than_it_says():
    n = 60
    wrong = [k for k in range(n + 1) if refused({"a": k, "b": n - k}, {"a": THIRD, "b": 1 - THIRD})]
    chance = sum(comb(n, k) * THIRD**k * (1 - THIRD) ** (n - k) for k in wrong)
    assert 0 < chance <= ERROR


def test_a_skew_of_a_half_to_a_quarter_is_found_in_sixty():
    assert refused({"a": 15 - 10, "b": 55}, {"a": HALF, "b": HALF})
