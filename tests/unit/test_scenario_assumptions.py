"""What is left out of the model is said in every answer, and once."""

from __future__ import annotations

from netsim.manifest.load import load_text
from netsim.scenario.build import world_of

LEFT_OUT = """
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny}
spec: {podSelector: {}, policyTypes: [Ingress]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 0 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: web}
spec:
  serviceName: web
  replicas: 5
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}, annotations: {netsim.io/listen: "9000"}}
    spec:
      containers: [{name: c, image: i, livenessProbe: {tcpSocket: {port: 8080}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: edge}
spec: {containers: [{name: c, image: i, ports: [{containerPort: 8080, hostPort: 80}]}]}
---
apiVersion: v1
kind: Pod
metadata: {name: agent}
spec: {hostNetwork: true, containers: [{name: c, image: i, ports: [{containerPort: 9100}]}]}
"""


def test_every_kind_of_it_has_one_sentence() -> None:
    assert world_of(load_text(LEFT_OUT)).assumptions == (
        "NetworkPolicy default/deny is not enforced: flannel, the modelled CNI, enforces none",
    )


def test_what_is_modelled_needs_none() -> None:
    assert (
        world_of(
            load_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: i}]}")
        ).assumptions
        == ()
    )
