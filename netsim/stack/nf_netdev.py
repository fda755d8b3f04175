"""Where frames meet rules of nftables: families bridge and netdev, and ``hook ingress`` of inet.

| hook of a device | where | devices that rules see |
| ingress | a frame came in, before any bridge or IP looks at it | iif |
| egress | a frame is about to leave | oif |

| hook of a bridge | where | devices that rules see |
| prerouting | a port took a frame | iif: the port |
| input | a frame goes up to the bridge device | iif: the port |
| forward | a frame goes from one port to another | both ports |
| output | a frame that this host sends by the bridge device goes to a port | oif: the port |
| postrouting | a frame goes to a port | oif: the port |

Chains of a bridge stand beside br_netfilter, which lends the frame to the IP hooks at priority 0 (prerouting), -1 (forward) and last
(postrouting). ARP passes these hooks too: ``nf_arp`` says what of that is walked.
Ref: include/linux/netfilter_netdev.h:nf_ingress(), nf_hook_egress(); net/bridge/br_input.c, br_forward.c;
br_netfilter_hooks.c:br_nf_ops[] (v6.12).
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from netsim.stack.environment import HookVerdict
from netsim.stack.namespace import Namespace
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook
from netsim.topology.model import Device

if TYPE_CHECKING:
    from netsim.stack.nf_tables_api import FlowHook, LinkHook

_BRNF = {Hook.PREROUTING: 0, Hook.FORWARD: -1}
"""The priorities of br_netfilter; of chains with the same one that which was loaded later runs first. In postrouting it is the last."""


class Side(Enum):
    """Chains before br_netfilter's own function at a hook of a bridge, or behind it."""

    BEFORE = "before"
    BEHIND = "behind"


def nf_netdev(ns: Namespace, device: Device, skb: SkBuff, *, egress: bool) -> bool:
    """Show a frame to the chains at a device, and on its way in to the flowtables. False where it ended, or left by another device."""
    if not ns.spec.nftables:
        return True
    if egress:
        return _run(ns, links_at(ns, "netdev", Hook.EGRESS, device), Hook.EGRESS, skb, "", device.name)
    chains = links_at(ns, "netdev", Hook.INGRESS, device)
    for flows in _flowtables(ns):
        before = [chain for chain in chains if chain.priority < flows.priority]
        chains = chains[len(before) :]
        if not _run(ns, before, Hook.INGRESS, skb, device.name, ""):
            return False
        from netsim.stack.nf_flow_table import nf_flow_offload

        if nf_flow_offload(ns, flows, device, skb):
            return False
    return _run(ns, chains, Hook.INGRESS, skb, device.name, "")


def _flowtables(ns: Namespace) -> list[FlowHook]:
    from netsim.stack.nf_tables_api import compile_ruleset

    found = [each for ruleset in ns.spec.nftables for each in compile_ruleset(ruleset).flowtables]
    return sorted(found, key=lambda each: each.priority)


def nf_bridge(
    ns: Namespace, hook: Hook, skb: SkBuff, *, iif: str = "", oif: str = "", side: Side | None = None
) -> bool:
    """Show a frame to the chains of family bridge at a hook; False where it ended. ``side`` None: br_netfilter has nothing there."""
    chains = [each for each in links_at(ns, "bridge", hook) if side in (None, _side(each))]
    return _run(ns, chains, hook, skb, iif, oif)


def _side(chain: LinkHook) -> Side:
    brnf = _BRNF.get(chain.hook)
    return Side.BEFORE if brnf is None or chain.priority <= brnf else Side.BEHIND


def links_at(ns: Namespace, family: str, hook: Hook, device: Device | None = None) -> list[LinkHook]:
    """The chains of a hook, of family netdev those at a device, by priority; of equal ones the later first.

    Ref: net/netfilter/core.c:nf_hook_entries_grow().
    """
    if not ns.spec.nftables:
        return []
    from netsim.stack.nf_tables_api import compile_ruleset

    found = [
        link
        for ruleset in ns.spec.nftables
        for link in compile_ruleset(ruleset).links
        if link.family == family and link.hook is hook
    ]
    if family == "netdev":
        found = [link for link in found if device is not None and device.name in link.devices]
    found.reverse()
    return sorted(found, key=lambda link: link.priority)


def _run(ns: Namespace, chains: list[LinkHook], hook: Hook, skb: SkBuff, iif: str, oif: str) -> bool:
    return all(run_link(ns, chain, hook, skb, iif, oif) is HookVerdict.ACCEPT for chain in chains)


def run_link(ns: Namespace, chain: LinkHook, hook: Hook, skb: SkBuff, iif: str, oif: str) -> HookVerdict:
    """What one chain says of a frame."""
    from netsim.stack.netfilter import Netfilter

    assert isinstance(ns.netfilter, Netfilter)
    return ns.netfilter.run_link(chain, hook, skb, iif, oif)
