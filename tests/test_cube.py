"""The store: what is written comes back, unfinished layers are not listed, windows reach over the faces."""

from __future__ import annotations

import re

import fsspec
import numpy as np
import pytest
import rioxarray  # noqa: F401
import xarray as xr
import zarr

from mpm3d import cube
from mpm3d.grid import Grid

GRID = Grid((5, 6, 7), (50.0, 20.0, 10.0), (-100.0, 7_000_000.0, 500_000.3), "EPSG:32651")
CHUNK = (2, 4, 3)


def numbers(grid):
    """A value that tells its cell: 1000 z + 100 y + x of the whole grid."""
    k, j, i = GRID.index_of(grid.points()).T
    return (10_000 * k + 100 * j + i).reshape(grid.shape)


def make(path, *, volume=None, names=("a",)):
    cube.create(path, GRID, chunk=CHUNK)
    if volume is not None:
        cube.set_study_volume(path, volume)
    for name in names:
        cube.add_layer(path, name, numbers, units="m", long_name=f"number {name}")
    return cube.open(path)


def low(grid):
    return np.broadcast_to(grid.centres(0)[:, None, None] < 100, grid.shape)


def test_a_layer_comes_back_cell_by_cell_with_its_lineage(tmp_path):
    path = tmp_path / "cube.zarr"
    cube.create(path, GRID, chunk=CHUNK, attrs={"title": "district"})
    lineage = {
        "source": ["a.ts"],
        "source_sha256": ["00ff"],
        "derivation": "Distance to a.",
        "cutoff": 2000.0,
    }
    cube.add_layer(path, "a", numbers, units="m", long_name="distance to a", attrs=lineage)
    ds = cube.open(path)
    assert type(ds) is xr.Dataset
    assert ds.attrs["title"] == "district"
    assert ds["a"].dtype == np.float32
    assert ds["a"].dims == ("z", "y", "x")
    np.testing.assert_array_equal(ds["a"].values, numbers(GRID))
    assert lineage.items() <= ds["a"].attrs.items()
    assert ds["a"].attrs["units"] == "m"
    assert ds["a"].attrs["long_name"] == "distance to a"
    assert ds["a"].attrs["software"].startswith("mpm3d ")


def test_the_store_is_zarr_3_in_the_chunks_asked_for(tmp_path):
    make(tmp_path / "cube.zarr")
    array = zarr.open_group(tmp_path / "cube.zarr", mode="r")["a"]
    assert array.metadata.zarr_format == 3
    assert array.chunks == CHUNK
    assert np.isnan(array.fill_value)


def test_chunks_are_about_50_cells_wide_and_packed_with_blosc_zstd(tmp_path):
    large = Grid((100, 120, 60), (10.0, 10.0, 10.0), (0.0, 0.0, 0.0), "EPSG:32651")
    cube.create(tmp_path / "cube.zarr", large)
    cube.add_layer(
        tmp_path / "cube.zarr", "a", lambda g: np.ones(g.shape), units="m", long_name="a", workers=2
    )
    group = zarr.open_group(tmp_path / "cube.zarr", mode="r")
    for name in ("a", "study_volume"):
        assert group[name].chunks == (50, 50, 50)
        assert group[name].shards is None
        (packing,) = group[name].compressors
        assert (type(packing).__name__, packing.cname.value) == ("BloscCodec", "zstd")


@pytest.mark.parametrize(("shards", "expected"), [((4, 4, 6), (4, 4, 6)), ((90, 90, 90), (6, 8, 9))])
def test_shards_hold_the_same_values_under_the_same_hash(tmp_path, shards, expected):
    plain = make(tmp_path / "plain.zarr", volume=low)
    place = tmp_path / "shards.zarr"
    cube.create(place, GRID, chunk=CHUNK, shards=shards)
    cube.set_study_volume(place, low)
    asked = []
    cube.add_layer(
        place, "a", lambda g: (asked.append(g.shape), numbers(g))[1], units="m", long_name="number a"
    )
    ds = cube.open(place)
    assert cube.shard_of(ds) == expected
    assert cube.chunk_of(ds) == CHUNK
    assert cube.shard_of(plain) == CHUNK
    array = zarr.open_group(place, mode="r")["a"]
    assert (array.chunks, array.shards) == (CHUNK, expected)
    np.testing.assert_array_equal(ds["a"].values, plain["a"].values)
    assert cube.hash_of(ds) == cube.hash_of(plain)
    assert np.all(
        np.max(asked, axis=0) == CHUNK
    )  # computed chunk by chunk, also where a shard is written at once
    files = [path for path in (place / "a" / "c").rglob("*") if path.is_file()]
    # those of nothing but missing values are not written
    assert 0 < len(files) <= np.prod([-(-n // s) for n, s in zip(GRID.shape, expected, strict=True)])


@pytest.mark.parametrize("workers", [2, 3, 40])
def test_threads_write_the_same_layer(tmp_path, workers):
    one = make(tmp_path / "one.zarr", volume=low)
    place, seen = tmp_path / "more.zarr", []
    make(place, volume=low, names=())
    cube.add_layer(
        place, "a", numbers, units="m", long_name="number a", workers=workers,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    np.testing.assert_array_equal(cube.open(place)["a"].values, one["a"].values)
    assert cube.hash_of(cube.open(place)) == cube.hash_of(one)
    assert seen == [(done, 18) for done in range(1, 19)]


def test_an_error_in_a_thread_is_raised_and_leaves_the_layer_unlisted(tmp_path):
    place = tmp_path / "cube.zarr"
    make(place, names=())

    def fill(grid):
        if grid.corner[0] > GRID.corner[0]:
            raise OSError("disk full")
        return numbers(grid)

    with pytest.raises(OSError, match="disk full"):
        cube.add_layer(place, "a", fill, units="m", long_name="a", workers=2)
    assert cube.layers_of(cube.open(place)) == ()


@pytest.mark.parametrize("shards", [None, (4, 4, 6)])
def test_any_fsspec_url_is_a_store(tmp_path, shards):
    plain = make(tmp_path / "plain.zarr", volume=low, names=("a", "b"))
    for url in (f"memory://{tmp_path.name}/cube.zarr", (tmp_path / "local.zarr").as_uri()):
        with pytest.raises(FileNotFoundError, match=f"there is no cube at {url}"):
            cube.open(url)
        cube.create(url, GRID, chunk=CHUNK, shards=shards)
        cube.set_study_volume(url, low)
        for name in ("a", "b"):
            cube.add_layer(url, name, numbers, units="m", long_name=f"number {name}", workers=2)
        ds = cube.open(url)
        assert cube.hash_of(ds) == cube.hash_of(plain)
        window = (slice(-1, 6), slice(-2, 8), slice(-3, 10))
        np.testing.assert_array_equal(
            cube.read_window(ds, ["b"], window), cube.read_window(plain, ["b"], window)
        )
        with pytest.raises(FileExistsError, match="exists already"):
            cube.create(url, GRID)
        cube.create(url, GRID, overwrite=True)
        assert cube.layers_of(cube.open(url)) == ()


def test_a_url_that_holds_something_else_is_not_overwritten():
    files = fsspec.filesystem("memory")
    files.pipe_file("/letters/dear.txt", b"keep")
    with pytest.raises(FileExistsError, match="is not a Zarr store, so it is not overwritten"):
        cube.create("memory://letters", GRID, overwrite=True)
    assert files.cat_file("/letters/dear.txt") == b"keep"


def test_shards_that_are_not_whole_chunks_are_refused(tmp_path):
    message = r"shards of \(4, 6, 3\) cells \(z, y, x\) are not whole chunks of \(2, 4, 3\) along y"
    with pytest.raises(ValueError, match=message + ". Use a multiple of 4"):
        cube.create(tmp_path / "cube.zarr", GRID, chunk=CHUNK, shards=(4, 6, 3))
    assert not (tmp_path / "cube.zarr").exists()


def test_coordinates_are_centres_with_cf_attributes_and_a_crs_that_rioxarray_reads(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    for axis, name in enumerate("zyx"):
        np.testing.assert_array_equal(ds[name].values, GRID.centres(axis))
        assert ds[name].attrs["units"] == "m"
        assert ds[name].attrs["axis"] == name.upper()
    assert ds["z"].attrs["positive"] == "up"
    assert ds["x"].attrs["standard_name"] == "projection_x_coordinate"
    assert ds.rio.crs.to_epsg() == 32651
    assert ds["a"].rio.crs.to_epsg() == 32651


def test_the_grid_comes_back_from_a_cube_and_from_a_part_of_it(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    assert cube.grid_of(ds) == GRID
    window = (slice(1, 4), slice(2, 6), slice(0, 5))
    part = cube.grid_of(ds.isel(z=window[0], y=window[1], x=window[2]))
    expected = GRID.window(window)
    assert part.shape == expected.shape
    np.testing.assert_allclose(part.corner, expected.corner, atol=1e-9)


def test_a_study_of_one_level_is_a_cube(tmp_path):
    flat = Grid((1, 4, 4), (1.0, 50.0, 50.0), (0.0, 0.0, 0.0), "EPSG:32651")
    cube.create(tmp_path / "flat.zarr", flat)
    cube.add_layer(tmp_path / "flat.zarr", "a", lambda g: np.ones(g.shape), units="1", long_name="one")
    assert cube.grid_of(cube.open(tmp_path / "flat.zarr")) == flat


def test_opening_reads_no_values_and_makes_no_graph(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    assert ds["a"].chunks is None
    assert not ds["a"].variable._in_memory
    assert ds["a"].variable[1:3, 0:2, 4:5].values.shape == (2, 2, 1)
    assert not ds["a"].variable._in_memory


def test_each_call_of_fill_gets_one_chunk_and_progress_counts_them(tmp_path):
    cube.create(tmp_path / "cube.zarr", GRID, chunk=CHUNK)
    seen, told = [], []

    def fill(grid):
        seen.append(grid.shape)
        return numbers(grid)

    cube.add_layer(
        tmp_path / "cube.zarr", "a", fill, units="m", long_name="a", progress=lambda *done: told.append(done)
    )
    assert len(seen) == 3 * 2 * 3
    assert all(n <= c for shape in seen for n, c in zip(shape, CHUNK, strict=True))
    assert told == [(i + 1, 18) for i in range(18)]


def test_cells_outside_the_study_volume_are_missing_in_every_layer(tmp_path):
    ds = make(tmp_path / "cube.zarr", volume=low)
    outside = ~low(GRID)
    assert outside.any()
    np.testing.assert_array_equal(cube.study_volume(ds), ~outside)
    np.testing.assert_array_equal(np.isnan(ds["a"].values), outside)
    assert ds["study_volume"].attrs["n_cells"] == int((~outside).sum())


def test_every_cell_is_in_the_study_volume_unless_said_otherwise(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    assert ds["study_volume"].dtype == bool
    assert cube.study_volume(ds).all()
    assert cube.study_volume(ds.drop_vars("study_volume"), (slice(0, 2), slice(1, 3), slice(0, 1))).shape == (
        2,
        2,
        1,
    )


def test_a_layer_killed_half_way_is_not_listed_and_can_be_added_again(tmp_path):
    path = tmp_path / "cube.zarr"
    make(path)
    calls = iter(range(5))

    def fill(grid):
        if next(calls) == 4:
            raise KeyboardInterrupt
        return numbers(grid)

    with pytest.raises(KeyboardInterrupt):
        cube.add_layer(path, "b", fill, units="m", long_name="b")
    assert cube.layers_of(cube.open(path)) == ("a",)
    cube.add_layer(path, "b", numbers, units="m", long_name="b")
    assert cube.layers_of(cube.open(path)) == ("a", "b")


def test_a_finished_layer_replaced_half_way_is_no_longer_listed(tmp_path):
    path = tmp_path / "cube.zarr"
    make(path)

    def fill(grid):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        cube.add_layer(path, "a", fill, units="m", long_name="a", overwrite=True)
    assert cube.layers_of(cube.open(path)) == ()


def test_layers_are_evidence_only(tmp_path):
    ds = make(tmp_path / "cube.zarr", names=("b", "a"))
    assert cube.layers_of(ds.assign(score=(("z", "y", "x"), ds["a"].values))) == ("a", "b")


def test_the_hash_follows_values_grid_and_study_volume_and_not_time(tmp_path):
    first = cube.hash_of(make(tmp_path / "1.zarr"))
    assert cube.hash_of(make(tmp_path / "2.zarr")) == first
    assert cube.hash_of(make(tmp_path / "3.zarr", names=("a", "b"))) != first
    assert cube.hash_of(make(tmp_path / "4.zarr", volume=low)) != first
    changed = tmp_path / "2.zarr"
    cube.add_layer(
        changed, "a", lambda g: numbers(g) + (numbers(g) == 40506), units="m", long_name="a", overwrite=True
    )
    assert cube.hash_of(cube.open(changed)) != first


def test_the_hash_reads_no_values(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    for chunk in (tmp_path / "cube.zarr" / "a" / "c").rglob("*"):
        if chunk.is_file():
            chunk.write_bytes(b"broken")
    assert len(cube.hash_of(ds)) == 64


@pytest.mark.parametrize(
    "window",
    [
        (slice(0, 5), slice(0, 6), slice(0, 7)),
        (slice(1, 2), slice(3, 4), slice(5, 6)),
        (slice(-1, 6), slice(-2, 8), slice(-3, 10)),
        (slice(-3, 2), slice(5, 9), slice(2, 3)),
        (slice(5, 8), slice(0, 6), slice(0, 7)),
        (slice(-4, -1), slice(0, 1), slice(0, 1)),
    ],
)
def test_a_window_reaching_outside_is_padded_with_missing(tmp_path, window):
    ds = make(tmp_path / "cube.zarr", volume=low, names=("a", "b"))
    whole = np.where(low(GRID), numbers(GRID), np.nan)
    padded = np.pad(whole, 10, constant_values=np.nan)
    expected = padded[tuple(slice(c.start + 10, c.stop + 10) for c in window)]
    found = cube.read_window(ds, ["b", "a"], window)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.stack([expected, expected]))
    np.testing.assert_array_equal(cube.read_window(ds.load(), ["b", "a"], window), found)


def test_a_window_is_masked_by_the_study_volume_even_if_the_layer_is_not(tmp_path):
    ds = make(tmp_path / "cube.zarr", volume=low).load()
    ds["a"] = (("z", "y", "x"), numbers(GRID).astype(np.float32))
    found = cube.read_window(ds, ["a"], (slice(0, 5), slice(0, 6), slice(0, 7)))[0]
    np.testing.assert_array_equal(np.isnan(found), ~low(GRID))


def test_errors_of_create(tmp_path):
    path = tmp_path / "cube.zarr"
    make(path)
    with pytest.raises(FileExistsError, match=r"exists already. Choose another name, or give overwrite=True"):
        cube.create(path, GRID)
    strange = Grid(GRID.shape, GRID.spacing, GRID.corner, "UTM51")
    with pytest.raises(
        ValueError, match="the coordinate system 'UTM51' is not known to pyproj, give one such as"
    ):
        cube.create(path, strange, overwrite=True)
    assert cube.layers_of(cube.open(path)) == ("a",)
    cube.create(path, GRID, overwrite=True)
    assert cube.layers_of(cube.open(path)) == ()
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="is not a Zarr store, so it is not overwritten"):
        cube.create(tmp_path / "letters", GRID, overwrite=True)
    assert (tmp_path / "letters" / "dear.txt").exists()


def test_errors_of_opening_something_else(tmp_path):
    message = re.escape(f"there is no cube at {tmp_path}. Make it with: mpm3d build study.toml")
    with pytest.raises(FileNotFoundError, match=message):
        cube.open(tmp_path)
    with pytest.raises(FileNotFoundError, match=message):
        cube.add_layer(tmp_path, "a", numbers, units="m", long_name="a")
    with pytest.raises(
        ValueError, match="this is not a cube, it lacks the attributes grid_shape, grid_spacing"
    ):
        cube.grid_of(xr.Dataset(coords={"z": [0], "y": [0], "x": [0]}))
    with pytest.raises(
        ValueError, match=r"a Dataset on \('time',\) is not a cube, it must lie on z, y and x"
    ):
        cube.grid_of(xr.Dataset(coords={"time": [0]}))


def test_errors_of_add_layer(tmp_path):
    path = tmp_path / "cube.zarr"
    make(path)

    def add(name="b", units="m", fill=numbers):
        cube.add_layer(path, name, fill, units=units, long_name="b")

    with pytest.raises(ValueError, match="the layer name 'a:b' is not usable, give letters, digits"):
        add("a:b")
    with pytest.raises(ValueError, match="the layer name '' is not usable"):
        add("")
    with pytest.raises(ValueError, match="the layer name 'x' is taken by the cube itself, choose another"):
        add("x")
    with pytest.raises(ValueError, match="layer 'b' has no units, give them, or '1' for a number without"):
        add(units=" ")
    with pytest.raises(
        ValueError, match=r"layer 'a' is in the cube already. Give overwrite=True to replace it"
    ):
        add("a")
    with pytest.raises(ValueError, match=r"layer 'b': \(3,\) values were computed for \(2, 4, 3\) cells"):
        add(fill=lambda grid: np.zeros(3))


def test_errors_of_the_study_volume(tmp_path):
    path = tmp_path / "cube.zarr"
    make(path)
    with pytest.raises(ValueError, match="the study volume comes before the layers, and 'a' is there"):
        cube.set_study_volume(path, low)
    cube.create(path, GRID, chunk=CHUNK, overwrite=True)
    with pytest.raises(ValueError, match=r"no cell is in the study volume. Check that the topography covers"):
        cube.set_study_volume(path, lambda grid: np.zeros(grid.shape, dtype=bool))
    assert cube.study_volume(cube.open(path)).all()


def test_errors_of_read_window(tmp_path):
    ds = make(tmp_path / "cube.zarr")
    with pytest.raises(ValueError, match="the cube lacks the layers 'b', 'c', it has 'a'"):
        cube.read_window(ds, ["a", "b", "c"], (slice(0, 1),) * 3)
    with pytest.raises(ValueError, match=r"a window of \(1, 0, 1\) cells \(z, y, x\) is empty"):
        cube.read_window(ds, ["a"], (slice(0, 1), slice(2, 2), slice(0, 1)))
