"""Winograd convolution (minimal filtering), compiled for the CPU: fewer multiplications than the plain sum.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016), in whose letters it is written:
Y = Aᵀ [(G g Gᵀ) ⊙ (Bᵀ d B)] A, with U = G g Gᵀ the transformed filter, V = Bᵀ d B the transformed input tile and
M = U ⊙ V. Tiles have 6x6 samples; a polynomial through the points 0, 1, -1, 1/2, -1/2 and infinity is known from six
values, and a convolution is a product of values. So 36 products give 4x4 outputs of a 3x3 filter, F(4x4, 3x3), which
takes 144 otherwise, and 2x2 of a 5x5 one, F(2x2, 5x5), which takes 100. Over many channels these are products of
matrices, one for each of the 36 elements of a tile; they are made for a few tiles at a time, which stay in the
processor's cache with all that belongs to them. Rounding errors are four times those of the plain sum (the points 1/2
keep them half as large as the usual 2).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lolblur_synth.core.threads import on_torch_threads
from lolblur_synth.kernels.gemm import NR
from lolblur_synth.kernels.jit import Floats
from lolblur_synth.kernels.layout import channels_last, flat
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.kernels.winograd_compiled import (
    BATCH,
    ELEMENTS,
    POINT,
    TILE,
    Shape,
    convolve_tiles,
    weight_gradient_tiles,
)

_FEWEST_TILES = 48  # tiles for which this pays


class Convolution(nn.Conv2d):
    """A convolution that keeps the size of images, with zeros about them; 3x3 and 5x5 of many channels fast on CPUs."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, inputs, H, W) to (N, outputs, H, W)."""
        if not _applies(x, self.weight):
            return super().forward(x)
        convolved: Tensor = _Convolve.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return convolved


def _applies(x: Tensor, weight: Tensor) -> bool:
    """Whether Winograd applies: what compiled kernels take, whole products of channels, and enough tiles.

    Images of other channels than the layer's are not: torch refuses them, compiled code would read past their end.
    """
    outputs, inputs, side, _ = weight.shape
    if side not in (3, 5) or inputs % NR or outputs % NR or x.ndim != 4 or x.shape[1] != inputs:
        return False
    return runs_compiled(x, weight) and _count_tiles((x.shape[0], *x.shape[2:]), TILE + 1 - side) >= _FEWEST_TILES


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _forward(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = _forward(gradient, weight.transpose(0, 1).flip(2, 3), None)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(x, gradient, weight.shape[2])
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_x, to_weight, to_bias


def _forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Images (N, inputs, H, W) by kernels (outputs, inputs, side, side); channels-last in memory."""
    outputs, inputs, side, _ = weight.shape
    panels = weight.detach().reshape(outputs // NR, NR, inputs, side * side).permute(3, 0, 2, 1)
    kernels = flat(filter_transform(side) @ panels.reshape(side * side, -1))
    offset = flat(x.new_zeros(outputs) if bias is None else bias)
    pixels, shape = _nhwc(x)
    convolved = torch.empty((shape[0], outputs, *shape[1:3]), dtype=x.dtype, memory_format=torch.channels_last)
    (out, _), size = _nhwc(convolved), TILE + 1 - side

    def work(tiles: tuple[int, int]) -> None:
        convolve_tiles(pixels, shape, kernels, offset, out, outputs, size, *tiles)

    on_torch_threads(work, _split_tiles(_count_tiles(shape[:3], size), 4))
    return convolved


def _weight_gradient(x: Tensor, gradient: Tensor, side: int) -> Tensor:
    """The gradient of kernels (outputs, inputs, side, side)."""
    pixels, shape = _nhwc(x)
    (slopes, (*_, outputs)), size = _nhwc(gradient), TILE + 1 - side

    def work(tiles: tuple[int, int]) -> Tensor:
        sums = x.new_zeros(ELEMENTS, shape[3] * outputs)
        weight_gradient_tiles(pixels, shape, slopes, outputs, flat(sums), size, *tiles)
        return sums

    sums, *others = on_torch_threads(work, _split_tiles(_count_tiles(shape[:3], size), 1))
    for other in others:
        sums += other
    return (filter_transform(side).t() @ sums).view(side, side, shape[3], outputs).permute(3, 2, 0, 1)


def _nhwc(images: Tensor) -> tuple[Floats, Shape]:
    laid = channels_last(images)
    return flat(laid), cast(Shape, tuple(laid.shape))


def _count_tiles(shape: Sequence[int], size: int) -> int:
    """Of images (N, H, W)."""
    return shape[0] * -(-shape[1] // size) * -(-shape[2] // size)


def _split_tiles(count: int, parts: int) -> list[tuple[int, int]]:
    """Runs of tiles, so many for each thread that none waits long for the last; one where there is one thread."""
    threads = torch.get_num_threads()
    step = -(-count // (threads * (parts if threads > 1 else 1) * BATCH)) * BATCH
    return [(first, min(first + step, count)) for first in range(0, count, step)]


@cache
def filter_transform(side: int) -> Tensor:
    """The filter transform G ⊗ G, (36, side²): U is its product with a filter of side x side taps, both flat.

    What the interpolating polynomials are divided by is in it, so that the other transforms have few multiplications.
    """
    a = POINT
    points, divisors = [0, 1, -1, a, -a], [a**2, *[2 - 2 * a**2] * 2, *[2 * a**2 * (a**2 - 1)] * 2]
    rows = [[point**k / by for k in range(side)] for point, by in zip(points, divisors, strict=True)]
    one = torch.tensor([*rows, [0.0] * (side - 1) + [1.0]], dtype=torch.float64)
    return torch.kron(one, one).float()
