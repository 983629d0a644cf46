"""Kernels of `integral`: what moves how in each tile, and the light that its pixels add up; compiled for the CPU.

`c0`, `low0` and `high0` are the first frame's `SplineFrame`, `one` its motion samples; the others are the second's.
"""

import math
from typing import Any

import numpy as np

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import Vec8, extract_lane
from lolblur_synth.ops.interpolation.spline import sample_spline
from lolblur_synth.ops.interpolation.warp import (
    blend_weight,
    border_weight,
    fixed_point_flow,
    splat_rectangle,
    weigh_by_border,
)
from lolblur_synth.ops.linearization_compiled import light_of_pixel

TILE = 16  # pixels
_STEP = 4  # pixels, between which smooth motion is linear
_SURE = HALF  # consistency
_RAISED = np.float32(1.1)  # z-order from which on a pixel occludes something
_BEND = HALF  # pixels, by which motions of neighbours may differ


@jit
def survey(one: Floats, other: Floats, z_order: Floats, back_z: Floats, speed: Floats, apart: Floats) -> None:
    """Of each tile the fastest motion, in pixels, squared, and 1 where motions meet, in either frame; else 0."""
    height, width = z_order.shape
    for i in range(height):
        for j in range(width):
            at, row, column = 4 * (i * width + j), i // TILE, j // TILE
            right, below = at + 4 * (j + 1 < width), at + 4 * width * (i + 1 < height)
            for k in range(2):
                motion = one if k == 0 else other
                u, v = motion[at], motion[at + 1]
                speed[row, column] = max(speed[row, column], u * u + v * v)
                bend = abs(motion[right] - u) + abs(motion[right + 1] - v)
                bend += abs(motion[below] - u) + abs(motion[below + 1] - v)
                raised = z_order[i, j] if k == 0 else back_z[i, j]
                x, y = np.float32(j) + u, np.float32(i) + v
                leaves = x < ZERO or y < ZERO or x > np.float32(width - 1) or y > np.float32(height - 1)
                if bend > _BEND or raised > _RAISED or (motion[at + 2] < _SURE and not leaves):
                    apart[row, column] = ONE


@jit
def find_range(frame: Floats, lowest: Floats, highest: Floats) -> None:
    """Of each tile the lowest and the highest sample of a frame (3, H, W), with those of before."""
    for i in range(frame.shape[1]):
        for j in range(frame.shape[2]):
            row, column, red, green, blue = i // TILE, j // TILE, frame[0, i, j], frame[1, i, j], frame[2, i, j]
            lowest[row, column] = min(lowest[row, column], min(red, min(green, blue)))
            highest[row, column] = max(highest[row, column], max(red, max(green, blue)))


@jit
def find_change(before: Floats, after: Floats, change: Floats) -> None:
    """Of each tile the largest difference of the two frames (3, H, W) at one place."""
    for i in range(before.shape[1]):
        for j in range(before.shape[2]):
            red, green = abs(after[0, i, j] - before[0, i, j]), abs(after[1, i, j] - before[1, i, j])
            most = max(red, max(green, abs(after[2, i, j] - before[2, i, j])))
            change[i // TILE, j // TILE] = max(change[i // TILE, j // TILE], most)


@jit
def _reach(speed: Real) -> int:
    """Tiles that motion reaches, of its square."""
    return int(math.ceil((math.sqrt(speed) + np.float32(3)) / np.float32(TILE)))  # noqa: RUF046 - a float to mypy


@jit
def keep_thresholds(lowest: Floats, highest: Floats, speed: Floats, limit: Real, kinds: Ints, fine: int) -> None:
    """Give all moments to tiles about which some of the light may be clipped and some not: there it has steps."""
    rows, columns = speed.shape
    for row in range(rows):
        for column in range(columns):
            reach, low, high = _reach(speed[row, column]), lowest[row, column], highest[row, column]
            for y in range(max(row - reach, 0), min(row + reach + 1, rows)):
                for x in range(max(column - reach, 0), min(column + reach + 1, columns)):
                    low, high = min(low, lowest[y, x]), max(high, highest[y, x])
            if low <= limit < high:
                kinds[row * columns + column] = fine


@jit
def mark(speed: Floats, apart: Floats, near: Floats) -> None:
    """Mark what is as near to a tile, where motions meet, as these reach."""
    rows, columns = speed.shape
    for row in range(rows):
        for column in range(columns):
            if apart[row, column] > ZERO:
                reach = _reach(speed[row, column])
                for y in range(max(row - reach, 0), min(row + reach + 1, rows)):
                    for x in range(max(column - reach, 0), min(column + reach + 1, columns)):
                        near[y, x] = ONE


@jit
def _reaches(near: Floats, speed: Real, row: int, column: int) -> Any:
    """Whether pixels of a tile may arrive where motions meet."""
    rows, columns = near.shape
    reach = _reach(speed)
    for y in range(max(row - reach, 0), min(row + reach + 1, rows)):
        for x in range(max(column - reach, 0), min(column + reach + 1, columns)):
            if near[y, x] > ZERO:
                return True
    return False


@jit
def _add(total: Floats, i: int, j: int, weight: Real, pixel: Vec8, boost: Real, clipped: Real, linear: Any) -> None:
    red, green, blue = extract_lane(pixel, 0), extract_lane(pixel, 1), extract_lane(pixel, 2)
    x, y, z = light_of_pixel(red, green, blue, boost, clipped, linear)
    total[0, i, j] += weight * x
    total[1, i, j] += weight * y
    total[2, i, j] += weight * z


@jit
def _border_share(share: Real, x0: Real, y0: Real, x1: Real, y1: Real, height: int, width: int) -> Real:
    inside, back_inside = border_weight(x0, y0, height, width), border_weight(x1, y1, height, width)
    return weigh_by_border(share, inside, back_inside)


@jit
def _trace(one: Floats, other: Floats, height: int, width: int, place: Any, time: Real, grid: Floats) -> None:
    """Places in both frames of what is seen at the corners of each 4x4 pixels of a tile at a time."""
    for p in range(grid.shape[0]):
        for q in range(grid.shape[1]):
            i, j = place[0] + p * _STEP, place[1] + q * _STEP
            grid[p, q, 0], grid[p, q, 1] = fixed_point_flow(one, height, width, i, j, time)
            grid[p, q, 2], grid[p, q, 3] = fixed_point_flow(other, height, width, i, j, ONE - time)


@jit
def _add_ends(
    before: Floats, after: Floats, total: Floats, place: Any, first: Floats, last: Floats,
    boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Add both frames as they are, by weights of their rows."""
    for i in range(place[0], place[2]):
        one, other = first[i], last[i]
        for j in range(place[1], place[3]):
            x, y, z = light_of_pixel(before[0, i, j], before[1, i, j], before[2, i, j], boost, clipped, linear)
            u, v, w = light_of_pixel(after[0, i, j], after[1, i, j], after[2, i, j], boost, clipped, linear)
            total[0, i, j] += one * x + other * u
            total[1, i, j] += one * y + other * v
            total[2, i, j] += one * z + other * w


@jit
def _leave(grid: Floats, height: int, width: int) -> Any:
    """Whether any of these places is beyond the border of its frame."""
    for p in range(grid.shape[0]):
        for q in range(grid.shape[1]):
            for k in range(2):
                x, y = grid[p, q, 2 * k], grid[p, q, 2 * k + 1]
                if x < ZERO or y < ZERO or x > np.float32(width - 1) or y > np.float32(height - 1):
                    return True
    return False


@jit
def _add_smooth(
    c0: Floats, low0: Floats, high0: Floats, c1: Floats, low1: Floats, high1: Floats, grid: Floats, leaves: Any,
    total: Floats, place: Any, time: Real, weights: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Add a tile that moves smoothly at a moment: `grid` has its places, `weights` are of rows."""
    height, width = total.shape[1:]
    top, left, bottom, right = place
    for i in range(top, bottom):
        p, down = (i - top) // _STEP, np.float32((i - top) % _STEP) / np.float32(_STEP)
        up, weight = ONE - down, weights[i]
        for q in range((right - left + _STEP - 1) // _STEP):
            x0, y0 = up * grid[p, q, 0] + down * grid[p + 1, q, 0], up * grid[p, q, 1] + down * grid[p + 1, q, 1]
            x1, y1 = up * grid[p, q, 2] + down * grid[p + 1, q, 2], up * grid[p, q, 3] + down * grid[p + 1, q, 3]
            dx0 = (up * grid[p, q + 1, 0] + down * grid[p + 1, q + 1, 0] - x0) / np.float32(_STEP)
            dy0 = (up * grid[p, q + 1, 1] + down * grid[p + 1, q + 1, 1] - y0) / np.float32(_STEP)
            dx1 = (up * grid[p, q + 1, 2] + down * grid[p + 1, q + 1, 2] - x1) / np.float32(_STEP)
            dy1 = (up * grid[p, q + 1, 3] + down * grid[p + 1, q + 1, 3] - y1) / np.float32(_STEP)
            start = left + _STEP * q
            for j in range(start, min(start + _STEP, right)):
                k = np.float32(j - start)
                u0, v0, u1, v1 = x0 + k * dx0, y0 + k * dy0, x1 + k * dx1, y1 + k * dy1
                share = _border_share(time, u0, v0, u1, v1, height, width) if leaves else time
                one = sample_spline(c0, low0, high0, height, width, u0, v0)
                other = sample_spline(c1, low1, high1, height, width, u1, v1)
                _add(total, i, j, weight, one + share * (other - one), boost, clipped, linear)


@jit
def _add_splatted(
    c0: Floats, low0: Floats, high0: Floats, c1: Floats, low1: Floats, high1: Floats, one: Floats, other: Floats,
    zbuffers: Ints, total: Floats, place: Any, time: Real, weights: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Add a tile at a moment to which the pixels around it were splatted; `weights` are of the rows."""
    height, width = total.shape[1:]
    top, left, bottom, right = place
    maps, shares = np.empty((TILE + 2, TILE + 2, 4), np.float32), np.empty((TILE + 2, TILE + 2), np.float32)
    for i in range(max(top - 1, 0), min(bottom + 1, height)):
        for j in range(max(left - 1, 0), min(right + 1, width)):
            p, q = i - top + 1, j - left + 1
            found = blend_weight(one, other, zbuffers, i, j, time)
            maps[p, q, 0], maps[p, q, 1], maps[p, q, 2], maps[p, q, 3], shares[p, q] = found
    for i in range(top, bottom):
        weight = weights[i]
        for j in range(left, right):
            p, q = i - top + 1, j - left + 1
            share = ZERO
            for y in (max(i - 1, 0), i, min(i + 1, height - 1)):
                for x in (max(j - 1, 0), j, min(j + 1, width - 1)):
                    share += shares[y - top + 1, x - left + 1]
            x0, y0, x1, y1 = maps[p, q, 0], maps[p, q, 1], maps[p, q, 2], maps[p, q, 3]
            share = _border_share(share / np.float32(9), x0, y0, x1, y1, height, width)
            before = sample_spline(c0, low0, high0, height, width, x0, y0)
            after = sample_spline(c1, low1, high1, height, width, x1, y1)
            _add(total, i, j, weight, before + share * (after - before), boost, clipped, linear)


@jit
def _empty(zbuffers: Ints, place: Any) -> None:
    """Empty the z-buffers of a tile and of the pixels next to it, which are all that is read."""
    _, height, width = zbuffers.shape
    for i in range(max(place[0] - 1, 0), min(place[2] + 1, height)):
        for j in range(max(place[1] - 1, 0), min(place[3] + 1, width)):
            zbuffers[0, i, j] = zbuffers[1, i, j] = -1


@jit
def _place(tile: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    top, left = TILE * (tile // columns), TILE * (tile % columns)
    return top, left, min(top + TILE, height), min(left + TILE, width)


@jit
def _any_row(weights: Floats, place: Any) -> Any:
    """Whether any of a tile's rows is exposed."""
    most = ZERO
    for i in range(place[0], place[2]):
        most = max(most, weights[i])
    return most > ZERO


@jit
def _are_exposed(weights: Floats, place: Any) -> Any:
    """Whether all of a tile's rows are exposed through a gap, by the weights of all its moments and rows."""
    for k in range(weights.shape[0]):
        usual = HALF if k in (0, weights.shape[0] - 1) else ONE
        for i in range(place[0], place[2]):
            if weights[k, i] != usual:
                return False
    return True


@jit
def integrate_smooth(
    before: Floats, after: Floats, c0: Floats, low0: Floats, high0: Floats, c1: Floats, low1: Floats, high1: Floats,
    one: Floats, other: Floats, near: Floats, kinds: Ints, times: Floats, weights: Floats, starts: Ints, rolling: Any,
    total: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Both frames everywhere, and tiles of smooth motion at the moments of their rules.

    `weights` are of moments and rows. Under a rolling shutter those of the last rule tell which rows are exposed: tiles
    whose rows all are take their own rule, the others every moment at which some are.
    """
    height, width = total.shape[1:]
    grid = np.empty((TILE // _STEP + 1, TILE // _STEP + 1, 4), np.float32)
    fine = starts.size - 2
    for tile in range(near.size):
        place = _place(tile, near.shape[1], height, width)
        splatted = near[tile // near.shape[1], tile % near.shape[1]] > ZERO
        whole = not rolling or _are_exposed(weights[starts[fine] :], place)
        kind = kinds[tile] if whole and not splatted else fine
        begin, end = starts[kind], starts[kind + 1]
        if _any_row(weights[begin], place) or _any_row(weights[end - 1], place):
            _add_ends(before, after, total, place, weights[begin], weights[end - 1], boost, clipped, linear)
        for k in range(begin + 1, begin + 1 if splatted else end - 1):
            if not whole and not _any_row(weights[k], place):
                continue
            _trace(one, other, height, width, place, times[k], grid)
            _add_smooth(
                c0, low0, high0, c1, low1, high1, grid, _leave(grid, height, width),
                total, place, times[k], weights[k], boost, clipped, linear,
            )  # fmt: skip


@jit
def _choose(near: Floats, weights: Floats, height: int, width: int, chosen: Floats) -> Any:
    """Tiles where motions meet and rows are exposed at a moment; whether there are any."""
    found = False
    for tile in range(near.size):
        row, column = tile // near.shape[1], tile % near.shape[1]
        wanted = near[row, column] > ZERO and _any_row(weights, _place(tile, near.shape[1], height, width))
        chosen[row, column] = ONE if wanted else ZERO
        found = found or wanted
    return found


@jit
def integrate_splatted(
    c0: Floats, low0: Floats, high0: Floats, c1: Floats, low1: Floats, high1: Floats,
    one: Floats, other: Floats, z_order: Floats, back_z: Floats, near: Floats, speed: Floats,
    times: Floats, weights: Floats, total: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Tiles where motions meet, at every moment at which some of their rows are exposed; `weights` are of rows."""
    height, width = total.shape[1:]
    columns = near.shape[1]
    zbuffers, chosen = np.empty((2, height, width), np.int64), np.empty(near.shape, np.float32)
    for k in range(1, times.size - 1):
        if not _choose(near, weights[k], height, width, chosen):
            continue
        for tile in range(near.size):
            if chosen[tile // columns, tile % columns] > ZERO:
                _empty(zbuffers, _place(tile, columns, height, width))
        for tile in range(near.size):
            row, column = tile // columns, tile % columns
            if _reaches(chosen, speed[row, column], row, column):
                place = _place(tile, columns, height, width)
                splat_rectangle(one, z_order, times[k], zbuffers[0], place)
                splat_rectangle(other, back_z, ONE - times[k], zbuffers[1], place)
        for tile in range(near.size):
            if chosen[tile // columns, tile % columns] > ZERO:
                _add_splatted(
                    c0, low0, high0, c1, low1, high1, one, other, zbuffers,
                    total, _place(tile, columns, height, width), times[k], weights[k], boost, clipped, linear,
                )  # fmt: skip
