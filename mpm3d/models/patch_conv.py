r"""Exact 3×3×3 convolutions of 3×3×3 patches in 64 products instead of 729.

Along one axis, a zero-padded correlation of three taps ``k`` with three cells ``x`` has rank four: with
``u = sqrt(t)`` and ``v = sqrt(t / (1 - 2 t))`` for any ``0 < t < 1/2``,

.. math:: y = C \, [(A k) \odot (B x)]

holds for all ``k`` and ``x``, where the rows of ``A`` are ``(u, ±1, u)`` and ``(v, ±1, -v)``, those of
``B`` ``(u, ±1, u)`` and ``(-v, ±1, v)``. The rows of ``A`` and ``B`` summed with those of ``C`` give the two
shifts and the identity; the corner terms cancel because ``1/u² - 1/v² = 2``. Applied along z, y and x this
makes 64 products of every patch and kernel, one matrix product over the channels each.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

# 1/3 gives the transforms the smallest norms of the values tried: 2, 2 and 1.12
BEST_T = 1 / 3
_PATCH = (3, 3, 3)


def factors(t: float = BEST_T, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Matrices of the identity ``y = C @ ((A @ k) * (B @ x))`` along one axis.

    Parameters
    ----------
    t : float
        Between 0 and 1/2.
    dtype : torch.dtype
        Of the matrices.

    Returns
    -------
    tuple of tensors
        ``A`` (4, 3) for the kernel, ``B`` (4, 3) for the cells, ``C`` (3, 4) for the result.

    Raises
    ------
    ValueError
        If ``t`` is not between 0 and 1/2.

    Examples
    --------
    >>> A, B, C = factors(4 / 9)
    >>> k, x = torch.tensor([1.0, 2, 3]).double(), torch.tensor([10.0, 20, 30]).double()
    >>> (C @ ((A @ k) * (B @ x))).round(decimals=9).tolist()
    [80.0, 140.0, 80.0]
    """
    if not 0 < t < 0.5:
        raise ValueError(f"t is {t!r}, it must lie between 0 and 1/2. Use 1/3.")
    u, v = t**0.5, (t / (1 - 2 * t)) ** 0.5
    kernel = [[u, 1, u], [u, -1, u], [v, 1, -v], [v, -1, -v]]
    cells = [[u, 1, u], [u, -1, u], [-v, 1, v], [-v, -1, v]]
    a, b = 1 / (4 * u), 1 / (4 * v)
    aa, bb = 1 / (4 * u * u), 1 / (4 * v * v)
    result = [[a, -a, -b, b], [aa, aa, -bb, -bb], [a, -a, b, -b]]
    return (
        torch.tensor(kernel, dtype=dtype),
        torch.tensor(cells, dtype=dtype),
        torch.tensor(result, dtype=dtype),
    )


def cubed(matrix: Tensor) -> Tensor:
    """The matrix that applies ``matrix`` along z, y and x to a raveled cube."""
    return torch.kron(torch.kron(matrix, matrix), matrix)


def along_positions(matrix: Tensor, x: Tensor) -> Tensor:
    """Apply a matrix ``(m, n)`` to the first axis of ``(n, ...)``; it takes the type and device of ``x``."""
    return (matrix.to(x) @ x.reshape(x.shape[0], -1)).reshape(-1, *x.shape[1:])


def transform_kernel(weight: Tensor) -> Tensor:
    """Products' side of a kernel ``(out, in, 3, 3, 3)``: ``(64, in, out)``, differentiable."""
    return along_positions(KERNEL, weight.flatten(2).permute(2, 1, 0))


# The three matrices along all axes at once: (64, 27), (64, 27) and (27, 64).
KERNEL, CELLS, RESULT = (cubed(matrix) for matrix in factors())


class Products(torch.autograd.Function):
    """Convolve patches ``(27, sample, in)`` with a transformed kernel ``(64, in, out)``.

    Backwards the transforms change places, so that a step costs three times the 64 products forwards, as with
    a stock convolution.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Tensor) -> Tensor:
        """Return ``(27, sample, out)``."""
        inner = along_positions(CELLS, x)
        if any(ctx.needs_input_grad):
            ctx.save_for_backward(inner, kernel)
        return along_positions(RESULT, torch.bmm(inner, kernel))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the gradients of the patches and of the kernel."""
        inner, kernel = ctx.saved_tensors
        outer = along_positions(RESULT.T, gradients[0])
        to_x = to_kernel = None
        if ctx.needs_input_grad[0]:
            to_x = along_positions(CELLS.T, torch.bmm(outer, kernel.transpose(1, 2)))
        if ctx.needs_input_grad[1]:
            to_kernel = torch.bmm(inner.transpose(1, 2), outer)
        return to_x, to_kernel


class PatchConv3d(nn.Conv3d):
    """A ``torch.nn.Conv3d`` that is faster, and as exact, on patches of 3×3×3 cells.

    It has the parameters, the state and the results of a stock convolution, gradients included, on any device
    and in any floating-point type. The fast way is taken for 3×3×3 patches with a 3×3×3 kernel padded by one
    zero, of one group; everything else goes through the stock convolution. On the CPU in float32, with
    numba, and with channels that fill registers, compiled loops do it. These have no second derivatives.

    Attributes
    ----------
    fast : bool
        Set it to False, on one module or by `use_stock` on a network, to have the stock convolution.

    Examples
    --------
    >>> stock = nn.Conv3d(2, 5, 3, padding=1)
    >>> fast = PatchConv3d(2, 5, 3, padding=1)
    >>> _ = fast.load_state_dict(stock.state_dict())
    >>> patches = torch.randn(10, 2, 3, 3, 3)
    >>> bool(torch.allclose(stock(patches), fast(patches), atol=1e-6))
    True
    """

    fast = True

    def forward(self, input: Tensor) -> Tensor:
        """Map ``(sample, in, z, y, x)`` to ``(sample, out, z, y, x)``."""
        if not self.takes(input):
            return super().forward(input)
        y = self.on_positions(by_position(input))
        return y.permute(1, 2, 0).reshape(len(input), -1, *_PATCH)

    def on_positions(self, x: Tensor, *, relu: bool = False) -> Tensor:
        """Map ``(27, sample, in)`` to ``(27, sample, out)``, without the copies of the usual order."""
        from mpm3d.models.patch_fast import steps_for

        y: Tensor
        steps = steps_for(x, self.weight)
        if steps is not None:
            bias = self.weight.new_zeros(self.out_channels) if self.bias is None else self.bias
            y = steps.Convolution.apply(x, self.weight, bias, relu)
            return y
        y = Products.apply(x, transform_kernel(self.weight))  # type: ignore[no-untyped-call]
        y = y if self.bias is None else y + self.bias
        return torch.relu(y) if relu else y

    def takes(self, patches: Tensor) -> bool:
        """Whether the fast way serves patches of this shape."""
        return (
            self.fast
            and patches.ndim == 5
            and tuple(patches.shape[2:]) == _PATCH
            and self.kernel_size == _PATCH
            and self.padding == (1, 1, 1)
            and self.stride == self.dilation == (1, 1, 1)
            and self.groups == 1
            and self.padding_mode == "zeros"
            and patches.shape[1] == self.in_channels
            and patches.dtype == self.weight.dtype
            and len(patches) > 0
        )


def use_stock(network: nn.Module, stock: bool = True) -> None:
    """Have all convolutions of a network computed the stock way, or again the fast way."""
    for module in network.modules():
        if isinstance(module, PatchConv3d):
            module.fast = not stock


def by_position(patches: Tensor) -> Tensor:
    """Patches ``(sample, channel, 3, 3, 3)`` as ``(27, sample, channel)``, contiguous."""
    return patches.flatten(2).permute(2, 0, 1).contiguous()


def pool(z: Tensor) -> Tensor:
    """Mean of 27 and maximum around each cell: ``(27, sample, channel)`` to ``(27, sample, 2 channel)``.

    Cells beyond the patch count as 0 in the mean and not at all in the maximum, as in torch's pools.
    """
    most = z
    for axis in range(3):
        a, b, c = most.reshape(3**axis, 3, 3 ** (2 - axis), *z.shape[1:]).unbind(1)
        pair, other = torch.maximum(a, b), torch.maximum(b, c)
        most = torch.stack([pair, torch.maximum(pair, c), other], 1).reshape(z.shape)
    return torch.cat([along_positions(_NEIGHBOURS / 27, z), most], dim=2)


def depthwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve each channel of ``(27, sample, channel)`` with its own kernel ``(channel, 1, 3, 3, 3)``."""
    kernel = along_positions(KERNEL, weight.flatten(1).T)[:, None]  # (64, 1, channel)
    y = along_positions(RESULT, along_positions(CELLS, x) * kernel)
    return y if bias is None else y + bias


# 1 where two cells of a patch touch or are the same.
_NEIGHBOURS = cubed(torch.tensor([[1.0, 1, 0], [1, 1, 1], [0, 1, 1]], dtype=torch.float64))
