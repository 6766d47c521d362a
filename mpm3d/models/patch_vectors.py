"""Vector instructions for `mpm3d.models.patch_kernels`: transforms and matrix products on registers.

A compiler seldom turns a loop that reads 27 rows and writes 64 into vector instructions, so they are spelled
out here. `Vector` is one register and has the operators of a number; a formula is written once, for numbers,
arrays and registers alike, and `on_vectors` makes of it something that compiled loops can call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_features = llvm.get_host_cpu_features()
# float32 values of a register, and rows of a product whose sums fit the 32 (or 16) registers
LANES = 16 if _features.get("avx512f") else 8 if _features.get("avx") else 4
ROWS = 12 if _features.get("avx512f") else 6
# columns of a product that are summed at a time
PANEL = 2 * LANES

_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_REGISTER, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT, LANES)
# Lets a multiplication and an addition become one instruction.
_FUSED = ("contract",)


class Vector:
    """A register of float32 values in code that is being written."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder, self.value = builder, value

    def _with(self, value: ir.Value) -> Vector:
        return Vector(self.builder, value)

    def __add__(self, other: Vector | float) -> Vector:
        return self._with(self.builder.fadd(self.value, _value(other), flags=_FUSED))

    def __sub__(self, other: Vector | float) -> Vector:
        return self._with(self.builder.fsub(self.value, _value(other), flags=_FUSED))

    def __mul__(self, other: Vector | float) -> Vector:
        return self._with(self.builder.fmul(self.value, _value(other), flags=_FUSED))

    def __rtruediv__(self, above: float) -> Vector:
        return self._with(self.builder.fdiv(_value(above), self.value))

    def where_above(self, other: Vector | float, yes: Vector | float, no: Vector | float) -> Vector:
        """``yes`` where this is above ``other``, else ``no``, also where either is NaN."""
        above = self.builder.fcmp_ordered(">", self.value, _value(other))
        return self._with(self.builder.select(above, _value(yes), _value(no)))

    def maximum(self, other: Vector | float) -> Vector:
        """The larger of the two; this one where either is NaN, so that ReLU keeps a NaN."""
        below = self.builder.fcmp_unordered("<=", _value(other), self.value)
        return self._with(self.builder.select(below, self.value, _value(other)))

    def exp(self) -> Vector:
        """Exponential, right to 2 units in the last place from -87 to 87, and flat beyond.

        The power splits into a whole power of two, which is put together from its bits, and a rest within
        ±log(2)/2, whose exponential is a polynomial (S. Moshier, Cephes, expf).
        """
        x = self.maximum(-87.0)
        x = x.where_above(87.0, 87.0, x)
        magic = 12582912.0  # 1.5 · 2²³: adding it rounds to a whole number
        whole = self._with(self.builder.fsub((x * 1.44269504 + magic).value, _value(magic)))
        rest = x - whole * 0.693359375 + whole * 2.12194440e-4  # log(2) in two parts
        power = rest * 1.9875691500e-4 + 1.3981999507e-3
        for term in (8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1):
            power = power * rest + term
        power = power * rest * rest + rest + 1.0
        biased = self.builder.add(self.builder.fptosi(whole.value, _INTS), ir.Constant(_INTS, [127] * LANES))
        bits = self.builder.shl(biased, ir.Constant(_INTS, [23] * LANES))
        return power * self._with(self.builder.bitcast(bits, _REGISTER))

    def sigmoid(self) -> Vector:
        """1 / (1 + e⁻ˣ)."""
        return 1.0 / ((self * -1.0).exp() + 1.0)


def _value(number: Vector | float) -> ir.Value:
    return number.value if isinstance(number, Vector) else ir.Constant(_REGISTER, [float(number)] * LANES)


class Rows:
    """Rows of memory, ``stride`` values apart; item ``p`` is the register that lies in row ``p``."""

    def __init__(self, builder: ir.IRBuilder, pointer: ir.Value, stride: Any = None) -> None:
        self.builder, self.pointer, self.stride = builder, pointer, stride

    def _at(self, row: int) -> ir.Value:
        place = self.pointer
        if row:
            place = self.builder.gep(place, [self.builder.mul(self.stride, self.stride.type(row))])
        return self.builder.bitcast(place, _REGISTER.as_pointer())

    def __getitem__(self, row: int) -> Vector:
        register = self.builder.load(self._at(row))
        register.align = 4
        return Vector(self.builder, register)

    def __setitem__(self, row: int, vector: Vector) -> None:
        self.builder.store(vector.value, self._at(row)).align = 4


def on_vectors(formula: Callable[..., None]) -> Any:
    """Make a formula on `Rows` callable from compiled code, as ``formula((pointer, ...), (stride, ...))``."""

    @intrinsic
    def compiled(typing: Any, pointers: Any, strides: Any) -> Any:
        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            both = (cgutils.unpack_tuple(builder, argument) for argument in arguments)  # type: ignore[no-untyped-call]
            formula(*(Rows(builder, pointer, stride) for pointer, stride in zip(*both, strict=True)))
            return context.get_dummy_value()

        return types.void(pointers, strides), write

    return compiled


def _at(typing: Any, array: Any, index: Any) -> Any:
    """Pointer to an element of a contiguous array, counted through all its axes."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        return builder.gep(data, [arguments[1]])

    pointer: Any = types.CPointer(types.float32)  # type: ignore[no-untyped-call]
    return pointer(array, types.intp), write


# at(array, index) in compiled code
at: Any = intrinsic(_at)


def product_of(n_rows: int) -> Any:
    """Make a product of ``n_rows`` rows with a panel of `PANEL` columns, callable from compiled code.

    ``product(a, row, step, b, width, out, out_row, depth)`` sums ``a[r, k] · b[k, c]`` over ``depth`` values
    of ``k``, at least one. Strides, counted in values: ``row`` and ``step`` from one row, and one ``k``, of
    ``a`` to the next, ``width`` of ``b``, and ``out_row``. The sums stay in registers throughout.
    """

    @intrinsic
    def product(
        typing: Any, a: Any, row: Any, step: Any, b: Any, width: Any, out: Any, out_row: Any, depth: Any
    ) -> Any:
        def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            _write_product(builder, n_rows, *arguments)
            return context.get_dummy_value()

        whole = types.intp
        return types.void(a, whole, whole, b, whole, out, whole, whole), write

    return product


def _write_product(builder: ir.IRBuilder, n_rows: int, *arguments: ir.Value) -> None:
    a, row, step, b, width, out, out_row, depth = arguments
    fused = cgutils.get_or_insert_function(  # type: ignore[no-untyped-call]
        builder.module, ir.FunctionType(_REGISTER, [_REGISTER] * 3), f"llvm.fma.v{LANES}f32"
    )
    away = [builder.mul(row, row.type(r)) for r in range(n_rows)]
    before, loop, done = builder.block, *(builder.append_basic_block(name) for name in ("loop", "done"))
    builder.branch(loop)
    builder.position_at_end(loop)
    # what a turn hands to the next: how many are left, both pointers, the sums
    first = [depth, a, b, *[ir.Constant(_REGISTER, [0.0] * LANES)] * (2 * n_rows)]
    held = [builder.phi(value.type) for value in first]
    left, here, there, *sums = held
    columns = [Rows(builder, builder.gep(there, [depth.type(half * LANES)]))[0].value for half in (0, 1)]
    for r in range(n_rows):
        value = _broadcast(builder, builder.load(builder.gep(here, [away[r]])))
        for half in (0, 1):
            sums[2 * r + half] = builder.call(fused, [value, columns[half], sums[2 * r + half]])
    left = builder.sub(left, depth.type(1))
    after = [left, builder.gep(here, [step]), builder.gep(there, [width]), *sums]
    for phi, start, end in zip(held, first, after, strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(end, loop)
    builder.cbranch(builder.icmp_signed(">", left, depth.type(0)), loop, done)
    builder.position_at_end(done)
    for half in (0, 1):
        rows = Rows(builder, builder.gep(out, [depth.type(half * LANES)]), out_row)
        for r in range(n_rows):
            rows[r] = Vector(builder, sums[2 * r + half])


def _broadcast(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    nothing = ir.Constant(_REGISTER, ir.Undefined)
    single = builder.insert_element(nothing, value, _INT(0))
    return builder.shuffle_vector(single, nothing, ir.Constant(_INTS, [0] * LANES))


def along_axes(step: Callable[[Any], Sequence[Any]], values: Sequence[Any]) -> list[Any]:
    """Apply ``step``, which maps a few values to a few, along z, y and x of a raveled cube."""
    side = round(len(values) ** (1 / 3))
    cube = np.array(values, dtype=object).reshape(side, side, side)
    for axis in range(3):
        cube = np.moveaxis(np.stack(step(np.moveaxis(cube, axis, 0))), 0, axis)
    return list(cube.ravel())


def widen(matrix: Sequence[Sequence[float]], x: Any) -> list[Any]:
    """``matrix @ x`` for three values, in 6 operations.

    The rows come in pairs, ``(w, m, ±w)`` and the same with either ``m`` or ``w`` negated.
    """
    y = []
    for (w, m, other), (next_w, _, _) in (matrix[:2], matrix[2:]):
        edges = (x[0] + x[2] if other == w else x[0] - x[2]) * w
        middle = x[1] * m
        y += [edges + middle, edges - middle if next_w == w else middle - edges]
    return y


def narrow(matrix: Sequence[Sequence[float]], y: Any) -> list[Any]:
    """``matrix.T @ y`` for four values; the rows of the matrix come in pairs as in `widen`."""
    edges, middle = [], []
    for pair, ((w, m, _), (next_w, _, _)) in ((y[:2], matrix[:2]), (y[2:], matrix[2:])):
        plus, minus = pair[0] + pair[1], pair[0] - pair[1]
        edges.append((plus if next_w == w else minus) * w)
        middle.append((minus if next_w == w else plus) * m)
    # the first pair is even, the second odd
    return [edges[0] + edges[1], middle[0] + middle[1], edges[0] - edges[1]]
