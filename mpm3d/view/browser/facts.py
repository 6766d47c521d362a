"""What the page writes, as plain data: numbers with their units, colour scales, lists."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mpm3d.grid import Grid
from mpm3d.view.camera import readable
from mpm3d.view.counts import Readout
from mpm3d.view.reading import Reading
from mpm3d.view.scene import SceneTarget, style_of
from mpm3d.view.things import Thing

_STOPS = 16
_TICKS = 5


def readout_rows(readout: Readout, grid: Grid) -> list[dict[str, str]]:
    """What a threshold keeps, as labels and texts."""
    rows = [("Score at or above", f"{readout.threshold:.4g}")]
    percent = f"{100 * readout.volume_share:.2f} %"
    if grid.is_map:
        rows += [("Share of the scored area", percent), ("Area", readout.area)]
        for role in readout.deposits:
            label, missed = style_of(role).label, readout.missed(role)
            rows.append((f"{label} captured", readout.found(role)))
            rows += [(f"{label} missed", missed)] if missed else []
        return [{"label": label, "text": text} for label, text in rows]
    volume = readout.n_cells * grid.cell_volume / 1e9
    rows += [("Share of the scored volume", percent), ("Volume", f"{volume:.4g} km³")]
    for role, share in readout.captured.items():
        rows.append((f"{style_of(role).label} captured", f"{100 * share:.1f} %"))
    return [{"label": label, "text": text} for label, text in rows]


def groups_of(things: Iterable[Thing]) -> list[dict[str, Any]]:
    """Objects by role, each with its single items, in the order given."""
    groups: dict[str, dict[str, Any]] = {}
    for thing in things:
        role, _, single = thing.key.partition("/")
        told = {"key": thing.key, "label": thing.label, "colour": thing.colour}
        if single and role in groups:
            groups[role]["items"].append(told)
        else:
            groups[thing.key] = {**told, "items": []}
    return list(groups.values())


def target_facts(target: SceneTarget) -> dict[str, Any]:
    """What the list of targets shows of one."""
    return {
        "id": target.id,
        "rank": target.rank,
        "kind": target.kind,
        "numbers": [{"label": label, "text": text} for label, text in target.numbers],
        "for": _parts(target.reasons_for),
        "against": _parts(target.reasons_against),
        "hole": target.hole,
    }


def _parts(reasons: str) -> list[str]:
    return [part.strip() for part in reasons.split(";") if part.strip()]


def reading_facts(reading: Reading, model: str) -> dict[str, Any]:
    """What the panel of a picked cell shows; ``model`` names the one of two that was picked."""
    rows = [{"label": "Model", "text": model}] if model else []
    rows += [{"label": label, "text": f"{readable(value)} m"} for label, value in reading.places]
    cell = "Cell {1}, {2} (y, x)" if reading.flat else "Cell {0}, {1}, {2} (z, y, x)"
    return {
        "title": cell.format(*reading.cell),
        "rows": rows + [{"label": label, "text": text} for label, text in reading.values],
        "target": reading.target,
    }


def colour_scale(title: str, colours: Any, span: Sequence[float]) -> dict[str, Any]:
    """A colour scale as text: title, gradient and marks.

    Parameters
    ----------
    title : str
        Name and unit.
    colours : matplotlib Colormap
        The map.
    span : (low, high)
        Values at its ends.
    """
    low, high = span
    stops = [colours(k / (_STOPS - 1)) for k in range(_STOPS)]
    words = [f"rgb({round(255 * r)} {round(255 * g)} {round(255 * b)})" for r, g, b, _ in stops]
    marks = [low + (high - low) * k / (_TICKS - 1) for k in range(_TICKS)]
    return {
        "title": title,
        "gradient": f"linear-gradient(to right, {', '.join(words)})",
        "marks": [f"{mark:.3g}" for mark in marks],
    }
