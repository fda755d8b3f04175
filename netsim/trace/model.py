"""The answer to "where does this packet go, and why": Trace > Branch > Leg > Hop > Step."""

from __future__ import annotations

from enum import Enum
from fractions import Fraction

from netsim.dataclass import dataclass
from netsim.net.address import Address
from netsim.net.packet import Packet, Protocol, TCPFlags
from netsim.stack.steps import AnyRuleRef, Choice, Hook, Step
from netsim.topology.model import Role


class Verdict(Enum):
    """What became of a flow. The order is from best to worst news, which is how branches are summed up."""

    DELIVERED = "DELIVERED"
    REJECTED = "REJECTED"
    DROPPED = "DROPPED"
    NO_ROUTE = "NO_ROUTE"
    LOOP = "LOOP"
    LEFT = "LEFT"
    MISDELIVERED = "MISDELIVERED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Flow:
    """What was asked. ``netns`` is where the first packet is made; ``destination`` is what the sender puts into it.

    ``source`` None lets the kernel choose; ``sport`` is the client's port (for ICMP the echo identifier), ``dport`` 0 for ICMP.
    ``payload`` is the number of bytes of the query or of the data segment; ``owner`` names the sending process.
    ``seq_offset`` is how many bytes beyond what the peer expects the data segment begins (below 0: before it), ``answer_seq_offset`` the
    same of a data segment that the peer sends; None: the one is where it belongs, and sent only for a payload, the other is not sent.
    ``at_once``: the socket sends two datagrams, and no host confirms the connection of the first before the second has come.
    """

    netns: str
    destination: Address
    protocol: Protocol
    dport: int = 0
    sport: int = 40000
    source: Address | None = None
    flags: TCPFlags = TCPFlags.SYN
    payload: int = 0
    ttl: int = 64
    dont_fragment: bool = True
    mark: int = 0
    owner: str = "client"
    seq_offset: int | None = None
    answer_seq_offset: int | None = None
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Hop:
    """A stay in one network namespace. ``label`` and ``node`` are the topology's."""

    netns: str
    label: str
    role: Role
    node: str | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Leg:
    """One packet of the flow's exchange, from where it was made to where it ended.

    ``name`` is ``SYN``, ``SYN-ACK``, ``ACK``, ``query``, ``answer``, ``echo request``, ``echo reply``, ``RST`` or the ICMP error's name.
    ``reply`` is true for what goes back towards the asker. ``sent`` is the packet as it was made, ``received`` as it arrived
    at a socket, None where it did not.
    """

    name: str
    reply: bool
    sent: Packet | None
    received: Packet | None
    hops: tuple[Hop, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a verdict was decided: namespace, and as far as they apply hook, table, chain and rule."""

    netns: str
    node: str | None
    hook: Hook | None = None
    table: str | None = None
    chain: str | None = None
    rule: AnyRuleRef | None = None
    function: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """One way that chance may take. ``delivered_to`` is the label and listener that took the packet, None where none did.

    ``sentence`` says what happened, ``advice`` what to do about it (empty where nothing needs doing).
    ``backend`` is the address and port that the first packet arrived at, or had been translated to where it did not arrive;
    ``seen_source`` is what the receiver saw as its source. ``number`` counts the explored branches from 1.
    """

    probability: Fraction
    choices: tuple[Choice, ...]
    verdict: Verdict
    reason: str
    where: Place | None
    sentence: str
    advice: str
    delivered_to: str | None
    backend: tuple[Address, int] | None
    seen_source: tuple[Address, int] | None
    legs: tuple[Leg, ...]
    number: int = 1

    @property
    def forward(self) -> tuple[Hop, ...]:
        """The hops of the first packet."""
        return self.legs[0].hops if self.legs else ()

    @property
    def reply(self) -> tuple[Hop, ...]:
        """The hops of the first packet that went back, empty where none did."""
        return next((leg.hops for leg in self.legs if leg.reply), ())


@dataclass(frozen=True, slots=True)
class MendStep:
    """One change: what it is in words, and the command that makes it."""

    words: str
    command: str


@dataclass(frozen=True, slots=True)
class Mend:
    """Changes that were made and traced again: what the flow came to then."""

    steps: tuple[MendStep, ...]
    verdict: Verdict
    sentence: str


@dataclass(frozen=True, slots=True)
class Trace:
    """The whole answer. ``source`` and ``target`` are what the user called the two ends.

    ``total`` is how many branches there are, None where that was not looked for (``--pick`` and ``--seed`` follow one).
    Without a selection the branches' probabilities add up to 1. ``mends`` are the smallest changes that were tried and would deliver
    the packet on every branch; empty where it is delivered, where none was found, or where they were not looked for.
    """

    flow: Flow
    source: str
    target: str
    branches: tuple[Branch, ...]
    assumptions: tuple[str, ...] = ()
    total: int | None = None
    mends: tuple[Mend, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """The worst of the branches' verdicts: a flow is as good as its worst branch."""
        order = list(Verdict)
        return max((branch.verdict for branch in self.branches), key=order.index)

    @property
    def decisive(self) -> Branch:
        """The first branch that has the trace's verdict."""
        verdict = self.verdict
        return next(branch for branch in self.branches if branch.verdict is verdict)
