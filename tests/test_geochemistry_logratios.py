from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.covariance import MinCovDet

from mpm3d.errors import FormatError, StudyError
from mpm3d.evaluate.loadings import draw_loadings
from mpm3d.geochemistry import (
    RobustComponents,
    balance_names,
    closure,
    clr,
    clr_inverse,
    helmert_basis,
    ilr,
    ilr_inverse,
    partition_basis,
    pivot_basis,
)

ELEMENTS = ["Cu", "Pb", "Zn", "Ag", "Au"]
UNITS = dict.fromkeys(ELEMENTS, "ppm")
# ((Cu Pb | Zn Ag Au), (Cu | Pb), (Zn Ag | Au), (Zn | Ag))
PARTITION = [[1, 1, 0, 0], [1, -1, 0, 0], [-1, 0, 1, 1], [-1, 0, 1, -1], [-1, 0, -1, 0]]
BASES = {"pivot": pivot_basis(5), "helmert": helmert_basis(5), "partition": partition_basis(PARTITION)}


@pytest.fixture
def parts(rng):
    """Amounts over ten decades that depend on each other."""
    logs = rng.normal(size=(80, 5)) @ rng.normal(size=(5, 5)) * 2 + [3, 2, 4, -1, -6]
    return pd.DataFrame(np.exp(logs), columns=ELEMENTS)


def aitchison(one, two):
    """Distance from all pairs of ratios (Aitchison 1986)."""
    number = len(one)
    pairs = [
        (np.log(one[i] / one[j]) - np.log(two[i] / two[j])) ** 2 for i in range(number) for j in range(number)
    ]
    return np.sqrt(sum(pairs) / (2 * number))


def test_closure_keeps_ratios_and_gives_the_sum(parts):
    closed = closure(parts, 1e6)
    np.testing.assert_allclose(closed.sum(axis=1), 1e6, rtol=1e-14)
    np.testing.assert_allclose(closed[:, 0] / closed[:, 3], parts["Cu"] / parts["Ag"], rtol=1e-12)


def test_centred_log_ratios_by_hand():
    # ln 1, ln 2, ln 4 less their mean ln 2
    np.testing.assert_allclose(clr([[1.0, 2.0, 4.0]]), [[-np.log(2), 0, np.log(2)]], atol=1e-15)


@pytest.mark.parametrize("basis", BASES.values(), ids=list(BASES))
def test_inverses_are_exact(parts, basis):
    closed = closure(parts)
    np.testing.assert_allclose(clr_inverse(clr(parts)), closed, rtol=1e-12)
    np.testing.assert_allclose(ilr_inverse(ilr(parts, basis), basis), closed, rtol=1e-12)
    coordinates = ilr(parts, basis)
    np.testing.assert_allclose(ilr(ilr_inverse(coordinates, basis), basis), coordinates, atol=1e-12)
    np.testing.assert_allclose(clr(clr_inverse(clr(parts))), clr(parts), atol=1e-12)


@pytest.mark.parametrize("basis", BASES.values(), ids=list(BASES))
def test_bases_are_orthonormal_and_distances_are_aitchisons(parts, basis):
    np.testing.assert_allclose(basis.T @ basis, np.eye(4), atol=1e-15)
    np.testing.assert_allclose(basis.sum(axis=0), 0, atol=1e-15)
    coordinates = ilr(parts, basis)
    rows = parts.to_numpy()
    for one, two in ((0, 1), (5, 9), (30, 2)):
        distance = np.linalg.norm(coordinates[one] - coordinates[two])
        assert distance == pytest.approx(aitchison(rows[one], rows[two]), rel=1e-12)


def test_helmert_coordinates_are_the_formula_of_egozcue_2003(parts):
    rows = parts.to_numpy()
    for i in range(1, 5):
        expected = np.log(rows[:, :i].prod(axis=1) / rows[:, i] ** i) / np.sqrt(i * (i + 1))
        np.testing.assert_allclose(ilr(parts, helmert_basis(5))[:, i - 1], expected, atol=1e-12)


def test_pivot_coordinates_are_the_formula_of_filzmoser_2009(parts):
    rows = parts.to_numpy()
    for i in range(1, 5):
        mean = np.exp(np.log(rows[:, i:]).mean(axis=1))
        expected = np.sqrt((5 - i) / (5 - i + 1)) * np.log(rows[:, i - 1] / mean)
        np.testing.assert_allclose(ilr(parts)[:, i - 1], expected, atol=1e-12)


def test_balances_are_the_formula_of_egozcue_2005(parts):
    found = ilr(parts, BASES["partition"])[:, 0]
    above = np.sqrt(parts["Cu"] * parts["Pb"])
    below = np.cbrt(parts["Zn"] * parts["Ag"] * parts["Au"])
    np.testing.assert_allclose(found, np.sqrt(6 / 5) * np.log(above / below), atol=1e-12)


def test_a_sub_composition_says_the_same_as_the_whole(parts):
    some = parts[["Cu", "Zn", "Ag"]]
    # ratios, closed or not, in ppm or not
    for table in (some, pd.DataFrame(closure(some), columns=some.columns), some * 1e4):
        found = clr(table)
        whole = clr(parts)
        for one, two in combinations(range(3), 2):
            columns = [ELEMENTS.index(some.columns[k]) for k in (one, two)]
            expected = whole[:, columns[0]] - whole[:, columns[1]]
            np.testing.assert_allclose(found[:, one] - found[:, two], expected, atol=1e-12)
    first = ilr(parts[ELEMENTS[:3]], helmert_basis(3))
    np.testing.assert_allclose(ilr(parts, helmert_basis(5))[:, :2], first, atol=1e-12)
    # and distances never grow when parts are left out
    short = np.linalg.norm(np.diff(ilr(some), axis=0), axis=1)
    assert np.all(short <= np.linalg.norm(np.diff(ilr(parts), axis=0), axis=1) + 1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1e-9, 1e9, 1e300])
def test_the_unit_of_a_row_drops_out_even_at_the_ends_of_the_numbers(scale):
    np.testing.assert_allclose(clr(np.array([[1.0, 2, 5]]) * scale), clr([[1.0, 2, 5]]), atol=1e-12)
    assert np.isfinite(clr_inverse([[800.0, -800, 0]])).all()


def test_balances_are_named_after_their_elements():
    assert balance_names(ELEMENTS)[:2] == ["Cu | Pb·Zn·Ag·Au", "Pb | Zn·Ag·Au"]
    assert balance_names(ELEMENTS, BASES["partition"]) == [
        "Cu·Pb | Zn·Ag·Au",
        "Cu | Pb",
        "Zn·Ag | Au",
        "Zn | Ag",
    ]
    assert balance_names([*ELEMENTS, "Sn"])[0] == "Cu | Pb·Zn·Ag·…(5)"


@pytest.mark.parametrize(
    ("value", "what"), [(0.0, "zero"), (np.nan, "missing"), (-1.0, "negative"), (np.inf, "missing")]
)
def test_amounts_without_a_logarithm_are_refused(parts, value, what):
    parts.loc[3, "Pb"] = value
    for function in (closure, clr, ilr):
        with pytest.raises(StudyError, match=rf"1 of 400 amounts are {what} \('Pb'\).*Impute them first"):
            function(parts)
    with pytest.raises(StudyError, match=rf"are {what} \(part 2\)"):
        clr(parts.to_numpy())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: clr([[1.0], [2.0]]), "two parts or more, not 1"),
        (lambda: clr(np.ones((0, 3))), "at least one row"),
        (lambda: ilr([[1.0, 2, 3]], pivot_basis(4)), "the basis is for 4 parts, the compositions have 3"),
        (lambda: partition_basis([[1, 0], [0, 1], [0, -1]]), "balance 1 of the partition needs a part above"),
        (lambda: partition_basis([[1, 1], [-1, -1], [-1, 0]]), "the balances overlap"),
        (lambda: partition_basis([[1, 2], [-1, 1], [-1, -1]]), "D rows of D - 1 signs"),
        (lambda: pivot_basis(1), "two parts or more"),
    ],
)
def test_what_is_no_composition_or_partition_is_refused(make, message):
    with pytest.raises(StudyError, match=message):
        make()


def test_robust_components_are_those_of_mincovdet_by_hand(parts):
    fitted = RobustComponents.fit(parts, units=UNITS, seed=3)
    logs = np.log(parts.to_numpy())
    coordinates = np.column_stack([
        np.sqrt((5 - i) / (6 - i)) * (logs[:, i - 1] - logs[:, i:].mean(axis=1)) for i in range(1, 5)
    ])  # fmt: skip
    oracle = MinCovDet(random_state=3).fit(coordinates)
    values, vectors = np.linalg.eig(oracle.covariance_)
    order = np.argsort(-values)
    np.testing.assert_allclose(fitted.variances, values[order], rtol=1e-10)
    np.testing.assert_allclose(fitted.explained, values[order] / values.sum(), rtol=1e-10)
    scores = (coordinates - oracle.location_) @ vectors[:, order]
    found = fitted.transform(parts).to_numpy()
    np.testing.assert_allclose(np.abs(found), np.abs(scores), rtol=1e-7, atol=1e-9)
    # clr loadings: eigenvectors of the covariance of centred log-ratios
    spread = pivot_basis(5) @ oracle.covariance_ @ pivot_basis(5).T
    loadings = fitted.loadings.to_numpy()
    np.testing.assert_allclose(spread @ loadings, loadings * values[order], atol=1e-10)
    np.testing.assert_allclose(loadings.sum(axis=0), 0, atol=1e-12)
    assert list(fitted.loadings.index) == ELEMENTS
    assert list(fitted.loadings.columns) == ["RPC1", "RPC2", "RPC3", "RPC4"]
    assert np.all(loadings[np.abs(loadings).argmax(axis=0), range(4)] > 0)


def test_outliers_do_not_turn_robust_components(rng):
    plan = np.column_stack([np.ones(200), -np.ones(200), np.zeros(200)])
    logs = rng.normal(size=(200, 1)) * plan + rng.normal(size=(200, 3)) * 0.05
    logs[:30] += [0, 0, 12]
    found = RobustComponents.fit(pd.DataFrame(np.exp(logs), columns=["Cu", "Zn", "Th"]))
    assert abs(found.loadings["RPC1"] @ (np.array([1, -1, 0]) / np.sqrt(2))) > 0.995
    plain = np.linalg.eigh(np.cov(clr(np.exp(logs)).T))[1][:, -1]
    assert abs(plain @ (np.array([1, -1, 0]) / np.sqrt(2))) < 0.5


def test_components_learned_on_training_rows_are_applied_to_others(parts):
    fitted = RobustComponents.fit(parts[:60], units=UNITS, components=2)
    assert fitted.rows == 60
    whole = fitted.transform(parts)
    assert whole.shape == (80, 2)
    pd.testing.assert_frame_equal(fitted.transform(parts[60:]), whole[60:])
    # order of columns, other columns and the unit of whole rows say nothing
    mixed = parts[ELEMENTS[::-1]].assign(x=5.0) * 1e4
    np.testing.assert_allclose(fitted.transform(mixed), whole, atol=1e-9)


def test_all_components_give_the_composition_back(parts):
    fitted = RobustComponents.fit(parts)
    found = fitted.inverse(fitted.transform(parts), 1e6)
    np.testing.assert_allclose(found, closure(parts, 1e6), rtol=1e-11)


def test_saved_components_score_bit_for_bit_the_same(parts):
    fitted = RobustComponents.fit(parts, units=UNITS, components=3)
    again = RobustComponents.from_json(fitted.to_json())
    pd.testing.assert_frame_equal(again.transform(parts), fitted.transform(parts), check_exact=True)
    assert (again.elements, again.units, again.rows) == (fitted.elements, fitted.units, 80)
    np.testing.assert_array_equal(again.explained, fitted.explained)


@pytest.mark.parametrize("change", ["cut", "format", "location", "elements", "nan", "rotation", "list"])
def test_broken_saved_components_are_refused(parts, change):
    text = RobustComponents.fit(parts).to_json()
    saved = json.loads(text)
    if change == "format":
        saved["format"] = "something"
    elif change == "location":
        saved["location"] = saved["location"][:-1]
    elif change == "elements":
        saved["elements"] = [*saved["elements"], "Sn"]
    elif change == "nan":
        saved["variances"][0] = float("nan")
    elif change == "rotation":
        del saved["rotation"]
    text = text[:200] if change == "cut" else "[1]" if change == "list" else json.dumps(saved)
    with pytest.raises(FormatError, match=r"rpc\.json: "):
        RobustComponents.from_json(text, "rpc.json")


def test_the_same_seed_gives_the_same_components(parts):
    one, two = (RobustComponents.fit(parts, seed=7) for _ in range(2))
    np.testing.assert_array_equal(one.rotation, two.rotation)


def test_components_refuse_what_they_cannot_say(parts):
    with pytest.raises(
        StudyError, match=r"9 rows are too few for robust components of 5 parts, 10 are needed"
    ):
        RobustComponents.fit(parts[:9])
    with pytest.raises(StudyError, match="some log-ratios do not vary, or depend on each other"):
        RobustComponents.fit(parts.assign(Au=parts["Ag"] * 2))
    half = parts.copy()
    half.loc[:59] = half.loc[:59].assign(Au=half["Ag"] * 2)
    with pytest.raises(StudyError, match="some log-ratios do not vary, or depend on each other"):
        RobustComponents.fit(half)
    with pytest.raises(StudyError, match="components = 5 must be from 1 to 4"):
        RobustComponents.fit(parts, components=5)
    with pytest.raises(StudyError, match=r"support_fraction = 0.2 is a share"):
        RobustComponents.fit(parts, support_fraction=0.2)
    with pytest.raises(StudyError, match="repeat a name"):
        RobustComponents.fit(parts[["Cu", "Cu", "Zn"]])
    fitted = RobustComponents.fit(parts, units=UNITS)
    with pytest.raises(StudyError, match="the table has no 'Pb'"):
        fitted.transform(parts.drop(columns="Pb"))
    with pytest.raises(StudyError, match="'Ag' is in ppb, the components were fitted on ppm"):
        fitted.transform(parts, units={"Ag": "ppb"})


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


@pytest.mark.parametrize("spread", ["wide", "crowded", "same"])
def test_names_of_elements_do_not_lie_on_each_other_and_stay_inside(tmp_path, drawn, rng, spread):
    names = ["Ag", "Al", "As", "Au", "Ba", "Bi", "Co", "Cr", "Cs", "Cu", "La", "Mo", "Nb", "Ni", "Pb", "Rb",
             "Sb",
             "Sc", "Sn", "Sr", "Ta", "Th", "U", "V", "W", "Y", "Zn", "Zr", "Fe2O3", "SiO2"]  # fmt: skip
    tips = rng.normal(size=(30, 2)) * (1.0 if spread == "wide" else [0.02, 0.3])
    if spread == "crowded":
        tips[0] = (1, 0)
    if spread == "same":
        tips[:10] = (0.5, 0.5)
    loadings = pd.DataFrame(tips, index=names, columns=["RPC1", "RPC2"])
    path = draw_loadings(loadings, [0.4, 0.2], tmp_path / "loadings.png", note="A study.")
    assert path.stat().st_size > 10_000
    axes = drawn[0].axes[0]
    texts = [text for text in axes.texts if text.get_text() in names]
    assert {text.get_text() for text in texts} == set(names)
    boxes = [text.get_window_extent() for text in texts]
    assert not [(a, b) for a, b in combinations(boxes, 2) if a.overlaps(b)]
    frame = axes.get_window_extent()
    assert all(
        frame.x0 <= box.x0 and box.x1 <= frame.x1 and frame.y0 <= box.y0 and box.y1 <= frame.y1
        for box in boxes
    )
    assert axes.get_xlabel() == "RPC1, 40.0 % of the robust variance"


def test_loadings_that_cannot_be_drawn_are_refused(tmp_path):
    loadings = pd.DataFrame([[1.0, 0.0], [0.0, np.nan]], index=["Cu", "Pb"], columns=["RPC1", "RPC2"])
    with pytest.raises(ValueError, match="every loading must be a finite number"):
        draw_loadings(loadings, [0.5, 0.5], tmp_path / "a.png")
    with pytest.raises(ValueError, match=r"components \(0, 2\) are not two of the 2"):
        draw_loadings(loadings, [0.5, 0.5], tmp_path / "a.png", components=(0, 2))
    with pytest.raises(ValueError, match="2 components and 1 shares"):
        draw_loadings(loadings, [0.5], tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
