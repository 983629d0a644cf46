"""Image statistics that tell a night picture: brightness, lightness, saturation, noise."""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from lolblur_synth.core.colorimetry import lightness

Statistic = Literal["mean", "lightness", "p99_grey", "saturated", "noise_sigma"]


def measure(image: Tensor) -> dict[Statistic, float]:
    """Statistics of an sRGB image (3, H, W) in [0, 1] that tell a night picture.

    `mean` and `p99_grey` on the scale of 255, `lightness` as mean CIE L*, `saturated` as per cent of pixels whose
    largest channel is 250 or more, `noise_sigma` of the green channel on the scale of 255 by Immerkaer (CVIU 1996).

    >>> {name: round(value, 2) for name, value in measure(torch.full((3, 8, 8), 0.2)).items()}
    {'mean': 51.0, 'lightness': 21.25, 'p99_grey': 51.0, 'saturated': 0.0, 'noise_sigma': 0.0}
    """
    grey = (image * image.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    return {
        "mean": 255 * image.mean().item(),
        "lightness": 100 * lightness(image).mean().item(),
        "p99_grey": 255 * torch.quantile(grey.flatten()[:: 1 + grey.numel() // 2**20], 0.99).item(),
        "saturated": 100 * (image.amax(0) >= 250 / 255).float().mean().item(),
        "noise_sigma": 255 * _immerkaer(image[1]),
    }


def _immerkaer(channel: Tensor) -> float:
    kernel = channel.new_tensor([[1, -2, 1], [-2, 4, -2], [1, -2, 1]])
    response = torch.nn.functional.conv2d(channel[None, None], kernel[None, None])
    return float(response.abs().mean().item() * (np.pi / 2) ** 0.5 / 6)
