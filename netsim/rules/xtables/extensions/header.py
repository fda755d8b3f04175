"""Matches and targets on header fields: iprange, length, ttl, hl, tos, dscp, pkttype, tcpmss; TTL, HL, TOS, DSCP, TCPMSS.

Ref: iptables extensions/libxt_iprange.c, libxt_length.c, libipt_ttl.c, libip6t_hl.c, libxt_tos.c, libxt_dscp.c, libxt_pkttype.c,
libxt_tcpmss.c and those of the targets (v1.8.9).
"""

from __future__ import annotations

from netsim.net.address import Address, Family
from netsim.rules.xtables.matches import (
    AddressRange,
    Comparison,
    IPRangeMatch,
    LengthMatch,
    NumberRange,
    PacketTypeMatch,
    TCPMSSMatch,
    TOSMatch,
    TTLMatch,
)
from netsim.rules.xtables.option import Extension, Given, Needs, Option, inverting
from netsim.rules.xtables.targets import TCPMSSTarget, TOSTarget, TTLTarget
from netsim.rules.xtables.values import read_address, read_integer, read_integer_range

_MANGLE = Needs(tables=("mangle",))
_OCTET = 0xFF


def _numbers(text: str, maximum: int) -> NumberRange:
    found = read_integer_range(text, maximum)
    return NumberRange(found.first, found.last)


def write_numbers(numbers: NumberRange, separator: str = ":") -> str:
    """``3`` or ``3:9``."""
    return str(numbers.first) if numbers.first == numbers.last else f"{numbers.first}{separator}{numbers.last}"


# --- iprange ----------------------------------------------------------------------------------------------------


def _range(given: Given, option: str) -> AddressRange | None:
    def read(text: str) -> tuple[Address, Address]:
        low, dash, high = text.partition("-")
        first = read_address(low, given.family)
        return first, read_address(high, given.family) if dash else first

    ends = given.read(option, read)
    return None if ends is None else AddressRange(*ends, given.inverted(option))


def _build_iprange(given: Given) -> IPRangeMatch:
    if not given.options:
        raise given.problem("you must specify --src-range or --dst-range")
    return IPRangeMatch(_range(given, "src-range"), _range(given, "dst-range"))


def _iprange_words(match: IPRangeMatch, _family: Family) -> list[str]:
    words = ["iprange"]
    for option, found in (("--src-range", match.source), ("--dst-range", match.destination)):
        if found is not None:
            words += inverting([option, f"{found.first}-{found.last}"], inverted=found.inverted)
    return words


# --- length, ttl, pkttype, tcpmss ---------------------------------------------------------------------------------


def _build_length(given: Given) -> LengthMatch:
    found = given.read("length", lambda text: _numbers(text, 0xFFFF))
    return LengthMatch(found or NumberRange(0, 0xFFFF), given.inverted("length"))


def _length_words(match: LengthMatch, _family: Family) -> list[str]:
    return ["length", *inverting(["--length", write_numbers(match.length)], inverted=match.inverted)]


def _build_ttl(given: Given) -> TTLMatch:
    if len(given.options) != 1:
        raise given.problem("you must specify one of -eq, -lt and -gt")
    option = next(iter(given.options))
    value = given.read(option, lambda text: read_integer(text, _OCTET))
    return TTLMatch(Comparison(option.rpartition("-")[2]), value or 0, given.inverted(option))


def _ttl_words(match: TTLMatch, family: Family) -> list[str]:
    name = "ttl" if family is Family.IPV4 else "hl"
    asked = [f"--{name}-{match.comparison.value}", str(match.value)]
    return [name, *inverting(asked, inverted=match.inverted)]


_KINDS = ("unicast", "broadcast", "multicast")


def _read_kind(text: str) -> str:
    found = next((kind for kind in _KINDS if text and kind.startswith(text.lower())), None)
    if found is None:
        raise ValueError(f"bad packet type {text!r}: {', '.join(_KINDS)}")
    return found


def _build_pkttype(given: Given) -> PacketTypeMatch:
    return PacketTypeMatch(given.read("pkt-type", _read_kind) or "unicast", given.inverted("pkt-type"))


def _pkttype_words(match: PacketTypeMatch, _family: Family) -> list[str]:
    return ["pkttype", *inverting(["--pkt-type", match.kind], inverted=match.inverted)]


def _build_tcpmss(given: Given) -> TCPMSSMatch:
    found = given.read("mss", lambda text: _numbers(text, 0xFFFF))
    return TCPMSSMatch(found or NumberRange(0, 0xFFFF), given.inverted("mss"))


def _tcpmss_words(match: TCPMSSMatch, _family: Family) -> list[str]:
    return ["tcpmss", *inverting(["--mss", write_numbers(match.mss)], inverted=match.inverted)]


# --- type of service ----------------------------------------------------------------------------------------------

_TOS_NAMES = {
    # extensions/tos_values.c: these leave the ECN bits and the precedence's upper two alone
    "minimize-delay": 0x10,
    "maximize-throughput": 0x08,
    "maximize-reliability": 0x04,
    "minimize-cost": 0x02,
    "normal-service": 0x00,
}
_TOS_NAME_MASK = 0x3F
_DSCP_MASK = 0xFC
_CLASSES = (
    {f"CS{n}": n << 3 for n in range(8)}
    | {"BE": 0, "EF": 0x2E}
    | {f"AF{x}{y}": x << 3 | y << 1 for x in range(1, 5) for y in range(1, 4)}
)


def _read_tos(text: str) -> tuple[int, int]:
    if text.lower() in _TOS_NAMES:
        return _TOS_NAMES[text.lower()], _TOS_NAME_MASK
    value, slash, mask = text.partition("/")
    return read_integer(value, _OCTET), read_integer(mask, _OCTET) if slash else _OCTET


def _read_class(text: str) -> int:
    if text.upper() not in _CLASSES:
        raise ValueError(f"invalid DSCP value {text!r}")
    return _CLASSES[text.upper()]


def _dscp(given: Given, number: str, name: str) -> int:
    if (number in given) == (name in given):
        raise given.problem(f"exactly one of --{number} and --{name} must be specified")
    found = given.read(number, lambda text: read_integer(text, 0x3F))
    return ((given.read(name, _read_class) or 0) if found is None else found) << 2


def _build_tos(given: Given) -> TOSMatch:
    value, mask = given.read("tos", _read_tos) or (0, _OCTET)
    return TOSMatch(value, mask, given.inverted("tos"))


def _build_dscp(given: Given) -> TOSMatch:
    inverted = given.inverted("dscp") or given.inverted("dscp-class")
    return TOSMatch(_dscp(given, "dscp", "dscp-class"), _DSCP_MASK, inverted, as_dscp=True)


def _tos_words(match: TOSMatch, _family: Family) -> list[str]:
    if match.as_dscp:
        return ["dscp", *inverting(["--dscp", f"0x{match.value >> 2:02x}"], inverted=match.inverted)]
    return ["tos", *inverting(["--tos", f"0x{match.value:02x}/0x{match.mask:02x}"], inverted=match.inverted)]


def _build_tos_target(given: Given) -> TOSTarget:
    if len(given.options) != 1:
        raise given.problem("exactly one action must be specified")
    if (pair := given.read("set-tos", _read_tos)) is not None:
        return TOSTarget(*pair)

    def octet(text: str) -> int:
        return read_integer(text, _OCTET)

    if (bits := given.read("and-tos", octet)) is not None:
        return TOSTarget(0, ~bits & _OCTET)
    if (bits := given.read("or-tos", octet)) is not None:
        return TOSTarget(bits, bits)
    return TOSTarget(given.read("xor-tos", octet) or 0, 0)


def _build_dscp_target(given: Given) -> TOSTarget:
    return TOSTarget(_dscp(given, "set-dscp", "set-dscp-class"), _DSCP_MASK, as_dscp=True)


def _tos_target_words(target: TOSTarget, _family: Family) -> list[str]:
    if target.as_dscp:
        return ["DSCP", "--set-dscp", f"0x{target.value >> 2:02x}"]
    return ["TOS", "--set-tos", f"0x{target.value:02x}/0x{target.mask:02x}"]


# --- TTL, TCPMSS --------------------------------------------------------------------------------------------------


def _build_ttl_target(given: Given) -> TTLTarget:
    if len(given.options) != 1:
        raise given.problem("exactly one action must be specified")
    option = next(iter(given.options))
    operation = option.rpartition("-")[2]
    value = given.read(option, lambda text: read_integer(text, _OCTET)) or 0
    if operation != "set" and value == 0:
        raise given.problem("increment and decrement must not be 0", option)
    return TTLTarget(operation, value)


def _ttl_target_words(target: TTLTarget, family: Family) -> list[str]:
    name = "TTL" if family is Family.IPV4 else "HL"
    return [name, f"--{name.lower()}-{target.operation}", str(target.value)]


def _build_tcpmss_target(given: Given) -> TCPMSSTarget:
    if len(given.options) != 1:
        raise given.problem("exactly one of --set-mss and --clamp-mss-to-pmtu must be specified")
    return TCPMSSTarget(given.read("set-mss", lambda text: read_integer(text, 0xFFFF - 40)))


def _tcpmss_target_words(target: TCPMSSTarget, _family: Family) -> list[str]:
    return ["TCPMSS", *(["--clamp-mss-to-pmtu"] if target.mss is None else ["--set-mss", str(target.mss)])]


def _tcpmss_needs(target: TCPMSSTarget) -> Needs:
    """The path's MTU is known only where the packet has a way out. Ref: tcpmss_tg4_check()."""
    return Needs((6,), (), ("FORWARD", "OUTPUT", "POSTROUTING") if target.mss is None else ())


IPRANGE = Extension(
    "iprange",
    (Option("src-range", invertible=True), Option("dst-range", invertible=True)),
    _build_iprange,
    _iprange_words,
    (IPRangeMatch,),
)
LENGTH = Extension(
    "length", (Option("length", invertible=True, required=True),), _build_length, _length_words, (LengthMatch,)
)
TTL_MATCH = Extension(
    "ttl",
    (Option("ttl-eq", aliases=("ttl",), invertible=True), Option("ttl-lt"), Option("ttl-gt")),
    _build_ttl,
    _ttl_words,
    (TTLMatch,),
    families=(Family.IPV4,),
)
HL_MATCH = Extension(
    "hl",
    (Option("hl-eq", aliases=("hl",), invertible=True), Option("hl-lt"), Option("hl-gt")),
    _build_ttl,
    _ttl_words,
    (TTLMatch,),
    families=(Family.IPV6,),
)
PKTTYPE = Extension(
    "pkttype",
    (Option("pkt-type", invertible=True, required=True),),
    _build_pkttype,
    _pkttype_words,
    (PacketTypeMatch,),
)
TCPMSS_MATCH = Extension(
    "tcpmss",
    (Option("mss", invertible=True, required=True),),
    _build_tcpmss,
    _tcpmss_words,
    (TCPMSSMatch,),
    needs=lambda _match: Needs(protocols=(6,)),
)
TOS_MATCH = Extension("tos", (Option("tos", invertible=True, required=True),), _build_tos, _tos_words, (TOSMatch,))
DSCP_MATCH = Extension(
    "dscp", (Option("dscp", invertible=True), Option("dscp-class", invertible=True)), _build_dscp, _tos_words, ()
)
TOS_TARGET = Extension(
    "TOS",
    tuple(Option(name) for name in ("set-tos", "and-tos", "or-tos", "xor-tos")),
    _build_tos_target,
    _tos_target_words,
    (TOSTarget,),
    needs=lambda _target: _MANGLE,
)
DSCP_TARGET = Extension(
    "DSCP",
    (Option("set-dscp"), Option("set-dscp-class")),
    _build_dscp_target,
    _tos_target_words,
    (),
    needs=lambda _target: _MANGLE,
)
TTL_TARGET = Extension(
    "TTL",
    (Option("ttl-set"), Option("ttl-inc"), Option("ttl-dec")),
    _build_ttl_target,
    _ttl_target_words,
    (TTLTarget,),
    needs=lambda _target: _MANGLE,
    families=(Family.IPV4,),
)
HL_TARGET = Extension(
    "HL",
    (Option("hl-set"), Option("hl-inc"), Option("hl-dec")),
    _build_ttl_target,
    _ttl_target_words,
    (TTLTarget,),
    needs=lambda _target: _MANGLE,
    families=(Family.IPV6,),
)
TCPMSS_TARGET = Extension(
    "TCPMSS",
    (Option("set-mss"), Option("clamp-mss-to-pmtu", values=0)),
    _build_tcpmss_target,
    _tcpmss_target_words,
    (TCPMSSTarget,),
    needs=_tcpmss_needs,
)
