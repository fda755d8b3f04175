"""Go's time.Duration as text: nanoseconds in, nanoseconds out. Ref: Go time.ParseDuration, Duration.String."""

from __future__ import annotations

import re
from fractions import Fraction

NANOSECOND = 1
MICROSECOND = 1000
MILLISECOND = 1000 * MICROSECOND
SECOND = 1000 * MILLISECOND
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE

_UNITS = {"ns": NANOSECOND, "us": MICROSECOND, "µs": MICROSECOND, "μs": MICROSECOND, "ms": MILLISECOND}
_UNITS |= {"s": SECOND, "m": MINUTE, "h": HOUR}
_TERM = re.compile(r"(\d+\.?\d*|\.\d+)([^\d.]*)")


def parse_duration(text: str) -> int:
    """``1h2m3.5s`` in nanoseconds; raise ValueError in Go's words."""
    body = text[1:] if text[:1] in ("+", "-") else text
    if body == "0":
        return 0
    total = Fraction(0)
    position = 0
    while position < len(body):
        term = _TERM.match(body, position)
        if term is None:
            raise ValueError(f'time: invalid duration "{text}"')
        number, unit = term.groups()
        if not unit:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if unit not in _UNITS:
            raise ValueError(f'time: unknown unit "{unit}" in duration "{text}"')
        total += Fraction(number) * _UNITS[unit]
        position = term.end()
    if not body:
        raise ValueError(f'time: invalid duration "{text}"')
    return -int(total) if text[0] == "-" else int(total)


def format_duration(nanoseconds: int) -> str:
    """Nanoseconds as Go prints them: ``1h0m0s``, ``1.5s``, ``250ms``."""
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    for unit, size in (("ns", NANOSECOND), ("µs", MICROSECOND), ("ms", MILLISECOND)):
        if rest < size * 1000:
            return f"{sign}{_decimal(rest, size)}{unit}"
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    text = f"{_decimal(rest, SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return sign + (f"{hours}h{text}" if hours else text)


def _decimal(value: int, unit: int) -> str:
    whole, rest = divmod(value, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{rest:0{digits}d}".rstrip("0").rstrip(".") if digits else str(whole)
