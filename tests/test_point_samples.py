"""Samples from tables without a grid: what they hold, what is refused, what is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mpm3d import splits
from mpm3d.point_samples import from_table


def table(n: int = 40, seed: int = 0) -> pd.DataFrame:
    """Points with two layers, gold and a deposit's name."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.uniform(0, 1000, (n, 3)), columns=["x", "y", "z"])
    frame["Cu"] = rng.uniform(10, 100, n)
    frame["As"] = rng.uniform(1, 9, n)
    frame["Au"] = np.r_[np.full(6, 2.0), rng.uniform(0, 0.5, n - 6)]
    frame["ore"] = (frame["Au"] > 1).astype(int)
    frame["mine"] = ["North"] * 3 + ["South"] * 3 + [None] * (n - 6)
    return frame


def test_each_row_is_a_sample_in_its_own_place():
    frame = table()
    found = from_table(frame, layers=["As", "Cu"], label="ore", group="mine")
    assert found.patches.shape == (40, 2, 1, 1, 1)
    np.testing.assert_array_equal(
        found.patches[:, :, 0, 0, 0], frame[["As", "Cu"]].to_numpy(dtype=np.float32)
    )
    np.testing.assert_array_equal(found.xyz, frame[["x", "y", "z"]])
    assert found.label.tolist() == [1] * 6 + [0] * 34
    assert found.source.tolist() == ["deposit"] * 6 + ["background"] * 34
    assert found.group.tolist() == ["North"] * 3 + ["South"] * 3 + [""] * 34
    assert (found.layers, found.spacing, found.notes) == (("As", "Cu"), None, ())


def test_a_rule_takes_rows_from_the_limit_on_and_one_group_holds_them_all():
    frame = table()
    frame.loc[7, "Au"] = 0.741
    found = from_table(frame, layers=["Cu"], label=("Au", 0.741))
    assert np.flatnonzero(found.label).tolist() == [0, 1, 2, 3, 4, 5, 7]
    assert found.deposits == ("ore",)
    assert from_table(frame.assign(ore=frame["ore"] == 1), layers=["Cu"], label="ore").label.sum() == 6


def test_rows_without_a_label_are_left_out_and_missing_evidence_stays_missing():
    frame = table()
    frame.loc[[8, 9], "Au"] = np.nan
    frame.loc[[1, 10], "Cu"] = np.nan
    found = from_table(frame, layers=["Cu", "As"], label=("Au", 1), group="mine")
    assert len(found) == 38
    assert found.notes == (
        "values are missing of 'Cu' in 2 of 40 rows.",
        "2 of 40 rows have no 'Au' and are left out.",
    )
    assert np.isnan(found.patches[:, 0]).sum() == 2
    np.testing.assert_array_equal(found.xyz[8], frame.loc[10, ["x", "y", "z"]])
    mixed = frame.assign(Cu=frame["Cu"].astype(object).where(frame["Cu"].notna(), None))
    again = from_table(mixed, layers=["Cu", "As"], label=("Au", 1), group="mine")
    np.testing.assert_array_equal(again.patches, found.patches)


def test_a_map_lies_at_elevation_0_and_blocks_have_a_size():
    flat = from_table(table(), layers=["Cu"], label="ore", xyz=("x", "y"))
    assert (flat.xyz[:, 2] == 0).all()
    blocks = from_table(table(), layers=["Cu"], label="ore", spacing=(5.0, 10.0, 5.0))
    assert blocks.spacing == (5.0, 10.0, 5.0)


def test_a_table_goes_through_the_splits(rng):
    found = from_table(table(400), layers=["Cu"], label="ore", group="mine")
    rows = splits.training_set(found, known=["North"], left_out=["South"], stand_off=100, rng=rng)
    assert found.label[rows].tolist() == [1] * 3 + [0] * 3
    low, high = splits.block_folds(found, folds=2, buffer=0, rng=rng)
    assert len(low.test) + len(high.test) == 400


def test_codes_for_missing_values_are_refused_until_they_are_declared():
    frame = table()
    frame.loc[[3, 20, 21], "Cu"] = -9999.0
    frame.loc[30, "Au"] = -999.0
    with pytest.raises(
        ValueError,
        match=r"the table holds -9999 in 3 rows of 'Cu', -999 in 1 rows of 'Au', far from all other values, "
        r".*\. Say so with missing=\[-9999, -999\], or missing=\[\] if these are measurements\.",
    ):
        from_table(frame, layers=["Cu", "As"], label=("Au", 1))
    found = from_table(frame, layers=["Cu", "As"], label=("Au", 1), missing=[-9999, -999])
    assert len(found) == 39  # a code is no low grade
    assert np.isnan(found.patches[:, 0]).sum() == 3
    assert found.notes[0] == "values are missing of 'Cu' in 3 of 40 rows."
    kept = from_table(frame, layers=["Cu", "As"], label=("Au", 1), missing=[])
    assert (kept.patches[:, 0] == -9999).sum() == 3


def test_repeated_places_one_vector_for_many_rows_and_coordinates_as_layers_are_said():
    frame = table()
    frame.loc[10:19, ["Cu", "As"]] = [55.0, np.nan]
    frame.loc[12, ["x", "y", "z"]] = frame.loc[11, ["x", "y", "z"]]
    found = from_table(frame, layers=["Cu", "As", "z"], label="ore")
    assert found.notes[1:] == (
        "1 of 40 rows lie at the same place as an earlier one.",
        "the layers 'z' are coordinates, by which a model can remember places.",
    )
    found = from_table(frame, layers=["Cu", "As"], label="ore")
    assert found.notes[2] == (
        "10 of 40 rows (25%) share one vector of layer values (Cu = 55, no As), as a fill for missing values "
        "would."
    )


def test_tables_that_cannot_be_samples_are_refused():
    frame = table().assign(code=["C1", "C2"] * 20, empty=np.nan, wild=np.r_[np.inf, np.zeros(39)])

    def read(rows=frame, layers=("Cu",), label="ore", **more):
        from_table(rows, layers=layers, label=label, **more)

    with pytest.raises(ValueError, match="no layer is named, so there is nothing to learn from"):
        read(layers=[])
    with pytest.raises(ValueError, match="the table lacks the columns 'Pb', it has 'x', 'y', 'z', 'Cu'"):
        read(layers=["Cu", "Pb"])
    with pytest.raises(ValueError, match=r"xyz names 1 columns, two .* or three .* are needed"):
        read(xyz=["x"])
    with pytest.raises(ValueError, match="the columns 'Cu' are there, or named as layers, more than once"):
        read(layers=["Cu", "As", "Cu"])
    with pytest.raises(ValueError, match="the columns 'Cu' are there, or named as layers, more than once"):
        read(pd.concat([frame, frame[["Cu"]]], axis=1))
    with pytest.raises(
        ValueError, match="'Au' is a layer and says what ore is at once, so a model would read"
    ):
        read(layers=["Cu", "Au"], label=("Au", 1))
    with pytest.raises(ValueError, match=r"the columns 'code' \('C1', 'C2'\) hold words, numbers are needed"):
        read(layers=["Cu", "code"])
    with pytest.raises(ValueError, match="the columns 'empty' have no value in any row"):
        read(layers=["Cu", "empty"])
    with pytest.raises(ValueError, match="column 'wild' holds 1 infinite or huge values, the first in row 0"):
        read(layers=["wild"])
    with pytest.raises(ValueError, match=r"column 'Au' holds 0.5, 2, a label is 0 or 1\. Give a limit if it"):
        read(rows=frame.assign(Au=np.r_[2, 0.5, np.ones(38)]), label="Au")
    with pytest.raises(ValueError, match="0 of 40 rows have 'Au' of at least 7, so there is only one class"):
        read(label=("Au", 7))
    with pytest.raises(
        ValueError, match="40 of 40 rows have 'ore' of 1, so there is only one class to learn"
    ):
        read(rows=frame.assign(ore=1))
    with pytest.raises(ValueError, match=r"6 of 6 ore rows have no 'mine'"):
        read(rows=frame.assign(mine=None), group="mine")
    with pytest.raises(ValueError, match=r"1 of 40 rows lack 'x', 'y', 'z'. Leave such rows out"):
        read(rows=frame.assign(x=frame["x"].where(frame.index > 0)))
