"""Layers from tables of assays: the right numbers in the right cells, none out of reach, all of it said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyproj
import pytest

from mpm3d import building, checking, cube, inputs, study
from mpm3d.errors import StudyError
from mpm3d.geochemistry import Finding, RobustComponents, read_assays
from mpm3d.grid import FloatArray, Grid
from mpm3d.inputs import assays
from mpm3d.run import RunFolder
from mpm3d.study import AssaysLayer, DepositTable, GridTable, Study
from mpm3d.work import Run

X, Y = 500_000.0, 4_430_000.0
FLAT = GridTable(crs="EPSG:32651", x=(X, X + 2000), y=(Y, Y + 1500), spacing=100.0)
DEEP = FLAT.model_copy(update={"z": (-300.0, 0.0)})
GRID = FLAT.grid()
CELLS = GRID.points()[:, :2]
ELEMENTS = ["Li", "Rb", "Cs", "Be"]


def li(x: Any, y: Any) -> Any:
    """A plane, which linear interpolation gives back."""
    return 40 + 0.02 * (x - X) - 0.01 * (y - Y)


def table(n: int = 80, seed: int = 3) -> pd.DataFrame:
    """Samples in the western three quarters of the area."""
    rng = np.random.default_rng(seed)
    x, y = X + rng.uniform(0, 1500, n), Y + rng.uniform(0, 1500, n)
    common = rng.normal(size=n)
    made = {"sample": np.arange(n), "easting": x, "northing": y, "Li_ppm": li(x, y)}
    for factor, name in ((1, "Rb_ppm"), (1e3, "Cs_ppb"), (1e-4, "Be_%")):
        made[name] = factor * np.exp(2 + common + 0.5 * rng.normal(size=n))
    return pd.DataFrame(made)


def write(folder: Path, made: pd.DataFrame) -> pd.DataFrame:
    made.to_csv(folder / "soil.csv", index=False)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, table())
    return tmp_path


def layer(name: str = "li", **more: Any) -> AssaysLayer:
    settings: dict[str, Any] = {
        "file": "soil.csv",
        "reach": 300.0,
        "method": "linear",
        "element": "Li",
        **more,
    }
    if "component" in settings:
        del settings["element"]
    return AssaysLayer(name=name, units="1", kind="assays", **settings)


def study_of(folder: Path, *layers: AssaysLayer, grid: GridTable = FLAT) -> Study:
    ore = DepositTable(name="A", points="ore.csv")
    return Study(
        name="s", grid=grid, layers=list(layers) or [layer()], deposits=[ore], folder=folder, runs=folder
    )


def made(folder: Path, one: AssaysLayer, grid: GridTable = FLAT) -> tuple[FloatArray, str, list[str]]:
    """Values of all cells, how they came about, and what was said."""
    said: list[str] = []
    fill, how = inputs.filler(study_of(folder, one, grid=grid), one, said.append)
    return np.asarray(fill(grid.grid()), dtype=float), how, said


def refused(folder: Path, message: str, grid: GridTable = FLAT, **more: Any) -> None:
    with pytest.raises(StudyError, match=message) as caught:
        made(folder, layer(**more), grid)
    assert str(caught.value).startswith("layer 'li': ")


def distances(samples: pd.DataFrame) -> FloatArray:
    """Of each cell to the nearest sample, by all pairs."""
    xy = samples[["easting", "northing"]].to_numpy()
    return np.asarray(np.sqrt(((CELLS[:, None] - xy) ** 2).sum(axis=2)).min(axis=1))


def test_a_concentration_is_the_plane_where_samples_reach_and_missing_elsewhere(folder: Path) -> None:
    values, how, said = made(folder, layer())
    flat, near = values.ravel(), distances(table()) <= 300
    has = np.isfinite(flat)
    np.testing.assert_allclose(flat[has], li(*CELLS[has].T), rtol=1e-5)
    assert not has[~near].any()
    assert has.sum() > 150
    assert near.sum() < GRID.n_cells - 20  # the east is out of reach
    assert how.startswith(
        "Li in ppm of 80 samples of soil.csv, mapped by linear, missing farther than 300 m "
    )
    assert "root mean square error on left-out blocks: linear" in how
    assert said[0] == "soil.csv: 80 samples, 4 elements in ppm."
    assert any(re.match(r"soil.csv: 2 columns converted to ppm.*'Cs_ppb', 'Be_%'", line) for line in said)
    assert any(line.startswith("layer li: root mean square error on left-out blocks") for line in said)


def test_a_spline_goes_through_the_samples_and_ends_where_they_no_longer_reach(folder: Path) -> None:
    rows = table()
    at = np.random.default_rng(1).choice(GRID.n_cells // 3, len(rows), replace=False)  # the south
    rows[["easting", "northing"]] = CELLS[at]
    write(folder, rows)
    values, how, _ = made(folder, layer(element="Cs", log10=True, method="spline"))
    np.testing.assert_array_equal(np.isfinite(values.ravel()), distances(rows) <= 300)
    np.testing.assert_allclose(values.ravel()[at], np.log10(rows["Cs_ppb"] / 1000), atol=1e-4)
    assert how.startswith("decimal logarithm of Cs in ppm of 80 samples of soil.csv, mapped by spline")


def test_at_the_samples_a_log_ratio_is_that_of_the_rows_by_hand(folder: Path) -> None:
    """One sample at the centre of each cell of a map, of which the nearest alone counts."""
    rows = table()[:60]
    here = CELLS.reshape(15, 20, 2)[:6, :10].reshape(-1, 2)
    write(folder, rows.assign(easting=here[:, 0], northing=here[:, 1]))
    parts = np.column_stack([rows["Li_ppm"], rows["Rb_ppm"], rows["Cs_ppb"] / 1e3, rows["Be_%"] * 1e4])
    grid = FLAT.model_copy(update={"x": (X, X + 1000), "y": (Y, Y + 600)})
    values, how, _ = made(folder, layer(ratio="clr"), grid)
    logs = np.log(parts)
    np.testing.assert_allclose(values.ravel(), logs[:, 0] - logs.mean(axis=1), atol=1e-5)
    assert how.startswith("centred log-ratio of Li over 4 elements of 60 samples")
    two, how, _ = made(folder, layer(ratio="clr", elements=["Li", "Rb"]), grid)
    np.testing.assert_allclose(two.ravel(), (logs[:, 0] - logs[:, 1]) / 2, atol=1e-5)
    component, how, _ = made(folder, layer(component=2), grid)
    named = pd.DataFrame(parts, columns=ELEMENTS)
    fitted = RobustComponents.fit(named, seed=0)
    np.testing.assert_allclose(component.ravel(), fitted.transform(named)["RPC2"], atol=1e-5)
    assert "components learned from all samples of the table, which holds no labels of deposits" in how
    assert re.match(r"robust component 2 \([\d.]+ % of the variance\) of isometric log-ratios of 4 elem", how)


def test_layers_of_one_file_share_its_reading_and_say_it_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    fitted: list[int] = []
    real, fit = read_assays, RobustComponents.fit
    monkeypatch.setattr(assays, "read_assays", lambda *a: read.append(1) or real(*a))  # type: ignore[func-returns-value]
    monkeypatch.setattr(
        RobustComponents, "fit", lambda *a, **k: fitted.append(1) or fit(*a, **k)  # type: ignore[func-returns-value]
    )  # fmt: skip
    write(folder, table(seed=11))
    layers = [
        layer(),
        layer("a", component=1),
        layer("b", component=2),
        layer("r", ratio="clr", element="Cs"),
    ]
    whole, said = study_of(folder, *layers), list[str]()
    for one in layers:
        inputs.filler(whole, one, said.append)
    assert (len(read), len(fitted)) == (1, 1)
    about = [line for line in said if line.startswith("soil.csv")]
    assert len(about) == len(set(about))
    other: list[str] = []
    inputs.filler(study_of(folder, *layers), layers[0], other.append)
    assert other[0] == about[0]  # another study is told too
    write(folder, table(seed=12))
    inputs.filler(whole, layers[0], said.append)
    assert len(read) == 2  # the file is another one now


def test_missing_values_are_estimated_for_log_ratios_only_and_the_test_of_it_is_said(folder: Path) -> None:
    rows = table()
    rows.loc[:9, "Rb_ppm"] = np.nan
    rows.loc[79, ["Li_ppm", "Rb_ppm", "Cs_ppb", "Be_%"]] = np.nan
    write(folder, rows)
    _, how, said = made(folder, layer(element="Rb"))
    assert how.startswith("Rb in ppm of 69 samples")
    assert "hidden" not in how
    _, how, said = made(folder, layer(element="Rb", ratio="clr", impute="nearest"))
    assert how.startswith("centred log-ratio of Rb over 4 elements of 79 samples")
    assert "10 values of 316 estimated by nearest" in how
    assert "with 10 % of the measured values hidden, errors of log10 against the median's: median 1.00" in how
    assert how.endswith("imputation learned from all samples of the table, which holds no labels of deposits")
    assert "soil.csv: 1 sample without a value of any of the elements left out." in said
    _, how, _ = made(folder, layer(element="Rb", impute="nearest"))
    assert how.startswith("Rb in ppm of 79 samples")


def test_the_imputation_that_finds_hidden_values_best_is_taken_if_none_is_named(folder: Path) -> None:
    rows = table(30)
    rows.loc[:3, "Rb_ppm"] = np.nan
    write(folder, rows)
    _, how, _ = made(folder, layer(element="Rb", ratio="clr"))
    figures = re.search(r"median's: median 1.00, nearest ([\d.]+), forest ([\d.]+); (\w+) is best", how)
    assert figures
    assert figures[3] == ("nearest" if float(figures[1]) < float(figures[2]) else "forest")
    assert f"4 values of 120 estimated by {figures[3]}" in how


def test_an_element_that_few_samples_have_is_left_out_or_asked_for_by_name(folder: Path) -> None:
    rows = table()
    rows.loc[:59, "Be_%"] = np.nan
    write(folder, rows)
    _, how, said = made(folder, layer(ratio="clr"))
    assert "over 3 elements" in how
    assert (
        "soil.csv: 1 element with a value in less than half of the samples, or none measured, left out: 'Be'."
        in said
    )
    refused(folder, r"'Be' has a value in 25 % of the samples of soil.csv, less than half", element="Be",
            ratio="clr")  # fmt: skip
    _, how, _ = made(folder, layer(ratio="clr", element="Be", elements=ELEMENTS, impute="median"))
    assert "over 4 elements" in how
    assert "60 values of 320 estimated by median" in how


def test_a_volume_has_the_map_at_all_depths_whichever_part_is_asked_for(folder: Path) -> None:
    flat, _, _ = made(folder, layer())
    grid = DEEP.grid()
    one = layer()
    fill, how = inputs.filler(study_of(folder, one, grid=DEEP), one, lambda note: None)
    deep = np.asarray(fill(grid))
    np.testing.assert_array_equal(deep, np.broadcast_to(flat, (3, 15, 20)).astype(np.float32))
    assert how.endswith("equal at all depths")
    window = (slice(1, 3), slice(4, 9), slice(2, 12))
    np.testing.assert_array_equal(fill(grid.window(window)), deep[window])
    # every third cell along x, as a check looks at them
    some = Grid((3, 15, 6), (100.0, 100.0, 300.0), (-300.0, Y, X), grid.crs)
    np.testing.assert_array_equal(fill(some), deep[:, :, 1:18:3])


def test_samples_in_degrees_land_where_their_system_says(folder: Path) -> None:
    rows = table()
    back = pyproj.Transformer.from_crs(32651, 4326, always_xy=True)
    lon, lat = back.transform(rows["easting"], rows["northing"])
    write(folder, rows.drop(columns=["easting", "northing"]).assign(lon=lon, lat=lat))
    values, how, _ = made(folder, layer(crs="EPSG:4326"))
    has = np.isfinite(values.ravel())
    assert has.sum() > 150
    np.testing.assert_allclose(values.ravel()[has], li(*CELLS[has].T), rtol=1e-4)
    assert "samples projected from WGS 84" in how
    refused(folder, "the coordinates of soil.csv are degrees of longitude and latitude, and crs is not given")


def test_what_a_table_lacks_is_said_in_one_sentence_with_what_is_near(folder: Path) -> None:
    refused(folder, r"soil.csv has no column 'east' for x and y. It has 'sample', 'easting', 'northing'",
            x="east", y="northing")  # fmt: skip
    refused(folder, r"soil.csv has no element 'Li_ppm'. Did you mean 'Li'\?", element="Li_ppm")
    refused(folder, r"soil.csv has no element 'RB'. Did you mean 'Rb'\?", element="RB")
    refused(folder, r"soil.csv has no element 'Au'. It has 'Li', 'Rb', 'Cs', 'Be'.", element="Au")
    refused(folder, r"soil.csv has no element 'Au'", elements=["Li", "Au"], ratio="clr")
    refused(folder, r"component = 4 is larger than the 3 there are: 4 elements of soil.csv", component=4)
    refused(folder, r"column_units names 'Sn', soil.csv has no such column", column_units={"Sn": "ppm"})
    write(folder, table().rename(columns={"easting": "a", "northing": "b"}))
    refused(folder, r"no columns of coordinates are found in soil.csv. Name them: x = \"easting\"")


def test_samples_elsewhere_or_too_far_are_told_apart(folder: Path) -> None:
    write(folder, table().assign(easting=lambda t: t["easting"] + 50_000))
    refused(folder, r"no sample lies in the area: those of soil.csv span x 550\d{3} to 551\d{3}, y 443")
    rows = table()
    rows[["easting", "northing"]] = np.floor(rows[["easting", "northing"]] / 100) * 100  # corners of cells
    write(folder, rows)
    refused(folder, "no cell of the grid is within 20 m of one of the", reach=20.0)
    write(folder, rows.assign(easting=np.nan))
    refused(folder, "no sample of soil.csv has a place and a value")


def test_an_element_that_nothing_was_measured_of_is_refused(folder: Path) -> None:
    write(folder, table().assign(Li_ppm="<5"))
    message = r"nothing of 'Li' was measured in soil.csv: all its 80 values are below or above a limit of "
    refused(folder, message)
    refused(folder, message, ratio="clr")
    _, _, said = made(folder, layer(component=1))
    assert any(one.endswith("or none measured, left out: 'Li'.") for one in said)
    for worthless in (-9999, -5, 0):
        write(folder, table().assign(Li_ppm=worthless))
        refused(folder, r"nothing of 'Li' was measured in soil.csv: all its values are empty, codes")


def test_units_that_no_name_says_are_asked_for_and_taken(folder: Path) -> None:
    write(folder, table().rename(columns={"Li_ppm": "Li", "Cs_ppb": "Cs"}))
    refused(
        folder, r"the unit of 'Li', 'Cs' in soil.csv is not known. Say which: column_units = \{ \"\*\" = "
    )
    known, _, _ = made(folder, layer(element="Cs", column_units={"*": "ppm", "Cs": "ppb"}))
    write(folder, table())
    same, _, _ = made(folder, layer(element="Cs"))
    np.testing.assert_array_equal(known, same)


def test_a_map_that_knows_no_more_than_the_mean_is_said_to(folder: Path) -> None:
    noise = np.exp(np.random.default_rng(0).normal(size=80))
    write(folder, table().assign(Rb_ppm=noise))
    _, how, said = made(folder, layer(element="Rb", method="linear"))
    assert "between the samples this map knows no more than their mean" in how
    assert "no more than their mean" not in " ".join(made(folder, layer())[2])
    assert any("no more than their mean" in line for line in said)


def test_what_the_reader_found_often_is_summed_up(folder: Path) -> None:
    found = [Finding("twice", f"f{k}.") for k in range(5)]
    told = assays._said(found, "soil.csv")
    assert told == [
        "soil.csv: f0.",
        "soil.csv: f1.",
        "soil.csv: f2.",
        "soil.csv: 2 more findings of these sorts.",
    ]


def test_the_seed_of_the_study_is_part_of_what_a_layer_depends_on(folder: Path) -> None:
    whole = study_of(folder)
    other = whole.model_copy(update={"seed": 1})
    assert inputs.recipe(whole, layer(), "f") != inputs.recipe(other, layer(), "f")


def test_a_cube_keeps_how_a_layer_came_about_and_a_picture_of_its_loadings(folder: Path) -> None:
    layers = [layer("a", component=1), layer("b", component=2), layer("c", component=3)]
    whole, said = study_of(folder, *layers), list[str]()
    run = Run(whole, RunFolder(whole.run_folder), say=said.append)
    with run.folder.locked():
        ds = building.build(run)
    for one in layers:
        assert ds[one.name].attrs["derivation"].startswith(f"robust component {one.component} (")
        assert ds[one.name].attrs["source"] == ["soil.csv"]
    assert sorted(path.name for path in run.path("figures").iterdir()) == [
        "loadings_soil.png", "loadings_soil_c.png",
    ]  # fmt: skip
    assert "layer a: loadings of the elements in figures/loadings_soil.png." in said
    assert set(cube.layers_of(ds)) == {"a", "b", "c"}


def test_loadings_of_different_elements_have_pictures_of_their_own_and_two_elements_none(
    folder: Path,
) -> None:
    layers = [layer("a", component=1), layer("b", component=1, elements=ELEMENTS[:3]),
              layer("two", component=1, elements=ELEMENTS[:2])]  # fmt: skip
    whole = study_of(folder, *layers)
    drawn = [inputs.draw_loadings(whole, one, folder) for one in layers]
    assert [path.name if path else None for path in drawn] == [
        "loadings_soil_a.png",
        "loadings_soil_b.png",
        None,
    ]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"element": ""}, "give element = 'Li' or component = 1, one of the two"),
        ({"x": "a"}, "x = 'a' and y = '': name both columns, or none"),
        ({"component": 1, "ratio": "clr"}, "ratio = 'clr' needs an element"),
        ({"ratio": "clr", "log10": True}, "log10 is for concentrations"),
        ({"elements": ["Li", "Rb"]}, "elements are what log-ratios and imputation are over"),
        ({"ratio": "clr", "elements": ["Li", "Li"]}, "log-ratios need two elements or more, each named once"),
        ({"ratio": "clr", "elements": ["Rb", "Cs"]}, "element 'Li' is not one of elements"),
        ({"column_units": {"Li": "oz"}}, "the unit 'oz' is not known, it is one of ppb, ppm"),
        ({"reach": 0.0}, "greater than 0"),
        ({"crs": "EPSG:1"}, "'EPSG:1' is not a coordinate reference system"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(**more)


def test_a_check_finds_maps_without_skill_and_what_is_doubtful_in_a_table_once(folder: Path) -> None:
    rows = table().assign(Rb_ppm=np.exp(np.random.default_rng(0).normal(size=80)))
    rows.loc[:9, "Li_ppm"] = -5.0
    rows.loc[10:12, "Cs_ppb"] = -9999
    write(folder, rows)
    (folder / "ore.csv").write_text("x,y\n500100,4430100\n")
    head = f'name = "s"\n[grid]\ncrs = "EPSG:32651"\nspacing = 100.0\nx = [{X}, {X + 2000}]\n'
    head += f"y = [{Y}, {Y + 1500}]\n"
    tables = "".join(
        f'[[layers]]\nname = "{one}"\nkind = "assays"\nfile = "soil.csv"\nelement = "{one}"\nreach = 300.0\n'
        'method = "linear"\nunits = "ppm"\n'
        for one in ("Li", "Rb")
    )
    ore = '[[deposits]]\nname = "A"\npoints = "ore.csv"\n'
    (folder / "study.toml").write_text(head + tables + ore)
    done = checking.check_study(folder / "study.toml").findings
    found = [(one.kind, one.about) for one in done]
    assert [one.text for one in done if one.kind == "assays"] == [
        "-9999 stands for missing in 3 rows of 1 column ('Cs_ppb'), 3 values; missing.",
        "10 values of 'Li_ppm' are negative, which no amount is; missing. If -5 means <5 there, read with "
        'negatives = "censored".',
    ]
    (poor,) = (one for one in done if one.kind == "no_skill")
    assert poor.text.startswith("the error on left-out blocks")
    assert ("no_skill", "layer 'Rb'") in found
    assert ("no_skill", "layer 'Li'") not in found
    assert ("missing", "layer 'Li'") in found
    (folder / "study.toml").write_text(head + tables.replace('element = "Li"', 'element = "LI"') + ore)
    done = checking.check_study(folder / "study.toml")
    assert "soil.csv has no element 'LI'. Did you mean 'Li'?" in [one.text for one in done.findings]


def test_what_the_template_says_of_assays_is_known(folder: Path) -> None:
    chunks = [part for part in study.template().split("\n\n") if 'kind = "assays"' in part]
    assert len(chunks) == 2
    text = re.sub(r"^# ", "", "\n".join(chunks), flags=re.MULTILINE).replace("soils.csv", "soil.csv")
    (folder / "ore.csv").write_text("x,y\n500100,4430100\n")
    head = f'name = "s"\n[grid]\ncrs = "EPSG:32651"\nx = [{X}, {X + 2000}]\ny = [{Y}, {Y + 1500}]\n'
    (folder / "study.toml").write_text(f'{head}{text}\n[[deposits]]\nname = "A"\npoints = "ore.csv"\n')
    found = study.load(folder / "study.toml").layers
    assert [one.kind for one in found] == ["assays", "assays"]
    wrong = text.replace('element = "Li"', 'element = "Li"\ncomponent = 1')
    (folder / "study.toml").write_text(f'{head}{wrong}\n[[deposits]]\nname = "A"\npoints = "ore.csv"\n')
    with pytest.raises(StudyError, match=r"\[layers 'lithium'\]: give element = 'Li' or component = 1, one"):
        study.load(folder / "study.toml")
