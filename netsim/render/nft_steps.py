"""A base chain of nftables as lines of text, and its rules as nft prints them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netsim.render.form import Detail, Format, filled, said
from netsim.rules.nft.write import write_statement
from netsim.stack.steps import NftChainPass, NftEvaluation, NftRuleRef

LONGEST = 240
"""Characters of a rule that are told; a map of a hundred endpoints is told in full with everything else only."""

_IN_THE_RULE = ("jump ", "goto ", "accept", "drop", "return", "continue", "reject", "log ")


def nft_rule_text(ref: NftRuleRef) -> str:
    """A rule as ``nft list`` prints it."""
    words = [write_statement(statement) for statement in ref.rule.statements]
    words += [f'comment "{ref.rule.comment}"'] if ref.rule.comment else []
    return " ".join(words)


def nft_chain_pass(step: NftChainPass, form: Format) -> Iterator[str]:
    """Table, base chain, hook and verdict; below them the rules that were evaluated."""
    policy = " by policy" if step.policy else ""
    yield from said("nft", f"{step.family} {step.table} {step.chain}, {step.hook.value}: {step.verdict}{policy}", form)
    told = step.evaluations if form.detail is Detail.ALL else nft_telling(step.evaluations)
    for evaluation in told:
        yield from _evaluation(evaluation, form)


def nft_telling(evaluations: Sequence[NftEvaluation]) -> list[NftEvaluation]:
    """The rules that matched, without the jumps into chains where nothing matched."""
    told: list[NftEvaluation] = []
    for evaluation in reversed(evaluations):
        if not evaluation.matched:
            continue
        target = leads_to(evaluation)
        if target is None or (told and told[-1].ref.chain == target):
            told.append(evaluation)
    return told[::-1]


def leads_to(evaluation: NftEvaluation) -> str | None:
    """The chain that a rule led to, None where it led to none."""
    last = evaluation.effect.rpartition("; ")[2]
    word, _, chain = last.partition(" ")
    return chain if word in ("jump", "goto") else None


def _evaluation(evaluation: NftEvaluation, form: Format) -> Iterator[str]:
    mark = ("+ " if evaluation.matched else "- ") if form.detail is Detail.ALL else ""
    text = nft_rule_text(evaluation.ref)
    if form.detail is not Detail.ALL and len(text) > LONGEST:
        text = f"{text[:LONGEST].rpartition(' ')[0]} …"
    words = [f"{evaluation.ref.chain}:", *text.split(" "), *_said_of(evaluation)]
    for number, line in enumerate(filled(words, form.width - 12)):
        before = f"    {mark}" if number == 0 else f"    {' ' * len(mark)}    "
        yield before + form.style.paint(line, "rule")


def _said_of(evaluation: NftEvaluation) -> list[str]:
    """What the rule's own text does not say: the chance taken, where a map led, a changed mark."""
    found = [f"chance {evaluation.choice.probability}"] if evaluation.choice else []
    effects = evaluation.effect.split("; ") if evaluation.effect else []
    by_map = any(" vmap " in write_statement(statement) for statement in evaluation.ref.rule.statements)
    found += [effect for effect in effects if by_map or not effect.startswith(_IN_THE_RULE)]
    found += [evaluation.element] if evaluation.element else []
    return [f"[{'; '.join(found)}]"] if found else []
