"""What is expected of a flow, and whether a trace is what was expected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import field
from enum import Enum

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.net.packet import endpoint
from netsim.rules.source import Origin
from netsim.scenario.naming import SOURCES, WORKLOADS, Kind, UnknownNameError, find, pods_of
from netsim.scenario.question import PacketOptions, answer, question_of
from netsim.scenario.world import World
from netsim.trace.model import Branch, Trace, Verdict


class SeenSource(Enum):
    """Whose address the receiver sees, where no address is named."""

    CLIENT = "client"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A verdict that is expected; ``reason`` None stands for any."""

    verdict: Verdict
    reason: str | None = None

    def __str__(self) -> str:
        return f"{self.verdict.value}:{self.reason}" if self.reason else self.verdict.value

    def holds(self, verdict: Verdict, reason: str) -> bool:
        """True where it came to this."""
        return self.verdict is verdict and self.reason in (None, reason)


DELIVERED = (Outcome(Verdict.DELIVERED),)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is expected: one of ``outcomes`` on every branch, exactly these backends, this source.

    ``backends`` are pods, workloads (each of their pods) and ``ADDRESS`` or ``ADDRESS:PORT``; empty: any. ``source_seen`` None: any.
    """

    outcomes: tuple[Outcome, ...] = DELIVERED
    backends: tuple[str, ...] = ()
    source_seen: SeenSource | Address | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """One flow and what is expected of it. ``modes`` are kube-proxy's; empty: what is configured."""

    name: str
    source: str
    destination: str
    wanted: Wanted
    packet: PacketOptions = field(default_factory=PacketOptions)
    modes: tuple[str, ...] = ()
    origin: Origin | None = field(default=None, compare=False)


def ask(world: World, source: str, destination: str, packet: PacketOptions, *, seed: int = 0) -> Trace:
    """The trace of a flow that is named as on the command line. Raises UnknownNameError."""
    return answer(world, question_of(world, source, destination, packet), seed=seed)


def differences(world: World, found: Trace, wanted: Wanted) -> tuple[str, ...]:
    """How a trace differs from what was expected, a sentence each. Raises UnknownNameError for a backend that nobody is."""
    return (
        *_outcome(found, wanted.outcomes),
        *_backends(world, found, wanted.backends),
        *_source(world, found, wanted),
    )


def _outcome(found: Trace, outcomes: Iterable[Outcome]) -> Iterator[str]:
    allowed = tuple(outcomes)
    others = [b for b in found.branches if not any(outcome.holds(b.verdict, b.reason) for outcome in allowed)]
    if others:
        expected = " or ".join(map(str, allowed))
        got = ", ".join(dict.fromkeys(str(_outcome_of(branch)) for branch in others))
        share = "" if len(found.branches) == 1 else f" on {len(others)} of {len(found.branches)} branches"
        yield f"expected {expected}, found {got}{share}: {others[0].sentence}"


def _outcome_of(branch: Branch) -> Outcome:
    """What a branch came to, the reason left out where it says no more than the verdict."""
    return Outcome(branch.verdict, None if branch.reason == branch.verdict.value else branch.reason)


def _backends(world: World, found: Trace, names: Iterable[str]) -> Iterator[str]:
    wanted = {end for name in names for end in _ends_of(world, name)}
    if not wanted:
        return
    reached = {branch.backend for branch in found.branches if branch.backend is not None}
    for address, port in sorted(reached, key=str):
        if (address, port) not in wanted and (address, None) not in wanted:
            yield f"backend {endpoint(address, port)} is none of those expected"
    for address, wanted_port in sorted(wanted, key=str):
        if not any(address == held and wanted_port in (None, port) for held, port in reached):
            yield f"no branch reaches the backend {endpoint(address, wanted_port)}"


def _ends_of(world: World, name: str) -> Iterator[tuple[Address, int | None]]:
    """The addresses that a backend's name stands for."""
    named = find(world, name, (*SOURCES, *WORKLOADS))
    if named is None:
        yield _end(name)
    elif named.kind in (Kind.NODE, Kind.EXTERNAL):
        of_node = named.kind is Kind.NODE
        held = world.node_addresses(named.name) if of_node else world.external_addresses(named.name)
        yield from ((address, None) for address in held)
    else:
        for pod in pods_of(world, named):
            yield from ((parse_address(ip.ip), None) for ip in pod.status.pod_ips)


def _end(text: str) -> tuple[Address, int | None]:
    host, colon, port = text.rpartition(":")
    try:
        return parse_address(text.strip("[]")), None
    except ValueError:
        pass
    try:
        return parse_address(host.strip("[]")), int(port) if colon else None
    except ValueError:
        raise UnknownNameError(
            f"{text} is no backend", "name a pod, a workload (deployment/web), ADDRESS or ADDRESS:PORT"
        ) from None


def _source(world: World, found: Trace, wanted: Wanted) -> Iterator[str]:
    expected = wanted.source_seen
    if expected is None:
        return
    seen = {branch.seen_source[0]: branch for branch in found.branches if branch.seen_source is not None}
    for address, branch in sorted(seen.items(), key=lambda item: str(item[0])):
        if not _is_source(world, address, branch, expected):
            name = expected.value if isinstance(expected, SeenSource) else str(expected)
            yield f"expected the source {name}, and the receiver sees {address}"


def _is_source(world: World, address: Address, branch: Branch, expected: SeenSource | Address) -> bool:
    match expected:
        case SeenSource.CLIENT:
            sent = branch.legs[0].sent
            return sent is not None and sent.ip.src == address
        case SeenSource.NODE:
            owner = world.owner_of(address)
            return owner is not None and world.topology.namespaces[owner].label.startswith("node/")
        case _:
            return address == expected
