"""GoCAD text objects of a size at which a careless reader runs out of memory or does not end."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mpm3d.geometry import Lines, Points, Surface
from mpm3d.io import gocad

# prints the growth of the largest memory used over what the package itself takes, in bytes
MEASURE = """
import sys
from mpm3d.io import gocad

def most():
    lines = open("/proc/self/status").read().split("\\n")
    return 1024 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])

before = most()
(surface,) = gocad.read_objects(sys.argv[1])
print(most() - before)
"""


def sheet(side: int, **more: object) -> Surface:
    """A rough surface over a square of ``side`` by ``side`` vertices."""
    rough = np.random.default_rng(0).standard_normal(side * side)
    y, x = np.divmod(np.arange(side * side), side)
    vertices = np.column_stack([450_000 + 25.0 * x, 6_500_000 + 25.0 * y, 100 * rough])
    corner = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()[:, None]
    triangles = np.concatenate([corner + np.array(three) for three in ((0, 1, side), (1, side + 1, side))])
    return Surface("sheet", vertices, triangles, np.zeros(len(triangles), np.int64), **more)


@pytest.mark.parametrize("name", ["sheet.ts", "sheet.ts.gz"])
def test_a_large_surface_takes_little_more_memory_than_its_arrays_and_text(tmp_path, name):
    if not Path("/proc/self/status").exists():
        pytest.skip("the most memory a process used is read from /proc")
    rough = np.random.default_rng(1).standard_normal(600 * 600)
    surface = sheet(600, properties={"au": rough})
    gocad.write_surfaces(tmp_path / name, [surface])
    (again,) = gocad.read_objects(tmp_path / name)
    assert np.array_equal(again.vertices, surface.vertices)
    assert np.array_equal(again.triangles, surface.triangles)
    assert np.array_equal(again.properties["au"], rough)
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / name)], check=True, capture_output=True, text=True
    )
    arrays = surface.vertices.nbytes + surface.triangles.nbytes + rough.nbytes
    assert int(found.stdout) < 6 * arrays


def text_of(surface: Surface) -> list[str]:
    """Lines of a surface as the simplest program writes them."""
    vertices = [f"VRTX {k} {x!r} {y!r} {z!r}" for k, (x, y, z) in enumerate(surface.vertices.tolist())]
    return [*vertices, *(f"TRGL {a} {b} {c}" for a, b, c in surface.triangles.tolist())]


@pytest.mark.parametrize("ending", ["\n", "\r\n", " CNXYZ\n", "\n\n# remark\n", " 7 # remark\n"])
def test_every_line_of_a_long_run_is_read_whatever_stands_between(tmp_path, ending):
    surface = sheet(300)
    lines = ["GOCAD TSurf 1", "TFACE", *text_of(surface), "END", ""]
    (tmp_path / "s.ts").write_bytes(ending.join(lines).replace("TSurf 1 CNXYZ", "TSurf 1").encode())
    (again,) = gocad.read_objects(tmp_path / "s.ts")
    assert np.array_equal(again.vertices, surface.vertices)
    assert np.array_equal(again.triangles, surface.triangles)


def test_odd_lines_in_the_middle_of_a_long_run_are_read(tmp_path):
    surface = sheet(300)
    lines = text_of(surface)
    surface.vertices[45_000] = [1e3, 2000, 0.5]
    lines[45_000] = "\t  vrtx 45000\t1D3 2d+3 .5 CNXYZ extra"
    lines[45_001] = lines[45_001].replace("VRTX", "PVRTX") + " 5"
    lines[45_002:45_002] = ["", "# remark", "   ", "ATOM 1000000 44999"]
    path = tmp_path / "s.ts"
    path.write_text("\n".join(["GOCAD TSurf 1", "PROPERTIES p", *lines, "END", ""]))
    (again,) = gocad.read_objects(path)
    expected = np.insert(surface.vertices, 45_002, surface.vertices[44_999], axis=0)
    assert np.array_equal(again.vertices, expected)
    assert np.flatnonzero(~np.isnan(again.properties["p"])).tolist() == [45_001]
    assert np.array_equal(again.vertices[again.triangles], surface.vertices[surface.triangles])


OBJECT = """GOCAD TSurf 1
HEADER {{
name:s{0}
}}
TFACE
VRTX 1 {0} 0 0
VRTX 2 1 0 0
VRTX 3 0 1 0
TRGL 1 2 3
END
"""


# sizes at which time that grows with the square of them would be felt
def test_many_objects(tmp_path):
    path = tmp_path / "s.ts.gz"
    path.write_bytes(gzip.compress("".join(OBJECT.format(k) for k in range(5000)).encode(), 1))
    found = gocad.read_objects(path)
    assert [body.vertices[0, 0] for body in found] == list(range(5000))
    assert found[-1].name == "s4999"


def test_many_groups_in_one_another(tmp_path):
    crs = "GOCAD_ORIGINAL_COORDINATE_SYSTEM\nZPOSITIVE Depth\nEND_ORIGINAL_COORDINATE_SYSTEM\n"
    text = f"GOCAD HomogeneousGroup 1\n{crs}" + "BEGIN_MEMBERS\nGOCAD HeterogeneousGroup 1\n" * 20_000
    (tmp_path / "s.gp").write_text(text + OBJECT.format(7))
    (body,) = gocad.read_objects(tmp_path / "s.gp")
    assert body.z_positive == "Depth"


def test_many_parts(tmp_path):
    n = 20_000
    vertices = np.random.default_rng(0).standard_normal((3 * n + 1, 3))
    rows = 3 * np.arange(n)[:, None] + [0, 1, 2]
    rows[:, 2] += 1  # every part shares a vertex with the next
    part = np.arange(n)
    flags = {"r": np.arange(3 * n + 1) % 2 == 0}
    surface = Surface("s", vertices, rows, part, properties={"p": vertices[:, 0]}, regions=flags)
    gocad.write_surfaces(tmp_path / "s.ts", [surface])
    (again,) = gocad.read_objects(tmp_path / "s.ts")
    assert np.array_equal(again.part, part)
    assert np.array_equal(again.vertices[again.triangles], vertices[rows])
    assert np.array_equal(again.properties["p"][again.triangles], vertices[rows, 0])
    assert np.array_equal(again.regions["r"][again.triangles], rows % 2 == 0)
    lines = Lines("l", vertices, rows[:, :2], part)
    gocad.write_lines(tmp_path / "l.pl", [lines])
    (line,) = gocad.read_objects(tmp_path / "l.pl")
    assert np.array_equal(line.vertices[line.segments], vertices[rows[:, :2]])
    points = Points("p", vertices, part=np.arange(len(vertices)))
    gocad.write_points(tmp_path / "p.vs", [points])
    (point,) = gocad.read_objects(tmp_path / "p.vs")
    assert np.array_equal(point.vertices, vertices)
    assert np.array_equal(point.part, points.part)


def test_many_changes_of_keyword(tmp_path):
    n = 50_000
    lines = [
        line for k in range(n) for line in (f"VRTX {2 * k} {k} 0 0", f"ATOM {2 * k + 1} {max(2 * k - 1, 0)}")
    ]
    (tmp_path / "s.vs").write_text("\n".join(["GOCAD VSet 1", *lines, "END"]))
    (points,) = gocad.read_objects(tmp_path / "s.vs")
    assert points.vertices[::2, 0].tolist() == list(range(n))
    assert not points.vertices[1::2].any()  # each ATOM repeats the one before it, the first the first vertex


def test_junk_after_a_header_ends(tmp_path):
    junk = np.random.default_rng(0).integers(0, 256, 2_000_000, dtype=np.uint8).tobytes()
    (tmp_path / "s.ts").write_bytes(b"GOCAD TSurf 1\nHEADER {\nname:s\n" + junk)
    (body,) = gocad.read_objects(tmp_path / "s.ts", errors="skip")
    assert len(body.vertices) == 0
    assert body.notes == (
        "the object has no END line, the file may be truncated.",
        "the surface has no triangles.",
    )
