"""Small pictures of frames, by which scene cuts and light are seen: area averages of the samples as they are stored."""

from collections.abc import Sequence
from functools import cache
from math import gcd
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.kernels.jit import jit
from lolblur_synth.video.color import merged
from lolblur_synth.video.content import Samples
from lolblur_synth.video.light import as_srgb
from lolblur_synth.video.metadata import VideoInfo

_WIDTH = 64  # pixels: blurs noise and the motion of one frame away, but not what a cut changes


def small_frame(samples: Samples, info: VideoInfo) -> NDArray[np.uint8]:
    """A small picture of a frame, (H, W, 3) sRGB, not turned; light is clipped at white."""
    rgb = merged(_averages(samples), samples, info)
    shown = rgb if info.white is None else as_srgb(rgb, info.white).clamp(0, 1).permute(1, 2, 0).numpy()
    return np.asarray(shown * 255, np.uint8)


def small_picture(samples: Samples) -> NDArray[np.uint8]:
    """The same of sRGB samples of 8 or 16 bits."""
    small = np.stack(_averages(samples), -1)
    return np.asarray(small // 2 ** (samples.depth - 8), np.uint8)


def area_average(plane: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Area average of samples (H, W), 8 or 16 bits and contiguous, at `size` (width, height), to the nearest code.

    As OpenCV's INTER_AREA, which takes seven times as long, and which does it where a side is not reduced.
    """
    (rows, columns), (width, height) = plane.shape, size
    if rows < height or columns < width:
        return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
    (down, per_row), (across, per_column) = _places(rows, height), _places(columns, width)
    parts = rows * per_row // height * (columns * per_column // width)  # of a place
    kind = np.uint32 if np.iinfo(plane.dtype).max * parts < 2**32 else np.uint64
    sums, line = np.empty((height, width), kind), np.empty(columns, kind)
    _add_up(plane, line, sums, (down, per_row, across, per_column))
    means = sums.astype(np.float32) * np.float32(1 / parts)
    return np.asarray(np.rint(means), plane.dtype)


@cache
def _places(samples: int, places: int) -> tuple[NDArray[np.int64], int]:
    """How a row of samples is shared out to fewer places of one length, in parts of which both have whole numbers.

    For each place its first sample, the one after its last, and the parts of each that lie outside; and the parts of a
    sample.
    """
    common = gcd(samples, places)
    length, per_sample = samples // common, places // common
    starts = np.arange(places) * length
    first, stop = starts // per_sample, -(-(starts + length) // per_sample)
    return np.stack([first, stop, starts - first * per_sample, stop * per_sample - starts - length], 1), per_sample


def _averages(samples: Samples) -> Sequence[NDArray[Any]]:
    rows, columns = samples.guide.shape
    size = _WIDTH, max(1, round(_WIDTH * rows / columns))
    return [area_average(plane, size) for plane in samples.planes]


@jit
def _add_up(
    plane: NDArray[Any],
    line: NDArray[Any],
    sums: NDArray[Any],
    places: tuple[NDArray[np.int64], int, NDArray[np.int64], int],
) -> None:
    """Weighted sums of the samples of each place, in whole numbers, which their type has to hold."""
    down, per_row, across, per_column = places
    for i in range(sums.shape[0]):
        line[:] = 0
        for row in range(down[i, 0], down[i, 1]):
            weight = per_row - (row == down[i, 0]) * down[i, 2] - (row == down[i, 1] - 1) * down[i, 3]
            if weight == 1:
                for column in range(line.shape[0]):
                    line[column] += plane[row, column]
            else:
                for column in range(line.shape[0]):
                    line[column] += np.uint32(weight) * np.uint32(plane[row, column])
        for j in range(sums.shape[1]):
            covered, whole = line[across[j, 0] : across[j, 1]], np.uint32(0)
            for column in range(covered.shape[0]):
                whole += covered[column]
            sums[i, j] = per_column * whole - across[j, 2] * covered[0] - across[j, 3] * covered[-1]
