"""The longest files first: where files are dealt out to processes, one that begins late would be alone at the end."""

from __future__ import annotations

import pytest

LONGEST = ("test_modes_kernel.py", "test_stack_kernel.py", "test_verify_guest_kernel.py", "test_verify_kernel.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name not in LONGEST)
