"""Warping to a moment between two frames: splatting with a z-buffer, then a backward warp; compiled for the CPU.

Of the pixels that are splatted to one place the z-buffer keeps the one in front. Where that came from in its frame, and
where it goes in the other, are the backward maps, along which both frames are sampled by cubic B-splines and blended.
"""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, clamp, jit
from lolblur_synth.kernels.simd import extract_lane, load8
from lolblur_synth.ops.interpolation.occlusion import NEAR, Motion, MotionField
from lolblur_synth.ops.interpolation.spline import (
    SplineFrame,
    add_halves,
    concat_broadcast,
    sample_spline,
    spline_frame,
)

_HIDDEN = np.float32(0.01)  # weight of an inconsistent pixel: decides where there is no other
_LEAST = np.float32(1e-3)  # of one from beyond the border, or behind something else
_NEARER = np.float32(0.05)  # z_order that a pixel loses for arriving a pixel off
_FINE = np.float32(4096)  # steps of the z_order
_INDEX = (1 << 32) - 1


@jit
def bilinear_motion(motion: Floats, height: int, width: int, x: Real, y: Real) -> tuple[Real, Real]:
    """The motion at a position, linear between its samples; pixels as in `MotionField`."""
    x, y = clamp(x, ZERO, np.float32(width - 1)), clamp(y, ZERO, np.float32(height - 1))
    j, i = max(min(int(x), width - 2), 0), max(min(int(y), height - 2), 0)
    a, b = x - np.float32(j), y - np.float32(i)
    at, across = 4 * (i * width + j), concat_broadcast(ONE - a, a)
    found = add_halves(across * ((ONE - b) * load8(motion, at) + b * load8(motion, at + 4 * width)))
    return extract_lane(found, 0), extract_lane(found, 1)


@jit
def splat_rectangle(motion: Floats, z_order: Floats, time: Real, zbuffer: Ints, place: Any) -> None:
    """Splat the pixels of (top, left, bottom, right) to where they are at a time.

    The z-buffer keeps the one in front: z-order above index, or -1.
    """
    height, width = z_order.shape
    top, left_most, bottom, right_most = place
    for i in range(top, bottom):
        z_orders = z_order[i]
        for j in range(left_most, right_most):
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
                    zbuffer[q, p] = max(zbuffer[q, p], value)  # without a branch, which nothing could predict


@jit
def _sample_origin(motion: Floats, source: int, height: int, width: int, i: int, j: int, time: Real) -> Any:
    """The origin in its frame of a pixel that is seen at (i, j), its motion, and how much of what is there has it.

    Beside something that moves otherwise, the pixel is a neighbour of the position, which may lie behind that.
    """
    u, v = motion[4 * source], motion[4 * source + 1]
    x, y = np.float32(j) - time * u, np.float32(i) - time * v
    near_u, near_v = bilinear_motion(motion, height, width, x, y)
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
        u, v = bilinear_motion(motion, height, width, x, y)
        x, y = np.float32(j) - time * u, np.float32(i) - time * v
    return x, y


@jit
def border_weight(x: Real, y: Real, height: int, width: int) -> Real:
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
def blend_weight(one: Floats, other: Floats, zbuffers: Ints, i: int, j: int, time: Real) -> Any:
    """Backward maps of a pixel at a time to both frames, x and y each, and the second frame's blend weight."""
    height, width = zbuffers.shape[1:]
    rest = ONE - time
    a, b = zbuffers[0, i, j], zbuffers[1, i, j]
    if a < 0 and b < 0:
        x0, y0 = fixed_point_flow(one, height, width, i, j, time)
        x1, y1 = fixed_point_flow(other, height, width, i, j, rest)
        known, back_known = ONE, ONE
    elif b < 0:
        x0, y0, x1, y1, known, back_known, _ = _backward_map(one, a & _INDEX, height, width, i, j, time)
    else:
        x1, y1, x0, y0, back_known, known, back_shown = _backward_map(other, b & _INDEX, height, width, i, j, rest)
        if a >= 0:
            x0, y0, _, _, known, _, shown = _backward_map(one, a & _INDEX, height, width, i, j, time)
            known, back_known = known * shown, back_known * back_shown
    return x0, y0, x1, y1, back_known * time / (known * rest + back_known * time)


@jit
def _blend_weights(
    one: MotionField, other: MotionField, zbuffers: Ints, time: Real, at: Floats, weight: Floats
) -> None:
    """Backward maps `at` (2, 2, H, W) of each pixel at a time to both frames, and the second frame's blend weight."""
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            found = blend_weight(one.samples, other.samples, zbuffers, i, j, time)
            at[0, 0, i, j], at[0, 1, i, j], at[1, 0, i, j], at[1, 1, i, j], weight[i, j] = found


@jit
def weigh_by_border(weight: Real, inside: Real, back_inside: Real) -> Real:
    """The second frame's blend weight, where what comes from beyond the border of one frame is taken from the other."""
    if min(inside, back_inside) >= ONE:
        return weight
    share = weight * (back_inside + _LEAST)
    return share / (share + (ONE - weight) * (inside + _LEAST))


@jit
def _border_weights(at: Floats, weight: Floats) -> None:
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            inside = border_weight(at[0, 0, i, j], at[0, 1, i, j], height, width)
            back_inside = border_weight(at[1, 0, i, j], at[1, 1, i, j], height, width)
            weight[i, j] = weigh_by_border(weight[i, j], inside, back_inside)


def backward_maps(motion: Motion, time: float) -> tuple[Floats, Floats]:
    """Backward maps: positions in both frames (2, 2, H, W) of what is seen at a time, and the second's weight (H, W).

    What is seen in one frame only is looked for along its motion in the other, and counts there as it is similar.
    """
    one, other = motion.fields
    height, width = one.z_order.shape
    zbuffers = np.full((2, height, width), -1, np.int64)
    at, weight = np.empty((2, 2, height, width), np.float32), np.empty((height, width), np.float32)
    everything = (0, 0, height, width)
    splat_rectangle(one.samples, one.z_order, np.float32(time), zbuffers[0], everything)
    splat_rectangle(other.samples, other.z_order, np.float32(1) - np.float32(time), zbuffers[1], everything)
    _blend_weights(one, other, zbuffers, np.float32(time), at, weight)
    weight = cv2.blur(weight, (3, 3), borderType=cv2.BORDER_REPLICATE)
    _border_weights(at, weight)
    return at, weight


@jit
def _is_pixel(x: Real, y: Real, height: int, width: int) -> Any:
    inside = ZERO <= x <= np.float32(width - 1) and ZERO <= y <= np.float32(height - 1)
    return inside and x == math.floor(x) and y == math.floor(y)


@jit
def _blend_frames(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats, before: Floats, after: Floats,
    at: Floats, weight: Floats, out: Floats,
) -> None:  # fmt: skip
    height, width = weight.shape
    for i in range(height):
        for j in range(width):
            x0, y0, x1, y1, share = at[0, 0, i, j], at[0, 1, i, j], at[1, 0, i, j], at[1, 1, i, j], weight[i, j]
            if _is_pixel(x0, y0, height, width) and _is_pixel(x1, y1, height, width):  # what stands still is untouched
                for k in range(3):
                    one, other = before[k, int(y0), int(x0)], after[k, int(y1), int(x1)]
                    out[k, i, j] = one + share * (other - one)
                continue
            first = sample_spline(c0, limits0, height, width, x0, y0)
            second = sample_spline(c1, limits1, height, width, x1, y1)
            pixel = first + share * (second - first)
            out[0, i, j] = extract_lane(pixel, 0)
            out[1, i, j] = extract_lane(pixel, 1)
            out[2, i, j] = extract_lane(pixel, 2)


class Moving(NamedTuple):
    """A frame on the CPU that can be sampled anywhere."""

    pixels: Floats  # (3, H, W)
    spline: SplineFrame


def moving(frame: Tensor) -> Moving:
    """A frame (3, H, W) on the CPU, made ready."""
    return Moving(frame.contiguous().numpy(), spline_frame(frame))


def blend(one: Moving, other: Moving, at: Floats, weight: Floats) -> Tensor:
    """Backward warp: two frames, sampled at `at` (2, 2, H, W) and blended, (3, H, W)."""
    out = np.empty((3, *weight.shape), np.float32)
    _blend_frames(*one.spline, *other.spline, one.pixels, other.pixels, at, weight, out)
    return torch.from_numpy(out)
