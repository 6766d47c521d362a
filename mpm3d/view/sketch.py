"""One page with everything that was read: a view in three dimensions, a map and two sections."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mpm3d.geometry import Body
from mpm3d.view.drawing import arrange
from mpm3d.view.renderer import require_renderer
from mpm3d.view.sheet import Sheet


def draw(bodies: Sequence[Body], path: str | Path, *, size: tuple[int, int] = (1700, 1200)) -> Path:
    """Draw bodies into a PNG file: in three dimensions, as a map and in two sections.

    Models are cut open where they are alone, and drawn as slices through their middle among others; they
    and whatever is alone have the colours of their first property, other bodies those of the legend.
    What is too large is thinned, which the page says.

    Parameters
    ----------
    bodies : sequence of Body
        Anything that ``io.read`` gives.
    path : str or Path
        Where to; ends in ``.png``. Folders that are missing are made, an old file is replaced.
    size : tuple of int
        Width and height in pixels.

    Returns
    -------
    Path
        ``path``.

    Raises
    ------
    RuntimeError
        If nothing can be drawn on this machine; says what to install.
    ValueError
        If the file is not a PNG, or there is nothing to draw.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise ValueError(f"{path.name!r} is not a PNG file, pictures are. Use {path.stem + '.png'!r}.")
    picture = arrange(bodies)
    if not picture.flat:
        require_renderer()
    sheet = Sheet(picture, size)
    sheet.fill()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.png")
    try:
        sheet.save(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path
