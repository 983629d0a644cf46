"""Convolutions with fewer products: Winograd's minimal filtering, compiled for the CPU.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016). Rows of six samples are taken for
polynomials and looked at at six points: 0, 1, -1, 1/2, -1/2 and infinity, where a convolution is a product of values.
In two dimensions 36 products give 4x4 outputs of a 3x3 kernel, which takes 144 otherwise, and 2x2 of a 5x5 one, which
takes 100. Over many channels these are products of matrices, one for each of 36 places; they are made for a few tiles
at a time, which stay in the processor's cache with all that belongs to them. Rounding errors are four times those of
the plain sum (the points 1/2 keep them half as large as the usual 2).
"""

from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lolblur_synth.core.threads import on_torch_threads
from lolblur_synth.kernels.gemm import ADDED, COLUMNS, ROWS, Six, add_product, get_six, product
from lolblur_synth.kernels.layout import channels_last, computed_here, flat
from lolblur_synth.kernels.simd import WIDTH, ZERO, Floats, Wide, compiled, load_wide, put, store, wide

_TILE = 6  # samples a side
_PLACES = _TILE * _TILE
_TOGETHER = 4 * ROWS  # tiles
_APART = 16  # floats between the matrices of two places, which a power of two would put on the same lines of the cache
_NEAR, _NEAR2, _NEAR3, _SUM2 = (np.float32(v) for v in (0.5, 0.25, 0.125, 1.25))  # a, a², a³ and 1 + a² of a point a
_FEWEST = 48  # tiles for which this pays

Four = tuple[Wide, Wide, Wide, Wide]
Shape = tuple[int, int, int, int]


class Convolution(nn.Conv2d):
    """A convolution that keeps the size of images, with zeros about them; 3x3 and 5x5 of many channels fast on CPUs."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, bias: bool = True) -> None:
        super().__init__(inputs, outputs, side, padding=side // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Images (N, inputs, H, W) to (N, outputs, H, W)."""
        if not _pays(x, self.weight):
            return super().forward(x)
        convolved: Tensor = _Convolve.apply(x, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return convolved


def _pays(x: Tensor, weight: Tensor) -> bool:
    """Whether it is done here: float32 on a CPU, whole products of channels, and enough tiles.

    Images of other channels than the layer's are not: torch refuses them, compiled code would read past their end.
    """
    outputs, inputs, side, _ = weight.shape
    if side not in (3, 5) or inputs % COLUMNS or outputs % COLUMNS or x.ndim != 4 or x.shape[1] != inputs:
        return False
    return computed_here(x, weight) and _tiles((x.shape[0], *x.shape[2:]), _TILE + 1 - side) >= _FEWEST


class _Convolve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _convolved(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = _convolved(gradient, weight.transpose(0, 1).flip(2, 3), None)
        if ctx.needs_input_grad[1]:
            to_weight = _correlated(x, gradient, weight.shape[2])
        if ctx.needs_input_grad[2]:
            to_bias = gradient.sum((0, 2, 3))
        return to_x, to_weight, to_bias


def _convolved(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Images (N, inputs, H, W) by kernels (outputs, inputs, side, side); channels-last in memory."""
    outputs, inputs, side, _ = weight.shape
    lanes = weight.detach().reshape(outputs // COLUMNS, COLUMNS, inputs, side * side).permute(3, 0, 2, 1)
    kernels = flat(_kernel_points(side) @ lanes.reshape(side * side, -1))
    offset = flat(x.new_zeros(outputs) if bias is None else bias)
    pixels, shape = _last(x)
    convolved = torch.empty((shape[0], outputs, *shape[1:3]), dtype=x.dtype, memory_format=torch.channels_last)
    (out, _), size = _last(convolved), _TILE + 1 - side

    def work(run: tuple[int, int]) -> None:
        _convolve(pixels, shape, kernels, offset, out, outputs, size, *run)

    on_torch_threads(work, _runs(_tiles(shape[:3], size), 4))
    return convolved


def _correlated(x: Tensor, gradient: Tensor, side: int) -> Tensor:
    """The gradient of kernels (outputs, inputs, side, side)."""
    pixels, shape = _last(x)
    (slopes, (*_, outputs)), size = _last(gradient), _TILE + 1 - side

    def work(run: tuple[int, int]) -> Tensor:
        sums = x.new_zeros(_PLACES, shape[3] * outputs)
        _correlate(pixels, shape, slopes, outputs, flat(sums), size, *run)
        return sums

    sums, *others = on_torch_threads(work, _runs(_tiles(shape[:3], size), 1))
    for other in others:
        sums += other
    return (_kernel_points(side).t() @ sums).view(side, side, shape[3], outputs).permute(3, 2, 0, 1)


def _last(images: Tensor) -> tuple[Floats, Shape]:
    laid = channels_last(images)
    return flat(laid), cast(Shape, tuple(laid.shape))


def _tiles(shape: Sequence[int], size: int) -> int:
    """Of images (N, H, W)."""
    return shape[0] * -(-shape[1] // size) * -(-shape[2] // size)


def _runs(count: int, parts: int) -> list[tuple[int, int]]:
    """Runs of tiles, so many for each thread that none waits long for the last; one where there is one thread."""
    threads = torch.get_num_threads()
    step = -(-count // (threads * (parts if threads > 1 else 1) * _TOGETHER)) * _TOGETHER
    return [(first, min(first + step, count)) for first in range(0, count, step)]


@cache
def _kernel_points(side: int) -> Tensor:
    """The matrix (36, side²) that looks at kernels at all places, divided by what the samples' polynomials leave."""
    a = float(_NEAR)
    points, left = [0, 1, -1, a, -a], [a**2, *[2 - 2 * a**2] * 2, *[2 * a**2 * (a**2 - 1)] * 2]
    rows = [[point**k / by for k in range(side)] for point, by in zip(points, left, strict=True)]
    one = torch.tensor([*rows, [0.0] * (side - 1) + [1.0]], dtype=torch.float64)
    return torch.kron(one, one).float()


@compiled
def _convolve(
    x: Floats,
    shape: Shape,
    kernels: Floats,
    bias: Floats,
    out: Floats,
    outputs: int,
    size: int,
    first: int,
    last: int,
) -> None:
    """Outputs of tiles from `first` on, `size` a side, each at its place."""
    _, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    from_one, to_one = _TOGETHER * inputs + _APART, _TOGETHER * outputs + _APART
    values, sums = np.zeros(_PLACES * from_one, np.float32), np.empty(_PLACES * to_one, np.float32)
    rim, half = np.empty(_PLACES * inputs, np.float32), np.empty(_PLACES * WIDTH, np.float32)
    for start in range(first, last, _TOGETHER):
        count = min(_TOGETHER, last - start)
        for k in range(count):
            _look(x, shape, start + k, down, right, size, rim, half, values, k * inputs, from_one)
        _multiply(values, from_one, kernels, sums, to_one, inputs, outputs, count)
        for k in range(count):
            tile = start + k
            row, column = tile // right % down * size, tile % right * size
            at = ((tile // (down * right) * height + row) * width + column) * outputs
            rows, columns = min(size, height - row), min(size, width - column)
            _give(sums, k * outputs, to_one, bias, out, at, width, outputs, size, rows, columns, half)


@compiled
def _correlate(
    x: Floats, shape: Shape, slopes: Floats, outputs: int, sums: Floats, size: int, first: int, last: int
) -> None:
    """Add to `sums`, (36, inputs, outputs), what tiles from `first` on have of inputs times outputs' gradients."""
    images, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    from_one, to_one = _TOGETHER * inputs + _APART, _TOGETHER * outputs + _APART
    values, given = np.empty(_PLACES * from_one, np.float32), np.empty(_PLACES * to_one, np.float32)
    rim, half = np.empty(_PLACES * max(inputs, outputs), np.float32), np.empty(_PLACES * WIDTH, np.float32)
    sloped = (images, height, width, outputs)
    for start in range(first, last, _TOGETHER):
        count = min(_TOGETHER, last - start)
        for k in range(count):
            _look(x, shape, start + k, down, right, size, rim, half, values, k * inputs, from_one)
            _look_back(slopes, sloped, start + k, down, right, size, rim, half, given, k * outputs, to_one)
        _add_products(values, from_one, given, to_one, sums, inputs, outputs, count)


@compiled
def _look(
    x: Floats, shape: Shape, tile: int, down: int, right: int, size: int,
    rim: Floats, half: Floats, values: Floats, to: int, step: int,
) -> None:  # fmt: skip
    """Samples of a tile, and of what is about it, at the six points, down and then right."""
    channels, border = shape[3], (_TILE - size) // 2
    image, row, column = tile // (down * right), tile // right % down * size - border, tile % right * size - border
    source, at, below = _found(x, shape, image, row, column, _TILE, rim)
    for c in range(0, channels, WIDTH):
        for k in range(_TILE):
            put(_at_points(get_six(source, at + c + k * channels, below)), half, WIDTH * k, WIDTH * _TILE)
        for k in range(_TILE):
            put(_at_points(get_six(half, WIDTH * _TILE * k, WIDTH)), values, to + c + _TILE * k * step, step)


@compiled
def _look_back(
    slopes: Floats, shape: Shape, tile: int, down: int, right: int, size: int,
    rim: Floats, half: Floats, values: Floats, to: int, step: int,
) -> None:  # fmt: skip
    """Gradients of a tile's outputs, by the transposed of how those come from the points."""
    channels = shape[3]
    image, row, column = tile // (down * right), tile // right % down * size, tile % right * size
    source, at, below = _found(slopes, shape, image, row, column, size, rim)
    for c in range(0, channels, WIDTH):
        for k in range(size):
            put(_back(source, at + c + k * channels, below, size), half, WIDTH * k, WIDTH * size)
        for k in range(_TILE):
            put(_back(half, WIDTH * size * k, WIDTH, size), values, to + c + _TILE * k * step, step)


@compiled
def _give(
    sums: Floats, at: int, step: int, bias: Floats, out: Floats, to: int, width: int, outputs: int,
    size: int, rows: int, columns: int, half: Floats,
) -> None:  # fmt: skip
    """Outputs from sums at the points, those that lie in the image."""
    for c in range(0, outputs, WIDTH):
        for k in range(_TILE):
            six = get_six(sums, at + c + k * step, _TILE * step)
            put(_from_points(six) if size == 4 else _from_points_of_five(six), half, WIDTH * k, WIDTH * _TILE)
        offset = load_wide(bias, c)
        for row in range(rows):
            six = get_six(half, WIDTH * _TILE * row, WIDTH)
            one, two, three, four = _from_points(six) if size == 4 else _from_points_of_five(six)
            place = to + c + row * width * outputs
            store(one + offset, out, place)
            if columns > 1:
                store(two + offset, out, place + outputs)
            if columns > 2:
                store(three + offset, out, place + 2 * outputs)
            if columns > 3:
                store(four + offset, out, place + 3 * outputs)


@compiled
def _found(
    x: Floats, shape: Shape, image: int, row: int, column: int, side: int, rim: Floats
) -> tuple[Floats, int, int]:
    """Where a square of samples begins, and how far its rows are apart: in the images, or with zeros in `rim`."""
    _, height, width, channels = shape
    start = ((image * height + row) * width + column) * channels
    if row >= 0 and column >= 0 and row + side <= height and column + side <= width:
        return x, start, width * channels
    for i in range(side):
        for j in range(side):
            at, to = start + (i * width + j) * channels, (i * side + j) * channels
            within = 0 <= row + i < height and 0 <= column + j < width
            for c in range(0, channels, WIDTH):
                store(load_wide(x, at + c) if within else wide(ZERO), rim, to + c)
    return rim, 0, side * channels


@compiled
def _at_points(d: Six) -> Six:
    """What a polynomial's convolutions are known from: B of the paper."""
    even, odd = d[4] - _NEAR2 * d[2], d[3] - _NEAR2 * d[1]
    near, far = d[4] - d[2], _NEAR * (d[3] - d[1])
    zero, infinity = _NEAR2 * d[0] - _SUM2 * d[2] + d[4], _NEAR2 * d[1] - _SUM2 * d[3] + d[5]
    return zero, even + odd, even - odd, near + far, near - far, infinity


@compiled
def _from_points(m: Six) -> Four:
    """Four outputs of a kernel of three: A of the paper, transposed."""
    even, odd, near, far = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return m[0] + even + near, odd + _NEAR * far, even + _NEAR2 * near, odd + _NEAR3 * far + m[5]


@compiled
def _from_points_of_five(m: Six) -> Four:
    """Two outputs of a kernel of five, and nothing of use."""
    first, second = m[0] + (m[1] + m[2]) + (m[3] + m[4]), (m[1] - m[2]) + _NEAR * (m[3] - m[4]) + m[5]
    return first, second, second, second


@compiled
def _back(y: Floats, at: int, step: int, size: int) -> Six:
    """From gradients of four outputs, or of two, those of what they come from."""
    a, b = load_wide(y, at), load_wide(y, at + step)
    if size == 2:
        near = _NEAR * b
        return a, a + b, a - b, a + near, a - near, b
    c, d = load_wide(y, at + 2 * step), load_wide(y, at + 3 * step)
    even, odd, near, far = a + c, b + d, a + _NEAR2 * c, _NEAR * b + _NEAR3 * d
    return a, even + odd, even - odd, near + far, near - far, d


@compiled
def _multiply(
    values: Floats, from_one: int, kernels: Floats, sums: Floats, to_one: int, inputs: int, outputs: int, count: int
) -> None:
    """At each place, (tiles, inputs) x (inputs, outputs)."""
    for place in range(_PLACES):
        for out in range(0, outputs, COLUMNS):
            panel = (place * outputs + out) * inputs
            for tile in range(0, count, ROWS):
                upper, lower = product(values, place * from_one + tile * inputs, inputs, kernels, panel, inputs)
                to = place * to_one + tile * outputs + out
                put(upper, sums, to, outputs)
                put(lower, sums, to + WIDTH, outputs)


@compiled
def _add_products(
    values: Floats, from_one: int, given: Floats, to_one: int, sums: Floats, inputs: int, outputs: int, count: int
) -> None:
    """At each place, (inputs, tiles) x (tiles, outputs)."""
    for place in range(_PLACES):
        for into in range(0, inputs, ADDED):
            for out in range(0, outputs, COLUMNS):
                at, first, to = place * from_one + into, place * to_one + out, (place * inputs + into) * outputs + out
                add_product(values, at, inputs, given, first, outputs, sums, to, outputs, count)
