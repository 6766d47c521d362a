"""Derivatives and continuation agree with fields that have formulas; the regional and the residual add up."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mpm3d import potential_fields
from mpm3d.grid import FloatArray
from mpm3d.potential_fields import decompose, derive, separate

DY, DX = 50.0, 40.0
NY, NX = 60, 80
# a whole number of half waves, sampled at the centres of cells, continues itself in the mirror
KY, KX = 3 * np.pi / (NY * DY), 4 * np.pi / (NX * DX)
K = float(np.hypot(KY, KX))


def wave() -> FloatArray:
    y, x = (np.arange(NY) + 0.5) * DY, (np.arange(NX) + 0.5) * DX
    return np.cos(KY * y)[:, None] * np.cos(KX * x)


def sphere(depth: float, *, up: float = 0.0) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """A point mass: z / r^3 at a height, and its derivatives east, north and downward."""
    y, x = np.meshgrid((np.arange(128) - 60.3) * 50.0, (np.arange(160) - 75.6) * 50.0, indexing="ij")
    z = depth + up
    r = np.sqrt(x**2 + y**2 + z**2)
    # with the depth below the point, d/dz downward is minus the derivative by that depth
    return z / r**3, -3 * x * z / r**5, -3 * y * z / r**5, -(1 / r**3 - 3 * z**2 / r**5)


def test_a_plane_wave_decays_upward_by_its_wavenumber() -> None:
    for height in (20.0, 300.0):
        up = derive(wave(), (DY, DX), "upward", height=height)
        np.testing.assert_allclose(up, np.exp(-K * height) * wave(), rtol=0, atol=1e-10)


def test_the_vertical_derivative_of_a_plane_wave_is_its_wavenumber_times_it() -> None:
    # downward, so that it is above 0 over a high
    np.testing.assert_allclose(
        derive(wave(), (DY, DX), "first_vertical_derivative"), K * wave(), rtol=0, atol=1e-12
    )


def test_a_plane_has_its_slopes_no_vertical_derivative_and_is_the_same_higher_up() -> None:
    y, x = np.mgrid[:30, :20] * np.array([DY, DX])[:, None, None]
    plane = 3e-3 * x - 2e-3 * y + 48_000
    np.testing.assert_allclose(derive(plane, (DY, DX), "dx"), 3e-3, rtol=1e-6)
    np.testing.assert_allclose(derive(plane, (DY, DX), "dy"), -2e-3, rtol=1e-6)
    np.testing.assert_allclose(derive(plane, (DY, DX), "gradient"), np.hypot(3e-3, 2e-3), rtol=1e-6)
    np.testing.assert_allclose(derive(plane, (DY, DX), "first_vertical_derivative"), 0, atol=1e-9)
    np.testing.assert_allclose(derive(plane, (DY, DX), "upward", height=500), plane, rtol=1e-12)


def test_derivatives_of_a_point_mass_are_those_of_its_formula() -> None:
    field, dx, dy, dz = sphere(400.0)
    inside = (slice(30, -30), slice(30, -30))
    close = 0.02 * np.abs(dz).max()
    for name, wanted in (
        ("dx", dx), ("dy", dy), ("first_vertical_derivative", dz), ("gradient", np.hypot(dx, dy)),
        ("analytic_signal", np.sqrt(dx**2 + dy**2 + dz**2)),
    ):  # fmt: skip
        found = derive(field, (50, 50), name)
        np.testing.assert_allclose(found[inside], wanted[inside], rtol=0, atol=close, err_msg=name)
    up = derive(field, (50, 50), "upward", height=200.0)
    np.testing.assert_allclose(
        up[inside], sphere(400.0, up=200.0)[0][inside], rtol=0, atol=0.01 * field.max()
    )


def test_the_tilt_of_a_step_is_the_angle_from_its_upper_edge() -> None:
    # Salem et al. 2007, doi 10.1190/1.2821934: over a vertical contact at depth z, tilt = arctan(x / z)
    depth, x = 300.0, (np.arange(400) - 199.5) * 25.0
    contact = np.broadcast_to(np.arctan(x / depth), (24, 400))
    tilt = derive(contact, (25, 25), "tilt")[12]
    near = np.abs(x) < 600
    np.testing.assert_allclose(tilt[near], np.arctan(x / depth)[near], rtol=0, atol=0.1)
    assert np.sign(tilt[near]).tolist() == np.sign(x[near]).tolist(), "0 at the edge, above 0 over the source"


@pytest.mark.parametrize("name", potential_fields.NAMES)
def test_what_is_missing_stays_missing_and_changes_little_around_it(name: str) -> None:
    # enough peaks and hollows for modes
    field = sum(regional_and_local()) if name in ("regional", "residual") else sphere(400.0)[0][:, :100]
    holed = field.copy()
    holed[20:24, 30:33] = holed[100, 80] = np.nan
    more = {"height": 100.0} if name == "upward" else {}
    whole, found = derive(field, (50, 50), name, **more), derive(holed, (50, 50), name, **more)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(holed))
    if name not in (
        "regional",
        "residual",
        "tilt",
    ):  # the modes of a field depend on all of it, tilt on ratios
        away = np.isfinite(found)
        assert np.abs(found - whole)[away].max() < 0.06 * np.abs(whole).max()


def test_a_field_without_any_value_has_none() -> None:
    for name in potential_fields.NAMES:
        more = (
            {"height": 10.0, "method": "upward"}
            if name not in ("residual", "regional")
            else {"method": "upward", "height": 1.0}
        )
        assert np.isnan(derive(np.full((5, 6), np.nan), (1, 1), name, **more)).all()


def regional_and_local() -> tuple[FloatArray, FloatArray]:
    y, x = np.mgrid[:120, :160].astype(float)
    regional = 0.05 * x - 0.03 * y + 8 * np.sin(2 * np.pi * x / 240) * np.cos(2 * np.pi * y / 300)
    rng = np.random.default_rng(0)
    local = 0.3 * rng.standard_normal(x.shape)
    for cx, cy, width, high in zip(
        rng.uniform(0, 160, 40),
        rng.uniform(0, 120, 40),
        rng.uniform(3, 6, 40),
        rng.uniform(1, 3, 40),
        strict=True,
    ):
        local += high * rng.choice([-1, 1]) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 2 / width**2)
    return regional, local


@pytest.mark.parametrize("more", [{"method": "emd"}, {"method": "upward", "height": 300.0}])
def test_regional_and_residual_add_up_and_find_what_was_mixed(more: dict[str, float]) -> None:
    regional, local = regional_and_local()
    field = regional + local
    low, high = separate(field, (50, 50), **more)
    np.testing.assert_allclose(low + high, field, rtol=0, atol=4 * np.finfo(float).eps * np.abs(field).max())
    assert np.corrcoef(low.ravel(), regional.ravel())[0, 1] > 0.97
    assert np.corrcoef(high.ravel(), local.ravel())[0, 1] > 0.6
    for name, wanted in (("regional", low), ("residual", high)):
        np.testing.assert_array_equal(derive(field, (50, 50), name, **more), wanted)


def test_modes_go_from_fine_to_smooth_and_add_up() -> None:
    field = sum(regional_and_local())
    parts = decompose(field)
    np.testing.assert_allclose(parts.sum(axis=0), field, rtol=0, atol=1e-12)
    rough = [np.abs(np.diff(part, axis=1)).mean() / part.std() for part in parts]
    assert rough[0] > rough[-2] > rough[-1]
    low, _ = separate(field, (1, 1), modes=2)
    np.testing.assert_allclose(low, parts[-2:].sum(axis=0), rtol=0, atol=1e-12)


def test_modes_turn_with_the_field() -> None:
    field = sum(regional_and_local())
    np.testing.assert_allclose(decompose(field.T), decompose(field).transpose(0, 2, 1), rtol=0, atol=1e-9)
    np.testing.assert_allclose(decompose(field[::-1]), decompose(field)[:, ::-1], rtol=0, atol=1e-9)


def test_what_is_not_possible_is_refused() -> None:
    field = wave()
    with pytest.raises(ValueError, match=r"the derivative 'curvature' is not known, use one of gradient, dx"):
        derive(field, (1, 1), "curvature")
    with pytest.raises(ValueError, match=r"the separation 'fourier' is not known, use one of emd, upward"):
        separate(field, (1, 1), method="fourier")
    with pytest.raises(
        ValueError, match=r"a height of 0 m is not possible, upward continuation needs one above"
    ):
        derive(field, (1, 1), "upward")
    with pytest.raises(ValueError, match=r"a field of shape \(2, 9\) is not possible"):
        derive(np.ones((2, 9)), (1, 1), "dx")
    with pytest.raises(ValueError, match=r"cells of \(1, 0\) m \(y, x\) are not possible"):
        derive(field, (1, 0), "dx")
    with pytest.raises(ValueError, match=r"99 of \d+ parts of the decomposition cannot be the regional"):
        separate(sum(regional_and_local()), (1, 1), modes=99)
    with pytest.raises(ValueError, match=r"the field has fewer than three peaks or hollows"):
        separate(np.add.outer(np.arange(9.0), np.arange(9.0)), (1, 1))


def test_without_harmonica_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harmonica", None)
    with pytest.raises(ImportError, match=r"pip install 'mpm3d\[maps\]'"):
        derive(wave(), (1, 1), "tilt")
