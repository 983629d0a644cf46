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

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Flags, Floats, Ints, Real, clamp, jit
from lolblur_synth.ops.interpolation.tiles import (
    TILE,
    detail_of,
    difference,
    find_meetings,
    find_speed,
    flag_reaching,
    is_inside,
    mark,
    tile_place,
    tiles_of,
)

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
def _consistency_of_tiles(flow: Floats, back: Floats, tiles: Floats, consistency: Floats) -> None:
    height, width = consistency.shape
    for tile in range(tiles.size):
        if tiles[tile // tiles.shape[1], tile % tiles.shape[1]] == ZERO:
            continue
        top, left, bottom, right = tile_place(tile, tiles.shape[1], height, width)
        for i in range(top, bottom):
            for j in range(left, right):
                consistency[i, j] = _consistency(flow, back, i, j)


@jit
def _consistency(flow: Floats, back: Floats, i: int, j: int) -> Real:
    height, width = flow.shape[1:]
    u, v = flow[0, i, j], flow[1, i, j]
    x, y = np.float32(j) + u, np.float32(i) + v
    if x < -HALF or y < -HALF or x > np.float32(width) - HALF or y > np.float32(height) - HALF:
        return HALF
    left, above = int(max(x, ZERO)), int(max(y, ZERO))
    least = np.float32(1e9)
    for dy in _PAIR:
        for dx in _PAIR:
            p, q = min(above + dy, height - 1), min(left + dx, width - 1)
            r, s = back[0, p, q], back[1, p, q]
            off = (u + r) * (u + r) + (v + s) * (v + s)
            least = min(least, off / (np.float32(0.01) * (u * u + v * v + r * r + s * s) + HALF))
    return ONE / (ONE + least * least)


def flow_consistency(flow: Floats, back: Floats) -> Floats:
    """Forward-backward consistency (H, W): how well the other flow leads back, at the best of the four pixels reached.

    1 / (1 + c^2) with c = |there + back|^2 / (0.01 (|there|^2 + |back|^2) + 0.5), the measure of Sundaram et al. (ECCV
    2010). The best of four, not what lies between them, because the motion of thin things has no inside.
    """
    consistency = np.empty(flow.shape[1:], np.float32)
    _consistency_of_tiles(flow, back, tiles_of(*flow.shape[1:]) + 1, consistency)
    return consistency


def update_consistency(flow: Floats, back: Floats, changed: Floats, back_changed: Floats, consistency: Floats) -> None:
    """The same, made again where a flow or what it leads to was changed in a tile."""
    speed, tiles = tiles_of(*flow.shape[1:]), changed.copy()
    find_speed(flow, speed)
    flag_reaching(back_changed, speed, tiles)
    _consistency_of_tiles(flow, back, tiles, consistency)


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
def _vote(flow: Floats, consistency: Floats, i: int, j: int, reach: int, met: Floats) -> Any:
    """The motion that most of the rays from a pixel meet, and whether there is one; `met` (3, rays) is for what is."""
    far, us, vs = met[0], met[1], met[2]
    count, most, u, v = 0, 0, ZERO, ZERO
    for k in range(_RAYS):
        distance, ray_u, ray_v = _cast_ray(flow, consistency, i, j, k, reach)
        if distance > 0:
            far[count], us[count], vs[count] = np.float32(distance), ray_u, ray_v
            count += 1
    for k in range(count):
        votes, total, sum_u, sum_v = 0, ZERO, ZERO, ZERO
        for m in range(count):
            if abs(us[k] - us[m]) + abs(vs[k] - vs[m]) < _SAME:
                weight = ONE / (far[m] * far[m])
                votes += 1
                total, sum_u, sum_v = total + weight, sum_u + weight * us[m], sum_v + weight * vs[m]
        if votes > most:
            most, u, v = votes, sum_u / total, sum_v / total
    return most > 0, u, v


@jit
def _fill_by_rays(flow: Floats, consistency: Floats, places: Ints, reach: int) -> None:
    width = consistency.shape[1]
    met, filled = np.empty((3, _RAYS), np.float32), np.empty((2, places.size), np.float32)
    for k in range(places.size):
        i, j = places[k] // width, places[k] % width
        found, u, v = _vote(flow, consistency, i, j, reach, met)
        x, y = np.float32(j), np.float32(i)
        stays = is_inside(x + flow[0, i, j], y + flow[1, i, j], *consistency.shape)
        stays = stays or is_inside(x + u, y + v, *consistency.shape)
        filled[0, k], filled[1, k] = (u, v) if found and stays else (flow[0, i, j], flow[1, i, j])
    for k in range(places.size):
        i, j = places[k] // width, places[k] % width
        flow[0, i, j], flow[1, i, j] = filled[0, k], filled[1, k]


def fill_occluded(flow: Floats, consistency: Floats, where: Flags) -> Floats:
    """Fill occluded pixels, in place: they get the motion of the layer behind. Flags of the tiles in which they are.

    From there one looks around: things in front are mostly convex, so that less than half of the rays meet them, and
    most say how what is behind moves. Pixels whose own motion is consistent, or that are not to be filled, keep it.
    """
    places = np.flatnonzero((consistency <= HALF) & where)
    _fill_by_rays(flow, consistency, places, min(max(_STEPS // (_RAYS * max(places.size, 1)), 8), _FARTHEST))
    tiles = tiles_of(*consistency.shape)
    rows, columns = np.divmod(places, consistency.shape[1])
    tiles[rows // TILE, columns // TILE] = 1
    return tiles


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


class MotionField(NamedTuple):
    """The motion of a frame's pixels, and what is known of their occlusion."""

    samples: Floats  # flat, four a pixel: motion x and y, consistency, similarity
    z_order: Floats  # (H, W)


class Motion(NamedTuple):
    """The motion between two frames, and of their tiles where motions meet, and about it, and speed squared."""

    fields: tuple[MotionField, MotionField]
    near: Floats
    speed: Floats


def pack_samples(flow: Floats, consistency: Floats, similarity: Floats) -> Floats:
    """Interleave four samples a pixel, with zeros behind, so that what is beside and below can be loaded."""
    height, width = consistency.shape
    samples = np.zeros((height * width + width + 2, 4), np.float32)
    cv2.merge((*flow, consistency, similarity), dst=samples[: height * width].reshape(height, width, 4))
    return samples.ravel()


@jit
def _find_similarity(frame: Floats, other: Floats, tiles: Floats, motion: Floats) -> None:
    """Photometric similarity of the pixels of some tiles, into their samples, by the mean error over 3x3 pixels."""
    height, width = frame.shape[1:]
    scale = ONE / np.float32(9 * frame.shape[0] * _SIMILAR)
    off = np.empty((TILE + 2, TILE + 2), np.float32)
    for tile in range(tiles.size):
        if tiles[tile // tiles.shape[1], tile % tiles.shape[1]] == ZERO:
            continue
        top, left, bottom, right = tile_place(tile, tiles.shape[1], height, width)
        for i in range(top - 1, bottom + 1):
            for j in range(left - 1, right + 1):
                p, q = clamp(i, 0, height - 1), clamp(j, 0, width - 1)
                off[i - top + 1, j - left + 1] = difference(frame, other, motion, p, q)
        for i in range(top, bottom):
            for j in range(left, right):
                total = ZERO
                for p in range(i - top, i - top + 3):
                    for q in range(j - left, j - left + 3):
                        total += off[p, q]
                total *= scale
                motion[4 * (i * width + j) + 3] = ONE / (ONE + total * total * total * total)


def motion_fields(
    before: Floats, after: Floats, forward: Floats, backward: Floats, known: tuple[Floats, Floats] | None = None
) -> Motion:
    """The motion of two frames (3, H, W), sRGB in [0, 1]: flows (2, H, W) with consistency, similarity and z-order.

    Where no motions meet, all is taken to be similar. `known` are the consistencies of the flows.
    """
    one, other = known or (flow_consistency(forward, backward), flow_consistency(backward, forward))
    z_order, back_z = one.copy(), other.copy()
    _raise_occluders(forward, one, z_order, backward, other, back_z)
    _raise_occluders(backward, other, back_z, forward, one, z_order)
    alike = np.ones_like(one)
    samples, back_samples = pack_samples(forward, one, alike), pack_samples(backward, other, alike)
    speed, near, reaching = (tiles_of(*one.shape) for _ in range(3))
    sides = (before, after, forward, samples, z_order), (after, before, backward, back_samples, back_z)
    for frame, next_frame, flow, motion, order in sides:
        boxes = np.full((*near.shape, 4), (np.inf, np.inf, -np.inf, -np.inf), np.float32)
        find_speed(flow, speed)
        find_meetings(frame, next_frame, motion, order, detail_of(frame), boxes)
        mark(boxes, near)
    flag_reaching(near, speed, reaching)
    _find_similarity(before, after, reaching, samples)
    _find_similarity(after, before, reaching, back_samples)
    return Motion((MotionField(samples, z_order), MotionField(back_samples, back_z)), near, speed)
