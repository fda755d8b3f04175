"""What a machine has of IPVS besides its iptables rules: what stands there beforehand, and what kube-proxy in mode ipvs programs.

kube-proxy keeps virtual servers that are there and are its own by address and port: real servers that it does not want any more stay
with weight 0 as long as they have connections. The rest of what a machine has of its own (another program's virtual servers) it leaves.
Ref: pkg/proxy/ipvs/proxier.go:syncEndpoint(), graceful_termination.go (v1.37).
"""

from __future__ import annotations

from dataclasses import replace

from netsim.net.address import Family
from netsim.objects.cluster import MachineTexts
from netsim.rules.ipset.ast import IPSets
from netsim.rules.ipset.parse import parse as parse_ipset
from netsim.rules.ipvs.ast import VirtualServer, VirtualServers
from netsim.rules.ipvs.connections import IPVSConnection
from netsim.rules.ipvs.connections import parse as parse_connections
from netsim.rules.ipvs.parse import parse as parse_ipvs
from netsim.scenario.kube_proxies import NodeProxy
from netsim.scenario.node_rules import read_text
from netsim.topology.ipvs import IPVSPlan
from proxy.ipvs.sync import IpvsSync


def own_ipvs_plan(texts: MachineTexts) -> IPVSPlan:
    """What a machine has of its own. Raises RuleSyntaxErrors with places in the user's file."""
    servers = read_text(texts.ipvs, parse_ipvs) or VirtualServers()
    known: tuple[IPVSConnection, ...] = read_text(texts.ipvs_connections, parse_connections) or ()
    return IPVSPlan(servers, connections=known)


def ipvs_plan(name: str, texts: MachineTexts, proxy: NodeProxy) -> IPVSPlan:
    """What IPVS is on a node after kube-proxy's syncs, both families together. Raises RuleSyntaxErrors."""
    own = own_ipvs_plan(texts)
    syncs = [sync for family in Family if isinstance(sync := proxy.syncs.get(family), IpvsSync)]
    servers, sets = VirtualServers(), IPSets()
    for sync in syncs:
        file = f"kube-proxy on {name}"
        servers = parse_ipvs(sync.ipvsadm(), file, base=servers)
        sets = parse_ipset(sync.ipset_save(), file, base=sets)
    merged = dict(own.servers.servers)
    for key, server in servers.servers.items():
        merged[key] = _succeeding(merged.get(key), server)
    addresses = tuple(address for sync in syncs for address in sync.addresses)
    return IPVSPlan(VirtualServers(merged), sets, addresses, device=bool(syncs), connections=own.connections)


def _succeeding(there: VirtualServer | None, wanted: VirtualServer) -> VirtualServer:
    if there is None:
        return wanted
    kept = {(real.address, real.port) for real in wanted.real_servers}
    leaving = tuple(replace(real, weight=0) for real in there.real_servers if (real.address, real.port) not in kept)
    return replace(wanted, real_servers=(*leaving, *wanted.real_servers))
