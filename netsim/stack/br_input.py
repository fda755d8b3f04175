"""A frame comes in on a bridge port: it is learnt from, and forwarded, flooded or passed up to the bridge device.

Ref: net/bridge/br_input.c:br_handle_frame(), br_handle_frame_finish(), br_pass_frame_up() (v6.12).
"""

from __future__ import annotations

from netsim.stack.br_forward import deliver, record_decision
from netsim.stack.br_netfilter import PreRouting, br_nf_pre_routing, calls_iptables
from netsim.stack.dev import record_receive
from netsim.stack.ip_input import ip_rcv, ip_rcv_bridged
from netsim.stack.namespace import Namespace
from netsim.stack.nf_netdev import Side, nf_bridge
from netsim.stack.reasons import DropReason
from netsim.stack.skbuff import PacketType, SkBuff
from netsim.stack.steps import Hook
from netsim.topology.model import Device


def br_handle_frame(ns: Namespace, port: Device, skb: SkBuff) -> None:
    """Take a frame from a port."""
    assert port.port is not None
    state = ns.bridge(port.port.master)
    bridge = state.device
    if not state.forwards(port):
        ns.drop(DropReason.DEV_DOWN, "br_handle_frame", f"the bridge {bridge.name} is down")
        return
    if skb.dst_mac == bridge.mac:
        skb.pkt_type = PacketType.HOST
    if not nf_bridge(ns, Hook.PREROUTING, skb, iif=port.name, side=Side.BEFORE):
        return
    if calls_iptables(ns, skb) and br_nf_pre_routing(ns, bridge, port, skb) is PreRouting.STOLEN:
        return
    if not nf_bridge(ns, Hook.PREROUTING, skb, iif=port.name, side=Side.BEHIND):
        return
    _finish(ns, bridge, port, skb)


def _finish(ns: Namespace, bridge: Device, port: Device, skb: SkBuff) -> None:
    assert skb.src_mac is not None
    assert skb.dst_mac is not None
    decision = ns.bridge(bridge.name).receive(port, skb.src_mac, skb.dst_mac, ns.now())
    record_decision(ns, bridge, port, skb, decision)
    deliver(ns, bridge, skb, decision, ingress=port)
    if decision.up:
        _pass_frame_up(ns, bridge, port, skb)


def _pass_frame_up(ns: Namespace, bridge: Device, port: Device, skb: SkBuff) -> None:
    if not nf_bridge(ns, Hook.INPUT, skb, iif=port.name):
        return
    record_receive(ns, bridge, skb)
    (ip_rcv if skb.physindev is None else ip_rcv_bridged)(ns, bridge, skb)
