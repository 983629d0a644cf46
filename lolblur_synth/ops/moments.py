"""The frame of a moment between two others, from their layers; compiled for the CPU by numba."""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lolblur_synth.ops.layers import NEAR, ONE, ZERO, Floats, Layers, Real, clamp, compiled, whole

Longs = NDArray[np.int64]

_HIDDEN = np.float32(0.01)  # weight of a pixel that is not trusted: decides where there is no other
_LEAST = np.float32(1e-3)  # of one from beyond the border
_NEARER = np.float32(0.05)  # rank that a pixel loses for arriving a pixel off
_FINE = np.float32(4096)  # steps of the rank
_INDEX = (1 << 32) - 1
_EDGE = 3  # pixels: the kernel reaches as far beyond the border
_U0, _U1, _U2, _U3, _U4, _U8, _U12 = (np.uint64(n) for n in (0, 1, 2, 3, 4, 8, 12))


@compiled
def _between(motion: Floats, height: int, width: int, x: Real, y: Real) -> Any:
    """The motion at a position, linear between its samples; pixels as in `Layers`."""
    x, y = clamp(x, ZERO, np.float32(width - 1)), clamp(y, ZERO, np.float32(height - 1))
    j, i = np.uint64(x), np.uint64(y)  # unsigned: numba would look for indices from the end
    here = _U4 * (i * np.uint64(width) + j)
    right = here + _U4 if j + _U1 < np.uint64(width) else here
    down = _U4 * np.uint64(width) if i + _U1 < np.uint64(height) else _U0
    a, b = x - np.float32(j), y - np.float32(i)
    p, q, r, s = (ONE - a) * (ONE - b), a * (ONE - b), (ONE - a) * b, a * b
    u = (p * motion[here] + q * motion[right]) + (r * motion[here + down] + s * motion[right + down])
    here, right = here + _U1, right + _U1
    v = (p * motion[here] + q * motion[right]) + (r * motion[here + down] + s * motion[right + down])
    return u, v


@compiled
def _arrive(motion: Floats, rank: Floats, time: Real, seen: Longs) -> None:
    """Of the pixels that come to each place at a time the one of highest rank: the rank above its index, or -1."""
    height, width = rank.shape
    seen[:] = -1
    for i in range(height):
        ranks = rank[i]
        for j in range(width):
            index = np.uint64(i * width + j)
            x = np.float32(j) + time * motion[_U4 * index]
            y = np.float32(i) + time * motion[_U4 * index + _U1]
            left, above = int(math.floor(x)), int(math.floor(y))  # noqa: RUF046
            right_off, below_off = x - np.float32(left), y - np.float32(above)
            for k in range(4):
                q, p = above + (k >> 1), left + (k & 1)
                dx, dy = (ONE - right_off if k & 1 else right_off), (ONE - below_off if k >> 1 else below_off)
                off = max(dx, dy)
                if off < ONE and 0 <= q < height and 0 <= p < width:
                    value = (int((ranks[j] + ONE - _NEARER * off) * _FINE) << 32) | (i * width + j)
                    if value > seen[q, p]:
                        seen[q, p] = value


@compiled
def _origin(motion: Floats, source: int, height: int, width: int, i: int, j: int, time: Real) -> Any:
    """The position from where a pixel came that is seen at (i, j), and its motion: x, y, u, v."""
    index = _U4 * np.uint64(source)
    u, v = motion[index], motion[index + _U1]
    x, y = np.float32(j) - time * u, np.float32(i) - time * v
    near_u, near_v = _between(motion, height, width, x, y)
    if abs(near_u - u) + abs(near_v - v) < NEAR:
        u, v = near_u, near_v
        x, y = np.float32(j) - time * u, np.float32(i) - time * v
    return x, y, u, v


@compiled
def _trace(motion: Floats, height: int, width: int, i: int, j: int, time: Real) -> Any:
    x, y = np.float32(j), np.float32(i)
    for _ in range(3):
        u, v = _between(motion, height, width, x, y)
        x, y = np.float32(j) - time * u, np.float32(i) - time * v
    return x, y


@compiled
def _within(x: Real, y: Real, height: int, width: int) -> Real:
    """1 within the frame, 0 from one pixel outside."""
    outside = max(max(-x, x - np.float32(width - 1)), max(-y, y - np.float32(height - 1)))
    return clamp(ONE - outside, ZERO, ONE)


@compiled
def _join(one: Layers, other: Layers, seen: Longs, time: Real, at: Floats, weight: Floats) -> None:
    """Where each pixel at a time is in both frames, `at` (2, 2, H, W), and the second frame's weight."""
    height, width = weight.shape
    rest = ONE - time
    for i in range(height):
        for j in range(width):
            a, b = seen[0, i, j], seen[1, i, j]
            a, b = (a & _INDEX if a >= 0 else -1), (b & _INDEX if b >= 0 else -1)
            x0, y0, x1, y1 = ZERO, ZERO, ZERO, ZERO
            known, also_known = ONE, ONE
            if a >= 0:
                x0, y0, u, v = _origin(one.motion, a, height, width, i, j, time)
                known = one.motion[_U4 * np.uint64(a) + _U2] + _HIDDEN
                if b < 0:
                    x1, y1 = np.float32(j) + rest * u, np.float32(i) + rest * v
                    also_known = one.motion[_U4 * np.uint64(a) + _U3]
            if b >= 0:
                x1, y1, u, v = _origin(other.motion, b, height, width, i, j, rest)
                also_known = other.motion[_U4 * np.uint64(b) + _U2] + _HIDDEN
                if a < 0:
                    x0, y0 = np.float32(j) + time * u, np.float32(i) + time * v
                    known = other.motion[_U4 * np.uint64(b) + _U3]
            if a < 0 and b < 0:
                x0, y0 = _trace(one.motion, height, width, i, j, time)
                x1, y1 = _trace(other.motion, height, width, i, j, rest)
            at[0, 0, i, j], at[0, 1, i, j], at[1, 0, i, j], at[1, 1, i, j] = x0, y0, x1, y1
            weight[i, j] = also_known * time / (known * rest + also_known * time)


@compiled
def _stay_within(at: Floats, weight: Floats) -> None:
    """Take what comes from beyond the border of one frame from the other."""
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            inside = _within(at[0, 0, i, j], at[0, 1, i, j], height, width)
            also_inside = _within(at[1, 0, i, j], at[1, 1, i, j], height, width)
            if min(inside, also_inside) < ONE:
                share = weight[i, j] * (also_inside + _LEAST)
                weight[i, j] = share / (share + (ONE - weight[i, j]) * (inside + _LEAST))


def origins(one: Layers, other: Layers, time: float) -> tuple[Floats, Floats]:
    """Positions in both frames, (2, 2, H, W), of what is seen at each pixel at a time, and the second's weight, (H, W).

    What is seen in one frame only is looked for along its motion in the other, and counts there as far as it is alike.
    """
    height, width = one.rank.shape
    seen = np.empty((2, height, width), np.int64)
    at, weight = np.empty((2, 2, height, width), np.float32), np.empty((height, width), np.float32)
    _arrive(one.motion, one.rank, np.float32(time), seen[0])
    _arrive(other.motion, other.rank, np.float32(1) - np.float32(time), seen[1])
    _join(one, other, seen, np.float32(time), at, weight)
    weight = cv2.blur(weight, (3, 3), borderType=cv2.BORDER_REPLICATE)
    _stay_within(at, weight)
    return at, weight


@compiled
def _cubic(f: Real) -> Any:
    """Weights of four samples at distances 1 + f, f, 1 - f and 2 - f; Keys' kernel with a = -0.75."""
    a = np.float32(-0.75)
    g, h, k = ONE - f, ONE + f, np.float32(2) - f
    two, three, five, eight, four = np.float32(2), np.float32(3), np.float32(5), np.float32(8), np.float32(4)
    return (
        ((a * h - five * a) * h + eight * a) * h - four * a,
        ((a + two) * f - (a + three)) * f * f + ONE,
        ((a + two) * g - (a + three)) * g * g + ONE,
        ((a * k - five * a) * k + eight * a) * k - four * a,
    )


@compiled
def _taps(x: Real, y: Real, height: int, width: int) -> Any:
    """Weights of columns and of rows, where the first of the 4x4 is in a frame, and the nearest pixel in its range."""
    x, y = clamp(x, -ONE, np.float32(width)), clamp(y, -ONE, np.float32(height))
    j, i = int(math.floor(x)), int(math.floor(y))  # noqa: RUF046
    first = np.uint64(((i - 1 + _EDGE) * (width + 2 * _EDGE) + j - 1 + _EDGE) * 4)
    nearest = np.uint64((clamp(whole(y), 0, height - 1) * width + clamp(whole(x), 0, width - 1)) * 4)
    return _cubic(x - np.float32(j)), _cubic(y - np.float32(i)), first, nearest


@compiled
def _column(frame: Floats, b: Any, p: Any, stride: Any) -> Real:
    q = p + stride
    r = q + stride
    return (b[0] * frame[p] + b[1] * frame[q]) + (b[2] * frame[r] + b[3] * frame[r + stride])


@compiled
def _value(pixels: Any, a: Any, b: Any, first: Any, nearest: Any, channel: Any, stride: Any) -> Real:
    frame, p = pixels[0], first + channel
    left, right = _column(frame, b, p, stride), _column(frame, b, p + _U4, stride)
    value = (a[0] * left + a[1] * right) + (
        a[2] * _column(frame, b, p + _U8, stride) + a[3] * _column(frame, b, p + _U12, stride)
    )
    return min(max(value, pixels[1][nearest + channel]), pixels[2][nearest + channel])


@compiled
def _blend(one: Any, other: Any, at: Floats, weight: Floats, out: Floats) -> None:
    height, width = weight.shape
    stride = np.uint64((width + 2 * _EDGE) * 4)
    for i in range(height):
        for j in range(width):
            a, b, first, nearest = _taps(at[0, 0, i, j], at[0, 1, i, j], height, width)
            c, d, also_first, also_nearest = _taps(at[1, 0, i, j], at[1, 1, i, j], height, width)
            for k in range(3):
                channel = np.uint64(k)
                value = _value(one, a, b, first, nearest, channel, stride)
                also = _value(other, c, d, also_first, also_nearest, channel, stride)
                out[k, i, j] = value + weight[i, j] * (also - value)


class Pixels(NamedTuple):
    """A frame, repeated about its border, and the range of its 3x3 neighbourhoods: four samples a pixel, one unused."""

    frame: Floats
    low: Floats
    high: Floats


def interleave(frame: Tensor) -> Pixels:
    """Make a frame (3, H, W) on the CPU ready for `blend`."""
    red, green, blue = frame.contiguous().numpy()
    pixels = cv2.merge((red, green, blue, red))
    wide = cv2.copyMakeBorder(pixels, _EDGE, _EDGE, _EDGE, _EDGE, cv2.BORDER_REPLICATE)
    square = np.ones((3, 3), np.uint8)
    low, high = (reach(pixels, square, borderType=cv2.BORDER_REPLICATE) for reach in (cv2.erode, cv2.dilate))
    return Pixels(wide.ravel(), low.ravel(), high.ravel())


def blend(one: Pixels, other: Pixels, at: Floats, weight: Floats) -> Tensor:
    """Two frames, sampled at `at` (2, 2, H, W) by a cubic kernel with a = -0.75 and blended, (3, H, W)."""
    out = np.empty((3, *weight.shape), np.float32)
    _blend(one, other, at, weight, out)
    return torch.from_numpy(out)
