"""Winograd transforms and products of tiles, compiled for the CPU, in the letters of Lavin and Gray; see `winograd`."""

import numpy as np

from lolblur_synth.kernels.gemm import MR, MR_TRANSPOSED, NR, VecN6, add_matmul_transposed, load_six, matmul_panel
from lolblur_synth.kernels.jit import ZERO, Floats, jit
from lolblur_synth.kernels.simd import WIDTH, VecN, broadcast_n, load_n, store, store_rows

TILE = 6  # samples a side of an input tile
ELEMENTS = TILE * TILE
BATCH = 4 * MR  # tiles whose products are made together
_STAGGER = 16  # floats between the matrices of two elements: a power of two would put them on the same cache lines
POINT = 0.5  # a, the interpolation point beside 0, ±1 and infinity
_A, _A2, _A3, _SUM2 = (np.float32(v) for v in (POINT, POINT**2, POINT**3, 1 + POINT**2))

VecN4 = tuple[VecN, VecN, VecN, VecN]
Shape = tuple[int, int, int, int]


@jit
def convolve_tiles(
    x: Floats, shape: Shape, u: Floats, bias: Floats, out: Floats, outputs: int, size: int, first: int, last: int
) -> None:
    """Outputs of the tiles first..last-1, `size` a side, each at its place."""
    _, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    v_stride, m_stride = BATCH * inputs + _STAGGER, BATCH * outputs + _STAGGER
    v, m = np.zeros(ELEMENTS * v_stride, np.float32), np.empty(ELEMENTS * m_stride, np.float32)
    padded, scratch = np.empty(ELEMENTS * inputs, np.float32), np.empty(ELEMENTS * WIDTH, np.float32)
    for start in range(first, last, BATCH):
        count = min(BATCH, last - start)
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
def weight_gradient_tiles(
    x: Floats, shape: Shape, slopes: Floats, outputs: int, to_u: Floats, size: int, first: int, last: int
) -> None:
    """Add to the gradient of U, (36, inputs, outputs), inputs times outputs' gradients of the tiles first..last-1."""
    images, height, width, inputs = shape
    down, right = (height + size - 1) // size, (width + size - 1) // size
    v_stride, m_stride = BATCH * inputs + _STAGGER, BATCH * outputs + _STAGGER
    v, to_m = np.empty(ELEMENTS * v_stride, np.float32), np.empty(ELEMENTS * m_stride, np.float32)
    padded = np.empty(ELEMENTS * max(inputs, outputs), np.float32)
    scratch = np.empty(ELEMENTS * WIDTH, np.float32)
    to_out = (images, height, width, outputs)
    for start in range(first, last, BATCH):
        count = min(BATCH, last - start)
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
    channels, border = shape[3], (TILE - size) // 2
    image, row, column = tile // (down * right), tile // right % down * size - border, tile % right * size - border
    source, at, below = _load_tile(x, shape, image, row, column, TILE, padded)
    for c in range(0, channels, WIDTH):
        for k in range(TILE):
            store_rows(
                _input_transform(load_six(source, at + c + k * channels, below)), scratch, WIDTH * k, WIDTH * TILE
            )
        for k in range(TILE):
            store_rows(_input_transform(load_six(scratch, WIDTH * TILE * k, WIDTH)), v, to + c + TILE * k * step, step)


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
        for k in range(TILE):
            store_rows(_output_adjoint(scratch, WIDTH * size * k, WIDTH, size), to_m, to + c + TILE * k * step, step)


@jit
def _transform_output_tile(
    m: Floats, at: int, step: int, bias: Floats, out: Floats, to: int, width: int, outputs: int,
    size: int, rows: int, columns: int, scratch: Floats,
) -> None:  # fmt: skip
    """Aᵀ M A and the bias, of the outputs that lie in the image."""
    for c in range(0, outputs, WIDTH):
        for k in range(TILE):
            six = load_six(m, at + c + k * step, TILE * step)
            four = _output_transform_f4(six) if size == 4 else _output_transform_f2(six)
            store_rows(four, scratch, WIDTH * k, WIDTH * TILE)
        offset = load_n(bias, c)
        for row in range(rows):
            six = load_six(scratch, WIDTH * TILE * row, WIDTH)
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
    for element in range(ELEMENTS):
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
    for element in range(ELEMENTS):
        for into in range(0, inputs, MR_TRANSPOSED):
            for out in range(0, outputs, NR):
                at, first = element * v_stride + into, element * m_stride + out
                to = (element * inputs + into) * outputs + out
                add_matmul_transposed(v, at, inputs, to_m, first, outputs, to_u, to, outputs, count)
