"""Arrays in files, read in parts, and their statistics."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mpm3d.errors import FormatError
from mpm3d.values import FileArray, Lazy, Statistics, oriented, slabs, statistics

SHAPE = (3, 4, 5)
WHOLE = np.arange(60.0).reshape(SHAPE)


class Recorder:
    """An array that notes what is asked of it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype = values, values.shape, values.dtype
        self.asked: list[tuple[slice, ...]] = []

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        assert all(isinstance(cut, slice) and (cut.step or 1) > 0 for cut in key)  # all that stores know
        self.asked.append(key)
        return self.values[key]


def reversed_axes(*which: int) -> tuple[slice, ...]:
    return tuple(slice(None, None, -1 if axis in which else 1) for axis in range(3))


KEYS = [
    ..., 1, -1, (1, 2), (0, -1, 4), slice(1, 3), (slice(None), 2), (..., 3), (0, ..., 1),
    (slice(None, None, -1), slice(3, 0, -2)), (slice(2, 2),), (slice(None), slice(1, 4, 2), -2),
    (np.array([2, 0]), slice(None), np.array([1, 4])), ([0, 2], [1, 1], [4, 0]), (slice(1, 2), [3, 0]),
    (np.array([[0, 1], [2, 0]]), 1), WHOLE[:, :, 0] > 20, WHOLE > 30, (np.array([], int),), np.int64(2),
    (slice(0, 2), np.array([True, False, False, True])),
]  # fmt: skip


@pytest.mark.parametrize("turn", [((0, 1, 2), ()), ((2, 0, 1), (0, 2)), ((1, 0, 2), (1,))])
@pytest.mark.parametrize("key", KEYS, ids=repr)
def test_a_lazy_array_is_indexed_as_an_array_is(key, turn):
    order, back = turn
    raw = Recorder(np.ascontiguousarray(np.transpose(WHOLE[reversed_axes(*back)], np.argsort(order))))
    lazy = Lazy(raw).oriented(order, reversed_axes(*back))
    assert lazy.shape == SHAPE
    found = lazy[key]
    assert type(found) is type(WHOLE[key])
    np.testing.assert_array_equal(found, WHOLE[key])


def test_only_the_part_that_is_asked_for_is_read_in_any_orientation():
    raw = Recorder(WHOLE)
    lazy = Lazy(raw).oriented((2, 0, 1), reversed_axes(0))
    np.testing.assert_array_equal(lazy[0, 1:3, 2], WHOLE[1:3, 2, 4])
    np.testing.assert_array_equal(lazy[np.array([1, 2]), 0, 3], WHOLE[0, 3, [3, 2]])
    assert raw.asked == [
        (slice(1, 3, 1), slice(2, 3), slice(4, 5)),
        (slice(0, 1), slice(3, 4), slice(2, 4)),
    ]


def test_orientations_add_up_and_the_stored_one_comes_back():
    lazy = Lazy(WHOLE).oriented((1, 2, 0), reversed_axes(0)).oriented((2, 0, 1), reversed_axes(1, 2))
    expected = np.transpose(np.transpose(WHOLE, (1, 2, 0))[::-1], (2, 0, 1))[:, ::-1, ::-1]
    np.testing.assert_array_equal(lazy, expected)
    np.testing.assert_array_equal(lazy.stored(), WHOLE)
    np.testing.assert_array_equal(
        oriented(WHOLE, (1, 2, 0), reversed_axes(0)), np.transpose(WHOLE, (1, 2, 0))[::-1]
    )


def test_values_are_decoded_when_they_are_read():
    lazy = Lazy(np.arange(6, dtype=">i2").reshape(1, 2, 3), lambda raw: raw.astype("f4") / 2, np.dtype("f4"))
    assert (lazy.dtype, lazy.ndim, lazy.size, len(lazy)) == (np.float32, 3, 6, 1)
    assert lazy[0, 1].tolist() == [1.5, 2, 2.5]
    assert np.asarray(lazy, dtype=int).tolist() == [[[0, 0, 1], [1, 2, 2]]]
    with pytest.raises(ValueError, match="values in a file cannot be had without a copy, use"):
        np.array(lazy, copy=False)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((0, 0, 0, 0), "does not fit 3 axes"), ((..., ...), "does not fit 3 axes"), (None, "does not fit 3"),
        (3, "the index 3 is beyond an axis of 3"), ((0, -5), "the index -5 is beyond an axis of 4"),
        (1.5, "1.5 is no index, whole numbers, slices and arrays"), ("a", "'a' is no index"),
    ],
)  # fmt: skip
def test_what_is_no_index_is_refused(key, message):
    with pytest.raises(IndexError, match=message):
        Lazy(WHOLE)[key]


def test_numbers_of_a_file_are_read_where_they_are_and_can_go_to_other_processes(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"odd" + WHOLE.astype(">f4").tobytes())
    raw = FileArray(path, np.dtype(">f4"), SHAPE, 3)
    np.testing.assert_array_equal(raw[1, ::2], WHOLE[1, ::2])
    assert type(raw[...]) is np.ndarray
    lazy = pickle.loads(pickle.dumps(Lazy(raw)))
    np.testing.assert_array_equal(lazy, WHOLE)
    path.unlink()
    with pytest.raises(FormatError, match="data: the file was changed or removed since its header was read"):
        lazy[0]


@settings(max_examples=200, deadline=None)
@given(shape=hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=9), limit=st.integers(1, 40))
def test_slabs_cover_every_value_once_in_the_order_of_the_file(shape, limit):
    values = np.arange(np.prod(shape)).reshape(shape)
    parts = [values[slab].ravel() for slab in slabs(values, limit)]
    assert np.concatenate([*parts, np.empty(0, int)]).tolist() == values.ravel().tolist()
    assert all(len(part) <= max(limit, 1) for part in parts)


def test_slabs_do_not_cut_chunks(tmp_path):
    store = zarr.create_array(tmp_path / "z", shape=(10, 4, 4), chunks=(3, 2, 2), dtype="f4")
    for values in (store, Lazy(store), Lazy(store).oriented((0, 2, 1), reversed_axes(1))):
        assert [part[0] for part in slabs(values, 40)] == [slice(n, min(n + 3, 10)) for n in (0, 3, 6, 9)]
    assert Lazy(store).oriented((1, 2, 0), reversed_axes()).chunks == (2, 2, 3)
    assert len(list(slabs(Lazy(store), 2))) == 80  # very large chunks are


def test_statistics_are_those_of_numpy_and_leave_out_what_is_missing():
    values = np.array([[3.0, np.nan, 5], [10, -2, np.nan]])
    known = [3.0, 5, 10, -2]
    assert statistics(values) == pytest.approx((4, 4, np.var(known, ddof=1), -2, 10))
    assert statistics(np.full((2, 2), np.nan)) == (0, 0, 0, 0, 0)
    assert statistics(np.empty((0, 3))) == (0, 0, 0, 0, 0)
    assert statistics(np.array([7], dtype="u1")) == (1, 7, 0, 7, 7)


def test_statistics_in_slabs_keep_their_digits_on_a_large_offset(rng):
    values = (1e9 + rng.random((3, 1000, 1000))).astype(float)  # three slabs
    found = statistics(Lazy(values))
    assert found.n == values.size
    assert found.mean == pytest.approx(values.mean(), rel=1e-15)
    assert found.variance == pytest.approx(np.var(values - 1e9, ddof=1), rel=1e-6)
    assert (found.low, found.high) == (values.min(), values.max())


def test_joined_statistics_are_those_of_all(rng):
    values = rng.normal(5, 2, 100)
    parts = [
        statistics(values[:30]),
        statistics(values[30:31]),
        statistics(values[:0]),
        statistics(values[31:]),
    ]
    found = Statistics(0, 0.0, 0.0, 0.0, 0.0)
    for part in parts:
        found = found.joined(part)
    assert found == pytest.approx(statistics(values))


def test_statistics_agree_to_six_digits_only_with_the_same_values(rng):
    values = rng.normal(100, 20, 1000)
    found = statistics(values)
    printed = Statistics(found.n, *(float(f"{v:.6g}") for v in found[1:]))
    assert found.agrees(printed)
    for name, change in (("n", 1), ("mean", 0.1), ("variance", 10), ("low", 0.1), ("high", -0.1)):
        assert not found.agrees(printed._replace(**{name: getattr(printed, name) + change}))


def test_infinite_values_are_counted_without_warnings():
    found = statistics(np.array([1.0, np.inf]))
    assert (found.n, found.low, found.high) == (2, 1, np.inf)
    assert not found.agrees(found._replace(n=3))
    large = statistics(np.array([1e300, -1e300]))  # whose squares are beyond numbers
    assert large.joined(statistics(np.array([-1e300]))).n == 3
    assert not large.agrees(found)
