"""Names and link-layer addresses that a real cluster draws at random, made from what they belong to instead.

The same plan gives the same names on every machine and in every run.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from itertools import count

from netsim.net.address import MAC, Address

IFNAMSIZ = 15
"""Longest name of a network device, in bytes without the final NUL. Ref: include/uapi/linux/if.h IFNAMSIZ (16)."""


def node_netns(node: str) -> str:
    """The network namespace of a node (of its ``hostNetwork`` pods too)."""
    return f"node.{node}"


def pod_netns(namespace: str, pod: str) -> str:
    """The network namespace of a pod. A namespace's name holds no dot, so no two pods share one."""
    return f"pod.{namespace}.{pod}"


def external_netns(host: str) -> str:
    """The network namespace of an external host."""
    return f"external.{host}"


def switch_netns(index: int) -> str:
    """The network namespace of the switch of the n-th network, counted from 0."""
    return f"switch.lan{index}"


GATEWAY_NETNS = "gateway"
OUTSIDE_NETNS = "outside"


def veth_name(seed: str, taken: Collection[str] = ()) -> str:
    """``veth`` and 8 hexadecimal digits: the form of the CNI plugins' names, from ``seed``.

    Ref: containernetworking/plugins pkg/ip/link_linux.go RandomVethName().
    """
    return _untaken(lambda attempt: f"veth{_digest(seed, attempt, 4).hex()}", taken)


def port_name(host: str, device: str, taken: Collection[str] = ()) -> str:
    """A switch port's name: ``node1-eth0``, cut and marked with a digest where that is too long or taken."""
    plain = re.sub(r"[^A-Za-z0-9._-]", "-", f"{host}-{device}")
    if len(plain) <= IFNAMSIZ and plain not in taken:
        return plain
    return _untaken(lambda attempt: f"{plain[:9]}{_digest(plain, attempt, 3).hex()}", taken)


def hashed_mac(seed: str) -> MAC:
    """A locally administered unicast address, 40 bits of it from ``seed``: what a kernel's ``eth_random_addr()`` would draw."""
    return MAC(0x02 << 40 | int.from_bytes(_digest(seed, 0, 5), "big"))


def address_mac(address: Address) -> MAC:
    """``0a:58`` and the bytes of an IPv4 address, or 32 bits of a digest of an IPv6 address.

    The bridge plugin did so up to v0.8 (``ip.SetHWAddrByIP``), OVN-Kubernetes does so today. Newer plugins take random addresses;
    these can be read, and are unique where the IP addresses are.
    """
    low = int(address) if address.version == 4 else int.from_bytes(_digest(str(address), 0, 4), "big")
    return MAC(0x0A58 << 32 | low)


def _digest(seed: str, attempt: int, size: int) -> bytes:
    return hashlib.blake2s(f"{attempt}:{seed}".encode(), digest_size=size).digest()


def _untaken(make: Callable[[int], str], taken: Collection[str]) -> str:
    return next(name for attempt in count() if (name := make(attempt)) not in taken)
