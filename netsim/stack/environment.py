"""What netfilter asks of the network namespace that it hooks into."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.ipset.ast import IPSets
from netsim.rules.xtables.ast import AddressType
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Chooser, Clock, Hook, Recorder

if TYPE_CHECKING:
    from netsim.rules.nft.ast import Ruleset as NftRuleset
    from netsim.stack.ip_vs_conn import Conn


class HookVerdict(Enum):
    """What a hook says of a packet. Ref: include/uapi/linux/netfilter.h NF_ACCEPT, NF_DROP, NF_STOLEN.

    A DROP has been recorded as a step by whoever decided it; STOLEN means that the walk met what is not modelled,
    or that somebody took the packet and sends it on a way of its own (IPVS).
    """

    ACCEPT = "accept"
    DROP = "drop"
    STOLEN = "stolen"


@dataclass(frozen=True, slots=True)
class ReversePath:
    """The way back to a source: whether there is one, and whether it goes by the device asked for."""

    reachable: bool
    same_device: bool


@dataclass(frozen=True, slots=True)
class FoundSocket:
    """A socket of this host; ``wildcard`` where it is bound to no address."""

    wildcard: bool


class HookEnvironment(Protocol):
    """One namespace, seen from its hooks.

    ``connections`` are the conntrack entries that it has before the walk, ``recent`` the addresses in its lists of that match,
    ``nftables`` its rules.
    """

    netns: str
    recorder: Recorder
    chooser: Chooser
    clock: Clock
    ipsets: IPSets
    connections: Sequence[ConntrackEntry]
    recent: Mapping[str, Sequence[Address]]
    nftables: Sequence[NftRuleset]

    def sysctl(self, name: str) -> int:
        """The value of a sysctl in this namespace; the kernel's default where nobody set it."""

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """What the FIB says of an address (``inet_addr_type()``, ``inet_dev_addr_type()`` where a device is named)."""

    def is_address_type6(self, address: Address, wanted: frozenset[AddressType], device: str | None = None) -> bool:
        """What ``-m addrtype`` says of an IPv6 address: unlike IPv4's, its types are not exclusive (``match_type6()``)."""

    def fib_type(self, address: Address, device: str | None = None) -> AddressType:
        """What nft's ``fib … type`` says of an address of either family (``nft_fib4_eval_type()``, ``nft_fib6_eval_type()``)."""

    def route_device(self, towards: Address, source: Address | None, device: str | None, mark: int) -> str | None:
        """The output device of the unicast route to an address, None without one; with ``device`` only by that (nft's ``fib … oif``)."""

    def select_source(self, device: str, towards: Address) -> Address | None:
        """The address of a device that a packet to ``towards`` gets as its source (``inet_select_addr()``), None without one."""

    def first_address(self, device: str, like: Address) -> Address | None:
        """The first address of a device in the family of ``like``, None without one (REDIRECT, MASQUERADE)."""

    def reroute(self, skb: SkBuff) -> bool:
        """Route again a packet whose destination or mark changed in OUTPUT (``ip_route_me_harder()``). False: dropped, recorded."""

    def send_reject(self, skb: SkBuff, hook: Hook, kind: str) -> None:
        """Answer a packet as REJECT does; ``kind`` is ``RejectTarget.kind``. The answer is queued and finds its own way."""

    def local_port_used(self, protocol: int, address: Address, port: int) -> bool:
        """True where a socket of this namespace holds the port."""

    def is_loopback(self, device: str) -> bool:
        """True for ``lo``."""

    def device_kind(self, device: str) -> str:
        """``rtnl_link_ops->kind`` of a device (``veth``, ``bridge``), empty for one without."""

    def bridge_of(self, device: str) -> str:
        """The bridge that a device is a port of, empty for one that is no port."""

    def forward_frame(self, skb: SkBuff, device: str, neighbour: Address | None) -> None:
        """Send a frame out of another device as it is, or to a neighbour there with one hop less (nft's ``fwd``)."""

    def reverse_path(
        self, source: Address, towards: Address | None, device: str, *, mark: int, accept_local: bool
    ) -> ReversePath:
        """The route to a packet's source, as ``-m rpfilter`` asks for it; ``towards`` is the packet's destination."""

    def socket_of(self, skb: SkBuff) -> FoundSocket | None:
        """The socket of this host that would take a TCP or UDP packet as it stands (``nf_sk_lookup_slow_v4()``)."""

    def ipvs_connection(self, skb: SkBuff) -> Conn | None:
        """The IPVS connection of a client's packet as it leaves for its real server; None without one."""

    def mtu_both_ways(self, skb: SkBuff) -> int:
        """The smaller of the MTUs (bytes) of a routed packet's way out and of the way to its source (``-j TCPMSS``)."""
