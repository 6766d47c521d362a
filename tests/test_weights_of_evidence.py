"""Weights of evidence against the published numbers, slow loops, scipy and scikit-learn."""

from __future__ import annotations

import json
import math
import os
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from safetensors.numpy import save_file
from scipy.stats import chi2_contingency
from sklearn.naive_bayes import CategoricalNB

from mpm3d.models import load, make, save
from mpm3d.models.evidence_classes import best_threshold, quantile_borders
from mpm3d.models.evidence_weights import (
    Omnibus,
    chi_square,
    class_weights,
    fuzzy_weights,
    omnibus,
    pattern_weights,
    posterior_log_odds,
    posterior_probability,
    posterior_std,
)
from mpm3d.models.folder import sha256

LAYERS = ("density", "fault_distance", "resistivity")

# Farahbakhsh and others (2020), porphyry copper in 3D; ore is Cu above 0.4 %
N_CELLS, N_ORE = 529_211, 14_342
CELLS = np.array([423190, 44249, 220, 2258, 8, 4436, 297704, 435911])
ORE = np.array([11678, 1548, 10, 98, 2, 312, 9330, 12097])
W_PLUS = [0.01859, 0.26346, 0.53620, 0.48782, 2.48211, 0.99914, 0.14970, 0.02438]
STUDENTISED = [4.424, 10.632, 1.657, 4.733, 3.040, 17.074, 21.417, 6.293]


@pytest.fixture
def reference() -> Path:
    place = os.environ.get("MPM3D_DATA")
    if not place:
        pytest.skip("MPM3D_DATA is not set, it should name the folder that holds 3dwofe_reference")
    return Path(place) / "3dwofe_reference"


def _column(folder, name):
    return np.loadtxt(folder / "results" / f"{name}.csv", delimiter=",")


def _fuzzy(folder, name):
    return np.loadtxt(folder / "fuzzy_inputs" / f"3DWofE_fuzzy_{name}.csv", delimiter=",")


def _sheets(path):
    """Rows of every sheet of a workbook, as {column letter: text or number}."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        texts = ["".join(part.text or "" for part in item.iter(f"{space}t")) for item in shared]
        for number in range(1, 6):
            rows = []
            for row in ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml")).iter(
                f"{space}row"
            ):
                found = {}
                for cell in row:
                    value = cell.find(f"{space}v")
                    if value is not None:
                        text = value.text
                        found[cell.get("r").rstrip("0123456789")] = (
                            texts[int(text)] if cell.get("t") == "s" else float(text)
                        )
                rows.append(found)
            yield rows


def test_published_weights_are_reproduced_to_the_digits_printed():
    found = pattern_weights(N_CELLS, N_ORE, CELLS, ORE)
    assert found.plus.round(5).tolist() == W_PLUS
    assert found.studentised.round(3).tolist() == STUDENTISED
    assert not found.smoothed.any()


def test_every_published_file_of_binary_patterns_is_reproduced(reference):
    n, d = _column(reference, "NumB"), _column(reference, "NumBD")
    assert np.array_equal(n, CELLS)
    assert np.array_equal(d, ORE)
    assert np.array_equal(_column(reference, "NumBD_abs"), n - d)
    assert np.array_equal(_column(reference, "NumB_absD"), N_ORE - d)
    assert np.array_equal(_column(reference, "NumB_absD_abs"), N_CELLS - N_ORE - n + d)
    found = pattern_weights(N_CELLS, N_ORE, n, d)
    published = {
        "W_pos": found.plus,
        "W_neg": found.minus,
        "LS": np.exp(found.plus),
        "LN": np.exp(found.minus),
        "Var_W_pos": found.var_plus,
        "Var_W_neg": found.var_minus,
        "StD_W_pos": np.sqrt(found.var_plus),
        "StD_W_neg": np.sqrt(found.var_minus),
        "Contrast": found.contrast,
        "Var_Contrast": found.std_contrast**2,
        "StD_Contrast": found.std_contrast,
        "Contrast_Studentized": found.studentised,
    }
    for name, ours in published.items():
        np.testing.assert_allclose(ours, _column(reference, name), rtol=1e-10, err_msg=name)
    shares = {"ProBD": d / N_ORE, "ProB_absD": 1 - d / N_ORE}
    barren = (n - d) / (N_CELLS - N_ORE)
    for name, ours in (shares | {"ProBD_abs": barren, "ProB_absD_abs": 1 - barren}).items():
        np.testing.assert_allclose(ours, _column(reference, name), rtol=1e-10, err_msg=name)
    np.testing.assert_allclose(found.plus, _fuzzy(reference, "W_pos_Binary"), atol=1e-9)
    np.testing.assert_allclose(found.minus, _fuzzy(reference, "W_neg_Binary"), atol=1e-9)
    np.testing.assert_allclose(found.var_plus, _fuzzy(reference, "uncertainty_Var_W_pos_Binary"), rtol=2e-3)
    np.testing.assert_allclose(found.var_minus, _fuzzy(reference, "uncertainty_Var_W_neg_Binary"), rtol=1e-3)


def test_published_classes_of_continuous_factors_are_reproduced(reference):
    n, d, m = (_fuzzy(reference, f) for f in ("variance_NumB", "variance_NumBD", "variance_Fuzzy_Contrast"))
    assert np.array_equal(_fuzzy(reference, "variance_NumBD_abs"), n - d)
    assert np.array_equal(_fuzzy(reference, "variance_NumB_absD"), N_ORE - d)
    assert _fuzzy(reference, "Thresholds_Continuous").shape == (9, 2)
    rows = next(_sheets(reference / "Results_Farahbakhsh_2020.xlsx"))
    for factor in range(2):
        found = class_weights(n[:, factor], d[:, factor])
        std = [np.sqrt(found.var_plus), np.sqrt(found.var_minus)]
        ours = [found.plus, found.var_plus, std[0], found.minus, found.var_minus, std[1]]
        ours += [found.contrast, found.std_contrast**2, found.std_contrast, found.studentised]
        classes = _tables(rows)[factor]
        membership = np.array([row["N"] for row in classes])
        ours += [membership, fuzzy_weights(N_CELLS, N_ORE, n[:, factor], d[:, factor], membership)]
        table = [[row[c] for c in "DEFGHIJKLMNO"] for row in classes]
        np.testing.assert_allclose(np.array(ours).T, table, rtol=1e-10)
    # memberships are printed with 9 digits there
    weights = fuzzy_weights(N_CELLS, N_ORE, n, d, m)
    np.testing.assert_allclose(weights, _fuzzy(reference, "Fuzzy_Weight"), atol=1e-9)
    # what partial membership adds to the variance of the posterior, which the authors count twice
    posterior = posterior_probability(posterior_log_odds(N_ORE / N_CELLS, weights[..., None]))
    inside = m * n / N_CELLS * (d / n - posterior) ** 2
    outside = (1 - m) * (1 - n / N_CELLS) * ((N_ORE - d) / (N_CELLS - n) - posterior) ** 2
    published = _fuzzy(reference, "uncertainty_Var_ProD_FC_B")
    np.testing.assert_allclose(2 * (inside + outside), published, rtol=1e-6, atol=1e-15)


def _tables(rows):
    classes = [row for row in rows if isinstance(row.get("A"), float)]
    return classes[:10], classes[10:]


def test_published_sheets_of_rock_and_alteration_are_reproduced(reference):
    sheets = list(_sheets(reference / "Results_Farahbakhsh_2020.xlsx"))
    checked = 0
    for row in (row for sheet in sheets[1:4] for row in sheet[1:] if "A" in row):
        assert row["C"] == pytest.approx(100 * row["B"] / N_CELLS, rel=1e-12)
        # the sheets leave out the ore cells; W+ tells their number
        odds = math.exp(row["E"]) * N_ORE / (N_CELLS - N_ORE) if row["E"] != "Null" else 0.0
        ore = round(row["B"] * odds / (1 + odds))
        found = pattern_weights(N_CELLS, N_ORE, [row["B"]], [ore])
        if row["E"] == "Null":  # no ore cell, no logarithm: ours is smoothed and finite
            assert found.smoothed[0]
            assert found.plus[0] < 0
            assert found.minus[0] == pytest.approx(row["H"], rel=0.15)
            continue
        std = np.sqrt([found.var_plus[0], found.var_minus[0]])
        ours = [found.plus[0], found.var_plus[0], std[0], found.minus[0], found.var_minus[0], std[1]]
        ours += [found.contrast[0], found.studentised[0]]
        np.testing.assert_allclose(ours, [row[c] for c in "EFGHIJKL"], rtol=1e-9, err_msg=row["A"])
        checked += 1
    assert checked == 21
    faults = [row for row in sheets[4][1:] if "A" in row]
    contrast = [row["B"] - row["E"] for row in faults]  # no counts here, the columns still belong together
    np.testing.assert_allclose(contrast, [row["H"] for row in faults], rtol=1e-10)
    std = [math.sqrt(row["C"] + row["F"]) for row in faults]
    np.testing.assert_allclose(np.divide(contrast, std), [row["I"] for row in faults], rtol=1e-10)


def test_classes_of_a_layer_are_weighed_against_the_rest():
    cells, ore = np.array([30, 50, 20]), np.array([3, 10, 7])
    found = class_weights(cells, ore)
    for i in range(3):
        b, not_b = ore[i] / 20, (cells[i] - ore[i]) / 80
        assert found.plus[i] == pytest.approx(math.log(b / not_b))
        assert found.contrast[i] == pytest.approx(math.log(b / not_b) - math.log((1 - b) / (1 - not_b)))
        parts = (ore[i], cells[i] - ore[i], 20 - ore[i], 80 - cells[i] + ore[i])
        assert found.std_contrast[i] == pytest.approx(math.sqrt(sum(1 / part for part in parts)))


def test_zero_counts_are_smoothed_by_half_a_cell_and_others_left_alone():
    found = pattern_weights(200, 100, [40, 40], [0, 10])
    assert found.smoothed.tolist() == [True, False]
    assert found.plus[0] == pytest.approx(math.log((0.5 / 101) / (40.5 / 101)))
    assert found.minus[0] == pytest.approx(math.log((100.5 / 101) / (60.5 / 101)))
    assert found.var_plus[0] == pytest.approx(1 / 0.5 + 1 / 40.5)
    assert found.plus[1] == pytest.approx(math.log(0.10 / 0.30))


def test_a_pattern_of_no_cell_or_of_every_cell_knows_nothing():
    for n_ore in (3, 100, 980):
        found = pattern_weights(1000, n_ore, [0, 1000], [0, n_ore])
        np.testing.assert_allclose(found.contrast, 0, atol=1e-12)
        np.testing.assert_allclose(found.plus, 0, atol=1e-12)
    one_barren_cell = pattern_weights(11_000, 1000, [1], [0])
    assert -0.3 < one_barren_cell.plus[0] < 0


def test_impossible_counts_are_sentences():
    with pytest.raises(ValueError, match=r"0 ore cells of 10 cells give no weights, some cells must be ore"):
        pattern_weights(10, 0, [3], [0])
    with pytest.raises(ValueError, match=r"pattern 2 has 3 cells and 4 ore cells, which 10 cells with 5"):
        pattern_weights(10, 5, [3, 3], [1, 4])
    with pytest.raises(ValueError, match=r"pattern 1 has nan cells"):
        pattern_weights(10, 5, [np.nan], [1])
    with pytest.raises(ValueError, match=r"cells \(2,\) and of ore cells \(1,\) differ in shape"):
        pattern_weights(10, 5, [3, 3], [1])
    with pytest.raises(ValueError, match=r"memberships run from -1 to 0.5, they must lie between 0 and 1"):
        fuzzy_weights(10, 5, [3, 3], [1, 1], [-1, 0.5])
    with pytest.raises(ValueError, match=r"prior 1 is not a share of ore cells"):
        posterior_log_odds(1.0, [[0.2]])
    with pytest.raises(ValueError, match=r"0 ore cells are nothing to test against"):
        omnibus([0.5], [0.1], [3], n_ore=0)
    with pytest.raises(ValueError, match=r"has two axes, a class of each layer, and counts of 0 or more"):
        chi_square([[1, -1]])


def test_memberships_of_one_and_zero_are_presence_and_absence():
    crisp = pattern_weights(N_CELLS, N_ORE, CELLS, ORE)
    np.testing.assert_allclose(fuzzy_weights(N_CELLS, N_ORE, CELLS, ORE, 1.0), crisp.plus, atol=1e-12)
    np.testing.assert_allclose(fuzzy_weights(N_CELLS, N_ORE, CELLS, ORE, 0.0), crisp.minus, atol=1e-12)


def test_one_pattern_gives_back_the_shares_of_ore_it_was_counted_from():
    found = pattern_weights(N_CELLS, N_ORE, CELLS, ORE)
    prior = N_ORE / N_CELLS
    inside = posterior_probability(posterior_log_odds(prior, found.plus[:, None]))
    outside = posterior_probability(posterior_log_odds(prior, found.minus[:, None]))
    np.testing.assert_allclose(inside, ORE / CELLS)
    np.testing.assert_allclose(outside, (N_ORE - ORE) / (N_CELLS - CELLS))
    for i in range(len(CELLS)):  # so the sum of probabilities is the number of ore cells
        test = omnibus([inside[i], outside[i]], [0.1, 0.1], [CELLS[i], N_CELLS - CELLS[i]], n_ore=N_ORE)
        assert test.ratio == pytest.approx(1)
        assert test.z == pytest.approx(0, abs=1e-6)
        assert not test.fails


def test_the_spread_of_a_posterior_is_that_of_redrawn_counts(rng):
    n_ore, n_barren, ore, barren = 400, 4000, 120, 500
    draws = 4000
    total = rng.binomial(n_ore + n_barren, n_ore / (n_ore + n_barren), draws)
    ore_in = rng.binomial(total, ore / n_ore)
    barren_in = rng.binomial(n_ore + n_barren - total, barren / n_barren)
    share = ore_in / (ore_in + barren_in)
    p = ore / (ore + barren)
    variance = 1 / ore + 1 / barren
    ours = posterior_std([p], [[variance]], n_ore=n_ore, n_barren=n_barren)[0]
    # prior and weight are added as if independent, so the published formula is a little wide
    assert share.std() < ours < 1.35 * share.std()


def test_the_omnibus_tests_follow_their_formulas():
    p, std, cells = np.array([0.9, 0.2, 0.05]), np.array([0.05, 0.02, 0.01]), np.array([10, 50, 100])
    test = omnibus(p, std, cells, n_ore=20)
    assert test.predicted == pytest.approx(9 + 10 + 5)
    assert test.std == pytest.approx(math.sqrt(0.5**2 + 1**2 + 1**2))
    assert test.ratio == pytest.approx(24 / 20)
    assert test.z == pytest.approx(4 / 1.5)
    assert test.p == pytest.approx(0.5 * math.erfc(4 / 1.5 / math.sqrt(2)))
    assert test.fails
    assert not Omnibus(20.5, 20, 1.0).fails
    assert Omnibus(21.7, 20, 1.0).fails  # 1.7 standard deviations, ratio 1.085
    assert Omnibus(24, 20, 10.0).fails  # ratio 1.2, 0.4 standard deviations
    assert Omnibus(21, 20, 0.0).z == math.inf


def test_chi_square_is_that_of_scipy_and_leaves_empty_classes_out():
    table = np.array([[12, 0, 5], [3, 0, 22], [7, 0, 9]])
    ours = chi_square(table)
    theirs = chi2_contingency(table[:, [0, 2]], correction=False)
    assert (ours.statistic, ours.p, ours.degrees) == pytest.approx((theirs.statistic, theirs.pvalue, 2))
    assert ours.cramers_v == pytest.approx(math.sqrt(theirs.statistic / table.sum()))
    assert chi_square(np.diag([5, 5])).cramers_v == 1
    assert chi_square([[4, 6]]).p == 1


def test_borders_part_values_evenly_and_never_part_equal_ones(rng):
    values = rng.normal(size=1000)
    parts = np.bincount(np.searchsorted(quantile_borders(values, 5), values, side="right"))
    assert parts.tolist() == [200] * 5
    capped = np.minimum(rng.uniform(0, 4000, 1000), 2000)  # half of the cells at the cutoff
    zeros = np.where(rng.uniform(size=1000) < 0.3, 0, values + 10)
    for tied in (capped, zeros, rng.integers(0, 3, 1000).astype(float), np.array([1.0, 2, 2, 2, 3])):
        borders = quantile_borders(tied, 5)
        assert not np.isin(borders, tied).any()
        codes = np.searchsorted(borders, tied, side="right")
        assert (np.bincount(codes, minlength=len(borders) + 1) > 0).all()
        assert len(borders) >= 1
    assert (quantile_borders(zeros, 5)[0] < 0.1 * zeros[zeros > 0].min() * 10).all()
    assert len(quantile_borders(np.full(10, 3.0), 5)) == 0


def test_a_binary_layer_is_cut_where_the_studentised_contrast_is_largest(rng):
    labels = np.arange(90) % 2
    values = np.round(rng.normal(size=90) - 1.2 * labels, 2)  # ore is low
    best = (0.0, None)
    for cut in np.unique(values)[1:]:  # every threshold, slowly
        a = ((values >= cut) & (labels == 1)).sum()
        b = ((values >= cut) & (labels == 0)).sum()
        cells = np.array([a, 45 - a, b, 45 - b], dtype=float)
        cells += 0.5 * (cells.min() == 0)
        contrast = math.log(cells[0] * cells[3] / (cells[1] * cells[2]))
        best = max(best, (abs(contrast) / math.sqrt((1 / cells).sum()), cut))
    border = best_threshold(values, labels)
    below = values[values < border[0]].max()
    assert below < border[0] <= best[1]
    assert below == values[values < best[1]].max()
    assert best_threshold(np.ones(9), labels[:9]).size == 0


def _patches(values):
    return np.asarray(values, dtype=np.float32)[:, :, None, None, None]


def _samples(rng, n=600, ratio=1):
    labels = (np.arange(n) % (ratio + 1) == 0).astype(int)
    values = rng.normal(size=(n, 3)) + labels[:, None] * [1.0, -1.0, 0.3]
    return values, labels


def _fit(values, labels, layers=LAYERS, **settings):
    model = make("weights", layers, **settings)
    return model.fit(_patches(values), labels, rng=np.random.default_rng(0))


def test_scores_are_those_of_naive_bayes_on_the_same_classes(rng):
    values, labels = _samples(rng, ratio=2)
    model = _fit(values, labels)
    borders = [
        [row["high"] for row in model.table_ if row["layer"] == layer and row["high"] is not None]
        for layer in LAYERS
    ]
    float32 = values.astype(np.float32)
    codes = np.column_stack(
        [np.searchsorted(b, column) for b, column in zip(borders, float32.T, strict=True)]
    )
    theirs = CategoricalNB(alpha=1e-12, force_alpha=True).fit(codes, labels).predict_proba(codes)[:, 1]
    np.testing.assert_allclose(model.score_samples(_patches(values)), theirs, rtol=1e-5)


def test_the_table_tells_what_was_counted(rng):
    values, labels = _samples(rng)
    model = _fit(values, labels, bins=4)
    assert [row["class"] for row in model.table_] == [1, 2, 3, 4] * 3
    for row in model.table_:
        column = values.astype(np.float32)[:, LAYERS.index(row["layer"])]
        low, high = row["low"], row["high"]
        inside = (low is None or column >= low) & (high is None or column < high)
        assert (row["cells"], row["ore"]) == (inside.sum(), labels[inside].sum())
        expected = pattern_weights(600, 300, [row["cells"]], [row["ore"]])
        assert row["w_plus"] == row["weight"] == pytest.approx(expected.plus[0])
        assert row["studentised"] == pytest.approx(expected.studentised[0])
        assert row["var_plus"] == pytest.approx(expected.var_plus[0])


def test_a_missing_value_adds_no_weight(rng):
    values, labels = _samples(rng)
    model = _fit(values, labels)
    other = values.copy()
    other[:, 1] = np.nan
    alone = [row for row in model.table_ if row["layer"] != "fault_distance"]
    scores = model.score_samples(_patches(other))
    for i in range(20):
        total = sum(
            row["weight"]
            for row in alone
            if (row["low"] is None or np.float32(values[i, LAYERS.index(row["layer"])]) >= row["low"])
            and (row["high"] is None or np.float32(values[i, LAYERS.index(row["layer"])]) < row["high"])
        )
        assert scores[i] == pytest.approx(1 / (1 + math.exp(-total)), rel=1e-6)
    assert (model.score_samples(_patches(np.full((1, 3), np.nan))) == 0.5).all()


def test_a_cell_without_a_value_is_left_out_of_that_layers_counts(rng):
    values, labels = _samples(rng)
    known = rng.uniform(size=600) < 0.6
    holed = values.copy()
    holed[~known, 0] = np.nan
    rows = [row for row in _fit(holed, labels).table_ if row["layer"] == "density"]
    only = _fit(values[known][:, :1], labels[known], layers=("density",)).table_
    assert rows == only
    assert sum(row["cells"] for row in rows) == known.sum()


def test_the_prior_moves_scores_together_and_leaves_their_order_alone(rng):
    values, labels = _samples(rng)
    patches = _patches(values)
    usual, rare = _fit(values, labels), _fit(values, labels, prior=0.001)
    one, other = usual.score_samples(patches).astype(float), rare.score_samples(patches).astype(float)
    shift = np.log(other / (1 - other)) - np.log(one / (1 - one))
    np.testing.assert_allclose(shift, math.log(0.001 / 0.999), atol=1e-3)
    assert usual.table_ == rare.table_


def test_only_the_middle_cell_counts(rng):
    values, labels = _samples(rng)
    wide = rng.normal(size=(600, 3, 3, 3, 3)).astype(np.float32)
    wide[:, :, 1, 1, 1] = values
    model = make("weights", LAYERS, patch_shape=(3, 3, 3)).fit(wide, labels, rng=rng)
    expected = _fit(values, labels).score_samples(_patches(values))
    assert np.array_equal(model.score_samples(wide), expected)


def test_binary_layers_have_two_classes_with_opposite_contrasts(rng):
    values, labels = _samples(rng)
    model = _fit(values, labels, binary=True)
    for low, high in zip(model.table_[::2], model.table_[1::2], strict=True):
        assert (low["low"], low["high"], high["high"]) == (None, high["low"], None)
        assert low["contrast"] == pytest.approx(-high["contrast"])
        assert low["w_plus"] == pytest.approx(high["w_minus"])
    assert model.table_[0]["w_plus"] < 0 < model.table_[2]["w_plus"]


def test_layers_of_weak_contrast_are_given_no_weight_and_named(rng):
    values, labels = _samples(rng)
    values[:, 2] = rng.normal(size=600)
    model = _fit(values, labels, min_studentised=4.0)
    weights = {layer: [r["weight"] for r in model.table_ if r["layer"] == layer] for layer in LAYERS}
    assert weights["resistivity"] == [0.0] * 5
    assert any(weights["density"])
    assert any(
        note.startswith("layer 'resistivity' is given weight 0, its studentised contrast reaches ")
        and note.endswith("and 4 is asked for.")
        for note in model.notes_
    )
    other = values.copy()
    other[:, 2] = 99
    assert np.array_equal(model.score_samples(_patches(values)), model.score_samples(_patches(other)))


def test_a_layer_known_at_deposits_only_says_nothing(rng):
    values, labels = _samples(rng)
    values[labels == 0, 1] = np.nan
    model = _fit(values, labels)
    assert "layer 'fault_distance' has values in training at deposit cells only" in " ".join(model.notes_)
    assert {row["weight"] for row in model.table_ if row["layer"] == "fault_distance"} == {0.0}
    for binary in (False, True):
        assert np.isfinite(_fit(values, labels, binary=binary).score_samples(_patches(values))).all()


def test_smoothing_is_noted(rng):
    labels = np.arange(100) % 2
    model = _fit(labels[:, None] * 5 + rng.normal(size=(100, 1)), labels, layers=("density",))
    assert model.notes_ == (
        "4 of 5 classes of layers hold all, or none, of the deposit or of the background cells; half a cell "
        "was added so that their weights are finite.",
    )


def test_independent_layers_pass_and_a_layer_given_twice_is_noted_with_figures(rng):
    values, labels = _samples(rng, n=4000, ratio=9)
    model = _fit(values, labels)
    assert model.notes_ == ()
    assert model.independence_["ratio"] == pytest.approx(1, abs=0.1)
    assert len(model.independence_["pairs"]) == 3
    values[:, 1] = values[:, 0]
    twice = _fit(values, labels)
    first, second = twice.notes_
    found = twice.independence_
    assert found["ratio"] > 1.15
    assert f"there are 400, a ratio of {found['ratio']:.3f} (up to 1.15 passes)" in first
    assert f"and {found['z']:.1f} standard deviations of {found['std']:.2f} too many" in first
    assert second.startswith("1 of 3 pairs of layers depend on each other among deposit cells")
    assert "'density' and 'fault_distance'" in second
    assert second.endswith("Cramér's V 1.00).")


def test_dependence_in_a_balanced_sample_is_still_seen_in_pairs(rng):
    values, labels = _samples(rng, n=2000)
    values[:, 1] = values[:, 0]
    model = _fit(values, labels)
    assert model.independence_["ratio"] < 1.15  # both ends grow alike, so the sum says nothing
    assert any("pairs of layers depend on each other" in note for note in model.notes_)


def test_pairs_are_counted_over_ore_cells_alone(rng):
    values, labels = _samples(rng, n=900)
    values[::7, 2] = np.nan
    model = _fit(values, labels, bins=3)
    bounds = {layer: [r["high"] for r in model.table_ if r["layer"] == layer][:-1] for layer in LAYERS}
    float32 = values.astype(np.float32)
    table = np.zeros((3, 3))
    for i in np.flatnonzero(labels == 1):
        if not np.isnan(float32[i, 2]):
            row, column = (sum(float32[i, j] >= b for b in bounds[LAYERS[j]]) for j in (0, 2))
            table[row, column] += 1
    pair = next(p for p in model.independence_["pairs"] if p["layers"] == ["density", "resistivity"])
    theirs = chi2_contingency(table, correction=False)
    assert (pair["chi_square"], pair["p"]) == pytest.approx((theirs.statistic, theirs.pvalue))


def test_probabilities_that_round_to_one_are_noted(rng):
    labels = np.arange(4000) % 2
    values = 6 * labels[:, None] + rng.normal(size=(4000, 4))
    values[:, 0] = rng.normal(size=4000) + 0.5 * labels
    model = _fit(values, labels, layers=("a", "b", "c", "d"))
    assert any("training cells rounds to 1, which hides their order" in note for note in model.notes_)
    rare = _fit(values, labels, layers=("a", "b", "c", "d"), prior=1e-6)
    assert not any("rounds to 1" in note for note in rare.notes_)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": 1}, r"bins is 1, a whole number from 2 to 1000 is needed. 5 is usual"),
        ({"prior": 1.0}, r"prior is 1.0, it must be a share of ore cells above 0 and below 1. Leave it out"),
        ({"min_studentised": -2}, r"min_studentised is -2, 0 or more is needed. 2 is usual; leave it out"),
    ],
)
def test_impossible_settings_are_sentences(settings, message, rng):
    with pytest.raises(ValueError, match=message):
        _fit(*_samples(rng), **settings)


def test_a_saved_model_comes_back_bit_for_bit_with_its_table_and_notes(rng, tmp_path):
    values, labels = _samples(rng)
    values[:, 1] = values[:, 0]
    for binary in (False, True):
        model = _fit(values, labels, binary=binary, prior=0.01)
        save(model, tmp_path)
        again = load(tmp_path)
        assert np.array_equal(again.score_samples(_patches(values)), model.score_samples(_patches(values)))
        assert again.table_ == model.table_
        assert again.independence_ == model.independence_
        assert again.notes_ == model.notes_ != ()
    found = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert found["table"] == model.table_


def _spoiled(path, spoil):
    found = json.loads(path.read_text(encoding="utf-8"))
    spoil(found)
    path.write_text(json.dumps(found), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: f["table"][0].update(weight=9.5), "its weights and the table of its classes differ"),
        (lambda f: f["table"][1].update(high=1e9), "table of the classes of 'density' is not one that a fit"),
        (
            lambda f: f["table"][1].update({"high": 1e9}) or f["table"][2].update(low=1e9),
            "'density' is not one",
        ),
        (
            lambda f: f["table"][3].update(weight="2"),
            "table of the classes of 'density' is not one that a fit",
        ),
        (lambda f: f["table"][3].update(ore=-2), "table of the classes of 'density' is not one that a fit"),
        (lambda f: f["table"][3].pop("ore"), "table of the classes of 'density' is not one that a fit"),
        (lambda f: f["table"].__delitem__(slice(5, 10)), "classes is not that of the model's layers"),
        (lambda f: f.update(table={"density": 3}), "table of classes is not a list of rows"),
        (lambda f: f.update(prior=2.0), "its prior is 2.0, a share of ore cells above 0"),
        (lambda f: f.update(notes=[3]), "its notes are not sentences"),
        (lambda f: f.update(independence=3), "does not tell how its test of independence went"),
        (lambda f: f["settings"].update(bins=0), "bins is 0, a whole number from 2 to 1000"),
    ],
)
def test_forged_json_is_refused(spoil, message, rng, tmp_path):
    save(_fit(*_samples(rng)), tmp_path)
    _spoiled(tmp_path / "model.json", spoil)
    with pytest.raises(ValueError, match=message):
        load(tmp_path)


def test_weights_of_other_classes_are_refused(rng, tmp_path):
    save(_fit(*_samples(rng)), tmp_path)
    save_file({"borders.0": np.array([1.0, 0.5])}, tmp_path / "weights.safetensors")
    digest = sha256(tmp_path / "weights.safetensors")
    _spoiled(tmp_path / "model.json", lambda found: found["weights"].update(sha256=digest))
    with pytest.raises(ValueError, match="its weights and the table of its classes differ"):
        load(tmp_path)
