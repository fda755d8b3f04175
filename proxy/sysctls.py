"""The sysctls that kube-proxy sets on its node in every mode, when it starts.

Ref: cmd/kube-proxy/app/server_linux.go:setupConntrack() (v1.37)
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.config.duration import SECOND
from proxy.config.model import KubeProxyConfiguration

TCP_BE_LIBERAL = "net.netfilter.nf_conntrack_tcp_be_liberal"
TCP_ESTABLISHED = "net.netfilter.nf_conntrack_tcp_timeout_established"
TCP_CLOSE_WAIT = "net.netfilter.nf_conntrack_tcp_timeout_close_wait"
UDP = "net.netfilter.nf_conntrack_udp_timeout"
UDP_STREAM = "net.netfilter.nf_conntrack_udp_timeout_stream"


def conntrack_sysctls(configuration: KubeProxyConfiguration) -> Mapping[str, str]:
    """Conntrack's sysctls by name; timeouts in whole seconds. What is zero in the configuration is left as it is."""
    conntrack = configuration.conntrack
    timeouts = {
        TCP_ESTABLISHED: conntrack.tcp_established_timeout,
        TCP_CLOSE_WAIT: conntrack.tcp_close_wait_timeout,
        UDP: conntrack.udp_timeout,
        UDP_STREAM: conntrack.udp_stream_timeout,
    }
    found = {name: str(timeout // SECOND) for name, timeout in timeouts.items() if timeout > 0}
    return {**found, TCP_BE_LIBERAL: "1"} if conntrack.tcp_be_liberal else found
