"""One step of a walk as lines of text: a word for what happened, and what there is to say of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias, assert_never

from netsim.net.address import Family
from netsim.net.packet import ICMPHeader, Packet, TCPFlags, TCPHeader, endpoint
from netsim.render.form import Detail, Format, filled, said
from netsim.rules.xtables.ast import Jump
from netsim.rules.xtables.dump import dump_rule, rule_words
from netsim.stack.evaluations import matched
from netsim.stack.reasons import DropReason
from netsim.stack.steps import (
    AnyRuleRef,
    BridgeDecision,
    ChainPass,
    ConntrackStep,
    Decapsulation,
    Drop,
    Encapsulation,
    Fragmentation,
    IPVSStep,
    LocalSend,
    NATStep,
    NeighbourResolution,
    NftChainPass,
    NftRuleRef,
    NotModelled,
    Reassembly,
    Receive,
    RoutingDecision,
    RuleEvaluation,
    RuleRef,
    SocketLookup,
    Step,
    Transmit,
    TTLStep,
)


def rule_text(ref: AnyRuleRef) -> str:
    """A rule as iptables-save, or nft, prints it."""
    if isinstance(ref, NftRuleRef):
        from netsim.render.nft_steps import nft_rule_text

        return nft_rule_text(ref)
    return dump_rule(ref.rule, ref.chain, family=Family(ref.family))


def rewrite_of(step: NATStep | IPVSStep) -> str:
    """The ends that NAT or IPVS changed: ``10.96.0.10:80 → 10.244.1.7:8080``, both where both changed."""
    before, after = step.before, step.after
    ends = [
        (endpoint(before.ip.src, before.sport), endpoint(after.ip.src, after.sport)),
        (endpoint(before.ip.dst, before.dport), endpoint(after.ip.dst, after.dport)),
    ]
    return ", ".join(f"{old} → {new}" for old, new in ends if old != new) or _identifiers(before, after)


def _identifiers(before: Packet, after: Packet) -> str:
    if isinstance(before.l4, ICMPHeader) and isinstance(after.l4, ICMPHeader):
        if before.l4.identifier != after.l4.identifier:
            return f"identifier {before.l4.identifier} → {after.l4.identifier}"
        if before.l4.quoted is not None and before.l4.quoted != after.l4.quoted:
            return f"quoted packet {before.l4.quoted} → {after.l4.quoted}"
    return "nothing changed"


def packet_text(packet: Packet, *, more: bool = False) -> str:
    """Both ends of a packet, with TTL; with ``more`` also flags and sizes."""
    words = [str(packet), f"ttl {packet.ip.ttl}"]
    if more and isinstance(packet.l4, TCPHeader):
        words.append(f"[{flags_text(packet.l4.flags)}] seq {packet.l4.seq} ack {packet.l4.ack}")
    if packet.payload:
        words.append(f"{packet.payload} bytes")
    return ", ".join(words)


def flags_text(flags: TCPFlags) -> str:
    """``SYN,ACK``: the flags by name, in the order of their bits from SYN on."""
    order = (
        TCPFlags.SYN,
        TCPFlags.FIN,
        TCPFlags.RST,
        TCPFlags.PSH,
        TCPFlags.ACK,
        TCPFlags.URG,
        TCPFlags.ECE,
        TCPFlags.CWR,
    )
    return ",".join(flag.name or "" for flag in order if flags & flag)


def step_lines(step: Step, form: Format) -> Iterator[str]:
    """The lines of one step, without indentation."""
    match step:
        case ChainPass():
            yield from _chain_pass(step, form)
        case NftChainPass():
            from netsim.render.nft_steps import nft_chain_pass

            yield from nft_chain_pass(step, form)
        case NATStep():
            text = form.style.paint(rewrite_of(step), "rewrite")
            yield from said(step.kind, text + _aside(step.detail), form)
        case IPVSStep():
            from netsim.render.ipvs_step import ipvs_words

            yield from said("IPVS", ipvs_words(step) + _aside(step.detail), form)
            if step.before != step.after:
                yield from said("", form.style.paint(rewrite_of(step), "rewrite"), form)
        case Drop(reason=reason):
            word = "REJECT" if reason is DropReason.NETFILTER_REJECT else "DROP"
            text = f"{step.where}: {reason.value}{_aside(step.detail)} [{reason.name}]"
            yield from said(word, text, form, part="bad")
        case NotModelled():
            yield from said("UNKNOWN", f"not modelled at {step.where}: {step.what}", form, part="doubtful")
        case _:
            word, text = _plain_step(step, more=form.detail is Detail.ALL)
            yield from said(word, text, form)


PlainStep: TypeAlias = (
    LocalSend
    | Receive
    | Transmit
    | BridgeDecision
    | NeighbourResolution
    | RoutingDecision
    | ConntrackStep
    | Encapsulation
    | Fragmentation
    | Reassembly
    | Decapsulation
    | TTLStep
    | SocketLookup
)


def _plain_step(step: PlainStep, *, more: bool) -> tuple[str, str]:
    match step:
        case LocalSend(packet=packet, by=by):
            return "send", f"{packet_text(packet, more=more)}, by {by}"
        case Receive():
            return "receive", f"{step.device}: {packet_text(step.packet, more=more)}{_macs(step, more=more)}"
        case Transmit():
            return "transmit", f"{step.device}{_macs(step, more=more)}"
        case BridgeDecision():
            return "bridge", _bridge(step)
        case NeighbourResolution():
            return "neighbour", _neighbour(step)
        case RoutingDecision():
            return "route", _route(step)
        case ConntrackStep():
            return "conntrack", _conntrack(step, more=more)
        case Fragmentation() | Reassembly():
            return _fragments(step)
        case Encapsulation() | Decapsulation():
            return _tunnelled(step, more=more)
        case TTLStep(before=before, after=after):
            return "ttl", f"{before} → {after}"
        case SocketLookup():
            return "socket", _socket(step)
        case _ as never:
            assert_never(never)


def _macs(step: Receive | Transmit, *, more: bool) -> str:
    return f", {step.src_mac} → {step.dst_mac}" if more and step.src_mac is not None else ""


def _aside(text: str) -> str:
    return f" ({text})" if text else ""


def _bridge(step: BridgeDecision) -> str:
    where = f" to {', '.join(step.ports)}" if step.ports else ""
    return f"{step.bridge}: {step.action}{where}{_aside(step.detail)}"


def _neighbour(step: NeighbourResolution) -> str:
    answer = "nobody answers" if step.mac is None else f"is at {step.mac}"
    return f"{step.address} on {step.device} {answer}{_aside(step.detail)}"


def _route(step: RoutingDecision) -> str:
    table = f" (table {step.table})" if step.table not in ("main", "local") else ""
    return f"{step.route}{table}" if step.route else f"{step.result} for {step.destination}"


def _fragments(step: Fragmentation | Reassembly) -> tuple[str, str]:
    match step:
        case Fragmentation(device=device, mtu=mtu, fragments=parts):
            return "fragment", f"{device}: the packet leaves in {len(parts)} parts of at most {mtu} bytes"
        case Reassembly(count=count, where=where):
            return "whole", f"{where}: the last of {count} fragments came, and the packet is whole again"


def _tunnelled(step: Encapsulation | Decapsulation, *, more: bool) -> tuple[str, str]:
    match step:
        case Encapsulation():
            return "encap", _encapsulation(step)
        case Decapsulation():
            return "decap", f"{_tunnel(step)}: {packet_text(step.inner, more=more)} comes out of {step.outer}"


def _tunnel(step: Encapsulation | Decapsulation) -> str:
    return f"{step.device} ({step.kind}{f' {step.vni}' if step.vni is not None else ''})"


def _encapsulation(step: Encapsulation) -> str:
    carried = f"the frame for {step.dst_mac}" if step.dst_mac is not None else "the packet"
    return f"{_tunnel(step)}: {carried} travels in {step.outer}{_aside(step.detail)}"


def _conntrack(step: ConntrackStep, *, more: bool) -> str:
    known = f"{step.state} {step.direction}" if step.direction else step.state
    said = _CONNTRACK_ACTIONS.get(step.action, step.action)
    entry = f": {' '.join(step.entry.split())}" if more and step.entry else ""
    return (f"{known}, {said}" if said else known) + _aside(step.detail) + entry


_CONNTRACK_ACTIONS = {
    # what is said beside state and direction
    "new": "a new entry",
    "found": "",
    "confirm": "confirmed",
    "offload": "offloaded",
    "invalid": "",
    "untracked": "",
}


def _socket(step: SocketLookup) -> str:
    taken = "no socket takes it" if step.owner is None else f"taken by {step.owner or 'a socket'}"
    return f"{taken}; answer: {step.answer}" if step.answer else taken


# --- rules ---------------------------------------------------------------------------------------------------------


def _chain_pass(step: ChainPass, form: Format) -> Iterator[str]:
    policy = " by policy" if step.policy else ""
    yield from said(step.table, f"{step.hook.value}: {step.verdict}{policy}", form)
    told = step.evaluations if form.detail is Detail.ALL else telling(step.evaluations)
    for evaluation in told:
        yield from _evaluation(evaluation, form)


def telling(evaluations: Sequence[RuleEvaluation]) -> list[RuleEvaluation]:
    """The rules that matched, without the jumps into chains where nothing matched."""
    told: list[RuleEvaluation] = []
    for evaluation in reversed(matched(evaluations)):
        target = evaluation.ref.rule.target
        if not isinstance(target, Jump) or (told and told[-1].ref.chain == target.chain):
            told.append(evaluation)
    return told[::-1]


def _evaluation(evaluation: RuleEvaluation, form: Format) -> Iterator[str]:
    mark = ("+ " if evaluation.matched else "- ") if form.detail is Detail.ALL else ""
    words = [*rule_groups(evaluation.ref), *_said_of(evaluation)]
    for number, line in enumerate(filled(words, form.width - 12)):
        before = f"    {mark}" if number == 0 else f"    {' ' * len(mark)}    "
        yield before + form.style.paint(line, "rule")


def rule_groups(ref: RuleRef) -> list[str]:
    """A rule's text in pieces that stay together: an option with its values."""
    groups = [f"-A {ref.chain}"]
    for word in rule_words(ref.rule, family=Family(ref.family)):
        starts = word.startswith("-") or word == "!"
        if starts and groups[-1] != "!":
            groups.append(word)
        else:
            groups[-1] += f" {word}"
    return groups


_EFFECTS_IN_THE_RULE = ("jump ", "goto ", "ACCEPT", "DROP", "RETURN", "REJECT", "DNAT to", "SNAT to")


def _said_of(evaluation: RuleEvaluation) -> list[str]:
    """What the rule's own text does not say: the chance taken, a changed mark."""
    said = [f"chance {evaluation.choice.probability}"] if evaluation.choice else []
    if evaluation.effect and not evaluation.effect.startswith(_EFFECTS_IN_THE_RULE):
        said.append(evaluation.effect)
    return [f" [{'; '.join(said)}]"] if said else []
