"""GoCAD stratigraphic grids: points, values of cells and of points, regions, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.io.gocad.lines import TextFile, read_blocks
from mpm3d.io.gocad.sgrid import read_sgrid
from mpm3d.io.gocad.voxet import read_voxet
from mpm3d.io.options import Options
from mpm3d.lattice import StructuredGrid

DATA = Path(__file__).parent / "data" / "sgrid"
COUNTS = (5, 4, 3)  # points along U, V and W
SHAPE = COUNTS[::-1]
UTM = np.array([5e5, 7e6, 0])
CELLS = tuple(n - 1 for n in SHAPE)
HEADER = """GOCAD SGrid 1
HEADER {
name: folded
double_precision_binary: off
}
AXIS_N 5 4 3
PROP_ALIGNMENT CELLS
POINTS_OFFSET 0
POINTS_FILE points@@
PROPERTY 1 "v"
PROP_NO_DATA_VALUE 1 -99999
PROP_ESIZE 1 4
PROP_ETYPE 1 IEEE
PROP_FORMAT 1 RAW
PROP_OFFSET 1 0
PROP_FILE 1 v@@
END
"""


def points_by_formula() -> np.ndarray:
    """Points ``(w, v, u, 3)`` on unequal steps, sheared to the east and folded along V, W downwards."""
    w, v, u = np.meshgrid(*(np.arange(float(n)) for n in SHAPE), indexing="ij")
    x = 1000 + 10 * u**1.5 + 3 * w
    y = 2000 + 25 * v
    z = 300 - 40 * w + 5 * np.sin(v)
    return np.stack([x, y, z], axis=-1)


def marker() -> np.ndarray:
    """Zero but in the cell I J K = 3 1 0."""
    values = np.zeros(CELLS)
    values[0, 1, 3] = 7.5
    return values


def write(folder: Path, header: str = HEADER, **arrays: np.ndarray) -> Path:
    """Write a header and its data files, big-endian unless the array says otherwise."""
    (folder / "grid.sg").write_text(header)
    given = {"points": points_by_formula().astype(">f4"), "v": marker().astype(">f4"), **arrays}
    for name, array in given.items():
        array.tofile(folder / f"{name}@@")
    return folder / "grid.sg"


def read(path: Path, **options: object) -> StructuredGrid:
    text = TextFile(path)
    (block,) = read_blocks(text)
    return read_sgrid(text, block, Options(**options))  # type: ignore[arg-type]


def said(grid: StructuredGrid, words: str) -> bool:
    return any(words in note for note in grid.notes)


def test_a_marker_comes_back_in_its_cell_between_its_eight_corners(tmp_path: Path) -> None:
    grid = read(write(tmp_path))
    assert (grid.name, grid.kind, grid.shape, grid.notes) == ("folded", "SGrid", CELLS, ())
    assert np.argwhere(grid.values["v"] == 7.5).tolist() == [[0, 1, 3]]
    np.testing.assert_allclose(grid.points, points_by_formula(), rtol=1e-7)
    corners = points_by_formula()[0:2, 1:3, 3:5].reshape(8, 3)
    np.testing.assert_allclose(grid.centres()[0, 1, 3], corners.mean(axis=0), rtol=1e-7)


def test_a_table_of_text_has_the_value_of_a_cell_on_its_lowest_corner() -> None:
    grid = read(DATA / "dome.sg")
    assert (grid.name, grid.crs_name, grid.z_positive) == ("dome", "local grid", "Depth")
    assert grid.shape == (2, 1, 2)
    np.testing.assert_allclose(grid.points[1, 1, 2], [500030.125, 7000040, -200 * 0.3048])
    np.testing.assert_allclose(grid.points[2, 0, 1], [500010.125, 7000000, -330 * 0.3048])
    np.testing.assert_array_equal(grid.values["grade"], [[[1, 3.5]], [[3, np.nan]]])
    np.testing.assert_array_equal(grid.values["temperature"].ravel(), np.arange(10.0, 28))
    assert grid.values["temperature"].shape == (3, 2, 3)
    assert grid.classes == {"rock": {1: "shale", 2: "sand"}} or grid.classes == {
        "rock": {1: "sand", 2: "shale"}
    }
    assert grid.units == {"grade": "g/t"}
    assert said(grid, "axis z is in 'ft' and was converted to metres (0.3048).")
    assert said(grid, "z is depth in the file and was negated to elevation.")
    assert not said(grid, "statistics")  # count 3, mean 2.5, variance 1.75 of 1, 3 and 3.5


def test_rows_of_text_may_stand_in_any_order(tmp_path: Path) -> None:
    rows = (DATA / "dome__ascii@@").read_text().splitlines()
    (tmp_path / "dome.sg").write_text((DATA / "dome.sg").read_text())
    (tmp_path / "dome__ascii@@").write_text("\n".join([*rows[:3], *rows[:2:-1]]))
    again, grid = read(tmp_path / "dome.sg"), read(DATA / "dome.sg")
    np.testing.assert_array_equal(again.points, grid.points)
    np.testing.assert_array_equal(again.values["rock"], grid.values["rock"])


def test_values_beyond_the_last_cell_are_noted(tmp_path: Path) -> None:
    rows = (DATA / "dome__ascii@@").read_text().replace("-99  12 -99   2 0 0", "  8  12 -99   2 0 0")
    (tmp_path / "dome.sg").write_text((DATA / "dome.sg").read_text())
    (tmp_path / "dome__ascii@@").write_text(rows)
    grid = read(tmp_path / "dome.sg")
    assert said(grid, "property 'grade': 1 values in rows of the last I, J or K belong to no cell")


def test_values_of_points_keep_the_shape_of_the_points(tmp_path: Path) -> None:
    values = np.arange(60.0).reshape(SHAPE)
    values[2, 3, 4] = -99999
    header = HEADER.replace("PROP_FILE 1", "PROP_ALIGNMENT 1 POINTS\nPROP_FILE 1")
    grid = read(write(tmp_path, header, v=values.astype(">f4")))
    assert np.isnan(grid.values["v"][2, 3, 4])
    assert grid.values["v"][1, 2, 3] == 20 + 2 * 5 + 3  # u fastest


def test_alignment_that_is_not_said_follows_the_size_of_the_file(tmp_path: Path) -> None:
    header = HEADER.replace("PROP_ALIGNMENT CELLS\n", "")
    cells = read(write(tmp_path, header))
    assert cells.values["v"].shape == CELLS
    assert said(cells, "does not say whether the values of 'v' are those of cells or of points")
    points = read(write(tmp_path, header, v=np.zeros(SHAPE, ">f4")))
    assert points.values["v"].shape == SHAPE


def test_a_value_for_each_point_of_a_grid_of_cells_is_that_of_the_lowest_corner(tmp_path: Path) -> None:
    values = np.full(SHAPE, -99999.0)
    values[:-1, :-1, :-1] = marker()
    grid = read(write(tmp_path, v=values.astype(">f4")))
    np.testing.assert_array_equal(grid.values["v"], marker())
    assert said(grid, "the file of property 'v' has a value for each point: those of the lowest corners")


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace("binary: off", "binary: on"),
        HEADER.replace("binary: off", "binary:true"),
        HEADER.replace("POINTS_FILE", "BINARY_POINTS_IN_DOUBLE_PRECISION 1\nPOINTS_FILE"),
    ],
)
def test_points_may_be_double_precision(tmp_path: Path, header: str) -> None:
    points = points_by_formula() + UTM
    np.testing.assert_array_equal(read(write(tmp_path, header, points=points.astype(">f8"))).points, points)


def test_points_are_single_where_the_file_has_no_room_for_double(tmp_path: Path) -> None:
    grid = read(write(tmp_path, HEADER.replace("binary: off", "binary: on")))
    np.testing.assert_allclose(grid.points, points_by_formula(), rtol=1e-7)
    assert said(grid, "the file of points has room for single only.")


def test_rounding_of_utm_coordinates_in_single_precision_is_said(tmp_path: Path) -> None:
    points = (points_by_formula() + UTM).astype(">f4")
    note = "which rounds y up to 7002075 by as much as 0.25 m."  # from 2**22 to 2**23 steps are 0.5
    assert said(read(write(tmp_path, points=points)), note)
    near = (points_by_formula() + UTM / 100).astype(">f4")  # below 2**17 m steps are 1/128 m
    assert read(write(tmp_path, points=near)).notes == ()


def test_points_and_values_begin_at_their_offsets_and_may_share_a_file(tmp_path: Path) -> None:
    both = np.concatenate([[0, 0], points_by_formula().ravel(), marker().ravel()]).astype(">f4")
    header = HEADER.replace("POINTS_OFFSET 0", "POINTS_OFFSET 8").replace("OFFSET 1 0", f"OFFSET 1 {8 + 720}")
    header = header.replace("points@@", '"all data@@"').replace("v@@", '"all data@@"')
    path = write(tmp_path, header)
    both.tofile(tmp_path / "all data@@")
    grid = read(path)
    np.testing.assert_array_equal(grid.values["v"], marker())
    np.testing.assert_allclose(grid.points, points_by_formula(), rtol=1e-7)


def test_whole_numbers_of_one_byte_are_codes_with_names(tmp_path: Path) -> None:
    header = HEADER.replace("ESIZE 1 4", "ESIZE 1 1\nPROP_STORAGE_TYPE 1 Octet\nPROP_SIGNED 1 1")
    header = header.replace("PROP_NO_DATA_VALUE 1 -99999", "PROPERTY_SUBCLASS 1 ROCK 2 sand 1 mud 2")
    codes = np.arange(24, dtype="i1").reshape(CELLS) % 2 + 1
    grid = read(write(tmp_path, header, v=codes))
    np.testing.assert_array_equal(grid.values["v"], codes)
    assert grid.values["v"].dtype == np.int8
    assert sorted(grid.classes["v"].values()) == ["mud", "sand"]


def test_statistics_that_do_not_agree_are_noted(tmp_path: Path) -> None:
    header = HEADER.replace("PROP_FILE 1", "PROP_SAMPLE_STATS 1 24 5 1 0 10\nPROP_FILE 1")
    assert said(read(write(tmp_path, header)), "value should be 24, 5, 1, 0, 10 and are 24, 0.3125,")


def test_little_endian_files_are_read_if_asked(tmp_path: Path) -> None:
    path = write(tmp_path, points=points_by_formula().astype("<f4"), v=marker().astype("<f4"))
    grid = read(path, byte_order="little")
    np.testing.assert_array_equal(grid.values["v"], marker())
    np.testing.assert_allclose(grid.points, points_by_formula(), rtol=1e-7)


REGIONS = """REGION upper 3
REGION "far south" 9
REGION_FLAGS_ARRAY_LENGTH 60
REGION_FLAGS_BIT_LENGTH 10
REGION_FLAGS_ESIZE 2
REGION_FLAGS_OFFSET 0
REGION_FLAGS_FILE flags@@
END
"""


@pytest.mark.parametrize("order", "<>")
def test_regions_are_cells_by_the_flag_of_their_lowest_corner(tmp_path: Path, order: str) -> None:
    flags = np.zeros(SHAPE, dtype=f"{order}u2")
    flags[0] |= 1 << 3  # bit 11 if the bytes are swapped, beyond the length of 10
    flags[:, 0, :] |= 1 << 9
    grid = read(write(tmp_path, HEADER.replace("END\n", REGIONS), flags=flags))
    assert {name: inside.shape for name, inside in grid.regions.items()} == {
        "upper": CELLS,
        "far south": CELLS,
    }
    assert grid.regions["upper"][0].all()
    assert not grid.regions["upper"][1].any()
    assert np.argwhere(grid.regions["far south"])[:, 1].max() == 0
    assert grid.regions["far south"].sum() == 2 * 4


def test_regions_are_points_where_values_are(tmp_path: Path) -> None:
    flags = np.arange(60, dtype="<u2").reshape(SHAPE) % 2 * 8
    header = HEADER.replace("END\n", REGIONS).replace("CELLS", "POINTS")
    grid = read(write(tmp_path, header, flags=flags, v=np.zeros(SHAPE, ">f4")))
    np.testing.assert_array_equal(grid.regions["upper"], flags == 8)


def test_regions_without_flags_of_their_own_are_in_the_flags_of_the_points(tmp_path: Path) -> None:
    header = HEADER.replace("END\n", REGIONS.replace("REGION_FLAGS", "FLAGS"))
    grid = read(write(tmp_path, header, flags=np.full(SHAPE, 8, "<u2")))
    assert grid.regions["upper"].all()
    assert not said(grid, "were not read")


def test_faults_dead_cells_and_model_regions_are_noted_and_the_geometry_kept(tmp_path: Path) -> None:
    more = (
        "FLAGS_FILE flags@@\nMODEL_REGION block1 3\nFACE_SET f1 2\n0 1 5 2\n"
        "SPLIT 1 1 1 1020 2025 250 26 1 0 1 0 1 0 1 0\nSPLIT 1 1 2 1020 2025 210 46 1 0 1 0 1 0 1 0\nEND\n"
    )
    grid = read(write(tmp_path, HEADER.replace("END\n", more)))
    np.testing.assert_allclose(grid.points, points_by_formula(), rtol=1e-7)
    assert said(grid, "2 points are split at faults (SPLIT), which was ignored")
    assert said(grid, "1 sets of faces (FACE_SET) were not read.")
    assert said(grid, "the flags of the points 'flags@@' (dead cells, faults) were not read.")
    assert said(grid, "the model regions block1 were not read.")


def test_a_section_of_points_has_no_cells_but_its_values(tmp_path: Path) -> None:
    header = HEADER.replace("AXIS_N 5 4 3", "AXIS_N 5 4 1").replace("CELLS", "POINTS")
    grid = read(write(tmp_path, header, v=np.arange(20, dtype=">f4")))
    assert grid.shape == (0, 3, 4)
    assert grid.values["v"].shape == (1, 4, 5)


REFUSED = [
    ("AXIS_N 5 4 3", "AXIS_N 5 4", r"line 6: AXIS_N has 2 values .'5 4'., an SGrid needs three"),
    ("AXIS_N 5 4 3", "AXIS_N 5 4 -3", r"line 6: AXIS_N is '5 4 -3', three whole numbers"),
    ("AXIS_N 5 4 3", "AXIS_N 1000000 1000000 10", r"line 6: AXIS_N is '1000000 1000000 10'"),
    ("AXIS_N 5 4 3", "AXIS_N 9999999 9999 10", r"points@@: .* 720 bytes, 11998798800120 are needed"),
    ("AXIS_N 5 4 3\n", "", r"line 1: the SGrid 'folded' has no AXIS_N\. The header may be truncated\."),
    ("POINTS_FILE points@@\n", "", r"line 1: the SGrid 'folded' names neither a POINTS_FILE nor"),
    ("points@@", "gone@@", r"line 9: the data file 'gone@@' is not in"),
    ("points@@", "../points@@", r"line 9: the data file '\.\./points@@' is outside the folder"),
    ("POINTS_OFFSET 0", "POINTS_OFFSET x", r"line 8: POINTS_OFFSET is 'x', a count of bytes is expected\."),
    ("POINTS_OFFSET 0", "POINTS_OFFSET 4", r"points@@: .* 724 are needed for the lattice of points .line 9"),
    ("PROP_OFFSET 1 0", "PROP_OFFSET 1 8", r"v@@: .* 104 are needed for property 'v' .*: 8 to skip"),
    ("PROP_FILE 1 v@@\n", "", r"line 10: property 'v' has no PROP_FILE and there is no ASCII_DATA_FILE\."),
    ("CELLS", "FACES", r"line 7: PROP_ALIGNMENT is 'FACES', CELLS or POINTS is expected\."),
    ("ESIZE 1 4", "ESIZE 1 3", r"line 12: property 'v' has values of '3' bytes, 1, 2, 4 or 8 are expected\."),
    ("AXIS_N 5 4 3", "AXIS_N 5 4 1", r"line 10: property 'v' has values of cells and AXIS_N 5 4 1 makes"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_damaged_headers_and_short_files_are_refused_with_their_place(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write(tmp_path, HEADER.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read(path)


def test_a_property_that_cannot_be_read_is_left_out_if_asked(tmp_path: Path) -> None:
    grid = read(write(tmp_path, HEADER.replace("v@@", "gone@@")), errors="skip")
    assert grid.values == {}
    assert said(grid, "property 'v' was left out: grid.sg, line 16: the data file 'gone@@' is not in")


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30])
def test_coordinates_that_are_no_place_are_refused(tmp_path: Path, wrong: float) -> None:
    points = points_by_formula().astype(">f4")
    points[2, 1, 3, 1] = wrong
    message = r"points@@: the point I J K 3 1 2 is at .*, which is no place\. .* try byte_order='little'\."
    with pytest.raises(FormatError, match=message):
        read(write(tmp_path, points=points))


BAD_ROWS = [
    ("17   1   1 0 1", "17   1   1 0 7", r"line 11: I J K of the row are 1 0 7, the lattice has"),
    ("17   1   1 0 1", "17   1   0 0 1", r"a place \(I J K\) has several rows and others have none\."),
    ("17   1   1 0 1", "17   1   1 0", r"line 11: the row .* does not hold 9 numbers"),
    ("500010.125  7000000  220", "nan  7000000  220", r"line 11: the point is at \[nan, .* which is no"),
    ("27 -99   2 1 2\n", "27 -99   2 1 2\n1 2 3 4 5 6 7 8 9\n", r"more than 18 rows"),
    (" 500000.125  7000000  200    3  16   2   0 0 1\n", "", r"there are 17 rows"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), BAD_ROWS)
def test_damaged_tables_are_refused_with_their_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    rows = (DATA / "dome__ascii@@").read_text()
    assert old in rows
    (tmp_path / "dome.sg").write_text((DATA / "dome.sg").read_text())
    (tmp_path / "dome__ascii@@").write_text(rows.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "dome.sg")


def test_a_table_too_short_for_its_header_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "dome.sg").write_text((DATA / "dome.sg").read_text().replace("3 2 3", "9999999 99999 1"))
    (tmp_path / "dome__ascii@@").write_text((DATA / "dome__ascii@@").read_text())
    with pytest.raises(FormatError, match=r"dome__ascii@@: the file has \d+ bytes, too few for \d+ rows"):
        read(tmp_path / "dome.sg")


def test_binary_junk_as_a_table_is_refused(tmp_path: Path, rng: np.random.Generator) -> None:
    (tmp_path / "dome.sg").write_text((DATA / "dome.sg").read_text())
    (tmp_path / "dome__ascii@@").write_bytes(rng.bytes(5000))
    with pytest.raises(FormatError, match="dome__ascii@@"):
        read(tmp_path / "dome.sg")


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name", ["binary_cells/test_sgrid_binary.sg", "ascii_twin_of_voxet/test_sgrid_ascii.sg"]
)
def test_a_sample_of_a_voxet_is_the_centre_of_the_cell_of_its_twin(corpus_dir: Path, name: str) -> None:
    grid = read(corpus_dir / "sgrid" / name)
    text = TextFile(corpus_dir / "voxet" / "flags_regions_flipped_axes" / "test_voxet_5_5_5.vo")
    voxet = read_voxet(text, read_blocks(text)[0], Options())
    index = np.stack(np.meshgrid(*(np.arange(5),) * 3, indexing="ij")[::-1], axis=-1)  # u, v, w
    samples = voxet.origin + index @ voxet.steps
    # 0.25 m is the rounding of northings of 4.9e6 m in the single precision of both files
    np.testing.assert_allclose(grid.centres(), samples, atol=0.25)
    corner = voxet.origin - voxet.steps.sum(axis=0) / 2
    np.testing.assert_allclose(grid.points[0, 0, 0], corner, atol=0.25)
    np.testing.assert_array_equal(grid.values["layer"], voxet.values["layer"])
    np.testing.assert_array_equal(grid.values["layer"][:, 0, 0], [1, 2, 3, 4, 5])  # V and W run backwards
    assert not said(grid, "statistics")


@pytest.mark.corpus
def test_binary_and_text_twins_are_the_same_grid(corpus_dir: Path) -> None:
    binary = read(corpus_dir / "sgrid" / "binary_cells" / "test_sgrid_binary.sg")
    text = read(corpus_dir / "sgrid" / "ascii_twin_of_voxet" / "test_sgrid_ascii.sg")
    np.testing.assert_allclose(binary.points, text.points, atol=0.25)
    np.testing.assert_array_equal(binary.values["layer"], text.values["layer"])
    assert said(binary, "which rounds y up to 4932492 by as much as 0.25 m.")


@pytest.mark.corpus
def test_a_header_without_its_data_is_refused_with_its_line(corpus_dir: Path) -> None:
    path = corpus_dir / "sgrid" / "modem_header_only" / "ModEM_Model_File.sg"
    with pytest.raises(
        FormatError, match=r"ModEM_Model_File\.sg, line 15: the data file 'ModEM_Model_File__as"
    ):
        read(path)
