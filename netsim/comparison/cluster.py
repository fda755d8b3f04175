"""Every flow of a cluster in two modes: which differ, grouped by why, with a witness each."""

from __future__ import annotations

from collections.abc import Callable

from netsim.dataclass import dataclass
from netsim.difference.flows import Ending, Found, Pair, Surveyor, versions
from netsim.scenario.mode_differences import Difference, compared, explanation
from netsim.scenario.world import World
from netsim.trace.model import Flow
from netsim.trace.trace import trace
from proxy.config.model import ProxyMode


@dataclass(frozen=True, slots=True)
class Differing:
    """A kind of flow that ends otherwise."""

    pair: Pair
    witness: Flow
    before: frozenset[Ending]
    after: frozenset[Ending]


@dataclass(frozen=True, slots=True)
class Group:
    """Flows that differ for the same reasons. ``why`` is empty where no known difference explains them."""

    why: tuple[Difference, ...]
    flows: tuple[Differing, ...]

    @property
    def services(self) -> tuple[str, ...]:
        """The Services that are asked, by ``NAMESPACE/NAME``, each once."""
        return tuple(dict.fromkeys(name for each in self.flows if (name := service_in(each.pair.target))))


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two modes of one cluster. ``compared`` counts the kinds of flows."""

    one: ProxyMode
    other: ProxyMode
    compared: int
    groups: tuple[Group, ...]


def compare(world_in: Callable[[ProxyMode], World], one: ProxyMode, other: ProxyMode) -> Comparison:
    """Which flows change when every kube-proxy goes from one mode to the other."""
    worlds = {mode: world_in(mode) for mode in dict.fromkeys((one, other, ProxyMode.IPTABLES))}
    before, after = _surveyed(worlds[one]), _surveyed(worlds[other])
    grouped: dict[tuple[str, ...], list[tuple[tuple[Difference, ...], Differing]]] = {}
    for pair, was in before.items():
        now = after.get(pair)
        if now is not None and now.endings != was.endings:
            why = _why(worlds, was.witness, one, other)
            entry = (why, Differing(pair, was.witness, was.endings, now.endings))
            grouped.setdefault(tuple(row.name for row in why), []).append(entry)
    groups = tuple(Group(entries[0][0], tuple(each for _, each in entries)) for entries in grouped.values())
    ordered = sorted(groups, key=lambda group: (-len(group.flows), [row.name for row in group.why]))
    return Comparison(one, other, len(before.keys() & after.keys()), tuple(ordered))


def _surveyed(world: World) -> dict[Pair, Found]:
    surveyor = Surveyor(world)
    return {pair: found for version in versions(world) for pair, found in surveyor.survey(version).found.items()}


def _why(worlds: dict[ProxyMode, World], flow: Flow, one: ProxyMode, other: ProxyMode) -> tuple[Difference, ...]:
    """What each of the two modes is known to do otherwise than iptables mode with this flow."""
    answers = {}
    for mode, world in worlds.items():
        expected = world.expected(flow.destination, flow.dport or None)
        answers[mode] = compared(world, mode, trace(world.topology, flow, source="", target="", expected=expected))
    rows = (explanation(answers[ProxyMode.IPTABLES], answers[mode]) for mode in (one, other))
    return tuple(dict.fromkeys(row for row in rows if row is not None))


def service_in(target: str) -> str:
    """``svc/shop/web:80 clusterIP 10.96.0.1`` and ``node/n:30080 (svc/shop/web)`` → ``shop/web``; empty where no Service is asked."""
    _, found, rest = target.partition("svc/")
    return rest.rstrip(")").partition(":")[0].partition(" ")[0] if found else ""
