"""The cost of each mode as it grows with Services, as SVG or PNG by matplotlib (the extra ``plot``)."""

from __future__ import annotations

import io
from collections.abc import Sequence

from netsim.comparison.cost import Cost

PANELS = (
    ("rules", "rules"),
    ("elements", "elements of sets and maps"),
    ("update_bytes", "bytes told after one endpoint changed"),
)


class NoMatplotlibError(ImportError):
    """The extra is not installed."""


def plotted(costs: Sequence[Cost], form: str) -> bytes:
    """A picture with a panel for each figure. ``form`` is ``svg`` or ``png``. Raises NoMatplotlibError."""
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise NoMatplotlibError from error
    mpl.rcParams["svg.hashsalt"] = "netsim"
    figure, axes = plt.subplots(1, len(PANELS), figsize=(13, 4))
    for axis, (name, title) in zip(axes, PANELS, strict=True):
        for mode in dict.fromkeys(cost.mode for cost in costs):
            mine = [cost for cost in costs if cost.mode is mode]
            axis.plot(
                [cost.services for cost in mine], [getattr(cost, name) for cost in mine], marker="o", label=mode.value
            )
        axis.set(title=title, xlabel="Services", xscale="log", yscale="symlog")
        axis.grid(visible=True, alpha=0.3)
    axes[0].legend()
    figure.tight_layout()
    target = io.BytesIO()
    figure.savefig(target, format=form, metadata={"Date": None} if form == "svg" else None)
    plt.close(figure)
    return target.getvalue()
