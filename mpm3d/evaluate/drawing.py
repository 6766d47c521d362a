"""The picture of P-A curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mpm3d.evaluate.curves import PACurve, crossing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CAUTION = "Conceptual, for planning exploration; not a resource estimate."


def draw_pa_curve(curves: Mapping[str, PACurve], path: str | Path, *, left_out: bool) -> Path:
    """Draw P-A curves with their crossings to a picture file.

    The left axis is the share of known deposits captured, rising as the threshold falls; the right axis is
    the share of the volume, drawn from the top down.

    Parameters
    ----------
    curves : mapping of str to PACurve
        One curve per model; the names become the legend.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    left_out : bool
        True when the deposits were left out of training, False for in-sample curves. The title says which.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no curve.
    """
    if not curves:
        raise ValueError("there is no P-A curve to draw, give at least one.")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axes = figure.add_subplot()
    floor = _floor(curves)
    line = np.geomspace(floor, 1, 400)
    axes.plot(line, 1 - line, color="0.35", linestyle="--", label="volume (right axis)")
    for number, (name, curve) in enumerate(curves.items()):
        _draw_curve(axes, name, curve, f"C{number}", floor)
    kind = "deposits left out of training" if left_out else "IN-SAMPLE: deposits that the model was fitted on"
    figure.suptitle(f"P-A plot, {kind}", fontsize=11)
    axes.set_title(CAUTION, fontsize=8, color="0.3")
    axes.set(
        xscale="log", xlim=(floor, 1), ylim=(0, 1.02), xlabel="threshold, as volume rank (best cells left)"
    )
    axes.set_ylabel("share of known deposits captured")
    right = axes.secondary_yaxis("right", functions=(_upside_down, _upside_down))
    right.set_ylabel("share of the volume (from the top down)")
    axes.grid(alpha=0.25)
    for axis in (axes.xaxis, axes.yaxis, right.yaxis):
        axis.set_major_formatter(_percent)
    figure.legend(loc="outside lower center", fontsize=8)
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"part_{target.name}")
    figure.savefig(half, dpi=150)
    half.replace(target)
    return target


def _upside_down(values: Any) -> Any:
    return 1 - values


def _percent(value: float, position: float) -> str:
    return f"{100 * value:g} %"


def _floor(curves: Mapping[str, PACurve]) -> float:
    """Left end of the logarithmic axis: a decade at or below the smallest rank, no less than 1e-4."""
    steps = np.concatenate([curve.volume[curve.volume > 0] for curve in curves.values()])
    smallest = float(steps.min()) if len(steps) else 1e-2
    return float(np.clip(10.0 ** np.floor(np.log10(smallest)), 1e-4, 1e-2))


def _draw_curve(axes: Axes, name: str, curve: PACurve, colour: str, floor: float) -> None:
    where = crossing(curve)
    text = f"{name} ({len(curve.deposits)} deposits), no crossing"
    if where is not None:
        text = f"{name}: {where.captured:.0%} in {where.volume:.2%} of the volume"
    volume = np.maximum(curve.volume, floor)
    axes.step(volume, curve.captured, where="post", color=colour, label=text)
    if where is not None:
        at = max(where.volume, floor)
        axes.plot([at], [1 - where.volume], "o", color=colour, markeredgecolor="black", zorder=5)
        axes.plot([at, at], [0, 1 - where.volume], ":", color=colour, linewidth=1)
