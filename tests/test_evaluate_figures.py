from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from sklearn.metrics import roc_auc_score, roc_curve

from mpm3d import evaluate

CAUTION = "Conceptual, for planning exploration; not a resource estimate."
NOTE = "Two districts, 7 layers on 50 m cells; negatives cost $0 and lie 800 m from ore; " * 3 + "the end."
LONG = "random forest of 77 trees, depth 7, found by a search, bagged over unlabelled cells and calibrated"
MODELS = (
    "dl1",
    "dl2",
    "dl3",
    "dl4",
    "cbam",
    "forest",
    "boosting",
    "logistic",
    "wofe",
    "pu_$x",
    "_devnet",
    LONG,
)


@pytest.fixture
def drawn(monkeypatch):
    """Figures as they were when they were saved."""
    figures = []
    save = Figure.savefig

    def kept(self, *args, **options):
        figures.append(self)
        return save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", kept)
    return figures


def words(figure):
    shown = [text.get_text() for text in figure.findobj(Text) if text.get_visible()]
    return " ".join(" ".join(shown).replace("\\$", "$").split())


def ranks(rng):
    return {name: {"A": rng.beta(0.4, 3, 40), "B": rng.beta(0.6, 3, 7)} for name in MODELS}


def places(rng, n=300):
    distance = rng.uniform(50, 9000, n)
    rank = rng.uniform(0, 1, n)
    return {name: (distance, rank, np.arange(n) < 20) for name in MODELS}


def histories():
    rows = [
        {
            "epoch": epoch,
            "loss": 1 / epoch,
            "accuracy": 1 - 0.3 / epoch,
            "validation_loss": 0.5 + 0.1 * abs(epoch - 3),
            "validation_auc": 0.9 - 0.1 * abs(epoch - 3),
            "validation_accuracy": 0.8,
        }
        for epoch in range(1, 7)
    ]
    return {"dl4": rows, "devnet": [{"epoch": 1, "loss": 4.0, "accuracy": None}], "forest": []}


def samples(rng, n=60, deposits=("North", "South")):
    xyz = rng.uniform((527e3, 4472e3, -4000), (539e3, 4482e3, 0), (n, 3))
    label = (np.arange(n) < n // 2).astype(int)
    group = np.where(label == 1, np.array(deposits)[np.arange(n) % len(deposits)], "")
    fold = np.where(xyz[:, 0] < 533e3, "block 1 of 2", "block 2 of 2")
    return xyz, label, group, fold


def draw(name, path, rng, **options):
    if name == "pa":
        curves = {model: evaluate.pa_curve(each) for model, each in ranks(rng).items()}
        return evaluate.draw_pa_curve(curves, path, left_out=True, **options)
    if name == "capture":
        return evaluate.draw_capture(ranks(rng), path, **options)
    if name == "roc":
        scores = {model: (rng.normal(1, 1, 30), rng.normal(0, 1, 90)) for model in MODELS}
        return evaluate.draw_roc(scores, path, title="ROC, random split (optimistic)", **options)
    if name == "reliability":
        predicted = rng.random(400)
        curve = evaluate.reliability(rng.random(400) < predicted, predicted)
        return evaluate.draw_reliability(dict.fromkeys(MODELS, curve), path, **options)
    if name == "history":
        return evaluate.draw_history(histories(), path, **options)
    if name == "distance":
        return evaluate.draw_score_distance(places(rng), path, **options)
    return evaluate.draw_samples(*samples(rng), path, **options)


NAMES = ("pa", "capture", "roc", "reliability", "history", "distance", "samples")
UNITS = {
    "pa": ("captured, %", "(from the top down), %", "10 %", "deposits left out of training"),
    "capture": ("best cells, % of the eligible volume", "inside, %", "Capture of 2 left-out", "chance"),
    "roc": ("background cells at or above the threshold, %", "ROC, random split (optimistic)", "AUC 0.500"),
    "reliability": ("predicted probability, %", "among these samples, %", "number per bin", "as promised"),
    "history": ("epoch", "loss, mean per sample", "accuracy, %", "training", "validation", "best epoch"),
    "distance": ("km", "volume rank, %", "median", "quartiles", "cells of left-out deposits", "nearest"),
    "samples": (
        "easting, km", "northing, km", "elevation, km", "map", "section W–E", "section S–N", "3D",
        "deposit North", "deposit South", "negatives", "tested in block 1 of 2", "30 of deposits, 30 others",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_shows_units_caution_note_and_every_model_and_cuts_nothing_off(name, tmp_path, rng, drawn):
    path = draw(name, tmp_path / "figures" / "one.png", rng, note=NOTE)
    assert path == tmp_path / "figures" / "one.png"
    assert path.read_bytes()[:4] == b"\x89PNG"
    assert [each.name for each in path.parent.iterdir()] == ["one.png"]
    text = words(drawn[-1])
    models = {"history": ("dl4", "devnet"), "samples": ()}.get(name, MODELS)
    for expected in (CAUTION, NOTE.strip(), *UNITS[name], *models):
        assert expected in text

    check_that_nothing_outside_the_axes_covers_them_or_is_cut_off(drawn[-1])


def check_that_nothing_outside_the_axes_covers_them_or_is_cut_off(figure):
    renderer = figure.canvas.get_renderer()
    page = figure.bbox
    outside = [*figure.legends, *figure.texts]
    boxes = [part.get_window_extent(renderer) for part in outside]
    panels = [axes.get_tightbbox(renderer) for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0 <= box.x1 <= page.x1
        assert page.y0 <= box.y0 <= box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in panels + boxes[i + 1 :])
    for panel in panels:
        # one dot is rounding
        assert page.x0 - 1 <= panel.x0 <= panel.x1 <= page.x1 + 1
        assert page.y0 - 1 <= panel.y0 <= panel.y1 <= page.y1 + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_that_fails_leaves_the_one_before_and_nothing_half_written(
    name, tmp_path, rng, monkeypatch
):
    def broken(self, path, **_):
        path.write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(Figure, "savefig", broken)
    (tmp_path / "one.png").write_bytes(b"before")
    with pytest.raises(OSError, match="no space left"):
        draw(name, tmp_path / "one.png", rng)
    assert [(each.name, each.read_bytes()) for each in tmp_path.iterdir()] == [("one.png", b"before")]


def test_pictures_refuse_what_is_empty(tmp_path):
    path = tmp_path / "one.png"
    with pytest.raises(ValueError, match="there is no P-A curve to draw, give at least one"):
        evaluate.draw_pa_curve({}, path, left_out=True)
    with pytest.raises(ValueError, match="there is no capture curve to draw, give at least one"):
        evaluate.draw_capture({}, path)
    with pytest.raises(ValueError, match="there is no ROC curve to draw, give at least one"):
        evaluate.draw_roc({}, path, title="ROC")
    with pytest.raises(ValueError, match="there is no reliability curve to draw, give at least one"):
        evaluate.draw_reliability({}, path)
    with pytest.raises(ValueError, match="there is no history of epochs to draw, give at least one"):
        evaluate.draw_history({"forest": []}, path)
    with pytest.raises(ValueError, match="there is no score against distance to draw, give at least one"):
        evaluate.draw_score_distance({}, path)
    with pytest.raises(ValueError, match="there is no sample to draw, give at least one"):
        evaluate.draw_samples(np.empty((0, 3)), [], [], [], path)
    assert not list(tmp_path.iterdir())


def test_places_refuse_lengths_that_differ_and_cells_without_a_place(tmp_path):
    path = tmp_path / "one.png"
    with pytest.raises(ValueError, match="'dl4' has 2 distances, 1 ranks and 2 marks of ore, one of each"):
        evaluate.draw_score_distance({"dl4": ([1, 2], [0.1], [True, False])}, path)
    with pytest.raises(ValueError, match="'dl4' has no cell with a distance and a rank to draw"):
        evaluate.draw_score_distance({"dl4": ([np.nan], [0.1], [True])}, path)
    with pytest.raises(ValueError, match=r"places have shape \(2, 2\), with 2 labels, 2 groups and 2 folds"):
        evaluate.draw_samples(np.zeros((2, 2)), [1, 0], ["A", ""], ["", ""], path)
    with pytest.raises(ValueError, match=r"shape .* with 1 labels, 2 groups and 2 folds"):
        evaluate.draw_samples(np.zeros((2, 3)), [1], ["A", ""], ["", ""], path)
    with pytest.raises(ValueError, match=r"1 of 2 samples have no place \(NaN\). Leave them out"):
        evaluate.draw_samples([[0, 0, 0], [0, np.nan, 0]], [1, 0], ["A", ""], ["", ""], path)


def test_the_roc_curve_drawn_is_that_of_sklearn_with_ties_and_missing_scores(tmp_path, rng, drawn):
    found, against = rng.integers(2, 12, 40).astype(float), rng.integers(0, 10, 200).astype(float)
    found[:4] = np.nan
    evaluate.draw_roc({"dl4": (found, [*against, np.nan])}, tmp_path / "one.png", title="ROC")
    line = drawn[-1].axes[0].lines[0]
    labels, scores = [1] * 40 + [0] * 200, np.concatenate([np.nan_to_num(found, nan=-1), against])
    wrong, right, _ = roc_curve(labels, scores, drop_intermediate=False)
    x, y = line.get_xdata(), line.get_ydata()
    assert set(zip(np.round(x, 9), np.round(y, 9), strict=True)) <= set(
        zip(np.round(wrong, 9), np.round(right, 9), strict=True)
    )
    area = roc_auc_score(labels, scores)
    assert np.trapezoid(y, x) == pytest.approx(area, abs=1e-12)
    assert f"AUC {area:.3f}" in words(drawn[-1])


def test_the_best_epoch_is_the_one_with_the_best_auc_on_what_was_held_out(tmp_path, drawn):
    evaluate.draw_history(histories(), tmp_path / "one.png")
    loss, accuracy = drawn[-1].axes
    stars = [line for line in loss.lines if line.get_marker() == "*"]
    assert [(line.get_xdata().item(), line.get_ydata().item()) for line in stars] == [(3, 0.5)]
    assert len([line for line in accuracy.lines if line.get_marker() == "*"]) == 1


def test_a_history_without_validation_or_accuracy_marks_no_epoch_and_says_so(tmp_path, drawn):
    rows = [{"epoch": 1, "loss": 0.5, "validation_auc": None}, {"epoch": 2, "loss": None}]
    evaluate.draw_history({"dl4": rows}, tmp_path / "one.png")
    text = words(drawn[-1])
    assert "accuracy not recorded" in text
    assert "best epoch" not in text
    assert "validation" not in text


def test_medians_against_distance_are_those_of_the_bins_and_the_best_is_at_the_top(tmp_path, drawn):
    # far cells are worse: rank grows with distance, so every median is the rank at the median distance
    distance = np.linspace(0, 2000, 401)
    rank = distance / 2000
    ore = np.zeros(401, bool)
    given = {"dl4": (np.append(distance, 500.0), np.append(rank, 0.002), np.append(ore, True))}
    evaluate.draw_score_distance(given, tmp_path / "one.png")
    (axes,) = drawn[-1].axes
    middle = next(line for line in axes.lines if line.get_marker() == "o")
    assert len(middle.get_xdata()) >= 10
    np.testing.assert_allclose(middle.get_ydata(), middle.get_xdata() / 2000, rtol=0.05)
    (dot,) = [line for line in axes.lines if line.get_marker() == "."]
    assert (dot.get_xdata().tolist(), dot.get_ydata().tolist()) == ([500.0], [0.002])
    assert axes.get_ylim()[0] == 1
    assert axes.get_ylim()[1] < 0.01
    assert "ρ = 1.00" in words(drawn[-1])
    assert "deposit, m" in words(drawn[-1])


def test_a_score_without_a_reference_or_without_ore_is_drawn_all_the_same(tmp_path):
    only = {"ore": ([500.0, 900.0], [0.0, 0.5], [True, True]), "none": ([10.0], [0.5], [False])}
    assert evaluate.draw_score_distance(only, tmp_path / "one.png").exists()


def test_samples_keep_their_real_coordinates_at_one_scale(tmp_path, rng, drawn):
    xyz, *rest = samples(rng)
    evaluate.draw_samples(xyz, *rest, tmp_path / "one.png")
    flat, solid = drawn[-1].axes[:3], drawn[-1].axes[3]
    for axes in flat:
        assert axes.get_aspect() == 1
    assert flat[0].get_xlim()[0] <= xyz[:, 0].min() / 1000 <= xyz[:, 0].max() / 1000 <= flat[0].get_xlim()[1]
    ticks = [label.get_text() for label in flat[0].get_yticklabels()]
    assert any(text.startswith(("447", "448")) for text in ticks)
    assert all(axis.get_offset_text().get_text() == "" for axes in flat for axis in (axes.xaxis, axes.yaxis))
    sides = [np.ptp(limits) for limits in (solid.get_xlim(), solid.get_ylim(), solid.get_zlim())]
    box = solid.get_box_aspect()
    np.testing.assert_allclose(np.array(box) / box[0], np.array(sides) / sides[0], rtol=1e-6)


def test_more_deposits_than_markers_are_numbered_and_more_folds_than_colours_stay_apart(tmp_path, rng, drawn):
    names = [f"Occurrence {k}" for k in range(15)]
    xyz, label, group, _ = samples(rng, n=90, deposits=names)
    evaluate.draw_samples(xyz, label, group, group, tmp_path / "one.png")
    text = words(drawn[-1])
    assert "3: deposit Occurrence 2" in text
    assert "11: deposit Occurrence 10" in text
    assert "tested in Occurrence 14" in text
    assert "tested in no fold" in text
    squares = [each for each in drawn[-1].legends[0].legend_handles if each.get_marker() == "s"]
    assert len({str(each.get_color()) for each in squares}) == 16


def test_a_flat_study_and_one_sample_are_drawn(tmp_path):
    place = [[532e3, 4476e3, 12.0]]
    assert evaluate.draw_samples(place, [1], ["A"], [""], tmp_path / "one.png").exists()
    many = np.repeat(place, 5001, axis=0)
    many[:, 0] += np.arange(5001)
    empty = [""] * 5001
    assert evaluate.draw_samples(many, np.zeros(5001), empty, empty, tmp_path / "two").exists()
