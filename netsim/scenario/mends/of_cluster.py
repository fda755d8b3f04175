"""Changes of kube-proxy's configuration and of the network plugin that may mend a failure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from netsim.objects.json import Json
from netsim.scenario.mends.changes import (
    Change,
    set_cni,
    set_kube_proxy,
)
from netsim.scenario.mends.failure import Failure, Proposer
from proxy.config.model import LocalMode, ProxyMode


def kube_proxy(path: tuple[str, ...], value: Json) -> Proposer:
    """A field of kube-proxy's configuration."""
    return lambda _: [set_kube_proxy(path, value)]


def masquerade_all(failure: Failure) -> Iterator[Change]:
    """Let kube-proxy masquerade everything that comes to a Service."""
    of_nftables = any(proxy.configuration.mode is ProxyMode.NFTABLES for proxy in failure.world.proxies.values())
    yield set_kube_proxy(("nftables" if of_nftables else "iptables", "masqueradeAll"), value=True)


def cluster_cidr(failure: Failure) -> Iterator[Change]:
    """Let kube-proxy know the pod network, so that it masquerades what comes to a cluster IP from elsewhere."""
    configurations = [proxy.configuration for proxy in failure.world.proxies.values()]
    if any(c.detect_local_mode is LocalMode.CLUSTER_CIDR and not c.cluster_cidrs for c in configurations):
        yield set_kube_proxy(("clusterCIDR",), ",".join(map(str, failure.world.cluster.pod_cidrs)))


def node_port_addresses(failure: Failure) -> Iterator[Change]:
    """Let kube-proxy take node ports on every address."""
    if failure.service_port is not None:
        yield set_kube_proxy(("nodePortAddresses",), ["0.0.0.0/0", "::/0"])


def forward_rules(_: Failure) -> Iterator[Change]:
    """Let flannel accept what nodes forward from and to pods."""
    yield set_cni(
        "let flannel accept forwarded packets of pods",
        "kubectl -n kube-flannel edit daemonset kube-flannel-ds  # --iptables-forward-rules=true",
        lambda cni: replace(cni, iptables_forward_rules=True),
    )


def hairpin(failure: Failure) -> Iterator[Change]:
    """Let the bridge send a frame back by the port that it came in by."""
    command = f"ip link set {failure.received_on} type bridge_slave hairpin on"
    yield set_cni("let the bridge plugin set hairpinMode", command, lambda cni: replace(cni, hairpin=True))


def pod_mtu(failure: Failure) -> Iterator[Change]:
    """Give pods the MTU that the network between the nodes leaves them."""
    fitting = replace(failure.world.cluster.cni, mtu=None).pod_mtu(
        {cidr.version for cidr in failure.world.cluster.pod_cidrs}
    )
    words = f"give pods the MTU {fitting}"
    yield set_cni(
        words, f'"mtu": {fitting} in the CNI configuration, then restart the pods', lambda cni: replace(cni, mtu=None)
    )
