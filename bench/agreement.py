"""The agreement rate: random flows through random worlds, model against this machine's kernel, by mode, family and feature.

    python bench/agreement.py                          # every mode and family, as root; prints the table
    python bench/agreement.py --flows 900 --seed 2     # 900 flows for each mode, other ones
    python bench/agreement.py --mode nftables          # one mode alone; several: --mode nftables --mode legacy
    python bench/agreement.py --write docs/verify.md   # put the table between the marks of a page

A mode's flows are a third each in worlds of IPv4, of IPv6 and of both. Flows that are drawn twice count once. A flow counts for every
feature that its walk shows, under the IP version of its destination.
"""

from __future__ import annotations

import argparse
import os
import pickle
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from netsim.net.packet import Protocol, TCPFlags
from netsim.rules.xtables.ast import CommentMatch, Jump, Verdict
from netsim.scenario.random_check import check
from netsim.scenario.random_ground import Families
from netsim.stack.steps import BridgeDecision, ChainPass, NATStep, NftChainPass, Step
from netsim.verify.guest.machine import IN_GUEST, output_in_guest
from netsim.verify.run import Answer, Outcome

BEGIN, END = "<!-- agreement: begin -->", "<!-- agreement: end -->"
MODES: Mapping[str, tuple[str, str, bool]] = {
    # name: what the table calls it, kube-proxy's mode, rules loaded with iptables-legacy
    "iptables": ("iptables (nft)", "iptables", False),
    "legacy": ("iptables (legacy)", "iptables", True),
    "nftables": ("nftables", "nftables", False),
    "ipvs": ("ipvs, in a guest", "ipvs", True),
}
ALL = "all flows"


@dataclass(frozen=True, slots=True)
class Part:
    """One run of ``check``: a mode of ``MODES`` and the families of its worlds."""

    mode: str
    families: Families
    flows: int
    seed: int


@dataclass(slots=True)
class Tally:
    """Cases and agreed ones by (mode, IP version, feature); what was not compared, worlds not built, differences."""

    cases: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    agreed: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    left_out: int = 0
    refused: int = 0
    differences: list[str] = field(default_factory=list)
    kernels: frozenset[str] = frozenset()

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.cases + other.cases,
            self.agreed + other.agreed,
            self.left_out + other.left_out,
            self.refused + other.refused,
            [*self.differences, *other.differences],
            self.kernels | other.kernels,
        )


def main() -> int:
    """Verify, print, and fail on a disagreement."""
    parser = argparse.ArgumentParser(description="The agreement rate of model and kernel.")
    parser.add_argument("--flows", type=int, default=600, help="for each mode (default 600)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", action="append", choices=list(MODES), help="these modes alone")
    parser.add_argument("--processes", type=int, default=2, help="parts at a time (default 2)")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    parser.add_argument("--part", help=argparse.SUPPRESS)  # what a guest is asked for
    given = parser.parse_args()
    if given.part is not None:
        sys.stdout.buffer.write(pickle.dumps(run(pickle.loads(bytes.fromhex(given.part)))))
        return 0
    parts = [
        Part(mode, families, given.flows // len(Families), given.seed)
        for mode in given.mode or MODES
        for families in Families
    ]
    with ProcessPoolExecutor(given.processes) as pool:
        tally = reduce(Tally.__add__, pool.map(run, parts), Tally())
    text = report(tally)
    print(text)
    if given.write is not None:
        _write(given.write, text)
    return 1 if tally.differences else 0


def run(part: Part) -> Tally:
    """Verify one part. Its differences go to standard error."""
    if part.mode == "ipvs" and IN_GUEST not in os.environ:
        words = [sys.executable, str(Path(__file__).resolve()), "--part", pickle.dumps(part).hex()]
        answer: Tally = pickle.loads(output_in_guest(words))
        return answer
    _, mode, legacy = MODES[part.mode]
    found = check(part.flows, part.seed, legacy=legacy, mode=mode, families=part.families, shrink=False)
    tally = count(part.mode, found.outcomes)
    tally.kernels = frozenset({platform.release()})
    tally.refused = len(found.refused)
    tally.differences += [found.smallest] if found.smallest is not None else []
    agreed = sum(outcome.answer is Answer.AGREES for outcome in found.outcomes)
    told = [f"{part.mode} {part.families.value}: {agreed} of {len(found.outcomes)} flows agree", *tally.differences]
    print("\n\n".join(told), file=sys.stderr, flush=True)
    return tally


def count(mode: str, outcomes: Iterable[Outcome]) -> Tally:
    """The outcomes of a mode by IP version and feature."""
    tally = Tally()
    for outcome in outcomes:
        if outcome.answer is Answer.NOT_MODELLED:
            tally.left_out += 1
            continue
        if outcome.answer is Answer.DIFFERS:
            tally.differences.append(f"{mode}: {outcome.case} {outcome.case.flow}\n{outcome.difference}")
        for feature in (ALL, *sorted(set(features(outcome)))):
            key = (mode, outcome.case.flow.destination.version, feature)
            tally.cases[key] += 1
            tally.agreed[key] += outcome.answer is Answer.AGREES
    return tally


def report(tally: Tally) -> str:
    """The table as Markdown: a row for each feature, a column for each mode and family with ``agreed / cases``."""
    columns = [(mode, version) for mode in MODES for version in (4, 6) if tally.cases[mode, version, ALL]]
    names = [ALL, *sorted({feature for _, _, feature in tally.cases} - {ALL})]
    heads = [f"{MODES[mode][0]}, IPv{version}" for mode, version in columns]
    lines = [f"| feature | {' | '.join(heads)} |", f"| --- |{' ---: |' * len(columns)}"]
    for name in names:
        cells = [_cell(tally, (*column, name)) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    rest = f"{tally.left_out} further flows met what is not modelled and were not compared"
    refused = f"; {tally.refused} drawn worlds could not be built" if tally.refused else ""
    return "\n".join([*lines, "", f"Agreed / cases. Linux {', '.join(sorted(tally.kernels))}; {rest}{refused}."])


def _cell(tally: Tally, key: tuple[str, int, str]) -> str:
    return f"{tally.agreed[key]} / {tally.cases[key]}" if tally.cases[key] else ""


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


def _write(page: Path, text: str) -> None:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
