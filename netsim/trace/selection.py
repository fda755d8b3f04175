"""Which of a flow's branches are wanted."""

from __future__ import annotations

from netsim.dataclass import dataclass
from netsim.net.address import Address


class SelectionError(ValueError):
    """No branch is as the user asked; ``help`` says which there are."""

    def __init__(self, message: str, help_line: str) -> None:
        super().__init__(message)
        self.message = message
        self.help = help_line


@dataclass(frozen=True, slots=True)
class Selection:
    """``pick`` is a branch's number from 1, ``backend`` where its first packet goes, ``seed`` draws one; at most one of them."""

    pick: int | None = None
    backend: tuple[Address, int] | None = None
    seed: int | None = None

    def __post_init__(self) -> None:
        given = [value for value in (self.pick, self.backend, self.seed) if value is not None]
        if len(given) > 1:
            raise SelectionError("more than one choice of branch", "give one of --pick, --backend and --seed")
        if self.pick is not None and self.pick < 1:
            raise SelectionError(f"there is no branch {self.pick}", "branches are numbered from 1")


ALL = Selection()
