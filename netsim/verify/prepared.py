"""Kernel settings that a verify needs in its own namespaces, and why. None changes where a packet goes."""

from __future__ import annotations

from dataclasses import replace

from netsim.topology.model import Topology

EARLY: tuple[tuple[str, str, str], ...] = (
    # sysctl of a namespace that has nothing but lo yet, value, reason
    ("net/ipv6/conf/all/accept_dad", "0", "addresses are usable at once: duplicates are not looked for"),
    ("net/ipv6/conf/default/accept_dad", "0", "the same for link-local addresses"),
    ("net/ipv6/conf/default/router_solicitations", "0", "nobody asks for routers, which do not answer here"),
)

QUICK: tuple[tuple[str, str, str], ...] = (
    # sysctl (``*`` each device), value, reason
    ("net/ipv4/neigh/*/mcast_solicit", "1", "a host that does not answer ARP is given up after one request, not three"),
    ("net/ipv4/neigh/*/retrans_time_ms", "20", "and after 20 ms, not a second"),
    ("net/ipv4/neigh/*/proxy_delay", "0", "who answers ARP for others does so at once"),
    ("net/ipv4/neigh/*/delay_first_probe_time", "60", "no unicast probe of a known neighbour gets between"),
    ("net/ipv6/neigh/*/mcast_solicit", "1", "the same for neighbour discovery"),
    ("net/ipv6/neigh/*/retrans_time_ms", "20", "the same"),
    ("net/ipv6/neigh/*/delay_first_probe_time", "60", "the same"),
    ("net/ipv4/icmp_ratelimit", "0", "many flows are sent, and each one's error counts"),
    ("net/ipv6/icmp/ratelimit", "0", "the same"),
    ("net/ipv4/tcp_synack_retries", "0", "a listener whose answer was lost does not repeat it into the next flow"),
    ("net/ipv4/tcp_timestamps", "0", "segments have the length that the model gives them"),
    ("net/ipv4/tcp_sack", "0", "the same"),
    ("net/ipv4/tcp_window_scaling", "0", "the same"),
    ("net/ipv4/tcp_early_retrans", "0", "data whose acknowledgement was lost is not sent again while it is looked at"),
)

PATIENT: tuple[tuple[str, str, str], ...] = (
    # what stands in place of QUICK when a flow is sent again after a difference
    ("net/ipv4/neigh/*/mcast_solicit", "3", "on a busy machine an answer takes longer than 20 ms"),
    ("net/ipv4/neigh/*/retrans_time_ms", "100", "and yet it is given up before the observer looks away"),
    ("net/ipv6/neigh/*/mcast_solicit", "3", "the same for neighbour discovery"),
    ("net/ipv6/neigh/*/retrans_time_ms", "100", "the same"),
)

UNHEEDED = ("net.ipv4.conf.{}.accept_redirects", "net.ipv6.conf.{}.accept_redirects")
"""Sysctls of each device that are 0, for model and kernel alike, where the topology does not set them."""


def heeding_no_redirects(topology: Topology) -> Topology:
    """The topology with hosts that heed no ICMP redirect, so that no flow changes the way of a later one.

    How many redirects a router sends depends on those it sent before, and what a host learnt from one it keeps.
    """
    spaces = {}
    for name, netns in topology.namespaces.items():
        devices = [*("all", "default"), *(device.name for device in netns.devices)]
        unheeded = {sysctl.format(device): "0" for device in devices for sysctl in UNHEEDED}
        spaces[name] = replace(netns, sysctls={**unheeded, **netns.sysctls})
    return replace(topology, namespaces=spaces)
