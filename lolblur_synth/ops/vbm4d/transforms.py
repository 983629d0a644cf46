"""Blocks and their transforms, compiled for the CPU by numba; `tensors.py` says the same in tensors, for any device.

Planes lie flat, `stride` samples a row, with a border of `PAD` repeated samples on every side. A block is 8x8; its
position (y, x) is that of its top left sample, without the border. A volume is a block followed through up to `FRAMES`
frames, and eight of them are worked on side by side: `stack[t, p * 8 + m]` is sample, later coefficient, p of
frame t, later frequency, of volume m, so that each loop below runs over neighbours in memory. The eight are either the
members of one group of similar volumes or volumes that have nothing to do with each other.
"""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Real = Any  # a number; numba tells its type
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]
# Of each frame of a window, (C, samples). A compiled function takes tuples of one length, so that there are FRAMES:
# behind its end, a shorter window has the last frame again, which is not looked at.
Planes = tuple[Floats, ...]
Function = TypeVar("Function", bound=Callable[..., Any])

SIDE, AREA, MEMBERS, FRAMES = 8, 64, 8, 9
REACH = 4  # pixels, along each axis, within which similar volumes are looked for
REACHED = SIDE + 2 * REACH  # samples a side within reach
REGION = REACHED * REACHED  # samples of it all
SUPPORT = REACHED + 7  # samples, along an axis, that interpolation makes those of
PAD = 12  # samples: the interpolation kernel reaches 3 before them and 9 behind
FRACTIONS = 32  # of a pixel, to which positions are rounded
ROW = AREA * MEMBERS


def dct_matrix(size: int) -> NDArray[np.float64]:
    """The orthonormal DCT-II, (size, size), a basis vector per row."""
    k, n = np.mgrid[:size, :size]
    rows = np.sqrt(2 / size) * np.cos(np.pi * (2 * n + 1) * k / (2 * size))
    rows[0] /= math.sqrt(2)
    return np.asarray(rows, np.float64)


def _taps() -> Floats:
    """Lanczos windows of eight samples for each fraction of a pixel, (FRACTIONS, 8), that keep constants and ramps."""
    distance = np.arange(8) - 3 - np.arange(FRACTIONS)[:, None] / FRACTIONS
    taps = np.sinc(distance) * np.sinc(distance / 4) * (abs(distance) < 4)
    for row, away in zip(taps, distance, strict=True):
        moments = np.stack((np.ones(8), away))
        row += np.linalg.pinv(moments) @ ((1, 0) - moments @ row)
    return np.asarray(taps, np.float32)


TAPS = _taps()
WINDOW = np.outer(np.kaiser(SIDE, 1.0), np.kaiser(SIDE, 1.0)).astype(np.float32)  # of a block when it is added
TEMPORAL = np.zeros((FRAMES + 1, FRAMES, FRAMES), np.float32)  # the DCT for each number of frames, filled up by zeros
for _count in range(1, FRAMES + 1):
    TEMPORAL[_count, :_count, :_count] = dct_matrix(_count)

_C = dct_matrix(8).astype(np.float32)
_E, _C2, _C6 = _C[0, 0], _C[2, 0], _C[2, 1]
(_A0, _A1, _A2, _A3), (_B0, _B1, _B2, _B3) = _C[1, :4], _C[3, :4]
(_D0, _D1, _D2, _D3), (_F0, _F1, _F2, _F3) = _C[5, :4], _C[7, :4]
_EIGHTH, _HALF, _ROOT = np.float32(8**-0.5), np.float32(0.5), np.float32(0.5**0.5)
_LOOSE = {"nsz", "arcp", "contract", "afn", "reassoc"}  # sums in any order, but infinities are what they are
ZERO, ONE = np.float32(0), np.float32(1)


def bands(height: int) -> list[tuple[int, int]]:
    """Rows that are worked on at the same time are every other of these: none reaches beyond half of its neighbour."""
    count = 4 * max(1, height // 256) if height >= 128 else 1
    edges = [round(k * height / count) for k in range(count + 1)]
    return list(pairwise(edges))


def grid(side: int, step: int, first: int = 0) -> Ints:
    """Where the reference blocks of a side start: every `step` pixels from `first`, and at both ends."""
    return np.unique([0, *range(first % step, side - SIDE, step), side - SIDE]).astype(np.int64)


def compiled(function: Function) -> Function:
    """Compile for the CPU at the first call; kept on disk for later ones. Other Python threads run meanwhile.

    Inlined where it is called: else what was compiled in this process and what came from the disk gave other last bits
    in a few places, and so a first run other pixels than the next.
    """
    jit = numba.njit(fastmath=_LOOSE, nogil=True, cache=True, error_model="numpy", forceinline=True)
    return cast(Function, jit(function))


def _inlined(function: Function) -> Function:
    return cast(Function, numba.njit(inline="always")(function))


@_inlined
def _dct8(x0: Real, x1: Real, x2: Real, x3: Real, x4: Real, x5: Real, x6: Real, x7: Real) -> Any:
    s0, s1, s2, s3, d0, d1, d2, d3 = x0 + x7, x1 + x6, x2 + x5, x3 + x4, x0 - x7, x1 - x6, x2 - x5, x3 - x4
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


@_inlined
def _idct8(y0: Real, y1: Real, y2: Real, y3: Real, y4: Real, y5: Real, y6: Real, y7: Real) -> Any:
    a, b, p, q = _E * (y0 + y4), _E * (y0 - y4), _C2 * y2 + _C6 * y6, _C6 * y2 - _C2 * y6
    s0, s1, s2, s3 = a + p, b + q, b - q, a - p
    d0 = _A0 * y1 + _B0 * y3 + _D0 * y5 + _F0 * y7
    d1 = _A1 * y1 + _B1 * y3 + _D1 * y5 + _F1 * y7
    d2 = _A2 * y1 + _B2 * y3 + _D2 * y5 + _F2 * y7
    d3 = _A3 * y1 + _B3 * y3 + _D3 * y5 + _F3 * y7
    return s0 + d0, s1 + d1, s2 + d2, s3 + d3, s3 - d3, s2 - d2, s1 - d1, s0 - d0


@_inlined
def haar8(a0: Real, a1: Real, a2: Real, a3: Real, a4: Real, a5: Real, a6: Real, a7: Real) -> Any:
    """Haar wavelet of eight numbers: mean, halves, quarters, pairs; orthonormal."""
    b0, b2, b4, b6 = a0 + a1, a2 + a3, a4 + a5, a6 + a7
    c0, c2 = b0 + b2, b4 + b6
    low, high, left, right = _EIGHTH * (c0 + c2), _EIGHTH * (c0 - c2), _HALF * (b0 - b2), _HALF * (b4 - b6)
    return low, high, left, right, _ROOT * (a0 - a1), _ROOT * (a2 - a3), _ROOT * (a4 - a5), _ROOT * (a6 - a7)


@_inlined
def ihaar8(y0: Real, y1: Real, y2: Real, y3: Real, y4: Real, y5: Real, y6: Real, y7: Real) -> Any:
    """The inverse of `haar8`."""
    c0, c2, h2, h3 = _EIGHTH * (y0 + y1), _EIGHTH * (y0 - y1), _HALF * y2, _HALF * y3
    b0, b2, b4, b6, d0, d1, d2, d3 = c0 + h2, c0 - h2, c2 + h3, c2 - h3, _ROOT * y4, _ROOT * y5, _ROOT * y6, _ROOT * y7
    return b0 + d0, b0 - d0, b2 + d1, b2 - d1, b4 + d2, b4 - d2, b6 + d3, b6 - d3


@compiled
def to_spatial_spectrum(b: Floats) -> None:
    """Two-dimensional DCT of the blocks of one frame of a stack, in place."""
    for q in range(64):
        r = _dct8(b[q], b[64 + q], b[128 + q], b[192 + q], b[256 + q], b[320 + q], b[384 + q], b[448 + q])
        b[q], b[64 + q], b[128 + q], b[192 + q] = r[0], r[1], r[2], r[3]
        b[256 + q], b[320 + q], b[384 + q], b[448 + q] = r[4], r[5], r[6], r[7]
    for start in range(0, ROW, 64):
        for q in range(start, start + 8):
            r = _dct8(b[q], b[8 + q], b[16 + q], b[24 + q], b[32 + q], b[40 + q], b[48 + q], b[56 + q])
            b[q], b[8 + q], b[16 + q], b[24 + q] = r[0], r[1], r[2], r[3]
            b[32 + q], b[40 + q], b[48 + q], b[56 + q] = r[4], r[5], r[6], r[7]


@compiled
def from_spatial_spectrum(b: Floats) -> None:
    """The inverse of `to_spatial_spectrum`, in place."""
    for q in range(64):
        r = _idct8(b[q], b[64 + q], b[128 + q], b[192 + q], b[256 + q], b[320 + q], b[384 + q], b[448 + q])
        b[q], b[64 + q], b[128 + q], b[192 + q] = r[0], r[1], r[2], r[3]
        b[256 + q], b[320 + q], b[384 + q], b[448 + q] = r[4], r[5], r[6], r[7]
    for start in range(0, ROW, 64):
        for q in range(start, start + 8):
            r = _idct8(b[q], b[8 + q], b[16 + q], b[24 + q], b[32 + q], b[40 + q], b[48 + q], b[56 + q])
            b[q], b[8 + q], b[16 + q], b[24 + q] = r[0], r[1], r[2], r[3]
            b[32 + q], b[40 + q], b[48 + q], b[56 + q] = r[4], r[5], r[6], r[7]


@compiled
def combine_frames(frames: Floats, factors: Floats, out: Floats) -> None:
    """The sum of FRAMES frames (FRAMES, N), each by its factor."""
    b0, b1, b2, b3, b4 = frames[0], frames[1], frames[2], frames[3], frames[4]
    b5, b6, b7, b8 = frames[5], frames[6], frames[7], frames[8]
    d0, d1, d2, d3, d4 = factors[0], factors[1], factors[2], factors[3], factors[4]
    d5, d6, d7, d8 = factors[5], factors[6], factors[7], factors[8]
    for q in range(len(out)):
        first = d0 * b0[q] + d1 * b1[q] + d2 * b2[q] + d3 * b3[q] + d4 * b4[q]
        out[q] = first + d5 * b5[q] + d6 * b6[q] + d7 * b7[q] + d8 * b8[q]


@compiled
def combine_frames_apart(frames: Floats, factors: Floats, out: Floats) -> None:
    """As `combine_frames`, of a stack, with factors for each volume: (FRAMES, 64), eight times side by side."""
    b0, b1, b2, b3, b4 = frames[0], frames[1], frames[2], frames[3], frames[4]
    b5, b6, b7, b8 = frames[5], frames[6], frames[7], frames[8]
    d0, d1, d2, d3, d4 = factors[0], factors[1], factors[2], factors[3], factors[4]
    d5, d6, d7, d8 = factors[5], factors[6], factors[7], factors[8]
    for start in range(0, ROW, 64):
        o = out[start : start + 64]
        c0, c1, c2 = b0[start : start + 64], b1[start : start + 64], b2[start : start + 64]
        c3, c4, c5 = b3[start : start + 64], b4[start : start + 64], b5[start : start + 64]
        c6, c7, c8 = b6[start : start + 64], b7[start : start + 64], b8[start : start + 64]
        for k in range(64):
            first = d0[k] * c0[k] + d1[k] * c1[k] + d2[k] * c2[k] + d3[k] * c3[k] + d4[k] * c4[k]
            o[k] = first + d5[k] * c5[k] + d6[k] * c6[k] + d7[k] * c7[k] + d8[k] * c8[k]


@compiled
def spread_over_frames(one: Floats, factors: Floats, count: int, frames: Floats) -> None:
    """Add one frequency of time to each of `count` frames (FRAMES, N), by its factor there."""
    for t in range(count):
        b, d = frames[t], factors[t]
        for q in range(len(one)):
            b[q] += d * one[q]


@compiled
def spread_over_frames_apart(one: Floats, factors: Floats, count: int, frames: Floats) -> None:
    """As `spread_over_frames`, of a stack, with factors for each volume: (FRAMES, 64), eight times side by side."""
    for t in range(count):
        d, b = factors[t], frames[t]
        for start in range(0, ROW, 64):
            c, o = b[start : start + 64], one[start : start + 64]
            for k in range(64):
                c[k] += d[k] * o[k]


@compiled
def _rotate(one: Floats, other: Floats) -> None:
    for k in range(ROW // 2):
        other[2 * k], other[2 * k + 1] = one[k], one[k + ROW // 2]


@compiled
def side_by_side(blocks: Floats, stack: Floats) -> None:
    """Blocks one after the other, (MEMBERS, 64), to one frame of a stack; `blocks` is used up.

    Each perfect shuffle moves the first bit of an index to its end; three move all of a block's number there.
    """
    _rotate(blocks, stack)
    _rotate(stack, blocks)
    _rotate(blocks, stack)


@compiled
def sample(plane: Floats, stride: int, y: Real, x: Real, taps: Floats, scratch: Floats, block: Floats) -> None:
    """The block at a position, whole or not: 16 samples a row in `block`, of which the first 8 count."""
    top, left = math.floor(y), math.floor(x)
    part_y, part_x = int((y - top) * FRACTIONS + 0.5), int((x - left) * FRACTIONS + 0.5)
    top, left = int(top) + part_y // FRACTIONS, int(left) + part_x // FRACTIONS
    part_y, part_x = part_y % FRACTIONS, part_x % FRACTIONS
    if part_y == 0 and part_x == 0:
        start = (top + PAD) * stride + left + PAD
        for i in range(8):
            source, target = plane[start + i * stride : start + i * stride + 8], block[16 * i : 16 * i + 8]
            for j in range(8):
                target[j] = source[j]
        return
    w = taps[part_y]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for i in range(8):
        a = (top + PAD - 3 + i) * stride + left + PAD - 3
        r0, r1 = plane[a : a + 16], plane[a + stride : a + stride + 16]
        r2, r3 = plane[a + 2 * stride : a + 2 * stride + 16], plane[a + 3 * stride : a + 3 * stride + 16]
        r4, r5 = plane[a + 4 * stride : a + 4 * stride + 16], plane[a + 5 * stride : a + 5 * stride + 16]
        r6, r7 = plane[a + 6 * stride : a + 6 * stride + 16], plane[a + 7 * stride : a + 7 * stride + 16]
        s = scratch[16 * i : 16 * i + 16]
        for j in range(16):
            upper = w0 * r0[j] + w1 * r1[j] + w2 * r2[j] + w3 * r3[j]
            s[j] = upper + w4 * r4[j] + w5 * r5[j] + w6 * r6[j] + w7 * r7[j]
    w = taps[part_x]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for q in range(128):
        before = w0 * scratch[q] + w1 * scratch[q + 1] + w2 * scratch[q + 2] + w3 * scratch[q + 3]
        block[q] = before + w4 * scratch[q + 4] + w5 * scratch[q + 5] + w6 * scratch[q + 6] + w7 * scratch[q + 7]


@compiled
def sample_surrounding(
    plane: Floats, stride: int, y: Real, x: Real, taps: Floats, scratch: Floats, region: Floats
) -> None:
    """As `sample`, of everything within REACH of the block: REACHED rows of REACHED samples."""
    top, left = math.floor(y), math.floor(x)
    part_y, part_x = int((y - top) * FRACTIONS + 0.5), int((x - left) * FRACTIONS + 0.5)
    top, left = int(top) + part_y // FRACTIONS, int(left) + part_x // FRACTIONS
    part_y, part_x = part_y % FRACTIONS, part_x % FRACTIONS
    if part_y == 0 and part_x == 0:  # the reference frame, and what stands still
        for i in range(REACHED):
            a = (top + PAD - REACH + i) * stride + left + PAD - REACH
            s, o = plane[a : a + REACHED], region[REACHED * i : REACHED * (i + 1)]
            for j in range(REACHED):
                o[j] = s[j]
        return
    w = taps[part_x]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for i in range(SUPPORT):
        a = (top + PAD - REACH - 3 + i) * stride + left + PAD - REACH - 3
        s, o = plane[a : a + SUPPORT], scratch[REACHED * i : REACHED * (i + 1)]
        for j in range(REACHED):
            before = w0 * s[j] + w1 * s[j + 1] + w2 * s[j + 2] + w3 * s[j + 3]
            o[j] = before + w4 * s[j + 4] + w5 * s[j + 5] + w6 * s[j + 6] + w7 * s[j + 7]
    w = taps[part_y]
    w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
    for q in range(REGION):
        upper = w0 * scratch[q] + w1 * scratch[q + REACHED]
        upper += w2 * scratch[q + 2 * REACHED] + w3 * scratch[q + 3 * REACHED]
        lower = w4 * scratch[q + 4 * REACHED] + w5 * scratch[q + 5 * REACHED]
        lower += w6 * scratch[q + 6 * REACHED] + w7 * scratch[q + 7 * REACHED]
        region[q] = upper + lower


@compiled
def distance(one: Floats, a: int, other: Floats, b: int, stride: int) -> Real:
    """Sum of squared differences of two blocks that start at `a` and `b` of their planes."""
    total = ZERO
    for i in range(8):
        p, q = one[a + i * stride : a + i * stride + 8], other[b + i * stride : b + i * stride + 8]
        for j in range(8):
            d = p[j] - q[j]
            total += d * d
    return total
