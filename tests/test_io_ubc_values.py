"""Values of UBC models: vectors, what stands for air, and what is written for NaN."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d.errors import FormatError
from mpm3d.io import ubc
from mpm3d.lattice import PropertyModel

# 2 cells to the east, 1 to the north, 3 down
MESH = "2 1 3\n0 0 0\n10 20\n5\n1 2 4\n"


def read(folder: Path, columns: list[str], missing: tuple[float, ...] | None = None) -> PropertyModel:
    """A model from its columns of cells, each from the top down."""
    (folder / "m.msh").write_text(MESH)
    (folder / "m.mod").write_text("\n".join(" ".join(columns).split()))
    return ubc.read_model(folder / "m.msh", {"v": folder / "m.mod"}, missing=missing)


def gone(model: PropertyModel) -> list[list[bool]]:
    """Where values are missing, as columns from the top down."""
    return np.isnan(model.values["v"][::-1, 0].T).tolist()


@pytest.mark.parametrize("value", ["-100", "1e-8", "-1.00000E-08", "1.0D-10"])
@pytest.mark.parametrize("columns", [["A A 0.5", "A 2 3"], ["A A A", "0.5 2 0"], ["A 1 2", "nan A 3"]])
def test_a_marker_on_top_of_its_columns_is_air_and_said_to_be(tmp_path, value, columns):
    model = read(tmp_path, [column.replace("A", value) for column in columns])
    assert gone(model) == [[c in ("A", "nan") for c in column.split()] for column in columns]
    cells = " ".join(columns).count("A")
    assert model.notes == (
        f"'v' has no value in {sum(map(sum, gone(model)))} of 6 cells.",
        f"{cells} cells of 'v' hold {float(value.replace('D', 'e')):g}, which is taken as air: they lie on "
        "top of their columns and no other value is near it.",
    )


@pytest.mark.parametrize(
    ("columns", "why_not"),
    [
        (["A 1 2", "3 A 4"], "some of these cells lie below others"),
        (["A A A", "A A A"], "no cell has another value"),
        (["A 1 -50", "A 2 0"], "other values are near it"),  # contrasts in kg/m3
        (["A 1 2", "-100.00001 2 0"], "it is not the same number everywhere"),
    ],
)
def test_a_value_that_may_be_real_is_kept_and_said_to_be_suspect(tmp_path, columns, why_not):
    model = read(tmp_path, [column.replace("A", "-100") for column in columns])
    assert not np.any(gone(model))
    assert len(model.notes) == 1
    assert model.notes[0].startswith("'v' is -100 in ")
    assert f"which often stands for air, but {why_not}. It is kept" in model.notes[0]


def test_a_small_background_is_not_air(tmp_path):
    # susceptibility of a block in a half-space of 1e-8, and conductivities near it
    for columns in (["1e-8 1e-8 1e-8", "1e-8 0.5 1e-8"], ["1e-8 5e-8 1e-3", "1e-8 2e-3 3e-3"]):
        model = read(tmp_path, columns)
        assert not np.any(gone(model))
        assert "It is kept" in model.notes[0]


@pytest.mark.parametrize("value", ["-99999", "-1e30", "-99999.0"])
def test_what_no_property_has_is_missing_wherever_it_is(tmp_path, value):
    model = read(tmp_path, ["1 2 3", f"4 {value} 6"])
    assert gone(model) == [[False] * 3, [False, True, False]]
    assert model.notes == (
        "'v' has no value in 1 of 6 cells.",
        f"1 cells of 'v' hold {float(value):g}, which is taken as no value.",
    )


def test_named_markers_are_missing_and_no_others(tmp_path):
    columns = ["1e-8 -100.000001 -99999", "nan 7 1e-8"]
    assert gone(read(tmp_path, columns, (1e-8, -100))) == [[True, True, False], [True, False, True]]
    assert gone(read(tmp_path, columns, ())) == [[False] * 3, [True, False, False]]
    assert read(tmp_path, columns, (1e-8, -100)).notes == ("'v' has no value in 4 of 6 cells.",)


def test_infinite_values_are_missing_and_said_to_be(tmp_path):
    model = read(tmp_path, ["1 2 3", "inf 1e999 -inf"])
    assert gone(model) == [[False] * 3, [True] * 3]
    assert model.notes[-1] == "'v' is infinite in 3 cells, they are missing."


def test_active_cells_stay_as_they_are(tmp_path):
    model = read(tmp_path, ["0 0 1", "-1 1 1"])
    assert model.values["v"][::-1, 0].T.tolist() == [[0, 0, 1], [-1, 1, 1]]
    assert model.notes == ()


def test_vectors_make_three_values_and_the_third_column_points_down(tmp_path):
    # the manual of MVI: x positive east, y positive north, z positive down
    rows = [f"{k} {10 + k} {20 + k}" for k in range(6)]
    (tmp_path / "m.msh").write_text(MESH)
    (tmp_path / "m.fld").write_text("\n".join(rows))
    model = ubc.read_model(tmp_path / "m.msh", {"m": tmp_path / "m.fld"})
    assert list(model.values) == ["m_x", "m_y", "m_z"]
    # the second cell of the file is the middle one of the western column
    assert [model.values[name][1, 0, 0] for name in ("m_x", "m_y", "m_z")] == [1, 11, -21]
    assert model.notes == (
        "'m' has three values for each cell: components to the east, to the north and downwards, as UBC "
        "programs define them. 'm_z' is the component upwards: its sign is turned.",
    )


def test_air_of_vectors_is_found_before_the_sign_is_turned(tmp_path):
    (tmp_path / "m.msh").write_text(MESH)
    (tmp_path / "m.vec").write_text("-100 -100 -100\n0 1 2\n0 0 0\n" * 2)
    model = ubc.read_model(tmp_path / "m.msh", {"m": tmp_path / "m.vec"})
    for name in model.values:
        assert np.isnan(model.values[name][2]).all()
    assert model.values["m_z"][1, 0, 1] == -2
    assert not np.signbit(model.values["m_z"][0]).any()
    assert "'m_z' has no value in 2 of 6 cells." in model.notes


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hnp.arrays(np.float64, (3, 1, 2, 3), elements=st.floats(-10, 10)))
def test_vectors_written_and_read_are_the_same(tmp_path, values):
    (tmp_path / "m.msh").write_text(MESH)
    assert ubc.write_model(tmp_path / "m.fld", values) is None
    model = ubc.read_model(tmp_path / "m.msh", {"m": tmp_path / "m.fld"}, missing=())
    for k, name in enumerate(("m_x", "m_y", "m_z")):
        np.testing.assert_array_equal(model.values[name], values[..., k])


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        ([np.nan, 1.0], -99999),
        ([np.nan, -99999.0], -999999),
        ([np.nan, -99999.0, -999999.0], -9999999),
        ([np.nan, -99999.01], -999999),  # which float32 does not tell from -99999
        ([1.0, -99999.0], None),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_what_is_written_for_nan_is_never_among_the_values(tmp_path, values, missing, dtype):
    assert ubc.write_model(tmp_path / "m.mod", np.array(values, dtype)) == missing


def test_a_model_with_nan_anywhere_comes_back_without_being_told(tmp_path):
    values = np.arange(6.0).reshape(3, 1, 2)
    values[1, 0, 1] = np.nan
    (tmp_path / "m.msh").write_text(MESH)
    ubc.write_model(tmp_path / "m.den", values)
    model = ubc.read_model(tmp_path / "m.msh", {"den": tmp_path / "m.den"})
    np.testing.assert_array_equal(model.values["den"], values)


def test_a_chosen_number_for_nan_is_written_or_refused(tmp_path):
    values = np.array([np.nan, -100.0, 3])
    assert ubc.write_model(tmp_path / "m.mod", values, missing=-1) == -1
    assert (tmp_path / "m.mod").read_text() == "-1.0\n-100.0\n3.0\n"
    with pytest.raises(
        ValueError, match="missing=-100 is among the values, so NaN could not be told from it"
    ):
        ubc.write_model(tmp_path / "m.mod", values, missing=-100)
    with pytest.raises(ValueError, match="missing=nan is not a number that every UBC program reads"):
        ubc.write_model(tmp_path / "m.mod", values, missing=np.nan)
    assert (tmp_path / "m.mod").read_text().startswith("-1.0\n")


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (np.array([True, False]), "1\n0\n"),
        (np.array([3, -2], np.int16), "3\n-2\n"),
        (np.array([[1, 2, 200]], np.uint8), "1 2 -200\n"),
        (np.array([0.5, np.nan], np.float16), "0.5\n-99999.0\n"),
    ],
)
def test_codes_and_small_types_are_written_as_numbers(tmp_path, values, text):
    ubc.write_model(tmp_path / "m.mod", values)
    assert (tmp_path / "m.mod").read_text() == text


def test_what_is_no_model_is_not_written(tmp_path):
    with pytest.raises(ValueError, match=r"a model has the axes \(z, y, x\), or one axis .* shape \(3, 2\)"):
        ubc.write_model(tmp_path / "m.mod", np.zeros((3, 2)))
    with pytest.raises(ValueError, match="a value is infinite, which UBC programs do not read"):
        ubc.write_model(tmp_path / "m.mod", np.array([np.inf]))
    with pytest.raises(ValueError, match="a model holds numbers, this array has the type <U1"):
        ubc.write_model(tmp_path / "m.mod", np.array(["a"]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.data
def test_air_of_a_real_magnetic_inversion_is_recognised(data_dir):
    folder = data_dir / "tkc/ubc"
    model = ubc.read_model(folder / "TKC_magSynthetic.msh", {"amp": folder / "model_for_amp.mod"})
    # grep -c -- '-1.0000000e+02' model_for_amp.mod
    assert int(np.isnan(model.values["amp"]).sum()) == 8450
    assert model.notes[1].startswith("8450 cells of 'amp' hold -100, which is taken as air")
    assert np.nanmin(model.values["amp"]) == 0


@pytest.mark.data
@pytest.mark.parametrize("name", ["TKC_condModel.con.gz", "TKC_denModel.den.gz", "TKC_ipModel.chg.gz"])
def test_models_without_air_stay_whole(data_dir, name):
    folder = data_dir / "tkc/ubc"
    model = ubc.read_model(folder / "TKC_finermesh.msh", {"v": folder / name})
    assert not np.isnan(model.values["v"]).any()
    assert model.notes == ()


def test_a_wrong_word_far_down_is_named_with_its_line(tmp_path):
    (tmp_path / "m.msh").write_text("100000 10 1\n0 0 0\n100000*1\n10*1\n1\n")
    # more than is made into numbers at once, and a D exponent before it
    (tmp_path / "m.mod").write_text("1.5D0\n" + "1\n" * 900_000 + "oops\n")
    with pytest.raises(FormatError, match="line 900002: 'oops' is not a number"):
        ubc.read_model(tmp_path / "m.msh", {"v": tmp_path / "m.mod"})
