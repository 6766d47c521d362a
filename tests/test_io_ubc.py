"""UBC tensor meshes and models, read and written."""

from __future__ import annotations

import gzip
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d.errors import FormatError
from mpm3d.io import ubc

MESH = "4 3 2\n1000 2000 50\n10 20 30 40\n5 5 5\n2 8\n"


def write(folder: Path, text: str | bytes, name: str = "m.msh") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_edges_ascend_from_the_lowest_south_western_corner(tmp_path):
    z, y, x = ubc.read_mesh(write(tmp_path, MESH))
    assert z.tolist() == [40, 48, 50]
    assert y.tolist() == [2000, 2005, 2010, 2015]
    assert x.tolist() == [1000, 1010, 1030, 1060, 1100]


@pytest.mark.parametrize(
    "text",
    [
        MESH.replace("\n", "\r\n"),
        MESH.replace("5 5 5", "3*5"),
        MESH.replace("5 5 5", "3 * 5.0"),
        MESH.replace("5 5 5", "1 *5 2* 5"),
        MESH.replace("5 5 5", "3 *\n5"),
        MESH.replace("5 5 5", "2*5\n5"),
        MESH.replace("10 20 30 40", "10 20\n\n30\n40"),
        MESH.replace("10 20 30 40\n5 5 5\n", "10 20 30 40 5 5 5 "),
        "! by hand\n" + MESH.replace("50\n", "50 ! top\n"),
        MESH.replace("10 20", "1D1 2.0E+01"),
        gzip.compress(MESH.encode(), mtime=0),
    ],
)
def test_the_ways_meshes_are_written_make_no_difference(tmp_path, text):
    for edges, expected in zip(
        ubc.read_mesh(write(tmp_path, text)), ubc.read_mesh(write(tmp_path, MESH, "plain.msh")), strict=True
    ):
        assert edges.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"m.msh: line 1 \(''\) should hold three counts nE nN nZ"),
        ("4 3\n", r"line 1 \('4 3'\) should hold three counts"),
        ("x,y,z\n1,2,3\n", "should hold three counts nE nN nZ of a UBC mesh"),
        ("3\n0 10 5\n20 5\n", "this is a 2D UBC mesh .* Read it with io.ubc.read_section"),
        (MESH.replace("4 3 2", "4 0 2"), r"line 1: a mesh of \[4, 0, 2\] cells \(E, N, Z\) is not possible"),
        (MESH.replace("4 3 2", "4 3 999999999999"), "is not possible. Line 1 may be damaged"),
        (MESH.replace("4 3 2", "4 3 " + "9" * 5000), "should hold three counts"),
        (MESH.replace("4 3 2", "4 -3 2"), "should hold three counts"),
        (
            MESH.replace("2 8", "2"),
            "there are 8 widths and the counts on line 1 make 9. The mesh may be truncated",
        ),
        (MESH + "7\n", "there are 10 widths and the counts on line 1 make 9"),
        (MESH.replace("5 5 5", "999999999999*5"), "there are 1000000000005 widths"),
        (MESH.replace("5 5 5", "x*5"), r"line 4: 'x\*5' is not a repeat such as '60\*20'"),
        (
            "! c\n\n" + MESH.replace("5 5 5", "5 five 5"),
            "line 6: 'five' is not a number, a mesh holds counts, a corner and widths",
        ),
        (MESH.replace("5 5 5", "5 nan 5"), "'nan' is not a number"),
        (MESH.replace("5 5 5", "5 -5 5"), "line 4: a cell is -5 m wide, widths must be above 0 and below 1e"),
        (MESH.replace("5 5 5", "5 1e300 5"), r"a cell is 1e\+300 m wide"),
        (MESH.replace("5 5 5", "5 1e-14 5"), "some cells are too thin beside the coordinates of the corner"),
        (MESH.replace("1000", "1e30"), r"the corner \[1e\+30, 2000.0, 50.0\] lies more than 1e\+09 m"),
        (MESH.replace("1000", "inf"), "line 2: 'inf' is not a number"),
        ("4 3 2\n1000 2000\n", "the corner of the mesh"),
        ("* " * 300_000, "should hold three counts"),
        (MESH + "* " * 300_000, "is not a repeat"),
    ],
)
def test_damaged_meshes_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        ubc.read_mesh(write(tmp_path, text))


def test_a_value_goes_to_its_cell(tmp_path):
    # top down fastest, then east, then north
    tokens = [f"{100 * n + 10 * e + k}" for n in range(3) for e in range(4) for k in range(2)]
    model = ubc.read_model(
        write(tmp_path, MESH), {"den": write(tmp_path, "\n".join(tokens), "m.den")}, units={"den": "g/cm3"}
    )
    assert model.name == "m"
    assert model.kind == "UBC tensor mesh"
    assert model.shape == (2, 3, 4)
    assert model.bounds == (1000, 2000, 40, 1100, 2015, 50)
    assert model.values["den"][1, 2, 3] == 230  # the top
    assert model.values["den"][0, 2, 3] == 231
    assert model.units == {"den": "g/cm3"}
    assert model.notes == ()
    assert "from the top down fastest, then to the east, then to the north" in model.layout
    # the top south-western cell, 10 m × 5 m × 2 m, holds the first value
    assert model.first_centre == (1005, 2002.5, 49)
    assert model.values["den"][1, 0, 0] == 0


def test_several_values_on_a_line_and_gzipped_are_the_same_model(tmp_path):
    mesh = write(tmp_path, MESH)
    values = np.arange(24.0) / 8
    lines = ["  ".join(map(str, values[:5])), "", "\t".join(map(str, values[5:23])), str(values[23])]
    ragged = write(tmp_path, gzip.compress("\r\n".join(lines).encode()), "m.mod.gz")
    plain = write(tmp_path, "\n".join(map(str, values)), "m.mod")
    model = ubc.read_model(mesh, {"a": ragged, "b": plain})
    np.testing.assert_array_equal(model.values["a"], model.values["b"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "1\n" * 23,
            r"there are 23 values and the mesh has 24 cells \(4 × 3 × 2, E, N, Z\). The model may be",
        ),
        ("1\n" * 25, "there are 25 values and the mesh has 24 cells"),
        ("", "there are 0 values"),
        ("1\n" * 72, "there are 72 values"),  # thrice as many, and no three columns
        ("1\n" * 23 + "x\n", "line 24: 'x' is not a number"),
        ("1\n" * 23 + "1_0\n", "line 24: '1_0' is not a number"),
    ],
)
def test_models_that_do_not_fit_are_refused(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        ubc.read_model(write(tmp_path, MESH), {"v": write(tmp_path, text, "v.mod")})


def test_written_files_are_those_of_other_programs(tmp_path):
    edges = ubc.read_mesh(write(tmp_path, MESH))
    ubc.write_mesh(tmp_path / "again.msh", edges)
    assert (tmp_path / "again.msh").read_text() == (
        "4 3 2\n1000.0 2000.0 50.0\n10.0 20.0 30.0 40.0\n3*5.0\n2.0 8.0\n"
    )
    values = np.arange(24.0).reshape(2, 3, 4)
    values[0, 0, 0] = np.nan
    assert ubc.write_model(tmp_path / "again.den", values) == -99999
    assert (tmp_path / "again.den").read_text().split()[:4] == ["12.0", "-99999.0", "13.0", "1.0"]


def test_discretize_puts_a_written_marker_in_the_same_cell(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import discretize
    edges = (np.array([-30.0, -10, 0]), np.array([0.0, 5, 15, 30]), np.array([100.0, 110, 130, 160, 200]))
    values = np.zeros((2, 3, 4))
    values[0, 2, 1] = 7
    ubc.write_mesh(tmp_path / "m.msh", edges)
    ubc.write_model(tmp_path / "m.mod", values)
    mesh = discretize.TensorMesh.read_UBC(str(tmp_path / "m.msh"))
    cells = mesh.read_model_UBC(str(tmp_path / "m.mod"))
    centre = mesh.cell_centers[np.flatnonzero(cells == 7)]
    assert centre.tolist() == [[120, 22.5, -20]]
    model = ubc.read_model(tmp_path / "m.msh", {"v": tmp_path / "m.mod"})
    assert np.argwhere(model.values["v"] == 7).tolist() == [[0, 2, 1]]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), st.sampled_from([np.float32, np.float64]), st.data()
)
def test_write_then_read_is_identity(tmp_path, shape, dtype, data):
    numbers = st.floats(-1e6, 1e6, width=32)
    # values that often stand for something else are values here
    elements = st.one_of(numbers, st.just(np.nan), st.sampled_from([-99999.0, -999999.0, -100.0, 0.0]))
    values = data.draw(hnp.arrays(dtype, shape, elements=elements))
    width = st.floats(0.01, 1000)
    edges = tuple(
        data.draw(st.floats(-1e7, 1e7))
        + np.cumsum([0.0, *data.draw(st.lists(width, min_size=n, max_size=n))])
        for n in shape
    )
    suffix = data.draw(st.sampled_from(["", ".gz"]))
    ubc.write_mesh(tmp_path / f"m.msh{suffix}", edges)
    missing = ubc.write_model(tmp_path / f"m.mod{suffix}", values)
    model = ubc.read_model(
        tmp_path / f"m.msh{suffix}",
        {"v": tmp_path / f"m.mod{suffix}"},
        missing=() if missing is None else (missing,),
    )
    np.testing.assert_array_equal(model.values["v"].astype(dtype), values)
    for again, original in zip(model.edges, edges, strict=True):
        np.testing.assert_allclose(again, original, atol=1e-5)


def test_what_cannot_be_a_mesh_is_not_written(tmp_path):
    line = np.array([0.0, 1])
    with pytest.raises(ValueError, match="the edges along y must ascend and be at least two"):
        ubc.write_mesh(tmp_path / "m.msh", (line, line[::-1], line))
    with pytest.raises(ValueError, match="the edges along z must ascend"):
        ubc.write_mesh(tmp_path / "m.msh", (np.array([0, np.inf]), line, line))
    with pytest.raises(ValueError, match=r"a cell along x is 1e-08 m wide, at least 1e-6 is needed"):
        ubc.write_mesh(tmp_path / "m.msh", (line, line, np.array([0, 1e-8])))
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_is_a_format_error_and_nothing_else(tmp_path, data):
    content = bytearray(MESH.replace("5 5 5", "3*5").encode())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    tokens = st.sampled_from([b" ", b"\n", b"*", b"1e999", b"-", b"nan", b"9" * 30, b"\xff", b"!", b"\x00"])
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content)))
        content[place : place + data.draw(st.integers(0, 6))] = data.draw(
            st.one_of(tokens, st.binary(max_size=3))
        )
    path = write(tmp_path, bytes(content))
    ubc.matches(path, bytes(content))
    try:
        edges = ubc.read_mesh(path)
    except FormatError:
        return
    assert all(np.all(np.diff(line) > 0) for line in edges)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("folder", "file", "background", "inside"),
    [("grav3d_block", "model.den.gz", 0, 0.1), ("mag3d_block", "model.sus.gz", 1e-4, 0.025)],
)
def test_corpus_blocks_are_where_their_input_put_them(corpus_dir, folder, file, background, inside):
    # blk3cell.inp: one block -100 to 100 east, -100 to 100 north, -200 to -400 elevation
    path = corpus_dir / "ubc" / folder
    model = ubc.read_model(path / "mesh.txt", {"v": path / file})
    assert model.shape == (38, 76, 76)
    values = model.values["v"]
    assert np.unique(values).tolist() == [background, inside]
    spans = []
    for axis, edges in enumerate(model.edges):
        rows = np.flatnonzero(np.any(values == inside, axis=tuple({0, 1, 2} - {axis})))
        spans.append((edges[rows[0]], edges[rows[-1] + 1]))
    np.testing.assert_allclose(spans, [(-400, -200), (-100, 100), (-100, 100)], atol=1e-3)


@pytest.mark.corpus
def test_corpus_air_is_missing_and_above_the_rock(corpus_dir):
    path = corpus_dir / "ubc/craig_chile_nan"
    model = ubc.read_model(path / "craig_chile.msh", {"v": path / "Lpout.mod.gz"})
    assert model.shape == (40, 69, 69)
    assert model.bounds[::3] == (355000, 355000 + np.diff(model.edges[2]).sum())
    assert model.bounds[5] == 3000
    missing = np.isnan(model.values["v"])
    assert missing[-1].any()
    assert not missing[0].any()
    # once rock begins below, no air comes under it
    assert np.all(np.diff(missing.astype(int), axis=0) >= 0)
    assert model.notes == ("'v' has no value in 30735 of 190440 cells.",)


@pytest.mark.corpus
def test_corpus_models_are_those_of_discretize(corpus_dir, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import discretize
    path = corpus_dir / "ubc/craig_chile_nan"
    mesh = discretize.TensorMesh.read_UBC(str(path / "craig_chile.msh"))
    plain = write(tmp_path, gzip.decompress((path / "Lpout.mod.gz").read_bytes()), "plain.mod")
    expected = mesh.read_model_UBC(str(plain)).reshape(40, 69, 69)  # x fastest, bottom up
    model = ubc.read_model(path / "craig_chile.msh", {"v": path / "Lpout.mod.gz"})
    np.testing.assert_array_equal(model.values["v"], expected)
    for edges, nodes in zip(model.edges, (mesh.nodes_z, mesh.nodes_y, mesh.nodes_x), strict=True):
        np.testing.assert_allclose(edges, nodes, atol=1e-6)


@pytest.mark.corpus
def test_corpus_meshes_alone(corpus_dir):
    z, y, x = ubc.read_mesh(corpus_dir / "ubc/astic_mesh_only/mesh_inverse_ubc.msh")
    assert (len(z), len(y), len(x)) == (61, 82, 82)
    assert (x[0], y[0], z[-1]) == (556579.338713, 7132879.338713, 450)
    z, y, x = ubc.read_mesh(corpus_dir / "ubc/mesh_only_magsusc/Magnetic_Susc.msh")
    assert (len(z), len(y), len(x)) == (41, 88, 95)
    with pytest.raises(FormatError, match=r"this is an OcTree mesh. Read it with io.ubc.read_octree"):
        ubc.read_mesh(corpus_dir / "ubc/octree_simpeg/OctreeMesh-test.msh")


@pytest.mark.data
@pytest.mark.parametrize(("surface", "conductivity"), [("PK1", 5e-3), ("VK", 1e-4), ("HK1", 1.3333333e-3)])
def test_the_tkc_conductors_fill_the_boxes_of_their_surfaces(data_dir, surface, conductivity):
    from mpm3d.io import gocad

    folder = data_dir / "tkc"
    mesh, path = folder / "ubc/TKC_finermesh.msh", folder / "ubc/TKC_condModel.con.gz"
    model = ubc.read_model(mesh, {"con": path}, units={"con": "S/m"})
    assert model.shape == (66, 106, 95)
    rows = np.argwhere(model.values["con"] == conductivity)
    low, high = (
        [edges[r] for edges, r in zip(model.edges, corner, strict=True)][::-1]
        for corner in (rows.min(axis=0), rows.max(axis=0) + 1)
    )
    (body,) = gocad.read_objects(folder / "surfaces" / f"{surface}.ts")
    # cells of 20 m and, at depth, of 30 m; later bodies cut earlier ones
    np.testing.assert_allclose([*low, *high], body.bounds, atol=30)
