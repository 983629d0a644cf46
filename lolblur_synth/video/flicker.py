"""Mains flicker: lamps dim twice a period of the mains, which a fast camera sees, as a whole or in bands.

The logarithm of each frame's light, in bands from the top of the sensor down, as a rolling shutter reads them, is
fitted by least squares over half a second: slow cosines for what the scene does, and the harmonics of 100 or 120 Hz as
the capture rate aliases them. Flicker is what the harmonics explain of all that is not slow.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import fsum

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.video.metadata import Flicker

BANDS = 8
_MAINS = (100, 120)  # Hz of the light
_SECONDS = 0.5  # that are fitted at a time: mains and cameras' clocks drift apart by a few degrees
_HARMONICS = 4
_SLOWEST = 6  # Hz of an alias: below, it cannot be told from what moves in the scene
_PERIODS = 3  # at the least in a fit
_SHARE, _PERCENT = 0.5, 1.0  # explained of what is not slow, and per cent flicker, from which on it is told
_DARK = 0.002  # of white, added to all light: black makes no flicker
_TO_LINEAR = np.array([x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in np.arange(256) / 255])
_LUMINANCE = np.array((0.212671, 0.715160, 0.072169))
_SATURATED = 0.97  # lightness above which a pixel is a light


def light_of(picture: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
    """Linear light of a small sRGB picture (H, W, 3) in bands from top to bottom, and mean lightness but for lights."""
    y = _TO_LINEAR.take(picture) @ _LUMINANCE
    bands = cv2.resize(y, (1, BANDS), interpolation=cv2.INTER_AREA)[:, 0]
    lightness = np.where(y > 216 / 24389, 1.16 * np.cbrt(y) - 0.16, y * 24389 / 2700)
    unlit = lightness[lightness <= _SATURATED]
    return np.asarray(bands, np.float64), float(unlit.mean()) if unlit.size else 0.0


_Bases = tuple[NDArray[np.float64], NDArray[np.float64]]  # slow cosines, waves


@dataclass(frozen=True)
class _Fit:
    start: int
    share: float  # explained of what is not slow
    percent: float
    log_light: NDArray[np.float64]  # (frames, bands): the periodic part


def find_flicker(light: NDArray[np.float64], cuts: Iterable[int], fps: Fraction) -> Flicker | None:
    """Flicker in linear light (frames, bands) filmed at `fps`; NaN where a frame is missing. None if there is none."""
    if len(light) < 2:
        return None
    parts = [part for part in pairwise([0, *sorted(cuts), len(light)]) if part[0] < part[1]]
    fits = {hertz: _fits(_filled(light), parts, hertz / float(fps), float(fps)) for hertz in _MAINS}
    told = {
        hertz: [fit for fit in found if fit.share >= _SHARE and fit.percent >= _PERCENT]
        for hertz, found in fits.items()
    }
    hertz = max(told, key=lambda hertz: fsum(fit.share for fit in told[hertz]))
    if not told[hertz]:
        return None
    periodic, weights = np.zeros_like(light), np.zeros((len(light), 1))
    for fit in fits[hertz]:
        stop = fit.start + len(fit.log_light)
        fade = np.hanning(len(fit.log_light) + 2)[1:-1, None]
        periodic[fit.start : stop] += fade * fit.log_light * (fit in told[hertz])
        weights[fit.start : stop] += fade
    gains = np.exp(-periodic / np.maximum(weights, 1e-9))
    return Flicker(
        hertz=hertz,
        percent=round(float(np.median([fit.percent for fit in told[hertz]])), 1),
        parts=_joined((fit.start, fit.start + len(fit.log_light)) for fit in told[hertz]),
        gains=tuple(tuple(row) for row in gains.round(4).tolist()),
    )


def _filled(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Missing frames as between those around."""
    there, numbers = ~np.isnan(light[:, 0]), np.arange(len(light))
    return np.stack([np.interp(numbers, numbers[there], band[there]) for band in light.T], 1)


def _fits(light: NDArray[np.float64], parts: Sequence[tuple[int, int]], cycles: float, fps: float) -> list[_Fit]:
    """Half a second at a time, each beginning in the middle of the one before; `cycles` of the light in a frame."""
    alias, found = _alias(cycles), list[_Fit]()
    for start, stop in parts:
        length = min(stop - start, round(_SECONDS * fps))
        if alias * fps < _SLOWEST or alias * length < _PERIODS:
            continue
        fundamental = _slow(length, alias), _waves(length, [cycles])
        harmonics = _distinct(length, cycles)
        whole = _slow(length, min(map(_alias, harmonics))), _waves(length, harmonics)
        for at in [*range(start, stop - length, max(1, length // 2)), stop - length]:
            found.append(_fit(at, light[at : at + length], fundamental, whole))
    return found


def _fit(start: int, light: NDArray[np.float64], fundamental: _Bases, whole: _Bases) -> _Fit:
    log_light, weights = np.log(light + _DARK), light.mean(0) + _DARK
    fast, left = _split(log_light, *fundamental)[1:]
    share = 1 - float(np.square(left).sum(0) @ weights) / max(float(np.square(fast).sum(0) @ weights), 1e-12)
    periodic = _split(log_light, *whole)[0]
    low, high = np.exp(periodic.min(0)), np.exp(periodic.max(0))
    percent = 100 * float(np.average((high - low) / (high + low), weights=weights))
    return _Fit(start, share, percent, periodic)


def _split(
    signal: NDArray[np.float64], slow: NDArray[np.float64], waves: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """What of a signal (frames, bands) is periodic, what is not slow, and what of that is left beside the waves."""
    fast, fast_waves = (x - slow @ (slow.T @ x) for x in (signal, waves))
    sizes = np.linalg.lstsq(fast_waves, fast, rcond=1e-3)[0]
    return waves @ sizes, fast, fast - fast_waves @ sizes


def _alias(cycles: float) -> float:
    """The frequency that is seen of one of `cycles` per frame, in [0, 0.5]."""
    return abs((cycles + 0.5) % 1 - 0.5)


def _slow(length: int, alias: float) -> NDArray[np.float64]:
    """Orthonormal cosines (frames, n) below half of the alias."""
    numbers = np.arange(int(length * alias) + 1)
    cosines = np.cos(np.pi * np.outer(np.arange(length) + 0.5, numbers) / length)
    return np.asarray(cosines / np.linalg.norm(cosines, axis=0))


def _distinct(length: int, cycles: float) -> list[float]:
    """Of the harmonics those that are neither slow nor seen as another is, in cycles per frame."""
    seen = [cycles]
    for harmonic in range(2, _HARMONICS + 1):
        alias = _alias(harmonic * cycles)
        if alias >= 0.3 * _alias(cycles) and all(abs(alias - _alias(other)) * length >= 2 for other in seen):
            seen.append(harmonic * cycles)
    return seen


def _waves(length: int, cycles: Sequence[float]) -> NDArray[np.float64]:
    """Cosines and sines (frames, n); of what is seen at half the capture rate the sine is nothing."""
    waves = list[NDArray[np.float64]]()
    for each in cycles:
        angle = 2 * np.pi * each * np.arange(length)
        waves += [np.cos(angle)] + [np.sin(angle)] * ((0.5 - _alias(each)) * length > 0.5)
    return np.stack(waves, 1)


def _joined(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return tuple(joined)
