"""Resistivity as rows of x, y, z, resistivity."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.geometry import Points
from mpm3d.io import resistivity
from mpm3d.io.files import read_head
from mpm3d.io.options import Options
from mpm3d.lattice import PropertyModel

X, Y, Z = [100.0, 110, 140, 160], [0.0, 50, 60], [-400.0, -100, -20, 0, 5]


def rows(order: str = "xyz") -> list[tuple[float, float, float, float]]:
    """Centres with resistivity 100 k + 10 j + i + 1, the last letter fastest."""
    found = [
        (x, y, z, 100 * k + 10 * j + i + 1.0)
        for i, x in enumerate(X) for j, y in enumerate(Y) for k, z in enumerate(Z)
    ]  # fmt: skip
    return sorted(
        found, key=lambda row: ["xyz".index(c) for c in order] and [row["xyz".index(c)] for c in order]
    )


def text_of(table: list, header: str = "", mark: str = " ") -> str:
    return header + "".join(mark.join(f"{v:g}" for v in row) + "\n" for row in table)


def write(folder: Path, text: str | bytes, name: str = "mt.xyz") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("order", ["xyz", "zyx", "yxz"])
@pytest.mark.parametrize("mark", [" ", "\t", ",", " ; "])
def test_a_complete_lattice_is_a_model_in_any_order(tmp_path, order, mark):
    model = resistivity.read_table(write(tmp_path, text_of(rows(order), mark=mark)))
    assert isinstance(model, PropertyModel)
    assert model.kind == "resistivity table"
    assert model.shape == (5, 3, 4)
    assert model.values["resistivity"][4, 1, 2] == 413  # z 5, y 50, x 140
    assert model.units == {"resistivity": "ohm.m"}
    # midway between the centres, as far outwards as inwards
    assert model.edges[2].tolist() == [95, 105, 125, 150, 170]
    assert model.edges[1].tolist() == [-25, 25, 55, 65]
    assert model.edges[0].tolist() == [-550, -250, -60, -10, 2.5, 7.5]
    first = rows(order)[0]
    assert model.first_centre == first[:3]
    assert any("Cells end midway between centres" in note for note in model.notes)
    assert "No names stand above the columns" in model.notes[0]
    assert "z is taken as an elevation, positive upwards." in model.notes


def test_depths_become_elevations_when_named_or_asked_for(tmp_path):
    table = [(x, y, -z, rho) for x, y, z, rho in rows()]
    asked = resistivity.read_table(write(tmp_path, text_of(table)), z_positive="down")
    named = resistivity.read_table(write(tmp_path, text_of(table, "# east north depth(m) rho\n")))
    for model in (asked, named):
        assert model.edges[0].tolist() == [-550, -250, -60, -10, 2.5, 7.5]
        assert model.values["resistivity"][4, 1, 2] == 413
        assert model.z_positive == "Depth"
        assert "z is a depth, positive downwards, and is turned into an elevation." in model.notes
    up = resistivity.read_table(write(tmp_path, text_of(rows(), "x y depth rho\n")), z_positive="up")
    assert up.edges[0][0] == -550


def test_what_looks_like_a_depth_is_said(tmp_path):
    table = [(x, y, 400 - z, rho) for x, y, z, rho in rows()]
    model = resistivity.read_table(write(tmp_path, text_of(table)))
    assert any("may be a depth" in note and "z_positive='down'" in note for note in model.notes)
    plain = resistivity.read_table(write(tmp_path, text_of(rows())))
    assert not any("may be a depth" in note for note in plain.notes)


def test_names_say_the_order_of_the_columns(tmp_path):
    table = [(y, x, rho, z, 7 * rho) for x, y, z, rho in rows()]
    header = "% from a model\n% all in metres\nNorthing(m) Easting(m) Resistivity(ohm.m) Elev(m) sens\n"
    model = resistivity.read_table(write(tmp_path, text_of(table, header)))
    assert model.shape == (5, 3, 4)
    assert model.values["resistivity"][4, 1, 2] == 413
    assert model.values["sens"][4, 1, 2] == 7 * 413
    assert not any("No names" in note for note in model.notes)


@pytest.mark.parametrize("header", ["x y z log10_rho\n", "# X Y Z log10(Resistivity)\n", "x\ty\tz\tlogRho\n"])
def test_logarithms_are_taken_back_when_named(tmp_path, header):
    table = [(x, y, z, np.log10(rho)) for x, y, z, rho in rows()]
    text = header + "".join(" ".join(map(repr, map(float, row))) + "\n" for row in table)
    model = resistivity.read_table(write(tmp_path, text))
    np.testing.assert_allclose(model.values["resistivity"][4, 1, 2], 413)
    assert "Resistivities are decimal logarithms and are turned into ohm.m." in model.notes
    linear = resistivity.read_table(write(tmp_path, text), scale="linear")
    np.testing.assert_allclose(linear.values["resistivity"][4, 1, 2], np.log10(413))


def test_what_may_be_logarithms_is_said(tmp_path):
    table = [(x, y, z, -1.5 if rho == 413 else 2.0) for x, y, z, rho in rows()]
    model = resistivity.read_table(write(tmp_path, text_of(table)))
    assert np.isnan(model.values["resistivity"][4, 1, 2])
    assert "1 of 60 resistivities are not above 0: no value." in model.notes
    assert any("scale='log10'" in note for note in model.notes)
    asked = resistivity.read_table(write(tmp_path, text_of(table)), scale="log10")
    np.testing.assert_allclose(asked.values["resistivity"][4, 1, 2], 10**-1.5)


def test_air_is_missing_and_said_to_be(tmp_path):
    table = [(x, y, z, 1e12 if z == 5 else rho) for x, y, z, rho in rows()]
    model = resistivity.read_table(write(tmp_path, text_of(table)))
    assert np.isnan(model.values["resistivity"][4]).all()
    assert "12 of 60 rows hold 1e12 ohm.m or more, which is air: no value." in model.notes


@pytest.mark.parametrize(
    ("drop", "why"), [(1, "59 rows are not all places of a lattice (4 × 3 × 5"), (58, "")]
)
def test_other_places_are_points(tmp_path, drop, why):
    points = resistivity.read_table(write(tmp_path, text_of(rows()[:-drop])))
    if drop == 58:  # two centres, one above the other
        assert isinstance(points, PropertyModel)
        return
    assert isinstance(points, Points)
    assert points.kind == "resistivity table"
    assert points.vertices[0].tolist() == [100, 0, -400]
    assert points.properties["resistivity"][0] == 1
    assert any(why in note for note in points.notes)


def test_places_that_occur_twice_are_points(tmp_path):
    table = [*rows()[:-1], rows()[0]]
    # as many rows as places, but one is missing: 160, 60, 5
    points = resistivity.read_table(write(tmp_path, text_of(table)))
    assert isinstance(points, Points)
    assert points.notes[-1] == "Some places occur twice and others of their lattice are missing: points."


def test_a_section_is_as_thick_as_its_narrowest_cell(tmp_path):
    table = [row for row in rows() if row[1] == 50]
    model = resistivity.read_table(write(tmp_path, text_of(table)))
    assert model.shape == (5, 1, 4)
    assert model.edges[1].tolist() == [47.5, 52.5]
    assert "There is one centre along y: its cell is as wide as the narrowest others, 5 m." in model.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no row of four numbers"),
        ("x y z\n1 2 3\n", "no row of four numbers"),
        ("1 2 3 4 5\n1 2 3 4 5\n", "line 1: there are 5 columns without names, four are expected"),
        ("a b c d\n1 2 3 4\n", "line 2: the columns a, b, c, d do not name x, y, z"),
        ("lon lat depth rho\n1 2 3 4\n", "line 2: places are longitudes and latitudes, metres are needed"),
        ("1 2 3 4\n5 6 7\n", "line 2: this row has 3 numbers, 4 are expected as in the first one"),
        ("1,2,3,4\n5,,7,8\n", "line 2: this row has 3 numbers"),
        ("# c\n1 2 3 4\n5 6 x 8\n", "line 3: 'x' is not a number"),
        ("1 2 3 4\n5 nan 7 8\n", r"row 2 is at \[5.0, nan, 7.0\], which is not a place"),
        ("1 2 3 4\n5 1e300 7 8\n", "row 2 is at"),
        ("1 2 3 4\n5 inf 7 8\n", "row 2 is at"),
    ],
)
def test_damaged_tables_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        resistivity.read_table(write(tmp_path, text))


def test_choices_must_be_known(tmp_path):
    path = write(tmp_path, text_of(rows()))
    with pytest.raises(ValueError, match="z_positive='Depth' is not known, use 'up' or 'down'"):
        resistivity.read_table(path, z_positive="Depth")
    with pytest.raises(ValueError, match="scale='ln' is not known, use 'linear' or 'log10'"):
        resistivity.read_table(path, scale="ln")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_shuffled_lattice_comes_back(tmp_path, data):
    lines = [
        np.round(np.cumsum(data.draw(st.lists(st.floats(0.1, 1e4), min_size=2, max_size=4))), 3)
        for _ in range(3)
    ]
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 3)
    rho = np.arange(1.0, len(grid) + 1)
    order = data.draw(st.permutations(range(len(grid))))
    text = "".join(" ".join(map(repr, [*grid[i].tolist(), float(rho[i])])) + "\n" for i in order)
    model = resistivity.read_table(write(tmp_path, gzip.compress(text.encode()), "m.xyz.gz"))
    np.testing.assert_array_equal(
        model.values["resistivity"], rho.reshape([len(line) for line in lines]).transpose(2, 1, 0)
    )
    for edges, centres in zip(model.edges, lines[::-1], strict=True):
        assert np.all((edges[:-1] < centres) & (centres < edges[1:]))


@pytest.mark.parametrize(
    "text",
    [
        text_of(rows()), text_of(rows("zyx"), mark=","), "# x y z rho\n" + text_of(rows()),
        "X Y Z RHO\n1 2 3 4\n5 6 7 8\n",
        "! resistivity of a model, ohm.m\n1 2 3 4\n9 6 7 8\n",
        text_of([(x, y, z, 5.0) for z in range(9) for y in range(40) for x in range(30)]),
    ],
)  # fmt: skip
def test_tables_of_resistivity_are_known(tmp_path, text):
    path = write(tmp_path, text, "what.ever")
    assert resistivity.matches(path, read_head(path))
    assert resistivity.read_bodies(path, Options())


@pytest.mark.parametrize(
    "text",
    [
        "", "x,y,z\n1,2,3\n", text_of(rows(), "x,y,z,rho\n", ","), text_of(rows(), "x;y;z;rho\n", ";"),
        text_of(rows(), "x\ty\tz\trho\n", "\t"), "1 2 3 4\n5 6 7 8\n",
        text_of([(n, n * n, n**3, 1) for n in range(20)]), "# i j k v\n" + text_of(rows()),
        text_of([(x, y, z, -rho) for x, y, z, rho in rows()]),
        "4 3 2\n1000 2000 50\n10 20 30 40\n5 5 5\n2 8\n",
        "0.5\n" * 50, "x y z v\n1 2 3 4\n5 6 7 8\n", b"\x00" * 50, b"\xff\xd8\xff" * 99, "GOCAD TSurf 1\n",
        text_of([(n, n + 1, 3, 9.5) for n in range(9000)]),
    ],
)  # fmt: skip
def test_other_tables_and_junk_are_not(tmp_path, text):
    path = write(tmp_path, text, "what.xyz")
    assert not resistivity.matches(path, read_head(path))


@pytest.mark.corpus
def test_corpus_files_of_other_formats_are_not_known(corpus_dir):
    for path in sorted(corpus_dir.rglob("*")):
        if path.is_file():
            assert not resistivity.matches(path, read_head(path)), path


@pytest.mark.parametrize("name", ["LOG10RHO", "log10_resistivity", "LogRes"])
def test_names_of_logarithms_are_known_in_one_word(tmp_path, name):
    lines = [f"X Y Z {name}", *(f"{x} {y} {z} {np.log10(rho)}" for x, y, z, rho in rows())]
    (body,) = io.read(write(tmp_path, "\n".join(lines), "mt.txt"))
    assert body.kind == "resistivity table"
    (plain,) = io.read(write(tmp_path, "\n".join(" ".join(map(str, row)) for row in rows()), "plain.txt"))
    np.testing.assert_allclose(body.values["resistivity"], plain.values["resistivity"])
