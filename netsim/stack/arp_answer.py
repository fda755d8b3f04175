"""What a host thinks of an ARP request: whether it answers, and for whom; and whose address it asks with.

Ref: net/ipv4/arp.c:arp_process(), arp_ignore(), arp_filter(), arp_fwd_proxy(), arp_solicit(); net/ipv4/devinet.c:inet_confirm_addr(),
inet_addr_onlink() (v6.12).
"""

from __future__ import annotations

from netsim.net.address import Address, parse_address
from netsim.net.packet import ARP
from netsim.rules.xtables.ast import AddressType
from netsim.stack.fib import address_scope, addresses_of
from netsim.stack.fib_trie import Scope
from netsim.stack.namespace import Namespace
from netsim.stack.neigh_table import neigh_update
from netsim.stack.route import InputKey, OutputKey, Routed, ip_route_input, ip_route_output, on_link
from netsim.topology.model import Device, ProxyNeighbour

_UNSPECIFIED = parse_address("0.0.0.0")


def arp_process(ns: Namespace, device: Device, request: ARP) -> bool:
    """Whether a request that came in on a device is answered; the host learns its sender then."""
    sender, target = request.sender_ip, request.target_ip
    if sender == _UNSPECIFIED:
        return ns.fib.is_local(target) and not _ignores(ns, device, sender, target)
    routed = ip_route_input(ns, InputKey(sender, target, device))
    if not isinstance(routed, Routed) or not _speaks_for(ns, device, request, routed):
        return False
    return neigh_update(ns, device, sender, request.sender_mac)


def _speaks_for(ns: Namespace, device: Device, request: ARP, routed: Routed) -> bool:
    if routed.result == "local":
        if _ignores(ns, device, request.sender_ip, request.target_ip):
            return False
        return not (ns.sysctls.any_conf(device.name, "arp_filter") and _elsewhere(ns, device, request))
    if routed.result != "unicast" or routed.nexthop is None or not ns.sysctls.forwarding(device.name):
        return False
    back_again = routed.nexthop.device == device.name
    if ns.sysctls.any_conf(device.name, "proxy_arp_pvlan" if back_again else "proxy_arp"):
        return True
    return not back_again and ProxyNeighbour(device.name, request.target_ip) in ns.spec.proxies


def _ignores(ns: Namespace, device: Device, sender: Address, target: Address) -> bool:
    """``arp_ignore``: 0 answers for every own address, 1 for the device's own, 2 for its subnet alone, 3 for none of scope host."""
    match ns.sysctls.max_conf(device.name, "arp_ignore"):
        case 1:
            return not _has(device, target, Scope.HOST, beside=None)
        case 2:
            return not _has(device, target, Scope.HOST, beside=sender)
        case 3:
            return not any(_has(each, target, Scope.LINK, beside=None) for each in ns.devices.values())
        case 8:
            return True
        case _:
            return False


def _has(device: Device, target: Address, scope: Scope, *, beside: Address | None) -> bool:
    """Whether a device has an address, of no wider scope than this, and ``beside`` on its subnet."""
    return any(
        own.ip == target and address_scope(own).value <= scope.value and (beside is None or beside in own.network)
        for own in addresses_of(device)
    )


def _elsewhere(ns: Namespace, device: Device, request: ARP) -> bool:
    """``arp_filter``: the way back to who asks is another device's."""
    nexthop = ip_route_output(ns, OutputKey(request.sender_ip, request.target_ip)).nexthop
    return nexthop is not None and nexthop.device != device.name


def announced(ns: Namespace, device: Device, target: Address, hint: Address) -> Address:
    """The sender of a request, by ``arp_announce``: the source of the packet that waits (0), where it suits the link (1), or never (2)."""
    announce = ns.sysctls.max_conf(device.name, "arp_announce")
    suits = ns.fib.address_type(hint) is AddressType.LOCAL and (
        announce == 0 or (announce == 1 and on_link(device, target, hint))
    )
    return hint if suits else ns.fib.select_source(device.name, target, Scope.LINK) or _UNSPECIFIED
