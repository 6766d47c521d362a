"""Every file of the corpus is read as its own header, its twin or an independent reader says, or refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mpm3d import describe, io
from mpm3d.errors import FormatError

ROWS = json.loads((Path(__file__).parent / "corpus_expected.json").read_text(encoding="utf-8"))
# of the size of the bounds; points of structured grids are float32
NEAR = 1e-6
# statistics in headers have six digits
DIGITS = 1e-5

pytestmark = pytest.mark.corpus


def test_every_file_of_the_corpus_has_a_row(corpus_dir):
    there = {path.relative_to(corpus_dir).as_posix() for path in corpus_dir.rglob("*") if path.is_file()}
    assert {row["path"] for row in ROWS} == there


@pytest.mark.parametrize("row", ROWS, ids=[row["path"] for row in ROWS])
def test_file_is_read_right_or_refused(row, corpus_dir):
    path = corpus_dir / row["path"]
    if "refused" in row:
        with pytest.raises(FormatError, match=row["refused"]) as refusal:
            io.read(path)
        assert path.name in str(refusal.value)
        if "line" in row:
            assert refusal.value.line == row["line"]
        return
    found = [describe.describe(body) for body in io.read(path)]
    assert len(found) == len(row["objects"])
    for got, expected in zip(found, row["objects"], strict=True):
        check(got, expected)


def check(got: dict, expected: dict) -> None:
    for key in expected.keys() - {"bounds", "first_centre", "properties", "notes"}:
        assert got[key] == expected[key], key
    if "bounds" in expected:
        near(got["bounds"], expected["bounds"])
    if "first_centre" in expected:
        near(got["first_centre"], expected["first_centre"])
    if "properties" in expected:
        check_properties(got["properties"], expected["properties"])
    for word in expected.get("notes", ()):
        assert word in " ".join(got["notes"]), got["notes"]


def near(got: list, expected: list) -> None:
    assert [v is None for v in got] == [v is None for v in expected]
    numbers = np.array([v for v in expected if v is not None], dtype=float)
    size = np.abs(numbers).max() or 1.0
    np.testing.assert_allclose([v for v in got if v is not None], numbers, atol=NEAR * size)


def check_properties(got: dict, expected: dict) -> None:
    if "*" in expected:  # the name is the reader's choice
        assert len(got) == 1
        expected = dict(zip(got, expected.values(), strict=True))
    assert list(got) == list(expected)
    for name, stats in expected.items():
        for key in ("count", "missing"):
            assert got[name][key] == stats[key], (name, key)
        for key in ("mean", "min", "max"):
            if stats[key] is None:
                assert got[name][key] is None, (name, key)
            else:
                np.testing.assert_allclose(got[name][key], stats[key], rtol=DIGITS, atol=1e-9, err_msg=name)
