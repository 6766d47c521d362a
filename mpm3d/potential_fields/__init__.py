"""Derivatives of gravity and magnetic grids, continuation upward, and what is regional and what residual."""

from __future__ import annotations

import numpy as np

from mpm3d.grid import FloatArray
from mpm3d.potential_fields.filters import checked, horizontal, spectral
from mpm3d.potential_fields.modes import decompose

__all__ = ["NAMES", "SEPARATIONS", "decompose", "derive", "separate"]

NAMES = (
    "gradient", "dx", "dy", "tilt", "analytic_signal", "first_vertical_derivative", "upward", "regional",
    "residual",
)  # fmt: skip
SEPARATIONS = ("emd", "upward")


def derive(
    field: FloatArray, spacing: tuple[float, float], name: str, *, height: float = 0.0,
    method: str = "emd", modes: int = 1,
) -> FloatArray:  # fmt: skip
    r"""Derive a grid from a potential field.

    Parameters
    ----------
    field : array of shape (y, x)
        Gravity, magnetic field or another that is harmonic above its sources, on a level; NaN where missing.
        Rows go north, columns east.
    spacing : tuple of float
        Size of a cell along y and x, in metres.
    name : {"gradient", "dx", "dy", "tilt", "analytic_signal", "first_vertical_derivative", "upward", \
"regional", "residual"}
        ``"dx"``, ``"dy"``: horizontal derivatives, from the two neighbours, from one at an edge.
        ``"gradient"``: :math:`\sqrt{f_x^2 + f_y^2}`. ``"first_vertical_derivative"``: :math:`f_z` with z
        *downward*, so it is above 0 over what makes a high. ``"analytic_signal"``:
        :math:`\sqrt{f_x^2 + f_y^2 + f_z^2}`. ``"tilt"``: :math:`\arctan(f_z / \sqrt{f_x^2 + f_y^2})` in
        radians. ``"upward"``: the field `height` metres higher. ``"regional"``, ``"residual"``: see
        `separate`.
    height : float
        Metres upward, for ``"upward"`` and for the method of that name.
    method, modes
        As in `separate`.

    Returns
    -------
    array of shape (y, x)
        Units of the field, per metre for derivatives. NaN where the field is, and of horizontal derivatives
        where neither neighbour has a value.

    Raises
    ------
    ValueError
        If the name, the method, a height or the shape is not possible.
    ImportError
        If harmonica is not installed, which the vertical derivative and continuation need.

    Notes
    -----
    What needs wavenumbers (harmonica) is computed of the field less a plane, gaps filled smoothly from their
    rims, mirrored at the edges; then gaps are cut out again. Within a few cells of an edge or a gap, and of
    continuation within a few times the height, values lean on what was filled in. The vertical derivative
    amplifies noise: continue upward by a cell or two first where the field is rough.

    References
    ----------
    Blakely 1995, Potential Theory in Gravity and Magnetic Applications, ch. 12. Miller and Singh 1994,
    doi 10.1016/0926-9851(94)90022-1 (tilt).

    Examples
    --------
    >>> y, x = np.mgrid[:4, :5] * 100.0
    >>> float(derive(3 * x + 4 * y, (100, 100), "gradient")[0, 0])
    5.0
    """
    if name not in NAMES:
        raise ValueError(f"the derivative {name!r} is not known, use one of {', '.join(NAMES)}.")
    field = checked(field, spacing)
    if name == "upward":
        return spectral(field, spacing, height=_above_0(height))
    if name in ("regional", "residual"):
        regional, residual = separate(field, spacing, method=method, height=height, modes=modes)
        return regional if name == "regional" else residual
    if name == "first_vertical_derivative":
        return spectral(field, spacing)
    dx, dy = horizontal(field, spacing[1], axis=1), horizontal(field, spacing[0], axis=0)
    if name in ("dx", "dy"):
        return dx if name == "dx" else dy
    flat = np.hypot(dx, dy)
    if name == "gradient":
        return flat
    dz = spectral(field, spacing)
    return np.hypot(flat, dz) if name == "analytic_signal" else np.arctan2(dz, flat)


def separate(
    field: FloatArray, spacing: tuple[float, float], *, method: str = "emd", height: float = 0.0,
    modes: int = 1,
) -> tuple[FloatArray, FloatArray]:  # fmt: skip
    """Separate the regional part of a field, of deep and broad sources, from the residual.

    Parameters
    ----------
    field, spacing
        As in `derive`.
    method : {"emd", "upward"}
        ``"emd"``: bidimensional empirical mode decomposition, see `decompose`; it finds the widths itself.
        ``"upward"``: the field continued upward.
    height : float
        Metres upward, for ``"upward"``: about the depth above which sources are to count as residual.
    modes : int
        Number of the smoothest parts of a decomposition that are the regional, for ``"emd"``; 1 is what is
        left when no more modes can be taken away.

    Returns
    -------
    regional, residual : array of shape (y, x)
        Their sum is the field, to the rounding of floating point numbers. NaN where the field is.

    Raises
    ------
    ValueError
        If the method is not known, the height is not above 0, or there are no more parts than `modes`.
    ImportError
        If harmonica is not installed, for ``"upward"``.
    """
    if method not in SEPARATIONS:
        raise ValueError(f"the separation {method!r} is not known, use one of {', '.join(SEPARATIONS)}.")
    field = checked(field, spacing)
    if method == "upward":
        regional = spectral(field, spacing, height=_above_0(height))
    else:
        parts = decompose(field)
        if len(parts) == 1:
            raise ValueError(
                "the field has fewer than three peaks or hollows, so it has no modes to take away. Use "
                "separation = 'upward' with a height."
            )
        if not 1 <= modes < len(parts):
            raise ValueError(
                f"{modes} of {len(parts)} parts of the decomposition cannot be the regional, between 1 and "
                f"{len(parts) - 1} must be. Use fewer modes."
            )
        regional = parts[-modes:].sum(axis=0)
    return regional, field - regional


def _above_0(height: float) -> float:
    if not 0 < height < np.inf:
        raise ValueError(f"a height of {height:g} m is not possible, upward continuation needs one above 0.")
    return height
