"""Common motion: blocks that lie together move as one, where noise hides what that changes; compiled.

One block of eight pixels tells its motion badly where it has noise and little structure. Sixteen tell it better, and
their surroundings are then sampled and transformed over time once, and not one by one.
"""

from typing import NamedTuple

import numpy as np

from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Ints, Real, jit, round_half_up
from lolblur_synth.kernels.simd import dot, load_rows, subtract_rows
from lolblur_synth.ops.denoise.vbm4d.blocks import Trajectories
from lolblur_synth.ops.denoise.vbm4d.trajectories import Followed
from lolblur_synth.ops.denoise.vbm4d.transforms import AREA, FRACTIONS, PAD, Planes, sample

TILE = 4  # blocks of a grid along each axis that may move as one
HIDDEN = 0.25  # of the noise's energy in a block: so much worse may it match
PULL = 0.01  # of the structure: so much each block counts, whatever it holds

_APART, _NOWHERE, _THERE = -1, 0, 1


class Tile(NamedTuple):
    """Rows and columns of a grid, the last ones excluded."""

    top: int
    bottom: int
    left: int
    right: int


@jit
def tile_at(top: int, left: int, rows: int, columns: int) -> Tile:
    """The tile that begins at a row and a column, of so many."""
    return Tile(top, min(top + TILE, rows), left, min(left + TILE, columns))


@jit
def _mean_motion(followed: Followed, ys: Ints, xs: Ints, tile: Tile, t: int) -> tuple[Real, Real]:
    """The motion to frame t that fits the blocks of a tile best, in FRACTIONS: each weighed by its structure tensor."""
    yy, xx, xy, down, along, count, sum_y, sum_x = ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO, ZERO
    for i in range(tile.top, tile.bottom):
        for j in range(tile.left, tile.right):
            if followed.valid[i, j, t]:
                y, x = followed.places[i, j, t, 0] - np.float32(ys[i]), followed.places[i, j, t, 1] - np.float32(xs[j])
                a, b, c = followed.tensors[i, j, 0], followed.tensors[i, j, 1], followed.tensors[i, j, 2]
                yy, xx, xy = yy + a, xx + b, xy + c
                down, along = down + a * y + c * x, along + c * y + b * x
                count, sum_y, sum_x = count + ONE, sum_y + y, sum_x + x
    if count == ZERO:
        return ZERO, ZERO
    pull = np.float32(PULL) * (yy + xx) + np.float32(1e-12)
    yy, xx, down, along = yy + pull, xx + pull, down + pull * sum_y / count, along + pull * sum_x / count
    scale = np.float32(FRACTIONS) / (yy * xx - xy * xy)
    y, x = round_half_up(scale * (xx * down - xy * along)), round_half_up(scale * (yy * along - xy * down))
    return np.float32(y) / np.float32(FRACTIONS), np.float32(x) / np.float32(FRACTIONS)


@jit
def _fit(
    plane: Floats, origin: Floats, stride: int, followed: Followed, ys: Ints, xs: Ints, tile: Tile, t: int,
    move: tuple[Real, Real], last: tuple[int, int], hidden: Real, scratch: Floats,
) -> int:  # fmt: skip
    """Whether all blocks of a tile are found in frame t where one motion leads, or none is."""
    there = 0
    for i in range(tile.top, tile.bottom):
        for j in range(tile.left, tile.right):
            y, x = np.float32(ys[i]) + move[0], np.float32(xs[j]) + move[1]
            if y < ZERO or x < ZERO or y > np.float32(last[0]) or x > np.float32(last[1]):
                return _APART
            block = load_rows(origin, (ys[i] + PAD) * stride + xs[j] + PAD, stride)
            gap = subtract_rows(sample(plane, stride, y, x, scratch), block)
            difference = dot(gap, gap)
            if difference <= followed.limit[i, j]:
                there += 1
                if difference > followed.least[i, j, t] + hidden:
                    return _APART
            elif followed.valid[i, j, t]:
                return _APART
    if there == 0:
        return _NOWHERE
    return _THERE if there == (tile.bottom - tile.top) * (tile.right - tile.left) else _APART


@jit
def share_motion(
    guide: Planes, stride: int, reference: int, ys: Ints, xs: Ints, last: tuple[int, int], noise: Real,
    followed: Followed,
) -> None:  # fmt: skip
    """Give the blocks of each tile of a grid `ys` x `xs` one motion to each frame, in place, where all may have it.

    They may where each is found by it in the first channel of `guide`, with a squared difference that is no more than
    HIDDEN of what noise of variance `noise` has in a block above that of its own place, or where none of them is found.
    `last` is the last position of a block, y and x.
    """
    frames = followed.valid.shape[2]
    moves, found, scratch = (
        np.zeros((frames, 2), np.float32),
        np.zeros(frames, np.int64),
        np.zeros(AREA * 2, np.float32),
    )
    hidden = np.float32(HIDDEN * AREA * noise)
    for top in range(0, len(ys), TILE):
        for left in range(0, len(xs), TILE):
            tile = tile_at(top, left, len(ys), len(xs))
            shared = True
            for t in range(frames):
                if shared and t != reference:
                    move = _mean_motion(followed, ys, xs, tile, t)
                    moves[t, 0], moves[t, 1] = move
                    found[t] = _fit(
                        guide[t][0], guide[reference][0], stride, followed, ys, xs, tile, t, move, last, hidden, scratch
                    )
                    shared = found[t] != _APART
            if shared:
                found[reference] = _THERE
                _move_as_one(followed, ys, xs, tile, moves, found)


@jit
def _move_as_one(followed: Followed, ys: Ints, xs: Ints, tile: Tile, moves: Floats, found: Ints) -> None:
    for i in range(tile.top, tile.bottom):
        for j in range(tile.left, tile.right):
            for t in range(len(found)):
                followed.valid[i, j, t] = found[t] == _THERE
                followed.places[i, j, t, 0] = np.float32(ys[i]) + moves[t, 0]
                followed.places[i, j, t, 1] = np.float32(xs[j]) + moves[t, 1]


@jit
def moves_as_one(trajectories: Trajectories, tile: Tile) -> bool:
    """Whether the blocks of a tile are valid in the same frames, and moved alike in these."""
    ys, xs, places, valid = trajectories
    for i in range(tile.top, tile.bottom):
        for j in range(tile.left, tile.right):
            y, x = np.float32(ys[i] - ys[tile.top]), np.float32(xs[j] - xs[tile.left])
            for t in range(valid.shape[2]):
                first = places[tile.top, tile.left, t]
                moved = places[i, j, t, 0] - first[0] != y or places[i, j, t, 1] - first[1] != x
                if valid[i, j, t] != valid[tile.top, tile.left, t] or (valid[i, j, t] and moved):
                    return False
    return True
