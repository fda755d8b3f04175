"""The text of ``ipset save`` and ``ipset restore`` → typed sets. Ref: ipset(8) 7.17."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace

from netsim.dataclass import dataclass
from netsim.net.address import Address, Family
from netsim.rules.ipset.ast import Dimension, Entry, IPSet, IPSets, Key, SetOptions, SetType
from netsim.rules.ipset.elements import read_entry
from netsim.rules.source import Origin, RuleSyntaxError, RuleSyntaxErrors
from netsim.rules.xtables import words as quoting
from netsim.rules.xtables.values import read_address, read_integer, read_prefix

_TYPES = (
    *("hash:ip", "hash:net", "hash:ip,port", "hash:ip,port,ip", "hash:ip,port,net", "hash:net,port", "hash:net,net"),
    *("hash:net,port,net", "hash:net,iface", "hash:ip,mark", "hash:mac", "hash:ip,mac"),
    *("bitmap:ip", "bitmap:port", "bitmap:ip,mac", "list:set"),
)
_NAME_LENGTH = 31
_ALIASES = {"-N": "create", "-A": "add", "-D": "del", "-X": "destroy", "-F": "flush", "-E": "rename", "-W": "swap"} | {
    "n": "create",
    "x": "destroy",
    "f": "flush",
    "e": "rename",
    "w": "swap",
}


class _LineRefusedError(ValueError):
    """A line that ipset refuses, at one of its words."""

    def __init__(self, message: str, word: int, advice: str = "") -> None:
        super().__init__(message)
        self.word = word
        self.advice = advice


@dataclass(slots=True)
class _Work:
    """A set that is being filled."""

    head: IPSet
    entries: dict[Key, Entry]


def parse(text: str, file: str, *, base: IPSets | None = None) -> IPSets:
    """The sets after ``ipset restore`` of the text on a namespace that has ``base``.

    kube-proxy's ``.ipset`` lines only add: they need a base with the sets (``netsim.rules.ipset.kube_proxy``).
    Raises RuleSyntaxErrors with everything that ipset would refuse.
    """
    reader = _Reader(file)
    if base is not None:
        reader.sets = {name: _Work(head, dict(head.entries)) for name, head in base.sets.items()}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and stripped[0] != "#" and stripped != "COMMIT":
            reader.take(number, line)
    if reader.errors:
        raise RuleSyntaxErrors(reader.errors)
    return IPSets({name: replace(work.head, entries=work.entries) for name, work in reader.sets.items()})


@dataclass(slots=True)
class _Reader:
    file: str
    sets: dict[str, _Work] = field(default_factory=dict)
    errors: list[RuleSyntaxError] = field(default_factory=list)
    origin: Origin = field(default_factory=lambda: Origin("", 0))

    def take(self, number: int, line: str) -> None:
        self.origin = Origin(self.file, number, 1, line)
        try:
            words = quoting.split(line)
            words, exist = [word for word in words if word not in ("-exist", "-!")], "-exist" in words or "-!" in words
            self._command(words, exist=exist)
        except quoting.UnclosedQuoteError as unclosed:
            self._refuse(str(unclosed), unclosed.column)
        except _LineRefusedError as refused:
            places = quoting.split_with_columns(line)
            self._refuse(str(refused), places[min(refused.word, len(places) - 1)].column, refused.advice)

    def _refuse(self, message: str, column: int, advice: str = "") -> None:
        self.errors.append(RuleSyntaxError(message, replace(self.origin, column=column), advice))

    def _command(self, words: list[str], *, exist: bool) -> None:
        command = _ALIASES.get(words[0], words[0])
        match command, words[1:]:
            case "create", [name, kind, *options]:
                self._create(name, kind, options, exist=exist)
            case "add", [name, entry, *options]:
                self._add(name, entry, options, exist=exist)
            case "del", [name, entry, *_]:
                self._delete(name, entry, exist=exist)
            case "flush", names if len(names) < 2:
                for work in [self._find(names[0], 1)] if names else list(self.sets.values()):
                    work.entries.clear()
            case "destroy", names if len(names) < 2:
                self._destroy(names)
            case "swap", [first, second]:
                self._swap(first, second)
            case "rename", [old, new]:
                self._rename(old, new)
            case _:
                raise _LineRefusedError(
                    f"No command specified or wrong arguments: {' '.join(words)}", 0, "create, add, del, flush, …"
                )

    def _find(self, name: str, word: int) -> _Work:
        if (work := self.sets.get(name)) is None:
            raise _LineRefusedError(
                f"The set with the given name does not exist: {name}", word, f"create {name} hash:ip"
            )
        return work

    def _create(self, name: str, kind: str, words: list[str], *, exist: bool) -> None:
        if len(name) > _NAME_LENGTH:
            raise _LineRefusedError(f"setname {name!r} is longer than {_NAME_LENGTH} characters", 1)
        if kind not in _TYPES:
            raise _LineRefusedError(f"typename {kind!r} is unknown", 2, f"one of {', '.join(_TYPES)}")
        method, _, dimensions = kind.partition(":")
        known = SetType(method, tuple(Dimension(dimension) for dimension in dimensions.split(",")))
        family, options = _create_options(known, words)
        if name in self.sets:
            if exist and self.sets[name].head == IPSet(name, known, family, options):
                return
            raise _LineRefusedError("Set cannot be created: set with the same name already exists", 1)
        self.sets[name] = _Work(IPSet(name, known, family, options), {})

    def _add(self, name: str, text: str, words: list[str], *, exist: bool) -> None:
        work = self._find(name, 1)
        entry = _entry_options(work.head, words, self.origin)
        for key in self._members(text, work.head):
            if key in work.entries and not exist:
                raise _LineRefusedError("Element cannot be added to the set: it's already added", 2)
            work.entries[key] = entry
        if len(work.entries) > work.head.options.maxelem:
            raise _LineRefusedError(f"Hash is full, cannot add more elements (maxelem {work.head.options.maxelem})", 2)

    def _delete(self, name: str, text: str, *, exist: bool) -> None:
        work = self._find(name, 1)
        for key in self._members(text, work.head):
            if work.entries.pop(key, None) is None and not exist:
                raise _LineRefusedError("Element cannot be deleted from the set: it's not added", 2)

    def _members(self, text: str, head: IPSet) -> list[Key]:
        try:
            keys = read_entry(text, head)
        except ValueError as problem:
            raise _LineRefusedError(str(problem), 2, f"{head.name} is a {head.type}") from None
        for key in keys:
            if head.type.dimensions == (Dimension.SET,):
                self._find(str(key[0]), 2)
        return keys

    def _destroy(self, names: list[str]) -> None:
        if names:
            self._find(names[0], 1)
            del self.sets[names[0]]
        else:
            self.sets.clear()

    def _swap(self, first: str, second: str) -> None:
        a, b = self._find(first, 1), self._find(second, 2)
        if a.head.type != b.head.type:
            raise _LineRefusedError("The sets cannot be swapped: their type does not match", 1)
        self.sets[first] = _Work(replace(b.head, name=first), b.entries)
        self.sets[second] = _Work(replace(a.head, name=second), a.entries)

    def _rename(self, old: str, new: str) -> None:
        work = self._find(old, 1)
        if new in self.sets:
            raise _LineRefusedError("Set cannot be renamed: a set with the new name already exists", 2)
        renamed = _Work(replace(work.head, name=new), work.entries)
        self.sets = {new if name == old else name: renamed if name == old else kept for name, kept in self.sets.items()}


_FLAGS = ("counters", "comment", "skbinfo", "forceadd")
_NUMBERS = ("maxelem", "hashsize", "bucketsize", "timeout", "netmask", "size", "markmask")
_IGNORED = ("initval", "probes", "resize", "gc")


def _create_options(kind: SetType, words: list[str]) -> tuple[Family | None, SetOptions]:
    has_address = kind.method != "list" and bool({Dimension.IP, Dimension.NET} & set(kind.dimensions))
    family: Family | None = Family.IPV4 if has_address else None
    options = SetOptions()
    at = 0
    while at < len(words):
        name, value = words[at], words[at + 1] if at + 1 < len(words) else ""
        word = at + 3
        if name in _FLAGS:
            options = options if name == "forceadd" else _with_flag(options, name)
            at += 1
            continue
        if not value:
            raise _LineRefusedError(f"unknown argument or missing value: {name}", word)
        if name == "family":
            families = {"inet": Family.IPV4, "-4": Family.IPV4, "inet6": Family.IPV6, "-6": Family.IPV6}
            if value not in families:
                raise _LineRefusedError(f"{value!r} is neither inet nor inet6", word + 1)
            family = families[value] if has_address else None
        elif name == "range":
            options = replace(options, range=_range(value, kind, word + 1))
        elif name in _NUMBERS:
            options = _with_number(options, name, value, word + 1)
        elif name not in _IGNORED:
            raise _LineRefusedError(f"Unknown argument: {name!r}", word)
        at += 2
    if kind.method == "bitmap" and options.range is None:
        raise _LineRefusedError(f"{kind} needs a range", 2, "range 0-65535")
    return family, options


def _with_flag(options: SetOptions, name: str) -> SetOptions:
    match name:
        case "counters":
            return replace(options, counters=True)
        case "comment":
            return replace(options, comment=True)
        case _:
            return replace(options, skbinfo=True)


def _with_number(options: SetOptions, name: str, value: str, word: int) -> SetOptions:
    try:
        number = read_integer(value)
    except ValueError as problem:
        raise _LineRefusedError(str(problem), word) from None
    changes: dict[str, Callable[[], SetOptions]] = {
        "maxelem": lambda: replace(options, maxelem=number),
        "hashsize": lambda: replace(options, hashsize=number),
        "bucketsize": lambda: replace(options, bucketsize=number),
        "timeout": lambda: replace(options, timeout=number),
        "netmask": lambda: replace(options, netmask=number),
        "size": lambda: replace(options, size=number),
        "markmask": lambda: replace(options, markmask=number),
    }
    return changes[name]()


def _range(text: str, kind: SetType, word: int) -> tuple[Address, Address] | tuple[int, int]:
    first, dash, last = text.partition("-")
    try:
        if kind.dimensions == (Dimension.PORT,):
            low, high = read_integer(first, 0xFFFF), read_integer(last or first, 0xFFFF)
            return low, high
        if dash:
            return read_address(first, Family.IPV4), read_address(last, Family.IPV4)
        prefix = read_prefix(text, Family.IPV4)
    except ValueError as problem:
        raise _LineRefusedError(str(problem), word) from None
    return prefix.network_address, prefix.broadcast_address


def _entry_options(head: IPSet, words: list[str], origin: Origin) -> Entry:
    options = head.options
    entry = Entry(timeout=options.timeout or None, origin=origin)
    at = 0
    while at < len(words):
        name, value = words[at], words[at + 1] if at + 1 < len(words) else None
        word = at + 3
        if name == "nomatch":
            entry, at = replace(entry, nomatch=True), at + 1
            continue
        if value is None:
            raise _LineRefusedError(f"Unknown argument: {name!r}", word)
        if name == "timeout" and options.timeout is not None:
            entry = replace(entry, timeout=_number(value, word + 1) or None)
        elif name == "comment" and options.comment:
            entry = replace(entry, comment=value)
        elif name == "packets" and options.counters:
            entry = replace(entry, packets=_number(value, word + 1))
        elif name == "bytes" and options.counters:
            entry = replace(entry, bytes=_number(value, word + 1))
        elif name not in ("skbmark", "skbprio", "skbqueue") or not options.skbinfo:
            advice = f"create the set with {name if name in ('timeout', 'comment') else 'counters'}"
            raise _LineRefusedError(
                f"{name!r} cannot be used: the set was created without support for it", word, advice
            )
        else:
            raise _LineRefusedError(f"{name} is not modelled", word)
        at += 2
    return entry


def _number(text: str, word: int) -> int:
    try:
        return read_integer(text, 1 << 64)
    except ValueError as problem:
        raise _LineRefusedError(str(problem), word) from None
