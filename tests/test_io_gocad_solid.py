"""GoCAD volumes of tetrahedra, read and written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.geometry import Tetrahedra
from mpm3d.io import gocad

# the corner of a cube of 2, 3 and 5 m: a volume of 2 * 3 * 5 / 6 m3
CORNER = ("VRTX 1 0 0 0", "VRTX 2 2 0 0", "VRTX 3 0 3 0", "VRTX 4 0 0 5")


def write(folder: Path, text: str | bytes, name: str = "file.so") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def tsolid(*body: str, kind: str = "TSolid", head: str = "") -> str:
    return "\n".join([f"GOCAD {kind} 1", "HEADER {", "name:s", "}", *head.splitlines(), *body, "END", ""])


def read_one(folder: Path, text: str | bytes, **options: str) -> Tetrahedra:
    (solid,) = gocad.read_objects(write(folder, text), **options)
    assert isinstance(solid, Tetrahedra)
    return solid


def test_a_volume_has_its_corners_parts_and_size(tmp_path):
    text = tsolid(
        "TVOLUME", *CORNER, "TETRA 1 2 3 4",
        "TVOLUME", "VRTX 9 2 3 5", "ATOM 10 2", "ATOM 11 3", "SHAREDVRTX 12 4", "TETRA 10 11 12 9",
    )  # fmt: skip
    solid = read_one(tmp_path, text)
    assert solid.kind == "TSolid"
    assert solid.tetrahedra.tolist() == [[0, 1, 2, 3], [5, 6, 7, 4]]
    assert solid.part.tolist() == [0, 1]
    # the rest of the cube is four corners of 5 m3 and the middle of 10 m3
    assert solid.volumes == pytest.approx([5, 10], rel=1e-12)
    assert solid.notes == ()


def test_corners_in_the_opposite_order_are_turned_and_noted(tmp_path):
    solid = read_one(tmp_path, tsolid(*CORNER, "TETRA 1 3 2 4", "TETRA 1 2 3 4"))
    assert solid.volumes == pytest.approx([5, 5], rel=1e-12)
    assert solid.notes == (
        "1 of 2 tetrahedra had their corners in the opposite order and were turned, so that all volumes are "
        "positive.",
    )


def test_volumes_far_from_the_origin_and_huge_ones_keep_their_sense(tmp_path):
    for place, size in ((7e6, 1.0), (0.0, 1e299), (1e299, 1e298)):
        corners = [
            f"VRTX {k + 1} {place + size * (k == 1)!r} {place + size * (k == 2)!r} {size * (k == 3)!r}"
            for k in range(4)
        ]
        assert read_one(tmp_path, tsolid(*corners, "TETRA 1 2 3 4")).notes == ()
        assert len(read_one(tmp_path, tsolid(*corners, "TETRA 1 3 2 4")).notes) == 1


def test_flat_tetrahedra_are_kept_and_noted(tmp_path):
    solid = read_one(tmp_path, tsolid(*CORNER, "TETRA 1 2 3 3"))
    assert solid.notes == ("1 tetrahedra have no volume and were kept.",)


DEPTH = """GOCAD_ORIGINAL_COORDINATE_SYSTEM
NAME local
AXIS_UNIT ft ft ft
ZPOSITIVE Depth
END_ORIGINAL_COORDINATE_SYSTEM"""


def test_depths_in_feet_become_elevations_in_metres_and_volumes_stay_positive(tmp_path):
    solid = read_one(tmp_path, tsolid(*CORNER, "TETRA 1 2 3 4", head=DEPTH))
    assert solid.vertices[3] == pytest.approx([0, 0, -5 * 0.3048], rel=1e-12)
    assert solid.volumes == pytest.approx([5 * 0.3048**3], rel=1e-12)
    assert solid.z_positive == "Depth"
    assert solid.notes == (
        "axis x is in 'ft' and was converted to metres (0.3048).",
        "axis y is in 'ft' and was converted to metres (0.3048).",
        "axis z is in 'ft' and was converted to metres (0.3048).",
        "z is depth in the file and was negated to elevation.",
    )


TABLES = """PROPERTIES k
NO_DATA_VALUES -99999
TETRA_PROPERTIES zone "flow direction"
TETRA_PROP_LEGAL_RANGES **none** **none** **none** **none**
TETRA_NO_DATA_VALUES -999.25 -999.25
TETRA_ESIZES 1 3
TETRA_UNITS unitless m
TETRA_PROPERTY_CLASS_HEADER zone{
low_clip:1
}"""


def test_vertices_and_tetrahedra_have_properties(tmp_path):
    corners = [line.replace("VRTX", "PVRTX") + f" {k}" for k, line in enumerate(CORNER)]
    text = tsolid(
        *corners, "SHAREDPVRTX 5 1 7", "TETRA 1 2 3 4  6 1 2 3", "TETRA 5 2 3 4 -999.25 1", head=TABLES
    )
    solid = read_one(tmp_path, text)
    assert solid.properties["k"].tolist() == [0, 1, 2, 3, 7]
    np.testing.assert_array_equal(solid.cell_properties["zone"], [6, np.nan])
    np.testing.assert_array_equal(solid.cell_properties["flow direction"], [[1, 2, 3], [1, np.nan, np.nan]])
    assert solid.units == {"zone": "unitless", "flow direction": "m"}
    assert solid.notes == (
        "1 tetrahedra have fewer values than the 4 of TETRA_PROPERTIES, the last are missing.",
    )


MODEL = (
    "MODEL", "SURFACE top", "TFACE 1", "KEYVERTICES 1 2 3", "TRGL 1 2 3", "TFACE 2", "TRGL 1 2 99",
    "SURFACE base", "TFACE 3", "TRGL 2 3 4", "MODEL_REGION rock -1 +2",
)  # fmt: skip


def test_the_model_around_the_volumes_is_left_out_and_noted(tmp_path):
    solid = read_one(tmp_path, tsolid(*CORNER, "TETRA 1 2 3 4", *MODEL))
    assert len(solid.tetrahedra) == 1
    assert solid.notes == (
        "the model that bounds the volumes was not read: 2 surfaces of 3 faces, 1 regions.",
    )


def test_names_of_volumes_are_noted(tmp_path):
    text = tsolid("TVOLUME ore body", *CORNER, "TETRA 1 2 3 4", "TVOLUME host", "TETRA 1 2 4 3")
    note = read_one(tmp_path, text).notes[0]
    assert note == "the parts are named in the file: 0 is 'ore body', 1 is 'host'."
    many = [line for k in range(25) for line in (f"TVOLUME v{k}", "TETRA 1 2 3 4")]
    assert read_one(tmp_path, tsolid(*CORNER, *many)).notes[0].endswith("19 is 'v19' and 5 more.")


def test_a_light_solid_has_the_regions_of_its_remarks_as_parts(tmp_path):
    text = tsolid(
        "REGION eroded 0", *CORNER, "SHAREDVRTX 5 1", "BEGIN_VERTEX_REGION_INDICATORS", "VRI 2 1", "VRI 1 0",
        "END_VERTEX_REGION_INDICATORS",
        "TETRA 1 2 3 4", "# CTETRA south none none +fault none", "TETRA 5 2 3 4", '# CTETRA "far north" none',
        "TETRA 1 2 3 4", "# CTETRA south none none none none", *MODEL, kind="LightTSolid",
    )  # fmt: skip
    solid = read_one(tmp_path, text)
    assert solid.kind == "LightTSolid"
    assert solid.part.tolist() == [0, 1, 0]
    assert solid.regions["eroded"].tolist() == [False, True, False, False, False]
    assert solid.notes[0] == "the parts are named in the file: 0 is 'south', 1 is 'far north'."


def test_remarks_that_do_not_fit_the_tetrahedra_are_only_remarks(tmp_path):
    for remark in ("# CTETRA", "# CTETRA ", "# nothing"):
        text = tsolid(*CORNER, "TETRA 1 2 3 4", "TETRA 1 2 3 4", remark, kind="LightTSolid")
        solid = read_one(tmp_path, text)
        assert solid.part.tolist() == [0, 0]
        assert solid.notes == ()


def test_regions_of_tetrahedra_are_noted(tmp_path):
    body = (*CORNER, "TETRA 1 2 3 4", "BEGIN_TETRA_REGION_INDICATORS", "TRI 1", "END_TETRA_REGION_INDICATORS")
    solid = read_one(tmp_path, tsolid(*body, head="TETRA_REGION seal 0"))
    assert solid.notes == ("the regions of the tetrahedra were not read: 'seal'.",)


def test_a_corner_that_does_not_exist_is_an_error_or_left_out(tmp_path):
    text = tsolid(*CORNER, "TETRA 1 2 3 4 7", "TETRA 1 2 3 8 9", head="TETRA_PROPERTIES zone")
    with pytest.raises(FormatError, match="line 11: TETRA refers to the vertex 8, which does not exist"):
        read_one(tmp_path, text)
    solid = read_one(tmp_path, text, errors="skip")
    assert solid.cell_properties["zone"].tolist() == [7]
    assert solid.notes == ("1 tetrahedra with unknown vertices were left out.",)


def test_a_truncated_tetrahedron_is_an_error(tmp_path):
    with pytest.raises(FormatError, match=r"line 9: TETRA has 3 values \('TETRA 1 2 3'\), it needs 4"):
        read_one(tmp_path, tsolid(*CORNER, "TETRA 1 2 3"))


def test_a_solid_without_tetrahedra_is_empty(tmp_path):
    solid = read_one(tmp_path, tsolid(kind="LightTSolid"))
    assert solid.tetrahedra.shape == (0, 4)
    assert read_one(tmp_path, tsolid(*CORNER)).part.shape == (0,)


def test_a_solid_in_a_group_takes_the_coordinate_block_of_the_group(tmp_path):
    text = (
        "GOCAD HeterogeneousGroup 1\nHEADER {\nname:all\n}\n"
        f"{DEPTH}\nBEGIN_MEMBERS\n{tsolid(*CORNER, 'TETRA 1 2 3 4')}END_MEMBERS\nEND\n"
    )
    solid = read_one(tmp_path, text)
    assert solid.vertices[3, 2] == -5 * 0.3048
    assert solid.notes[0] == "the coordinate block is that of the group 'all'."


@pytest.mark.parametrize("sense", ["Elevation", "Depth"])
def test_written_volumes_come_back_bit_for_bit(tmp_path, sense):
    vertices = np.array(
        [
            [1 / 3, 7e6, -5],
            [2, 7e6, -5],
            [0, 7e6 + 3, -5],
            [0, 7e6, 0.1],
            [9, 0, 0],
            [10, 0, 0],
            [9, 1, 0],
            [9, 0, 1],
        ]
    )
    solid = Tetrahedra(
        "ore body", vertices, np.array([[0, 1, 2, 3], [3, 0, 2, 1], [4, 5, 6, 7]]), np.array([0, 0, 1]),
        properties={"k": np.array([1.5, np.nan, 3, 4, 5, 6, 7, 8]), "v": np.arange(24.0).reshape(8, 3)},
        cell_properties={"zone of": np.array([1, np.nan, 3]), "w": np.arange(6.0).reshape(3, 2)},
        regions={"wet part": np.arange(8) % 3 == 0}, units={"zone of": "g / t"}, crs_name="UTM 51N",
        z_positive=sense,
    )  # fmt: skip
    assert (solid.volumes > 0).all()
    gocad.write_tetrahedra(tmp_path / "s.so", [solid, solid])
    again, twin = io.read(tmp_path / "s.so")
    assert again.name == twin.name == "ore body"
    assert np.array_equal(again.vertices, vertices)
    assert np.array_equal(again.tetrahedra, solid.tetrahedra)
    assert again.part.tolist() == [0, 0, 1]
    for name in ("properties", "cell_properties", "regions"):
        assert list(getattr(again, name)) == list(getattr(solid, name))
        for key, values in getattr(solid, name).items():
            np.testing.assert_array_equal(getattr(again, name)[key], values)
    assert again.units == solid.units
    assert (again.crs_name, again.z_positive, again.kind) == ("UTM 51N", sense, "TSolid")
    assert not any("turned" in note for note in again.notes)


def test_connected_tetrahedra_are_written_as_a_volume_each(tmp_path):
    vertices = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1]], dtype=float)
    apart = np.concatenate([vertices, vertices + 5])
    corners = np.array([[5, 6, 7, 8], [0, 1, 2, 3], [1, 2, 3, 4]])
    gocad.write_tetrahedra(tmp_path / "s.so", [Tetrahedra("s", apart, corners)])
    (again,) = io.read(tmp_path / "s.so")
    assert again.part.tolist() == [0, 1, 1]
    assert (tmp_path / "s.so").read_text().count("TVOLUME") == 2


LIGHT = tsolid(
    "REGION eroded 0", *CORNER, "SHAREDVRTX 5 1", "VRI 2 1", "TETRA 1 2 3 4 5 6 7 8", "# CTETRA south none",
    "TETRA 5 2 3 4 1", "# CTETRA north none", *MODEL, kind="LightTSolid", head=TABLES,
)  # fmt: skip


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_format_error_and_nothing_else(tmp_path, data):
    content = bytearray(LIGHT.encode())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    tokens = st.sampled_from(
        [b" ", b"\n", b"END\n", b"# CTETRA\n", b"1e999", b"-", b"nan", b"9" * 30, b"\xff"]
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
            assert np.isfinite(body.vertices).all()
            assert (body.volumes >= 0).all()


@pytest.mark.corpus
def test_corpus_solid_of_another_program_has_its_volumes(corpus_dir):
    (solid,) = gocad.read_objects(corpus_dir / "tsolid/jewelsuite_depth/input_small_js.so")
    # counted with grep; the values of the first line TETRA
    assert (len(solid.vertices), len(solid.tetrahedra)) == (11, 6)
    assert solid.cell_properties["ElementId"].tolist() == [2794, 2795, 2796, 2797, 2798, 2799]
    assert solid.properties["NodeId"].tolist() == list(range(1, 12))
    assert sorted(solid.tetrahedra[0]) == [1, 6, 7, 8]
    assert (solid.volumes > 0).all()
    assert solid.vertices[0].tolist() == [3.9999999999999982, 0, -2.9660999774932866]


@pytest.mark.corpus
def test_corpus_light_solid_fills_its_cube(corpus_dir, tmp_path):
    (solid,) = gocad.read_objects(corpus_dir / "tsolid/lighttsolid_lso/vri.lso")
    # 103 PVRTX, 20 SHAREDPVRTX and 292 TETRA, counted with grep; the model is a cube of 1 m
    assert (solid.kind, len(solid.vertices), len(solid.tetrahedra)) == ("LightTSolid", 123, 292)
    assert (solid.volumes > 0).all()
    assert solid.volumes.sum() == pytest.approx(1.0, rel=1e-12)
    # grep -c "CTETRA Region_2"
    assert np.bincount(solid.part).tolist() == [109, 183]
    assert len(solid.properties) == 9
    assert solid.properties["SnS!ingridStructuralWorkflow/skua_model_Geology"].shape == (123, 2)
    assert np.array_equal(solid.vertices[103], solid.vertices[12])  # SHAREDPVRTX 104 13
    assert [int(inside.sum()) for inside in solid.regions.values()] == [0, 123]
    # regions that share vertices get their own on writing; after that nothing changes any more
    gocad.write_tetrahedra(tmp_path / "once.so", [solid])
    (once,) = io.read(tmp_path / "once.so")
    gocad.write_tetrahedra(tmp_path / "twice.so", [once])
    assert (tmp_path / "once.so").read_bytes() != (tmp_path / "twice.so").read_bytes()  # ATOM became PVRTX
    (twice,) = io.read(tmp_path / "twice.so")
    assert np.array_equal(once.vertices[once.tetrahedra], twice.vertices[twice.tetrahedra])
    assert once.volumes.sum() == pytest.approx(1.0, rel=1e-12)
