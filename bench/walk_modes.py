"""Does a walk grow with the number of Services? iptables mode beside nftables mode, by rules that a kernel evaluates and by our own time.

    python bench/walk_modes.py [--runs N] [--plot FILE.svg]

A walk is the first packet of a connection to a Service in the middle of the list, through PREROUTING, FORWARD and POSTROUTING of one node.
The rules counted are those that the walk's steps name, matched or not: what a kernel scans one after the other. In iptables mode they
grow with the Services; our model finds the right ones by an index. In nftables mode a verdict map finds the Service's chain
by a hash, in the kernel and in the model. ``--plot`` needs matplotlib (``pip install matplotlib``).
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from walk import ENDPOINTS, Bystander, rules_of, service_address, walk

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from netsim.net.address import Family  # noqa: E402 - the path comes first
from netsim.rules.nft.parse import parse as parse_nft  # noqa: E402
from netsim.rules.xtables.parse import parse  # noqa: E402
from netsim.stack.hook_environment import NamespaceHooks  # noqa: E402
from netsim.stack.netfilter import Netfilter  # noqa: E402
from netsim.stack.network import Network  # noqa: E402
from netsim.stack.steps import ChainPass, NftChainPass, Step  # noqa: E402
from netsim.topology.model import Netns, Role, Topology  # noqa: E402

SIZES = (10, 100, 1_000, 10_000)
BASES = (
    ("filter-prerouting-pre-dnat", "filter", "prerouting", -110, ("ct state new jump firewall-check",)),
    (
        "filter-forward",
        "filter",
        "forward",
        0,
        ("ct state new jump service-endpoints-check", "ct state new jump cluster-ips-check"),
    ),
    ("nat-prerouting", "nat", "prerouting", -100, ("jump services",)),
    ("nat-postrouting", "nat", "postrouting", 100, ("jump masquerading",)),
)


class Counter(Bystander):
    """Counts the rules that steps name."""

    def __init__(self) -> None:
        self.rules = 0

    def record(self, netns: str, step: Step) -> None:  # noqa: ARG002
        """Count a pass through chains."""
        if isinstance(step, ChainPass | NftChainPass):
            self.rules += len(step.evaluations)


def nft_rules_of(services: int) -> str:
    """What kube-proxy writes in nftables mode for so many Services of three endpoints each: a map's element and a chain a Service."""
    lines = ["table ip kube-proxy {", *_maps(services)]
    for name, kind, hook, priority, rules in BASES:
        lines += [f"chain {name} {{", f"type {kind} hook {hook} priority {priority};", *rules, "}"]
    lines += [
        "chain firewall-check { ip daddr . meta l4proto . th dport vmap @firewall-ips",
        "}",
        "chain service-endpoints-check { ip daddr . meta l4proto . th dport vmap @no-endpoint-services",
        "}",
        "chain cluster-ips-check { ip daddr @cluster-ips reject",
        "}",
        "chain masquerading { mark and 0x4000 != 0 mark set mark xor 0x4000 masquerade fully-random",
        "}",
        "chain services { ip daddr @cluster-ips ip saddr != 10.244.0.0/16 mark set mark or 0x4000",
        "ip daddr . meta l4proto . th dport vmap @service-ips",
        "}",
    ]
    for number in range(services):
        endpoint = f"10.244.{number >> 8 & 255}.{number & 255}"
        choice = ", ".join(f"{i} : {endpoint} . {8080 + i}" for i in range(ENDPOINTS))
        rule = f"meta l4proto tcp dnat ip addr . port to numgen random mod {ENDPOINTS} map {{ {choice} }}"
        lines += [f"chain service-{number} {{", rule, "}"]
    return "\n".join([*lines, "}", ""])


def _maps(services: int) -> Iterator[str]:
    key = "type ipv4_addr . inet_proto . inet_service : verdict;"
    yield f"map firewall-ips {{ {key} }}"
    yield f"map no-endpoint-services {{ {key} }}"
    elements = ", ".join(f"{service_address(n)} . tcp . 80 : goto service-{n}" for n in range(services))
    yield f"map service-ips {{ {key}\nelements = {{ {elements} }}\n}}"
    addresses = ", ".join(service_address(n) for n in range(services))
    yield f"set cluster-ips {{ type ipv4_addr;\nelements = {{ {addresses} }}\n}}"


def node_of(mode: str, services: int) -> Netns:
    """A node with the rules of a mode."""
    if mode == "iptables":
        return Netns("node", Role.NODE, "node/node", xtables=(parse(rules_of(services), Family.IPV4, "bench"),))
    return Netns("node", Role.NODE, "node/node", nftables=(parse_nft(nft_rules_of(services), "bench"),))


def hooks(node: Netns, by: Bystander) -> Netfilter:
    """The node's hooks, without state."""
    network = Network(Topology("bench", {"node": node}), by, by, by)
    return Netfilter(node.xtables, NamespaceHooks(network.namespace("node")))


@dataclass(frozen=True, slots=True)
class Measured:
    """One mode and number of Services: rules that a kernel evaluates, seconds that our walk takes (median), seconds to read the rules."""

    mode: str
    services: int
    rules: int
    walk_s: float
    read_s: float


def measure(mode: str, services: int, runs: int) -> Measured:
    """Read, walk once to count, then walk again and again."""
    begin = time.process_time()
    node = node_of(mode, services)
    read = time.process_time() - begin
    counter = Counter()
    walk(hooks(node, counter), services // 2, 1)
    netfilter = hooks(node, Bystander())
    walk(netfilter, services // 2, 2)
    return Measured(
        mode, services, counter.rules, _median(lambda run: walk(netfilter, services // 2, 1024 + run), runs), read
    )


def _median(work: Callable[[int], object], runs: int) -> float:
    found: list[float] = []
    for run in range(runs):
        begin = time.process_time()
        work(run)
        found.append(time.process_time() - begin)
    return median(found)


def plot(rows: list[Measured], file: Path) -> None:
    """Rules evaluated and time of a walk over the number of Services, both axes logarithmic."""
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    for mode in dict.fromkeys(row.mode for row in rows):
        mine = [row for row in rows if row.mode == mode]
        left.loglog([row.services for row in mine], [row.rules for row in mine], "o-", label=mode)
        right.loglog([row.services for row in mine], [row.walk_s * 1e6 for row in mine], "o-", label=mode)
    for axes, title in ((left, "rules that a kernel evaluates"), (right, "µs of our walk")):
        axes.set(xlabel="Services", title=title)
        axes.legend()
    figure.tight_layout()
    figure.savefig(file)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--plot", type=Path)
    asked = parser.parse_args()
    rows = [measure(mode, services, asked.runs) for mode in ("iptables", "nftables") for services in SIZES]
    print(f"{'MODE':<10}{'SERVICES':>10}{'RULES EVALUATED':>18}{'WALK µs':>10}{'READ s':>9}")
    for row in rows:
        print(f"{row.mode:<10}{row.services:>10,}{row.rules:>18,}{row.walk_s * 1e6:>10.0f}{row.read_s:>9.2f}")
    if asked.plot is not None:
        plot(rows, asked.plot)


if __name__ == "__main__":
    main()
