"""Warping to a moment between two frames: splatting with a z-buffer, then a backward warp; compiled for the CPU.

Of the pixels that are splatted to one place the z-buffer keeps the one in front. Where that came from in its frame, and
where it goes in the other, are the backward maps, along which both frames are sampled by Lanczos's kernel and blended.
"""

import math
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, clamp, jit, round_half_up
from lolblur_synth.kernels.simd import Vec8, broadcast8, concat_high, concat_low, extract_lane, load8, maximum, minimum
from lolblur_synth.ops.interpolation.occlusion import NEAR, MotionField
from lolblur_synth.ops.lanczos import lanczos

_HIDDEN = np.float32(0.01)  # weight of an inconsistent pixel: decides where there is no other
_LEAST = np.float32(1e-3)  # of one from beyond the border, or behind something else
_NEARER = np.float32(0.05)  # z_order that a pixel loses for arriving a pixel off
_FINE = np.float32(4096)  # steps of the z_order
_INDEX = (1 << 32) - 1
_EDGE = 5  # pixels: the kernel reaches as far beyond the border
_FRACTIONS = 128  # of a pixel, to which positions are rounded
_TAPS = np.ascontiguousarray(np.pad(lanczos(3, _FRACTIONS), ((0, 0), (0, 2))).ravel())  # eight apart


@jit
def _concat_broadcast(one: Real, other: Real) -> Vec8:
    """Two floats, four lanes each."""
    return concat_low(broadcast8(one), broadcast8(other))


@jit
def _add_halves(value: Vec8) -> Vec8:
    """The sum of the low and the high half, in both."""
    return concat_low(value, value) + concat_high(value, value)


@jit
def _bilinear_motion(motion: Floats, height: int, width: int, x: Real, y: Real) -> tuple[Real, Real]:
    """The motion at a position, linear between its samples; pixels as in `MotionField`."""
    x, y = clamp(x, ZERO, np.float32(width - 1)), clamp(y, ZERO, np.float32(height - 1))
    j, i = max(min(int(x), width - 2), 0), max(min(int(y), height - 2), 0)
    a, b = x - np.float32(j), y - np.float32(i)
    at, across = 4 * (i * width + j), _concat_broadcast(ONE - a, a)
    found = _add_halves(across * ((ONE - b) * load8(motion, at) + b * load8(motion, at + 4 * width)))
    return extract_lane(found, 0), extract_lane(found, 1)


@jit
def _splat_zbuffer(motion: Floats, z_order: Floats, time: Real, zbuffer: Ints) -> None:
    """Splat pixels to where they are at a time; the z-buffer keeps the one in front: z-order above index, or -1."""
    height, width = z_order.shape
    zbuffer[:] = -1
    for i in range(height):
        z_orders = z_order[i]
        for j in range(width):
            at = 4 * (i * width + j)
            x = np.float32(j) + time * motion[at]
            y = np.float32(i) + time * motion[at + 1]
            left, above = int(math.floor(x)), int(math.floor(y))  # noqa: RUF046
            right_off, below_off = x - np.float32(left), y - np.float32(above)
            for k in range(4):
                q, p = above + (k >> 1), left + (k & 1)
                dx, dy = (ONE - right_off if k & 1 else right_off), (ONE - below_off if k >> 1 else below_off)
                off = max(dx, dy)
                if off < ONE and 0 <= q < height and 0 <= p < width:
                    value = (int((z_orders[j] + ONE - _NEARER * off) * _FINE) << 32) | (i * width + j)
                    if value > zbuffer[q, p]:
                        zbuffer[q, p] = value


@jit
def _sample_origin(motion: Floats, source: int, height: int, width: int, i: int, j: int, time: Real) -> Any:
    """The origin in its frame of a pixel that is seen at (i, j), its motion, and how much of what is there has it.

    Beside something that moves otherwise, the pixel is a neighbour of the position, which may lie behind that.
    """
    u, v = motion[4 * source], motion[4 * source + 1]
    x, y = np.float32(j) - time * u, np.float32(i) - time * v
    near_u, near_v = _bilinear_motion(motion, height, width, x, y)
    off = abs(near_u - u) + abs(near_v - v)
    if off < NEAR:
        return np.float32(j) - time * near_u, np.float32(i) - time * near_v, near_u, near_v, ONE
    off *= off
    return x, y, u, v, ONE / (ONE + off * off) + _LEAST


@jit
def fixed_point_flow(motion: Floats, height: int, width: int, i: int, j: int, time: Real) -> Any:
    """The origin of a place to which nothing was splatted: x = p - time flow(x), by fixed-point iteration."""
    x, y = np.float32(j), np.float32(i)
    for _ in range(3):
        u, v = _bilinear_motion(motion, height, width, x, y)
        x, y = np.float32(j) - time * u, np.float32(i) - time * v
    return x, y


@jit
def _border_weight(x: Real, y: Real, height: int, width: int) -> Real:
    """Weight of a position: 1 within the frame, 0 from one pixel outside."""
    outside = max(max(-x, x - np.float32(width - 1)), max(-y, y - np.float32(height - 1)))
    return clamp(ONE - outside, ZERO, ONE)


@jit
def _backward_map(motion: Floats, source: int, height: int, width: int, i: int, j: int, time: Real) -> Any:
    """Backward map of a pixel that is seen at (i, j): where it is in both frames, and how much it counts in each.

    And how much of its position has its motion.
    """
    x, y, u, v, shown = _sample_origin(motion, source, height, width, i, j, time)
    rest = ONE - time
    known, similarity = motion[4 * source + 2] + _HIDDEN, motion[4 * source + 3]
    return x, y, np.float32(j) + rest * u, np.float32(i) + rest * v, known, similarity, shown


@jit
def _blend_weights(
    one: MotionField, other: MotionField, zbuffers: Ints, time: Real, at: Floats, weight: Floats
) -> None:
    """Backward maps `at` (2, 2, H, W) of each pixel at a time to both frames, and the second frame's blend weight."""
    height, width = weight.shape
    rest = ONE - time
    for i in range(height):
        for j in range(width):
            a, b = zbuffers[0, i, j], zbuffers[1, i, j]
            if a < 0 and b < 0:
                x0, y0 = fixed_point_flow(one.samples, height, width, i, j, time)
                x1, y1 = fixed_point_flow(other.samples, height, width, i, j, rest)
                known, back_known = ONE, ONE
            elif b < 0:
                x0, y0, x1, y1, known, back_known, _ = _backward_map(one.samples, a & _INDEX, height, width, i, j, time)
            else:
                x1, y1, x0, y0, back_known, known, back_shown = _backward_map(
                    other.samples, b & _INDEX, height, width, i, j, rest
                )
                if a >= 0:
                    x0, y0, _, _, known, _, shown = _backward_map(one.samples, a & _INDEX, height, width, i, j, time)
                    known, back_known = known * shown, back_known * back_shown
            at[0, 0, i, j], at[0, 1, i, j], at[1, 0, i, j], at[1, 1, i, j] = x0, y0, x1, y1
            weight[i, j] = back_known * time / (known * rest + back_known * time)


@jit
def _border_weights(at: Floats, weight: Floats) -> None:
    """Weigh by the border: take what comes from beyond that of one frame from the other."""
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            inside = _border_weight(at[0, 0, i, j], at[0, 1, i, j], height, width)
            back_inside = _border_weight(at[1, 0, i, j], at[1, 1, i, j], height, width)
            if min(inside, back_inside) < ONE:
                share = weight[i, j] * (back_inside + _LEAST)
                weight[i, j] = share / (share + (ONE - weight[i, j]) * (inside + _LEAST))


def backward_maps(one: MotionField, other: MotionField, time: float) -> tuple[Floats, Floats]:
    """Backward maps: positions in both frames (2, 2, H, W) of what is seen at a time, and the second's weight (H, W).

    What is seen in one frame only is looked for along its motion in the other, and counts there as it is similar.
    """
    height, width = one.z_order.shape
    zbuffers = np.empty((2, height, width), np.int64)
    at, weight = np.empty((2, 2, height, width), np.float32), np.empty((height, width), np.float32)
    _splat_zbuffer(one.samples, one.z_order, np.float32(time), zbuffers[0])
    _splat_zbuffer(other.samples, other.z_order, np.float32(1) - np.float32(time), zbuffers[1])
    _blend_weights(one, other, zbuffers, np.float32(time), at, weight)
    weight = cv2.blur(weight, (3, 3), borderType=cv2.BORDER_REPLICATE)
    _border_weights(at, weight)
    return at, weight


@jit
def _lanczos_pixel(frame: Floats, height: int, width: int, x: Real, y: Real) -> Vec8:
    """A frame's pixel at a position, twice: by a Lanczos kernel, but within the range of the 6x6 that it is made of.

    The kernel rings: beside a lamp it would dig a ring blacker than anything in the frame.
    """
    x, y = clamp(x, -ONE, np.float32(width)), clamp(y, -ONE, np.float32(height))
    j, i = math.floor(x), math.floor(y)
    a, b = 8 * round_half_up((x - np.float32(j)) * _FRACTIONS), 8 * round_half_up((y - np.float32(i)) * _FRACTIONS)
    stride = 4 * (width + 2 * _EDGE)
    at = (i - 2 + _EDGE) * stride + 4 * (j - 2 + _EDGE)
    left, middle, right = broadcast8(ZERO), broadcast8(ZERO), broadcast8(ZERO)
    low, high = load8(frame, at), load8(frame, at)
    for row in range(6):
        one, two, three = load8(frame, at), load8(frame, at + 8), load8(frame, at + 16)
        weight = _TAPS[b + row]
        left, middle, right = left + weight * one, middle + weight * two, right + weight * three
        low = minimum(minimum(minimum(low, one), two), three)
        high = maximum(maximum(maximum(high, one), two), three)
        at += stride
    found = _concat_broadcast(_TAPS[a], _TAPS[a + 1]) * left + _concat_broadcast(_TAPS[a + 2], _TAPS[a + 3]) * middle
    found = _add_halves(found + _concat_broadcast(_TAPS[a + 4], _TAPS[a + 5]) * right)
    low, high = minimum(low, concat_high(low, low)), maximum(high, concat_high(high, high))
    return minimum(maximum(found, low), high)  # of its first half, which alone is meant


@jit
def _blend_frames(one: Floats, other: Floats, at: Floats, weight: Floats, out: Floats) -> None:
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            before = _lanczos_pixel(one, height, width, at[0, 0, i, j], at[0, 1, i, j])
            after = _lanczos_pixel(other, height, width, at[1, 0, i, j], at[1, 1, i, j])
            pixel = before + weight[i, j] * (after - before)
            out[0, i, j], out[1, i, j], out[2, i, j] = (
                extract_lane(pixel, 0),
                extract_lane(pixel, 1),
                extract_lane(pixel, 2),
            )


def interleave(frame: Tensor) -> Floats:
    """Interleave a frame (3, H, W) on the CPU for `blend`: four samples a pixel, the border replicated."""
    red, green, blue = frame.contiguous().numpy()
    pixels = cv2.merge((red, green, blue, red))
    return np.ravel(cv2.copyMakeBorder(pixels, _EDGE, _EDGE, _EDGE, _EDGE, cv2.BORDER_REPLICATE))


def blend(one: Floats, other: Floats, at: Floats, weight: Floats) -> Tensor:
    """Backward warp: two frames, sampled at `at` (2, 2, H, W) and blended, (3, H, W)."""
    out = np.empty((3, *weight.shape), np.float32)
    _blend_frames(one, other, at, weight, out)
    return torch.from_numpy(out)
