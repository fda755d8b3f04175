"""One namespace as its netfilter hooks see it: the stack's side of ``HookEnvironment``."""

from __future__ import annotations

from netsim.net.address import Address
from netsim.rules.xtables.ast import AddressType
from netsim.stack.fib import addresses_of
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.reject import send_reject
from netsim.stack.route import OutputKey, ip_route_output, record_output
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Hook


class NamespaceHooks:
    """Answers netfilter's questions out of a namespace's routes, addresses and sockets."""

    def __init__(self, ns: Namespace) -> None:
        self._ns = ns
        self.netns = ns.name
        self.recorder = ns.network.recorder
        self.chooser = ns.network.chooser
        self.clock = ns.network.clock

    def sysctl(self, name: str) -> int:
        """The value of a sysctl in this namespace."""
        return self._ns.sysctls.get(name)

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """What the FIB says of an address."""
        return self._ns.fib.address_type(address, device)

    def select_source(self, device: str, towards: Address) -> Address | None:
        """``inet_select_addr()`` with scope universe."""
        return self._ns.fib.select_source(device, towards)

    def first_address(self, device: str, like: Address) -> Address | None:
        """The first address of a device in the family of ``like``."""
        found = self._ns.devices.get(device)
        if found is None:
            return None
        return next((a.ip for a in addresses_of(found) if a.version == like.version), None)

    def reroute(self, skb: SkBuff) -> bool:
        """Route a packet of OUTPUT again. Ref: net/ipv4/netfilter.c:ip_route_me_harder() (v6.12)."""
        ns, packet = self._ns, skb.packet
        kind = ns.fib.address_type(packet.ip.src)
        own = kind in (AddressType.LOCAL, AddressType.UNICAST)
        key = OutputKey(packet.ip.dst, packet.ip.src if own else None, any_source=True, mark=skb.mark, packet=packet)
        routed = ip_route_output(ns, key)
        record_output(ns, key, routed)
        if routed.nexthop is None:
            error = routed.error.value if routed.error is not None else "no route"
            hint = (
                ": a loopback source must not leave the host (route_localnet is 0)" if packet.ip.src.is_loopback else ""
            )
            ns.drop(DropReason.IP_OUTNOROUTES, "ip_route_me_harder", f"{packet.ip.dst}: {error!r}{hint}")
            return False
        skb.nexthop = routed.nexthop
        skb.oif = routed.nexthop.device
        return True

    def send_reject(self, skb: SkBuff, hook: Hook, kind: str) -> None:
        """Answer a packet as REJECT does."""
        send_reject(self._ns, skb, hook, kind)

    def local_port_used(self, protocol: int, address: Address, port: int) -> bool:
        """True where a socket of this namespace holds the port."""
        return self._ns.sockets.holds(protocol, address, port)
