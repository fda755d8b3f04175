"""A packet's way through the chains of one table.

A rule is compiled once, when a packet first could match it, to a tuple of checks and an action; a long chain has an index, so that a
packet evaluates only the rules that could match (`netsim.stack.rule_index`). The rules passed over are reported as evaluated, for the
kernel evaluates them.

Ref: net/ipv4/netfilter/ip_tables.c:ipt_do_table(), net/ipv6/netfilter/ip6_tables.c:ip6t_do_table() (v6.12).
"""

from __future__ import annotations

from collections.abc import Sequence

from netsim.dataclass import dataclass
from netsim.rules.xtables.ast import Chain, Jump, Table, Verdict
from netsim.stack.chain_end import ChainEnd, record_drop, record_not_modelled
from netsim.stack.environment import HookVerdict
from netsim.stack.evaluations import Evaluations
from netsim.stack.rule_index import RuleIndex
from netsim.stack.steps import ChainPass, RuleEvaluation, RuleRef
from netsim.stack.x_tables import Apply, Check, RuleNotModelledError, XtContext
from netsim.stack.xt_match import compile_matches
from netsim.stack.xt_target import compile_target


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to run. ``apply`` is None for verdicts, jumps and rules that only count."""

    ref: RuleRef
    checks: tuple[Check, ...]
    apply: Apply | None


class CompiledChain:
    """A chain of one table. Nothing in it depends on a packet or a walk, so walks share it."""

    def __init__(self, family: int, table: str, chain: Chain) -> None:
        self.name = chain.name
        self.policy = chain.policy
        self.rules = chain.rules
        self.index = RuleIndex.of(chain.rules)
        self._place = (family, table, chain.name)
        self._misses: dict[int, RuleEvaluation] = {}
        self._compiled: dict[int, CompiledRule] = {}

    def miss(self, number: int) -> RuleEvaluation:
        """The rule of that number, not matched."""
        found = self._misses.get(number)
        if found is None:
            found = self._misses[number] = RuleEvaluation(
                RuleRef(*self._place, number, self.rules[number]), matched=False
            )
        return found

    def rule(self, number: int) -> CompiledRule:
        """One rule, compiled at its first use."""
        found = self._compiled.get(number)
        if found is None:
            ref = self.miss(number).ref
            target = ref.rule.target
            apply = None if target is None or isinstance(target, Verdict | Jump) else compile_target(target, ref)
            found = self._compiled[number] = CompiledRule(ref, compile_matches(ref), apply)
        return found


class CompiledTable:
    """A table of one family; chains are compiled when a packet first enters them."""

    def __init__(self, family: int, table: Table, *, legacy: bool = False) -> None:
        self.family = family
        self.legacy = legacy
        self.name = table.name
        self._source = table
        self._chains: dict[str, CompiledChain] = {}

    def __contains__(self, chain: str) -> bool:
        return chain in self._source.chains

    def chain(self, name: str) -> CompiledChain:
        """A chain by its name; RuleNotModelledError where the table has none (the kernel would not have loaded the jump)."""
        found = self._chains.get(name)
        if found is None:
            if name not in self._source.chains:
                raise RuleNotModelledError(f"the table {self.name} has no chain {name}")
            found = self._chains[name] = CompiledChain(self.family, self.name, self._source.chains[name])
        return found


@dataclass(slots=True)
class _Frame:
    """A chain that is being walked: where in its candidates, from which rule on nothing is reported yet, and how it was reached."""

    chain: CompiledChain
    candidates: Sequence[int]
    reached_by: tuple[str, ...]
    at: int = 0
    reported: int = 0


_VERDICTS = {Verdict.ACCEPT: HookVerdict.ACCEPT, Verdict.DROP: HookVerdict.DROP}


class _Walk:
    """One packet in one table. Ref: ipt_do_table()."""

    def __init__(self, table: CompiledTable, ctx: XtContext) -> None:
        self.table = table
        self.ctx = ctx
        self.evaluations = Evaluations()
        self.at: RuleRef | None = None  # the rule under evaluation
        self._stack: list[_Frame] = []

    def run(self, base: str) -> ChainEnd:
        self._enter(base, ())
        stack = self._stack
        while stack:
            frame = stack[-1]
            chain = frame.chain
            if frame.at == len(frame.candidates):
                self.evaluations.passed_over(chain, frame.reported, len(chain.rules))
                stack.pop()
                continue
            index = frame.candidates[frame.at]
            if frame.reported < index:
                self.evaluations.passed_over(chain, frame.reported, index)
            frame.at, frame.reported = frame.at + 1, index + 1
            end = self._evaluate(frame, chain.rule(index))
            if end is not None:
                return end
        policy = self.table.chain(base).policy or Verdict.ACCEPT
        return ChainEnd(_VERDICTS[policy], policy.value, None)

    def _enter(self, name: str, reached_by: tuple[str, ...]) -> None:
        if name in reached_by:
            raise RuleNotModelledError(
                f"chains that jump in a circle ({' → '.join((*reached_by, name))}), which the kernel refuses to load"
            )
        chain = self.table.chain(name)
        candidates = chain.index.candidates(self.ctx.skb, self.ctx.iif, self.ctx.oif)
        self._stack.append(_Frame(chain, candidates, (*reached_by, name)))

    def _evaluate(self, frame: _Frame, rule: CompiledRule) -> ChainEnd | None:
        """One rule: its checks in order until one fails, then its action. None goes on."""
        ctx = self.ctx
        self.at, ctx.choice = rule.ref, None
        for check in rule.checks:
            if not check(ctx):
                self.evaluations.append(self._miss(frame, rule.ref))
                return None
        if rule.apply is not None:
            return self._apply(rule.ref, rule.apply)
        return self._steer(frame, rule.ref)

    def _miss(self, frame: _Frame, ref: RuleRef) -> RuleEvaluation:
        if self.ctx.choice is None:
            return frame.chain.miss(ref.index)
        return RuleEvaluation(ref, matched=False, choice=self.ctx.choice)

    def _apply(self, ref: RuleRef, apply: Apply) -> ChainEnd | None:
        outcome = apply(self.ctx)
        self._matched(ref, outcome.effect)
        return ChainEnd.by(outcome, ref)

    def _steer(self, frame: _Frame, ref: RuleRef) -> ChainEnd | None:
        """A verdict, a jump, or nothing at all."""
        target = ref.rule.target
        if isinstance(target, Jump):
            self._matched(ref, f"{'goto' if target.goto else 'jump'} {target.chain}")
            self._jump(frame, target)
            return None
        if not isinstance(target, Verdict):
            self._matched(ref, "")
            return None
        if target is Verdict.QUEUE:
            raise RuleNotModelledError("-j QUEUE")
        self._matched(ref, target.value)
        if target is Verdict.RETURN:
            frame.at, frame.reported = len(frame.candidates), len(frame.chain.rules)
            return None
        return ChainEnd(_VERDICTS[target], target.value, ref)

    def _jump(self, frame: _Frame, target: Jump) -> None:
        """A goto takes the place of the chain that it leaves, so the end of the new chain returns to the last jump."""
        if target.goto:
            self._stack.pop()
        self._enter(target.chain, frame.reached_by)

    def _matched(self, ref: RuleRef, effect: str) -> None:
        self.evaluations.append(RuleEvaluation(ref, matched=True, effect=effect, choice=self.ctx.choice))


def do_table(table: CompiledTable, base: str, ctx: XtContext, priority: int) -> HookVerdict:
    """Walk a packet through a base chain and what it jumps to; the pass is recorded, and the drop where it ends in one.

    STOLEN where the packet met what is not modelled: the rule's earlier parts had matched.
    """
    mark = ctx.skb.mark
    walk = _Walk(table, ctx)
    try:
        end = walk.run(base)
    except RuleNotModelledError as missing:
        if walk.at is not None:
            walk.evaluations.append(RuleEvaluation(walk.at, matched=True, effect=f"not modelled: {missing}"))
        _record(walk, base, priority, mark, "UNKNOWN", policy=False)
        return record_not_modelled(ctx, missing, walk.at)
    _record(walk, base, priority, mark, end.name, policy=end.ref is None)
    if end.verdict is HookVerdict.DROP:
        record_drop(ctx, end, table.name, base)
    return end.verdict


def _record(walk: _Walk, base: str, priority: int, mark: int, verdict: str, *, policy: bool) -> None:
    ctx = walk.ctx
    step = ChainPass(
        ctx.hook, walk.table.name, priority, walk.evaluations, verdict, policy, mark, ctx.skb.mark, walk.table.legacy
    )
    assert base == ctx.hook.value
    ctx.env.recorder.record(ctx.env.netns, step)
