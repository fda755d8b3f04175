"""What mends a story where ``netsim.scenario.mends`` finds nothing by itself: an edit of the topology's file, or another question.

Each is proved when it is shown: the file is edited, loaded and traced again.
"""

from __future__ import annotations

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Mended:
    """``edits`` are texts of the topology's file and what stands there instead; ``ask`` other words for ``netsim trace``, empty: the same.

    ``then`` is what it comes to, as ``--expect`` takes it; ``receiver`` who gets the packet, empty: whoever.
    """

    words: str
    edits: tuple[tuple[str, str], ...] = ()
    ask: tuple[str, ...] = ()
    then: str = "DELIVERED"
    receiver: str = ""


MENDED: dict[str, Mended] = {
    "affinity-stuck": Mended(
        "take the endpoint that is gone out of the EndpointSlice",
        (
            ("- addresses: [10.244.2.77]\n", ""),
            ("    recent: {KUBE-SEP-6DOJ2RDO7KTLWH2V: [10.244.1.2]}\n", ""),
        ),
    ),
    "dns-race": Mended("ask one after the other (options single-request-reopen in resolv.conf)", ask=("client", "dns")),
    "external-ip-hijack": Mended(
        "forbid externalIPs (admission plugin DenyServiceExternalIPs)",
        (("  externalIPs: [192.168.0.100]\n", ""),),
        receiver="external/bank",
    ),
    "ipvs-localhost-nodeport": Mended(
        "ask the node's own address instead of 127.0.0.1", ask=("node/node1", "192.168.0.11:30080")
    ),
    "nft-localhost-nodeport": Mended(
        "ask the node's own address instead of 127.0.0.1", ask=("node/node1", "192.168.0.11:30080")
    ),
    "ipvs-real-server-gone": Mended("connect anew, from another port", ask=("client", "svc/web", "--sport", "40001")),
    "kube-proxy-behind": Mended("let kube-proxy sync again", (("    kubeProxyRuns: false\n", ""),)),
    "lb-short-circuit": Mended(
        "let the load balancer's controller set ipMode: Proxy",
        (("    - ip: 192.168.0.50\n", "    - ip: 192.168.0.50\n      ipMode: Proxy\n"),),
        receiver="external/lb",
    ),
    "legacy-stale-dnat": Mended(
        "remove what iptables-legacy still holds: the Service refuses at once, as it should without endpoints",
        (
            (
                '      -A KUBE-SEP-OLD -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 10.244.2.77:8080\n',
                "",
            ),
        ),
        then="REJECTED:NO_ENDPOINTS",
    ),
    "masquerade-nodeport-number": Mended(
        "keep NAT away from the node ports", (("--to-ports 30080", "--to-ports 32768-60999"),)
    ),
    "nft-hairpin-elsewhere": Mended("set externalTrafficPolicy to Cluster", (("Policy: Local", "Policy: Cluster"),)),
    "nft-unallocated-clusterip": Mended("ask the address that the Service has now", ask=("client", "10.96.0.10:80")),
    "no-endpoints": Mended("let the pod become Ready", (('netsim.io/ready: "false"', 'netsim.io/ready: "true"'),)),
    "no-endpoints-accepted-first": Mended(
        "let the network plugin's rule stand behind kube-proxy's: the pod is refused at once, as the node is",
        (('      -A FORWARD -i cni0 -m comment --comment "cni: from pods" -j ACCEPT\n', ""),),
        then="REJECTED:NO_ENDPOINTS",
    ),
    "one-family-endpoints": Mended(
        "write the EndpointSlice of the other family too",
        (
            (
                "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: server\n",
                (
                    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata:\n  name: web-ipv6\n"
                    "  labels: {kubernetes.io/service-name: web}\naddressType: IPv6\nendpoints:\n"
                    '- addresses: ["fd00:10:244:2::2"]\nports:\n- name: ""\n  port: 8080\n  protocol: TCP\n'
                    "---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: server\n"
                ),
            ),
        ),
    ),
    "pod-cidr-overlap": Mended(
        "give the cluster a pod network that nobody else has",
        (("spec:\n  nodes:\n", "spec:\n  podCIDR: [10.20.0.0/16]\n  nodes:\n"),),
    ),
    "vxlan-stale-fdb": Mended(
        "let flannel write what node2 has now (restart its pod on node1)",
        (
            (
                "    neighbours:\n    - device: flannel.1\n      address: 10.244.2.0\n      mac: 02:00:00:00:22:22\n",
                "",
            ),
        ),
    ),
    "zone-hints-missing": Mended(
        "label the node with its zone",
        (("  - name: node3\n", "  - name: node3\n    labels: {topology.kubernetes.io/zone: b}\n"),),
        receiver="default/web-a",
    ),
}
