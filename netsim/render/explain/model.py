"""What there is to say of a reason beside its row in ``netsim.trace.reason_table``."""

from __future__ import annotations

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Look:
    """A command for a real node or cluster, and what to look for in what it prints. Words in capitals are to be filled in."""

    command: str
    shows: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """One reason. ``why`` tells what the kernel or kube-proxy does and why; ``mends`` are the ways out, the usual one first.

    ``topologies`` are shipped ones that end so, ``references`` the places where a stranger can read it.
    """

    code: str
    why: str
    looks: tuple[Look, ...]
    mends: tuple[str, ...] = ()
    topologies: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
