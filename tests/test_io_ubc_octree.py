"""UBC OcTree meshes and models."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d.errors import FormatError
from mpm3d.io import ubc
from mpm3d.lattice import BlockModel, Frame

DATA = Path(__file__).parent / "data/ubc"
HEAD = "4 2 2\n1000 2000 300\n10 20 5\n"
ROWS = "1 1 1 2\n3 1 1 1\n4 1 1 1\n3 2 1 1\n4 2 1 1\n3 1 2 1\n4 1 2 1\n3 2 2 1\n4 2 2 1\n"


def test_cells_lie_from_the_top_south_western_corner_and_k_counts_down():
    model = ubc.read_octree(DATA / "tree.msh", {"v": DATA / "tree.mod"})
    assert model.kind == "UBC OcTree mesh"
    assert model.bounds == (1000, 2000, 290, 1040, 2040, 300)
    # row 1: two by two by two smallest cells of 10, 20 and 5 m
    assert model.centres[0].tolist() == [1010, 2020, 295]
    assert model.sizes[0].tolist() == [20, 40, 10]
    # row 8: i 3, j 2, k 2
    (row,) = np.flatnonzero(model.values["v"] == 77)
    assert model.centres[row].tolist() == [1025, 2030, 292.5]
    assert model.sizes[row].tolist() == [10, 20, 5]
    assert "k down, from 1 at the top" in model.layout
    assert model.notes == (
        "The six counts 0 0 0 0 0 0 of a padding on line 1 are for drawing only and left out.",
    )


def _discretize():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import discretize
    return discretize


def _by_centre(centres: np.ndarray, values: np.ndarray) -> dict:
    return dict(zip(map(tuple, np.round(centres, 6).tolist()), values.tolist(), strict=True))


def test_discretize_puts_the_values_in_the_same_cells():
    tree = _discretize().TreeMesh.read_UBC(str(DATA / "tree.msh"))
    values = tree.read_model_UBC(str(DATA / "tree.mod"))
    model = ubc.read_octree(DATA / "tree.msh", {"v": DATA / "tree.mod"})
    assert _by_centre(tree.cell_centers, values) == _by_centre(model.centres, model.values["v"])


@pytest.mark.corpus
def test_corpus_octree_is_that_of_discretize(corpus_dir, tmp_path):
    path = corpus_dir / "ubc/octree_simpeg/OctreeMesh-test.msh"
    tree = _discretize().TreeMesh.read_UBC(str(path))
    (tmp_path / "v.mod").write_text("\n".join(map(str, range(8128))))
    values = tree.read_model_UBC(str(tmp_path / "v.mod"))
    model = ubc.read_octree(path, {"v": tmp_path / "v.mod"})
    assert len(model.centres) == 8128
    assert model.bounds == (-1600, -1600, -1600, 1600, 1600, 1600)
    assert model.notes == ()
    assert _by_centre(tree.cell_centers, values) == _by_centre(model.centres, model.values["v"])
    sizes = _by_centre(tree.cell_centers, tree.h_gridded[:, 0])
    assert sizes == _by_centre(model.centres, model.sizes[:, 0])
    ubc.write_octree(tmp_path / "again.msh", model)
    assert (tmp_path / "again.msh").read_text().split()[10:] == path.read_text().split()[10:]


@st.composite
def trees(draw) -> list[tuple[int, int, int, int]]:
    """Cells of a tree of up to three levels in a box of 8 × 4 × 4 smallest cells."""
    todo = [(1, 1, 1, 4), (5, 1, 1, 4)]
    cells = []
    while todo:
        i, j, k, size = todo.pop()
        if size > 1 and draw(st.booleans()):
            half = size // 2
            todo += [
                (i + a * half, j + b * half, k + c * half, half)
                for c in (0, 1)
                for b in (0, 1)
                for a in (0, 1)
            ]
        else:
            cells.append((i, j, k, size))
    # the order of UBC programs, which discretize takes for granted
    return sorted(cells, key=lambda cell: cell[2::-1])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees())
def test_write_then_read_is_identity_and_what_discretize_reads(tmp_path, cells):
    rows = np.array(cells)
    size = rows[:, 3:] * (10.0, 20, 5)
    first = (rows[:, :3] - 1) * (10.0, 20, 5)
    low = np.array([1000.0, 2000, 300]) + first * (1, 1, -1)
    model = BlockModel("t", low + size / 2 * (1, 1, -1), size, {"v": np.arange(len(rows)) + 0.5})
    ubc.write_octree(tmp_path / "t.msh", model)
    ubc.write_model(tmp_path / "t.mod", model.values["v"])
    again = ubc.read_octree(tmp_path / "t.msh", {"v": tmp_path / "t.mod"})
    np.testing.assert_allclose(again.centres, model.centres)
    np.testing.assert_allclose(again.sizes, model.sizes)
    np.testing.assert_array_equal(again.values["v"], model.values["v"])
    assert again.notes == ()
    tree = _discretize().TreeMesh.read_UBC(str(tmp_path / "t.msh"))
    if tree.n_cells == len(rows):  # discretize splits cells beside much smaller ones
        values = tree.read_model_UBC(str(tmp_path / "t.mod"))
        assert _by_centre(tree.cell_centers, values) == _by_centre(again.centres, again.values["v"])


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees(), st.data())
def test_air_of_an_octree_is_found_as_on_the_smallest_cells(tmp_path, cells, data):
    air = np.array(data.draw(st.lists(st.booleans(), min_size=len(cells), max_size=len(cells))))
    fine = np.zeros((4, 4, 8), bool)  # k down, j, i
    for (i, j, k, size), mark in zip(cells, air, strict=True):
        fine[k - 1 : k - 1 + size, j - 1 : j - 1 + size, i - 1 : i - 1 + size] = mark
    # going down, once rock no air
    on_top = bool(np.all(fine[:-1] | ~fine[1:]))
    text = "8 4 4\n0 0 0\n1 1 1\n" + f"{len(cells)}\n"
    (tmp_path / "t.msh").write_text(text + "\n".join(" ".join(map(str, cell)) for cell in cells))
    (tmp_path / "t.mod").write_text("\n".join("-100" if mark else "0.5" for mark in air))
    found = ubc.read_octree(tmp_path / "t.msh", {"v": tmp_path / "t.mod"}).values["v"]
    np.testing.assert_array_equal(np.isnan(found), air & (on_top and not air.all()))


def test_vectors_have_three_values_on_each_row(tmp_path):
    (tmp_path / "v.fld").write_text("\n".join(f"{n} {10 + n} {20 + n}" for n in range(9)))
    model = ubc.read_octree(DATA / "tree.msh", {"m": tmp_path / "v.fld"})
    assert [model.values[name][7] for name in ("m_x", "m_y", "m_z")] == [7, 17, -27]


def test_cells_that_leave_a_gap_are_read_and_it_is_said(tmp_path):
    (tmp_path / "t.msh").write_text(HEAD + "8\n" + ROWS.removesuffix("4 2 2 1\n"))
    model = ubc.read_octree(tmp_path / "t.msh")
    assert len(model.centres) == 8
    # 15 of 16 smallest cells
    assert model.notes == ("The cells fill 93.8% of the box of the mesh, the rest has none.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "should be the counts, corner, smallest cell and cells of an OcTree mesh"),
        ("4 3 2\n0 0 0\n1 1 1 1\n1 1 1\n1 1\n", "should be the counts, corner, smallest cell and cells"),
        (HEAD + "10\n" + ROWS, "line 4: line 4 says 10 cells, and 9 rows of i, j, k, size follow"),
        (HEAD + "9\n" + ROWS[:-8], "and 8 rows of i, j, k, size follow. The mesh may be truncated"),
        (HEAD + "9\n" + ROWS[:-3], "and 8.75 rows"),
        (HEAD + "1000000000000\n" + ROWS, "line 4: line 4 says 1000000000000 cells, and 9 rows"),
        (HEAD + "0\n", "line 4 says 0 cells"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 x 1"), "line 8: 'x' is not a number"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 0 1"), "must be whole numbers from 1 to 1048576"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 1.5 1"), "must be whole numbers from 1"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 nan 1"), "must be whole numbers from 1"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 1 3"), r"cell 4 \(3 2 1 3\) is not one of an OcTree"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 2 1 2"), r"cell 4 \(3 2 1 2\) is not one of an OcTree"),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "5 2 1 1"), "cells lie at multiples of their size within"),
        (
            HEAD + "9\n" + ROWS.replace("3 2 1 1", "2 2 1 1"),
            "two cells of the OcTree overlap, one of them of size 2",
        ),
        (HEAD + "9\n" + ROWS.replace("3 2 1 1", "3 1 1 1"), "two cells of the OcTree overlap"),
        (HEAD.replace("10 20 5", "10 -20 5") + "9\n" + ROWS, "line 3: the smallest cell is"),
        (HEAD.replace("1000", "1e20") + "9\n" + ROWS, "line 2: the corner .* lies more than"),
        (
            HEAD.replace("4 2 2", "1099511627776 2 2") + "9\n" + ROWS,
            "line 1: .* smallest cells .* not possible",
        ),
    ],
)
def test_damaged_octrees_are_refused_with_the_reason(tmp_path, text, message):
    (tmp_path / "t.msh").write_text(text)
    with pytest.raises(FormatError, match=message):
        ubc.read_octree(tmp_path / "t.msh")


def test_models_of_other_octrees_are_refused(tmp_path):
    (tmp_path / "v.mod").write_text("1\n" * 10)
    with pytest.raises(
        FormatError, match=r"there are 10 values and the mesh has 9 cells \(9 rows of the OcTree\)"
    ):
        ubc.read_octree(DATA / "tree.msh", {"v": tmp_path / "v.mod"})


def test_blocks_that_are_no_octree_are_not_written(tmp_path):
    tree = ubc.read_octree(DATA / "tree.msh")
    path = tmp_path / "t.msh"
    with pytest.raises(ValueError, match="'tree' is rotated or has no blocks"):
        ubc.write_octree(path, replace(tree, frame=Frame.rotated((0, 0, 0), 30)))
    with pytest.raises(ValueError, match="make no OcTree: they are not whole numbers of the smallest block"):
        ubc.write_octree(path, replace(tree, centres=tree.centres + np.arange(9)[:, None]))
    with pytest.raises(ValueError, match="make no OcTree: two cells of the OcTree overlap"):
        ubc.write_octree(path, replace(tree, centres=tree.centres[[0, 1, 1, 3, 4, 5, 6, 7, 8]]))
    assert list(tmp_path.iterdir()) == []
