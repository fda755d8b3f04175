"""The agreement rate: random flows through random worlds, model against this machine's kernel, by feature.

    python bench/agreement.py                          # 1,000 flows with iptables-nft, as root; prints the table
    python bench/agreement.py --flows 5000 --legacy    # more of them, with iptables-legacy
    python bench/agreement.py --write docs/verify.md   # put the table between the marks of a page

Flows that are drawn twice count once. A flow counts for every feature that its walk shows.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from netsim.net.packet import Protocol, TCPFlags
from netsim.rules.xtables.ast import CommentMatch, Jump, Verdict
from netsim.scenario.random_check import check
from netsim.stack.steps import BridgeDecision, ChainPass, NATStep, Step
from netsim.verify.run import Answer, Outcome

BEGIN, END = "<!-- agreement: begin -->", "<!-- agreement: end -->"


def main() -> int:
    """Verify, print, and fail on a disagreement."""
    parser = argparse.ArgumentParser(description="The agreement rate of model and kernel.")
    parser.add_argument("--flows", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--legacy", action="store_true", help="load rules with iptables-legacy")
    parser.add_argument("--write", type=Path, help="the page to put the table into")
    given = parser.parse_args()
    found = check(given.flows, given.seed, legacy=given.legacy, shrink=False, advance=_advance(given.flows))
    mode = "iptables (legacy)" if given.legacy else "iptables (nft)"
    text = report(found.outcomes, mode)
    print(text)
    for outcome in found.outcomes:
        if outcome.answer is Answer.DIFFERS:
            print(f"\n{outcome.case} {outcome.case.flow}\n{outcome.difference}", file=sys.stderr)
    if given.write is not None:
        _write(given.write, text)
    return 1 if any(outcome.answer is Answer.DIFFERS for outcome in found.outcomes) else 0


def report(outcomes: Iterable[Outcome], mode: str) -> str:
    """The table as Markdown: all flows, then a row for each feature; the kernel's version below it."""
    cases: Counter[str] = Counter()
    agreed: Counter[str] = Counter()
    left_out = 0
    for outcome in outcomes:
        if outcome.answer is Answer.NOT_MODELLED:
            left_out += 1
            continue
        for feature in ("all flows", *sorted(set(features(outcome)))):
            cases[feature] += 1
            agreed[feature] += outcome.answer is Answer.AGREES
    names = ["all flows", *sorted(name for name in cases if name != "all flows")]
    rows = [(mode, "IPv4", name, str(cases[name]), str(agreed[name])) for name in names]
    lines = ["| mode | family | feature | cases | agreed |", "| --- | --- | --- | ---: | ---: |"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    lines += [
        "",
        f"Linux {platform.release()}; {left_out} further flows met what is not modelled and were not compared.",
    ]
    return "\n".join(lines)


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


def _advance(total: int) -> Callable[[int], None]:
    done = Counter[str]()

    def advance(number: int) -> None:
        done["flows"] += number
        if sys.stderr.isatty():
            print(f"\r{done['flows']} of {total}", end="", file=sys.stderr)

    return advance


def _write(page: Path, text: str) -> None:
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
