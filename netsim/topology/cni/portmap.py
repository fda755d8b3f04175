"""The CNI plugin ``portmap`` (v1.5): iptables rules that lead a node's ports to the pods that asked for them with ``hostPort``.

Ref: containernetworking/plugins plugins/meta/portmap/portmap.go: genToplevelDnatChain(), genDnatChain(), fillDnatRules(),
genSetMarkChain(), genMarkMasqChain(); plugins/meta/portmap/utils.go: groupByProto(), splitPortList();
pkg/utils/utils.go: MustFormatChainNameWithPrefix() (v1.5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

from netsim.net.address import Address, Family, Prefix, family_of
from netsim.net.packet import Protocol
from netsim.topology.cni.bridge import cidr_of
from netsim.topology.plan import HostPort, MachinePlan, PodPlan

NETWORK = "cbr0"
"""The name of flannel's network configuration. Ref: flannel-io/flannel Documentation/kube-flannel.yml (v0.26)."""

MARK = "0x2000/0x2000"  # markMasqBit 13
MOST_PORTS = 15  # of a multiport match
CHAIN_LENGTH = 28


def portmap_rules(machine: MachinePlan, pods: Sequence[PodPlan], family: Family) -> str:
    """The rules for the host ports of a node's pods in one family, as ``iptables-restore --noflush`` takes them; empty without any.

    The jumps are appended to PREROUTING and OUTPUT, so kube-proxy's, which are put first, see the packets before; the one in POSTROUTING
    is put first.
    """
    mapped = [
        (pod, address, cidr)
        for pod in pods
        if pod.host_ports and not pod.host_network
        for address in pod.addresses
        if family_of(address) is family and (cidr := cidr_of(address, machine.pod_cidrs)) is not None
    ]
    if not mapped:
        return ""
    chains = [f":{name} - [0:0]" for name in (*_SHARED, *(chain_of(pod) for pod, _, _ in mapped))]
    rules = [rule for pod, address, cidr in mapped for rule in _of_pod(pod, address, cidr)]
    return "\n".join(("*nat", *chains, *_TOP, *rules, "COMMIT", ""))


_SHARED = ("CNI-HOSTPORT-DNAT", "CNI-HOSTPORT-SETMARK", "CNI-HOSTPORT-MASQ")
_TOP = (
    '-A CNI-HOSTPORT-SETMARK -m comment --comment "CNI portfwd masquerade mark" -j MARK --set-xmark ' + MARK,
    f"-A CNI-HOSTPORT-MASQ -m mark --mark {MARK} -j MASQUERADE",
    '-I POSTROUTING -m comment --comment "CNI portfwd requiring masquerade" -j CNI-HOSTPORT-MASQ',
    "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
    "-A OUTPUT -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
)


def container_id(pod: PodPlan) -> str:
    """A sandbox's identifier, 64 hexadecimal digits; a runtime draws them at random."""
    return hashlib.sha256(f"{pod.namespace}/{pod.name}".encode()).hexdigest()


def chain_of(pod: PodPlan) -> str:
    """``CNI-DN-`` and the beginning of a digest of network and container."""
    digest = hashlib.sha512(f"{NETWORK}{container_id(pod)}".encode()).hexdigest()
    return f"CNI-DN-{digest}"[:CHAIN_LENGTH]


def _of_pod(pod: PodPlan, address: Address, cidr: Prefix) -> Iterator[str]:
    comment = f'-m comment --comment "dnat name: \\"{NETWORK}\\" id: \\"{container_id(pod)}\\""'
    for protocol in sorted({port.protocol for port in pod.host_ports}, key=_word):
        ports = sorted(port.host_port for port in pod.host_ports if port.protocol is protocol)
        for start in range(0, len(ports), MOST_PORTS):
            some = ports[start : start + MOST_PORTS]
            match = f"-p {_word(protocol)} {comment} -m multiport --dports {','.join(map(str, some))}"
            yield f"-A CNI-HOSTPORT-DNAT {match} -j {chain_of(pod)}"
    for port in pod.host_ports:
        if port.host_ip is None or port.host_ip.version == address.version:
            yield from _of_port(chain_of(pod), port, address, cidr)


def _of_port(chain: str, port: HostPort, address: Address, cidr: Prefix) -> Iterator[str]:
    every = port.host_ip is None or port.host_ip.is_unspecified
    to = "" if every else f"-d {port.host_ip}/{address.max_prefixlen} "
    word = _word(port.protocol)
    match = f"{to}-p {word} -m {word} --dport {port.host_port}"
    yield f"-A {chain} -s {cidr} {match} -j CNI-HOSTPORT-SETMARK"
    if address.version == 4:
        yield f"-A {chain} -s 127.0.0.1/32 {match} -j CNI-HOSTPORT-SETMARK"
    end = f"[{address}]" if address.version == 6 else str(address)
    yield f"-A {chain} {match} -j DNAT --to-destination {end}:{port.container_port}"


def _word(protocol: Protocol) -> str:
    return protocol.name.lower()
