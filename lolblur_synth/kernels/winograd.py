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

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from lolblur_synth.core.threads import on_torch_threads
from lolblur_synth.kernels.gemm import MR, MR_TRANSPOSED, NR, VecN6, add_matmul_transposed, load_six, matmul_panel
from lolblur_synth.kernels.jit import ZERO, Floats, jit
from lolblur_synth.kernels.layout import channels_last, flat
from lolblur_synth.kernels.simd import WIDTH, VecN, broadcast_n, load_n, store, store_rows
from lolblur_synth.kernels.switch import runs_compiled

_TILE = 6  # samples a side of an input tile
_ELEMENTS = _TILE * _TILE
_BATCH = 4 * MR  # tiles whose products are made together
_STAGGER = 16  # floats between the matrices of two elements: a power of two would put them on the same cache lines
_A, _A2, _A3, _SUM2 = (np.float32(v) for v in (0.5, 0.25, 0.125, 1.25))  # a, a², a³ and 1 + a² of the point a
_FEWEST_TILES = 48  # tiles for which this pays

VecN4 = tuple[VecN, VecN, VecN, VecN]
Shape = tuple[int, int, int, int]


class Convolution(nn.Conv2d):
    """A convolution that keeps the size of images, with zeros about them; 3x3 and 5x5 of many channels fast on CPUs."""

    def __init__(self, inputs: int, outputs: int, side: int = 3, bias: bool = True) -> None:
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
    return runs_compiled(x, weight) and _count_tiles((x.shape[0], *x.shape[2:]), _TILE + 1 - side) >= _FEWEST_TILES


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
    (out, _), size = _nhwc(convolved), _TILE + 1 - side

    def work(tiles: tuple[int, int]) -> None:
        _convolve_tiles(pixels, shape, kernels, offset, out, outputs, size, *tiles)

    on_torch_threads(work, _split_tiles(_count_tiles(shape[:3], size), 4))
    return convolved


def _weight_gradient(x: Tensor, gradient: Tensor, side: int) -> Tensor:
    """The gradient of kernels (outputs, inputs, side, side)."""
    pixels, shape = _nhwc(x)
    (slopes, (*_, outputs)), size = _nhwc(gradient), _TILE + 1 - side

    def work(tiles: tuple[int, int]) -> Tensor:
        sums = x.new_zeros(_ELEMENTS, shape[3] * outputs)
        _weight_gradient_tiles(pixels, shape, slopes, outputs, flat(sums), size, *tiles)
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
    step = -(-count // (threads * (parts if threads > 1 else 1) * _BATCH)) * _BATCH
    return [(first, min(first + step, count)) for first in range(0, count, step)]


@cache
def filter_transform(side: int) -> Tensor:
    """The filter transform G ⊗ G, (36, side²): U is its product with a filter of side x side taps, both flat.

    What the interpolating polynomials are divided by is in it, so that the other transforms have few multiplications.
    """
    a = float(_A)
    points, divisors = [0, 1, -1, a, -a], [a**2, *[2 - 2 * a**2] * 2, *[2 * a**2 * (a**2 - 1)] * 2]
    rows = [[point**k / by for k in range(side)] for point, by in zip(points, divisors, strict=True)]
    one = torch.tensor([*rows, [0.0] * (side - 1) + [1.0]], dtype=torch.float64)
    return torch.kron(one, one).float()


@jit
def _convolve_tiles(
    x: Floats, shape: Shape, u: Floats, bias: Floats, out: Floats, outputs: int, size: int, first: int, last: int
) -> None:
    """Outputs of the tiles first..last-1, `size` a side, each at its place."""
    _, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    v_stride, m_stride = _BATCH * inputs + _STAGGER, _BATCH * outputs + _STAGGER
    v, m = np.zeros(_ELEMENTS * v_stride, np.float32), np.empty(_ELEMENTS * m_stride, np.float32)
    padded, scratch = np.empty(_ELEMENTS * inputs, np.float32), np.empty(_ELEMENTS * WIDTH, np.float32)
    for start in range(first, last, _BATCH):
        count = min(_BATCH, last - start)
        for k in range(count):
            _transform_input_tile(x, shape, start + k, down, right, size, padded, scratch, v, k * inputs, v_stride)
        _multiply_elements(v, v_stride, u, m, m_stride, inputs, outputs, count)
        for k in range(count):
            tile = start + k
            row, column = tile // right % down * size, tile % right * size
            at = ((tile // (down * right) * height + row) * width + column) * outputs
            rows, columns = min(size, height - row), min(size, width - column)
            _transform_output_tile(
                m, k * outputs, m_stride, bias, out, at, width, outputs, size, rows, columns, scratch
            )


@jit
def _weight_gradient_tiles(
    x: Floats, shape: Shape, slopes: Floats, outputs: int, to_u: Floats, size: int, first: int, last: int
) -> None:
    """Add to the gradient of U, (36, inputs, outputs), inputs times outputs' gradients of the tiles first..last-1."""
    images, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    v_stride, m_stride = _BATCH * inputs + _STAGGER, _BATCH * outputs + _STAGGER
    v, to_m = np.empty(_ELEMENTS * v_stride, np.float32), np.empty(_ELEMENTS * m_stride, np.float32)
    padded = np.empty(_ELEMENTS * max(inputs, outputs), np.float32)
    scratch = np.empty(_ELEMENTS * WIDTH, np.float32)
    to_out = (images, height, width, outputs)
    for start in range(first, last, _BATCH):
        count = min(_BATCH, last - start)
        for k in range(count):
            tile = start + k
            _transform_input_tile(x, shape, tile, down, right, size, padded, scratch, v, k * inputs, v_stride)
            _transform_gradient_tile(
                slopes, to_out, tile, down, right, size, padded, scratch, to_m, k * outputs, m_stride
            )
        _add_element_products(v, v_stride, to_m, m_stride, to_u, inputs, outputs, count)


@jit
def _transform_input_tile(
    x: Floats, shape: Shape, tile: int, down: int, right: int, size: int,
    padded: Floats, scratch: Floats, v: Floats, to: int, step: int,
) -> None:  # fmt: skip
    """V = Bᵀ d B of a tile with the border that its outputs need, by columns and then by rows."""
    channels, border = shape[3], (_TILE - size) // 2
    image, row, column = tile // (down * right), tile // right % down * size - border, tile % right * size - border
    source, at, below = _load_tile(x, shape, image, row, column, _TILE, padded)
    for c in range(0, channels, WIDTH):
        for k in range(_TILE):
            store_rows(
                _input_transform(load_six(source, at + c + k * channels, below)), scratch, WIDTH * k, WIDTH * _TILE
            )
        for k in range(_TILE):
            store_rows(
                _input_transform(load_six(scratch, WIDTH * _TILE * k, WIDTH)), v, to + c + _TILE * k * step, step
            )


@jit
def _transform_gradient_tile(
    slopes: Floats, shape: Shape, tile: int, down: int, right: int, size: int,
    padded: Floats, scratch: Floats, to_m: Floats, to: int, step: int,
) -> None:  # fmt: skip
    """The gradient of M, A y Aᵀ, of the gradients y of a tile's outputs: the output transform's adjoint."""
    channels = shape[3]
    image, row, column = tile // (down * right), tile // right % down * size, tile % right * size
    source, at, below = _load_tile(slopes, shape, image, row, column, size, padded)
    for c in range(0, channels, WIDTH):
        for k in range(size):
            store_rows(_output_adjoint(source, at + c + k * channels, below, size), scratch, WIDTH * k, WIDTH * size)
        for k in range(_TILE):
            store_rows(_output_adjoint(scratch, WIDTH * size * k, WIDTH, size), to_m, to + c + _TILE * k * step, step)


@jit
def _transform_output_tile(
    m: Floats, at: int, step: int, bias: Floats, out: Floats, to: int, width: int, outputs: int,
    size: int, rows: int, columns: int, scratch: Floats,
) -> None:  # fmt: skip
    """Aᵀ M A and the bias, of the outputs that lie in the image."""
    for c in range(0, outputs, WIDTH):
        for k in range(_TILE):
            six = load_six(m, at + c + k * step, _TILE * step)
            four = _output_transform_f4(six) if size == 4 else _output_transform_f2(six)
            store_rows(four, scratch, WIDTH * k, WIDTH * _TILE)
        offset = load_n(bias, c)
        for row in range(rows):
            six = load_six(scratch, WIDTH * _TILE * row, WIDTH)
            y0, y1, y2, y3 = _output_transform_f4(six) if size == 4 else _output_transform_f2(six)
            place = to + c + row * width * outputs
            store(y0 + offset, out, place)
            if columns > 1:
                store(y1 + offset, out, place + outputs)
            if columns > 2:
                store(y2 + offset, out, place + 2 * outputs)
            if columns > 3:
                store(y3 + offset, out, place + 3 * outputs)


@jit
def _load_tile(
    x: Floats, shape: Shape, image: int, row: int, column: int, side: int, padded: Floats
) -> tuple[Floats, int, int]:
    """Where a tile begins, and how far its rows are apart: in the images, or copied with zeros about them."""
    _, height, width, channels = shape
    start = ((image * height + row) * width + column) * channels
    if row >= 0 and column >= 0 and row + side <= height and column + side <= width:
        return x, start, width * channels
    for i in range(side):
        for j in range(side):
            at, to = start + (i * width + j) * channels, (i * side + j) * channels
            within = 0 <= row + i < height and 0 <= column + j < width
            for c in range(0, channels, WIDTH):
                store(load_n(x, at + c) if within else broadcast_n(ZERO), padded, to + c)
    return padded, 0, side * channels


@jit
def _input_transform(d: VecN6) -> VecN6:
    """Bᵀ d in one dimension."""
    even, odd = d[4] - _A2 * d[2], d[3] - _A2 * d[1]
    near, far = d[4] - d[2], _A * (d[3] - d[1])
    zero, infinity = _A2 * d[0] - _SUM2 * d[2] + d[4], _A2 * d[1] - _SUM2 * d[3] + d[5]
    return zero, even + odd, even - odd, near + far, near - far, infinity


@jit
def _output_transform_f4(m: VecN6) -> VecN4:
    """Aᵀ m in one dimension, F(4, 3): four outputs of a filter of three taps."""
    even, odd, near, far = m[1] + m[2], m[1] - m[2], m[3] + m[4], m[3] - m[4]
    return m[0] + even + near, odd + _A * far, even + _A2 * near, odd + _A3 * far + m[5]


@jit
def _output_transform_f2(m: VecN6) -> VecN4:
    """Aᵀ m in one dimension, F(2, 5): two outputs of a filter of five taps, and nothing of use."""
    first, second = m[0] + (m[1] + m[2]) + (m[3] + m[4]), (m[1] - m[2]) + _A * (m[3] - m[4]) + m[5]
    return first, second, second, second


@jit
def _output_adjoint(y: Floats, at: int, step: int, size: int) -> VecN6:
    """A y in one dimension, of the gradients of `size` outputs, four or two."""
    a, b = load_n(y, at), load_n(y, at + step)
    if size == 2:
        near = _A * b
        return a, a + b, a - b, a + near, a - near, b
    c, d = load_n(y, at + 2 * step), load_n(y, at + 3 * step)
    even, odd, near, far = a + c, b + d, a + _A2 * c, _A * b + _A3 * d
    return a, even + odd, even - odd, near + far, near - far, d


@jit
def _multiply_elements(
    v: Floats, v_stride: int, u: Floats, m: Floats, m_stride: int, inputs: int, outputs: int, count: int
) -> None:
    """M = V U at each of the 36 elements: (tiles, inputs) x (inputs, outputs)."""
    for element in range(_ELEMENTS):
        for out in range(0, outputs, NR):
            panel = (element * outputs + out) * inputs
            for tile in range(0, count, MR):
                left, right = matmul_panel(v, element * v_stride + tile * inputs, inputs, u, panel, inputs)
                to = element * m_stride + tile * outputs + out
                store_rows(left, m, to, outputs)
                store_rows(right, m, to + WIDTH, outputs)


@jit
def _add_element_products(
    v: Floats, v_stride: int, to_m: Floats, m_stride: int, to_u: Floats, inputs: int, outputs: int, count: int
) -> None:
    """Add Vᵀ times the gradient of M to that of U at each element: (inputs, tiles) x (tiles, outputs)."""
    for element in range(_ELEMENTS):
        for into in range(0, inputs, MR_TRANSPOSED):
            for out in range(0, outputs, NR):
                at, first = element * v_stride + into, element * m_stride + out
                to = (element * inputs + into) * outputs + out
                add_matmul_transposed(v, at, inputs, to_m, first, outputs, to_u, to, outputs, count)
