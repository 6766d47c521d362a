"""The page and the model card: what they say is what the run has, and the page works by itself."""

from __future__ import annotations

import csv
import dataclasses
import io as memory
import math
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from mpm3d import report, reporting, stages, study, view
from mpm3d.cli import app
from mpm3d.errors import StudyError
from mpm3d.geometry import Lines, Surface
from mpm3d.grid import Grid
from mpm3d.report import bodies, figures, page, view3d, words
from mpm3d.report.content import Report
from mpm3d.run import RunFolder
from tests.conftest import small_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# 1 km a side where float32 steps by 0.5 m in the northing
GRID = Grid((20, 20, 20), (50, 50, 50), (-800, 4430000, 500000), "EPSG:32651")
EVIL = "<script>window.pwned=1</script>"


def box(name: str, low: tuple[float, float, float], high: tuple[float, float, float]) -> Surface:
    corners = np.array([[(low, high)[(n >> axis) & 1][axis] for axis in range(3)] for n in range(8)], float)
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [half for a, b, c, d in sides for half in ((a, b, c), (a, c, d))]
    return Surface(name, corners, np.array(triangles, np.int64))


BOXES = {
    "T01": ((500600.0, 4430100.0, -100.0), (500800.0, 4430250.0, 50.0)),
    "T02": ((500100.0, 4430600.0, -600.0), (500150.0, 4430700.0, -500.0)),
    "T03": ((500300.0, 4430300.0, -300.0), (500400.0, 4430400.0, -200.0)),
}
KINDS = {"T01": "new", "T02": "extension", "T03": "known deposit"}


def target_rows() -> pd.DataFrame:
    rows = []
    for rank, (name, (low, high)) in enumerate(BOXES.items(), start=1):
        middle = (np.array(low) + high) / 2
        rows.append(
            {
                "id": name,
                "rank": rank,
                "x": middle[0],
                "y": middle[1],
                "elevation": middle[2],
                "volume_m3": float(np.prod(np.array(high) - low)),
                "kind": KINDS[name],
                "n_cells": 36,
                "z_top": high[2],
                "z_base": low[2],
                "depth_top": 150 - high[2],
                "depth_base": 150 - low[2],
                "mean_score": 1 - 0.05 * rank,
                "peak_score": 0.99,
                "spread": [math.nan, 0.04, 0.02][rank - 1],
                "deposit": "" if rank == 1 else "Kuh",
                "nearest_deposit": "Kuh",
                "distance_m": 400.0 * (rank == 1),
                "x_min": low[0],
                "x_max": high[0],
                "y_min": low[1],
                "y_max": high[1],
                "ranking": 0.9 - 0.1 * rank,
                "extrapolated": 0.25,
                "zone": "",
                "reasons_for": "density +0.12; fault_distance +0.08" if rank < 3 else "",
                "reasons_against": "resistivity -0.03" if rank == 1 else "",
                "hole": "D01" if rank == 1 else "",
                "hole_note": "" if rank == 1 else "no collar is allowed.",
            }
        )
    return pd.DataFrame(rows)


def comparison(left_out: float = 0.956, blind: float = 0.927) -> pd.DataFrame:
    rows = [
        ("random", "auc", 0.994, 1, True),
        ("random", "accuracy", 0.95, 1, True),
        ("deposit", "auc", left_out, 1, False),
        ("deposit", "capture@0.02", 0.479, 1, False),
        ("deposit", "median_rank", 0.038, 1, False),
        ("blind", "auc", blind, 1, False),
        ("blind", "capture@0.02", 0.0, 1, False),
    ]
    return pd.DataFrame(
        [
            {
                "model": model,
                "scheme": scheme,
                "metric": metric,
                "mean": mean - 0.01 * (model == "forest"),
                "low": math.nan,
                "high": math.nan,
                "n": n,
                "n_of": "repeats",
                "optimistic": flag,
            }
            for model in ("dl4", "forest")
            for scheme, metric, mean, n, flag in rows
        ]
    )


def per_deposit(captures: dict[str, float], blind: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "model": "dl4",
                "scheme": scheme,
                "deposit": name,
                "style": "vein",
                "cells": 100,
                "auc": 0.9 + 0.01 * n,
                "capture@0.02": value,
                "median_rank": 0.05,
                "n": 1,
                "optimistic": False,
            }
            for scheme, values in (("deposit", captures), ("blind", blind))
            for n, (name, value) in enumerate(values.items())
        ]
    )


HOLES = pd.DataFrame(
    [
        {
            "id": "D01",
            "target": "T01",
            "x": 500700.0,
            "y": 4430000.0,
            "elevation": 150.0,
            "azimuth": 0.0,
            "dip": 60.0,
            "length": 320.0,
            "cells_cut": 5,
            "best_score": 0.97,
            "mean_score": 0.91,
            "from_m": 120.0,
            "to_m": 300.0,
            "note": "",
        }
    ]
)


def picture(size: tuple[int, int] = (60, 40)) -> bytes:
    held = memory.BytesIO()
    Image.new("RGB", size, "#3366aa").save(held, "PNG")
    return held.getvalue()


def example_scene() -> view.Scene:
    fault = Surface(
        "F1",
        np.array([[500000, 4430000, 200], [501000, 4430900, 200], [501000, 4430900, -800.0]]),
        np.array([[0, 1, 2]]),
    )
    x, y = np.meshgrid([500000.0, 501000.0], [4430000.0, 4431000.0])
    ground = Surface(
        "ground",
        np.column_stack([x.ravel(), y.ravel(), [100, 150, 180, 200.0]]),
        np.array([[0, 1, 2], [1, 3, 2]]),
    )
    hole = Lines("D01", np.array([[500700, 4430000, 150], [500700, 4430160, -127.0]]), np.array([[0, 1]]))
    surfaces = {
        "deposit": [box("Kuh", (500280, 4430280, -320), (500420, 4430420, -180))],
        "blind deposit": [box("Tal", (500800, 4430800, -500), (500900, 4430900, -400))],
        "fault": [fault],
        "topography": [ground],
        "drillhole": [hole],
    }
    return view.make_scene(title="x", grid=GRID, score=np.zeros(GRID.shape), threshold=0.5, surfaces=surfaces)


def example(**changes: Any) -> Report:
    scene = example_scene()
    groups, thinned = report.groups_of(scene, [box(name, *ends) for name, ends in BOXES.items()])
    layers = tuple(
        report.LayerFacts(name, long, unit, "resampled", (report.SourceFile(f"{name}.den", "ab" * 32),))
        for name, long, unit in (
            ("density", "Density contrast", "g/cm3"),
            ("fault_distance", "Distance to faults", "m"),
            ("resistivity", "", "log10(ohm.m)"),
        )
    )
    verbs = ("run", "validate", "targets", "explain", "view", "report", "picture")
    whole = Report(
        name="hills",
        note="An invented place.",
        crs="EPSG:32651, WGS 84 / UTM zone 51N",
        model="dl4",
        targets=target_rows(),
        comparison=comparison(),
        deposits=per_deposit({"Kuh": 0.9, "Rud": 0.0, "Sang": 0.3, "Dasht": 0.0, "Bagh": 0.1}, {"Tal": 0.0}),
        holes=HOLES,
        volume={"share": 0.11, "threshold": 0.78, "extrapolated": 0.014, "n_scored": 8000.0},
        centres={"Kuh": (500350.0, 4430350.0, -250.0)},
        layers=layers,
        figures={name: picture() for name in ("targets", *(kind.name for kind in figures.KINDS))},
        run={
            "command": ["mpm3d", "run", "study.toml"],
            "versions": {"mpm3d": "0.1.0", "numpy": "2.4.6"},
            "stages": {"build": {"key": "k1", "seconds": 1.0, "cube": "c" * 64}},
        },
        model_info={
            "model": "dl4",
            "kind": "probability",
            "layers": ["density"],
            "patch_shape": [3, 3, 3],
            "hash": "f" * 64,
            "members": [
                {
                    "folder": "member_00",
                    "sha256": "e" * 64,
                    "n_positive": 600,
                    "n_negative": 600,
                    "note": "2 epochs.",
                }
            ],
            "seed": 12,
        },
        known=("Kuh", "Rud", "Sang", "Dasht", "Bagh"),
        blind=("Tal",),
        groups=groups,
        bounds=scene.bounds,
        origin=scene.origin,
        commands={verb: f"mpm3d {verb} study.toml" for verb in verbs},
        thinned=thinned,
        attributed={"density": 0.05, "fault_distance": 0.04},
        settings={"Seed": "12"},
    )
    return dataclasses.replace(whole, **changes)


class Reader(HTMLParser):
    """What a browser would make of a page: its elements, and the text outside style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._deaf = ""
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words).replace("\N{NO-BREAK SPACE}", " "))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._deaf = tag if tag in ("style", "script") else self._deaf

    def handle_endtag(self, tag: str) -> None:
        self._deaf = "" if tag == self._deaf else self._deaf

    def handle_data(self, data: str) -> None:
        if not self._deaf:
            self.words.append(data)

    def cells(self, target: str) -> dict[str, str]:
        """Raw values of the row of a target by field."""
        found: dict[str, str] = {}
        inside = False
        for name, attributes in self.elements:
            inside = attributes.get("data-target") == target if name == "tbody" else inside
            if inside and "data-field" in attributes:
                found[str(attributes["data-field"])] = str(attributes["data-value"])
        return found


@pytest.fixture(scope="module")
def whole() -> Reader:
    return Reader(report.render(example()))


# What the page says


def test_the_summary_says_where_the_best_target_is(whole: Reader) -> None:
    # the centre of T01's box, and from the centre of Kuh 350 m to the east and 175 m to the south of it
    assert "500,700 E, 4,430,175 N, elevation −25 m" in whole.text
    assert "EPSG:32651, WGS 84 / UTM zone 51N" in whole.text
    assert "from 100 m down to 250 m" in whole.text
    assert "4.5 million m³ of rock; 200 m west–east, 150 m south–north, 150 m high" in whole.text
    assert "391 m east-south-east of the centre of Kuh" in whole.text
    assert "T01: 400 m from Kuh, to the east-south-east" in whole.text
    assert "All of it ranks among the best 11 % of the volume" in whole.text


def test_the_summary_says_how_sure_beside_what_the_random_split_claims(whole: Reader) -> None:
    # of six deposits Kuh, Sang and Bagh have more than 2 % in the best 2 %, the blind one does not
    assert "Half sure: the best 2 % of the volume held part of 3 of 6 deposits" in whole.text
    assert (
        "outrank other ground 96 times in 100 (AUC 0.956, worst 0.900, Kuh; guessing: 50 times)" in whole.text
    )
    assert "hold 48 % of a deposit" in whole.text
    assert (
        "1 deposit never shown to it: their cells outrank other ground 93 times in 100 (AUC 0.927;"
        in whole.text
    )
    assert "The random split claims AUC 0.994. That is too good" in whole.text
    assert "One model was trained" in whole.text
    assert (
        "25 % of this target is ground unlike any it was trained on (of the whole volume: 1.4 %)"
        in whole.text
    )


def test_the_summary_says_why_and_what_to_drill(whole: Reader) -> None:
    assert "Mostly for its density contrast and distance to faults." in whole.text
    assert "Density contrast +0.12" in whole.text
    assert "resistivity −0.03" in whole.text
    assert "D01: 320 m, towards 0°, 60° down" in whole.text
    assert "500,700 E, 4,430,000 N, elevation 150 m" in whole.text
    assert "from 120 m to 300 m down the hole, 5 cells" in whole.text


@pytest.mark.parametrize(
    ("captures", "blind", "auc", "word"),
    [
        ({"A": 0.9, "B": 0.4, "C": 0.3, "D": 0.5, "E": 0.0}, {"F": 0.2}, 0.95, "Fairly sure"),
        (
            {"A": 0.9, "B": 0.4, "C": 0.3, "D": 0.5, "E": 0.0},
            {"F": 0.0},
            0.95,
            "Half sure",
        ),  # a blind one missed
        ({"A": 0.9, "B": 0.4, "C": 0.3, "D": 0.5, "E": 0.6}, {}, 0.85, "Half sure"),
        ({"A": 0.9, "B": 0.4, "C": 0.3, "D": 0.5}, {}, 0.99, "Half sure"),  # four are few
        ({"A": 0.9, "B": 0.0, "C": 0.02}, {}, 0.95, "Not sure"),  # a guess holds 2 % of C too
        ({"A": 0.9, "B": 0.4, "C": 0.3}, {}, 0.69, "Not sure"),
        ({}, {}, 0.95, "Nobody knows"),
    ],
)
def test_the_word_for_sureness_follows_the_stated_rule(
    captures: dict[str, float], blind: dict[str, float], auc: float, word: str
) -> None:
    table = comparison(auc, 0.95)
    if not blind:
        table = table[table["scheme"] != "blind"]
    found = words.sureness(example(comparison=table, deposits=per_deposit(captures, blind)))
    assert found.word == word
    assert found.tests == len(captures) + len(blind)


def test_known_ore_and_zones_are_not_the_best_target() -> None:
    table = target_rows()
    table["kind"] = ["zone", "known deposit", "new"]
    best = example(targets=table).best
    assert best is not None
    assert best["id"] == "T03"
    table["kind"] = ["known deposit", "zone", "known deposit"]
    best = example(targets=table).best
    assert best is not None
    assert best["id"] == "T02", "a zone is better than nothing"
    table["kind"] = "known deposit"
    assert "All targets are mostly known ore" in Reader(report.render(example(targets=table))).text


def test_a_run_without_some_parts_says_which_command_makes_them() -> None:
    bare = target_rows().drop(
        columns=["reasons_for", "reasons_against", "hole", "hole_note", "ranking", "x_min"]
    )
    nothing = pd.DataFrame(columns=comparison().columns)
    lean = example(
        targets=bare,
        comparison=nothing,
        deposits=pd.DataFrame(),
        holes=pd.DataFrame(),
        figures={},
        blind=(),
        attributed={},
        groups=(),
        volume={},
        centres={},
        run={},
        model_info={},
    )
    text = Reader(report.render(lean)).text
    for sentence in (
        "Nobody knows: the model was not tested",
        "Test it with: mpm3d validate study.toml",
        "Compute it with: mpm3d explain study.toml",
        "Make the targets again: mpm3d targets study.toml",
        "See the run in a window with: mpm3d view study.toml",
        "Draw it with: mpm3d picture study.toml",
        "How far members of the ensemble differ is not known",
    ):
        assert sentence in text, sentence
    assert "nan" not in text.lower().split()
    assert "mpm3d validate study.toml" in report.model_card(lean)


def test_a_run_with_no_target_or_no_blind_deposit_says_so() -> None:
    none = example(targets=target_rows().iloc[:0], groups=())
    assert "No target was found." in Reader(report.render(none)).text
    shown = comparison()[lambda table: table["scheme"] != "blind"]
    text = Reader(
        report.render(example(blind=(), comparison=shown, deposits=per_deposit({"Kuh": 0.5}, {})))
    ).text
    assert "No deposit was kept blind, so nothing checks the choices made on the way." in text


def test_numbers_on_the_page_are_those_of_the_tables(whole: Reader) -> None:
    for row in target_rows().to_dict("records"):
        cells = whole.cells(row["id"])
        for field in ("x", "y", "elevation", "volume_m3", "mean_score", "depth_top", "distance_m", "ranking"):
            assert float(cells[field]) == row[field]
        assert cells["spread"] == ("" if math.isnan(row["spread"]) else repr(row["spread"]))
    shown = {
        (row["data-scheme"], row["data-metric"])
        for name, row in whole.elements
        if name == "tr" and "data-scheme" in row
    }
    assert ("deposit", "capture@0.02") in shown
    means = [
        float(str(cell["data-value"]))
        for name, cell in whole.elements
        if name == "td" and cell.get("data-value") and "data-field" not in cell
    ]
    assert set(means) <= set(comparison()["mean"])
    assert {0.956, 0.927, 0.994} <= set(means)


def test_figures_of_the_random_split_are_marked_optimistic(whole: Reader) -> None:
    marked = {
        str(row["data-scheme"])
        for name, row in whole.elements
        if name == "tr" and "optimistic" in str(row.get("class"))
    }
    assert marked == {"random"}
    assert "ROC, random split (optimistic)" in whole.text
    card = report.model_card(example())
    for line in card.splitlines():
        if line.startswith("| random"):
            assert line.endswith("| **optimistic** |")
        elif re.match(r"\| (deposit|blind|block) ", line):
            assert line.endswith("| no |")


def test_the_card_has_the_numbers_of_the_comparison() -> None:
    lines = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in report.model_card(example()).splitlines()
        if line.count("|") == 7 and "---" not in line
    ]
    found = {(scheme, metric.replace("\\_", "_")): float(mean) for scheme, metric, mean, *_ in lines[1:]}
    own = comparison()[lambda table: table["model"] == "dl4"]
    expected = {(row.scheme, row.metric): row.mean for row in own.itertuples()}
    assert found == pytest.approx(expected, rel=5e-4, nan_ok=True)


def test_every_text_of_a_study_is_escaped() -> None:
    table = target_rows().assign(nearest_deposit=EVIL, hole_note=EVIL, kind="new", reasons_for=f"{EVIL} +0.2")
    layers = (report.LayerFacts(EVIL, EVIL, EVIL, EVIL, (report.SourceFile(EVIL, EVIL),)),)
    evil = example(
        name=EVIL,
        note=f'{EVIL}" onload="x',
        crs=EVIL,
        targets=table,
        layers=layers,
        known=(EVIL,),
        deposits=per_deposit({EVIL: 0.1}, {}),
        settings={EVIL: EVIL},
        sources=({"file": EVIL, "licence": EVIL},),
        attributed={EVIL: 1.0},
        run={"command": [EVIL], "versions": {EVIL: EVIL}, "stages": {EVIL: {"key": EVIL}}},
        commands=dict.fromkeys(("run", "validate", "targets", "explain", "view", "report", "picture"), EVIL),
        thinned=(EVIL,),
    )
    text = report.render(evil)
    found = Reader(text)
    assert [name for name, _ in found.elements].count("script") == 3, (
        "the data, the library and the page's own"
    )
    assert not [key for _, row in found.elements for key in row if key.startswith("on")]
    assert EVIL not in text
    assert EVIL in found.text, "it is read as it was written"
    assert "<script" not in report.model_card(evil)


def test_nothing_on_the_page_is_fetched(whole: Reader) -> None:
    for name, row in whole.elements:
        for key in ("src", "href", "srcset", "data", "action", "poster"):
            assert str(row.get(key, "#")).startswith(("#", "data:image/png;base64,")), (name, key)
        assert name not in ("link", "iframe", "object", "embed", "base")
    style = page._asset("page.css")
    assert "url(" not in style
    assert "@import" not in style
    policy = [row["content"] for name, row in whole.elements if row.get("http-equiv")]
    assert policy
    assert str(policy[0]).startswith("default-src 'none'")
    assert "http" not in str(policy[0])


def test_headings_have_one_level_below_the_other_and_pictures_have_words(whole: Reader) -> None:
    levels = [int(name[1]) for name, _ in whole.elements if re.fullmatch("h[1-6]", name)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert all(row.get("alt") for name, row in whole.elements if name == "img")


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "LARGEST_PAGE", 1_000_000)
    with pytest.raises(ValueError, match=r"the page has \d+ MB, more than the 1 MB that mail takes\. Delete"):
        report.render(example())


def test_more_targets_than_the_page_shows_are_counted() -> None:
    one = target_rows().iloc[[0]]
    many = pd.concat([one.assign(id=f"T{n:03}", rank=n) for n in range(1, 251)])
    found = Reader(report.render(example(targets=many)))
    assert "The first 200 of 250 are here, targets.csv has all." in found.text
    assert sum("data-target" in row for _, row in found.elements) == 200


# What the 3D view draws


def test_bodies_are_drawn_where_they_are_to_the_centimetre() -> None:
    found = example()
    targets = next(group for group in found.groups if group.role == "target")
    vertices, cells = bodies.unpacked(targets.as_data())
    assert cells.max() < len(vertices)
    for part in targets.parts:
        place = vertices[part.first : part.first + part.size].astype(float) + found.origin
        np.testing.assert_allclose([place.min(axis=0), place.max(axis=0)], BOXES[part.name], atol=0.01)
    assert np.abs(vertices).max() < 2000, "a local origin keeps 32 bits exact"


def test_axes_are_labelled_with_true_coordinates() -> None:
    data = view3d.view_data(example())
    for axis, origin in zip(data["axes"], data["origin"], strict=True):
        for at, said in zip(axis["at"], axis["words"], strict=True):
            assert float(said.replace(",", "").replace("−", "-")) == pytest.approx(at + origin, abs=1e-6)
            assert axis["range"][0] - 1e-6 <= at <= axis["range"][1] + 1e-6


def test_large_bodies_are_thinned_within_their_bounds_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bodies, "TARGET_TRIANGLES", 500)
    steps = np.linspace(0, 1, 40)
    x, y = np.meshgrid(500100 + 800 * steps, 4430100 + 800 * steps)
    points = np.column_stack([x.ravel(), y.ravel(), 50 * np.sin(6 * x.ravel() / 800)])
    first = (np.arange(39)[:, None] * 40 + np.arange(39)).ravel()
    rows = np.concatenate(
        [
            np.column_stack([first, first + 1, first + 40]),
            np.column_stack([first + 1, first + 41, first + 40]),
        ]
    )
    groups, notes = report.groups_of(example_scene(), [Surface("T01", points, rows)])
    drawn = groups[0]
    assert 300 < len(drawn.cells) <= 500
    assert notes == (f"Targets: {len(drawn.cells):,} of 3,042 triangles are drawn.",)
    reach = np.ptp(drawn.vertices, axis=0) / np.ptp(points, axis=0)
    assert (reach > 0.97).all()
    assert (reach < 1.01).all()


def test_zones_do_not_hide_the_targets_that_were_cut_from_them() -> None:
    shell = box("Z1", (500050, 4430050, -700), (500950, 4430950, 100))
    groups, _ = report.groups_of(example_scene(), [box("T01", *BOXES["T01"])], [shell])
    looks = {group.role: (group.visible, group.opacity) for group in groups if group.kind == "mesh"}
    assert looks["target"] == (True, 1.0)
    assert looks["zone"][0] is False
    assert looks["zone"][1] < 0.5


def test_large_pictures_are_embedded_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 900, 3), dtype=np.uint8)
    held = memory.BytesIO()
    Image.fromarray(noise).save(held, "PNG")
    assert len(held.getvalue()) > figures.LARGEST
    assert len(figures.data_uri(held.getvalue())) < 0.7 * len(held.getvalue())
    with pytest.raises(ValueError, match="the file is no PNG picture, or it is cut off"):
        figures.size_of(b"GIF89a")


# From a run folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small district with a forest, compared and delineated; gives its study.toml."""
    path = small_study(tmp_path_factory.mktemp("page"))
    text = path.read_text(encoding="utf-8")
    network = text[text.index('[[models]]\nkind = "dl1"') : text.index('[[models]]\nkind = "forest"')]
    path.write_text(text.replace(network, "").replace("min_volume = 0.0", "share = 0.05"), encoding="utf-8")
    run = started(path)
    stages.compare(run)
    stages.delineate(run)
    return path


def started(path: Path) -> stages.Run:
    loaded = study.load(path)
    return stages.Run(loaded, RunFolder(loaded.run_folder, command=["mpm3d", "run", "study.toml"]))


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished.parent, tmp_path / "copy")
    return tmp_path / "copy" / "study.toml"


def test_page_and_card_of_a_run_have_what_its_files_say(finished: Path) -> None:
    run = started(finished)
    place, card = reporting.write(run)
    assert (place.name, card.name) == ("report.html", "model_card.md")
    assert place.stat().st_size < 25_000_000
    found = Reader(place.read_text(encoding="utf-8"))
    with run.path("targets.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        cells = found.cells(row["id"])
        for field in ("x", "y", "elevation", "volume_m3", "mean_score", "depth_top", "distance_m"):
            assert float(cells[field]) == float(row[field])
        assert cells["nearest_deposit"] == row["nearest_deposit"]
    with run.path("comparison.csv").open(encoding="utf-8", newline="") as file:
        means = {(row["scheme"], row["metric"]): row["mean"] for row in csv.DictReader(file)}
    text = card.read_text(encoding="utf-8")
    for (scheme, metric), mean in means.items():
        assert f"| {scheme} | {metric.replace('_', chr(92) + '_')} | {float(mean):.4g} |" in text
    assert f"AUC {float(means['deposit', 'auc']):.3f}" in found.text
    model = run.path("model/model.json").read_text(encoding="utf-8")
    code = re.search(r'"hash": "([0-9a-f]{64})"', model)
    assert code is not None
    assert code.group(1) in found.text
    assert code.group(1) in text
    assert "mpm3d run study.toml" in found.text
    assert "inverted from noisy synthetic" in found.text
    density = next(layer for layer in reporting.gather(run).layers if layer.name == "density")
    assert density.files[0].sha256 == study.sha256(finished.parent / "ubc" / "density.den")
    assert density.units == "g/cm3"


def test_the_report_says_nothing_of_itself_in_the_run(finished: Path) -> None:
    run = started(finished)
    before = run.path("run.json").read_bytes()
    reporting.write(run)
    assert run.path("run.json").read_bytes() == before, "the last command stays the one that made the targets"


def test_an_unfinished_or_damaged_run_is_one_sentence(copied: Path) -> None:
    run = started(copied)
    run.path("report.html").unlink(missing_ok=True)
    table = run.path("targets.csv").read_text(encoding="utf-8")
    run.path("targets.csv").write_text(table[: table.index("elevation")], encoding="utf-8")
    with pytest.raises(StudyError, match=r"targets\.csv lacks the columns .*it may be cut off"):
        reporting.write(run)
    run.path("targets.csv").write_bytes(b"\xff\xfe\x00broken")
    with pytest.raises(StudyError, match=r"targets\.csv cannot be read as a table"):
        reporting.write(run)
    run.path("targets.csv").unlink()
    with pytest.raises(
        StudyError, match=r"no targets are in .* yet\. Make them first: mpm3d run study\.toml"
    ):
        reporting.write(run)
    run.path("targets.csv").write_text(table, encoding="utf-8")
    run.path("model/model.json").unlink()
    with pytest.raises(StudyError, match="no model is in"):
        reporting.write(run)
    assert not run.path("report.html").exists()
    result = CliRunner().invoke(app, ["report", str(copied)])
    assert result.exit_code == 1
    assert "error: no model is in" in result.output


def test_a_damaged_picture_is_left_out_and_said(copied: Path) -> None:
    run = started(copied)
    said: list[str] = []
    run.say = said.append
    place = run.path("figures/pa_curve.png")
    place.write_bytes(place.read_bytes()[:2000])
    assert "pa_curve" not in reporting.gather(run).figures
    assert any("pa_curve.png is no whole picture" in line for line in said)


def test_the_page_is_written_whole_or_not_at_all(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = started(copied)
    place = run.path("out.html")
    place.write_text("what was there", encoding="utf-8")
    monkeypatch.setattr(page, "LARGEST_PAGE", 1000)
    with pytest.raises(ValueError, match="more than the 0 MB"):
        reporting.write(run, place)
    assert place.read_text(encoding="utf-8") == "what was there"
    assert not list(place.parent.glob("*.part"))
    with pytest.raises(StudyError, match=r"page\.pdf is not the name of a page\. End it in \.html"):
        reporting.write(run, run.path("page.pdf"))


def test_the_verb_writes_where_it_is_told(finished: Path, tmp_path: Path) -> None:
    out = tmp_path / "to send" / "hills.html"
    result = CliRunner().invoke(app, ["report", str(finished), "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert out.is_file()
    assert (out.parent / "model_card.md").is_file()
    assert str(out) in result.output
    gone = CliRunner().invoke(app, ["report", str(finished), "--runs", str(tmp_path / "none")])
    assert gone.exit_code == 1
    assert "has not been run" in gone.output
    assert not (tmp_path / "none").exists()


# In a browser


class Seen:
    """A page in Chromium, with everything that it asked for or complained of."""

    def __init__(self, browser: Browser, path: Path, **context: Any) -> None:
        self.context = browser.new_context(offline=True, **context)
        self.page: Page = self.context.new_page()
        self.asked: list[str] = []
        self.errors: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda told: self.errors.append(told.text) if told.type == "error" else None)
        self.page.goto(path.as_uri())

    def ready(self) -> Page:
        self.page.wait_for_selector("#scene-view[data-ready]", timeout=60_000)
        return self.page

    def colours(self) -> int:
        """Different colours of the 3D view as it is on the screen."""
        shot = self.page.locator("#scene-view").screenshot()
        with Image.open(memory.BytesIO(shot)) as picture:
            return len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0))


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sent") / "report.html"
    table = target_rows().assign(nearest_deposit=[EVIL, "Kuh", "Kuh"])
    place.write_text(report.render(example(name=EVIL, targets=table)), encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def desktop(browser: Browser, sent: Path) -> Iterator[Seen]:
    seen = Seen(browser, sent, viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    seen.ready()
    yield seen
    seen.context.close()


CAMERA = "() => { const c = document.querySelector('#scene-view')._fullLayout.scene._scene.getCamera(); return [c.eye.x, c.eye.y, c.eye.z, c.center.x, c.center.y, c.center.z]; }"  # noqa: E501
ORDER = "() => [...document.querySelectorAll('#targets-table tbody')].map((row) => row.dataset.target)"


@pytest.mark.browser
def test_the_page_opens_from_a_file_offline_and_is_not_blank(
    desktop: Seen, sent: Path, artefacts: Path
) -> None:
    desktop.page.screenshot(path=artefacts / "report_top.png")
    desktop.page.locator("#view").scroll_into_view_if_needed()
    assert desktop.colours() > 50
    desktop.page.screenshot(path=artefacts / "report_view.png")
    asked = [url for url in desktop.asked if not url.startswith("data:")]
    assert asked == [sent.as_uri()]
    assert desktop.errors == []
    assert desktop.page.evaluate("window.pwned") is None, "a name is not run"
    assert desktop.page.inner_text("h1") == f"{EVIL}: prospectivity targets"


@pytest.mark.browser
def test_the_table_sorts_by_number_both_ways_and_says_so(desktop: Seen) -> None:
    rows = target_rows().set_index("id")
    for field in ("volume_m3", "elevation", "depth_top"):
        heading = desktop.page.locator(f"#targets-table thead [data-field={field}]")
        heading.locator("button").click()
        assert desktop.page.evaluate(ORDER) == list(rows[field].sort_values().index)
        assert heading.get_attribute("aria-sort") == "ascending"
        heading.locator("button").press("Enter")
        assert desktop.page.evaluate(ORDER) == list(rows[field].sort_values(ascending=False).index)
        assert heading.get_attribute("aria-sort") == "descending"
    assert "Sorted by Depth to top, m, largest first." in desktop.page.inner_text("#sorted")
    desktop.page.locator("#targets-table thead [data-field=spread] button").click()
    assert desktop.page.evaluate(ORDER) == ["T03", "T02", "T01"], "a value that is not there comes last"
    desktop.page.locator("#targets-table thead [data-field=rank] button").click()
    assert desktop.page.evaluate(ORDER) == ["T01", "T02", "T03"]


@pytest.mark.browser
def test_a_click_on_a_row_moves_the_camera_there_and_marks_it(desktop: Seen, artefacts: Path) -> None:
    before = desktop.page.evaluate(CAMERA)
    desktop.page.locator("[data-target=T02] td").first.click()
    desktop.page.wait_for_function("document.querySelector('#status').textContent.includes('T02')")
    desktop.page.wait_for_timeout(500)
    after = desktop.page.evaluate(CAMERA)
    low, high = np.array(BOXES["T02"])
    ends = np.array(example().bounds).reshape(2, 3)
    # Plotly's cube: each axis from -ratio/2 to ratio/2, the longest side 1.6
    middle = ((low + high) / 2 - ends.mean(axis=0)) / np.ptp(ends, axis=0).max() * 1.6
    np.testing.assert_allclose(after[3:], middle, atol=1e-6)
    assert np.linalg.norm(np.subtract(after, before)) > 0.1
    assert desktop.page.locator("[aria-current=true]").get_attribute("data-target") == "T02"
    frame = desktop.page.evaluate("document.querySelector('#scene-view').data.at(-1)")
    held = np.array([[v for v in frame[axis] if v is not None] for axis in "xyz"], float).T + example().origin
    assert (held.min(axis=0) < low).all()
    assert (held.max(axis=0) > high).all()
    assert np.abs([held.min(axis=0) - low, held.max(axis=0) - high]).max() < 20
    desktop.page.screenshot(path=artefacts / "report_target.png")
    ground = desktop.page.locator(".legend label", has_text="Topography").locator("input")
    ground.uncheck()
    ground.check()
    desktop.page.wait_for_timeout(300)
    # the ground is between the viewer and the target, and lets the pointer through
    desktop.page.evaluate(
        "document.querySelector('#scene-view').on('plotly_hover', (e) => { window.met = e.points[0].text; })"
    )
    area = desktop.page.locator("#scene-view").bounding_box()
    assert area is not None
    x, y = area["x"] + area["width"] / 2, area["y"] + area["height"] / 2
    desktop.page.mouse.move(x - 4, y)
    desktop.page.mouse.move(x, y)
    desktop.page.wait_for_function("(window.met ?? '').startsWith('T02, rank 2, extension')")
    desktop.page.evaluate("document.querySelector('[aria-current]').removeAttribute('aria-current')")
    desktop.page.mouse.down()
    desktop.page.mouse.up()
    desktop.page.wait_for_selector("[data-target=T02][aria-current=true]")
    assert desktop.page.inner_text("#status").startswith("Marked: T02")


@pytest.mark.browser
def test_legend_exaggeration_and_colouring_change_the_view(desktop: Seen) -> None:
    ratio = "() => document.querySelector('#scene-view')._fullLayout.scene.aspectratio"
    before = desktop.page.evaluate(ratio)
    desktop.page.select_option("#exaggeration", "3")
    desktop.page.wait_for_timeout(300)
    after = desktop.page.evaluate(ratio)
    assert after["z"] == pytest.approx(3 * before["z"])
    assert (after["x"], after["y"]) == (before["x"], before["y"])
    desktop.page.select_option("#exaggeration", "1")
    seen = "() => document.querySelector('#scene-view').data.map((trace) => trace.visible)"
    assert desktop.page.evaluate(seen)[0] is True
    desktop.page.locator(".legend input").first.uncheck()
    assert desktop.page.evaluate(seen)[0] is False
    desktop.page.locator(".legend input").first.check()
    assert desktop.page.inner_text("#ramp-high") == "3"
    desktop.page.select_option("#colour-by", "score")
    assert desktop.page.inner_text("#ramp-low") == "0.850"
    assert desktop.page.inner_text("#ramp-high") == "0.950"
    said = desktop.page.evaluate("document.querySelector('#scene-view').data[0].text[0]")
    assert said.startswith("T01, rank 1, new<br>")
    assert "&lt;script&gt;" in said
    assert desktop.errors == []


@pytest.mark.browser
def test_the_page_prints_with_its_table_and_the_picture(desktop: Seen, artefacts: Path) -> None:
    tab = desktop.page
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 695, "height": 1000})  # 184 mm between the margins of A4
    try:
        assert not tab.locator(".viewer").is_visible()
        assert tab.locator("figure.fallback img").is_visible()
        for selector in ("#targets-table", "#comparison-table", "#layers-table", "#versions-table"):
            frame = tab.locator(selector).bounding_box()
            assert frame is not None
            assert frame["x"] + frame["width"] <= 696, selector
        assert tab.evaluate("document.documentElement.scrollWidth") <= 695
        pdf = tab.pdf(format="A4", prefer_css_page_size=True, path=artefacts / "report.pdf")
        assert pdf.startswith(b"%PDF")
    finally:
        tab.emulate_media(media="screen")
        tab.set_viewport_size({"width": 1280, "height": 900})


@pytest.mark.browser
def test_a_phone_shows_one_column_and_nothing_sticks_out(
    browser: Browser, sent: Path, artefacts: Path
) -> None:
    seen = Seen(
        browser,
        sent,
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        device_scale_factor=1,
    )
    tab = seen.ready()
    assert tab.evaluate("document.documentElement.scrollWidth") <= 360
    wide = tab.evaluate(
        "[...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()"
        " && !e.closest('.scrolled, .scene, .skip, thead') && e.getBoundingClientRect().right > 361)"
        ".map((e) => e.outerHTML.slice(0, 90))"
    )
    assert wide == []
    tab.select_option("#sort", "volume_m3 ascending")
    assert tab.evaluate(ORDER) == list(target_rows().sort_values("volume_m3")["id"])
    tab.screenshot(path=artefacts / "report_phone.png")
    seen.context.close()


@pytest.mark.browser
def test_without_webgl_the_picture_stands_in(browser: Browser, sent: Path) -> None:
    context = browser.new_context(offline=True)
    tab = context.new_page()
    tab.add_init_script(
        "const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        " return String(kind).includes('webgl') ? null : get.call(this, kind, ...more); };"
    )
    tab.goto(sent.as_uri())
    tab.wait_for_selector("body.no-3d")
    assert tab.locator("figure.fallback img").is_visible()
    assert "cannot draw in 3D" in tab.inner_text(".no-webgl")
    assert not tab.locator(".viewer").is_visible()
    tab.locator("[data-target=T02] td").first.click()
    assert tab.locator("[aria-current=true]").get_attribute("data-target") == "T02"
    context.close()
