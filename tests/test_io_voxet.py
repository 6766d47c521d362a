"""GoCAD voxets, read."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.io import gocad
from mpm3d.io.gocad import ascii_table, data_files
from mpm3d.io.gocad import voxet as voxet_module
from mpm3d.io.gocad.lines import TextFile, read_blocks
from mpm3d.io.gocad.voxet import read_voxet, verify
from mpm3d.io.options import Options
from mpm3d.lattice import Lazy, Voxet
from mpm3d.values import FileArray

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


@pytest.fixture(autouse=True, params=["in memory", "in the file"])
def in_file(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Everything here holds whether values are read at once or stay in their file."""
    in_file: bool = request.param == "in the file"
    if in_file:
        monkeypatch.setattr(data_files, "LAZY_ABOVE", 0)
    return in_file


def make(folder: Path, text: str = HEADER + PROPERTY, data: bytes | None = None) -> Path:
    (folder / "data@@").write_bytes(RAMP.astype(">f4").tobytes() if data is None else data)
    path = folder / "block.vo"
    path.write_text(text)
    return path


def read_one(path: Path, **options: str | bool) -> Voxet:
    text = TextFile(path)
    (block,) = read_blocks(text)
    return read_voxet(text, block, Options(**options))


def numbers(voxet: Voxet, name: str = "my prop") -> np.ndarray:
    """Values of a property, read if they are in a file."""
    return np.asarray(voxet.values[name])


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
    values = numbers(voxet)
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
    values = numbers(read_one(make(tmp_path, text, data.astype(">f4").tobytes()))).ravel()
    assert np.flatnonzero(np.isnan(values)).tolist() == [5]


TYPES = [
    ("PROP_STORAGE_TYPE 1 Octet\nPROP_ESIZE 1 1\nPROP_SIGNED 1 0", ">u1", "f4"),
    ("PROP_STORAGE_TYPE 1 Octet\nPROP_SIGNED 1 1", ">i1", "f4"),
    ("PROP_STORAGE_TYPE 1 Short\nPROP_ESIZE 1 2\nPROP_SIGNED 1 1", ">i2", "f4"),
    ("PROP_ESIZE 1 2\nPROP_SIGNED 1 0", ">u2", "f4"),
    ("PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 4\nPROP_SIGNED 1 1", ">i4", "f8"),
    ("PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 4\nPROP_SIGNED 1 0", ">u4", "f8"),
    ("PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 8\nPROP_SIGNED 1 1", ">i8", "f8"),
    ("PROP_STORAGE_TYPE 1 Float\nPROP_ESIZE 1 4\nPROP_SIGNED 1 0", ">f4", "f4"),
    ("PROP_ESIZE 1 4", ">f4", "f4"),
    ("PROP_ESIZE 1 8", ">f8", "f8"),
    ("PROP_STORAGE_TYPE 1 Double", ">f8", "f8"),
    ("PROP_ESIZE 1 2\nPROP_STORAGE_TYPE 1 Float\nPROP_ESIZE 1 4", ">f4", "f4"),  # the last counts
]


@pytest.mark.parametrize("no_data", [None, 3])
@pytest.mark.parametrize(("lines", "stored", "floats"), TYPES)
def test_every_size_and_type_is_read_and_whole_numbers_stay_whole_without_no_data(
    tmp_path, lines, stored, floats, no_data
):
    text = HEADER + PROPERTY.replace("PROP_ESIZE 1 4", lines)
    text = text.replace(
        "PROP_NO_DATA_VALUE 1 -99999\n", f"PROP_NO_DATA_VALUE 1 {no_data}\n" if no_data else ""
    )
    low = -7 if np.dtype(stored).kind != "u" else 0
    data = (np.arange(24) + low).astype(stored)
    data[-1] = 120
    values = numbers(read_one(make(tmp_path, text, data.tobytes())))
    expected = data.astype(float)
    if no_data:
        expected[expected == no_data] = np.nan
    np.testing.assert_array_equal(values.ravel(), expected)
    assert values.dtype == (np.dtype(floats) if no_data else np.dtype(stored).newbyteorder("="))


@pytest.mark.parametrize(
    ("more", "dtype", "said"),
    [
        ("", "i1", "they were read as signed."),
        ("PROP_NO_DATA_VALUE 1 255\n", "f4", "they were read as unsigned, as 255 is among them."),
        ("PROP_SAMPLE_STATS 1 24 1 1 0 200\n", "u1", "they were read as unsigned, as 200 is among them."),
        ("PROPERTY_SUBCLASS 1 ROCK 1 Ore 130\n", "u1", "they were read as unsigned, as 130 is among them."),
    ],
)
def test_a_header_without_a_sign_is_understood_by_its_other_numbers(tmp_path, more, dtype, said):
    text = PROPERTY.replace("PROP_NO_DATA_VALUE 1 -99999\n", more).replace("PROP_ESIZE 1 4", "PROP_ESIZE 1 1")
    voxet = read_one(make(tmp_path, HEADER + text, bytes(range(200, 224))))
    assert voxet.notes[0].startswith("property 'my prop': the header does not say whether whole numbers have")
    assert voxet.notes[0].endswith(said)
    assert numbers(voxet).dtype == dtype
    assert numbers(voxet).ravel()[0] == (-56 if dtype == "i1" else 200)


def test_large_whole_numbers_that_become_floats_are_noted(tmp_path):
    lines = "PROP_STORAGE_TYPE 1 Integer\nPROP_ESIZE 1 8\nPROP_SIGNED 1 1"
    text = HEADER + PROPERTY.replace("PROP_ESIZE 1 4", lines)
    data = np.full(24, 2**53 + 1)
    data[1] = -99999
    voxet = read_one(make(tmp_path, text, data.astype(">i8").tobytes()))
    assert np.isnan(numbers(voxet).ravel()[1])
    assert voxet.notes == (
        "property 'my prop': whole numbers beyond 2**53 were rounded, as they became floats.",
    )


def test_no_data_that_is_infinite_or_beyond_the_type_hides_nothing_else(tmp_path):
    data = RAMP.copy()
    data[7] = np.inf
    for word, gone in (("inf", [7]), ("1e39", []), ("nan", []), ("none", [])):
        text = HEADER + PROPERTY.replace("-99999", word)
        values = numbers(read_one(make(tmp_path, text, data.astype(">f4").tobytes()))).ravel()
        assert np.flatnonzero(np.isnan(values)).tolist() == gone


def test_ibm_numbers_are_read(tmp_path):
    # 0xC276A000 is -118.625 and 0x42640000 is 100 (IBM System/360 Principles of Operation)
    data = struct.pack(">24I", 0xC276A000, 0x42640000, 0xC51869F0, *[0] * 21)  # the third is -99999
    voxet = read_one(make(tmp_path, HEADER + PROPERTY.replace("IEEE", "IBM"), data))
    assert numbers(voxet).ravel()[:2].tolist() == [-118.625, 100]
    assert np.flatnonzero(np.isnan(numbers(voxet).ravel())).tolist() == [2]


def test_long_ibm_numbers_have_the_same_form_with_more_digits(tmp_path):
    data = struct.pack(">24Q", 0xC276A00000000000, 0x4110000000000001, *[0] * 22)
    text = HEADER + PROPERTY.replace("PROP_ESIZE 1 4", "PROP_ESIZE 1 8").replace("IEEE", "IBM")
    values = numbers(read_one(make(tmp_path, text, data))).ravel()
    assert values[:3].tolist() == [-118.625, 1 + 2.0**-52, 0]


def test_an_offset_skips_bytes_and_a_longer_file_is_legal(tmp_path):
    text = HEADER + PROPERTY.replace("PROP_OFFSET 1 0", "PROP_OFFSET 1 7")
    voxet = read_one(make(tmp_path, text, b"x" * 7 + RAMP.astype(">f4").tobytes() + b"tail"))
    assert numbers(voxet).ravel().tolist() == RAMP.tolist()


def test_quoted_file_names_and_folders_below_are_read(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "my data@@").write_bytes(RAMP.astype(">f4").tobytes())
    for name in ('"sub/my data@@"', '"sub\\my data@@"', '"./sub/my data@@"', "sub/my data@@"):
        path = make(tmp_path, HEADER + PROPERTY.replace("data@@", name))
        assert numbers(read_one(path))[1, 2, 3] == 23


def test_several_properties_keep_their_order_and_names(tmp_path):
    second = PROPERTY.replace(" 1 ", " 5 ").replace('PROPERTY 5 "my prop"\n', "")
    text = HEADER + PROPERTY.replace("END\n", "") + second.replace("HEADER 5", "HEADER 1")
    voxet = read_one(make(tmp_path, text))
    assert list(voxet.values) == ["my prop", "property_5"]
    assert voxet.notes == ("property 5 has no name in the header and was called 'property_5'.",)


def test_names_come_from_the_class_and_repeated_ones_get_their_number(tmp_path):
    second = PROPERTY.replace(" 1 ", " 2 ").replace('PROPERTY 2 "my prop"', "PROPERTY_CLASS 2 my prop")
    voxet = read_one(make(tmp_path, HEADER + PROPERTY.replace("END\n", "") + second))
    assert list(voxet.values) == ["my prop", "my prop_2"]
    assert voxet.notes == ("property 2 has the name of another, 'my prop', so it was called 'my prop_2'.",)


def test_no_name_takes_the_place_of_another(tmp_path):
    words = [PROPERTY.replace(" 1 ", f" {n} ").replace("my prop", name).replace("END\n", "")
             for n, name in ((1, "a_3"), (2, "a"), (3, "a"))]  # fmt: skip
    voxet = read_one(make(tmp_path, HEADER + "".join(words)))
    assert list(voxet.values) == ["a_3", "a", "a_3_3"]


def test_a_file_that_is_named_very_often_is_not_read_as_often(tmp_path, monkeypatch, in_file):
    monkeypatch.setattr(voxet_module, "_TOGETHER", 60)
    many = "".join(
        PROPERTY.replace(" 1 ", f" {n} ").replace("my prop", f"p{n}").replace("END\n", "") for n in range(5)
    )
    voxet = read_one(make(tmp_path, HEADER + many))
    assert [isinstance(v, Lazy) or in_file for v in voxet.values.values()] == [in_file] * 2 + [True] * 3
    assert all(numbers(voxet, name)[1, 2, 3] == 23 for name in voxet.values)


def test_rock_codes_have_names(tmp_path):
    rock = 'PROPERTY_SUBCLASS 1 ROCK 4 Air 0 "Upper cover" 1 Granite 7 Sea -1\n'
    text = HEADER + rock + PROPERTY.replace("PROP_ESIZE 1 4", "PROP_STORAGE_TYPE 1 Octet\nPROP_ESIZE 1 1")
    voxet = read_one(make(tmp_path, text, bytes(range(24))))
    assert voxet.classes == {"my prop": {0: "Air", 1: "Upper cover", 7: "Granite", -1: "Sea"}}
    turned = read_one(make(tmp_path, text.replace("ROCK 4 Air 0", "ROCK 4 0 Air"), bytes(range(24))))
    assert turned.classes["my prop"][0] == "Air"


def test_depth_negates_origin_and_axes(tmp_path):
    voxet = read_one(make(tmp_path, (HEADER + PROPERTY).replace("ZPOSITIVE Elevation", "ZPOSITIVE Depth")))
    assert voxet.origin.tolist() == [100, 200, -300]
    assert voxet.steps[2].tolist() == [0, 0, -50]
    assert voxet.z_positive == "Depth"
    model = voxet.as_model()
    assert numbers(model)[0, 0, 0] == 12  # the deepest layer is the last in the file


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
    voxet = read_one(make(tmp_path, flat + PROPERTY))
    assert voxet.steps[2].tolist() == [0, 0, 50]
    assert voxet.notes == ("axis W has one sample, AXIS_W was taken as the length of its cell.",)
    unit = flat.replace("AXIS_W 0 0 50", "AXIS_W 0 0 1\nAXIS_D 10 20 25")
    voxet = read_one(make(tmp_path, unit + PROPERTY))
    assert voxet.steps[2].tolist() == [0, 0, 25]
    assert voxet.notes == ("axis W has one sample, AXIS_D was taken as the length of its cell.",)


@pytest.mark.parametrize(("count", "why"), [(1, "one sample and no step"), (2, "2 samples in one place")])
def test_an_axis_without_length_is_kept_but_makes_no_cells(tmp_path, count, why):
    flat = HEADER.replace("AXIS_N 4 3 2", f"AXIS_N 4 3 {count}").replace("AXIS_W 0 0 50", "AXIS_W 0 0 0")
    voxet = read_one(make(tmp_path, flat + PROPERTY))
    assert voxet.steps[2].tolist() == [0, 0, 0]
    assert voxet.notes == ("axis W has no length, so its cells have no size.",)
    assert voxet.bounds == (95, 190, 300, 135, 250, 300)
    with pytest.raises(ValueError, match=f"axis W has {why}, so cells have no size"):
        voxet.as_model()


def test_rotated_and_skewed_axes_are_read_as_they_are(tmp_path):
    turned = HEADER.replace("AXIS_U 30 0 0", "AXIS_U 24 18 0").replace("AXIS_V 0 40 0", "AXIS_V -24 32 0")
    voxet = read_one(make(tmp_path, turned.replace("AXIS_W 0 0 50", "AXIS_W 5 0 -50") + PROPERTY))
    assert voxet.steps.tolist() == [[8, 6, 0], [-12, 16, 0], [5, 0, -50]]
    with pytest.raises(ValueError, match="'block' is rotated or skewed"):
        voxet.as_model()


STATS = "PROP_SAMPLE_STATS 1 24 11.5 50 0 23\n"  # of 0 ... 23, variance of a sample


def test_statistics_that_agree_say_nothing(tmp_path):
    assert read_one(make(tmp_path, HEADER + STATS + PROPERTY)).notes == ()


def test_statistics_find_swapped_bytes(tmp_path, in_file):
    path = make(tmp_path, HEADER + STATS + PROPERTY, RAMP.astype("<f4").tobytes())
    note, hint = read_one(path).notes
    assert note.startswith(
        "property 'my prop' has values beyond those that its header states, 0 to 23."
        if in_file
        else "property 'my prop' does not have the statistics of its header"
    )
    assert hint == "property 'my prop' agrees if the bytes are swapped: read with byte_order='little'."
    voxet = read_one(path, byte_order="little")
    assert voxet.notes == ()
    assert numbers(voxet).ravel().tolist() == RAMP.tolist()
    assert verify(voxet) == {}


def test_statistics_that_differ_are_found_when_all_values_are_read(tmp_path, in_file):
    text = HEADER + STATS.replace("11.5", "12.5") + PROPERTY
    voxet = read_one(make(tmp_path, text))
    assert voxet.stated == {"my prop": (24, 12.5, 50, 0, 23)}
    said = verify(voxet)["my prop"]
    assert "should be 24, 12.5, 50, 0, 23 and are 24, 11.5, 50, 0, 23." in said
    assert voxet.notes == (() if in_file else (said,))


def test_statistics_that_are_no_numbers_are_not_compared(tmp_path):
    for stats in ("24 11.5 50 0", "24 nan 50 0 23", "24 about 50 0 23"):
        voxet = read_one(make(tmp_path, HEADER + f"PROP_SAMPLE_STATS 1 {stats}\n" + PROPERTY))
        assert voxet.stated == {}
        assert voxet.notes == ()


def test_values_of_large_properties_stay_in_their_file_until_they_are_asked_for(tmp_path, in_file):
    path = make(tmp_path)
    voxet = read_one(path)
    values = voxet.values["my prop"]
    assert isinstance(values, Lazy) == in_file
    assert values[1, 2, 1:].tolist() == [21, 22, 23]
    assert values.dtype == np.float32
    if in_file:
        assert isinstance(values.raw, FileArray)
        with (tmp_path / "data@@").open("ab") as file:
            file.write(b"more")
        with pytest.raises(FormatError, match="data@@: the file was changed or removed since its header was"):
            values[0]


FLAGS = """FLAGS_ARRAY_LENGTH 24
FLAGS_BIT_LENGTH 9
FLAGS_ESIZE 2
FLAGS_OFFSET 3
FLAGS_FILE "my flags@@"
REGION "old mine" 6
REGION fresh 8
"""


def flags(folder: Path, dtype: str, old: list[int], fresh: list[int]) -> None:
    bits = np.zeros(24, np.int64)
    bits[old] |= 1 << 6
    bits[fresh] |= 1 << 8
    bits[5] |= 3  # bits that are no region
    (folder / "my flags@@").write_bytes(b"xyz" + bits.astype(dtype).tobytes())


@pytest.mark.parametrize(("dtype", "which"), [("<u2", "little"), (">u2", "big")])
def test_regions_are_bits_of_flags_of_either_byte_order(tmp_path, in_file, dtype, which):
    flags(tmp_path, dtype, [0, 7], [7, 23])
    voxet = read_one(make(tmp_path, HEADER + FLAGS + PROPERTY))
    assert list(voxet.regions) == ["old mine", "fresh"]
    assert all(isinstance(region, Lazy) == in_file for region in voxet.regions.values())
    found = {name: np.asarray(region) for name, region in voxet.regions.items()}
    assert found["old mine"].dtype == bool
    assert found["old mine"].shape == voxet.shape
    assert np.flatnonzero(found["old mine"]).tolist() == [0, 7]
    assert np.flatnonzero(found["fresh"]).tolist() == [7, 23]
    assert voxet.notes == (
        f"the file of flags 'my flags@@' was read as {which}-endian, no bit beyond its length is set so.",
    )


def test_flags_that_fit_in_neither_byte_order_are_little_endian(tmp_path):
    (tmp_path / "my flags@@").write_bytes(b"xyz" + np.full(24, 0xFFFF, "<u2").tobytes())
    voxet = read_one(make(tmp_path, HEADER + FLAGS + PROPERTY))
    assert "was read as little-endian, bits beyond its length are set." in voxet.notes[0]


def test_flags_need_no_size_if_their_length_is_known(tmp_path):
    flags(tmp_path, "<u2", [1], [2])
    voxet = read_one(make(tmp_path, HEADER + FLAGS.replace("FLAGS_ESIZE 2\n", "") + PROPERTY))
    assert np.flatnonzero(voxet.regions["fresh"]).tolist() == [2]


def test_flags_without_regions_are_not_looked_for(tmp_path):
    voxet = read_one(make(tmp_path, HEADER + FLAGS.split("REGION")[0] + PROPERTY))
    assert voxet.regions == {}
    assert voxet.notes == ()


def test_regions_without_flags_are_noted(tmp_path):
    voxet = read_one(make(tmp_path, HEADER + "REGION one 6\nREGION two 7\n" + PROPERTY))
    assert voxet.notes == ("the regions one, two were left out, the header names no FLAGS_FILE.",)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("FLAGS_ESIZE 2", "FLAGS_ESIZE 3", "FLAGS_ESIZE is 3, flags of 1, 2, 4 or 8 bytes are expected"),
        ("FLAGS_ESIZE 2", "FLAGS_ESIZE two", "FLAGS_ESIZE is 'two', a whole number is expected"),
        (
            "FLAGS_ESIZE 2",
            "FLAGS_ESIZE 8",
            "51 bytes, 195 are needed for the flags .*: 3 to skip and 4 × 3 × 2 values of 8. It may",
        ),
        ("FLAGS_OFFSET 3", "FLAGS_OFFSET 999999999999", "51 bytes, 1000000000047 are needed for the flags"),
        (
            "REGION fresh 8",
            "REGION fresh 16",
            "line 27: region 'fresh' is on the bit 16, the flags have the bits",
        ),
        (
            "REGION fresh 8",
            "REGION fresh",
            r"region 'fresh' is on the bit \?, the flags have the bits 0 to 15",
        ),
        ('"my flags@@"', "gone@@", "line 25: the data file 'gone@@' is not in"),
        ('"my flags@@"', "../my", "the data file '../my' is outside the folder"),
    ],
)
def test_damaged_flags_are_refused_or_left_out(tmp_path, old, new, message):
    flags(tmp_path, "<u2", [1], [2])
    path = make(tmp_path, HEADER + FLAGS.replace(old, new) + PROPERTY)
    with pytest.raises(FormatError, match=message):
        read_one(path)
    voxet = read_one(path, errors="skip")
    assert voxet.regions == {}
    assert voxet.notes[0].startswith("the regions old mine, fresh were left out: ")


def ascii_rows() -> list[str]:
    return [f"{n % 4} {n // 4 % 3} {n // 12} {n * 0.5} {-n}" for n in range(24)]


ASCII = HEADER + "ASCII_DATA_FILE data@@\nPROPERTY 1 a\nPROPERTY 2 b\nPROP_NO_DATA_VALUE 2 -5\nEND\n"


def test_text_data_go_where_their_indices_say(tmp_path):
    rows = "*\n* I J K a b\n*\n" + "\n".join(reversed(ascii_rows()))
    voxet = read_one(make(tmp_path, ASCII, rows.encode()))
    assert numbers(voxet, "a").ravel().tolist() == (np.arange(24) * 0.5).tolist()
    assert np.flatnonzero(np.isnan(numbers(voxet, "b"))).tolist() == [5]


def test_text_data_may_be_packed_and_have_exponents_of_fortran(tmp_path):
    rows = "\n".join([*ascii_rows()[:-1], "3 2 1 1D2 -5.0d+0 7"])
    voxet = read_one(make(tmp_path, ASCII, gzip.compress(rows.encode())))
    assert numbers(voxet, "a")[1, 2, 3] == 100
    assert np.isnan(numbers(voxet, "b")[1, 2, 3])


def test_text_data_in_many_pieces_are_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(ascii_table, "_PIECE", 5)
    voxet = read_one(make(tmp_path, ASCII, "\n".join(ascii_rows()).encode()))
    assert numbers(voxet, "a").ravel().tolist() == (np.arange(24) * 0.5).tolist()
    (tmp_path / "data@@").write_text("\n".join([*ascii_rows()[:-1], "0 0 0 5 6"]))
    with pytest.raises(FormatError, match=r"a place \(I J K\) has several rows"):
        read_one(tmp_path / "block.vo")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ascii_rows()[:-1], "there are 23 rows of values, 24 are expected. The file may be truncated"),
        ([*ascii_rows(), "0 0 0 1 2"], "there are more than 24 rows of values, one is expected for each"),
        (ascii_rows()[:9], "the file has .* bytes, too few for 24 rows of 5 numbers. It may be truncated"),
        (
            [*ascii_rows()[:-1], "3 2 1 5"],
            "data@@, line 24: the row '3 2 1 5' does not hold 5 numbers",
        ),
        ([*ascii_rows()[:-1], "3 2 1 5 x"], "line 24: the row '3 2 1 5 x' does not hold 5 numbers"),
        (
            [*ascii_rows()[:-1], "3 2 2 5 6"],
            "line 24: I J K of the row are 3 2 2, the lattice has 4 × 3 × 2 places counted from 0",
        ),
        ([*ascii_rows()[:-1], "3 nan 1 5 6"], "I J K of the row are 3 nan 1, the lattice has"),
        ([*ascii_rows()[:-1], "0 0 0 5 6"], r"a place \(I J K\) has several rows"),
    ],
)
def test_damaged_text_data_are_refused(tmp_path, rows, message):
    path = make(tmp_path, ASCII, "\n".join(rows).encode())
    with pytest.raises(FormatError, match=message):
        read_one(path)
    voxet = read_one(path, errors="skip")
    assert voxet.values == {}
    assert len(voxet.notes) == 2
    assert voxet.notes[1].startswith("property 'b' was left out: data@@")


def test_packed_text_data_that_are_damaged_are_refused(tmp_path):
    packed = gzip.compress("\n".join(ascii_rows()).encode())
    with pytest.raises(FormatError, match="data@@: the gzip content is damaged"):
        read_one(make(tmp_path, ASCII, packed[:-12]))


def test_a_huge_count_of_text_rows_is_refused_before_memory_is_taken(tmp_path):
    text = ASCII.replace("AXIS_N 4 3 2", "AXIS_N 10000 10000 1000")
    for content in (b"", b"0 0 0 1 2\n", gzip.compress(b"0 0 0 1 2\n")):
        with pytest.raises(FormatError, match="too few for 100000000000 rows of 5 numbers"):
            read_one(make(tmp_path, text, content))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("AXIS_N 4 3 2", "AXIS_N 4 3", r"line 17: AXIS_N has 2 values \('4 3'\), a voxet needs three"),
        ("AXIS_N 4 3 2", "AXIS_N 4 3 0", "AXIS_N is '4 3 0', three whole numbers of samples from 1"),
        ("AXIS_N 4 3 2", "AXIS_N 4 -3 2", "AXIS_N is '4 -3 2', three whole numbers of samples"),
        ("AXIS_N 4 3 2", "AXIS_N 4 3.5 2", "three whole numbers of samples"),
        ("AXIS_N 4 3 2", "AXIS_N 1e9 1e9 1e9", r"AXIS_N is '1e\+09 1e\+09 1e\+09'"),
        ("AXIS_N 4 3 2", "AXIS_N 4 three 2", "AXIS_N is '4 three 2', three finite numbers are expected"),
        ("AXIS_N 4 3 2", "AXIS_N 1e12 1 1", r"AXIS_N is '1e\+12 1 1', three whole numbers of samples"),
        ("AXIS_N 4 3 2", "AXIS_N 4000 3000 2000", "96 bytes, 96000000000 are needed .*line 31"),
        ("AXIS_N 4 3 2\n", "", "line 1: the voxet 'block' has no AXIS_N. The header may be truncated"),
        ("AXIS_U 30 0 0\n", "", "the voxet 'block' has no AXIS_U"),
        ("AXIS_O 100", "AXIS_O nan", "three finite numbers are expected"),
        ("PROP_ESIZE 1 4", "PROP_ESIZE 1 3", "property 'my prop' has values of '3' bytes, 1, 2, 4 or 8"),
        ("FORMAT 1 RAW", "FORMAT 1 SEGY", "has the format SEGY with IEEE numbers, only RAW with IEEE or IBM"),
        ("IEEE", "VMS", "has the format RAW with VMS numbers"),
        ("ESIZE 1 4", "ESIZE 1 4\nPROP_STORAGE_TYPE 1 Octet", "has Octet values of 4 bytes, 1 are expected"),
        ("ESIZE 1 4", "ESIZE 1 2\nPROP_STORAGE_TYPE 1 Float", "Float values of 2 bytes, 4 or 8 are expected"),
        ("ESIZE 1 4", "ESIZE 1 4\nPROP_STORAGE_TYPE 1 Rune", "line 28: .* storage type 'Rune', one of Octet"),
        ("OFFSET 1 0", "OFFSET 1 -4", "is '-4', a count of bytes is expected"),
        ("OFFSET 1 0", "OFFSET 1 99999999999999999", "96 bytes, 100000000000000095 are needed"),
        ("OFFSET 1 0", "OFFSET 1 4", "100 are needed for property 'my prop' .*: 4 to skip and 4 × 3 × 2"),
        ("PROP_FILE 1 data@@\n", "", "property 'my prop' has no PROP_FILE and there is no ASCII_DATA_FILE"),
        ("FILE 1 data@@", "FILE 1 gone@@", "the data file 'gone@@' is not in"),
        ("FILE 1 data@@", "FILE 1 ../data@@", "'../data@@' is outside the folder of the header. Put it"),
        ("FILE 1 data@@", "FILE 1 /etc/passwd", "outside the folder of the header.* name there: 'passwd'"),
        ("FILE 1 data@@", "FILE 1 C:\\models\\data@@", "outside the folder of the header.*there: 'data@@'"),
        ("FILE 1 data@@", "FILE 1 sub/../../data@@", "outside the folder of the header"),
        ("FILE 1 data@@", "FILE 1 .", "the data file '.' is outside the folder of the header"),
        ("FILE 1 data@@", "FILE 1 folder", "line 31: the data file 'folder' is not in"),
        ("FILE 1 data@@", "FILE 1 link@@", "the data file 'link@@' is outside the folder of the header"),
        ("FILE 1 data@@", "FILE 1 " + "x" * 5000, "outside the folder of the header|is not in"),
    ],
)  # fmt: skip
def test_damaged_headers_are_refused_with_the_reason(tmp_path, old, new, message):
    text = HEADER + PROPERTY
    assert old in text
    place = tmp_path / "place"
    (place / "folder").mkdir(parents=True)
    (tmp_path / "data@@").write_bytes(RAMP.astype(">f4").tobytes())
    (place / "link@@").symlink_to(tmp_path / "data@@")
    with pytest.raises(FormatError, match=message):
        read_one(make(place, text.replace(old, new)))


def test_data_files_of_other_folders_are_read_if_that_is_allowed(tmp_path):
    (tmp_path / "place").mkdir()
    (tmp_path / "data@@").write_bytes(RAMP.astype(">f4").tobytes())
    for name in ("../data@@", str(tmp_path / "data@@")):
        path = make(tmp_path / "place", HEADER + PROPERTY.replace("data@@", f'"{name}"'))
        assert numbers(read_one(path, outside=True))[1, 2, 3] == 23
    for name, message in (
        ("../gone@@", r"line 31: the data file '../gone@@' is not in"),
        (
            "D:/models/data@@",
            "'D:/models/data@@' is on a disk that is not here. Put .* there: 'data@@'",
        ),
    ):
        path = make(tmp_path / "place", HEADER + PROPERTY.replace("data@@", name))
        with pytest.raises(FormatError, match=message):
            read_one(path, outside=True)


def test_axes_beyond_numbers_are_refused(tmp_path):
    text = HEADER.replace("AXIS_U 30", "AXIS_U 1e308").replace("AXIS_MAX 1", "AXIS_MAX 1e9")
    with pytest.raises(FormatError, match="samples at coordinates that are not finite numbers"):
        read_one(make(tmp_path, text + PROPERTY))


def test_a_property_that_cannot_be_read_can_be_left_out(tmp_path):
    path = make(tmp_path, HEADER + PROPERTY.replace("data@@", "gone@@"))
    voxet = read_one(path, errors="skip")
    assert voxet.values == {}
    assert voxet.notes[0].startswith(
        "property 'my prop' was left out: block.vo, line 31: the data file 'gone@@'"
    )


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
    values = numbers(read_one(make(tmp_path, HEADER + STATS + PROPERTY, content))).ravel()
    stored = np.frombuffer(content, ">f4")
    assert np.all(np.isnan(values) | (values == stored))


@pytest.mark.corpus
def test_corpus_rotated_voxet_of_every_type_is_where_its_truth_says(corpus_dir):
    folder = corpus_dir / "synthetic/voxet_rot_esize124_ibm_offset"
    truth = json.loads((folder / "rot.truth.json").read_text())
    (voxet,) = io.read(folder / "rot.vo")
    np.testing.assert_allclose(samples(voxet), truth["points"], atol=2e-3)  # its axes have six digits
    dens = np.array([np.nan if v is None else v for v in truth["dens"]])
    np.testing.assert_array_equal(numbers(voxet, "dens").ravel(), dens)
    assert numbers(voxet, "litho").ravel().tolist() == truth["litho"]
    assert numbers(voxet, "litho").dtype == np.uint8  # no no-data is declared
    shorty = np.where(np.array(truth["shorty"]) == -999, np.nan, truth["shorty"])
    np.testing.assert_array_equal(numbers(voxet, "shorty").ravel(), shorty)
    assert numbers(voxet, "shorty").dtype == np.float32
    np.testing.assert_allclose(numbers(voxet, "ibmp").ravel(), truth["ibmp"], rtol=1e-6)
    with pytest.raises(ValueError, match="'rot vox' is rotated or skewed"):
        voxet.as_model()


@pytest.mark.corpus
def test_corpus_depth_voxet_is_where_its_truth_says(corpus_dir):
    folder = corpus_dir / "synthetic/voxet_depth_crlf"
    truth = json.loads((folder / "depth.truth.json").read_text())
    (voxet,) = io.read(folder / "depth.vo")
    np.testing.assert_allclose(samples(voxet), truth["points"], atol=1e-9)
    assert numbers(voxet, "v").ravel().tolist() == truth["v"]


@pytest.mark.corpus
def test_corpus_voxet_with_flipped_axes_has_the_layers_of_its_sgrid_twin(corpus_dir):
    (voxet,) = io.read(corpus_dir / "voxet/flags_regions_flipped_axes/test_voxet_5_5_5.vo")
    assert voxet.notes == (  # and its statistics agree
        "the file of flags 'test_voxet_5_5_5__flags@@' was read as little-endian, no bit beyond its length "
        "is set so.",
    )
    assert voxet.stated["layer"] == (125, 3, 2.01613, 1, 5)
    assert verify(voxet) == {}
    for layer, name in enumerate(("one", "two", "three", "four", "five")):
        assert np.asarray(voxet.regions[name]).sum(axis=(1, 2)).tolist() == [
            25 if w == layer else 0 for w in range(5)
        ]
    model = voxet.as_model()
    # W runs down, so layer 1 of the file is the highest
    assert [np.unique(layer).tolist() for layer in numbers(model, "layer")] == [[5], [4], [3], [2], [1]]
    step = 3273195.25 / 4
    assert model.edges[2][0] == -1731127.25 - step / 2  # the first corner of the SGrid that GoCAD made of it
    assert model.bounds[5] == 12500


@pytest.mark.corpus
def test_corpus_text_data_have_the_statistics_of_their_header(corpus_dir):
    (voxet,) = io.read(corpus_dir / "voxet/ascii_data_file/test.vo")
    values = numbers(voxet, "random")
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
def test_corpus_image_plane_has_a_place_and_no_values(corpus_dir):
    (voxet,) = io.read(corpus_dir / "voxet/rgba_image_plane/RGBA_voxet.vo")
    assert voxet.shape == (1, 29, 48)
    assert voxet.values == {}
    assert (
        "property 'picture' is an image (RGBA), which has no values to read; it was left out." in voxet.notes
    )
    assert voxet.steps[0, 0] == pytest.approx(137114.469 * 0.00970472861 / 47)
    assert voxet.bounds[2:6:3] == (0, 0)
