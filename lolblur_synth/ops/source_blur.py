"""Blind estimate of the blur that footage has itself: the share of the motion between frames that each frame shows.

Motion blur takes fine detail along the motion and leaves it across. A box of r |v| pixels, of the exposure ratio r and
the flow v, multiplies the power spectrum along the motion by sinc^2(r |v| f). Scenes have more detail in some
directions than in others, but so at all scales alike: a factor for each direction takes that up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

_Array = NDArray[np.float64]
_SIDE = 64  # pixels of a patch
SLOWEST = 3.0  # pixels a frame, of a patch that tells
_SPREAD = 0.25  # of the speed: what flow may vary within a patch
_LARGE = 640 * 640  # pixels, from which on patches do not overlap
_FLAT = 3.0  # of 255: standard deviation of a patch without detail
_FEWEST = 24  # patches
_ANGLES = 16  # of motion, over half a turn
_SECTOR = math.radians(20)  # to both sides
_EDGES = np.geomspace(0.05, 0.42, 9)  # cycles a pixel, of bands
_RATIOS = np.linspace(0, 1.2, 25)
_FACTORS = np.geomspace(0.1, 10, 41)
_CLEAR = 4  # times the noise, of bands that count
_UNLIKELY = 0.1  # cost of a factor of ten between directions, per decade
_BLACK = 0.003  # of the power, where the spectrum of a box is zero: motion is not so even
_FEWEST_BANDS = 4


class Patch(NamedTuple):
    """Power spectra of a patch that moves, in bands of frequency, and the share of it that is noise."""

    speed: float  # pixels a frame
    angle: int  # of motion, in steps of half a turn over `_ANGLES`
    along: _Array
    across: _Array
    noise: float


@dataclass(frozen=True)
class SourceBlur:
    """The exposure ratio that fits, and by how much: mean decades of power by which it is nearer than no blur."""

    ratio: float
    evidence: float


def moving_patches(picture: Tensor, flow: Tensor) -> list[Patch]:
    """Spectra of the patches of an 8-bit picture (H, W) that move evenly by its flow (H, W, 2), x and y in pixels."""
    grey, motion = picture.numpy().astype(np.float64), flow.numpy()
    noise = _noise(grey) ** 2
    step = _SIDE if grey.size > _LARGE else _SIDE // 2
    return [
        patch
        for top in range(0, grey.shape[0] - _SIDE + 1, step)
        for left in range(0, grey.shape[1] - _SIDE + 1, step)
        if (patch := _patch(grey[area := _area(top, left)], motion[area], noise))
    ]


def _area(top: int, left: int) -> tuple[slice, slice]:
    return slice(top, top + _SIDE), slice(left, left + _SIDE)


def _patch(grey: _Array, motion: NDArray[np.float32], noise: float) -> Patch | None:
    """The spectra of a patch; None where it moves slowly or unevenly, or has no detail."""
    middle = np.median(motion[::4, ::4].reshape(-1, 2), 0)
    speed = math.hypot(*middle)
    if speed < SLOWEST or np.median(np.abs(motion[::4, ::4] - middle)) > _SPREAD * speed or grey.std() < _FLAT:
        return None
    angle = round(math.atan2(middle[1], middle[0]) / math.pi * _ANGLES) % _ANGLES
    power = np.abs(np.fft.fft2((grey - grey.mean()) * _WINDOW)).ravel() ** 2 / np.square(_WINDOW).sum()
    along, across = _SECTORS[angle] @ power, _SECTORS[(angle + _ANGLES // 2) % _ANGLES] @ power
    total = float(along.sum() + across.sum())
    return Patch(speed, angle, along / total, across / total, noise / total)


def exposure_ratio(patches: Sequence[Patch]) -> SourceBlur | None:
    """The exposure ratio that explains the spectra of moving patches best; None where too few can tell.

    Patches of a speed, within a quarter of an octave, and a direction, within 45 degrees, have one spectrum.
    """
    groups: dict[tuple[int, int], list[Patch]] = {}
    for patch in patches:
        key = round(4 * math.log2(patch.speed)), (patch.angle * 4 + _ANGLES // 2) // _ANGLES % 4
        groups.setdefault(key, []).append(patch)
    fits = [(len(group), costs) for group in groups.values() if (costs := _costs(group)) is not None]
    if sum(count for count, _ in fits) < _FEWEST:
        return None
    costs = np.average([costs for _, costs in fits], 0, [count for count, _ in fits])
    best = int(np.argmin(costs))
    return SourceBlur(min(1.0, float(_RATIOS[best])), float(costs[0] - costs[best]))


def _costs(group: Sequence[Patch]) -> _Array | None:
    """How far spectra are from what each ratio would make of them, in decades; at the best factor of the direction."""
    speed = float(np.mean([patch.speed for patch in group]))
    along = np.mean([patch.along for patch in group], 0)
    across = np.mean([patch.across for patch in group], 0)
    noise = float(np.mean([patch.noise for patch in group]))
    clear = across > _CLEAR * noise
    if clear.sum() < _FEWEST_BANDS:
        return None
    kept = np.maximum(_sinc2(_RATIOS * speed), _BLACK)[:, None, clear]
    expected = np.log10(_FACTORS[:, None] * (across - noise)[clear] * kept + noise)
    off = np.abs(np.log10(along[clear]) - expected).mean(-1) + _UNLIKELY * np.abs(np.log10(_FACTORS))
    return np.asarray(off.min(-1))


def _sinc2(lengths: _Array) -> _Array:
    """Power that boxes leave in the bands along them, a mean over the sector: (lengths, bands)."""
    middles = np.sqrt(_EDGES[1:] * _EDGES[:-1])
    along = np.cos(np.linspace(0, _SECTOR, 5))[:, None] * middles
    return np.asarray(np.square(np.sinc(lengths[:, None, None] * along)).mean(1))


def _noise(grey: _Array) -> float:
    """Standard deviation of noise by the median of Immerkaer's second differences (CVIU 1996)."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)
    response = cv2.filter2D(grey, cv2.CV_64F, kernel)[1:-1, 1:-1]
    return float(np.median(np.abs(response)) / 0.6745 / 6)


def _sectors() -> _Array:
    """For each angle and band the weights of a mean over the sector: (angles, bands, pixels)."""
    x, y = np.fft.fftfreq(_SIDE)[None], np.fft.fftfreq(_SIDE)[:, None]
    radius, angle = np.hypot(x, y), np.arctan2(y, x)
    rows = []
    for step in range(_ANGLES):
        near = np.cos(2 * (angle - math.pi * step / _ANGLES)) > math.cos(2 * _SECTOR)
        for low, high in pairwise(_EDGES):
            inside = near & (radius >= low) & (radius < high)
            rows.append(inside.ravel() / inside.sum())
    return np.stack(rows).reshape(_ANGLES, len(_EDGES) - 1, -1)


_WINDOW = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))
_SECTORS = _sectors()
