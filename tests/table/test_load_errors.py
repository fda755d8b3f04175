"""What a user can write wrongly, and what the load says about it."""

from __future__ import annotations

import pytest

from netsim.manifest import LoadError
from netsim.manifest.load import load_text

SERVICE = """\
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec:
  selector: {{app: web}}
  ports:
  - port: 80
{extra}"""


def service(extra: str) -> str:
    return SERVICE.format(extra=extra)


def spec(text: str) -> str:
    return f"apiVersion: v1\nkind: Service\nmetadata: {{name: web}}\nspec: {text}\n"


def pod(text: str, metadata: str = "{name: x}") -> str:
    return f"apiVersion: v1\nkind: Pod\nmetadata: {metadata}\nspec: {text}\n"


def cluster(text: str) -> str:
    return f"apiVersion: netsim.io/v1alpha1\nkind: Cluster\nspec:\n{text}\n"


def endpoint_slice(text: str) -> str:
    return f"apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: web-1}}\n{text}\n"


def deployment(labels: str) -> str:
    return (
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {app: web}}\n"
        f"  template:\n    metadata: {{labels: {labels}}}\n    spec: {{containers: [{{name: a, image: b}}]}}\n"
    )


TEXT_ROWS = [
    ("empty", "", ["x.yaml: the file is empty"]),
    ("blank", "\n \n", ["x.yaml: the file is empty"]),
    ("comments", "# nothing\n---\n", ["x.yaml: the file has no documents"]),
    ("scalar", "hello", ["x.yaml:1:1: expected a Kubernetes object, found a string"]),
    ("list", "- a\n", ["x.yaml:1:1: expected a Kubernetes object, found a list"]),
    ("no-kind", "apiVersion: v1\n", ["x.yaml:1:1: the object has no kind"]),
    ("no-version", "kind: Pod\n", ["x.yaml:1:1: the object has no apiVersion"]),
    ("nothing", "{}", ["x.yaml:1:1: the object has no apiVersion and no kind"]),
    ("kind-number", "apiVersion: v1\nkind: 3\n", ["x.yaml:2:1: kind: expected a string, found a number"]),
    ("tab", "a:\n\tb: 1\n", ["x.yaml:2:1: not valid YAML: found character that cannot start any token"]),
    ("unclosed", "a: 'b\n", ["not valid YAML: found unexpected end of stream while scanning a quoted scalar"]),
    ("colon", "a: b: c\n", ["x.yaml:1:5: not valid YAML: mapping values are not allowed in this context"]),
    ("control", "a: \x07\n", ["x.yaml:1:4: the character U+0007 is not allowed in YAML"]),
    ("duplicate-key", "a: 1\nb: 2\na: 3\n", ['x.yaml:3:1: the key "a" is there twice', "the first is at line 1"]),
    ("duplicate-json", '{"a": 1,\n "a": 2}', ['x.yaml:2:2: the key "a" is there twice']),
    ("null-key", "~: 1\n", ["x.yaml:1:1: a key must be text, and this one is null"]),
    ("list-key", "? [a]\n: 1\n", ["x.yaml:1:3: a list cannot be a key"]),
    ("template", "a: {{ .Values.x }}\n", ["x.yaml:1:5: a mapping cannot be a key", "render the template first"]),
    ("no-anchor", "a: *b\n", ["x.yaml:1:4: no anchor &b stands before this alias"]),
    ("own-anchor", "a: &a [*a]\n", ["x.yaml:1:8: the anchor &a contains itself"]),
    ("tag", "a: !env X\n", ["x.yaml:1:4: the tag !env has no meaning in a manifest"]),
    ("python-tag", "a: !!python/object/apply:os.system [x]\n", ["the object has no apiVersion"]),
    ("infinity", "a: .inf\n", ["x.yaml:1:4: .inf is not a JSON number"]),
    ("merge", "<<: 3\n", ["x.yaml:1:5: the value of << must be a mapping or a list of mappings"]),
    ("deep-flow", "[" * 5000, ["x.yaml:1:101: the document is nested more than 100 levels deep"]),
    (
        "deep-flow-after",
        "a: 1\n---\nb:\n - " + "[" * 3000 + "\n---\n}",
        ["x.yaml:4:102: the document is nested more than 100 levels deep", "x.yaml:6:1: not valid YAML"],
    ),
    ("deep-block", "- " * 5000, ["x.yaml:1:201: the document is nested more than 100 levels deep"]),
    ("two-syntax", "a: b: c\n---\nx: *y\n", ["x.yaml:1:5: not valid YAML", "x.yaml:3:4: no anchor &y"]),
]

KIND_ROWS = [
    (
        "typo",
        "apiVersion: v1\nkind: Sevice\n",
        ["x.yaml:2:1: unknown kind Sevice", "did you mean Service (apiVersion: v1)?"],
    ),
    ("case", "apiVersion: v1\nkind: pod\n", ["unknown kind pod", "did you mean Pod (apiVersion: v1)?"]),
    (
        "old-version",
        "apiVersion: extensions/v1beta1\nkind: Deployment\n",
        ["x.yaml:1:1: no kind Deployment in apiVersion extensions/v1beta1", "served as apiVersion: apps/v1"],
    ),
    (
        "no-group",
        "apiVersion: v1\nkind: Deployment\n",
        ["no kind Deployment in apiVersion v1", "Deployment is served as apiVersion: apps/v1"],
    ),
    (
        "custom",
        "apiVersion: cilium.io/v2\nkind: CiliumNetworkPolicy\n",
        ["x.yaml:2:1: unknown kind CiliumNetworkPolicy of apiVersion cilium.io/v2", "leave this document out"],
    ),
    (
        "kustomization",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        ["x.yaml:2:1: a kustomization is not a manifest", "kubectl kustomize"],
    ),
    ("cluster-version", "apiVersion: netsim.io/v1\nkind: Cluster\n", ["write apiVersion: netsim.io/v1alpha1"]),
    (
        "cluster-kind",
        "apiVersion: netsim.io/v1alpha1\nkind: Topology\n",
        ["unknown kind Topology", "did you mean Cluster?"],
    ),
    ("list-items", "apiVersion: v1\nkind: List\nitems: {}\n", ["x.yaml:3:1: items: expected a list, found an object"]),
    ("list-nothing", "apiVersion: v1\nkind: List\n", ["x.yaml:1:1: items: expected a list, found nothing"]),
    (
        "list-item",
        "apiVersion: v1\nkind: List\nitems:\n- 3\n",
        ["x.yaml:4:3: expected a Kubernetes object, found a number"],
    ),
]

SHAPE_ROWS = [
    (
        "unknown-field",
        service("    tragetPort: 8080\n"),
        ['x.yaml:8:5: unknown field "spec.ports[0].tragetPort"', "did you mean targetPort?"],
    ),
    (
        "nothing-near",
        service("    zzz: 1\n"),
        ['unknown field "spec.ports[0].zzz"', "known fields: appProtocol, name, nodePort, port, protocol, targetPort"],
    ),
    (
        "text-port",
        spec('{ports: [{port: "80"}]}'),
        ['spec.ports[0].port: expected an integer, found a string "80"', "remove the quotes: 80"],
    ),
    (
        "bool-target",
        spec("{ports: [{port: 80, targetPort: yes}]}"),
        ["targetPort: expected an integer or a string, found a boolean true"],
    ),
    ("float-port", spec("{ports: [{port: 80.5}]}"), ["spec.ports[0].port: expected an integer, found a number 80.5"]),
    ("no-port", spec("{ports: [{name: a}]}"), ["spec.ports[0].port: Required value"]),
    ("ports-object", spec("{ports: {port: 80}}"), ["spec.ports: expected a list, found an object"]),
    (
        "stray-dash",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec:\n  ports:\n  -\n",
        ["x.yaml:6:4: spec.ports[0] is empty"],
    ),
    ("huge", spec("{ports: [{port: 99999999999999999999}]}"), ["does not fit in 64 bits"]),
    (
        "label-bool",
        "apiVersion: v1\nkind: Service\nmetadata: {name: a, labels: {x: on}}\nspec: {ports: [{port: 1}]}\n",
        ["x.yaml:3:30: metadata.labels.x: expected a string, found a boolean true", "put the value in quotes"],
    ),
    (
        "no-template",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {selector: {}}\n",
        ["spec.template: Required value"],
    ),
]

META_ROWS = [
    (
        "no-name",
        "apiVersion: v1\nkind: Pod\nmetadata: {}\nspec: {containers: [{name: a, image: b}]}\n",
        ["x.yaml:3:1: metadata.name: Required value"],
    ),
    ("generate", pod("{containers: [{name: a, image: b}]}", "{generateName: a-}"), ["generateName is not modelled"]),
    (
        "upper",
        pod("{containers: [{name: a, image: b}]}", "{name: Web}"),
        ['metadata.name: Invalid value: "Web": a lowercase RFC 1123 subdomain'],
    ),
    ("dots", spec("{ports: [{port: 1}]}").replace("web", "a.b"), ['Invalid value: "a.b": must not contain dots']),
    (
        "namespace",
        pod("{containers: [{name: a, image: b}]}", "{name: a, namespace: A_b}"),
        ['metadata.namespace: Invalid value: "A_b"'],
    ),
    (
        "cluster-scoped",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, namespace: b}\n",
        ["metadata.namespace: Forbidden: not allowed on this type"],
    ),
    (
        "label",
        pod("{containers: [{name: a, image: b}]}", "{name: a, labels: {a: b c}}"),
        ['metadata.labels: Invalid value: "b c"'],
    ),
    (
        "label-key",
        pod("{containers: [{name: a, image: b}]}", "{name: a, labels: {-a: b}}"),
        ["name part must consist of"],
    ),
    (
        "twice",
        pod("{containers: [{name: a, image: b}]}")
        + "---\n"
        + pod("{containers: [{name: a, image: b}]}", "{name: x, namespace: default}"),
        ["x.yaml:8:12: Pod default/x is there twice", "the first is at x.yaml:3"],
    ),
]

SERVICE_ROWS = [
    ("no-ports", spec("{}"), ["spec.ports: Required value"]),
    (
        "port-zero",
        spec("{ports: [{port: 0}]}"),
        ["spec.ports[0].port: Invalid value: 0: must be between 1 and 65535, inclusive"],
    ),
    ("port-high", spec("{ports: [{port: 65536}]}"), ["must be between 1 and 65535, inclusive"]),
    (
        "target-high",
        spec("{ports: [{port: 1, targetPort: 70000}]}"),
        ["spec.ports[0].targetPort: Invalid value: 70000"],
    ),
    (
        "target-text",
        spec('{ports: [{port: 1, targetPort: "80"}]}'),
        ["must contain at least one letter (a-z)", "remove the quotes: 80"],
    ),
    (
        "protocol",
        spec("{ports: [{port: 1, protocol: tcp}]}"),
        ['Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"', "did you mean TCP?"],
    ),
    (
        "no-names",
        spec("{ports: [{port: 1}, {port: 2}]}"),
        ["spec.ports[0].name: Required value", "spec.ports[1].name: Required value"],
    ),
    (
        "same-names",
        spec("{ports: [{port: 1, name: a}, {port: 2, name: a}]}"),
        ['spec.ports[1].name: Duplicate value: "a"'],
    ),
    (
        "same-ports",
        spec("{ports: [{port: 1, name: a}, {port: 1, name: b}]}"),
        ['spec.ports[1]: Duplicate value: {"Name":"","Protocol":"TCP","AppProtocol":null,"Port":1,'],
    ),
    (
        "node-port-type",
        spec("{ports: [{port: 1, nodePort: 30000}]}"),
        ["nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ),
    (
        "node-port-range",
        spec("{type: NodePort, ports: [{port: 1, nodePort: 8080}]}"),
        ["8080: provided port is not in the valid range. The range of valid ports is 30000-32767"],
    ),
    (
        "type",
        spec("{type: Nodeport, ports: [{port: 1}]}"),
        ['spec.type: Unsupported value: "Nodeport"', "did you mean NodePort?"],
    ),
    (
        "cluster-ip",
        spec("{clusterIP: 10.96.0, ports: [{port: 1}]}"),
        ['spec.clusterIPs[0]: Invalid value: "10.96.0": must be a valid IP address'],
    ),
    (
        "cluster-ip-range",
        spec("{clusterIP: 10.200.0.1, ports: [{port: 1}]}"),
        ["failed to allocate IP 10.200.0.1: the provided network does not match the current range"],
    ),
    (
        "cluster-ip-first",
        spec("{clusterIP: 10.96.0.1, ports: [{port: 1}]}"),
        ["default/kubernetes has it"],
    ),
    (
        "cluster-ips",
        spec("{clusterIP: 10.96.0.9, clusterIPs: [10.96.0.8], ports: [{port: 1}]}"),
        ["first value must match `clusterIP`"],
    ),
    (
        "headless-type",
        spec("{type: NodePort, clusterIP: None, ports: [{port: 1}]}"),
        ["may not be set to 'None' for NodePort services"],
    ),
    (
        "dual",
        spec("{ipFamilyPolicy: RequireDualStack, ports: [{port: 1}]}"),
        ["this cluster is not configured for dual-stack services"],
    ),
    (
        "family",
        spec("{ipFamilies: [IPv6], ports: [{port: 1}]}"),
        ['spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    ),
    ("external-name", spec("{type: ExternalName}"), ["spec.externalName: Required value"]),
    (
        "loopback",
        spec("{externalIPs: [127.0.0.1], ports: [{port: 1}]}"),
        ["may not be in the loopback range (127.0.0.0/8, ::1/128)"],
    ),
    ("external-ip", spec("{externalIPs: [a], ports: [{port: 1}]}"), ["must be a valid IP address"]),
    (
        "ranges",
        spec("{type: LoadBalancer, loadBalancerSourceRanges: [10.0.0.1], ports: [{port: 1}]}"),
        ["must be a valid CIDR value"],
    ),
    (
        "ranges-type",
        spec("{loadBalancerSourceRanges: [10.0.0.0/8], ports: [{port: 1}]}"),
        ["may only be used when `type` is 'LoadBalancer'"],
    ),
    (
        "policy-type",
        spec("{externalTrafficPolicy: Local, ports: [{port: 1}]}"),
        ["may only be set for externally-accessible services"],
    ),
    (
        "policy-word",
        spec("{internalTrafficPolicy: local, ports: [{port: 1}]}"),
        ['Unsupported value: "local"', "did you mean Local?"],
    ),
    (
        "health-port",
        spec("{type: LoadBalancer, healthCheckNodePort: 30000, ports: [{port: 1}]}"),
        ["healthCheckNodePort: Invalid value: 30000"],
    ),
    (
        "affinity",
        spec("{sessionAffinity: ClientIP, sessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}, ports: [{port: 1}]}"),
        ["must be greater than 0 and less than 86400"],
    ),
]

TAKEN = """\
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec:
  type: NodePort
  clusterIP: 10.96.7.7
  ports:
  - port: 80
    nodePort: 30080
---
apiVersion: v1
kind: Service
metadata: {name: api}
spec:
  type: NodePort
  clusterIP: 10.96.7.7
  ports:
  - port: 80
    nodePort: 30080
    protocol: UDP
"""

OTHER_ROWS = [
    (
        "taken",
        TAKEN,
        [
            'x.yaml:16:3: spec.clusterIPs: Invalid value: ["10.96.7.7"]: failed to allocate IP 10.96.7.7: provided IP is already allocated',
            "shop/web has it; leave clusterIP out",
            "x.yaml:19:5: spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated",
        ],
    ),
    ("no-containers", pod("{containers: []}"), ["spec.containers: Required value"]),
    (
        "same-container",
        pod("{containers: [{name: a, image: b}, {name: a, image: b}]}"),
        ['spec.containers[1].name: Duplicate value: "a"'],
    ),
    (
        "container-port",
        pod("{containers: [{name: a, image: b, ports: [{containerPort: 0}]}]}"),
        ["containerPort: Required value"],
    ),
    (
        "port-name",
        pod("{containers: [{name: a, image: b, ports: [{containerPort: 1, name: a-name-that-is-too-long}]}]}"),
        ["must be no more than 15 characters"],
    ),
    (
        "host-port",
        pod("{hostNetwork: true, containers: [{name: a, image: b, ports: [{containerPort: 1, hostPort: 2}]}]}"),
        ["must match `containerPort` when `hostNetwork` is true"],
    ),
    (
        "host-port-twice",
        pod(
            "{containers: [{name: a, image: b, ports: [{containerPort: 1, hostPort: 9}, {containerPort: 2, hostPort: 9}]}]}"
        ),
        ['Duplicate value: "TCP//9"'],
    ),
    (
        "listen",
        pod("{containers: [{name: a, image: b}]}", '{name: a, annotations: {netsim.io/listen: "80/tpc"}}'),
        ["the protocol is tcp, udp or sctp"],
    ),
    (
        "no-node",
        pod("{nodeName: nod1, containers: [{name: a, image: b}]}"),
        ["nod1 is not a node of the cluster", "did you mean node1?"],
    ),
    ("selector", deployment("{app: api}"), ["`selector` does not match template `labels`", "app=web"]),
    ("slice-type", endpoint_slice("addressType: IPv5\nendpoints: []"), ['addressType: Unsupported value: "IPv5"']),
    (
        "slice-family",
        endpoint_slice('addressType: IPv4\nendpoints: [{addresses: ["fd00::1"]}]'),
        ["must be an IPv4 address"],
    ),
    (
        "slice-empty",
        endpoint_slice("addressType: IPv4\nendpoints: [{addresses: []}]"),
        ["endpoints[0].addresses: Required value"],
    ),
    (
        "slice-names",
        endpoint_slice("addressType: IPv4\nports: [{port: 1}, {port: 2}]"),
        ['ports[1].name: Duplicate value: ""'],
    ),
    (
        "node-cidr",
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {podCIDR: 10.244.1.5/24}\n",
        ["must not have bits set beyond the prefix length", "write 10.244.1.0/24"],
    ),
]

CLUSTER_ROWS = [
    (
        "host-bits",
        cluster("  podCIDR: 10.244.1.0/16"),
        ["x.yaml:4:3: spec.podCIDR: 10.244.1.0/16 has host bits set", "write 10.244.0.0/16"],
    ),
    ("no-cidr", cluster("  podCIDR: [10.244.0.0]"), ['spec.podCIDR[0]: "10.244.0.0" is not a CIDR']),
    ("two-v4", cluster("  podCIDR: [10.1.0.0/16, 10.2.0.0/16]"), ["podCIDR has two IPv4 prefixes"]),
    (
        "field",
        cluster("  serviceCidr: 10.96.0.0/16"),
        ['x.yaml:4:3: unknown field "spec.serviceCidr"', "did you mean serviceCIDR?"],
    ),
    (
        "overlap",
        cluster("  podCIDR: [10.96.0.0/16]"),
        ["the podCIDR 10.96.0.0/16 overlaps the serviceCIDR 10.96.0.0/12"],
    ),
    (
        "services-too-few",
        cluster("  serviceCIDR: 10.96.0.0/30"),
        ["x.yaml:4:3: the serviceCIDR 10.96.0.0/30 has 4 addresses: an API server wants at least 8", "a /29"],
    ),
    (
        "services-too-few-v6",
        cluster('  serviceCIDR: "fd00::/128"'),
        ["the serviceCIDR fd00::/128 has 1 address: an API server wants at least 8", "a /125"],
    ),
    ("no-nodes", cluster("  nodes: []"), ["x.yaml:4:3: spec.nodes: a cluster has at least one node", "leave it out"]),
    (
        "overlap-nodes",
        cluster("  nodes:\n  - {name: a, addresses: [10.244.0.5/24]}"),
        ["x.yaml:5:27: the nodes' network 10.244.0.0/24 overlaps the podCIDR 10.244.0.0/16"],
    ),
    (
        "overlap-external",
        cluster("  external:\n  - {name: a, addresses: [10.96.0.5/24]}"),
        ["the external network 10.96.0.0/24 overlaps the serviceCIDR 10.96.0.0/12"],
    ),
    (
        "overlap-networks",
        cluster("  external:\n  - {name: a, addresses: [192.168.0.100/16]}"),
        ["the external network 192.168.0.0/16 overlaps the nodes' network 192.168.0.0/24"],
    ),
    ("same-node", cluster("  nodes: [a, a]"), ["x.yaml:4:14: the name a is there twice", "the first is at x.yaml:4"]),
    (
        "same-address",
        cluster("  nodes:\n  - {name: a, addresses: [192.168.0.5/24]}\n  - {name: b, addresses: [192.168.0.5/24]}"),
        ["x.yaml:6:27: the address 192.168.0.5 belongs to a already"],
    ),
    (
        "network-address",
        cluster("  nodes:\n  - {name: a, addresses: [192.168.0.0/24]}"),
        ["192.168.0.0 is the address of the network 192.168.0.0/24 itself"],
    ),
    (
        "broadcast",
        cluster("  nodes:\n  - {name: a, addresses: [192.168.0.255/24]}"),
        ["192.168.0.255 is the broadcast address of 192.168.0.0/24"],
    ),
    (
        "no-length",
        cluster("  nodes:\n  - {name: a, addresses: [192.168.0.5]}"),
        ["192.168.0.5 has no prefix length", "write 192.168.0.5/24"],
    ),
    ("no-address", cluster("  nodes:\n  - {name: a, addresses: [x]}"), ['"x" is not an address with a prefix length']),
    (
        "two-networks",
        cluster("  nodes:\n  - {name: a, addresses: [192.168.0.5/24]}\n  - {name: b, addresses: [192.168.1.5/24]}"),
        ["node b is on the network 192.168.1.0/24, the first node on 192.168.0.0/24", "host-gw"],
    ),
    (
        "plugin",
        cluster("  cni: {plugin: ptpp}"),
        ['x.yaml:4:9: spec.cni.plugin: unknown plugin "ptpp"', "did you mean ptp?"],
    ),
    (
        "route-type",
        cluster("  nodes: [{name: a, routes: [{to: 10.0.0.0/8, type: blackhol}]}]"),
        ['unknown type "blackhol"', "did you mean blackhole?"],
    ),
    (
        "route-two-ways",
        cluster("  nodes: [{name: a, routes: [{to: 10.0.0.0/8, via: 192.168.0.1, nexthops: [{via: 192.168.0.2}]}]}]"),
        ["the route has nexthops and a way of its own"],
    ),
    (
        "nexthop-empty",
        cluster("  nodes: [{name: a, routes: [{to: 10.0.0.0/8, nexthops: [{weight: 2}]}]}]"),
        ["the nexthop has neither via nor device"],
    ),
    (
        "nexthop-off-link",
        cluster("  nodes: [{name: a, routes: [{to: 172.16.0.0/12, nexthops: [{via: 10.9.9.9}]}]}]"),
        ["the route to 172.16.0.0/12 goes via 10.9.9.9, which is outside the networks of a"],
    ),
    (
        "rule-without-priority",
        cluster("  nodes: [{name: a, rules: [{from: 10.0.0.0/8, table: 100}]}]"),
        ["the rule has no priority"],
    ),
    ("rule-without-table", cluster("  nodes: [{name: a, rules: [{priority: 100}]}]"), ["the rule names no table"]),
    (
        "rule-mark",
        cluster('  nodes: [{name: a, rules: [{priority: 100, table: 100, fwmark: "one"}]}]'),
        ['"one" is not a mark', "write 0x1, or 0x1/0xff with a mask"],
    ),
    (
        "rule-families",
        cluster('  nodes: [{name: a, rules: [{priority: 100, table: 100, from: 10.0.0.0/8, to: "fd00::/8"}]}]'),
        ["from and to are of different families"],
    ),
    (
        "neighbour",
        cluster("  nodes: [{name: a, neighbours: [{device: eth0}]}]"),
        ["a neighbour has a device, an address and a mac"],
    ),
    ("backend", cluster("  cni: {backend: hostgw}"), ['unknown backend "hostgw"', "did you mean host-gw?"]),
    ("mtu", cluster("  cni: {mtu: 70000}"), ["spec.cni.mtu: must be between 576 and 65535, not 70000"]),
    ("hairpin", cluster('  cni: {hairpin: "on"}'), ["spec.cni.hairpin: expected a boolean, found a string"]),
    (
        "state",
        cluster("  nodes:\n  - {name: a, state: ./a}"),
        ["x.yaml:5:15: spec.nodes[0].state: reading a real node's state is not modelled yet"],
    ),
    ("no-name", cluster("  nodes:\n  - {addresses: [192.168.0.5/24]}"), ["the node has no name"]),
    ("bad-name", cluster("  nodes: [Node_1]"), ['"Node_1" is not a name']),
    ("node-block", cluster("  nodes:\n  - {name: a, podCIDR: 10.1.0.0/24}"), ["is outside the cluster's podCIDR"]),
    (
        "node-blocks",
        cluster("  nodes:\n  - {name: a, podCIDR: 10.244.9.0/24}\n  - {name: b, podCIDR: 10.244.9.0/24}"),
        ["overlaps 10.244.9.0/24 of node a"],
    ),
    (
        "no-room",
        cluster("  podCIDR: 10.244.0.0/24\n  nodes: [a, b]"),
        ["10.244.0.0/24 has no room for 2 blocks of /24, one for each node"],
    ),
    (
        "service-family",
        cluster('  serviceCIDR: [10.96.0.0/16, "fd00:1::/112"]\n  podCIDR: 10.244.0.0/16'),
        ["serviceCIDR has IPv6, podCIDR has not"],
    ),
    (
        "route",
        cluster("  nodes:\n  - {name: a, routes: [{to: 10.0.0.0/8, via: 9.9.9.9}]}"),
        ["via 9.9.9.9, which is outside the networks of a"],
    ),
    (
        "route-nowhere",
        cluster("  nodes:\n  - {name: a, routes: [{to: default}]}"),
        ["the route has neither via nor device"],
    ),
    ("route-to", cluster("  nodes:\n  - {name: a, routes: [{via: 192.168.0.1}]}"), ["the route has no destination"]),
    (
        "route-family",
        cluster('  nodes:\n  - {name: a, routes: [{to: "fd00::/8", via: 192.168.0.1}]}'),
        ["which is of the other family"],
    ),
    ("gateway", cluster("  gateway: 10.0.0.1"), ["the gateway 10.0.0.1 is outside the nodes' network"]),
    (
        "external-gateway",
        cluster("  external: [{name: c, addresses: [172.16.0.5/24], gateway: 172.17.0.1}]"),
        ["the gateway 172.17.0.1 is outside the network of c"],
    ),
    ("no-addresses", cluster("  external: [{name: c}]"), ["the external host c has no addresses"]),
    (
        "external-listen",
        cluster("  external: [{name: c, addresses: [172.16.0.5/24], listen: 0/tcp}]"),
        ["a port is between 1 and 65535"],
    ),
    ("taint", cluster("  nodes: [{name: a, taints: [{key: a, effect: NoRun}]}]"), ['unknown effect "NoRun"']),
    (
        "sysctl",
        cluster("  nodes: [{name: a, sysctls: {net.ipv4.ip_forward: yes}}]"),
        ["a sysctl's value is text or an integer"],
    ),
    (
        "label",
        cluster("  nodes: [{name: a, labels: {a: 1}}]"),
        ["expected a string, found a number", "put the value in quotes"],
    ),
    (
        "second",
        cluster("  nodes: [a]") + "---\n" + cluster("  nodes: [b]"),
        ["x.yaml:7:1: a second description of the cluster", "the first is at x.yaml:1"],
    ),
    ("kube-proxy", cluster("  kubeProxy: ipvs"), ["spec.kubeProxy: expected an object, found a string"]),
    (
        "kind-role",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnodes: [{role: master}]\n",
        ['unknown role "master"'],
    ),
    (
        "kind-field",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnetworking: {podSubnets: x}\n",
        ["did you mean podSubnet?"],
    ),
    (
        "kind-mode",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnetworking: {kubeProxyMode: iptable}\n",
        ["did you mean iptables?"],
    ),
    (
        "kind-workers",
        "apiVersion: kind.x-k8s.io/v1alpha4\nkind: Cluster\nnodes: [{role: worker}]\n",
        ["the cluster has no control-plane node"],
    ),
    (
        "node-object",
        cluster("  nodes: [{name: a, addresses: [192.168.0.5/24]}]")
        + "---\napiVersion: v1\nkind: Node\nmetadata: {name: a}\nstatus: {addresses: [{type: InternalIP, address: 192.168.0.6}]}\n",
        ["the InternalIP 192.168.0.6 is not among the addresses"],
    ),
]

ROWS = [
    pytest.param(text, expected, id=f"{group}-{name}")
    for group, rows in (
        ("text", TEXT_ROWS),
        ("kind", KIND_ROWS),
        ("shape", SHAPE_ROWS),
        ("meta", META_ROWS),
        ("service", SERVICE_ROWS),
        ("other", OTHER_ROWS),
        ("cluster", CLUSTER_ROWS),
    )
    for name, text, expected in rows
]


@pytest.mark.parametrize(("text", "expected"), ROWS)
def test_bad_input_is_told(text: str, expected: list[str]) -> None:
    with pytest.raises(LoadError) as caught:
        load_text(text, "x.yaml")
    told = str(caught.value)
    for part in expected:
        assert part in told
    errors = [line for line in told.splitlines() if line.startswith("error: ")]
    at_place = [part for part in expected if part.startswith("x.yaml")]
    assert len(errors) >= max(1, len(at_place))


@pytest.mark.parametrize(("text", "expected"), [row.values for row in ROWS if "twice" not in str(row.id)])
def test_one_mistake_gives_few_errors(text: str, expected: list[str]) -> None:
    with pytest.raises(LoadError) as caught:
        load_text(text, "x.yaml")
    assert len(caught.value.diagnostics) <= 3
