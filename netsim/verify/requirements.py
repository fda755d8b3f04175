"""What a machine must have to verify, and the command that gets what is missing."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from netsim.net.packet import Protocol
from netsim.topology.model import Bridge, Topology
from netsim.verify.enter import OWN
from netsim.verify.ipvs_netlink import IPVSSocket
from netsim.verify.nft_support import kernel_has_nftables


@dataclass(frozen=True, slots=True)
class Missing:
    """Something that the machine lacks; ``command`` gets it."""

    what: str
    command: str


TOOLS: tuple[tuple[str, bool | None, str], ...] = (
    # tool, with --legacy (None: always), Debian's package
    ("iptables-nft-restore", False, "iptables"),
    ("ip6tables-nft-restore", False, "iptables"),
    ("iptables-legacy-restore", True, "iptables"),
    ("ip6tables-legacy-restore", True, "iptables"),
    ("nft", None, "nftables"),
)


def missing(topology: Topology | None, *, legacy: bool) -> Iterator[Missing]:
    """Everything that is missing on this machine to verify the topology; None stands for any topology."""
    if os.geteuid() != 0:
        yield Missing("netsim verify builds network namespaces and must be root", "sudo netsim verify …")
    if not Path(OWN).exists():
        yield Missing("this kernel has no network namespaces", "use a kernel with CONFIG_NET_NS=y")
    absent = [(tool, package) for tool, when, package in TOOLS
              if when in (None, legacy) and shutil.which(tool) is None]  # fmt: skip
    for package in dict.fromkeys(package for _, package in absent):
        tools = ", ".join(tool for tool, of in absent if of == package)
        yield Missing(f"{tools} not found", f"apt-get install -y {package}")
    for tool, package in _tools_of(topology):
        if shutil.which(tool) is None:
            yield Missing(f"{tool} not found", f"apt-get install -y {package}")
    if topology is not None and any(netns.ipvs.servers for netns in topology.namespaces.values()):
        yield from missing_ipvs()
    if topology is not None and any(netns.nftables for netns in topology.namespaces.values()):
        yield from missing_nftables()
    if topology is not None and _listens_on_sctp(topology) and not _has_sctp():
        yield Missing("this kernel has no SCTP, and the topology has listeners of it", "modprobe sctp")
    if (topology is None or _has_bridges(topology)) and not Path("/proc/sys/net/bridge").exists():
        yield Missing("bridged packets do not pass iptables on this machine", "modprobe br_netfilter")


def missing_ipvs() -> Iterator[Missing]:
    """What is missing where this kernel has no IPVS."""
    try:
        IPVSSocket().close()
    except OSError:
        yield Missing("this kernel has no IPVS", "netsim verify --guest …")


def missing_nftables() -> Iterator[Missing]:
    """What is missing where this kernel has no nftables for IP; Debian's user-mode kernel has none either."""
    if not kernel_has_nftables():
        yield Missing(
            "this kernel has no nftables for IP", "use a kernel with CONFIG_NF_TABLES_IPV4=y: --guest-kernel FILE"
        )


def _tools_of(topology: Topology | None) -> Iterator[tuple[str, str]]:
    """Tools that only some topologies need, each with Debian's package of it."""
    namespaces = () if topology is None else topology.namespaces.values()
    if any(netns.ipsets.sets for netns in namespaces):
        yield "ipset", "ipset"
    if any(netns.conntrack for netns in namespaces):
        yield "conntrack", "conntrack"
    if any(ruleset.legacy for netns in namespaces for ruleset in netns.xtables):
        yield "iptables-legacy-restore", "iptables"


def _listens_on_sctp(topology: Topology) -> bool:
    return any(each.protocol is Protocol.SCTP for netns in topology.namespaces.values() for each in netns.listeners)


def _has_sctp() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, int(Protocol.SCTP)).close()
    except OSError:
        return False
    return True


def _has_bridges(topology: Topology) -> bool:
    return any(
        isinstance(d.kind, Bridge) and netns.xtables for netns in topology.namespaces.values() for d in netns.devices
    )
