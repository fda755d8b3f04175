"""Check documents (``netsim.io/v1alpha1``, kind ``Check``) → expectations, with every error at its place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from netsim.check.expectation import Expectation
from netsim.check.flow_fields import PACKET_FIELDS, WANTED_FIELDS, one_of, read_packet, read_wanted
from netsim.check.sources import beside, sources_of
from netsim.dataclass import dataclass
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity, in_order
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section
from netsim.manifest.load import CHECK_KIND, entries_in
from netsim.scenario.question import PacketOptions

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
        return sources_of(file, self.topology, given, with_world=self.with_world)


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
    topology = tuple(beside(path, name) for one in read for name in one.topology)
    return CheckFile(read[0].name or path.stem, expectations, topology, len(checks) < len(entries))


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
    section.allow("name", "from", "to", *PACKET_FIELDS, *WANTED_FIELDS, "modes")
    source, destination, name = section.text("from"), section.text("to"), section.text("name")
    for field, value in (("from", source), ("to", destination)):
        if value is None and not section.has(field):
            section.error(f"the expectation has no {field!r}", "name who asks (from) and who is asked (to)")
    modes = tuple(mode for text in section.texts("modes") if (mode := one_of(section, "modes", text.value, MODES)))
    wanted, packet = read_wanted(section), read_packet(section)
    if source is None or destination is None:
        return None
    title = name.value if name else f"{source.value} → {destination.value}"
    if name is None and number > 1 and packet != PacketOptions():
        title += f" ({number})"
    return Expectation(title, source.value, destination.value, wanted, packet, modes, section.spot.origin)
