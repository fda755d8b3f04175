"""netsim: where does this packet go, and why?

``netsim.api`` says what there is; it is imported when the first of it is used, so that the command line does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from netsim.api import (
        Branch,
        Hop,
        Leg,
        LoadError,
        Mend,
        Mode,
        Protocol,
        SourceError,
        Trace,
        UnknownNameError,
        Verdict,
        World,
        assert_reachable,
        assert_unreachable,
        load,
        loads,
        render_text,
        trace_document,
    )

__all__ = [
    "Branch",
    "Hop",
    "Leg",
    "LoadError",
    "Mend",
    "Mode",
    "Protocol",
    "SourceError",
    "Trace",
    "UnknownNameError",
    "Verdict",
    "World",
    "assert_reachable",
    "assert_unreachable",
    "load",
    "loads",
    "render_text",
    "trace_document",
]


def __getattr__(name: str) -> object:
    """What ``__all__`` names, from ``netsim.api``. Ref: PEP 562."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from netsim import api

    found: object = getattr(api, name)
    return found


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
