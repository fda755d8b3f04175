"""What the ipvs mode adds to a node's namespace: virtual servers, sets, and the device that makes virtual addresses local."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_interface
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipvs.ast import VirtualServers
from netsim.topology.model import Device, Dummy, Netns, Topology
from netsim.topology.naming import hashed_mac

if TYPE_CHECKING:
    from netsim.rules.ipvs.connections import IPVSConnection

KUBE_IPVS0 = "kube-ipvs0"


@dataclass(frozen=True, slots=True)
class IPVSPlan:
    """One machine's share: ``addresses`` are those of kube-ipvs0, ``device`` is False where nobody makes it (virtual servers of its own).

    ``connections`` are those that IPVS knows beforehand.
    """

    servers: VirtualServers = field(default_factory=VirtualServers)
    sets: IPSets = field(default_factory=IPSets)
    addresses: tuple[Address, ...] = ()
    device: bool = False
    connections: tuple[IPVSConnection, ...] = ()


def with_ipvs(topology: Topology, plans: Mapping[str, IPVSPlan]) -> Topology:
    """The topology with IPVS in namespaces, by name; raises KeyError for an unknown namespace. Sets come on top of those already there."""
    changed = {name: _with(topology.namespaces[name], plan) for name, plan in plans.items()}
    return replace(topology, namespaces={**topology.namespaces, **changed})


def _with(netns: Netns, plan: IPVSPlan) -> Netns:
    sets = IPSets({**netns.ipsets.sets, **plan.sets.sets})
    devices = (*netns.devices, _dummy(netns.name, plan.addresses)) if plan.device else netns.devices
    known = tuple(
        replace(entry, by_ipvs=any(each.made(entry) for each in plan.connections)) for entry in netns.conntrack
    )
    return replace(
        netns, ipvs=plan.servers, ipsets=sets, devices=devices, conntrack=known, ipvs_connections=plan.connections
    )


def _dummy(netns: str, addresses: tuple[Address, ...]) -> Device:
    """kube-proxy makes the device and never sets it up; its addresses are local all the same.

    Ref: pkg/proxy/ipvs/netlink_linux.go:EnsureDummyDevice(), EnsureAddressBind() (v1.37).
    """
    hosts = tuple(parse_interface(f"{address}/{address.max_prefixlen}") for address in addresses)
    return Device(KUBE_IPVS0, Dummy(), hashed_mac(f"{netns}/{KUBE_IPVS0}"), up=False, addresses=hosts)
