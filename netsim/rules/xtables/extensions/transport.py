"""``-m tcp``, ``-m udp``, ``-m sctp`` and ``-m multiport``. Ref: iptables extensions/libxt_{tcp,udp,sctp,multiport}.c (v1.8.9)."""

from __future__ import annotations

from netsim.net.address import Family
from netsim.rules.xtables.ast import (
    MultiportMatch,
    NotModelledMatch,
    PortMatch,
    PortRange,
    SCTPMatch,
    TCPFlagsMatch,
    TCPMatch,
    UDPMatch,
)
from netsim.rules.xtables.option import PORT_PROTOCOLS, Extension, Given, Needs, Option, inverting
from netsim.rules.xtables.values import read_integer, read_port, read_ports, write_ports

_PORTS = (
    Option("sport", aliases=("source-port",), invertible=True),
    Option("dport", aliases=("destination-port",), invertible=True),
)
_TCP_FLAGS = {"FIN": 0x01, "SYN": 0x02, "RST": 0x04, "PSH": 0x08, "ACK": 0x10, "URG": 0x20}
_ALL_FLAGS = 0x3F
_SYN_MASK = 0x17


def _ports(given: Given, option: str) -> PortMatch | None:
    ports = given.read(option, read_ports)
    if ports is None:
        return None
    inverted = given.inverted(option)
    if ports == PortRange(0, 0xFFFF) and not inverted:
        return None
    return PortMatch(ports, inverted)


def _port_words(match: TCPMatch | UDPMatch | SCTPMatch) -> list[str]:
    words: list[str] = []
    for option, ports in (("--sport", match.source), ("--dport", match.destination)):
        if ports is not None:
            words += inverting([option, write_ports(ports.ports)], inverted=ports.inverted)
    return words


def _read_flags(text: str) -> int:
    flags = 0
    for name in text.split(","):
        folded = name.upper()
        if folded == "ALL":
            flags |= _ALL_FLAGS
        elif folded in _TCP_FLAGS:
            flags |= _TCP_FLAGS[folded]
        elif folded != "NONE":
            raise ValueError(f"unknown TCP flag {name!r}")
    return flags


def _write_flags(flags: int) -> str:
    return ",".join(name for name, bit in _TCP_FLAGS.items() if flags & bit) or "NONE"


def _flags(given: Given) -> TCPFlagsMatch | None:
    if "syn" in given:
        return TCPFlagsMatch(_SYN_MASK, _TCP_FLAGS["SYN"], given.inverted("syn"))
    mask = given.read("tcp-flags", _read_flags)
    if mask is None:
        return None
    found = given.options["tcp-flags"]
    try:
        return TCPFlagsMatch(mask, _read_flags(found.values[1]), found.inverted)
    except ValueError as problem:
        raise given.problem(f"--tcp-flags: {problem}", "tcp-flags") from None


def _build_tcp(given: Given) -> TCPMatch:
    return TCPMatch(
        source=_ports(given, "sport"),
        destination=_ports(given, "dport"),
        flags=_flags(given),
        option=given.read("tcp-option", lambda text: read_integer(text, 255, 1)),
        option_inverted=given.inverted("tcp-option"),
    )


def _tcp_words(match: TCPMatch, _family: Family) -> list[str]:
    words = ["tcp", *_port_words(match)]
    if match.option is not None:
        words += inverting(["--tcp-option", str(match.option)], inverted=match.option_inverted)
    if (flags := match.flags) is not None:
        values = ["--tcp-flags", _write_flags(flags.mask), _write_flags(flags.compare)]
        words += inverting(values, inverted=flags.inverted)
    return words


def _build_udp(given: Given) -> UDPMatch:
    return UDPMatch(_ports(given, "sport"), _ports(given, "dport"))


def _build_sctp(given: Given) -> SCTPMatch | NotModelledMatch:
    if "chunk-types" in given:
        return NotModelledMatch("sctp", given.words())
    return SCTPMatch(_ports(given, "sport"), _ports(given, "dport"))


_MULTIPORT_OPTIONS = {"sports": "source", "dports": "destination", "ports": "either"}
_MULTIPORT_SLOTS = 15


def _read_port_list(text: str) -> tuple[PortRange, ...]:
    ports: list[PortRange] = []
    slots = 0
    for item in text.split(","):
        first, colon, last = item.partition(":")
        low = read_port(first)
        high = read_port(last) if colon else low
        if colon and low >= high:
            raise ValueError("invalid portrange specified")
        slots += 2 if colon else 1
        ports.append(PortRange(low, high))
    if slots > _MULTIPORT_SLOTS:
        raise ValueError(f"too many ports specified (at most {_MULTIPORT_SLOTS}, a range counts as two)")
    return tuple(ports)


def _build_multiport(given: Given) -> MultiportMatch:
    named = [option for option in _MULTIPORT_OPTIONS if option in given]
    if len(named) != 1:
        raise given.problem("exactly one of --sports, --dports and --ports must be specified")
    ports = given.read(named[0], _read_port_list)
    return MultiportMatch(_MULTIPORT_OPTIONS[named[0]], ports or (), given.inverted(named[0]))


def _multiport_words(match: MultiportMatch, _family: Family) -> list[str]:
    option = next(option for option, which in _MULTIPORT_OPTIONS.items() if which == match.which)
    ports = ",".join(write_ports(ports) for ports in match.ports)
    return ["multiport", *inverting([f"--{option}", ports], inverted=match.inverted)]


TCP = Extension(
    "tcp",
    (
        *_PORTS,
        Option("tcp-flags", values=2, invertible=True, excludes=("syn",)),
        Option("syn", values=0, invertible=True),
        Option("tcp-option", invertible=True),
    ),
    _build_tcp,
    _tcp_words,
    (TCPMatch,),
    needs=lambda _match: Needs(protocols=(6,)),
)
UDP = Extension(
    "udp",
    _PORTS,
    _build_udp,
    lambda match, _family: ["udp", *_port_words(match)],
    (UDPMatch,),
    needs=lambda _match: Needs(protocols=(17,)),
)
SCTP = Extension[SCTPMatch | NotModelledMatch](
    "sctp",
    (*_PORTS, Option("chunk-types", values=2, invertible=True)),
    _build_sctp,
    lambda match, _family: ["sctp", *(_port_words(match) if isinstance(match, SCTPMatch) else match.words)],
    (SCTPMatch,),
    needs=lambda _match: Needs(protocols=(132,)),
)
MULTIPORT = Extension(
    "multiport",
    (
        Option("sports", aliases=("source-ports",), invertible=True),
        Option("dports", aliases=("destination-ports",), invertible=True),
        Option("ports", invertible=True),
    ),
    _build_multiport,
    _multiport_words,
    (MultiportMatch,),
    needs=lambda _match: Needs(protocols=PORT_PROTOCOLS),
)
