"""Plot of image statistics: a histogram of the pictures for each of them, over the band of real nights."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.dataset.statistics import MEANINGS, Band, Meaning, Statistics

_WIDTH, _HEIGHT = 900, 150  # of a panel, pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, _WIDTH - 30, 34, _HEIGHT - 34  # of its axes
_BINS = 60
_GROUND, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)
_BAND, _BAND_INK, _BARS = (255, 226, 168), (160, 96, 0), (58, 100, 152)


def plot_statistics(pictures: Sequence[Statistics]) -> NDArray[np.uint8]:
    """Histograms of one picture or more, a panel for each statistic, as 8-bit RGB (H, W, 3).

    Amber is the band of real nights, a black line the mean of the pictures.

    >>> plot_statistics([dict.fromkeys(MEANINGS, 1.0)]).shape
    (750, 900, 3)
    """
    return np.concatenate([_panel(meaning, [each[name] for each in pictures]) for name, meaning in MEANINGS.items()])


def _panel(meaning: Meaning, values: list[float]) -> NDArray[np.uint8]:
    panel = np.full((_HEIGHT, _WIDTH, 3), _GROUND, np.uint8)
    axis = axis_of(meaning.night, values)
    low, high = (_column(value, axis) for value in meaning.night)
    panel[_TOP:_BOTTOM, low : high + 1] = _BAND
    counts, edges = np.histogram(values, _BINS, (axis.low, axis.high))
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        rise = int(np.ceil((_BOTTOM - _TOP) * count / counts.max()))
        panel[_BOTTOM - rise : _BOTTOM, _column(left, axis) + 1 : _column(right, axis)] = _BARS
    mean = float(np.mean(values))
    panel[_TOP - 4 : _BOTTOM, _column(mean, axis)] = _INK
    panel[_BOTTOM, _LEFT : _RIGHT + 1] = _FAINT
    told = f"{meaning.label}: mean {meaning.written(mean)}, {meaning.written(min(values))} to "
    _write(panel, f"{told}{meaning.written(max(values))}; real nights {meaning.band}", _LEFT, _TOP - 12, _INK)
    for value in axis:
        _write(panel, meaning.written(value), _column(value, axis), _BOTTOM + 16, _FAINT, centred=True)
    for value in meaning.night:
        if min(abs(_column(value, axis) - end) for end in (_LEFT, _RIGHT)) > 40:
            _write(panel, meaning.written(value), _column(value, axis), _BOTTOM + 16, _BAND_INK, centred=True)
    return panel


def axis_of(band: Band, values: Sequence[float]) -> Band:
    """The axis of a histogram: all values and the band, with room on both sides, but none below 0."""
    low, high = min(band.low, *values), max(band.high, *values)
    room = 0.05 * (high - low)
    return Band(max(0.0, low - room), high + room)


def _column(value: float, axis: Band) -> int:
    return round(_LEFT + (_RIGHT - _LEFT) * (value - axis.low) / (axis.high - axis.low))


def _write(
    panel: NDArray[np.uint8], text: str, x: int, y: int, ink: tuple[int, int, int], *, centred: bool = False
) -> None:
    (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)
    at = (x - width // 2 if centred else x, y)
    cv2.putText(panel, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv2.LINE_AA)
