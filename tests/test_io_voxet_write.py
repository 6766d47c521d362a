"""GoCAD voxets, written and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d.grid import Grid
from mpm3d.io import gocad
from mpm3d.io.gocad import data_files, voxet_write
from mpm3d.io.gocad.voxet import verify
from mpm3d.lattice import Frame, Lazy, PropertyModel, Voxet


@pytest.fixture(autouse=True, params=["in memory", "in the file"])
def in_file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything here holds whether values are read at once or stay in their file."""
    in_file: bool = request.param == "in the file"
    if in_file:
        monkeypatch.setattr(data_files, "LAZY_ABOVE", 0)
    return in_file


def read_one(path: Path, **options: str) -> Voxet:
    (voxet,) = gocad.read_objects(path, **options)
    assert isinstance(voxet, Voxet)
    return voxet


def numbers(body: Voxet | PropertyModel, name: str = "v") -> np.ndarray:
    return np.asarray(body.values[name])


def samples(voxet: Voxet) -> np.ndarray:
    """Coordinates of all samples, U fastest."""
    k, j, i = np.indices(voxet.shape).reshape(3, -1)
    return voxet.origin + np.column_stack([i, j, k]) @ voxet.steps


GRID = Grid((2, 3, 4), (50.0, 20.0, 10.0), (-500.0, 7e6, 5e5), "EPSG:32651")


def marked(z_positive: str = "Elevation") -> PropertyModel:
    """A model with one cell that is different from all mirrored ones."""
    values = np.zeros(GRID.shape, np.float32)
    values[0, 1, 3] = 7
    return PropertyModel.from_grid("m", GRID, {"v": values}, units={"v": "SI"}, z_positive=z_positive)


def same_lattice(a: Voxet, b: Voxet) -> None:
    assert (a.name, a.shape, a.z_positive, list(a.values)) == (b.name, b.shape, b.z_positive, list(b.values))
    np.testing.assert_allclose(a.origin, b.origin, rtol=1e-15)
    np.testing.assert_allclose(a.steps, b.steps, rtol=1e-15, atol=0)
    for name in a.values:
        np.testing.assert_array_equal(numbers(a, name), numbers(b, name))
        assert a.values[name].dtype == b.values[name].dtype
    assert (a.classes, a.units, a.stated) == (b.classes, b.units, b.stated)
    assert {n: np.asarray(r).tolist() for n, r in a.regions.items()} == {
        n: np.asarray(r).tolist() for n, r in b.regions.items()
    }


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
def test_a_marker_comes_back_in_its_cell(tmp_path, sense):
    gocad.write_voxet(tmp_path / "m.vo", marked(sense))
    voxet = read_one(tmp_path / "m.vo")
    place = samples(voxet)[np.flatnonzero(numbers(voxet).ravel() == 7)[0]]
    assert place.tolist() == GRID.xyz_of([0, 1, 3])[0].tolist()
    model = voxet.as_model()
    assert np.array_equal(numbers(model), numbers(marked()))
    assert np.allclose(np.concatenate(model.edges), np.concatenate(marked().edges), rtol=1e-15)
    assert model.units == {"v": "SI"}
    assert f"ZPOSITIVE {sense}" in (tmp_path / "m.vo").read_text()


def test_the_header_says_what_gocad_expects(tmp_path):
    gocad.write_voxet(tmp_path / "m.vo", marked())
    text = (tmp_path / "m.vo").read_text()
    for line in (
        "AXIS_O 500005.0 7000010.0 -475.0", "AXIS_U 30.0 0.0 0.0", "AXIS_W 0.0 0.0 50.0", "AXIS_N 4 3 2",
        "PROP_ESIZE 1 4", "PROP_ETYPE 1 IEEE", "PROP_FILE 1 m_v@@", "PROP_NO_DATA_VALUE 1 -99999.0",
        f"PROP_SAMPLE_STATS 1 24 {7 / 24:.9g} {(49 - 49 / 24) / 23:.9g} 0 7",
    ):  # fmt: skip
        assert line in text.splitlines()
    assert np.fromfile(tmp_path / "m_v@@", ">f4").reshape(2, 3, 4)[0, 1, 3] == 7


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
def test_a_model_with_a_frame_becomes_a_rotated_voxet(tmp_path, sense):
    edges = (np.array([-100.0, -50, 0]), np.array([0.0, 20, 40, 60]), np.array([0.0, 10, 20, 30, 40]))
    frame = Frame.rotated([5e5, 7e6, 300], 30)
    model = PropertyModel("m", edges, {"v": numbers(marked())}, frame=frame, z_positive=sense)
    gocad.write_voxet(tmp_path / "m.vo", model)
    voxet = read_one(tmp_path / "m.vo")
    place = samples(voxet)[np.flatnonzero(numbers(voxet).ravel() == 7)[0]]
    np.testing.assert_allclose(place, frame.to_world([[35, 30, -75]])[0], rtol=1e-14)
    np.testing.assert_allclose(voxet.bounds, model.bounds, rtol=1e-12, atol=1e-6)
    with pytest.raises(ValueError, match="rotated or skewed"):
        voxet.as_model()


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
def test_a_voxet_of_any_orientation_comes_back_as_it_was(tmp_path, sense):
    values = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    values[1, 0, 2] = np.nan
    steps = np.array([[8.0, 6, 0], [-12, 16, 1], [5, 0, -50]])
    inside = np.zeros((2, 3, 4), bool)
    inside[0, 2, 1] = True
    first = Voxet(
        "any", np.array([1e5 + 1 / 3, 7e6, -3.25]), steps, (2, 3, 4),
        {"v": values, "rock": (values % 3).astype("f4"), "n": values.astype("f8")[::-1] * 2},
        classes={"rock": {0: "Air", 2: "Upper cover"}}, regions={"old mine": inside, "rest": ~inside},
        units={"v": "g/cm3"}, z_positive=sense,
    )  # fmt: skip
    gocad.write_voxet(tmp_path / "a.vo", first)
    second = read_one(tmp_path / "a.vo")
    np.testing.assert_allclose(samples(second), samples(first), rtol=1e-15)
    np.testing.assert_array_equal(numbers(second), values)
    np.testing.assert_array_equal(second.regions["old mine"], inside)
    assert verify(second) == {}
    gocad.write_voxet(tmp_path / "b.vo", second)
    same_lattice(read_one(tmp_path / "b.vo"), second)
    for end in ("v@@", "rock@@", "n@@", "flags@@"):
        name = end if end != "flags@@" else "_flags@@"
        assert (tmp_path / f"a_{name}").read_bytes() == (tmp_path / f"b_{name}").read_bytes()


def test_a_file_may_be_written_over_while_its_values_are_still_in_it(tmp_path):
    gocad.write_voxet(tmp_path / "m.vo", marked())
    voxet = read_one(tmp_path / "m.vo")
    gocad.write_voxet(tmp_path / "m.vo", voxet)
    assert np.array_equal(numbers(read_one(tmp_path / "m.vo")), numbers(marked()))


WHOLE = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32]


@pytest.mark.parametrize("dtype", WHOLE)
@pytest.mark.parametrize("classes", [{}, {3: "Upper cover", 100: "12"}])
def test_whole_numbers_keep_their_type_and_values(tmp_path, dtype, classes):
    limits = np.iinfo(dtype)
    values = np.zeros(GRID.shape, dtype)
    values[0, 1, 3], values[1, 0, 0], values[0, 0, 1] = limits.max, limits.min, 3
    model = PropertyModel.from_grid("m", GRID, {"v": values}, classes={"v": classes} if classes else {})
    gocad.write_voxet(tmp_path / "m.vo", model)
    voxet = read_one(tmp_path / "m.vo")
    np.testing.assert_array_equal(numbers(voxet), values)
    assert numbers(voxet).dtype == dtype
    assert voxet.classes == model.classes
    assert voxet.notes == ()
    gocad.write_voxet(tmp_path / "n.vo", voxet)
    same_lattice(read_one(tmp_path / "n.vo"), voxet)


def test_whole_numbers_of_64_bits_and_booleans_are_written_as_narrower_ones(tmp_path):
    values = np.arange(24).reshape(GRID.shape)
    model = PropertyModel.from_grid("m", GRID, {"n": values - 70000, "b": values > 5, "c": values})
    gocad.write_voxet(tmp_path / "m.vo", model, classes={"c": {1: "one"}})
    voxet = read_one(tmp_path / "m.vo")
    assert [numbers(voxet, name).dtype.name for name in "nbc"] == ["int32", "uint8", "uint8"]
    for name in "nbc":
        np.testing.assert_array_equal(numbers(voxet, name), model.values[name])
    large = PropertyModel.from_grid("m", GRID, {"v": values + 2**40})
    with pytest.raises(
        ValueError, match=r"'v' holds whole numbers from 1.09951e.12 to .*, a voxet holds those of"
    ):
        gocad.write_voxet(tmp_path / "l.vo", large)


def test_doubles_keep_their_digits_if_that_is_asked_for(tmp_path):
    values = np.arange(24).reshape(GRID.shape) / 3
    values[1, 2, 0] = np.nan
    model = PropertyModel.from_grid("m", GRID, {"v": values})
    gocad.write_voxet(tmp_path / "m.vo", model, dtype="float64")
    np.testing.assert_array_equal(numbers(read_one(tmp_path / "m.vo")), values)
    assert numbers(read_one(tmp_path / "m.vo")).dtype == np.float64
    gocad.write_voxet(tmp_path / "m.vo", model)
    np.testing.assert_array_equal(numbers(read_one(tmp_path / "m.vo")), values.astype(np.float32))
    with pytest.raises(ValueError, match="dtype='float16' is not known, use 'float32' or 'float64'"):
        gocad.write_voxet(tmp_path / "m.vo", model, dtype="float16")


def test_axes_of_one_cell_keep_their_step(tmp_path):
    grid = Grid((1, 1, 3), (50.0, 20.0, 10.0), (0, 0, 0), "EPSG:32651")
    model = PropertyModel.from_grid("plane", grid, {"v": np.arange(3.0).reshape(1, 1, 3)})
    gocad.write_voxet(tmp_path / "plane.vo", model)
    assert read_one(tmp_path / "plane.vo").as_model().bounds == grid.bounds


def test_no_data_that_is_a_value_is_not_used(tmp_path):
    values = np.array([-99999, np.nan, 3, 4], np.float32).reshape(1, 1, 4)
    grid = Grid((1, 1, 4), (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    gocad.write_voxet(tmp_path / "m.vo", PropertyModel.from_grid("m", grid, {"v": values}))
    assert "PROP_NO_DATA_VALUE 1 -999999.0" in (tmp_path / "m.vo").read_text()
    np.testing.assert_array_equal(numbers(read_one(tmp_path / "m.vo")), values)
    values = np.array(voxet_write._NO_DATA, np.float32).reshape(1, 1, 4)
    with pytest.raises(
        ValueError, match=r"'v' holds all of -99999, -999999, .* none of them can stand for no"
    ):
        gocad.write_voxet(tmp_path / "n.vo", PropertyModel.from_grid("m", grid, {"v": values}))


def test_infinite_values_are_refused(tmp_path):
    for value in (np.inf, 1e300):
        values = {"good": np.zeros(GRID.shape), "v": np.full(GRID.shape, value)}
        model = PropertyModel.from_grid("m", GRID, values)
        with pytest.raises(ValueError, match="property 'v' holds values beyond float32 or infinite ones"):
            gocad.write_voxet(tmp_path / "m.vo", model)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="property 'v' holds values of the type <U1, a voxet holds numbers"):
        gocad.write_voxet(
            tmp_path / "m.vo", PropertyModel.from_grid("m", GRID, {"v": np.full(GRID.shape, "a")})
        )
    nowhere = Voxet("far", np.array([np.nan, 0, 0]), np.eye(3), GRID.shape, {})
    with pytest.raises(ValueError, match=r"'far' lies at \[nan, 0.0, 0.0\] .* a file needs finite numbers"):
        gocad.write_voxet(tmp_path / "m.vo", nowhere)


def test_classes_are_written_as_codes_with_names(tmp_path):
    rock = np.where(marked().values["v"] == 7, np.nan, 3.0)
    model = PropertyModel.from_grid("m", GRID, {"rock": rock})
    names = {"rock": {3: "Upper cover", 4: "Granite"}}
    gocad.write_voxet(tmp_path / "m.vo", model, classes=names)
    voxet = read_one(tmp_path / "m.vo")
    assert voxet.classes == names
    assert "PROP_NO_DATA_VALUE 1 255" in (tmp_path / "m.vo").read_text()
    assert np.fromfile(tmp_path / "m_rock@@", "u1").max() == 255
    np.testing.assert_array_equal(numbers(voxet, "rock"), rock)
    assert voxet.notes == ()
    gocad.write_voxet(tmp_path / "n.vo", voxet)  # its own classes by default
    same_lattice(read_one(tmp_path / "n.vo"), voxet)


@pytest.mark.parametrize(
    ("codes", "stored"),
    [
        ([0, 254, np.nan], "u1"), ([0, 255, 3], "u1"), ([0, 255, np.nan], "i2"), ([-32768, 3, np.nan], "i4"),
        ([-1, 300, np.nan], "i2"), ([0, 70000, 3], "i4"), ([np.nan] * 3, "u1"),
    ],
)  # fmt: skip
def test_codes_get_the_smallest_type_that_has_room_for_no_data(tmp_path, codes, stored):
    grid = Grid((1, 1, 3), (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    model = PropertyModel.from_grid("m", grid, {"v": np.array(codes).reshape(1, 1, 3)})
    gocad.write_voxet(tmp_path / "m.vo", model, classes={"v": {3: "x"}})
    np.testing.assert_array_equal(numbers(read_one(tmp_path / "m.vo")).ravel(), codes)
    assert (tmp_path / "m_v@@").stat().st_size == 3 * np.dtype(stored).itemsize


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (3.5, "property 'rock' holds 3.5, codes of classes are whole numbers"),
        (np.inf, "property 'rock' holds inf, codes of classes are whole numbers"),
        (1e12, r"property 'rock' holds the codes 0 to 1e\+12, a voxet holds those of 32 bits. Number"),
    ],
)
def test_what_is_no_code_is_refused(tmp_path, value, message):
    rock = np.zeros(GRID.shape)
    rock[1, 1, 1] = value
    bad = PropertyModel.from_grid("m", GRID, {"rock": rock}, classes={"rock": {3: "x"}})
    with pytest.raises(ValueError, match=message):
        gocad.write_voxet(tmp_path / "n.vo", bad)
    assert list(tmp_path.iterdir()) == []


def test_file_names_are_legal_and_differ(tmp_path):
    values = marked().values["v"]
    model = PropertyModel.from_grid("m", GRID, {"a:b/c": values, "A b*c": values + 1})
    gocad.write_voxet(tmp_path / "m.vo", model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.vo", "m_A_b_c_2@@", "m_a_b_c@@"]
    voxet = read_one(tmp_path / "m.vo")
    assert list(voxet.values) == ["a:b/c", "A b*c"]
    assert numbers(voxet, "A b*c").min() == 1


def test_a_header_may_be_packed(tmp_path):
    gocad.write_voxet(tmp_path / "m.vo.gz", marked())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.vo.gz", "m_v@@"]
    assert (tmp_path / "m.vo.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert np.array_equal(numbers(read_one(tmp_path / "m.vo.gz")), numbers(marked()))


def test_unequal_cells_and_wrong_shapes_are_refused(tmp_path):
    edges = (np.array([0.0, 10, 30]), np.array([0.0, 1]), np.array([0.0, 1]))
    model = PropertyModel("tensor", edges, {"v": np.zeros((2, 1, 1))})
    with pytest.raises(
        ValueError, match=r"the cells of 'tensor' are 10 to 20 m along z, a voxet needs equal ones"
    ):
        gocad.write_voxet(tmp_path / "t.vo", model)
    model = PropertyModel.from_grid("m", GRID, {"v": np.zeros((1, 1, 1))})
    with pytest.raises(ValueError, match=r"property 'v' has shape \(1, 1, 1\), the cells are \(2, 3, 4\)"):
        gocad.write_voxet(tmp_path / "t.vo", model)
    regions = {"r": np.zeros((2, 3, 4), bool), "s": np.zeros((1, 3, 4), bool)}
    voxet = Voxet("m", np.zeros(3), np.eye(3), (2, 3, 4), {}, regions=regions)
    with pytest.raises(ValueError, match=r"region 's' has shape \(1, 3, 4\), the samples are \(2, 3, 4\)"):
        gocad.write_voxet(tmp_path / "t.vo", voxet)
    many = {f"r{n}": np.zeros((2, 3, 4), bool) for n in range(59)}
    voxet = Voxet("m", np.zeros(3), np.eye(3), (2, 3, 4), {}, regions=many)
    with pytest.raises(ValueError, match="'m' has 59 regions, the flags of a voxet hold 58"):
        gocad.write_voxet(tmp_path / "t.vo", voxet)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("count", "width"), [(2, 1), (3, 2), (10, 2), (11, 4), (26, 4), (27, 8), (58, 8)])
def test_flags_are_as_wide_as_the_regions_need(tmp_path, count, width):
    rng = np.random.default_rng(count)
    regions = {f"region {n}": rng.random((2, 3, 4)) < 0.5 for n in range(count)}
    voxet = Voxet("m", np.zeros(3), np.eye(3), (2, 3, 4), {}, regions=regions)
    gocad.write_voxet(tmp_path / "m.vo", voxet)
    assert (tmp_path / "m__flags@@").stat().st_size == 24 * width
    found = read_one(tmp_path / "m.vo")
    assert list(found.regions) == list(regions)
    for name, inside in regions.items():
        np.testing.assert_array_equal(found.regions[name], inside)


class Counter:
    """An array that counts how many of its values are asked for at once."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.most = values, values.shape, values.dtype, 0

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        part = self.values[key]
        self.most = max(self.most, part.size)
        return part


def test_values_are_written_slab_by_slab(tmp_path):
    shape = (30, 200, 300)  # 1.8 million values
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    raw = Counter(values)
    grid = Grid(shape, (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    gocad.write_voxet(tmp_path / "m.vo", PropertyModel.from_grid("m", grid, {"v": Lazy(raw)}))
    assert 0 < raw.most <= 1 << 20
    assert np.array_equal(np.fromfile(tmp_path / "m_v@@", ">f4").reshape(shape), values)
    voxet = read_one(tmp_path / "m.vo")
    assert verify(voxet) == {}
    assert voxet.stated["v"].n == values.size


def test_a_zarr_array_is_written_as_it_is(tmp_path):
    values = np.random.default_rng(0).random((7, 8, 9), dtype=np.float32)
    store = zarr.create_array(tmp_path / "z.zarr", shape=values.shape, chunks=(3, 4, 5), dtype="float32")
    store[...] = values
    grid = Grid(values.shape, (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    gocad.write_voxet(tmp_path / "m.vo", PropertyModel.from_grid("m", grid, {"a": store, "b": Lazy(store)}))
    voxet = read_one(tmp_path / "m.vo")
    for name in "ab":
        np.testing.assert_array_equal(numbers(voxet, name), values)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=hnp.array_shapes(min_dims=3, max_dims=3, max_side=4),
    steps=st.tuples(*[st.sampled_from([0.1, 1.0, 25.0, 50.0, 333.3])] * 3),
    corner=st.tuples(*[st.floats(-1e7, 1e7)] * 3),
    data=st.data(),
)
def test_write_then_read_is_identity(tmp_path, shape, steps, corner, data):
    values = data.draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32, allow_infinity=False)))
    grid = Grid(shape, steps, corner, "EPSG:32651")
    gocad.write_voxet(tmp_path / "any.vo", PropertyModel.from_grid("any", grid, {"v": values}))
    voxet = read_one(tmp_path / "any.vo")
    assert all("has one sample" in note for note in voxet.notes)
    assert len(voxet.notes) == shape.count(1)
    again = voxet.as_model()
    assert numbers(again).dtype == np.float32
    np.testing.assert_array_equal(numbers(again), values)
    np.testing.assert_allclose(again.bounds, grid.bounds, rtol=1e-12, atol=1e-6)
