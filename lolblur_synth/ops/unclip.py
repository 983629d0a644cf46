"""Reverse clipping (saturation boost): give saturated lights back the radiance that the sensor could not hold."""

import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness_to_luminance, luminance, srgb_to_linear


def unclip(rgb: Tensor, saturation_boost: float, threshold: float = 98) -> Tensor:
    """Reverse clipping: add `saturation_boost` to sRGB (..., 3, H, W) wherever CIE L* exceeds `threshold` of 100.

    The boost is in sRGB, where 1 is white. The result exceeds 1 there, so that a moving light leaves a streak when
    frames are averaged (LEDNet, section 3.1).

    >>> unclip(torch.tensor([0.5, 1.0]).expand(3, 1, 2), 0.25)[0]
    tensor([[0.5000, 1.2500]])
    """
    saturated = luminance(srgb_to_linear(rgb)) > lightness_to_luminance(threshold / 100)
    return torch.add(rgb, saturated.to(rgb.dtype), alpha=saturation_boost)
