"""Decoded fields by path, before they become a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast


class Values:
    """The fields that a document sets, each of the type that ``proxy.config.fields`` gives it."""

    def __init__(self, found: Mapping[str, object]) -> None:
        self._found = found

    def __contains__(self, path: str) -> bool:
        return path in self._found

    def text(self, path: str) -> str:
        """A string, empty where unset."""
        return cast("str", self._found.get(path, ""))

    def texts(self, path: str) -> tuple[str, ...]:
        """A list of strings, empty where unset."""
        return cast("tuple[str, ...]", self._found.get(path, ()))

    def flag(self, path: str, *, default: bool) -> bool:
        """A boolean."""
        return cast("bool", self._found.get(path, default))

    def number(self, path: str, *, default: int) -> int:
        """An integer."""
        return cast("int", self._found.get(path, default))

    def period(self, path: str, *, default: int) -> int:
        """A duration in nanoseconds. Zero reads as unset, as kube-proxy's defaulting does."""
        return cast("int", self._found.get(path, 0)) or default

    def timeout(self, path: str, *, default: int) -> int:
        """A duration in nanoseconds that may be set to zero."""
        return cast("int", self._found.get(path, default))

    @property
    def gates(self) -> Mapping[str, bool]:
        """``featureGates``."""
        return cast("Mapping[str, bool]", self._found.get("featureGates", {}))

    @property
    def cluster_cidrs(self) -> tuple[str, ...]:
        """``clusterCIDR``, which is one prefix or two with a comma between them."""
        text = self.text("clusterCIDR")
        return tuple(text.split(",")) if text else ()
