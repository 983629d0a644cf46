"""Linearization of frames that are averaged: reverse clipping and decoding in one pass, compiled for the CPU."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness_to_luminance, linear_to_srgb
from lolblur_synth.kernels.switch import runs_compiled
from lolblur_synth.ops.exposure import Space, space_of
from lolblur_synth.ops.linearization_compiled import light_of
from lolblur_synth.ops.unclip import unclip


@dataclass(frozen=True)
class Linearization:
    """How light is had of sRGB frames: what is clipped is boosted, then all is decoded, or left to be averaged so."""

    saturation_boost: float  # of reverse clipping, in sRGB; 0 is none
    threshold: float  # CIE L* above which light counts as clipped
    space: Space

    def __call__(self, rgb: Tensor) -> Tensor:
        """Light of sRGB (3, H, W), from 0 upwards, in the space in which it is averaged.

        >>> Linearization(0.25, 98, "linear")(torch.tensor([0.5, 1.0]).expand(3, 1, 2))[0]
        tensor([[0.2140, 1.6659]])
        """
        if not runs_compiled(rgb):
            return space_of(self.space)[0](unclip(rgb, self.saturation_boost, self.threshold))
        out = torch.empty(rgb.shape)
        red, green, blue = rgb.contiguous().numpy()
        light_of(red, green, blue, out.numpy(), *self.parameters())
        return out

    def parameters(self) -> tuple[np.float32, np.float32, bool]:
        """The same for compiled code: the boost, the luminance above which it is added, and whether to decode."""
        luminance = np.float32(lightness_to_luminance(self.threshold / 100))
        return np.float32(self.saturation_boost), luminance, self.space == "linear"

    def clipped_from(self) -> np.float32:
        """The sRGB value of grey at the threshold: a pixel darker in all channels is not clipped, a brighter one is."""
        luminance = torch.tensor(lightness_to_luminance(self.threshold / 100))
        return np.float32(linear_to_srgb(luminance).item())
