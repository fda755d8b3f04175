"""The chains that kube-proxy owns, and how those of a service port and of an endpoint are named.

A chain's name may have 28 characters, so a name is the first 16 characters of the base32 of a SHA-256.
"""

from __future__ import annotations

import hashlib

from netsim.dataclass import dataclass
from proxy.names import ServicePortName

SERVICES = "KUBE-SERVICES"
EXTERNAL_SERVICES = "KUBE-EXTERNAL-SERVICES"
NODEPORTS = "KUBE-NODEPORTS"
POSTROUTING = "KUBE-POSTROUTING"
MARK_MASQ = "KUBE-MARK-MASQ"
FORWARD = "KUBE-FORWARD"
PROXY_FIREWALL = "KUBE-PROXY-FIREWALL"
KUBELET_FIREWALL = "KUBE-FIREWALL"

FILTER_CHAINS = (SERVICES, EXTERNAL_SERVICES, FORWARD, NODEPORTS, PROXY_FIREWALL)
"""The chains of table filter that every sync writes whole, in the order in which it names them."""

NAT_CHAINS = (SERVICES, NODEPORTS, POSTROUTING, MARK_MASQ)
"""The chains of table nat that every sync writes whole, in the order in which it names them."""

ORDER_FREE = frozenset({SERVICES, NODEPORTS, EXTERNAL_SERVICES, PROXY_FIREWALL})
"""Chains in which kube-proxy writes its service ports in no fixed order (the emulation goes by name)."""


@dataclass(frozen=True, slots=True)
class ServiceChains:
    """The chains of one service port.

    ``svc`` balances under policy Cluster, ``svl`` under policy Local; ``ext`` takes external traffic and applies the
    exceptions for local clients; ``fw`` lets a load balancer's source ranges pass.
    """

    svc: str
    svl: str
    ext: str
    fw: str


def service_chains(name: ServicePortName) -> ServiceChains:
    """The chains of a service port. Ref: servicePortPolicyClusterChain() and its siblings."""
    tag = _tag(f"{name}{name.protocol.lower()}")
    return ServiceChains(f"KUBE-SVC-{tag}", f"KUBE-SVL-{tag}", f"KUBE-EXT-{tag}", f"KUBE-FW-{tag}")


def endpoint_chain(name: ServicePortName, endpoint: str) -> str:
    """The chain of one endpoint (``ip:port``) of a service port. Ref: servicePortEndpointChainName()."""
    return f"KUBE-SEP-{_tag(f'{name}{name.protocol.lower()}{endpoint}')}"


def chain_line(chain: str) -> str:
    """The line that makes a chain, or empties it, in iptables-restore's language."""
    return f":{chain} - [0:0]\n"


_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(a + b for a in _BASE32 for b in _BASE32)
_SHIFTS = (70, 60, 50, 40, 30, 20, 10, 0)


def _tag(text: str) -> str:
    """16 characters of base32 (RFC 4648 §6) from the first 80 bits; two at a time, as large clusters have many chains."""
    bits = int.from_bytes(hashlib.sha256(text.encode()).digest()[:10], "big")
    return "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])
