"""Expectations met with traces: in each mode a world, and in it each flow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from netsim.check.expectation import Expectation, ask, differences
from netsim.dataclass import dataclass
from netsim.scenario.naming import UnknownNameError
from netsim.scenario.world import World
from netsim.trace.model import Trace, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an expectation in a mode (None: what is configured). ``trace`` None: the question means nothing there."""

    expectation: Expectation
    mode: str | None
    trace: Trace | None
    differences: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """True where it is as expected."""
        return not self.differences

    @property
    def unknown(self) -> bool:
        """True where it differs because the flow met what is not modelled."""
        return not self.holds and self.trace is not None and self.trace.verdict is Verdict.UNKNOWN

    @property
    def title(self) -> str:
        """Its name, with the mode where one was asked for."""
        return f"{self.expectation.name} [{self.mode}]" if self.mode else self.expectation.name


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of all expectations of a Check."""

    name: str
    results: tuple[Result, ...]


def results(
    expectations: Sequence[Expectation], world_in: Callable[[str | None], World], mode: str | None = None
) -> Iterator[Result]:
    """Each expectation in each of its modes; ``mode`` is for those that name none. ``world_in`` makes a mode's world, once each."""
    worlds: dict[str | None, World] = {}
    for expectation in expectations:
        for each in expectation.modes or (mode,):
            if each not in worlds:
                worlds[each] = world_in(each)
            yield result(worlds[each], expectation, each)


def result(world: World, expectation: Expectation, mode: str | None) -> Result:
    """One expectation in one world."""
    try:
        found = ask(world, expectation.source, expectation.destination, expectation.packet)
        return Result(expectation, mode, found, differences(world, found, expectation.wanted))
    except UnknownNameError as error:
        advice = f" ({error.advice})" if error.advice else ""
        return Result(expectation, mode, None, (f"{error.message}{advice}",))
