"""A survey by the workers of a Dask cluster, which may be other machines; they need this program and Python of the same version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from netsim.matrix.ends import Question
from netsim.matrix.survey import Answered, Field, Workers, answer, chunks

if TYPE_CHECKING:
    from distributed import Client

CHUNKS_EACH = 4


def on_dask(client: Client) -> Workers:
    """Workers that are those of a client's cluster. What was walked on a lost worker is walked again on another."""

    def work(field: Field, questions: Sequence[Question]) -> Iterator[Answered]:
        from distributed import as_completed

        everywhere = client.scatter(field, broadcast=True, hash=False)
        threads = sum(worker["nthreads"] for worker in client.scheduler_info()["workers"].values())
        parts = chunks(questions, max(1, threads) * CHUNKS_EACH)
        waiting = [
            client.submit(answer_part, everywhere, part, [questions[number] for number in part], pure=False)
            for part in parts
        ]
        for _, found in as_completed(waiting, with_results=True):
            yield found

    return work


def answer_part(field: Field, numbers: Sequence[int], questions: Sequence[Question]) -> Answered:
    """Answer some questions. Classes are not kept from part to part: a part may run anywhere."""
    surveyor = field.surveyor()
    rows = tuple(answer(surveyor, field, question) for question in questions)
    return numbers, rows, surveyor.classes.walked
