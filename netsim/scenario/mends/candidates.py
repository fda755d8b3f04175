"""Which changes may mend which reason. They are only proposals: what is told was tried first (``search``).

The narrower change stands before the wider one; of proposals that are equally small the search keeps this order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from netsim.scenario.mends.changes import Change
from netsim.scenario.mends.failure import Failure, Proposer
from netsim.scenario.mends.of_cluster import (
    cluster_cidr,
    forward_rules,
    hairpin,
    kube_proxy,
    masquerade_all,
    node_port_addresses,
    pod_mtu,
)
from netsim.scenario.mends.of_machines import (
    accept,
    bridged_to_iptables,
    forget,
    forwarding,
    larger_table,
    own_route,
    own_rule,
    own_sysctl,
    route_back,
    route_to_pod,
    sysctl,
)
from netsim.scenario.mends.of_services import (
    another_port,
    host_port,
    selector,
    source_range,
    target_port,
    traffic_policy,
)

_LIBERAL = (
    sysctl("net.netfilter.nf_conntrack_tcp_be_liberal", "1"),
    kube_proxy(("conntrack", "tcpBeLiberal"), value=True),
)

PROPOSERS: Mapping[str, tuple[Proposer, ...]] = {
    # reason (without REPLY_): what may mend it
    "NO_ENDPOINTS": (selector, target_port),
    "IPVS_NO_DESTINATION": (selector, target_port),
    "PORT_CLOSED": (target_port,),
    "NO_LOCAL_ENDPOINTS": (traffic_policy,),
    "SOURCE_RANGE_DENIED": (source_range,),
    "VIP_PORT_NOT_SERVED": (another_port,),
    "CLUSTER_IP_PORT_UNKNOWN": (another_port,),
    "LEFT_MODEL": (forget, route_to_pod, another_port),
    "REPLY_LEFT_MODEL": (route_to_pod,),
    "NO_ROUTE": (route_to_pod,),
    "ROUTE_UNREACHABLE": (route_to_pod,),
    "ROUTE_BLACKHOLE": (route_to_pod,),
    "NEIGHBOUR_FAILED": (forget, route_to_pod),
    "NEIGHBOUR_TABLE_FULL": (larger_table("net.ipv{version}.neigh.default.gc_thresh3", 1024),),
    "CONNTRACK_FULL": (larger_table("net.netfilter.nf_conntrack_max", 262144),),
    "CONNTRACK_CLASH": (forget,),
    "INVALID_STATE_DROP": (*_LIBERAL, accept),
    "RULE_REJECT": (accept, own_rule),
    "RULE_DROP": (own_route, accept, own_rule),
    "POLICY_DROP": (accept, forward_rules),
    "NODE_PORT_CLOSED": (node_port_addresses, sysctl("net.ipv4.conf.all.route_localnet", "1")),
    "ARRIVED_ELSEWHERE": (host_port,),
    "REPLY_NOT_TRANSLATED_BACK": (*_LIBERAL,),
    "REPLY_FROM_OTHER_PEER": (
        bridged_to_iptables,
        traffic_policy,
        cluster_cidr,
        masquerade_all,
    ),
    "REPLY_TO_OTHER_HOST": (cluster_cidr, masquerade_all),
    "MARTIAN_SOURCE": (masquerade_all,),
    "IP_FORWARDING_OFF": (forwarding,),
    "RP_FILTER": (sysctl("net.ipv4.conf.{dev}.rp_filter", "2"), route_back),
    "HAIRPIN_OFF": (hairpin,),
    "PACKET_TOO_BIG": (pod_mtu,),
    "IPVS_DESTINATION_GONE": (forget, sysctl("net.ipv4.vs.expire_nodest_conn", "1")),
    "IPVS_RESCHEDULED": (forget, sysctl("net.ipv4.vs.conn_reuse_mode", "0")),
    "NO_CONNECTION": _LIBERAL,
}


LAST_RESORTS: tuple[Proposer, ...] = (own_route, own_rule, own_sysctl)
"""What may be unusual on the way, whatever the reason: what the user set up beside Kubernetes, taken away piece by piece."""


def proposed(failure: Failure) -> Iterator[Change]:
    """Every change that may mend a failure, the best first, each once."""
    proposers = (*PROPOSERS.get(failure.code, ()), *LAST_RESORTS)
    return iter(dict.fromkeys(chain.from_iterable(propose(failure) for propose in proposers)))
