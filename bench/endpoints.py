"""How a trace to one Service grows with its endpoints: every one of them is a branch, walked there and back.

    python bench/endpoints.py [--sizes 100,250,500,1000]

Fifty pods a node. Processor times, beside their ratio to the yardstick measured the same way just before; ``a branch`` would stay
the same if growth were linear.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from yardstick import loop

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import netsim  # noqa: E402 - the path comes first
from netsim.cli.main import collect_rarely  # noqa: E402

T = TypeVar("T")
PODS_A_NODE = 50

CLUSTER = """
apiVersion: v1
kind: Service
metadata: {{name: svc-x}}
spec: {{selector: {{app: x}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: pod-a}}
spec: {{containers: [{{name: a, image: a}}]}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: x}}
spec:
  replicas: {endpoints}
  selector: {{matchLabels: {{app: x}}}}
  template:
    metadata: {{labels: {{app: x}}}}
    spec: {{containers: [{{name: x, image: x, ports: [{{containerPort: 8080}}]}}]}}
"""
NODE = "---\napiVersion: v1\nkind: Node\nmetadata: {{name: node{number}}}\n"


def world(endpoints: int) -> str:
    """A client, and one Service before a Deployment of so many pods."""
    nodes = (NODE.format(number=number) for number in range(max(2, endpoints // PODS_A_NODE)))
    return CLUSTER.format(endpoints=endpoints) + "".join(nodes)


def spent(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds of processor time, and what came of it."""
    begin = time.process_time()
    value = work()
    return time.process_time() - begin, value


def main() -> None:
    """Measure each size and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="100,250,500,1000")
    collect_rarely()  # as every command does
    netsim.loads(world(2)).trace("pod-a", "svc-x")  # imports
    print(f"{'ENDPOINTS':>9}{'LOAD s':>9}{'TRACE s':>9}{'YARDSTICKS':>12}{'A BRANCH ms':>13}")
    for endpoints in (int(size) for size in parser.parse_args().sizes.split(",")):
        unit, _ = spent(loop)
        load, made = spent(lambda count=endpoints: netsim.loads(world(count)))  # type: ignore[misc]
        walk, trace = spent(lambda made=made: made.trace("pod-a", "svc-x"))  # type: ignore[misc]
        if len(trace.branches) != endpoints:
            sys.exit(f"{len(trace.branches)} branches for {endpoints} endpoints")
        print(f"{endpoints:>9,}{load:>9.2f}{walk:>9.2f}{walk / unit:>12.1f}{walk / endpoints * 1000:>13.1f}")


if __name__ == "__main__":
    main()
