"""Cron schedules: the five fields of a CronJob, and when they are next due. Ref: github.com/robfig/cron/v3 parser.go, spec.go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from netsim.dataclass import dataclass
from netsim.objects.script import seconds

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class CronError(ValueError):
    """A schedule that cannot be read."""


@dataclass(frozen=True, slots=True)
class _Field:
    values: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class _Bounds:
    low: int
    high: int
    names: tuple[str, ...] = ()


_FIELDS = (
    _Bounds(0, 59),
    _Bounds(0, 23),
    _Bounds(1, 31),
    _Bounds(1, 12, _MONTHS),
    _Bounds(0, 6, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a CronJob is due, in a time zone. ``every`` (seconds): ``@every 1h30m`` instead of fields."""

    minute: _Field
    hour: _Field
    day: _Field
    month: _Field
    weekday: _Field
    zone: tzinfo = UTC
    every: int = 0

    @classmethod
    def parse(cls, text: str, zone: tzinfo = UTC) -> Schedule:
        """Read ``*/5 * * * mon-fri``, ``@hourly`` or ``@every 90m``. Raises CronError."""
        words = text.split()
        if len(words) == 2 and words[0] == "@every":
            return cls(*_fields(["*"] * 5), zone=zone, every=_duration(words[1]))
        if len(words) == 1 and words[0] in _MACROS:
            words = _MACROS[words[0]].split()
        return cls(*_fields(words), zone=zone)

    def after(self, moment: datetime) -> datetime | None:
        """The first time after a moment (with its zone) at which it is due; None where there is none in five years.

        An hour that a change of summer time leaves out is passed over, and one that comes twice is due in the first.
        """
        if self.every:
            return (moment + timedelta(seconds=self.every)).replace(microsecond=0)
        local = moment.astimezone(self.zone).replace(second=0, microsecond=0)
        at = local + timedelta(minutes=1)
        last = at.year + 5
        while at.year <= last:
            jump = self._jump(at)
            if jump is None:
                found = at.astimezone(UTC)
                if found > moment and found.astimezone(self.zone).replace(tzinfo=None) == at.replace(tzinfo=None):
                    return found
                jump = at + timedelta(minutes=1)
            at = jump
        return None

    def _jump(self, at: datetime) -> datetime | None:
        """The next time worth looking at, None where this one is due."""
        if at.month not in self.month.values:
            start = at.replace(day=1, hour=0, minute=0)
            return start.replace(year=at.year + 1, month=1) if at.month == 12 else start.replace(month=at.month + 1)
        if not self._on_day(at):
            return at.replace(hour=0, minute=0) + timedelta(days=1)
        if at.hour not in self.hour.values:
            return at.replace(minute=0) + timedelta(hours=1)
        return None if at.minute in self.minute.values else at + timedelta(minutes=1)

    def _on_day(self, at: datetime) -> bool:
        """Where both the day of the month and the weekday are given, either suffices."""
        in_month, in_week = at.day in self.day.values, at.isoweekday() % 7 in self.weekday.values
        return in_month and in_week if self.day.star or self.weekday.star else in_month or in_week


def _fields(words: list[str]) -> tuple[_Field, _Field, _Field, _Field, _Field]:
    if len(words) != len(_FIELDS):
        raise CronError(f"expected exactly 5 fields, found {len(words)}: [{' '.join(words)}]")
    minute, hour, day, month, weekday = (_field(w, bounds) for w, bounds in zip(words, _FIELDS, strict=True))
    return minute, hour, day, month, weekday


def _field(text: str, bounds: _Bounds) -> _Field:
    parts = text.split(",")
    values = frozenset(value for part in parts for value in _range(part, bounds))
    return _Field(values, any(part.split("/")[0] in ("*", "?") and "/" not in part for part in parts))


def _range(text: str, bounds: _Bounds) -> range:
    span, slash, step_text = text.partition("/")
    first, dash, last = span.partition("-")
    if span in ("*", "?"):
        low, high = bounds.low, bounds.high
    else:
        low = _number(first, bounds)
        high = _number(last, bounds) if dash else bounds.high if slash else low
    step = int(step_text) if step_text.isdecimal() else 0 if slash else 1
    if low < bounds.low:
        raise CronError(f"beginning of range ({low}) below minimum ({bounds.low}): {text}")
    if high > bounds.high:
        raise CronError(f"end of range ({high}) above maximum ({bounds.high}): {text}")
    if low > high:
        raise CronError(f"beginning of range ({low}) beyond end of range ({high}): {text}")
    if step < 1:
        raise CronError(f"step of range should be a positive number: {text}")
    return range(low, high + 1, step)


def _number(text: str, bounds: _Bounds) -> int:
    if text.lower() in bounds.names:
        return bounds.low + bounds.names.index(text.lower())
    if not text.isdecimal():
        raise CronError(f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": invalid syntax')
    return int(text)


def _duration(text: str) -> int:
    try:
        found = int(seconds(text))
    except ValueError:
        found = 0
    if found < 1:
        raise CronError(f"failed to parse duration @every {text}")
    return found
