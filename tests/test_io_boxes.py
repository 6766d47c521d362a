"""Rows of cells made of voxets, structured grids and blocks, and left where they are."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
import pytest

from mpm3d.io import export
from mpm3d.io.boxes import model_of
from mpm3d.lattice import BlockModel, Frame, PropertyModel, StructuredGrid, Voxet

WIDTHS = (np.array([7.0, 2.0]), np.array([5.0, 6.0, 9.0]), np.array([10.0, 20.0, 30.0, 4.0]))  # w, v, u
SHAPE = (2, 3, 4)
FIRST = np.array([500000.0, 7000000.0, 300.0])


def marked() -> np.ndarray:
    return np.arange(24, dtype=np.float32).reshape(SHAPE)


def structured(axes: np.ndarray) -> StructuredGrid:
    """Cells of unequal widths along three axes."""
    w, v, u = (np.concatenate([[0.0], np.cumsum(widths)]) for widths in WIDTHS)
    local = np.stack(np.broadcast_arrays(u, v[:, None], w[:, None, None]), axis=-1)
    return StructuredGrid("g", FIRST + local @ axes, {"v": marked()})


def places(model: PropertyModel) -> dict[float, np.ndarray]:
    """Centre of the cell of each value."""
    lines = [(edges[1:] + edges[:-1]) / 2 for edges in model.edges]
    z, y, x = np.meshgrid(*lines, indexing="ij")
    centres = np.stack([x, y, z], axis=-1).reshape(-1, 3)
    centres = centres if model.frame is None else model.frame.to_world(centres)
    return dict(zip(np.asarray(model.values["v"]).ravel().tolist(), centres, strict=True))


def assert_in_place(model: PropertyModel, centres: np.ndarray, off: float = 1e-6) -> None:
    found = places(model)
    for value, centre in zip(marked().ravel().tolist(), centres.reshape(-1, 3), strict=True):
        np.testing.assert_allclose(found[value], centre, rtol=0, atol=off)


SIGNED = [
    np.eye(3)[list(order)] * np.array(signs)[:, None]
    for order, signs in product(permutations(range(3)), product((1, -1), repeat=3))
]


@pytest.mark.parametrize("axes", SIGNED, ids=str)
def test_lattices_along_the_axes_in_any_order_and_sense_become_models_without_a_frame(axes):
    grid = structured(axes)
    model = model_of(grid)
    assert model.frame is None
    assert_in_place(model, grid.centres())
    np.testing.assert_allclose(model.bounds, grid.bounds, rtol=0, atol=1e-6)


@pytest.mark.parametrize("degrees", [-150, -60, -44, 20, 46, 90.5, 179])
@pytest.mark.parametrize("down", [1, -1])
def test_turned_lattices_get_a_frame_that_is_right_handed_and_looks_up(degrees, down):
    axes = Frame.rotated((0, 0, 0), degrees).axes * np.array([1, 1, down])[:, None]
    grid = structured(axes)
    model = model_of(grid)
    assert model.frame is not None
    assert np.linalg.det(model.frame.axes) == pytest.approx(1)
    assert model.frame.axes[2, 2] == pytest.approx(1)
    assert_in_place(model, grid.centres())
    equal = replace(grid, values={})
    voxet = Voxet("w", FIRST, axes * np.array([[3.0], [2], [5]]), SHAPE, {"v": marked()})
    w, v, u = np.meshgrid(*(np.arange(n) for n in SHAPE), indexing="ij")
    assert_in_place(model_of(voxet), FIRST + np.stack([u, v, w], axis=-1) @ voxet.steps)
    assert not model_of(equal).values


def test_turned_points_of_32_bits_are_still_rows():
    grid = structured(Frame.rotated((0, 0, 0), 20).axes)
    near = grid.points - [490000, 6990000, 0]  # 32 bits hold 10000 m to the millimetre
    grid = replace(grid, points=near.astype(np.float32).astype(float))
    model = model_of(grid)
    assert model.frame is not None
    assert_in_place(model, grid.centres(), off=2e-3)


@pytest.mark.parametrize(
    "bend",
    [
        lambda p: p + np.stack([0 * p[..., 0], 0 * p[..., 0], 0.1 * (p[..., 0] - FIRST[0])], axis=-1),
        lambda p: p + np.sin(p[..., :1] / 10),
        lambda p: p * [1, 1, 0],
        lambda p: np.where(np.arange(5)[:, None] == 2, np.nan, p),
    ],
    ids=["skewed", "bent", "flat", "nan"],
)
def test_other_lattices_are_no_boxes(bend):
    grid = structured(np.eye(3))
    with pytest.raises(ValueError, match=r"the cells of 'g' are no boxes in rows\. Resample them"):
        model_of(replace(grid, points=bend(grid.points)))


def test_values_at_points_and_regions_are_said_to_be_left_out():
    grid = structured(np.eye(3))
    grid = replace(
        grid, values={**grid.values, "p": np.zeros((3, 4, 5))}, regions={"r": np.ones(SHAPE, bool)}
    )
    model = model_of(grid)
    assert list(model.values) == ["v"]
    assert model.notes[-1] == "p, r: values at points and regions were left out."


def blocks(keep: np.ndarray | None = None) -> BlockModel:
    grid = structured(np.eye(3))
    w, v, u = WIDTHS
    sizes = np.stack(np.broadcast_arrays(u, v[:, None], w[:, None, None]), axis=-1).reshape(-1, 3)
    keep = np.ones(24, bool) if keep is None else keep
    return BlockModel("b", grid.centres().reshape(-1, 3)[keep], sizes[keep], {"v": marked().ravel()[keep]})


def test_blocks_in_rows_of_several_widths_become_a_model_in_any_order():
    whole = blocks()
    order = np.random.default_rng(0).permutation(24)
    body = BlockModel("b", whole.centres[order], whole.sizes[order], {"v": whole.values["v"][order]})
    model = model_of(body)
    assert model.shape == SHAPE
    assert_in_place(model, whole.centres)


def test_rows_without_blocks_keep_their_room():
    middle = np.ones(SHAPE, bool)
    middle[:, :, 1] = False
    model = model_of(blocks(middle.ravel()))
    assert model.shape == SHAPE
    np.testing.assert_allclose(np.diff(model.edges[2]), WIDTHS[2])
    np.testing.assert_array_equal(np.isnan(model.values["v"]), ~middle)
    assert model.values["v"][1, 2, 3] == 23


def test_blocks_that_share_a_row_with_others_of_another_width_make_no_model():
    body = blocks()
    sizes = body.sizes.copy()
    sizes[5, 0] = 3.0
    with pytest.raises(ValueError, match="not of one size, so they make no lattice"):
        model_of(replace(body, sizes=sizes))
    again = [*range(24), 0]
    twice = BlockModel("b", body.centres[again], body.sizes[again], {"v": np.zeros(25)})
    with pytest.raises(ValueError, match="not of one size"):
        model_of(twice)


def test_blocks_in_rows_go_to_a_tensor_mesh_where_they_make_no_octree(tmp_path):
    from mpm3d import io

    done = export.write(tmp_path / "b.msh", [blocks()])
    assert "'b': its blocks make no OcTree, so they became a tensor mesh." in done.notes
    (body,) = io.read(tmp_path / "b_v.mod")
    assert list(body.values) == ["v"]
    assert_in_place(body, blocks().centres)
    lone = replace(blocks(), sizes=blocks().sizes + np.arange(24)[:, None] / 100)
    with pytest.raises(ValueError, match="make no OcTree"):
        export.write(tmp_path / "c.msh", [lone])
    assert not (tmp_path / "c.msh").exists()


def test_an_axis_of_one_sample_without_a_step_is_refused():
    voxet = Voxet("w", FIRST, np.diag([1.0, 1, 0]), (1, 2, 2), {})
    with pytest.raises(ValueError, match="one sample and no step"):
        model_of(voxet)
