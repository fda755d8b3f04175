"""TCP segments and the window that conntrack keeps: its state for each, and the entry after the last.

Asked of the model, and of this machine's kernel by raw segments through a router. A segment: ``>`` from the client, ``<`` to it; flags by
their letters; sequence number; ``,`` and the number acknowledged where ACK is set; ``+`` payload bytes; ``w`` window; ``s`` window scale.
``NEW``, ``EST`` or ``INV`` is what ``--ctstate`` sees.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from netsim.net.packet import Packet
from tests.unit.netfilter_world import tcp

WINDOW = 1000


class WindowRow(NamedTuple):
    about: str
    sysctls: dict[str, int]
    segments: str
    entry: str
    """State and seconds to live, empty where there is no entry."""
    known: str = ""
    """Entries that are there before the first segment, as ``conntrack -L`` prints them."""

    @property
    def id(self) -> str:
        return self.about


@dataclass(frozen=True)
class Segment:
    text: str
    forth: bool
    packet: Packet
    state: str


_SEGMENT = re.compile(r"([<>])([A-Z]+)(\d+)(?:,(\d+))?(?:\+(\d+))?(?:w(\d+))?(?:s(\d+))?:(NEW|EST|INV)")


def segments(row: WindowRow) -> list[Segment]:
    return [_segment(word) for word in row.segments.split()]


def _segment(word: str) -> Segment:
    found = _SEGMENT.fullmatch(word)
    assert found is not None, word
    way, flags, seq, ack, payload, window, scale, state = found.groups()
    ends = ("10.1.0.2", "10.2.0.2", 40000, 80) if way == ">" else ("10.2.0.2", "10.1.0.2", 80, 40000)
    made = tcp(*ends, flags)
    header = {"seq": int(seq), "ack": int(ack or 0), "window": int(window or WINDOW)}
    header["wscale"] = None if scale is None else int(scale)
    packet = made.with_l4(**header)
    return Segment(word, way == ">", Packet(packet.ip, packet.l4, int(payload or 0)), state)


HELLO = ">S100:NEW <SA500,101:EST >A101,501:EST"
FAR = 400_000
ENTRY = (
    "tcp 6 3000 ESTABLISHED src=10.1.0.2 dst=10.2.0.2 sport=40000 dport=80 "
    "src=10.2.0.2 dst=10.1.0.2 sport=80 dport=40000 [ASSURED] mark=0\n"
)
_TCP = "net.netfilter.nf_conntrack_tcp_"

ROWS: tuple[WindowRow, ...] = (
    WindowRow("data of the client", {}, f"{HELLO} >AP101,501+100:EST", "ESTABLISHED 300"),
    WindowRow("data, acknowledged", {}, f"{HELLO} >AP101,501+100:EST <A501,201:EST", "ESTABLISHED 432000"),
    WindowRow("beyond the window by less than a window", {}, f"{HELLO} <AP2400,101+10:EST", "ESTABLISHED 432000"),
    WindowRow("beyond the window by more than a window", {}, f"{HELLO} <AP{FAR},101+10:INV", "ESTABLISHED 432000"),
    WindowRow("of the client beyond the window", {}, f"{HELLO} >AP{FAR},501+10:INV", "ESTABLISHED 432000"),
    WindowRow("the first byte beyond the window", {}, f"{HELLO} <AP1501,101+10:EST", "ESTABLISHED 300"),
    WindowRow("the last segment that is let pass", {}, f"{HELLO} <AP2490,101+10:EST", "ESTABLISHED 432000"),
    WindowRow("one byte more", {}, f"{HELLO} <AP2491,101+10:INV", "ESTABLISHED 432000"),
    WindowRow(
        "what was let pass may be acknowledged", {}, f"{HELLO} <AP2400,101+10:EST >A101,2410:EST", "ESTABLISHED 432000"
    ),
    WindowRow("an acknowledgement of what was not seen", {}, f"{HELLO} >A101,{FAR}:INV", "ESTABLISHED 432000"),
    WindowRow("an acknowledgement of one byte that was not seen", {}, f"{HELLO} <A501,102:INV", "ESTABLISHED 432000"),
    WindowRow(
        "an old segment, sent again",
        {},
        f"{HELLO} <AP501,101+1400:EST >A101,1901:EST <AP501,101+10:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow(
        "a very old acknowledgement",
        {},
        ">S100000:NEW <SA500,100001:EST >A100001,501:EST <A501,1:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow("liberal", {f"{_TCP}be_liberal": 1}, f"{HELLO} <AP{FAR},101+10:EST", "ESTABLISHED 432000"),
    WindowRow(
        "liberal, an acknowledgement of what was not seen",
        {f"{_TCP}be_liberal": 1},
        f"{HELLO} >A101,{FAR}:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow(
        "both scale",
        {},
        ">S100s7:NEW <SA500,101s7:EST >A101,501w1000:EST <AP100000,101+10:EST",
        "ESTABLISHED 300",
    ),
    WindowRow(
        "only the client scales",
        {},
        ">S100s7:NEW <SA500,101:EST >A101,501w1000:EST <AP100000,101+10:INV",
        "ESTABLISHED 432000",
    ),
    WindowRow(
        "numbers go round",
        {},
        ">S4294967290:NEW <SA4294967280,4294967291:EST >A4294967291,4294967281:EST >AP4294967291,4294967281+50:EST <A4294967281,45:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow(
        "picked up in the middle",
        {},
        f">A5000,9000:NEW <A9000,5000:EST >AP{FAR},9000+10:EST <AP{FAR},5000+10:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow("not picked up", {f"{_TCP}loose": 0}, ">A5000,9000:INV <A9000,5000:INV", ""),
    WindowRow("a RST where it is expected", {}, f"{HELLO} <R501:EST", "CLOSE 10"),
    WindowRow("a RST before", {}, f"{HELLO} <R400:INV", "ESTABLISHED 432000"),
    WindowRow("a RST before, believed", {f"{_TCP}ignore_invalid_rst": 1}, f"{HELLO} <R400:EST", "ESTABLISHED 10"),
    WindowRow("a RST beyond, in the window", {}, f"{HELLO} <R700:EST", "ESTABLISHED 10"),
    WindowRow("a RST far beyond", {}, f"{HELLO} <R{FAR}:INV", "ESTABLISHED 432000"),
    WindowRow("a RST right behind data", {}, f"{HELLO} <AP501,101+10:EST <R511:EST", "CLOSE 10"),
    WindowRow("a RST with number 0", {}, f"{HELLO} <R0:INV", "ESTABLISHED 432000"),
    WindowRow("a RST that answers a SYN", {}, ">S100:NEW <RA0,101:EST", ""),
    WindowRow("a FIN beyond the window", {}, f"{HELLO} <FA{FAR},101:INV >FA{FAR},501:INV", "ESTABLISHED 300"),
    WindowRow("a FIN and a RST beyond the window", {}, f"{HELLO} >FA{FAR},501:INV <R{FAR}:INV", "ESTABLISHED 300"),
    WindowRow(
        "an acknowledgement four times", {}, f"{HELLO} <AP501,101+10:EST" + " >A101,501:EST" * 5, "ESTABLISHED 300"
    ),
    WindowRow("no room", {}, f"{HELLO} <A501,101w0:EST", "ESTABLISHED 300"),
    WindowRow(
        "a SYN with another number replaces the first",
        {},
        ">S100:NEW >S5000:NEW <SA500,5001:EST >A5001,501:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow("a SYN-ACK for the first SYN", {}, ">S100:NEW <SA500,5000:INV", "SYN_SENT 120"),
    WindowRow(
        "a SYN of a client that forgot the connection",
        {},
        f"{HELLO} >S{FAR}:EST <SA90000,{FAR + 1}:EST >A{FAR + 1},90001:EST",
        "ESTABLISHED 432000",
    ),
    WindowRow("and its challenge", {}, f"{HELLO} >S{FAR}:EST <A501,101:EST >R101:EST", "CLOSE 10"),
    WindowRow(
        "a SYN-ACK that answers no SYN",
        {},
        f"{HELLO} >S{FAR}:EST <SA90000,77:EST >A{FAR + 1},90001:INV",
        "ESTABLISHED 432000",
    ),
    WindowRow("known beforehand: any number", {}, f">AP{FAR},7+10:EST <A7,{FAR + 10}:EST", "ESTABLISHED 432000", ENTRY),
    WindowRow(
        "known beforehand: the second segment", {}, f">AP1000,7+10:EST >AP{FAR},7+10:EST", "ESTABLISHED 432000", ENTRY
    ),
    WindowRow(
        "known beforehand: the other way", {}, f">AP1000,7+10:EST <AP{FAR},1010+10:EST", "ESTABLISHED 432000", ENTRY
    ),
)
