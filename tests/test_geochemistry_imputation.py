from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import KNNImputer

from mpm3d.errors import StudyError
from mpm3d.geochemistry import Imputer, Imputing, masked_value_test

QUICK = Imputing(trees=10, rounds=2)
METHODS = ["median", "nearest", "forest"]


@pytest.fixture
def holed(rng):
    """Amounts of four elements that go together, a fifth of them missing."""
    factor = rng.normal(size=(120, 1))
    logs = factor * [1.0, 0.8, -0.9, 0.5] + rng.normal(size=(120, 4)) * 0.1
    values = pd.DataFrame(np.exp(logs) * [100, 1e-3, 1e5, 7], columns=["Cu", "Au", "Si", "Pb"])
    return values.mask(rng.random(values.shape) < 0.2)


@pytest.mark.parametrize("method", METHODS)
def test_measured_values_stay_bit_for_bit_and_nothing_is_missing_afterwards(holed, method):
    before = holed.copy()
    found = Imputer(method, QUICK).fit(holed).transform(holed)
    measured = before.notna().to_numpy()
    np.testing.assert_array_equal(
        found.values.to_numpy()[measured].view(np.uint64), before.to_numpy()[measured].view(np.uint64)
    )
    np.testing.assert_array_equal(found.estimated, ~measured)
    assert found.values.notna().all().all()
    assert (found.values > 0).all().all()
    pd.testing.assert_frame_equal(holed, before)
    assert found.sentences == (f"{int((~measured).sum())} values of 480 estimated by {method}.",)


def test_the_median_is_the_median_of_the_measured(holed):
    odd = holed["Cu"].dropna()[:31]  # an odd number, whose median is a value
    table = pd.DataFrame({"Cu": [*odd, np.nan], "Pb": np.arange(1.0, 33)})
    found = Imputer("median").fit(table).transform(table)
    assert found.values["Cu"].iloc[-1] == pytest.approx(odd.median(), rel=1e-12)


def test_nearest_is_that_of_scikit_learn_on_scaled_logarithms(holed):
    found = Imputer("nearest", Imputing(neighbours=3)).fit(holed).transform(holed).values
    logs = np.log10(holed)
    spread = (logs - logs.median()).abs().median()
    expected = KNNImputer(n_neighbors=3).fit_transform((logs - logs.median()) / spread)
    np.testing.assert_allclose(
        np.log10(found), expected * spread.to_numpy() + logs.median().to_numpy(), atol=1e-10
    )


def test_imputation_is_learned_on_the_training_rows_only(holed):
    fitted = Imputer("forest", QUICK).fit(holed[:80])
    changed = holed.copy()
    changed.loc[80:] *= 50
    pd.testing.assert_frame_equal(
        Imputer("forest", QUICK).fit(changed[:80]).transform(holed).values, fitted.transform(holed).values
    )
    alone = fitted.transform(holed[100:]).values
    pd.testing.assert_frame_equal(alone, fitted.transform(holed).values[100:])


def test_the_same_seed_gives_the_same_estimates_and_another_one_does_not(holed):
    one, two, three = (
        Imputer("forest", Imputing(trees=10, rounds=2, seed=seed)).fit(holed).transform(holed).values
        for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    assert not one.equals(three)


def test_rows_without_any_value_are_said(holed):
    holed.loc[5] = np.nan
    found = Imputer("nearest").fit(holed).transform(holed)
    assert "1 row without any measured value: the estimates there say nothing." in found.sentences


def test_columns_without_values_are_refused_or_left_out(holed):
    holed["F"] = np.nan
    with pytest.raises(StudyError, match=r"'F' has no values at all, nothing can be learned for it"):
        Imputer("median").fit(holed)
    found = Imputer("median", Imputing(empty="drop")).fit(holed).transform(holed)
    assert list(found.values) == ["Cu", "Au", "Si", "Pb"]
    assert found.dropped == ("F",)
    assert found.sentences[-1] == "1 column left out, with values in too few rows: 'F'."
    holed.loc[:4, "F"] = 1.0
    few = Imputing(empty="drop", min_measured=0.1)
    assert Imputer("median", few).fit(holed).transform(holed).dropped == ("F",)
    with pytest.raises(StudyError, match="every column has too few values"):
        Imputer("median", few).fit(holed[["F"]])


@pytest.mark.parametrize("value", [0.0, -3.0])
def test_amounts_without_a_logarithm_are_refused(holed, value):
    fitted = Imputer("median").fit(holed)
    holed.loc[2, "Au"] = value
    for function in (Imputer("median").fit, fitted.transform):
        with pytest.raises(StudyError, match=r"'Au' hold zeros or negative amounts.*zeros = .missing."):
            function(holed)


def test_tables_and_settings_that_do_not_fit_are_refused(holed):
    with pytest.raises(
        StudyError, match="imputation 'mean' is not known, it is one of median, nearest, forest"
    ):
        Imputer("mean")
    with pytest.raises(StudyError, match="the table has no column 'Pb', on which the imputation was fitted"):
        Imputer("median").fit(holed).transform(holed.drop(columns="Pb"))
    with pytest.raises(StudyError, match="there are no rows to learn the imputation from"):
        Imputer("median").fit(holed[:0])
    with pytest.raises(StudyError, match=r"trees = 0 must be 1 or more.\nmin_measured = 2 is a share"):
        Imputing(trees=0, min_measured=2)
    with pytest.raises(StudyError, match="empty = 'keep' must be"):
        Imputing(empty="keep")
    with pytest.raises(StudyError, match=r"share = 0.7 must be above 0 and at most 0.5"):
        masked_value_test(holed, share=0.7)
    with pytest.raises(StudyError, match="no column has six or more measured values"):
        masked_value_test(holed[:3].fillna(1.0))


def test_the_masked_value_test_takes_the_median_where_elements_do_not_go_together(rng):
    values = pd.DataFrame(rng.lognormal(size=(150, 4)), columns=["Cu", "Pb", "Zn", "Ag"])
    test = masked_value_test(values, settings=QUICK)
    assert test.best == "median"


def test_the_masked_value_test_takes_the_nearest_where_rows_repeat(rng):
    rows = rng.lognormal(size=(25, 8))
    values = pd.DataFrame(np.repeat(rows, 6, axis=0), columns=list("ABCDEFGH"))
    test = masked_value_test(values, settings=Imputing(neighbours=3, trees=5, rounds=1))
    assert test.best == "nearest"
    assert test.errors.query("method == 'nearest'")["rmse"].max() < 0.2


def test_the_masked_value_test_takes_the_forest_where_one_element_bends_with_another(rng):
    factor = rng.uniform(-1, 1, 250)
    noise = rng.normal(size=(250, 12))  # which misleads distances
    logs = np.column_stack([factor * 3, 3 * factor**2, noise * 1.0])
    values = pd.DataFrame(10**logs, columns=[f"E{n}" for n in range(14)])
    test = masked_value_test(
        values, methods=["median", "nearest", "forest"], settings=Imputing(trees=15, rounds=1)
    )
    bent = test.errors.query("element == 'E1'").set_index("method")["rmse"]
    assert bent.idxmin() == "forest"
    assert bent["forest"] < 0.75 * bent["median"]


def test_errors_are_those_of_the_hidden_values_by_hand(holed):
    """The median of what is left is all that the method knows."""
    settings = Imputing(seed=5)
    test = masked_value_test(holed, methods=["median"], repeats=1, share=0.25, settings=settings)
    rng = np.random.default_rng(5)
    for name in holed:
        rows = np.flatnonzero(holed[name].notna())
        hidden = rng.choice(rows, round(0.25 * len(rows)), replace=False)
        logs = np.log10(holed[name])
        off = logs.drop(index=hidden).median() - logs[hidden]
        row = test.errors.query("element == @name").iloc[0]
        assert row["hidden"] == len(hidden)
        assert row["rmse"] == pytest.approx(np.sqrt((off**2).mean()), rel=1e-10)
        assert row["mae"] == pytest.approx(off.abs().mean(), rel=1e-10)
    assert test.errors["relative"].tolist() == [1.0] * 4
    assert "with 25 % of the measured values hidden" in test.sentence
    assert "median 1.00; median is best." in test.sentence


def test_censored_values_are_never_hidden(holed):
    censored = pd.DataFrame(0, index=holed.index, columns=holed.columns)
    censored.loc[6:, "Cu"] = -1
    test = masked_value_test(holed, censored, methods=["median"], repeats=2, share=0.5)
    left = int(holed["Cu"][:6].notna().sum())
    counts = test.errors.set_index("element")["hidden"]
    assert counts.get("Cu", 0) == 2 * max(0, min(round(0.5 * left), left - 5))
    assert counts["Pb"] == 2 * round(0.5 * holed["Pb"].notna().sum())


def test_the_report_of_the_test_has_every_method_and_element(holed):
    test = masked_value_test(holed, repeats=2, settings=QUICK)
    assert test.summary["method"].tolist() == METHODS
    assert set(zip(test.errors["method"], test.errors["element"], strict=True)) == {
        (method, name) for method in METHODS for name in holed
    }
    assert test.best in ("nearest", "forest")  # the elements go together
    assert list(test.errors) == ["method", "element", "hidden", "rmse", "mae", "relative"]
