"""Members that several service ports may ask for: present as long as one of them does."""

from __future__ import annotations

from netsim.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class MemberChanges:
    """Members that came and members that went, each in the order of their first mention."""

    came: tuple[str, ...] = ()
    went: tuple[str, ...] = ()


NO_CHANGES = MemberChanges()


class CountedMembers:
    """Texts with the number of those who ask for each, and what changed since changes were last taken."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._was_present: dict[str, bool] = {}
        self._members: frozenset[str] | None = frozenset()

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def members(self) -> frozenset[str]:
        """All that are present."""
        if self._members is None:
            self._members = frozenset(self._counts)
        return self._members

    def claim(self, member: str) -> None:
        """One more asks for it."""
        count = self._counts.get(member, 0)
        self._was_present.setdefault(member, count > 0)
        self._counts[member] = count + 1

    def release(self, member: str) -> None:
        """One of those who asked for it asks no more."""
        count = self._counts[member]
        self._was_present.setdefault(member, True)
        if count == 1:
            del self._counts[member]
        else:
            self._counts[member] = count - 1

    def take_changes(self) -> MemberChanges:
        """What came and what went since the last call."""
        if not self._was_present:
            return NO_CHANGES
        touched, self._was_present = self._was_present, {}
        came = tuple(m for m, was in touched.items() if not was and m in self._counts)
        went = tuple(m for m, was in touched.items() if was and m not in self._counts)
        if came or went:
            self._members = None
        return MemberChanges(came, went)
