"""Geosoft grids, read."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.io import geosoft, raster
from mpm3d.io.options import Options

VALUES = np.arange(1.0, 13).reshape(3, 4)  # vectors of points: the lowest row first
BLOCK_MARK = bytes.fromhex("0f0efffe12345678")


def header(size=4, sign=2, points=4, vectors=3, kx=1, **more) -> bytes:
    """The 512 bytes as Seequent describes them."""
    place = {"de": 10, "dv": 20, "x": 100, "y": 200, "rot": 0, "base": 0, "mult": 1, **more}
    label = place.pop("label", b"")
    head = struct.pack("<5i7d48s", size, sign, points, vectors, kx, *map(float, place.values()), label)
    return head.ljust(512, b"\0")


def write(folder: Path, data: np.ndarray | bytes, name: str = "mag.grd", **more) -> Path:
    path = folder / name
    path.write_bytes(header(**more) + (data if isinstance(data, bytes) else data.tobytes()))
    return path


def packed(values: np.ndarray, each: int, kind: int = 2) -> bytes:
    """Blocks of ``each`` vectors, the last one filled up with dummies, as Oasis montaj writes them."""
    count = -(-len(values) // each)
    filled = np.full((count * each, values.shape[1]), -1e32, values.dtype)
    filled[: len(values)] = values
    blocks = [
        BLOCK_MARK + struct.pack("<2i", kind, 1) + zlib.compress(part.tobytes())
        for part in np.split(filled, count)
    ]
    start = 512 + 16 + 12 * count
    offsets = [start + sum(map(len, blocks[:k])) for k in range(count)]
    table = struct.pack("<I3i", 0xF8E7D8C7, 2, count, each)
    table += struct.pack(f"<{count}q", *offsets) + struct.pack(f"<{count}i", *map(len, blocks))
    return table + b"".join(blocks)


def read(path: Path) -> np.ndarray:
    return next(iter(geosoft.read_grid(path).values.values()))


@pytest.mark.parametrize(
    ("size", "sign", "dtype", "dummy"),
    [
        (1, 0, "u1", 255),
        (1, 1, "i1", -127),
        (2, 0, "<u2", 65535),
        (2, 1, "<i2", -32767),
        (4, 0, "<u4", 4294967295),
        (4, 1, "<i4", -2147483647),
        (4, 2, "<f4", -1e32),
        (8, 2, "<f8", -1e32),
        (8, 1, "<f8", -1e32),
    ],
)
def test_every_type_is_read_and_its_dummy_is_missing(tmp_path, size, sign, dtype, dummy):
    stored = VALUES.astype(dtype)
    stored[1, 2] = dummy
    path = write(tmp_path, stored, size=size, sign=sign)
    expected = np.where(np.arange(12).reshape(3, 4) == 6, np.nan, VALUES)
    np.testing.assert_array_equal(read(path), expected)
    oasis = pytest.importorskip("harmonica").load_oasis_montaj_grid(path)
    np.testing.assert_array_equal(read(path), oasis.values)


def test_points_lie_where_the_header_says(tmp_path):
    grid = geosoft.read_grid(write(tmp_path, VALUES.astype("<f4"), label=b"Total  field\0"))
    assert (grid.name, grid.kind, list(grid.values)) == ("mag", "Geosoft grid", ["mag"])
    assert grid.x.tolist() == [100, 110, 120, 130]
    assert grid.y.tolist() == [200, 220, 240]
    assert grid.bounds == (95, 190, 135, 250)
    assert grid.first_centre == (100, 200)
    assert grid.layout.startswith("From the south-western point, the points along x first, then the vectors")
    assert "half a cell wider" in grid.layout
    assert grid.notes == ("the title in the file is 'Total field'.",)
    assert grid.values["mag"].dtype == np.float32


def test_vectors_to_the_north_are_columns(tmp_path):
    # KX -1: the first vector runs north from the south-western corner; DE is its step
    path = write(tmp_path, VALUES.astype("<f4"), kx=-1)
    grid = geosoft.read_grid(path)
    assert grid.shape == (4, 3)
    np.testing.assert_array_equal(grid.values["mag"], VALUES.T)
    assert grid.y.tolist() == [200, 210, 220, 230]
    assert grid.x.tolist() == [100, 120, 140]
    assert "along y first, then the vectors along x" in grid.layout
    oasis = pytest.importorskip("harmonica").load_oasis_montaj_grid(path)
    np.testing.assert_array_equal(grid.values["mag"], oasis.values)
    np.testing.assert_array_equal(grid.x, oasis.easting)
    np.testing.assert_array_equal(grid.y, oasis.northing)


@pytest.mark.parametrize("kx", [1, -1])
def test_rotated_grids_keep_their_directions(tmp_path, kx):
    path = write(tmp_path, VALUES.astype("<f4"), rot=30, kx=kx)
    grid = geosoft.read_grid(path)
    assert grid.frame is not None
    assert grid.first_centre == (100, 200)
    x, y = np.meshgrid(grid.x, grid.y)
    world = grid.frame.to_world(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1))
    # counterclockwise: the second point to the east lies north of the first
    step = 10 if kx == 1 else 20
    np.testing.assert_allclose(world[1, :2], [100 + step * np.cos(np.pi / 6), 200 + step / 2])
    oasis = pytest.importorskip("harmonica").load_oasis_montaj_grid(path)
    np.testing.assert_allclose(world[:, 0], oasis.easting.values.ravel())
    np.testing.assert_allclose(world[:, 1], oasis.northing.values.ravel())
    np.testing.assert_array_equal(grid.values["mag"], oasis.values)


def test_base_and_multiplier_are_applied_but_not_to_dummies(tmp_path):
    stored = VALUES.astype("<i2")
    stored[0, 0] = -32767
    path = write(tmp_path, stored, size=2, sign=1, base=50000, mult=10)
    grid = geosoft.read_grid(path)
    assert np.isnan(grid.values["mag"][0, 0])
    assert grid.values["mag"][2, 3] == 12 / 10 + 50000
    assert grid.notes == ("values are stored / 10 + 50000, as the header says.",)
    oasis = pytest.importorskip("harmonica").load_oasis_montaj_grid(path)
    np.testing.assert_allclose(grid.values["mag"], oasis.values)
    # a dummy must not overflow when it is scaled
    tiny = write(tmp_path, np.array([[-1e32, 1, 2, 3]], "<f4"), vectors=1, mult=1e-300)
    np.testing.assert_allclose(read(tiny), [[np.nan, 1e300, 2e300, 3e300]])


@pytest.mark.parametrize("each", [1, 2, 3, 50])
def test_blocks_are_unpacked_whatever_their_size(tmp_path, each):
    stored = VALUES.astype("<f4")
    stored[1, 1] = -1e32
    path = write(tmp_path, packed(stored, each), size=1024 + 4)
    np.testing.assert_array_equal(read(path), np.where(stored < 0, np.nan, stored))


def test_infinite_values_are_missing(tmp_path):
    stored = np.array([[1, np.inf, np.nan, -np.inf]], "<f8")
    np.testing.assert_array_equal(
        read(write(tmp_path, stored, size=8, vectors=1)), [[1, np.nan, np.nan, np.nan]]
    )


def test_longer_files_and_gzipped_ones_are_the_same(tmp_path):
    path = write(tmp_path, VALUES.astype("<f4").tobytes() + bytes(1000))
    np.testing.assert_array_equal(read(path), VALUES)
    zipped = tmp_path / "mag.grd.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    assert geosoft.read_grid(zipped).name == "mag"
    np.testing.assert_array_equal(read(zipped), VALUES)


def test_the_coordinate_system_is_taken_from_the_files_beside(tmp_path):
    path = write(tmp_path, VALUES.astype("<f4"))
    gi = tmp_path / "mag.grd.gi"
    gi.write_bytes(b"\x1a\xcc JPI\x01\0\0\0GDA94 / MGA zone 54\0\0 JPI\x01\0\0\0other\0")
    grid = geosoft.read_grid(path)
    assert grid.crs_name == "GDA94 / MGA zone 54"
    assert grid.notes == ("the coordinate system is from 'mag.grd.gi'.",)
    xml = tmp_path / "mag.grd.xml"
    xml.write_text('<projection type="GEOGRAPHIC" name="WGS 84" datum="WGS 84" wellknown_epsg="4326">')
    grid = geosoft.read_grid(path)
    assert grid.crs_name == "EPSG:4326"
    assert "coordinates are degrees of WGS 84, not metres: project the grid" in grid.notes[1]
    xml.write_text('<projection name="Mine grid 7">')
    grid = geosoft.read_grid(path)
    assert "is called 'Mine grid 7' in the file, which pyproj does not know" in grid.notes[1]
    xml.write_text("no projection at all <projection name='")
    gi.write_bytes(b" JPI\x01\0\0\0\xff\xfe\x01\0")
    assert geosoft.read_grid(path).crs_name == ""


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"size": 3}, r"an element size \(ES\) of 3 and a sign flag \(SF\) of 2; a Geosoft grid has sizes"),
        ({"size": 2, "sign": 2}, r"\(ES\) of 2 and a sign flag \(SF\) of 2"),
        ({"sign": 3}, r"this is a colour grid \(SF is 3\), an image without values"),
        ({"points": 0}, "the header counts 0 points in 3 vectors, both must be at least 1"),
        ({"vectors": -3}, "the header counts 4 points in -3 vectors"),
        ({"kx": 2}, r"the order of storage \(KX\) is 2; only 1 and -1 are known"),
        ({"kx": 7}, "the sense of storage is 7, it must be 1, 2, 3 or 4, or one of them negative"),
        ({"de": -10}, "the points are -10 and the vectors 20 apart, both must be above 0"),
        ({"dv": np.nan}, "the points are 10 and the vectors nan apart"),
        ({"x": np.inf}, r"the origin is \(inf, 200.0\) and the rotation 0.0 degrees, finite numbers"),
        ({"rot": 1e30}, "the rotation 1e"),
        (
            {"mult": 0},
            r"a multiplier \(ZMULT\) of 0; finite numbers are needed, and a multiplier that is not 0",
        ),
        ({"base": np.nan}, r"a base \(ZBASE\) of nan"),
        ({"points": 2**31 - 1, "vectors": 2**31 - 1}, "needs 2147483647 × 2147483647 values of 4 bytes"),
        ({"vectors": 4}, "576 bytes with the header; the file has 560. It is truncated, copy it again"),
        ({"size": 1028, "points": 2**31 - 1}, "which 560 compressed bytes cannot hold"),
        ({"size": 1028}, "the mark of its blocks is 0x3f800000, 0xf8e7d8c7 was expected"),
    ],
)
def test_damaged_headers_are_refused_with_the_reason(tmp_path, more, message):
    path = write(tmp_path, VALUES.astype("<f4"), **more)
    with pytest.raises(FormatError, match=rf"mag.grd: .*{message}"):
        geosoft.read_grid(path)


def test_damaged_blocks_are_refused_with_their_number(tmp_path):
    stored = VALUES.astype("<f4")

    def refused(data: bytes, message: str) -> None:
        with pytest.raises(FormatError, match=message):
            geosoft.read_grid(write(tmp_path, data, size=1028))

    good = packed(stored, 1)
    refused(good[:10], "ends before the table of its blocks")
    refused(good[:-1], "block 3 of 3 lies at byte .*It is truncated or damaged")
    refused(
        packed(stored, 1, kind=1), r"block 1 is compressed with LZRW1 \('fast'\), which is not read. Save"
    )
    refused(
        packed(stored, 1, kind=9), "block 1 begins with 0f 0e ff fe 12 34 56 78 09 .*no known compression"
    )
    refused(packed(stored[:2], 1), "the table has 2 blocks of 1 vectors for the 3 vectors of the header")
    refused(packed(stored[:, :2], 1), "block 1 unpacks to 8 bytes, 16 are needed. It is truncated")
    spoiled = bytearray(good)
    spoiled[-12:] = bytes(12)
    refused(bytes(spoiled), r"block 3 cannot be unpacked|block 3 unpacks to")
    huge = struct.pack("<I3i", 0xF8E7D8C7, 2, 2**31 - 1, 1) + good[16:]
    refused(huge, "the table has 2147483647 blocks of 1 vectors")
    negative = good[:16] + struct.pack("<q", -5) + good[24:]
    refused(negative, "block 1 of 3 lies at byte -5")


def test_what_is_no_file_or_too_short_is_said(tmp_path):
    path = tmp_path / "short.grd"
    path.write_bytes(b"\x04\0\0\0")
    with pytest.raises(FormatError, match="shorter than the 512 bytes of the header"):
        geosoft.read_grid(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        geosoft.read_grid(tmp_path / "gone.grd")


def test_only_headers_of_geosoft_match(tmp_path):
    path = tmp_path / "any"
    assert geosoft.matches(path, header())
    assert geosoft.matches(path, header(size=1032, kx=-1, rot=-30))
    for other in (
        header(size=5),
        header(sign=4),
        header(points=0),
        header(kx=0),
        header(de=0),
        header()[:511],
    ):
        assert not geosoft.matches(path, other)
    for junk in (b"", b"DSBB" + bytes(600), b"GOCAD Voxet 1\n" * 60, bytes(600), b"\xff" * 600):
        assert not geosoft.matches(path, junk)
    grids = geosoft.read_bodies(write(tmp_path, VALUES.astype("<f4")), Options())
    assert [grid.name for grid in grids] == ["mag"]


def test_a_grid_is_a_raster_by_the_common_door(tmp_path):
    path = write(tmp_path, VALUES.astype("<f4"))
    (tmp_path / "mag.grd.gi").write_bytes(b" JPI\x01\0\0\0GDA94 / MGA zone 54\0")
    assert raster.read_grid(path).kind == "Geosoft grid"
    data = raster.read_raster(path)
    assert data.name == "mag"
    assert float(data.sel(x=130, y=240)) == 12
    assert data.rio.crs.to_epsg() == 28354
    with pytest.raises(FormatError, match="band 2 is asked for, the raster has 1 to 1"):
        raster.read_raster(path, band=2)
    with pytest.raises(FormatError, match="the grid is rotated, rows along y and x are needed"):
        raster.read_raster(write(tmp_path, VALUES.astype("<f4"), "turned.grd", rot=5))


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name",
    [
        "geosoft_small/test.grd",
        "geosoft_variants/om_compress.grd",
        "geosoft_variants/om_float.grd",
        "geosoft_variants/om_rotate.grd",
    ],
)
def test_corpus_agrees_with_harmonica_cell_by_cell(corpus_dir, name):
    path = corpus_dir / "grid" / name
    grid = geosoft.read_grid(path)
    oasis = pytest.importorskip("harmonica").load_oasis_montaj_grid(path)
    np.testing.assert_array_equal(grid.values[grid.name], oasis.values)
    x, y = np.meshgrid(grid.x, grid.y)
    if grid.frame is None:
        easting, northing = np.meshgrid(oasis.easting.values, oasis.northing.values)
    else:
        x, y, _ = grid.frame.to_world(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1)).T
        easting, northing = oasis.easting.values.ravel(), oasis.northing.values.ravel()
    np.testing.assert_allclose(x, easting, rtol=0, atol=1e-9)
    np.testing.assert_allclose(y, northing, rtol=0, atol=1e-9)
    # the number of valid points in the header
    assert np.isfinite(grid.values[grid.name]).sum() == struct.unpack("<i", path.read_bytes()[156:160])[0]


@pytest.mark.corpus
def test_corpus_rotated_grid_turns_clockwise_and_the_projection_is_found(corpus_dir):
    turned = geosoft.read_grid(corpus_dir / "grid/geosoft_variants/om_rotate.grd")
    assert turned.frame is not None
    assert turned.frame.axes[0, 1] == pytest.approx(-0.5)  # ROT is -30
    assert geosoft.read_grid(corpus_dir / "grid/geosoft_small/test.grd").crs_name == "WGS 84"
