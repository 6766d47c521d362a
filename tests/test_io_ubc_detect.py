"""Which UBC file it is, observation locations, and the mesh that a model belongs to."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest

from mpm3d import io
from mpm3d.errors import FormatError
from mpm3d.io import ubc
from mpm3d.io.files import read_head
from mpm3d.io.options import Options
from mpm3d.lattice import BlockModel, PropertyModel

DATA = Path(__file__).parent / "data/ubc"
MESH = "4 3 2\n1000 2000 50\n10 20 30 40\n5 5 5\n2 8\n"
VALUES = "\n".join(f"{n / 10}" for n in range(24))
LOCATIONS = "3 ! count\n0 1 2\n3 4 5.5\n6 7 8\n"
BLOCKS = "0.0 ! background density\n1 ! number of blocks\n-100 100 -100 100 -200 -400 0.1 ! e1 e2\n"


def write(folder: Path, text: str | bytes, name: str) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def known(path: Path) -> bool:
    return ubc.matches(path, read_head(path))


@pytest.mark.parametrize(
    "text",
    [
        MESH, MESH.replace("5 5 5", "3 * 5"), "! c\n" + MESH, MESH.replace("\n", "\r\n"), LOCATIONS, BLOCKS,
        VALUES, (DATA / "section.msh").read_text(), (DATA / "tree.msh").read_text(),
        (DATA / "mag.obs").read_text(),
        "datacomp=zz\n2\n0 0 1 5\n1 0 1 6\n", "60 12 54000\n60 12 1\n2\n10 20 30 5\n10 20 30 6\n",
        "1\n0 1 2\n", VALUES.replace("0.1", "nan"),
    ],
)  # fmt: skip
def test_ubc_files_are_known_by_what_is_in_them(tmp_path, text):
    assert known(write(tmp_path, text, "what.ever"))
    assert known(write(tmp_path, gzip.compress(text.encode()), "packed.gz"))


@pytest.mark.parametrize(
    "text",
    [
        "", "\n\n", "x,y,z\n1,2,3\n", "x y z v\n1 2 3 4\n", "GOCAD TSurf 1\n", "1 2 3\n4 5 6\n7 8 9\n",
        "\n".join(f"{n} {n + 1} {n + 2}" for n in range(9000)), "500000 4000000 30\n" * 9, "5\n",
        "1 2\n3 4\n", "1.5 2.5 3.5 4\n" * 20, b"\x00\x01\x02" * 100, b"\xff\xfe1\x00",
        b"\x89PNG" + bytes(range(256)),
        "# 3D MT model written by ModEM in WS format\n 2 2 2 0 LOGE\n1 1\n1 1\n1 1\n" + "1 " * 8,
        "1\n2\nthree\n", "ncols 4\nnrows 3\n1 2\n", "* * *\n* * *\n",
    ],
)  # fmt: skip
def test_other_files_and_junk_are_not(tmp_path, text):
    assert not known(write(tmp_path, text, "what.txt"))


def test_a_suffix_decides_only_whether_numbers_on_a_line_are_a_model(tmp_path):
    text = "0.1 0.2 0.3\n" * 8
    assert known(write(tmp_path, text, "m.DEN.gz"))
    assert not known(write(tmp_path, text, "m.txt"))
    assert not known(write(tmp_path, "x y z\n" + text, "n.den"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mesh.txt", MESH.replace("5 5 5", "5 -5 5"), r"mesh\.txt, line 4: a cell is -5 m wide"),
        (
            "a.msh",
            MESH.replace("2 8", "2 8 9"),
            r"a\.msh: there are 10 widths and the counts on line 1 make 9",
        ),
        ("a.den", VALUES.replace("0.7", "O.7"), r"a\.den, line 8: 'O\.7' is not a number"),
        ("g.txt", LOCATIONS.replace("3 4", "nan 4"), r"g\.txt: location 2 is \[nan, 4\.0, 5\.5\]"),
        ("g.txt", LOCATIONS.replace("0 1 2", "0 inf 2"), r"g\.txt: location 1 is \[0\.0, inf, 2\.0\]"),
    ],
)
def test_damaged_files_are_known_by_their_names_so_that_what_is_wrong_is_said(tmp_path, name, text, message):
    with pytest.raises(FormatError, match=message):
        io.read(write(tmp_path, text, name))


def test_a_mark_of_utf_8_changes_nothing(tmp_path):
    write(tmp_path, "\ufeff" + MESH, "mesh.txt")
    body = read(write(tmp_path, "\ufeff" + VALUES, "m.sus"))
    assert body.shape == (2, 3, 4)
    assert known(tmp_path / "mesh.txt")


def test_of_several_meshes_the_one_with_the_name_of_the_model_is_taken(tmp_path):
    write(tmp_path, MESH, "inv.msh")
    write(tmp_path, MESH.replace("1000", "1100"), "inv_east.msh")
    write(tmp_path, MESH.replace("1000", "1200"), "other.msh")
    body = read(write(tmp_path, VALUES, "inv_east_susceptibility.mod"))
    assert body.edges[2][0] == 1100
    assert list(body.values) == ["susceptibility"]
    assert (
        "The mesh is inv_east.msh, whose name that of the model begins with, one of several with 24 "
        in (body.notes[-1])
    )
    with pytest.raises(FormatError, match=r"several meshes fit: inv\.msh, inv_east\.msh, other\.msh"):
        read(write(tmp_path, VALUES, "model.sus"))


def test_copies_of_one_mesh_are_one(tmp_path):
    write(tmp_path, MESH, "a.msh")
    write(tmp_path, MESH.replace("\n", "\r\n"), "b.txt")
    body = read(write(tmp_path, VALUES, "m.sus"))
    assert "The mesh is a.msh, one of several that say the same, with 24 cells." in body.notes


def test_the_beginning_of_a_large_file_is_enough(tmp_path):
    text = "100000 2 1\n0 0 0\n" + "1.25 " * 100_000 + "\n1 1\n1\n"
    for name, content in (
        ("m.msh", text),
        ("v.den", "0.25\n" * 200_000),
        ("o.loc", "30000\n" + "1 2 3.5\n" * 30_000),
    ):
        path = write(tmp_path, content, name)
        assert path.stat().st_size > 1 << 16
        assert known(path)


def read(path: Path, **options):
    (body,) = ubc.read_bodies(path, Options(**options))
    return body


def test_meshes_alone_have_no_values(tmp_path):
    tensor = read(write(tmp_path, MESH, "m.txt"))
    assert isinstance(tensor, PropertyModel)
    assert (tensor.shape, dict(tensor.values)) == ((2, 3, 4), {})
    section = read(DATA / "section.msh")
    assert (section.kind, section.shape, dict(section.values)) == ("UBC 2D mesh", (3, 1, 5), {})
    tree = read(DATA / "tree.msh")
    assert isinstance(tree, BlockModel)
    assert (len(tree.centres), dict(tree.values)) == (9, {})


def test_a_model_finds_the_only_mesh_of_its_size(tmp_path):
    write(tmp_path, MESH, "m.txt")
    write(tmp_path, LOCATIONS, "o.loc")
    for other in ("section.msh", "section.con", "tree.msh", "tree.mod"):
        shutil.copy(DATA / other, tmp_path)
    write(tmp_path, b"\x1f\x8bdamaged", "junk.gz")
    (tmp_path / "folder").mkdir()
    model = read(write(tmp_path, gzip.compress(VALUES.encode()), "a.sus.gz"))
    assert model.name == "a"
    assert model.values["susceptibility"][1, 2, 3] == 2.2
    assert model.units == {"susceptibility": "SI"}
    assert model.notes == (
        "The mesh is m.txt, the only one in the folder with 24 cells.",
        "'susceptibility' in SI is what the suffix usually means; the file does not say.",
    )
    section = read(tmp_path / "section.con")
    assert section.kind == "UBC 2D mesh"
    assert section.values["conductivity"][0, 0, 1] == 22e-3
    tree = read(tmp_path / "tree.mod")
    assert tree.kind == "UBC OcTree mesh"
    assert (list(tree.values), dict(tree.units)) == (["tree"], {})
    vectors = read(write(tmp_path, "1 2 3\n" * 24, "v.fld"))
    assert list(vectors.values) == ["v_x", "v_y", "v_z"]
    named = read(write(tmp_path, "1 2 3\n" * 24, "v.txt"), mesh=tmp_path / "m.txt")
    assert list(named.values) == ["v_x", "v_y", "v_z"]


def test_a_model_without_its_mesh_asks_for_it(tmp_path):
    path = write(tmp_path, VALUES, "a.den")
    with pytest.raises(
        FormatError, match=r"a.den: 24 numbers alone .* no mesh there fits. Name the mesh: --mesh"
    ):
        read(path)
    write(tmp_path, MESH, "one.msh")
    write(tmp_path, MESH.replace("50", "60"), "two.msh")
    with pytest.raises(FormatError, match=r"several meshes fit: one.msh, two.msh. Name the mesh"):
        read(path)
    assert read(path, mesh=tmp_path / "two.msh").bounds[5] == 60
    assert "The mesh is two.msh, as asked for." in read(path, mesh=str(tmp_path / "two.msh")).notes
    with pytest.raises(FormatError, match=r"a.den: this is no UBC mesh"):
        read(path, mesh=path)
    with pytest.raises(FormatError, match=r"there are 24 values and the mesh has 9 cells"):
        read(path, mesh=DATA / "tree.msh")


def test_input_of_the_block_builder_is_refused(tmp_path):
    with pytest.raises(FormatError, match=r"blk3cell.inp: this is input of blk3cell, which builds models"):
        read(write(tmp_path, BLOCKS, "blk3cell.inp"))


def test_nothing_is_refused(tmp_path):
    with pytest.raises(FormatError, match="there is no number in it, so it is neither a mesh nor a model"):
        read(write(tmp_path, "! only a comment\n", "a.den"))


def test_locations_are_points_and_their_number_is_checked(tmp_path):
    points = read(write(tmp_path, LOCATIONS, "o.loc"))
    assert points.kind == "UBC observation locations"
    assert points.vertices.tolist() == [[0, 1, 2], [3, 4, 5.5], [6, 7, 8]]
    assert (dict(points.properties), points.notes) == ({}, ())
    one = ubc.read_locations(write(tmp_path, "1\n0 1 2\n", "one.loc"))
    assert one.vertices.tolist() == [[0, 1, 2]]


def test_data_and_uncertainty_follow_the_place(tmp_path):
    points = ubc.read_locations(write(tmp_path, "2\n0 1 2 -0.5 0.1\n3 4 5 nan 0.2\n", "o.grv"))
    assert points.properties["data"][0] == -0.5
    assert np.isnan(points.properties["data"][1])
    assert points.properties["uncertainty"].tolist() == [0.1, 0.2]
    assert points.notes == (
        "The fourth column is taken as the datum, a fifth one as its standard deviation.",
    )


def test_magnetic_files_say_the_field():
    points = read(DATA / "mag.obs")
    assert points.vertices[1].tolist() == [1050, 2000, 311]
    assert points.properties["data"].tolist() == [12.5, -3.25, 7]
    assert dict(points.units) == {"data": "nT", "uncertainty": "nT"}
    assert points.notes[0] == (
        "Magnetic data in nT, along one direction: inducing field of 54000 nT, inclination 60, declination "
        "12.5; anomaly along inclination 60, declination 12.5 degrees."
    )


def test_counts_of_a_mesh_and_a_field_are_told_apart(tmp_path):
    field = read(write(tmp_path, "60 12 54000\n60 12 1\n2\n10 20 30 5\n10 20 30 6\n", "m.mag"))
    assert field.kind == "UBC observation locations"
    mesh = read(write(tmp_path, "1 4 2\n0 0 0\n10\n5 5 5 5\n2 8\n", "m.msh"))
    assert mesh.kind == "UBC tensor mesh"
    section = "2\n0 10 5\n20 5\n1\n0 10 2\n"
    assert read(write(tmp_path, section, "s.msh")).kind == "UBC 2D mesh"


def test_directions_and_gradients_have_their_own_columns(tmp_path):
    text = "60 12 54000\n0 0 0\n1\n1 2 3 45 10 7.5 2\n"
    points = ubc.read_locations(write(tmp_path, text, "each.obs"))
    assert list(points.properties) == ["anomaly_inclination", "anomaly_declination", "data", "uncertainty"]
    assert points.properties["data"].tolist() == [7.5]
    assert "anomaly_inclination" not in points.units
    one = ubc.read_locations(write(tmp_path, "datacomp=zz\n1\n1 2 3 45 10\n", "one.obs"))
    assert list(one.properties) == ["data", "uncertainty"]
    assert dict(one.units) == {"data": "Eotvos", "uncertainty": "Eotvos"}
    six = ubc.read_locations(write(tmp_path, "datacomp=xx,xy,zz\n1\n1 2 3 4 5 6\n", "six.obs"))
    assert list(six.properties) == ["column_4", "column_5", "column_6"]
    assert six.notes == ("Gravity gradients (datacomp=xx,xy,zz), in Eotvos as UBC programs have them.",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LOCATIONS.replace("3 !", "4 !"), "line 1: 4 locations are announced and 3 rows follow"),
        (LOCATIONS.replace("3 !", "1000000000000 !"), "1000000000000 locations are announced and 3 rows"),
        (LOCATIONS.replace("5.5", "5.5 1"), "line 3: this row has 4 numbers, 3 are expected as in the first"),
        (LOCATIONS[:-4], "line 4: this row has 1 numbers, 3 are expected"),
        (LOCATIONS.replace("5.5", "nan"), r"location 2 is \[3.0, 4.0, nan\], which is not a place"),
        (LOCATIONS.replace("5.5", "1e30"), "location 2 is"),
        (LOCATIONS.replace("5.5", "x"), "line 3: 'x' is not a number"),
        ("", "the number of locations and rows of x, y, elevation are expected"),
    ],
)
def test_damaged_locations_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        ubc.read_locations(write(tmp_path, text, "o.loc"))


@pytest.mark.corpus
def test_corpus_files_are_known_and_read(corpus_dir):
    for path in sorted((corpus_dir / "ubc").rglob("*.*")):
        assert known(path), path
        if path.name == "blk3cell.inp":
            continue
        (body,) = ubc.read_bodies(path, Options())
        assert body.kind.startswith("UBC ")
    points = ubc.read_locations(corpus_dir / "ubc/grav3d_block/survey.loc")
    assert points.bounds == (-500, -500, 1, 500, 500, 1)
    assert len(points.vertices) == 676


@pytest.mark.corpus
def test_corpus_files_of_other_formats_are_not_known(corpus_dir):
    for path in sorted(corpus_dir.rglob("*")):
        if path.is_file() and "ubc" not in path.parts:
            assert not known(path), path


@pytest.mark.data
def test_real_gravity_data_are_read(data_dir):
    points = ubc.read_locations(data_dir / "tkc/ubc/gzfor3d_obs.grv")
    assert len(points.vertices) == 1140
    assert points.vertices[0].tolist() == [556600, 7133200, 446.0563]
    assert points.properties["data"][0] == -1.2603660e-02
    assert list(points.properties) == ["data"]
