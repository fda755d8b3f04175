"""What nftables remembers in one namespace from packet to packet.

Ref: include/net/netfilter/nf_tables.h (v6.12).
"""

from __future__ import annotations

from dataclasses import field

from netsim.dataclass import dataclass
from netsim.stack.nf_conntrack_entry import NfConn
from netsim.stack.nft_registers import Register


@dataclass(frozen=True, slots=True)
class LiveElement:
    """An element that a packet added or renewed; ``deadline`` in seconds of the world's clock, None for ever."""

    deadline: float | None
    data: Register | None = None


@dataclass(slots=True)
class SetState:
    """What packets made of one named set. An element of the rule set that was deleted or renewed stands here too.

    ``generations`` counts how often an element was made: one that is made again begins its own statements anew.
    """

    added: dict[Register, LiveElement] = field(default_factory=dict)
    deleted: set[Register] = field(default_factory=set)
    generations: dict[Register, int] = field(default_factory=dict)

    def live(self, key: Register, now: float) -> LiveElement | None:
        """The element that a packet added, if it has not run out."""
        found = self.added.get(key)
        if found is not None and found.deadline is not None and found.deadline <= now:
            del self.added[key]
            self.deleted.add(key)
            return None
        return found


@dataclass(slots=True)
class NftState:
    """What nftables remembers in one namespace from packet to packet.

    ``sets`` by family, table and set. ``counters`` are those of ``numgen inc``, ``buckets`` of ``limit`` and ``used`` of ``quota``, by the
    compiled statement; ``hashes`` are what unseeded hashes gave a flow;
    ``flows`` are the connections in flowtables (family, table, name), by their entry's identity.
    """

    sets: dict[tuple[str, str, str], SetState] = field(default_factory=dict)
    counters: dict[object, int] = field(default_factory=dict)
    buckets: dict[object, tuple[int, int]] = field(default_factory=dict)
    used: dict[object, int] = field(default_factory=dict)
    hashes: dict[object, int] = field(default_factory=dict)
    flows: dict[int, tuple[tuple[str, str, str], NfConn]] = field(default_factory=dict)

    def of_set(self, place: tuple[str, str, str]) -> SetState:
        """The state of one set."""
        found = self.sets.get(place)
        if found is None:
            found = self.sets[place] = SetState()
        return found
