"""ARP messages before rules of nftables: families arp, bridge and netdev.

A resolution is walked at once and recorded as one step, so what rules say of its messages is not recorded rule by rule: a message that is
dropped is lost, and the step's detail names the chain.
Ref: net/ipv4/arp.c:arp_xmit(), arp_rcv(): NF_ARP_OUT, NF_ARP_IN; include/linux/netfilter_netdev.h; net/bridge/ (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.dataclass import dataclass
from netsim.net.packet import ARP, Frame, IPHeader, Packet, Protocol, UDPHeader
from netsim.stack.dev import packet_type
from netsim.stack.environment import HookVerdict
from netsim.stack.namespace import Namespace, NotModelledError
from netsim.stack.nf_netdev import links_at, run_link
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook, NotModelled
from netsim.topology.model import Device

if TYPE_CHECKING:
    from netsim.stack.nf_tables_api import LinkHook


@dataclass(frozen=True, slots=True)
class ArpHook:
    """A hook that ARP passes: ``family`` is ``arp``, ``bridge`` or ``netdev``. The devices are those that rules see."""

    family: str
    hook: Hook
    iif: Device | None = None
    oif: Device | None = None


def nf_arp(ns: Namespace, at: ArpHook, frame: Frame) -> str:
    """Show an ARP message to the chains of a hook: empty where it goes on, else the chain that dropped it.

    Raises NotModelledError where a rule asks what the model cannot say of ARP.
    """
    if not ns.spec.nftables:
        return ""
    device = at.iif or at.oif
    for chain in links_at(ns, at.family, at.hook, device):
        verdict = _shown(ns, chain, at, frame)
        if verdict is HookVerdict.DROP:
            return f"nftables {chain} drops ARP"
    return ""


def _shown(ns: Namespace, chain: LinkHook, at: ArpHook, frame: Frame) -> HookVerdict:
    verdicts: list[HookVerdict] = []
    names = (_name(at.iif), _name(at.oif))
    ends = ns.network.aside(lambda: verdicts.append(run_link(ns, chain, at.hook, _skb(at, frame), *names)))
    told = [step.what for _, step in ends if isinstance(step, NotModelled)]
    if told or verdicts[0] is HookVerdict.STOLEN:
        what = told[0] if told else "a frame that is sent elsewhere"
        raise NotModelledError(f"ARP before nftables {chain}: {what}", "nf_hook_slow")
    return verdicts[0]


def _name(device: Device | None) -> str:
    return "" if device is None else device.name


def _skb(at: ArpHook, frame: Frame) -> SkBuff:
    """What stands for the message: expressions ask ``skb.arp``, and find no IP header."""
    message = frame.payload
    assert isinstance(message, ARP)
    none = Packet(IPHeader(message.sender_ip, message.target_ip, Protocol.UDP), UDPHeader(0, 0))
    skb = SkBuff(none, frame.src, frame.dst, iif=_name(at.iif) or None, oif=_name(at.oif) or None, arp=message)
    if at.iif is not None:
        skb.pkt_type = packet_type(at.iif, frame.dst)
    return skb
