"""Does a walk grow with the number of Services? All three modes, by the rules that a kernel evaluates and by our own time.

    python bench/walk_modes.py [--runs N] [--plot FILE.svg] [--sizes 10,100]

A walk is a connection from a pod to a Service in the middle of the list, there and back, in a world that netsim loads from manifests: one
endpoint is followed. The rules counted are those that the steps of its first packet name, matched or not: what a kernel looks at
one after the other. In iptables mode they grow with the Services (our model finds the right ones by an index); in nftables mode a verdict
map finds the Service's chain by a hash, in ipvs mode IPVS's table the virtual server. ``--plot`` needs the extra ``plot``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from netsim.cli.main import collect_rarely  # noqa: E402 - the path comes first
from netsim.net.address import parse_address  # noqa: E402
from netsim.net.packet import Protocol  # noqa: E402
from netsim.objects.core import Service  # noqa: E402
from netsim.objects.meta import Key  # noqa: E402
from netsim.scenario.build import load_world  # noqa: E402
from netsim.scenario.world import World  # noqa: E402
from netsim.stack.steps import ChainPass, NftChainPass  # noqa: E402
from netsim.trace.model import Flow, Trace  # noqa: E402
from netsim.trace.selection import Selection  # noqa: E402
from netsim.trace.trace import trace  # noqa: E402
from proxy.config.model import ProxyMode  # noqa: E402

SIZES = (10, 100, 1_000, 10_000)
ENDPOINTS = 3
_CLUSTER = """apiVersion: netsim.io/v1alpha1
kind: Cluster
metadata: {name: bench}
spec:
  nodes:
  - name: node1
  - name: node2
"""
_POD = """apiVersion: v1
kind: Pod
metadata: {{name: {name}, labels: {{app: {app}}}}}
spec:
  nodeName: {node}
  containers:
  - {{name: main, image: example.com/main, ports: [{{containerPort: 8080}}]}}
"""
_SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: s{number}}}
spec:
  selector: {{app: web}}
  ports: [{{port: 80, targetPort: 8080}}]
"""


def manifests(services: int) -> Iterator[str]:
    """A client on node1, three endpoints on node2, and so many Services in front of them."""
    yield _CLUSTER
    yield _POD.format(name="client", app="client", node="node1")
    yield from (_POD.format(name=f"web{number}", app="web", node="node2") for number in range(ENDPOINTS))
    yield from (_SERVICE.format(number=number) for number in range(services))


@dataclass(frozen=True, slots=True)
class Measured:
    """One mode and number of Services: rules that a kernel evaluates, seconds of processor time of a walk (median) and of loading."""

    mode: str
    services: int
    rules: int
    walk_s: float
    load_s: float


def measure(mode: ProxyMode, services: int, runs: int, folder: Path) -> Measured:
    """Load, walk once to count and to warm the index, then walk again and again."""
    file = folder / f"{services}.yaml"
    if not file.exists():
        file.write_text("---\n".join(manifests(services)), encoding="utf-8")
    begin = time.process_time()
    world, _ = load_world([file], mode=mode)
    load = time.process_time() - begin
    first = walk(world, services, 40_000)
    spent = _median(lambda run: walk(world, services, 40_001 + run), runs)
    return Measured(mode.value, services, rules_of(first), spent, load)


def walk(world: World, services: int, sport: int) -> Trace:
    """A connection to the Service in the middle, by its first endpoint."""
    service = Service.of(world.objects[Key("Service", "default", f"s{services // 2}")])
    flow = Flow("pod.default.client", parse_address(service.spec.cluster_ips[0]), Protocol.TCP, 80, sport)
    return trace(world.topology, flow, source="client", target="service", selection=Selection(pick=1))


def rules_of(found: Trace) -> int:
    """The rules that a kernel looks at for the first packet, on every machine that it passes."""
    steps = (step for hop in found.branches[0].forward for step in hop.steps)
    return sum(len(step.evaluations) for step in steps if isinstance(step, ChainPass | NftChainPass))


def _median(work: Callable[[int], object], runs: int) -> float:
    found: list[float] = []
    for run in range(runs):
        begin = time.process_time()
        work(run)
        found.append(time.process_time() - begin)
    return median(found)


def plot(rows: list[Measured], file: Path) -> None:
    """Rules evaluated and time of a walk over the number of Services, both axes logarithmic."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "netsim"  # the same figures give the same file
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    for mode in dict.fromkeys(row.mode for row in rows):
        mine = [row for row in rows if row.mode == mode]
        left.loglog([row.services for row in mine], [row.rules for row in mine], "o-", label=mode)
        right.loglog([row.services for row in mine], [row.walk_s * 1e3 for row in mine], "o-", label=mode)
    for axes, title in ((left, "rules that a kernel evaluates"), (right, "ms of our walk, there and back")):
        axes.set(xlabel="Services", title=title)
        axes.legend()
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--sizes", type=lambda text: [int(each) for each in text.split(",")], default=SIZES)
    asked = parser.parse_args()
    collect_rarely()  # as every command does
    print(f"{'MODE':<10}{'SERVICES':>10}{'RULES EVALUATED':>18}{'WALK ms':>10}{'LOAD s':>9}")
    rows: list[Measured] = []
    with TemporaryDirectory() as folder:
        for mode in (ProxyMode.IPTABLES, ProxyMode.NFTABLES, ProxyMode.IPVS):
            for services in asked.sizes:
                row = measure(mode, services, asked.runs, Path(folder))
                print(
                    f"{row.mode:<10}{row.services:>10,}{row.rules:>18,}{row.walk_s * 1e3:>10.2f}{row.load_s:>9.2f}",
                    flush=True,
                )
                rows.append(row)
    if asked.plot is not None:
        plot(rows, asked.plot)


if __name__ == "__main__":
    main()
