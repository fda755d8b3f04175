"""pytest collects check files: every expectation is a test, in each of its modes. ``docs/check.md`` shows it.

Which files are check files says the ini option ``netsim_checks``, patterns of file names; without it ``*.check.yaml``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from netsim.check.expectation import Expectation
    from netsim.check.run import Result
    from netsim.scenario.world import World

DEFAULT_PATTERNS = ["*.check.yaml"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``netsim_checks``."""
    parser.addini("netsim_checks", "names of netsim's check files, as patterns", type="args", default=DEFAULT_PATTERNS)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> CheckCollector | None:
    """A file whose name is like one of the patterns."""
    patterns: list[str] = parent.config.getini("netsim_checks")
    if not any(fnmatch(file_path.name, pattern) for pattern in patterns):
        return None
    return CheckCollector.from_parent(parent, path=file_path)


class CheckFailedError(Exception):
    """An expectation that does not hold."""

    def __init__(self, result: Result) -> None:
        super().__init__("; ".join(result.differences))
        self.result = result


class CheckCollector(pytest.File):
    """One check file. Each world is made once in each mode."""

    def collect(self) -> Iterator[CheckItem]:
        """The file's expectations."""
        from netsim.check.read import read_checks
        from netsim.manifest import LoadError

        try:
            checks = read_checks(self.path)
        except LoadError as error:
            raise self.CollectError(str(error)) from None
        self._worlds: dict[tuple[tuple[str, ...], str | None], World] = {}
        for check in checks:
            place = f"{check.name}: " if len(checks) > 1 else ""
            for expectation in check.expectations:
                for mode in expectation.modes or (None,):
                    name = place + (f"{expectation.name}[{mode}]" if mode else expectation.name)
                    sources = check.sources(self.path)
                    yield CheckItem.from_parent(self, name=name, expectation=expectation, sources=sources, mode=mode)

    def world(self, sources: tuple[str, ...], mode: str | None) -> World:
        """The world of sources in a mode. Raises LoadError."""
        from netsim.scenario.build import load_world
        from netsim.scenario.sources import find_sources
        from proxy.config.model import ProxyMode

        if (sources, mode) not in self._worlds:
            found = find_sources(sources, os.environ)
            self._worlds[sources, mode], _ = load_world(found, mode=ProxyMode(mode) if mode else None)
        return self._worlds[sources, mode]


class CheckItem(pytest.Item):
    """One expectation in one mode."""

    parent: CheckCollector

    def __init__(
        self, *, expectation: Expectation, sources: tuple[str, ...], mode: str | None, **given: Any
    ) -> None:  # pytest's own arguments
        super().__init__(**given)
        self.expectation, self.sources, self.mode = expectation, sources, mode

    def runtest(self) -> None:
        """Trace it, and compare."""
        from netsim.check.run import result

        found = result(self.parent.world(self.sources, self.mode), self.expectation, self.mode)
        if not found.holds:
            raise CheckFailedError(found)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # as pytest has it
        """The differences and the whole trace, instead of a Python traceback."""
        from netsim.check.report import failure_text
        from netsim.manifest import LoadError
        from netsim.scenario.sources import SourceError

        if isinstance(excinfo.value, CheckFailedError):
            return failure_text(excinfo.value.result)
        if isinstance(excinfo.value, LoadError):
            return str(excinfo.value)
        if isinstance(excinfo.value, SourceError):
            return f"error: {excinfo.value.message}\nhelp: {excinfo.value.advice}"
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Where the expectation is written."""
        origin = self.expectation.origin
        return self.path, None if origin is None else origin.line - 1, self.name
