"""Clipping reverse: give saturated lights back the radiance that the sensor could not hold."""

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness_to_luminance, luminance, srgb_to_linear


def unclip(rgb: Tensor, saturation_boost: float, threshold: float = 98) -> Tensor:
    """Add `saturation_boost` (sRGB, 1 is white) wherever CIE L* of sRGB (..., 3, H, W) exceeds `threshold` of 100.

    The result exceeds 1 there, so that a moving light leaves a streak when frames are averaged (LEDNet, section 3.1).
    """
    saturated = luminance(srgb_to_linear(rgb)) > lightness_to_luminance(threshold / 100)
    return torch.add(rgb, saturated.to(rgb.dtype), alpha=saturation_boost)
