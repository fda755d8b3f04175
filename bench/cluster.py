"""The control plane at size: nodes, Deployments and Services until nothing changes any more; each size in a process of its own.

    python bench/cluster.py [--nodes N] [--sizes 1/4,1/2,1] [--profile FILE]

Each Deployment has 10 pods and one Service selects them, so 1,000 nodes carry 30,000 pods behind 3,000 Services. ``create`` is the
API's part (authorization, defaults, validation, admission, the store), ``settle`` the controllers', the scheduler's and the kubelets'.
A write is one revision of the store; writes and the ratio are by processor time, for machines are shared. ``events`` counts the
Kubernetes Events, no matter how often each was seen again.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

from yardstick import yardstick

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PODS_A_NODE, PODS_A_SERVICE = 30, 10


def node(number: int) -> dict[str, Any]:
    """A node of the size that kubeadm's users have: 110 pods, 16 processors, 64 GiB."""
    network = f"10.{64 + number // 256}.{number % 256}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": f"node{number}",
            "labels": {"topology.kubernetes.io/zone": f"zone-{number % 3}", "kubernetes.io/hostname": f"node{number}"},
        },
        "spec": {"podCIDR": f"{network}.0/24", "podCIDRs": [f"{network}.0/24"]},
        "status": {
            "addresses": [{"type": "InternalIP", "address": f"172.{16 + number // 256}.{number % 256}.1"}],
            "allocatable": {"cpu": "16", "memory": "64Gi", "pods": "110"},
            "capacity": {"cpu": "16", "memory": "64Gi", "pods": "110"},
        },
    }


def deployment(number: int, replicas: int) -> dict[str, Any]:
    """A Deployment as most are: one container, requests, a probe."""
    labels = {"app": f"app{number}"}
    container = {
        "name": "web",
        "image": "registry.example/web:1",
        "ports": [{"name": "http", "containerPort": 8080}],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}, "periodSeconds": 5},
    }
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"app{number}", "namespace": f"team{number % 20}"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template},
    }


def service(number: int) -> dict[str, Any]:
    """The Service before it."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"app{number}", "namespace": f"team{number % 20}"},
        "spec": {"selector": {"app": f"app{number}"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    }


def measure(nodes: int) -> None:
    """One size, in this process."""
    from netsim.cli.main import collect_rarely
    from netsim.cluster.controlplane import ControlPlane
    from netsim.objects.meta import Object

    collect_rarely()  # as every command does
    count = nodes * PODS_A_NODE // PODS_A_SERVICE
    stick = yardstick()
    begin, worked = time.perf_counter(), time.process_time()
    plane = ControlPlane([Object.of(node(n)) for n in range(nodes)], [], service_cidrs=("10.128.0.0/12",))
    for n in range(20):
        plane.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"team{n}"}})
    for n in range(count):
        plane.api.create(service(n))
        plane.api.create(deployment(n, PODS_A_SERVICE))
    created = time.perf_counter()
    plane.run_until_steady()
    settled, worked = time.perf_counter(), time.process_time() - worked
    running = sum(1 for pod in plane.store.list("Pod").items if pod.document["status"]["phase"] == "Running")  # type: ignore[call-overload,index]
    expected = count * PODS_A_SERVICE
    if running != expected:
        sys.exit(f"{running} of {expected} pods run")
    whole, writes = settled - begin, int(plane.store.resource_version)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{nodes:>6} {running:>7} {count:>9} {created - begin:>8.1f} s {settled - created:>8.1f} s {whole:>8.1f} s "
        f"{worked:>8.1f} s {worked / stick:>8.0f} {memory:>7.0f} MiB {writes:>9} {writes / worked:>9.0f} {len(plane.events):>8}"
    )


def main() -> None:
    """Parse the arguments and measure each size in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--sizes", default="1/4,1/2,1", help="parts of that number, each measured")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    print(
        f"{'nodes':>6} {'pods':>7} {'Services':>9} {'create':>10} {'settle':>10} {'whole':>10} {'processor':>10} "
        f"{'ratio':>8} {'memory':>11} "
        f"{'writes':>9} {'writes/s':>9} {'events':>8}",
        flush=True,
    )
    for size in options.sizes.split(","):
        count = int(Fraction(size) * options.nodes)
        subprocess.run([sys.executable, __file__, "--one", str(count)], check=True)


if __name__ == "__main__":
    main()
