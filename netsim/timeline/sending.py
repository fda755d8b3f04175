"""A timeline's packets: from words to flows with ports of their own, as long as their sender is there to send them."""

from __future__ import annotations

from dataclasses import replace

from netsim.dataclass import dataclass
from netsim.net.packet import Protocol, TCPFlags
from netsim.scenario.question import CLIENT_PORT, PacketOptions, Question, question_of
from netsim.timeline.live import LiveWorld
from netsim.trace.model import Trace

_PORTS = 20_000
"""Source ports that are taken in turn: of the kernel's 32768 to 60999 those from ``CLIENT_PORT`` on."""


class NobodySendsError(Exception):
    """The sender is gone, made anew, or on a node without power."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A flow, and which incarnation of its sender began it."""

    question: Question
    incarnation: int


class Sending:
    """Counts the packets of a run, so that each flow has a port of its own and each packet its own seed."""

    def __init__(self, live: LiveWorld, seed: int) -> None:
        self._live, self._seed, self._number = live, seed, 0

    def ask(self, source: str, destination: str, packet: PacketOptions) -> Asked:
        """A new flow, from a source port that no other has, unless one is named. Raises UnknownNameError."""
        question = question_of(self._live.world, source, destination, packet)
        return Asked(
            question if packet.sport is not None else self._from_own_port(question),
            self._live.incarnation(question.flow.netns),
        )

    def ask_alike(self, asked: Asked) -> Asked:
        """A new flow between the ends of an earlier one."""
        return replace(asked, question=self._from_own_port(asked.question))

    def _from_own_port(self, question: Question) -> Question:
        return replace(question, flow=replace(question.flow, sport=CLIENT_PORT + self._number % _PORTS))

    def send(self, asked: Asked) -> Trace:
        """What becomes of a flow's packet now. Raises NobodySendsError."""
        question, netns = asked.question, asked.question.flow.netns
        if silence := self._live.silence(netns, question.source.label):
            raise NobodySendsError(silence)
        if asked.incarnation != self._live.incarnation(netns):
            raise NobodySendsError(f"{question.source.label} is not the one that it was")
        self._number += 1
        seed = self._seed * 1_000_003 + self._number
        return self._live.send(
            question.flow, source=question.source.label, target=question.destination.label, seed=seed
        )


def going_on(asked: Asked, begun: Trace) -> Asked:
    """The flow as its sender's socket has it once its first packet is out: the address that it took stays."""
    first = begun.decisive.legs[0].sent
    if first is None:
        return asked
    question = asked.question
    return replace(asked, question=replace(question, flow=replace(question.flow, source=first.ip.src)))


def once_more(asked: Asked) -> Asked:
    """The next packet of a flow: over TCP a segment of the connection, else the same again."""
    question = asked.question
    if question.flow.protocol is not Protocol.TCP:
        return asked
    return replace(asked, question=replace(question, flow=replace(question.flow, flags=TCPFlags.PSH | TCPFlags.ACK)))
