"""Kernels of `linearization`: light of pixels, decoded by a table."""

import math
from typing import Any

import numpy as np
import torch

from lolblur_synth.core.colorimetry import LUMINANCE, srgb_to_linear
from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Real, jit

_STEPS = 4096  # of the table of sRGB's curve, linear between them: right to 3e-8
_TABLE = srgb_to_linear(torch.arange(_STEPS + 2, dtype=torch.float64) / _STEPS).float().numpy()
_RED, _GREEN, _BLUE = (np.float32(weight) for weight in LUMINANCE)


@jit
def decode(srgb: Real) -> Real:
    """Linear light of an sRGB value, by a table up to white."""
    if ZERO <= srgb <= ONE:
        at = srgb * np.float32(_STEPS)
        below = int(at)
        return _TABLE[below] + (at - np.float32(below)) * (_TABLE[below + 1] - _TABLE[below])
    if srgb < ZERO:
        return srgb / np.float32(12.92)
    return np.float32(math.pow((srgb + np.float32(0.055)) / np.float32(1.055), np.float32(2.4)))


@jit
def light_of_pixel(red: Real, green: Real, blue: Real, boost: Real, clipped: Real, linear: Any) -> Any:
    """Light of one pixel, by `Linearization.parameters`."""
    x, y, z = decode(red), decode(green), decode(blue)
    if boost > ZERO and _RED * x + _GREEN * y + _BLUE * z > clipped:
        red, green, blue = red + boost, green + boost, blue + boost
        if linear:
            x, y, z = decode(red), decode(green), decode(blue)
    return (x, y, z) if linear else (red, green, blue)


@jit
def light_of(red: Floats, green: Floats, blue: Floats, out: Floats, boost: Real, clipped: Real, linear: Any) -> None:
    """Light of planes (H, W), into `out` (3, H, W), by `Linearization.parameters`."""
    for i in range(red.shape[0]):
        for j in range(red.shape[1]):
            light = light_of_pixel(red[i, j], green[i, j], blue[i, j], boost, clipped, linear)
            out[0, i, j], out[1, i, j], out[2, i, j] = light
