"""Incident light of a frame: reverse clipping and decoding in one pass, compiled for the CPU."""

import math
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import LUMINANCE, lightness_to_luminance, linear_to_srgb, srgb_to_linear
from lolblur_synth.kernels.jit import ONE, ZERO, Floats, Real, jit
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.ops.exposure import Space, space_of
from lolblur_synth.ops.unclip import unclip

_STEPS = 4096  # of the table of sRGB's curve, linear between them: right to 3e-8
_TABLE = srgb_to_linear(torch.arange(_STEPS + 2, dtype=torch.float64) / _STEPS).float().numpy()
_RED, _GREEN, _BLUE = (np.float32(weight) for weight in LUMINANCE)


class Light(NamedTuple):
    """How light is had of sRGB frames: what is clipped is boosted, then decoded, or left as it is to be averaged so."""

    saturation_boost: float  # of reverse clipping, in sRGB; 0 is none
    threshold: float  # CIE L* above which light counts as clipped
    space: Space

    def __call__(self, rgb: Tensor) -> Tensor:
        """Light of sRGB (3, H, W), from 0 upwards, in the space in which it is averaged.

        >>> light = Light(0.25, 98, "linear")
        >>> light(torch.tensor([0.5, 1.0]).expand(3, 1, 2))[0]
        tensor([[0.2140, 1.6687]])
        """
        if not runs_compiled(rgb):
            return space_of(self.space)[0](unclip(rgb, self.saturation_boost, self.threshold))
        out = torch.empty(rgb.shape)
        _light_of(*(plane.ravel() for plane in (*rgb.contiguous().numpy(), *out.numpy())), *self.parameters())
        return out

    def parameters(self) -> tuple[np.float32, np.float32, bool]:
        """The same for compiled code: the boost, the luminance above which it is added, and whether to decode."""
        luminance = np.float32(lightness_to_luminance(self.threshold / 100))
        return np.float32(self.saturation_boost), luminance, self.space == "linear"

    def clipped_from(self) -> np.float32:
        """The sRGB value of grey at the threshold: nothing darker in all channels is clipped, and all that is brighter."""
        luminance = torch.tensor(lightness_to_luminance(self.threshold / 100))
        return np.float32(linear_to_srgb(luminance).item())


@jit
def _decode(srgb: Real) -> Real:
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
    """Light of one pixel, by `Light.parameters`."""
    x, y, z = _decode(red), _decode(green), _decode(blue)
    if boost > ZERO and _RED * x + _GREEN * y + _BLUE * z > clipped:
        red, green, blue = red + boost, green + boost, blue + boost
        if linear:
            x, y, z = _decode(red), _decode(green), _decode(blue)
    return (x, y, z) if linear else (red, green, blue)


@jit
def _light_of(
    red: Floats,
    green: Floats,
    blue: Floats,
    out_red: Floats,
    out_green: Floats,
    out_blue: Floats,
    boost: Real,
    clipped: Real,
    linear: Any,
) -> None:
    for i in range(red.size):
        light = light_of_pixel(red[i], green[i], blue[i], boost, clipped, linear)
        out_red[i], out_green[i], out_blue[i] = light
