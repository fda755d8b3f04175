"""One flow in every mode: what becomes of it, what was evaluated and remembered on the way, and which rule decided."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.render.steps import rewrite_of, rule_text
from netsim.render.text import place_text
from netsim.scenario.mode_differences import Difference, compared, explanation
from netsim.scenario.world import World
from netsim.stack.steps import ChainPass, ConntrackStep, IPVSStep, NATStep, NftChainPass
from netsim.trace.facts import short_label
from netsim.trace.model import Branch, Hop, Trace
from proxy.config.model import ProxyMode

MODES = tuple(ProxyMode)


@dataclass(frozen=True, slots=True)
class Backend:
    """Where a flow may end: its chance, whose socket takes it (None: nobody's), and the source that it sees."""

    end: tuple[Address, int] | None
    probability: Fraction
    receiver: str | None
    seen: Address | None


@dataclass(frozen=True, slots=True)
class InMode:
    """What one mode makes of the flow.

    ``evaluated`` counts the rules that the first packet of the decisive branch was held against, one after the other as the kernel does.
    ``decided`` are the places that changed or ended a packet of that branch: the namespace, what was done, and the rule or scheduler that
    did it. ``entries`` are the conntrack entries that it left, as ``conntrack -L`` prints them. ``why`` is the known difference from
    iptables mode, where there is one.
    """

    mode: ProxyMode
    trace: Trace
    backends: tuple[Backend, ...]
    evaluated: int
    decided: tuple[tuple[str, str, str], ...]
    entries: tuple[str, ...]
    why: Difference | None


@dataclass(frozen=True, slots=True)
class SideBySide:
    """The answers of the modes that were asked, and whether they lead to the same ends from the same sources."""

    modes: tuple[InMode, ...]
    same: bool


def side_by_side(
    world_in: Callable[[ProxyMode], World], ask: Callable[[World], Trace], modes: Sequence[ProxyMode] = MODES
) -> SideBySide:
    """A flow in each mode. ``world_in`` makes a mode's world, ``ask`` asks the flow in it."""
    worlds = {mode: world_in(mode) for mode in dict.fromkeys((ProxyMode.IPTABLES, *modes))}
    traces = {mode: ask(world) for mode, world in worlds.items()}
    answers = {mode: compared(world, mode, traces[mode]) for mode, world in worlds.items()}
    reference = answers[ProxyMode.IPTABLES]
    found = tuple(_in_mode(mode, traces[mode], explanation(reference, answers[mode])) for mode in modes)
    return SideBySide(found, all(answers[mode].outcomes == answers[modes[0]].outcomes for mode in modes))


def _in_mode(mode: ProxyMode, found: Trace, why: Difference | None) -> InMode:
    branch = found.decisive
    hops = [hop for leg in branch.legs for hop in leg.hops]
    return InMode(
        mode,
        found,
        tuple(_backend(each) for each in found.branches),
        sum(evaluations(hop) for hop in branch.forward),
        tuple(dict.fromkeys(_decided(branch, hops))),
        tuple(dict.fromkeys(_entries(hops))),
        why,
    )


def _backend(branch: Branch) -> Backend:
    seen = branch.seen_source[0] if branch.seen_source else None
    return Backend(branch.backend, branch.probability, branch.delivered_to, seen)


def evaluations(hop: Hop) -> int:
    """How many rules a packet was held against during one stay."""
    return sum(len(step.evaluations) for step in hop.steps if isinstance(step, ChainPass | NftChainPass))


def _decided(branch: Branch, hops: Sequence[Hop]) -> Iterator[tuple[str, str, str]]:
    for hop in hops:
        for step in hop.steps:
            if isinstance(step, NATStep):
                by = rule_text(step.ref) if step.ref is not None else "conntrack"
                yield short_label(hop.label), f"{step.kind} {rewrite_of(step)}", by
            elif isinstance(step, IPVSStep) and step.before != step.after:
                yield short_label(hop.label), f"{step.action} {rewrite_of(step)}", "IPVS"
    where = branch.where
    if where is not None and where.rule is not None:
        yield place_text(where), branch.verdict.value, rule_text(where.rule)


def _entries(hops: Sequence[Hop]) -> Iterator[str]:
    for hop in hops:
        for step in hop.steps:
            if isinstance(step, ConntrackStep) and step.action == "confirm" and step.entry:
                yield f"{short_label(hop.label)}: {' '.join(step.entry.split())}"
