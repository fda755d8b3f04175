"""Resource quantities. Ref: staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go (v1.37)."""

from __future__ import annotations

import re
from decimal import Decimal

from netsim.objects.json import Document, Json

_SUFFIXES = {
    "m": Decimal("0.001"),
    "k": Decimal(1000),
    "": Decimal(1),
    **{s: Decimal(1000) ** n for n, s in enumerate("MGTPE", 2)},
    **{f"{s}i": Decimal(1024) ** n for n, s in enumerate("KMGTPE", 1)},
}


_QUANTITY = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)([A-Za-z]*)")


def quantity(value: Json) -> Decimal:
    """A resource quantity: ``100m``, ``64Mi``, ``2``, ``1e3``. Raises ValueError. Ref: apimachinery pkg/api/resource/quantity.go."""
    found = _QUANTITY.fullmatch(str(value))
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{str(value)!r} is not a quantity")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def quantities(document: Document) -> dict[str, Decimal]:
    """A JSON object of quantities. Raises ValueError."""
    return {name: quantity(value) for name, value in document.items()}
