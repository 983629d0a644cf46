"""Plot of a photon transfer curve: variance over light, both logarithmic, with the fit."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from lolblur_synth.ops.noise.calibration import TransferCurve

_WIDTH, _HEIGHT = 900, 620
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, _WIDTH - 30, 60, _HEIGHT - 60  # of the axes
_GROUND, _INK, _FAINT, _GRID = (255, 255, 255), (40, 40, 40), (120, 120, 120), (228, 228, 228)
_LINE, _POINT, _DARK = (160, 96, 0), (58, 100, 152), (150, 150, 150)
Ink = tuple[int, int, int]
Picture = NDArray[np.uint8]


def plot_transfer(curve: TransferCurve, span: int) -> Picture:
    """Bins of the curve as points, the fitted line, and read noise as a level, as 8-bit RGB (H, W, 3).

    Light goes to `span`, where the converter saturates.
    """
    picture = np.full((_HEIGHT, _WIDTH, 3), _GROUND, np.uint8)
    lights = float(curve.light.min()) / 2, float(span)
    highest = max(float(curve.variance.max()), curve.gain * lights[1] + curve.read)
    variances = min(curve.read, float(curve.variance.min())) / 2, 1.5 * highest
    column, row = _axis(*lights, _LEFT, _RIGHT), _axis(*variances, _BOTTOM, _TOP)
    _grid(picture, column, row, lights, variances)
    steps = np.geomspace(*lights, 24)
    model = [(column(light), row(curve.gain * light + curve.read)) for light in steps]
    cv2.line(picture, (_LEFT, row(curve.read)), (_RIGHT, row(curve.read)), _DARK, 1)
    cv2.polylines(picture, [np.array(model, np.int32)], False, _LINE, 2, cv2.LINE_AA)
    for light, variance in zip(curve.light, curve.variance, strict=True):
        cv2.circle(picture, (column(light), row(variance)), 4, _POINT, -1, cv2.LINE_AA)
    _write(picture, f"variance = {curve.gain:.4g} light + {curve.read:.4g}", _LEFT, 26, _LINE, size=0.55)
    _write(picture, f"bins of {curve.blocks} blocks, {curve.misfit:.1%} (rms) off the line", _LEFT, 46, _POINT)
    _write(picture, "dark frames", _RIGHT - 90, row(curve.read) - 6, _FAINT)
    _write(picture, "light above black, digital numbers", (_LEFT + _RIGHT) // 2 - 120, _HEIGHT - 16, _INK)
    _write(picture, "variance", 8, _TOP - 10, _INK)
    return picture


def _axis(low: float, high: float, start: int, stop: int) -> Callable[[float], int]:
    """Pixels of values on a logarithmic axis."""
    scale = (stop - start) / np.log(high / low)
    return lambda value: round(start + scale * float(np.log(max(value, low) / low)))


def _grid(
    picture: Picture,
    column: Callable[[float], int],
    row: Callable[[float], int],
    lights: tuple[float, float],
    variances: tuple[float, float],
) -> None:
    for value in _decades(*lights):
        cv2.line(picture, (column(value), _TOP), (column(value), _BOTTOM), _GRID, 1)
        _write(picture, f"{value:g}", column(value) - 12, _BOTTOM + 18, _FAINT)
    for value in _decades(*variances):
        cv2.line(picture, (_LEFT, row(value)), (_RIGHT, row(value)), _GRID, 1)
        _write(picture, f"{value:g}", _LEFT - 60, row(value) + 5, _FAINT)
    cv2.rectangle(picture, (_LEFT, _TOP), (_RIGHT, _BOTTOM), _FAINT, 1)


def _decades(low: float, high: float) -> list[float]:
    return [10.0**power for power in range(int(np.ceil(np.log10(low))), int(np.floor(np.log10(high))) + 1)]


def _write(picture: Picture, text: str, x: int, y: int, ink: Ink, *, size: float = 0.45) -> None:
    cv2.putText(picture, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 1, cv2.LINE_AA)
