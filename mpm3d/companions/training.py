"""Where the training cells of a model lie: a table beside the model, for maps, views and other programs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from mpm3d.errors import StudyError
from mpm3d.grid import FloatArray
from mpm3d.run import write_text

CELLS_NAME = "training_cells.csv"
_COLUMNS = ["x", "y", "elevation", "label", "deposit"]


def keep_cells(folder: Path, xyz: ArrayLike, label: ArrayLike, deposit: ArrayLike) -> Path:
    """Write the cells that the members of a model were trained on, each once.

    Parameters
    ----------
    folder : Path
        The model folder.
    xyz : array of shape (n, 3)
        Cell centres, x, y, elevation in metres.
    label : array of shape (n,)
        1 for cells of known deposits, 0 for negatives, which are not known to be barren.
    deposit : array of shape (n,)
        Name of the deposit, empty for negatives.

    Returns
    -------
    Path
        The table, whole or not there.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(_COLUMNS)
    for place, kind, name in zip(np.asarray(xyz), np.asarray(label), np.asarray(deposit), strict=True):
        rows.writerow([*(f"{value:.10g}" for value in place), int(kind), str(name)])
    path = folder / CELLS_NAME
    write_text(path, text.getvalue())
    return path


def training_cells(folder: Path) -> dict[int, FloatArray] | None:
    """Positions of the training cells of a model, by label.

    Parameters
    ----------
    folder : Path
        The model folder.

    Returns
    -------
    dict of int to array of shape (n, 3), or None
        Positives under 1, negatives under 0, x, y, elevation in metres; None where no table was kept.

    Raises
    ------
    StudyError
        If the table cannot be read.
    """
    path = folder / CELLS_NAME
    if not path.is_file():
        return None
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        if not rows or rows[0] != _COLUMNS or any(len(row) != len(_COLUMNS) for row in rows):
            raise ValueError("a row is not whole")
        values = np.array([row[:4] for row in rows[1:]], dtype=float).reshape(-1, 4)
    except (OSError, ValueError) as error:
        raise StudyError(
            f"{path.name} in {folder} cannot be read ({error}). Fit again, or delete it to go without: "
            "mpm3d fit study.toml --overwrite"
        ) from error
    return {kind: values[values[:, 3] == kind, :3] for kind in (0, 1)}
