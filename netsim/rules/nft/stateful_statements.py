"""Statements that remember packets, and the named objects that do. Ref: nft(8) 1.0.6, "STATEFUL OBJECTS"."""

from __future__ import annotations

from netsim.rules.nft.ast import Counter, Last, Limit, ObjectReference, Quota
from netsim.rules.nft.expressions import expression, starts_expression
from netsim.rules.nft.header_parts import number
from netsim.rules.nft.tokens import Source

_BYTES = ("bytes", "kbytes", "mbytes")
_UNITS = ("second", "minute", "hour", "day", "week")


def counter(source: Source) -> Counter | ObjectReference:
    """``counter``, with its numbers where ``nft list`` prints them, or a named one."""
    if source.peek(1).text == "name":
        found = named(source)
        return found if found.choice is not None else Counter(name=found.name)
    source.next()
    packets = number(source) if source.accept("packets") else 0
    return Counter(packets, number(source) if source.accept("bytes") else 0)


def limit(source: Source) -> Limit | ObjectReference:
    """``limit rate over 5/minute burst 7 packets``, or a named one."""
    if source.peek(1).text == "name":
        return named(source)
    source.next()
    source.expect("rate")
    over = source.accept("over")
    amount, of, unit = _rate(source)
    burst, burst_of = 5, "packets"
    if of != "packets":
        burst, burst_of = 0, "bytes"
    if source.accept("burst"):
        burst, burst_of = number(source), source.word("packets or bytes")
    return Limit(amount, unit, of, burst, burst_of, over)


def named(source: Source) -> ObjectReference:
    """``limit name "web"``, or one that a map chooses."""
    kind = source.next().text
    source.next()
    if starts_expression(source):
        return ObjectReference(kind, "", expression(source))
    return ObjectReference(kind, source.string())


def set_object(source: Source) -> ObjectReference | None:
    """``ct helper set "ftp"``, ``meta secmark set "s"``, ``synproxy name "p"``; None for anything else."""
    first, second, third = (source.peek(ahead).text for ahead in range(3))
    if (first, second) == ("synproxy", "name"):
        return named(source)
    of_ct = first == "ct" and second in ("helper", "timeout", "expectation")
    if third != "set" or not (of_ct or (first, second) == ("meta", "secmark")):
        return None
    source.accept(first, second, third)
    kind = f"ct {second}" if of_ct else "secmark"
    if starts_expression(source):
        return ObjectReference(kind, "", expression(source))
    return ObjectReference(kind, source.string())


def last(source: Source) -> Last:
    """``last``, with when it was used where ``nft list`` prints it."""
    source.next()
    if source.accept("used"):
        source.word("a time or never")
    return Last()


def quota(source: Source) -> Quota | ObjectReference:
    """``quota over 25 mbytes``, or a named one."""
    if source.peek(1).text == "name":
        return named(source)
    source.next()
    return _amounts(source)


def _amounts(source: Source) -> Quota:
    """``over 25 mbytes used 10 kbytes``."""
    over = source.accept("over")
    if not over:
        source.accept("until")
    amount, of = number(source), _unit(source)
    if not source.accept("used"):
        return Quota(amount, of, over)
    return Quota(amount, of, over, number(source), _unit(source))


def _unit(source: Source) -> str:
    token = source.peek()
    unit = source.word("a unit of bytes")
    if unit not in _BYTES:
        raise source.error(f"{unit!r} is no unit of a quota", token, ", ".join(_BYTES))
    return unit


def _rate(source: Source) -> tuple[int, str, str]:
    """``5/minute`` or ``10 mbytes/second``."""
    token = source.peek()
    first = source.word("a rate")
    amount, slash, unit = first.partition("/")
    of = "packets"
    if not slash:
        of, slash, unit = source.word("a unit").partition("/")
    if not amount.isdecimal() or unit not in _UNITS:
        raise source.error(f"wrong rate format {first!r}", token, "5/minute, or 10 mbytes/second")
    return int(amount), of, unit
