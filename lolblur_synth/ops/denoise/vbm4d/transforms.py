"""Transforms and sampling of blocks, compiled: DCT, Haar wavelet, Lanczos; `backend_torch` has the same in tensors.

Planes lie flat, `stride` samples a row, with a border of `PAD` repeated samples on every side. A block is 8x8; its
position (y, x) is that of its top left sample, without the border. A volume is a block followed through up to `FRAMES`
frames, and eight of them are worked on side by side: `stack[t, p * 8 + m]` is sample, later coefficient, p of
frame t, later frequency, of volume m, and an `Vec8` is the same coefficient of all of them. They are either the
members of one group of similar volumes or volumes that have nothing to do with each other.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lolblur_synth.kernels.jit import Floats, Ints, Real, jit, round_half_up
from lolblur_synth.kernels.simd import (
    Vec8,
    Vec8x8,
    broadcast8,
    dot,
    load8,
    load_rows,
    store,
    store_rows,
    subtract_rows,
    transpose8x8,
)
from lolblur_synth.ops.lanczos import lanczos

# Of each frame of a window, (C, samples). A compiled function takes tuples of one length, so that there are FRAMES:
# behind its end, a shorter window has the last frame again, which is not looked at.
Planes = tuple[Floats, ...]

SIDE, AREA, MEMBERS, FRAMES = 8, 64, 8, 9
REACH = 4  # pixels, along each axis, within which similar volumes are looked for
REACHED = SIDE + 2 * REACH  # samples a side within reach
REGION = REACHED * REACHED  # samples of it all
PAD = 12  # samples: the interpolation kernel reaches 3 before them and 9 behind
FRACTIONS = 32  # of a pixel, to which positions are rounded
ROW = AREA * MEMBERS


def dct_matrix(size: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II, (size, size), a basis vector per row."""
    k, n = np.mgrid[:size, :size]
    rows = np.sqrt(2 / size) * np.cos(np.pi * (2 * n + 1) * k / (2 * size))
    rows[0] /= math.sqrt(2)
    return np.asarray(rows, np.float64)


TAPS = lanczos(4, FRACTIONS)[:FRACTIONS]
WINDOW = np.outer(np.kaiser(SIDE, 1.0), np.kaiser(SIDE, 1.0)).astype(np.float32)  # of a block when it is added
TEMPORAL = np.zeros((FRAMES + 1, FRAMES, FRAMES), np.float32)  # the DCT for each number of frames, filled up by zeros
for _count in range(1, FRAMES + 1):
    TEMPORAL[_count, :_count, :_count] = dct_matrix(_count)

_C = dct_matrix(8).astype(np.float32)
_E, _C2, _C6 = _C[0, 0], _C[2, 0], _C[2, 1]
(_A0, _A1, _A2, _A3), (_B0, _B1, _B2, _B3) = _C[1, :4], _C[3, :4]
(_D0, _D1, _D2, _D3), (_F0, _F1, _F2, _F3) = _C[5, :4], _C[7, :4]
_EIGHTH, _HALF, _ROOT = np.float32(8**-0.5), np.float32(0.5), np.float32(0.5**0.5)


def bands(height: int) -> list[tuple[int, int]]:
    """Rows that are worked on at the same time are every other of these: none reaches beyond half of its neighbour."""
    count = 4 * max(1, height // 256) if height >= 128 else 1
    edges = [round(k * height / count) for k in range(count + 1)]
    return list(pairwise(edges))


def rows_of_bands(ys: Ints, height: int) -> list[int]:
    """Of blocks that start at rows `ys` the first of each band, and the number of all."""
    return [*(int(np.searchsorted(ys, top)) for top, _ in bands(height)), len(ys)]


def grid(side: int, step: int, first: int = 0) -> Ints:
    """Where the reference blocks of a side start: every `step` pixels from `first`, and at both ends."""
    return np.unique([0, *range(first % step, side - SIDE, step), side - SIDE]).astype(np.int64)


@jit
def _dct8(x: Vec8x8) -> Vec8x8:
    s0, s1, s2, s3 = x[0] + x[7], x[1] + x[6], x[2] + x[5], x[3] + x[4]
    d0, d1, d2, d3 = x[0] - x[7], x[1] - x[6], x[2] - x[5], x[3] - x[4]
    e0, e1, e2, e3 = s0 + s3, s1 + s2, s0 - s3, s1 - s2
    return (
        _E * (e0 + e1),
        _A0 * d0 + _A1 * d1 + _A2 * d2 + _A3 * d3,
        _C2 * e2 + _C6 * e3,
        _B0 * d0 + _B1 * d1 + _B2 * d2 + _B3 * d3,
        _E * (e0 - e1),
        _D0 * d0 + _D1 * d1 + _D2 * d2 + _D3 * d3,
        _C6 * e2 - _C2 * e3,
        _F0 * d0 + _F1 * d1 + _F2 * d2 + _F3 * d3,
    )


@jit
def _idct8(y: Vec8x8) -> Vec8x8:
    a, b, p, q = _E * (y[0] + y[4]), _E * (y[0] - y[4]), _C2 * y[2] + _C6 * y[6], _C6 * y[2] - _C2 * y[6]
    s0, s1, s2, s3 = a + p, b + q, b - q, a - p
    d0 = _A0 * y[1] + _B0 * y[3] + _D0 * y[5] + _F0 * y[7]
    d1 = _A1 * y[1] + _B1 * y[3] + _D1 * y[5] + _F1 * y[7]
    d2 = _A2 * y[1] + _B2 * y[3] + _D2 * y[5] + _F2 * y[7]
    d3 = _A3 * y[1] + _B3 * y[3] + _D3 * y[5] + _F3 * y[7]
    return s0 + d0, s1 + d1, s2 + d2, s3 + d3, s3 - d3, s2 - d2, s1 - d1, s0 - d0


@jit
def haar8(a: Vec8x8) -> Vec8x8:
    """Haar wavelet of eight: mean, halves, quarters, pairs; orthonormal."""
    b0, b2, b4, b6 = a[0] + a[1], a[2] + a[3], a[4] + a[5], a[6] + a[7]
    c0, c2 = b0 + b2, b4 + b6
    low, high, left, right = _EIGHTH * (c0 + c2), _EIGHTH * (c0 - c2), _HALF * (b0 - b2), _HALF * (b4 - b6)
    p0, p1, p2, p3 = _ROOT * (a[0] - a[1]), _ROOT * (a[2] - a[3]), _ROOT * (a[4] - a[5]), _ROOT * (a[6] - a[7])
    return low, high, left, right, p0, p1, p2, p3


@jit
def ihaar8(y: Vec8x8) -> Vec8x8:
    """The inverse of `haar8`."""
    c0, c2, h2, h3 = _EIGHTH * (y[0] + y[1]), _EIGHTH * (y[0] - y[1]), _HALF * y[2], _HALF * y[3]
    b0, b2, b4, b6, d0, d1 = c0 + h2, c0 - h2, c2 + h3, c2 - h3, _ROOT * y[4], _ROOT * y[5]
    d2, d3 = _ROOT * y[6], _ROOT * y[7]
    return b0 + d0, b0 - d0, b2 + d1, b2 - d1, b4 + d2, b4 - d2, b6 + d3, b6 - d3


@jit
def spatial_dct(b: Floats) -> None:
    """Two-dimensional DCT of the blocks of one frame of a stack, in place."""
    for q in range(0, 64, 8):
        store_rows(_dct8(load_rows(b, q, 64)), b, q, 64)
    for q in range(0, ROW, 64):
        store_rows(_dct8(load_rows(b, q, 8)), b, q, 8)


@jit
def spatial_idct(b: Floats) -> None:
    """The inverse of `spatial_dct`, in place."""
    for q in range(0, 64, 8):
        store_rows(_idct8(load_rows(b, q, 64)), b, q, 64)
    for q in range(0, ROW, 64):
        store_rows(_idct8(load_rows(b, q, 8)), b, q, 8)


@jit
def combine_frames(frames: Floats, factors: tuple[Real, ...], out: Floats) -> None:
    """The sum of FRAMES frames (FRAMES, N), each by its factor, or by eight that take turns."""
    d, n = factors, len(out)
    for q in range(0, n, 8):
        first = d[0] * load8(frames, q) + d[1] * load8(frames, q + n) + d[2] * load8(frames, q + 2 * n)
        second = d[3] * load8(frames, q + 3 * n) + d[4] * load8(frames, q + 4 * n) + d[5] * load8(frames, q + 5 * n)
        third = d[6] * load8(frames, q + 6 * n) + d[7] * load8(frames, q + 7 * n) + d[8] * load8(frames, q + 8 * n)
        store(first + second + third, out, q)


@jit
def spread_over_frames(one: Floats, factors: Floats, count: int, frames: Floats) -> None:
    """Add one frequency of time to each of `count` frames (FRAMES, N), by its factors (FRAMES, 8) there."""
    n = len(one)
    for t in range(count):
        factor = load8(factors, 8 * t)
        for q in range(0, n, 8):
            store(load8(frames, t * n + q) + factor * load8(one, q), frames, t * n + q)


@jit
def side_by_side(blocks: Floats, stack: Floats) -> None:
    """Blocks one after the other, (MEMBERS, 64), to one frame of a stack."""
    for q in range(0, 64, 8):
        store_rows(transpose8x8(load_rows(blocks, q, 64)), stack, 8 * q, 8)


@jit
def whole_and_fraction(position: Real) -> tuple[int, int]:
    """A position in whole pixels and FRACTIONS of one."""
    fine = round_half_up(position * np.float32(FRACTIONS))
    return fine // FRACTIONS, fine % FRACTIONS


@jit
def _taps_for(part: int) -> Vec8x8:
    w = TAPS[part]
    return (
        broadcast8(w[0]), broadcast8(w[1]), broadcast8(w[2]), broadcast8(w[3]),
        broadcast8(w[4]), broadcast8(w[5]), broadcast8(w[6]), broadcast8(w[7]),
    )  # fmt: skip


@jit
def _filtered(array: Floats, at: int, step: int, taps: Vec8x8) -> Vec8:
    """Vec8x8 `step` samples apart, each by its tap."""
    upper = taps[0] * load8(array, at) + taps[1] * load8(array, at + step)
    upper += taps[2] * load8(array, at + 2 * step) + taps[3] * load8(array, at + 3 * step)
    lower = taps[4] * load8(array, at + 4 * step) + taps[5] * load8(array, at + 5 * step)
    lower += taps[6] * load8(array, at + 6 * step) + taps[7] * load8(array, at + 7 * step)
    return upper + lower


@jit
def sample(plane: Floats, stride: int, y: Real, x: Real, scratch: Floats) -> Vec8x8:
    """The rows of the block at a position, whole or not."""
    (top, part_y), (left, part_x) = whole_and_fraction(y), whole_and_fraction(x)
    start = (top + PAD) * stride + left + PAD
    if part_y == 0 and part_x == 0:
        return load_rows(plane, start, stride)
    taps = _taps_for(part_x)
    start -= 3 * stride + 3
    for i in range(SIDE + 7):
        store(_filtered(plane, start + i * stride, 1, taps), scratch, 8 * i)
    taps = _taps_for(part_y)
    return (
        _filtered(scratch, 0, 8, taps), _filtered(scratch, 8, 8, taps),
        _filtered(scratch, 16, 8, taps), _filtered(scratch, 24, 8, taps),
        _filtered(scratch, 32, 8, taps), _filtered(scratch, 40, 8, taps),
        _filtered(scratch, 48, 8, taps), _filtered(scratch, 56, 8, taps),
    )  # fmt: skip


@jit
def sample_surrounding(
    plane: Floats, stride: int, y: Real, x: Real, height: int, width: int, scratch: Floats, region: Floats
) -> None:
    """As `sample`, of all from REACH before a block on: `height` rows of `width` samples, eights, to `region`."""
    (top, part_y), (left, part_x) = whole_and_fraction(y), whole_and_fraction(x)
    start = (top + PAD - REACH) * stride + left + PAD - REACH
    if part_y == 0 and part_x == 0:  # the reference frame, and what stands still
        for i in range(height):
            for j in range(0, width, 8):
                store(load8(plane, start + i * stride + j), region, width * i + j)
        return
    taps = _taps_for(part_x)
    start -= 3 * stride + 3
    for i in range(height + 7):
        for j in range(0, width, 8):
            store(_filtered(plane, start + i * stride + j, 1, taps), scratch, width * i + j)
    taps = _taps_for(part_y)
    for q in range(0, height * width, 8):
        store(_filtered(scratch, q, width, taps), region, q)


@jit
def squared_distance(block: Vec8x8, plane: Floats, at: int, stride: int) -> Real:
    """Sum of squared differences of a block and the one that starts at `at` of a plane."""
    gap = subtract_rows(block, load_rows(plane, at, stride))
    return dot(gap, gap)
