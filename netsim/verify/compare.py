"""Where the kernel's walk and the model's differ, and the difference as text: the first divergence on top."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from netsim.topology.model import Topology
from netsim.verify.foretold import Foretold
from netsim.verify.observe import Observation
from netsim.verify.shown import shown
from netsim.verify.walk import Lines, Place, PortNames, Walk, lines, ports_of

AGREED_LINES = 3
TAKEN = frozenset(
    {
        # packet, what the kernel says of it although somebody took it
        (
            "echo request",
            "NOT_SPECIFIED",
        ),  # IPv6's, answered in vain: there is no way back (icmpv6_echo_reply(), v6.18)
        ("echo reply", "NO_SOCKET"),  # a raw socket takes a copy; of the sockets that ping(8) opens there is none
        ("RST", "NO_SOCKET"),  # the answer to a crafted segment, which no connection sent
        ("RST", "TCP_FLAGS"),  # the same to a listener, which takes no RST
        ("RST", "NOT_SPECIFIED"),  # the same to a connection that is not complete yet
        ("SYN-ACK", "NO_SOCKET"),  # the same of a crafted segment's answer
    }
)


@dataclass(frozen=True, slots=True)
class PlaceDifference:
    """One place at which the walks differ: the lines of both, and how many of them agree before the first that does not."""

    place: Place
    model: tuple[str, ...]
    kernel: tuple[str, ...]
    agreed: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """The kernel's walk against the branch that it is most like; no differences where it is that branch."""

    branch: Foretold
    differences: tuple[PlaceDifference, ...]

    @property
    def agrees(self) -> bool:
        """True where the kernel did what this branch foretells."""
        return not self.differences


def compare(topology: Topology, branches: Sequence[Foretold], seen: Observation) -> Comparison:
    """Find the branch that the kernel took, or the one that comes nearest."""
    compared = [Comparison(branch, tuple(_differences(topology, branch.walk, seen))) for branch in branches]
    return min(compared, key=_distance)


def _distance(found: Comparison) -> int:
    return sum(max(len(each.model), len(each.kernel)) - each.agreed for each in found.differences)


def _differences(topology: Topology, model: Walk, seen: Observation) -> Iterator[PlaceDifference]:
    known = frozenset(ports_of(model.frames, model.conntrack)) - model.ports
    kernel = shown(seen, topology, known if model.ports else frozenset(range(1 << 16)))
    kernel, model = _in_the_same_words(kernel, model)
    foretold = lines(model, PortNames(model.ports))
    found = _reordered(lines(kernel, PortNames(kernel.ports)), foretold)
    for place in found | foretold:
        left, right = foretold.get(place, ()), found.get(place, ())
        if left != right:
            yield PlaceDifference(place, left, right, _agreed(left, right))


def _in_the_same_words(kernel: Walk, model: Walk) -> tuple[Walk, Walk]:
    """A drop that has one of the names that the model allows there is told as the model tells it; none is where the kernel tells of none.

    What the kernel says of a packet that somebody took counts only where the model too has a drop.
    """
    if kernel.ended is None or model.ended is None:
        return kernel, replace(model, ended=None)
    told = []
    for seen in kernel.ended:
        foretold = [end for end in model.ended if (end.leg, end.netns) == (seen.leg, seen.netns)]
        if foretold or (seen.leg, seen.names[0]) not in TAKEN:
            told.append(next((end for end in foretold if seen.names[0] in end.names), seen))
    return replace(kernel, ended=tuple(told)), model


def _reordered(found: Lines, order: Lines) -> Lines:
    """The places in the order of the other walk, those that only this one has in their own order behind them."""
    return {place: found[place] for place in (*(p for p in order if p in found), *(p for p in found if p not in order))}


def _agreed(left: Sequence[str], right: Sequence[str]) -> int:
    for index, (mine, theirs) in enumerate(zip_longest(left, right)):
        if mine != theirs:
            return index
    return len(left)


# --- as text -------------------------------------------------------------------------------------------------------


def difference_text(found: Comparison) -> str:
    """The walks' differences, place by place: ``-`` is the model's line, ``+`` the kernel's."""
    return "\n".join(line for difference in found.differences for line in _told(difference))


def _told(difference: PlaceDifference) -> Iterator[str]:
    place = difference.place
    yield f"{place.leg or 'at the end'}{f' in {place.netns}' if place.netns else ''}:"
    agreed = difference.model[: difference.agreed]
    if len(agreed) > AGREED_LINES:
        yield f"    … {len(agreed) - AGREED_LINES} lines agree"
    yield from (f"    {line}" for line in agreed[-AGREED_LINES:])
    yield from (f"  - {line}" for line in difference.model[difference.agreed :])
    yield from (f"  + {line}" for line in difference.kernel[difference.agreed :])
