"""Flows through random worlds, held against the kernel; the first disagreement is made as small as it gets.

Hypothesis draws and shrinks. The same seed draws the same worlds (with the same version of hypothesis and of the strategies).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import field

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from netsim.dataclass import dataclass
from netsim.scenario.every_flow import NamedFlow
from netsim.scenario.random_ground import Families
from netsim.scenario.random_wiring import DrawnWiring, drawn_wirings
from netsim.scenario.random_world import Drawn, drawn_worlds
from netsim.trace.model import Flow
from netsim.verify.run import Answer, BuildDisagreementError, Case, Effort, Outcome, verify

SHRINKS = 150
"""How many smaller worlds are tried: each is built, and what differs in it is sent twice."""


class DisagreementError(AssertionError):
    """A world in which model and kernel differ, and how."""


@dataclass(slots=True)
class Found:
    """What came of it: every outcome up to the first disagreement, and the smallest world that disagrees, as text.

    ``refused`` are the worlds that could not be built, a line each: what a tool said of the rules that it does not take, or the kernel.
    ``shrunk`` counts the worlds that were tried after the first disagreement.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    smallest: str | None = None
    refused: list[str] = field(default_factory=list)
    shrunk: int = 0


def check(
    count: int,
    seed: int,
    *,
    legacy: bool = False,
    mode: str = "iptables",
    families: Families = Families.IPV4,
    shrink: bool = True,
    advance: Callable[[int], None] | None = None,
) -> Found:
    """Verify ``count`` flows, with kube-proxy in a mode (iptables, nftables or ipvs), and in networks without one.

    A world that cannot be built, as where a tool refuses its rules, is left out and counted: what nobody can load, nobody can compare.
    A flow that is drawn twice in one world is verified once. ``advance`` is told of each flow that was verified. With ``shrink`` the
    first disagreement ends it and is made small; without, all flows are verified.
    """
    found = Found()
    known: set[tuple[str, Flow]] = set()

    def verify_world(drawn: Drawn | DrawnWiring) -> None:
        if found.smallest is not None and found.shrunk >= SHRINKS:
            return
        found.shrunk += found.smallest is not None
        left = count - len(found.outcomes)
        new = [each for each in drawn.flows if (drawn.key, each.flow) not in known][:left]
        if not new:
            return
        try:
            outcomes = _outcomes(drawn, new, legacy=legacy)
        except BuildDisagreementError as error:
            raise _told(found, f"{drawn!r}\n{error}") from error
        except (RuntimeError, OSError) as error:
            found.refused.append(str(error))
            return
        differing = [outcome for outcome in outcomes if outcome.answer is Answer.DIFFERS]
        if differing and shrink:
            raise _told(found, f"{drawn!r}\n" + "\n".join(f"{each.case}:\n{each.difference}" for each in differing))
        known.update((drawn.key, each.flow) for each in new)
        found.outcomes += outcomes
        if advance is not None:
            advance(len(outcomes))

    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)
    chosen = settings(
        max_examples=count, deadline=None, database=None, phases=phases, suppress_health_check=list(HealthCheck)
    )
    worlds = drawn_worlds(mode=mode, families=families)
    drawn_from = st.one_of(worlds, drawn_wirings(families=families)) if mode == "iptables" else worlds
    run = seeded(seed)(chosen(given(drawn_from)(verify_world)))
    try:
        run()
    except DisagreementError as error:
        found.smallest = str(error)
    except Flaky:  # told already: it did not come again, or as much was tried as is worth while
        if found.shrunk < SHRINKS:
            found.smallest = f"{found.smallest}\n(it was not seen again in the same world)"
    return found


def _told(found: Found, text: str) -> DisagreementError:
    """The disagreement, noted also for the case that it does not come again when it is made small."""
    if found.smallest is None or len(text) < len(found.smallest):
        found.smallest = text
    return DisagreementError(text)


def _outcomes(drawn: Drawn | DrawnWiring, flows: Sequence[NamedFlow], *, legacy: bool) -> list[Outcome]:
    cases = [Case(named.flow, named.source, named.target) for named in flows]
    return list(verify(drawn.topology, cases, legacy=legacy, effort=Effort(cover=False)))
