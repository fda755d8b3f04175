"""``-m physdev`` and ``-m mac``. Ref: iptables extensions/libxt_physdev.c, libxt_mac.c (v1.8.9)."""

from __future__ import annotations

import re

from netsim.net.address import Family
from netsim.rules.xtables.ast import InterfaceMatch, MACMatch, PhysdevMatch
from netsim.rules.xtables.option import Extension, Given, Needs, Option, inverting
from netsim.rules.xtables.values import read_interface, write_interface

_MAC = re.compile(r"[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}")


def _interface(given: Given, option: str) -> InterfaceMatch | None:
    name = given.read(option, read_interface)
    return None if name is None else InterfaceMatch(name, given.inverted(option))


def _yes(given: Given, option: str) -> bool | None:
    return not given.inverted(option) if option in given else None


def _build_physdev(given: Given) -> PhysdevMatch:
    if not given.options:
        raise given.problem("no physdev option specified")
    return PhysdevMatch(
        physdev_in=_interface(given, "physdev-in"),
        physdev_out=_interface(given, "physdev-out"),
        is_in=_yes(given, "physdev-is-in"),
        is_out=_yes(given, "physdev-is-out"),
        is_bridged=_yes(given, "physdev-is-bridged"),
    )


def _question(option: str, *, answer: bool | None) -> list[str]:
    return [] if answer is None else inverting([f"--{option}"], inverted=not answer)


def _physdev_words(match: PhysdevMatch, _family: Family) -> list[str]:
    words = ["physdev", *_question("physdev-is-in", answer=match.is_in)]
    if match.physdev_in is not None:
        words += write_interface(match.physdev_in, "--physdev-in")
    words += _question("physdev-is-out", answer=match.is_out)
    if match.physdev_out is not None:
        words += write_interface(match.physdev_out, "--physdev-out")
    return words + _question("physdev-is-bridged", answer=match.is_bridged)


def _read_mac(text: str) -> str:
    if not _MAC.fullmatch(text):
        raise ValueError(f"{text!r} is not a MAC address (expected aa:bb:cc:dd:ee:ff)")
    return ":".join(f"{int(octet, 16):02x}" for octet in text.split(":"))


def _build_mac(given: Given) -> MACMatch:
    return MACMatch(given.read("mac-source", _read_mac) or "", given.inverted("mac-source"))


PHYSDEV = Extension(
    "physdev",
    (
        Option("physdev-in", invertible=True),
        Option("physdev-out", invertible=True),
        Option("physdev-is-in", values=0, invertible=True),
        Option("physdev-is-out", values=0, invertible=True),
        Option("physdev-is-bridged", values=0, invertible=True),
    ),
    _build_physdev,
    _physdev_words,
    (PhysdevMatch,),
)
MAC = Extension(
    "mac",
    (Option("mac-source", invertible=True, required=True),),
    _build_mac,
    lambda match, _family: ["mac", *inverting(["--mac-source", match.mac], inverted=match.inverted)],
    (MACMatch,),
    needs=lambda _match: Needs(hooks=("PREROUTING", "INPUT", "FORWARD")),
)
