"""The explorer visits every leaf of any tree of choices once, in order, and the probabilities add up to exactly 1."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netsim.trace.explore import ReplayError, ScriptedChooser, SeededChooser, explore, run_once

trees = st.recursive(
    st.just(None), lambda inner: st.lists(st.tuples(st.integers(0, 4), inner), min_size=1, max_size=4), max_leaves=25
)


def options_of(node):
    total = sum(weight for weight, _ in node) or None
    if total is None:
        return [(str(index), Fraction(int(index == 0))) for index in range(len(node))]
    return [(str(index), Fraction(weight, total)) for index, (weight, _) in enumerate(node)]


def walk_of(tree):
    def walk(chooser):
        path, node = [], tree
        while node is not None:
            index = chooser.choose(f"at {path}", options_of(node))
            path.append(index)
            node = node[index][1]
        return tuple(path)

    return walk


def leaves(node, path=()):
    if node is None:
        yield path
        return
    for index, (_, chance) in enumerate(options_of(node)):
        if chance:
            yield from leaves(node[index][1], (*path, index))


@given(trees)
@settings(max_examples=150, deadline=None)
def test_every_leaf_is_visited_once_in_the_order_of_the_options(tree):
    explored = list(explore(walk_of(tree)))
    assert [branch.value for branch in explored] == list(leaves(tree))


@given(trees)
@settings(max_examples=150, deadline=None)
def test_probabilities_add_up_to_exactly_one(tree):
    assert sum((branch.probability for branch in explore(walk_of(tree))), start=Fraction(0)) == 1


@given(trees, st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_a_seed_draws_one_of_the_branches_and_always_the_same(tree, seed):
    drawn = run_once(walk_of(tree), SeededChooser(seed))
    again = run_once(walk_of(tree), SeededChooser(seed))
    assert drawn == again
    assert drawn in list(explore(walk_of(tree), seed=seed))


def test_seeds_draw_as_often_as_the_probability_says():
    def walk(chooser):
        return chooser.choose("coin", [("rare", Fraction(1, 10)), ("never", Fraction(0)), ("often", Fraction(9, 10))])

    drawn = [run_once(walk, SeededChooser(seed)).value for seed in range(2000)]
    assert 140 < drawn.count(0) < 260
    assert drawn.count(1) == 0


@given(st.integers(0, 2**32), st.integers(1, 65535), st.integers(0, 5000))
def test_a_port_is_in_its_range_and_depends_on_seed_and_description_only(seed, first, span):
    last = min(first + span, 65535)
    ports = [ScriptedChooser((), seed=seed).port("MASQUERADE on node1", first, last) for _ in range(2)]
    assert ports[0] == ports[1]
    assert first <= ports[0] <= last


def test_the_second_question_for_a_port_gets_another_answer():
    chooser = ScriptedChooser(seed=1)
    assert len({chooser.port("same words", 1024, 65535) for _ in range(8)}) > 1
    assert [picked.description for picked in chooser.picked] == ["same words"] * 8


def test_a_walk_that_changes_between_runs_is_caught():
    runs = []

    def walk(chooser):
        runs.append(None)
        chooser.choose(f"run {len(runs)}", [("a", Fraction(1, 2)), ("b", Fraction(1, 2))])
        chooser.choose("then", [("a", Fraction(1, 2)), ("b", Fraction(1, 2))])

    with pytest.raises(ReplayError, match="had come to 'run 1' before"):
        list(explore(walk))


def test_options_that_do_not_add_up_are_refused():
    with pytest.raises(ValueError, match="'broken' do not add up"):
        ScriptedChooser().choose("broken", [("a", Fraction(1, 2))])


def test_a_settled_chooser_forks_no_more_and_counts_nothing():
    def walk(chooser):
        chooser.choose("before", [("a", Fraction(1, 3)), ("b", Fraction(2, 3))])
        chooser.settle()
        return chooser.choose("after", [("a", Fraction(1, 2)), ("b", Fraction(1, 2))])

    explored = list(explore(walk))
    assert [branch.value for branch in explored] == [0, 0]
    assert [branch.probability for branch in explored] == [Fraction(1, 3), Fraction(2, 3)]
