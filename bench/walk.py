"""How long a packet takes through the rules of 10,000 Services in iptables mode, and how long such rules take to read.

    python bench/walk.py [--services N] [--runs N]

Prints a table of processor times, so that what else runs on the machine counts less; each stands beside its ratio to the yardstick
(``bench/yardstick.py``), measured the same way just before it. A walk is what a node's hooks
do for the first packet of a connection: PREROUTING (with DNAT to one of three endpoints), FORWARD and POSTROUTING.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from statistics import median

from yardstick import loop

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from netsim.net.address import Family, parse_address  # noqa: E402 - the path comes first
from netsim.net.packet import IPHeader, Packet, Protocol, TCPHeader  # noqa: E402
from netsim.rules.xtables.ast import Ruleset  # noqa: E402
from netsim.rules.xtables.parse import parse  # noqa: E402
from netsim.stack.netfilter import Netfilter  # noqa: E402
from netsim.stack.network import Network  # noqa: E402
from netsim.stack.skbuff import Nexthop, SkBuff  # noqa: E402
from netsim.stack.steps import Hook, Step  # noqa: E402
from netsim.topology.model import Netns, Role, Topology  # noqa: E402

ENDPOINTS = 3


def service_address(number: int) -> str:
    """The ClusterIP of a Service."""
    return f"10.{96 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def rules_of(services: int) -> str:
    """What kube-proxy writes for so many Services of three endpoints each: eleven rules a Service."""
    chains = [
        "*nat",
        ":KUBE-SERVICES - [0:0]",
        ":KUBE-POSTROUTING - [0:0]",
        ":KUBE-MARK-MASQ - [0:0]",
        ":KUBE-NODEPORTS - [0:0]",
    ]
    rules: list[str] = [
        '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
        '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
        "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
        "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
        '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
        "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
    ]
    for number in range(services):
        chains += [
            f":KUBE-SVC-{number:016X} - [0:0]",
            *(f":KUBE-SEP-{number:012X}{i:04X} - [0:0]" for i in range(ENDPOINTS)),
        ]
        rules += _service(number)
    rules.append(
        '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain"'
        " -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"
    )
    return "\n".join([*chains, *rules, "COMMIT", ""])


def _service(number: int) -> Iterator[str]:
    name, chain, vip = f"ns{number % 50}/svc-{number}:http", f"KUBE-SVC-{number:016X}", service_address(number)
    yield f'-A KUBE-SERVICES -m comment --comment "{name} cluster IP" -m tcp -p tcp -d {vip} --dport 80 -j {chain}'
    yield f'-A {chain} -m comment --comment "{name} cluster IP" -m tcp -p tcp -d {vip} --dport 80 ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ'
    for i in range(ENDPOINTS):
        endpoint = f"10.244.{number >> 8 & 255}.{number & 255}"
        sep, left = f"KUBE-SEP-{number:012X}{i:04X}", ENDPOINTS - i
        random = f"-m statistic --mode random --probability {1 / left:.10f} " if left > 1 else ""
        comment = f'-m comment --comment "{name} -> {endpoint}:{8080 + i}"'
        yield f"-A {chain} {comment} {random}-j {sep}"
        yield f'-A {sep} -m comment --comment "{name}" -s {endpoint} -j KUBE-MARK-MASQ'
        yield f'-A {sep} -m comment --comment "{name}" -m tcp -p tcp -j DNAT --to-destination {endpoint}:{8080 + i}'


class Bystander:
    """Records nothing, takes the last option, and stands still: what is measured is the hooks' own work."""

    def record(self, netns: str, step: Step) -> None:
        """Let it pass."""

    def choose(self, description: str, options: Sequence[tuple[str, Fraction]]) -> int:  # noqa: ARG002
        """The last endpoint: the longest way."""
        return len(options) - 1

    def port(self, description: str, first: int, last: int) -> int:  # noqa: ARG002
        """The first port."""
        return first

    def now(self) -> float:
        """The beginning."""
        return 0.0


def node_with(ruleset: Ruleset) -> Topology:
    """A node that has the rules."""
    return Topology("bench", {"node": Netns("node", Role.NODE, "node/node", xtables=(ruleset,))})


def hooks(topology: Topology) -> Netfilter:
    """The node's hooks as a walk finds them: they remember nothing. Each branch of a trace has a network of its own, of one topology."""
    by = Bystander()
    netfilter = Network(topology, by, by, by).namespace("node").netfilter
    assert isinstance(netfilter, Netfilter)
    return netfilter


def walk(netfilter: Netfilter, number: int, sport: int) -> None:
    """The first packet of a connection to a Service."""
    ip = IPHeader(parse_address("10.244.7.7"), parse_address(service_address(number)), Protocol.TCP)
    skb = SkBuff(Packet(ip, TCPHeader(sport, 80)), iif="cni0")
    netfilter.run(Hook.PREROUTING, skb)
    skb.oif, skb.nexthop = "eth0", Nexthop("eth0", None, None)
    netfilter.run(Hook.FORWARD, skb)
    netfilter.run(Hook.POSTROUTING, skb)


def timed(work: Callable[[int], object], runs: int) -> tuple[float, float]:
    """The median processor time of some runs in seconds, and that of the yardstick just before and after them."""
    found: list[float] = []
    units = [_once(lambda _: loop(), 0)]
    for run in range(runs):
        found.append(_once(work, run))
        if run % 1000 == 0:
            units.append(_once(lambda _: loop(), 0))
    return median(found), median(units)


def _once(work: Callable[[int], object], run: int) -> float:
    begin = time.process_time()
    kept = work(run)
    spent = time.process_time() - begin
    del kept
    return spent


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=2000)
    asked = parser.parse_args()
    text = rules_of(asked.services)
    count = text.count("\n-A ")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    parsing = timed(lambda _: parse(text, Family.IPV4, "bench"), 3)
    ruleset = parse(text, Family.IPV4, "bench")
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    topology = node_with(ruleset)
    first = timed(lambda _: walk(hooks(topology), asked.services // 2, 1), 1)
    netfilter = hooks(topology)
    for number in range(asked.services):
        walk(netfilter, number, 2)
    warm = timed(lambda run: walk(netfilter, run * 7919 % asked.services, 1024 + run), asked.runs)
    fresh = timed(lambda run: walk(hooks(topology), run * 7919 % asked.services, 1024 + run), asked.runs // 4)
    rows = [
        (f"read {count:,} rules", parsing),
        ("first walk: chains are indexed", first),
        ("a walk in the node's hooks", warm),
        ("the same, in a node without any state yet", fresh),
    ]
    for name, (value, unit) in rows:
        print(f"{name:<52} {value * 1000:9.3f} ms {value / unit:9.4f} yardsticks")
    print(f"{'memory of the rules and what reading them took':<52} {memory:9.1f} MiB")


if __name__ == "__main__":
    main()
