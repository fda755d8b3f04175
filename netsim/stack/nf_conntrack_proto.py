"""What a protocol's tracker answers. Ref: include/net/netfilter/nf_conntrack_l4proto.h (v6.12)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.packet import Packet
from netsim.stack.nf_conntrack_entry import CtInfo, CtStatus, NfConn
from netsim.stack.skb_len import skb_len


class Tracked(Enum):
    """``ACCEPT``: the packet fits. ``INVALID``: it does not (``-NF_ACCEPT``).

    ``REPEAT``: the entry is dead, look the packet up again. ``KILL``: the packet fits, and ends the entry.
    """

    ACCEPT = "accept"
    INVALID = "invalid"
    REPEAT = "repeat"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Tracking:
    """A packet before its protocol's tracker; ``timeout`` reads ``net.netfilter.nf_conntrack_NAME``."""

    ct: NfConn
    ctinfo: CtInfo
    packet: Packet
    now: float
    sysctl: Callable[[str], int]

    def timeout(self, name: str) -> int:
        """One of conntrack's sysctls, by its name without the common beginning."""
        return self.sysctl(f"net.netfilter.nf_conntrack_{name}")

    def refresh(self, seconds: float) -> None:
        """The entry lives so long from now, and counts the packet. Ref: nf_ct_refresh_acct()."""
        if not self.ct.has(CtStatus.FIXED_TIMEOUT):
            self.ct.deadline = self.now + seconds
        direction = self.ctinfo.direction
        packets, octets = self.ct.passed[direction]
        self.ct.passed[direction] = (packets + 1, octets + skb_len(self.packet))
