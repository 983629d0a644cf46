"""Kernels of `linearization`: light of pixels, decoded by a table."""

import math
from typing import Any

import numpy as np
import torch
from numpy.polynomial import Chebyshev, Polynomial

from lolblur_synth.core.colorimetry import LUMINANCE, srgb_to_linear
from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Real, jit
from lolblur_synth.kernels.simd import Vec, select_greater

_STEPS = 4096  # of the table of sRGB's curve, linear between them: right to 3e-8
_TABLE = srgb_to_linear(torch.arange(_STEPS + 2, dtype=torch.float64) / _STEPS).float().numpy()
_KNEE = 0.04045  # below it sRGB's curve is a line
_CURVE = Chebyshev.interpolate(lambda x: ((x + 0.055) / 1.055) ** 2.4, 9, [_KNEE, 1]).convert(kind=Polynomial)
_C0, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8, _C9 = (np.float32(c) for c in _CURVE.coef)
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
def decode_lanes(srgb: Vec) -> Vec:
    """Linear light of sRGB values up to 1 in each lane: by a polynomial, right to 4e-7."""
    lower = ((_C4 * srgb + _C3) * srgb + _C2) * srgb + _C1
    upper = ((((_C9 * srgb + _C8) * srgb + _C7) * srgb + _C6) * srgb + _C5) * (srgb * srgb) * (srgb * srgb)
    curve = (upper + lower) * srgb + _C0
    return select_greater(srgb, np.float32(_KNEE), curve, np.float32(1 / 12.92) * srgb)


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
