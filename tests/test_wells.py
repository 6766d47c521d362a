"""Paths of drillholes, and what lies along them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from mpm3d.wells import Curve, Intervals, Well, minimum_curvature


def hole(depth, inclination=None, azimuth=None, collar=(1000.0, 2000.0, 300.0), **more) -> Well:
    """A hole along its stations, or straight down."""
    depth = np.asarray(depth, dtype=float)
    survey = np.column_stack([
        np.zeros(len(depth)) if inclination is None else inclination,
        np.zeros(len(depth)) if azimuth is None else azimuth,
    ])  # fmt: skip
    path = np.asarray(collar) + minimum_curvature(depth, survey[:, 0], survey[:, 1])
    return Well("DH1", np.asarray(collar), depth, path, survey=survey, **more)


def direction(inclination: float, azimuth: float) -> np.ndarray:
    i, a = math.radians(inclination), math.radians(azimuth)
    return np.array([math.sin(i) * math.sin(a), math.sin(i) * math.cos(a), -math.cos(i)])


def by_angles(i1, a1, i2, a2, length) -> np.ndarray:
    """The textbook's formula: half the length times the sums of components times 2 / b tan(b / 2)."""
    cosine = math.cos(math.radians(i2 - i1)) - math.sin(math.radians(i1)) * math.sin(math.radians(i2)) * (
        1 - math.cos(math.radians(a2 - a1))
    )
    bend = math.acos(cosine)
    return length / 2 * (direction(i1, a1) + direction(i2, a2)) * 2 / bend * math.tan(bend / 2)


def by_integral(i1, a1, i2, a2, length, share=1.0) -> np.ndarray:
    """Integral of a direction that turns evenly in the plane of both ends."""
    first, last = direction(i1, a1), direction(i2, a2)
    bend = 2 * math.asin(np.linalg.norm(last - first) / 2)

    def component(axis: int) -> float:
        def along(s: float) -> float:
            value = math.sin((1 - s) * bend) * first[axis] + math.sin(s * bend) * last[axis]
            return float(value / math.sin(bend))

        return float(quad(along, 0, share, epsabs=1e-13)[0]) * length

    return np.array([component(axis) for axis in range(3)])


def test_a_straight_hole_goes_where_it_points():
    # dip -60 towards 045: inclination 30; 100 m down is 86.6 m, across is 50 m, half of it in the square
    path = minimum_curvature([0, 40, 100], [30, 30, 30], [45, 45, 45])
    across = 50 / math.sqrt(2)
    np.testing.assert_allclose(path[-1], [across, across, -100 * math.cos(math.pi / 6)], atol=1e-12)
    np.testing.assert_allclose(path[1], path[2] * 0.4, atol=1e-12)


def test_a_quarter_of_a_circle_ends_a_radius_down_and_a_radius_across():
    path = minimum_curvature([0, 50 * np.pi], [0, 90], [0, 0])
    np.testing.assert_allclose(path[-1], [0, 100, -100], atol=1e-12)


def test_the_example_of_the_textbooks_comes_out():
    # 3500 ft at 15 and 20 degrees, 3600 ft at 25 and 45 degrees: east 19.45, north 27.22, down 94.01 ft
    step = minimum_curvature([3500, 3600], [15, 25], [20, 45])[-1]
    np.testing.assert_allclose(step, [19.45, 27.22, -94.01], atol=0.005)
    np.testing.assert_allclose(step, by_angles(15, 20, 25, 45, 100), rtol=1e-12)


@given(
    st.floats(0, 180), st.floats(0, 360), st.floats(0, 180), st.floats(0, 360), st.floats(0.1, 1000),
)  # fmt: skip
def test_any_two_stations_agree_with_the_formula_of_the_angles(i1, a1, i2, a2, length):
    first, last = direction(i1, a1), direction(i2, a2)
    cosine = float(first @ last)
    if not -0.99 < cosine < 0.9999:  # where the other formula itself is inexact
        return
    step = minimum_curvature([0, length], [i1, i2], [a1, a2])[-1]
    np.testing.assert_allclose(step, by_angles(i1, a1, i2, a2, length), atol=1e-9 * length)


@pytest.mark.parametrize("bend", [0.0, 1e-13, 1e-9, 1e-7, 1e-5, 1e-3, 0.1, 5.0, 90.0])
def test_tiny_bends_are_as_exact_as_large_ones(bend):
    """The chord of an arc of length 1 is sin(b / 2) / (b / 2), and points halfway lie on the arc."""
    half = math.radians(bend) / 2
    chord = math.sin(half) / half if half else 1.0
    well = hole([0, 1], [0, bend], [90, 90], collar=(0, 0, 0))
    assert np.linalg.norm(well.path[-1]) == pytest.approx(chord, rel=1e-15)
    middle = well.position([0.5])[0]
    # sine and cosine of the angle turned so far, integrated: r (1 - cos), r sin
    b = math.radians(bend)
    expected = [2 * math.sin(b / 4) ** 2 / b, 0, -math.sin(b / 2) / b] if b else [0, 0, -0.5]
    np.testing.assert_allclose(middle, expected, rtol=1e-12, atol=1e-16)


@pytest.mark.parametrize("bend", [170.0, 179.9, 179.999])
def test_bends_near_a_half_turn_stay_on_their_circle(bend):
    well = hole([0, 100], [0, bend], [90, 90], collar=(0, 0, 0))
    radius = 100 / math.radians(bend)
    points = well.position(np.linspace(0, 100, 21))
    distance = np.linalg.norm(points - [radius, 0, 0], axis=1)
    np.testing.assert_allclose(distance, radius, rtol=1e-9)


def test_a_half_turn_is_refused_with_the_place():
    with pytest.raises(ValueError, match=r"turns back on itself between 10 and 20 m, that is no arc. Check"):
        minimum_curvature([0, 10, 20], [90, 90, 90], [0, 0, 180])


def test_the_azimuth_of_a_vertical_station_means_nothing():
    known = minimum_curvature([0, 50, 100], [0, 0, 10], [0, 0, 90])
    unknown = minimum_curvature([0, 50, 100], [0, 0, 10], [np.nan, np.nan, 90])
    other = minimum_curvature([0, 50, 100], [0, 0, 10], [277, 13, 90])
    np.testing.assert_array_equal(known, unknown)
    np.testing.assert_array_equal(known, other)
    up = minimum_curvature([0, 50], [180, 180], [np.nan, 0])
    np.testing.assert_allclose(up[-1], [0, 0, 50], atol=1e-12)
    with pytest.raises(ValueError, match=r"must be finite numbers \(only the azimuth of a vertical station"):
        minimum_curvature([0, 50], [0, 1], [0, np.nan])


def test_azimuths_on_both_sides_of_north_are_near_each_other():
    step = minimum_curvature([0, 10], [45, 45], [359, 1])[-1]
    assert step[0] == pytest.approx(0, abs=1e-12)
    assert step[1] > 7


def test_one_station_and_none_are_paths_too():
    assert minimum_curvature([12], [30], [10]).tolist() == [[0, 0, 0]]
    assert minimum_curvature([], [], []).shape == (0, 3)


@pytest.mark.parametrize(
    ("survey", "message"),
    [
        (([0, 10, 10], [0, 0, 0], [0, 0, 0]), "from a depth of 10 to 10 m, depths must ascend"),
        (([0, 10, 5], [0, 0, 0], [0, 0, 0]), "from a depth of 10 to 5 m"),
        (([0, np.inf], [0, 0], [0, 0]), "must be finite numbers"),
        (([0, 1], [0, np.nan], [0, 0]), "must be finite numbers"),
        (([0, 1], [0], [0, 0]), r"as many inclinations and azimuths as depths, these have the shapes \(1,\)"),
        (([[0, 1]], [[0, 0]], [[0, 0]]), "as many inclinations and azimuths as depths"),
    ],
)
def test_surveys_that_are_none_are_refused(survey, message):
    with pytest.raises(ValueError, match=message):
        minimum_curvature(*survey)


@given(st.floats(0.01, 120), st.floats(0, 360), st.floats(0.01, 120), st.floats(0, 360), st.floats(0, 1))
def test_positions_between_stations_are_the_integral_of_the_direction(i1, a1, i2, a2, share):
    cosine = float(direction(i1, a1) @ direction(i2, a2))
    if not -0.95 < cosine < 0.9999:
        return
    well = hole([20, 50], [i1, i2], [a1, a2])
    expected = well.path[0] + by_integral(i1, a1, i2, a2, 30, share)
    np.testing.assert_allclose(well.position([20 + 30 * share])[0], expected, atol=1e-8)


def test_positions_at_the_stations_are_the_stations():
    well = hole([0, 10, 25, 60, 61], [0, 5, 30, 30, 80], [0, 100, 140, 140, 200])
    np.testing.assert_allclose(well.position(well.depth), well.path, atol=1e-10)


def test_a_hole_without_survey_is_straight_between_its_points():
    path = np.array([[0.0, 0, 100], [0, 0, 50], [30, 40, 50]])
    well = Well("W", path[0], np.array([0.0, 50, 100]), path)
    np.testing.assert_allclose(well.position([25, 75]), [[0, 0, 75], [15, 20, 50]])


def test_beyond_the_path_nothing_is_known_but_a_micrometre():
    well = hole([10, 20], [0, 40], [90, 90])
    assert np.isnan(well.position([9.99, 20.01, np.nan])).all()
    np.testing.assert_allclose(well.position([10 - 1e-9, 20 + 1e-9]), well.path)


def test_a_collar_alone_and_an_empty_path_have_positions():
    alone = Well("W", np.array([1.0, 2, 3]), np.array([0.0]), np.array([[1.0, 2, 3]]))
    np.testing.assert_array_equal(alone.position([0, 1]), [[1, 2, 3], [np.nan] * 3])
    assert alone.bounds == (1, 2, 3, 1, 2, 3)
    assert alone.as_lines().segments.shape == (0, 2)
    empty = Well("W", np.array([1.0, 2, 3]), np.zeros(0), np.zeros((0, 3)))
    assert np.isnan(empty.position([0, 5])).all()
    assert np.isnan(empty.bounds).all()
    assert empty.as_lines().segments.shape == (0, 2)


def test_the_path_is_a_polyline_with_its_depths():
    well = hole([0, 10, 30], [0, 20, 40], [10, 20, 30], kind="drillhole", notes=("a note.",))
    lines = well.as_lines()
    assert lines.segments.tolist() == [[0, 1], [1, 2]]
    assert lines.properties["depth"].tolist() == [0, 10, 30]
    assert lines.units == {"depth": "m"}
    assert lines.notes == ("a note.",)


def test_intervals_are_segments_with_their_numbers_at_both_ends():
    table = Intervals(
        np.array([0.0, 10, 95]), np.array([10.0, 30, 120]),
        {"au": np.array([0.5, np.nan, 9.0]), "rock": np.array(["granite", "", "ore"])},
    )  # fmt: skip
    well = hole([0, 100], intervals={"assay": table}, curves={"gamma": Curve(np.zeros(1), np.ones(1))})
    lines = well.interval_lines("assay")
    assert lines.name == "DH1 assay"
    np.testing.assert_allclose(lines.vertices[:, 2], [300, 290, 290, 270])
    np.testing.assert_array_equal(lines.properties["au"], [0.5, 0.5, np.nan, np.nan])
    assert lines.part.tolist() == [0, 1]
    assert lines.notes == (
        "1 intervals beyond the path were left out.", "columns of text were left out: rock.",
    )  # fmt: skip
