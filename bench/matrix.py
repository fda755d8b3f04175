"""How long the whole matrix takes: who reaches whom among 1,000 pods and 1,000 Services on 50 nodes.

    python bench/matrix.py [--pods N] [--services N] [--nodes N] [--mode MODE] [--jobs N]

Each mode in a process of its own: from the manifests' text to the answer. One Service in ten is a NodePort, one in a hundred a
LoadBalancer, one in ten keeps to local endpoints, one in fifty has no endpoints.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

REPLICAS = 3


def documents(pods: int, services: int, nodes: int) -> Iterator[dict[str, Any]]:
    """The cluster: Deployments of three pods each, and Services that select one each."""
    yield {
        "apiVersion": "netsim.io/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "large"},
        "spec": {
            "nodes": [
                {"name": f"node{number}", "addresses": [f"192.168.{number // 200}.{number % 200 + 1}/16"]}
                for number in range(1, nodes + 1)
            ],
            "external": [{"name": "client", "addresses": ["192.168.250.1/16"]}],
        },
    }
    workloads = pods // REPLICAS
    for number in range(workloads):
        yield _deployment(f"w{number}", REPLICAS + (pods % REPLICAS if number == 0 else 0))
    for number in range(services):
        yield _service(number, workloads)


def _deployment(name: str, replicas: int) -> dict[str, Any]:
    container = {"name": "app", "image": "app", "ports": [{"containerPort": 8080}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def _service(number: int, workloads: int) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "selector": {"app": f"w{number % workloads}" if number % 50 else "nobody"},
        "ports": [{"port": 80, "targetPort": 8080}],
    }
    if number % 10 == 1:
        spec["type"] = "LoadBalancer" if number % 100 == 1 else "NodePort"
        if number % 20 == 1:
            spec["externalTrafficPolicy"] = "Local"
    if number % 10 == 2:
        spec["internalTrafficPolicy"] = "Local"
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": f"s{number}"}, "spec": spec}
