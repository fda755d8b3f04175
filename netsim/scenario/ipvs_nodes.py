"""What a node in ipvs mode has besides its iptables rules: the virtual servers, sets and addresses of kube-proxy's sync."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.objects.cluster import ClusterNode
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipset.parse import parse as parse_ipset
from netsim.rules.ipvs.ast import VirtualServers
from netsim.rules.ipvs.parse import parse as parse_ipvs
from netsim.scenario.kube_proxies import NodeProxy
from netsim.topology.ipvs import IPVSPlan
from proxy.ipvs.sync import IpvsSync


def ipvs_plan(node: ClusterNode, proxy: NodeProxy) -> IPVSPlan:
    """What IPVS is on a node after kube-proxy's syncs, both families together."""
    servers, sets = VirtualServers(), IPSets()
    syncs = [sync for family in Family if isinstance(sync := proxy.syncs.get(family), IpvsSync)]
    for sync in syncs:
        file = f"kube-proxy on {node.name}"
        servers = parse_ipvs(sync.ipvsadm(), file, base=servers)
        sets = parse_ipset(sync.ipset_save(), file, base=sets)
    addresses = tuple(address for sync in syncs for address in sync.addresses)
    return IPVSPlan(servers, sets, addresses, device=bool(syncs))
