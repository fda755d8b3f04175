"""The fields of a document that name a packet and what is expected of it; Check and Timeline documents have the same."""

from __future__ import annotations

from netsim.check.expectation import DELIVERED, Outcome, SeenSource, Wanted
from netsim.manifest.fields import Section, Text
from netsim.net.address import Address, parse_address
from netsim.objects.path import nearest
from netsim.scenario.question import PROTOCOLS, PacketOptions
from netsim.trace.model import Verdict
from netsim.trace.reasons import reasons

PACKET_FIELDS = ("port", "protocol", "sourcePort", "size", "flags", "family", "mark", "ttl")
WANTED_FIELDS = ("verdict", "reason", "backends", "sourceSeen")


def read_wanted(section: Section) -> Wanted:
    """What is expected; without any of the fields that the flow is delivered."""
    return Wanted(_outcomes(section), tuple(text.value for text in filled(section, "backends")), _seen(section))


def read_packet(section: Section) -> PacketOptions:
    """What the first packet is made of."""
    protocol = section.text("protocol")
    named = one_of(section, "protocol", protocol.value.lower(), tuple(PROTOCOLS)) if protocol else None
    family = section.text("family")
    flags = section.text("flags")
    version = one_of(section, "family", family.value.lower(), ("ipv4", "ipv6")) if family else None
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
    found = [outcome for text in filled(section, "verdict") if (outcome := _outcome(section, text.value, for_all))]
    if found or section.has("verdict"):
        return tuple(found)
    if reason is None:
        return DELIVERED
    return (Outcome(reasons()[for_all].verdict, for_all),) if for_all else ()


def _outcome(section: Section, text: str, for_all: str | None) -> Outcome | None:
    verdict, _, reason = text.partition(":")
    found = one_of(section, "verdict", verdict.upper(), tuple(Verdict.__members__))
    named = _reason(section, "verdict", reason) if reason else for_all
    if found and named and reasons()[named].verdict is not Verdict[found]:
        of = reasons()[named].verdict.value
        section.error(f"verdict: {named} is a reason of {of}, so {found} never has it", f"leave out {found}", "verdict")
    return Outcome(Verdict[found], named) if found else None


def _reason(section: Section, field: str, text: str) -> str | None:
    return one_of(section, field, text.upper(), tuple(reasons()))


def filled(section: Section, field: str) -> list[Text]:
    """A list of strings, which is not empty where it is there."""
    if section.raw(field) == []:
        section.error(f"{field}: the list is empty", "leave it out where anything will do", field)
    return section.texts(field)


def one_line(section: Section, field: str) -> str:
    """A name as reports show it; empty where there is none."""
    text = section.text(field)
    if text is not None and not text.value.isprintable():
        section.error(f"{field}: {text.value!r} is not one line of printable text", "write it in one line", field)
    return text.value if text else ""


def one_of(section: Section, field: str, text: str, known: tuple[str, ...]) -> str | None:
    """A word of a few, or an error at the field."""
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
