"""Every field of KubeProxyConfiguration 1.37: of which type it is, and what the emulation makes of it.

Ref: staging/src/k8s.io/kube-proxy/config/v1alpha1/types.go (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from netsim.dataclass import dataclass


class Kind(Enum):
    """A field's type; the value is Go's name for it, as its decoder says it."""

    STRING = "string"
    BOOL = "bool"
    INT = "int32"
    FLOAT = "float32"
    DURATION = "v1.Duration"
    STRINGS = "[]string"
    BOOLS = "map[string]bool"
    ANY = "object"


class Effect(Enum):
    """What a field does to the emulated proxy."""

    RULES = "changes what is programmed"
    SYSCTLS = "sets a sysctl of the node"
    TIMING = "changes when it is programmed"
    NONE = "accepted; changes neither rules nor their timing"


@dataclass(frozen=True, slots=True)
class Field:
    """One field's type and effect, and why it has none."""

    kind: Kind
    effect: Effect
    why: str = ""


def _none(kind: Kind, why: str) -> Field:
    return Field(kind, Effect.NONE, why)


_CLIENT = "how the API server is reached"
_LOG = "what is logged"
_HEALTH = "kube-proxy's own health and metrics servers"
_WINDOWS = "Windows only"
_TABLE = "the size of the conntrack table, to which the model sets no bound"

FIELDS: Mapping[str, Field] = {
    "apiVersion": _none(Kind.STRING, "names the document"),
    "kind": _none(Kind.STRING, "names the document"),
    "featureGates": Field(Kind.BOOLS, Effect.RULES),
    "clientConnection.kubeconfig": _none(Kind.STRING, _CLIENT),
    "clientConnection.acceptContentTypes": _none(Kind.STRING, _CLIENT),
    "clientConnection.contentType": _none(Kind.STRING, _CLIENT),
    "clientConnection.qps": _none(Kind.FLOAT, _CLIENT),
    "clientConnection.burst": _none(Kind.INT, _CLIENT),
    "logging.format": _none(Kind.STRING, _LOG),
    "logging.flushFrequency": _none(Kind.ANY, _LOG),
    "logging.verbosity": _none(Kind.INT, _LOG),
    "logging.vmodule": _none(Kind.ANY, _LOG),
    "logging.options": _none(Kind.ANY, _LOG),
    "hostnameOverride": Field(Kind.STRING, Effect.RULES),
    "bindAddress": Field(Kind.STRING, Effect.RULES),
    "healthzBindAddress": _none(Kind.STRING, _HEALTH),
    "metricsBindAddress": _none(Kind.STRING, _HEALTH),
    "bindAddressHardFail": _none(Kind.BOOL, _HEALTH),
    "enableProfiling": _none(Kind.BOOL, _HEALTH),
    "showHiddenMetricsForVersion": _none(Kind.STRING, _HEALTH),
    "mode": Field(Kind.STRING, Effect.RULES),
    "iptables.masqueradeBit": Field(Kind.INT, Effect.RULES),
    "iptables.masqueradeAll": Field(Kind.BOOL, Effect.RULES),
    "iptables.localhostNodePorts": Field(Kind.BOOL, Effect.RULES),
    "iptables.snatNodeInternalIP": Field(Kind.BOOL, Effect.RULES),
    "iptables.syncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "iptables.minSyncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "ipvs.syncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "ipvs.minSyncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "ipvs.scheduler": Field(Kind.STRING, Effect.RULES),
    "ipvs.excludeCIDRs": Field(Kind.STRINGS, Effect.RULES),
    "ipvs.strictARP": Field(Kind.BOOL, Effect.RULES),
    "ipvs.tcpTimeout": Field(Kind.DURATION, Effect.RULES),
    "ipvs.tcpFinTimeout": Field(Kind.DURATION, Effect.RULES),
    "ipvs.udpTimeout": Field(Kind.DURATION, Effect.RULES),
    "nftables.masqueradeBit": Field(Kind.INT, Effect.RULES),
    "nftables.masqueradeAll": Field(Kind.BOOL, Effect.RULES),
    "nftables.syncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "nftables.minSyncPeriod": Field(Kind.DURATION, Effect.TIMING),
    "winkernel.networkName": _none(Kind.STRING, _WINDOWS),
    "winkernel.sourceVip": _none(Kind.STRING, _WINDOWS),
    "winkernel.enableDSR": _none(Kind.BOOL, _WINDOWS),
    "winkernel.rootHnsEndpointName": _none(Kind.STRING, _WINDOWS),
    "winkernel.forwardHealthCheckVip": _none(Kind.BOOL, _WINDOWS),
    "windowsRunAsService": _none(Kind.BOOL, _WINDOWS),
    "detectLocalMode": Field(Kind.STRING, Effect.RULES),
    "detectLocal.bridgeInterface": Field(Kind.STRING, Effect.RULES),
    "detectLocal.interfaceNamePrefix": Field(Kind.STRING, Effect.RULES),
    "clusterCIDR": Field(Kind.STRING, Effect.RULES),
    "nodePortAddresses": Field(Kind.STRINGS, Effect.RULES),
    "oomScoreAdj": _none(Kind.INT, "the OOM killer's view of kube-proxy's process"),
    "conntrack.maxPerCore": _none(Kind.INT, _TABLE),
    "conntrack.min": _none(Kind.INT, _TABLE),
    "conntrack.tcpEstablishedTimeout": Field(Kind.DURATION, Effect.SYSCTLS),
    "conntrack.tcpCloseWaitTimeout": Field(Kind.DURATION, Effect.SYSCTLS),
    "conntrack.tcpBeLiberal": Field(Kind.BOOL, Effect.RULES),
    "conntrack.udpTimeout": Field(Kind.DURATION, Effect.SYSCTLS),
    "conntrack.udpStreamTimeout": Field(Kind.DURATION, Effect.SYSCTLS),
    "configSyncPeriod": _none(Kind.DURATION, _CLIENT),
    "portRange": _none(Kind.STRING, "was the userspace mode's; unused"),
}

SECTIONS = frozenset(path.partition(".")[0] for path in FIELDS if "." in path)
