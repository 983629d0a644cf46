"""CIE lightness of pictures, compiled for the CPU; elsewhere and for gradients that of `core.colorimetry`."""

import math

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core import colorimetry
from lolblur_synth.core.colorimetry import LUMINANCE
from lolblur_synth.kernels.jit import ONE, Floats, Real, jit
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.ops.linearization_compiled import decode

_RED, _GREEN, _BLUE = (np.float32(weight) for weight in LUMINANCE)
_STEPS = 8192  # of the table of the cube root, linear between them: right to 2e-6
_CUBE, _LINE = np.float32(216 / 24389), np.float32(24389 / 2700)  # CIE epsilon; below it the slope, CIE kappa
_TABLE = colorimetry.luminance_to_lightness(torch.arange(_STEPS + 2, dtype=torch.float64) / _STEPS).float().numpy()


def lightness(srgb: Tensor) -> Tensor:
    """CIE L*/100 of sRGB (..., 3, H, W), as (..., 1, H, W) in [0, 1].

    >>> round(lightness(torch.full((3, 1, 1), 0.5)).item(), 4)
    0.5339
    """
    if srgb.requires_grad or not runs_compiled(srgb):
        return colorimetry.lightness(srgb)
    frames = srgb.contiguous().view(-1, 3, *srgb.shape[-2:])
    out = frames.new_empty(len(frames), *frames.shape[-2:])
    for frame, plane in zip(frames.numpy(), out.numpy(), strict=True):
        _lightness(frame[0], frame[1], frame[2], plane)
    return out.view(*srgb.shape[:-3], 1, *srgb.shape[-2:])


@jit
def _from_luminance(y: Real) -> Real:
    if y <= _CUBE:
        return y * _LINE
    if y > ONE:
        return np.float32(1.16 * math.pow(y, 1 / 3) - 0.16)
    at = y * np.float32(_STEPS)
    below = int(at)
    return _TABLE[below] + (at - np.float32(below)) * (_TABLE[below + 1] - _TABLE[below])


@jit
def _lightness(red: Floats, green: Floats, blue: Floats, out: Floats) -> None:
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            y = _RED * decode(red[i, j]) + _GREEN * decode(green[i, j]) + _BLUE * decode(blue[i, j])
            out[i, j] = _from_luminance(y)
