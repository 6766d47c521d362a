"""What is in files, read one after the other and shown as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mpm3d import io
from mpm3d.describe import describe
from mpm3d.errors import FormatError
from mpm3d.geometry import Body, Lines, Surface, Tetrahedra
from mpm3d.io.options import as_flags
from mpm3d.lattice import BlockModel
from mpm3d.wells import Well

_CELLS = (
    (Surface, "triangles"),
    (Tetrahedra, "tetrahedra"),
    (BlockModel, "blocks"),
    (Lines | Well, "segments"),
)
_EXPECTED = (ValueError, OSError, RuntimeError, ImportError)


@dataclass(frozen=True)
class Inspected:
    """A file that was looked at.

    Parameters
    ----------
    path : Path
        As it was given.
    bodies : list of Body
        What was read.
    objects : list of dict
        What `describe` says of each.
    error : str
        Why the file could not be read; empty if it could.
    """

    path: Path
    bodies: list[Body] = field(default_factory=list)
    objects: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """``path``, ``objects`` and, where the file could not be read, ``error``."""
        failed = {"error": self.error} if self.error else {}
        return {"path": str(self.path), "objects": self.objects, **failed}


def inspect_file(
    path: str | Path, options: io.Options | None = None, *, registration: str = "center"
) -> Inspected:
    """Read a file and describe what is in it; whatever goes wrong is told in ``error``.

    Parameters
    ----------
    path : str or Path
        Any file that ``io.read`` takes.
    options : io.Options, optional
        How it is to be read where it leaves a choice.
    registration : {"center", "corner"}
        As in `describe.describe`.
    """
    path = Path(path)
    try:
        bodies = io.read(path, options)
        return Inspected(path, bodies, [describe(body, registration) for body in bodies])
    except _EXPECTED as error:
        named = isinstance(error, FormatError | FileNotFoundError) or path.name in str(error)
        return Inspected(path, error=str(error) if named else f"{path.name}: {error}")
    except Exception as error:  # one file must not keep the others from being shown
        return Inspected(
            path,
            error=f"{path.name}: the reader failed in a way that it should not ({type(error).__name__}: "
            f"{error}). Please report it, with the file if you may.",
        )


def report(entries: Iterable[Inspected], *, as_json: bool = False, plot: str | Path | None = None) -> bool:
    """Print what is in files, each as soon as it is read, and draw it.

    Parameters
    ----------
    entries : iterable of Inspected
        The files; only what is drawn stays in memory.
    as_json : bool
        Print nothing but one JSON list on the standard output; problems of the picture go to the other one.
    plot : str or Path, optional
        PNG file to draw everything into.

    Returns
    -------
    bool
        Whether all files could be read and the picture be drawn.
    """
    console, seen, sound = make_console(), [], True
    bodies: list[Body] = []
    for entry in entries:
        sound &= not entry.error
        if as_json:
            seen.append(entry.as_dict())
        else:
            show(console, entry)
        bodies += entry.bodies if plot is not None else []
    if as_json:
        typer.echo(json.dumps(seen, indent=2, allow_nan=False))
    return sound if plot is None else _draw(bodies, plot, make_console(stderr=as_json)) and sound


def _draw(bodies: Sequence[Body], plot: str | Path, console: Console) -> bool:
    """Draw bodies and say so, or why not."""
    from mpm3d.view.sketch import draw

    try:
        _print(console, f"Drew {draw(bodies, plot)}.")
    except _EXPECTED as error:
        _print(console, f"error: no picture was drawn. {error}", style="red")
        return False
    return True


def make_console(**more: Any) -> Console:
    """A console that folds lines on a terminal only: what is piped keeps each sentence on one line."""
    console = Console(highlight=False, markup=False, emoji=False, **more)
    if not console.is_terminal:
        console.width = 100_000
    return console


def show(console: Console, entry: Inspected) -> None:
    """Print what is in a file."""
    number = len(entry.objects)
    what = "cannot be read" if entry.error else f"{number:,} object{'' if number == 1 else 's'}"
    _print(console, f"{entry.path}: {what}", style="bold")
    if entry.error:
        _print(console, f"error: {entry.error}", style="red")
    for body, facts in zip(entry.bodies, entry.objects, strict=True):
        _show_object(console, body, facts)
    console.print()


def _print(console: Console, words: str, *, indent: int = 0, **more: Any) -> None:
    text = Text(_printable(console, words), **more)
    console.print(Padding(text, (0, 0, 0, indent), expand=False))


def _printable(console: Console, words: str) -> str:
    """Words without what the terminal or file cannot hold, on one line."""
    line = "".join(c if c.isprintable() else " " if c.isspace() else "?" for c in as_flags(words))
    return line.encode(console.encoding, errors="replace").decode(console.encoding)


def _show_object(console: Console, body: Body, facts: Mapping[str, Any]) -> None:
    _print(console, f"{facts['type']} {facts['name']!r}", indent=2, style="bold cyan")
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, words in _rows(body, facts):
        grid.add_row(Text(label, style="dim"), Text(_printable(console, words)))
    console.print(Padding(grid, (0, 0, 0, 4), expand=False))
    if facts["properties"]:
        console.print(Padding(_property_table(console, facts["properties"]), (0, 0, 0, 4), expand=False))
    for note in facts["notes"]:
        bullet = Table.grid(padding=(0, 1, 0, 0))
        bullet.add_row(Text("-"), Text(_printable(console, note)))
        console.print(Padding(bullet, (0, 0, 0, 4), expand=False))


def _rows(body: Body, facts: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and words of each line that every object has."""
    counts = [_counted(facts["n_vertices"], "vertices"), _counted(facts["n_cells"], _cells_of(body))]
    if facts["n_parts"] > 1:
        counts.append(_counted(facts["n_parts"], "parts"))
    yield "holds", ", ".join(word for word in counts if word) or "nothing"
    if facts["shape"] is not None:
        axes = "(W, V, U)" if facts["type"] in ("Voxet", "SGrid") else "(z, y, x)"
        yield "shape", f"{' × '.join(f'{n:,}' for n in facts['shape'])} cells {axes}"
    low, high = facts["bounds"][:3], facts["bounds"][3:]
    for axis, start, stop in zip("xyz", low, high, strict=True):
        if start is not None and stop is not None:
            yield axis, f"{coordinate(start)} to {coordinate(stop)} ({coordinate(stop - start)} m)"
    if facts["first_centre"] is not None:
        places = zip("xyz", facts["first_centre"], strict=True)
        shown = ", ".join(f"{axis} {coordinate(place)}" for axis, place in places if place is not None)
        yield "first cell", f"centre at {shown}"
    yield "CRS", repr(facts["crs_name"]) if facts["crs_name"] else "not named in the file"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what[:-1] if number == 1 and what != 'vertices' else what}" if number else ""


def _cells_of(body: Body) -> str:
    return next((word for kind, word in _CELLS if isinstance(body, kind)), "cells")


def coordinate(value: float) -> str:
    """A length or coordinate to the millimetre, without zeros at the end.

    Examples
    --------
    >>> coordinate(6540000.25), coordinate(-0.0004), coordinate(1e30)
    ('6,540,000.25', '0', '1e+30')
    """
    if abs(value) >= 1e15:
        return f"{value:g}"
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _property_table(console: Console, properties: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("values", overflow="fold")
    for name in ("count", "missing", "min", "mean", "max"):
        table.add_column(name, justify="right", overflow="fold")
    table.add_column("units", overflow="fold")
    for name, of in properties.items():
        numbers = (_value(of[key]) for key in ("min", "mean", "max"))
        words = [name, f"{of['count']:,}", f"{of['missing']:,}", *numbers, of["units"]]
        table.add_row(*(Text(_printable(console, word)) for word in words))
    return table


def _value(number: float | Sequence[float] | None) -> str:
    if number is None:
        return "-"
    if isinstance(number, Sequence):
        return f"({', '.join(f'{n:.6g}' for n in number)})"
    return f"{number:.6g}"
