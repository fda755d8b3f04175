"""Where frames meet rules of nftables: families bridge and netdev, and ``hook ingress`` of inet. None of them is walked.

A frame that comes to such a chain ends its walk there as not modelled. A chain without rules that accepts changes nothing and is passed.
Ref: include/linux/netfilter_netdev.h:nf_ingress(), nf_hook_egress(); net/bridge/br_input.c:nf_hook_bridge_pre() (v6.12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netsim.stack.namespace import Namespace, NotModelledError
from netsim.topology.model import Device

if TYPE_CHECKING:
    from netsim.stack.nf_tables_api import LinkHook


def nf_netdev(ns: Namespace, device: Device, *, egress: bool) -> None:
    """Show a frame to the chains at a device. Raises NotModelledError where one of them would decide."""
    if not ns.spec.nftables:
        return
    from netsim.stack.nf_tables_api import compile_ruleset

    for ruleset in ns.spec.nftables:
        for link in compile_ruleset(ruleset).links:
            if _sees(link, device, egress=egress):
                raise NotModelledError(f"nftables {link}", "nf_hook_egress" if egress else "nf_hook_ingress")


def _sees(link: LinkHook, device: Device, *, egress: bool) -> bool:
    if link.family == "bridge":
        return device.port is not None
    return device.name in link.devices and (link.hook == "egress") is egress
