"""A step as JSON values: ``type`` says which, the other keys are the step's own fields."""

from __future__ import annotations

from typing import assert_never

from netsim.net.address import MAC, Address
from netsim.objects.json import Json
from netsim.render.ipvs_step import ipvs_document
from netsim.render.packet_document import packet_document
from netsim.render.steps import rule_text
from netsim.stack.steps import (
    AnyRuleRef,
    BridgeDecision,
    ChainPass,
    Choice,
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
    NftEvaluation,
    NotModelled,
    Reassembly,
    Receive,
    RoutingDecision,
    RuleEvaluation,
    SocketLookup,
    Step,
    Transmit,
    TTLStep,
)


def step_document(step: Step) -> dict[str, Json]:
    """One step."""
    match step:
        case LocalSend() | Receive() | Transmit() | BridgeDecision() | NeighbourResolution() | RoutingDecision():
            return _way(step)
        case ChainPass() | ConntrackStep() | NATStep():
            return _netfilter(step)
        case NftChainPass():
            return _nft(step)
        case Encapsulation() | Decapsulation():
            return _tunnel(step)
        case Fragmentation() | Reassembly():
            return _fragments(step)
        case IPVSStep():
            choice = None if step.choice is None else choice_document(step.choice)
            return {**ipvs_document(step), "choice": choice}
        case TTLStep() | SocketLookup() | Drop() | NotModelled():
            return _end(step)
        case _ as never:
            assert_never(never)


def _way(
    step: LocalSend | Receive | Transmit | BridgeDecision | NeighbourResolution | RoutingDecision,
) -> dict[str, Json]:
    match step:
        case LocalSend(packet=packet, by=by):
            return {"type": "send", "by": by, "packet": packet_document(packet)}
        case Receive() | Transmit():
            return {
                "type": "receive" if isinstance(step, Receive) else "transmit",
                "device": step.device,
                "srcMAC": _text(step.src_mac),
                "dstMAC": _text(step.dst_mac),
                "packet": packet_document(step.packet),
            }
        case BridgeDecision():
            return {
                "type": "bridge",
                "bridge": step.bridge,
                "ingress": step.ingress,
                "action": step.action,
                "ports": list(step.ports),
                "dstMAC": str(step.dst_mac),
                "learned": step.learned,
                "detail": step.detail,
            }
        case NeighbourResolution():
            return {
                "type": "neighbour",
                "device": step.device,
                "address": str(step.address),
                "mac": _text(step.mac),
                "cached": step.cached,
                "detail": step.detail,
            }
        case RoutingDecision():
            return {
                "type": "route",
                "stage": step.stage,
                "destination": str(step.destination),
                "result": step.result,
                "route": step.route,
                "table": step.table,
                "device": step.device,
                "gateway": _text(step.gateway),
                "source": _text(step.source),
            }
        case _ as never:
            assert_never(never)


def _netfilter(step: ChainPass | ConntrackStep | NATStep) -> dict[str, Json]:
    match step:
        case ChainPass():
            return {
                "type": "chain",
                "hook": step.hook.value,
                "table": step.table,
                "priority": step.priority,
                "verdict": step.verdict,
                "policy": step.policy,
                "markBefore": step.mark_before,
                "markAfter": step.mark_after,
                "rules": [_evaluation(evaluation) for evaluation in step.evaluations],
            }
        case ConntrackStep():
            return {
                "type": "conntrack",
                "hook": step.hook.value,
                "action": step.action,
                "state": step.state,
                "direction": step.direction,
                "entry": step.entry,
                "detail": step.detail,
            }
        case NATStep():
            return {
                "type": "nat",
                "hook": step.hook.value,
                "kind": step.kind,
                "before": packet_document(step.before),
                "after": packet_document(step.after),
                "rule": None if step.ref is None else rule_document(step.ref),
                "detail": step.detail,
            }
        case _ as never:
            assert_never(never)


def _fragments(step: Fragmentation | Reassembly) -> dict[str, Json]:
    packet = packet_document(step.packet)
    match step:
        case Fragmentation(device=device, mtu=mtu, fragments=parts):
            cut = [packet_document(part) for part in parts]
            return {"type": "fragment", "device": device, "mtu": mtu, "packet": packet, "fragments": cut}
        case Reassembly(count=count, where=where):
            return {"type": "reassemble", "where": where, "count": count, "packet": packet}


def _tunnel(step: Encapsulation | Decapsulation) -> dict[str, Json]:
    document: dict[str, Json] = {
        "type": "encapsulate" if isinstance(step, Encapsulation) else "decapsulate",
        "device": step.device,
        "kind": step.kind,
        "vni": step.vni,
        "inner": packet_document(step.inner),
        "outer": packet_document(step.outer),
    }
    if isinstance(step, Encapsulation):
        document |= {"srcMAC": _text(step.src_mac), "dstMAC": _text(step.dst_mac), "detail": step.detail}
    return document


def _end(step: TTLStep | SocketLookup | Drop | NotModelled) -> dict[str, Json]:
    match step:
        case TTLStep(before=before, after=after):
            return {"type": "ttl", "before": before, "after": after}
        case SocketLookup():
            packet = packet_document(step.packet)
            return {"type": "socket", "owner": step.owner, "answer": step.answer, "packet": packet}
        case Drop():
            return {
                "type": "drop",
                "reason": step.reason.name,
                "meaning": step.reason.value,
                "where": step.where,
                "table": step.table,
                "chain": step.chain,
                "rule": None if step.ref is None else rule_document(step.ref),
                "detail": step.detail,
            }
        case NotModelled():
            rule = None if step.ref is None else rule_document(step.ref)
            return {"type": "notModelled", "what": step.what, "where": step.where, "rule": rule}
        case _ as never:
            assert_never(never)


def _text(value: MAC | Address | None) -> str | None:
    return None if value is None else str(value)


def _nft(step: NftChainPass) -> dict[str, Json]:
    return {
        "type": "nft",
        "hook": step.hook.value,
        "family": step.family,
        "table": step.table,
        "chain": step.chain,
        "chainType": step.type,
        "priority": step.priority,
        "verdict": step.verdict,
        "policy": step.policy,
        "markBefore": step.mark_before,
        "markAfter": step.mark_after,
        "rules": [{**_evaluation(evaluation), "element": evaluation.element} for evaluation in step.evaluations],
    }


def rule_document(ref: AnyRuleRef) -> dict[str, Json]:
    """Where a rule stands, its text as iptables-save or nft prints it, and where it was written."""
    origin = ref.rule.origin
    return {
        "family": ref.family,
        "table": ref.table,
        "chain": ref.chain,
        "number": ref.index + 1,
        "text": rule_text(ref),
        "origin": None if origin is None else {"file": origin.file, "line": origin.line, "column": origin.column},
    }


def _evaluation(evaluation: RuleEvaluation | NftEvaluation) -> dict[str, Json]:
    choice = evaluation.choice
    return {
        "rule": rule_document(evaluation.ref),
        "matched": evaluation.matched,
        "effect": evaluation.effect,
        "choice": None if choice is None else choice_document(choice),
    }


def choice_document(choice: Choice) -> dict[str, Json]:
    """What chance decided, and among what."""
    return {
        "description": choice.description,
        "options": [{"text": text, "probability": str(chance)} for text, chance in choice.options],
        "index": choice.index,
        "probability": str(choice.probability),
    }
