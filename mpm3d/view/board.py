"""Words of a window, in pixels from the upper left, so that they stay apart at any size."""

from __future__ import annotations

import textwrap
from typing import Any

INK, SOFT, CHOSEN = "#1A1A1A", "#5A5A5A", "#B30000"
LEFT, RIGHT = 262, 256  # widths of the columns at the left and the right
LINE = 1.24  # height of a line for a height of letters
_SPACING = 1.2
BOTTOM = 58  # height of the lines of help and caution


class Board:
    """Texts by name.

    Parameters
    ----------
    renderer : pyvista.Renderer
        The part of the window that fills it.
    """

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self.texts: dict[str, Any] = {}
        self._looks: dict[str, Any] = {}

    def write(
        self,
        name: str,
        words: str,
        place: tuple[float, float],
        *,
        size: int = 14,
        colour: str = INK,
        bold: bool = False,
    ) -> None:
        """Write words with their upper left corner at a place, instead of those of that name before."""
        import pyvista as pv

        if name not in self.texts:
            self._looks[name] = pv.TextProperty(justification_vertical="top")
            self.texts[name] = pv.Text()
            self._looks[name].SetLineSpacing(_SPACING)
            self.texts[name].prop = self._looks[name]
            self._renderer.add_actor(
                self.texts[name], name=f"text {name}", reset_camera=False, render=False, pickable=False
            )
        text, look = self.texts[name], self._looks[name]
        text.input = words or " "
        look.font_size, look.color, look.bold = size, colour, bold
        _, height = self._renderer.GetSize()
        text.position = (place[0], height - place[1])

    def remove(self, name: str) -> None:
        """Take words away."""
        if name in self.texts:
            self._renderer.remove_actor(self.texts.pop(name), render=False)

    def words(self, name: str) -> str:
        """What is written, empty if nothing is."""
        return str(self.texts[name].input).strip() if name in self.texts else ""

    def box(self, name: str) -> tuple[float, float, float, float]:
        """Pixels that a text takes: left, right, top, bottom, from the upper left."""
        ends = [0.0] * 4
        self.texts[name].GetBoundingBox(self._renderer, ends)
        x, y = self.texts[name].position
        _, height = self._renderer.GetSize()
        return x + ends[0], x + ends[1], height - (y + ends[3]), height - (y + ends[2])


def height_of(words: str, size: int) -> float:
    r"""Pixels that lines of text take from top to bottom.

    Examples
    --------
    >>> height_of("one line", 100), height_of("two\nlines", 100)
    (124.0, 248.0)
    """
    return (words.count("\n") + 1) * size * LINE


def folded(words: str, width: int) -> str:
    r"""Lines no longer than ``width`` letters; what follows the first of a line is set in.

    Examples
    --------
    >>> print(folded("nearest deposit: Kuh-e Sefid\ndepth: 120 m", 20))
    nearest deposit:
      Kuh-e Sefid
    depth: 120 m
    """
    lines = [textwrap.wrap(line, width, subsequent_indent="  ") or [""] for line in words.split("\n")]
    return "\n".join(line for part in lines for line in part)


def cut(words: str, most: int) -> str:
    r"""At most so many lines; the last one then says how many more there are.

    Examples
    --------
    >>> cut("a\nb\nc\nd", 3)
    'a\nb\nand 2 lines more'
    """
    lines = words.split("\n")
    if len(lines) <= most:
        return words
    most = max(1, most)
    return "\n".join([*lines[: most - 1], f"and {len(lines) - most + 1} lines more"])
