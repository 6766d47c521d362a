"""ModEM models of resistivity."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d.errors import FormatError
from mpm3d.io import modem
from mpm3d.io.files import read_head
from mpm3d.io.options import Options
from mpm3d.lattice import Frame, PropertyModel

DATA = Path(__file__).parent / "data/modem"
# 2 to the north, 1 to the east, 2 down
TEXT = "# by hand\n2 1 2 0 LINEAR\n10 20\n40\n5 6\n\n1 2\n\n3 4\n\n-10 -20 0\n0\n"


def write(folder: Path, text: str | bytes, name: str = "m.rho") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_x_is_north_rows_begin_in_the_north_and_z_is_depth():
    model = modem.read_model(DATA / "marker.rho")
    assert model.kind == "ModEM model"
    assert model.shape == (4, 3, 2)
    z, y, x = model.edges
    assert y.tolist() == [-300, -200, 0, 300]  # widths 100 200 300 from the south
    assert x.tolist() == [-750, 250, 750]
    assert z.tolist() == [-83, -3, 37, 57, 67]  # 67 m above the datum
    rho = model.values["resistivity"]
    assert np.argwhere(rho == 7).tolist() == [[1, 2, 0]]  # third layer, north, west
    assert rho[3, :, 0].tolist() == [3, 2, 1]  # from the south
    assert rho[3, :, 1].tolist() == [6, 5, 4]
    # the file begins at the top in the north-west
    assert model.first_centre == (-250, 150, 62)
    assert model.units == {"resistivity": "ohm.m"}
    assert model.z_positive == "Depth"
    assert "from the north to the south fastest" in model.layout
    assert model.frame is None
    assert (
        model.notes[0]
        == "x is north, y east and z down in the file; here x is east, y north and z elevation."
    )
    assert model.notes[-1].startswith("The file does not say where the model lies: coordinates are relative")


def test_a_centre_places_the_model():
    model = modem.read_model(DATA / "marker.rho", centre=(500_000, 7_000_000, 400))
    assert model.bounds == (499_250, 6_999_700, 317, 500_750, 7_000_300, 467)
    assert model.first_centre == (499_750, 7_000_150, 462)
    assert model.notes[-1] == "The centre is placed at x, y, elevation 500000, 7e+06, 400."


def test_a_rotation_turns_the_mesh_about_its_centre(tmp_path):
    # mtpy writes -90 for a mesh whose north points to N90E
    path = write(tmp_path, (DATA / "marker.rho").read_text().replace("\n0.0\n", "\n-90.0\n"))
    model = modem.read_model(path, centre=(1000, 2000, 0))
    # the first centre, 250 m west and 150 m north before, is now 150 m east and 250 m north
    np.testing.assert_allclose(model.first_centre, (1150, 2250, 62))
    np.testing.assert_allclose(model.bounds, (700, 1250, -83, 1300, 2750, 67))
    assert any("turned by -90 degrees, counterclockwise as mtpy writes" in note for note in model.notes)
    assert any("its north points 90 degrees east of north" in note for note in model.notes)
    asked = modem.read_model(path, rotation=0)
    assert asked.frame is None
    assert any("turned by 0 degrees as asked for, not by -90 of the file" in note for note in asked.notes)
    local = modem.read_model(DATA / "marker.rho", rotation=90)
    np.testing.assert_allclose(local.first_centre, (-150, -250, 62))


@pytest.mark.parametrize(("scale", "made"), [("LOGE", np.log), ("LOG10", np.log10), ("loge", np.log)])
def test_logarithms_are_taken_back(tmp_path, scale, made):
    values = "\n".join(f"{made(v):.6f}" for v in (1, 20, 300, 0.3))
    path = write(tmp_path, f"# c\n2 1 2 0 {scale}\n10 20\n40\n5 6\n{values}\n")
    rho = modem.read_model(path).values["resistivity"]
    np.testing.assert_allclose(rho[:, :, 0], [[0.3, 300], [20, 1]], rtol=1e-5)
    assert f"Resistivities are stored as logarithms ({scale.upper()})" in " ".join(
        modem.read_model(path).notes
    )


@pytest.mark.parametrize(
    ("scale", "air"), [("LOGE", "2.76310E+01"), ("LOG10", "12"), ("LINEAR", "1.00000E+17")]
)
def test_air_is_missing_and_said_to_be(tmp_path, scale, air):
    path = write(tmp_path, f"# c\n2 1 2 0 {scale}\n10 20\n40\n5 6\n{air} 1\n{air} 2\n")
    model = modem.read_model(path)
    assert np.isnan(model.values["resistivity"])[:, :, 0].tolist() == [[False, True], [False, True]]
    assert "2 of 4 cells hold 1e12 ohm.m or more, which is air: no value." in model.notes


def test_resistivities_that_cannot_be_are_missing_and_said_to_be(tmp_path):
    model = modem.read_model(write(tmp_path, TEXT.replace("3 4", "0 -4")))
    assert np.isnan(model.values["resistivity"][0]).all()
    assert "2 of 4 resistivities are not above 0: no value." in model.notes


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n\n", "\n"),
        TEXT.replace("# by hand", "a model by hand"),
        TEXT.replace("# by hand\n", "# by hand\n# and more\n\n"),
        TEXT.removeprefix("# by hand\n"),
        TEXT.replace(" 0 LINEAR", " 0"),
        TEXT.replace(" 0 LINEAR", ""),
        TEXT.replace("\n0\n", "\n"),
        TEXT.replace("1 2\n", "# layer\n1 # north\n2\n"),
        TEXT.replace("10 20", "1D1 2.E+1"),
        gzip.compress(TEXT.encode(), mtime=0),
    ],
)
def test_the_ways_models_are_written_make_no_difference(tmp_path, text):
    model, plain = (modem.read_model(write(tmp_path, t, n)) for t, n in ((text, "a.rho"), (TEXT, "b.rho")))
    np.testing.assert_array_equal(model.values["resistivity"], plain.values["resistivity"])
    assert model.bounds == plain.bounds == (-20, -10, -11, 20, 20, 0)


def test_without_an_origin_the_middle_of_the_mesh_is_the_centre(tmp_path):
    model = modem.read_model(write(tmp_path, TEXT.split("-10 -20")[0]))
    assert model.bounds == (-20, -15, -11, 20, 15, 0)
    assert "The file has no origin, so the centre of the mesh at its top is taken for it." in model.notes


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is no line of counts 'nx ny nz 0 LOGE', as a ModEM model has"),
        ("# only\n# comments\n", "there is no line of counts"),
        (
            TEXT.replace("2 1 2 0", "2 1"),
            r"line 2: '2 1 LINEAR' should be counts to the north, east and down",
        ),
        (TEXT.replace("2 1 2 0", "2 0 2 0"), "should be counts to the north"),
        (TEXT.replace("2 1 2 0", "2 -1 2 0"), "should be counts to the north"),
        (TEXT.replace("LINEAR", "LOG2"), "'2 1 2 0 LOG2' should be counts .* and LOGE, LOG10 or LINEAR"),
        (
            TEXT.replace("2 1 2 0", "2 1 2 9"),
            "announces 9 resistivities and an index into them, the form of WSINV3DMT",
        ),
        (TEXT.replace("2 1 2 0", "1000000000000 1000000000000 2 0"), "line 2: 13 numbers follow the counts"),
        (TEXT.replace("3 4", "3"), "12 numbers follow the counts 2 1 2; 5 widths and 4 values are expected"),
        (TEXT + "7 8\n", "15 numbers follow the counts"),
        (TEXT.replace("3 4", "3 4 5"), "14 numbers follow the counts"),
        (TEXT[:30], "numbers follow the counts 2 1 2; .* It may be truncated"),
        (TEXT.replace("10 20", "10 -20"), "a cell is -20 m wide, widths must be above 0 and below"),
        (TEXT.replace("10 20", "10 nan"), "a cell is nan m wide"),
        (TEXT.replace("10 20", "10 1e300"), r"a cell is 1e\+300 m wide"),
        (TEXT.replace("10 20", "10 1e-30"), "some cells are too thin beside the size of the mesh"),
        (TEXT.replace("-10 -20 0", "-10 inf 0"), "the origin .* is not a place in metres"),
        (TEXT.replace("\n0\n", "\nnan\n"), "the rotation nan is not an angle in degrees"),
        (TEXT.replace("3 4", "3 ****"), r"line 9: '\*\*\*\*' is not a number"),
        ("3 2 5 VALUES\n1 2 3\n", "this is a WinGLink model .* Export it as text of x, y, z, resistivity"),
    ],
)
def test_damaged_models_are_refused_with_the_reason(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        modem.read_model(write(tmp_path, text))


def test_places_and_angles_must_be_numbers():
    with pytest.raises(ValueError, match=r"centre=\(0, nan, 0\) is not a place"):
        modem.read_model(DATA / "marker.rho", centre=(0, np.nan, 0))
    with pytest.raises(ValueError, match="rotation=inf is not an angle"):
        modem.read_model(DATA / "marker.rho", rotation=np.inf)


def model_of(shape: tuple[int, int, int], widths: list, rho: np.ndarray) -> PropertyModel:
    z, y, x = (np.cumsum([-7.0, *w]) for w in widths)
    assert rho.shape == shape
    return PropertyModel("m", (z, y, x), {"resistivity": rho})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.array_shapes(min_dims=3, max_dims=3, max_side=5), st.data())
def test_write_then_read_is_identity(tmp_path, shape, data):
    elements = st.one_of(st.floats(1e-3, 1e8), st.just(np.nan))
    rho = data.draw(hnp.arrays(np.float64, shape, elements=elements))
    width = st.floats(0.01, 1000)
    model = model_of(shape, [data.draw(st.lists(width, min_size=n, max_size=n)) for n in shape], rho)
    centre = data.draw(st.sampled_from([None, (500_000.0, 7_000_000.0, 350.5)]))
    turned = data.draw(st.sampled_from([0.0, -40.0, 135.0]))
    if turned:
        origin = (0.0, 0.0, 0.0) if centre is None else centre
        model = replace(model, frame=Frame.rotated(origin, turned))
    path = tmp_path / data.draw(st.sampled_from(["m.rho", "m.rho.gz"]))
    modem.write_model(path, model, centre=centre)
    again = modem.read_model(path, centre=centre)
    np.testing.assert_allclose(again.values["resistivity"], rho, rtol=1e-13)
    for edges, original in zip(again.edges, model.edges, strict=True):
        np.testing.assert_allclose(edges, original, atol=1e-5)
    assert (again.frame is None) == (not turned)
    if turned:
        np.testing.assert_allclose(again.frame.axes, model.frame.axes, atol=1e-12)
        np.testing.assert_allclose(again.frame.origin, model.frame.origin)


def test_a_turned_model_is_written_relative_to_any_centre(tmp_path):
    model = model_of((2, 3, 4), [[5, 6], [10, 20, 30], [1, 2, 3, 4]], np.arange(1.0, 25).reshape(2, 3, 4))
    model = replace(model, frame=Frame.rotated((1000, 2000, 100), 30))
    modem.write_model(tmp_path / "m.rho", model, centre=(1234, 1876, 90))
    again = modem.read_model(tmp_path / "m.rho", centre=(1234, 1876, 90))
    np.testing.assert_allclose(again.bounds, model.bounds)


def test_the_written_file_is_that_of_modem(tmp_path):
    model = modem.read_model(DATA / "marker.rho")
    modem.write_model(tmp_path / "m.rho", model)
    lines = (tmp_path / "m.rho").read_text().split("\n")
    assert lines[1] == "3 2 4 0 LOGE"
    assert [line.split() for line in lines[2:5]] == [
        ["100.0", "200.0", "300.0"], ["1000.0", "500.0"], ["10.0", "20.0", "40.0", "80.0"]
    ]  # fmt: skip
    np.testing.assert_allclose(np.exp(np.array(lines[6].split(), float)), [1, 2, 3])
    assert lines[-4:] == ["", "-300.0 -750.0 -67.0", "0.0", ""]


def test_what_is_no_resistivity_model_is_not_written(tmp_path):
    model = modem.read_model(DATA / "marker.rho")
    path = tmp_path / "m.rho"
    with pytest.raises(ValueError, match="'marker' has no values 'rho', it has 'resistivity'"):
        modem.write_model(path, model, name="rho")
    for wrong in (0.0, -1.0, 1e12, np.inf):
        rho = np.where(model.values["resistivity"] == 7, wrong, 1.0)
        with pytest.raises(ValueError, match=r"resistivities must be above 0 and below 1e12 ohm.m"):
            modem.write_model(path, replace(model, values={"resistivity": rho}))
    skewed = Frame(np.zeros(3), np.array([[1.0, 0, 0], [0, 1, 0.5], [0, 0, 1]]))
    with pytest.raises(ValueError, match="'marker' is skewed or tilted"):
        modem.write_model(path, replace(model, frame=skewed))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        TEXT, TEXT.replace(" 0 LINEAR", " 0"), TEXT.replace("LINEAR", "LOGE"), "3 2 5 VALUES\n1 2\n",
        "\ufeff" + TEXT, TEXT.split("\n", 1)[1], "\n" + TEXT.split("\n", 1)[1],
        # damaged ones, of which the reader says what is wrong
        "# c\n2 1 2 0 LOGE\nten twenty\n", "# c\n2 1 2 5 LOGE\n10 20\n", "# c\n1 1 1 0 LOGE\n-1\n1\n1\n0\n",
    ],
)  # fmt: skip
def test_models_are_known_by_what_is_in_them(tmp_path, text):
    path = write(tmp_path, text, "what.ever")
    assert modem.matches(path, read_head(path))


@pytest.mark.parametrize(
    "text",
    [
        "", "# c\n", "4 3 2\n1000 2000 50\n10 20 30 40\n5 5 5\n2 8\n", "# x y z v\n1 2 3 0\n4 5 6 0\n",
        "x,y\n1,2\n", "# c\n2 1 2 0 LOGE and so on\n",
        b"\x00\x01", b"\xff" * 99, "GOCAD TSurf 1\n",
    ],
)  # fmt: skip
def test_other_files_and_junk_are_not(tmp_path, text):
    path = write(tmp_path, text, "what.rho")
    assert not modem.matches(path, read_head(path))


@pytest.mark.corpus
def test_corpus_only_its_model_is_known(corpus_dir):
    known = [p for p in sorted(corpus_dir.rglob("*")) if p.is_file() and modem.matches(p, read_head(p))]
    assert [path.name for path in known] == ["Modular_MPI_NLCG_028.rho"]


@pytest.mark.corpus
def test_corpus_model_is_read_and_written_again(corpus_dir, tmp_path):
    path = corpus_dir / "modem/ws_format_028/Modular_MPI_NLCG_028.rho"
    (model,) = modem.read_bodies(path, Options())
    # line 2 says 79 24 80; the origin is in the last lines
    assert model.shape == (80, 79, 24)
    assert (model.bounds[0], model.bounds[1], model.bounds[5]) == (-445000, -582500, 0)
    lines = path.read_text().split("\n")
    layers = np.array(" ".join(lines[6:2007]).split()[: 80 * 24 * 79], float).reshape(80, 24, 79)
    # layer 30, column 5 from the west, row 11 from the north
    assert model.values["resistivity"][80 - 1 - 30, 79 - 1 - 11, 5] == np.exp(layers[30, 5, 11])
    modem.write_model(tmp_path / "again.rho", model)
    again = modem.read_model(tmp_path / "again.rho")
    np.testing.assert_allclose(again.values["resistivity"], model.values["resistivity"], rtol=1e-14)
    np.testing.assert_allclose(again.bounds, model.bounds)
