"""GoCAD text objects: surfaces, polylines, points and groups, read and written."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.geometry import Lines, Points, Surface
from mpm3d.io import gocad
from mpm3d.io.gocad.lines import split_words
from mpm3d.io.options import Options
from mpm3d.lattice import Voxet

TWO_TRIANGLES = """GOCAD TSurf 1
HEADER {
name:sheet
}
TFACE
VRTX 1 0 0 10
VRTX 2 100 0 20
VRTX 3 0 200 30
VRTX 4 100 200 40
TRGL 1 2 3
TRGL 2 4 3
END
"""


def write(folder: Path, text: str | bytes, name: str = "file.ts") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_one(folder: Path, text: str | bytes, **options: str) -> Surface:
    (surface,) = gocad.read_objects(write(folder, text), **options)
    assert isinstance(surface, Surface)
    return surface


def tsurf(*body: str, head: str = "") -> str:
    return "\n".join(["GOCAD TSurf 1", "HEADER {", "name:s", "}", *head.splitlines(), *body, "END", ""])


SQUARE = ("VRTX 1 0 0 10", "VRTX 2 100 0 20", "VRTX 3 0 200 30")


def corners(surface: Surface) -> np.ndarray:
    return surface.vertices[surface.triangles]


def test_a_plain_surface_is_read_as_it_is_written(tmp_path):
    surface = read_one(tmp_path, TWO_TRIANGLES)
    assert surface.name == "sheet"
    assert surface.vertices.tolist() == [[0, 0, 10], [100, 0, 20], [0, 200, 30], [100, 200, 40]]
    assert surface.triangles.tolist() == [[0, 1, 2], [1, 3, 2]]
    assert surface.triangles.dtype == np.int64
    assert surface.part.tolist() == [0, 0]
    assert surface.bounds == (0, 0, 10, 100, 200, 40)
    assert surface.notes == ()
    assert surface.z_positive == "Elevation"


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.replace("\n", "\n\n"),
        lambda text: "# made by hand\n\n" + text.replace("HEADER {", "HEADER {\n# inside"),
        lambda text: text.replace(" ", "\t").replace("GOCAD\t", "GOCAD "),
        lambda text: text.replace("VRTX 3", "# between\nVRTX 3").replace("TRGL 2", "   \nTRGL 2"),
        lambda text: text.replace("HEADER {\nname:sheet\n}", "HEADER {name:sheet}"),
        lambda text: text.replace("HEADER {\nname:sheet\n}", "HEADER{name:sheet *painted:on}"),
        lambda text: text.replace("HEADER {\nname:sheet\n}", "HEADER\n{\nname:sheet\n}"),
        lambda text: text.replace("name:sheet\n}", "name:sheet"),
        lambda text: text.replace("name:sheet", 'name: old\n*solid*color:gold\nname = "sheet"'),
        lambda text: text.replace("TSurf 1", "Tsurf 1.0 "),
        lambda text: text.replace("TFACE\n", ""),
        lambda text: text.replace("100 0 20", "1D2 0 2d+1").replace("200 30", "2e2 3.0E+01"),
        lambda text: text.replace("VRTX 3 0 200 30", "VRTX   3  0 200\t30 CNXYZ"),
        lambda text: text.replace("END", "BSTONE 1\nBORDER 5 1 2\nEND"),
        lambda text: text.replace("TRGL 1 2 3", "TRGL 1 2 3  7.5 0"),
        lambda text: text.replace("TFACE\n", "REGION Region_1 0\nTFACE\n").replace(
            "TRGL 1", "BEGIN_ATOM_REGION_INDICATORS\nARI 1 0\nEND_ATOM_REGION_INDICATORS\nTRGL 1"
        ),
        lambda text: text.replace("END", "PROPERTY_CN M\nCNP 1\nCNP 2\nEND_PROPERTY_CN\nEND"),
        lambda text: text.replace("TFACE", "PROPERTY_CLASS_HEADER my own class {\nname:wrong\n}\nTFACE"),
        lambda text: text.replace("VRTX 1 ", "VRTX 70 ").replace("TRGL 1 ", "TRGL 70 "),
        lambda text: text.replace("VRTX 1 ", "VRTX 0 ").replace("TRGL 1 ", "TRGL 0 "),
    ],
)
def test_the_ways_files_are_written_make_no_difference(tmp_path, change):
    surface = read_one(tmp_path, change(TWO_TRIANGLES))
    expected = read_one(tmp_path, TWO_TRIANGLES)
    assert surface.name == "sheet"
    assert np.array_equal(surface.vertices, expected.vertices)
    assert np.array_equal(surface.triangles, expected.triangles)


def test_latin_1_and_utf_16_names_are_read(tmp_path):
    named = TWO_TRIANGLES.replace("sheet", "Störung")
    assert read_one(tmp_path, named.encode("latin-1")).name == "Störung"
    assert read_one(tmp_path, named.encode("utf-16")).name == "Störung"
    (surface,) = io.read(write(tmp_path, named.encode("utf-16")))
    assert surface.name == "Störung"


def test_gzip_is_told_by_content_and_not_by_suffix(tmp_path):
    packed = write(tmp_path, gzip.compress(TWO_TRIANGLES.encode()), "packed.ts")
    (surface,) = io.read(packed)
    assert len(surface.triangles) == 2
    (surface,) = io.read(write(tmp_path, TWO_TRIANGLES, "plain.ts.gz"))
    assert len(surface.triangles) == 2


def test_damaged_gzip_is_a_format_error(tmp_path):
    packed = gzip.compress(TWO_TRIANGLES.encode() * 50)
    path = write(tmp_path, packed[: len(packed) // 2])
    with pytest.raises(FormatError, match="the gzip content is damaged"):
        gocad.read_objects(path)
    with pytest.raises(FormatError, match=r"file\.ts: the gzip content is damaged"):
        io.read(path)


def test_a_missing_name_is_the_name_of_the_file(tmp_path):
    text = TWO_TRIANGLES.replace("HEADER {\nname:sheet\n}\n", "")
    (surface,) = io.read(write(tmp_path, text, "fault 7.ts.gz"))
    assert surface.name == "fault 7"


def test_missing_end_is_noted_and_the_next_object_begins(tmp_path):
    first, second = gocad.read_objects(write(tmp_path, TWO_TRIANGLES.replace("END\n", "") * 2))
    assert len(first.triangles) == len(second.triangles) == 2
    assert first.notes == ("the object has no END line, the file may be truncated.",)


def test_ids_restart_in_the_next_object(tmp_path):
    other = TWO_TRIANGLES.replace("VRTX 1 0 0 10", "VRTX 1 -5 0 10")
    first, second = gocad.read_objects(write(tmp_path, TWO_TRIANGLES + other))
    assert first.vertices[0, 0] == 0
    assert second.vertices[second.triangles[0, 0], 0] == -5


def test_atoms_repeat_earlier_vertices_of_other_parts(tmp_path):
    surface = read_one(
        tmp_path,
        tsurf(
            "TFACE", *SQUARE, "TRGL 1 2 3",
            "TFACE", "ATOM 10 2", "VRTX 11 100 200 40", "ATOM 12 3", "ATOM 13 12", "TRGL 10 11 13",
        ),
    )  # fmt: skip
    assert surface.part.tolist() == [0, 1]
    assert corners(surface)[1].tolist() == [[100, 0, 20], [100, 200, 40], [0, 200, 30]]


def test_an_atom_without_a_vertex_before_it_is_an_error(tmp_path):
    text = tsurf("ATOM 4 1", *SQUARE, "TRGL 4 2 3", "TRGL 1 2 3")
    with pytest.raises(
        FormatError, match=r"line 5: ATOM 4 repeats the vertex 1, which does not exist before"
    ):
        read_one(tmp_path, text)
    surface = read_one(tmp_path, text, errors="skip")
    assert len(surface.vertices) == 3
    assert surface.triangles.tolist() == [[0, 1, 2]]
    assert surface.notes == (
        "1 vertices without finite coordinates were left out.",
        "1 triangles with unknown vertices were left out.",
    )


TABLE = """PROPERTIES " my prop" vec c
PROP_LEGAL_RANGES **none**  **none** **none**  **none** **none** **none**
NO_DATA_VALUES -99999 1.0000000031710769e-30
PROPERTY_SUBCLASSES QUANTITY Float LINEARFUNCTION Float 1  0 QUANTITY Float
ESIZES 1 3
UNITS "g / cm3" none m"""


def test_properties_have_components_units_and_no_data(tmp_path):
    surface = read_one(
        tmp_path,
        tsurf(
            "TFACE",
            "PVRTX 1 0 0 10 1.5 0 0 1 -99999 CNXYZ",
            "PVRTX 2 100 0 20 -99999 0 1e-30 1 8",
            "VRTX 3 0 200 30",
            "PATOM 4 1 7.5 1 2 3 9",
            "ATOM 5 2",
            "TRGL 1 2 3",
            head=TABLE,
        ),
    )
    nan = np.nan
    assert list(surface.properties) == [" my prop", "vec", "c"]
    np.testing.assert_array_equal(surface.properties[" my prop"], [1.5, nan, nan, 7.5, nan])
    np.testing.assert_array_equal(
        surface.properties["vec"], [[0, 0, 1], [0, nan, 1], [nan] * 3, [1, 2, 3], [0, nan, 1]]
    )
    np.testing.assert_array_equal(surface.properties["c"], [-99999, 8, nan, 9, 8])
    assert surface.units == {" my prop": "g / cm3", "c": "m"}
    assert surface.notes == (
        "property 'c' has 1 values of -99999 and declares no no-data value; they were kept.",
    )


def test_values_that_a_line_lacks_are_missing_and_noted(tmp_path):
    text = tsurf(*(line.replace("VRTX", "PVRTX") + " 1" for line in SQUARE), "TRGL 1 2 3", head=TABLE)
    surface = read_one(tmp_path, text)
    assert surface.properties[" my prop"].tolist() == [1, 1, 1]
    assert np.isnan(surface.properties["c"]).all()
    assert surface.notes == ("3 vertices have fewer values than the 5 of PROPERTIES, the last are missing.",)


def test_two_properties_of_one_name_are_both_kept(tmp_path):
    text = tsurf(
        "PVRTX 1 0 0 0 5 6", "PVRTX 2 1 0 0 5 6", "PVRTX 3 0 1 0 5 6", "TRGL 1 2 3", head="PROPERTIES a a"
    )
    assert [float(v[0]) for v in read_one(tmp_path, text).properties.values()] == [5, 6]


CELLS = """PROPERTIES a
UNITS m
TRGL_PROPERTIES ZoneId "dip and azimuth"
TRGL_PROP_LEGAL_RANGES **none** **none** **none** **none**
TRGL_NO_DATA_VALUES -999.25 -1
TRGL_ESIZES 1 2
TRGL_UNITS none deg
TRGL_PROPERTY_CLASS_HEADER ZoneId{
low_clip:1
}"""


def test_triangles_have_properties_of_their_own(tmp_path):
    lines = ("TRGL 1 2 3  4 10 200", "TRGL 3 2 1  -999.25 -1 201 CNXYZ", "TRGL 2 3 1")
    surface = read_one(tmp_path, tsurf(*SQUARE, *lines, head=CELLS))
    assert list(surface.cell_properties) == ["ZoneId", "dip and azimuth"]
    np.testing.assert_array_equal(surface.cell_properties["ZoneId"], [4, np.nan, np.nan])
    np.testing.assert_array_equal(
        surface.cell_properties["dip and azimuth"], [[10, 200], [np.nan, 201], [np.nan, np.nan]]
    )
    assert surface.units == {"a": "m", "dip and azimuth": "deg"}
    assert surface.notes == (
        "1 triangles have fewer values than the 3 of TRGL_PROPERTIES, the last are missing.",
    )


def test_values_of_triangles_that_are_left_out_go_with_them(tmp_path):
    text = tsurf(*SQUARE, "TRGL 1 2 9 7", "TRGL 1 2 3 8", head="TRGL_PROPERTIES zone")
    surface = read_one(tmp_path, text, errors="skip")
    assert surface.cell_properties["zone"].tolist() == [8]


def test_values_of_triangles_need_possible_sizes(tmp_path):
    with pytest.raises(FormatError, match=r"line 6: TRGL_ESIZES '0' are not possible"):
        read_one(tmp_path, tsurf(*SQUARE, "TRGL 1 2 3 8", head="TRGL_PROPERTIES zone\nTRGL_ESIZES 0"))


def test_flags_end_the_values_of_a_line(tmp_path):
    vertices = [f"PVRTX {i} {i} 0 {i * i} {7 * i} CNXYZ" for i in range(1, 4)]
    surface = read_one(tmp_path, tsurf(*vertices, "TRGL 1 2 3", head="PROPERTIES a b"))
    assert surface.properties["a"].tolist() == [7, 14, 21]
    assert np.isnan(surface.properties["b"]).all()
    with pytest.raises(FormatError, match="'PVRTX 1 1 0 1 7 none' has a value that is not a number"):
        read_one(tmp_path, tsurf(vertices[0].replace("CNXYZ", "none"), head="PROPERTIES a b"))


REGIONS = ("REGION old 1", 'REGION "east side" 0')
FLAGS = ("BEGIN_ATOM_REGION_INDICATORS", "ARI 1 0 1", "ARI 3 1 1", "END_ATOM_REGION_INDICATORS")


def test_regions_are_the_vertices_whose_flag_is_set(tmp_path):
    surface = read_one(tmp_path, tsurf(*SQUARE, *FLAGS, "TRGL 1 2 3", head="\n".join(REGIONS)))
    assert {name: inside.tolist() for name, inside in surface.regions.items()} == {
        "old": [True, False, True],
        "east side": [False, False, True],
    }
    assert surface.regions["old"].dtype == bool
    assert surface.notes == ()


@pytest.mark.parametrize(
    ("body", "head", "notes"),
    [
        (FLAGS, "", ("regions without a name were left out.",)),
        ((), "REGION old 1", ("the regions 'old' have no vertices and were left out.",)),
        (
            ("ARI 1 7",),
            "REGION old 0",
            ("the regions 'old' have flags other than 0 and 1 and were left out.",),
        ),
    ],
)
def test_regions_that_say_nothing_are_left_out_and_noted(tmp_path, body, head, notes):
    surface = read_one(tmp_path, tsurf(*SQUARE, *body, "TRGL 1 2 3", head=head))
    assert surface.regions == {}
    assert surface.notes == notes


def test_regions_without_a_usable_number_have_their_flags_in_their_order(tmp_path):
    for numbers in (("", ""), (" 3", " 3"), (" -1", " 0"), (" 9" * 30, " 1")):
        head = f"REGION a{numbers[0]}\nREGION b{numbers[1]}"
        surface = read_one(tmp_path, tsurf(*SQUARE, "ARI 2 0 1", "TRGL 1 2 3", head=head))
        assert surface.regions["a"].tolist() == [False] * 3
        assert surface.regions["b"].tolist() == [False, True, False]


def test_two_regions_of_one_name_are_both_kept(tmp_path):
    surface = read_one(tmp_path, tsurf(*SQUARE, "ARI 2 0 1", "TRGL 1 2 3", head="REGION a 0\nREGION a 1"))
    assert [inside.sum() for inside in surface.regions.values()] == [0, 1]


def test_control_nodes_are_a_region_of_each_property(tmp_path):
    nodes = ("PROPERTY_CN au", "CNP 1", "CNP 3", "END_PROPERTY_CN", "PROPERTY_CN ag", "END_PROPERTY_CN")
    surface = read_one(tmp_path, tsurf(*SQUARE, *nodes, "TRGL 1 2 3"))
    assert surface.regions["control nodes of au"].tolist() == [True, False, True]
    assert surface.regions["control nodes of ag"].tolist() == [False] * 3


@pytest.mark.parametrize("line", ["ARI 9 1", "CNP 9"])
def test_members_of_regions_that_do_not_exist_are_an_error_or_left_out(tmp_path, line):
    text = tsurf(*SQUARE, line, "TRGL 1 2 3", head="REGION old 0\nPROPERTY_CN au")
    with pytest.raises(
        FormatError, match=f"line 10: {line[:3]} refers to the vertex 9, which does not exist"
    ):
        read_one(tmp_path, text)
    assert (
        "1 lines of regions with unknown vertices were left out."
        in read_one(tmp_path, text, errors="skip").notes
    )


def test_words_run_together_are_an_error_or_parted(tmp_path):
    text = TWO_TRIANGLES.replace("TRGL 1 2 3\n", "TRGL 1 2 3\nTFACEVRTX 7 5 5 5\n").replace(
        "TFACE\nVRTX 1", "TFACEVRTX 1"
    )
    message = "line 5: 'TFACEVRTX' are two words run together, 'TFACE' and 'VRTX' on lines of their own"
    with pytest.raises(FormatError, match=message):
        read_one(tmp_path, text)
    surface = read_one(tmp_path, text, errors="skip")
    assert surface.vertices[[0, 4]].tolist() == [[0, 0, 10], [5, 5, 5]]
    assert surface.part.tolist() == [0, 1]
    assert surface.notes == ("2 lines had a word run together with VRTX or ATOM and were parted.",)


CRS = """GOCAD_ORIGINAL_COORDINATE_SYSTEM
NAME " gocad Local"
AXIS_NAME X Y Z
AXIS_UNIT {units}
ZPOSITIVE {sense}
END_ORIGINAL_COORDINATE_SYSTEM"""


def normal(surface: Surface) -> np.ndarray:
    a, b, c = corners(surface)[0]
    return np.cross(b - a, c - a)


def test_depth_is_negated_once_and_the_surface_keeps_its_upper_side(tmp_path):
    up = read_one(tmp_path, tsurf(*SQUARE, "TRGL 1 2 3", head=CRS.format(units="m m m", sense="Elevation")))
    deep = [line.rsplit(" ", 1) for line in SQUARE]
    lines = [f"{start} {-int(z)}" for start, z in deep]
    down = read_one(tmp_path, tsurf(*lines, "TRGL 1 3 2", head=CRS.format(units="m m m", sense="Depth")))
    assert up.crs_name == down.crs_name == "gocad Local"
    assert (up.z_positive, down.z_positive) == ("Elevation", "Depth")
    assert np.array_equal(up.vertices, down.vertices)
    assert np.array_equal(normal(up), normal(down))
    assert down.notes == ("z is depth in the file and was negated to elevation.",)


@pytest.mark.parametrize(
    ("units", "factors", "said"),
    [
        ("ft ft ft", (0.3048, 0.3048, 0.3048), "axis x is in 'ft' and was converted to metres (0.3048)."),
        (
            '"U.S. ft" ftUS m',
            (1200 / 3937, 1200 / 3937, 1),
            "axis y is in 'ftUS' and was converted to metres",
        ),
        ("km km m", (1000, 1000, 1), "axis x is in 'km' and was converted to metres (1000)."),
        ("m m ms", (1, 1, 1), "the unit 'ms' of axis z is not known and was taken as metres."),
    ],
)
def test_lengths_become_metres_and_the_notes_say_so(tmp_path, units, factors, said):
    text = tsurf(*SQUARE, "TRGL 1 2 3", head=CRS.format(units=units, sense="Elevation"))
    surface = read_one(tmp_path, text)
    assert surface.vertices[2] == pytest.approx(np.array([0, 200, 30]) * factors, rel=1e-12)
    assert any(note.startswith(said) for note in surface.notes)


def test_polylines_take_their_segments_or_join_their_vertices(tmp_path):
    text = (
        "GOCAD Pline 1\nHEADER {\nname:l\n}\nILINE\nVRTX 1 60e3 0 0\nVRTX 2 1 0 0\nVRTX 3 2 1 5\n"
        "SEG 1 2\nSEG 2 3\nSEG 3 1\nILINE\nVRTX 4 0 9 0\nVRTX 5 0 8 0\nATOM 6 3\nEND\n"
    )
    (lines,) = gocad.read_objects(write(tmp_path, text))
    assert isinstance(lines, Lines)
    assert lines.segments.tolist() == [[0, 1], [1, 2], [2, 0], [3, 4], [4, 5]]
    assert lines.part.tolist() == [0, 0, 0, 1, 1]
    assert lines.vertices[5].tolist() == [2, 1, 5]


def test_segments_to_nowhere_are_an_error_or_left_out(tmp_path):
    path = write(tmp_path, "GOCAD PLine 1\nILINE\nVRTX 1 0 0 0\nVRTX 2 1 0 0\nSEG 1 2\nSEG 2 9\nEND\n")
    with pytest.raises(FormatError, match="line 6: SEG refers to the vertex 9, which does not exist"):
        gocad.read_objects(path)
    (lines,) = gocad.read_objects(path, errors="skip")
    assert lines.segments.tolist() == [[0, 1]]
    assert lines.notes == ("1 segments with unknown vertices were left out.",)


def test_points_are_read_with_and_without_subvset(tmp_path):
    text = "GOCAD VSet 1\nPROPERTIES au\nSUBVSET\nPVRTX 5 1 2 3 0.5\nPVRTX 9 4 5 6 0.7\nEND\n"
    for form in (text, text.replace("SUBVSET\n", "")):
        (points,) = gocad.read_objects(write(tmp_path, form, "gold.vs"))
        assert isinstance(points, Points)
        assert points.name == "gold"
        assert points.vertices.tolist() == [[1, 2, 3], [4, 5, 6]]
        assert points.properties["au"].tolist() == [0.5, 0.7]
        assert points.part.tolist() == [0, 0]


def test_points_know_their_set_and_regions(tmp_path):
    text = (
        "GOCAD VSet 1\nREGION good 0\nSUBVSET\nVRTX 1 0 0 0\nSUBVSET\nVRTX 2 1 0 0\nVRTX 3 2 0 0\n"
        "ARI 3 1\nARI 1 0\nEND\n"
    )
    (points,) = gocad.read_objects(write(tmp_path, text))
    assert points.part.tolist() == [0, 1, 1]
    assert points.regions["good"].tolist() == [False, False, True]


def test_polylines_have_regions_too(tmp_path):
    text = "GOCAD PLine 1\nREGION north 0\nILINE\nVRTX 1 0 0 0\nVRTX 2 1 0 0\nARI 1 1\nSEG 1 2\nEND\n"
    (lines,) = gocad.read_objects(write(tmp_path, text))
    assert lines.regions["north"].tolist() == [True, False]


def test_groups_give_their_members_which_inherit_the_coordinate_block(tmp_path):
    crs = CRS.format(units="m m m", sense="Depth")
    own = TWO_TRIANGLES.replace("TFACE", CRS.format(units="m m m", sense="Elevation") + "\nTFACE")
    text = (
        f"GOCAD HeterogeneousGroup 1\nHEADER {{\nname:outer\n}}\n{crs}\nBEGIN_MEMBERS\n"
        f"GOCAD HomogeneousGroup 1\nHEADER {{\nname:inner\n}}\nTYPE TSurf\nBEGIN_MEMBERS\n"
        f"{TWO_TRIANGLES}END_MEMBERS\nEND\n{own}END_MEMBERS\nEND\n{TWO_TRIANGLES}"
    )
    inherited, own_block, outside = gocad.read_objects(write(tmp_path, text))
    assert inherited.name == "sheet"
    assert inherited.notes[0] == "the coordinate block is that of the group 'outer'."
    assert own_block.notes == ()
    assert inherited.vertices[0, 2] == -10
    assert own_block.vertices[0, 2] == 10
    assert outside.vertices[0, 2] == 10


def test_an_empty_group_gives_nothing(tmp_path):
    text = "GOCAD HomogeneousGroup 1\nBEGIN_MEMBERS\nEND_MEMBERS\nEND\n"
    assert gocad.read_objects(write(tmp_path, text)) == []


def test_quotes_hold_words_together():
    assert split_words("""NAME "U.S. ft" it's "" 'a" "open""") == [
        "NAME",
        "U.S. ft",
        "it's",
        "",
        "'a\"",
        '"open',
    ]


def test_a_triangle_without_its_vertex_is_an_error_or_left_out(tmp_path):
    text = tsurf(*SQUARE, "TRGL 1 2 3", "TRGL 1 2 17")
    with pytest.raises(
        FormatError, match=r"file.ts, line 9: TRGL refers to the vertex 17, which does not exist"
    ):
        read_one(tmp_path, text)
    surface = read_one(tmp_path, text, errors="skip")
    assert surface.triangles.tolist() == [[0, 1, 2]]
    assert surface.notes == ("1 triangles with unknown vertices were left out.",)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ("VRTX 9 1 2", r"line 8: VRTX has 3 values \('VRTX 9 1 2'\), it needs 4. The file may be truncated"),
        ("VRTX 9 1 2 1,5", "line 8: 'VRTX 9 1 2 1,5' has a value that is not a number, 4 are expected"),
        ("VRTX 9 1 2 1_5", "a value that is not a number"),
        ("VRTX 9.5 1 2 3", r"line 8: the vertex id 9.5 is not a whole number"),
        ("VRTX nan 1 2 3", "the vertex id nan is not a whole number"),
        ("VRTX 1e300 1 2 3", r"the vertex id 1e\+300 is not a whole number"),
        ("VRTX 3 1 2 3", "line 8: the vertex id 3 appears twice in one object"),
        ("VRTX 9 1 nan 3", r"line 8: vertex 9 is at \[1.0, nan, 3.0\], coordinates must be finite numbers"),
        ("VRTX 9 1 2 -1e999", "coordinates must be finite numbers"),
        ("TRGL 1 2", "TRGL has 2 values"),
    ],
)
def test_damaged_lines_are_named(tmp_path, bad, message):
    with pytest.raises(FormatError, match=message):
        read_one(tmp_path, tsurf(*SQUARE, bad, "TRGL 1 2 3"))


def test_a_bad_number_in_a_long_run_has_its_line(tmp_path):
    lines = [f"VRTX {i} {i} 0 0" for i in range(1, 100)]
    lines[49] = "VRTX 50 5O 0 0"
    with pytest.raises(FormatError, match=r"line 54: 'VRTX 50 5O 0 0' has a value that is not a number"):
        read_one(tmp_path, tsurf(*lines, "TRGL 1 2 3"))


def test_vertices_without_finite_coordinates_can_be_left_out(tmp_path):
    surface = read_one(tmp_path, tsurf(*SQUARE, "VRTX 4 0 0 inf", "TRGL 1 2 3", "TRGL 1 2 4"), errors="skip")
    assert len(surface.vertices) == 3
    assert surface.triangles.tolist() == [[0, 1, 2]]
    assert surface.notes[0] == "1 vertices without finite coordinates were left out."


@pytest.mark.parametrize("sizes", ["1 0", "1 x", "1 -3", "1 " + "9" * 5000])
def test_impossible_property_sizes_are_refused(tmp_path, sizes):
    with pytest.raises(FormatError, match="are not possible, a property has 1, 2 or 3 values"):
        read_one(tmp_path, tsurf(*SQUARE, "TRGL 1 2 3", head=f"PROPERTIES a b\nESIZES {sizes}"))


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("GSurf", "make a TSurf of it in GoCAD, or export it as a raster"),
        ("Model3d", "export its surfaces as TSurf or its regions as TSolid"),
        ("Frame3d", "Export the points of the frame as a VSet"),
        ("Cage", "Export it as one of these"),
    ],
)
def test_other_types_are_refused_or_left_out_with_a_log_line(tmp_path, caplog, kind, advice):
    other = f"GOCAD {kind} 1\nHEADER {{\nname:W-1\n}}\nTFACE 1 fault\nVRTX 1 0 0 0\nEND\n"
    path = write(tmp_path, TWO_TRIANGLES + other + TWO_TRIANGLES)
    message = f"line 13: the object 'W-1' is of the type '{kind}', which is not read; .*{advice}"
    with pytest.raises(FormatError, match=message):
        gocad.read_objects(path)
    with caplog.at_level(logging.WARNING):
        first, second = gocad.read_objects(path, errors="skip")
    assert first.name == second.name == "sheet"
    assert f"'{kind}', which is not read" in caplog.text


def test_repeated_ids_are_noted_when_they_are_let_pass(tmp_path):
    text = tsurf(*SQUARE, "VRTX 2 5 5 5", "TRGL 1 2 3")
    surface = read_one(tmp_path, text, errors="skip")
    assert surface.triangles.tolist() == [[0, 1, 2]]
    assert surface.notes == ("1 vertices have the id of an earlier one, which counts wherever it is named.",)


def test_ids_far_apart_and_out_of_order_are_found(tmp_path):
    ids = [9_000_000_000, -4, 17]
    lines = [f"VRTX {i} {k} 0 0" for k, i in enumerate(ids)]
    surface = read_one(tmp_path, tsurf(*lines, "TRGL 17 9000000000 -4"))
    assert surface.triangles.tolist() == [[2, 0, 1]]
    with pytest.raises(FormatError, match="TRGL refers to the vertex 18, which does not exist"):
        read_one(tmp_path, tsurf(*lines, "TRGL 17 18 -4"))
    with pytest.raises(FormatError, match=r"TRGL refers to the vertex 1\.5, which does not exist"):
        read_one(tmp_path, tsurf(*SQUARE, "TRGL 1 1.5 3"))


def test_a_header_of_one_line_may_have_any_number_of_blanks(tmp_path):
    text = TWO_TRIANGLES.replace("HEADER {\nname:sheet\n}", "HEADER {name:a b" + " " * 200_000 + "*on:1}")
    assert read_one(tmp_path, text).name == "a b"


@pytest.mark.parametrize(
    ("head", "lines"),
    [
        ("PROPERTIES " + "a " * 30_000, "PVRTX 9 1 2 3 4"),
        ("\n".join(f"REGION r{i} {i}" for i in range(30_000)), "VRTX 9 1 2 3\nARI 1 1"),
    ],
)
def test_claims_beyond_the_size_of_the_file_are_refused_before_memory_is_taken(tmp_path, head, lines):
    many = "\n".join(f"VRTX {i} 0 0 0" for i in range(1, 3000) if i != 9)
    with pytest.raises(FormatError, match=r"line 5: .* would be \d+ numbers, the whole file has \d+ bytes"):
        read_one(tmp_path, tsurf(many, lines, head=head))


def test_a_surface_without_triangles_says_so(tmp_path):
    assert read_one(tmp_path, tsurf(*SQUARE)).notes == ("the surface has no triangles.",)
    assert read_one(tmp_path, tsurf()).bounds[0] != read_one(tmp_path, tsurf()).bounds[0]  # NaN


def test_tables_are_told_apart_by_their_columns(tmp_path):
    (points,) = io.read(write(tmp_path, "X,Y,Z\n1,2,3\n", "points.txt"))
    (lines,) = io.read(write(tmp_path, "x_from,y_from,z_from,x_to,y_to,z_to\n0,0,0,1,1,1\n", "ore.csv"))
    assert isinstance(points, Points)
    assert isinstance(lines, Lines)


def test_a_file_that_is_not_gocad_is_refused(tmp_path):
    path = write(tmp_path, "easting northing\n1 2\n", "points.txt")
    with pytest.raises(FormatError, match=r"points\.txt"):
        io.read(path)
    with pytest.raises(FormatError, match="no object begins in this file, a line such as 'GOCAD TSurf 1'"):
        gocad.read_objects(path)
    with pytest.raises(FormatError, match=r"picture\.png: "):
        io.read(write(tmp_path, b"\x89PNG\r\n\0\0", "picture.png"))


def test_gocad_files_are_told_by_their_first_bytes(tmp_path):
    for head in (
        b"GOCAD TSurf 1\n",
        b"\xef\xbb\xbf# by hand\r\n\r\n gocad\tpline 1",
        TWO_TRIANGLES.encode("utf-16"),
    ):
        assert gocad.matches(tmp_path / "a.txt", head)
    for head in (b"", b"GOCAD", b"from GOCAD exported\n", b"\0" * 1000, b"\n" * 60_000, b"x,y,z\n1,2,3\n"):
        assert not gocad.matches(tmp_path / "a.ts", head)


def test_bodies_are_read_with_options(tmp_path):
    path = write(tmp_path, tsurf(*SQUARE, "TRGL 1 2 17"))
    (body,) = gocad.read_bodies(path, Options(errors="skip"))
    assert body.kind == "TSurf"
    assert body.notes[0] == "1 triangles with unknown vertices were left out."


def test_unknown_options_are_refused(tmp_path):
    path = write(tmp_path, TWO_TRIANGLES)
    with pytest.raises(ValueError, match="errors='ignore' is not known, use 'strict' or 'skip'"):
        gocad.read_objects(path, errors="ignore")
    with pytest.raises(ValueError, match="byte_order='native' is not known"):
        gocad.read_objects(path, byte_order="native")


def sheet(z: list[float]) -> Surface:
    vertices = np.column_stack([np.arange(len(z)), np.arange(len(z)) % 2, z]).astype(float)
    rows = np.arange(len(z) - 2)
    return Surface("sheet", vertices, np.column_stack([rows, rows + 1, rows + 2]))


@pytest.mark.parametrize("sentinel", [-99999.0, 99999.0, -999999.0, -3280139.75, -99999 * 0.3048, 1e30])
def test_sentinel_elevations_are_dropped_with_a_note(sentinel):
    z = [400.0, 410, 420, 430, 440, 450, 460, sentinel]
    clean = gocad.drop_sentinels(sheet(z))
    assert clean.vertices[:, 2].tolist() == z[:-1]
    assert len(clean.triangles) == 5
    assert clean.notes[0].startswith("1 of 8 vertices at elevations of")


def test_deep_but_possible_elevations_stay():
    moho = sheet(list(np.linspace(-39945, -7716, 50)))
    assert gocad.drop_sentinels(moho) is moho
    flat = sheet([0.0] * 20 + [-9000.0])
    assert gocad.drop_sentinels(flat) is flat


def test_a_floor_drops_what_lies_below_it():
    clean = gocad.drop_sentinels(sheet([0.0, 1, 2, 3, -500]), floor=-100)
    assert clean.vertices[:, 2].min() == 0


def test_a_surface_of_sentinels_alone_ends_empty():
    assert len(gocad.drop_sentinels(sheet([-99999.0] * 4)).vertices) == 0


def test_written_surfaces_come_back_bit_for_bit(tmp_path):
    vertices = np.array([[1 / 3, 7e6 + 0.1, -5e-9], [2, 0, 0], [0, 3, 0.2], [9, 9, 9], [8, 9, 9], [9, 8, 7]])
    surface = Surface(
        "Fault 'A' (main)", vertices, np.array([[0, 1, 2], [3, 4, 5]]), np.array([0, 1]),
        properties={"a b": np.array([1.5, np.nan, -99999, 4, 5, 6]), "v": np.arange(18.0).reshape(6, 3)},
        units={"a b": "g / cm3"}, crs_name="UTM 51N",
    )  # fmt: skip
    gocad.write_surfaces(tmp_path / "out.ts", [surface, surface])
    again, twin = io.read(tmp_path / "out.ts")
    assert again.name == twin.name == surface.name
    assert np.array_equal(again.vertices, vertices)
    assert np.array_equal(again.triangles, surface.triangles)
    assert again.part.tolist() == [0, 1]
    np.testing.assert_array_equal(again.properties["a b"], surface.properties["a b"])
    np.testing.assert_array_equal(again.properties["v"], surface.properties["v"])
    assert again.units == surface.units
    assert again.crs_name == "UTM 51N"
    assert again.notes == ()
    assert (tmp_path / "out.ts").read_text().count("TFACE") == 4


def test_depth_surfaces_are_written_as_depth_and_come_back_as_elevation(tmp_path):
    surface = Surface(
        "d", np.array([[0.0, 0, -10], [1, 0, 0], [0, 1, -30]]), np.array([[0, 1, 2]]), z_positive="Depth"
    )
    gocad.write_surfaces(tmp_path / "d.ts", [surface])
    text = (tmp_path / "d.ts").read_text()
    assert "ZPOSITIVE Depth" in text
    assert "VRTX 1 0.0 0.0 10.0" in text
    (again,) = io.read(tmp_path / "d.ts")
    assert np.array_equal(again.vertices, surface.vertices)
    assert np.array_equal(again.triangles, surface.triangles)


def test_connected_triangles_make_a_part_each_and_shared_vertices_become_atoms(tmp_path):
    vertices = np.arange(21.0).reshape(7, 3) ** 2
    apart = Surface("apart", vertices, np.array([[4, 5, 6], [0, 1, 2], [6, 5, 3]]))
    gocad.write_surfaces(tmp_path / "apart.ts", [apart])
    (again,) = io.read(tmp_path / "apart.ts")
    assert again.part.tolist() == [0, 0, 1]
    assert np.array_equal(corners(again), corners(apart)[[0, 2, 1]])
    shared = Surface("shared", vertices, np.array([[0, 1, 2], [2, 1, 3]]), np.array([5, 3]))
    gocad.write_surfaces(tmp_path / "shared.ts", [shared])
    assert "ATOM 8 2\nATOM 9 3\nTRGL 1 8 9" in (tmp_path / "shared.ts").read_text()
    (again,) = io.read(tmp_path / "shared.ts")
    assert again.part.tolist() == [0, 1]
    assert np.array_equal(corners(again), corners(shared)[[1, 0]])


def test_written_lines_and_points_come_back(tmp_path):
    vertices = np.array([[1.0, 2, 3], [4, 5, 6.5], [7, 8, 9], [0, 1, 0], [2, 2, 2]])
    lines = Lines("l", vertices, np.array([[0, 1], [1, 2], [3, 4]]), properties={"p": np.arange(5.0)})
    points = Points("p", vertices, properties={"au": np.array([1, np.nan, 3, 4, 5])})
    gocad.write_lines(tmp_path / "l.pl.gz", [lines])
    gocad.write_points(tmp_path / "p.vs", [points])
    (line,) = io.read(tmp_path / "l.pl.gz")
    (point,) = io.read(tmp_path / "p.vs")
    assert np.array_equal(line.vertices, vertices)
    assert np.array_equal(line.segments, lines.segments)
    assert line.part.tolist() == [0, 0, 1]
    assert np.array_equal(line.properties["p"], np.arange(5.0))
    assert np.array_equal(point.vertices, vertices)
    np.testing.assert_array_equal(point.properties["au"], points.properties["au"])


def test_nothing_is_written_when_writing_fails(tmp_path):
    bad = Surface("bad", np.array([[0, 0, np.nan]]), np.zeros((0, 3), int))
    with pytest.raises(
        ValueError, match=r"vertex 0 of 'bad' is at \[0.0, 0.0, nan\], a file needs finite coord"
    ):
        gocad.write_surfaces(tmp_path / "bad.ts", [bad])
    lost = Surface("lost", np.zeros((2, 3)), np.array([[0, 1, 2]]), np.array([0]))
    with pytest.raises(ValueError, match="'lost' refers to the vertex 2, it has 2, counted from 0"):
        gocad.write_surfaces(tmp_path / "lost.ts", [lost])
    assert list(tmp_path.iterdir()) == []


def test_regions_control_nodes_and_values_of_triangles_come_back(tmp_path):
    vertices = np.arange(21.0).reshape(7, 3) ** 2
    regions = {
        "east side": np.arange(7) > 3,
        "control nodes of a b": np.arange(7) % 2 == 0,
        "none": np.zeros(7, bool),
        "control nodes of empty": np.zeros(7, bool),
    }
    surface = Surface(
        "s", vertices, np.array([[0, 1, 2], [1, 2, 3], [4, 5, 6]]), np.array([0, 0, 1]), regions=regions,
        cell_properties={"zone": np.array([1, np.nan, 3]), "v": np.arange(6.0).reshape(3, 2)},
        units={"zone": "none such", "v": "m"}, z_positive="Depth",
    )  # fmt: skip
    gocad.write_surfaces(tmp_path / "s.ts", [surface])
    (again,) = io.read(tmp_path / "s.ts")
    assert {name: inside.tolist() for name, inside in again.regions.items()} == {
        name: inside.tolist() for name, inside in regions.items()
    }
    np.testing.assert_array_equal(again.cell_properties["zone"], [1, np.nan, 3])
    assert np.array_equal(again.cell_properties["v"], surface.cell_properties["v"])
    assert again.units == surface.units
    assert np.array_equal(again.triangles, surface.triangles)
    text = (tmp_path / "s.ts").read_text()
    assert 'REGION "east side" 0\nREGION none 1\nTFACE' in text
    assert "TRGL_ESIZES 1 2\n" in text


def test_a_repeated_vertex_keeps_its_values_and_regions(tmp_path):
    vertices = np.arange(12.0).reshape(4, 3) ** 2
    shared = Surface(
        "s", vertices, np.array([[0, 1, 2], [2, 1, 3]]), np.array([0, 1]), properties={"p": np.arange(4.0)},
        regions={"r": np.array([False, True, False, True])},
    )  # fmt: skip
    gocad.write_surfaces(tmp_path / "s.ts", [shared])
    (again,) = io.read(tmp_path / "s.ts")
    assert again.properties["p"][again.triangles].tolist() == [[0, 1, 2], [2, 1, 3]]
    assert again.regions["r"][again.triangles].tolist() == [[False, True, False], [False, True, True]]


def test_loose_vertices_of_polylines_are_not_joined(tmp_path):
    lines = Lines("l", np.arange(9.0).reshape(3, 3), np.zeros((0, 2), np.int64))
    gocad.write_lines(tmp_path / "l.pl", [lines])
    (again,) = io.read(tmp_path / "l.pl")
    assert np.array_equal(again.vertices, lines.vertices)
    assert len(again.segments) == 0


def test_sets_of_points_are_written_in_the_order_of_their_numbers(tmp_path):
    points = Points("p", np.arange(9.0).reshape(3, 3), part=np.array([4, 1, 4]))
    gocad.write_points(tmp_path / "p.vs", [points])
    (again,) = io.read(tmp_path / "p.vs")
    assert np.array_equal(again.vertices, points.vertices[[1, 0, 2]])
    assert again.part.tolist() == [0, 1, 1]


VERTICES = np.arange(9.0).reshape(3, 3)
ONE = np.array([[0, 1, 2]])


@pytest.mark.parametrize(
    ("surface", "message"),
    [
        (Surface("a\nb", VERTICES, ONE), r"the name 'a\\nb' has more than one line"),
        (
            Surface("s", VERTICES, ONE, properties={'5" pipe': np.zeros(3)}),
            r"the name '5\" pipe' has a quotation mark and begins with it or has blanks too",
        ),
        (
            Surface("s", VERTICES, ONE, regions={'"r"': np.zeros(3, bool)}),
            r"the name '\"r\"' has a quotation mark",
        ),
        (
            Surface("s", VERTICES, ONE, properties={"p": np.zeros(4)}),
            r"property 'p' of 's' has the shape \(4,\), \(3,\) or \(3, components\) is expected for its 3",
        ),
        (
            Surface("s", VERTICES, ONE, cell_properties={"p": np.zeros((1, 0))}),
            r"property 'p' of 's' has the shape \(1, 0\), .* is expected for its 1 triangles",
        ),
        (
            Surface("s", VERTICES, ONE, regions={"r": np.zeros(2, bool)}),
            r"the region 'r' of 's' has the shape \(2,\), one flag for each of the 3 vertices is expected",
        ),
        (
            Surface("s", VERTICES, ONE, np.array([0, 1])),
            r"the parts of 's' have the shape \(2,\), one number for each of its 1 triangles is expected",
        ),
        (
            Surface("s", VERTICES, np.array([[0, 1]])),
            r"the triangles of 's' have the shape \(1, 2\), \(m, 3\) is expected",
        ),
        (Surface("s", VERTICES, ONE - 1), "'s' refers to the vertex -1, it has 3, counted from 0"),
    ],
)
def test_what_a_file_cannot_hold_is_refused(tmp_path, surface, message):
    with pytest.raises(ValueError, match=message):
        gocad.write_surfaces(tmp_path / "s.ts", [surface])
    assert list(tmp_path.iterdir()) == []


def test_parts_of_points_need_one_number_each(tmp_path):
    with pytest.raises(ValueError, match="'p' has parts for 2 points, it has 3 of them"):
        gocad.write_points(tmp_path / "p.vs", [Points("p", VERTICES, part=np.zeros(2, np.int64))])


def test_no_data_is_never_one_of_the_values(tmp_path):
    usual = [-99999.0, -999999.0, -9.9999e29, -1e32, -1e33, np.nan, np.inf, -np.inf, 1e308]
    points = Points("p", np.zeros((len(usual), 3)), properties={"p": np.array(usual)})
    gocad.write_points(tmp_path / "p.vs", [points])
    (again,) = io.read(tmp_path / "p.vs")
    np.testing.assert_array_equal(again.properties["p"], usual)


NUMBER = st.floats(-1e7, 1e7, allow_nan=False).map(lambda v: v + 0.0)
VALUE = st.one_of(st.just(np.nan), st.floats(-1e30, 1e30).filter(lambda v: v == 0 or abs(v) > 1e-6))
WORD = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1)
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)
# a word that needs quotes cannot have them
COLUMN = NAME.filter(lambda name: '"' not in name or (name[0] != '"' and name.split() == [name]))


def columns(draw, n: int, prefix: str = "") -> dict[str, np.ndarray]:
    """Properties of ``n`` things with one or several components."""
    names = draw(st.lists(COLUMN.map(prefix.__add__), max_size=3, unique=True))
    found = {}
    for name in names:
        size = draw(st.integers(1, 3))
        values = np.array(draw(st.lists(VALUE, min_size=n * size, max_size=n * size)))
        found[name] = values if size == 1 else values.reshape(n, size)
    return found


def body_of(draw, n: int) -> dict[str, object]:
    """What bodies of ``n`` vertices have in common."""
    flags = st.lists(st.booleans(), min_size=n, max_size=n).map(np.array)
    properties = columns(draw, n)
    regions = {name: draw(flags) for name in draw(st.lists(COLUMN, max_size=2, unique=True))}
    controls = {f"control nodes of {name}": draw(flags) for name in properties if draw(st.booleans())}
    return {
        "properties": properties,
        "regions": {**regions, **controls},
        "units": dict.fromkeys(properties, "g / m3"),
        "crs_name": draw(COLUMN),
        "z_positive": draw(st.sampled_from(["Elevation", "Depth"])),
    }


@st.composite
def elements(draw, corners: int):
    """Vertices, elements and parts, every part with vertices of its own: their order is that of the file."""
    found, part, n = [], [], 0
    for k in range(draw(st.integers(1, 3))):
        more = draw(st.integers(corners, 5))
        index = st.integers(n, n + more - 1)
        rows = draw(st.lists(st.tuples(*[index] * corners), min_size=1, max_size=5))
        found += rows
        part += [k] * len(rows)
        n += more
    points = st.lists(st.tuples(NUMBER, NUMBER, NUMBER), min_size=n, max_size=n)
    return np.array(draw(points)), np.array(found, dtype=np.int64), np.array(part)


@st.composite
def surfaces(draw):
    vertices, triangles, part = draw(elements(3))
    cells = columns(draw, len(triangles), "cell_")
    common = body_of(draw, len(vertices))
    return Surface(draw(NAME), vertices, triangles, part, cell_properties=cells, **common)


@st.composite
def polylines(draw):
    vertices, segments, part = draw(elements(2))
    return Lines(draw(NAME), vertices, segments, part, **body_of(draw, len(vertices)))


@st.composite
def points(draw):
    vertices, _, _ = draw(elements(1))
    part = np.sort(draw(st.lists(st.integers(0, 2), min_size=len(vertices), max_size=len(vertices))))
    part = np.unique(part, return_inverse=True)[1].astype(np.int64)
    return Points(draw(NAME), vertices, part=part, **body_of(draw, len(vertices)))


def assert_same(again, original):
    for name in ("name", "units", "crs_name", "z_positive"):
        assert getattr(again, name) == getattr(original, name)
    for name in ("vertices", "triangles", "segments", "tetrahedra", "part"):
        if hasattr(original, name):
            expected = getattr(original, name)
            assert np.array_equal(getattr(again, name), expected)
            assert getattr(again, name).dtype == expected.dtype
    for name in ("properties", "cell_properties", "regions"):
        found, expected = getattr(again, name, {}), getattr(original, name, {})
        assert list(found) == list(expected)
        for key, values in expected.items():
            np.testing.assert_array_equal(found[key], values)
    assert [note for note in again.notes if "z is depth" not in note] == []


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_write_then_read_is_identity(tmp_path, data):
    writer, strategy = data.draw(
        st.sampled_from(
            [
                (gocad.write_surfaces, surfaces()),
                (gocad.write_lines, polylines()),
                (gocad.write_points, points()),
            ]
        )
    )
    originals = data.draw(st.lists(strategy, min_size=1, max_size=3))
    path = tmp_path / data.draw(st.sampled_from(["any.ts", "any.ts.gz"]))
    writer(path, originals)
    found = gocad.read_objects(path)
    assert len(found) == len(originals)
    for original, again in zip(originals, found, strict=True):
        assert_same(again, original)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(surfaces(), st.data())
def test_any_parts_keep_the_geometry_of_every_triangle(tmp_path, surface, data):
    part = np.array([data.draw(st.integers(-2, 2)) for _ in surface.triangles])
    surface = Surface("any", surface.vertices, surface.triangles, part)
    gocad.write_surfaces(tmp_path / "any.ts", [surface])
    (again,) = gocad.read_objects(tmp_path / "any.ts")
    assert np.array_equal(corners(again), corners(surface)[np.argsort(part, kind="stable")])


EVERYTHING = (
    TWO_TRIANGLES
    + tsurf(
        *("PVRTX 1 0 0 10 1.5 0 0 1 -99999", "PATOM 4 1 7.5 1 2 3 9", "ATOM 5 1", "TRGL 1 4 5"), head=TABLE
    )
    + tsurf(*SQUARE, *FLAGS, "PROPERTY_CN au", "CNP 1", "TRGL 1 2 3 4 5 6", head="\n".join((*REGIONS, CELLS)))
    + "GOCAD VSet 1\nSUBVSET\nVRTX 1 0 0 0\nSUBVSETVRTX 2 1 1 1\nEND\n"
    + "GOCAD HomogeneousGroup 1\nBEGIN_MEMBERS\nGOCAD PLine 1\n"
    + CRS.format(units="ft ft m", sense="Depth")
    + "\nILINE\nVRTX 1 0 0 0\nVRTX 2 1 0 0\nSEG 1 2\nEND\nEND_MEMBERS\nEND\n"
)  # fmt: skip


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_format_error_and_nothing_else(tmp_path, data):
    content = bytearray(EVERYTHING.encode())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    tokens = st.sampled_from(
        [b" ", b"\n", b"END\n", b"{", b'"', b"1e999", b"-", b"nan", b"9" * 30, b"\xff", b"D"]
    )
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 6))] = data.draw(
            st.one_of(tokens, st.binary(max_size=3))
        )
    path = write(tmp_path, bytes(content))
    for errors in ("strict", "skip"):
        try:
            found = gocad.read_objects(path, errors=errors)
        except FormatError:
            continue
        for body in found:
            assert isinstance(body, Surface | Lines | Points | Voxet)
            assert np.isfinite(body.vertices).all()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_a_format_error(tmp_path, content):
    path = write(tmp_path, content)
    if b"GOCAD" not in content.upper():
        with pytest.raises(FormatError):
            io.read(path)


def corpus_object(corpus_dir: Path, place: str):
    path = next(p for p in sorted((corpus_dir / place).iterdir()) if p.suffix != ".json")
    return gocad.read_objects(path)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("place", "vertices", "triangles", "parts"),
    [
        # counted with grep in the files
        ("atom_before_trgl", 4803, 8968, 1),
        ("crs_name_from_XYZ", 266, 343, 1),
        ("crs_name_local_pvrtx", 53, 51, 1),
        ("cvmh_moho64", 8100, 15840, 1),
        ("extra_spaces_negative_x", 102, 126, 1),
        ("header_unclosed_malformed", 12, 9, 2),
        ("ids_from_7_no_tface", 12, 12, 1),
        ("kimberlite_PK2", 205, 406, 1),
        ("kimberlite_PK3", 362, 720, 1),
        ("lonlat_comment", 3, 1, 1),
        ("minimal_two_triangles", 4, 2, 1),
        ("multi_tface_atom", 372, 596, 2),
        ("multi_tface_pvrtx", 16, 11, 3),
        ("multi_tface_small", 12, 8, 2),
        ("no_crs", 189, 324, 1),
        ("property_cn_60", 229, 423, 1),
        ("property_cn_cnp", 145, 251, 1),
        ("pvrtx_one_prop_bstone", 6, 4, 1),
        ("quoted_props_cnxyz_crlf_depth", 4, 2, 1),
        ("regions_ari", 33, 31, 1),
        ("three_tface", 46, 46, 3),
        ("trgl_properties", 6, 3, 1),
    ],
)
def test_corpus_surfaces_have_the_vertices_and_triangles_of_their_files(
    corpus_dir, place, vertices, triangles, parts
):
    (surface,) = corpus_object(corpus_dir, f"tsurf/{place}")
    assert (len(surface.vertices), len(surface.triangles)) == (vertices, triangles)
    assert np.unique(surface.part).tolist() == list(range(parts))
    assert surface.triangles.min() >= 0
    path = next((corpus_dir / "tsurf" / place).iterdir())
    lines = [line.split() for line in path.read_bytes().decode("latin-1").splitlines()]
    stored = [[float(v) for v in line[2:5]] for line in lines if line[:1] in (["VRTX"], ["PVRTX"])]
    if surface.z_positive == "Elevation":
        assert surface.bounds == (*np.min(stored, axis=0), *np.max(stored, axis=0))


@pytest.mark.corpus
def test_corpus_atoms_sit_where_the_first_part_has_them(corpus_dir):
    (surface,) = corpus_object(corpus_dir, "tsurf/multi_tface_atom")
    assert np.array_equal(surface.vertices[[357, 370]], surface.vertices[[334, 294]])
    assert surface.part[-1] == 1


@pytest.mark.corpus
def test_corpus_two_objects_restart_their_ids(corpus_dir):
    first, second = corpus_object(corpus_dir, "tsurf/two_objects_3tface")
    assert len(first.vertices) == len(second.vertices) == 46
    assert first.part.max() == second.part.max() == 2


@pytest.mark.corpus
def test_corpus_no_data_written_through_float32_is_missing(corpus_dir):
    (surface,) = corpus_object(corpus_dir, "tsurf/trgl_properties")
    assert np.isnan(surface.properties["K1"]).sum() == 0  # 1e38 is declared nowhere in this file
    (surface,) = corpus_object(corpus_dir, "tsurf/property_cn_cnp")
    assert surface.properties["M"][0] == 1.8999999761581421
    assert surface.properties["ZERR"][:4].tolist() == [200, 800, 1100, 200]
    values = np.concatenate(list(surface.properties.values()))
    assert not np.any(values == 1.0000000031710769e-30)
    (surface,) = corpus_object(corpus_dir, "tsurf/header_unclosed_malformed")
    assert surface.name == "test_ts_format"
    assert surface.properties["FaultStrike"][0] == 337.116


@pytest.mark.corpus
def test_corpus_depth_surface_is_elevation(corpus_dir):
    (surface,) = corpus_object(corpus_dir, "tsurf/quoted_props_cnxyz_crlf_depth")
    assert surface.vertices[0].tolist() == [-745925.546875, -2618524.8125, 44070.2578125]
    assert surface.triangles.tolist() == [[2, 0, 1], [3, 2, 1]]  # TRGL 3 2 1 and 4 2 3, turned over
    assert list(surface.properties) == [" default property", "def-prop"]
    assert np.isnan(surface.properties["def-prop"]).all()


@pytest.mark.corpus
def test_corpus_synthetic_surface_with_every_quirk(corpus_dir):
    first, second = corpus_object(corpus_dir, "synthetic/tsurf_everything")
    assert first.name == "Faille n° 3"
    assert first.vertices.tolist() == [
        [0, 0, -10], [1000, 0, -20], [0, 1000, -30], [1000, 0, -20], [0, 1000, -30], [1000, 1000, -40],
    ]  # fmt: skip
    np.testing.assert_array_equal(first.properties["my prop"], [1.5, np.nan, 2.5, np.nan, 7.5, np.nan])
    assert first.properties["vec"][[0, 4]].tolist() == [[0, 0, 1], [1, 0, 0]]
    assert first.triangles.tolist() == [[0, 2, 1], [3, 4, 5]]
    assert first.part.tolist() == [0, 1]
    assert second.triangles.tolist() == [[0, 1, 2]]


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("place", "sizes"),
    [
        ("gocad_local_crs", [(27, 26, 1)]),
        ("group_with_7_props", [(2, 1, 1)]),
        ("skua_lines", [(11391, 11374, 17)]),
        ("two_objects_lowercase", [(4, 4, 1), (4, 4, 1)]),
    ],
)
def test_corpus_polylines_have_the_segments_of_their_files(corpus_dir, place, sizes):
    found = corpus_object(corpus_dir, f"pline/{place}")
    assert [(len(b.vertices), len(b.segments), len(np.unique(b.part))) for b in found] == sizes


@pytest.mark.corpus
def test_corpus_points_and_groups(corpus_dir):
    (deep,) = corpus_object(corpus_dir, "vset/depth_no_subvset")
    assert deep.vertices[0].tolist() == [674415.25, 6928762.75, -2040.474853515625]
    assert len(deep.vertices) == 20
    (vector,) = corpus_object(corpus_dir, "vset/vector_property")
    assert vector.properties["normal"].shape == (6, 3)
    lines = gocad.read_objects(corpus_dir / "group/layers/2layer.gp")
    assert [body.name for body in lines] == ["test_line1", "test_line2", "test_line3"]
    (surface,) = gocad.read_objects(corpus_dir / "group/layers/gpColour.gp")
    assert surface.vertices.tolist() == [
        [377911, 5348000, -9900],
        [377950, 5347897, -8560],
        [378029, 5347696, -8630],
    ]


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "low"), [("CDED_Lake_Coarse", 409.82009887695312), ("Till", 333.54196166992187)]
)
def test_the_sentinels_of_the_tkc_topographies_are_dropped(data_dir, name, low):
    (surface,) = io.read(data_dir / "tkc/surfaces" / f"{name}.ts.gz")
    assert len(surface.vertices) == 34665
    clean = gocad.drop_sentinels(surface)
    assert len(clean.vertices) == 34665 - 15
    assert clean.bounds[2] == low  # the lowest elevation of the file above the sentinels
    assert clean.notes[-1].startswith("15 of 34665 vertices at elevations of -")


@pytest.mark.data
def test_the_tkc_bodies_are_closed_and_have_no_sentinels(data_dir):
    for name in ("PK1", "PK2", "PK3", "VK", "HK1"):
        (surface,) = io.read(data_dir / "tkc/surfaces" / f"{name}.ts")
        assert surface.is_closed
        assert gocad.drop_sentinels(surface) is surface
