"""Reading a study of a table of points, and everything that is wrong with it at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mpm3d.errors import StudyError
from mpm3d.study.checks import models_wrong, valid
from mpm3d.study.loading import here, read_text
from mpm3d.study.models import MODELS, CbamTable, NetworkTable
from mpm3d.study.point_table import PointStudy, PointTable
from mpm3d.study.words import sentence

_OF_GRIDS = ("grid", "layers", "deposits", "topography", "cube", "predict", "targets", "explain", "drilling")


def is_of_points(path: str | Path) -> bool:
    """Whether a ``study.toml`` is of a table of points.

    Raises
    ------
    StudyError
        If there is no such file, or it is not TOML.
    """
    return "table" in read_text(Path(path))[0]


def load_points(path: str | Path, *, runs: str | Path | None = None) -> PointStudy:
    """Read and check a ``study.toml`` that has a ``[table]`` in place of a grid, layers and deposits.

    Parameters
    ----------
    path : str or Path
        The file. Paths in it are relative to its folder; ``${NAME}`` is an environment variable.
    runs : str or Path, optional
        Where run folders go, ``runs`` beside the study if not given.

    Returns
    -------
    PointStudy

    Raises
    ------
    StudyError
        With one sentence for each problem, all at once.
    """
    place = Path(path)
    table, problems = read_text(place)
    beside = [key for key in _OF_GRIDS if key in table]
    if beside:
        named = ", ".join(f"[{key}]" for key in beside)
        problems.append(
            f"a study of a table of points ([table]) has no {named}: they are for studies on a grid. Take "
            "one or the other."
        )
    own = {key: value for key, value in table.items() if key not in _OF_GRIDS}
    study = None
    try:
        study = PointStudy.model_validate({**own, **here(place, runs)})
    except ValidationError as error:
        problems += [sentence(one, own, PointStudy) for one in error.errors()]
    problems += _wrong(own, place.resolve().parent)
    if problems or study is None:
        raise StudyError(list(dict.fromkeys(problems)))
    return study


def _wrong(table: Mapping[str, Any], folder: Path) -> Iterator[str]:
    points = valid(PointTable, table.get("table"))
    if isinstance(points, PointTable):
        for key in ("file", "score"):
            name = getattr(points, key)
            if name and "${" not in name and not (folder / name).is_file():
                fix = "Check the path, it is relative to study.toml."
                yield f"[table]: {key} = {name!r} does not exist. {fix}"
    models = [one for one in table.get("models", []) if isinstance(one, dict)]
    layers = points.layers if isinstance(points, PointTable) and points.layers != "rest" else None
    yield from models_wrong(models, layers)
    kinds = [kind for kind, made in MODELS.items() if issubclass(made, NetworkTable | CbamTable)]
    for one in models:
        base = one.get("base")
        inner = base.get("kind") if isinstance(base, dict) else base
        width = max(int(t.get("patch", 1)) for t in (one, base) if isinstance(t, dict))
        if one.get("kind") in kinds or inner in kinds or width > 1:
            yield (
                f"model {one.get('kind')!r} looks at patches of cells, and a table of points has none. Use "
                "models on single cells, such as 'forest' or 'devnet'."
            )
