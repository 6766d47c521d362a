"""Imports go down only."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mpm3d"
LEVELS = [
    ["errors"],
    ["grid", "values", "nodata"],
    ["geometry", "blocks", "frame"],
    ["lattice", "wells", "tally"],
    ["io"],
    ["resampling", "distance", "storage"],
    ["evidence", "topography", "describe", "geochemistry", "potential_fields"],
    ["cube", "labels", "drape", "rasters", "boreholes", "vectors"],
    ["samples"],
    ["splits", "point_samples"],
    ["models"],
    ["members"],
    ["fit", "predict"],
    ["evaluate", "uncertainty", "explain"],
    ["validate", "targets", "drilling"],
    ["synthetic", "view", "maps", "check"],
    ["report"],
    ["study", "run", "exchange"],
    ["inputs"],
    ["work"],
    ["comparison", "building", "companions"],
    ["reasons", "handover", "mapping", "point_study"],
    ["targeting"],
    ["scenery"],
    ["reporting"],
    ["stages", "inspection", "checking", "catalogue"],
    ["cli"],
    ["__main__"],
]
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}
FILES = sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    """Rooms of the package that a file imports, anywhere in it, lazily too."""
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name} imports relatively, write the whole name"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("mpm3d.")}
    return rooms & set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    room = room_of(path)
    if room == "__init__":
        return
    assert room in LEVEL, f"{room} is not in the table of levels"
    for other in imported_rooms(path) - {room}:
        assert LEVEL[other] < LEVEL[room], f"{room} (level {LEVEL[room] + 1}) imports {other}"


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, mpm3d; print([m for m in ('torch', 'pyvista', 'xarray') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("folder", ["pipelines", "notebooks"])
def test_scripts_use_public_names_only(folder: str) -> None:
    for path in (PACKAGE.parent / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mpm3d"):
                assert not [a.name for a in node.names if a.name.startswith("_")], path


def test_rooms_are_loaded_when_they_are_used() -> None:
    import mpm3d

    assert set(dir(mpm3d)) >= {"cube", "view", "__version__"}
    assert mpm3d.grid.Grid is not None
    with pytest.raises(AttributeError, match=r"has no attribute .cubes.\. It has blocks, cube"):
        mpm3d.cubes  # noqa: B018
