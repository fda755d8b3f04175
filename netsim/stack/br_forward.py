"""A bridge sends frames out of its ports, and takes those that its own host sends through the bridge device.

Ref: net/bridge/br_forward.c:__br_forward(), br_dev_queue_push_xmit(), net/bridge/br_device.c:br_dev_xmit() (v6.12).
"""

from __future__ import annotations

from dataclasses import replace

from netsim.stack.br_netfilter import br_nf_forward, br_nf_post_routing
from netsim.stack.bridge import Decision
from netsim.stack.dev import dev_queue_xmit, is_skb_forwardable, skb_len
from netsim.stack.ip_output import do_fragment
from netsim.stack.namespace import Namespace
from netsim.stack.nf_netdev import Side, nf_bridge
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import BridgeDecision, Hook
from netsim.topology.model import Device


def br_dev_xmit(ns: Namespace, bridge: Device, skb: SkBuff) -> None:
    """A frame that this host sends through the bridge device."""
    assert skb.dst_mac is not None
    decision = ns.bridge(bridge.name).transmit(skb.dst_mac, ns.now())
    record_decision(ns, bridge, bridge, skb, decision)
    deliver(ns, bridge, skb, decision, ingress=None)


def record_decision(ns: Namespace, bridge: Device, ingress: Device, skb: SkBuff, decision: Decision) -> None:
    """Record what the bridge decided, and the drop where it is one."""
    assert skb.dst_mac is not None
    ports = tuple(port.name for port in decision.ports)
    detail = decision.detail
    if decision.up and decision.action == "flood":
        detail += ", and up to the bridge device"
    step = BridgeDecision(bridge.name, ingress.name, decision.action, ports, skb.dst_mac, decision.learned, detail)
    ns.record(step)
    if decision.reason is not None:
        ns.drop(decision.reason, "should_deliver", detail)


def deliver(ns: Namespace, bridge: Device, skb: SkBuff, decision: Decision, *, ingress: Device | None) -> None:
    """Send a frame to the ports that were decided on, a copy to each but the last (and to all, where it also goes up).

    ``ingress`` is the port that it came in by, None for what this host made.
    """
    for position, port in enumerate(decision.ports):
        last = position == len(decision.ports) - 1 and not decision.up
        _forward(ns, bridge, port, skb if last else clone(skb), ingress)


def clone(skb: SkBuff) -> SkBuff:
    """A copy that shares its conntrack entry with the original (``skb_clone()``)."""
    return replace(skb, traversed=list(skb.traversed))


def _forward(ns: Namespace, bridge: Device, port: Device, skb: SkBuff, ingress: Device | None) -> None:
    if ingress is None:
        goes_on = nf_bridge(ns, Hook.OUTPUT, skb, oif=port.name)
    else:
        goes_on = (
            nf_bridge(ns, Hook.FORWARD, skb, iif=ingress.name, oif=port.name, side=Side.BEFORE)
            and br_nf_forward(ns, bridge, port, skb)
            and nf_bridge(ns, Hook.FORWARD, skb, iif=ingress.name, oif=port.name, side=Side.BEHIND)
        )
    if (
        not goes_on
        or not nf_bridge(ns, Hook.POSTROUTING, skb, oif=port.name)
        or not br_nf_post_routing(ns, bridge, skb)
    ):
        return
    if skb.frag_max_size and skb.physindev is not None and skb_len(skb.packet) > min(port.mtu, skb.frag_max_size):
        do_fragment(ns, skb, port, port.mtu, lambda part: _push(ns, port, part))
        return
    if not is_skb_forwardable(port, skb.packet):
        detail = f"{skb_len(skb.packet)} bytes are more than the MTU of {port.name}, {port.mtu}"
        ns.drop(DropReason.PKT_TOO_BIG, "br_dev_queue_push_xmit", detail)
        return
    _push(ns, port, skb)


def _push(ns: Namespace, port: Device, skb: SkBuff) -> None:
    """``br_dev_queue_push_xmit()``, which tells nobody what became of it."""
    dev_queue_xmit(ns, port, skb)
    skb.refused = False
