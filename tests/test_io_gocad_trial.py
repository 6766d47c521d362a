"""GoCAD files of every type as they are described, against numbers worked out by hand from the format."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mpm3d import io
from mpm3d.describe import describe
from mpm3d.errors import FormatError

FOOT, SURVEY_FOOT = 0.3048, 1200 / 3937
FACE = "TFACE\nVRTX 1 0 0 7\nVRTX 2 1 0 8\nVRTX 3 0 1 9\nTRGL 1 2 3\n"
RAMP = np.arange(24.0)
# samples 10, 20 and 40 m apart; cells reach half of that beyond the outer ones
LATTICE = """AXIS_O 1000 2000 -300
AXIS_U 20 0 0
AXIS_V 0 60 0
AXIS_W 0 0 40
AXIS_MIN 0 0 0
AXIS_MAX 1 1 1
AXIS_N 3 4 2
"""
BOUNDS = [995, 1990, -320, 1025, 2070, -240]
FLOATS = (
    "PROPERTY 1 p\nPROP_ESIZE 1 4\nPROP_ETYPE 1 IEEE\nPROP_FORMAT 1 RAW\nPROP_OFFSET 1 0\nPROP_FILE 1 p@@\n"
)
COUNTED = {"p": {"count": 24, "mean": 11.5, "min": 0, "max": 23, "missing": 0}}
# 3 × 3 × 2 points 100, 200 and -50 m apart
POINTS = np.array([[100.0 * i, 200.0 * j, -50.0 * k] for k in range(2) for j in range(3) for i in range(3)])


def big(numbers: Any, kind: str = "f4") -> bytes:
    return np.asarray(numbers).astype(f">{kind}").tobytes()


def crs(units: str = "m m m", z: str = "Elevation", name: str = "Default") -> str:
    return (
        f"GOCAD_ORIGINAL_COORDINATE_SYSTEM\nNAME {name}\nAXIS_NAME X Y Z\nAXIS_UNIT {units}\n"
        f"ZPOSITIVE {z}\nEND_ORIGINAL_COORDINATE_SYSTEM\n"
    )


def of(kind: str, body: str, name: str = "thing") -> str:
    return f"GOCAD {kind} 1\nHEADER {{\nname:{name}\n}}\n{body}END\n"


def told(
    folder: Path, text: str | bytes, registration: str = "center", **files: bytes
) -> list[dict[str, Any]]:
    """What is said of the objects of a file; ``files`` are ``name@@`` beside it."""
    for name, content in files.items():
        (folder / f"{name}@@").write_bytes(content)
    path = folder / "file.txt"  # the suffix says nothing
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return [describe(body, registration) for body in io.read(path)]


def agrees(got: dict[str, Any], expected: dict[str, Any]) -> None:
    for key, value in expected.items():
        if isinstance(value, dict):
            agrees(got[key], value)
        elif isinstance(value, float | list):
            np.testing.assert_allclose(got[key], value, rtol=1e-9, atol=1e-6, err_msg=key)
        else:
            assert got[key] == value, key


def notes(got: dict[str, Any]) -> str:
    return " ".join(got["notes"])


SURFACES = {
    "ids from 0 with gaps, flags behind values, atoms of an earlier part": (
        "TFACE\nVRTX 0 0 0 0\nVRTX 10 10 0 0\nVRTX 20 0 10 5 CNXYZ\nTRGL 0 10 20\n"
        "TFACE\nATOM 30 10\nATOM 31 20\nVRTX 40 10 10 -3\nTRGL 30 40 31\n",
        {"n_vertices": 6, "n_cells": 2, "n_parts": 2, "bounds": [0, 0, -3, 10, 10, 5]},
    ),
    "atoms of atoms, with values of their own and without": (
        "PROPERTIES a\nTFACE\nPVRTX 1 0 0 0 8\nPVRTX 2 1 0 0 1\nPVRTX 3 0 1 0 9\nTRGL 1 2 3\n"
        "TFACE\nPATOM 4 1 20\nATOM 5 4\nATOM 6 2\nVRTX 7 5 5 5\nTRGL 5 6 7\n",
        {"properties": {"a": {"count": 6, "mean": 59 / 6, "min": 1, "max": 20, "missing": 1}}},
    ),
    "a vector, a name with a blank, no data in one of two": (
        'PROPERTIES "Au ppm" normal\nNO_DATA_VALUES -99999 -99999\nESIZES 1 3\nUNITS g/t none\n'
        "TFACE\nPVRTX 1 0 0 0 1.5 0 0 1\nPVRTX 2 1 0 0 -99999 0 1 0 CNXYZ\nPVRTX 3 0 1 0 2.5 1 0 0\n",
        {"properties": {
            "Au ppm": {"count": 2, "mean": 2.0, "missing": 1, "units": "g/t"},
            "normal": {"mean": [1 / 3] * 3},
        }},
    ),
    "values of triangles, some of them missing": (
        "TRGL_PROPERTIES flux\nTRGL_NO_DATA_VALUES -1\nTFACE\nVRTX 1 0 0 0\nVRTX 2 1 0 0\nVRTX 3 0 1 0\n"
        "VRTX 4 1 1 0\nTRGL 1 2 3 7\nTRGL 2 4 3 -1\nTRGL 1 2 4\n",
        {"n_cells": 3, "properties": {"flux": {"count": 1, "mean": 7.0, "missing": 2}}},
    ),
    "depths in feet": (
        crs("ft ft ft", "Depth") + FACE,
        {"bounds": [0, 0, -9 * FOOT, FOOT, FOOT, -7 * FOOT], "z_positive": "Depth"},
    ),
    "survey feet and metres": (
        crs('"U.S. ft" ftUS m') + FACE, {"bounds": [0, 0, 7, SURVEY_FOOT, SURVEY_FOOT, 9]},
    ),
    "not a number as compilers of Microsoft print it": (
        "PROPERTIES a\nTFACE\nPVRTX 1 0 0 0 1.#QNAN\nPVRTX 2 1 0 0 -1.#IND00\nPVRTX 3 0 1 0 9\n",
        {"properties": {"a": {"count": 1, "missing": 2, "min": 9, "max": 9}}},
    ),
}  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), SURFACES.values(), ids=SURFACES.keys())
def test_surfaces_are_what_their_lines_say(tmp_path, body, expected):
    (got,) = told(tmp_path, of("TSurf", body))
    agrees(got, {"type": "TSurf", "name": "thing", "shape": None, **expected})


def test_a_sense_of_z_that_is_none_is_said(tmp_path):
    (got,) = told(tmp_path, of("TSurf", crs(z="Sideways") + FACE))
    assert got["bounds"][5] == 9
    assert "ZPOSITIVE 'Sideways' is neither Elevation nor Depth; z was taken as elevation." in got["notes"]


@pytest.mark.parametrize(
    ("head", "lines", "sizes"),
    [
        ("REGION east 0\nREGION north 1", ("ARI 2 1", "ARI 3 3"), {"east": 2, "north": 1}),
        ("REGION deep 3", ("ARI 1 8", "ARI 2 0", "ARI 3 8"), {"deep": 2}),
    ],
)
def test_one_number_for_several_regions_holds_their_bits(tmp_path, head, lines, sizes):
    (got,) = told(tmp_path, of("TSurf", "\n".join([head, FACE + lines[0], *lines[1:], ""])))
    for name, size in sizes.items():
        assert f"The region {name!r} holds {size} of 3 vertices." in got["notes"]
    assert "were read as the bits of one number, by their own numbers" in notes(got)


@pytest.mark.parametrize("number", ["5", "0.5", "-1"])
def test_numbers_with_bits_of_no_region_are_left_out(tmp_path, number):
    (got,) = told(tmp_path, of("TSurf", f"REGION a 0\nREGION b 1\n{FACE}ARI 1 {number}\n"))
    assert "the regions 'a', 'b' have flags other than 0 and 1 and were left out." in got["notes"]


def test_points_and_lines_at_no_data_are_noted_as_those_of_surfaces_are(tmp_path):
    body = "VRTX 1 0 0 -99999\nVRTX 2 1 1 3\nVRTX 3 2 1 4\n"
    for kind, opener in (("VSet", "SUBVSET\n"), ("PLine", "ILINE\n")):
        (got,) = told(tmp_path, of(kind, opener + body))
        assert (
            "1 vertices lie at elevations that look like no data; without them z goes from 3 to 4 m."
            in (got["notes"])
        )
    (got,) = told(tmp_path, of("VSet", "VRTX 1 0 0 -99999\n"))
    assert "All 1 vertices lie at elevations that look like no data." in got["notes"]


def test_groups_in_groups_hand_down_their_coordinate_block_and_no_further(tmp_path):
    inner = of("PLine", "ILINE\nVRTX 1 0 0 10\nVRTX 2 10 0 20\n", "line")
    points = of("VSet", "VRTX 1 100 0 10\n", "points")
    group = of("HomogeneousGroup", f"TYPE PLine\nBEGIN_MEMBERS\n{inner}END_MEMBERS\n", "in")
    members = f"{crs('ft ft ft', 'Depth')}BEGIN_MEMBERS\n{group}{points}END_MEMBERS\n"
    line, spots, after = told(tmp_path, of("HeterogeneousGroup", members, "out") + points)
    agrees(line, {"bounds": [0, 0, -20 * FOOT, 10 * FOOT, 0, -10 * FOOT], "name": "line"})
    agrees(spots, {"bounds": [100 * FOOT, 0, -10 * FOOT, 100 * FOOT, 0, -10 * FOOT], "z_positive": "Depth"})
    agrees(after, {"bounds": [100, 0, 10, 100, 0, 10], "z_positive": "Elevation", "crs_name": ""})


def test_every_way_of_writing_text_gives_the_same(tmp_path):
    text = of("TSurf", crs() + FACE, "Störung")
    (plain,) = told(tmp_path, text)
    for other in (
        text.encode("latin-1"), b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode(),
        text.replace("\n", "\r").encode(), gzip.compress(text.encode()), b"# note\n\n" + text.encode(),
        text.removesuffix("END\n").encode(),
    ):  # fmt: skip
        (got,) = told(tmp_path, other)
        agrees(got, {key: plain[key] for key in ("name", "bounds", "n_vertices", "n_cells")})


LATTICES = {
    "as GoCAD writes it": (LATTICE, {"bounds": BOUNDS, "first_centre": [1000, 2000, -300]}),
    "a part of the axes": (
        LATTICE.replace("MIN 0 0 0", "MIN 0.2 0 0.5").replace("MAX 1 1 1", "MAX 0.4 0.5 1"),
        {"first_centre": [1004, 2000, -280], "bounds": [1003, 1995, -290, 1009, 2035, -250]},
    ),
    "unit vectors and world coordinates": (
        "AXIS_O 0 0 0\nAXIS_U 1 0 0\nAXIS_V 0 1 0\nAXIS_W 0 0 1\nAXIS_MIN 1000 2000 -300\n"
        "AXIS_MAX 1020 2060 -260\nAXIS_N 3 4 2\nAXIS_D 10 20 40\n",
        {"bounds": BOUNDS, "first_centre": [1000, 2000, -300]},
    ),
    "unit vectors and steps alone": (
        "AXIS_O 1000 2000 -300\nAXIS_U 1 0 0\nAXIS_V 0 1 0\nAXIS_W 0 0 1\nAXIS_N 3 4 2\nAXIS_D 10 20 40\n",
        {"bounds": BOUNDS, "first_centre": [1000, 2000, -300]},
    ),
    "from the top down and from east to west": (
        LATTICE.replace("O 1000 2000 -300", "O 1020 2000 -260")
        .replace("U 20", "U -20")
        .replace("40\n", "-40\n"),
        {"bounds": BOUNDS, "first_centre": [1020, 2000, -260]},
    ),
    "depths": (
        crs(z="Depth") + LATTICE.replace("-300", "260"),
        {"bounds": [*BOUNDS[:2], -320, *BOUNDS[3:5], -240], "first_centre": [1000, 2000, -260]},
    ),
}


@pytest.mark.parametrize(("axes", "expected"), LATTICES.values(), ids=LATTICES.keys())
def test_voxets_lie_where_their_axes_say(tmp_path, axes, expected):
    (got,) = told(tmp_path, of("Voxet", axes + FLOATS), p=big(RAMP))
    agrees(got, {"type": "Voxet", "shape": [2, 4, 3], "properties": COUNTED, **expected})


def test_axes_that_end_at_corners_are_suspected_by_their_steps(tmp_path):
    axes = LATTICE.replace("U 20", "U 30").replace("0 60 0", "0 80 0").replace("0 0 40", "0 0 80")
    hint = "AXIS_D is the length of the axes divided by their samples"
    for spacing in ("AXIS_D 10 20 40\n", f"AXIS_D {1 / 3!r} 0.25 0.5\n"):  # in metres, in shares
        (got,) = told(tmp_path, of("Voxet", axes + spacing + FLOATS), p=big(RAMP))
        assert hint in notes(got)
        (got,) = told(tmp_path, of("Voxet", axes + spacing + FLOATS), "corner", p=big(RAMP))
        agrees(got, {"bounds": [1000, 2000, -300, 1030, 2080, -220], "first_centre": [1005, 2010, -280]})
    (got,) = told(tmp_path, of("Voxet", LATTICE + "AXIS_D 10 20 40\n" + FLOATS), p=big(RAMP))
    assert hint not in notes(got)


@pytest.mark.parametrize(
    ("kind", "word"), [("u1", "Octet"), ("u1", "BYTE"), ("i2", "Short"), ("i4", "Integer")]
)
def test_the_type_of_storage_may_stand_as_that_of_elements(tmp_path, kind, word):
    signed = int(kind[0] == "i")
    head = FLOATS.replace("ESIZE 1 4", f"ESIZE 1 {kind[1]}\nPROP_SIGNED 1 {signed}").replace("IEEE", word)
    (got,) = told(tmp_path, of("Voxet", LATTICE + head), p=big(RAMP - 5 * signed, kind))
    agrees(got["properties"]["p"], {"min": -5.0 * signed, "max": 23.0 - 5 * signed, "count": 24})


@pytest.mark.parametrize("variance", [50.0, 575 / 12])  # of 0 ... 23 as a sample, and of all values
def test_either_variance_agrees_with_a_header(tmp_path, variance):
    stats = f"PROP_SAMPLE_STATS 1 24 11.5 {variance} 0 23\n"
    (got,) = told(tmp_path, of("Voxet", LATTICE + stats + FLOATS), p=big(RAMP))
    assert (
        "'p' has the count, mean, variance, least and largest value that its header states." in got["notes"]
    )


def test_wrong_statistics_are_said_once_and_swapped_bytes_suggested(tmp_path):
    head = of("Voxet", LATTICE + "PROP_SAMPLE_STATS 1 24 11.5 50 0 23\n" + FLOATS)
    (got,) = told(tmp_path, head, p=RAMP.astype("<f4").tobytes())
    assert notes(got).count("does not have the statistics of its header") == 1
    assert "property 'p' agrees if the bytes are swapped: read with byte_order='little'." in got["notes"]


@pytest.mark.parametrize("order", "<>")
def test_flags_are_read_in_the_order_in_which_bits_of_regions_are_set(tmp_path, order):
    # bit 17 is bit 9 if the bytes are swapped: both are within the length of 20
    flags = np.where(RAMP > 20, 1 << 17, 0).astype(f"{order}u4").tobytes()
    head = 'FLAGS_BIT_LENGTH 20\nFLAGS_ESIZE 4\nFLAGS_FILE f@@\nREGION "a b" 17\n'
    (got,) = told(tmp_path, of("Voxet", LATTICE + head + FLOATS), p=big(RAMP), f=flags)
    assert "The region 'a b' holds 3 of 24 samples." in got["notes"]


def test_an_image_is_left_out_and_the_other_values_are_kept(tmp_path):
    image = FLOATS.replace(" 1 ", " 2 ").replace("2 p\n", "2 map\nPROP_STORAGE_TYPE 2 RGBA\n")
    (got,) = told(tmp_path, of("Voxet", LATTICE + image + FLOATS), p=big(RAMP))
    agrees(got, {"properties": COUNTED, "bounds": BOUNDS})
    assert "property 'map' is an image (RGBA), which has no values to read; it was left out." in got["notes"]
    grid = "AXIS_N 3 3 2\nPROP_ALIGNMENT POINTS\nPOINTS_FILE x@@\n"
    (got,) = told(tmp_path, of("SGrid", grid + image), x=big(POINTS))
    assert got["properties"] == {}
    assert "property 'map' is an image (RGBA)" in notes(got)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("own", [True, False], ids=["of cells", "of points"])
def test_flags_of_grids_are_those_of_cells_if_they_are_as_many(tmp_path, order, own):
    cells = np.array([[[1, 0], [3, 2]]])
    flags = cells if own else np.pad(cells, ((0, 1),) * 3)
    head = (
        f"AXIS_N 3 3 2\nPROP_ALIGNMENT CELLS\nPOINTS_FILE x@@\nREGION_FLAGS_ARRAY_LENGTH {flags.size}\n"
        "REGION_FLAGS_BIT_LENGTH 2\nREGION_FLAGS_ESIZE 2\nREGION_FLAGS_FILE f@@\nREGION top 0\nREGION far 1\n"
    )
    (got,) = told(tmp_path, of("SGrid", head), x=big(POINTS), f=flags.astype(f"{order}u2").tobytes())
    agrees(got, {"shape": [1, 2, 2], "bounds": [0, 0, -50, 200, 400, 0], "first_centre": [50, 100, -25]})
    for name in ("top", "far"):
        assert f"The region {name!r} holds 2 of 4 cells or points." in got["notes"]


def test_a_single_unit_of_a_log_is_that_of_its_values(tmp_path):
    path = "WREF 0 0 100\nPATH 0 100 0 0\nPATH 100 0 0 0\n"
    log = "WELL_CURVE\nPROPERTY Au\nUNITS {}\nREC 10 1.5\nEND_CURVE\n"
    for words, unit in (("g/t", "g/t"), ("m g/t", "g/t"), ("ft U.S. ppm", "U.S. ppm")):
        (got,) = told(tmp_path, of("Well", path + log.format(words)))
        assert got["properties"]["Au"]["units"] == unit


BROKEN = {
    "a coordinate that is no number": (
        of("TSurf", FACE.replace("0 1 9", "0 1.#QNAN 9")), r"file\.txt, line 8: vertex 3 is at"
    ),
    "a path of a Windows disk": (
        of("Voxet", LATTICE + FLOATS.replace("p@@", "C:\\data\\p@@")), "line 17: .* is outside the folder"
    ),
    "a file that is too short, with the line that names it": (
        of("Voxet", LATTICE + FLOATS.replace("OFFSET 1 0", "OFFSET 1 1")),
        r"p@@: the file has 96 bytes, 97 are needed for property 'p' \(line 17 of file\.txt\): 1 to skip",
    ),
    "a name in other letters": (
        of("Voxet", LATTICE + FLOATS.replace("p@@", "P@@")), "There is 'p@@': rename it as the header does",
    ),
    "more samples than there can be": (
        of("Voxet", LATTICE.replace("3 4 2", "10000 10000 10000") + FLOATS), "4000000000000 are needed",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files_are_refused_with_their_place(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        told(tmp_path, text, p=big(RAMP))
