"""A fixed piece of pure Python, timed beside everything else: machines differ and are noisy, ratios to it less so."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

ROUNDS = 200_000


def loop() -> int:
    """Dictionary, attribute-free arithmetic and string work in a fixed amount; about 50 ms on a 2024 server core."""
    seen: dict[int, str] = {}
    total = 0
    for number in range(ROUNDS):
        key = (number * 2654435761) & 0xFFF
        seen[key] = str(number)
        total += len(seen[key]) ^ key
    return total


def seconds(work: Callable[[], object], runs: int = 5) -> float:
    """The median processor time of some runs, after one that is not counted: what else runs on the machine counts less."""
    work()
    found = []
    for _ in range(runs):
        begin = time.process_time()
        work()
        found.append(time.process_time() - begin)
    return median(found)


def yardstick() -> float:
    """Seconds of processor time that the loop takes here and now."""
    return seconds(loop)
