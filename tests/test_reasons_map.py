"""A map explained by the stage: a planted layer first, sums that hold, rows of deposits, files for a GIS."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
from rasterio.transform import from_origin

from mpm3d import cube, maps, reasons, stages, storage, study
from mpm3d.grid import Grid
from mpm3d.reasons import figures, heat, step, store
from mpm3d.reasons.deposits import DepositTally
from mpm3d.reasons.leading import leading_on
from mpm3d.reasons.summary import Crowd, Summary, Tally
from mpm3d.run import RunFolder

KINDS = ("devnet", "forest", "pu", "dl1")
ROWS, COLUMNS, CELL = 24, 30, 100.0
STUDY = """
name = "planted"
note = "Made for a test."
seed = 3

[grid]
crs = "EPSG:32754"
spacing = 100.0
x = [500000.0, 503000.0]
y = [6500000.0, 6502400.0]

[[layers]]
name = "noise"
kind = "raster"
file = "noise.tif"
units = "1"

[[layers]]
name = "planted"
kind = "raster"
file = "planted.tif"
units = "nT"

[[layers]]
name = "waves"
kind = "raster"
file = "waves.tif"
units = "1"

[[deposits]]
name = "known"
points = "known.csv"
each = true
name_column = "name"

[[deposits]]
name = "hidden"
points = "blind.csv"
each = true
name_column = "name"
blind = true

[samples]
stand_off = 150.0
negatives_per_positive = 30
pool = 450
background = 150

[[models]]
kind = "devnet"
epochs = 30

[[models]]
kind = "forest"
trees = 20

[[models]]
kind = "pu"
base = { kind = "forest", trees = 5, depth = 4 }
bags = 3

[[models]]
kind = "dl1"
epochs = 15

[predict]
models = "all"
workers = 1

[targets]
share = 0.05
min_area = 0.0
"""


def planted_study(folder: Path) -> Path:
    """Twelve deposits in the highest places of a layer, three of them blind; two layers mean nothing."""
    rng = np.random.default_rng(5)
    planted = np.zeros((ROWS, COLUMNS))  # first row in the south
    cells = [(j, i) for j in (3, 11, 19) for i in (3, 10, 18, 26)]
    for j, i in cells:
        planted[j - 1 : j + 2, i - 1 : i + 2] = 100 + rng.normal(0, 3, (3, 3))
    planted += rng.normal(0, 10, planted.shape)
    waves = np.add.outer(np.sin(np.arange(ROWS)), np.cos(np.arange(COLUMNS)))
    layers = {"planted": planted, "noise": rng.normal(size=planted.shape), "waves": waves}
    folder.mkdir()
    for name, values in layers.items():
        profile = {
            "driver": "GTiff", "height": ROWS, "width": COLUMNS, "count": 1, "dtype": "float32",
            "crs": "EPSG:32754", "transform": from_origin(500_000, 6_502_400, CELL, CELL), "nodata": -99.0,
        }  # fmt: skip
        values[0, 0] = -99.0 if name == "waves" else values[0, 0]
        with rasterio.open(folder / f"{name}.tif", "w", **profile) as file:
            file.write(values[::-1].astype(np.float32), 1)
    lines = [f"D{k},{500_050 + CELL * i},{6_500_050 + CELL * j}" for k, (j, i) in enumerate(cells)]
    for name, rows in (("known", lines[:9]), ("blind", lines[9:])):
        (folder / f"{name}.csv").write_text("\n".join(["name,x,y", *rows]), encoding="utf-8")
    (folder / "study.toml").write_text(STUDY, encoding="utf-8")
    return folder


def opened(folder: Path, said: list[str] | None = None) -> stages.Run:
    loaded = study.load(folder / "study.toml")
    told = [] if said is None else said
    return stages.Run(loaded, RunFolder(loaded.run_folder), say=told.append)


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory) -> tuple[stages.Run, dict[str, Summary], list[str]]:
    """The study with all its models explained, fast as maps of this size are."""
    folder, said = planted_study(tmp_path_factory.mktemp("planted") / "study"), []
    run = opened(folder, said)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "DRAWN", {})
        patch.setattr(step, "rate_of", lambda *told: 1000.0)
        found = {"forest": stages.explain(run, model="forest")}
        for name in ("draw_leading", "draw_deposits"):  # the pictures of one model are enough
            patch.setattr(reasons, name, lambda *told: None)
        found |= {kind: stages.explain(run, model=kind) for kind in KINDS if kind != "forest"}
    return run, found, said


Explained = tuple[stages.Run, dict[str, Summary], list[str]]


def stored(run: stages.Run, kind: str) -> tuple[np.ndarray, np.ndarray, float]:
    """Attributions ``(layer, y, x)``, scores ``(y, x)`` and the base, as they are in the stores."""
    ending = f"_{kind}" if kind != KINDS[0] else ""
    group = storage.group(run.path(f"attributions{ending}.zarr"), "r")
    score = cube.open(run.path(f"prospectivity{ending}.zarr"))["score"].values[0]
    return group["attribution"][:, 0].astype(float), score.astype(float), float(group.attrs["base"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_planted_layer_comes_first_and_sums_are_the_stored_scores(explained: Explained, kind: str) -> None:
    run, found, _ = explained
    values, score, base = stored(run, kind)
    there = ~np.isnan(score)
    assert there.sum() == ROWS * COLUMNS - 1  # one cell lacks a layer
    np.testing.assert_array_equal(np.isnan(values).any(axis=0), ~there)
    size = max(1.0, np.abs(score[there]).max(), np.abs(values[:, there]).sum(axis=0).max())
    missed = np.abs(base + values.sum(axis=0) - score)[there].max()
    assert missed <= 1e-5 * size
    assert found[kind].gap == pytest.approx(missed, abs=1e-12)
    strength = np.abs(values[:, there]).mean(axis=1)
    layers = found[kind].layers
    assert layers[strength.argmax()] == layers[found[kind].order[0]] == "planted"
    for one in found[kind].deposits:  # of each deposit too, blind ones as well
        assert layers[one.tally.total.argmax()] == "planted", one.name


def test_networks_of_a_map_are_explained_on_flat_patches(explained: Explained) -> None:
    run, _, _ = explained
    group = storage.group(run.path("attributions_dl1.zarr"), "r")
    assert "all 8 sets of them scored" in group.attrs["method"]
    assert run.patch_shape == (1, 3, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_each_deposit_has_rows_that_add_up_to_the_score_of_its_cell(explained: Explained, kind: str) -> None:
    run, found, _ = explained
    values, score, _ = stored(run, kind)
    table = pd.read_csv(run.path(f"attributions{'' if kind == KINDS[0] else '_' + kind}.csv"))
    rows = table[table["what"].isin(["known deposit", "blind deposit"])]
    blind = rows.loc[rows["what"] == "blind deposit", "where"].unique()
    assert sorted(blind) == ["deposit D10", "deposit D11", "deposit D9"]
    assert rows["where"].nunique() == 12
    for one in [*run.known, *run.blind]:
        own = rows[rows["where"] == f"deposit {one.name}"].set_index("layer")
        (_, y, x), *_ = one.cells.tolist()
        np.testing.assert_allclose(
            own.loc[list(found[kind].layers), "mean"], values[:, y, x], rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(own["score"], score[y, x], rtol=1e-4, atol=2e-5)
        np.testing.assert_allclose(own["base"] + own["mean"].sum(), score[y, x], rtol=1e-4, atol=2e-5)
        assert (own["n_cells"] == 1).all()
    assert set(table.loc[table["what"] == "area", "where"]) == {"area"}
    assert "volume" not in table.to_csv()


def test_what_is_said_of_a_map_is_of_an_area_and_has_the_sum(explained: Explained) -> None:
    run, found, said = explained
    text = "\n".join(said).replace(str(run.folder.place), "")
    assert "volume" not in text.lower()
    assert f"{ROWS * COLUMNS - 1} cells of the area" in text
    for kind in KINDS:
        told = f"give the score of every explained cell to within {found[kind].gap:.1g}."
        assert f"explain {kind}: the score without any layer and what the layers add {told}" in text


def test_a_gis_gets_a_band_for_each_layer_where_the_cells_are(explained: Explained) -> None:
    run, found, _ = explained
    values, _, _ = stored(run, "forest")
    with rasterio.open(run.path("attributions_forest.tif")) as file:
        assert file.descriptions == found["forest"].layers == ("noise", "planted", "waves")
        assert file.units == ("score of forest",) * 3
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.bounds[:] == (500_000, 6_500_000, 503_000, 6_502_400)
        np.testing.assert_array_equal(file.read()[:, ::-1], values.astype(np.float32))
        # a place, not an index: the first deposit
        (at,) = file.sample([(500_350, 6_500_350)])
        np.testing.assert_array_equal(at, values[:, 3, 3].astype(np.float32))
    for name in ("attribution_leading_forest.png", "attribution_deposits_forest.png"):
        assert run.path(f"figures/{name}").read_bytes().startswith(b"\x89PNG"), name


def test_a_lattice_becomes_larger_pixels_about_the_same_centres(
    explained: Explained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _, _ = explained
    wanted = store.Wanted(run.grid.shape, 4)
    from mpm3d.reasons import leading

    monkeypatch.setattr(leading, "place_of", lambda run, number, name="attributions_forest.zarr": (
        tmp_path / name if name.endswith(".tif") else run.path("attributions_forest.zarr")
    ))  # fmt: skip
    values, _, _ = stored(run, "forest")
    with rasterio.open(leading.write_bands(run, 1, wanted)) as file:
        assert file.res == (400.0, 400.0)
        (at,) = file.sample([(500_000 + 2.5 * CELL, 6_500_000 + 6.5 * CELL)])  # the cell in column 2, row 6
        np.testing.assert_array_equal(at, values[:, 6, 2].astype(np.float32))
    assert leading_on(values.astype(np.float32), wanted).shape == (6, 7)


def test_a_small_map_is_explained_in_every_cell_unless_that_takes_long_or_the_study_says(
    explained: Explained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _, _ = explained
    subject = store_subject(run)
    monkeypatch.setattr(step, "rate_of", lambda *told: ROWS * COLUMNS / step.PATIENCE)
    monkeypatch.setattr(step, "is_current", lambda *told: False)
    assert step.step_of(run, 1, subject) == 1
    monkeypatch.setattr(step, "rate_of", lambda *told: 0.9 * ROWS * COLUMNS / step.PATIENCE)
    assert step.step_of(run, 1, subject) == 4
    monkeypatch.setattr(step, "is_current", lambda *told: True)
    assert step.step_of(run, 1, subject) == 1  # an earlier run has explained all of it
    named = study.load(run.study.folder / "study.toml")
    object.__setattr__(named, "explain", study.ExplainTable(every=3))
    other = stages.Run(named, run.folder, say=lambda text: None)
    assert step.step_of(other, 1, subject) == 3


def store_subject(run: stages.Run):  # type: ignore[no-untyped-def]
    from mpm3d.reasons.subject import subject_of

    return subject_of(run, 1)


def test_the_rate_of_what_takes_no_time_is_that_of_many_cells(explained: Explained) -> None:
    from mpm3d.reasons.volume import rate_of

    run, _, _ = explained
    assert rate_of(store_subject(run), 1) > 0


def test_bands_and_names_must_be_as_many(tmp_path: Path) -> None:
    grid = Grid.from_bounds((0, 0, -5, 30, 20, 5), 10.0, "EPSG:32754")
    with pytest.raises(ValueError, match=r"2 bands have 1 names. Give one for each"):
        maps.write_bands(tmp_path / "x.tif", np.zeros((2, 2, 3)), grid, names=["a"], units="1")
    bands = np.stack([np.zeros((2, 3)), np.full((2, 3), 1e39)])
    with pytest.raises(ValueError, match=r"'b' holds numbers beyond"):
        maps.write_bands(tmp_path / "x.tif", bands, grid, names=["a", "b"], units="1")
    assert not (tmp_path / "x.tif").exists()


# the picture of deposits


def summary_of(rng: np.random.Generator, n_layers: int, n_deposits: int, *, scored: int = 1) -> Summary:
    whole = Tally(n_layers)
    whole.add(rng.normal(size=(n_layers, 40)))
    deposits = []
    for number in range(n_deposits):
        tally = Tally(n_layers)
        tally.add(rng.normal(size=(n_layers, scored)))
        deposits.append(DepositTally(f"Old $mine_{number} North Extension", number % 5 == 4, tally))
    names = tuple(f"distance_to_layer_number_{i}" for i in range(n_layers))
    empty = Crowd(np.zeros((0, n_layers)), np.zeros((0, n_layers)), np.zeros(0))
    crowds = {"volume": empty, "targets": empty}
    return Summary(names, 0.1, whole, {}, crowds, (), deposits, "area")


@pytest.mark.parametrize(("layers", "deposits"), [(1, 1), (42, 23)])
def test_deposits_are_drawn_for_few_and_many(
    artefacts: Path, rng: np.random.Generator, layers: int, deposits: int
) -> None:
    look = figures.Look("pu", {}, {}, "exact", "A note.")
    path = artefacts / f"deposits_{layers}_{deposits}.png"
    assert heat.draw_deposits(summary_of(rng, layers, deposits), path, look).stat().st_size > 10_000


def test_blind_deposits_keep_their_places_where_there_are_too_many(rng: np.random.Generator) -> None:
    rows, lacking = heat._rows(summary_of(rng, 3, 90))
    assert (len(rows), lacking) == (60, 30)
    blind = [one.blind for one in rows]
    assert sum(blind) == 18  # all of them
    assert blind == sorted(blind)  # below the known ones
    scores = [one.tally.total.sum() for one in rows if not one.blind]
    assert scores == sorted(scores, reverse=True)


def test_deposits_without_a_score_draw_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="no deposit with a score to draw"):
        heat.draw_deposits(
            summary_of(rng, 2, 3, scored=0), tmp_path / "x.png", figures.Look("pu", {}, {}, "exact")
        )
