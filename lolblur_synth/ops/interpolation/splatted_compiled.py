"""Kernels of `integral`: light of tiles where motions meet, to which pixels are splatted; compiled for the CPU.

Parameters as in `integral_compiled`.
"""

from typing import Any

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, clamp, jit
from lolblur_synth.kernels.simd import extract_lane
from lolblur_synth.ops.interpolation.integral_compiled import add_pixel, any_row, border_share
from lolblur_synth.ops.interpolation.spline import sample_spline
from lolblur_synth.ops.interpolation.tiles import TILE, is_reached, tile_place
from lolblur_synth.ops.interpolation.warp import blend_weight, splat_rectangle
from lolblur_synth.ops.linearization_compiled import decode_lanes


@jit
def _find_maps(
    one: Floats, other: Floats, zbuffers: Ints, place: Any, time: Real, maps: Floats, shares: Floats
) -> None:
    """Backward maps of a tile and of the pixels next to it, and blend weights as they are and summed over three."""
    height, width = zbuffers.shape[1:]
    top, left, bottom, right = place
    for i in range(top - 1, bottom + 1):
        for j in range(left - 1, right + 1):
            p, q = i - top + 1, j - left + 1
            found = blend_weight(one, other, zbuffers, clamp(i, 0, height - 1), clamp(j, 0, width - 1), time)
            maps[p, q, 0], maps[p, q, 1], maps[p, q, 2], maps[p, q, 3], shares[0, p, q] = found
    for p in range(bottom - top + 2):
        for q in range(1, right - left + 1):
            shares[1, p, q] = shares[0, p, q - 1] + shares[0, p, q] + shares[0, p, q + 1]


@jit
def _add_splatted(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats, one: Floats, other: Floats, zbuffers: Ints, plain: Any,
    total: Floats, place: Any, time: Real, weights: Floats, boost: Real, clipped: Real, linear: Any,
) -> None:  # fmt: skip
    """Add a tile at a moment to which the pixels around it were splatted; `weights` are of the rows."""
    height, width = total.shape[1:]
    top, left, bottom, right = place
    maps, shares = np.empty((TILE + 2, TILE + 2, 4), np.float32), np.empty((2, TILE + 2, TILE + 2), np.float32)
    _find_maps(one, other, zbuffers, place, time, maps, shares)
    for i in range(top, bottom):
        weight = weights[i]
        for j in range(left, right):
            p, q = i - top + 1, j - left + 1
            share = (shares[1, p - 1, q] + shares[1, p, q] + shares[1, p + 1, q]) / np.float32(9)
            x0, y0, x1, y1 = maps[p, q, 0], maps[p, q, 1], maps[p, q, 2], maps[p, q, 3]
            share = border_share(share, x0, y0, x1, y1, height, width)
            before = sample_spline(c0, limits0, height, width, x0, y0)
            pixel = before + share * (sample_spline(c1, limits1, height, width, x1, y1) - before)
            if plain:
                light = weight * (decode_lanes(pixel) if linear else pixel)
                for channel in range(3):
                    total[channel, i, j] += extract_lane(light, channel)
            else:
                add_pixel(total, i, j, weight, pixel, boost, clipped, linear)


@jit
def _empty(zbuffers: Ints, place: Any) -> None:
    """Empty the z-buffers of a tile and of the pixels next to it, which are all that is read."""
    _, height, width = zbuffers.shape
    for i in range(max(place[0] - 1, 0), min(place[2] + 1, height)):
        for j in range(max(place[1] - 1, 0), min(place[3] + 1, width)):
            zbuffers[0, i, j] = zbuffers[1, i, j] = -1


@jit
def _choose(near: Floats, weights: Floats, height: int, width: int, chosen: Floats) -> Any:
    """Tiles where motions meet and rows are exposed at a moment; whether there are any."""
    found = False
    for tile in range(near.size):
        row, column = tile // near.shape[1], tile % near.shape[1]
        wanted = near[row, column] > ZERO and any_row(weights, tile_place(tile, near.shape[1], height, width))
        chosen[row, column] = ONE if wanted else ZERO
        found = found or wanted
    return found


@jit
def integrate_splatted(
    c0: Floats, limits0: Floats, c1: Floats, limits1: Floats,
    one: Floats, other: Floats, z_order: Floats, back_z: Floats, near: Floats, bright: Floats, speed: Floats,
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
                _empty(zbuffers, tile_place(tile, columns, height, width))
        for tile in range(near.size):
            row, column = tile // columns, tile % columns
            if is_reached(chosen, speed[row, column], row, column):
                place = tile_place(tile, columns, height, width)
                splat_rectangle(one, z_order, times[k], zbuffers[0], place)
                splat_rectangle(other, back_z, ONE - times[k], zbuffers[1], place)
        for tile in range(near.size):
            if chosen[tile // columns, tile % columns] > ZERO:
                plain = bright[tile // columns, tile % columns] == ZERO
                _add_splatted(
                    c0, limits0, c1, limits1, one, other, zbuffers, plain, total,
                    tile_place(tile, columns, height, width), times[k], weights[k], boost, clipped, linear,
                )  # fmt: skip
