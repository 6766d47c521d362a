"""Success-rate curves: how many deposits the best part of an area holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mpm3d.evaluate.drawing import (
    GREY,
    frame,
    look,
    new_figure,
    plain,
    refuse_empty,
    share_axis,
    volume_axis,
    write,
)
from mpm3d.evaluate.measures import Ranks, checked_ranks
from mpm3d.grid import FloatArray

if TYPE_CHECKING:
    from matplotlib.artist import Artist

SHARES = (0.01, 0.02, 0.05, 0.1)


def share_found(ranks: Ranks, shares: Sequence[float] = SHARES) -> FloatArray:
    """Share of the deposits in the best parts of an area, a deposit counting by its median rank.

    Parameters
    ----------
    ranks : mapping of str to array
        Ranks of the cells of each deposit: the share of the eligible area that scores higher.
    shares : sequence of float
        Parts of the area, best first.

    Returns
    -------
    array of shape (n_shares,)
        From 0 to 1.

    Raises
    ------
    ValueError
        If there is no deposit, one without cells, or a rank outside 0 to 1.

    Examples
    --------
    >>> share_found({"A": [0.01, 0.03, 0.9], "B": [0.2]}).tolist()
    [0.0, 0.0, 0.5, 0.5]
    """
    median = _medians(ranks)
    found: FloatArray = (median[:, None] <= np.asarray(shares)).mean(axis=0)
    return found


def _medians(ranks: Ranks) -> FloatArray:
    return np.array([np.median(values) for values in checked_ranks(ranks).values()])


def draw_success(
    ranks: Mapping[str, Ranks], path: str | Path, *, left_out: bool = True, note: str = ""
) -> Path:
    """Draw success-rate curves: the share of deposits in the best part of the area.

    A deposit counts as found where its median cell is; the legend says which share of the deposits lies in
    the best 1, 2, 5 and 10 %.

    Parameters
    ----------
    ranks : mapping of str to mapping of str to array
        Ranks of the cells of each deposit, by model, as for `share_found`.
    path : str or Path
        The file; its suffix says the format, such as ``.png``.
    left_out : bool
        True where deposits were left out of training, False for in-sample ranks, which are optimistic. The
        title says which.
    note : str
        The study's note, set below the picture.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    ValueError
        If there is no model, or its ranks are no ranks of deposits.
    """
    refuse_empty(ranks, "success-rate curve")
    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    medians = {name: np.sort(_medians(deposits)) for name, deposits in ranks.items()}
    positive = np.concatenate([each[each > 0] for each in medians.values()])
    floor = volume_axis(axes, float(positive.min()) if len(positive) else 1e-2)
    handles: list[Artist] = []
    for number, (name, deposits) in enumerate(ranks.items()):
        at = ", ".join(f"{100 * share:.0f}" for share in share_found(deposits))
        text = plain(f"{name}: {at} % of deposits in the best 1, 2, 5, 10 %")
        each = medians[name]
        x = np.concatenate([[floor], np.maximum(each, floor), [1.0]])
        y = np.concatenate([[0.0], np.arange(1, len(each) + 1), [len(each)]]) / len(each)
        handles += axes.step(x, y, where="post", label=text, **look(number))
    line = np.geomspace(floor, 1, 200)
    handles += axes.plot(line, line, color=GREY, dashes=(1, 1), label="chance")
    for mark in SHARES:
        axes.axvline(mark, color="0.8", linewidth=0.8, zorder=0)
    axes.set(ylim=(0, 1.02))
    share_axis(axes, "x", "best part of the eligible area, %")
    share_axis(axes, "y", "share of deposits inside, %\n(a deposit counts by its median rank)")
    axes.grid(axis="y", alpha=0.25)
    n = len({deposit for deposits in ranks.values() for deposit in deposits})
    kind = "left out of training" if left_out else "IN-SAMPLE (optimistic): the model was fitted on them"
    frame(figure, f"Success rate of {n} deposit{'s' if n > 1 else ''}, {kind}", handles, note)
    return write(figure, path)
