"""What netfilter asks of the network namespace that it hooks into."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from netsim.net.address import Address
from netsim.rules.xtables.ast import AddressType
from netsim.stack.skbuff import SkBuff
from netsim.stack.steps import Chooser, Clock, Hook, Recorder


class HookVerdict(Enum):
    """What a hook says of a packet. Ref: include/uapi/linux/netfilter.h NF_ACCEPT, NF_DROP, NF_STOLEN.

    A DROP has been recorded as a step by whoever decided it; STOLEN means that the walk met what is not modelled.
    """

    ACCEPT = "accept"
    DROP = "drop"
    STOLEN = "stolen"


class HookEnvironment(Protocol):
    """One namespace, seen from its hooks."""

    netns: str
    recorder: Recorder
    chooser: Chooser
    clock: Clock

    def sysctl(self, name: str) -> int:
        """The value of a sysctl in this namespace; the kernel's default where nobody set it."""

    def address_type(self, address: Address, device: str | None = None) -> AddressType:
        """What the FIB says of an address (``inet_addr_type()``, ``inet_dev_addr_type()`` where a device is named)."""

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
