"""Tiles of a picture: how fast they move, and where motions meet or flows were changed; compiled for the CPU.

Flags of tiles (rows, columns) are float32, 1 or 0. Motion samples are those of `occlusion.MotionField`.
"""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.kernels.jit import HALF, ONE, ZERO, Flags, Floats, Real, clamp, jit

TILE = 16  # pixels
_RAISED = np.float32(1.1)  # z-order from which on a pixel occludes something
_BEND = HALF  # pixels, by which motions of neighbours may differ
BLOCK = 4  # pixels
REACHES = (4, 8, 16, 32)  # pixels, within which detail is looked for
_VISIBLE = 4 / 255  # in sRGB
_MARGIN = np.float32(4)  # pixels: of splats and of the grid on which smooth motion is traced


def tiles_of(height: int, width: int) -> NDArray[np.float32]:
    """Flags of all tiles of a picture, none of which is set."""
    return np.zeros((-(-height // TILE), -(-width // TILE)), np.float32)


@jit
def tile_place(tile: int, columns: int, height: int, width: int) -> tuple[int, int, int, int]:
    """Top, left, bottom and right of a tile."""
    top, left = TILE * (tile // columns), TILE * (tile % columns)
    return top, left, min(top + TILE, height), min(left + TILE, width)


@jit
def reach_of(speed: Real) -> int:
    """Tiles that motion reaches, of its square."""
    return int(math.ceil((math.sqrt(speed) + np.float32(3)) / np.float32(TILE)))  # noqa: RUF046 - a float to mypy


@jit
def is_reached(flags: Floats, speed: Real, row: int, column: int) -> Any:
    """Whether pixels of a tile may arrive where a flag is set."""
    rows, columns = flags.shape
    reach = reach_of(speed)
    for y in range(max(row - reach, 0), min(row + reach + 1, rows)):
        for x in range(max(column - reach, 0), min(column + reach + 1, columns)):
            if flags[y, x] > ZERO:
                return True
    return False


@jit
def _find_extremes(frame: Floats, lowest: Floats, highest: Floats) -> None:
    """Of each block (rows, columns, 3) the lowest and the highest sample."""
    for channel in range(frame.shape[0]):
        for i in range(frame.shape[1]):
            for j in range(frame.shape[2]):
                value, row, column = frame[channel, i, j], i // BLOCK, j // BLOCK
                lowest[row, column, channel] = min(lowest[row, column, channel], value)
                highest[row, column, channel] = max(highest[row, column, channel], value)


def detail_of(frame: Floats) -> Floats:
    """The range of a frame (3, H, W) as far about each block as `REACHES`: (4, rows, columns)."""
    shape = -(-frame.shape[1] // BLOCK), -(-frame.shape[2] // BLOCK), frame.shape[0]
    lowest, highest = np.full(shape, np.inf, np.float32), np.full(shape, -np.inf, np.float32)
    _find_extremes(frame, lowest, highest)
    around = (np.ones((2 * reach // BLOCK + 1, 2 * reach // BLOCK + 1), np.uint8) for reach in REACHES)
    return np.stack([(cv2.dilate(highest, near) - cv2.erode(lowest, near)).max(2) for near in around])


@jit
def find_speed(flow: Floats, speed: Floats) -> None:
    """Of each tile the fastest motion of a flow (2, H, W), in pixels, squared, with that of before."""
    for i in range(flow.shape[1]):
        for j in range(flow.shape[2]):
            u, v = flow[0, i, j], flow[1, i, j]
            speed[i // TILE, j // TILE] = max(speed[i // TILE, j // TILE], u * u + v * v)


@jit
def difference(frame: Floats, other: Floats, motion: Floats, i: int, j: int) -> Real:
    """How different a pixel is from where its motion ends, summed over planes; beyond the border it is repeated."""
    height, width = frame.shape[1:]
    at = 4 * (i * width + j)
    x = clamp(np.float32(j) + motion[at], ZERO, np.float32(width - 1))
    y = clamp(np.float32(i) + motion[at + 1], ZERO, np.float32(height - 1))
    left, above = int(x), int(y)
    right, below = min(left + 1, width - 1), min(above + 1, height - 1)
    a, b = x - np.float32(left), y - np.float32(above)
    off = ZERO
    for k in range(frame.shape[0]):
        upper = other[k, above, left] + a * (other[k, above, right] - other[k, above, left])
        lower = other[k, below, left] + a * (other[k, below, right] - other[k, below, left])
        off += abs(upper + b * (lower - upper) - frame[k, i, j])
    return off


@jit
def _bend(motion: Floats, at: int, right: int, below: int) -> Real:
    """How far the motion of a pixel is from those beside and below it."""
    u, v = motion[at], motion[at + 1]
    across = abs(motion[right] - u) + abs(motion[right + 1] - v)
    return across + abs(motion[below] - u) + abs(motion[below + 1] - v)


@jit
def is_inside(x: Real, y: Real, height: int, width: int) -> Any:
    """Whether a position lies within a picture, from the middle of its first pixel to that of its last."""
    return x >= ZERO and y >= ZERO and x <= np.float32(width - 1) and y <= np.float32(height - 1)


@jit
def _extend(box: Floats, x: Real, y: Real) -> None:
    box[0], box[1] = min(box[0], x), min(box[1], y)
    box[2], box[3] = max(box[2], x), max(box[3], y)


@jit
def find_meetings(frame: Floats, other: Floats, motion: Floats, z_order: Floats, detail: Floats, boxes: Floats) -> None:
    """Of each tile the box (left, top, right, bottom) that pixels sweep where motions meet: left > right if none does.

    They meet where they bend, where something is occluded, and where they do not lead back; but not where nobody can
    see it: where a frame has no detail as far as they differ, by `detail_of`, and the other frame looks the same.
    """
    height, width = z_order.shape
    for i in range(height):
        for j in range(width):
            at = 4 * (i * width + j)
            right, below = at + 4 * (j + 1 < width), at + 4 * width * (i + 1 < height)
            x, y, bend = np.float32(j), np.float32(i), _bend(motion, at, right, below)
            lost = motion[at + 2] < HALF and is_inside(x + motion[at], y + motion[at + 1], height, width)
            if not (bend > _BEND or z_order[i, j] > _RAISED or lost):
                continue
            if _is_flat(detail, i, j, bend) and difference(frame, other, motion, i, j) <= np.float32(3 * _VISIBLE):
                continue
            box = boxes[i // TILE, j // TILE]
            _extend(box, x, y)
            for k in (at, right, below):
                _extend(box, x + motion[k], y + motion[k + 1])


@jit
def _is_flat(detail: Floats, i: int, j: int, bend: Real) -> Any:
    for k in range(len(REACHES)):
        if bend <= np.float32(REACHES[k]):
            return detail[k, i // BLOCK, j // BLOCK] <= np.float32(_VISIBLE)
    return False


@jit
def mark(boxes: Floats, near: Floats) -> None:
    """Flag what is as near as `_MARGIN` to these boxes."""
    rows, columns = near.shape
    for row in range(rows):
        for column in range(columns):
            left, top, right, bottom = boxes[row, column]
            if left <= right:
                first, last = _tile_at(left - _MARGIN, columns), _tile_at(right + _MARGIN, columns)
                for y in range(_tile_at(top - _MARGIN, rows), _tile_at(bottom + _MARGIN, rows) + 1):
                    for x in range(first, last + 1):
                        near[y, x] = ONE


@jit
def _tile_at(place: Real, count: int) -> int:
    return min(max(int(place) // TILE, 0), count - 1)


@jit
def flag_reaching(flags: Floats, speed: Floats, reaching: Floats) -> None:
    """Flag tiles whose motion reaches a flagged one."""
    for row in range(flags.shape[0]):
        for column in range(flags.shape[1]):
            if is_reached(flags, speed[row, column], row, column):
                reaching[row, column] = ONE


@jit
def restore(flow: Floats, smooth: Floats, kept: Flags, changed: Floats) -> None:
    """Give a flow (2, H, W) its former values but where these are not to be kept, and flag tiles that differ."""
    for i in range(flow.shape[1]):
        for j in range(flow.shape[2]):
            if flow[0, i, j] != smooth[0, i, j] or flow[1, i, j] != smooth[1, i, j]:
                if kept[i, j]:
                    changed[i // TILE, j // TILE] = ONE
                else:
                    flow[0, i, j], flow[1, i, j] = smooth[0, i, j], smooth[1, i, j]
