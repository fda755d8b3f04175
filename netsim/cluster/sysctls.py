"""The kernel parameters that a pod may ask for: those that touch no other pod of its node, and none that a walk obeys.

Ref: pkg/kubelet/sysctl/{safe_sysctls,allowlist}.go (v1.37), with kubelet's default of no ``allowedUnsafeSysctls``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from netsim.cluster.documents import list_at, text_at
from netsim.objects.json import Document

SAFE = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)


def asked(spec: Document) -> Iterator[str]:
    """The names that a pod's spec asks for, as written."""
    for item in list_at(spec, "securityContext", "sysctls"):
        if isinstance(item, Mapping):
            yield text_at(item, "name")


def forbidden(spec: Document) -> str:
    """Why a kubelet refuses what a pod's spec asks for, empty where it does not."""
    for name in (name.replace("/", ".") for name in asked(spec)):
        if name not in SAFE:
            return f'"{name}" not allowlisted'
        for prefix, field, namespace in (("net.", "hostNetwork", "net"), ("kernel.", "hostIPC", "ipc")):
            if name.startswith(prefix) and spec.get(field) is True:
                return f'"{name}" not allowed with host {namespace} enabled'
    return ""
