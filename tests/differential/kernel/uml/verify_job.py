"""Runs in the guest: verifies topologies, each with one flow of each kind, and random worlds in mode ipvs."""

from __future__ import annotations

import json
import sys

from netsim.scenario.build import load_world
from netsim.scenario.every_flow import every_flow
from netsim.scenario.random_check import check
from netsim.scenario.sources import shipped
from netsim.verify.run import Answer, Case, Effort, Outcome, verify


def told(outcomes: list[Outcome]) -> dict[str, object]:
    agreed = sum(outcome.answer is Answer.AGREES for outcome in outcomes)
    differing = [f"{each.case}\n{each.difference}" for each in outcomes if each.answer is Answer.DIFFERS]
    return {"agreed": agreed, "differing": differing}


def verified(name: str) -> dict[str, object]:
    world = load_world([next(each.file for each in shipped() if each.name == name)])[0]
    cases = [Case(each.flow, each.source, each.target) for each in every_flow(world, one_of_each=True)]
    return told(list(verify(world.topology, cases, legacy=True, effort=Effort(cover=False))))


def drawn(count: int, seed: int) -> dict[str, object]:
    found = check(count, seed, legacy=True, mode="ipvs", shrink=False)
    return {**told(found.outcomes), "refused": found.refused}


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    answer = {"topologies": {name: verified(name) for name in asked["topologies"]}}
    print(json.dumps({**answer, "random": drawn(asked["count"], asked["seed"])}))
