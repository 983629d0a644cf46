"""Cubic B-spline interpolation of frames, within the range of the pixels around; compiled for the CPU.

Unser, Aldroubi and Eden, "B-Spline Signal Processing: Part II", IEEE TSP 1993: coefficients by a recursive filter, then
16 of them for a sample.
"""

from typing import NamedTuple

import cv2
import numpy as np
from torch import Tensor

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Floats, Real, clamp, jit
from lolblur_synth.kernels.simd import (
    Vec8,
    broadcast8,
    concat_high,
    concat_low,
    fold,
    load8,
    load16,
    load_broadcast16,
    maximum,
    minimum,
)

EDGE = 5  # pixels, by which the border is repeated
_AROUND = 7  # pixels, which are one more around 4x4, wherever these begin in 2x2
_POLE = np.float32(3**0.5 - 2)
_HORIZON = 14  # pixels after which the pole's powers are nothing
_BITS = 8  # of a fraction of a pixel, to which positions are rounded
_FRACTIONS = np.float32(1 << _BITS)


def _weights() -> Floats:
    """Cubic B-spline weights of the four pixels around a place, for each fraction of a pixel."""
    s = np.arange(1 << _BITS) / (1 << _BITS)
    weights = (1 - s) ** 3, 3 * s**3 - 6 * s**2 + 4, -3 * s**3 + 3 * s**2 + 3 * s + 1, s**3
    return np.ascontiguousarray(np.stack(weights, 1).ravel() / 6, np.float32)


_WEIGHTS = _weights()
_ACROSS = np.repeat(_WEIGHTS, 4)  # of the samples of four pixels


class SplineFrame(NamedTuple):
    """A frame that can be sampled anywhere; each array flat, with `EDGE` pixels of border."""

    coefficients: Floats  # four samples a pixel
    limits: Floats  # four samples each of the least and the highest around, for 2x2 pixels together


def spline_frame(frame: Tensor) -> SplineFrame:
    """Coefficients and limits of a frame (3, H, W) on the CPU, the border repeated."""
    red, green, blue = frame.contiguous().numpy()
    merged = cv2.merge((red, green, blue, red))
    pixels = cv2.copyMakeBorder(merged, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_REPLICATE)
    block = np.ones((_AROUND, _AROUND), np.uint8)
    limits = np.concatenate([limit(pixels, block, anchor=(1, 1))[::2, ::2] for limit in (cv2.erode, cv2.dilate)], 2)
    _filter_rows(pixels)
    _filter_columns(pixels.reshape(len(pixels), -1))
    return SplineFrame(pixels.ravel(), limits.ravel())


@jit
def _filter_rows(pixels: Floats) -> None:
    """The recursive filter along rows (H, W, 4), in place: causal, then anticausal, mirrored at both ends."""
    height, width, _ = pixels.shape
    scale, last = _POLE / (_POLE * _POLE - ONE), width - 1
    for i in range(height):
        row = pixels[i]
        power = ONE
        a, b, c, d = ZERO, ZERO, ZERO, ZERO
        for k in range(min(_HORIZON, width)):
            a, b, c, d = a + power * row[k, 0], b + power * row[k, 1], c + power * row[k, 2], d + power * row[k, 3]
            power *= _POLE
        row[0, 0], row[0, 1], row[0, 2], row[0, 3] = a, b, c, d
        for j in range(1, width):
            a, b = row[j, 0] + _POLE * a, row[j, 1] + _POLE * b
            c, d = row[j, 2] + _POLE * c, row[j, 3] + _POLE * d
            row[j, 0], row[j, 1], row[j, 2], row[j, 3] = a, b, c, d
        a, b = scale * (a + _POLE * row[last - 1, 0]), scale * (b + _POLE * row[last - 1, 1])
        c, d = scale * (c + _POLE * row[last - 1, 2]), scale * (d + _POLE * row[last - 1, 3])
        row[last, 0], row[last, 1], row[last, 2], row[last, 3] = 6 * a, 6 * b, 6 * c, 6 * d
        for j in range(last - 1, -1, -1):
            a, b = _POLE * (a - row[j, 0]), _POLE * (b - row[j, 1])
            c, d = _POLE * (c - row[j, 2]), _POLE * (d - row[j, 3])
            row[j, 0], row[j, 1], row[j, 2], row[j, 3] = 6 * a, 6 * b, 6 * c, 6 * d


@jit
def _filter_columns(rows: Floats) -> None:
    """The same along columns of (H, 4 W)."""
    height, width = rows.shape
    scale, last = _POLE / (_POLE * _POLE - ONE), height - 1
    six = np.float32(6)
    for j in range(width):
        total, power = ZERO, ONE
        for k in range(min(_HORIZON, height)):
            total += power * rows[k, j]
            power *= _POLE
        rows[0, j] = total
    for i in range(1, height):
        before, row = rows[i - 1], rows[i]
        for j in range(width):
            row[j] += _POLE * before[j]
    before, row = rows[last - 1], rows[last]
    for j in range(width):
        row[j] = six * scale * (row[j] + _POLE * before[j])
    for i in range(last - 1, -1, -1):
        after, row = rows[i + 1], rows[i]
        for j in range(width):
            row[j] = _POLE * (after[j] - six * row[j])


@jit
def concat_broadcast(one: Real, other: Real) -> Vec8:
    """Two floats, four lanes each."""
    return concat_low(broadcast8(one), broadcast8(other))


@jit
def add_halves(value: Vec8) -> Vec8:
    """The sum of the low and the high half, in both."""
    return concat_low(value, value) + concat_high(value, value)


@jit
def sample_spline(coefficients: Floats, limits: Floats, height: int, width: int, x: Real, y: Real) -> Vec8:
    """A frame's pixel at a position, in the first four lanes, within the range of the 7x7 pixels around.

    Without this it rings: beside a lamp there would be a ring blacker than anything in the frame.
    """
    at_x = int((clamp(x, -ONE, np.float32(width)) + ONE) * _FRACTIONS + HALF)  # of positive numbers: to the nearest
    at_y = int((clamp(y, -ONE, np.float32(height)) + ONE) * _FRACTIONS + HALF)
    j, i = at_x >> _BITS, at_y >> _BITS
    a, b = 4 * (at_x & ((1 << _BITS) - 1)), 4 * (at_y & ((1 << _BITS) - 1))
    row, column, stride = i - 2 + EDGE, j - 2 + EDGE, 4 * (width + 2 * EDGE)  # of the first of 4x4 pixels
    first, cell = row * stride + 4 * column, (row >> 1) * ((width + 2 * EDGE + 1) >> 1) + (column >> 1)
    rows = load_broadcast16(_WEIGHTS, b) * load16(coefficients, first)
    rows += load_broadcast16(_WEIGHTS, b + 1) * load16(coefficients, first + stride)
    rows += load_broadcast16(_WEIGHTS, b + 2) * load16(coefficients, first + 2 * stride)
    rows += load_broadcast16(_WEIGHTS, b + 3) * load16(coefficients, first + 3 * stride)
    found = add_halves(fold(load16(_ACROSS, 4 * a) * rows))
    limit = load8(limits, 8 * cell)
    return minimum(maximum(found, limit), concat_high(limit, limit))
