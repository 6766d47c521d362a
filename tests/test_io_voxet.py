"""GoCAD voxets, read and written."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.grid import Grid
from mpm3d.io import gocad
from mpm3d.lattice import PropertyModel, Voxet

HEADER = """GOCAD Voxet 1
HEADER {
name:block
}
GOCAD_ORIGINAL_COORDINATE_SYSTEM
NAME Default
AXIS_NAME "X" "Y" "Z"
AXIS_UNIT "m" "m" "m"
ZPOSITIVE Elevation
END_ORIGINAL_COORDINATE_SYSTEM
AXIS_O 100 200 300
AXIS_U 30 0 0
AXIS_V 0 40 0
AXIS_W 0 0 50
AXIS_MIN 0 0 0
AXIS_MAX 1 1 1
AXIS_N 4 3 2
AXIS_UNIT "number" "number" "number"
AXIS_TYPE even even even

"""
PROPERTY = """PROPERTY 1 "my prop"
PROPERTY_CLASS_HEADER 1 "my prop" {
low_clip:1
}
PROP_UNIT 1 g/cm3
PROP_NO_DATA_VALUE 1 -99999
PROP_ESIZE 1 4
PROP_ETYPE 1  IEEE
PROP_FORMAT 1 RAW
PROP_OFFSET 1 0
PROP_FILE 1 data@@
END
"""
RAMP = np.arange(24, dtype=np.float32)


def make(folder: Path, text: str = HEADER + PROPERTY, data: bytes | None = None) -> Path:
    (folder / "data@@").write_bytes(RAMP.astype(">f4").tobytes() if data is None else data)
    path = folder / "block.vo"
    path.write_text(text)
    return path


def read_one(path: Path, **options: str) -> Voxet:
    (voxet,) = gocad.read_objects(path, **options)
    assert isinstance(voxet, Voxet)
    return voxet


def samples(voxet: Voxet) -> np.ndarray:
    """Coordinates of all samples, U fastest."""
    k, j, i = np.indices(voxet.shape).reshape(3, -1)
    return voxet.origin + np.column_stack([i, j, k]) @ voxet.steps


def test_samples_span_the_axes_and_u_is_fastest(tmp_path):
    voxet = read_one(make(tmp_path))
    assert voxet.name == "block"
    assert voxet.shape == (2, 3, 4)
    assert voxet.origin.tolist() == [100, 200, 300]
    assert voxet.steps.tolist() == [[10, 0, 0], [0, 20, 0], [0, 0, 50]]
    values = voxet.values["my prop"]
    assert values.dtype == np.float32
    assert values.dtype.isnative
    assert values[1, 2, 3] == 23
    assert values[0, 0, 1] == 1
    assert voxet.units == {"my prop": "g/cm3"}
    assert voxet.notes == ()


def test_samples_are_cell_centres(tmp_path):
    model = read_one(make(tmp_path)).as_model()
    assert model.bounds == (95, 190, 275, 135, 250, 375)
    assert model.shape == (2, 3, 4)


def test_no_data_is_missing_also_after_float32(tmp_path):
    data = RAMP.copy()
    data[5] = 1e-30
    text = HEADER + PROPERTY.replace("-99999", "1.0000000031710769e-30")
    values = read_one(make(tmp_path, text, data.astype(">f4").tobytes())).values["my prop"].ravel()
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]


@pytest.mark.parametrize(
    ("lines", "dtype"),
    [
        ("PROP_STORAGE_TYPE 1 Octet\nPROP_ESIZE 1 1\nPROP_SIGNED 1 0", ">u1"),
        ("PROP_STORAGE_TYPE 1 Octet\nPROP_ESIZE 1 1", ">i1"),
        ("PROP_STORAGE_TYPE 1 Short\nPROP_ESIZE 1 2\nPROP_SIGNED 1 1", ">i2"),
        ("PROP_ESIZE 1 2\nPROP_SIGNED 1 0", ">u2"),
        ("PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 4", ">i4"),
        ("PROP_STORAGE_TYPE 1 Float\nPROP_ESIZE 1 4\nPROP_SIGNED 1 0", ">f4"),
        ("PROP_ESIZE 1 8", ">f8"),
        ("PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 8", ">i8"),
    ],
)
def test_every_size_and_storage_type_is_read(tmp_path, lines, dtype):
    text = HEADER + PROPERTY.replace("PROP_ESIZE 1 4", lines)
    low = -7 if np.dtype(dtype).kind != "u" else 200
    stored = (np.arange(24) + low).astype(dtype)
    voxet = read_one(make(tmp_path, text, stored.tobytes()))
    assert voxet.values["my prop"].ravel().tolist() == stored.tolist()
    assert voxet.values["my prop"].dtype == np.dtype(dtype).newbyteorder("=")


def test_ibm_numbers_are_read(tmp_path):
    # 0xC276A000 is -118.625 and 0x42640000 is 100 (IBM System/360 Principles of Operation)
    data = struct.pack(">24I", 0xC276A000, 0x42640000, *[0] * 22)
    voxet = read_one(make(tmp_path, HEADER + PROPERTY.replace("IEEE", "IBM"), data))
    assert voxet.values["my prop"].ravel()[:3].tolist() == [-118.625, 100, 0]


def test_an_offset_skips_bytes_and_a_longer_file_is_legal(tmp_path):
    text = HEADER + PROPERTY.replace("PROP_OFFSET 1 0", "PROP_OFFSET 1 7")
    voxet = read_one(make(tmp_path, text, b"x" * 7 + RAMP.astype(">f4").tobytes() + b"tail"))
    assert voxet.values["my prop"].ravel().tolist() == RAMP.tolist()


def test_quoted_file_names_and_folders_below_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "my data@@").write_bytes(RAMP.astype(">f4").tobytes())
    for name in ('"sub/my data@@"', '"sub\\my data@@"', '"./sub/my data@@"'):
        path = make(tmp_path, HEADER + PROPERTY.replace("data@@", name))
        assert read_one(path).values["my prop"][1, 2, 3] == 23


def test_several_properties_keep_their_order_and_names(tmp_path):
    second = PROPERTY.replace(" 1 ", " 5 ").replace('PROPERTY 5 "my prop"\n', "")
    text = HEADER + PROPERTY.replace("END\n", "") + second.replace("HEADER 5", "HEADER 1")
    voxet = read_one(make(tmp_path, text))
    assert list(voxet.values) == ["my prop", "property_5"]


def test_rock_codes_have_names(tmp_path):
    rock = 'PROPERTY_SUBCLASS 1 ROCK 3 Air 0 "Upper cover" 1 Granite 7\n'
    text = HEADER + rock + PROPERTY.replace("PROP_ESIZE 1 4", "PROP_STORAGE_TYPE 1 Octet\nPROP_ESIZE 1 1")
    voxet = read_one(make(tmp_path, text, bytes(range(24))))
    assert voxet.classes == {"my prop": {0: "Air", 1: "Upper cover", 7: "Granite"}}


def test_codes_of_no_data_are_noted(tmp_path):
    text = HEADER + PROPERTY.replace("PROP_ESIZE 1 4", "PROP_ESIZE 1 1\nPROP_STORAGE_TYPE 1 Octet")
    voxet = read_one(make(tmp_path, text.replace("-99999", "3"), bytes(range(24))))
    assert voxet.notes == (
        "property 'my prop' has 1 samples of the no-data code 3, which were kept because codes have no NaN.",
    )


def test_depth_negates_origin_and_axes(tmp_path):
    voxet = read_one(make(tmp_path, (HEADER + PROPERTY).replace("ZPOSITIVE Elevation", "ZPOSITIVE Depth")))
    assert voxet.origin.tolist() == [100, 200, -300]
    assert voxet.steps[2].tolist() == [0, 0, -50]
    assert voxet.z_positive == "Depth"
    model = voxet.as_model()
    assert model.values["my prop"][0, 0, 0] == 12  # the deepest layer is the last in the file


def test_feet_become_metres_in_origin_and_steps(tmp_path):
    voxet = read_one(make(tmp_path, (HEADER + PROPERTY).replace('"m" "m" "m"', "ft ft m")))
    assert voxet.origin.tolist() == pytest.approx([30.48, 60.96, 300], rel=1e-15)
    assert voxet.steps[0, 0] == pytest.approx(3.048, rel=1e-15)
    assert len(voxet.notes) == 2


def test_a_part_of_the_axes_and_world_coordinates_follow_one_formula(tmp_path):
    world = HEADER.replace("AXIS_O 100 200 300", "AXIS_O 0 0 0").replace(
        "AXIS_MIN 0 0 0", "AXIS_MIN 100 200 300"
    )
    world = world.replace("AXIS_MAX 1 1 1", "AXIS_MAX 130 240 350\nAXIS_D 10 20 50")
    for axis in ("30 0 0", "0 40 0", "0 0 50"):
        world = world.replace(axis, axis.replace("30", "1").replace("40", "1").replace("50", "1"))
    voxet = read_one(make(tmp_path, world + PROPERTY))
    assert voxet.origin.tolist() == [100, 200, 300]
    assert voxet.steps.tolist() == [[10, 0, 0], [0, 20, 0], [0, 0, 50]]
    window = HEADER.replace("AXIS_MIN 0 0 0", "AXIS_MIN 0.5 0 0")
    assert read_one(make(tmp_path, window + PROPERTY)).origin.tolist() == [115, 200, 300]


def test_an_axis_of_one_sample_takes_its_vector_as_step(tmp_path):
    flat = HEADER.replace("AXIS_N 4 3 2", "AXIS_N 4 3 1")
    assert read_one(make(tmp_path, flat + PROPERTY)).steps[2].tolist() == [0, 0, 50]
    flat = flat.replace("AXIS_W 0 0 50", "AXIS_W 0 0 0")
    voxet = read_one(make(tmp_path, flat + PROPERTY))
    assert voxet.steps[2].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="axis W has one sample and no step"):
        voxet.as_model()


STATS = "PROP_SAMPLE_STATS 1 24 11.5 50 0 23\n"  # of 0 ... 23, variance of a sample


def test_statistics_that_agree_say_nothing(tmp_path):
    assert read_one(make(tmp_path, HEADER + STATS + PROPERTY)).notes == ()


def test_statistics_find_swapped_bytes(tmp_path):
    path = make(tmp_path, HEADER + STATS + PROPERTY, RAMP.astype("<f4").tobytes())
    (note,) = read_one(path).notes
    assert note.startswith("property 'my prop' does not have the statistics of its header")
    assert note.endswith("They agree if the bytes are swapped: read with byte_order='little'.")
    voxet = read_one(path, byte_order="little")
    assert voxet.notes == ()
    assert voxet.values["my prop"].ravel().tolist() == RAMP.tolist()


def test_statistics_that_differ_are_noted(tmp_path):
    text = HEADER + STATS.replace("11.5", "12.5") + PROPERTY
    (note,) = read_one(make(tmp_path, text)).notes
    assert "should be 24, 12.5, 50, 0, 23 and are 24, 11.5, 50, 0, 23." in note
    assert "swapped" not in note


def ascii_rows() -> list[str]:
    return [f"{n % 4} {n // 4 % 3} {n // 12} {n * 0.5} {-n}" for n in range(24)]


ASCII = HEADER + "ASCII_DATA_FILE data@@\nPROPERTY 1 a\nPROPERTY 2 b\nPROP_NO_DATA_VALUE 2 -5\nEND\n"


def test_text_data_go_where_their_indices_say(tmp_path):
    rows = "*\n* I J K a b\n*\n" + "\n".join(reversed(ascii_rows()))
    voxet = read_one(make(tmp_path, ASCII, rows.encode()))
    assert voxet.values["a"].ravel().tolist() == (np.arange(24) * 0.5).tolist()
    assert np.flatnonzero(np.isnan(voxet.values["b"])).tolist() == [5]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ascii_rows()[:-1], "there are 23 rows of values, the voxet has 24 samples. It may be truncated"),
        ([*ascii_rows()[:-1], "3 2 1 5"], "a row does not hold I J K and 2 values"),
        ([*ascii_rows()[:-1], "3 2 2 5 6"], "the row '3 2 2 5 6' is not a sample of the voxet"),
        ([*ascii_rows()[:-1], "0 0 0 5 6"], r"a sample \(I J K\) has several rows"),
    ],
)
def test_damaged_text_data_are_refused(tmp_path, rows, message):
    with pytest.raises(FormatError, match=message):
        read_one(make(tmp_path, ASCII, "\n".join(rows).encode()))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AXIS_N 4 3 2", "AXIS_N 4 3", r"line 17: AXIS_N has 2 values \('4 3'\), a voxet needs three"),
        ("AXIS_N 4 3 2", "AXIS_N 4 3 0", "AXIS_N is '4 3 0', three whole numbers of samples from 1"),
        ("AXIS_N 4 3 2", "AXIS_N 4 -3 2", "AXIS_N is '4 -3 2', three whole numbers of samples"),
        ("AXIS_N 4 3 2", "AXIS_N 4 3.5 2", "three whole numbers of samples"),
        ("AXIS_N 4 3 2", "AXIS_N 1e9 1e9 1e9", r"AXIS_N is '1e\+09 1e\+09 1e\+09'"),
        ("AXIS_N 4 3 2", "AXIS_N 4 three 2", "AXIS_N is '4 three 2', three finite numbers are expected"),
        ("AXIS_N 4 3 2", "AXIS_N 4000 3000 2000", "file has 96 bytes, property 'my prop' needs 960000000"),
        ("AXIS_N 4 3 2\n", "", "line 1: the voxet 'block' has no AXIS_N. The header may be truncated"),
        ("AXIS_U 30 0 0\n", "", "the voxet 'block' has no AXIS_U"),
        ("AXIS_O 100", "AXIS_O nan", "three finite numbers are expected"),
        ("PROP_ESIZE 1 4", "PROP_ESIZE 1 3", "property 'my prop' has values of '3' bytes, 1, 2, 4 or 8"),
        ("PROP_ESIZE 1 4", "PROP_ESIZE 1 4\nPROP_STORAGE_TYPE 1 RGBA", "is an image .RGBA., which has no"),
        ("FORMAT 1 RAW", "FORMAT 1 SEGY", "has the format SEGY with IEEE numbers, only RAW with IEEE or IBM"),
        ("IEEE", "VMS", "has the format RAW with VMS numbers"),
        ("PROP_ESIZE 1 4\nPROP_ETYPE 1  IEEE", "PROP_ESIZE 1 8\nPROP_ETYPE 1 IBM", "IBM numbers of 8 bytes"),
        ("OFFSET 1 0", "OFFSET 1 -4", "is '-4', a count of bytes is expected"),
        ("OFFSET 1 0", "OFFSET 1 4", "96 bytes, property 'my prop' needs 100: 4 to skip and 4 × 3 × 2"),
        ("PROP_FILE 1 data@@\n", "", "property 'my prop' has no PROP_FILE and there is no ASCII_DATA_FILE"),
        ("FILE 1 data@@", "FILE 1 gone@@", "the data file 'gone@@' is not in"),
        ("FILE 1 data@@", "FILE 1 ../data@@", "'../data@@' is outside the folder of the voxet. Put it"),
        ("FILE 1 data@@", "FILE 1 /etc/passwd", "outside the folder of the voxet.*bare name there: 'passwd'"),
        ("FILE 1 data@@", "FILE 1 C:\\models\\data@@", "outside the folder of the voxet.*there: 'data@@'"),
        ("FILE 1 data@@", "FILE 1 sub/../../data@@", "outside the folder of the voxet"),
        ("FILE 1 data@@", "FILE 1 " + "x" * 5000, "outside the folder of the voxet|is not in"),
    ],
)  # fmt: skip
def test_damaged_headers_are_refused_with_the_reason(tmp_path, old, new, message):
    text = HEADER + PROPERTY
    assert old in text
    with pytest.raises(FormatError, match=message):
        read_one(make(tmp_path, text.replace(old, new)))


def test_axes_beyond_numbers_are_refused(tmp_path):
    text = HEADER.replace("AXIS_U 30", "AXIS_U 1e308").replace("AXIS_MAX 1", "AXIS_MAX 1e9")
    with pytest.raises(FormatError, match="samples at coordinates that are not finite numbers"):
        read_one(make(tmp_path, text + PROPERTY))


def test_a_property_that_cannot_be_read_can_be_left_out(tmp_path):
    path = make(tmp_path, HEADER + PROPERTY.replace("data@@", "gone@@"))
    voxet = read_one(path, errors="skip")
    assert voxet.values == {}
    assert voxet.notes[0].startswith(
        "property 'my prop' was left out: block.vo, line 21: the data file 'gone@@'"
    )


GRID = Grid((2, 3, 4), (50.0, 20.0, 10.0), (-500.0, 7e6, 5e5), "EPSG:32651")


def marked(z_positive: str = "Elevation") -> PropertyModel:
    """A model with one cell that is different from all mirrored ones."""
    values = np.zeros(GRID.shape, np.float32)
    values[0, 1, 3] = 7
    return PropertyModel.from_grid("m", GRID, {"v": values}, units={"v": "SI"}, z_positive=z_positive)


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
def test_a_marker_comes_back_in_its_cell(tmp_path, sense):
    gocad.write_voxet(tmp_path / "m.vo", marked(sense))
    voxet = read_one(tmp_path / "m.vo")
    place = samples(voxet)[np.flatnonzero(voxet.values["v"].ravel() == 7)[0]]
    assert place.tolist() == GRID.xyz_of([0, 1, 3])[0].tolist()
    model = voxet.as_model()
    assert np.array_equal(model.values["v"], marked().values["v"])
    assert np.allclose(np.concatenate(model.edges), np.concatenate(marked().edges), rtol=1e-15)
    assert model.units == {"v": "SI"}
    assert f"ZPOSITIVE {sense}" in (tmp_path / "m.vo").read_text()


def test_the_header_says_what_gocad_expects(tmp_path):
    gocad.write_voxet(tmp_path / "m.vo", marked())
    text = (tmp_path / "m.vo").read_text()
    for line in (
        "AXIS_O 500005.0 7000010.0 -475.0", "AXIS_U 30.0 0 0", "AXIS_W 0 0 50.0", "AXIS_N 4 3 2",
        "PROP_ESIZE 1 4", "PROP_ETYPE 1 IEEE", "PROP_FILE 1 m_v@@",
        f"PROP_SAMPLE_STATS 1 24 {7 / 24:.9g} {(49 - 49 / 24) / 23:.9g} 0 7",
    ):  # fmt: skip
        assert line in text
    assert np.fromfile(tmp_path / "m_v@@", ">f4").reshape(2, 3, 4)[0, 1, 3] == 7


def test_axes_of_one_cell_keep_their_step(tmp_path):
    grid = Grid((1, 1, 3), (50.0, 20.0, 10.0), (0, 0, 0), "EPSG:32651")
    model = PropertyModel.from_grid("plane", grid, {"v": np.arange(3.0).reshape(1, 1, 3)})
    gocad.write_voxet(tmp_path / "plane.vo", model)
    assert read_one(tmp_path / "plane.vo").as_model().bounds == grid.bounds


def test_no_data_that_is_a_value_is_not_used(tmp_path):
    values = np.array([-99999, np.nan, 3, 4], np.float32).reshape(1, 1, 4)
    grid = Grid((1, 1, 4), (1.0, 1.0, 1.0), (0, 0, 0), "EPSG:32651")
    gocad.write_voxet(tmp_path / "m.vo", PropertyModel.from_grid("m", grid, {"v": values}))
    np.testing.assert_array_equal(read_one(tmp_path / "m.vo").values["v"], values)


def test_infinite_values_are_refused(tmp_path):
    for value in (np.inf, 1e300):
        values = {"good": np.zeros(GRID.shape), "v": np.full(GRID.shape, value)}
        model = PropertyModel.from_grid("m", GRID, values)
        with pytest.raises(ValueError, match="property 'v' holds values beyond float32 or infinite ones"):
            gocad.write_voxet(tmp_path / "m.vo", model)
    assert list(tmp_path.iterdir()) == []


def test_classes_are_written_as_codes_with_names(tmp_path):
    rock = np.where(marked().values["v"] == 7, np.nan, 3.0)
    model = PropertyModel.from_grid("m", GRID, {"rock": rock})
    gocad.write_voxet(tmp_path / "m.vo", model, classes={"rock": {3: "Upper cover", 4: "Granite"}})
    voxet = read_one(tmp_path / "m.vo")
    assert voxet.classes == {"rock": {3: "Upper cover", 4: "Granite"}}
    assert voxet.values["rock"].dtype == np.uint8
    assert np.argwhere(voxet.values["rock"] == 255).tolist() == [[0, 1, 3]]
    assert "no-data code 255" in voxet.notes[0]
    bad = PropertyModel.from_grid("m", GRID, {"rock": rock + 0.5})
    with pytest.raises(
        ValueError, match=r"property 'rock' holds 3.5, classes need whole codes from 0 to 254"
    ):
        gocad.write_voxet(tmp_path / "n.vo", bad, classes={"rock": {3: "x"}})


def test_file_names_are_legal_and_differ(tmp_path):
    values = marked().values["v"]
    model = PropertyModel.from_grid("m", GRID, {"a:b/c": values, "A b*c": values + 1})
    gocad.write_voxet(tmp_path / "m.vo", model)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.vo", "m_A_b_c_2@@", "m_a_b_c@@"]
    voxet = read_one(tmp_path / "m.vo")
    assert list(voxet.values) == ["a:b/c", "A b*c"]
    assert voxet.values["A b*c"].min() == 1


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
    assert list(tmp_path.iterdir()) == []


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
    assert voxet.notes == ()
    again = voxet.as_model()
    assert again.values["v"].dtype == np.float32
    np.testing.assert_array_equal(again.values["v"], values)
    np.testing.assert_allclose(again.bounds, grid.bounds, rtol=1e-12, atol=1e-6)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_format_error_and_nothing_else(tmp_path, data):
    text = HEADER + STATS + "PROPERTY_SUBCLASS 1 ROCK 2 Air 0 Cover 1\n" + PROPERTY
    content = bytearray(text.encode())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    tokens = st.sampled_from(
        [b" ", b"\n", b"END\n", b"{", b'"', b"1e999", b"-", b"nan", b"9" * 30, b"1e300", b"\0"]
    )
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 6))] = data.draw(
            st.one_of(tokens, st.binary(max_size=3))
        )
    path = make(tmp_path)
    path.write_bytes(bytes(content))
    for errors in ("strict", "skip"):
        try:
            found = gocad.read_objects(path, errors=errors)
        except FormatError:
            continue
        assert all(np.isfinite(body.steps).all() for body in found if isinstance(body, Voxet))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(min_size=96, max_size=96))
def test_any_bytes_are_values(tmp_path, content):
    values = read_one(make(tmp_path, HEADER + STATS + PROPERTY, content)).values["my prop"].ravel()
    stored = np.frombuffer(content, ">f4")
    assert np.all(np.isnan(values) | (values == stored))


@pytest.mark.corpus
def test_corpus_rotated_voxet_of_every_type_is_where_its_truth_says(corpus_dir):
    folder = corpus_dir / "synthetic/voxet_rot_esize124_ibm_offset"
    truth = json.loads((folder / "rot.truth.json").read_text())
    (voxet,) = io.read(folder / "rot.vo")
    np.testing.assert_allclose(samples(voxet), truth["points"], atol=2e-3)  # its axes have six digits
    dens = np.array([np.nan if v is None else v for v in truth["dens"]])
    np.testing.assert_array_equal(voxet.values["dens"].ravel(), dens)
    assert voxet.values["litho"].ravel().tolist() == truth["litho"]
    assert voxet.values["shorty"].ravel().tolist() == truth["shorty"]
    np.testing.assert_allclose(voxet.values["ibmp"].ravel(), truth["ibmp"], rtol=1e-6)
    with pytest.raises(ValueError, match="'rot vox' is rotated or skewed"):
        voxet.as_model()


@pytest.mark.corpus
def test_corpus_depth_voxet_is_where_its_truth_says(corpus_dir):
    folder = corpus_dir / "synthetic/voxet_depth_crlf"
    truth = json.loads((folder / "depth.truth.json").read_text())
    (voxet,) = io.read(folder / "depth.vo")
    np.testing.assert_allclose(samples(voxet), truth["points"], atol=1e-9)
    assert voxet.values["v"].ravel().tolist() == truth["v"]


@pytest.mark.corpus
def test_corpus_voxet_with_flipped_axes_has_the_layers_of_its_sgrid_twin(corpus_dir):
    (voxet,) = io.read(corpus_dir / "voxet/flags_regions_flipped_axes/test_voxet_5_5_5.vo")
    assert voxet.notes == ("regions were not read: one, two, three, four, five.",)  # its statistics agree
    model = voxet.as_model()
    # W runs down, so layer 1 of the file is the highest
    assert [np.unique(layer).tolist() for layer in model.values["layer"]] == [[5], [4], [3], [2], [1]]
    step = 3273195.25 / 4
    assert model.edges[2][0] == -1731127.25 - step / 2  # the first corner of the SGrid that GoCAD made of it
    assert model.bounds[5] == 12500


@pytest.mark.corpus
def test_corpus_text_data_have_the_statistics_of_their_header(corpus_dir):
    (voxet,) = io.read(corpus_dir / "voxet/ascii_data_file/test.vo")
    values = voxet.values["random"]
    assert values.shape == (10, 10, 10)
    assert values[0, 0, :2].tolist() == [6.48414, 4.57474]
    assert values.mean() == pytest.approx(6.05339, rel=1e-5)
    assert voxet.notes == ()
    assert voxet.steps.tolist() == [[100, 0, 0], [0, 100, 0], [0, 0, 100]]


@pytest.mark.corpus
def test_corpus_header_without_its_data(corpus_dir):
    path = corpus_dir / "voxet/header_only_inverted_w/inverted.vo"
    with pytest.raises(FormatError, match="the data file 'Non_Orthogonal_Voxet_Rock_Number@@' is not in"):
        io.read(path)
    (voxet,) = io.read(path, errors="skip")
    assert voxet.steps.tolist() == [[900, 0, 0], [0, 900, 0], [0, 0, -200]]
    assert voxet.shape == (116, 200, 83)


@pytest.mark.corpus
def test_corpus_image_plane_is_refused(corpus_dir):
    with pytest.raises(FormatError, match="property 'picture' is an image"):
        io.read(corpus_dir / "voxet/rgba_image_plane/RGBA_voxet.vo")
