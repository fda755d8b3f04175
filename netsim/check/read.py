"""Check documents (``netsim.io/v1alpha1``, kind ``Check``) → expectations, with every error at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from netsim.check.expectation import Expectation
from netsim.check.flow_fields import PACKET_FIELDS, WANTED_FIELDS, filled, one_line, one_of, read_packet, read_wanted
from netsim.check.sources import beside, sources_of
from netsim.dataclass import dataclass
from netsim.manifest.diagnostics import Diagnostic, LoadError, Severity, in_order
from netsim.manifest.entries import Entry, Report
from netsim.manifest.fields import Section
from netsim.manifest.load import CHECK_KIND, entries_in
from netsim.scenario.question import PacketOptions

MODES = ("iptables", "ipvs", "nftables")


@dataclass(frozen=True, slots=True)
class Check:
    """A document of expectations. ``topology`` are the sources that it names, as paths; empty where it names none.

    ``with_world``: the file has manifests beside its expectations, so that describes the world too.
    """

    name: str
    expectations: tuple[Expectation, ...]
    topology: tuple[str, ...] = ()
    with_world: bool = False

    def sources(self, file: Path, given: Sequence[str] = ()) -> tuple[str, ...]:
        """What its world is loaded from: what is given, what it names, its file, or nothing in particular, in this order."""
        return sources_of(file, self.topology, given, with_world=self.with_world)


def read_checks(path: Path) -> tuple[Check, ...]:
    """The Check documents of a file, each with a world of its own. Raises LoadError with everything that is wrong with them."""
    report = Report()
    entries = entries_in(path, report)
    checks = [entry for entry in entries if entry.kind == CHECK_KIND]
    if not checks and not report.failed:
        message = f"the file has no document of kind {CHECK_KIND}"
        report.found.append(Diagnostic(Severity.ERROR, str(path), 0, 0, message, help="docs/check.md shows one"))
    read = [_check(entry, path, report) for entry in checks]
    if report.failed:
        raise LoadError(in_order(report.found, [str(path)]))
    return tuple(replace(check, with_world=len(checks) < len(entries)) for check in read)


def _check(entry: Entry, path: Path, report: Report) -> Check:
    top = Section(entry, (), report)
    top.allow("apiVersion", "kind", "metadata", "spec")
    metadata = top.section("metadata")
    metadata.allow("name", "labels", "annotations")
    name = one_line(metadata, "name")
    spec = top.section("spec")
    spec.allow("topology", "expectations")
    if not spec.raw("expectations"):
        advice = "name who asks (from) and who is asked (to)"
        spec.error("spec.expectations: a check has at least one", advice, "expectations")
    found: dict[str, Expectation] = {}
    for number, (section, _) in enumerate(spec.sections("expectations"), 1):
        item = _expectation(section, number)
        if item is not None and item.name in found:
            section.error(f"{item.name!r} is there twice", "give each expectation a name of its own", "name")
        elif item is not None:
            found[item.name] = item
    topology = tuple(beside(path, text.value) for text in spec.texts("topology"))
    return Check(name or path.stem, tuple(found.values()), topology)


def _expectation(section: Section, number: int) -> Expectation | None:
    section.allow("name", "from", "to", *PACKET_FIELDS, *WANTED_FIELDS, "modes")
    source, destination, name = section.text("from"), section.text("to"), one_line(section, "name")
    for field, value in (("from", source), ("to", destination)):
        if value is None and not section.has(field):
            section.error(f"the expectation has no {field!r}", "name who asks (from) and who is asked (to)")
    modes = tuple(mode for text in filled(section, "modes") if (mode := one_of(section, "modes", text.value, MODES)))
    wanted, packet = read_wanted(section), read_packet(section)
    if source is None or destination is None:
        return None
    title = name or f"{source.value} → {destination.value}"
    if not name and number > 1 and packet != PacketOptions():
        title += f" ({number})"
    return Expectation(title, source.value, destination.value, wanted, packet, modes, section.spot.origin)
