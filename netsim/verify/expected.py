"""What the kernel may do: any of the model's branches; of IPVS's scheduler, where it stands still at its beginning, the one it must choose.

To somebody from outside a scheduler's choice is chance. The kernel draws nothing: after so many connections it comes to each real server in
its turn. So the first connection to virtual servers that were just made must be the one that the model has for it, and each
that follows one of the branches.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netsim.stack.steps import IPVSStep
from netsim.topology.model import Topology
from netsim.trace.model import Flow
from netsim.verify.compare import Comparison, compare
from netsim.verify.foretold import Foretold, foretell
from netsim.verify.observe import Observation


@dataclass(frozen=True, slots=True)
class Expected:
    """``branches`` are all, ``first`` those that are left where nothing was scheduled before.

    ``by_turns`` says that connections before this one move a scheduler on, ``persistent`` that they would bind this one.
    """

    branches: Sequence[Foretold]
    first: Sequence[Foretold]
    by_turns: bool
    persistent: bool

    @classmethod
    def of(cls, topology: Topology, flow: Flow, branches: Sequence[Foretold]) -> Expected:
        """What is expected of a flow whose branches are known."""
        scheduled = list(_scheduled(branches))
        first = foretell(topology, flow, fresh=True)[1] if scheduled else branches
        persistent = any(step.server is not None and step.server.persistent is not None for step in scheduled)
        return cls(branches, first, by_turns=bool(scheduled) and not persistent, persistent=persistent)

    def compare(self, topology: Topology, seen: Observation, *, earlier: int) -> Comparison:
        """The branch that the kernel took, or the one that comes nearest. ``earlier`` connections of its kind came before."""
        if self.first is self.branches or earlier:
            return compare(topology, self.branches, seen)
        found = compare(topology, self.first, seen)
        return compare(topology, self.branches, seen) if found.agrees else found


def _scheduled(branches: Sequence[Foretold]) -> Iterator[IPVSStep]:
    """Where chance decided for a scheduler."""
    for foretold in branches:
        for leg in foretold.branch.legs:
            for hop in leg.hops:
                yield from (step for step in hop.steps if isinstance(step, IPVSStep) and step.choice is not None)
