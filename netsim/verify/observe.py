"""Sends a flow in a real network and writes down everything that was seen of it.

An exchange has phases: there (SYN to ACK, the query, the segment), back (answers of datagrams), data. A phase ends when
nothing more is seen for ``patience_s``, or at once when both ends have what they wait for.
"""

from __future__ import annotations

import selectors
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address
from pathlib import Path
from types import TracebackType

from netsim.net.address import Address
from netsim.net.packet import Protocol
from netsim.rules.nft.ast import TableFamily
from netsim.rules.xtables.ast import RecentMatch, Ruleset, StatisticNthMatch
from netsim.topology.model import Netns
from netsim.trace.model import Flow
from netsim.verify.capture import Capture, Frame, is_discovery
from netsim.verify.conntrack import Connections, Entry
from netsim.verify.decode import FirstsElsewhere
from netsim.verify.drops import Dropped, Drops
from netsim.verify.ends import Ends, Taken
from netsim.verify.enter import entered
from netsim.verify.ipvs import IPVSEntry, RealIPVS
from netsim.verify.learnt import forget_routes, teaches
from netsim.verify.namespaces import RealNetwork
from netsim.verify.nft_memory import nft_remembers
from netsim.verify.nft_support import kernel_has_nftables
from netsim.verify.rule_trace import Hit, LegacyTrace, NftTrace, RuleTrace, mark_packets

AFTER_DONE_S = 0.004
LONG_AFTER_DONE_S = 0.1  # on a busy machine drops may be told of later than what came of them
SAMPLE_PORTS = 20000
EARLIER_PORTS = 21000
HALF_OPEN_S = 1.1  # a listener gives a connection up that an earlier flow left half open (tcp_synack_retries is 0)
UNACKNOWLEDGED_S = 0.02
"""Data is acknowledged 40 ms later (``Ends._accept``), by a packet that no walk has, which rules may mark a connection for.
Ref: include/net/tcp.h TCP_DELACK_MIN (v6.12)."""
DATA_PATIENCE_S = 0.1
"""Data is sent again after 200 ms. Ref: include/net/tcp.h TCP_RTO_MIN (v6.12)."""
LONGEST_PHASE_S = 0.9  # a SYN is sent again after a second


@dataclass(frozen=True, slots=True)
class Placed:
    """A matched rule, the namespace, and the phase in which it was seen."""

    phase: int
    netns: str
    hit: Hit


@dataclass(slots=True)
class Observation:
    """What the kernel showed of one flow. Frames are in the order of time, with the phase each was seen in.

    ``drops`` are None where the kernel does not tell them. ``conntrack`` are the entries of each namespace with rules while the connection
    was still open, ``ipvs`` those that IPVS made of it.
    """

    flow: Flow
    frames: list[tuple[int, Frame]] = field(default_factory=list)
    hits: list[Placed] = field(default_factory=list)
    drops: list[tuple[int, Dropped]] | None = None
    taken: tuple[Taken, ...] = ()
    client: str = ""
    conntrack: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
    ipvs: Mapping[str, tuple[IPVSEntry, ...]] = field(default_factory=dict)


def outcome(owner: str, local: tuple[str, int]) -> str:
    """One name for whose listener took a flow, and at which address."""
    return f"{owner} at {local[0]}:{local[1]}"


class Observer:
    """Listeners, captures and rule traces in every namespace of a real network."""

    def __init__(self, network: RealNetwork) -> None:
        self.network = network
        self._selector = selectors.DefaultSelector()
        self.ends = Ends(self._selector)
        self._captures: list[Capture] = []
        self._firsts: FirstsElsewhere = {}
        self._traces: dict[str, tuple[RuleTrace, ...]] = {}
        self._connections: dict[str, Connections] = {}
        self._ipvs: dict[str, RealIPVS] = {}
        self._scheduled: set[str] = set()
        self._taught: set[str] = set()
        self._drops: Drops | None = None
        self._phase = 0
        self._after_done_s = AFTER_DONE_S
        self._seen = Observation(Flow("", IPv4Address(0), Protocol.TCP))
        self.without_reasons = ""
        """Why the kernel's own reasons of drops are not compared; empty where they are."""

    def __enter__(self) -> Observer:
        try:
            for name, listener in self.network.listeners:
                self.ends.listen(self.network.real_name(name), listener)
            for name in self.network.topology.namespaces:
                self._look_at(name)
            self._hear_of_drops()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every socket."""
        self.ends.close()
        for capture in self._captures:
            capture.close()
        for traces in self._traces.values():
            for trace in traces:
                trace.close()
        for connections in self._connections.values():
            connections.close()
        for ipvs in self._ipvs.values():
            ipvs.close()
        if self._drops is not None:
            self._drops.close()
        self._selector.close()

    def _look_at(self, name: str) -> None:
        spec = self.network.topology.namespaces[name]
        if spec.ipvs.servers:
            self._scheduled |= {name} if spec.ipvs_connections else set()
            self._ipvs[name] = RealIPVS(self.network.real_name(name), spec.ipvs, spec.ipvs_connections)
        with entered(self.network.real_name(name)):
            capture = Capture(name, self._firsts)
            self._captures.append(capture)
            self._selector.register(capture, selectors.EVENT_READ, lambda: self._take_frames(capture))
            if spec.xtables or spec.nftables:
                self._connections[name] = Connections()
                mark_packets(_versions(spec))
                self._trace(name, spec)

    def _hear_of_drops(self) -> None:
        names = {name: self.network.real_name(name) for name in self.network.topology.namespaces}
        try:
            self._drops = Drops(names, self._firsts)
        except (OSError, LookupError) as error:
            self.without_reasons = str(error)
        else:
            self._selector.register(self._drops, selectors.EVENT_READ, self._take_drops)

    def _trace(self, name: str, spec: Netns) -> None:
        for old in self._traces.pop(name, ()):
            self._selector.unregister(old)
            old.close()
        traces: list[RuleTrace] = []
        if self.network.legacy:
            traces.append(LegacyTrace({each.family.value: each for each in spec.xtables}))
        if not self.network.legacy or spec.nftables:
            traces.append(NftTrace())
        for trace in traces:
            self._selector.register(trace, selectors.EVENT_READ, partial(self._take_hits, name, trace))
        self._traces[name] = tuple(traces)

    # --- one flow -----------------------------------------------------------------------------------------------

    def observe(self, flow: Flow, *, patience_s: float, afresh: bool = False, earlier: int = 0) -> Observation:
        """Send a flow, and see. It begins with connections closed, conntrack and ``recent`` lists empty.

        With ``afresh`` neighbours and bridges' databases are empty too, as they are where the model begins, and everything has more time.
        ``earlier`` is how many connections like this one IPVS had to schedule before it.
        """
        self._forget()
        if earlier:
            self._connect(flow, range(EARLIER_PORTS, EARLIER_PORTS + earlier), patience_s)
            self._forget(ipvs=False)
        known = self._ipvs_entries() if earlier else {}
        if afresh:
            time.sleep(HALF_OPEN_S)
            self.network.begin_afresh()
        else:
            self.network.be_quick()
        self._after_done_s = LONG_AFTER_DONE_S if afresh else AFTER_DONE_S
        seen = self._seen = Observation(flow, drops=None if self._drops is None else [])
        self._phase = 0
        self.ends.ask(self.network.real_name(flow.netns), flow)
        self._gather(patience_s)
        self._phase = 1
        if self.ends.answer():
            self._gather(patience_s)
        self._phase = 2
        has_data = self.ends.send_data()
        if has_data:
            self._gather(min(patience_s, UNACKNOWLEDGED_S))
        seen.conntrack = {
            name: tuple(known.entries()) for name, known in self._connections.items() if name in self._visited(seen)
        }
        if has_data:
            self._gather(min(patience_s, DATA_PATIENCE_S))
        assert self.ends.client is not None
        seen.client = self.ends.client.result or "silence"
        seen.taken = tuple(self.ends.taken)
        seen.ipvs = {
            name: tuple(entry for entry in entries if entry not in known.get(name, ()))
            for name, entries in self._ipvs_entries().items()
        }
        seen.frames.sort(key=lambda found: (found[0], found[1].time_ns))
        self._seen = Observation(flow)
        return seen

    def sample(self, flow: Flow, count: int, *, patience_s: float) -> Counter[str]:
        """How often each outcome came of ``count`` exchanges, each from a port of its own: whose listener took it, or the client's result.

        What the kernel remembers is emptied before each, so that they do not depend on each other. IPVS alone remembers the earlier ones:
        its schedulers do not draw, they go round.
        """
        self._forget()
        return Counter(self._connect(flow, range(SAMPLE_PORTS, SAMPLE_PORTS + count), patience_s))

    def _connect(self, flow: Flow, ports: Sequence[int], patience_s: float) -> list[str]:
        """The outcome of an exchange from each port, one after the other."""
        found = []
        for port in ports:
            self._forget(ipvs=False)
            asked = replace(flow, sport=port)
            self._seen, self._phase = Observation(asked), 0
            self.ends.ask(self.network.real_name(flow.netns), asked)
            self._gather(patience_s)
            client = self.ends.client.result if self.ends.client else ""
            taken = self.ends.taken
            found.append(outcome(taken[0].owner, taken[0].local) if taken else client or "silence")
        return found

    def _gather(self, patience_s: float) -> None:
        """Take what comes until nothing of the flow does. Other events (ARP, neighbour discovery) prolong nothing."""
        end = time.monotonic() + LONGEST_PHASE_S
        quiet = time.monotonic() + patience_s
        while (now := time.monotonic()) < end:
            wait = min(self._after_done_s, patience_s) if self._done() else quiet - now
            events = self._selector.select(max(wait, 0))
            before = self._progress()
            for key, _ in events:
                key.data()
            if self._progress() != before:
                quiet = time.monotonic() + patience_s
            elif not events:
                break
        for capture in self._captures:
            self._take_frames(capture)

    def _progress(self) -> tuple[int, int, int, str]:
        client = self.ends.client.result if self.ends.client else ""
        return (len(self._seen.frames), len(self._seen.hits), len(self.ends.taken), client)

    def _done(self) -> bool:
        client, flow = self.ends.client, self._seen.flow
        if client is None:
            return True
        if self._phase == 0 and flow.protocol is Protocol.UDP:
            return bool(self.ends.taken or client.result)
        if self._phase == 2:
            return False
        return bool(client.result) and (
            client.result != "connected" or flow.protocol is not Protocol.TCP or bool(self.ends.taken)
        )

    def _take_frames(self, capture: Capture) -> None:
        frames = list(capture.pending())
        self._seen.frames += [(self._phase, frame) for frame in frames]
        self._scheduled.update(frame.netns for frame in frames if frame.netns in self._ipvs)
        self._taught.update(frame.netns for frame in frames if teaches(frame.packet))

    def _take_hits(self, name: str, trace: RuleTrace) -> None:
        hits = [Placed(self._phase, name, hit) for hit in trace.pending() if not _discovers(hit)]
        self._seen.hits += hits
        self._scheduled |= {name} if hits and name in self._ipvs else set()  # a rule may drop it before any device

    def _take_drops(self) -> None:
        if self._drops is not None:
            found = [(self._phase, dropped) for dropped in self._drops.pending()]
            if self._seen.drops is not None:
                self._seen.drops += found

    def _forget(self, *, ipvs: bool = True) -> None:
        """Close what is open, let its packets pass, and empty what the kernel remembers."""
        self.ends.release()
        self._gather(AFTER_DONE_S)
        for name in sorted(self._scheduled) if ipvs else ():
            self._ipvs[name].begin_again()
            self._scheduled.discard(name)
        for name in sorted(self._taught):
            forget_routes(self.network.real_name(name))
        self._taught.clear()
        self._gather(0)
        for name, connections in self._connections.items():
            connections.flush()
            self.network.seed_connections(name)
            spec = self.network.topology.namespaces[name]
            if any(map(_remembers_lists, self.network.topology.namespaces[name].xtables)):
                with entered(self.network.real_name(name)):
                    _begin_lists(spec.recent)
            if any(map(_counts, spec.xtables)) or any(map(nft_remembers, spec.nftables)):
                self._reload(name)

    def _ipvs_entries(self) -> dict[str, list[IPVSEntry]]:
        return {name: ipvs.entries() for name, ipvs in self._ipvs.items()}

    def _visited(self, seen: Observation) -> set[str]:
        """Where packets were, or connections are from the beginning: nowhere else can there be one."""
        seeded = {name for name, netns in self.network.topology.namespaces.items() if netns.conntrack}
        return seeded | {frame.netns for _, frame in seen.frames} | {placed.netns for placed in seen.hits}

    def _reload(self, name: str) -> None:
        self.network.load_rules(name)
        spec = self.network.topology.namespaces[name]
        with entered(self.network.real_name(name)):
            if not kernel_has_nftables():
                mark_packets(_versions(spec))
            self._trace(name, spec)


def _discovers(hit: Hit) -> bool:
    return hit.packet is not None and is_discovery(hit.packet)


def _versions(spec: Netns) -> set[int]:
    """The IP versions whose packets meet a rule of a namespace."""
    found = {ruleset.family.value for ruleset in spec.xtables}
    for ruleset in spec.nftables:
        for family, _ in ruleset.tables:
            found |= {TableFamily.IP: {4}, TableFamily.IP6: {6}}.get(family, {4, 6})
    return found


def _matches(ruleset: Ruleset, kind: type) -> bool:
    return any(
        isinstance(match, kind)
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        for match in rule.matches
    )


def _remembers_lists(ruleset: Ruleset) -> bool:
    return _matches(ruleset, RecentMatch)


def _counts(ruleset: Ruleset) -> bool:
    return _matches(ruleset, StatisticNthMatch)


def _begin_lists(known: Mapping[str, Sequence[Address]]) -> None:
    """``recent`` lists of this namespace, as they are before the first packet. Ref: net/netfilter/xt_recent.c:recent_mt_proc_write()."""
    for path in sorted(Path("/proc/net/xt_recent").glob("*")):
        with suppress(OSError):
            for line in ("/", *(f"+{address}" for address in known.get(path.name, ()))):
                path.write_text(line, encoding="ascii")
