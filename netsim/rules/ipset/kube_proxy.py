"""The sets that kube-proxy's ipvs mode creates. Ref: pkg/proxy/ipvs/ipset.go and proxier.go:ipsetInfo (v1.37)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.ipset.ast import Dimension, IPSet, IPSets, SetOptions, SetType

_IP, _PORT, _NET = Dimension.IP, Dimension.PORT, Dimension.NET
_HASH_IP = SetType("hash", (_IP,))
_HASH_IP_PORT = SetType("hash", (_IP, _PORT))
_HASH_IP_PORT_IP = SetType("hash", (_IP, _PORT, _IP))
_HASH_IP_PORT_NET = SetType("hash", (_IP, _PORT, _NET))
_BITMAP_PORT = SetType("bitmap", (_PORT,))

_SETS: tuple[tuple[str, SetType], ...] = (
    # name behind KUBE- (KUBE-6- for IPv6), type
    ("LOOP-BACK", _HASH_IP_PORT_IP),
    ("CLUSTER-IP", _HASH_IP_PORT),
    ("EXTERNAL-IP", _HASH_IP_PORT),
    ("EXTERNAL-IP-LOCAL", _HASH_IP_PORT),
    ("LOAD-BALANCER", _HASH_IP_PORT),
    ("LOAD-BALANCER-LOCAL", _HASH_IP_PORT),
    ("LOAD-BALANCER-FW", _HASH_IP_PORT),
    ("LOAD-BALANCER-SOURCE-IP", _HASH_IP_PORT_IP),
    ("LOAD-BALANCER-SOURCE-CIDR", _HASH_IP_PORT_NET),
    ("NODE-PORT-TCP", _BITMAP_PORT),
    ("NODE-PORT-LOCAL-TCP", _BITMAP_PORT),
    ("NODE-PORT-UDP", _BITMAP_PORT),
    ("NODE-PORT-LOCAL-UDP", _BITMAP_PORT),
    ("NODE-PORT-SCTP-HASH", _HASH_IP_PORT),
    ("NODE-PORT-LOCAL-SCTP-HASH", _HASH_IP_PORT),
    ("HEALTH-CHECK-NODE-PORT", _BITMAP_PORT),
    ("IPVS-IPS", _HASH_IP),
)
_LONGEST = 31


def kube_proxy_sets(family: Family) -> IPSets:
    """The sets of one family, empty. IPv6 names are cut to 31 characters, as kube-proxy cuts them."""
    before = "KUBE-" if family is Family.IPV4 else "KUBE-6-"
    sets: dict[str, IPSet] = {}
    for suffix, kind in _SETS:
        name = f"{before}{suffix}"[:_LONGEST]
        ports = SetOptions(range=(0, 65535))
        is_bitmap = kind.method == "bitmap"
        sets[name] = IPSet(name, kind, None if is_bitmap else family, ports if is_bitmap else SetOptions())
    return IPSets(sets)
