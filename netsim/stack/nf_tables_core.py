"""A packet's way through the chains of one nftables table.

Theory of operation. A base chain is evaluated rule by rule, each from left to right: the first statement that does not hold ends the
rule (``NFT_BREAK``). ``accept`` ends this base chain only, and the next one at the hook sees the packet; ``drop`` ends everything. A jump
comes back behind its rule; a goto takes the place of the chain that it leaves. At the end of a base chain its policy decides.
Rules are compiled when a packet first comes to them. Verdict maps and sets are hashed, so a walk does not grow with their elements.

Ref: net/netfilter/nf_tables_core.c:nft_do_chain() (v6.12).
"""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.rules.nft.ast import Chain, Jump, Limit, ObjectReference, Quota, Table, Verdict
from netsim.rules.nft.objects import named_object
from netsim.stack.chain_end import ChainEnd, record_drop, record_not_modelled
from netsim.stack.environment import HookVerdict
from netsim.stack.nf_tables_expression import Scope
from netsim.stack.nf_tables_statement import Run, Steering, compile_statement
from netsim.stack.nft_lookup import NamedMapping, label_of
from netsim.stack.steps import NftChainPass, NftEvaluation, NftRuleRef
from netsim.stack.x_tables import RuleNotModelledError, XtContext

JUMP_STACK = 16
"""``NFT_JUMP_STACK_SIZE``: how deep jumps may lie within each other; the kernel refuses to load more."""


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule ready to run."""

    ref: NftRuleRef
    statements: tuple[Run, ...]


class CompiledTable:
    """A table with what is compiled of it so far. Nothing in it depends on a packet or a walk, so walks share it."""

    def __init__(self, table: Table) -> None:
        self.source = table
        self.family = table.family.value
        self.name = table.name
        self._chains: dict[str, CompiledChain] = {}
        self._named: dict[str, NamedMapping] = {}

    def chain(self, name: str) -> CompiledChain:
        """A chain by its name; RuleNotModelledError where the table has none (the kernel would not have loaded the jump)."""
        found = self._chains.get(name)
        if found is None:
            if name not in self.source.chains:
                raise RuleNotModelledError(f"the table {self.name} has no chain {name}")
            found = self._chains[name] = CompiledChain(self, self.source.chains[name])
        return found

    def named(self, name: str) -> NamedMapping:
        """A named set or map; RuleNotModelledError where the table has none."""
        found = self._named.get(name)
        if found is None:
            if name not in self.source.sets:
                raise RuleNotModelledError(f"the table {self.name} has no set {name}")
            place = (self.family, self.name, name)
            found = self._named[name] = NamedMapping(place, self.source.sets[name])
        return found

    def object(self, reference: ObjectReference) -> Limit | Quota | None:
        """A named limit or quota."""
        return named_object(self.source.others.get(f"{reference.kind} {reference.name}"))


class CompiledChain:
    """A chain of one table."""

    def __init__(self, table: CompiledTable, chain: Chain) -> None:
        self._table = table
        self.name = chain.name
        self.base = chain.base
        refs = [NftRuleRef(table.family, table.name, chain.name, index, rule) for index, rule in enumerate(chain.rules)]
        self.misses = tuple(NftEvaluation(ref, matched=False) for ref in refs)
        self._compiled: dict[int, CompiledRule] = {}

    def rule(self, index: int) -> CompiledRule:
        """One rule, compiled at its first use."""
        found = self._compiled.get(index)
        if found is None:
            found = self._compiled[index] = _compile(self.misses[index].ref, self._table)
        return found


def _compile(ref: NftRuleRef, table: CompiledTable) -> CompiledRule:
    place = f"{ref.family} {ref.table} {ref.chain} rule {ref.index + 1}"
    scope = Scope(place, _leads_to(ref), table.named, table.object, (table.family, table.name))
    return CompiledRule(ref, tuple(compile_statement(statement, ref, scope) for statement in ref.rule.statements))


def _leads_to(ref: NftRuleRef) -> str:
    """What a rule that matches leads to, in a person's words: its comment, the chain it jumps to, or where it stands."""
    if ref.rule.comment:
        return ref.rule.comment
    last = ref.rule.statements[-1] if ref.rule.statements else None
    target = getattr(last, "verdict", None)
    return label_of(target) if isinstance(target, Jump) else f"match: rule {ref.index + 1} of {ref.chain}"


@dataclass(slots=True)
class _Frame:
    chain: CompiledChain
    at: int = 0


_VERDICTS = {Verdict.ACCEPT: HookVerdict.ACCEPT, Verdict.DROP: HookVerdict.DROP}


class _Walk:
    """One packet in one base chain. Ref: nft_do_chain()."""

    def __init__(self, table: CompiledTable, ctx: XtContext) -> None:
        self.table = table
        self.ctx = ctx
        self.evaluations: list[NftEvaluation] = []
        self.at: NftRuleRef | None = None  # the rule under evaluation
        self._stack: list[_Frame] = []

    def run(self, base: CompiledChain) -> ChainEnd:
        self._stack.append(_Frame(base))
        while self._stack:
            frame = self._stack[-1]
            if frame.at == len(frame.chain.misses):
                self._stack.pop()
                continue
            index = frame.at
            frame.at += 1
            end = self._evaluate(frame, frame.chain.rule(index))
            if end is not None:
                return end
        policy = base.base.policy if base.base is not None else Verdict.ACCEPT
        return ChainEnd(_VERDICTS[policy], policy.name, None)

    def _evaluate(self, frame: _Frame, rule: CompiledRule) -> ChainEnd | None:
        """One rule: its statements in order until one does not hold or one decides. None goes on."""
        ref = self.at = rule.ref
        self.ctx.choice = None
        effects: list[str] = []
        for run in rule.statements:
            result = run(self.ctx)
            if result is None:
                self._missed(frame, ref, effects)
                return None
            if isinstance(result, Steering):
                return self._steer(frame, ref, result, effects)
            if result.effect:
                effects.append(result.effect)
            if result.verdict is not None:
                self._matched(ref, effects)
                return ChainEnd.by(result, ref)
        self._matched(ref, effects)
        return None

    def _missed(self, frame: _Frame, ref: NftRuleRef, effects: list[str]) -> None:
        if self.ctx.choice is None and not effects:
            self.evaluations.append(frame.chain.misses[ref.index])
        else:
            self.evaluations.append(
                NftEvaluation(ref, matched=False, effect="; ".join(effects), choice=self.ctx.choice)
            )

    def _steer(self, frame: _Frame, ref: NftRuleRef, steering: Steering, effects: list[str]) -> ChainEnd | None:
        """A verdict or a jump."""
        to = steering.to
        if isinstance(to, Jump):
            self._matched(ref, [*effects, f"{'goto' if to.goto else 'jump'} {to.chain}"], steering.comment)
            self._jump(to)
            return None
        self._matched(ref, [*effects, to.value], steering.comment)
        match to:
            case Verdict.CONTINUE:
                return None
            case Verdict.RETURN:
                frame.at = len(frame.chain.misses)
                return None
            case Verdict.ACCEPT | Verdict.DROP:
                return ChainEnd(_VERDICTS[to], to.name, ref)

    def _jump(self, to: Jump) -> None:
        """A goto takes the place of the chain that it leaves, so the end of the new chain returns to the last jump."""
        if to.goto:
            self._stack.pop()
        elif len(self._stack) > JUMP_STACK:
            raise RuleNotModelledError(
                f"more than {JUMP_STACK} jumps within each other, which the kernel refuses to load"
            )
        self._stack.append(_Frame(self.table.chain(to.chain)))

    def _matched(self, ref: NftRuleRef, effects: list[str], element: str = "") -> None:
        effect = "; ".join(effects)
        self.evaluations.append(
            NftEvaluation(ref, matched=True, effect=effect, choice=self.ctx.choice, element=element)
        )


def nft_do_chain(table: CompiledTable, name: str, ctx: XtContext) -> HookVerdict:
    """Walk a packet through a base chain and what it leads to; the pass is recorded, and the drop where it ends in one.

    STOLEN where the packet met what is not modelled: the rule's earlier statements had held.
    """
    mark = ctx.skb.mark
    walk = _Walk(table, ctx)
    base = table.chain(name)
    try:
        end = walk.run(base)
    except RuleNotModelledError as missing:
        if walk.at is not None:
            walk.evaluations.append(NftEvaluation(walk.at, matched=True, effect=f"not modelled: {missing}"))
        _record(walk, base, mark, "UNKNOWN", policy=False)
        return record_not_modelled(ctx, missing, walk.at)
    _record(walk, base, mark, end.name, policy=end.ref is None)
    if end.verdict is HookVerdict.DROP:
        record_drop(ctx, end, table.name, base.name)
    return end.verdict


def _record(walk: _Walk, base: CompiledChain, mark: int, verdict: str, *, policy: bool) -> None:
    ctx, hooked = walk.ctx, base.base
    assert hooked is not None
    step = NftChainPass(
        hook=ctx.hook,
        family=walk.table.family,
        table=walk.table.name,
        chain=base.name,
        type=hooked.type,
        priority=hooked.priority,
        evaluations=tuple(walk.evaluations),
        verdict=verdict,
        policy=policy,
        mark_before=mark,
        mark_after=ctx.skb.mark,
    )
    ctx.env.recorder.record(ctx.env.netns, step)
