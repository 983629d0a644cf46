"""Menon's demosaicing, compiled: the steps of `menon`, each in one pass over memory.

Planes are padded by `PAD`; `red_green` and `blue_green` are colour differences. At red and blue, `own` is the
difference to green of the colour that is there, and `horizontal` the direction that was chosen.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lolblur_synth.kernels.jit import HALF, Flags, Floats, Real, jit
from lolblur_synth.mosaic.menon import PAD

_QUARTER, _THIRD, _THREE = np.float32(0.25), np.float32(1 / 3), np.float32(3)


def menon_compiled(raw: Tensor, red_row: int, red_column: int) -> Tensor:
    """As `menon`, of float32 on a CPU."""
    height, width = raw.shape
    cfa = F.pad(raw[None, None], (PAD, PAD, PAD, PAD), mode="reflect")[0, 0].numpy()
    planes = np.zeros((5, *cfa.shape), np.float32)
    rgb = torch.empty((3, height, width))
    _demosaic(cfa, planes, np.zeros(cfa.shape, np.bool_), rgb.numpy(), red_row, red_column)
    return rgb


@jit
def _demosaic(cfa: Floats, planes: Floats, horizontal: Flags, rgb: Floats, red_row: int, red_column: int) -> None:
    along, down, red_green, blue_green, own = planes[0], planes[1], planes[2], planes[3], planes[4]
    _chroma(cfa, along, down, red_row, red_column)
    _decide(along, down, horizontal, own, red_row, red_column)
    _fill_green(own, red_green, blue_green, red_row, red_column)
    _fill_other(own, horizontal, red_green, blue_green, red_row, red_column)
    refined = along  # which nobody reads any more
    _refine(own, horizontal, red_green, blue_green, refined, red_row, red_column)
    _fill_refined(red_green, blue_green, refined, red_row, red_column)
    _write(cfa, refined, horizontal, red_green, blue_green, rgb, red_row, red_column)


@jit
def _first_color(y: int, red_row: int, red_column: int) -> int:
    """The first column of a row that is red or blue."""
    return red_column if y % 2 == red_row else 1 - red_column


@jit
def _chroma(cfa: Floats, along: Floats, down: Floats, red_row: int, red_column: int) -> None:
    for y in range(2, cfa.shape[0] - 2):
        for x in range(2 + _first_color(y, red_row, red_column), cfa.shape[1] - 2, 2):
            half = cfa[y, x] * HALF
            along[y, x] = half - (cfa[y, x - 1] + cfa[y, x + 1]) * HALF + (cfa[y, x - 2] + cfa[y, x + 2]) * _QUARTER
            down[y, x] = half - (cfa[y - 1, x] + cfa[y + 1, x]) * HALF + (cfa[y - 2, x] + cfa[y + 2, x]) * _QUARTER


@jit
def _pair(chroma: Floats, y: int, x: int, down: int, right: int) -> Real:
    middle = chroma[y, x]
    return abs(middle - chroma[y + down, x + right]) + abs(chroma[y - down, x - right] - middle)


@jit
def _gradient(chroma: Floats, y: int, x: int, down: int, right: int) -> Real:
    """Sum of differences in steps of (down, right), which is (0, 2) or (2, 0), over a window of 5x5."""
    half_down, half_right = down // 2, right // 2
    total = _THREE * _pair(chroma, y, x, down, right)
    for side in (-1, 1):
        total += _pair(chroma, y + side * right, x + side * down, down, right)
        row, column = y + side * half_right, x + side * half_down
        total += abs(chroma[row - half_down, column - half_right] - chroma[row + half_down, column + half_right])
    return total


@jit
def _decide(along: Floats, down: Floats, horizontal: Flags, own: Floats, red_row: int, red_column: int) -> None:
    for y in range(4, along.shape[0] - 4):
        for x in range(4 + _first_color(y, red_row, red_column), along.shape[1] - 4, 2):
            flat = _gradient(down, y, x, 2, 0) >= _gradient(along, y, x, 0, 2)
            horizontal[y, x] = flat
            own[y, x] = along[y, x] if flat else down[y, x]


@jit
def _fill_green(own: Floats, red_green: Floats, blue_green: Floats, red_row: int, red_column: int) -> None:
    for y in range(4, own.shape[0] - 4):
        in_red_row = y % 2 == red_row
        for x in range(5 - _first_color(y, red_row, red_column), own.shape[1] - 4, 2):
            beside = (own[y, x - 1] + own[y, x + 1]) * HALF
            above = (own[y - 1, x] + own[y + 1, x]) * HALF
            red_green[y, x] = beside if in_red_row else above
            blue_green[y, x] = above if in_red_row else beside


@jit
def _fill_other(
    own: Floats, horizontal: Flags, red_green: Floats, blue_green: Floats, red_row: int, red_column: int
) -> None:
    for y in range(5, own.shape[0] - 5):
        in_red_row = y % 2 == red_row
        for x in range(6 + _first_color(y, red_row, red_column), own.shape[1] - 6, 2):
            down, right = (0, 1) if horizontal[y, x] else (1, 0)
            before = red_green[y - down, x - right] - blue_green[y - down, x - right]
            after = red_green[y + down, x + right] - blue_green[y + down, x + right]
            across = (before + after) * HALF
            red_green[y, x] = own[y, x] if in_red_row else own[y, x] + across
            blue_green[y, x] = own[y, x] - across if in_red_row else own[y, x]


@jit
def _mean3(plane: Floats, y: int, x: int, flat: bool) -> Real:
    down, right = (0, 1) if flat else (1, 0)
    return (plane[y - down, x - right] + plane[y, x] + plane[y + down, x + right]) * _THIRD


@jit
def _refine(
    own: Floats,
    horizontal: Flags,
    red_green: Floats,
    blue_green: Floats,
    refined: Floats,
    red_row: int,
    red_column: int,
) -> None:
    """Green at red and blue, by the mean of its colour's difference; only green sites are read beside a pixel."""
    for y in range(7, own.shape[0] - 7):
        plane = red_green if y % 2 == red_row else blue_green
        for x in range(8 + _first_color(y, red_row, red_column), own.shape[1] - 8, 2):
            difference = _mean3(plane, y, x, horizontal[y, x])
            change = difference - own[y, x]
            red_green[y, x] += change
            blue_green[y, x] += change
            refined[y, x] = difference


@jit
def _fill_refined(red_green: Floats, blue_green: Floats, refined: Floats, red_row: int, red_column: int) -> None:
    """Red and blue at green, from the refined differences beside and above."""
    for y in range(8, refined.shape[0] - 8):
        in_red_row = y % 2 == red_row
        for x in range(9 - _first_color(y, red_row, red_column), refined.shape[1] - 8, 2):
            beside = (refined[y, x - 1] + refined[y, x + 1]) * HALF
            above = (refined[y - 1, x] + refined[y + 1, x]) * HALF
            red_green[y, x] = beside if in_red_row else above
            blue_green[y, x] = above if in_red_row else beside


@jit
def _write(
    cfa: Floats,
    refined: Floats,
    horizontal: Flags,
    red_green: Floats,
    blue_green: Floats,
    rgb: Floats,
    red_row: int,
    red_column: int,
) -> None:
    """The picture, with red at blue and blue at red by the mean of red minus blue."""
    for row in range(rgb.shape[1]):
        y = row + PAD
        first, in_red_row = _first_color(y, red_row, red_column), y % 2 == red_row
        for column in range(rgb.shape[2]):
            x = column + PAD
            red, blue, green = red_green[y, x], blue_green[y, x], cfa[y, x]
            if x % 2 == first:
                own = refined[y, x]
                red_blue = _mean3(red_green, y, x, horizontal[y, x]) - _mean3(blue_green, y, x, horizontal[y, x])
                green -= own
                red = own if in_red_row else own + red_blue
                blue = own - red_blue if in_red_row else own
            rgb[0, row, column] = green + red
            rgb[1, row, column] = green
            rgb[2, row, column] = green + blue
