"""The slices of a topology's machines, kept by what of a flow they depend on."""

from __future__ import annotations

from collections.abc import Mapping

from netsim.flows.codes import Code
from netsim.flows.machine import Machine
from netsim.flows.places import Places
from netsim.flows.rule_slice import Common, Slice, Slicer

KEPT = 10_000
"""How many slices are kept: senders of one destination ask for the same ones, those of the next for others."""


class Slices:
    """What packets of a flow may meet of each machine's rules."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._slicers: dict[tuple[str, int], Slicer] = {}
        self._commons: dict[tuple[str, str, int], Common] = {}
        self._slices: dict[tuple[str, int, frozenset[Code], frozenset[int]], Slice] = {}

    def of(self, machine: Machine, version: int, addresses: Mapping[Code, int], ports: Mapping[int, int]) -> Slice:
        """What of a machine's rules packets between these may meet."""
        book = machine.book(version)
        key = (machine.spec.name, version, frozenset(addresses.keys() & book.addresses), frozenset(ports))
        found = self._slices.get(key)
        if found is None:
            slicer = self._slicer(machine, version)
            if len(self._slices) >= KEPT:
                self._slices.clear()
            found = self._slices[key] = slicer.of(addresses, ports)
            found.form = self._places.number(found.form)
        return found

    def common(self, one: Machine, other: Machine, version: int) -> Common:
        """What of two machines' rules every packet meets, compared."""
        key = (one.spec.name, other.spec.name, version)
        found = self._commons.get(key)
        if found is None:
            mine, theirs = self._slicer(one, version), self._slicer(other, version)
            found = self._commons[key] = mine.common.compared(theirs.common)
        return found

    def _slicer(self, machine: Machine, version: int) -> Slicer:
        found = self._slicers.get((machine.spec.name, version))
        if found is None:
            found = self._slicers[machine.spec.name, version] = Slicer(machine.book(version))
        return found
