"""Kernels of `integral`: what moves how in each tile, and the light that its pixels add up; compiled for the CPU.

`c0` and `limits0` are the first frame's `SplineFrame`, `one` its motion samples; the others are the second's.
"""

from typing import Any

import numpy as np

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import Vec8, concat_low, extract_lane, load8, store
from lolblur_synth.ops.interpolation.spline import sample_spline
from lolblur_synth.ops.interpolation.tiles import TILE, is_inside, reach_of, tile_place
from lolblur_synth.ops.interpolation.warp import (
    border_weight,
    fixed_point_flow,
    weigh_by_border,
)
from lolblur_synth.ops.linearization_compiled import decode, decode_lanes, light_of_pixel

_STEP = 4  # pixels, between which smooth motion is linear


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
def find_bright(lowest: Floats, highest: Floats, speed: Floats, limit: Real, bright: Floats, mixed: Floats) -> None:
    """Flag tiles about which some of the light is above a limit, and of them those about which some is below."""
    rows, columns = speed.shape
    for row in range(rows):
        for column in range(columns):
            reach, low, high = reach_of(speed[row, column]), lowest[row, column], highest[row, column]
            for y in range(max(row - reach, 0), min(row + reach + 1, rows)):
                for x in range(max(column - reach, 0), min(column + reach + 1, columns)):
                    low, high = min(low, lowest[y, x]), max(high, highest[y, x])
            if high > limit:
                bright[row, column] = ONE
                if low <= limit:
                    mixed[row, column] = ONE


@jit
def add_pixel(
    total: Floats, i: int, j: int, weight: Real, pixel: Vec8, boost: Real, clipped: Real, linear: Any
) -> None:
    """Add the light of one pixel, whose values are the first three lanes, by `Linearization.parameters`."""
    red, green, blue = extract_lane(pixel, 0), extract_lane(pixel, 1), extract_lane(pixel, 2)
    x, y, z = light_of_pixel(red, green, blue, boost, clipped, linear)
    total[0, i, j] += weight * x
    total[1, i, j] += weight * y
    total[2, i, j] += weight * z


@jit
def border_share(share: Real, x0: Real, y0: Real, x1: Real, y1: Real, height: int, width: int) -> Real:
    """The second frame's share of a pixel, by its places in both: what is beyond the border of one is the other's."""
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
    before: Floats, after: Floats, total: Floats, place: Any, first: Floats, last: Floats, linear: Any
) -> None:
    """Add both frames as they are, where they are not bright, by weights of their rows."""
    height, width = total.shape[1:]
    for channel in range(3):
        for i in range(place[0], place[2]):
            at, end = (channel * height + i) * width + place[1], (channel * height + i) * width + place[3]
            while at + 8 <= end:
                one, other = load8(before, at), load8(after, at)
                if linear:
                    one, other = decode_lanes(one), decode_lanes(other)
                store(load8(total, at) + (first[i] * one + last[i] * other), total, at)
                at += 8
            for j in range(place[3] - (end - at), place[3]):
                u, v = before[channel, i, j], after[channel, i, j]
                if linear:
                    u, v = decode(u), decode(v)
                total[channel, i, j] += first[i] * u + last[i] * v


@jit
def _add_bright_ends(
    before: Floats, after: Floats, total: Floats, place: Any, first: Floats, last: Floats,
    boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """The same pixel by pixel, as some may be clipped."""
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
                if not is_inside(grid[p, q, 2 * k], grid[p, q, 2 * k + 1], height, width):
                    return True
    return False


@jit
def _places(grid: Floats, p: int, q: int, down: Real) -> Any:
    """Where four pixels of a row are: x and y of the first in both frames, and steps to the next."""
    up = ONE - down
    x0, y0 = up * grid[p, q, 0] + down * grid[p + 1, q, 0], up * grid[p, q, 1] + down * grid[p + 1, q, 1]
    x1, y1 = up * grid[p, q, 2] + down * grid[p + 1, q, 2], up * grid[p, q, 3] + down * grid[p + 1, q, 3]
    dx0 = (up * grid[p, q + 1, 0] + down * grid[p + 1, q + 1, 0] - x0) / np.float32(_STEP)
    dy0 = (up * grid[p, q + 1, 1] + down * grid[p + 1, q + 1, 1] - y0) / np.float32(_STEP)
    dx1 = (up * grid[p, q + 1, 2] + down * grid[p + 1, q + 1, 2] - x1) / np.float32(_STEP)
    dy1 = (up * grid[p, q + 1, 3] + down * grid[p + 1, q + 1, 3] - y1) / np.float32(_STEP)
    return x0, y0, x1, y1, dx0, dy0, dx1, dy1


@jit
def _blended(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats, places: Any, step: Real,
    height: int, width: int, time: Real, leaves: Any,
) -> Vec8:  # fmt: skip
    """A pixel of smooth motion, a number of steps from the first of four."""
    x0, y0, x1, y1, dx0, dy0, dx1, dy1 = places
    x0, y0, x1, y1 = x0 + step * dx0, y0 + step * dy0, x1 + step * dx1, y1 + step * dy1
    share = border_share(time, x0, y0, x1, y1, height, width) if leaves else time
    one = sample_spline(c0, limits0, height, width, x0, y0)
    return one + share * (sample_spline(c1, limits1, height, width, x1, y1) - one)


@jit
def _add_smooth(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats, grid: Floats, leaves: Any,
    sums: Floats, size: Any, place: Any, time: Real, weights: Floats, linear: Any,
) -> None:  # fmt: skip
    """Add a tile that moves smoothly, and is nowhere bright, at a moment to its `sums`, four samples a pixel.

    `grid` has its places, `weights` are of rows.
    """
    height, width = size
    top, left, bottom, right = place
    for i in range(top, bottom):
        p, down = (i - top) // _STEP, np.float32((i - top) % _STEP) / np.float32(_STEP)
        for q in range((right - left + _STEP - 1) // _STEP):
            places = _places(grid, p, q, down)
            at = 4 * (TILE * (i - top) + _STEP * q)
            for k in range(0, _STEP, 2):
                pixels = concat_low(
                    _blended(c0, limits0, c1, limits1, places, np.float32(k), height, width, time, leaves),
                    _blended(c0, limits0, c1, limits1, places, np.float32(k + 1), height, width, time, leaves),
                )
                if linear:
                    pixels = decode_lanes(pixels)
                store(load8(sums, at + 4 * k) + weights[i] * pixels, sums, at + 4 * k)


@jit
def _add_sums(sums: Floats, place: Any, total: Floats) -> None:
    """Add the sums of a tile to the picture, and empty them."""
    top, left, bottom, right = place
    for i in range(top, bottom):
        for j in range(left, right):
            at = 4 * (TILE * (i - top) + j - left)
            total[0, i, j] += sums[at]
            total[1, i, j] += sums[at + 1]
            total[2, i, j] += sums[at + 2]
    sums[:] = ZERO


@jit
def _add_bright(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats, grid: Floats, leaves: Any,
    total: Floats, place: Any, time: Real, weights: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Add a tile that moves smoothly at a moment, pixel by pixel, as some may be clipped."""
    height, width = total.shape[1:]
    top, left, bottom, right = place
    for i in range(top, bottom):
        p, down = (i - top) // _STEP, np.float32((i - top) % _STEP) / np.float32(_STEP)
        for q in range((right - left + _STEP - 1) // _STEP):
            places = _places(grid, p, q, down)
            for k in range(min(_STEP, right - left - _STEP * q)):
                pixel = _blended(c0, limits0, c1, limits1, places, np.float32(k), height, width, time, leaves)
                add_pixel(total, i, left + _STEP * q + k, weights[i], pixel, boost, clipped, linear)


@jit
def any_row(weights: Floats, place: Any) -> Any:
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
    before: Floats, after: Floats, c0: Floats, limits0: Floats, c1: Floats, limits1: Floats,
    one: Floats, other: Floats, near: Floats, bright: Floats, kinds: Ints, times: Floats, weights: Floats,
    starts: Ints, rolling: Any, total: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Both frames everywhere, and tiles of smooth motion at the moments of their rules.

    `weights` are of moments and rows. Under a rolling shutter those of the last rule tell which rows are exposed: tiles
    whose rows all are take their own rule, the others every moment at which some are.
    """
    height, width = total.shape[1:]
    grid = np.empty((TILE // _STEP + 1, TILE // _STEP + 1, 4), np.float32)
    sums = np.zeros(4 * TILE * TILE, np.float32)
    fine = starts.size - 2
    for tile in range(near.size):
        row, column = tile // near.shape[1], tile % near.shape[1]
        place = tile_place(tile, near.shape[1], height, width)
        splatted, plain = near[row, column] > ZERO, bright[row, column] == ZERO
        whole = not rolling or _are_exposed(weights[starts[fine] :], place)
        kind = kinds[tile] if whole else fine
        begin, end = starts[kind], starts[kind + 1]
        if any_row(weights[begin], place) or any_row(weights[end - 1], place):
            ends = weights[begin], weights[end - 1]
            if plain:
                _add_ends(before, after, total, place, *ends, linear)
            else:
                _add_bright_ends(before, after, total, place, *ends, boost, clipped, linear)
        for k in range(begin + 1, begin + 1 if splatted else end - 1):
            if not whole and not any_row(weights[k], place):
                continue
            _trace(one, other, height, width, place, times[k], grid)
            leaves = _leave(grid, height, width)
            if plain:
                _add_smooth(
                    c0, limits0, c1, limits1, grid, leaves, sums, (height, width), place, times[k], weights[k],
                    linear,
                )  # fmt: skip
            else:
                _add_bright(
                    c0, limits0, c1, limits1, grid, leaves, total, place, times[k], weights[k],
                    boost, clipped, linear,
                )  # fmt: skip
        if plain and not splatted:
            _add_sums(sums, place, total)
