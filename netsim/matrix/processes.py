"""A survey by several processes of this machine."""

from __future__ import annotations

import gc
import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import ClassVar

from netsim.flows.survey import Surveyor
from netsim.matrix.ends import Question
from netsim.matrix.survey import Answered, Field, Workers, answer, chunks, here

CHUNKS_EACH = 8
"""How many parts each process gets: more spread the load more evenly, fewer find classes again less often."""


def processes(count: int) -> Workers:
    """Workers that are so many processes. One is this process."""
    if count == 1:
        return here

    def work(field: Field, questions: Sequence[Question]) -> Iterator[Answered]:
        size = max(1, min(count, len(questions)))
        if "fork" in multiprocessing.get_all_start_methods():
            _Here.begin(field)  # what this process has, a forked one has too
            gc.collect()
            gc.freeze()  # and shares its memory, as long as the collector does not write to it
            pool = ProcessPoolExecutor(size, multiprocessing.get_context("fork"))
        else:
            pool = ProcessPoolExecutor(size, None, _Here.begin, (field,))
        try:
            yield from _answers(pool, size, questions)
        finally:
            gc.unfreeze()
            _Here.end()

    return work


def _answers(pool: ProcessPoolExecutor, count: int, questions: Sequence[Question]) -> Iterator[Answered]:
    with pool:
        parts = chunks(questions, count * CHUNKS_EACH)
        waiting = [pool.submit(_answer, part, [questions[number] for number in part]) for part in parts]
        for done in as_completed(waiting):
            yield done.result()


class _Here:
    """What a process of the pool knows: it is told once, and keeps the classes that it has found."""

    field: ClassVar[Field | None] = None
    surveyor: ClassVar[Surveyor | None] = None

    @classmethod
    def begin(cls, field: Field) -> None:
        """Take in the field."""
        cls.field, cls.surveyor = field, field.surveyor()

    @classmethod
    def end(cls) -> None:
        """Forget it."""
        cls.field = cls.surveyor = None


def _answer(numbers: Sequence[int], questions: Sequence[Question]) -> Answered:
    field, surveyor = _Here.field, _Here.surveyor
    assert field is not None
    assert surveyor is not None
    before = surveyor.classes.walked
    rows = tuple(answer(surveyor, field, question) for question in questions)
    return numbers, rows, surveyor.classes.walked - before
