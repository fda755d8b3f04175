"""The agreement rate: random flows through random worlds, model against this machine's kernel, by mode, family and feature.

    python bench/agreement.py                          # every mode and family, as root; prints the table
    python bench/agreement.py --flows 900 --seed 2     # 900 flows for each mode, other ones
    python bench/agreement.py --mode nftables          # one mode alone; several: --mode nftables --mode legacy
    python bench/agreement.py --write docs/verify.md   # put the table between the marks of a page; other modes' columns stay
    python bench/agreement.py --seed 3 --tally /tmp/t  # in pieces: what earlier runs left in the file is added to this one
    python bench/agreement.py --flows 0 --tally /tmp/t --write docs/verify.md   # write what the pieces came to

A mode's flows are a third each in worlds of IPv4, of IPv6 and of both. Flows that are drawn twice count once. A flow counts for every
feature that its walk shows, under the IP version of its destination.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

from agreement_table import ALL, Ran, Tally, report, write

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from netsim.net.packet import Protocol, TCPFlags
from netsim.rules.xtables.ast import CommentMatch, Jump, Verdict
from netsim.scenario.random_check import check
from netsim.scenario.random_ground import Families
from netsim.stack.steps import BridgeDecision, ChainPass, NATStep, NftChainPass, Step
from netsim.verify.guest.machine import IN_GUEST, output_in_guest
from netsim.verify.run import Answer, Outcome

ROOT = Path(__file__).resolve().parent.parent
MODES: Mapping[str, tuple[str, bool]] = {
    # name: kube-proxy's mode, rules loaded with iptables-legacy
    "iptables": ("iptables", False),
    "legacy": ("iptables", True),
    "nftables": ("nftables", False),
    "ipvs": ("ipvs", True),
}


@dataclass(frozen=True, slots=True)
class Part:
    """One run of ``check``: a mode of ``MODES`` and the families of its worlds."""

    mode: str
    families: Families
    flows: int
    seed: int


def main() -> int:
    """Verify, print, and fail on a disagreement."""
    given = _parser().parse_args()
    if given.part is not None:
        sys.stdout.buffer.write(pickle.dumps(run(pickle.loads(bytes.fromhex(given.part)))))
        return 0
    if given.write is not None and not given.write.is_file():
        raise SystemExit(f"there is no page {given.write}")
    modes = given.mode or list(MODES)
    earlier = Tally.load(given.tally) if given.tally is not None else Tally()
    for mode in modes:
        if given.flows and str(given.seed) in earlier.ran.get(mode, Ran()).seeds:
            raise SystemExit(f"{given.tally} has seed {given.seed} of {mode} already: give --seed another")
    parts = [Part(mode, families, given.flows // len(Families), given.seed) for mode in modes for families in Families]
    with ProcessPoolExecutor(given.processes) as pool:
        tally = reduce(Tally.__add__, pool.map(run, parts if given.flows else []), earlier)
    if given.tally is not None:
        tally.save(given.tally)
    print(report(tally))
    if given.write is not None:
        write(tally, given.write)
    return 1 if tally.differences else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="The agreement rate of model and kernel.")
    parser.add_argument("--flows", type=int, default=600, help="for each mode (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", action="append", choices=list(MODES), help="these modes alone")
    parser.add_argument("--processes", type=int, default=2, help="parts at a time (default 2)")
    parser.add_argument("--tally", type=Path, help="add to what earlier runs, with other seeds, left in this file")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # what a guest is asked for
    return parser


def run(part: Part) -> Tally:
    """Verify one part. Its differences go to standard error."""
    if part.mode == "ipvs" and IN_GUEST not in os.environ:
        words = [sys.executable, str(Path(__file__).resolve()), "--part", pickle.dumps(part).hex()]
        answer: Tally = pickle.loads(output_in_guest(words))
        return answer
    mode, legacy = MODES[part.mode]
    found = check(part.flows, part.seed, legacy=legacy, mode=mode, families=part.families, shrink=False)
    tally = count(part.mode, found.outcomes)
    left_out = sum(outcome.answer is Answer.NOT_MODELLED for outcome in found.outcomes)
    tally.ran[part.mode] = Ran((str(part.seed),), (_commit(),), (platform.release(),), left_out, len(found.refused))
    tally.differences += [found.smallest] if found.smallest is not None else []
    agreed = sum(outcome.answer is Answer.AGREES for outcome in found.outcomes)
    told = [f"{part.mode} {part.families.value}: {agreed} of {len(found.outcomes)} flows agree", *tally.differences]
    print("\n\n".join(told), file=sys.stderr, flush=True)
    return tally


def _commit() -> str:
    words = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip() or "no repository"


def count(mode: str, outcomes: Iterable[Outcome]) -> Tally:
    """The outcomes of a mode by IP version and feature."""
    tally = Tally()
    for outcome in outcomes:
        if outcome.answer is Answer.NOT_MODELLED:
            continue
        if outcome.answer is Answer.DIFFERS:
            tally.differences.append(f"{mode}: {outcome.case} {outcome.case.flow}\n{outcome.difference}")
        for feature in (ALL, *sorted(set(features(outcome)))):
            key = (mode, outcome.case.flow.destination.version, feature)
            tally.cases[key] += 1
            tally.agreed[key] += outcome.answer is Answer.AGREES
    return tally


def features(outcome: Outcome) -> Iterator[str]:
    """What a walk shows, over all of its branches."""
    flow = outcome.case.flow
    yield f"packet: {flow.protocol.name}"
    if flow.protocol is Protocol.TCP and flow.flags != TCPFlags.SYN:
        yield "packet: TCP with other flags than SYN"
    if flow.ttl < 64:
        yield "packet: short TTL"
    if flow.mark:
        yield "packet: socket mark"
    if outcome.branches > 1:
        yield "walk: chance decides"
    yield f"verdict: {outcome.trace.verdict.value}"
    for branch in outcome.trace.branches:
        yield f"reason: {branch.reason}"
        for leg in branch.legs:
            if leg.name.startswith("ICMP "):
                yield "walk: ICMP error"
            for hop in leg.hops:
                for step in hop.steps:
                    yield from _of_step(step)


def _of_step(step: Step) -> Iterator[str]:
    match step:
        case NATStep(kind=kind):
            yield f"NAT: {kind}"
        case BridgeDecision(action=action):
            yield f"bridge: {action}"
        case ChainPass(evaluations=evaluations):
            for evaluation in evaluations:
                rule = evaluation.ref.rule
                if evaluation.matched:
                    yield from (
                        f"match: {type(each).__name__}" for each in rule.matches if not isinstance(each, CommentMatch)
                    )
                    yield f"target: {_target(rule.target)}"
        case NftChainPass(evaluations=evaluations):
            for nft in evaluations:
                yield from (f"nft: {type(each).__name__}" for each in nft.ref.rule.statements if nft.matched)
        case _:
            return


def _target(target: object) -> str:
    match target:
        case None:
            return "none"
        case Verdict():
            return target.value
        case Jump(goto=goto):
            return "goto" if goto else "jump"
        case _:
            return type(target).__name__.removesuffix("Target")


if __name__ == "__main__":
    raise SystemExit(main())
