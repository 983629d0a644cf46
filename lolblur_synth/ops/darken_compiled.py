"""Kernels of `darken.light_weight`, compiled for the CPU: one pass before the means about pixels, and one after."""

from collections.abc import Sequence

import cv2
import numpy as np

from lolblur_synth.kernels.jit import ONE, Floats, Real, clamp, jit

_TENT = np.array([1, 2, 3, 2, 1], np.float32) / np.float32(9)
_TWO, _THREE = np.float32(2), np.float32(3)


@jit
def _smoothstep(value: Real, low: Real, high: Real) -> Real:
    t = clamp((value - low) / (high - low), np.float32(0), ONE)
    return t * t * (_THREE - _TWO * t)


@jit
def _find_bright(lightness: Floats, levels: Floats, planes: Floats) -> None:
    """Planes (3, H, W) of lightness (H, W): how much is light, and bright, whose lightness comes between these.

    `levels`: where light sets in and is full, and where bright does and is.
    """
    for i in range(lightness.shape[0]):
        for j in range(lightness.shape[1]):
            tone = lightness[i, j]
            bright = _smoothstep(tone, levels[2], levels[3])
            planes[0, i, j] = _smoothstep(tone, levels[0], levels[1])
            planes[1, i, j], planes[2, i, j] = bright * tone, bright


def _tent(plane: Floats) -> Floats:
    """Mean over 5x5 pixels, weighted (1, 2, 3, 2, 1) along each axis; the border is continued."""
    return np.asarray(cv2.sepFilter2D(plane, -1, _TENT, _TENT, borderType=cv2.BORDER_REPLICATE))


@jit
def _weigh(lightness: Floats, planes: Floats, around: Floats, limits: Floats, out: Floats) -> None:
    saturated, knee, edge, black = limits[0], limits[1], limits[2], limits[3]
    for i in range(lightness.shape[0]):
        for j in range(lightness.shape[1]):
            tone = around[1, i, j] / max(around[2, i, j], black)
            glow = planes[2, i, j] * _smoothstep(tone, knee, saturated)
            beside = min(_TWO * around[0, i, j], ONE) * _smoothstep(lightness[i, j], edge, saturated)
            out[i, j] = max(planes[0, i, j], max(beside, glow))


def weigh_lights(lightness: Floats, levels: Sequence[float], limits: Sequence[float], out: Floats) -> None:
    """How much of a pixel is light, (H, W), into `out`; `levels` as in `_find_bright`.

    `limits`: the lightness at which a tone is full, at which it sets in about bright pixels and beside lights, and
    below which nothing is divided by.
    """
    planes = np.empty((3, *lightness.shape), np.float32)
    _find_bright(lightness, np.array(levels, np.float32), planes)
    around = np.stack([_tent(plane) for plane in planes])
    _weigh(lightness, planes, around, np.array(limits, np.float32), out)
