"""Formulas of bands, such as ``(swir - red) / (swir + red)``: numbers, names and arithmetic, nothing else."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from mpm3d.grid import FloatArray

_Operation = Callable[..., FloatArray]
_OPERATORS: dict[type[ast.operator], _Operation] = {
    ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Pow: np.power,
}  # fmt: skip
_SIGNS: dict[type[ast.unaryop], _Operation] = {ast.USub: np.negative, ast.UAdd: np.positive}
_FUNCTIONS: dict[str, _Operation] = {"log10": np.log10, "sqrt": np.sqrt, "abs": np.abs}
_ALLOWED = f"numbers, names of bands, + - * / **, parentheses, {', '.join(_FUNCTIONS)}"
_LONGEST = 1000
_LARGEST = 1e30
_DEEPEST = 200


@dataclass(frozen=True)
class Formula:
    """A formula of bands, checked when it is made.

    Parameters
    ----------
    text : str
        Of numbers, names, ``+ - * / **``, parentheses, ``log10``, ``sqrt`` and ``abs``.

    Raises
    ------
    ValueError
        If anything else is in it, or it cannot be read, with its place.

    Examples
    --------
    >>> ratio = Formula("(swir - red) / (swir + red)")
    >>> ratio.names
    ('swir', 'red')
    >>> ratio.of({"swir": np.array([3.0, 0]), "red": np.array([1.0, 0])})
    (array([0.5, nan]), 1)
    """

    text: str

    def __post_init__(self) -> None:
        self._check(self._tree())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands, as they come."""
        calls = {node.func for node in ast.walk(self._tree()) if isinstance(node, ast.Call)}
        found = [node for node in ast.walk(self._tree()) if isinstance(node, ast.Name)]
        found = [node for node in found if node.id not in _FUNCTIONS and node not in calls]
        return tuple(dict.fromkeys(node.id for node in sorted(found, key=lambda node: node.col_offset)))

    def of(self, bands: Mapping[str, FloatArray]) -> tuple[FloatArray, int]:
        """Compute the formula.

        Parameters
        ----------
        bands : mapping of str to array
            Arrays of one shape, one for each name at least; NaN where missing.

        Returns
        -------
        values : array
            NaN where a band of the formula is missing, or there is no number: something divided by 0, the
            logarithm of what is not above 0, the root of what is below 0.
        lost : int
            How many of these there are where no band is missing.

        Raises
        ------
        ValueError
            If it names a band that is not there.
        """
        for name in self.names:
            if name not in bands:
                self._fail(f"{name!r} is no band, there are {', '.join(map(repr, bands))}", self._at(name))
        used = [np.asarray(bands[name], dtype=float) for name in self.names]
        known = np.logical_and.reduce([np.isfinite(band) for band in used])
        with np.errstate(all="ignore"):
            found = self._value(self._tree(), bands)
        values = np.where(known, np.broadcast_to(found, known.shape), np.nan)
        return values, int((known & ~np.isfinite(values)).sum())

    def _tree(self) -> ast.expr:
        text = self.text.replace("\n", " ").strip()
        if not text or len(text) > _LONGEST:
            raise ValueError(f"a formula of {len(text)} characters is not possible, use 1 to {_LONGEST}.")
        try:
            return ast.parse(text, mode="eval").body
        except SyntaxError as error:
            self._fail("it cannot be read", (error.offset or 1) - 1)
        except (ValueError, RecursionError, MemoryError):
            self._fail("it cannot be read", 0)

    def _check(self, node: ast.expr, depth: int = 0) -> None:
        """Refuse what is not in the list of what is allowed."""
        if depth > _DEEPEST:
            self._fail(f"it is nested more than {_DEEPEST} times", node.col_offset)
        inner: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            inner = [node.left, node.right]
        elif isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
            inner = [node.operand]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            if len(node.args) != 1 or node.keywords:
                self._fail(f"{node.func.id} takes one argument", node.col_offset)
            inner = node.args
        elif isinstance(node, ast.Name):
            if node.id in _FUNCTIONS:
                self._fail(f"{node.id} takes one argument", node.col_offset)
        elif not (isinstance(node, ast.Constant) and type(node.value) in (int, float)):
            self._fail(f"this is not one of {_ALLOWED}", node.col_offset)
        elif abs(node.value) > _LARGEST:  # type: ignore[arg-type]
            self._fail(f"numbers go up to {_LARGEST:g}", node.col_offset)
        for one in inner:
            self._check(one, depth + 1)

    def _value(self, node: ast.expr, bands: Mapping[str, FloatArray]) -> FloatArray:
        if isinstance(node, ast.Name):
            return np.asarray(bands[node.id], dtype=float)
        if isinstance(node, ast.Constant):
            return np.asarray(float(node.value))  # type: ignore[arg-type]
        if isinstance(node, ast.BinOp):
            operation, inner = _OPERATORS[type(node.op)], [node.left, node.right]
        elif isinstance(node, ast.UnaryOp):
            operation, inner = _SIGNS[type(node.op)], [node.operand]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            operation, inner = _FUNCTIONS[node.func.id], node.args
        else:
            self._fail(f"this is not one of {_ALLOWED}", node.col_offset)
        parts = [self._value(one, bands) for one in inner]
        found = operation(*parts)
        # 1 / (1 / 0) is not 0, and nan ** 0 not 1
        there = np.isfinite(found)
        for part in parts:
            there = there & np.isfinite(part)
        return np.where(there, found, np.nan)

    def _at(self, name: str) -> int:
        nodes = (node for node in ast.walk(self._tree()) if isinstance(node, ast.Name) and node.id == name)
        return min(node.col_offset for node in nodes)

    def _fail(self, reason: str, place: int) -> NoReturn:
        text = self.text.replace("\n", " ").strip()
        near = text[place : place + 12] or "its end"
        raise ValueError(f"formula {text!r}, character {place + 1} ({near!r}): {reason}.")
