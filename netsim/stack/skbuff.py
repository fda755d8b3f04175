"""A packet on its way through one network namespace: the frame and what the kernel keeps beside it.

Ref: include/linux/skbuff.h (v6.12).
"""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING

from netsim.dataclass import dataclass
from netsim.net.address import MAC, Address
from netsim.net.packet import ARP, Packet

if TYPE_CHECKING:
    from netsim.stack.nf_conntrack_core import CtInfo, NfConn
    from netsim.stack.nf_conntrack_tuple import Zone


class PacketType(Enum):
    """``skb->pkt_type``: to whom the frame was addressed. Ref: include/uapi/linux/if_packet.h."""

    HOST = "host"
    BROADCAST = "broadcast"
    MULTICAST = "multicast"
    OTHERHOST = "otherhost"
    OUTGOING = "outgoing"
    LOOPBACK = "loopback"


@dataclass(frozen=True, slots=True)
class Nexthop:
    """What routing decided: the output device, the neighbour to ask for (None: the destination itself) and the source for a new packet.

    ``local``: it is delivered here (RTCF_LOCAL); ``broadcast``: so is a broadcast (RTCF_BROADCAST). ``mtu`` and ``advmss`` are
    the route's metrics in bytes, ``path_mtu`` what was learnt of the destination; 0 where there is none. ``redirect``: the packet's
    sender had better ask the next hop itself (IPSKB_DOREDIRECT).
    """

    device: str
    gateway: Address | None
    source: Address | None
    local: bool = False
    broadcast: bool = False
    mtu: int = 0
    mtu_locked: bool = False
    advmss: int = 0
    path_mtu: int = 0
    redirect: bool = False


@dataclass(slots=True)
class SkBuff:
    """One packet in one namespace. ``packet`` is replaced, never changed; the rest is set as the walk goes on.

    ``iif`` and ``oif`` are what ``-i`` and ``-o`` match. ``physindev`` and ``physoutdev`` are the bridge ports of a packet that
    br_netfilter lent to the IP hooks. ``ct`` and ``ctinfo`` are its conntrack entry; both None before the look-up, ``ctinfo`` alone
    for an answer about an untracked packet; ``untracked`` after NOTRACK; ``template`` is the zone that ``-j CT`` chose before conntrack
    looked (``nf_ct_tmpl``). ``frag_max_size`` is the size in bytes of the largest of the fragments that it was put together from, 0 for one
    that came whole; ``frag_list`` how many bytes each of them held, in order, and is not forgotten where the packet goes on whole;
    ``ignore_df`` says that conntrack joined it, so that it may be cut again.
    ``vlan`` is the identifier of its 802.1Q tag. ``socket_owner`` is whose socket sent it from here, ``made_by`` who made it here; both
    empty for what came in.
    """

    packet: Packet
    src_mac: MAC | None = None
    dst_mac: MAC | None = None
    pkt_type: PacketType = PacketType.HOST
    iif: str | None = None
    oif: str | None = None
    physindev: str | None = None
    physoutdev: str | None = None
    bridged: bool = False
    mark: int = 0
    ct: NfConn | None = None
    ctinfo: CtInfo | None = None
    untracked: bool = False
    ipvs_property: bool = False
    """IPVS has dealt with it: it is not looked at again in this namespace."""
    nexthop: Nexthop | None = None
    template: Zone | None = None
    socket_owner: str | None = None
    made_by: str = ""
    vlan: int | None = None
    before_nat: bool = False
    """It was made about a packet whose connection has not both its translations yet (``IPS_NAT_DONE_MASK``)."""
    priority: int = 0
    arp: ARP | None = None
    """An ARP message before rules of nftables; ``packet`` then only stands for it."""
    frag_max_size: int = 0
    frag_list: tuple[int, ...] = ()
    refused: bool = False
    """The device that it was given to dropped it at once, and whoever gave it knows (``NET_XMIT_DROP``)."""
    ignore_df: bool = False
    traversed: list[str] = field(default_factory=list)

    @property
    def nfct(self) -> bool:
        """Whether ``_nfct`` is not 0: conntrack, a CT rule or NOTRACK decided about it, or about the packet that it answers."""
        return self.ct is not None or self.ctinfo is not None or self.untracked or self.template is not None
