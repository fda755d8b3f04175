"""The text of ``ipvsadm -Lnc`` → typed connections: what IPVS remembers of its clients.

A template (of a persistent virtual server) has client port 0; that of a firewall mark has protocol IP, and the mark for virtual address.
Ref: ipvsadm 1.31, ipvsadm.c:print_conn(); net/netfilter/ipvs/ip_vs_conn.c:ip_vs_conn_seq_show() (v6.12).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, parse_address
from netsim.rules.conntrack.ast import ConntrackEntry
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors

PROTOCOLS = {"IP": 0, "TCP": 6, "UDP": 17, "SCTP": 132}
STATES = frozenset(
    {
        *("NONE", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT", "TIME_WAIT", "CLOSE", "CLOSE_WAIT"),
        *("LAST_ACK", "LISTEN", "SYNACK", "UDP", "ASSURED"),
        *("INIT1", "INIT", "C-SENT", "C-REPLIED", "C-WAIT", "COOKIE", "C-ECHOED"),  # of SCTP
        *("S-SENT", "S-RECEIVED", "S-ACK-SENT", "REJECTED", "CLOSED"),
    }
)
_WORD = re.compile(r"\S+")
_HEADS = ("IPVS connection", "pro ", "#")
_FIELDS = ("protocol", "expire", "state", "source", "virtual", "destination")


@dataclass(frozen=True, slots=True)
class IPVSConnection:
    """One entry. ``seconds`` is how long it lives on; each end is an address and a port."""

    protocol: int
    seconds: int
    state: str
    client: tuple[Address, int]
    virtual: tuple[Address, int]
    real: tuple[Address, int]
    origin: Origin | None = field(default=None, compare=False)

    @property
    def template(self) -> bool:
        """True for what persistence remembers of a client."""
        return self.client[1] == 0

    def made(self, entry: ConntrackEntry) -> bool:
        """True of the conntrack entry that IPVS made of this connection: its reply comes from the real server."""
        ends = ((side.src, side.sport) for side in (entry.original, entry.reply))
        virtual = (entry.original.dst, entry.original.dport)
        return (entry.protocol, virtual, *ends) == (self.protocol, self.virtual, self.client, self.real)


class _WordRefusedError(ValueError):
    def __init__(self, message: str, word: int, advice: str = "") -> None:
        super().__init__(message)
        self.word = word
        self.advice = advice


def parse(text: str, file: str) -> tuple[IPVSConnection, ...]:
    """The entries, in the order of the lines. Raises RuleSyntaxErrors with every line that is none."""
    return tuple(_entries(text, file))


def _entries(text: str, file: str) -> Iterator[IPVSConnection]:
    errors: list[RuleSyntaxError] = []
    found: list[IPVSConnection] = []
    for number, line in enumerate(text.split("\n"), 1):
        words = list(_WORD.finditer(line))
        if not words or line.strip().startswith(_HEADS):
            continue
        origin = Origin(file, number, 1, line)
        try:
            found.append(replace(_entry([word[0] for word in words]), origin=origin))
        except _WordRefusedError as refused:
            column = words[min(refused.word, len(words) - 1)].start() + 1
            errors.append(RuleSyntaxError(str(refused), replace(origin, column=column), refused.advice))
    if errors:
        raise RuleSyntaxErrors(errors)
    return iter(found)


def _entry(words: list[str]) -> IPVSConnection:
    if len(words) < len(_FIELDS):
        raise _WordRefusedError(
            "a connection has six columns", len(words) - 1, f"{' '.join(_FIELDS)}, as ipvsadm -Lnc prints"
        )
    if words[0] not in PROTOCOLS:
        raise _WordRefusedError(f"{words[0]!r} is no protocol of IPVS", 0, f"one of {', '.join(PROTOCOLS)}")
    if words[2] not in STATES:
        raise _WordRefusedError(f"{words[2]!r} is no state of IPVS", 2, f"one of {', '.join(sorted(STATES))}")
    client, virtual, real = (_end(words[index], index) for index in (3, 4, 5))
    return IPVSConnection(PROTOCOLS[words[0]], _seconds(words[1]), words[2], client, virtual, real)


def _seconds(text: str) -> int:
    minutes, colon, seconds = text.partition(":")
    if not (colon and minutes.isdecimal() and seconds.isdecimal()):
        raise _WordRefusedError(f"{text!r} is no time", 1, "minutes:seconds, such as 01:57")
    return int(minutes) * 60 + int(seconds)


def _end(text: str, word: int) -> tuple[Address, int]:
    host, colon, port = text.rpartition(":")
    try:
        address = parse_address(host.strip("[]"))
    except ValueError:
        colon = ""
    if not colon or not port.isdecimal() or int(port) > 0xFFFF:
        raise _WordRefusedError(f"{text!r} is no address with a port", word, "such as 10.96.0.10:80 or [fd00::1]:80")
    return address, int(port)
