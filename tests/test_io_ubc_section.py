"""UBC meshes and models in two dimensions."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.io import ubc

DATA = Path(__file__).parent / "data/ubc"
MESH = "2\n-50 -20 1\n10 3\n1\n0 10 2\n"


def test_segments_make_cells_and_depths_become_elevations():
    model = ubc.read_section(DATA / "section.msh")
    z, y, x = model.edges
    assert x.tolist() == [-50, -20, -10, 0, 10, 60]
    assert z.tolist() == [-40, -10, -5, 0]
    # as thick as the narrowest cell along the line
    assert y.tolist() == [-5, 5]
    assert model.kind == "UBC 2D mesh"
    assert model.z_positive == "Depth"
    assert model.frame is None
    assert model.notes == (
        "Depths are positive downwards in the file; depth 0 is elevation 0 m.",
        "The section is given a thickness of 10 m, half of it on each side of the line.",
        "The section is not placed: x is the distance along the line and y is 0.",
    )


def test_values_run_along_the_line_from_the_top():
    model = ubc.read_section(DATA / "section.msh", {"con": DATA / "section.con"}, units={"con": "S/m"})
    assert model.values["con"].shape == (3, 1, 5)
    assert model.values["con"][2, 0].tolist() == [1e-3, 2e-3, 3e-3, 4e-3, 5e-3]
    assert model.values["con"][0, 0, 1] == 22e-3
    # the top cell at the beginning, 30 m wide and 5 m thick
    assert model.first_centre == (-35, 0, -2.5)
    assert "along the line fastest, then downwards, from the top" in model.layout


def test_a_section_is_placed_on_a_line():
    place = ubc.Place(line=((1000, 2000), (1003, 2004)), top=350, thickness=2)
    model = ubc.read_section(DATA / "section.msh", {"con": DATA / "section.con"}, place=place)
    # along the line (3, 4) / 5; depth 0 at 350 m
    np.testing.assert_allclose(model.first_centre, (1000 - 35 * 0.6, 2000 - 35 * 0.8, 347.5))
    np.testing.assert_allclose(
        model.bounds, (1000 - 30 - 0.8, 2000 - 40 - 0.6, 310, 1000 + 36 + 0.8, 2000 + 48 + 0.6, 350)
    )
    assert model.edges[1].tolist() == [-1, 1]
    assert "Distance 0 of the section is at (1000, 2000) and grows towards (1003, 2004)." in model.notes
    assert "Depths are positive downwards in the file; depth 0 is elevation 350 m." in model.notes


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ({"line": ((1, 2), (1, 2))}, r"the line \(\(1, 2\), \(1, 2\)\) has no direction"),
        ({"line": ((1, 2), (np.nan, 2))}, "has no direction"),
        ({"thickness": 0}, "thickness=0 m is not possible, it must be above 0"),
        ({"top": np.inf}, "top=inf is not an elevation"),
    ],
)
def test_places_that_cannot_be_are_refused(place, message):
    with pytest.raises(ValueError, match=message):
        ubc.Place(**place)


def test_discretize_reads_the_same_section():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import discretize
    mesh = discretize.TensorMesh.read_UBC(str(DATA / "section.msh"))
    model = ubc.read_section(DATA / "section.msh", {"con": DATA / "section.con"})
    z, _, x = model.edges
    np.testing.assert_allclose(mesh.nodes_x, x)
    np.testing.assert_allclose(mesh.nodes_y, z)
    cells = mesh.read_model_UBC(str(DATA / "section.con")).reshape(3, 5)  # x fastest, bottom up
    np.testing.assert_array_equal(model.values["con"][:, 0], cells)


def test_a_model_without_its_counts_is_read_too(tmp_path):
    text = (DATA / "section.con").read_text()
    (tmp_path / "bare.con").write_text(text.split("\n", 1)[1])
    bare = ubc.read_section(DATA / "section.msh", {"con": tmp_path / "bare.con"})
    full = ubc.read_section(DATA / "section.msh", {"con": DATA / "section.con"})
    np.testing.assert_array_equal(bare.values["con"], full.values["con"])


def test_air_of_dcip2d_is_recognised(tmp_path):
    (tmp_path / "m.msh").write_text("1\n0 20 2\n1\n0 30 3\n")
    # 1e-8 times the mean conductivity below, and the chargeability of air
    (tmp_path / "m.con").write_text("2 3\n2.5e-11 1e-3\n2.5e-11 2e-3\n3e-3 4e-3\n")
    (tmp_path / "m.chg").write_text("2 3\n-1e30 1\n-1e30 2\n3 4\n")
    files = {"con": tmp_path / "m.con", "chg": tmp_path / "m.chg"}
    model = ubc.read_section(tmp_path / "m.msh", files)
    for values in model.values.values():
        assert np.isnan(values[:, 0]).tolist() == [[False, False], [True, False], [True, False]]
    assert any("2 cells of 'con' hold 2.5e-11, which is taken as air" in note for note in model.notes)
    kept = ubc.read_section(tmp_path / "m.msh", files, missing=())
    assert not np.isnan(kept.values["con"]).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the number of horizontal segments is nan, a 2D UBC mesh has 1 to 100000"),
        (MESH.replace("2\n", "0\n", 1), "the number of horizontal segments is 0"),
        (MESH.replace("2\n", "1000000000000\n", 1), r"the number of horizontal segments is 1e\+12"),
        (MESH.replace("2\n", "9\n", 1), "the mesh ends within its 9 horizontal segments"),
        (MESH[:-6], "the mesh ends within its 1 vertical segments, it may be truncated"),
        (MESH.replace("0 10 2", "0 -10 2"), r"the ends of the vertical segments must increase .*: 0, -10"),
        (MESH.replace("10 3", "nan 3"), "the ends of the horizontal segments must increase"),
        (MESH.replace("10 3", "1e300 3"), "the ends of the horizontal segments must increase and be below"),
        (
            MESH.replace("10 3", "10 1000000000000"),
            r"horizontal segments have 1, 1e\+12 cells, whole numbers",
        ),
        (MESH.replace("10 3", "10 -3"), "horizontal segments have 1, -3 cells"),
        (MESH.replace("10 3", "10 2.5"), "horizontal segments have 1, 2.5 cells"),
        (MESH.replace("10 3", "-19.99999999999999 9"), "cells of the horizontal segments are too thin"),
        (MESH + "7 8\n", "2 numbers follow the mesh, which should end there"),
        (MESH.replace("10 3", "ten 3"), "line 3: 'ten' is not a number"),
        ("4 3 2\n1000 2000 50\n10 20 30 40\n5 5 5\n2 8\n", "this is a 3D UBC mesh .* io.ubc.read_model"),
    ],
)
def test_damaged_sections_are_refused_with_the_reason(tmp_path, text, message):
    (tmp_path / "m.msh").write_text(text)
    with pytest.raises(FormatError, match=message):
        ubc.read_section(tmp_path / "m.msh")


@pytest.mark.parametrize("text", ["4 2\n" + "1 " * 8, "1 " * 7, "2 4\n" + "1 " * 9, ""])
def test_models_of_other_sections_are_refused(tmp_path, text):
    (tmp_path / "m.msh").write_text(MESH)
    (tmp_path / "m.con").write_text(text)
    if text.startswith("4 2"):
        assert ubc.read_section(tmp_path / "m.msh", {"v": tmp_path / "m.con"}).shape == (2, 1, 4)
        return
    with pytest.raises(FormatError, match=r"the counts 4 2 .* and their 8 values are expected"):
        ubc.read_section(tmp_path / "m.msh", {"v": tmp_path / "m.con"})
