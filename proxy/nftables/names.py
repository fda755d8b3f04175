"""What kube-proxy's table holds whatever the Services are, and how the chains and sets of a service port are named.

A name may have 256 characters, so it tells what it stands for: ``service-ULMVA6XW-ns1/svc1/tcp/p80``. The hash in front
keeps names apart that have to be cut, and lets the eye tell names that differ in one digit.
Ref: pkg/proxy/nftables/proxier.go:hashAndTruncate(), servicePortChainNameBase() (v1.37)
"""

from __future__ import annotations

import hashlib

from netsim.dataclass import dataclass
from proxy.names import ServicePortName

TABLE = "kube-proxy"

FILTER_PREROUTING_PRE_DNAT = "filter-prerouting-pre-dnat"
FILTER_OUTPUT_PRE_DNAT = "filter-output-pre-dnat"
FILTER_INPUT = "filter-input"
FILTER_FORWARD = "filter-forward"
FILTER_OUTPUT = "filter-output"
NAT_PREROUTING = "nat-prerouting"
NAT_OUTPUT = "nat-output"
NAT_POSTROUTING = "nat-postrouting"

SERVICES = "services"
MASQUERADING = "masquerading"
SERVICE_ENDPOINTS_CHECK = "service-endpoints-check"
NODE_PORT_ENDPOINTS_CHECK = "nodeport-endpoints-check"
CLUSTER_IPS_CHECK = "cluster-ips-check"
FIREWALL_CHECK = "firewall-check"
REJECT = "reject-chain"

CLUSTER_IPS = "cluster-ips"
HAIRPIN_CONNECTIONS = "hairpin-connections"
NODE_PORT_IPS = "nodeport-ips"

SERVICE_IPS = "service-ips"
SERVICE_NODE_PORTS = "service-nodeports"
FIREWALL_IPS = "firewall-ips"
NO_ENDPOINT_SERVICES = "no-endpoint-services"
NO_ENDPOINT_NODE_PORTS = "no-endpoint-nodeports"

CONTAINERS = (
    CLUSTER_IPS,
    SERVICE_IPS,
    FIREWALL_IPS,
    NO_ENDPOINT_SERVICES,
    NO_ENDPOINT_NODE_PORTS,
    SERVICE_NODE_PORTS,
    HAIRPIN_CONNECTIONS,
)
"""The sets and maps whose elements come from Services, in the order in which left-over elements are deleted."""

_LENGTH_LIMIT = 256 - 16
"""What a name may have after its prefix. Ref: chainNameBaseLengthMax."""


@dataclass(frozen=True, slots=True)
class ServiceChains:
    """The chains of one service port.

    ``service`` balances under policy Cluster, ``local`` under policy Local; ``external`` takes external traffic and
    applies the exceptions for local clients; ``firewall`` drops what a load balancer's source ranges do not let pass.
    """

    service: str
    local: str
    external: str
    firewall: str


@dataclass(frozen=True, slots=True)
class EndpointNames:
    """The chain of an endpoint of a service port with affinity, and the set of the clients that stick to it."""

    chain: str
    affinity: str


def service_chains(name: ServicePortName) -> ServiceChains:
    """The chains of a service port."""
    base = _base(f"{name.namespace}/{name.name}/{name.protocol.lower()}/{name.port}")
    return ServiceChains(f"service-{base}", f"local-{base}", f"external-{base}", f"firewall-{base}")


def endpoint_names(name: ServicePortName, ip: str, port: int) -> EndpointNames:
    """The names for one endpoint of a service port. Colons of an IPv6 address become dots, since names have none."""
    service = f"{name.namespace}/{name.name}/{name.protocol.lower()}/{name.port}"
    base = _base(f"{service}__{ip.replace(':', '.')}/{port}")
    return EndpointNames(f"endpoint-{base}", f"affinity-{base}")


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _BASE32 for b in _BASE32)
_SHIFTS = (30, 20, 10, 0)


def _base(name: str) -> str:
    """A name behind 8 characters of base32 (RFC 4648 §6) of its SHA-256, cut where it is too long."""
    bits = int.from_bytes(hashlib.sha256(name.encode()).digest()[:5], "big")
    hashed = f"{''.join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])}-{name}"
    return hashed if len(hashed) <= _LENGTH_LIMIT else f"{hashed[: _LENGTH_LIMIT - 3]}..."
