"""Leapfrog meshes, read and written."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from mpm3d.errors import FormatError
from mpm3d.geometry import Surface
from mpm3d.io import leapfrog
from mpm3d.io.options import Options

# the 12 bytes after [binary] in every file that Leapfrog is known to have written
MAGIC = bytes.fromhex("ff0ff0001bde8342cac0f33f")
VERTICES = np.array(
    [[500000.125, 8000000.25, -100], [500010, 8000000, -100], [500000, 8000020, -95], [1, 2, 3]]
)
TRIANGLES = np.array([[0, 1, 2], [2, 1, 3]])


def mesh(
    folder: Path,
    index: str | None = None,
    data: bytes | None = None,
    *,
    magic: bytes = MAGIC,
    head: str = "%ARANZ-1.0",
) -> Path:
    path = folder / "fault.msh"
    index = "Location Double 3 4;\nTri Integer 3 2;" if index is None else index
    data = VERTICES.astype("<f8").tobytes() + TRIANGLES.astype("<i4").tobytes() if data is None else data
    path.write_bytes(f"{head}\n\n[index]\n{index}\n\n[binary]".encode("latin-1") + magic + data)
    return path


def test_a_mesh_is_read_exactly(tmp_path):
    surface = leapfrog.read_mesh(mesh(tmp_path))
    assert (surface.name, surface.kind, surface.crs_name, surface.notes) == ("fault", "Leapfrog mesh", "", ())
    np.testing.assert_array_equal(surface.vertices, VERTICES)
    np.testing.assert_array_equal(surface.triangles, TRIANGLES)
    assert surface.z_positive == "Elevation"
    assert surface.triangles.dtype == np.int64


def test_the_magic_bytes_tell_the_byte_order(tmp_path):
    assert struct.pack("<id", 0x00F00FFF, 1.23456789) == MAGIC
    data = VERTICES.astype(">f8").tobytes() + TRIANGLES.astype(">i4").tobytes()
    surface = leapfrog.read_mesh(mesh(tmp_path, data=data, magic=struct.pack(">id", 0x00F00FFF, 1.23456789)))
    np.testing.assert_array_equal(surface.vertices, VERTICES)
    np.testing.assert_array_equal(surface.triangles, TRIANGLES)


@pytest.mark.parametrize("gap", [b"", b"\n", b"\r\n"])
@pytest.mark.parametrize("head", ["%ARANZ-1.0", "%%ARANZ-1.0", "%ARANZ-1.0 ", "%ARANZ-1.0\r"])
def test_the_ways_writers_end_the_header_make_no_difference(tmp_path, gap, head):
    path = mesh(tmp_path, magic=gap + MAGIC, head=head)
    assert leapfrog.matches(path, path.read_bytes())
    np.testing.assert_array_equal(leapfrog.read_mesh(path).vertices, VERTICES)


def test_arrays_come_in_the_order_of_the_index(tmp_path):
    data = TRIANGLES.astype("<i4").tobytes() + VERTICES.astype("<f4").tobytes()
    surface = leapfrog.read_mesh(mesh(tmp_path, "Tri  Integer 3 2;\nLocation\tFloat 3 4 ;", data))
    np.testing.assert_array_equal(surface.vertices, VERTICES.astype("<f4"))
    np.testing.assert_array_equal(surface.triangles, TRIANGLES)


def test_further_arrays_are_values_of_vertices_or_triangles(tmp_path):
    index = (
        "Grade Double 1 4;\nLocation Double 3 4;\nColour Byte 3 2;\nTri Integer 3 2;\nLabel Short 1 2;\n"
        "Pose Float 2 3;"
    )
    data = b"".join([
        np.array([0.5, 1.5, np.nan, 2.5]).tobytes(), VERTICES.tobytes(), bytes([1, 2, 3, 4, 5, 255]),
        TRIANGLES.astype("<i4").tobytes(), np.array([7, -8], "<i2").tobytes(), bytes(24),
    ])  # fmt: skip
    surface = leapfrog.read_mesh(mesh(tmp_path, index, data))
    np.testing.assert_array_equal(surface.vertices, VERTICES)
    np.testing.assert_array_equal(surface.properties["Grade"], [0.5, 1.5, np.nan, 2.5])
    assert surface.cell_properties["Colour"].tolist() == [[1, 2, 3], [4, 5, 255]]
    assert surface.cell_properties["Label"].tolist() == [7, -8]
    assert surface.notes == (
        "the array 'Pose' has 3 rows, neither vertices nor triangles, and was left out.",
    )


def test_an_array_of_an_unknown_type_is_skipped_by_what_is_left(tmp_path):
    index = "Location Double 3 4;\nExtra Quad 1 5;\nTri Integer 3 2;"
    data = VERTICES.tobytes() + bytes(80) + TRIANGLES.astype("<i4").tobytes()
    surface = leapfrog.read_mesh(mesh(tmp_path, index, data))
    np.testing.assert_array_equal(surface.triangles, TRIANGLES)
    assert surface.notes == ("the array 'Extra' is of the unknown type 'Quad' and was left out.",)
    two = f"{index}\nMore Half 1 5;"
    with pytest.raises(
        FormatError, match=r"fault.msh, line 7: 'More' is of the type 'Half', known are Double"
    ):
        leapfrog.read_mesh(mesh(tmp_path, two, data))


def test_bytes_that_no_array_has_are_said(tmp_path):
    data = VERTICES.tobytes() + TRIANGLES.astype("<i4").tobytes() + b"abc"
    assert leapfrog.read_mesh(mesh(tmp_path, data=data)).notes == (
        "3 bytes after the arrays of the index were left out.",
    )


def test_a_mesh_without_triangles_is_empty(tmp_path):
    surface = leapfrog.read_mesh(mesh(tmp_path, "Location Double 3 0;\nTri Integer 3 0;", b""))
    assert surface.vertices.shape == (0, 3)
    assert surface.triangles.shape == (0, 3)


def test_gzipped_meshes_are_read(tmp_path):
    path = tmp_path / "fault.msh.gz"
    path.write_bytes(gzip.compress(mesh(tmp_path).read_bytes()))
    assert leapfrog.read_mesh(path).name == "fault"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"head": "%GEO-1.0"}, "line 1: the file does not begin with %ARANZ-1.0, so it is no Leapfrog mesh"),
        ({"magic": b"\n" * 12}, "the bytes after .binary. are 0a 0a .*ff 0f f0 00 .*expected.*binary mode"),
        ({"magic": b"", "data": b""}, "the bytes after .binary. are missing"),
        ({"index": "Location Double 3 4;"}, "the array 'Tri' is missing; a mesh needs .*are: Location"),
        ({"index": ""}, "the array 'Location' is missing.*There are: none"),
        ({"index": "Location Integer 3 4;\nTri Integer 3 2;"}, "'Location' has 3 components of int32.*float"),
        ({"index": "Location Double 3 3;\nTri Double 3 2;"}, "the array 'Tri' has 3 components of float64"),
        ({"index": "Location Double 2 4;\nTri Integer 3 2;"}, "'Location' has 2 components of float64"),
        ({"index": "Location Double 3"}, "line 4: 'Location Double 3' is no array of the index, such as"),
        ({"index": "Location Double 0 4;"}, "line 4: 'Location Double 0 4;' is no array"),
        ({"index": "Location Double 3 -4;"}, "is no array of the index"),
        ({"index": "Tri Integer 3 1;\nTri Integer 3 1;"}, "line 4: the array 'Tri' is .* more than once"),
        ({"index": "Location Double 3 1000000000000;"}, "need 24,000,000,000,000 bytes, 120 follow"),
        ({"data": VERTICES.tobytes()}, "need 120 bytes, 96 follow the header. The file is truncated"),
        ({"index": "A Odd 1 4;\nLocation Double 3 4;\nTri Integer 3 9;"}, "line 4: 'A' is of the type 'Odd'"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused_with_the_reason(tmp_path, more, message):
    with pytest.raises(FormatError, match=message):
        leapfrog.read_mesh(mesh(tmp_path, **more))


def test_headers_that_end_too_early_are_refused(tmp_path):
    path = tmp_path / "fault.msh"
    path.write_bytes(b"%ARANZ-1.0\n\n[index]\nTri Integer 3 2;\n")
    with pytest.raises(FormatError, match=r"there is no \[binary\] after the index"):
        leapfrog.read_mesh(path)
    path.write_bytes(b"%ARANZ-1.0\n\n[binary]" + MAGIC)
    with pytest.raises(FormatError, match=r"there is no \[index\] of arrays before \[binary\]"):
        leapfrog.read_mesh(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        leapfrog.read_mesh(tmp_path / "gone.msh")
    with pytest.raises(ValueError, match="errors='lax' is not known, use 'strict' or 'skip'"):
        leapfrog.read_mesh(mesh(tmp_path), errors="lax")


@pytest.mark.parametrize("wrong", [4, -1, 2**31 - 1])
def test_triangles_without_vertices_are_refused_or_left_out(tmp_path, wrong):
    triangles = np.array([[0, 1, 2], [2, 1, wrong], [0, 2, 3]])
    index = "Location Double 3 4;\nTri Integer 3 3;\nLabel Short 1 3;"
    data = VERTICES.tobytes() + triangles.astype("<i4").tobytes() + np.array([1, 2, 3], "<i2").tobytes()
    path = mesh(tmp_path, index, data)
    with pytest.raises(
        FormatError, match=rf"triangle 1 has the corners \[2, 1, {wrong}\], there are vertices 0 to 3"
    ):
        leapfrog.read_mesh(path)
    (surface,) = leapfrog.read_bodies(path, Options(errors="skip"))
    assert surface.triangles.tolist() == [[0, 1, 2], [0, 2, 3]]
    assert surface.cell_properties["Label"].tolist() == [1, 3]
    assert surface.notes == ("1 triangles without vertices were left out.",)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -1e300])
def test_vertices_that_are_not_finite_are_refused_or_left_out(tmp_path, wrong):
    vertices = VERTICES.copy()
    vertices[3, 1] = wrong
    path = mesh(tmp_path, data=vertices.tobytes() + TRIANGLES.astype("<i4").tobytes())
    with pytest.raises(FormatError, match=r"vertex 3 is at .*coordinates must be finite numbers"):
        leapfrog.read_mesh(path)
    surface = leapfrog.read_mesh(path, errors="skip")
    np.testing.assert_array_equal(surface.vertices, VERTICES[:3])
    assert surface.triangles.tolist() == [[0, 1, 2]]
    assert surface.notes == ("1 vertices without finite coordinates were left out.",)


def test_write_then_read_is_identity_and_the_bytes_are_those_of_leapfrog(tmp_path):
    path = tmp_path / "again.msh"
    leapfrog.write_mesh(path, Surface("any", VERTICES, TRIANGLES))
    assert path.read_bytes() == mesh(tmp_path).read_bytes()
    again = leapfrog.read_mesh(path)
    np.testing.assert_array_equal(again.vertices, VERTICES)
    np.testing.assert_array_equal(again.triangles, TRIANGLES)
    assert again.name == "again"
    leapfrog.write_mesh(path, Surface("none", np.zeros((0, 3)), np.zeros((0, 3), np.int64)))
    assert len(leapfrog.read_mesh(path).vertices) == 0
    assert sorted(other.name for other in tmp_path.iterdir()) == ["again.msh", "fault.msh"]


def test_what_cannot_be_written_is_refused(tmp_path):
    path = tmp_path / "out.msh"
    rich = Surface(
        "ore", VERTICES, TRIANGLES, properties={"au": np.ones(4)}, cell_properties={"face": np.ones(2)}
    )
    with pytest.raises(
        ValueError, match="'ore' has the values 'au', 'face', which a Leapfrog mesh has no place for"
    ):
        leapfrog.write_mesh(path, rich)
    leapfrog.write_mesh(path, rich, drop_properties=True)
    assert leapfrog.read_mesh(path).properties == {}
    path.unlink()
    with pytest.raises(ValueError, match="triangles of 'ore' refer to vertices 0 to 9, there are 4"):
        leapfrog.write_mesh(path, Surface("ore", VERTICES, np.array([[0, 1, 9]])))
    with pytest.raises(ValueError, match=r"vertex 0 of 'ore' is at \[nan, nan, nan\], not finite"):
        leapfrog.write_mesh(path, Surface("ore", VERTICES * np.nan, TRIANGLES))
    assert not path.exists()


def test_only_the_mark_of_leapfrog_matches(tmp_path):
    path = tmp_path / "any.msh"
    for other in (b"", b"ARANZ-1.0\n", b"$MeshFormat\n4.1 0 8\n", b"%PDF-1.7\n", b"60 50 40\n", b"\x00\xff"):
        assert not leapfrog.matches(path, other)
