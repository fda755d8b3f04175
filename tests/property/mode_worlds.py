"""Random clusters as manifests, for comparing kube-proxy's modes."""

from __future__ import annotations

from hypothesis import strategies as st

_POD = """---
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{app: {app}}}
  annotations: {{netsim.io/ready: "{ready}"}}
spec:
  nodeName: {node}
  hostNetwork: {host}
  containers:
  - name: main
    image: example.com/main
    ports:
    - containerPort: {port}
      protocol: {protocol}
"""
_SERVICE = """---
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  type: {type}
  selector: {{app: {app}}}
  internalTrafficPolicy: {internal}
{more}  ports:
  - port: {port}
    targetPort: {target}
    protocol: {protocol}
"""
_CLUSTER = """apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata:
  name: modes
spec:
  kubeProxy: {{iptables: {{masqueradeAll: {masquerade_all}}}}}
  nodes:
  - name: node1
  - name: node2
  external:
  - name: laptop
    addresses: [192.168.0.100/24]
"""


@st.composite
def services(draw: st.DrawFn, number: int) -> str:
    kind = draw(st.sampled_from(("ClusterIP", "NodePort", "LoadBalancer")))
    policy = draw(st.sampled_from(("Cluster", "Local")))
    more = f"  externalTrafficPolicy: {policy}\n" if kind != "ClusterIP" else ""
    more += draw(st.sampled_from(("", "  sessionAffinity: ClientIP\n", "  externalIPs: [203.0.113.7]\n")))
    app = f"app{number}"
    port = 8080 + number
    protocol = draw(st.sampled_from(("TCP", "UDP")))
    service = _SERVICE.format(
        name=f"s{number}",
        type=kind,
        app=app,
        internal=draw(st.sampled_from(("Cluster", "Cluster", "Local"))),
        more=more,
        port=80 + number,
        target=port,
        protocol=protocol,
    )
    pods = [
        _POD.format(
            name=f"{app}-{pod}",
            app=app,
            ready=draw(st.sampled_from(("true", "true", "true", "false"))),
            node=draw(st.sampled_from(("node1", "node2"))),
            host=draw(st.sampled_from(("false", "false", "false", "true"))),
            port=port,
            protocol=protocol,
        )
        for pod in range(draw(st.integers(0, 3)))
    ]
    return "".join((service, *pods))


@st.composite
def clusters(draw: st.DrawFn) -> str:
    """A cluster of two nodes with up to three Services and their pods, a client pod on node1 and a host outside."""
    head = _CLUSTER.format(masquerade_all=draw(st.sampled_from(("false", "false", "true"))))
    client = _POD.format(name="client", app="client", ready="true", node="node1", host="false", port=7, protocol="TCP")
    return head + client + "".join(draw(services(number)) for number in range(draw(st.integers(1, 2))))
