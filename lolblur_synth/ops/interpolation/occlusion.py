"""Occlusion: what is in front and what is hidden where motions meet in two frames; compiled for the CPU.

Flows (2, H, W) are x and y in pixels, float32. Each pixel of a frame has besides its motion: `consistency`, forward and
backward, 1 where the two flows lead back, 0 where they do not (occluded, or wrong), and a half where it leaves the
frame; `z_order`, which is the consistency, and 1 more where it occludes something: of two pixels that are splatted to
one place the higher is seen; and `similarity`, 1 where the other frame looks the same at the end of the motion and 0
where it differs: so much of it may be blended in, occluded or not.
"""

import math
from typing import Any, NamedTuple

import cv2
import numpy as np

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Floats, Real, jit

_SURE = 0.8  # consistency from which on a motion is taken over by pixels that have none
_SAME = np.float32(2)  # pixels: motions closer than this, |x| + |y|, belong to one layer
NEAR = ONE  # pixel: as smooth as this, a flow is followed between its samples
_SIMILAR = 0.02  # mean difference, in sRGB, at which two places are half similar
_RAYS = 12
_SINES = np.sin(2 * np.pi * np.arange(_RAYS) / _RAYS).astype(np.float32)
_COSINES = np.cos(2 * np.pi * np.arange(_RAYS) / _RAYS).astype(np.float32)
_DEEPER = 3  # pixels into its layer that a motion is read: the patches that found it reach over the rim
_STEPS = 16_000_000  # of all rays: bounds the time where little can be trusted
_FARTHEST = 120  # pixels that a ray goes
_PAIR = (0, 1)
_U0, _U1 = np.uint64(0), np.uint64(1)  # unsigned: numba would look for indices from the end


@jit
def flow_consistency(flow: Floats, back: Floats, consistency: Floats) -> None:
    """Forward-backward consistency: how well the other flow leads back, at the best of the four pixels reached.

    1 / (1 + c^2) with c = |there + back|^2 / (0.01 (|there|^2 + |back|^2) + 0.5), the measure of Sundaram et al. (ECCV
    2010). The best of four, not what lies between them, because the motion of thin things has no inside.
    """
    height, width = consistency.shape
    for i in range(height):
        for j in range(width):
            u, v = flow[0, i, j], flow[1, i, j]
            x, y = np.float32(j) + u, np.float32(i) + v
            consistency[i, j] = HALF
            if x < -HALF or y < -HALF or x > np.float32(width) - HALF or y > np.float32(height) - HALF:
                continue
            left, above = int(max(x, ZERO)), int(max(y, ZERO))
            least = np.float32(1e9)
            for dy in _PAIR:
                for dx in _PAIR:
                    p, q = min(above + dy, height - 1), min(left + dx, width - 1)
                    r, s = back[0, p, q], back[1, p, q]
                    off = (u + r) * (u + r) + (v + s) * (v + s)
                    least = min(least, off / (np.float32(0.01) * (u * u + v * v + r * r + s * s) + HALF))
            consistency[i, j] = ONE / (ONE + least * least)


@jit
def _raise_occluders(
    flow: Floats, consistency: Floats, z_order: Floats, back: Floats, back_consistency: Floats, back_z: Floats
) -> None:
    """Raise the z-order of what covers an occluded pixel, in both frames.

    Things that move farther than they are wide pass over pixels that are seen in both frames. What passes is in front,
    and it ends where a hidden pixel goes: for each of its pixels covers one at last that was seen before.
    """
    height, width = consistency.shape
    for i in range(height):
        for j in range(width):
            if consistency[i, j] >= HALF:
                continue
            u, v = flow[0, i, j], flow[1, i, j]
            left, above = math.floor(np.float32(j) + u), math.floor(np.float32(i) + v)
            for k in range(4):
                y, x = int(above) + k // 2, int(left) + k % 2
                if y < 0 or x < 0 or y >= height or x >= width or back_consistency[y, x] < HALF:
                    continue
                r, s = back[0, y, x], back[1, y, x]
                if abs(u + r) + abs(v + s) < NEAR:
                    continue
                back_z[y, x] = back_consistency[y, x] + ONE
                x0, y0 = math.floor(np.float32(x) + r), math.floor(np.float32(y) + s)
                for m in range(4):
                    p, q = int(y0) + m // 2, int(x0) + m % 2
                    if p < 0 or q < 0 or p >= height or q >= width:
                        continue
                    if abs(flow[0, p, q] + r) + abs(flow[1, p, q] + s) < NEAR:
                        z_order[p, q] = consistency[p, q] + ONE


@jit
def _cast_ray(flow: Floats, consistency: Floats, i: int, j: int, k: int, reach: int) -> Any:
    """The first consistent pixel along a ray: how far it is, or 0 where none is, and its motion."""
    height, width = np.float32(consistency.shape[0]), np.float32(consistency.shape[1])
    distance, u, v = 0, ZERO, ZERO
    down, right = _SINES[k], _COSINES[k]
    y, x = np.float32(i) + HALF, np.float32(j) + HALF
    for step in range(1, reach):
        y, x = y + down, x + right
        if not (ZERO <= y < height and ZERO <= x < width):
            break
        p, q = np.uint64(y), np.uint64(x)
        known = consistency[p, q] >= np.float32(_SURE)
        if distance == 0:
            if known:
                distance, u, v = step, flow[_U0, p, q], flow[_U1, p, q]
        elif not known or abs(flow[_U0, p, q] - u) + abs(flow[_U1, p, q] - v) >= _SAME or step > distance + _DEEPER:
            break
        else:
            u, v = flow[_U0, p, q], flow[_U1, p, q]
    return distance, u, v


@jit
def _leaves(flow: Floats, i: int, j: int, u: Real, v: Real) -> Any:
    height, width = flow.shape[1:]
    x, y = np.float32(j) + u, np.float32(i) + v
    return x < ZERO or y < ZERO or x > np.float32(width - 1) or y > np.float32(height - 1)


@jit
def _fill_by_rays(flow: Floats, consistency: Floats, reach: int, filled: Floats) -> None:
    height, width = consistency.shape
    far = np.zeros(_RAYS, np.float32)
    us, vs = np.zeros(_RAYS + 1, np.float32), np.zeros(_RAYS + 1, np.float32)
    for i in range(height):
        for j in range(width):
            if consistency[i, j] > HALF:
                continue
            count, most = 0, 0
            for k in range(_RAYS):
                distance, u, v = _cast_ray(flow, consistency, i, j, k, reach)
                if distance > 0:
                    far[count], us[count], vs[count] = np.float32(distance), u, v
                    count += 1
            for k in range(count):
                votes, total, sum_u, sum_v = 0, ZERO, ZERO, ZERO
                for m in range(count):
                    if abs(us[k] - us[m]) + abs(vs[k] - vs[m]) < _SAME:
                        weight = ONE / (far[m] * far[m])
                        votes += 1
                        total, sum_u, sum_v = total + weight, sum_u + weight * us[m], sum_v + weight * vs[m]
                if votes > most:
                    most = votes
                    us[count], vs[count] = sum_u / total, sum_v / total
            u, v = us[count], vs[count]
            stays = not (_leaves(flow, i, j, flow[0, i, j], flow[1, i, j]) and _leaves(flow, i, j, u, v))
            if most > 0 and stays:
                filled[0, i, j], filled[1, i, j] = u, v


def fill_occluded(flow: Floats, consistency: Floats) -> Floats:
    """Fill occluded pixels: a flow that has the motion of the layer behind where its own is not consistent.

    From there one looks around: things in front are mostly convex, so that less than half of the rays meet them, and
    most say how what is behind moves.
    """
    filled = flow.copy()
    occluded = int((consistency <= HALF).sum())
    _fill_by_rays(flow, consistency, min(max(_STEPS // (_RAYS * max(occluded, 1)), 8), _FARTHEST), filled)
    return filled


def photometric_error(one: Floats, other: Floats, flow: Floats) -> Floats:
    """Photometric error along a flow, summed over planes (C, H, W), the mean over 3x3 pixels: (H, W)."""
    height, width = flow.shape[1:]
    x = flow[0] + np.arange(width, dtype=np.float32)
    y = flow[1] + np.arange(height, dtype=np.float32)[:, None]
    off = np.zeros((height, width), np.float32)
    for here, there in zip(one, other, strict=True):
        moved = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        cv2.add(off, cv2.absdiff(moved, here), dst=off)
    return np.asarray(cv2.blur(off, (3, 3)))


def _photometric_similarity(frame: Floats, other: Floats, flow: Floats) -> Floats:
    off = photometric_error(frame, other, flow)
    off *= np.float32(1 / (len(frame) * _SIMILAR))
    off *= off
    return np.float32(1) / (1 + off * off)


class MotionField(NamedTuple):
    """The motion of a frame's pixels, and what is known of their occlusion."""

    samples: Floats  # flat, four a pixel: motion x and y, consistency, similarity
    z_order: Floats  # (H, W)


def pack_samples(flow: Floats, consistency: Floats, similarity: Floats) -> Floats:
    """Interleave four samples a pixel, with zeros behind, so that what is beside and below can be loaded."""
    height, width = consistency.shape
    samples = np.zeros((height * width + width + 2, 4), np.float32)
    cv2.merge((*flow, consistency, similarity), dst=samples[: height * width].reshape(height, width, 4))
    return samples.ravel()


def motion_fields(before: Floats, after: Floats, forward: Floats, backward: Floats) -> tuple[MotionField, MotionField]:
    """Motion fields of two frames (3, H, W), sRGB in [0, 1]: flows (2, H, W) with consistency, similarity, z-order."""
    consistency, back_consistency = (np.empty(forward.shape[1:], np.float32) for _ in range(2))
    flow_consistency(forward, backward, consistency)
    flow_consistency(backward, forward, back_consistency)
    z_order, back_z = consistency.copy(), back_consistency.copy()
    _raise_occluders(forward, consistency, z_order, backward, back_consistency, back_z)
    _raise_occluders(backward, back_consistency, back_z, forward, consistency, z_order)
    similarity, back_similarity = (
        _photometric_similarity(before, after, forward),
        _photometric_similarity(after, before, backward),
    )
    first, second = (forward, consistency, similarity), (backward, back_consistency, back_similarity)
    return MotionField(pack_samples(*first), z_order), MotionField(pack_samples(*second), back_z)
