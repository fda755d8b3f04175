"""How traffic of the node's own pods is told from other traffic.

Each mode writes the same detector in its own words; a detector of None detects nothing, and then no rule depends on it.
Ref: pkg/proxy/util/localdetector.go, cmd/kube-proxy/app/server_linux.go:getLocalDetectors() (v1.37)
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from netsim.dataclass import dataclass
from netsim.net.address import Family, Prefix
from proxy.addresses import prefixes_of_family
from proxy.config.model import KubeProxyConfiguration, LocalMode


@dataclass(frozen=True, slots=True)
class FromPrefix:
    """Traffic from a prefix of pods is local."""

    prefix: Prefix


@dataclass(frozen=True, slots=True)
class FromBridge:
    """Traffic that came in through a bridge is local."""

    interface: str


@dataclass(frozen=True, slots=True)
class FromInterfacePrefix:
    """Traffic that came in through an interface whose name starts with a prefix is local."""

    name_prefix: str


LocalDetector: TypeAlias = FromPrefix | FromBridge | FromInterfacePrefix


def local_detector(
    configuration: KubeProxyConfiguration, family: Family, pod_cidrs: tuple[str, ...]
) -> LocalDetector | None:
    """The detector of a family; None where the mode has nothing to go by in that family."""
    detect = configuration.detect_local
    match configuration.detect_local_mode:
        case LocalMode.CLUSTER_CIDR:
            return _from_prefix(configuration.cluster_cidrs, family)
        case LocalMode.NODE_CIDR:
            return _from_prefix(pod_cidrs, family)
        case LocalMode.BRIDGE_INTERFACE:
            return FromBridge(detect.bridge_interface)
        case LocalMode.INTERFACE_NAME_PREFIX:
            return FromInterfacePrefix(detect.interface_name_prefix)
        case _ as never:
            assert_never(never)


def _from_prefix(cidrs: tuple[str, ...], family: Family) -> FromPrefix | None:
    prefixes = prefixes_of_family(cidrs, family)
    return FromPrefix(prefixes[0]) if prefixes else None
