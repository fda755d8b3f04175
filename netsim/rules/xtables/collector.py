"""Python's garbage collector, kept out of the way of large texts."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """No collection inside: a load makes hundreds of thousands of values, none of which is garbage.

    Looking through them again and again would take more time than making them (3.8 s instead of 1.4 s for 110,000 rules).
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            _age()
            gc.enable()


def _age() -> None:
    """Count everything that is there as old: the next collection looks at what is new, and not through the whole load (0.8 s)."""
    if not gc.get_freeze_count():
        gc.freeze()
        gc.unfreeze()
