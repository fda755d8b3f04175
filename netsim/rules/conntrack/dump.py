"""Typed entries → the text of ``conntrack -L``, and the words of ``conntrack -I`` that make them."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.net.address import Address
from netsim.rules.conntrack.ast import ICMP, ICMPV6, NAMES, ConntrackEntry, EntryTuple

_SCTP = 132
_ZONES = {None: "zone", "ORIGINAL": "zone-orig", "REPLY": "zone-reply"}


def dump(entries: Sequence[ConntrackEntry]) -> str:
    """The entries as lines, in their order."""
    return "".join(f"{dump_entry(entry)}\n" for entry in entries)


def dump_entry(entry: ConntrackEntry) -> str:
    """One entry as ``conntrack -L`` prints it."""
    zone = [f"{_ZONES[entry.zone_direction]}={entry.zone}"] if entry.zone else []
    words = [f"{NAMES.get(entry.protocol, 'unknown'):<8} {entry.protocol} {entry.seconds}"]
    words += [entry.state] if entry.state is not None else []
    words += [_tuple(entry.original, entry.protocol), *(zone if entry.zone_direction == "ORIGINAL" else [])]
    words += [] if entry.seen_reply else ["[UNREPLIED]"]
    words += [_tuple(entry.reply, entry.protocol), *(zone if entry.zone_direction == "REPLY" else [])]
    words += ["[ASSURED]"] if entry.assured else []
    words += [f"mark={entry.mark}", *(zone if entry.zone_direction is None else []), "use=1"]
    return " ".join(words)


def _tuple(side: EntryTuple, protocol: int) -> str:
    words = [f"src={side.src}", f"dst={side.dst}"]
    if protocol in (ICMP, ICMPV6):
        words += [f"type={side.type}", f"code={side.code}", f"id={side.identifier}"]
    elif protocol in NAMES and protocol != 47:
        words += [f"sport={side.sport}", f"dport={side.dport}"]
    return " ".join(words)


def insert_words(entry: ConntrackEntry) -> list[str]:
    """The arguments of ``conntrack`` that make the entry. The kernel sets up NAT where the reply is not the inverse.

    Where it is, NAT to the same address makes the null binding that a packet's own entry has. In an entry by IPVS the reply comes from
    another end without NAT.
    """
    original, reply = entry.original, entry.reply
    words = ["-I", "-p", NAMES.get(entry.protocol, str(entry.protocol)), "-t", str(entry.seconds)]
    words += ["-s", str(original.src), "-d", str(original.dst)]
    if entry.protocol in (ICMP, ICMPV6):
        name = NAMES[entry.protocol]
        words += [f"--{name}-type", str(original.type), f"--{name}-code", str(original.code)]
        words += [f"--{name}-id", str(original.identifier)]
    elif entry.protocol in NAMES:
        words += ["--sport", str(original.sport), "--dport", str(original.dport)]
    if entry.protocol == _SCTP:
        words += ["--orig-vtag", "1", "--reply-vtag", "1"]  # which the tool asks for, and no list shows
    if entry.state is not None:
        words += ["--state", entry.state]
    if entry.by_ipvs:
        words += ["-r", str(reply.src), "-q", str(reply.dst)]
        words += ["--reply-port-src", str(reply.sport), "--reply-port-dst", str(reply.dport)]
    elif (reply.src, reply.sport) != (original.dst, original.dport):
        words += ["--dst-nat", _end(reply.src, reply.sport)]
    elif (reply.dst, reply.dport) == (original.src, original.sport):
        words += ["--dst-nat", str(original.dst)]
    if not entry.by_ipvs and (reply.dst, reply.dport) != (original.src, original.sport):
        words += ["--src-nat", _end(reply.dst, reply.dport)]
    status = [name for name, there in (("SEEN_REPLY", entry.seen_reply), ("ASSURED", entry.assured)) if there]
    words += ["-u", ",".join(status)] if status else []
    words += ["-m", str(entry.mark)] if entry.mark else []
    options = {None: "--zone", "ORIGINAL": "--orig-zone", "REPLY": "--reply-zone"}
    return words + ([options[entry.zone_direction], str(entry.zone)] if entry.zone else [])


def _end(address: Address, port: int) -> str:
    if not port:
        return str(address)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"
