"""Any file goes to the module that reads it, and what nothing reads is explained."""

from __future__ import annotations

import gzip
import os
import re
from pathlib import Path

import numpy as np
import pytest

import mpm3d
from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.lattice import PropertyModel

TSURF = "GOCAD TSurf 1\nHEADER {\nname:f\n}\nVRTX 1 0 0 0\nVRTX 2 1 0 0\nVRTX 3 0 1 0\nTRGL 1 2 3\nEND\n"
VOXET = (
    "GOCAD Voxet 1\nHEADER {\nname:v\n}\nAXIS_O 0 0 0\nAXIS_U 1 0 0\nAXIS_V 0 1 0\nAXIS_W 0 0 1\n"
    "AXIS_N 2 2 2\n"
    'PROPERTY 1 "v"\nPROP_ESIZE 1 4\nPROP_ETYPE 1 IEEE\nPROP_FILE 1 v_v@@\nEND\n'
)
MESH = "2 2 1\n0 0 0\n2*10\n2*10\n5\n"
MODEM = "# 3D MT model\n2 2 1 0 LOGE\n100 100\n100 100\n50\n\n1 2 3 4\n"
GXF = "#TITLE\nx\n#POINTS\n2\n#ROWS\n2\n#PTSEPARATION\n1\n#RWSEPARATION\n1\n#GRID\n1 2\n3 4\n"
SURFER = "DSAA\n2 2\n0 1\n0 1\n1 4\n1 2\n3 4\n"
VTK = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 1 float\n1 2 3\n"


def write(folder: Path, content: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path: Path, **options: object) -> str:
    with pytest.raises((FormatError, FileNotFoundError)) as found:
        io.read(path, **options)
    return str(found.value)


@pytest.mark.parametrize(
    ("content", "module", "kinds"),
    [
        (TSURF, "gocad", ["TSurf"]),
        (MESH, "ubc", ["UBC tensor mesh"]),
        (MODEM, "modem", ["ModEM model"]),
        (GXF, "gxf", None),
        (SURFER, "raster", ["Surfer grid"]),
        (VTK, "vtk", None),
        ("x,y,z,au\n1,2,3,0.5\n", "table", ["points table"]),
        ("x_from,y_from,z_from,x_to,y_to,z_to\n0,0,0,1,1,1\n", "table", ["intervals table"]),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_content_decides_and_neither_suffix_nor_gzip_matters(
    tmp_path: Path, content: str, module: str, kinds: list[str] | None, packed: bool
) -> None:
    data = gzip.compress(content.encode()) if packed else content
    path = write(tmp_path, data, "thing.txt")
    assert io.format_of(path) == module
    found = io.read(path)
    assert kinds is None or [body.kind for body in found] == kinds


def test_modules_are_there_when_they_are_named() -> None:
    for name in io.FORMATS:
        assert getattr(io, name).__name__ == f"mpm3d.io.{name}"
    with pytest.raises(AttributeError, match=r"'mpm3d.io' has no attribute 'shapefile'. It has .*gocad"):
        io.shapefile  # noqa: B018
    assert mpm3d.io is io


def test_a_gocad_file_is_known_by_its_first_object(tmp_path: Path) -> None:
    assert io.is_gocad(write(tmp_path, TSURF.encode("utf-16"), "a"))
    assert io.is_gocad(write(tmp_path, "# made by hand\n\n" + TSURF, "b"))
    assert not io.is_gocad(write(tmp_path, "x,y,z\n1,2,3\n", "c"))


def test_choices_reach_the_readers(tmp_path: Path) -> None:
    values = np.arange(8.0)
    write(tmp_path, values.astype("<f4").tobytes(), "v_v@@")
    path = write(tmp_path, VOXET, "v.vo")
    (body,) = io.read(path, byte_order="little")
    np.testing.assert_array_equal(np.asarray(body.values["v"]).ravel(), values)  # type: ignore[attr-defined]
    broken = write(tmp_path, TSURF.replace("END", "TRGL 1 2 9\nEND"), "broken.ts")
    assert "9" in refusal(broken)
    assert len(io.read(broken, errors="skip")[0].triangles) == 1  # type: ignore[attr-defined]
    outside = write(tmp_path, VOXET.replace("v_v@@", "../v_v@@"), "o.vo")
    assert "outside" in refusal(outside)
    with pytest.raises(ValueError, match="byte_order='middle' is not known, use 'big' or 'little'"):
        io.read(path, byte_order="middle")
    with pytest.raises(ValueError, match="errors='loose' is not known"):
        io.read(path, errors="loose")


def test_a_ubc_model_finds_its_mesh_or_is_given_one(tmp_path: Path) -> None:
    model = write(tmp_path, "1\n2\n3\n4\n", "model.den")
    assert "mesh" in refusal(model)
    (tmp_path / "meshes").mkdir()
    mesh = write(tmp_path / "meshes", MESH, "far.msh")
    (body,) = io.read(model, mesh=mesh)
    assert isinstance(body, PropertyModel)
    # z fastest, then east, then north: the second value lies east of the first
    (values,) = body.values.values()
    assert np.asarray(values)[0].tolist() == [[1, 2], [3, 4]]
    write(tmp_path, MESH, "near.msh")
    (body,) = io.read(model)
    assert body.bounds == (0, 0, -5, 20, 20, 0)  # type: ignore[attr-defined]


def test_a_file_that_is_not_there_is_told_with_names_like_it(tmp_path: Path) -> None:
    write(tmp_path, TSURF, "fault_north.ts")
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'fault_north\.ts'\?"):
        io.read(tmp_path / "fault_nroth.ts")
    with pytest.raises(FileNotFoundError, match="Check the name and the folder"):
        io.read(tmp_path / "quite another thing")
    with pytest.raises(FileNotFoundError, match=r"There is no folder '.*gone' either"):
        io.read(tmp_path / "gone" / "a.ts")


def test_folders_empty_files_and_devices_are_told(tmp_path: Path) -> None:
    assert "this is a folder. Name the files in it instead." in refusal(tmp_path)
    store = tmp_path / "cube.zarr"
    store.mkdir()
    assert "this is a Zarr folder, not a file. Open it with xarray.open_zarr" in refusal(store)
    plain = tmp_path / "plain"
    plain.mkdir()
    write(plain, "{}", "zarr.json")
    assert "Zarr folder" in refusal(plain)
    assert refusal(write(tmp_path, b"", "none.ts")) == (
        "none.ts: the file is empty. Export or download it again."
    )
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "a device or a pipe" in refusal(tmp_path / "pipe")


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, TSURF, "secret.ts")

    def forbid(self: Path, *args: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbid)
    assert refusal(path) == (
        "secret.ts: the file cannot be opened (Permission denied). Check that you may read it."
    )


def test_damaged_gzip_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, gzip.compress(TSURF.encode())[:30], "a.ts.gz")
    assert "the gzip content is damaged" in refusal(path)


def test_data_files_name_their_header(tmp_path: Path) -> None:
    write(tmp_path, VOXET, "v.vo")
    data = write(tmp_path, np.arange(8, dtype=">f4").tobytes(), "v_v@@")
    assert refusal(data) == (
        "v_v@@: it begins with the bytes 00 00 00 00 3f 80 00 00 and is 32 bytes. It seems to belong to "
        "'v.vo' beside it: open that file instead."
    )
    rows = write(tmp_path, "*\n* I J K v\n0 0 0 1\n1 0 0 2\n", "table@@")
    write(tmp_path, VOXET.replace("PROP_FILE 1 v_v@@", "ASCII_DATA_FILE table@@"), "t.vo")
    assert "belong to 't.vo' beside it" in refusal(rows)
    assert "belong to 'v.vo' beside it" in refusal(write(tmp_path, '{"a": 1}', "v.truth.json"))


def test_what_nothing_names_is_told_what_lies_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path, "Dear reader,\nthese are the faults.\n", "README")
    assert "These are: GoCAD objects, OMF projects" in refusal(path)
    write(tmp_path, TSURF, "a.ts")
    assert refusal(path) == (
        "README: it begins with 'Dear reader,' and is 35 bytes, which is not a format that is read. "
        "Beside it 'a.ts' can be opened."
    )
    for name in "bcdef":
        write(tmp_path, TSURF, f"{name}.ts")
    assert "'a.ts', 'b.ts', 'c.ts', 'd.ts' and others can be opened" in refusal(path)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (b"PK\x03\x04rest", "a zip archive or an office document: unpack it, or export the sheet as CSV"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 or netCDF file"),
        (b"\x00\x00\x27\x0a" + bytes(96), "a shapefile: export it as CSV"),
        (b"  0\nSECTION\n  2\nHEADER\n", "a DXF drawing"),
        (b"%PDF-1.4\n", "a document or a picture without a place"),
        (b"name,lon,lat\na,1,2\n", "no columns of a place in metres were found: name them x, y and z"),
    ],
)
def test_common_strangers_get_advice(tmp_path: Path, content: bytes, advice: str) -> None:
    assert advice in refusal(write(tmp_path, content, "stranger.dat"))


@pytest.mark.parametrize(
    "content",
    [
        b"\x00" * 5000,
        b"\xff" * 5000,
        bytes(range(256)) * 20,
        b"lorem ipsum dolor sit amet\n" * 50,
        b"1 2 3\nfour five six\n",
        b"{}",
        b"\n\n\n",
        b"-",
        "Größe und Höhe\n".encode(),
        "Größe und Höhe des Störkörpers".encode("latin-1"),
        b"import numpy as np\nprint(1, 2, 3)\n",
        b"<html><body>404 Not Found</body></html>",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
    ],
)
def test_junk_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content, "junk")
    assert io.format_of(path) is None
    assert re.match("junk: it begins with .* and is [0-9,]+ bytes", refusal(path))


@pytest.mark.slow
def test_random_bytes_are_no_model(tmp_path: Path, rng: np.random.Generator) -> None:
    for size in (1, 10, 1000, 100_000):
        for _ in range(20):
            path = write(tmp_path, rng.integers(0, 256, size, dtype=np.uint8).tobytes(), "random.dat")
            assert io.format_of(path) is None


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("file", "header"),
    [
        ("grid/ermapper/elevation", "elevation.ers"),
        ("grid/geosoft_small/test.grd.gi", "test.grd"),
        ("synthetic/voxet_rot_esize124_ibm_offset/all props@@", "rot.vo"),
        ("synthetic/voxet_depth_crlf/depth.truth.json", "depth.vo"),
        ("voxet/ascii_data_file/test__ascii@@", "test.vo"),
        ("sgrid/binary_cells/test_sgrid_binary__points@@", "test_sgrid_binary.sg"),
    ],
)
def test_corpus_companions_name_the_file_to_open(corpus_dir: Path, file: str, header: str) -> None:
    assert f"It seems to belong to {header!r} beside it" in refusal(corpus_dir / file)
