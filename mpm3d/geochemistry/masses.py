"""Atomic masses, and how much of an oxide is the element.

Standard atomic weights 2021, abridged to five digits: Prohaska et al. (2022), Pure and Applied Chemistry
94, 573-600, doi 10.1515/pac-2019-0603.
"""

from __future__ import annotations

import re

# element: relative atomic mass
ATOMIC_MASSES: dict[str, float] = {
    "H": 1.0080, "Li": 6.94, "Be": 9.0122, "B": 10.81, "C": 12.011, "N": 14.007, "O": 15.999, "F": 18.998,
    "Na": 22.990, "Mg": 24.305, "Al": 26.982, "Si": 28.085, "P": 30.974, "S": 32.06, "Cl": 35.45,
    "K": 39.098, "Ca": 40.078, "Sc": 44.956, "Ti": 47.867, "V": 50.942, "Cr": 51.996, "Mn": 54.938,
    "Fe": 55.845, "Co": 58.933, "Ni": 58.693, "Cu": 63.546, "Zn": 65.38, "Ga": 69.723, "Ge": 72.630,
    "As": 74.922, "Se": 78.971, "Br": 79.904, "Rb": 85.468, "Sr": 87.62, "Y": 88.906, "Zr": 91.224,
    "Nb": 92.906, "Mo": 95.95, "Ru": 101.07, "Rh": 102.91, "Pd": 106.42, "Ag": 107.87, "Cd": 112.41,
    "In": 114.82, "Sn": 118.71, "Sb": 121.76, "Te": 127.60, "I": 126.90, "Cs": 132.91, "Ba": 137.33,
    "La": 138.91, "Ce": 140.12, "Pr": 140.91, "Nd": 144.24, "Sm": 150.36, "Eu": 151.96, "Gd": 157.25,
    "Tb": 158.93, "Dy": 162.50, "Ho": 164.93, "Er": 167.26, "Tm": 168.93, "Yb": 173.05, "Lu": 174.97,
    "Hf": 178.49, "Ta": 180.95, "W": 183.84, "Re": 186.21, "Os": 190.23, "Ir": 192.22, "Pt": 195.08,
    "Au": 196.97, "Hg": 200.59, "Tl": 204.38, "Pb": 207.2, "Bi": 208.98, "Th": 232.04, "U": 238.03,
}  # fmt: skip
_OXIDE = re.compile(r"([A-Z][a-z]?)(\d*)O(\d*)")
_ANY_CASE = {symbol.upper(): symbol for symbol in ATOMIC_MASSES}


def formula_of(word: str, *, any_case: bool = False) -> str:
    """Element or oxide that a word names, ``""`` if it names none.

    Parameters
    ----------
    word : str
        Such as ``"Cu"`` or ``"Fe2O3"``.
    any_case : bool
        True where capitals say nothing: ``"AU"`` is gold, ``"SIO2"`` silica and ``"CO"`` cobalt.

    Examples
    --------
    >>> formula_of("Fe2O3"), formula_of("SIO2", any_case=True), formula_of("O18"), formula_of("LOI")
    ('Fe2O3', 'SiO2', '', '')
    """
    if word in ATOMIC_MASSES:
        return word
    if any_case and word.upper() in _ANY_CASE:
        return _ANY_CASE[word.upper()]
    parts = _OXIDE.fullmatch(word)
    if parts and parts[1] in ATOMIC_MASSES and parts[1] != "O":
        return word
    if not any_case:
        return ""
    parts = re.fullmatch(r"([A-Z]{1,2}?)(\d*)O(\d*)", word.upper())
    if parts is None or parts[1] == "O" or parts[1] not in _ANY_CASE:
        return ""
    return f"{_ANY_CASE[parts[1]]}{parts[2]}O{parts[3]}"


def element_share(formula: str) -> tuple[str, float]:
    r"""Element of an oxide, and the share of the oxide's mass that it is.

    For the oxide :math:`M_aO_b` with atomic masses :math:`m`, the share is
    :math:`a\,m_M / (a\,m_M + b\,m_O)`; an element has share 1.

    Parameters
    ----------
    formula : str
        As `formula_of` gives it.

    Returns
    -------
    tuple of str and float
        Element, mass of the element per mass of the formula.

    Raises
    ------
    ValueError
        If it is neither an element nor an oxide of one.

    Examples
    --------
    >>> element, share = element_share("Fe2O3")
    >>> element, round(share, 4)
    ('Fe', 0.6994)
    """
    if formula in ATOMIC_MASSES:
        return formula, 1.0
    parts = _OXIDE.fullmatch(formula)
    if parts is None or parts[1] not in ATOMIC_MASSES or parts[1] == "O":
        raise ValueError(f"{formula!r} is neither an element nor an oxide such as 'Fe2O3' or 'MgO'.")
    metal = int(parts[2] or 1) * ATOMIC_MASSES[parts[1]]
    return parts[1], metal / (metal + int(parts[3] or 1) * ATOMIC_MASSES["O"])
