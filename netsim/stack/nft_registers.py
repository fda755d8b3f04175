"""What a register holds: a number, or a device's name; several joined by ``.`` are a tuple."""

from __future__ import annotations

from typing import TypeAlias

Scalar: TypeAlias = int | str
Register: TypeAlias = Scalar | tuple[Scalar, ...]
