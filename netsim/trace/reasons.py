"""Every reason a verdict may have: what it means, how it reads, how to see it on a real node, and how to mend it.

The texts are templates over ``Facts``. ``docs/verdicts.md`` and ``netsim explain`` print them with the facts' names in capitals.
"""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from functools import cache

from netsim.dataclass import dataclass
from netsim.trace.model import Verdict


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an ending, as the texts name it. Every field is ready to be printed.

    ``packet`` is the leg's name, ``sent`` how it was made, ``got`` how it stood at the end, ``arrives`` how the one became the other;
    ``address``, ``port`` and ``got_to`` are its destination at the end, ``source`` and ``from_peer`` its source; ``at`` is the
    namespace's label and ``node`` the machine; ``asked`` is whom the client asked, ``client`` the client's label;
    ``device``, ``table``, ``chain``, ``hook``, ``rule`` say where it was decided; ``answer`` what a rejection is answered with;
    ``service_port``, ``namespace`` and ``service`` what a kube-proxy rule's comment names; ``iptables`` is the family's command,
    ``nft_family`` nft's word for it; ``list_chain``, ``accept`` and ``node_ports`` are commands that list the chain, accept
    traffic in it, and list node ports, of iptables or of nft; ``detail`` holds the stack's own words.
    """

    packet: str
    sent: str
    got: str
    arrives: str
    address: str
    port: str
    got_to: str
    source: str
    from_peer: str
    at: str
    node: str
    asked: str
    client: str
    device: str
    table: str
    chain: str
    hook: str
    rule: str
    answer: str
    service_port: str
    namespace: str
    service: str
    iptables: str
    nft_family: str
    list_chain: str
    accept: str
    node_ports: str
    detail: str


PLACEHOLDERS = Facts(*(f.name.upper() for f in fields(Facts)))


@dataclass(frozen=True, slots=True)
class Reason:
    """One row. ``sentence``, ``see`` and ``mend`` are templates; ``mend`` is empty where nothing needs mending."""

    code: str
    verdict: Verdict
    meaning: str
    sentence: str
    see: str
    mend: str = ""

    def say(self, facts: Facts) -> str:
        """What happened, in one sentence without its full stop."""
        return self.sentence.format_map(asdict(facts))

    def shown(self, facts: Facts) -> str:
        """The command that shows it on a real node."""
        return self.see.format_map(asdict(facts))

    def mended(self, facts: Facts) -> str:
        """What mends it; empty where nothing needs mending."""
        return self.mend.format_map(asdict(facts))

    def advise(self, facts: Facts) -> str:
        """What to do about it, and the command that shows it; empty where nothing needs doing."""
        return f"{self.mended(facts)} See it: {self.shown(facts)}" if self.mend else ""


REPLY_PREFIX = "REPLY_"


def reply_of(reason: Reason) -> Reason:
    """The same reason, met by an answer on its way back."""
    return replace(
        reason,
        code=REPLY_PREFIX + reason.code,
        meaning=f"On the way back: {reason.meaning[0].lower()}{reason.meaning[1:]}",
        sentence=f"the {{packet}} {{sent}} does not come back: {reason.sentence}",
    )


@cache
def reasons() -> dict[str, Reason]:
    """Every reason by its code, in the table's order; the derived REPLY_ rows stand behind the others."""
    from netsim.trace.reason_table import FORWARD_REASONS, TRIP_REASONS

    rows = (*TRIP_REASONS, *FORWARD_REASONS, *map(reply_of, FORWARD_REASONS))
    table = {row.code: row for row in rows}
    assert len(table) == len(rows)
    return table


def reason(code: str) -> Reason:
    """The row of a code; KeyError where there is none."""
    return reasons()[code]
