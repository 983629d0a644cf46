"""Motion trajectories of blocks, and grouping of similar ones: the block matching of V-BM4D, compiled."""

from typing import NamedTuple

import numpy as np

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Flags, Floats, Ints, Real, jit, round_half_up
from lolblur_synth.kernels.simd import Vec8x8, dot, load_rows, subtract_rows
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    AREA,
    FRACTIONS,
    MEMBERS,
    PAD,
    REACH,
    Planes,
    sample,
    squared_distance,
)

LATTICE = 4  # pixels from one sample of the flow to the next
SMOOTHNESS = 0.5  # weight of a squared pixel off the predicted path, in noise variances per sample
FARTHEST = 8.0  # squared pixels: a block that is elsewhere altogether does not pay for more
STEPS = 2  # of Gauss and Newton towards the exact position
CLOSE = 1 / FRACTIONS  # pixels: a step that is less is not taken
STILL = 0.1  # of what noise makes: a smaller difference on whole pixels is not lost to steps between them
ENOUGH = 1.0  # of what noise makes: a smaller difference leaves nothing to search for but noise that is alike
AROUND = np.array([[0, 0], [-8, 0], [8, 0], [0, -8], [0, 8]])  # pixels: where else the flow may know the motion


class Followed(NamedTuple):
    """Blocks of a grid (ny, nx) that are followed through T frames."""

    places: Floats  # (ny, nx, T, 2), y and x
    valid: Flags  # (ny, nx, T): they are found there
    least: Floats  # (ny, nx, T): squared differences there
    limit: Floats  # (ny, nx): a larger one is of something else
    tensors: Floats  # (ny, nx, 3): structure tensors, sums of products of slopes: down twice, along twice, one of each

    def part(self, rows: slice) -> "Followed":
        """Some rows of it, which share its memory."""
        return Followed(self.places[rows], self.valid[rows], self.least[rows], self.limit[rows], self.tensors[rows])


def nothing_followed(rows: int, columns: int, frames: int) -> Followed:
    """Of a grid and a window of frames, to be filled."""
    places, tensors = np.zeros((rows, columns, frames, 2), np.float32), np.zeros((rows, columns, 3), np.float32)
    valid, least = np.zeros((rows, columns, frames), np.bool_), np.zeros((rows, columns, frames), np.float32)
    return Followed(places, valid, least, np.zeros((rows, columns), np.float32), tensors)


class Template(NamedTuple):
    """A block of the reference frame that is matched in the others."""

    block: Vec8x8
    down: Vec8x8  # its slopes
    along: Vec8x8
    limit: Real  # a larger squared difference is of something else
    enough: Real  # a smaller one is found
    still: Real  # and one that is smaller than this, even where places are exact
    penalty: Real  # of a squared pixel off the predicted path
    bottom: int  # the last position
    right: int
    exact: bool


@jit
def _clamp(value: Real, low: Real, high: Real) -> Real:
    return min(max(value, np.float32(low)), np.float32(high))


@jit
def _flow_at(flow: Floats, y: Real, x: Real, offset_y: int, offset_x: int) -> tuple[Real, Real]:
    """The flow (h, w, 2) near the middle of a block at (y, x): down and along."""
    row = min(max((round_half_up(y) + 4 + offset_y) // LATTICE, 0), flow.shape[0] - 1)
    column = min(max((round_half_up(x) + 4 + offset_x) // LATTICE, 0), flow.shape[1] - 1)
    return flow[row, column, 1], flow[row, column, 0]


@jit
def _slopes(plane: Floats, start: int, stride: int, step: int) -> Vec8x8:
    d = subtract_rows(load_rows(plane, start + step, stride), load_rows(plane, start - step, stride))
    return (
        HALF * d[0], HALF * d[1], HALF * d[2], HALF * d[3], HALF * d[4], HALF * d[5], HALF * d[6], HALF * d[7],
    )  # fmt: skip


@jit
def _candidates(
    template: Template, flow: Floats, y: Real, x: Real, speed_y: Real, speed_x: Real, candidates: Ints
) -> None:
    """Where a block may have gone: along the flow here and around, as it went before, or nowhere."""
    for k in range(7):
        if k < 5:
            move_y, move_x = _flow_at(flow, y, x, AROUND[k, 0], AROUND[k, 1])
        else:
            move_y, move_x = np.float32(6 - k) * speed_y, np.float32(6 - k) * speed_x
        candidates[k, 0] = round_half_up(_clamp(y + move_y, 0, template.bottom))
        candidates[k, 1] = round_half_up(_clamp(x + move_x, 0, template.right))


@jit
def _match_block(
    template: Template, plane: Floats, stride: int, candidates: Ints, path_y: Real, path_x: Real
) -> tuple[int, int, Real]:
    """Block matching: the best of the candidates, then of its neighbours, by difference and distance from the path.

    Returns its position and the difference there.
    """
    best, least = np.float32(np.inf), np.float32(np.inf)
    found_y, found_x = candidates[0, 0], candidates[0, 1]
    center_y, center_x = found_y, found_x
    for k in range(7 + 9):
        if k == 7:
            center_y, center_x = found_y, found_x
        y = candidates[k, 0] if k < 7 else min(max(center_y + (k - 7) // 3 - 1, 0), template.bottom)
        x = candidates[k, 1] if k < 7 else min(max(center_x + (k - 7) % 3 - 1, 0), template.right)
        seen = k == 11  # the middle
        for other in range(min(k, 7)):
            seen = seen or (candidates[other, 0] == y and candidates[other, 1] == x)
        if seen:
            continue
        off = min((np.float32(y) - path_y) ** 2 + (np.float32(x) - path_x) ** 2, np.float32(FARTHEST))
        difference = squared_distance(template.block, plane, (y + PAD) * stride + x + PAD, stride)
        score = difference + template.penalty * off
        if score < best:
            best, least, found_y, found_x = score, difference, y, x
    return found_y, found_x, least


@jit
def _refine_subpixel(
    template: Template, plane: Floats, stride: int, start_y: Real, start_x: Real, scratch: Floats
) -> tuple[Real, Real, Real]:
    """Where the plane fits the block best, a fraction of a pixel from the start (Lucas and Kanade, 1981).

    Held to the start by the penalty. Returns the position and the sum of squared differences there.
    """
    pull = template.penalty
    xx, yy = dot(template.along, template.along) + pull, dot(template.down, template.down) + pull
    xy = dot(template.along, template.down)
    scale = ONE / max(xx * yy - xy * xy, pull * (xx + yy - pull))  # differences cancel along straight edges
    y, x, best_y, best_x = start_y, start_x, start_y, start_x
    least = np.float32(np.inf)
    for _ in range(STEPS + 1):
        gap = subtract_rows(sample(plane, stride, y, x, scratch), template.block)
        difference = dot(gap, gap)
        if difference >= least:
            break
        least, best_y, best_x = difference, y, x
        error_y, error_x = (
            dot(gap, template.down) + pull * (y - start_y),
            dot(gap, template.along) + pull * (x - start_x),
        )
        move_y, move_x = scale * (xx * error_y - xy * error_x), scale * (yy * error_x - xy * error_y)
        if max(abs(move_y), abs(move_x)) < np.float32(CLOSE):
            break
        y = _clamp(y - _clamp(move_y, -0.75, 0.75), 0, template.bottom)
        x = _clamp(x - _clamp(move_x, -0.75, 0.75), 0, template.right)
    best_y, best_x = np.float32(round_half_up(best_y * FRACTIONS)), np.float32(round_half_up(best_x * FRACTIONS))
    return best_y / np.float32(FRACTIONS), best_x / np.float32(FRACTIONS), least


@jit
def _extend_trajectory(
    template: Template,
    plane: Floats,
    stride: int,
    flow: Floats,
    y: Real,
    x: Real,
    speed_y: Real,
    speed_x: Real,
    candidates: Ints,
    scratch: Floats,
) -> tuple[Real, Real, Real]:
    """Extend a trajectory: where a block at (y, x) with a speed is in the next frame, and the difference there."""
    move_y, move_x = _flow_at(flow, y, x, 0, 0)
    path_y, path_x = _clamp(y + move_y, 0, template.bottom), _clamp(x + move_x, 0, template.right)
    whole_y, whole_x = round_half_up(path_y), round_half_up(path_x)
    to_y, to_x = np.float32(whole_y), np.float32(whole_x)
    least = squared_distance(template.block, plane, (whole_y + PAD) * stride + whole_x + PAD, stride)
    if template.exact and least > template.still:
        to_y, to_x, least = _refine_subpixel(template, plane, stride, path_y, path_x, scratch)
    if least > template.enough:
        _candidates(template, flow, y, x, speed_y, speed_x, candidates)
        found_y, found_x, other = _match_block(template, plane, stride, candidates, path_y, path_x)
        other_y, other_x = np.float32(found_y), np.float32(found_x)
        if template.exact:
            other_y, other_x, other = _refine_subpixel(template, plane, stride, other_y, other_x, scratch)
        if not template.exact or other < least:
            to_y, to_x, least = other_y, other_x, other
    return to_y, to_x, least


@jit
def compute_trajectories(
    guide: Planes,
    stride: int,
    reference: int,
    ys: Ints,
    xs: Ints,
    forward: Floats,
    backward: Floats,
    noise: Real,
    match_tolerance: Real,
    slope_tolerance: Real,
    exact: bool,
    bottom: int,
    right: int,
    followed: Followed,
) -> None:
    """Motion trajectories of the blocks at `ys` x `xs` of the reference frame, by the first channel of `guide`.

    Blocks are followed through all frames; `forward` and `backward` are the flow from each frame (T, h, w, 2). Fills
    `followed`; a block is valid where it is like the one of the reference frame: by a squared difference of up to
    `match_tolerance` times what noise of variance `noise` makes, and `slope_tolerance` times the energy of the block's
    slopes. Positions are whole pixels, or fractions when `exact`.
    """
    places, valid = followed.places, followed.valid
    frames = valid.shape[2]
    scratch, candidates = np.zeros(AREA * 2, np.float32), np.zeros((7, 2), np.int64)
    origin = guide[reference][0]
    made = np.float32(2 * AREA * noise)
    for iy in range(len(ys)):
        for ix in range(len(xs)):
            start = (ys[iy] + PAD) * stride + xs[ix] + PAD
            block = load_rows(origin, start, stride)
            down, along = _slopes(origin, start, stride, stride), _slopes(origin, start, stride, 1)
            yy, xx = dot(down, down), dot(along, along)
            limit = made * np.float32(match_tolerance) + np.float32(slope_tolerance) * (yy + xx)
            followed.limit[iy, ix] = limit
            followed.tensors[iy, ix, 0], followed.tensors[iy, ix, 1] = yy, xx
            followed.tensors[iy, ix, 2] = dot(down, along)
            enough = limit if exact else made * np.float32(ENOUGH)
            penalty = np.float32(SMOOTHNESS * AREA * noise)
            template = Template(
                block, down, along, limit, enough, made * np.float32(STILL), penalty, bottom, right, exact
            )
            places[iy, ix, reference, 0], places[iy, ix, reference, 1] = ys[iy], xs[ix]
            valid[iy, ix, reference] = True
            for step in (1, -1):
                flow = forward if step == 1 else backward
                y, x, speed_y, speed_x = np.float32(ys[iy]), np.float32(xs[ix]), ZERO, ZERO
                t = reference + step
                while 0 <= t < frames:
                    to_y, to_x, least = _extend_trajectory(
                        template, guide[t][0], stride, flow[t - step], y, x, speed_y, speed_x, candidates, scratch
                    )
                    y, x, speed_y, speed_x = to_y, to_x, to_y - y, to_x - x
                    places[iy, ix, t, 0], places[iy, ix, t, 1] = y, x
                    valid[iy, ix, t], followed.least[iy, ix, t] = least <= limit, least
                    t += step


@jit
def group_similar(plane: Floats, stride: int, y: int, x: int, bottom: int, right: int, found: Ints) -> None:
    """Grouping: the MEMBERS blocks of a plane within REACH that are most like the one at (y, x), which comes first."""
    scores = np.full(MEMBERS, np.inf, np.float32)
    scores[0] = -1
    found[0, 0], found[0, 1] = y, x
    block = load_rows(plane, (y + PAD) * stride + x + PAD, stride)
    for other_y in range(max(0, y - REACH), min(bottom, y + REACH) + 1):
        for other_x in range(max(0, x - REACH), min(right, x + REACH) + 1):
            if other_y == y and other_x == x:
                continue
            score = squared_distance(block, plane, (other_y + PAD) * stride + other_x + PAD, stride)
            if score < scores[MEMBERS - 1]:
                k = MEMBERS - 1
                while scores[k - 1] > score:
                    scores[k], found[k, 0], found[k, 1] = scores[k - 1], found[k - 1, 0], found[k - 1, 1]
                    k -= 1
                scores[k], found[k, 0], found[k, 1] = score, other_y, other_x
