"""Collaborative filtering: groups of eight similar volumes, Wiener-filtered in four dimensions; compiled."""

from typing import NamedTuple

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, jit
from lolblur_synth.kernels.simd import broadcast8, gather_rows, horizontal_sum, load8, store, store_rows, transpose8x8
from lolblur_synth.ops.denoise.vbm4d.blocks import (
    QUIET,
    Accumulators,
    Frames,
    Trajectories,
    aggregate,
    extract_blocks,
    temporal_dct,
    wiener_shrink,
)
from lolblur_synth.ops.denoise.vbm4d.common_motion import TILE, Tile, moves_as_one, tile_at
from lolblur_synth.ops.denoise.vbm4d.trajectories import group_similar
from lolblur_synth.ops.denoise.vbm4d.transforms import (
    FRAMES,
    MEMBERS,
    REACH,
    REACHED,
    REGION,
    ROW,
    SIDE,
    TEMPORAL,
    combine_frames,
    haar8,
    sample_surrounding,
    spatial_dct,
    spatial_idct,
)


class _Scratch(NamedTuple):
    """What the groups of a tile are made in: their surroundings flat, in frames or by frequency of time."""

    noisy: Floats
    pilot: Floats
    seen: Floats  # one frequency of the pilot,
    heard: Floats  # and of the noisy frames
    rows: Floats
    spectrum: Floats
    guess: Floats
    results: Floats  # (groups, ROW)
    left: Floats  # (groups, MEMBERS): variance of the noise that stays
    blocks: Floats
    found: Ints  # (groups, MEMBERS, 2): places of the members in the reference frame
    starts: Ints  # (groups,): where the surroundings of each start in those of the tile,
    corners: Ints  # (groups, MEMBERS): and each member
    matrix: Floats


@jit
def _surroundings(trajectories: Trajectories, tile: Tile) -> tuple[int, int]:
    """Rows and columns of all that the groups of a tile may hold; columns in eights."""
    ys, xs = trajectories.ys, trajectories.xs
    height, width = ys[tile.bottom - 1] - ys[tile.top], xs[tile.right - 1] - xs[tile.left]
    return REACHED + height, (REACHED + width + 7) // 8 * 8


@jit
def _scratch_for(trajectories: Trajectories, first: int, last: int) -> _Scratch:
    size = rows = 0
    for top in range(first, last, TILE):
        for left in range(0, len(trajectories.xs), TILE):
            height, width = _surroundings(trajectories, tile_at(top, left, last, len(trajectories.xs)))
            size, rows = max(size, height * width), max(rows, (height + 7) * width)
    groups = TILE * TILE
    return _Scratch(
        np.zeros(FRAMES * size, np.float32), np.zeros(FRAMES * size, np.float32),
        np.zeros(size, np.float32), np.zeros(size, np.float32), np.zeros(rows, np.float32),
        np.zeros(ROW, np.float32), np.zeros(ROW, np.float32),
        np.zeros((groups, ROW), np.float32), np.zeros((groups, MEMBERS), np.float32), np.zeros(ROW, np.float32),
        np.zeros((groups, MEMBERS, 2), np.int64), np.zeros(groups, np.int64), np.zeros((groups, MEMBERS), np.int64),
        np.zeros((FRAMES, FRAMES), np.float32),
    )  # fmt: skip


@jit
def _energy_about(plane: Floats, width: int, start: int) -> Real:
    """The energy of all that one group may hold."""
    found = broadcast8(ZERO)
    for i in range(REACHED):
        for j in range(0, REACHED, 8):
            part = load8(plane, start + i * width + j)
            found += part * part
    return horizontal_sum(found)


@jit
def _group_spectrum(plane: Floats, width: int, corners: Ints, stack: Floats) -> None:
    """The 2-D DCT of the members of a group and Haar's wavelet across them; `corners` are where they start."""
    for i in range(8):
        store_rows(transpose8x8(haar8(gather_rows(plane, corners, width * i))), stack, 64 * i, 8)
    spatial_dct(stack)


@jit
def _factors(matrix: Floats, r: int) -> tuple[Real, ...]:
    row = matrix[r]
    return row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7], row[8]


@jit
def _find_members(
    frames: Frames, trajectories: Trajectories, tile: Tile, width: int, last: tuple[int, int], s: _Scratch
) -> None:
    """The members of all groups of a tile."""
    ys, xs, found = trajectories.ys, trajectories.xs, s.found
    for g in range((tile.bottom - tile.top) * (tile.right - tile.left)):
        y, x = ys[tile.top + g // (tile.right - tile.left)], xs[tile.left + g % (tile.right - tile.left)]
        s.starts[g] = (y - ys[tile.top]) * width + x - xs[tile.left]
        group_similar(frames.pilot[frames.reference][0], frames.stride, y, x, last[0], last[1], found[g])
        for m in range(MEMBERS):
            s.corners[g, m] = s.starts[g] + (REACH + found[g, m, 0] - y) * width + REACH + found[g, m, 1] - x


@jit
def _filter_tile(
    frames: Frames, trajectories: Trajectories, tile: Tile, last: tuple[int, int], sums: Accumulators, s: _Scratch
) -> None:
    """Filter the groups of a tile, which moves as one."""
    top, left = tile.top, tile.left
    places, valid = trajectories.places[top, left], trajectories.valid[top, left]
    groups = (tile.bottom - top) * (tile.right - left)
    height, width = _surroundings(trajectories, tile)
    size = height * width
    noisy, pilot, seen, heard = s.noisy[: FRAMES * size], s.pilot[: FRAMES * size], s.seen[:size], s.heard[:size]
    _find_members(frames, trajectories, tile, width, last, s)
    used = temporal_dct(valid, TEMPORAL, s.matrix)
    for c in range(len(frames.mean)):
        for t in range(len(valid)):
            if valid[t]:
                y, x, part = places[t, 0], places[t, 1], slice(t * size, (t + 1) * size)
                sample_surrounding(frames.noisy[t][c], frames.stride, y, x, height, width, s.rows, noisy[part])
                sample_surrounding(frames.pilot[t][c], frames.stride, y, x, height, width, s.rows, pilot[part])
        s.results[:groups] = ZERO
        s.left[:groups] = ZERO
        for r in range(used):
            factors = _factors(s.matrix, r)
            combine_frames(pilot, factors, seen)
            combined = False
            for g in range(groups):
                if r > 0 and _energy_about(seen, width, s.starts[g]) < QUIET * REGION * frames.mean[c]:
                    continue
                if not combined:
                    combine_frames(noisy, factors, heard)
                    combined = True
                _group_spectrum(seen, width, s.corners[g], s.guess)
                _group_spectrum(heard, width, s.corners[g], s.spectrum)
                factor, result = s.matrix[r, frames.reference], s.results[g]
                left_now = wiener_shrink(s.spectrum, s.guess, ONE, frames.variance[c], factor, result)
                store(load8(s.left[g], 0) + left_now, s.left[g], 0)
        for g in range(groups):
            _aggregate_group(frames, c, s.results[g], s.left[g], s.found[g], sums, s.blocks)


@jit
def _aggregate_group(
    frames: Frames, c: int, result: Floats, left: Floats, found: Ints, sums: Accumulators, blocks: Floats
) -> None:
    """Bring the members of a group back and add them to the running sums."""
    spatial_idct(result)
    extract_blocks(result, True, blocks)
    weight = ONE / max(horizontal_sum(load8(left, 0)), frames.variance[c, 0])
    for m in range(MEMBERS):
        y, x = found[m, 0], found[m, 1]
        if sums.low <= y <= sums.high - SIDE:
            aggregate(sums.values[0][c], sums.weights[0][c], frames.stride, y, x, blocks, m, weight)


@jit
def filter_groups(
    frames: Frames, trajectories: Trajectories, first: int, last: int, bottom: int, right: int, sums: Accumulators
) -> None:
    """Filter the groups about the volumes of the grid's rows first..last-1 and add them to the running sums.

    A volume is joined by the seven within REACH that are most similar in the pilot; all move as it does, so that one
    surrounding is sampled, and transformed over time, for all, and for those of a tile that moves as one. Frequencies
    of time in which it is quiet in the pilot are left out. Only the reference frame is added, for what was sampled
    between pixels cannot be put back.
    """
    columns = len(trajectories.xs)
    s = _scratch_for(trajectories, first, last)
    for top in range(first, last, TILE):
        for left in range(0, columns, TILE):
            tile = tile_at(top, left, last, columns)
            if moves_as_one(trajectories, tile):
                _filter_tile(frames, trajectories, tile, (bottom, right), sums, s)
                continue
            for i in range(tile.top, tile.bottom):
                for j in range(tile.left, tile.right):
                    _filter_tile(frames, trajectories, Tile(i, i + 1, j, j + 1), (bottom, right), sums, s)
