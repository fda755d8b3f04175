"""One namespace as its netfilter hooks see it: the stack's side of ``HookEnvironment``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from typing import TYPE_CHECKING

from netsim.net.address import Address
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.xtables.ast import AddressType
from netsim.stack.addrconf import ipv6_addr_scope
from netsim.stack.environment import FoundSocket, ReversePath
from netsim.stack.fib import addresses_of
from netsim.stack.fib_rules import FlowKey
from netsim.stack.fib_trie import RouteKind
from netsim.stack.ip6_netfilter import ip6_route_me_harder, match_type6, nft_fib6_type
from netsim.stack.namespace import Namespace
from netsim.stack.reasons import DropReason
from netsim.stack.reject import send_reject
from netsim.stack.route import OutputKey, ip_route_output, record_output
from netsim.stack.skbuff import SkBuff
from netsim.stack.sockets import Connection
from netsim.stack.steps import Hook
from netsim.topology.model import Loopback

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Ruleset as NftRuleset
    from netsim.stack.ip_vs_conn import Conn


class NamespaceHooks:
    """Answers netfilter's questions out of a namespace's routes, addresses and sockets."""

    def __init__(self, ns: Namespace) -> None:
        self._ns = ns
        self.netns = ns.name
        self.recorder = ns.network.recorder
        self.chooser = ns.network.chooser
        self.clock = ns.network.clock
        self.ipsets = ns.spec.ipsets
        self.connections: Sequence[ConntrackEntry] = ns.spec.conntrack
        self.recent: Mapping[str, Sequence[Address]] = ns.spec.recent
        self.nftables: Sequence[NftRuleset] = ns.spec.nftables

    def sysctl(self, name: str) -> int:
        """The value of a sysctl in this namespace."""
        return self._ns.sysctls.get(name)

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """What the FIB says of an IPv4 address."""
        return self._ns.fib.address_type(address, device)

    def is_address_type6(self, address: Address, wanted: frozenset[AddressType], device: str | None = None) -> bool:
        """What ``-m addrtype`` says of an IPv6 address."""
        return match_type6(self._ns, address, wanted, device)

    def fib_type(self, address: Address, device: str | None = None) -> AddressType:
        """What nft's ``fib … type`` says of an address."""
        if address.version == 6:
            return nft_fib6_type(self._ns, address, device)
        return self._ns.fib.address_type(address, device)

    def route_device(self, towards: Address, source: Address | None, device: str | None, mark: int) -> str | None:
        """Ref: net/ipv4/netfilter/nft_fib_ipv4.c:nft_fib4_eval(), net/ipv6/netfilter/nft_fib_ipv6.c:nft_fib6_eval() (v6.12)."""
        found = self._ns.fib_of(towards).resolve(FlowKey(towards, source, iif="lo", oif=device, mark=mark))
        if found is None or found.kind is not RouteKind.UNICAST or found.rule is not None:
            return None
        if device is not None:
            return device if found.uses(device) else None
        return found.device or found.nexthops[0].device

    def select_source(self, device: str, towards: Address) -> Address | None:
        """``inet_select_addr()`` with scope universe; IPv6's ``ipv6_dev_get_saddr()``."""
        return self._ns.fib_of(towards).select_source(device, towards)

    def first_address(self, device: str, like: Address) -> Address | None:
        """The first address of a device in the family of ``like``; in IPv6 of its scope too (``nf_nat_redirect_ipv6()``)."""
        found = self._ns.devices.get(device)
        if found is None:
            return None
        if isinstance(like, IPv6Address):
            scope = ipv6_addr_scope(like)
            return next((a.ip for a in self._ns.fib6.addresses[device] if ipv6_addr_scope(a.ip) == scope), None)
        return next((a.ip for a in addresses_of(found)), None)

    def reroute(self, skb: SkBuff) -> bool:
        """Route a packet of OUTPUT again. Ref: net/ipv4/netfilter.c:ip_route_me_harder(), net/ipv6/netfilter.c (v6.12)."""
        if skb.packet.ip.dst.version == 6:
            return ip6_route_me_harder(self._ns, skb)
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

    def is_loopback(self, device: str) -> bool:
        """True for ``lo``."""
        found = self._ns.devices.get(device)
        return found is not None and isinstance(found.kind, Loopback)

    def device_kind(self, device: str) -> str:
        """The model's kinds have the kernel's names, but for what is a physical device or ``lo`` there."""
        found = self._ns.devices.get(device)
        return "" if found is None or isinstance(found.kind, Loopback) else type(found.kind).__name__.lower()

    def bridge_of(self, device: str) -> str:
        """The master of a bridge's port."""
        found = self._ns.devices.get(device)
        return "" if found is None or found.port is None else found.port.master

    def forward_frame(self, skb: SkBuff, device: str, neighbour: Address | None) -> None:
        """Ref: net/netfilter/nf_dup_netdev.c:nf_fwd_netdev_egress(), nft_fwd_netdev.c:nft_fwd_neigh_eval() (v6.12)."""
        from netsim.stack.dev import dev_queue_xmit
        from netsim.stack.neighbour import neigh_output

        out = self._ns.devices.get(device)
        if out is None:
            self._ns.drop(DropReason.DEV_DOWN, "nf_fwd_netdev_egress", f"there is no device {device}")
        elif neighbour is None:
            dev_queue_xmit(self._ns, out, skb)
        else:
            skb.packet = skb.packet.with_ip(ttl=skb.packet.ip.ttl - 1)
            neigh_output(self._ns, skb, out, neighbour)

    def reverse_path(
        self, source: Address, towards: Address | None, device: str, *, mark: int, accept_local: bool
    ) -> ReversePath:
        """Ref: net/ipv4/netfilter/ipt_rpfilter.c:rpfilter_lookup_reverse(), net/ipv6/netfilter/ip6t_rpfilter.c (v6.12)."""
        oif = device if source.version == 6 and source.is_link_local else None
        back = self._ns.fib_of(source).resolve(FlowKey(source, towards, iif="lo", oif=oif, mark=mark))
        wanted = (RouteKind.UNICAST, RouteKind.LOCAL) if accept_local else (RouteKind.UNICAST,)
        if back is None or back.kind not in wanted:
            return ReversePath(reachable=False, same_device=False)
        return ReversePath(reachable=True, same_device=back.uses(device))

    def socket_of(self, skb: SkBuff) -> FoundSocket | None:
        """The connected socket of a packet, else who listens at its destination."""
        sockets, packet = self._ns.sockets, skb.packet
        connection = Connection.receiving(packet)
        if connection in sockets.clients or connection in sockets.accepted:
            return FoundSocket(wildcard=False)
        listener = sockets.listener(packet.ip.protocol, packet.ip.dst, packet.dport or 0)
        return None if listener is None else FoundSocket(wildcard=listener.wildcard)

    def ipvs_connection(self, skb: SkBuff) -> Conn | None:
        """Ref: net/netfilter/ipvs/ip_vs_conn.c:ip_vs_conn_out_get_proto(), which xt_ipvs asks for the other direction."""
        packet, ipvs = skb.packet, self._ns.ipvs
        if ipvs is None:
            return None
        from netsim.stack.ip_vs_ctl import PROTOCOLS

        if packet.ip.protocol not in PROTOCOLS:
            return None
        server, client = (packet.ip.dst, packet.dport or 0), (packet.ip.src, packet.sport or 0)
        return ipvs.conns.find_reply(packet.ip.protocol, server, client)

    def mtu_both_ways(self, skb: SkBuff) -> int:
        """Ref: net/netfilter/xt_TCPMSS.c:tcpmss_reverse_mtu() (v6.12)."""
        assert skb.nexthop is not None
        out = self._ns.oif(skb.nexthop).mtu
        source = skb.packet.ip.src
        back = self._ns.fib_of(source).resolve(FlowKey(source))
        if back is None or back.device is None:
            return out
        return min(out, self._ns.devices[back.device].mtu)
