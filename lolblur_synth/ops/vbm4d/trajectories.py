"""Where blocks go from frame to frame, and which volumes look alike: the searches of V-BM4D, compiled by numba."""

import math

import numpy as np

from lolblur_synth.ops.vbm4d.transforms import (
    AREA,
    FRACTIONS,
    MEMBERS,
    PAD,
    REACH,
    ZERO,
    Flags,
    Floats,
    Ints,
    Planes,
    Real,
    compiled,
    distance,
    sample,
)

LATTICE = 4  # pixels from one sample of the flow to the next
SMOOTHNESS = 0.5  # weight of a squared pixel off the predicted path, in noise variances per sample
FARTHEST = 8.0  # squared pixels: a block that is elsewhere altogether does not pay for more
STEPS = 2  # of Gauss and Newton towards the exact position
CLOSE = 1 / FRACTIONS  # pixels: a step that is less is not taken
STILL = 0.1  # of what noise makes: a smaller difference on whole pixels is not lost to steps between them
ENOUGH = 1.0  # of what noise makes: a smaller difference leaves nothing to search for but noise that is alike
AROUND = np.array([[0, 0], [-8, 0], [8, 0], [0, -8], [0, 8]])  # pixels: where else the flow may know the motion


@compiled
def _whole(value: Real) -> int:
    return int(math.floor(value + 0.5))  # noqa: RUF046 - a float to mypy


@compiled
def _clamp(value: Real, low: Real, high: Real) -> Real:
    return min(max(value, low), high)


@compiled
def _along(flow: Floats, y: Real, x: Real, offset_y: int, offset_x: int, axis: int) -> Real:
    """The flow (h, w, 2) near the middle of a block at (y, x); axis 0 is x, as flows have it."""
    row = min(max((_whole(y) + 4 + offset_y) // LATTICE, 0), flow.shape[0] - 1)
    column = min(max((_whole(x) + 4 + offset_x) // LATTICE, 0), flow.shape[1] - 1)
    return flow[row, column, axis]


@compiled
def _predict(flow: Floats, place: Floats, speed: Floats, bottom: int, right: int, candidates: Ints) -> None:
    """Where a block may have gone: along the flow here and around, as it went before, or nowhere."""
    for k in range(7):
        if k < 5:
            y = place[0] + _along(flow, place[0], place[1], AROUND[k, 0], AROUND[k, 1], 1)
            x = place[1] + _along(flow, place[0], place[1], AROUND[k, 0], AROUND[k, 1], 0)
        else:
            y, x = place[0] + (6 - k) * speed[0], place[1] + (6 - k) * speed[1]
        candidates[k, 0] = _whole(_clamp(y, 0, bottom))
        candidates[k, 1] = _whole(_clamp(x, 0, right))


@compiled
def _match(
    reference: Floats,
    start: int,
    plane: Floats,
    stride: int,
    candidates: Ints,
    predicted_y: Real,
    predicted_x: Real,
    penalty: Real,
    bottom: int,
    right: int,
    found: Ints,
) -> Real:
    """The best of the candidates, then of its neighbours, by difference and distance from the predicted path."""
    best, least, center_y, center_x = np.float32(np.inf), np.float32(np.inf), candidates[0, 0], candidates[0, 1]
    for k in range(7 + 9):
        if k == 7:
            center_y, center_x = found[0], found[1]
        y = candidates[k, 0] if k < 7 else min(max(center_y + (k - 7) // 3 - 1, 0), bottom)
        x = candidates[k, 1] if k < 7 else min(max(center_x + (k - 7) % 3 - 1, 0), right)
        seen = k == 11  # the middle
        for other in range(min(k, 7)):
            seen = seen or (candidates[other, 0] == y and candidates[other, 1] == x)
        if seen:
            continue
        off = min((y - predicted_y) ** 2 + (x - predicted_x) ** 2, FARTHEST)
        difference = distance(reference, start, plane, (y + PAD) * stride + x + PAD, stride)
        score = difference + penalty * off
        if score < best:
            best, least = score, difference
            found[0], found[1] = y, x
    return least


@compiled
def _refine(
    plane: Floats,
    stride: int,
    block: Floats,
    slope_y: Floats,
    slope_x: Floats,
    pull: Real,
    bottom: int,
    right: int,
    taps: Floats,
    scratch: Floats,
    moved: Floats,
    place: Floats,
) -> Real:
    """Move `place` to where the plane fits the block best, by a fraction of a pixel (Lucas and Kanade, 1981).

    `pull` holds it to where it started. Returns the sum of squared differences there.
    """
    xx, xy, yy = pull, ZERO, pull
    for q in range(AREA):
        xx += slope_x[q] * slope_x[q]
        xy += slope_x[q] * slope_y[q]
        yy += slope_y[q] * slope_y[q]
    start_y, start_x, best_y, best_x = place[0], place[1], place[0], place[1]
    least = np.float32(np.inf)
    for step in range(STEPS + 1):
        sample(plane, stride, place[0], place[1], taps, scratch, moved)
        total, along_x, along_y = ZERO, -pull * (start_x - place[1]), -pull * (start_y - place[0])
        for i in range(8):
            m, b = moved[16 * i : 16 * i + 8], block[8 * i : 8 * i + 8]
            gy, gx = slope_y[8 * i : 8 * i + 8], slope_x[8 * i : 8 * i + 8]
            for j in range(8):
                d = m[j] - b[j]
                total += d * d
                along_x += d * gx[j]
                along_y += d * gy[j]
        if total >= least:
            break
        least, best_y, best_x = total, place[0], place[1]
        if step == STEPS:
            break
        scale = 1 / max(xx * yy - xy * xy, pull * (xx + yy - pull))  # the difference cancels along straight edges
        move_y, move_x = scale * (xx * along_y - xy * along_x), scale * (yy * along_x - xy * along_y)
        if max(abs(move_y), abs(move_x)) < CLOSE:
            break
        place[0] = _clamp(place[0] - _clamp(move_y, -0.75, 0.75), 0, bottom)
        place[1] = _clamp(place[1] - _clamp(move_x, -0.75, 0.75), 0, right)
    place[0] = _whole(best_y * FRACTIONS) / FRACTIONS
    place[1] = _whole(best_x * FRACTIONS) / FRACTIONS
    return least


@compiled
def trace(
    guide: Planes,
    stride: int,
    reference: int,
    ys: Ints,
    xs: Ints,
    forward: Floats,
    backward: Floats,
    noise: Real,
    allowed: Real,
    misfit: Real,
    exact: bool,
    bottom: int,
    right: int,
    taps: Floats,
    places: Floats,
    valid: Flags,
) -> None:
    """Follow the blocks at `ys` x `xs` of the reference frame through all frames, by the first channel of `guide`.

    `forward` and `backward` are the flow from each frame (T, h, w, 2). Writes
    `places` (ny, nx, T, 2) and `valid` (ny, nx, T), which is false where no block is like the one of the reference
    frame: a squared difference above `allowed` times what noise of variance `noise` makes, and `misfit`
    times the energy of the block's slopes. Positions are whole pixels, or fractions when `exact`.
    """
    frames = valid.shape[2]
    scratch, moved, block = np.zeros(136, np.float32), np.zeros(128, np.float32), np.zeros(AREA, np.float32)
    slope_y, slope_x = np.zeros(AREA, np.float32), np.zeros(AREA, np.float32)
    candidates, found = np.zeros((7, 2), np.int64), np.zeros(2, np.int64)
    place, speed, second = np.zeros(2, np.float32), np.zeros(2, np.float32), np.zeros(2, np.float32)
    origin = guide[reference][0]
    penalty = np.float32(SMOOTHNESS * AREA * noise)
    for iy in range(len(ys)):
        for ix in range(len(xs)):
            y, x = ys[iy], xs[ix]
            start = (y + PAD) * stride + x + PAD
            energy = ZERO
            for i in range(8):
                for j in range(8):
                    q, at = 8 * i + j, start + i * stride + j
                    block[q] = origin[at]
                    slope_y[q] = np.float32(0.5) * (origin[at + stride] - origin[at - stride])
                    slope_x[q] = np.float32(0.5) * (origin[at + 1] - origin[at - 1])
                    energy += slope_y[q] * slope_y[q] + slope_x[q] * slope_x[q]
            limit = np.float32(2 * AREA * noise * allowed) + misfit * energy
            still = np.float32(2 * AREA * noise * STILL)
            enough = limit if exact else np.float32(2 * AREA * noise * ENOUGH)
            places[iy, ix, reference, 0], places[iy, ix, reference, 1] = y, x
            valid[iy, ix, reference] = True
            for side in range(2):
                place[0], place[1], speed[0], speed[1] = y, x, 0, 0
                flow = forward if side == 0 else backward
                t = reference
                while (t + 1 < frames) if side == 0 else (t > 0):
                    n = t + 1 if side == 0 else t - 1
                    predicted_y = _clamp(place[0] + _along(flow[t], place[0], place[1], 0, 0, 1), 0, bottom)
                    predicted_x = _clamp(place[1] + _along(flow[t], place[0], place[1], 0, 0, 0), 0, right)
                    whole_y, whole_x = _whole(predicted_y), _whole(predicted_x)
                    second[0], second[1] = whole_y, whole_x
                    least = distance(origin, start, guide[n][0], (whole_y + PAD) * stride + whole_x + PAD, stride)
                    if exact and least > still:
                        second[0], second[1] = predicted_y, predicted_x
                        least = _refine(
                            guide[n][0],
                            stride,
                            block,
                            slope_y,
                            slope_x,
                            penalty,
                            bottom,
                            right,
                            taps,
                            scratch,
                            moved,
                            second,
                        )
                    if least > enough:
                        _predict(flow[t], place, speed, bottom, right, candidates)
                        other = _match(
                            origin,
                            start,
                            guide[n][0],
                            stride,
                            candidates,
                            predicted_y,
                            predicted_x,
                            penalty,
                            bottom,
                            right,
                            found,
                        )
                        if exact:
                            speed[0], speed[1] = found[0], found[1]
                            other = _refine(
                                guide[n][0],
                                stride,
                                block,
                                slope_y,
                                slope_x,
                                penalty,
                                bottom,
                                right,
                                taps,
                                scratch,
                                moved,
                                speed,
                            )
                            if other < least:
                                least, second[0], second[1] = other, speed[0], speed[1]
                        else:
                            least, second[0], second[1] = other, found[0], found[1]
                    speed[0], speed[1] = second[0] - place[0], second[1] - place[1]
                    place[0], place[1] = second[0], second[1]
                    places[iy, ix, n, 0], places[iy, ix, n, 1] = place[0], place[1]
                    valid[iy, ix, n] = least <= limit
                    t = n


@compiled
def find_similar(plane: Floats, stride: int, y: int, x: int, bottom: int, right: int, found: Ints) -> None:
    """The MEMBERS blocks of a plane within REACH that are most like the one at (y, x), which comes first."""
    scores = np.full(MEMBERS, np.inf, np.float32)
    scores[0] = -1
    found[0, 0], found[0, 1] = y, x
    start = (y + PAD) * stride + x + PAD
    for other_y in range(max(0, y - REACH), min(bottom, y + REACH) + 1):
        for other_x in range(max(0, x - REACH), min(right, x + REACH) + 1):
            if other_y == y and other_x == x:
                continue
            score = distance(plane, start, plane, (other_y + PAD) * stride + other_x + PAD, stride)
            if score < scores[MEMBERS - 1]:
                k = MEMBERS - 1
                while scores[k - 1] > score:
                    scores[k], found[k, 0], found[k, 1] = scores[k - 1], found[k - 1, 0], found[k - 1, 1]
                    k -= 1
                scores[k], found[k, 0], found[k, 1] = score, other_y, other_x
