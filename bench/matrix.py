"""How long the whole matrix takes: who reaches whom among 1,000 pods and 1,000 Services on 50 nodes.

    python bench/matrix.py [--pods N] [--services N] [--nodes N] [--mode MODE] [--jobs N] [--all-fronts]

From the manifests' text to the answer, each mode in a process of its own: every pod, node and external host to every Service's cluster
IP and to every pod; with ``--all-fronts`` to node ports, at every node, load balancers and localhost too. One Service in ten has a
node port, one in a hundred a load balancer, one in five keeps some traffic on its node, one in fifty has no endpoints. Memory is that of
the largest process.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from yardstick import yardstick

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

MODES = ("iptables", "ipvs", "nftables")
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


def measure(asked: argparse.Namespace) -> None:
    """One mode, in this process and its workers."""
    import yaml

    from netsim.cli.main import collect_rarely
    from netsim.matrix import survey
    from netsim.matrix.grid import By, grid_of
    from netsim.matrix.processes import processes
    from netsim.scenario.build import load_world
    from netsim.scenario.every_flow import Front
    from proxy.config.model import ProxyMode

    unit = yardstick()
    collect_rarely()  # as every command does
    fronts = set(Front) if asked.all_fronts else {Front.CLUSTER_IP, Front.POD}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "large.yaml")
        path.write_text(yaml.safe_dump_all(documents(asked.pods, asked.services, asked.nodes)), encoding="utf-8")
        begin = time.perf_counter()
        world, _ = load_world([path], mode=ProxyMode(asked.mode))
    built = time.perf_counter()
    matrix = survey(
        world,
        wanted=lambda each: each.front in fronts and bool(each.port) and not each.closed,
        workers=processes(asked.jobs),
    )
    grid_of(world, matrix, By.WORKLOAD)
    done = time.perf_counter()
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024
    times = [built - begin, done - built, done - begin]
    cells = " ".join(f"{seconds:8.1f} s {seconds / unit:7.0f}" for seconds in times)
    print(f"{asked.mode:<9} {cells} {matrix.flows:>10,} {matrix.walked:>7} {peak:8.0f}")


def main() -> None:
    """Measure each mode in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--services", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=50)
    parser.add_argument("--mode", choices=MODES)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--all-fronts", action="store_true")
    asked = parser.parse_args()
    if asked.mode:
        measure(asked)
        return
    heads = ("build", "survey", "together")
    print(f"{'mode':<9} {' '.join(f'{head:>10} yardst.' for head in heads)} {'flows':>10} {'walked':>7} {'MiB':>8}")
    sys.stdout.flush()
    for mode in MODES:
        subprocess.run([sys.executable, __file__, "--mode", mode, *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
