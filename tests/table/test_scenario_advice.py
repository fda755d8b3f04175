"""What to do, where the objects of the world say more than the reason's general advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import netsim

WORLD = """
apiVersion: netsim.io/v1alpha1
kind: Cluster
spec:
  nodes: [{name: node1}, {name: node2, unschedulable: true}]
  external: [{name: client, addresses: [192.168.0.100/24], listen: 443/tcp}]
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 9000}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: b, labels: {app: b, tier: web}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 8080, name: http}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: waits, labels: {app: waits}}
spec: {nodeSelector: {disk: ssd}, containers: [{name: c, image: i}]}
---
apiVersion: v1
kind: Pod
metadata: {name: ill, labels: {app: ill}}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 8080}]}]}
status: {phase: Running, conditions: [{type: Ready, status: "False"}]}
---
apiVersion: v1
kind: Service
metadata: {name: all}
spec:
  type: LoadBalancer
  selector: {app: b}
  externalIPs: [198.51.100.7]
  ports: [{name: web, port: 80, targetPort: http, nodePort: 30080}, {name: wrong, port: 81, targetPort: 81, nodePort: 30081}]
status: {loadBalancer: {ingress: [{ip: 192.168.0.200}]}}
---
apiVersion: v1
kind: Service
metadata: {name: inner}
spec: {selector: {app: b}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: given}
spec: {ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: given-1, labels: {kubernetes.io/service-name: given}}
addressType: IPv4
ports: [{port: 80, protocol: TCP, name: ""}]
endpoints: [{addresses: [192.168.0.100]}]
---
apiVersion: v1
kind: Service
metadata: {name: alone}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: c}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: pending}
spec: {selector: {app: waits}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: unready}
spec: {selector: {app: ill}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: probed}
spec: {selector: {app: probed}, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Pod
metadata: {name: probed, labels: {app: probed}, annotations: {netsim.io/listen: "8080"}}
spec:
  topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone, whenUnsatisfiable: ScheduleAnyway}]
  containers: [{name: c, image: i, readinessProbe: {tcpSocket: {port: 9090}}}]
---
apiVersion: v1
kind: Service
metadata: {name: unnamed}
spec: {selector: {app: b}, ports: [{port: 80, targetPort: https}]}
"""

ROWS = [
    # (the command's words, reason, what it says to do)
    pytest.param(["a", "all:99"], "LEFT_MODEL", "default/all has no port 99/tcp, so no rule", id="no such port"),
    pytest.param(
        ["a", "all:80", "--proto", "udp"], "LEFT_MODEL", "default/all has no port 80/udp", id="no such protocol"
    ),
    pytest.param(
        ["a", "all", "--proto", "icmp"], "LEFT_MODEL", "answers no ping: only the ports of default/all", id="ping"
    ),
    pytest.param(
        ["client", "all:80"],
        "LEFT_MODEL",
        "is the cluster IP of default/all: no route outside the cluster leads to cluster IPs. Use its load balancer's "
        "192.168.0.200 or its external IP 198.51.100.7 or its node port on any node (30080/tcp, 30081/tcp).",
        id="a cluster IP from outside",
    ),
    pytest.param(["client", "inner"], "LEFT_MODEL", "Make the Service a NodePort or LoadBalancer", id="no way in"),
    pytest.param(
        ["client", "198.51.100.7:80"],
        "LEFT_MODEL",
        "198.51.100.7 is an address of default/all that no machine",
        id="external IP",
    ),
    pytest.param(
        ["client", "192.168.0.200:80"],
        "NEIGHBOUR_FAILED",
        "192.168.0.200 is an address of default/all that no",
        id="ingress",
    ),
    pytest.param(["client", "192.168.0.201:80"], "NEIGHBOUR_FAILED", "The pod or host is gone", id="nobody's address"),
    pytest.param(["a", "10.96.77.7:80"], "LEFT_MODEL", "No Service has the address 10.96.77.7", id="no Service"),
    pytest.param(["a", "10.244.77.7:80"], "LEFT_MODEL", "10.244.77.7 is in the pod network, but", id="no node's pods"),
    pytest.param(["a", "8.8.8.8:53"], "LEFT_MODEL", "8.8.8.8 is no address of this topology", id="the internet"),
    pytest.param(
        ["a", "alone"],
        "NO_ENDPOINTS",
        "default/alone has no selector, so its endpoints are not made by",
        id="no selector",
    ),
    pytest.param(
        ["a", "nobody"],
        "NO_ENDPOINTS",
        "has the labels that default/nobody selects (app=c). There are pods with app=b, app=ill, app=probed, app=waits.",
        id="selects nobody",
    ),
    pytest.param(
        ["a", "pending"],
        "NO_ENDPOINTS",
        "default/pending selects 1 pod, and it is not Ready. waits: 0/2 nodes",
        id="pending",
    ),
    pytest.param(
        ["a", "unready"],
        "NO_ENDPOINTS",
        "default/unready selects 1 pod, and it is not Ready. ill: it runs, but its condition Ready is not True: look",
        id="not ready",
    ),
    pytest.param(
        ["a", "svc/probed"],
        "NO_ENDPOINTS",
        "probed: Readiness probe failed: dial tcp 10.244.1.5:9090: connect: connection refused.",
        id="a failing probe",
    ),
    pytest.param(["a", "unnamed"], "NO_ENDPOINTS", "none has a TCP port named 'https'", id="no such port name"),
    pytest.param(
        ["a", "all:81"],
        "PORT_CLOSED",
        "default/all sends port 81 to targetPort 81, and 10.244.1.3 listens on 8080/tcp: correct the targetPort",
        id="wrong targetPort",
    ),
    pytest.param(
        ["client", "node/node1:30081"], "PORT_CLOSED", "default/all sends port 81 to targetPort 81", id="node port"
    ),
    pytest.param(
        ["a", "given"],
        "PORT_CLOSED",
        "EndpointSlices of default/given name port 80, and 192.168.0.100 listens",
        id="given",
    ),
    pytest.param(["a", "pod/b:99"], "PORT_CLOSED", "10.244.1.3 listens on 8080/tcp: ask for that", id="a pod's port"),
    pytest.param(["a", "127.0.0.1:99"], "PORT_CLOSED", "127.0.0.1 listens on 9000/tcp: ask for that", id="localhost"),
    pytest.param(["a", "client:80"], "PORT_CLOSED", "192.168.0.100 listens on 443/tcp: ask", id="an external host"),
    pytest.param(["a", "node/node1:99"], "NODE_PORT_CLOSED", "No Service has node port 99. If a process of", id="node"),
    pytest.param(
        ["a", "node/node1:30080", "--proto", "udp"],
        "NODE_PORT_CLOSED",
        "default/all has node port 30080 for TCP only",
        id="UDP",
    ),
]


@pytest.mark.parametrize(("words", "reason", "says"), ROWS)
def test_advice(words: list[str], reason: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(WORLD)
    branch = json.loads(netsim("trace", "-t", str(tmp_path / "x.yaml"), *words, "-o", "json").out)["branches"][0]
    assert branch["reason"] == reason
    assert says in branch["advice"]


def test_what_shows_it_stays_beside_the_advice(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(WORLD)
    out = netsim("trace", "-t", str(tmp_path / "x.yaml"), "a", "nobody", "--summary").out
    assert "\nsee      `kubectl get endpointslices -n default -l kubernetes.io/service-name=nobody`\n" in out


def test_ipvs_knows_as_much_of_a_service_without_endpoints(tmp_path: Path) -> None:
    file = tmp_path / "world.yaml"
    before = "metadata: {name: inner}\nspec: {selector: {app: "
    assert f"{before}b}}" in WORLD
    file.write_text(WORLD.replace(f"{before}b}}", f"{before}x}}"))
    words = ("trace", "-t", str(file), "a", "svc/inner", "-o", "json", "--mode")
    told = {mode: json.loads(netsim(*words, mode).out)["branches"][0] for mode in ("iptables", "ipvs")}
    advice = {mode: branch["advice"].partition(" See it")[0] for mode, branch in told.items()}
    assert told["ipvs"]["reason"] == "IPVS_NO_DESTINATION"
    assert advice["ipvs"] == advice["iptables"]
    assert "default/inner selects (app=x)" in advice["ipvs"]
