"""Tables of points, segments and blocks, read and written."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points
from mpm3d.io import blocks_table, drillholes, table
from mpm3d.io.blocks_table import find_lattice
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, Frame, PropertyModel
from mpm3d.values import Lazy
from mpm3d.wells import Intervals, Well

STRICT, SKIP = Options(), Options(errors="skip")


def write(folder: Path, text: str | bytes, name: str = "holes.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def body(folder: Path, text: str | bytes, options: Options = STRICT) -> Points | Lines | BlockModel:
    path = write(folder, text)
    assert table.matches(path, path.read_bytes()[:65536])
    (found,) = table.read_bodies(path, options)
    return found


def test_points_come_with_their_numbers(tmp_path):
    path = write(tmp_path, "hole,X,y,Z,au\nDH1,1,2,3,0.5\nDH2,4,5,6,\n")
    points = table.read_points(path)
    assert points.name == "holes"
    assert points.kind == "points table"
    assert points.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    np.testing.assert_array_equal(points.properties["au"], [0.5, np.nan])
    assert points.notes == ("columns of text were not read: hole.",)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffx;y;z\n1;2;3\n",
        "x\ty\tz\r\n1\t2\t3\r\n",
        " z , x , y \n 3 , 1 , 2 \n\n",
        "rank,x,y,elevation\n1,1,2,3\n",
        "x y  z\n1   2 3\n",
        "x|y|z\n1|2|3\n",
        "# a comment\n\n#another\nx,y,z\n# in between\n1,2,3\n# at the end\n",
        '"x","y","z"\n"1","2","3"\n',
        "East (m),Northing [m],RL\n1,2,3\n",
        "X_COLLAR,Y_COLLAR,Z_COLLAR\n1,2,3\n",
        "CENTROID_X,CENTROID_Y,CENTROID_Z\n1,2,3\n",
        "XCENTRE,YCENTRE,ZCENTRE\n1,2,3\n",
        "x_m,y_m,z_m\n1,2,3\n",
        "x,y,z\n,,\n1,2,3\n,,\n",
        "x,y,z\n1,2,3,\n",
        "x,y,z,\n1,2,3,\n",
        "# x,y,z\n1,2,3\n",
        "x;y;z\n1,0;2,0;3,0\n",
        "x\ty\tz\n1,0\t2\t3e0\n",
        b"\xff\xfe" + "x,y,z\n1,2,3\n".encode("utf-16-le"),
    ],
)
def test_the_ways_tables_are_written_make_no_difference(tmp_path, text):
    assert body(tmp_path, text).vertices.tolist() == [[1, 2, 3]]


def test_names_in_latin_1_and_gzipped_tables_are_read(tmp_path):

    path = tmp_path / "t.csv.gz"
    path.write_bytes(gzip.compress("x,y,z,Güte (Ω)\n1,2,3,4\n".encode()))
    points = table.read_points(path)
    assert points.name == "t"
    assert points.units == {"Güte": "Ω"}
    points = body(tmp_path, "x,y,z,Güte\n1,2,3,4\n".encode("latin-1"))
    assert list(points.properties) == ["Güte"]


def test_units_stand_in_brackets_after_the_names(tmp_path):
    points = body(tmp_path, "x,y,z,AU (ppm),Cu [%],As (ppm),As (ppb),note (long)\n1,2,3,4,5,6,7,text\n")
    assert list(points.properties) == ["AU", "Cu", "As (ppm)", "As (ppb)"]
    assert points.units == {"AU": "ppm", "Cu": "%", "As (ppm)": "ppm", "As (ppb)": "ppb"}


def test_feet_become_metres_and_unknown_units_are_said(tmp_path):
    points = body(tmp_path, "x (ft),y_ft,z (chains)\n1000,2000,3\n")
    np.testing.assert_allclose(points.vertices, [[304.8, 609.6, 3]])
    assert points.notes[:3] == (
        "'x' is in 'ft' and was converted to metres (0.3048).",
        "'y_ft' is in 'ft' and was converted to metres (0.3048).",
        "the unit 'chains' of 'z' is not known and was taken as metres.",
    )


def test_decimal_commas_count_only_where_no_number_has_a_point(tmp_path):
    points = body(tmp_path, "x;y;z;au\n1,5;2;3;<0,01\n2,5;2;3;0,25\n")
    assert points.vertices[:, 0].tolist() == [1.5, 2.5]
    np.testing.assert_array_equal(points.properties["au"], [np.nan, 0.25])
    assert points.notes[0] == "commas in numbers were taken as decimal commas."
    mixed = body(tmp_path, "x\ty\tz\tcount\n1.5\t2\t3\t1,234\n")
    assert mixed.vertices[0, 0] == 1.5
    assert mixed.properties == {}
    assert "columns of text were not read: count." in mixed.notes


def test_limits_of_detection_are_missing_and_counted(tmp_path):
    points = body(tmp_path, "x,y,z,au,cu\n1,2,3,<0.01,5\n1,2,4,0.5,>1E3\n1,2,5,< .01,NA\n1,2,6,-,7\n")
    np.testing.assert_array_equal(points.properties["au"], [np.nan, 0.5, np.nan, np.nan])
    np.testing.assert_array_equal(points.properties["cu"], [5, np.nan, np.nan, 7])
    assert points.notes[:2] == (
        "2 values of 'au', such as '<0.01', are limits of detection and count as missing.",
        "1 values of 'cu', such as '>1E3', are limits of detection and count as missing.",
    )


def test_a_column_with_other_words_stays_text_and_says_so(tmp_path):
    points = body(tmp_path, "x,y,z,au\n1,2,3,1\n1,2,4,2\n1,2,5,IS\n")
    assert points.properties == {}
    assert points.notes[0] == (
        "'au' was read as text, since 1 of 3 values are no numbers, such as 'IS'."
    )  # fmt: skip


def test_numbers_that_stand_for_missing_are_kept_and_said(tmp_path):
    points = body(tmp_path, "x,y,z,au\n1,2,3,-99\n1,2,4,-99\n1,2,5,1\n")
    assert points.properties["au"].tolist() == [-99, -99, 1]
    assert points.notes[0] == "'au' holds -99 2 times, which may stand for missing; it was kept."


def test_second_choices_of_coordinates_become_values(tmp_path):
    points = body(tmp_path, "X,Y,Z,EAST,NORTH\n1,2,3,4,5\n")
    assert points.vertices.tolist() == [[1, 2, 3]]
    assert points.properties["EAST"].tolist() == [4]
    assert points.notes[0] == (
        "coordinates were read from X, Y, Z; EAST, NORTH look like some too and became values."
    )  # fmt: skip


def test_columns_of_one_name_and_of_none_are_kept_apart(tmp_path):
    points = body(tmp_path, "x,y,z,au,au,\n1,2,3,4,5,6\n")
    assert {name: v.tolist() for name, v in points.properties.items()} == {
        "au": [4], "au_5": [5], "column_6": [6],
    }  # fmt: skip


def test_segments_join_their_ends(tmp_path):
    head = "x_from,y_from,z_from,x_to,y_to,z_to,au (ppm)"
    lines = body(tmp_path, f"{head}\n0,1,2,3,4,5,0.1\n6,7,8,9,10,11,0.2\n")
    assert lines.kind == "intervals table"
    assert lines.segments.tolist() == [[0, 1], [2, 3]]
    assert lines.vertices[lines.segments[1]].tolist() == [[6, 7, 8], [9, 10, 11]]
    assert lines.part.tolist() == [0, 1]
    assert lines.properties["au"].tolist() == [0.1, 0.1, 0.2, 0.2]
    assert lines.units == {"au": "ppm"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "x,y,au\n1,2,3\n",
            r"line 1: there are x and y \(x, y\) but the column 'z' is missing, so this is a map",
        ),
        ("x,y,depth\n1,2,3\n", "A column of depths is no elevation. Add a column z, RL or elevation"),
        ("a,b\n1,2\n", "line 1: the columns 'x', 'y', 'z' are missing, x, y, z are needed. There are: a, b"),
        ("lon,lat,z\n1,2,3\n", "longitudes and latitudes. Coordinates in metres are needed: project them"),
        ("x (deg),y (deg),z\n1,2,3\n", "the column 'x' is in degrees. Coordinates in metres are needed"),
        ("x,y,z\n1,2,3\n1,two,3\n", "holes.csv, line 3: y is 'two', a finite number is needed"),
        ("# c\n\nx,y,z\n# c\n1,2,3\n\n1,two,3\n", "line 7: y is 'two'"),
        ("x,y,z\n1,,3\n", "line 2: y is '', a finite number is needed"),
        ("x,y,z\n1,2,inf\n", "z is 'inf', a finite number is needed"),
        ("x,y,z\n1,2,1e400\n", "a finite number is needed. Read with errors='skip'"),
        ("x,X,y,z\n1,2,3,4\n", "the column 'x' appears more than once. Rename one of them"),
        ("", "this is not a table with a header"),
        ("1,2,3\n", "this is not a table with a header. A first line with the names of the columns"),
        ("x,y,z\n1,2,3\n1,2,3,4\n", "not a table with a header of 3 columns .*line 3, saw 4"),
        ("x,y,z\n1,2,3,4\n", "this is not a table with a header of 3 columns"),
        ("x,y,z\n1,2,3,\n1,2,3,4\n", "a header of 3 columns: rows have 4 values. Name every column"),
        ('x,y,z\n1,2,"3\n', "this is not a table with a header"),
        (b"\x00\x01\x02", "this is not a table with a header"),
        ("BHID,AT,BRG,DIP\nA,0,1,2\n", r"this is a survey of drillholes, which have no place without their"),
        ("HOLEID,FROM,TO,AU\nA,0,1,2\n", "this is a table of intervals of drillholes.*read_drillholes"),
    ],
)
def test_damaged_tables_are_refused_with_the_reason(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(FormatError, match=message):
        table.read_bodies(path, STRICT)
    with pytest.raises(FormatError, match=message):
        table.read_points(path)


def test_rows_without_coordinates_are_left_out_on_request(tmp_path):
    points = body(tmp_path, "x,y,z,au\n1,2,3,4\nx,2,3,5\n1,2,6,6\n1,2,inf,7\n", SKIP)
    assert points.vertices.tolist() == [[1, 2, 3], [1, 2, 6]]
    assert points.properties["au"].tolist() == [4, 6]
    assert points.notes[0] == "2 rows without finite coordinates were left out."


def test_segments_name_the_columns_they_need(tmp_path):
    path = write(tmp_path, "x_from,y_from,z_from,y_to\n1,2,3,4\n")
    for read in (table.read_segments, lambda p: table.read_bodies(p, STRICT)):
        with pytest.raises(FormatError, match="the columns 'x_to', 'z_to' are missing"):
            read(path)


def test_a_table_without_rows_has_no_points(tmp_path):
    assert table.read_points(write(tmp_path, "x,y,z\n")).vertices.shape == (0, 3)
    assert body(tmp_path, "x,y,z,dx,dy,dz,rock\n").centres.shape == (0, 3)


def test_collars_are_points_and_hint_at_holes(tmp_path):
    points = body(tmp_path, "HOLEID,EAST,NORTH,RL,EOH\nA,1,2,3,100\nB,4,5,6,200\n")
    assert points.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert points.notes[-1].startswith("each HOLEID has one row, so these may be collars: io.drillholes.read")
    samples = body(tmp_path, "HOLEID,EAST,NORTH,RL\nA,1,2,3\nA,4,5,6\n")
    assert not any("collars" in note for note in samples.notes)


@pytest.mark.parametrize(
    ("head", "matches"),
    [
        (b"GOCAD TSurf 1\nHEADER {\nname:x,y,z\n", False),
        (b"3 4 5\n0 0 0\n", False),
        (b"x,y,z\n", True),
        (b"a,b,c\n1,2,3\n", False),
        (b"\x00\x01", False),
        (b"", False),
        (b"x y z are the letters of this prose\nand so on and so forth here\n", False),
        (b"x y z\n1 2 3\n", True),
        (b"BHID,FROM,TO\n", True),
        (b"hole,depth,azi,dip\n", True),
        (b"x_from,y_from,z_from,x_to,y_to,z_to\n", True),
        (b"PK\x03\x04\xff\xfe\x80,x,y,\x81", False),
        (b"\xff\xfex\x00,\x00y\x00,\x00z\x00\n\x00", True),
        (b"\xff\xfex", False),
        (b'"x,y,z\n', False),
    ],
)
def test_tables_are_told_by_their_header(head, matches):
    assert table.matches(Path("any"), head) is matches


@given(st.binary(max_size=300))
@settings(max_examples=300)
def test_junk_is_never_an_accident(content):
    for module in (table, blocks_table, drillholes):
        module.matches(Path("junk"), content)


def test_blocks_are_told_by_positive_sizes():
    head = b"XC,YC,ZC,DX,DY,DZ\n1,2,3,4,5,6\n"
    assert blocks_table.matches(Path("any"), head)
    assert not blocks_table.matches(Path("any"), head + b"1,2,3,4,-5,6\n")
    assert not blocks_table.matches(Path("any"), b"XC,YC,ZC\n1,2,3\n")
    assert blocks_table.matches(Path("any"), b"x;y;z;dx;dy;dz\n1;2;3;4,5;5,5;6,5\n")


def lattice_rows(shape=(3, 4, 5), step=(5.0, 10.0, 2.5), corner=(243000.0, 1002000.0, 1800.0)) -> np.ndarray:
    """Centres of cells, an unequal number and size along each axis, x fastest."""
    z, y, x = np.meshgrid(*(np.arange(n) for n in shape[::-1]), indexing="ij")
    index = np.column_stack([x.ravel(), y.ravel(), z.ravel()])
    return index * step + corner


def csv_of(xyz: np.ndarray, head: str, values: list[str]) -> str:
    rows = [",".join([*map(repr, row), value]) for row, value in zip(xyz.tolist(), values, strict=True)]
    return "\n".join([head, *rows]) + "\n"


def test_centres_on_a_lattice_are_blocks_and_the_marker_stays(tmp_path):
    xyz = lattice_rows()
    values = ["0"] * 60
    values[1 + 3 * (2 + 4 * 3)] = "7"  # the second cell along x, the third along y, the fourth along z
    keep = np.arange(60) != 17  # a block is missing
    text = csv_of(xyz[keep], "XC,YC,ZC,au (g/t)", [v for v, k in zip(values, keep, strict=True) if k])
    blocks = body(tmp_path, text)
    assert blocks.kind == "block model"
    assert np.unique(blocks.sizes, axis=0).tolist() == [[5, 10, 2.5]]
    assert blocks.units == {"au": "g/t"}
    assert blocks.notes == (
        "read as blocks, since the centres lie on a lattice of 3 × 4 × 5 cells of 5 × 10 × 2.5 m, 98.3 % of "
        "it filled. The sizes of the blocks are its steps.",
        "XC, YC and ZC were taken as the centres of the blocks.",
    )
    assert blocks.layout == (
        "A row for each block: XC, YC, ZC of its centre; sizes from the steps of the lattice."
    )  # fmt: skip
    model = blocks.as_model()
    assert np.argwhere(model.values["au"] == 7).tolist() == [[3, 2, 1]]
    assert model.edges[0].tolist() == [1798.75, 1801.25, 1803.75, 1806.25, 1808.75, 1811.25]


def test_rounded_centres_still_lie_on_their_lattice():
    third = np.round(lattice_rows((40, 5, 6), (10 / 3, 10 / 3, 10 / 3)), 2)
    width, _ = find_lattice(third)
    np.testing.assert_allclose(width, 10 / 3, rtol=2e-3)


CHECKERED = np.indices((4, 4, 4)).sum(axis=0).ravel() % 2 == 0
SCATTER = np.random.default_rng(0).uniform(0, 100, (50, 3))


@pytest.mark.parametrize(
    ("xyz", "why"),
    [
        (lattice_rows((2, 2, 1)), "there are no sizes and 4 rows, a lattice needs 8."),
        (lattice_rows((3, 4, 1)), "the coordinates along z are not multiples of one step."),
        (SCATTER, "coordinates along x are not multiples of one step"),
        (np.round(SCATTER), "the rows fill 0.0053 % of a lattice of"),
        (np.repeat(lattice_rows((2, 2, 4)), 2, axis=0), "there are no sizes and rows share places."),
        (lattice_rows((4, 4, 4))[CHECKERED], "most places in the lattice of"),
        (np.array([[0, 0, 0], [1, 1, 1], [2.5, 2, 2]] * 3, dtype=float), "along x are not multiples"),
    ],
)  # fmt: skip
def test_what_is_no_lattice_is_points_and_the_note_says_why(tmp_path, xyz, why):
    points = body(tmp_path, csv_of(xyz, "x,y,z,au", ["1"] * len(xyz)))
    assert isinstance(points, Points)
    assert points.notes[-1].startswith("read as points, since there are no sizes and ")
    assert why in points.notes[-1]
    with pytest.raises(FormatError, match="the sizes of the blocks are not known: read as points, since"):
        table.read_blocks(tmp_path / "holes.csv")


def test_samples_of_holes_on_a_grid_are_no_blocks_unless_asked(tmp_path):
    path = write(tmp_path, csv_of(lattice_rows(), "x,y,z,hole", ["A"] * 60))
    (points,) = table.read_bodies(path, STRICT)
    assert points.notes[-1] == "read as points, since 'hole' names holes."
    assert len(table.read_blocks(path).centres) == 60


def test_sub_blocks_have_the_sizes_of_their_columns(tmp_path):
    rows = "5,5,5,10,10,10,A,1\n12.5,2.5,5,5,5,10,,2\n17.5,2.5,5,5,5,10,NA,\n"
    blocks = body(tmp_path, f"XC,YC,ZC,XINC,YINC,ZINC,ROCK,AU\n{rows}")
    assert blocks.sizes.tolist() == [[10, 10, 10], [5, 5, 10], [5, 5, 10]]
    assert blocks.texts["ROCK"].tolist() == ["A", "", "NA"]
    np.testing.assert_array_equal(blocks.values["AU"], [1, 2, np.nan])
    assert blocks.bounds == (0, 0, 0, 20, 10, 10)
    assert blocks.notes[0] == "read as blocks, since there are columns of sizes."
    assert blocks.layout == "A row for each block: XC, YC, ZC of its centre; sizes from XINC, YINC, ZINC."


@pytest.mark.parametrize(
    "names", ["DX,DY,DZ", "DIM_X,DIM_Y,DIM_Z", "SIZE_X,SIZE_Y,SIZE_Z", "xlength,ylength,zlength"]
)
def test_sizes_have_many_names(tmp_path, names):
    blocks = body(tmp_path, f"EAST,NORTH,RL,{names}\n1,2,3,4,5,6\n")
    assert blocks.sizes.tolist() == [[4, 5, 6]]


def test_sizes_that_are_none_make_points_or_are_refused(tmp_path):
    path = write(tmp_path, "x,y,z,dx,dy,dz\n1,2,3,4,5,6\n1,2,3,0,-5,6\n")
    (points,) = table.read_bodies(path, STRICT)
    assert points.notes[-1] == (
        "read as points, since dx, dy, dz are not positive everywhere, as sizes of blocks are."
    )  # fmt: skip
    with pytest.raises(FormatError, match="line 3: dx is '0', the size of a block is positive"):
        table.read_blocks(path)
    blocks = table.read_blocks(path, errors="skip")
    assert blocks.sizes.tolist() == [[4, 5, 6]]
    assert "1 rows with sizes that are not positive were left out." in blocks.notes
    with pytest.raises(FormatError, match="the centres of the blocks need columns x, y and z"):
        table.read_blocks(write(tmp_path, "x,y\n1,2\n"))


def test_one_size_is_a_value_beside_a_lattice(tmp_path):
    blocks = body(tmp_path, csv_of(lattice_rows(), "x,y,z,dx", ["5"] * 60))
    assert "The columns dx became values." in blocks.notes[0]
    assert set(blocks.values) == {"dx"}


@pytest.mark.data
def test_the_bonnie_blocks_are_the_lattice_of_their_readme(data_dir):
    path = data_dir / "bonnie_block_model/bonnie.csv"
    assert table.matches(path, path.read_bytes()[:65536])
    (blocks,) = table.read_bodies(path, STRICT)
    # PROVENANCE.md: 19,618 blocks, EAST 54 x 5 m, NORTH 28 x 10 m, RL 38 x 5 m, CODE blank 70, Au 0.125-1.589
    assert len(blocks.centres) == 19618
    assert np.unique(blocks.sizes, axis=0).tolist() == [[5, 10, 5]]
    assert blocks.as_model().shape == (38, 28, 54)
    codes, counts = np.unique(blocks.texts["CODE"], return_counts=True)
    assert dict(zip(codes.tolist(), counts.tolist(), strict=True)) == {"": 70, "C1": 17153, "C2": 2395}
    au = blocks.values["Auppm"]
    assert (au.min(), au.max()) == (pytest.approx(0.125, abs=5e-4), pytest.approx(1.589, abs=5e-4))
    frame = pd.read_csv(path)
    assert int((au >= np.quantile(au, 0.9)).sum()) == 1962  # the top 10 %
    np.testing.assert_array_equal(blocks.centres, frame[["EAST", "NORTH", "RL"]].to_numpy())
    np.testing.assert_array_equal(blocks.values["ISBD"], frame["ISBD"].to_numpy())


@pytest.mark.data
def test_the_bonnie_blocks_are_the_same_when_they_were_written(data_dir, tmp_path):
    blocks = table.read_blocks(data_dir / "bonnie_block_model/bonnie.csv")
    table.write_blocks(tmp_path / "b.csv.gz", blocks)
    same_blocks(blocks, table.read_blocks(tmp_path / "b.csv.gz"))


def same_blocks(one: BlockModel, other: BlockModel) -> None:
    np.testing.assert_array_equal(one.centres, other.centres)
    np.testing.assert_array_equal(one.sizes, other.sizes)
    assert list(one.values) == list(other.values)
    for name in one.values:
        np.testing.assert_array_equal(one.values[name], other.values[name])
    assert list(one.texts) == list(other.texts)
    for name in one.texts:
        assert one.texts[name].tolist() == other.texts[name].tolist()
    assert one.units == other.units


@given(
    st.lists(
        st.tuples(*[st.floats(-1e7, 1e7)] * 3, st.floats(allow_infinity=True, allow_nan=True)),
        min_size=1, max_size=20,
    )
)  # fmt: skip
@settings(max_examples=50, deadline=None)
def test_points_are_read_to_the_last_digit_they_were_written(tmp_path_factory, rows):
    data = np.array(rows)
    points = Points("p", data[:, :3], properties={"v": data[:, 3]}, kind="points table")
    path = tmp_path_factory.mktemp("t") / "p.csv"
    table.write_points(path, points)
    again = table.read_points(path)
    np.testing.assert_array_equal(again.vertices, points.vertices)
    np.testing.assert_array_equal(again.properties["v"], points.properties["v"])


def test_points_with_odd_names_and_vectors_come_back(tmp_path):
    points = Points(
        "p", np.array([[1.0, 2, 3], [4, 5, 6]]), part=np.array([0, 1]),
        properties={
            'Au, "fire assay"': np.array([0.1, np.nan]), "raw (old)": np.array([1, 2]),
            "v": np.array([[1.0, 2], [3, 4]]), "f": np.array([0.1, np.nan], dtype=np.float32),
        },
        units={'Au, "fire assay"': "g/t", "v": "mT"}, regions={"in": np.array([True, False])},
    )  # fmt: skip
    table.write_points(tmp_path / "p.csv", points)
    again = table.read_points(tmp_path / "p.csv")
    assert list(again.properties) == ['Au, "fire assay"', "raw (old)", "v_1", "v_2", "f", "in", "part"]
    assert again.units == {'Au, "fire assay"': "g/t", "v_1": "mT", "v_2": "mT"}
    np.testing.assert_array_equal(again.properties["f"].astype(np.float32), points.properties["f"])
    assert again.properties["in"].tolist() == [1, 0]


def model_of(**more) -> PropertyModel:
    edges = (np.array([0.0, 10, 25, 50]), np.array([100.0, 120, 130]), np.array([5.0, 6, 8, 11, 15]))
    values = np.arange(24, dtype=np.float32).reshape(3, 2, 4)
    values[2, 1, 0] = np.nan
    return PropertyModel("m", edges, {"rho": values}, **more)


def test_cells_are_written_x_fastest_from_below(tmp_path):
    model = model_of(units={"rho": "ohm.m"}, classes={"rho": {0: "air", 5: "rock"}})
    table.write_blocks(tmp_path / "m.csv", model)
    rows = (tmp_path / "m.csv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "x,y,z,dx,dy,dz,rho (ohm.m),rho_class"
    assert rows[1] == "5.5,110.0,5.0,1.0,20.0,10.0,0.0,air"
    assert rows[2] == "7.0,110.0,5.0,2.0,20.0,10.0,1.0,"
    assert rows[1 + 20] == "5.5,125.0,37.5,1.0,10.0,25.0,,"
    blocks = table.read_blocks(tmp_path / "m.csv")
    np.testing.assert_array_equal(blocks.values["rho"], model.values["rho"].ravel())
    assert blocks.texts["rho_class"][5] == "rock"
    table.write_blocks(tmp_path / "again.csv", blocks)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "m.csv").read_bytes()


def test_values_in_a_file_are_read_layer_by_layer(tmp_path, monkeypatch):
    monkeypatch.setattr("mpm3d.io.tables.write._PIECE", 8)
    seen = []

    class Watched:
        shape, dtype = (3, 2, 4), np.dtype(np.float32)

        def __getitem__(self, key):
            part = model_of().values["rho"][key]
            seen.append(part.shape)
            return part

    model = model_of()
    table.write_blocks(tmp_path / "lazy.csv", replace(model, values={"rho": Lazy(Watched())}))
    assert seen == [(1, 2, 4)] * 3
    table.write_blocks(tmp_path / "whole.csv", model)
    assert (tmp_path / "lazy.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def assayed() -> list[Well]:
    path = np.array([[0.0, 0, 100], [0, 0, 60]])
    one = Well(
        "#1", path[0], np.array([0.0, 40]), path, units={"au": "ppm"},
        intervals={"assay": Intervals(
            np.array([0.0, 10, 35]), np.array([10.0, 20, 45]),
            {"au": np.array([0.1, np.nan, 3]), "rock": np.array(["a, b", "", 'the "ore"'])},
        )},
    )  # fmt: skip
    two = replace(one, name="B", intervals={"assay": Intervals(np.zeros(1), np.ones(1), {"cu": np.ones(1)})})
    return [one, two, replace(one, name="C", intervals={})]


def test_intervals_are_written_with_their_ends_in_space(tmp_path):
    table.write_intervals(tmp_path / "i.csv", assayed())
    frame = pd.read_csv(tmp_path / "i.csv")
    assert list(frame.columns) == [
        "hole", "from", "to", "x_from", "y_from", "z_from", "x_to", "y_to", "z_to", "au (ppm)", "rock", "cu",
    ]  # fmt: skip
    assert frame["hole"].tolist() == ["#1", "#1", "#1", "B"]
    assert frame["z_to"].tolist()[:2] == [90, 80]
    assert np.isnan(frame["z_to"][2])  # beyond the end of the hole
    lines = table.read_segments(tmp_path / "i.csv", errors="skip")
    assert lines.notes[0] == "1 rows without finite coordinates were left out."
    assert lines.vertices[lines.segments[1]].tolist() == [[0, 0, 90], [0, 0, 80]]
    np.testing.assert_array_equal(lines.properties["au"], [0.1, 0.1, np.nan, np.nan, np.nan, np.nan])


def test_what_a_table_cannot_hold_is_not_written(tmp_path):
    path = tmp_path / "t.csv"
    points = Points("p", np.array([[1.0, 2, 3]]))
    for changed, message in [
        ({"vertices": np.array([[1.0, 2, np.nan]])}, "'p' has coordinates or sizes that are not finite"),
        (
            {"properties": {"Z": np.ones(1)}},
            r"a value is named 'Z' as a column of the table itself is \(x, y, z",
        ),
        (
            {"properties": {"a": np.ones(1)}, "regions": {"a": np.ones(1, bool)}},
            "two columns of 'p' would be named 'a'",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            table.write_points(path, replace(points, **changed))
    with pytest.raises(ValueError, match="the cells of 'm' are rotated or skewed, which a table"):
        table.write_blocks(path, model_of(frame=Frame.rotated([0, 0, 0], 30)))
    wells = assayed()
    with pytest.raises(ValueError, match=r"no hole has 'zones', there are: assay. Name one: table='assay'"):
        table.write_intervals(path, wells, table="zones")
    with pytest.raises(ValueError, match="the holes have several or no tables of intervals, there are: none"):
        table.write_intervals(path, wells[2:])
    text = replace(wells[1], intervals={"assay": Intervals(np.zeros(1), np.ones(1), {"au": np.array(["x"])})})
    with pytest.raises(ValueError, match="the column 'au' holds text in 'B' and numbers in another hole"):
        table.write_intervals(path, [wells[0], text])
    assert not path.exists()
    assert not list(tmp_path.iterdir())


def test_one_very_long_remark_does_not_widen_all_rows(tmp_path):
    rows = "".join(f"{i},0,0,1,1,1,{'x' * 100_000 if i == 3 else 'short'}\n" for i in range(2000))
    blocks = body(tmp_path, f"x,y,z,dx,dy,dz,remark\n{rows}")
    assert blocks.texts["remark"].nbytes < 10**6
    assert blocks.texts["remark"][2] == "short"
    assert len(blocks.texts["remark"][3]) == 100_000


def test_a_hash_within_quotes_over_lines_is_no_comment(tmp_path):
    blocks = body(tmp_path, 'x,y,z,dx,dy,dz,remark\n1,2,3,1,1,1,"two\n# lines"\n#gone\n4,5,6,1,1,1,b\n')
    assert blocks.texts["remark"].tolist() == ["two\n# lines", "b"]


@pytest.mark.parametrize("word", ["", "x", "x,y,z", "a"])
def test_many_columns_take_no_time_that_matters(tmp_path, word):
    table.matches(Path("any"), ",".join([word] * 60_000).encode())
    line = ",".join([word] * 1000)
    path = write(tmp_path, f"{line}\n{line}\n")
    with pytest.raises(FormatError):
        table.read_bodies(path, STRICT)


def test_choices_that_are_none_are_refused(tmp_path):
    path = write(tmp_path, "x,y,z\n1,2,3\n")
    for read in (table.read_points, table.read_segments, table.read_blocks):
        with pytest.raises(ValueError, match="errors='lax' is not known, use 'strict' or 'skip'"):
            read(path, errors="lax")


@pytest.mark.parametrize(
    "title", ["Export of a model builder 2020\n", "Samples,,,\n\n2020,,,\n", "Project;;;\n"]
)
def test_titles_above_the_names_are_left_out_and_said(tmp_path, title):
    (body,) = io.read(write(tmp_path, title + "x,y,z,au\n1,2,3,4\n5,6,7,8\n"))
    assert body.vertices.tolist() == [[1, 2, 3], [5, 6, 7]]
    assert any(
        note.startswith("the title '") and "above the names was left out" in note for note in body.notes
    )
    with pytest.raises(FormatError, match=rf"line {title.count(chr(10)) + 3}: y is 'no'"):
        io.read(write(tmp_path, title + "x,y,z,au\n1,2,3,4\n5,no,7,8\n"))


def test_a_row_of_units_below_the_names_gives_the_units(tmp_path):
    (body,) = io.read(write(tmp_path, "x,y,z,au\nft,ft,m,g/t\n100,200,3,4\n"))
    np.testing.assert_allclose(body.vertices, [[30.48, 60.96, 3]])
    assert body.properties["au"].tolist() == [4]
    assert body.units == {"au": "g/t"}
    assert "rows of words below the names were left out (ft, ft, m, g/t)." in body.notes


def test_types_and_descriptions_below_the_names_are_left_out(tmp_path):
    text = (
        "centroid_x,centroid_y,centroid_z,dim_x,dim_y,dim_z,au\nCentroid X,,,,,,\n"
        "double,double,double,double,double,double,double\n , , , , , ,\n"
        "5,5,5,10,10,10,1\n15,5,5,10,10,10,2\n"
    )
    (body,) = io.read(write(tmp_path, text))
    assert isinstance(body, BlockModel)
    assert body.bounds == (0, 0, 0, 20, 10, 10)
    assert body.values["au"].tolist() == [1, 2]


def test_a_row_without_a_place_is_no_row_of_units(tmp_path):
    path = write(tmp_path, "x,y,z,rock\n,,,granite\n1,2,3,basalt\n")
    with pytest.raises(FormatError, match="line 2: x is ''"):
        io.read(path)
    with pytest.raises(FormatError, match="line 2: x is 'no'"):
        io.read(write(tmp_path, "x,y,z,rock\nno,2,3,granite\n1,2,3,basalt\n"))


def test_numbers_without_names_are_places_if_the_suffix_says_so(tmp_path):
    (body,) = io.read(write(tmp_path, "# topography\n1 2 3 7\n4 5 6 8\n", "topo.XYZ"))
    assert body.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert body.properties["column_4"].tolist() == [7, 8]
    assert body.notes[0] == "no names stand above the columns; the first three were taken as x, y and z."
    (body,) = io.read(write(tmp_path, "1,2,3\n4,5,6\n", "topo.xyz"))
    assert body.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
    for name, text in (("heights.txt", "1 2 3\n4 5 6\n"), ("flat.xyz", "1 2\n3 4\n")):
        with pytest.raises(FormatError, match="which is not a format that is read"):
            io.read(write(tmp_path, text, name))
