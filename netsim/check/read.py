"""Check documents (``netsim.io/v1alpha1``, kind ``Check``) → expectations, with every error at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from netsim.check.expectation import DELIVERED, Expectation, Outcome, SeenSource, Wanted
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity, in_order
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section
from netsim.manifest.load import CHECK_KIND, entries_in
from netsim.net.address import Address, parse_address
from netsim.objects.path import nearest
from netsim.scenario.question import PROTOCOLS, PacketOptions
from netsim.trace.model import Verdict
from netsim.trace.reasons import reasons

FIELDS = ("name", "from", "to", "port", "protocol", "sourcePort", "size", "flags", "family", "mark", "ttl")
EXPECTED = ("verdict", "reason", "backends", "sourceSeen", "modes")
MODES = ("iptables", "ipvs", "nftables")


@dataclass(frozen=True, slots=True)
class CheckFile:
    """A file of expectations. ``topology`` are the sources that it names, as paths; empty where it names none.

    ``with_world``: the file has manifests beside its expectations, so it describes the world too.
    """

    name: str
    expectations: tuple[Expectation, ...]
    topology: tuple[str, ...] = ()
    with_world: bool = False

    def sources(self, file: Path, given: Sequence[str] = ()) -> tuple[str, ...]:
        """What its world is loaded from: what is given, what it names, itself, or nothing in particular, in this order."""
        own = (str(file),) if self.with_world else ()
        return tuple(given) or self.topology or own


def read_check(path: Path) -> CheckFile:
    """The expectations of a file. Raises LoadError with everything that is wrong with them."""
    report = Report()
    entries = entries_in(path, report)
    checks = [entry for entry in entries if entry.kind == CHECK_KIND]
    if not checks and not report.failed:
        message = f"the file has no document of kind {CHECK_KIND}"
        report.found.append(Diagnostic(Severity.ERROR, str(path), 0, 0, message, help="docs/check.md shows one"))
    read = [_check(entry, report) for entry in checks]
    if report.failed:
        raise LoadError(in_order(report.found, [str(path)]))
    expectations = tuple(item for one in read for item in one.expectations)
    topology = tuple(_beside(path, name) for one in read for name in one.topology)
    return CheckFile(read[0].name or path.stem, expectations, topology, len(checks) < len(entries))


def _beside(file: Path, name: str) -> str:
    """A file or folder seen from the check's own folder; a name that is neither is a shipped topology's."""
    return str(file.parent / name) if (file.parent / name).exists() or "/" in name else name


def _check(entry: Entry, report: Report) -> CheckFile:
    top = Section(entry, (), report)
    top.allow("apiVersion", "kind", "metadata", "spec")
    metadata = top.section("metadata")
    metadata.allow("name", "labels", "annotations")
    name = metadata.text("name")
    spec = top.section("spec")
    spec.allow("topology", "expectations")
    if not spec.raw("expectations"):
        advice = "name who asks (from) and who is asked (to)"
        spec.error("spec.expectations: a check has at least one", advice, "expectations")
    expectations = [
        _expectation(section, number) for number, (section, _) in enumerate(spec.sections("expectations"), 1)
    ]
    seen: set[str] = set()
    for item, (section, _) in zip(expectations, spec.sections("expectations"), strict=True):
        if item is not None and item.name in seen:
            section.error(f"{item.name!r} is there twice", "give each expectation a name of its own", "name")
        seen.add(item.name if item else "")
    found = tuple(item for item in expectations if item is not None)
    return CheckFile(name.value if name else "", found, tuple(text.value for text in spec.texts("topology")))


def _expectation(section: Section, number: int) -> Expectation | None:
    section.allow(*FIELDS, *EXPECTED)
    source, destination, name = section.text("from"), section.text("to"), section.text("name")
    for field, value in (("from", source), ("to", destination)):
        if value is None and not section.has(field):
            section.error(f"the expectation has no {field!r}", "name who asks (from) and who is asked (to)")
    modes = tuple(mode for text in section.texts("modes") if (mode := _one_of(section, "modes", text.value, MODES)))
    wanted = Wanted(_outcomes(section), tuple(text.value for text in section.texts("backends")), _seen(section))
    packet = _packet(section)
    if source is None or destination is None:
        return None
    title = name.value if name else f"{source.value} → {destination.value}"
    if name is None and number > 1 and packet != PacketOptions():
        title += f" ({number})"
    return Expectation(title, source.value, destination.value, wanted, packet, modes, section.spot.origin)


def _packet(section: Section) -> PacketOptions:
    protocol = section.text("protocol")
    named = _one_of(section, "protocol", protocol.value.lower(), tuple(PROTOCOLS)) if protocol else None
    family = section.text("family")
    flags = section.text("flags")
    version = _one_of(section, "family", family.value.lower(), ("ipv4", "ipv6")) if family else None
    return PacketOptions(
        port=section.integer("port", 1, 65535),
        protocol=named,
        sport=section.integer("sourcePort", 1, 65535),
        flags=flags.value if flags else None,
        size=section.integer("size", 0, 65495) or 0,
        ttl=section.integer("ttl", 1, 255) or 64,
        mark=section.integer("mark", 0, 0xFFFFFFFF) or 0,
        version=None if version is None else int(version[-1]),
    )


def _outcomes(section: Section) -> tuple[Outcome, ...]:
    """``verdict`` (one or several, each as VERDICT or VERDICT:REASON) with ``reason`` for all of them."""
    reason = section.text("reason")
    for_all = _reason(section, "reason", reason.value) if reason else None
    found = [outcome for text in section.texts("verdict") if (outcome := _outcome(section, text.value, for_all))]
    if found or section.has("verdict"):
        return tuple(found)
    if reason is None:
        return DELIVERED
    return (Outcome(reasons()[for_all].verdict, for_all),) if for_all else ()


def _outcome(section: Section, text: str, for_all: str | None) -> Outcome | None:
    verdict, _, reason = text.partition(":")
    found = _one_of(section, "verdict", verdict.upper(), tuple(Verdict.__members__))
    named = _reason(section, "verdict", reason) if reason else for_all
    return Outcome(Verdict[found], named) if found else None


def _reason(section: Section, field: str, text: str) -> str | None:
    return _one_of(section, field, text.upper(), tuple(reasons()))


def _one_of(section: Section, field: str, text: str, known: tuple[str, ...]) -> str | None:
    if text in known:
        return text
    near = nearest(text, known)
    few = len(known) < 10
    advice = f"did you mean {near}?" if near else f"one of {', '.join(known)}" if few else "docs/verdicts.md lists all"
    section.error(f"{field}: {text!r} is not known", advice, field)
    return None


def _seen(section: Section) -> SeenSource | Address | None:
    text = section.text("sourceSeen")
    if text is None:
        return None
    try:
        return SeenSource(text.value)
    except ValueError:
        return section.parsed(text, _address)


def _address(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither client, node nor an address") from None
